/* SPDX-License-Identifier: MIT */
/* A frame is put together in memory and written at once. */
#include "boids.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_ROWS = 200, MOST_COLUMNS = 400 };

static char screen[MOST_ROWS][MOST_COLUMNS];

void
draw_size(int *rows, int *columns)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row < 2 ? 2 : size.ws_row > MOST_ROWS ? MOST_ROWS : size.ws_row;
	*columns = size.ws_col < 2 ? 2 : size.ws_col > MOST_COLUMNS ? MOST_COLUMNS : size.ws_col;
}

/* What a bird looks like, flying that way. */
static char
glyph(const boid *b)
{
	static const char directions[] = ">\\v/<\\^/";
	int eighth = (int)lroundf(atan2f(b->vy, b->vx) / 0.7853982f);
	return directions[eighth & 7];
}

static void
place(const flock *f, int rows, int columns)
{
	for (size_t i = 0; i < f->count; i++) {
		int row = (int)(f->boids[i].y / 2), column = (int)f->boids[i].x;
		if (row >= 0 && row < rows && column >= 0 && column < columns)
			screen[row][column] = glyph(&f->boids[i]);
	}
}

void
draw_flock(const flock *f)
{
	int rows, columns;
	draw_size(&rows, &columns);
	memset(screen, ' ', sizeof screen);
	place(f, rows - 1, columns);
	printf("\033[H");
	for (int row = 0; row < rows - 1; row++)
		printf("\033[36m%.*s\033[0m\r\n", columns, screen[row]);
	printf("\033[K%zu birds, frame %lu: edit flock.c or draw.c and save", f->count, frames);
	fflush(stdout);
}
