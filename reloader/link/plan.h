/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which atoms of a new object must be placed in the program, and which
 * functions must switch to them.
 *
 * A function switches when it differs, and also when it cannot stay although
 * it is the same: because it refers to a private thing that moves (a constant
 * with new content, a clone whose calling convention is its callers' affair, a
 * table of labels), or calls a private function that begins a new lineage. */
#ifndef HD_LINK_PLAN_H
#define HD_LINK_PLAN_H

#include "reloader/link/bindings.h"
#include "reloader/object/diff.h"

typedef struct {
	bool *place;   /* for each atom of the new object: a new copy goes into the program */
	bool *renew;   /* for each atom: a writable datum gets new room, although the program has one (a table of
			  functions that grew, an object that outgrew its room) */
	bool *lineage; /* for each atom: a function whose old entries must not lead to it */
	guint n_atoms;
	GPtrArray *functions; /* of char *: source names of what differs, sorted; what is reported */
	GPtrArray *data;      /* of char * */
} hd_plan;

/* What the compiler may have done across the functions of the unit. */
typedef enum {
	HD_PLAN_AS_WRITTEN,	 /* nothing: -O0 */
	HD_PLAN_ORIGINAL_FITTED, /* the program's own static functions may rely on the values that their callers there
				    pass; new ones do not (gcc with our options): they are replaced with who calls them
				  */
	HD_PLAN_ALL_FITTED,	 /* every static function may be fitted to the callers of its version (clang) */
} hd_plan_fitting;

typedef struct {
	const hd_diff *diff;
	const hd_unit *running, *unit; /* debug information of what runs and of the new object; may be NULL */
	const hd_bindings *bindings;
	hd_plan_fitting fitting;
	GHashTable *also;     /* set of names of functions that switch although they are the same, and are not
				 reported; NULL: none */
	GHashTable *reshapes; /* char *key -> hd_migration *: data that change their shape; NULL: none */
	GHashTable *moved;    /* set of names of other units' data that get new room; NULL: none */
} hd_plan_request;

hd_plan *hd_plan_new(const hd_plan_request *request);

/* A private writable table of functions: code rather than state, as long as the program never writes it. */
bool hd_plan_is_function_table(const hd_object *object, guint atom);
/* Whether something in the object holds the function's address, other than to call it. */
bool hd_plan_address_is_taken(const hd_object *object, guint atom);
/* Whether the two versions of a function take or give different things. */
bool hd_plan_signature_differs(const hd_unit *running, const hd_unit *unit, const char *function);
void hd_plan_free(hd_plan *plan);

/* The key of a datum atom: by debug information where it speaks of it, else by symbol; new string. */
char *hd_plan_datum_key(const hd_object *object, guint atom, const hd_unit *unit);
/* A function whose name is the compiler's own: placed with those who use it, never redirected. */
bool hd_plan_is_private(const hd_atom *atom);
/* A table of addresses inside functions (computed goto): code, not state. */
bool hd_plan_is_label_table(const hd_object *object, guint atom);
/* Whether a reference means the first byte of what it names. */
bool hd_plan_means_start(const hd_atom *from, const hd_reloc *reloc);

#endif
