/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/fields.h"

#include "reloader/types/compare.h"
#include "reloader/types/renumber.h"

#include <string.h>

/* More than any honest aggregate has, with all that is inside of it. */
#define FIELDS_MOST (1 << 20)

/* ---- extents ---- */

bool
hd_extent_of(const hd_type *type, guint64 *bytes)
{
	guint64 count = 1, size = 0;
	for (int depth = 0; depth < HD_TYPE_DEPTH; depth++) {
		type = hd_type_strip(type);
		bool whole = type->kind != HD_TYPE_ARRAY || (type->vector && type->size > 0);
		guint64 here = !whole ? type->count : type->kind == HD_TYPE_POINTER ? 8 : type->size;
		if (here > HD_OBJECT_MOST || (here > 0 && count > HD_OBJECT_MOST / here))
			return false;
		size = count * here;
		if (whole) {
			*bytes = size;
			return type->kind != HD_TYPE_FUNCTION && type->kind != HD_TYPE_UNKNOWN &&
			       ((!type->members && !type->enumerators) || type->complete);
		}
		count = size;
		type = type->target;
	}
	return false;
}

bool
hd_is_integer(const hd_type *type)
{
	static const char *const codes[] = {"int", "unsigned", "bool"};
	bool found = type->kind == HD_TYPE_ENUM;
	for (gsize i = 0; type->kind == HD_TYPE_BASE && i < G_N_ELEMENTS(codes); i++)
		found |= strcmp(hd_base_code(type), codes[i]) == 0;
	return found;
}

guint64
hd_field_width(const hd_member *field)
{
	guint64 bytes = 0;
	if (field->bit_size > 0)
		return field->bit_size;
	return hd_extent_of(field->type, &bytes) ? bytes * 8 : 0;
}

bool
hd_is_flexible(const hd_type *type)
{
	type = hd_type_strip(type);
	return type->kind == HD_TYPE_ARRAY && !type->vector && type->count == 0;
}

/* ---- the fields ---- */

/* A bit field is a number; all else begins at a byte; both lie inside of the aggregate. */
static bool
is_sound(const hd_type *aggregate, const hd_member *field)
{
	guint64 size, limit = aggregate->size * 8;
	if (!hd_extent_of(field->type, &size) || field->bit_offset > limit || field->bit_size > size * 8)
		return false;
	if (field->bit_size > 0 ? !hd_is_integer(hd_type_strip(field->type)) : field->bit_offset % 8 != 0)
		return false;
	return hd_field_width(field) <= limit - field->bit_offset;
}

static bool
flatten(const hd_type *type, guint64 base, int depth, GArray *fields)
{
	if (!type->members || !type->complete || depth > HD_TYPE_DEPTH || type->size > HD_OBJECT_MOST)
		return false;
	for (guint i = 0; i < type->members->len; i++) {
		hd_member field = g_array_index(type->members, hd_member, i);
		const hd_type *inner = hd_type_strip(field.type);
		if (fields->len >= FIELDS_MOST || !is_sound(type, &field))
			return false;
		field.bit_offset += base;
		if (!field.name && inner->kind == HD_TYPE_STRUCT) {
			if (!flatten(inner, field.bit_offset, depth + 1, fields))
				return false;
		} else if (field.name || inner->kind == HD_TYPE_UNION) {
			g_array_append_val(fields, field);
		}
	}
	return true;
}

static gint
by_offset(gconstpointer a, gconstpointer b)
{
	const hd_member *x = a, *y = b;
	if (x->bit_offset != y->bit_offset)
		return x->bit_offset < y->bit_offset ? -1 : 1;
	guint64 x_width = hd_field_width(x), y_width = hd_field_width(y);
	return (x_width > y_width) - (x_width < y_width);
}

static bool
overlap(const GArray *fields)
{
	GArray *sorted = g_array_new(FALSE, FALSE, sizeof(hd_member));
	g_array_append_vals(sorted, fields->data, fields->len);
	g_array_sort(sorted, by_offset);
	bool found = false;
	guint64 end = 0;
	for (guint i = 0; i < sorted->len; i++) {
		const hd_member *field = &g_array_index(sorted, hd_member, i);
		guint64 width = hd_field_width(field);
		found |= width > 0 && field->bit_offset < end;
		end = MAX(end, field->bit_offset + width);
	}
	g_array_unref(sorted);
	return found;
}

GArray *
hd_fields_of(const hd_type *aggregate)
{
	GArray *fields = g_array_new(FALSE, FALSE, sizeof(hd_member));
	if (flatten(aggregate, 0, 0, fields) && (aggregate->kind == HD_TYPE_UNION || !overlap(fields)))
		return fields;
	g_array_unref(fields);
	return NULL;
}

const hd_member *
hd_field_named(const GArray *fields, const char *name, guint near)
{
	for (guint i = 0; i <= fields->len; i++) {
		guint at = i == 0 ? near : i - 1;
		if (at >= fields->len)
			continue;
		const hd_member *field = &g_array_index(fields, hd_member, at);
		if (field->name && strcmp(field->name, name) == 0)
			return field;
	}
	return NULL;
}

static void
collect_names(const hd_type *type, GHashTable *names, int depth)
{
	for (guint i = 0; type->members && depth < HD_TYPE_DEPTH / 10 && i < type->members->len; i++) {
		const hd_member *member = &g_array_index(type->members, hd_member, i);
		if (member->name)
			g_hash_table_add(names, (char *)member->name);
		else
			collect_names(hd_type_strip(member->type), names, depth + 1);
	}
}

/* What is inside of it. */
static GHashTable *
names_in(const hd_member *field)
{
	GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);
	collect_names(hd_type_strip(field->type), names, 0);
	return names;
}

static bool
intersect(GHashTable *names, GHashTable *others)
{
	GHashTableIter iter;
	gpointer name;
	bool found = false;
	g_hash_table_iter_init(&iter, others);
	while (!found && g_hash_table_iter_next(&iter, &name, NULL))
		found = g_hash_table_contains(names, name);
	return found;
}

/* What code calls it, or what is in it. */
static GHashTable *
names_of(const hd_member *field)
{
	if (!field->name)
		return names_in(field);
	GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_add(names, (char *)field->name);
	return names;
}

const hd_member *
hd_field_sharing(const GArray *fields, const hd_member *field)
{
	GHashTable *names = names_of(field);
	const hd_member *found = NULL;
	for (guint i = 0; !found && i < fields->len; i++) {
		const hd_member *other = &g_array_index(fields, hd_member, i);
		GHashTable *others = names_of(other);
		if (intersect(names, others))
			found = other;
		g_hash_table_unref(others);
	}
	g_hash_table_unref(names);
	return found;
}

/* ---- renames ---- */

/* The nearest neighbour that both versions have, before (-1) or after (+1) a field; NULL: the end. */
static const char *
neighbour(const GArray *fields, guint index, int direction, const GArray *other)
{
	for (gint64 i = (gint64)index + direction; i >= 0 && i < fields->len; i += direction) {
		const hd_member *field = &g_array_index(fields, hd_member, i);
		if (field->name && hd_field_named(other, field->name, (guint)i))
			return field->name;
	}
	return NULL;
}

static bool
has_its_place(const GArray *old, guint index, const GArray *now, guint other)
{
	const hd_member *gone = &g_array_index(old, hd_member, index), *fresh = &g_array_index(now, hd_member, other);
	if (fresh->bit_size != gone->bit_size || !hd_type_same(gone->type, fresh->type))
		return false;
	return fresh->bit_offset == gone->bit_offset ||
	       (g_strcmp0(neighbour(old, index, -1, now), neighbour(now, other, -1, old)) == 0 &&
		g_strcmp0(neighbour(old, index, 1, now), neighbour(now, other, 1, old)) == 0);
}

/* Fields were gathered in a struct, or a struct was dissolved. */
static bool
was_wrapped(const hd_member *gone, const hd_member *fresh)
{
	GHashTable *name = names_of(gone), *inner = names_in(fresh), *outer = names_in(gone), *other = names_of(fresh);
	bool found = intersect(name, inner) || intersect(other, outer);
	g_hash_table_unref(name);
	g_hash_table_unref(inner);
	g_hash_table_unref(outer);
	g_hash_table_unref(other);
	return found;
}

const hd_member *
hd_field_renamed(const GArray *old, guint index, const GArray *now)
{
	const hd_member *gone = &g_array_index(old, hd_member, index);
	for (guint i = 0; i < now->len; i++) {
		const hd_member *fresh = &g_array_index(now, hd_member, i);
		if (!hd_field_sharing(old, fresh) &&
		    (was_wrapped(gone, fresh) || (gone->name && fresh->name && has_its_place(old, index, now, i))))
			return fresh;
	}
	return NULL;
}

/* ---- the same throughout ---- */

typedef struct {
	int depth;
	guint left; /* comparisons; hostile types could make it endless */
} bound;

static bool unchanged(const hd_type *old, const hd_type *now, bound *limit);

static bool
unchanged_members(const hd_type *old, const hd_type *now, bound *limit)
{
	if (!old->complete || !now->complete || old->members->len != now->members->len || old->size != now->size)
		return false;
	for (guint i = 0; i < old->members->len; i++) {
		const hd_member *a = &g_array_index(old->members, hd_member, i),
				*b = &g_array_index(now->members, hd_member, i);
		if (g_strcmp0(a->name, b->name) != 0 || a->bit_offset != b->bit_offset || a->bit_size != b->bit_size ||
		    !unchanged(a->type, b->type, limit))
			return false;
	}
	return true;
}

/* Nothing the old has was removed or renumbered. */
static bool
unchanged_enumerators(const hd_type *old, const hd_type *now)
{
	hd_renumber *renumber = hd_renumber_new(old, now);
	bool moved = renumber != NULL;
	hd_renumber_free(renumber);
	return !moved && old->size == now->size;
}

static bool
unchanged(const hd_type *old, const hd_type *now, bound *limit)
{
	old = hd_type_strip(old);
	now = hd_type_strip(now);
	if (old->kind != now->kind || limit->depth == 0 || limit->left == 0)
		return false;
	limit->left--;
	if (old->kind == HD_TYPE_ENUM)
		return hd_type_same(old, now) && unchanged_enumerators(old, now);
	bool equal = true;
	limit->depth--;
	if (old->members)
		equal = g_strcmp0(hd_type_tag(old), hd_type_tag(now)) == 0 && unchanged_members(old, now, limit);
	else if (old->kind == HD_TYPE_ARRAY)
		equal = old->vector == now->vector && old->count == now->count &&
			unchanged(old->target, now->target, limit);
	else
		equal = hd_type_same(old, now) &&
			(old->kind != HD_TYPE_BASE || g_strcmp0(old->name, now->name) == 0 || old->size != 16);
	limit->depth++;
	return equal;
}

bool
hd_is_unchanged(const hd_type *old, const hd_type *now)
{
	bound limit = {.depth = HD_TYPE_DEPTH, .left = FIELDS_MOST};
	return unchanged(old, now, &limit);
}
