/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an edit changed, as the preprocessed texts say: the bodies of functions,
 * new functions and the values of static constants, and nothing else. Then no
 * type, no variable and no signature can differ, and only what changed needs
 * compiling. */
#ifndef HD_INSTANT_DELTA_H
#define HD_INSTANT_DELTA_H

#include "reloader/instant/reading.h"

typedef struct {
	GHashTable *changed;   /* set of names: other bodies, or new, or made of a constant that changed; hd_delta_close
				  adds who has those in itself */
	GHashTable *compile;   /* those, and what else hd_delta_close has added */
	GHashTable *constants; /* set of names: static constants with another value */
} hd_delta;

/* NULL: something else differs; *why, the caller's, says what. */
hd_delta *hd_delta_new(const hd_reading *old, const hd_reading *now, char **why);
void hd_delta_free(hd_delta *delta);

/* What is known of the code that runs. */
typedef struct {
	/* Its body is a part of callers. */
	bool (*is_inlined)(const char *function, void *data);
	/* Callers in the unit may have been compiled with knowledge of what the function does. */
	bool (*is_known_to_callers)(const char *function, void *data);
	/* New code cannot call the function where it is now. */
	bool (*comes_along)(const hd_declaration *function, void *data);
	void *data;
} hd_delta_facts;

/* Adds callers and callees that must be compiled anew with what changed. false:
 * one of them cannot be; *why says so. */
bool hd_delta_close(hd_delta *delta, const hd_reading *now, const hd_delta_facts *facts, char **why);

/* Every identifier in the bodies that are compiled: those of `compile`, and those that headers bring for them. */
GHashTable *hd_delta_words(const hd_delta *delta, const hd_reading *now);

/* The unit with the bodies of `compile` only; every other function is declared. New string. */
GString *hd_delta_text(const hd_delta *delta, const hd_reading *now);

#endif
