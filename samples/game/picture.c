/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <stdio.h>

bool
picture_save(SDL_Renderer *renderer, const char *path)
{
	char unfinished[256];
	int width, height;
	if (SDL_GetRendererOutputSize(renderer, &width, &height) != 0)
		return false;
	SDL_Surface *surface = SDL_CreateRGBSurfaceWithFormat(0, width, height, 24, SDL_PIXELFORMAT_BGR24);
	if (!surface)
		return false;
	snprintf(unfinished, sizeof unfinished, "%s.part", path);
	int failed = SDL_RenderReadPixels(renderer, NULL, surface->format->format, surface->pixels, surface->pitch);
	if (!failed)
		failed = SDL_SaveBMP(surface, unfinished);
	SDL_FreeSurface(surface);
	if (!failed && rename(unfinished, path) != 0)
		failed = SDL_SetError("cannot be renamed");
	return !failed;
}
