/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/constant.h"

#include "reloader/instant/token.h"

/* Between a name's '=' and the ',' or ';' behind it: a number, perhaps with a sign. Whatever is computed, compilers
 * may compute otherwise. */
typedef struct {
	hd_token sign, number; /* sign.size 0: there is none */
} value;

typedef struct {
	hd_tokens tokens;
	hd_token token; /* read last */
	bool is_static, is_const;
} reader;

static reader
reader_of(const char *text, const hd_declaration *declaration)
{
	return (reader){.tokens = {text + declaration->start, text + declaration->end, false}};
}

static bool
same_text(const hd_token *a, const hd_token *b)
{
	return a->kind == b->kind && a->size == b->size && memcmp(a->start, b->start, a->size) == 0;
}

static bool
next(reader *r)
{
	if (!hd_token_next(&r->tokens, &r->token))
		return false;
	bool identifier = r->token.kind == HD_TOKEN_IDENTIFIER;
	r->is_static |= identifier && hd_token_is(&r->token, "static");
	r->is_const |= identifier && hd_token_is(&r->token, "const");
	/* Pointers, arrays, functions, bit-fields and attributes are more than a number; what is volatile may be
	 * written by others. */
	return identifier ? !hd_token_is(&r->token, "volatile") && !hd_token_is(&r->token, "__attribute__")
			  : r->token.kind == HD_TOKEN_NUMBER || r->token.kind == HD_TOKEN_STRING ||
				    (r->token.kind == HD_TOKEN_PUNCTUATOR && strchr("=,;+-", *r->token.start));
}

static bool
read_value(reader *r, value *out)
{
	*out = (value){.sign.size = 0};
	if (!next(r))
		return false;
	if (hd_token_is(&r->token, "-") || hd_token_is(&r->token, "+")) {
		out->sign = r->token;
		if (!next(r))
			return false;
	}
	out->number = r->token;
	bool character = r->token.kind == HD_TOKEN_STRING && *r->token.start == '\'';
	return r->token.kind == HD_TOKEN_NUMBER || character;
}

static bool
same_value(const value *a, const value *b)
{
	return a->sign.size == b->sign.size && (!a->sign.size || same_text(&a->sign, &b->sign)) &&
	       same_text(&a->number, &b->number);
}

bool
hd_constant_retuned(const char *old_text, const hd_declaration *old, const char *now_text, const hd_declaration *now,
		    GHashTable *names)
{
	reader a = reader_of(old_text, old), b = reader_of(now_text, now);
	hd_token name = {.size = 0};
	GHashTable *retuned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	bool good = true, ended = false;
	while (good && !ended) {
		good = next(&a) && next(&b) && same_text(&a.token, &b.token);
		if (!good)
			break;
		ended = hd_token_is(&b.token, ";");
		if (hd_token_is(&b.token, "=")) {
			value before, after;
			good = name.size && read_value(&a, &before) && read_value(&b, &after);
			if (good && !same_value(&before, &after))
				g_hash_table_add(retuned, g_strndup(name.start, name.size));
		}
		name = b.token.kind == HD_TOKEN_IDENTIFIER ? b.token : (hd_token){.size = 0};
	}
	good = good && b.is_static && b.is_const && g_hash_table_size(retuned);
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, retuned);
	while (good && g_hash_table_iter_next(&iter, &key, NULL))
		g_hash_table_add(names, g_strdup(key));
	g_hash_table_unref(retuned);
	return good;
}
