/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes are the program's, and what becomes of it when processes
 * come and go, die, or hotdev itself is killed. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* argv[2] says what to do beside calling value() in main. */
static const char processes[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <pthread.h>\n#include <string.h>\n#include <sys/wait.h>\n#include <unistd.h>\n"
	"#define KEEP __attribute__((noinline, noclone))\n"
	"static struct board *b;\n"
	"KEEP int value(int x) { __asm__ volatile(\"\" : \"+r\"(x)); return x ? 1 : 1 + x; }\n"
	"static void run(void) { while (!b->finish) { b->value = value(1); b->calls++; usleep(200); } }\n"
	"static void *thread(void *a) { (void)a; b->ready = 1; run(); _exit(3); }\n"
	"static void *storm(void *a) {\n"
	"	(void)a;\n"
	"	while (!b->finish) {\n"
	"		pid_t p = fork();\n"
	"		if (p == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); int first = value(1); usleep(3000); "
	"_exit(value(1) < first ? 1 : 0); }\n"
	"		int st; if (p > 0 && waitpid(p, &st, 0) == p) { b->slot[0]++; if (st != 0) b->wrong++; }\n"
	"	}\n"
	"	return 0;\n"
	"}\n"
	"static void *vforker(void *a) {\n"
	"	(void)a; b->slot[1] = 1;\n"
	"	pid_t p = vfork();\n"
	"	if (p == 0) { b->slot[1] = 2; while (!b->go) { b->slot[2] = value(1); usleep(200); } _exit(0); }\n"
	"	waitpid(p, 0, 0); b->slot[1] = 3; return 0;\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); const char *what = argv[2]; pthread_t t; (void)argc;\n"
	"	if (!strcmp(what, \"again\")) { b->slot[5] = getpid(); b->slot[6] = 1; for (;;) { b->slot[7] = "
	"value(1); usleep(200); } }\n"
	"	if (!strcmp(what, \"storm\")) for (int i = 0; i < 3; i++) pthread_create(&t, 0, storm, 0);\n"
	"	if (!strcmp(what, \"vfork\")) pthread_create(&t, 0, vforker, 0);\n"
	"	if (!strcmp(what, \"exec\") && fork() == 0) { execl(argv[0], argv[0], argv[1], \"again\", (char *)0); "
	"_exit(9); }\n"
	"	if (!strcmp(what, \"leaderless\")) { pthread_create(&t, 0, thread, 0); pthread_exit(0); }\n"
	"	if (!strcmp(what, \"daemon\")) {\n"
	"		if (fork() == 0) { prctl(PR_SET_PDEATHSIG, 0); setsid(); b->ready = 1; b->slot[3] = getpid(); "
	"run(); _exit(0); }\n"
	"		while (!b->slot[3]) usleep(100);\n"
	"		return 5;\n"
	"	}\n"
	"	b->ready = 1; run(); return 0;\n"
	"}\n";

static scene *
start_doing(const char *what)
{
	scene *s = scene_new(processes, "-O2");
	scene_start(s, what);
	place_constant(s, 0);
	scene_run(s);
	return s;
}

static void
switch_to(scene *s, int number, guint expected_processes)
{
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	redirect(s, commit, scene_address(s, "value"), place_constant(s, number));
	ASSERT_GOOD(commit_now(s, commit, 5000, &result, &error));
	if (expected_processes)
		assert_int_equal(result.processes, expected_processes);
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
}

/* Every process that lives now has the redirect. */
static void
everyone_holds(scene *s, const guint8 bytes[5])
{
	guint64 function = scene_address(s, "value");
	GPtrArray *list = hd_target_processes(s->target);
	for (guint i = 0; i < list->len; i++) {
		const hd_target_process *process = g_ptr_array_index(list, i);
		guint8 now[5];
		if (hd_target_read(s->target, process->pid, function, now, 5, NULL))
			assert_memory_equal(now, bytes, 5);
	}
	g_ptr_array_unref(list);
}

static void
test_no_child_of_a_fork_storm_escapes(void **state)
{
	(void)state;
	scene *s = start_doing("storm");
	WAIT_FOR(s->board->slot[0] > 10);
	for (int round = 2; round < 42; round++) {
		switch_to(s, round, 0);
		guint8 bytes[5];
		ASSERT_GOOD(hd_target_read(s->target, 0, scene_address(s, "value"), bytes, 5, &error));
		everyone_holds(s, bytes);
	}
	int seen = s->board->slot[0];
	WAIT_FOR(s->board->slot[0] > seen + 10);
	assert_int_equal(s->board->wrong, 0);
	scene_free(s);
}

static void
test_a_parent_in_vfork(void **state)
{
	(void)state;
	scene *s = start_doing("vfork");
	WAIT_FOR(s->board->slot[1] == 2 && s->board->slot[2] == 1);
	switch_to(s, 7, 0);
	WAIT_FOR(s->board->slot[2] == 7 && s->board->value == 7);
	s->board->go = 1;
	WAIT_FOR(s->board->slot[1] == 3);
	switch_to(s, 8, 1);
	WAIT_FOR(s->board->value == 8);
	scene_free(s);
}

static void
test_exec_makes_another_program(void **state)
{
	(void)state;
	scene *s = start_doing("exec");
	WAIT_FOR(s->board->slot[6] == 1 && s->board->slot[7] == 1);
	switch_to(s, 7, 1);
	WAIT_FOR(s->board->value == 7);
	s->board->slot[7] = 0;
	WAIT_FOR(s->board->slot[7] == 1);
	hd_target_end(s->target, 1000);
	assert_true(kill(s->board->slot[5], 0) < 0);
	scene_free(s);
}

static void
test_the_first_thread_may_have_ended(void **state)
{
	(void)state;
	scene *s = start_doing("leaderless");
	WAIT_FOR(s->board->value == 1);
	switch_to(s, 7, 1);
	WAIT_FOR(s->board->value == 7);
	int status;
	assert_false(hd_target_exit_status(s->target, &status));
	s->board->finish = 1;
	WAIT_FOR(hd_target_exit_status(s->target, &status));
	assert_int_equal(status, 3 << 8);
	scene_free(s);
}

static void
test_a_daemon_stays_ours(void **state)
{
	(void)state;
	scene *s = start_doing("daemon");
	int status;
	WAIT_FOR(hd_target_exit_status(s->target, &status));
	assert_int_equal(status, 5 << 8);
	WAIT_FOR(s->board->value == 1);
	switch_to(s, 7, 1);
	WAIT_FOR(s->board->value == 7);
	GPtrArray *list = hd_target_processes(s->target);
	assert_int_equal(list->len, 1);
	assert_int_equal(((hd_target_process *)g_ptr_array_index(list, 0))->pid, s->board->slot[3]);
	assert_int_equal(((hd_target_process *)g_ptr_array_index(list, 0))->ppid, getpid());
	g_ptr_array_unref(list);
	hd_target_end(s->target, 1000);
	list = hd_target_processes(s->target);
	assert_int_equal(list->len, 0);
	g_ptr_array_unref(list);
	scene_free(s);
}

static void
test_a_program_that_has_ended(void **state)
{
	(void)state;
	scene *s = start_doing("-");
	hd_target_end(s->target, 1000);
	int status;
	assert_true(hd_target_exit_status(s->target, &status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	GError *error = NULL;
	assert_false(commit_now(s, commit, 1000, &result, &error));
	assert_int_equal(error->code, HD_ERROR_GONE);
	g_clear_error(&error);
	hd_commit_free(commit);
	scene_free(s);
}

/* Killed at any moment of a commit: the commit ends one way or the other, and the status is the signal's. */
static void
test_killed_during_commits(void **state)
{
	(void)state;
	for (int round = 0; round < 10; round++) {
		scene *s = start_doing(round & 1 ? "storm" : "-");
		WAIT_FOR(s->board->calls > 5);
		pid_t killer = fork();
		if (killer == 0) {
			g_usleep((gulong)g_random_int_range(0, 4000));
			kill(hd_target_pid(s->target), SIGKILL);
			_exit(0);
		}
		GError *error = NULL;
		for (int number = 2; !error; number++) {
			hd_commit *commit = hd_commit_new();
			hd_commit_result result;
			int value = number;
			GBytes *bytes = g_bytes_new(&value, sizeof value);
			hd_commit_write(commit, scene_address(s, "b") + 8, bytes, NULL, HD_WRITE_ALWAYS);
			g_bytes_unref(bytes);
			if (commit_now(s, commit, 0, &result, &error))
				hd_commit_result_clear(&result);
			hd_commit_free(commit);
		}
		g_clear_error(&error);
		int status;
		WAIT_FOR(hd_target_exit_status(s->target, &status));
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (waitpid(killer, &status, 0) < 0 && errno == EINTR)
			continue;
		scene_free(s);
	}
}

/* The test plays hotdev in a child, which is killed while it commits again and again. */
static void
test_the_program_outlives_hotdev(void **state)
{
	(void)state;
	for (int round = 0; round < 10; round++) {
		scene *s = scene_new(processes, "-O2");
		s->board->orphan = 1;
		pid_t supervisor = fork();
		if (supervisor == 0) {
			scene_start(s, "-");
			guint64 codes[2] = {place_constant(s, 7), place_constant(s, 8)};
			s->board->text[0] = hd_target_pid(s->target);
			scene_run(s);
			for (int number = 0;; number ^= 1) {
				hd_commit *commit = hd_commit_new();
				hd_commit_result result;
				redirect(s, commit, scene_address(s, "value"), codes[number]);
				if (hd_target_commit(s->target, commit, 1000, &result, NULL))
					hd_commit_result_clear(&result);
				hd_commit_free(commit);
				s->board->slot[8]++;
			}
		}
		int until = g_random_int_range(1, 20), status;
		WAIT_FOR(s->board->slot[8] >= until);
		kill(supervisor, SIGKILL);
		while (waitpid(supervisor, &status, 0) < 0 && errno == EINTR)
			continue;
		long calls = s->board->calls;
		WAIT_FOR(s->board->calls > calls + 10);
		assert_true(s->board->value == 7 || s->board->value == 8);
		s->board->finish = 1;
		WAIT_FOR(kill((pid_t)s->board->text[0], 0) < 0 ||
			 waitpid((pid_t)s->board->text[0], &status, WNOHANG) == (pid_t)s->board->text[0]);
		scene_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_child_of_a_fork_storm_escapes),
		cmocka_unit_test(test_a_parent_in_vfork),
		cmocka_unit_test(test_exec_makes_another_program),
		cmocka_unit_test(test_the_first_thread_may_have_ended),
		cmocka_unit_test(test_a_daemon_stays_ours),
		cmocka_unit_test(test_a_program_that_has_ended),
		cmocka_unit_test(test_killed_during_commits),
		cmocka_unit_test(test_the_program_outlives_hotdev),
	};
	return cmocka_run_group_tests_name("target: process", tests, NULL, NULL);
}
