/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: what the verdict is made of. */
#ifndef HD_TYPES_COMPARE_H
#define HD_TYPES_COMPARE_H

#include "reloader/types/internal.h"

/* Can two share memory, taking aggregates with a name as equal when their names are? */
bool hd_type_same(const hd_type *old, const hd_type *now);

typedef enum {
	HD_DIFFERENCE_TYPE,
	HD_DIFFERENCE_ADDED,
	HD_DIFFERENCE_RENAMED,
	HD_DIFFERENCE_REMOVED,
	HD_DIFFERENCE_MOVED,
	HD_DIFFERENCE_SIZE,
} hd_difference_kind;

typedef struct {
	hd_difference_kind kind;
	char *text; /* owned by the caller */
	const char *file;
	int line; /* in the new version */
} hd_difference;

/* The first difference between two complete structs or unions; false: none. */
bool hd_type_difference(const hd_type *old, const hd_type *now, hd_difference *difference);

/* Where a member is, for people: "4 bytes at 8", "3 bits at bit 70"; new string. */
char *hd_member_extent(const hd_member *member);

/* Whether an object of the one has one of the other inside, by value. */
bool hd_type_holds(const hd_type *outer, const hd_type *inner);

/* Marks (hd_type.mark) every type of the unit that living data or other code may meet. */
void hd_reach_mark(const hd_unit *unit);

/* Types with a tag or a typedef's name, complete ones: "function/struct tag#n" -> hd_type *. */
GHashTable *hd_reach_named(const hd_unit *unit);

/* The type "struct tag", "union tag", "enum tag" or of a typedef, complete, that the function declares (NULL: file
 * scope); ordinal: of several, in order of lines. NULL: there is none. */
const hd_type *hd_reach_type(const hd_unit *unit, const char *function, const char *name, guint ordinal);

#endif
