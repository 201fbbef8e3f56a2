/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an object of a type's old shape to one of its new shape, field by field by name.
 *
 * A plan is made of two versions' debug information and depends on neither
 * afterwards, nor on a running program: bytes in, bytes out. What it does:
 *   - a field of the same type is copied to its new place; an added one, and
 *     the new tail of an array that grew, are left as the caller set them;
 *   - a wider integer, float or bit field gets the same value, extended by the
 *     sign of its old type, as C converts (C11 6.3.1.3);
 *   - another signedness of the same width keeps the bits, which is also what C
 *     does: every value that both types have stays, and one that only the old
 *     had is counted (hd_migration_tally.changed), for the caller to refuse;
 *   - an enumeration that was renumbered maps values by enumerator name; a value
 *     without a name (flags or-ed together, say), or whose name is gone, stays and is counted;
 *   - pointers are copied; what they lead to is another plan's object, which
 *     hd_migration_each_pointer finds;
 *   - a union is copied whole if nothing in it changed;
 *   - a field that is gone is discarded, and named: who keeps the object's old
 *     bytes gets it back by hd_migration_reverse.
 * Refused, with place and remedy: a field renamed (by appearance: one gone, a new
 * one of its type in its place), narrowed, of another kind (pointer and number),
 * a pointer to something else, a union changed inside, an array shrunk. */
#ifndef HD_TYPES_MIGRATION_H
#define HD_TYPES_MIGRATION_H

#include "base/refusal.h"
#include "reloader/types/unit.h"

typedef struct hd_migration hd_migration;

/* The plan for a variable (function, name, ordinal as in hd_unit_variable_named).
 * NULL: refused; what was is appended to refusals (of hd_refusal *, owned): HD101
 * of a field of a named type, HD102 of the variable itself, with its key as
 * subject, HD207 where the debug information is damaged or has no such variable. */
hd_migration *hd_migration_of_variable(const hd_unit *old, const hd_unit *now, const char *function, const char *name,
				       guint ordinal, GPtrArray *refusals);
/* The same for a type: "struct conn", "union u", "enum e", or a typedef's name.
 * function: the one that declares it; NULL: file scope. ordinal: as for variables. */
hd_migration *hd_migration_of_type(const hd_unit *old, const hd_unit *now, const char *function, const char *name,
				   guint ordinal, GPtrArray *refusals);
/* The same for a type of file scope or a function, by what hd_verdict calls it: "function/struct conn#ordinal". */
hd_migration *hd_migration_of_key(const hd_unit *old, const hd_unit *now, const char *key, GPtrArray *refusals);
void hd_migration_free(hd_migration *migration);

/* Whether the old bytes are a valid object of the new shape as they stand. */
bool hd_migration_is_identity(const hd_migration *migration);
/* What is lost unless it is kept, for people: "struct conn: gone (4 bytes at 4)"; of char *, owned by the plan. */
const GPtrArray *hd_migration_discarded(const hd_migration *migration);

/* Whether a field has no place in the other shape: the new one, or, on the way back, the old one. */
bool hd_migration_loses(const hd_migration *migration, bool back);

/* An object may end in a flexible array (C11 6.7.2.1), whose elements (`tail`)
 * the type does not count: 0 for every other object. Bytes. */
guint64 hd_migration_old_size(const hd_migration *migration, guint64 tail);
guint64 hd_migration_new_size(const hd_migration *migration, guint64 tail);
/* How many elements fit an old object of that many bytes. */
guint64 hd_migration_tail(const hd_migration *migration, guint64 old_bytes);
/* The same for a new object. */
guint64 hd_migration_tail_now(const hd_migration *migration, guint64 new_bytes);

typedef struct {
	guint64 unnamed; /* values of a renumbered enumeration that name none of its enumerators */
	guint64 changed; /* numbers that the other type cannot hold */
} hd_migration_tally;

/* Writes every surviving field of old into now. Before, now holds what the other fields shall be: zeroes, an
 * initialiser, or what was kept when an earlier migration was undone. Sizes are as above; tally may be NULL. */
void hd_migration_apply(const hd_migration *migration, const guint8 *old, guint8 *now, guint64 tail,
			hd_migration_tally *tally);
/* The way back: writes every surviving field of now into old. Before, old holds the bytes the object had when it was
 * migrated, so that discarded fields return, or zeroes. */
void hd_migration_reverse(const hd_migration *migration, const guint8 *now, guint8 *old, guint64 tail,
			  hd_migration_tally *tally);
/* Migrates a copy, and back, and compares every field. false: they differ, and the plan must not be used;
 * *error (HD_ERROR_FORMAT) names the place. */
bool hd_migration_validate(const hd_migration *migration, const guint8 *old, guint64 tail, GError **error);

typedef enum {
	HD_LANDING_NONE, /* padding, a discarded field, or the inside of one that was widened */
	HD_LANDING_FOUND,
	HD_LANDING_AMBIGUOUS, /* a struct and its first field begin there, and part */
	HD_LANDING_RETYPED,   /* found, but the number there is of another type now */
} hd_landing;

/* Where a pointer into the old object points in the new one: bytes from the objects' starts. pointee: what the
 * pointer's type says it points to, as hd_migration_pointer says it; NULL or "void": anything. */
hd_landing hd_migration_landing(const hd_migration *migration, guint64 tail, guint64 old_offset, const char *pointee,
				guint64 *new_offset);

/* The way back: where a pointer into the new object points in the old one. */
hd_landing hd_migration_landing_back(const hd_migration *migration, guint64 tail, guint64 new_offset,
				     const char *pointee, guint64 *old_offset);

typedef struct {
	guint64 old_offset, new_offset; /* bytes from the objects' starts */
	const char *pointee; /* "struct conn", "conn_t" (a struct without a tag), "int", "int (int)"; the plan's */
	bool overlaid;	     /* somewhere in a union at that offset: whether it is a pointer only the program knows */
} hd_migration_pointer;

typedef void hd_migration_visit(const hd_migration_pointer *pointer, void *data);
/* Every pointer in the object that survives. */
void hd_migration_each_pointer(const hd_migration *migration, guint64 tail, hd_migration_visit *visit, void *data);
/* What they point to, each once, for who only wants to know which types to look for; of char *, owned by the plan. */
const GPtrArray *hd_migration_pointees(const hd_migration *migration);

#endif
