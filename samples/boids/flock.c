/* SPDX-License-Identifier: MIT */
/* How birds fly (Reynolds, 1987): apart from those too near, along with those
 * near, towards the middle of them. */
#include "boids.h"

#include <math.h>
#include <stdlib.h>

/* Change these while they fly. */
static const float separation = 18.0f;
static const float alignment = 1.2f;
static const float cohesion = 0.6f;
static const float near = 12.0f, too_near = 3.0f;
static const float slowest = 10.0f, fastest = 28.0f;

static float
random_between(float low, float high)
{
	return low + (high - low) * (float)rand() / (float)RAND_MAX;
}

flock *
flock_new(size_t count, float width, float height)
{
	flock *f = malloc(sizeof *f + count * sizeof f->boids[0]);
	if (!f)
		abort();
	f->count = count;
	f->width = width;
	f->height = height;
	for (size_t i = 0; i < count; i++) {
		boid *b = &f->boids[i];
		b->x = random_between(0, width);
		b->y = random_between(0, height);
		b->vx = random_between(-fastest, fastest);
		b->vy = random_between(-fastest, fastest);
	}
	return f;
}

void
flock_resize(flock *f, float width, float height)
{
	for (size_t i = 0; i < f->count; i++) {
		f->boids[i].x *= width / f->width;
		f->boids[i].y *= height / f->height;
	}
	f->width = width;
	f->height = height;
}

/* The shorter way round, on a world without edges. */
static float
way(float from, float to, float size)
{
	float d = to - from;
	if (d > size / 2)
		d -= size;
	if (d < -size / 2)
		d += size;
	return d;
}

static void
steer(const flock *f, boid *b, float seconds)
{
	float mx = 0, my = 0, vx = 0, vy = 0, ax = 0, ay = 0;
	int neighbours = 0;
	for (size_t i = 0; i < f->count; i++) {
		const boid *other = &f->boids[i];
		float dx = way(b->x, other->x, f->width), dy = way(b->y, other->y, f->height);
		float distance = sqrtf(dx * dx + dy * dy);
		if (other == b || distance > near)
			continue;
		neighbours++;
		mx += dx;
		my += dy;
		vx += other->vx - b->vx;
		vy += other->vy - b->vy;
		if (distance < too_near && distance > 0) {
			ax -= dx / distance;
			ay -= dy / distance;
		}
	}
	if (!neighbours)
		return;
	b->vx += seconds * (separation * ax + (alignment * vx + cohesion * mx) / (float)neighbours);
	b->vy += seconds * (separation * ay + (alignment * vy + cohesion * my) / (float)neighbours);
}

static void
keep_speed(boid *b)
{
	float speed = sqrtf(b->vx * b->vx + b->vy * b->vy);
	if (speed <= 0)
		return;
	float wanted = speed < slowest ? slowest : speed > fastest ? fastest : speed;
	b->vx *= wanted / speed;
	b->vy *= wanted / speed;
}

static float
wrap(float at, float size)
{
	at = fmodf(at, size);
	return at < 0 ? at + size : at;
}

void
flock_step(flock *f, float seconds)
{
	for (size_t i = 0; i < f->count; i++) {
		boid *b = &f->boids[i];
		steer(f, b, seconds);
		keep_speed(b);
		b->x = wrap(b->x + seconds * b->vx, f->width);
		b->y = wrap(b->y + seconds * b->vy, f->height);
	}
}
