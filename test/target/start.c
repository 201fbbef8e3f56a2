/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program starts to main under hotdev and is given what it would be given
 * without; arenas lie within reach; a commit switches it. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char calls_value[] = "#include \"program.h\"\n"
				  "#include <unistd.h>\n"
				  "__attribute__((noinline, noclone)) int value(int x) { __asm__ volatile(\"\" : "
				  "\"+r\"(x)); return x ? 1 : 1 + x; }\n"
				  "int main(int argc, char **argv) {\n"
				  "	struct board *b = open_board(argv[1]);\n"
				  "	b->ready = 1;\n"
				  "	while (!b->finish) { b->value = value(argc); b->calls++; usleep(100); }\n"
				  "	return 42;\n"
				  "}\n";

static const char *const builds[] = {"-O0 -fPIE -pie", "-O2 -fPIE -pie", "-O0 -fno-pie -no-pie",
				     "-O2 -fno-pie -no-pie"};

static void
test_commit_switches_a_function(void **state)
{
	(void)state;
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = scene_new(calls_value, builds[i]);
		scene_start(s, NULL);
		guint64 code = place_constant(s, 7);
		guint64 function = scene_address(s, "value");
		scene_run(s);
		WAIT_FOR(s->board->value == 1);
		hd_commit *commit = hd_commit_new();
		redirect(s, commit, function, code);
		hd_commit_result result;
		ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
		assert_int_equal(result.processes, 1);
		assert_int_equal(result.threads, 1);
		print_message("# %s: pause %ld ns\n", builds[i], (long)result.pause_ns);
		hd_commit_result_clear(&result);
		WAIT_FOR(s->board->value == 7);
		hd_commit_free(commit);
		s->board->finish = 1;
		int status;
		WAIT_FOR(hd_target_exit_status(s->target, &status));
		assert_int_equal(status, 42 << 8);
		scene_free(s);
	}
}

/* What the program finds when main begins; and its constructor, which forks and has a thread. */
static const char looks_around[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <dirent.h>\n#include <pthread.h>\n#include <signal.h>\n#include <stdio.h>\n#include "
	"<string.h>\n#include <sys/wait.h>\n#include <unistd.h>\n"
	"static int early; static void *idle(void *a) { (void)a; for (;;) pause(); }\n"
	"int main(int argc, char **argv);\n"
	"__attribute__((constructor)) static void first(void) {\n"
	"	pthread_t t; pthread_create(&t, 0, idle, 0);\n"
	"	pid_t p = fork(); if (p == 0) { char *a[] = {0}; _exit(main(-1, a)); }\n"
	"	int st; waitpid(p, &st, 0); early = WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + WTERMSIG(st);\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	if (argc == -1) return 17;\n"
	"	sigset_t mask; sigprocmask(SIG_SETMASK, 0, &mask);\n"
	"	int fds[200] = {0}; DIR *d = opendir(\"/proc/self/fd\"); struct dirent *e;\n"
	"	while ((e = readdir(d))) if (atoi(e->d_name) > 2 && atoi(e->d_name) != dirfd(d)) if (atoi(e->d_name) < "
	"200) fds[atoi(e->d_name)] = 1;\n"
	"	closedir(d);\n"
	"	struct board *b = open_board(argv[1]);\n"
	"	for (int i = 1; i < 65; i++) { struct sigaction a; b->slot[i] = sigismember(&mask, i) == 1; if "
	"(sigaction(i, 0, &a) == 0 && a.sa_handler != SIG_DFL) b->slot[i] += 2; }\n"
	"	for (int i = 3; i < 200; i++) b->slot[200 + i] = fds[i]; b->slot[101] = early; b->slot[102] = "
	"getenv(\"HOTDEV_LOOK\") && "
	"!strcmp(getenv(\"HOTDEV_LOOK\"), \"yes\");\n"
	"	b->slot[103] = getpgrp() == getpgid(getppid()); b->slot[104] = argc;\n"
	"	FILE *f = fopen(\"/proc/self/status\", \"r\"); char line[200]; while (fgets(line, 200, f)) "
	"sscanf(line, \"TracerPid: %d\", (int *)&b->slot[105]);\n"
	"	fclose(f); b->ready = 1; while (!b->finish) usleep(1000); return 0;\n"
	"}\n";

/* The descriptors that we were started with, and the signals that were ignored for us (a shell does so for what it runs
 * in the background): those it shall have. */
static int given[200];
static bool ignored[NSIG];

__attribute__((constructor)) static void
note_what_was_given(void)
{
	for (int fd = 3; fd < 200; fd++) {
		int flags = fcntl(fd, F_GETFD);
		given[fd] = flags >= 0 && !(flags & FD_CLOEXEC);
	}
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;
		ignored[number] = sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
	}
}

static void
test_it_is_given_what_the_shell_gave(void **state)
{
	(void)state;
	/* Ours, all of which must not reach it. */
	int leak = open("/dev/null", O_RDONLY), high = fcntl(leak, F_DUPFD, 150);
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	g_setenv("HOTDEV_LOOK", "yes", true);
	scene *s = scene_new(looks_around, "-O2");
	scene_start(s, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	scene_run(s);
	for (int number = 1; number < NSIG; number++)
		assert_int_equal(s->board->slot[number], ignored[number] ? 2 : 0);
	for (int fd = 3; fd < 200; fd++)
		assert_int_equal(s->board->slot[200 + fd], given[fd]);
	assert_int_equal(s->board->slot[101], 17);
	assert_int_equal(s->board->slot[102], 1);
	assert_int_equal(s->board->slot[103], 1);
	assert_int_equal(s->board->slot[104], 3);
	assert_int_equal(s->board->slot[105], 0);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	close(leak);
	close(high);
	scene_free(s);
}

static void
start_refused(const char *program, const char *says)
{
	char *const argv[] = {(char *)program, NULL};
	hd_target_options options = {.program = program, .argv = argv, .terminal = -1};
	GError *error = NULL;
	assert_null(hd_target_start(&options, 0, &error));
	assert_int_equal(error->code, HD_ERROR_START);
	if (!strstr(error->message, says))
		fail_msg("%s: says \"%s\", not \"%s\"", program, error->message, says);
	g_clear_error(&error);
}

static void
test_what_cannot_be_started_is_refused(void **state)
{
	(void)state;
	scene *s = scene_new(
		"__attribute__((constructor)) void f(void) { __builtin_trap(); } int main(void) { return 0; }\n",
		"-O0");
	start_refused(s->program, "before it reached main");
	assert_int_equal(chmod(s->program, 04755), 0);
	start_refused(s->program, "privileges");
	assert_int_equal(chmod(s->program, 0644), 0);
	start_refused(s->program, "cannot run");
	assert_true(g_file_set_contents(s->program, "#!/bin/sh\nexit 0\n", -1, NULL) && chmod(s->program, 0755) == 0);
	start_refused(s->program, "runs it");
	assert_true(g_file_set_contents(s->program, "\177ELF rubbish", -1, NULL) && chmod(s->program, 0755) == 0);
	start_refused(s->program, "cannot run");
	start_refused("/nowhere/at/all", "cannot run");
	start_refused("/tmp", "regular");
	scene_free(s);
}

/* Without a symbol main is found through __libc_start_main. */
static void
test_main_is_found_without_a_symbol(void **state)
{
	(void)state;
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = scene_new(calls_value, builds[i]);
		char *board = g_build_filename(s->folder, "board", NULL);
		char *const argv[] = {s->program, board, NULL};
		hd_target_options options = {.program = s->program, .argv = argv, .terminal = -1};
		ASSERT_GOOD((s->target = hd_target_start(&options, 0, &error)));
		assert_int_equal(s->board->ready, 0);
		scene_run(s);
		WAIT_FOR(s->board->calls > 3);
		g_free(board);
		scene_free(s);
	}
}

/* Every arena lies within reach of its object, below 2 GiB for a program at fixed addresses. */
static void
test_arenas_are_in_reach(void **state)
{
	(void)state;
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = scene_new(calls_value, builds[i]);
		scene_start(s, NULL);
		for (int pass = 0; pass < 2; pass++) {
			const GPtrArray *objects;
			ASSERT_GOOD((objects = hd_target_objects(s->target, &error)));
			assert_true(objects->len >= 3);
			for (guint o = 0; o < objects->len; o++) {
				const hd_target_object *object = g_ptr_array_index(objects, o);
				for (int kind = HD_ARENA_CODE; kind <= HD_ARENA_DATA; kind++) {
					guint64 address;
					guint8 *view;
					ASSERT_GOOD(hd_target_arena(s->target, object, kind, 5000, 64, &address, &view,
								    &error));
					guint64 low = MIN(object->low, address),
						high = MAX(object->high, address + 5000);
					assert_true(high - low < G_GUINT64_CONSTANT(0x80000000));
					assert_int_equal(address % 64, 0);
					assert_int_equal(view != NULL, kind == HD_ARENA_CODE);
					if (strstr(builds[i], "-no-pie") && o == 0)
						assert_true(address + 5000 < G_GUINT64_CONSTANT(0x80000000));
				}
			}
			if (pass == 0)
				scene_run(s);
		}
		scene_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit_switches_a_function),
		cmocka_unit_test(test_it_is_given_what_the_shell_gave),
		cmocka_unit_test(test_what_cannot_be_started_is_refused),
		cmocka_unit_test(test_main_is_found_without_a_symbol),
		cmocka_unit_test(test_arenas_are_in_reach),
	};
	return cmocka_run_group_tests_name("target: start", tests, NULL, NULL);
}
