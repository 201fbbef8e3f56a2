/* SPDX-License-Identifier: MIT */
/* The loop that never returns. What is worth an edit is called from it, and in other files. */
#include "frame.h"
#include "game.h"
#include "input.h"
#include "sound.h"
#include "world.h"

#include <SDL.h>
#include <stdio.h>
#include <stdlib.h>

static void
fail(const char *what)
{
	fprintf(stderr, "game: %s: %s\n", what, SDL_GetError());
	exit(1);
}

/* Returns at the next frame's time. One that comes too late moves those after it. */
static void
wait_for_next(Uint64 *next)
{
	Uint64 now = SDL_GetTicks64();
	if (now < *next)
		SDL_Delay((Uint32)(*next - now));
	else
		*next = now;
	*next += 1000 / FRAMES_A_SECOND;
}

int
main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (SDL_Init(SDL_INIT_VIDEO) != 0)
		fail("video");
	SDL_Window *window =
		SDL_CreateWindow("rocks", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, WIDTH, HEIGHT, 0);
	SDL_Renderer *renderer = window ? SDL_CreateRenderer(window, -1, 0) : NULL;
	if (!renderer)
		fail("window");
	input_open();
	if (SDL_InitSubSystem(SDL_INIT_AUDIO) == 0)
		sound_open();
	game *g = world_new();
	printf("%d x %d, %d frames a second\n", WIDTH, HEIGHT, FRAMES_A_SECOND);
	fflush(stdout);
	Uint64 next = SDL_GetTicks64();
	while (input_read(g)) {
		frame(renderer, g);
		wait_for_next(&next);
	}
	world_free(g);
	sound_close();
	SDL_DestroyRenderer(renderer);
	SDL_DestroyWindow(window);
	SDL_Quit();
	return 0;
}
