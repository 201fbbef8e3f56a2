/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: random pairs of struct definitions, the new one made of the old by
 * edits that a migration must carry out, as C text. What each field is, and
 * where, the compiler says itself: the text has a table of every leaf (a number,
 * a pointer, a union's member), in one order for both versions. */
#ifndef HD_TEST_TYPES_GENERATE_H
#define HD_TEST_TYPES_GENERATE_H

#include <glib.h>
#include <stdbool.h>

typedef enum {
	LEAF_ABSENT, /* this version does not have it */
	LEAF_INTEGER,
	LEAF_BOOL,
	LEAF_FLOAT,
	LEAF_ENUM,
	LEAF_POINTER,
	LEAF_BYTES,
} leaf_kind;

/* Elements that an object's flexible array has. */
#define GENERATE_TAIL 3

/* In the generated text too. */
#define GENERATE_LEAF                                                                                                  \
	struct leaf {                                                                                                  \
		int kind;                                                                                              \
		unsigned offset, size;		/* bytes; a bit field: 0 */                                            \
		int is_signed, bits;		/* of a number; bits: a bit field's */                                 \
		long long (*get)(const void *); /* a bit field; else 0 */                                              \
		void (*set)(void *, long long);                                                                        \
		const long long *names; /* an enumeration's values, by enumerator */                                   \
		unsigned n_names;	/* the same for both versions; what one lacks is GENERATE_NO_NAME */           \
	}
#define GENERATE_NO_NAME 0x7000000000000000ll
GENERATE_LEAF;

typedef struct {
	GString *old, *now;	      /* the definitions alone, for messages */
	GString *old_code, *now_code; /* functions and tables that go with them */
} generated_pair;

/* Variable v<number>, with tables leaves<number> (of struct leaf), n_leaves<number>, size<number>. */
generated_pair *generate_pair(GRand *random, guint number);
void generated_pair_free(generated_pair *pair);
/* What a file begins with, and what it ends with: `tables`, `lengths` and `sizes` of pairs first .. first + n - 1. */
void generate_begin(GString *text);
void generate_end(GString *text, guint first, guint n);

#endif
