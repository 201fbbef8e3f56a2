/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a preprocessed text declares at file scope: functions, each with the
 * hash of what it takes and of what it does, and everything else, in order.
 * Text that says the same in other lines and spaces has the same outline. */
#ifndef HD_INSTANT_OUTLINE_H
#define HD_INSTANT_OUTLINE_H

#include <glib.h>
#include <stdbool.h>

typedef enum {
	HD_DECLARATION_FUNCTION,  /* a definition, with its body */
	HD_DECLARATION_PROTOTYPE, /* declares a function and nothing else */
	HD_DECLARATION_OTHER,	  /* types, variables, pragmas, assembler */
} hd_declaration_kind;

typedef struct {
	hd_declaration_kind kind;
	char *name;	  /* of a function, defined or declared; else NULL */
	gsize start, end; /* in the text */
	gsize body;	  /* where a function's body begins */
	guint64 head;	  /* hash of the tokens before the body, or of all */
	guint64 content;  /* hash of the body's tokens */
	bool is_static;
	bool keeps_state; /* its body declares something static */
	const char *file; /* as the line marker in force says; NULL: none */
	int line;	  /* of the first token there */
} hd_declaration;

typedef struct hd_outline hd_outline;

/* text: preprocessed, size bytes and a NUL; copied. NULL: it cannot be told where declarations end. */
hd_outline *hd_outline_new(const char *text, gsize size);
hd_outline *hd_outline_ref(hd_outline *outline);
void hd_outline_unref(hd_outline *outline);

const char *hd_outline_text(const hd_outline *outline);
guint hd_outline_count(const hd_outline *outline);
const hd_declaration *hd_outline_at(const hd_outline *outline, guint index);
/* The function's definition; NULL: there is none. */
const hd_declaration *hd_outline_function(const hd_outline *outline, const char *name);
/* Hash of all tokens. */
guint64 hd_outline_hash(const hd_outline *outline);

#endif
