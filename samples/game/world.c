/* SPDX-License-Identifier: MIT */
#include "world.h"
#include "sound.h"

#include <math.h>
#include <stdlib.h>

/* Change these while you fly. */
static const float turn = 3.5f, thrust = 220.0f, friction = 0.6f;
static const float shot_speed = 420.0f, shot_life = 0.9f, reload_time = 0.18f;
static const float rock_speed = 60.0f, largest_rock = 42.0f, smallest_rock = 14.0f;
static const unsigned first_wave = 5;

static float
random_between(float low, float high)
{
	return low + (high - low) * (float)rand() / (float)RAND_MAX;
}

static entity *
spawn(game *g, entity_kind kind, float x, float y, float radius)
{
	entity *e = calloc(1, sizeof *e);
	if (!e)
		abort();
	e->kind = kind;
	e->x = x;
	e->y = y;
	e->radius = radius;
	e->life = INFINITY;
	e->next = g->entities;
	g->entities = e;
	return e;
}

static void
push(entity *e, float angle, float speed)
{
	e->vx += speed * cosf(angle);
	e->vy += speed * sinf(angle);
}

static void
spawn_rock(game *g, float x, float y, float radius)
{
	entity *rock = spawn(g, ROCK, x, y, radius);
	rock->angle = random_between(0, 6.28f);
	rock->spin = random_between(-1.5f, 1.5f);
	push(rock, random_between(0, 6.28f), rock_speed * random_between(0.5f, 1.5f));
}

static void
spawn_sparks(game *g, float x, float y, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		entity *spark = spawn(g, SPARK, x, y, 2);
		spark->life = random_between(0.2f, 0.8f);
		push(spark, random_between(0, 6.28f), random_between(20, 160));
	}
}

/* They come from the edges. */
static void
spawn_wave(game *g)
{
	g->wave++;
	for (unsigned i = 0; i < first_wave + g->wave; i++) {
		float x = i % 2 ? random_between(0, WIDTH) : 0, y = i % 2 ? 0 : random_between(0, HEIGHT);
		spawn_rock(g, x, y, largest_rock);
	}
}

game *
world_new(void)
{
	game *g = calloc(1, sizeof *g);
	if (!g)
		abort();
	g->ship = spawn(g, SHIP, WIDTH / 2.0f, HEIGHT / 2.0f, 12);
	spawn_wave(g);
	return g;
}

void
world_free(game *g)
{
	for (entity *e = g->entities, *next; e; e = next) {
		next = e->next;
		free(e);
	}
	free(g);
}

unsigned
world_count(const game *g)
{
	unsigned count = 0;
	for (const entity *e = g->entities; e; e = e->next)
		count++;
	return count;
}

static void
shoot(game *g)
{
	const entity *ship = g->ship;
	entity *shot = spawn(g, SHOT, ship->x, ship->y, 3);
	shot->life = shot_life;
	shot->angle = ship->angle;
	shot->vx = ship->vx;
	shot->vy = ship->vy;
	push(shot, ship->angle, shot_speed);
	g->reload = reload_time;
	sound_play(SOUND_SHOT);
}

static void
fly(game *g, float seconds)
{
	entity *ship = g->ship;
	ship->spin = turn * (float)(g->controls.right - g->controls.left);
	if (g->controls.thrust)
		push(ship, ship->angle, thrust * seconds);
	ship->vx -= ship->vx * friction * seconds;
	ship->vy -= ship->vy * friction * seconds;
	g->reload -= seconds;
	if (g->controls.fire && g->reload <= 0)
		shoot(g);
}

/* Space has no edges. */
static float
wrap(float at, float size)
{
	return at < 0 ? at + size : at >= size ? at - size : at;
}

static void
move(game *g, float seconds)
{
	for (entity *e = g->entities; e; e = e->next) {
		e->x = wrap(e->x + e->vx * seconds, WIDTH);
		e->y = wrap(e->y + e->vy * seconds, HEIGHT);
		e->angle += e->spin * seconds;
		e->life -= seconds;
	}
}

static bool
touch(const entity *a, const entity *b)
{
	return a->life > 0 && b->life > 0 && hypotf(a->x - b->x, a->y - b->y) < a->radius + b->radius;
}

static void
split(game *g, entity *rock)
{
	rock->life = 0;
	spawn_sparks(g, rock->x, rock->y, 12);
	for (int i = 0; i < 2 && rock->radius / 1.7f >= smallest_rock; i++)
		spawn_rock(g, rock->x, rock->y, rock->radius / 1.7f);
}

static void
hit(game *g, entity *rock, entity *shot)
{
	shot->life = 0;
	split(g, rock);
	g->score++;
	sound_play(SOUND_BLAST);
}

/* The ship goes back to the middle, the score to nothing. */
static void
crash(game *g, entity *rock)
{
	entity *ship = g->ship;
	spawn_sparks(g, ship->x, ship->y, 40);
	split(g, rock);
	ship->x = WIDTH / 2.0f;
	ship->y = HEIGHT / 2.0f;
	ship->vx = ship->vy = 0;
	g->score = 0;
	sound_play(SOUND_CRASH);
}

/* What is spawned meanwhile comes to the front of the list, and is not met. */
static void
collide(game *g)
{
	for (entity *rock = g->entities; rock; rock = rock->next) {
		if (rock->kind != ROCK)
			continue;
		for (entity *shot = g->entities; shot; shot = shot->next)
			if (shot->kind == SHOT && touch(rock, shot))
				hit(g, rock, shot);
		if (touch(rock, g->ship))
			crash(g, rock);
	}
}

/* Frees what has come to its end; returns how many rocks are left. */
static unsigned
sweep(game *g)
{
	unsigned rocks = 0;
	for (entity **at = &g->entities; *at;) {
		entity *e = *at;
		if (e->life > 0) {
			rocks += e->kind == ROCK;
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
	}
	return rocks;
}

void
world_step(game *g)
{
	const float seconds = 1.0f / FRAMES_A_SECOND;
	fly(g, seconds);
	move(g, seconds);
	collide(g);
	if (sweep(g) == 0)
		spawn_wave(g);
	g->frame++;
}
