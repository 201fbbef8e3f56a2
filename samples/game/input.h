/* SPDX-License-Identifier: MIT */
#ifndef INPUT_H
#define INPUT_H

#include "game.h"

void input_open(void);
/* Keys, and signals in their place. False: the game is over. */
bool input_read(game *g);
/* Whether a picture was asked for since the last call. */
bool input_picture(void);

#endif
