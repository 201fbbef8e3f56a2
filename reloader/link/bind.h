/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binds the names of a translation unit to what the program started with. */
#ifndef HD_LINK_BIND_H
#define HD_LINK_BIND_H

#include "reloader/link/bindings.h"

/* New bindings for a unit of a loaded image: every function of its code as
 * version 0, every located variable. HD_ERROR_FORMAT when the unit's debug
 * information cannot be read. */
hd_bindings *hd_bind_unit(hd_scope *scope, hd_target *target, hd_loaded *home, const hd_image_unit *unit,
			  GError **error);

/* What a datum held before the program could write it: as installed by an
 * update, or foretold from the image's file. NULL: cannot be known. Borrowed. */
GBytes *hd_bind_initial(hd_datum *datum, hd_scope *scope, hd_target *target, hd_loaded *home);

/* Adds to commit what brings a process that holds what the program's files have to what is live. What updates have
 * added lies in arenas, and is not part of it. */
void hd_bind_install(const hd_bindings *bindings, hd_scope *scope, hd_target *target, hd_loaded *home,
		     hd_commit *commit);

/* For an entry not redirected yet: fills in what a redirect of it needs (how many bytes
 * are kept free of threads). false: a jump cannot be written there; *why says so. */
bool hd_bind_entry(hd_loaded *home, hd_body *body, const char **why);

#endif
