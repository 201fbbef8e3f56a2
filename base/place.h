/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small values that every layer speaks of: positions in a source, places in
 * a stack, and the clock. */
#ifndef HD_BASE_PLACE_H
#define HD_BASE_PLACE_H

#include <glib.h>

/* A position in a source file. file is owned; NULL: unknown. line and column
 * count from 1; 0: unknown. */
typedef struct {
	char *file;
	int line;
	int column;
} hd_position;

void hd_position_clear(hd_position *position);
hd_position hd_position_copy(const hd_position *position);

/* A place in a stack. Strings are owned; NULL: unknown. version is the
 * module's; -1: unknown, 0: the code the program started with. */
typedef struct {
	char *function;
	char *module;
	int version;
	char *file;
	int line;
	guint64 pc;
} hd_place;

hd_place *hd_place_new(void);
hd_place *hd_place_copy(const hd_place *place);
void hd_place_free(hd_place *place);

/* The name of a variable across versions: "count", "tick.count", "tick.count#1";
 * new string. function NULL: file scope. */
char *hd_datum_key(const char *function, const char *name, guint ordinal);

/* CLOCK_MONOTONIC, nanoseconds. */
gint64 hd_now_ns(void);

#endif
