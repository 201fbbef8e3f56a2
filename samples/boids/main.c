/* SPDX-License-Identifier: MIT */
#include "boids.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BIRDS = 60, FRAMES_A_SECOND = 60 };

unsigned long frames;
static volatile sig_atomic_t stopped;

static void
stop(int number)
{
	(void)number;
	stopped = 1;
}

static void
frame(flock *f)
{
	int rows, columns;
	draw_size(&rows, &columns);
	if ((float)columns != f->width || (float)(rows - 1) * 2 != f->height)
		flock_resize(f, (float)columns, (float)(rows - 1) * 2);
	flock_step(f, 1.0f / FRAMES_A_SECOND);
	draw_flock(f);
	frames++;
}

int
main(void)
{
	int rows, columns;
	struct timespec pause = {.tv_nsec = 1000000000L / FRAMES_A_SECOND};
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	draw_size(&rows, &columns);
	flock *f = flock_new(BIRDS, (float)columns, (float)(rows - 1) * 2);
	printf("\033[2J\033[?25l");
	while (!stopped) {
		frame(f);
		nanosleep(&pause, NULL);
	}
	printf("\033[?25h\n");
	free(f);
	return 0;
}
