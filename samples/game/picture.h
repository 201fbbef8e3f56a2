/* SPDX-License-Identifier: MIT */
#ifndef PICTURE_H
#define PICTURE_H

#include <SDL_render.h>
#include <stdbool.h>

/* What has been drawn, as a BMP file; the file is whole whenever it is there.
 * False: SDL_GetError() says why not. */
bool picture_save(SDL_Renderer *renderer, const char *path);

#endif
