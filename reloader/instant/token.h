/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tokens of C (ISO C11, 6.4), fast and without meaning: where each starts and ends. */
#ifndef HD_INSTANT_TOKEN_H
#define HD_INSTANT_TOKEN_H

#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef enum {
	HD_TOKEN_END,
	HD_TOKEN_IDENTIFIER, /* keywords too */
	HD_TOKEN_NUMBER,
	HD_TOKEN_STRING, /* and character constants, prefixes included */
	HD_TOKEN_PUNCTUATOR,
	HD_TOKEN_DIRECTIVE, /* a line that begins with '#', continued ones to their end, without the newline */
	HD_TOKEN_BROKEN,    /* a string or comment without an end */
} hd_token_kind;

typedef struct {
	hd_token_kind kind;
	const char *start;
	gsize size;
	guint lines; /* ends of lines passed over in front of it */
} hd_token;

typedef struct {
	const char *at, *end;
	bool line_start; /* nothing but space has been read on this line */
} hd_tokens;

/* false: the end, or something broken; token->kind says which. Comments are passed over. */
bool hd_token_next(hd_tokens *tokens, hd_token *token);

/* Whether it is an identifier that the set of names holds. */
bool hd_token_is_in(const hd_token *token, GHashTable *names);

static inline bool
hd_token_is(const hd_token *token, const char *text)
{
	return token->size == strlen(text) && memcmp(token->start, text, token->size) == 0;
}

#endif
