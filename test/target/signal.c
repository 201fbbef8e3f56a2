/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals that arrive while the program is stopped, job control, and others
 * who trace it. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const char counts_signals[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <pthread.h>\n#include <signal.h>\n#include <unistd.h>\n"
	"#define KEEP __attribute__((noinline, noclone))\n"
	"static struct board *b;\n"
	"KEEP int value(int x) { __asm__ volatile(\"\" : \"+r\"(x)); return x ? 1 : 1 + x; }\n"
	"static void count(int n, siginfo_t *i, void *c) {\n"
	"	(void)n; (void)c;\n"
	"	if (i->si_value.sival_int != b->signals || i->si_code != SI_QUEUE) b->wrong++;\n"
	"	b->signals++;\n"
	"}\n"
	"static void *thread(void *a) {\n"
	"	sigset_t all; sigfillset(&all); pthread_sigmask(SIG_SETMASK, &all, 0); (void)a;\n"
	"	while (!b->finish) { b->slot[0] = value(1); b->calls++; }\n"
	"	return 0;\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); (void)argc;\n"
	"	struct sigaction a = {.sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART};\n"
	"	sigaction(SIGRTMIN, &a, 0);\n"
	"	pthread_t t; pthread_create(&t, 0, thread, 0);\n"
	"	b->ready = 1;\n"
	"	while (!b->finish) b->value = value(1);\n"
	"	return 0;\n"
	"}\n";

static void
commit_value(scene *s, int number)
{
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	redirect(s, commit, scene_address(s, "value"), place_constant(s, number));
	ASSERT_GOOD(commit_now(s, commit, 5000, &result, &error));
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
}

static scene *
start_counting(void)
{
	scene *s = scene_new(counts_signals, "-O2");
	scene_start(s, NULL);
	place_constant(s, 0);
	scene_run(s);
	return s;
}

#define SIGNALS 2000

static void
test_signals_arrive_once_and_in_order(void **state)
{
	(void)state;
	scene *s = start_counting();
	pid_t sender = fork();
	if (sender == 0) {
		for (int i = 0; i < SIGNALS; i++)
			while (sigqueue(hd_target_pid(s->target), SIGRTMIN, (union sigval){.sival_int = i}) < 0)
				g_usleep(100);
		_exit(0);
	}
	int rounds = 0;
	for (; s->board->signals < SIGNALS && rounds < 3000; rounds++)
		commit_value(s, 2 + rounds % 100);
	WAIT_FOR(s->board->signals >= SIGNALS);
	assert_int_equal(s->board->signals, SIGNALS);
	assert_int_equal(s->board->wrong, 0);
	assert_true(rounds > 0);
	while (waitpid(sender, NULL, 0) < 0 && errno == EINTR)
		continue;
	scene_free(s);
}

static char
state_of(pid_t pid)
{
	char name[64], text[256];
	g_snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(name, "re");
	char *after = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
	if (file)
		fclose(file);
	return after ? after[2] : '?';
}

static void
test_a_stopped_program_stays_stopped(void **state)
{
	(void)state;
	scene *s = start_counting();
	pid_t pid = hd_target_pid(s->target);
	kill(pid, SIGSTOP);
	WAIT_FOR(state_of(pid) == 'T');
	commit_value(s, 7);
	WAIT_FOR(state_of(pid) == 'T');
	long calls = s->board->calls;
	commit_value(s, 8);
	GPtrArray *samples;
	ASSERT_GOOD((samples = hd_target_sample(s->target, NULL, &error)));
	assert_int_equal(samples->len, 2);
	g_ptr_array_unref(samples);
	WAIT_FOR(state_of(pid) == 'T');
	assert_int_equal(calls, s->board->calls);
	kill(pid, SIGCONT);
	WAIT_FOR(s->board->value == 8 && s->board->slot[0] == 8);
	scene_free(s);
}

/* A stand-in for a debugger: attaches to one thread, says so, lets go when told. */
static pid_t
start_debugger(scene *s, int orders[2])
{
	int told[2];
	assert_true(pipe(orders) == 0 && pipe(told) == 0);
	pid_t debugger = fork();
	if (debugger == 0) {
		char byte = 0;
		close(orders[1]);
		if (ptrace(PTRACE_SEIZE, hd_target_pid(s->target), 0, 0) < 0)
			_exit(1);
		ssize_t done = write(told[1], &byte, 1);
		done += read(orders[0], &byte, 1);
		_exit(done == 1 ? 0 : 2); /* and the kernel lets go */
	}
	char byte;
	close(told[1]);
	close(orders[0]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	close(told[0]);
	return debugger;
}

static void
test_a_debugger_that_holds_it_is_named(void **state)
{
	(void)state;
	scene *s = start_counting();
	int orders[2], status;
	pid_t debugger = start_debugger(s, orders);
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	GError *failure = NULL;
	redirect(s, commit, scene_address(s, "value"), place_constant(s, 7));
	assert_false(commit_now(s, commit, 100, &result, &failure));
	assert_int_equal(failure->code, HD_ERROR_DENIED);
	char *number = g_strdup_printf("%d", (int)debugger);
	assert_non_null(strstr(failure->message, number));
	g_free(number);
	g_clear_error(&failure);
	long calls = s->board->calls;
	WAIT_FOR(s->board->calls > calls + 100);
	assert_int_equal(s->board->value, 1);
	close(orders[1]);
	while (waitpid(debugger, &status, 0) < 0 && errno == EINTR)
		continue;
	ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	WAIT_FOR(s->board->value == 7 && s->board->slot[0] == 7);
	scene_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals_arrive_once_and_in_order),
		cmocka_unit_test(test_a_stopped_program_stays_stopped),
		cmocka_unit_test(test_a_debugger_that_holds_it_is_named),
	};
	return cmocka_run_group_tests_name("target: signal", tests, NULL, NULL);
}
