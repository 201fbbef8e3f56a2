/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether two types of two versions are the same, and where they part.
 *
 * Aggregates with a name are compared by that name alone: each has a judgement
 * of its own (verdict.c). Those without are compared member by member. The
 * members of anonymous members count as the aggregate's own (C11 6.7.2.1),
 * which is also all that layout knows of them. */
#include "config.h"

#include "reloader/types/compare.h"

#include <string.h>

/* What a comparison may still cost. Types that refer to each other without
 * names could make it endless; where it runs out, the types count as different. */
typedef struct {
	int depth;
	guint steps;
} bound;

#define BOUND                                                                                                          \
	{                                                                                                              \
		.depth = HD_TYPE_DEPTH, .steps = 1000000                                                               \
	}

static bool
enter(bound *b)
{
	if (b->depth == 0 || b->steps == 0)
		return false;
	b->depth--;
	b->steps--;
	return true;
}

static void
flatten(const hd_type *type, guint64 base, bound *b, GArray *members)
{
	if (!type->members || !enter(b))
		return;
	for (guint i = 0; i < type->members->len && b->steps > 0; i++) {
		hd_member member = g_array_index(type->members, hd_member, i);
		const hd_type *inner = hd_type_strip(member.type);
		member.bit_offset += base;
		b->steps--;
		if (!member.name && inner->members)
			flatten(inner, member.bit_offset, b, members);
		else
			g_array_append_val(members, member);
	}
	b->depth++;
}

static GArray *
members_of(const hd_type *type, bound *b)
{
	GArray *members = g_array_new(FALSE, FALSE, sizeof(hd_member));
	flatten(type, 0, b, members);
	return members;
}

/* `near` is where it probably is. */
static const hd_member *
find_member(const GArray *members, const char *name, guint near)
{
	for (guint i = 0; name && i <= members->len; i++) {
		guint at = i == 0 ? near : i - 1;
		if (at >= members->len)
			continue;
		const hd_member *member = &g_array_index(members, hd_member, at);
		if (member->name && strcmp(member->name, name) == 0)
			return member;
	}
	return NULL;
}

static bool same(const hd_type *a, const hd_type *b, bool member, bound *limit);

static bool
same_storage(const hd_member *a, const hd_member *b, bound *limit)
{
	return a->bit_size == b->bit_size && same(a->type, b->type, true, limit);
}

static bool
same_members(const hd_type *a, const hd_type *b, bound *limit)
{
	GArray *xs = members_of(a, limit), *ys = members_of(b, limit);
	bool equal = xs->len == ys->len && a->size == b->size;
	for (guint i = 0; equal && i < xs->len; i++) {
		const hd_member *x = &g_array_index(xs, hd_member, i), *y = &g_array_index(ys, hd_member, i);
		equal = g_strcmp0(x->name, y->name) == 0 && x->bit_offset == y->bit_offset && same_storage(x, y, limit);
	}
	g_array_unref(xs);
	g_array_unref(ys);
	return equal && limit->steps > 0;
}

/* Of an unprototyped function only the definition knows parameters. */
static bool
same_function(const hd_type *a, const hd_type *b, bound *limit)
{
	if (!same(a->target, b->target, false, limit))
		return false;
	if (!a->prototyped || !b->prototyped)
		return true;
	if (a->parameters->len != b->parameters->len || a->variadic != b->variadic)
		return false;
	for (guint i = 0; i < a->parameters->len; i++)
		if (!same(a->parameters->pdata[i], b->parameters->pdata[i], false, limit))
			return false;
	return true;
}

static bool
same_array(const hd_type *a, const hd_type *b, bool member, bound *limit)
{
	bool open = !member && (!a->counted || !b->counted); /* declared without its size */
	return a->vector == b->vector && (open || a->count == b->count) && same(a->target, b->target, member, limit);
}

static bool
same_kind(const hd_type *a, const hd_type *b, bool member, bound *limit)
{
	switch (a->kind) {
	case HD_TYPE_BASE:
		return a->size == b->size && strcmp(hd_base_code(a), hd_base_code(b)) == 0;
	case HD_TYPE_POINTER:
		return same(a->target, b->target, false, limit);
	case HD_TYPE_STRUCT:
	case HD_TYPE_UNION:
		if (hd_type_tag(a) || hd_type_tag(b))
			return g_strcmp0(hd_type_tag(a), hd_type_tag(b)) == 0;
		return same_members(a, b, limit);
	case HD_TYPE_ENUM:
		return g_strcmp0(hd_type_tag(a), hd_type_tag(b)) == 0 &&
		       (a->size == b->size || !a->complete || !b->complete);
	case HD_TYPE_ARRAY:
		return same_array(a, b, member, limit);
	case HD_TYPE_FUNCTION:
		return same_function(a, b, limit);
	case HD_TYPE_UNKNOWN:
		return g_strcmp0(a->name, b->name) == 0;
	default:
		return true;
	}
}

/* member: in an aggregate, where an array without a count is a flexible one. */
static bool
same(const hd_type *a, const hd_type *b, bool member, bound *limit)
{
	a = hd_type_strip(a);
	b = hd_type_strip(b);
	if (a->kind != b->kind || !enter(limit))
		return false;
	bool equal = same_kind(a, b, member, limit);
	limit->depth++;
	return equal;
}

bool
hd_type_same(const hd_type *old, const hd_type *now)
{
	bound limit = BOUND;
	return same(old, now, false, &limit);
}

/* ---- where two aggregates part ---- */

char *
hd_member_extent(const hd_member *member)
{
	if (member->bit_size > 0)
		return g_strdup_printf("%" G_GUINT64_FORMAT " bits at bit %" G_GUINT64_FORMAT, member->bit_size,
				       member->bit_offset);
	guint64 size = hd_type_size(member->type);
	return g_strdup_printf("%" G_GUINT64_FORMAT " byte%s at %" G_GUINT64_FORMAT, size, size == 1 ? "" : "s",
			       member->bit_offset / 8);
}

static const char *
name_of(const hd_member *member)
{
	return member->name ? member->name : "(unnamed)";
}

static void
tell_extent(hd_difference *difference, hd_difference_kind kind, const hd_member *member, const char *what)
{
	char *where = hd_member_extent(member);
	difference->kind = kind;
	difference->text = g_strdup_printf("field %s (%s) %s", name_of(member), where, what);
	difference->file = member->file;
	difference->line = member->line;
	g_free(where);
}

static void
tell_change(hd_difference *difference, const hd_member *old, const hd_member *now)
{
	char *old_type = hd_type_print(old->type, ""), *new_type = hd_type_print(now->type, "");
	char *old_extent = hd_member_extent(old), *new_extent = hd_member_extent(now);
	difference->kind = HD_DIFFERENCE_TYPE;
	difference->text = g_strdup_printf("field %s: %s (%s) becomes %s (%s)", name_of(now), old_type, old_extent,
					   new_type, new_extent);
	difference->file = now->file;
	difference->line = now->line;
	g_free(old_type);
	g_free(new_type);
	g_free(old_extent);
	g_free(new_extent);
}

/* A member of the new version that the old had under another name, in the same place. */
static const hd_member *
renamed_from(const GArray *old, const GArray *now, const hd_member *member)
{
	bound limit = BOUND;
	for (guint i = 0; i < old->len; i++) {
		const hd_member *candidate = &g_array_index(old, hd_member, i);
		if (candidate->name && candidate->bit_offset == member->bit_offset &&
		    !find_member(now, candidate->name, i) && same_storage(candidate, member, &limit))
			return candidate;
	}
	return NULL;
}

static void
tell_new(hd_difference *difference, const GArray *old, const GArray *now, const hd_member *member)
{
	const hd_member *before = member->name ? renamed_from(old, now, member) : NULL;
	if (!before) {
		tell_extent(difference, HD_DIFFERENCE_ADDED, member, "was added");
		return;
	}
	char *what = g_strdup_printf("was renamed %s", member->name);
	tell_extent(difference, HD_DIFFERENCE_RENAMED, before, what);
	difference->file = member->file;
	difference->line = member->line;
	g_free(what);
}

/* What an editor did comes before what followed from it: a field that has
 * another type, is new or is gone, before those that only moved. */
static bool
find_cause(const GArray *old, const GArray *now, hd_difference *difference)
{
	bound limit = BOUND;
	for (guint i = 0; i < now->len; i++) {
		const hd_member *member = &g_array_index(now, hd_member, i);
		const hd_member *before = member->name ? find_member(old, member->name, i) : NULL;
		if (before && !same_storage(before, member, &limit)) {
			tell_change(difference, before, member);
			return true;
		}
		if (!before && (member->name || i >= old->len)) {
			tell_new(difference, old, now, member);
			return true;
		}
	}
	for (guint i = 0; i < old->len; i++) {
		const hd_member *member = &g_array_index(old, hd_member, i);
		if (member->name && !find_member(now, member->name, i)) {
			tell_extent(difference, HD_DIFFERENCE_REMOVED, member, "was removed");
			difference->file = NULL;
			return true;
		}
	}
	return false;
}

static bool
find_move(const GArray *old, const GArray *now, hd_difference *difference)
{
	for (guint i = 0; i < now->len; i++) {
		const hd_member *member = &g_array_index(now, hd_member, i);
		const hd_member *before = member->name ? find_member(old, member->name, i) : NULL;
		if (!before || before->bit_offset == member->bit_offset)
			continue;
		char *to = hd_member_extent(member);
		char *what = g_strdup_printf("moved: %s now", to);
		tell_extent(difference, HD_DIFFERENCE_MOVED, before, what);
		difference->file = member->file;
		difference->line = member->line;
		g_free(to);
		g_free(what);
		return true;
	}
	return false;
}

bool
hd_type_difference(const hd_type *old, const hd_type *now, hd_difference *difference)
{
	*difference = (hd_difference){0};
	bound limit = BOUND;
	GArray *before = members_of(old, &limit), *after = members_of(now, &limit);
	bool found = find_cause(before, after, difference) || find_move(before, after, difference);
	if (!found && old->size != now->size) {
		found = true;
		difference->kind = HD_DIFFERENCE_SIZE;
		difference->text =
			g_strdup_printf("%" G_GUINT64_FORMAT " bytes become %" G_GUINT64_FORMAT, old->size, now->size);
	}
	if (!found && !same_members(old, now, &limit)) {
		found = true;
		difference->kind = HD_DIFFERENCE_TYPE;
		difference->text = g_strdup("its fields changed");
	}
	if (found && !difference->file) {
		difference->file = now->file;
		difference->line = now->line;
	}
	g_array_unref(before);
	g_array_unref(after);
	return found;
}
