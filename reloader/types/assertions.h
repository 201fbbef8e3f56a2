/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a unit's debug information says of its types, as C that does not compile
 * where another compiler lays one out otherwise: checked in the very compilation
 * whose code is to share the program's data. */
#ifndef HD_TYPES_ASSERTIONS_H
#define HD_TYPES_ASSERTIONS_H

#include "reloader/types/unit.h"

/* The file that they are said to stand in; a message about one names what differs. */
#define HD_ASSERTIONS_FILE "the program's layout"

/* Appends to `out` what must hold of every type of the unit's file scope: the
 * size of each, and the place and size of those members, and the value of those
 * enumerators, whose names are in `words` (a set). The text before must declare
 * what the unit does. Returns NULL, or what cannot be said in C and is in
 * `words`: a bit-field; new string. */
char *hd_unit_assertions(const hd_unit *unit, GHashTable *words, GString *out);

/* Whether a function of these names, or one that is called through a pointer,
 * takes or gives a structure or union by value. */
bool hd_unit_passes_aggregates(const hd_unit *unit, GHashTable *words);

#endif
