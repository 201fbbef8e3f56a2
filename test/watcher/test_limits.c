/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel refuses, loses or hides, and what others in the process see of us. */
#include "config.h"

#include "test/watcher/help.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* readdir is ours: an entry of the name `vanishing` is gone by the time it is
 * given out, and one called "gate.c" holds the reader up until it is opened. */
static const char *vanishing;
static bool gated;
static sem_t at_gate, gate;

struct dirent *
readdir(DIR *directory)
{
	static struct dirent *(*real)(DIR *);
	if (!real)
		real = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
	struct dirent *entry = real(directory);
	if (entry && vanishing && strcmp(entry->d_name, vanishing) == 0)
		unlinkat(dirfd(directory), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	if (entry && gated && strcmp(entry->d_name, "gate.c") == 0) {
		gated = false;
		sem_post(&at_gate);
		sem_wait(&gate);
	}
	return entry;
}

static const char *
state_of(trial *t)
{
	json_t *status = hd_watcher_status(t->watcher);
	const char *state = g_intern_string(json_string_value(json_object_get(status, "state")));
	json_decref(status);
	return state;
}

/* This one comes first: the fault is that of the first cookie. */
static void
cookie_without_event(void **state)
{
	trial *t = *state;
	t->options.poll_ms = 10;
	watch_all(t);
	const hd_watch_message *warning = expect_warning(t, "polling");
	assert_non_null(strstr(warning->message, t->project));
	assert_string_equal(state_of(t), "polling");
	save(t, "src/a.c", "int polled;\n");
	expect(t, "src/a.c", "int polled;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

static void
no_cookie_is_left(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "test -z \"$(find . -name '.hotdev*')\"");
	assert_string_equal(state_of(t), "ok");
}

static void
nothing_may_be_written(void **state)
{
	trial *t = *state;
	if (geteuid() == 0) {
		shell(t, "chown -R 65534 .. && chmod -R a-w .");
		assert_int_equal(seteuid(65534), 0);
		/* or /proc/self/fd is root's (proc(5)) */
		prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
		watch_all(t);
		assert_int_equal(seteuid(0), 0);
	} else {
		shell(t, "chmod -R a-w .");
		watch_all(t);
	}
	assert_string_equal(state_of(t), "ok");
	shell(t, "chmod u+w src/a.c");
	save(t, "src/a.c", "int ro;\n");
	expect(t, "src/a.c", "int ro;\n");
}

static void
entries_vanish_during_the_first_scan(void **state)
{
	trial *t = *state;
	shell(t, "mkdir src/sub && for i in 1 2 3 4 5; do echo \"int v$i;\" > src/v$i.c; done; "
		 "echo swap > src/.a.c.swp; mkdir src/empty");
	watch_all(t);
	unwatch(t);
	const char *names[] = {"v3.c", ".a.c.swp", "empty"};
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		vanishing = names[i];
		watch_all(t);
		vanishing = NULL;
		for (int j = 1; j <= 5; j++) {
			char *name = g_strdup_printf("src/v%d.c", j),
			     *text = g_strdup_printf("int v%d%d;\n", (int)i, j);
			save(t, name, text);
			expect(t, name, text);
			g_free(name);
			g_free(text);
		}
		save(t, "include/a.h", names[i]);
		expect(t, "include/a.h", names[i]);
		assert_string_equal(state_of(t), "ok");
		unwatch(t);
	}
}

static guint
queue_limit(void)
{
	char *text = NULL;
	guint limit = 16384;
	if (g_file_get_contents("/proc/sys/fs/inotify/max_queued_events", &text, NULL, NULL))
		limit = (guint)strtoul(text, NULL, 10);
	g_free(text);
	return limit;
}

/* The watcher's thread is held in a scan while more happens than the kernel remembers. */
static void
overflow_loses_nothing(void **state)
{
	trial *t = *state;
	guint files = 500, rounds = MAX(queue_limit(), 20000) / files / 2 + 2;
	shell(t, "mkdir many old && echo 'int old;' > old/old.c && for i in $(seq 0 499); do : > many/m$i.c; done");
	watch_all(t);
	gated = true;
	shell(t, "mkdir ../new && touch ../new/gate.c && mv ../new src/new");
	sem_wait(&at_gate);
	for (guint round = 0; round < rounds; round++)
		for (guint i = 0; i < files; i++) {
			char *name = g_strdup_printf("many/m%u.c", i);
			char *text = g_strdup_printf("int m%u_%u;\n", i, round);
			save(t, name, text);
			g_free(name);
			g_free(text);
		}
	shell(t, "rm -rf old && mkdir old && echo 'int fresh;' > old/old.c && mkdir -p src/lost/deep && "
		 "echo 'int deep;' > src/lost/deep/d.c && rm src/b.c");
	sem_post(&gate);
	const hd_watch_message *warning = expect_warning(t, "overflow");
	assert_non_null(warning->message);
	expect(t, "old/old.c", "int fresh;\n");
	expect(t, "src/lost/deep/d.c", "int deep;\n");
	expect(t, "src/b.c", NULL);
	expect_truth(t);
	json_t *status = hd_watcher_status(t->watcher);
	assert_true(json_integer_value(json_object_get(status, "overflows")) >= 1);
	json_decref(status);
	/* The watches are good afterwards, those of folders made meanwhile as well. */
	save(t, "old/old.c", "int after;\n");
	expect(t, "old/old.c", "int after;\n");
	save(t, "src/lost/deep/d.c", "int after;\n");
	expect(t, "src/lost/deep/d.c", "int after;\n");
}

static void
burst_of_20000_events(void **state)
{
	trial *t = *state;
	shell(t, "mkdir many && for i in $(seq 0 199); do : > many/m$i.c; done");
	watch_all(t);
	for (int round = 0; round < 50; round++)
		for (int i = 0; i < 200; i++) {
			char *name = g_strdup_printf("many/m%d.c", i),
			     *text = g_strdup_printf("int m%d_%d;\n", i, round);
			save(t, name, text);
			g_free(name);
			g_free(text);
		}
	expect_truth(t);
}

static void
unreadable_folder(void **state)
{
	trial *t = *state;
	shell(t, "mkdir secret && echo 'int s;' > secret/s.c && echo 'int u;' > src/u.c");
	if (geteuid() == 0)
		shell(t, "chown -R 65534 ..");
	watch_all(t);
	unwatch(t);
	shell(t, "chmod 000 secret src/u.c");
	bool root = geteuid() == 0;
	if (root) {
		assert_int_equal(seteuid(65534), 0);
		prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
	}
	watch(t, "src/a.c", "src/u.c", "secret/s.c", "include/a.h", NULL);
	const hd_watch_message *warning = expect_warning(t, "unreadable");
	assert_non_null(strstr(warning->message, at(t, "src/u.c")) || strstr(warning->message, at(t, "secret")));
	assert_string_equal(state_of(t), "degraded");
	save(t, "src/a.c", "int sibling;\n");
	expect(t, "src/a.c", "int sibling;\n");
	save(t, "include/a.h", "int header;\n");
	expect(t, "include/a.h", "int header;\n");
	/* Readable again: watched again. */
	shell(t, "chmod 755 secret; chmod 644 src/u.c; echo 'int seen;' > secret/s.c");
	expect(t, "secret/s.c", "int seen;\n");
	expect(t, "src/u.c", "int u;\n");
	settle(t);
	assert_string_equal(state_of(t), "ok");
	if (root)
		assert_int_equal(seteuid(0), 0);
}

/* link(2) tells only the folder of the new name. */
static void
linked_from_outside_later(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "ln src/a.c ../late.c && echo 'int late;' > ../late.c");
	settle(t);
	expect(t, "src/a.c", "int late;\n");
	/* From here on the inode itself is watched. */
	shell(t, "echo 'int later;' > ../late.c");
	expect(t, "src/a.c", "int later;\n");
}

static void
descriptors_stay_ours(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "if ls -l /proc/self/fd | grep -E 'inotify|eventfd' >/dev/null; then exit 1; fi");
	shell(t, "test -z \"$(find /proc/$PPID/fd -lname '*inotify*' | sed 1d)\"");
}

/* No signal is delivered to the watcher's thread: it stays pending for us. */
static void
signals_are_blocked(void **state)
{
	trial *t = *state;
	sigset_t set, before;
	watch_all(t);
	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, &before);
	const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGWINCH, SIGRTMIN + 2}; /* valgrind keeps SIGRTMAX */
	for (gsize i = 0; i < G_N_ELEMENTS(signals); i++) {
		sigset_t one;
		struct timespec now = {0, 0};
		sigemptyset(&one);
		sigaddset(&one, signals[i]);
		kill(getpid(), signals[i]);
		assert_int_equal(sigtimedwait(&one, NULL, &now), signals[i]);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	save(t, "src/a.c", "int signal;\n");
	expect(t, "src/a.c", "int signal;\n");
}

static void
one_at_a_time(void **state)
{
	trial *t = *state;
	watch_all(t);
	/* A second one polls. */
	trial *second = NULL;
	assert_int_equal(trial_setup((void **)&second), 0);
	second->options.poll_ms = 10;
	watch_all(second);
	expect_warning(second, "polling");
	save(second, "src/a.c", "int second;\n");
	expect(second, "src/a.c", "int second;\n");
	trial_teardown((void **)&second);
	save(t, "src/a.c", "int first;\n");
	expect(t, "src/a.c", "int first;\n");
}

static void
nothing_to_watch(void **state)
{
	trial *t = *state;
	GError *error = NULL;
	t->options.project = at(t, "not/there");
	assert_null(hd_watcher_new(&t->options, &error));
	assert_non_null(strstr(error->message, "not/there"));
	g_error_free(error);
	hd_watcher_free(NULL);
}

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* This one comes last: the process stays in its new user namespace. */
static void
watch_limit_reached(void **state)
{
	trial *t = *state;
	shell(t, "for i in $(seq 20); do mkdir d$i; echo \"int d$i;\" > d$i/d.c; done");
	if (unshare(CLONE_NEWUSER) < 0) {
		print_message("# skipped: no user namespace: %s\n", strerror(errno));
		skip();
	}
	if (!write_text("/proc/sys/user/max_inotify_watches", "8")) {
		print_message("# skipped: the limit cannot be set here: %s\n", strerror(errno));
		skip();
	}
	prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
	t->options.poll_ms = 10;
	watch_all(t);
	const hd_watch_message *warning = expect_warning(t, "watch-limit");
	assert_non_null(strstr(warning->message, "user.max_inotify_watches is 8"));
	assert_non_null(strstr(warning->message, "at least 23 are needed"));
	assert_string_equal(state_of(t), "degraded");
	for (int i = 1; i <= 20; i++) {
		char *name = g_strdup_printf("d%d/d.c", i);
		save(t, name, "int limit;\n");
		expect(t, name, "int limit;\n");
		g_free(name);
	}
	shell(t, "echo 'int new;' > d20/new.c && mkdir -p d19/x/y && echo 'int y;' > d19/x/y/y.c && rm d18/d.c");
	expect(t, "d20/new.c", "int new;\n");
	expect(t, "d19/x/y/y.c", "int y;\n");
	expect(t, "d18/d.c", NULL);
	expect_truth(t);
	/* More room: watched again, which a barrier brings about. */
	assert_true(write_text("/proc/sys/user/max_inotify_watches", "1000"));
	settle(t);
	settle(t);
	assert_string_equal(state_of(t), "ok");
}

int
main(void)
{
	g_setenv("HOTDEV_FAULT", "watcher.cookie:1", TRUE);
	sem_init(&at_gate, 0, 0);
	sem_init(&gate, 0, 0);
#define TRIAL(f) cmocka_unit_test_setup_teardown(f, trial_setup, trial_teardown)
	const struct CMUnitTest tests[] = {
		TRIAL(cookie_without_event),   TRIAL(no_cookie_is_left),
		TRIAL(nothing_may_be_written), TRIAL(entries_vanish_during_the_first_scan),
		TRIAL(overflow_loses_nothing), TRIAL(burst_of_20000_events),
		TRIAL(unreadable_folder),      TRIAL(linked_from_outside_later),
		TRIAL(descriptors_stay_ours),  TRIAL(signals_are_blocked),
		TRIAL(one_at_a_time),	       TRIAL(nothing_to_watch),
		TRIAL(watch_limit_reached),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
