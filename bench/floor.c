/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no reloader on this system can do without, in ms, a line a round:
 *
 *   floor inotify ROUNDS   from a close to another thread that has read of it
 *   floor stop ROUNDS      one thread stopped by ptrace, and let go */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- inotify ---- */

static double read_at;

/* argument: the instance; ends with the first event. */
static void *
read_event(void *argument)
{
	char event[sizeof(struct inotify_event) + 256];
	if (read(*(int *)argument, event, sizeof event) < 0)
		fail("read");
	read_at = now_ms();
	return NULL;
}

static void
inotify(int rounds)
{
	char path[] = "/tmp/hotdev-floor-XXXXXX";
	int made = mkstemp(path), instance = inotify_init1(IN_CLOEXEC);
	if (made < 0 || instance < 0 || inotify_add_watch(instance, path, IN_CLOSE_WRITE) < 0)
		fail("inotify");
	for (int i = 0; i < rounds; i++) {
		int file = i == 0 ? made : open(path, O_WRONLY | O_CLOEXEC);
		struct timespec until_it_reads = {.tv_nsec = 2000000};
		pthread_t reader;
		pthread_create(&reader, NULL, read_event, &instance);
		nanosleep(&until_it_reads, NULL);
		double closed = now_ms();
		close(file);
		pthread_join(reader, NULL);
		printf("%f\n", read_at - closed);
	}
	unlink(path);
}

/* ---- ptrace ---- */

static void
stop(int rounds)
{
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	for (int i = 0; i < rounds; i++) {
		int status;
		double began = now_ms();
		if (ptrace(PTRACE_SEIZE, child, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, child, 0, 0) != 0 ||
		    waitpid(child, &status, __WALL) != child || ptrace(PTRACE_DETACH, child, 0, 0) != 0)
			fail("ptrace");
		printf("%f\n", now_ms() - began);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "inotify") == 0)
		inotify(atoi(argv[2]));
	else if (strcmp(argv[1], "stop") == 0)
		stop(atoi(argv[2]));
	else
		return 2;
	return 0;
}
