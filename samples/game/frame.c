/* SPDX-License-Identifier: MIT */
#include "frame.h"
#include "draw.h"
#include "input.h"
#include "picture.h"
#include "sound.h"
#include "world.h"

#include <SDL_error.h>
#include <stdio.h>

#define PICTURE "frame.bmp"

static void
save_picture(SDL_Renderer *renderer, const game *g)
{
	if (!picture_save(renderer, PICTURE)) {
		fprintf(stderr, "game: %s: %s\n", PICTURE, SDL_GetError());
		return;
	}
	printf("%s: frame %u, %u entities, score %u, sound %.3f\n", PICTURE, g->frame, world_count(g), g->score,
	       (double)sound_peak());
	fflush(stdout);
}

void
frame(SDL_Renderer *renderer, game *g)
{
	if (!g->paused)
		world_step(g);
	draw_game(renderer, g);
	/* A frame that has been presented cannot be read any more. */
	if (input_picture())
		save_picture(renderer, g);
	SDL_RenderPresent(renderer);
}
