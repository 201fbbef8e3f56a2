/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where every name of the running program is: the loaded objects in the
 * loader's order, and what updates have added to each. */
#ifndef HD_LINK_SCOPE_H
#define HD_LINK_SCOPE_H

#include "reloader/image/image.h"
#include "reloader/target/target.h"

typedef struct hd_scope hd_scope;

/* [low, high), run-time addresses. */
typedef struct {
	guint64 low, high;
} hd_range;

/* One ELF file in the program. Owned by the scope, as long as it lives. */
typedef struct {
	hd_image *image; /* NULL: the file could not be read */
	guint64 bias;
	hd_target_object object; /* a copy; for hd_target_arena */
	GHashTable *added;	 /* char *name -> guint64 *: globals that updates brought */
	GHashTable *hops;	 /* set of gint64 *: padding (the file's addresses) that jumps stand in */
	bool is_program;	 /* the first object */
	bool startup;		 /* it was there when the program began */
	bool referred;		 /* something of it was looked up: code that was linked may hold its addresses */
	bool gone;		 /* unloaded since */
} hd_loaded;

typedef struct {
	guint64 address; /* run-time; for TLS: the offset in home's block */
	hd_symbol_kind kind;
	hd_loaded *home; /* NULL: added by an update */
} hd_found;

hd_scope *hd_scope_new(void);
void hd_scope_free(hd_scope *scope);

/* Reads the list of loaded objects again; those known keep their identity.
 * New ones are appended; images are opened. */
bool hd_scope_refresh(hd_scope *scope, hd_target *target, GError **error);
const GPtrArray *hd_scope_loaded(const hd_scope *scope); /* of hd_loaded *, in search order */

/* What code of `from` means by a name that its translation unit does not
 * define, as the static and then the dynamic linker would have bound it
 * (System V gABI 5, "Shared Object Dependencies"). IFUNCs are resolved. */
bool hd_scope_lookup(hd_scope *scope, hd_target *target, hd_loaded *from, const char *name, hd_found *found);

/* Remembers a global that an update brought into an object. */
void hd_scope_add(hd_loaded *home, const char *name, guint64 address);

#endif
