/* SPDX-License-Identifier: MIT */
/* Rocks drift through space, and a ship is in their way. */
#ifndef GAME_H
#define GAME_H

#include <stdbool.h>

enum { WIDTH = 640, HEIGHT = 480, FRAMES_A_SECOND = 60 };

typedef enum { SHIP, ROCK, SHOT, SPARK, KINDS } entity_kind;

typedef struct entity {
	struct entity *next;
	entity_kind kind;
	float x, y, vx, vy; /* pixels; pixels a second */
	float angle, spin;  /* radians; radians a second */
	float radius;	    /* pixels */
	float life;	    /* seconds left */
} entity;

typedef struct {
	bool left, right, thrust, fire;
} controls;

/* All that there is. Here is where a game grows while it is played. */
typedef struct {
	entity *entities; /* the ship among them */
	entity *ship;
	controls controls;
	float reload; /* seconds until the next shot */
	unsigned frame, score, wave;
	bool paused;
	bool played; /* somebody has touched a key; until then the ship flies by itself */
} game;

#endif
