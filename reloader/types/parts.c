/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/parts.h"

#include "reloader/types/fields.h"

#include <string.h>

enum { UNTYPED, NOTHING, TEXT }; /* the first layouts */

typedef struct {
	const hd_unit *unit;
	const hd_type *type;
	guint layout;
} pending;

struct hd_layouts {
	GPtrArray *units;
	GArray *layouts; /* of hd_layout: one a type of a unit at first, one a class of equal ones in the end */
	GArray *parts, *followed; /* of hd_part */
	GArray *inside;		  /* of hd_inside, in order of the inner ones */
	GArray *pending;	  /* of pending: to be filled */
	GPtrArray *keys;	  /* of char *, owned: what a layout and its equals are called */
	GHashTable *known;	  /* hd_type * -> layout + 1 */
	GHashTable *named;	  /* "struct tag" -> GPtrArray of pending: complete ones; made when first asked for */
	GHashTable *unknown;	  /* "struct tag" -> layout + 1: several complete ones, or none */
	GHashTable *floats;	  /* size -> layout + 1 */
	GArray *classes;	  /* of guint: handle -> layout */
};

static hd_layout *
at(const hd_layouts *l, guint index)
{
	return &g_array_index(l->layouts, hd_layout, index);
}

static guint
add_layout(hd_layouts *l, hd_layout_kind kind, const hd_type *type, guint64 size, char *key)
{
	guint index = l->layouts->len;
	hd_layout layout = {.kind = kind,
			    .type = type,
			    .size = size,
			    .last = index,
			    .wanted = HD_NOT_WANTED,
			    .held = HD_NOT_WANTED};
	g_array_append_val(l->layouts, layout);
	g_ptr_array_add(l->keys, key);
	return index;
}

hd_layouts *
hd_layouts_new(void)
{
	hd_layouts *l = g_new0(hd_layouts, 1);
	l->units = g_ptr_array_new();
	l->layouts = g_array_new(FALSE, FALSE, sizeof(hd_layout));
	l->parts = g_array_new(FALSE, FALSE, sizeof(hd_part));
	l->followed = g_array_new(FALSE, FALSE, sizeof(hd_part));
	l->inside = g_array_new(FALSE, FALSE, sizeof(hd_inside));
	l->pending = g_array_new(FALSE, FALSE, sizeof(pending));
	l->keys = g_ptr_array_new_with_free_func(g_free);
	l->known = g_hash_table_new(NULL, NULL);
	l->unknown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	l->floats = g_hash_table_new(NULL, NULL);
	l->classes = g_array_new(FALSE, FALSE, sizeof(guint));
	add_layout(l, HD_LAYOUT_UNTYPED, NULL, 1, g_strdup("void"));
	add_layout(l, HD_LAYOUT_NOTHING, NULL, 1, g_strdup("int"));
	at(l, add_layout(l, HD_LAYOUT_UNTYPED, NULL, 1, g_strdup("char")))->text = true;
	return l;
}

void
hd_layouts_free(hd_layouts *l)
{
	if (!l)
		return;
	g_ptr_array_unref(l->units);
	g_array_unref(l->layouts);
	g_array_unref(l->parts);
	g_array_unref(l->followed);
	g_array_unref(l->inside);
	g_array_unref(l->pending);
	g_ptr_array_unref(l->keys);
	g_hash_table_unref(l->known);
	g_clear_pointer(&l->named, g_hash_table_unref);
	g_hash_table_unref(l->unknown);
	g_hash_table_unref(l->floats);
	g_array_unref(l->classes);
	g_free(l);
}

void
hd_layouts_add_unit(hd_layouts *l, const hd_unit *unit)
{
	if (!g_ptr_array_find(l->units, unit, NULL))
		g_ptr_array_add(l->units, (hd_unit *)unit);
}

/* ---- one layout a type of a unit ---- */

static char *
name_of(const hd_type *type)
{
	return hd_type_tag(type) ? g_strdup_printf("%s %s", hd_type_keyword(type), hd_type_tag(type)) : NULL;
}

/* Two files may each have a type of their own by the same name, with the same fields. */
static char *
key_of(const hd_unit *unit, const hd_type *type)
{
	char *shape = hd_type_shape((hd_unit *)unit, type);
	char *key =
		g_strdup_printf("%s:%s:%s", type->file ? type->file : "", type->function ? type->function : "", shape);
	g_free(shape);
	return key;
}

static void
free_candidates(gpointer candidates)
{
	g_array_unref(candidates);
}

static void
index_names(hd_layouts *l)
{
	l->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_candidates);
	for (guint u = 0; u < l->units->len; u++) {
		const hd_unit *unit = l->units->pdata[u];
		for (guint i = 0; i < unit->types->len; i++) {
			const hd_type *type = unit->types->pdata[i];
			char *name = type->members && type->complete && !type->function ? name_of(type) : NULL;
			GArray *candidates = name ? g_hash_table_lookup(l->named, name) : NULL;
			pending candidate = {.unit = unit, .type = type};
			if (name && !candidates) {
				candidates = g_array_new(FALSE, FALSE, sizeof(pending));
				g_hash_table_insert(l->named, g_strdup(name), candidates);
			}
			if (name)
				g_array_append_val(candidates, candidate);
			g_free(name);
		}
	}
}

static guint layout_of(hd_layouts *l, const hd_unit *unit, const hd_type *type);

/* Of the complete types that have the name: each that differs from those before. */
static GArray *
distinct(hd_layouts *l, const char *name)
{
	GArray *found = g_array_new(FALSE, FALSE, sizeof(guint));
	GHashTable *keys = g_hash_table_new(g_str_hash, g_str_equal);
	const GArray *candidates = g_hash_table_lookup(l->named, name);
	for (guint i = 0; candidates && i < candidates->len; i++) {
		const pending *candidate = &g_array_index(candidates, pending, i);
		guint index = layout_of(l, candidate->unit, candidate->type);
		if (g_hash_table_add(keys, l->keys->pdata[index]))
			g_array_append_val(found, index);
	}
	g_hash_table_unref(keys);
	return found;
}

static void
add_part(GArray *parts, guint64 offset, guint64 stride, guint64 count, guint layout)
{
	hd_part part = {.offset = offset, .stride = stride, .count = count, .layout = layout};
	g_array_append_val(parts, part);
}

/* What a unit only declares. */
static guint
resolve(hd_layouts *l, const hd_type *type)
{
	char *name = name_of(type);
	gpointer known = name ? g_hash_table_lookup(l->unknown, name) : NULL;
	if (!name || known) {
		g_free(name);
		return known ? GPOINTER_TO_UINT(known) - 1 : NOTHING;
	}
	if (!l->named)
		index_names(l);
	GArray *found = distinct(l, name);
	guint index = found->len == 1 ? g_array_index(found, guint, 0) : NOTHING;
	if (found->len > 1) {
		index = add_layout(l, HD_LAYOUT_UNKNOWN, type, 0, g_strdup_printf("?%s", name));
		at(l, index)->first = l->parts->len;
		at(l, index)->n = found->len;
		for (guint i = 0; i < found->len; i++)
			add_part(l->parts, 0, 1, 1, g_array_index(found, guint, i));
	}
	g_hash_table_insert(l->unknown, name, GUINT_TO_POINTER(index + 1));
	g_array_unref(found);
	return index;
}

/* What an array, of however many dimensions, is made of. */
static const hd_type *
element_of(const hd_type *type, guint64 *count)
{
	*count = 1;
	type = hd_type_strip(type);
	for (int i = 0; i < HD_TYPE_DEPTH && type->kind == HD_TYPE_ARRAY && !type->vector; i++) {
		*count = type->count > 0 && *count > HD_OBJECT_MOST / type->count ? 0 : *count * type->count;
		type = hd_type_strip(type->target);
	}
	return type;
}

static guint
base_layout(hd_layouts *l, const hd_type *type)
{
	if (strcmp(hd_base_code(type), "float") != 0)
		return type->size == 1 && strcmp(hd_base_code(type), "bool") != 0 ? TEXT : NOTHING;
	gpointer known = g_hash_table_lookup(l->floats, GUINT_TO_POINTER((guint)type->size));
	if (known)
		return GPOINTER_TO_UINT(known) - 1;
	guint index = add_layout(l, HD_LAYOUT_FLOAT, type, type->size, g_strdup_printf("float%d", (int)type->size));
	g_hash_table_insert(l->floats, GUINT_TO_POINTER((guint)type->size), GUINT_TO_POINTER(index + 1));
	return index;
}

static guint
add_type(hd_layouts *l, const hd_unit *unit, const hd_type *type)
{
	gpointer known = g_hash_table_lookup(l->known, type);
	if (known)
		return GPOINTER_TO_UINT(known) - 1;
	bool pointer = type->kind == HD_TYPE_POINTER;
	pending next = {.unit = unit, .type = type};
	next.layout = add_layout(l, pointer ? HD_LAYOUT_POINTER : HD_LAYOUT_OBJECT, type, pointer ? 8 : type->size,
				 pointer ? g_strdup("*") : key_of(unit, type));
	g_hash_table_insert(l->known, (hd_type *)type, GUINT_TO_POINTER(next.layout + 1));
	g_array_append_val(l->pending, next);
	return next.layout;
}

static guint
layout_of(hd_layouts *l, const hd_unit *unit, const hd_type *type)
{
	guint64 count;
	type = element_of(type, &count);
	switch (type->kind) {
	case HD_TYPE_VOID:
		return UNTYPED;
	case HD_TYPE_BASE:
		return base_layout(l, type);
	case HD_TYPE_POINTER:
		return add_type(l, unit, type);
	case HD_TYPE_STRUCT:
	case HD_TYPE_UNION:
		return type->complete ? add_type(l, unit, type) : resolve(l, type);
	default:
		return NOTHING;
	}
}

static void
fill_field(hd_layouts *l, const pending *p, const hd_member *field, bool last, GArray *parts)
{
	guint64 count, stride;
	const hd_type *element = element_of(field->type, &count);
	bool tail = last && hd_is_flexible(field->type);
	guint layout = field->bit_size > 0 ? NOTHING : layout_of(l, p->unit, element);
	if (last && hd_type_strip(field->type)->kind == HD_TYPE_STRUCT)
		at(l, p->layout)->last = layout;
	at(l, p->layout)->flexible |= tail;
	if (layout != NOTHING && layout != UNTYPED && layout != TEXT && (tail || count > 0) &&
	    hd_extent_of(element, &stride) && stride > 0)
		add_part(parts, field->bit_offset / 8, stride, tail ? HD_PART_TAIL : count, layout);
}

static void
fill(hd_layouts *l, const pending *p)
{
	if (p->type->kind == HD_TYPE_POINTER) {
		guint target = layout_of(l, p->unit, p->type->target);
		at(l, p->layout)->target = target;
		return;
	}
	GArray *fields = hd_fields_of(p->type), *parts = g_array_new(FALSE, FALSE, sizeof(hd_part));
	for (guint i = 0; fields && i < fields->len; i++)
		fill_field(l, p, &g_array_index(fields, hd_member, i),
			   p->type->kind == HD_TYPE_STRUCT && i == fields->len - 1, parts);
	hd_layout *layout = at(l, p->layout);
	layout->damaged = !fields;
	layout->fields = fields && p->type->kind == HD_TYPE_UNION ? fields->len : 0;
	layout->first = l->parts->len;
	layout->n = parts->len;
	g_array_append_vals(l->parts, parts->data, parts->len);
	g_array_unref(parts);
	g_clear_pointer(&fields, g_array_unref);
}

guint
hd_layouts_add(hd_layouts *l, const hd_unit *unit, const hd_type *type)
{
	hd_layouts_add_unit(l, unit);
	return layout_of(l, unit, type);
}

void
hd_layouts_want(hd_layouts *l, guint handle, guint wanted)
{
	if (at(l, handle)->kind == HD_LAYOUT_OBJECT)
		at(l, handle)->wanted = wanted;
}

/* ---- equal ones become one ---- */

static void
append_class(GByteArray *key, const hd_layouts *l, guint layout)
{
	g_byte_array_append(key, (const guint8 *)&g_array_index(l->classes, guint, layout), sizeof(guint));
}

/* What two layouts have in common that stay together: their class so far, and those of all they are made of. */
static GBytes *
signature(const hd_layouts *l, guint index)
{
	const hd_layout *layout = at(l, index);
	GByteArray *key = g_byte_array_new();
	append_class(key, l, index);
	if (layout->kind == HD_LAYOUT_POINTER)
		append_class(key, l, layout->target);
	for (guint i = 0; i < layout->n; i++)
		append_class(key, l, g_array_index(l->parts, hd_part, layout->first + i).layout);
	return g_byte_array_free_to_bytes(key);
}

/* Numbers the classes in order of their first layouts; how many there are. */
static guint
number_classes(hd_layouts *l, GHashTable *seen, GPtrArray *keys)
{
	guint classes = 0;
	for (guint i = 0; i < l->layouts->len; i++) {
		gpointer known = g_hash_table_lookup(seen, keys->pdata[i]);
		guint class = known ? GPOINTER_TO_UINT(known) - 1 : classes++;
		if (!known)
			g_hash_table_insert(seen, keys->pdata[i], GUINT_TO_POINTER(class + 1));
		g_array_index(l->classes, guint, i) = class;
	}
	return classes;
}

/* Layouts that look alike are parted where what their pointers lead to differs, until nothing parts any more. */
static guint
classify(hd_layouts *l)
{
	g_array_set_size(l->classes, l->layouts->len);
	GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
	guint before = 0, now = number_classes(l, seen, l->keys);
	g_hash_table_unref(seen);
	for (int round = 0; round < HD_TYPE_DEPTH && now != before; round++) {
		GPtrArray *keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
		seen = g_hash_table_new(g_bytes_hash, g_bytes_equal);
		for (guint i = 0; i < l->layouts->len; i++)
			g_ptr_array_add(keys, signature(l, i));
		before = now;
		now = number_classes(l, seen, keys);
		g_hash_table_unref(seen);
		g_ptr_array_unref(keys);
	}
	return now;
}

static void
merge(hd_layouts *l)
{
	guint n = classify(l), kept = 0;
	for (guint i = 0; i < l->layouts->len; i++) {
		guint class = g_array_index(l->classes, guint, i);
		hd_layout layout = *at(l, i);
		if (class == kept) { /* the first of its class: numbered in that order */
			layout.target = g_array_index(l->classes, guint, layout.target);
			layout.last = g_array_index(l->classes, guint, layout.last);
			*at(l, kept++) = layout;
		} else if (layout.wanted != HD_NOT_WANTED) {
			at(l, class)->wanted = layout.wanted;
		}
	}
	g_assert(kept == n);
	g_array_set_size(l->layouts, n);
	for (guint i = 0; i < l->parts->len; i++) {
		hd_part *part = &g_array_index(l->parts, hd_part, i);
		part->layout = g_array_index(l->classes, guint, part->layout);
	}
}

/* Of a union the members share memory: if they agree it is one part, otherwise none is certain. */
static void
judge_union(hd_layouts *l, hd_layout *layout)
{
	hd_part *parts = &g_array_index(l->parts, hd_part, layout->first);
	bool agree = layout->n == layout->fields && layout->n > 0;
	for (guint i = 1; agree && i < layout->n; i++)
		agree = parts[i].offset == parts[0].offset && parts[i].stride == parts[0].stride &&
			parts[i].count == parts[0].count && parts[i].layout == parts[0].layout;
	if (agree)
		layout->n = 1;
	for (guint i = 0; !agree && i < layout->n; i++)
		parts[i].overlaid = true;
}

/* ---- what they have inside ---- */

enum { NEW, BUSY = -1 }; /* heights that are none */

/* Of unions in unions hostile types can make more parts than anyone can visit. */
static guint64
cost_limit(const hd_layout *layout)
{
	return layout->size * 4 + 1000;
}

static void measure(hd_layouts *l, guint index, int depth);

static void
measure_part(hd_layouts *l, hd_layout *layout, const hd_part *part, int depth)
{
	measure(l, part->layout, depth + 1);
	const hd_layout *inner = at(l, part->layout);
	guint64 count = part->count == HD_PART_TAIL ? 1 : part->count;
	layout->height = MAX(layout->height, inner->height + 1);
	layout->cost += inner->cost > 0 && count > HD_OBJECT_MOST / inner->cost ? HD_OBJECT_MOST : count * inner->cost;
	layout->pointers |= inner->pointers;
	layout->holds |= inner->holds;
	layout->held = layout->held == HD_NOT_WANTED ? inner->held : layout->held;
	layout->torn |= part->overlaid && inner->holds && layout->wanted == HD_NOT_WANTED;
	layout->damaged |= inner->damaged || inner->height == BUSY || inner->height == NEW ||
			   layout->height > HD_TYPE_DEPTH || layout->cost > cost_limit(layout);
}

static void
measure(hd_layouts *l, guint index, int depth)
{
	hd_layout *layout = at(l, index);
	if (layout->height != NEW || depth > HD_TYPE_DEPTH)
		return;
	layout->height = BUSY;
	hd_layout result = *layout;
	result.height = 1;
	result.cost = 1;
	result.holds = layout->wanted != HD_NOT_WANTED;
	result.held = layout->wanted;
	result.pointers = layout->kind == HD_LAYOUT_POINTER && layout->target != NOTHING;
	for (guint i = 0; layout->kind == HD_LAYOUT_OBJECT && i < layout->n; i++)
		measure_part(l, &result, &g_array_index(l->parts, hd_part, layout->first + i), depth);
	if (result.damaged)
		result.kind = HD_LAYOUT_UNKNOWN;
	result.flexible |= result.last != index && at(l, result.last)->flexible;
	result.pointers |= result.torn || result.damaged;
	*layout = result;
}

static void
list_followed(hd_layouts *l, hd_layout *layout)
{
	layout->first_followed = l->followed->len;
	for (guint i = 0; layout->kind == HD_LAYOUT_OBJECT && i < layout->n; i++) {
		const hd_part *part = &g_array_index(l->parts, hd_part, layout->first + i);
		if (at(l, part->layout)->pointers)
			g_array_append_val(l->followed, *part);
	}
	if (layout->kind == HD_LAYOUT_POINTER && layout->pointers)
		add_part(l->followed, 0, 8, 1, (guint)(layout - at(l, 0)));
	layout->n_followed = l->followed->len - layout->first_followed;
}

/* ---- what they lead to ---- */

typedef struct {
	guint from, next; /* next: 1 + the next edge that leads to the same layout; 0: none */
} edge;

static void
add_edge(GArray *edges, guint *heads, guint from, guint to)
{
	edge e = {.from = from, .next = heads[to]};
	g_array_append_val(edges, e);
	heads[to] = edges->len;
}

/* From the wanted ones back to all that lead there; what damaged ones lead to may be anything. */
static void
spread_leads(hd_layouts *l)
{
	guint n = l->layouts->len;
	GArray *edges = g_array_new(FALSE, FALSE, sizeof(edge)), *reached = g_array_new(FALSE, FALSE, sizeof(guint));
	guint *heads = g_new0(guint, n);
	for (guint i = 0; i < n; i++) {
		hd_layout *layout = at(l, i);
		if (layout->kind == HD_LAYOUT_POINTER)
			add_edge(edges, heads, i, layout->target);
		for (guint k = 0; k < layout->n; k++)
			add_edge(edges, heads, i, g_array_index(l->parts, hd_part, layout->first + k).layout);
		layout->leads = layout->holds || layout->damaged;
		if (layout->leads)
			g_array_append_val(reached, i);
	}
	for (guint done = 0; done < reached->len; done++) {
		guint to = g_array_index(reached, guint, done);
		for (guint next = heads[to]; next; next = g_array_index(edges, edge, next - 1).next) {
			guint from = g_array_index(edges, edge, next - 1).from;
			if (!at(l, from)->leads)
				g_array_append_val(reached, from);
			at(l, from)->leads = true;
		}
	}
	g_array_unref(edges);
	g_array_unref(reached);
	g_free(heads);
}

/* ---- what has what inside ---- */

static bool
has_aggregate(const hd_type *type)
{
	guint64 count;
	for (guint i = 0; type->members && type->complete && i < type->members->len; i++)
		if (element_of(g_array_index(type->members, hd_member, i).type, &count)->members)
			return true;
	return false;
}

/* Of all units, pointers to them or not: casts make a struct of its first member, or of one inside (container_of). */
static void
add_outer_types(hd_layouts *l)
{
	for (guint u = 0; u < l->units->len; u++) {
		const hd_unit *unit = l->units->pdata[u];
		for (guint i = 0; i < unit->types->len; i++)
			if (has_aggregate(unit->types->pdata[i]))
				(void)layout_of(l, unit, unit->types->pdata[i]);
	}
}

/* Appends everything that is inside by value. marks: the last outer that each was appended for, and 1. */
static void
list_inner(hd_layouts *l, guint outer, guint index, guint *marks)
{
	const hd_layout *layout = at(l, index);
	for (guint i = 0; layout->kind == HD_LAYOUT_OBJECT && i < layout->n; i++) {
		hd_inside pair = {g_array_index(l->parts, hd_part, layout->first + i).layout, outer};
		if (at(l, pair.inner)->kind != HD_LAYOUT_OBJECT || marks[pair.inner] == outer + 1)
			continue;
		marks[pair.inner] = outer + 1;
		g_array_append_val(l->inside, pair);
		list_inner(l, outer, pair.inner, marks);
	}
}

static gint
by_inner(gconstpointer a, gconstpointer b)
{
	const hd_inside *x = a, *y = b;
	return (x->inner > y->inner) - (x->inner < y->inner);
}

static void
index_outer(hd_layouts *l)
{
	guint *marks = g_new0(guint, l->layouts->len);
	for (guint i = 0; i < l->layouts->len; i++)
		if (at(l, i)->leads)
			list_inner(l, i, i, marks);
	g_array_sort(l->inside, by_inner);
	for (guint i = l->inside->len; i-- > 0;) {
		hd_layout *inner = at(l, g_array_index(l->inside, hd_inside, i).inner);
		inner->first_outer = i;
		inner->n_outer++;
	}
	g_free(marks);
}

void
hd_layouts_prepare(hd_layouts *l)
{
	add_outer_types(l);
	while (l->pending->len > 0) {
		pending next = g_array_index(l->pending, pending, l->pending->len - 1);
		g_array_set_size(l->pending, l->pending->len - 1);
		fill(l, &next);
	}
	merge(l);
	for (guint i = 0; i < l->layouts->len; i++)
		if (at(l, i)->fields > 0)
			judge_union(l, at(l, i));
	for (guint i = 0; i < l->layouts->len; i++)
		measure(l, i, 0);
	for (guint i = 0; i < l->layouts->len; i++)
		list_followed(l, at(l, i));
	spread_leads(l);
	index_outer(l);
}

/* ---- asking ---- */

guint
hd_layouts_find(const hd_layouts *l, guint handle)
{
	return g_array_index(l->classes, guint, handle);
}

const hd_layout *
hd_layouts_all(const hd_layouts *l)
{
	return at(l, 0);
}

const hd_part *
hd_layouts_parts(const hd_layouts *l)
{
	return (const hd_part *)(gpointer)l->parts->data;
}

const hd_part *
hd_layouts_followed(const hd_layouts *l)
{
	return (const hd_part *)(gpointer)l->followed->data;
}

const hd_inside *
hd_layouts_inside(const hd_layouts *l)
{
	return (const hd_inside *)(gpointer)l->inside->data;
}

static bool
contains(const hd_layouts *l, guint outer, guint64 offset, guint64 room, guint inner, int depth)
{
	if (outer == inner && offset == 0)
		return true;
	const hd_layout *layout = at(l, outer);
	for (guint i = 0; layout->kind == HD_LAYOUT_OBJECT && depth < HD_TYPE_DEPTH && i < layout->n; i++) {
		const hd_part *part = &g_array_index(l->parts, hd_part, layout->first + i);
		if (offset < part->offset || offset >= room)
			continue;
		guint64 inside = offset - part->offset, index = inside / part->stride;
		if (index >= (part->count == HD_PART_TAIL ? (room - part->offset) / part->stride : part->count))
			continue;
		guint64 rest = room - part->offset - index * part->stride;
		if (contains(l, part->layout, inside % part->stride, rest, inner, depth + 1))
			return true;
	}
	return false;
}

bool
hd_layouts_contains(const hd_layouts *l, guint outer, guint64 offset, guint64 room, guint inner)
{
	return contains(l, outer, offset, room, inner, 0);
}
