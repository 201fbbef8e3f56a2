/* SPDX-License-Identifier: MIT */
#ifndef FRAME_H
#define FRAME_H

#include "game.h"

#include <SDL_render.h>

/* One frame of the world and of the screen. */
void frame(SDL_Renderer *renderer, game *g);

#endif
