/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside reloader/object: which atom of the old object a new one continues.
 *
 * A plain name that both objects have once continues itself. Where the number
 * in a name is the compiler's (count.0), where a name is there more than once
 * (tcc's static locals) and for variables without a name, the functions that
 * refer to an atom tell whose it is; then content, then order. */
#ifndef HD_OBJECT_MATCH_H
#define HD_OBJECT_MATCH_H

#include "reloader/object/object.h"

/* Writable, with a place of its own in the program. */
bool hd_atom_is_variable(const hd_atom *atom);

/* Fills old_of (by new atom) and new_of (by old atom) with indices or HD_NONE.
 * Anonymous code, constants and strings are left out: equality finds them. */
void hd_match_atoms(hd_object *old, hd_object *now, guint *old_of, guint *new_of);

#endif
