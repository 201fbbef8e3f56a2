/* SPDX-License-Identifier: MIT */
#include "draw.h"

#include <math.h>

enum { MOST_CORNERS = 9, STARS = 80 };

/* Change these while you look. */
static const SDL_Color space = {8, 10, 28, 255};
static const SDL_Color star = {90, 96, 130, 255};
static const SDL_Color score = {120, 220, 140, 255};
static const SDL_Color colours[KINDS] = {
	[SHIP] = {240, 240, 255, 255},
	[ROCK] = {150, 130, 110, 255},
	[SHOT] = {255, 230, 90, 255},
	[SPARK] = {255, 130, 40, 255},
};
static const int corners[KINDS] = {[SHIP] = 4, [ROCK] = 9, [SHOT] = 3, [SPARK] = 4};
/* How far each corner is from the middle, in radii. */
static const float ship_shape[] = {1.4f, 1.0f, 0.3f, 1.0f};
static const float rock_shape[] = {1.0f, 0.8f, 1.1f, 0.9f, 1.0f, 0.7f, 1.0f, 1.1f, 0.8f};

static void
choose(SDL_Renderer *renderer, const SDL_Color *colour)
{
	SDL_SetRenderDrawColor(renderer, colour->r, colour->g, colour->b, colour->a);
}

/* Places that look like chance and are the same in every frame. */
static void
draw_stars(SDL_Renderer *renderer)
{
	unsigned seed = 1;
	choose(renderer, &star);
	for (int i = 0; i < STARS; i++) {
		seed = seed * 1103515245u + 12345u;
		int x = (int)(seed >> 16) % WIDTH;
		seed = seed * 1103515245u + 12345u;
		SDL_RenderDrawPoint(renderer, x, (int)(seed >> 16) % HEIGHT);
	}
}

static float
reach(entity_kind kind, int corner)
{
	switch (kind) {
	case SHIP:
		return ship_shape[corner];
	case ROCK:
		return rock_shape[corner];
	default:
		return 1;
	}
}

/* A fan of triangles around the middle. */
static void
draw_entity(SDL_Renderer *renderer, const entity *e)
{
	SDL_Vertex vertices[MOST_CORNERS + 1] = {{.position = {e->x, e->y}, .color = colours[e->kind]}};
	int indices[3 * MOST_CORNERS], count = corners[e->kind];
	for (int i = 0; i < count; i++) {
		float angle = e->angle + (float)i * 6.2831853f / (float)count;
		float distance = e->radius * reach(e->kind, i);
		vertices[i + 1].position.x = e->x + distance * cosf(angle);
		vertices[i + 1].position.y = e->y + distance * sinf(angle);
		vertices[i + 1].color = colours[e->kind];
		indices[3 * i] = 0;
		indices[3 * i + 1] = i + 1;
		indices[3 * i + 2] = (i + 1) % count + 1;
	}
	SDL_RenderGeometry(renderer, NULL, vertices, count + 1, indices, 3 * count);
}

static void
draw_score(SDL_Renderer *renderer, unsigned points)
{
	choose(renderer, &score);
	for (unsigned i = 0; i < points; i++) {
		SDL_Rect mark = {8 + (int)(i % 60) * 10, 8 + (int)(i / 60) * 14, 6, 10};
		SDL_RenderFillRect(renderer, &mark);
	}
}

void
draw_game(SDL_Renderer *renderer, const game *g)
{
	choose(renderer, &space);
	SDL_RenderClear(renderer);
	draw_stars(renderer);
	for (const entity *e = g->entities; e; e = e->next)
		draw_entity(renderer, e);
	draw_score(renderer, g->score);
}
