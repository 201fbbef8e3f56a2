/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: what a migration does, as one flat list of steps.
 *
 * The list mirrors the type: a struct (INSIDE) and an array (REPEAT) are
 * followed by the steps of their fields or of one element. Positions count from
 * the start of the innermost element, which for an object is itself. Steps write
 * no bit twice, and lie inside of both objects: fields.h sees to it. */
#ifndef HD_TYPES_STEPS_H
#define HD_TYPES_STEPS_H

#include "reloader/types/migration.h"
#include "reloader/types/renumber.h"

typedef enum {
	HD_STEP_COPY,
	HD_STEP_POINTER,
	HD_STEP_OVERLAID, /* a pointer in a union that a COPY before it copies */
	HD_STEP_INTEGER,
	HD_STEP_ENUM,
	HD_STEP_FLOAT,
	HD_STEP_INSIDE,
	HD_STEP_REPEAT,
} hd_step_kind;

/* As many as the flexible array has. */
#define HD_TAIL G_MAXUINT64

/* One side of a step; bits. */
typedef struct {
	guint64 at;
	guint64 width; /* REPEAT: of one element */
	bool is_signed;
	bool is_bool; /* 0 and 1 are all it may hold */
} hd_side;

typedef struct {
	hd_step_kind kind;
	hd_side old, now;
	const char *type;	     /* the old one, as a pointer to it would name it; POINTER, OVERLAID: the pointee */
	guint64 count;		     /* REPEAT */
	guint body;		     /* INSIDE, REPEAT: so many of the next steps are inside */
	const hd_renumber *renumber; /* ENUM */
} hd_step;

/* One version of the object. Bytes. */
typedef struct {
	guint64 size;
	bool flexible;
	guint64 tail_at, tail_stride;
} hd_shape;

struct hd_migration {
	GArray *steps; /* of hd_step */
	hd_shape old, now;
	bool added;	      /* some field is new */
	GPtrArray *renumbers; /* owned */
	GPtrArray *discarded; /* of char *, in strings */
	GPtrArray *pointees;  /* of char *, in strings */
	GHashTable *seen;     /* pointees; the field names of discarded */
	GStringChunk *strings;
};

/* Calls visit for every step but INSIDE and REPEAT, once an element; *_base: bytes to add to the step's positions. */
typedef void hd_step_visit(const hd_step *step, guint64 old_base, guint64 new_base, void *data);
void hd_steps_walk(const hd_migration *migration, guint64 tail, hd_step_visit *visit, void *data);

#endif
