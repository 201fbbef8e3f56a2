/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/faithful.h"

#include "reloader/instant/token.h"

#include <string.h>

/* What libtcc does otherwise, or refuses only sometimes. */
static const char *const strange[] = {
	"_Alignas",	 "_Atomic",    "_Complex",  "_Float128",   "_Imaginary",
	"_Thread_local", "__asm",      "__asm__",   "__complex__", "__float128",
	"__int128",	 "__int128_t", "__label__", "__thread",	   "__uint128_t",
	"__vector",	 "asm",	       "alloca",    "va_arg_pack", NULL,
};

/* Attributes that change neither what a function does nor how it is called. */
static const char *const harmless[] = {
	"always_inline",
	"assume_aligned",
	"cold",
	"const",
	"deprecated",
	"fallthrough",
	"format",
	"hot",
	"leaf",
	"malloc",
	"noinline",
	"nonnull",
	"noreturn",
	"nothrow",
	"pure",
	"printf",
	"returns_nonnull",
	"sentinel",
	"unused",
	"used",
	"noclone",
	"flatten",
	"warn_unused_result",
	"alloc_size",
	"format_arg",
	"access",
	"nonstring",
	"visibility",
	"gnu_printf",
	"no_instrument_function",
	"externally_visible",
	NULL,
};

static bool
is_one_of(const hd_token *token, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == token->size && memcmp(*list, token->start, token->size) == 0)
			return true;
	return false;
}

/* "__pure__" is "pure". */
static hd_token
without_underscores(hd_token token)
{
	if (token.size > 4 && memcmp(token.start, "__", 2) == 0 && memcmp(token.start + token.size - 2, "__", 2) == 0) {
		token.start += 2;
		token.size -= 4;
	}
	return token;
}

/* From behind "__attribute__" to behind its parentheses. */
static char *
check_attribute(hd_tokens *tokens)
{
	hd_token token;
	int depth = 0;
	while (hd_token_next(tokens, &token)) {
		if (hd_token_is(&token, "("))
			depth++;
		else if (hd_token_is(&token, ")") && --depth == 0)
			return NULL;
		hd_token name = without_underscores(token);
		if (depth == 2 && token.kind == HD_TOKEN_IDENTIFIER && !is_one_of(&name, harmless))
			return g_strdup_printf("libtcc may ignore the attribute %.*s", (int)token.size, token.start);
	}
	return NULL;
}

/* ---- unsigned short: libtcc widens a negative char to it as to an int ---- */

/* Tells of the tokens of a type one after the other. */
typedef struct {
	GHashTable *names; /* typedefs of it, as char * */
	bool is_unsigned, is_short;
} short_finder;

static bool
finds_short(short_finder *finder, const hd_token *token)
{
	if (token->kind != HD_TOKEN_IDENTIFIER) {
		finder->is_unsigned = finder->is_short = false;
		return false;
	}
	finder->is_unsigned |= hd_token_is(token, "unsigned");
	finder->is_short |= hd_token_is(token, "short");
	return (finder->is_unsigned && finder->is_short) || hd_token_is_in(token, finder->names);
}

/* "typedef unsigned short u16;", "typedef u16 port;": adds the name. */
static bool
add_short(GHashTable *names, const char *start, const char *end)
{
	hd_tokens tokens = {start, end, false};
	hd_token token, last = {0};
	short_finder finder = {.names = names};
	bool found = false;
	while (hd_token_next(&tokens, &token) && !hd_token_is(&token, ";")) {
		if (token.kind != HD_TOKEN_IDENTIFIER)
			return false;
		found |= finds_short(&finder, &token);
		last = token;
	}
	return found && g_hash_table_add(names, g_strndup(last.start, last.size));
}

static GHashTable *
unsigned_shorts(const hd_reading *now)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	bool again = true;
	while (again) {
		again = false;
		for (guint i = 0; i < hd_reading_count(now); i++) {
			const hd_declaration *other = hd_reading_at(now, i);
			const char *text = hd_reading_text(now, i);
			if (other->kind == HD_DECLARATION_OTHER && g_str_has_prefix(text + other->start, "typedef"))
				again |= add_short(names, text + other->start, text + other->end);
		}
	}
	return names;
}

/* ---- tokens ---- */

static char *
check_tokens(const char *start, const char *end, GHashTable *shorts)
{
	hd_tokens tokens = {start, end, false};
	hd_token token;
	short_finder finder = {.names = shorts};
	char *why = NULL;
	while (!why && hd_token_next(&tokens, &token)) {
		if (finds_short(&finder, &token))
			why = g_strdup("libtcc may convert a char to unsigned short with another result");
		else if (token.kind != HD_TOKEN_IDENTIFIER)
			continue;
		else if (is_one_of(&token, strange))
			why = g_strdup_printf("libtcc does not know %.*s, or means something else by it",
					      (int)token.size, token.start);
		else if (hd_token_is(&token, "__attribute__") || hd_token_is(&token, "__attribute"))
			why = check_attribute(&tokens);
	}
	return why;
}

/* ---- structures by value ---- */

/* The last word in front of the semicolon. */
static bool
declares_last(const char *start, const char *end, const hd_token *name)
{
	while (end > start && (g_ascii_isspace(end[-1]) || end[-1] == ';'))
		end--;
	return (gsize)(end - start) > name->size && memcmp(end - name->size, name->start, name->size) == 0 &&
	       !g_ascii_isalnum(end[-(gssize)name->size - 1]) && end[-(gssize)name->size - 1] != '_';
}

static bool is_aggregate(const hd_reading *now, const hd_token *name, guint depth);

/* "typedef struct s name", "typedef struct { ... } name", "typedef other name"; not what ends in "*name". */
static bool
names_aggregate(const hd_reading *now, const char *start, const char *end, const hd_token *name, guint depth)
{
	hd_tokens tokens = {start, end, false};
	hd_token token;
	bool aggregate = false;
	int braces = 0;
	while (hd_token_next(&tokens, &token)) {
		braces += hd_token_is(&token, "{") - hd_token_is(&token, "}");
		if (braces)
			continue;
		if (hd_token_is(&token, "*") || hd_token_is(&token, "(") || hd_token_is(&token, "["))
			return false;
		if (hd_token_is(&token, "struct") || hd_token_is(&token, "union"))
			aggregate = true;
		else if (token.kind == HD_TOKEN_IDENTIFIER && !hd_token_is(&token, "typedef") &&
			 !(token.size == name->size && memcmp(token.start, name->start, name->size) == 0))
			aggregate = aggregate || is_aggregate(now, &token, depth + 1);
	}
	return aggregate;
}

/* Whether a typedef of this name stands for a structure or union. */
static bool
is_aggregate(const hd_reading *now, const hd_token *name, guint depth)
{
	if (depth > 10)
		return true;
	for (guint i = 0; i < hd_reading_count(now); i++) {
		const hd_declaration *other = hd_reading_at(now, i);
		const char *text = hd_reading_text(now, i);
		if (other->kind == HD_DECLARATION_OTHER && g_str_has_prefix(text + other->start, "typedef") &&
		    declares_last(text + other->start, text + other->end, name))
			return names_aggregate(now, text + other->start, text + other->end, name, depth);
	}
	return false;
}

/* Whether a type stands there that is an aggregate, with no '*' behind it. Parameters
 * that are pointers to functions count as what those take, too. */
static bool
passes_aggregate(const hd_reading *now, const char *start, const char *end)
{
	hd_tokens tokens = {start, end, false};
	hd_token token;
	bool pending = false, tag = false;
	while (hd_token_next(&tokens, &token)) {
		if (hd_token_is(&token, "struct") || hd_token_is(&token, "union"))
			pending = tag = true;
		else if (token.kind == HD_TOKEN_IDENTIFIER) {
			pending = pending || is_aggregate(now, &token, 0);
			tag = false;
		} else if (hd_token_is(&token, "*") || hd_token_is(&token, "["))
			pending = false;
		else if (pending && (hd_token_is(&token, ",") || hd_token_is(&token, ")") || hd_token_is(&token, "(")))
			return true;
	}
	return pending || tag;
}

static char *
check_calls(const hd_reading *now, GHashTable *words, GHashTable *shorts)
{
	for (guint i = 0; i < hd_reading_count(now); i++) {
		const hd_declaration *function = hd_reading_at(now, i);
		const char *text = hd_reading_text(now, i);
		if (!function->name || !g_hash_table_contains(words, function->name))
			continue;
		gsize end = function->kind == HD_DECLARATION_FUNCTION ? function->body : function->end;
		char *why = check_tokens(text + function->start, text + end, shorts);
		if (why)
			return why;
		if (passes_aggregate(now, text + function->start, text + end))
			return g_strdup_printf(
				"%s takes or returns a structure by value, which libtcc may do in another way",
				function->name);
	}
	return NULL;
}

char *
hd_unfaithful(const hd_delta *delta, const hd_reading *now, GHashTable *words)
{
	GHashTable *shorts = unsigned_shorts(now);
	char *why = check_calls(now, words, shorts);
	if (!why && strstr(hd_outline_text(now->own), "#pragma weak"))
		why = g_strdup("libtcc ignores #pragma weak");
	for (guint i = 0; i < hd_reading_count(now) && !why; i++) {
		const hd_declaration *function = hd_reading_at(now, i);
		const char *text = hd_reading_text(now, i);
		if (function->kind == HD_DECLARATION_FUNCTION && g_hash_table_contains(delta->compile, function->name))
			why = check_tokens(text + function->start, text + function->end, shorts);
	}
	g_hash_table_unref(shorts);
	return why;
}
