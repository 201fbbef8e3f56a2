/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/delta.h"

#include "reloader/instant/constant.h"
#include "reloader/instant/token.h"

#include <string.h>

static hd_delta *
delta_alloc(void)
{
	hd_delta *delta = g_new0(hd_delta, 1);
	delta->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	delta->compile = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	delta->constants = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return delta;
}

void
hd_delta_free(hd_delta *delta)
{
	if (!delta)
		return;
	g_hash_table_unref(delta->changed);
	g_hash_table_unref(delta->compile);
	g_hash_table_unref(delta->constants);
	g_free(delta);
}

/* ---- comparison ---- */

static bool
refuse(char **why, const hd_declaration *declaration, const char *what)
{
	const char *file = declaration->file ? declaration->file : "?";
	const char *name = declaration->name ? declaration->name : "a type or variable";
	*why = g_strdup_printf("%s:%d: %s %s", file, declaration->line, name, what);
	return false;
}

static const hd_declaration *
next_other(const hd_reading *reading, guint *index)
{
	while (*index < hd_reading_count(reading)) {
		const hd_declaration *declaration = hd_reading_at(reading, (*index)++);
		if (declaration->kind != HD_DECLARATION_FUNCTION)
			return declaration;
	}
	return NULL;
}

/* Where both have the same headers, their own texts are all that can differ. */
static guint
first_index(const hd_reading *old, const hd_reading *now)
{
	return old->prelude == now->prelude && old->prelude ? hd_outline_count(hd_prelude_outline(now->prelude)) : 0;
}

/* Types, variables and prototypes are the same, in the same order; new prototypes may stand among them, and constants
 * have other values. */
static bool
same_others(hd_delta *delta, const hd_reading *old, const hd_reading *now, char **why)
{
	guint i = first_index(old, now), j = i;
	const hd_declaration *before = next_other(old, &i), *after;
	while ((after = next_other(now, &j))) {
		bool other = before && before->kind == after->kind && after->kind == HD_DECLARATION_OTHER;
		if (before && before->kind == after->kind && before->head == after->head)
			before = next_other(old, &i);
		else if (other && hd_constant_retuned(hd_reading_text(old, i - 1), before, hd_reading_text(now, j - 1),
						      after, delta->constants))
			before = next_other(old, &i);
		else if (after->kind != HD_DECLARATION_PROTOTYPE)
			return refuse(why, after, "is new, or declared otherwise than before");
	}
	return !before || refuse(why, before, "is gone");
}

static bool
declares(const hd_reading *reading, const char *name)
{
	for (guint i = 0; i < hd_reading_count(reading); i++) {
		const hd_declaration *declaration = hd_reading_at(reading, i);
		if (declaration->kind == HD_DECLARATION_PROTOTYPE && g_strcmp0(declaration->name, name) == 0)
			return true;
	}
	return false;
}

static bool
compare_function(hd_delta *delta, const hd_reading *old, const hd_declaration *after, char **why)
{
	const hd_declaration *before = hd_reading_function(old, after->name);
	if (before && before->head == after->head && before->content == after->content)
		return true;
	if (before && before->head != after->head)
		return refuse(why, after, "takes or returns something else than before");
	if (!before && !after->is_static && declares(old, after->name))
		return refuse(why, after, "was defined in another source before");
	if (after->keeps_state || (before && before->keeps_state))
		return refuse(why, after, "has a static variable inside, which libtcc cannot carry over");
	g_hash_table_add(delta->changed, g_strdup(after->name));
	g_hash_table_add(delta->compile, g_strdup(after->name));
	return true;
}

static bool
compare_functions(hd_delta *delta, const hd_reading *old, const hd_reading *now, char **why)
{
	guint first = first_index(old, now);
	for (guint i = first; i < hd_reading_count(now); i++) {
		const hd_declaration *after = hd_reading_at(now, i);
		if (after->kind == HD_DECLARATION_FUNCTION && !compare_function(delta, old, after, why))
			return false;
	}
	for (guint i = first; i < hd_reading_count(old); i++) {
		const hd_declaration *before = hd_reading_at(old, i);
		if (before->kind == HD_DECLARATION_FUNCTION && !hd_reading_function(now, before->name))
			return refuse(why, before, "is gone");
	}
	return true;
}

typedef enum { NOWHERE, DEFINED, USED } mention;

/* A definition has '=' behind the name. */
static mention
find_mention(GHashTable *names, const char *start, const char *end)
{
	hd_tokens tokens = {start, end, false};
	hd_token token;
	mention found = NOWHERE;
	while (hd_token_next(&tokens, &token)) {
		if (!hd_token_is_in(&token, names))
			continue;
		if (!hd_token_next(&tokens, &token) || !hd_token_is(&token, "="))
			return USED;
		found = DEFINED;
	}
	return found;
}

/* Functions that are made of a constant that changed are compiled anew; what types and variables are made of is no
 * business of libtcc's. */
static bool
add_users_of_constants(hd_delta *delta, const hd_reading *now, char **why)
{
	for (guint i = 0; g_hash_table_size(delta->constants) && i < hd_reading_count(now); i++) {
		const hd_declaration *user = hd_reading_at(now, i);
		const char *text = hd_reading_text(now, i);
		bool function = user->kind == HD_DECLARATION_FUNCTION;
		const char *body = text + (function ? user->body : user->end);
		mention head = find_mention(delta->constants, text + user->start, body);
		if (head == USED || (head == DEFINED && user->kind != HD_DECLARATION_OTHER))
			return refuse(why, user, "depends on a constant that changed");
		if (!function || find_mention(delta->constants, body, text + user->end) == NOWHERE)
			continue;
		if (user->keeps_state)
			return refuse(why, user, "uses a constant that changed, and has a static variable inside");
		g_hash_table_add(delta->changed, g_strdup(user->name));
		g_hash_table_add(delta->compile, g_strdup(user->name));
	}
	return true;
}

hd_delta *
hd_delta_new(const hd_reading *old, const hd_reading *now, char **why)
{
	hd_delta *delta = delta_alloc();
	*why = NULL;
	if (same_others(delta, old, now, why) && compare_functions(delta, old, now, why) &&
	    add_users_of_constants(delta, now, why))
		return delta;
	hd_delta_free(delta);
	return NULL;
}

/* ---- who else must be compiled ---- */

typedef struct {
	hd_delta *delta;
	const hd_reading *now;
	const hd_delta_facts *facts;
	GQueue work; /* of const char *, names in delta->compile still to be looked at */
	char **why;
} closing;

static bool
add(closing *c, const hd_declaration *function)
{
	if (g_hash_table_contains(c->delta->compile, function->name))
		return true;
	if (function->keeps_state)
		return refuse(c->why, function, "would have to be compiled anew, and has a static variable inside");
	g_hash_table_add(c->delta->compile, g_strdup(function->name));
	g_queue_push_tail(&c->work, function->name);
	return true;
}

static bool
is_name(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

/* Whether the word stands between start and end, perhaps in a string: then one too many is compiled. */
static bool
mentions(const char *start, const char *end, const char *word)
{
	gsize length = strlen(word);
	for (const char *at = start; (at = memmem(at, (gsize)(end - at), word, length)); at += length)
		if (!is_name(at[-1]) && !is_name(at[length]))
			return true;
	return false;
}

/* differ: the callers have the function in themselves. */
static bool
add_callers(closing *c, const char *name, bool differ)
{
	for (guint i = 0; i < hd_reading_count(c->now); i++) {
		const hd_declaration *other = hd_reading_at(c->now, i);
		const char *text = hd_reading_text(c->now, i);
		if (other->kind != HD_DECLARATION_FUNCTION || strcmp(other->name, name) == 0 ||
		    !mentions(text + other->body, text + other->end, name))
			continue;
		if (!add(c, other))
			return false;
		if (differ && g_hash_table_add(c->delta->changed, g_strdup(other->name)))
			g_queue_push_tail(&c->work, other->name);
	}
	return true;
}

static const char *
text_of(const hd_reading *reading, const hd_declaration *function)
{
	bool own = hd_outline_function(reading->own, function->name) == function;
	return hd_outline_text(own ? reading->own : hd_prelude_outline(reading->prelude));
}

static bool
add_callees(closing *c, const hd_declaration *function)
{
	const char *text = text_of(c->now, function);
	hd_tokens tokens = {text + function->body, text + function->end, false};
	hd_token token;
	char name[256];
	while (hd_token_next(&tokens, &token)) {
		if (token.kind != HD_TOKEN_IDENTIFIER || token.size >= sizeof name)
			continue;
		memcpy(name, token.start, token.size);
		name[token.size] = '\0';
		const hd_declaration *callee = hd_reading_function(c->now, name);
		if (callee && callee->is_static && !g_hash_table_contains(c->delta->compile, name) &&
		    c->facts->comes_along(callee, c->facts->data) && !add(c, callee))
			return false;
	}
	return true;
}

static void
queue(closing *c, GHashTable *names)
{
	GHashTableIter iter;
	gpointer name;
	g_queue_init(&c->work);
	g_hash_table_iter_init(&iter, names);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_queue_push_tail(&c->work, name);
}

bool
hd_delta_close(hd_delta *delta, const hd_reading *now, const hd_delta_facts *facts, char **why)
{
	closing c = {.delta = delta, .now = now, .facts = facts, .why = why};
	const char *name;
	bool good = true;
	/* Upwards: who has a changed body in itself, and who relied on what it does. */
	queue(&c, delta->changed);
	while (good && (name = g_queue_pop_head(&c.work)))
		good = !facts->is_inlined(name, facts->data) || add_callers(&c, name, true);
	g_queue_clear(&c.work);
	queue(&c, delta->compile);
	while (good && (name = g_queue_pop_head(&c.work)))
		good = !facts->is_known_to_callers(name, facts->data) || add_callers(&c, name, false);
	g_queue_clear(&c.work);
	/* Downwards: what comes along says the same as before, to whoever calls it. */
	queue(&c, delta->compile);
	while (good && (name = g_queue_pop_head(&c.work)))
		good = add_callees(&c, hd_reading_function(now, name));
	g_queue_clear(&c.work);
	return good;
}

/* ---- what the text names ---- */

static void
add_words(const char *start, const char *end, GHashTable *words)
{
	hd_tokens tokens = {start, end, false};
	hd_token token;
	while (hd_token_next(&tokens, &token))
		if (token.kind == HD_TOKEN_IDENTIFIER)
			g_hash_table_add(words, g_strndup(token.start, token.size));
}

GHashTable *
hd_delta_words(const hd_delta *delta, const hd_reading *now)
{
	GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	guint count = hd_reading_count(now), headers = first_index(now, now);
	bool *done = g_new0(bool, count + 1), again = true;
	while (again) {
		again = false;
		for (guint i = 0; i < count; i++) {
			const hd_declaration *function = hd_reading_at(now, i);
			if (done[i] || function->kind != HD_DECLARATION_FUNCTION ||
			    !(g_hash_table_contains(delta->compile, function->name) ||
			      (i < headers && g_hash_table_contains(words, function->name))))
				continue;
			const char *text = hd_reading_text(now, i);
			add_words(text + function->start, text + function->end, words);
			again = done[i] = true;
		}
	}
	g_free(done);
	return words;
}

/* ---- the text to compile ---- */

/* libtcc leaves an inline function out that nothing in the text calls. */
static void
append_head(const char *text, const hd_declaration *function, GString *out)
{
	hd_tokens tokens = {text + function->start, text + function->body, false};
	hd_token token;
	const char *from = text + function->start;
	while (function->is_static && hd_token_next(&tokens, &token)) {
		bool is_inline = token.kind == HD_TOKEN_IDENTIFIER &&
				 (hd_token_is(&token, "inline") || hd_token_is(&token, "__inline") ||
				  hd_token_is(&token, "__inline__"));
		if (!is_inline)
			continue;
		g_string_append_len(out, from, token.start - from);
		from = token.start + token.size;
	}
	g_string_append_len(out, from, text + function->body - from);
}

static void
append_declaration(const hd_delta *delta, const char *text, const hd_declaration *declaration, GString *out)
{
	gsize start = declaration->start, end = declaration->end;
	if (declaration->kind != HD_DECLARATION_FUNCTION) {
		g_string_append_len(out, text + start, (gssize)(end - start));
	} else if (g_hash_table_contains(delta->compile, declaration->name)) {
		if (declaration->file)
			g_string_append_printf(out, "\n# %d \"%s\"\n", declaration->line, declaration->file);
		append_head(text, declaration, out);
		g_string_append_len(out, text + declaration->body, (gssize)(end - declaration->body));
	} else {
		g_string_append_len(out, text + start, (gssize)(declaration->body - start));
		g_string_append_c(out, ';');
	}
	g_string_append_c(out, '\n');
}

GString *
hd_delta_text(const hd_delta *delta, const hd_reading *now)
{
	const char *headers = now->prelude ? hd_outline_text(hd_prelude_outline(now->prelude)) : "";
	const char *own = hd_outline_text(now->own);
	GString *out = g_string_sized_new(strlen(headers) + strlen(own) + 4096);
	g_string_append(out, headers);
	for (guint i = 0; i < hd_outline_count(now->own); i++)
		append_declaration(delta, own, hd_outline_at(now->own, i), out);
	return out;
}
