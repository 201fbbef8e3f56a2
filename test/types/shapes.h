/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to generate.c: random struct definitions as data, and their edits.
 * Fields, aggregates, enumerations and enumerators have numbers that an edit
 * keeps: so is known what became of each. */
#ifndef HD_TEST_TYPES_SHAPES_H
#define HD_TEST_TYPES_SHAPES_H

#include <glib.h>
#include <stdbool.h>

typedef enum { INTEGER, BOOL, FLOATING, ENUM, POINTER, STRUCT, UNION } kind;

typedef struct {
	guint id; /* of an enumerator */
	gint64 value;
} enumerator;

typedef struct {
	guint id;
	bool typedefd;
	bool frozen;   /* in a union: must not change */
	GArray *names; /* of enumerator */
} enumeration;

typedef enum { TAGGED, TYPEDEFD, INLINE } style;

typedef struct {
	guint id;
	style style;
	bool is_union, packed, frozen;
	GPtrArray *fields; /* of field *, owned */
} aggregate;

typedef struct {
	guint id;
	kind kind;
	guint base; /* INTEGER, FLOATING: index of the tables below; POINTER: of the declarators */
	guint bits; /* of a bit field; 0: none */
	bool alias; /* by its typedef */
	bool nameless;
	guint dimensions[2]; /* 0: none */
	bool flexible;
	const char *qualifier;
	guint inner; /* id of the aggregate or enumeration */
} field;

/* One version. */
typedef struct {
	guint number;
	GPtrArray *aggregates; /* of aggregate *, owned; each before those that have it, the root last */
	GPtrArray *enums;      /* of enumeration *, owned */
} version;

typedef struct {
	GRand *random;
	version *version;
	guint ids;
} maker;

typedef struct {
	const char *name;
	guint size;
	bool is_signed;
} integer_type;

#define N_INTEGERS 12
#define N_FLOATS 3
#define N_POINTERS 5
extern const integer_type integer_types[N_INTEGERS];
extern const char *const float_types[N_FLOATS];

/* The root is struct s<number>. */
version *make_version(maker *m, guint number);
/* What it became by some edits that a migration must carry out. */
version *make_edited(maker *m, const version *old);
void version_free(version *v);

/* NULL: there is none. */
aggregate *aggregate_of(const version *v, guint id);
enumeration *enum_of(const version *v, guint id);
guint root_of(const version *v);
/* Whether it is fit for a test: structs that have each other in arrays grow without measure. */
bool is_small(const version *v);

#endif
