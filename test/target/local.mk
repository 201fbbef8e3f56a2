# test/target: the running program.
TEST_TARGET_SOURCE = test/target/support.c test/target/support.h test/target/program.h
TEST_TARGET_LINK = reloader/target/libtarget.a $(LIBRARIES_BASE) $(ELF_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lpthread
TEST_TARGET_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

if HAVE_CMOCKA
target_tests = test/target/start \
	test/target/allocate \
	test/target/commit \
	test/target/heap \
	test/target/interrupt \
	test/target/leads \
	test/target/process \
	test/target/signal \
	test/target/unwind
check_PROGRAMS += $(target_tests)
TESTS += $(target_tests)
endif

test_target_start_SOURCES = test/target/start.c $(TEST_TARGET_SOURCE)
test_target_start_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_start_LDADD = $(TEST_TARGET_LINK)

test_target_commit_SOURCES = test/target/commit.c $(TEST_TARGET_SOURCE)
test_target_commit_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_commit_LDADD = $(TEST_TARGET_LINK)

test_target_interrupt_SOURCES = test/target/interrupt.c $(TEST_TARGET_SOURCE)
test_target_interrupt_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_interrupt_LDADD = $(TEST_TARGET_LINK)

test_target_leads_SOURCES = test/target/leads.c $(TEST_TARGET_SOURCE)
test_target_leads_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_leads_LDADD = $(TEST_TARGET_LINK)

test_target_process_SOURCES = test/target/process.c $(TEST_TARGET_SOURCE)
test_target_process_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_process_LDADD = $(TEST_TARGET_LINK)

test_target_signal_SOURCES = test/target/signal.c $(TEST_TARGET_SOURCE)
test_target_signal_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_signal_LDADD = $(TEST_TARGET_LINK)

test_target_unwind_SOURCES = test/target/unwind.c $(TEST_TARGET_SOURCE)
test_target_unwind_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_unwind_LDADD = $(TEST_TARGET_LINK)

test_target_allocate_SOURCES = test/target/allocate.c $(TEST_TARGET_SOURCE)
test_target_allocate_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_allocate_LDADD = $(TEST_TARGET_LINK)

test_target_heap_SOURCES = test/target/heap.c $(TEST_TARGET_SOURCE)
test_target_heap_CPPFLAGS = $(TEST_TARGET_CPPFLAGS)
test_target_heap_LDADD = $(TEST_TARGET_LINK)
