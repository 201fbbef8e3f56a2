/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between two objects of one module, atom by atom.
 *
 * Two atoms are the same when their bytes outside relocated fields are the
 * same and each relocation means the same: the same name, or (for anonymous
 * atoms, strings, clones) an atom that is itself the same, decided together,
 * so that cycles are the same unless something in them differs. Numbered
 * suffixes (count.0, f.constprop.1) are matched by name without the number
 * and by order, never by number alone. */
#ifndef HD_OBJECT_DIFF_H
#define HD_OBJECT_DIFF_H

#include "reloader/object/object.h"

typedef struct hd_diff hd_diff;

typedef enum { HD_ATOM_SAME, HD_ATOM_CHANGED, HD_ATOM_ADDED } hd_atom_fate;

/* old may be NULL: then every atom is ADDED. Both are referenced. */
hd_diff *hd_diff_new(hd_object *old, hd_object *now);
/* Where something else has told which functions and which data changed (sets of
 * names): every other named atom is the same, and there is no old object to ask. */
hd_diff *hd_diff_new_told(hd_object *now, GHashTable *changed, GHashTable *data);
void hd_diff_free(hd_diff *diff);
/* What differs is known to the last atom, be it told or compared. */
bool hd_diff_is_certain(const hd_diff *diff);

hd_object *hd_diff_old(const hd_diff *diff);
hd_object *hd_diff_now(const hd_diff *diff);

/* What became of an atom of the new object. An anonymous atom with no equal is ADDED. */
hd_atom_fate hd_diff_fate(const hd_diff *diff, guint new_atom);
/* The old object's atom that a new one continues, or HD_NONE; and back. */
guint hd_diff_old_of(const hd_diff *diff, guint new_atom);
guint hd_diff_new_of(const hd_diff *diff, guint old_atom);

/* Nothing that the program runs differs. */
bool hd_diff_empty(const hd_diff *diff);

#endif
