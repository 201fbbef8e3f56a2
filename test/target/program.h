/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the tests and the small programs under test: a page of counters in
 * a file that both map, so that a test sees what the program does without
 * speaking to it. argv[1] is the file. */
#ifndef TEST_TARGET_PROGRAM_H
#define TEST_TARGET_PROGRAM_H

#include <fcntl.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BOARD_SIZE 65536
#define BOARD_SLOTS 1024

struct board {
	volatile int ready;  /* the program has set itself up */
	volatile int finish; /* the test asks it to end */
	volatile int value;  /* what the function under test returned last */
	volatile int eintr, wrong, errors;
	volatile int signals; /* handled */
	volatile int go;
	volatile int orphan; /* set by the test: outlives its parent */
	volatile long calls;
	volatile int pid[64];
	volatile int slot[BOARD_SLOTS];
	volatile long text[64];
};

static inline struct board *
open_board(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, BOARD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		exit(99);
	/* A failed test leaves nothing behind that holds its output open. */
	if (!((struct board *)map)->orphan)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(900);
	return map;
}

#endif
