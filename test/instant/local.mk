# test/instant: what the instant tier says of texts, and libtcc's process.
if HAVE_CMOCKA
instant_tests = test/instant/delta-test test/instant/describe-test test/instant/faithful-test \
	test/instant/linemark-test test/instant/tcc-test
check_PROGRAMS += $(instant_tests)
TESTS += $(instant_tests)
endif
TESTS += test/instant/abi.py
EXTRA_DIST += test/instant/abi.py

TEST_INSTANT_LINK = reloader/instant/libinstant.a reloader/build/libbuild.a $(LIBRARIES_BASE) $(XXHASH_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS)
TEST_INSTANT_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TEST_READING = test/instant/texts.c test/instant/texts.h

test_instant_delta_test_SOURCES = test/instant/delta-test.c $(TEST_READING)
test_instant_delta_test_LDADD = $(TEST_INSTANT_LINK)
test_instant_delta_test_CPPFLAGS = $(TEST_INSTANT_CPPFLAGS)

test_instant_describe_test_SOURCES = test/instant/describe-test.c test/types/compile.c test/types/compile.h
test_instant_describe_test_LDADD = reloader/instant/libinstant.a reloader/types/libtypes.a reloader/object/libobject.a \
	reloader/build/libbuild.a $(LIBRARIES_BASE) $(ELF_LIBS) $(XXHASH_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
test_instant_describe_test_CPPFLAGS = $(TEST_INSTANT_CPPFLAGS)

test_instant_faithful_test_SOURCES = test/instant/faithful-test.c $(TEST_READING)
test_instant_faithful_test_LDADD = $(TEST_INSTANT_LINK)
test_instant_faithful_test_CPPFLAGS = $(TEST_INSTANT_CPPFLAGS)

test_instant_linemark_test_SOURCES = test/instant/linemark-test.c
test_instant_linemark_test_LDADD = $(TEST_INSTANT_LINK)
test_instant_linemark_test_CPPFLAGS = $(TEST_INSTANT_CPPFLAGS)

test_instant_tcc_test_SOURCES = test/instant/tcc-test.c
test_instant_tcc_test_LDADD = $(TEST_INSTANT_LINK)
test_instant_tcc_test_CPPFLAGS = $(TEST_INSTANT_CPPFLAGS)
