/* SPDX-License-Identifier: MIT */
/* Arrows fly, space shoots, P pauses, F12 takes a picture, escape ends. So that
 * all works without a keyboard, SIGUSR1 takes a picture, SIGUSR2 pauses, and the
 * ship flies by itself until somebody does. */
#include "input.h"

#include <SDL_events.h>
#include <math.h>
#include <signal.h>

static volatile sig_atomic_t pictures, pauses;

static void
take_signal(int number)
{
	if (number == SIGUSR1)
		pictures = 1;
	else
		pauses = 1;
}

void
input_open(void)
{
	signal(SIGUSR1, take_signal);
	signal(SIGUSR2, take_signal);
}

static void
press(game *g, SDL_Keycode key, bool down)
{
	g->played = true;
	if (key == SDLK_LEFT)
		g->controls.left = down;
	if (key == SDLK_RIGHT)
		g->controls.right = down;
	if (key == SDLK_UP)
		g->controls.thrust = down;
	if (key == SDLK_SPACE)
		g->controls.fire = down;
	if (key == SDLK_p && down)
		g->paused = !g->paused;
	if (key == SDLK_F12 && down)
		pictures = 1;
}

/* Looks for the nearest rock, turns to it, and shoots. */
static void
pilot(game *g)
{
	const entity *ship = g->ship, *target = NULL;
	float nearest = INFINITY;
	for (const entity *e = g->entities; e; e = e->next) {
		float distance = hypotf(e->x - ship->x, e->y - ship->y);
		if (e->kind == ROCK && distance < nearest) {
			nearest = distance;
			target = e;
		}
	}
	if (!target) {
		g->controls = (controls){0};
		return;
	}
	float off = remainderf(atan2f(target->y - ship->y, target->x - ship->x) - ship->angle, 6.2831853f);
	g->controls.left = off < -0.05f;
	g->controls.right = off > 0.05f;
	g->controls.fire = fabsf(off) < 0.2f;
}

bool
input_read(game *g)
{
	SDL_Event event;
	while (SDL_PollEvent(&event)) {
		if (event.type == SDL_QUIT || (event.type == SDL_KEYDOWN && event.key.keysym.sym == SDLK_ESCAPE))
			return false;
		if ((event.type == SDL_KEYDOWN && !event.key.repeat) || event.type == SDL_KEYUP)
			press(g, event.key.keysym.sym, event.type == SDL_KEYDOWN);
	}
	if (pauses) {
		pauses = 0;
		g->paused = !g->paused;
	}
	if (!g->played)
		pilot(g);
	return true;
}

bool
input_picture(void)
{
	bool asked = pictures;
	pictures = 0;
	return asked;
}
