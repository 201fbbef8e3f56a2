/* SPDX-License-Identifier: MIT */
/* A flock of birds on a terminal. */
#ifndef BOIDS_H
#define BOIDS_H

#include <stddef.h>

typedef struct {
	float x, y;   /* in columns and half rows: as wide as high */
	float vx, vy; /* per second */
} boid;

typedef struct {
	size_t count;
	float width, height;
	boid boids[];
} flock;

/* How many frames there have been; it shows that a reload keeps state. */
extern unsigned long frames;

/* flock.c */
flock *flock_new(size_t count, float width, float height);
void flock_resize(flock *f, float width, float height);
void flock_step(flock *f, float seconds);

/* draw.c: the size of the terminal, and one frame on it. */
void draw_size(int *rows, int *columns);
void draw_flock(const flock *f);

#endif
