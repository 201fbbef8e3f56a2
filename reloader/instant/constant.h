/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constants that are tuned while the program runs: `static const float speed = 2.5f;`. */
#ifndef HD_INSTANT_CONSTANT_H
#define HD_INSTANT_CONSTANT_H

#include "reloader/instant/outline.h"

/* Whether the two declarations are of the same static constants, each a single number, and differ in nothing but their
 * values. Adds the names, new strings, of those that have another value. */
bool hd_constant_retuned(const char *old_text, const hd_declaration *old, const char *now_text,
			 const hd_declaration *now, GHashTable *names);

#endif
