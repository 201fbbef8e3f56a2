/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A translation unit as libtcc has preprocessed it: what its headers declare,
 * shared with other versions of it, and what its own text declares. */
#ifndef HD_INSTANT_READING_H
#define HD_INSTANT_READING_H

#include "reloader/instant/prelude.h"

typedef struct {
	hd_prelude *prelude; /* NULL: all is in `own` */
	hd_outline *own;
} hd_reading;

/* Takes both. */
hd_reading *hd_reading_new(hd_prelude *prelude, hd_outline *own);
hd_reading *hd_reading_copy(const hd_reading *reading);
void hd_reading_free(hd_reading *reading);

/* All declarations, those of the headers first. */
guint hd_reading_count(const hd_reading *reading);
const hd_declaration *hd_reading_at(const hd_reading *reading, guint index);
const char *hd_reading_text(const hd_reading *reading, guint index); /* the text that its offsets are in */
/* A function's definition and its index; NULL: none. */
const hd_declaration *hd_reading_function(const hd_reading *reading, const char *name);

#endif
