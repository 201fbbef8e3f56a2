/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/verdict.h"

#include "reloader/types/compare.h"

#include <string.h>

typedef struct {
	const hd_unit *old, *now;
	GHashTable *old_types, *new_types;
	hd_verdict *verdict;
} trial;

static hd_refusal *
refuse(GPtrArray *list, hd_refusal_code code, const char *file, int line, char *reason)
{
	hd_position where = {.file = (char *)file, .line = line};
	hd_refusal *refusal = hd_refusal_new(code, &where, "%s", reason);
	g_ptr_array_add(list, refusal);
	g_free(reason);
	return refusal;
}

/* ---- HD101: types ---- */

/* "struct conn", or the typedef's name alone. */
static char *
title(const hd_type *type)
{
	return type->name ? g_strdup_printf("%s %s", hd_type_keyword(type), type->name) : g_strdup(type->alias);
}

/* Fields moved because a type inside changed: that one's refusal says it all. */
static bool
follows_from_inner(const trial *t, const hd_type *type, int depth)
{
	for (guint i = 0; depth < 8 && i < type->members->len; i++) {
		const hd_type *inner = hd_type_strip(g_array_index(type->members, hd_member, i).type);
		for (int d = 0; inner->kind == HD_TYPE_ARRAY && d < HD_TYPE_DEPTH; d++)
			inner = hd_type_strip(inner->target);
		if (!inner->members)
			continue;
		if (!hd_type_tag(inner)) {
			if (follows_from_inner(t, inner, depth + 1))
				return true;
			continue;
		}
		char *key = g_strdup_printf("%s/%s %s#0", inner->function ? inner->function : "",
					    hd_type_keyword(inner), hd_type_tag(inner));
		const hd_type *before = g_hash_table_lookup(t->old_types, key);
		hd_difference difference = {0};
		bool differs = before && before != type && hd_type_difference(before, inner, &difference);
		g_free(difference.text);
		g_free(key);
		if (differs)
			return true;
	}
	return false;
}

static void
judge_aggregate(trial *t, const char *key, const hd_type *old, const hd_type *now)
{
	hd_difference difference;
	if (!old->mark || !hd_type_difference(old, now, &difference))
		return;
	g_ptr_array_add(t->verdict->changed, g_strdup(key));
	bool follows = difference.kind == HD_DIFFERENCE_MOVED || difference.kind == HD_DIFFERENCE_SIZE;
	if (!follows || !follows_from_inner(t, now, 0)) {
		char *name = title(now);
		hd_refusal *refusal = refuse(t->verdict->refusals, HD_REFUSE_TYPE_LAYOUT, difference.file,
					     difference.line, g_strdup_printf("%s: %s", name, difference.text));
		refusal->subject = g_strdup(key);
		if (difference.kind == HD_DIFFERENCE_ADDED)
			hd_refusal_set_remedy(refusal,
					      "keep the new data outside of %s, undo the edit, or restart the program",
					      name);
		else if (difference.kind == HD_DIFFERENCE_RENAMED)
			hd_refusal_set_remedy(refusal,
					      "give the field its old name, undo the edit, or restart the program");
		g_free(name);
	}
	g_free(difference.text);
}

/* ---- enumerations ---- */

/* `near` is where it probably is. */
static const hd_enumerator *
find_enumerator(const hd_type *type, const char *name, guint near)
{
	for (guint i = 0; i <= type->enumerators->len; i++) {
		guint at = i == 0 ? near : i - 1;
		if (at >= type->enumerators->len)
			continue;
		const hd_enumerator *enumerator = &g_array_index(type->enumerators, hd_enumerator, at);
		if (strcmp(enumerator->name, name) == 0)
			return enumerator;
	}
	return NULL;
}

static const hd_enumerator *
find_value(const hd_type *type, gint64 value)
{
	for (guint i = 0; i < type->enumerators->len; i++) {
		const hd_enumerator *enumerator = &g_array_index(type->enumerators, hd_enumerator, i);
		if (enumerator->value == value)
			return enumerator;
	}
	return NULL;
}

static void
warn_enum(trial *t, const hd_type *now, const hd_enumerator *before, const hd_enumerator *after)
{
	char *name = hd_type_tag(now) ? title(now) : g_strdup("enum");
	char *reason =
		after ? g_strdup_printf("%s: %s was %" G_GINT64_FORMAT " and is %" G_GINT64_FORMAT
					": stored values change their meaning",
					name, before->name, before->value, after->value)
		      : g_strdup_printf("%s: %s (%" G_GINT64_FORMAT ") was removed: stored values lose their meaning",
					name, before->name, before->value);
	refuse(t->verdict->warnings, HD_REFUSE_TYPE_LAYOUT, now->file, now->line, reason);
	g_free(name);
}

static void
judge_enum(trial *t, const hd_type *old, const hd_type *now)
{
	for (guint i = 0; i < old->enumerators->len; i++) {
		const hd_enumerator *before = &g_array_index(old->enumerators, hd_enumerator, i);
		const hd_enumerator *after = find_enumerator(now, before->name, i);
		if (after && after->value == before->value)
			continue;
		warn_enum(t, now, before, after);
		return;
	}
}

/* Constants of an enum without a name are stored in integers, or are mere
 * numbers (`enum { SIZE = 512 };`). Renumbered is one whose old value now
 * belongs to another. */
static void
judge_nameless_enum(trial *t, const hd_type *old)
{
	for (guint i = 0; i < t->now->types->len; i++) {
		const hd_type *now = t->now->types->pdata[i];
		if (now->kind != HD_TYPE_ENUM || hd_type_tag(now))
			continue;
		for (guint e = 0; e < old->enumerators->len; e++) {
			const hd_enumerator *before = &g_array_index(old->enumerators, hd_enumerator, e);
			const hd_enumerator *after = find_enumerator(now, before->name, e);
			if (!after || after->value == before->value || !find_value(now, before->value))
				continue;
			warn_enum(t, now, before, after);
			return;
		}
	}
}

static bool
is_changed(const trial *t, const char *key)
{
	return g_ptr_array_find_with_equal_func(t->verdict->changed, key, g_str_equal, NULL);
}

/* What has a changed one inside, though its own fields are where they were: a flexible array of it, say. */
static void
add_holders(trial *t)
{
	guint before = t->verdict->changed->len;
	GHashTableIter iter;
	gpointer key, value;
	g_hash_table_iter_init(&iter, t->old_types);
	while (before && g_hash_table_iter_next(&iter, &key, &value)) {
		const hd_type *outer = value;
		for (guint i = 0; outer->members && outer->mark && i < before && !is_changed(t, key); i++) {
			const char *inner = g_ptr_array_index(t->verdict->changed, i);
			if (hd_type_holds(outer, g_hash_table_lookup(t->old_types, inner)))
				g_ptr_array_add(t->verdict->changed, g_strdup(key));
		}
	}
}

static void
judge_types(trial *t)
{
	GHashTableIter iter;
	gpointer key, value;
	hd_reach_mark(t->old);
	g_hash_table_iter_init(&iter, t->old_types);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const hd_type *old = value, *now = g_hash_table_lookup(t->new_types, key);
		if (now && old->kind == HD_TYPE_ENUM)
			judge_enum(t, old, now);
		else if (now)
			judge_aggregate(t, key, old, now);
	}
	add_holders(t);
	for (guint i = 0; i < t->old->types->len; i++) {
		const hd_type *old = t->old->types->pdata[i];
		if (old->kind == HD_TYPE_ENUM && !hd_type_tag(old))
			judge_nameless_enum(t, old);
	}
}

/* ---- HD102: variables ---- */

static char *
describe_change(const hd_type *old, const hd_type *now)
{
	const hd_type *bare_old = hd_type_strip(old), *bare_new = hd_type_strip(now);
	hd_difference difference;
	if (bare_old->members && bare_new->members && bare_old->kind == bare_new->kind &&
	    g_strcmp0(hd_type_tag(bare_old), hd_type_tag(bare_new)) == 0 &&
	    hd_type_difference(bare_old, bare_new, &difference))
		return difference.text;
	char *before = hd_type_print(old, ""), *after = hd_type_print(now, "");
	if (strcmp(before, after) == 0) {
		/* The same typedef, of something else. */
		g_free(before);
		g_free(after);
		before = hd_type_print(bare_old, "");
		after = hd_type_print(bare_new, "");
	}
	char *text = g_strdup_printf("%s becomes %s", before, after);
	g_free(before);
	g_free(after);
	return text;
}

static void
judge_variable(trial *t, const hd_variable_slot *old)
{
	const hd_unit_variable *v = &old->open;
	const hd_variable_slot *now =
		(const hd_variable_slot *)hd_unit_variable_named(t->now, v->function, v->name, v->ordinal);
	if (!now || v->constant || now->open.constant)
		return;
	/* One that was optimised away has no memory to share. */
	if ((!old->memory && !v->declaration) || (!now->memory && !now->open.declaration))
		return;
	bool storage = old->memory && now->memory && v->tls != now->open.tls;
	if (!storage && hd_type_same(old->type, now->type))
		return;
	char *change = storage ? g_strdup(v->tls ? "thread-local becomes shared" : "shared becomes thread-local")
			       : describe_change(old->type, now->type);
	char *reason = g_strdup_printf("%s%s%s%s: %s", v->external ? "" : "static ", v->name, v->function ? " in " : "",
				       v->function ? v->function : "", change);
	refuse(t->verdict->refusals, HD_REFUSE_VARIABLE_TYPE, now->open.where.file, now->open.where.line, reason)
		->subject = hd_datum_key(v->function, v->name, v->ordinal);
	g_free(change);
}

/* ---- HD103: functions ---- */

static bool
same_signature(const hd_function_slot *old, const hd_function_slot *now)
{
	bool both_defined = !old->open.declaration && !now->open.declaration;
	if (both_defined && old->open.n_parameters != now->open.n_parameters)
		return false;
	return hd_type_same(old->type, now->type);
}

static void
judge_function(trial *t, const hd_function_slot *old)
{
	const hd_function_slot *now = g_hash_table_lookup(t->now->function_index, old->open.name);
	if (!now || !old->open.external || !now->open.external || same_signature(old, now))
		return;
	/* main is called once, and was. A compiler's own functions have no declaration that could change. */
	if (strcmp(old->open.name, "main") == 0 || g_str_has_prefix(old->open.name, "__builtin_"))
		return;
	refuse(t->verdict->refusals, HD_REFUSE_SIGNATURE, now->open.where.file, now->open.where.line,
	       g_strdup_printf("%s: %s becomes %s", old->open.name, old->open.signature, now->open.signature))
		->subject = g_strdup(old->open.name);
}

/* ---- all ---- */

static gint
in_source_order(gconstpointer a, gconstpointer b, gpointer main_file)
{
	const hd_refusal *x = *(hd_refusal *const *)a, *y = *(hd_refusal *const *)b;
	bool x_main = g_strcmp0(x->where.file, main_file) == 0, y_main = g_strcmp0(y->where.file, main_file) == 0;
	if (x_main != y_main)
		return x_main ? 1 : -1; /* headers come first */
	int files = g_strcmp0(x->where.file, y->where.file);
	return files				? files
	       : x->where.line != y->where.line ? x->where.line - y->where.line
						: strcmp(x->reason, y->reason);
}

static const char *
main_file(const hd_unit *unit)
{
	if (unit->cus->len == 0)
		return NULL;
	Dwarf_Die *cu = &g_array_index(unit->cus, Dwarf_Die, 0);
	const char *name = dwarf_diename(cu);
	return name ? hd_graph_file((hd_unit *)unit, cu, name) : NULL;
}

hd_verdict *
hd_verdict_new(const hd_unit *old, const hd_unit *now)
{
	hd_verdict *verdict = g_new0(hd_verdict, 1);
	verdict->refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	verdict->changed = g_ptr_array_new_with_free_func(g_free);
	verdict->warnings = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	trial t = {.old = old,
		   .now = now,
		   .old_types = hd_reach_named(old),
		   .new_types = hd_reach_named(now),
		   .verdict = verdict};
	judge_types(&t);
	for (guint i = 0; i < old->variables->len; i++)
		judge_variable(&t, old->variables->pdata[i]);
	for (guint i = 0; i < old->functions->len; i++)
		if (g_hash_table_lookup(old->function_index,
					((hd_function_slot *)old->functions->pdata[i])->open.name) ==
		    old->functions->pdata[i])
			judge_function(&t, old->functions->pdata[i]);
	g_hash_table_unref(t.old_types);
	g_hash_table_unref(t.new_types);
	g_ptr_array_sort_with_data(verdict->refusals, in_source_order, (gpointer)main_file(now));
	g_ptr_array_sort_with_data(verdict->warnings, in_source_order, (gpointer)main_file(now));
	return verdict;
}

void
hd_verdict_free(hd_verdict *verdict)
{
	if (!verdict)
		return;
	g_ptr_array_unref(verdict->refusals);
	g_ptr_array_unref(verdict->changed);
	g_ptr_array_unref(verdict->warnings);
	g_free(verdict);
}
