/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which types of a unit can living data have, or code elsewhere know?
 *
 * Whatever a pointer leads to, a variable with static storage holds, or a
 * signature carries; and all that is inside of those by value. A type that
 * only automatic variables and constants have is free: each version of the
 * code has its own. One that nothing has is not: a cast
 * or a sizeof uses it, and gcc records no pointer for `(struct s *)p`. */
#include "config.h"

#include "reloader/types/compare.h"

#include <string.h>

enum { FREE, LOCAL, REACHED };

typedef struct {
	GPtrArray *pending;
	guint mark;
} spread;

static void
push(spread *s, hd_type *type)
{
	if (type->mark >= s->mark)
		return;
	type->mark = s->mark;
	g_ptr_array_add(s->pending, type);
}

/* What is inside by value is reached too. */
static void
settle(spread *s)
{
	while (s->pending->len > 0) {
		hd_type *type = g_ptr_array_steal_index_fast(s->pending, s->pending->len - 1);
		if (type->kind != HD_TYPE_POINTER)
			push(s, type->target);
		for (guint i = 0; type->members && i < type->members->len; i++)
			push(s, g_array_index(type->members, hd_member, i).type);
		for (guint i = 0; type->parameters && i < type->parameters->len; i++)
			push(s, type->parameters->pdata[i]);
	}
}

void
hd_reach_mark(const hd_unit *unit)
{
	spread s = {.pending = g_ptr_array_new(), .mark = LOCAL};
	for (guint i = 0; i < unit->types->len; i++)
		((hd_type *)unit->types->pdata[i])->mark = FREE;
	for (guint i = 0; i < unit->types->len; i++) {
		hd_type *type = unit->types->pdata[i];
		if (type->local)
			push(&s, type);
	}
	for (guint i = 0; i < unit->variables->len; i++) {
		const hd_variable_slot *slot = unit->variables->pdata[i];
		if (slot->open.constant)
			push(&s, (hd_type *)slot->type);
	}
	settle(&s);
	s.mark = REACHED;
	for (guint i = 0; i < unit->types->len; i++) {
		hd_type *type = unit->types->pdata[i];
		if (type->kind == HD_TYPE_POINTER)
			push(&s, type->target);
		else if (type->mark == FREE && (type->kind == HD_TYPE_STRUCT || type->kind == HD_TYPE_UNION))
			push(&s, type);
	}
	for (guint i = 0; i < unit->variables->len; i++) {
		const hd_variable_slot *slot = unit->variables->pdata[i];
		if (!slot->open.constant)
			push(&s, (hd_type *)slot->type);
	}
	for (guint i = 0; i < unit->functions->len; i++)
		push(&s, ((hd_function_slot *)unit->functions->pdata[i])->type);
	settle(&s);
	for (guint i = 0; i < unit->types->len; i++) {
		hd_type *type = unit->types->pdata[i];
		type->mark = type->mark == REACHED;
	}
	g_ptr_array_unref(s.pending);
}

static gint
by_line(gconstpointer a, gconstpointer b)
{
	const hd_type *x = *(hd_type *const *)a, *y = *(hd_type *const *)b;
	int files = g_strcmp0(x->file, y->file);
	return files ? files : x->line - y->line;
}

GHashTable *
hd_reach_named(const hd_unit *unit)
{
	GHashTable *named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GPtrArray *types = g_ptr_array_new();
	for (guint i = 0; i < unit->types->len; i++) {
		hd_type *type = unit->types->pdata[i];
		if (*hd_type_keyword(type) && hd_type_tag(type) && type->complete)
			g_ptr_array_add(types, type);
	}
	g_ptr_array_sort(types, by_line);
	for (guint i = 0; i < types->len; i++) {
		hd_type *type = types->pdata[i];
		char *key = NULL;
		guint ordinal = 0;
		do {
			g_free(key);
			key = g_strdup_printf("%s/%s %s#%u", type->function ? type->function : "",
					      hd_type_keyword(type), hd_type_tag(type), ordinal++);
		} while (g_hash_table_contains(named, key));
		g_hash_table_insert(named, key, type);
	}
	g_ptr_array_unref(types);
	return named;
}

/* By value, at any depth. */
static bool
holds(const hd_type *outer, const hd_type *inner, int depth)
{
	outer = hd_type_strip(outer);
	if (outer == inner)
		return true;
	if (depth > HD_TYPE_DEPTH)
		return false;
	if (outer->kind == HD_TYPE_ARRAY)
		return holds(outer->target, inner, depth + 1);
	for (guint i = 0; outer->members && i < outer->members->len; i++)
		if (holds(g_array_index(outer->members, hd_member, i).type, inner, depth + 1))
			return true;
	return false;
}

bool
hd_reach_has_pointer(const hd_unit *unit, const char *key)
{
	GHashTable *named = hd_reach_named(unit);
	const hd_type *type = g_hash_table_lookup(named, key);
	bool found = false;
	for (guint i = 0; type && !found && i < unit->types->len; i++) {
		const hd_type *pointer = unit->types->pdata[i];
		found = pointer->kind == HD_TYPE_POINTER && holds(pointer->target, type, 0);
	}
	g_hash_table_unref(named);
	return found;
}

/* What was put into its callers has its variables in their frames. */
static bool
is_in_every_frame(const hd_unit *unit, const char *holder)
{
	const hd_unit_function *function = holder ? hd_unit_function_named(unit, holder) : NULL;
	return !function || function->inlined;
}

static bool
is_held_by(const hd_unit *unit, const hd_type *type, const char *function)
{
	for (guint i = 0; type->holders && i < type->holders->len; i++) {
		const char *holder = type->holders->pdata[i];
		if (is_in_every_frame(unit, holder) || strcmp(holder, function) == 0)
			return true;
	}
	return false;
}

bool
hd_reach_has_local(const hd_unit *unit, const char *key, const char *function)
{
	GHashTable *named = hd_reach_named(unit);
	const hd_type *type = g_hash_table_lookup(named, key);
	bool found = !type;
	for (guint i = 0; type && !found && i < unit->types->len; i++) {
		const hd_type *outer = unit->types->pdata[i];
		found = outer->holders && is_held_by(unit, outer, function) && holds(outer, type, 0);
	}
	g_hash_table_unref(named);
	return found;
}

/* "struct conn" is the struct of that tag, or of that typedef; "conn_t" the typedef. */
static bool
is_called(const hd_type *type, const char *name)
{
	const char *keyword = hd_type_keyword(type), *tag = hd_type_tag(type);
	gsize length = strlen(keyword);
	if (type->kind == HD_TYPE_TYPEDEF)
		return type->name && strcmp(type->name, name) == 0;
	return length > 0 && tag && type->complete && strncmp(name, keyword, length) == 0 && name[length] == ' ' &&
	       strcmp(name + length + 1, tag) == 0;
}

const hd_type *
hd_reach_type(const hd_unit *unit, const char *function, const char *name, guint ordinal)
{
	GPtrArray *found = g_ptr_array_new();
	for (guint i = 0; i < unit->types->len; i++) {
		hd_type *type = unit->types->pdata[i];
		if (is_called(type, name) && g_strcmp0(type->function, function) == 0)
			g_ptr_array_add(found, type);
	}
	g_ptr_array_sort(found, by_line);
	const hd_type *type = ordinal < found->len ? found->pdata[ordinal] : NULL;
	g_ptr_array_unref(found);
	return type;
}

bool
hd_type_holds(const hd_type *outer, const hd_type *inner)
{
	return holds(outer, inner, 0);
}

char *
hd_reach_shape(const hd_unit *unit, const char *key)
{
	const char *slash = strchr(key, '/'), *hash = strrchr(key, '#');
	if (!slash || !hash || hash < slash)
		return NULL;
	char *function = g_strndup(key, (gsize)(slash - key));
	char *name = g_strndup(slash + 1, (gsize)(hash - slash - 1));
	const hd_type *type =
		hd_reach_type(unit, *function ? function : NULL, name, (guint)g_ascii_strtoull(hash + 1, NULL, 10));
	g_free(function);
	g_free(name);
	return type ? hd_type_shape((hd_unit *)unit, type) : NULL;
}
