/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/place.h"

#include <time.h>

void
hd_position_clear(hd_position *position)
{
	g_clear_pointer(&position->file, g_free);
	position->line = position->column = 0;
}

hd_position
hd_position_copy(const hd_position *position)
{
	return (hd_position){g_strdup(position->file), position->line, position->column};
}

hd_place *
hd_place_new(void)
{
	hd_place *place = g_new0(hd_place, 1);
	place->version = -1;
	return place;
}

hd_place *
hd_place_copy(const hd_place *place)
{
	hd_place *copy = g_memdup2(place, sizeof *place);
	copy->function = g_strdup(place->function);
	copy->module = g_strdup(place->module);
	copy->file = g_strdup(place->file);
	return copy;
}

void
hd_place_free(hd_place *place)
{
	if (!place)
		return;
	g_free(place->function);
	g_free(place->module);
	g_free(place->file);
	g_free(place);
}

char *
hd_datum_key(const char *function, const char *name, guint ordinal)
{
	GString *key = g_string_new(NULL);
	if (function)
		g_string_append_printf(key, "%s.", function);
	g_string_append(key, name);
	if (ordinal)
		g_string_append_printf(key, "#%u", ordinal);
	return g_string_free(key, FALSE);
}

gint64
hd_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (gint64)now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}
