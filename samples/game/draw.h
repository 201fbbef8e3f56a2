/* SPDX-License-Identifier: MIT */
#ifndef DRAW_H
#define DRAW_H

#include "game.h"

#include <SDL_render.h>

void draw_game(SDL_Renderer *renderer, const game *g);

#endif
