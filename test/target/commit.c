/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A commit reaches every thread of every process or none: exclusions,
 * expectations, and a failure injected at every step. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* argv[2]: processes, threads each. slot[process * threads + thread] is what value() returned last. */
static const char family[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <pthread.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <unistd.h>\n#include <signal.h>\n"
	"#define KEEP __attribute__((noinline, noclone))\n"
	"static struct board *b; static int processes, threads, me;\n"
	"int changed_by_one = 6, untouched = 5;\n"
	"KEEP int value(int x) { __asm__ volatile(\"\" : \"+r\"(x)); return x ? 1 : 1 + x; }\n"
	"KEEP void bottom(void) { b->text[1]++; while (b->go) usleep(1000); __asm__ volatile(\"\"); }\n"
	"KEEP void middle(void) { bottom(); __asm__ volatile(\"\"); }\n"
	"__asm__(\".text\\n.globl stuck, stuck_end, leaves, leaves_end\\n.type stuck,@function\\nstuck: nop\\n1: "
	"nop\\n jmp 1b\\nstuck_end: nop\\n\"\n"
	"	\".type leaves,@function\\nleaves: nop\\nnop\\n pause\\njmp leaves\\nleaves_end: nop\\n\");\n"
	"extern void stuck(void), leaves(void);\n"
	"static void *spin(void *arg) {\n"
	"	int i = me * threads + (int)(intptr_t)arg;\n"
	"	sigset_t all; sigfillset(&all); pthread_sigmask(SIG_SETMASK, &all, 0);\n"
	"	while (!b->finish) { b->slot[i] = value(1); __atomic_fetch_add(&b->calls, 1, __ATOMIC_RELAXED); if "
	"(threads > 4) usleep(1000); }\n"
	"	return 0;\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); (void)argc; sscanf(argv[2], \"%d,%d\", &processes, &threads);\n"
	"	for (int p = 1; p < processes; p++) if (fork() == 0) { me = p; prctl(PR_SET_PDEATHSIG, SIGKILL); "
	"break; }\n"
	"	b->pid[me] = getpid(); if (me == 1) changed_by_one = 100; if (me & 1) untouched = 50;\n"
	"	for (int t = 1; t < threads; t++) { pthread_t id; pthread_create(&id, 0, spin, (void *)(intptr_t)t); "
	"}\n"
	"	__atomic_fetch_add(&b->text[0], 1, __ATOMIC_RELAXED);\n"
	"	while (b->text[0] < processes) usleep(100);\n"
	"	b->ready = 1;\n"
	"	if (b->text[2] == 1) stuck();\n"
	"	if (b->text[2] == 2) leaves();\n"
	"	if (b->text[2] == 3) { b->text[3] = 1; middle(); }\n"
	"	spin(0); return 0;\n"
	"}\n";

static bool
all_slots(const scene *s, int count, int value)
{
	for (int i = 0; i < count; i++)
		if (s->board->slot[i] != value)
			return false;
	return true;
}

static scene *
start_family(const char *shape, int threads_in_all, const char *flags)
{
	scene *s = scene_new(family, flags);
	scene_start(s, shape);
	place_constant(s, 0); /* the arena is there before the children are */
	scene_run(s);
	WAIT_FOR(all_slots(s, threads_in_all, 1));
	return s;
}

static void
add_int(hd_commit *commit, guint64 address, int bytes, int expect, hd_write_mode mode)
{
	GBytes *b = g_bytes_new(&bytes, sizeof bytes), *e = g_bytes_new(&expect, sizeof expect);
	hd_commit_write(commit, address, b, mode == HD_WRITE_ALWAYS ? NULL : e, mode);
	g_bytes_unref(b);
	g_bytes_unref(e);
}

static int
int_of(scene *s, pid_t pid, const char *name)
{
	int value = 0;
	ASSERT_GOOD(hd_target_read(s->target, pid, scene_address(s, name), &value, sizeof value, &error));
	return value;
}

static void
test_every_thread_of_every_process_switches(void **state)
{
	(void)state;
	static const char *const builds[] = {"-O0 -fPIE -pie", "-O2 -fPIE -pie", "-O0 -fno-pie -no-pie",
					     "-O2 -fno-pie -no-pie"};
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = start_family("4,4", 16, builds[i]);
		hd_commit *commit = hd_commit_new();
		redirect(s, commit, scene_address(s, "value"), place_constant(s, 7));
		add_int(commit, scene_address(s, "untouched"), 55, 5, HD_WRITE_UNTOUCHED);
		add_int(commit, scene_address(s, "changed_by_one"), 66, 0, HD_WRITE_ALWAYS);
		hd_commit_result result;
		ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
		assert_int_equal(result.processes, 4);
		assert_int_equal(result.threads, 16);
		assert_int_equal(result.samples->len, 16);
		assert_int_equal(result.skipped->len, 3);
		assert_int_equal(g_array_index(result.skipped, guint, 0), 0);
		assert_int_equal(g_array_index(result.skipped, guint, 1), 2);
		assert_int_equal(g_array_index(result.skipped, guint, 2), 0);
		hd_commit_result_clear(&result);
		hd_commit_free(commit);
		WAIT_FOR(all_slots(s, 16, 7));
		for (int p = 0; p < 4; p++) {
			assert_int_equal(int_of(s, s->board->pid[p], "untouched"), p & 1 ? 50 : 55);
			assert_int_equal(int_of(s, s->board->pid[p], "changed_by_one"), 66);
		}
		scene_free(s);
	}
}

static void
test_200_threads_with_all_signals_blocked(void **state)
{
	(void)state;
	scene *s = start_family("1,200", 200, "-O2");
	guint64 function = scene_address(s, "value");
	for (int round = 0; round < 5; round++) {
		hd_commit *commit = hd_commit_new();
		redirect(s, commit, function, place_constant(s, 10 + round));
		hd_commit_result result;
		ASSERT_GOOD(commit_now(s, commit, 5000, &result, &error));
		assert_int_equal(result.threads, 200);
		hd_commit_result_clear(&result);
		hd_commit_free(commit);
		WAIT_FOR(all_slots(s, 200, 10 + round));
	}
	scene_free(s);
}

static void
test_one_process_that_differs_stops_it(void **state)
{
	(void)state;
	scene *s = start_family("3,1", 3, "-O2");
	guint64 function = scene_address(s, "value");
	hd_commit *commit = hd_commit_new();
	redirect(s, commit, function, place_constant(s, 7));
	add_int(commit, scene_address(s, "changed_by_one"), 66, 6, HD_WRITE_REQUIRED);
	guint8 before[5], after[5];
	ASSERT_GOOD(hd_target_read(s->target, 0, function, before, 5, &error));
	hd_commit_result result;
	GError *failure = NULL;
	assert_false(commit_now(s, commit, 10, &result, &failure));
	assert_int_equal(failure->code, HD_ERROR_IO);
	g_clear_error(&failure);
	hd_commit_free(commit);
	for (int p = 0; p < 3; p++) {
		ASSERT_GOOD(hd_target_read(s->target, s->board->pid[p], function, after, 5, &error));
		assert_memory_equal(before, after, 5);
		assert_int_equal(int_of(s, s->board->pid[p], "changed_by_one"), p == 1 ? 100 : 6);
	}
	scene_free(s);
}

/* ---- exclusions ---- */

static scene *
start_inside(int where)
{
	scene *s = scene_new(family, "-O2");
	s->board->text[2] = where;
	s->board->go = 1;
	scene_start(s, "1,1");
	scene_run(s);
	return s;
}

static GError *
try_excluding(scene *s, const char *from, const char *to, bool frames, int deadline_ms)
{
	guint64 size = 0, start = s->bias + symbol_in(s->program, from, &size);
	GError *error = NULL;
	hd_commit_result result;
	hd_commit *commit = hd_commit_new();
	hd_commit_exclude(commit, start, to ? scene_address(s, to) : start + size, frames);
	add_int(commit, scene_address(s, "untouched"), 77, 0, HD_WRITE_ALWAYS);
	if (commit_now(s, commit, deadline_ms, &result, &error))
		hd_commit_result_clear(&result);
	hd_commit_free(commit);
	return error;
}

static void
test_a_thread_inside_a_patch_site_is_stepped_out(void **state)
{
	(void)state;
	scene *s = start_inside(2);
	for (int round = 0; round < 20; round++)
		assert_null(try_excluding(s, "leaves", "leaves_end", false, 0));
	assert_int_equal(int_of(s, 0, "untouched"), 77);
	scene_free(s);
}

static void
test_a_thread_that_stays_inside_makes_it_busy(void **state)
{
	(void)state;
	scene *s = start_inside(1);
	GError *error = try_excluding(s, "stuck", "stuck_end", false, 20);
	assert_non_null(error);
	assert_int_equal(error->code, HD_ERROR_BUSY);
	g_clear_error(&error);
	assert_int_equal(int_of(s, 0, "untouched"), 5);
	/* The start itself is no inside. */
	error = try_excluding(s, "stuck_end", "leaves", false, 0);
	assert_null(error);
	scene_free(s);
}

static void
test_a_frame_is_waited_for(void **state)
{
	(void)state;
	scene *s = start_inside(3);
	WAIT_FOR(s->board->text[1] == 1);
	GError *error = try_excluding(s, "middle", NULL, true, 5);
	assert_non_null(error);
	assert_int_equal(error->code, HD_ERROR_BUSY);
	assert_int_equal(int_of(s, 0, "untouched"), 5);
	g_clear_error(&error);
	s->board->go = 0;
	assert_null(try_excluding(s, "middle", NULL, true, 20000));
	assert_int_equal(int_of(s, 0, "untouched"), 77);
	scene_free(s);
}

/* ---- injected faults: each runs in a process of its own, which reads HOTDEV_FAULT anew ---- */

static void
fault_case(void **state)
{
	(void)state;
	scene *s = start_family("3,3", 9, "-O2");
	guint64 function = scene_address(s, "value"), other = scene_address(s, "bottom"), shared;
	guint8 *view, fresh[4] = {1, 2, 3, 4}, before[3][16], other_before[3][16], after[16];
	const GPtrArray *objects;
	ASSERT_GOOD((objects = hd_target_objects(s->target, &error)));
	ASSERT_GOOD(
		hd_target_arena(s->target, g_ptr_array_index(objects, 0), HD_ARENA_CODE, 4, 4, &shared, &view, &error));
	memset(view, 9, 4);
	hd_commit *commit = hd_commit_new();
	redirect(s, commit, function, place_constant(s, 7));
	redirect(s, commit, other, place_constant(s, 8));
	add_int(commit, scene_address(s, "untouched"), 55, 5, HD_WRITE_UNTOUCHED);
	GBytes *store = g_bytes_new(fresh, 4);
	hd_commit_store(commit, view, store);
	g_bytes_unref(store);
	for (int p = 0; p < 3; p++) {
		ASSERT_GOOD(hd_target_read(s->target, s->board->pid[p], function, before[p], 16, &error));
		ASSERT_GOOD(hd_target_read(s->target, s->board->pid[p], other, other_before[p], 16, &error));
	}
	hd_commit_result result;
	GError *failure = NULL;
	/* A wait that fails means: not now. Of any other fault, waiting must not hide it, and a thread that
	 * is in a patch site must not stand for it. */
	bool not_now = g_str_has_prefix(g_getenv("HOTDEV_FAULT"), "target.wait:");
	assert_false(commit_now(s, commit, not_now ? 0 : 20000, &result, &failure));
	assert_non_null(failure);
	assert_true((failure->code == HD_ERROR_BUSY) == not_now);
	g_clear_error(&failure);
	for (int p = 0; p < 3; p++) {
		ASSERT_GOOD(hd_target_read(s->target, s->board->pid[p], function, after, 16, &error));
		assert_memory_equal(before[p], after, 16);
		ASSERT_GOOD(hd_target_read(s->target, s->board->pid[p], other, after, 16, &error));
		assert_memory_equal(other_before[p], after, 16);
		assert_int_equal(int_of(s, s->board->pid[p], "untouched"), p & 1 ? 50 : 5);
	}
	assert_int_equal(view[0], 9);
	/* The program runs, in its old code ... */
	for (int i = 0; i < 9; i++) {
		s->board->slot[i] = 0;
		WAIT_FOR(s->board->slot[i] == 1);
	}
	/* ... and the fault being gone, the same commit works. */
	ASSERT_GOOD(commit_now(s, commit, 20000, &result, &error));
	assert_int_equal(result.processes, 3);
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	WAIT_FOR(all_slots(s, 9, 7));
	assert_memory_equal(view, fresh, 4);
	scene_free(s);
}

static char *myself;

static void
test_a_fault_at_any_step_changes_nothing(void **state)
{
	(void)state;
	static const char *const faults[] = {
		"target.proc:1",      "target.open:1",	    "target.open:3",	  "target.seize:1",
		"target.seize:5",     "target.interrupt:1", "target.interrupt:6", "target.wait:1",
		"target.registers:1", "target.registers:9", "target.expect:1",	  "target.expect:3",
		"target.write:1",     "target.write:2",	    "target.write:4",	  "target.write:6",
		"target.write:8",     "target.last:1",	    "target.thread:1"};
	for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
		char *argv[] = {myself, (char *)"fault", NULL}, *out = NULL, *err = NULL;
		char **environment = g_environ_setenv(g_get_environ(), "HOTDEV_FAULT", faults[i], true);
		environment = g_environ_setenv(environment, "CMOCKA_MESSAGE_OUTPUT", "STDOUT", true);
		int status = -1;
		assert_true(g_spawn_sync(NULL, argv, environment, 0, NULL, NULL, &out, &err, &status, NULL));
		if (status != 0)
			fail_msg("%s: %s %s", faults[i], out, err);
		g_free(out);
		g_free(err);
		g_strfreev(environment);
	}
}

int
main(int argc, char **argv)
{
	myself = argv[0];
	if (argc > 1) {
		const struct CMUnitTest one[] = {cmocka_unit_test(fault_case)};
		return cmocka_run_group_tests_name("target: fault", one, NULL, NULL);
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_thread_of_every_process_switches),
		cmocka_unit_test(test_200_threads_with_all_signals_blocked),
		cmocka_unit_test(test_one_process_that_differs_stops_it),
		cmocka_unit_test(test_a_thread_inside_a_patch_site_is_stepped_out),
		cmocka_unit_test(test_a_thread_that_stays_inside_makes_it_busy),
		cmocka_unit_test(test_a_frame_is_waited_for),
		cmocka_unit_test(test_a_fault_at_any_step_changes_nothing),
	};
	return cmocka_run_group_tests_name("target: commit", tests, NULL, NULL);
}
