/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the frames of a unit's functions have their variables and parameters:
 * a table by program counter, so that whoever looks at frames reads no debug
 * information. What is in several pieces, was computed away, or is found only
 * by a calculation (DWARF 5, 2.5) is not in it. */
#ifndef HD_TYPES_LOCALS_H
#define HD_TYPES_LOCALS_H

#include "reloader/types/unit.h"

struct hd_type;

typedef enum {
	HD_LOCAL_AT_CFA,      /* in memory, at the canonical frame address + offset */
	HD_LOCAL_AT_REGISTER, /* in memory, at what the register has + offset */
	HD_LOCAL_IN_REGISTER,
} hd_local_place;

/* One variable of one function, while the program counter is in [start, end). */
typedef struct {
	const char *name, *function; /* the unit's; of what was inlined: the one that has it in the source */
	const struct hd_type *type;
	guint section;	    /* as a function's address: object: ELF section index; image: 0 */
	guint64 start, end; /* object: offsets in the section; image: addresses */
	hd_local_place place;
	guint reg; /* DWARF's number */
	gint64 offset;
} hd_unit_local;

/* Of hd_unit_local, in order of section and start: pointers, and structs, unions and arrays, which may have some
 * inside. The unit's; read when first asked for. */
const GArray *hd_unit_locals(const hd_unit *unit);

#endif
