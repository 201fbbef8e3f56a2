# test/build: compile commands and builds with real compilers.
EXTRA_DIST += test/build/support.h
if HAVE_CMOCKA
BUILD_TESTS = test/build/command.t test/build/parsers.t test/build/build.t test/build/mirror.t test/build/kept.t test/build/conditional.t test/build/producer.t
check_PROGRAMS += $(BUILD_TESTS)
TESTS += $(BUILD_TESTS)
BUILD_TEST_LIBS = reloader/build/libbuild.a $(LIBRARIES_BASE) $(JANSSON_LIBS) $(CMOCKA_LIBS)
BUILD_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_build_command_t_SOURCES = test/build/command.c test/build/support.c
test_build_command_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_command_t_LDADD = $(BUILD_TEST_LIBS)
test_build_parsers_t_SOURCES = test/build/parsers.c test/build/support.c
test_build_parsers_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_parsers_t_LDADD = $(BUILD_TEST_LIBS)
test_build_build_t_SOURCES = test/build/build.c test/build/support.c
test_build_build_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_build_t_LDADD = $(BUILD_TEST_LIBS)
test_build_mirror_t_SOURCES = test/build/mirror.c test/build/support.c
test_build_mirror_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_mirror_t_LDADD = $(BUILD_TEST_LIBS)
test_build_conditional_t_SOURCES = test/build/conditional.c test/build/support.c
test_build_conditional_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_conditional_t_LDADD = $(BUILD_TEST_LIBS)
test_build_kept_t_SOURCES = test/build/kept.c test/build/support.c
test_build_kept_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_kept_t_LDADD = $(BUILD_TEST_LIBS)
test_build_producer_t_SOURCES = test/build/producer.c test/build/support.c
test_build_producer_t_CPPFLAGS = $(BUILD_TEST_CPPFLAGS)
test_build_producer_t_LDADD = $(BUILD_TEST_LIBS) $(ELF_LIBS)
endif
