/* SPDX-License-Identifier: MIT */
/* Entities, and what becomes of them. Knows neither screen nor keys. */
#ifndef WORLD_H
#define WORLD_H

#include "game.h"

game *world_new(void);
void world_free(game *g);
/* One frame further. */
void world_step(game *g);
unsigned world_count(const game *g);

#endif
