# test/types
EXTRA_DIST += test/types/rich.c test/types/traced.c
if HAVE_CMOCKA
types_tests = test/types/hostile-test test/types/migration-test \
	test/types/migrations-test test/types/trace-test test/types/unit-test test/types/verdict-test
check_PROGRAMS += $(types_tests)
TESTS += $(types_tests)
endif

TEST_TYPES_LINK = reloader/types/libtypes.a $(LIBRARIES_BASE) $(ELF_LIBS) $(CMOCKA_LIBS)
TEST_TYPES_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TEST_COMPILE = test/types/compile.c test/types/compile.h

test_types_unit_test_SOURCES = test/types/unit-test.c $(TEST_COMPILE)
test_types_unit_test_LDADD = $(TEST_TYPES_LINK)
test_types_unit_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)

test_types_verdict_test_SOURCES = test/types/verdict-test.c $(TEST_COMPILE)
test_types_verdict_test_LDADD = $(TEST_TYPES_LINK)
test_types_verdict_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)

test_types_migration_test_SOURCES = test/types/migration-test.c $(TEST_COMPILE)
test_types_migration_test_LDADD = $(TEST_TYPES_LINK)
test_types_migration_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)

test_types_migrations_test_SOURCES = test/types/migrations-test.c test/types/generate.c test/types/generate.h \
	test/types/shapes.c test/types/shapes.h $(TEST_COMPILE)
test_types_migrations_test_LDADD = $(TEST_TYPES_LINK) -ldl -lm
test_types_migrations_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)

test_types_trace_test_SOURCES = test/types/trace-test.c $(TEST_COMPILE)
test_types_trace_test_LDADD = $(TEST_TYPES_LINK)
test_types_trace_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)

test_types_hostile_test_SOURCES = test/types/hostile-test.c $(TEST_COMPILE)
test_types_hostile_test_LDADD = $(TEST_TYPES_LINK)
test_types_hostile_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)
