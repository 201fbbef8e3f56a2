/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: the types of several units as one set, flat.
 *
 * A layout says what lies where in an object, by value, and what its pointers
 * lead to: all that a walk through memory asks, without names or debug
 * information. Types of two units are one layout if they are declared in one
 * file, share name and layout, and so do, in turn, the types their pointers lead
 * to. A type that a unit only declares is the complete one of another unit. */
#ifndef HD_TYPES_PARTS_H
#define HD_TYPES_PARTS_H

#include "reloader/types/internal.h"

typedef enum {
	HD_LAYOUT_OBJECT, /* a struct or a union */
	HD_LAYOUT_POINTER,
	HD_LAYOUT_FLOAT,   /* a number, but one that no other type shares memory with */
	HD_LAYOUT_UNTYPED, /* void, char: anything may be there */
	HD_LAYOUT_NOTHING, /* integers, functions, what no unit defines */
	HD_LAYOUT_UNKNOWN, /* several units define it, each otherwise; or the debug information is damaged */
} hd_layout_kind;

/* A part's count: as many as the memory of the object has room for. */
#define HD_PART_TAIL G_MAXUINT64
#define HD_NOT_WANTED G_MAXUINT

/* Equal objects in a row, by value. Integers are no parts. */
typedef struct {
	guint64 offset, stride, count; /* bytes */
	guint layout;
	bool overlaid; /* by others in a union, which say otherwise */
} hd_part;

typedef struct {
	hd_layout_kind kind;
	const hd_type *type;		  /* for messages; NULL: none */
	guint64 size;			  /* bytes, without a flexible array */
	guint target;			  /* POINTER */
	guint first, n;			  /* in parts; of UNKNOWN: what it may be */
	guint first_followed, n_followed; /* in followed: the parts with pointers */
	guint fields;			  /* of a union: how many may overlay each other; 0: no union */
	guint last;			  /* the layout of the last field; itself: none */
	guint first_outer, n_outer;	  /* in inside: the larger ones that it may be a part of */
	guint wanted;
	bool text;     /* UNTYPED: char */
	bool flexible; /* ends in an array that the size does not count */
	bool pointers; /* there are some to follow */
	guint held;    /* one of the wanted ones it holds, itself first; HD_NOT_WANTED: none */
	bool holds;    /* is wanted, or has a wanted one inside, by value */
	bool torn;     /* a union, one member of which holds a wanted one */
	bool leads;    /* holds a wanted one, or pointers lead to one in the end */
	bool damaged;  /* impossible: UNKNOWN, once prepared */
	int height;    /* of what it has inside by value; while being prepared */
	guint64 cost;  /* parts to visit, with all those inside */
} hd_layout;

/* Only of outer ones that lead to a wanted one. */
typedef struct {
	guint inner, outer;
} hd_inside;

typedef struct hd_layouts hd_layouts;

hd_layouts *hd_layouts_new(void);
void hd_layouts_free(hd_layouts *layouts);
/* The unit is borrowed and must outlive the layouts. Once is enough. */
void hd_layouts_add_unit(hd_layouts *layouts, const hd_unit *unit);
/* A handle, which hd_layouts_find turns into a layout's index once they are prepared. Of an array: its elements'. */
guint hd_layouts_add(hd_layouts *layouts, const hd_unit *unit, const hd_type *type);
/* wanted: the mark of that type; handle as above. */
void hd_layouts_want(hd_layouts *layouts, guint handle, guint wanted);
/* After the last type: reads the types that those added lead to. Only once. */
void hd_layouts_prepare(hd_layouts *layouts);
guint hd_layouts_find(const hd_layouts *layouts, guint handle);

/* Valid after hd_layouts_prepare, as long as the set. */
const hd_layout *hd_layouts_all(const hd_layouts *layouts);
const hd_part *hd_layouts_parts(const hd_layouts *layouts);
const hd_part *hd_layouts_followed(const hd_layouts *layouts);
const hd_inside *hd_layouts_inside(const hd_layouts *layouts);

/* Whether an object of the one layout has, at that offset, one of the other by value; itself included. room: bytes the
 * object has, with its flexible array. */
bool hd_layouts_contains(const hd_layouts *layouts, guint outer, guint64 offset, guint64 room, guint inner);

#endif
