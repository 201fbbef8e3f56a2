# test/object: objects of real compilers, read and compared; damaged ones.
EXTRA_DIST += test/object/compile.h test/object/mutate.h test/object/corpus.c
OBJECT_TEST_LIBS = reloader/object/libobject.a $(LIBRARIES_BASE) $(ELF_LIBS) $(XXHASH_LIBS)
if HAVE_CMOCKA
OBJECT_TESTS = test/object/decode.t test/object/object.t test/object/diff.t test/object/resume.t test/object/damage.t
check_PROGRAMS += $(OBJECT_TESTS)
TESTS += $(OBJECT_TESTS)
OBJECT_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_object_decode_t_SOURCES = test/object/decode.c
test_object_decode_t_CPPFLAGS = $(OBJECT_TEST_CPPFLAGS) $(CAPSTONE_CFLAGS)
test_object_decode_t_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
test_object_decode_t_LDADD = $(OBJECT_TEST_LIBS) $(CMOCKA_LIBS) $(CAPSTONE_LIBS) -lm
test_object_object_t_SOURCES = test/object/object.c test/object/compile.c
test_object_object_t_CPPFLAGS = $(OBJECT_TEST_CPPFLAGS)
test_object_object_t_LDADD = $(OBJECT_TEST_LIBS) $(CMOCKA_LIBS)
test_object_diff_t_SOURCES = test/object/diff.c test/object/compile.c
test_object_diff_t_CPPFLAGS = $(OBJECT_TEST_CPPFLAGS)
test_object_diff_t_LDADD = $(OBJECT_TEST_LIBS) $(CMOCKA_LIBS)
test_object_resume_t_SOURCES = test/object/resume.c test/object/compile.c
test_object_resume_t_CPPFLAGS = $(OBJECT_TEST_CPPFLAGS)
test_object_resume_t_LDADD = $(OBJECT_TEST_LIBS) $(CMOCKA_LIBS)
test_object_damage_t_SOURCES = test/object/damage.c test/object/compile.c test/object/mutate.c
test_object_damage_t_CPPFLAGS = $(OBJECT_TEST_CPPFLAGS)
test_object_damage_t_LDADD = $(OBJECT_TEST_LIBS) $(CMOCKA_LIBS)
endif
if FUZZERS
# CC must be clang. libobject.a is built with the fuzzer's instrumentation when CFLAGS say -fsanitize=fuzzer-no-link,address.
noinst_PROGRAMS += test/object/fuzz_object
test_object_fuzz_object_SOURCES = test/object/fuzz_object.c test/object/mutate.c
test_object_fuzz_object_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer,address
test_object_fuzz_object_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address
test_object_fuzz_object_LDADD = $(OBJECT_TEST_LIBS)
endif
