/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/trail.h"

#include "reloader/types/compare.h"
#include "reloader/types/fields.h"

#include <string.h>

/* Numbers that are stored as pointers: no address of Linux is lower (mmap_min_addr). */
#define ADDRESS_LEAST 4096
/* What is read at once. Bytes. */
#define WINDOW ((gsize)1 << 16)

/* ---- before the stop ---- */

hd_trace *
hd_trace_new(void)
{
	hd_trace *t = g_new0(hd_trace, 1);
	t->layouts = hd_layouts_new();
	t->roots = g_array_new(FALSE, FALSE, sizeof(hd_root));
	t->unseen = g_array_new(FALSE, FALSE, sizeof(hd_root));
	t->locals = g_array_new(FALSE, FALSE, sizeof(hd_local));
	t->nodes = g_array_new(FALSE, FALSE, sizeof(hd_node));
	t->queue = g_array_new(FALSE, FALSE, sizeof(guint));
	t->deferred = g_array_new(FALSE, FALSE, sizeof(hd_deferred));
	t->window = g_malloc(WINDOW);
	return t;
}

void
hd_trace_free(hd_trace *t)
{
	if (!t)
		return;
	hd_layouts_free(t->layouts);
	g_array_unref(t->roots);
	g_array_unref(t->unseen);
	g_array_unref(t->locals);
	g_array_unref(t->nodes);
	g_array_unref(t->queue);
	g_array_unref(t->deferred);
	g_free(t->table);
	g_free(t->window);
	g_free(t);
}

void
hd_trace_add_unit(hd_trace *t, const hd_unit *unit)
{
	hd_layouts_add_unit(t->layouts, unit);
}

void
hd_trace_add_root(hd_trace *t, const hd_unit *unit, const hd_unit_variable *variable, guint64 address)
{
	const hd_variable_slot *slot = (const hd_variable_slot *)variable;
	hd_root r = {.variable = variable, .type = slot->type, .address = address};
	if (variable->constant || !hd_extent_of(slot->type, &r.size) || r.size == 0)
		return;
	r.handle = hd_layouts_add(t->layouts, unit, slot->type);
	if (variable->tls)
		g_array_append_val(t->unseen, r);
	else
		g_array_append_val(t->roots, r);
}

/* The unit's type of the same name, whatever its shape is there; of pointers, one to that. NULL: none. */
static const hd_type *
named_alike(const hd_unit *unit, const hd_type *type, int depth)
{
	type = hd_type_strip(type);
	if (depth > HD_TYPE_DEPTH)
		return NULL;
	if (type->kind == HD_TYPE_POINTER) {
		const hd_type *target = named_alike(unit, type->target, depth + 1);
		for (guint i = 0; target && i < unit->types->len; i++) {
			const hd_type *pointer = unit->types->pdata[i];
			if (pointer->kind == HD_TYPE_POINTER && hd_type_strip(pointer->target) == target)
				return pointer;
		}
		return NULL;
	}
	if (!type->members || !hd_type_tag(type))
		return NULL;
	char *name = g_strdup_printf("%s %s", hd_type_keyword(type), hd_type_tag(type));
	const hd_type *found = hd_reach_type(unit, type->function, name, 0);
	g_free(name);
	return found;
}

/* What an object in a frame of another version is now, if it is the same by value. */
static const hd_type *
same_by_value(const hd_unit *unit, const hd_type *type)
{
	while (type->kind == HD_TYPE_ARRAY)
		type = hd_type_strip(type->target);
	const hd_type *now = named_alike(unit, type, 0);
	bool same = now && (type->kind == HD_TYPE_POINTER || hd_is_unchanged(type, now));
	return same ? now : NULL;
}

/* What its layout is to be of: of a pointer, what that leads to, which has the shape of what runs. */
static const hd_type *
type_of_local(const hd_unit *unit, const hd_unit *of, const hd_unit_local *local)
{
	const hd_type *type = hd_type_strip(local->type);
	if (type->kind == HD_TYPE_POINTER)
		return unit == of ? type->target : named_alike(unit, type->target, 0);
	if (local->place == HD_LOCAL_IN_REGISTER)
		return NULL;
	return unit == of ? type : same_by_value(unit, type);
}

static bool
leads_to_numbers(const hd_type *type)
{
	const hd_type *target = type->kind == HD_TYPE_POINTER ? hd_type_strip(type->target) : NULL;
	return target && (target->kind == HD_TYPE_BASE || target->kind == HD_TYPE_ENUM);
}

guint
hd_trace_add_local(hd_trace *t, const hd_unit *unit, const hd_unit *of, const hd_unit_local *local)
{
	const hd_type *type = hd_type_strip(local->type);
	hd_local l = {.name = local->name, .function = local->function, .type = local->type};
	l.numbers = leads_to_numbers(type);
	if (!hd_extent_of(type, &l.size) || l.size == 0)
		return G_MAXUINT;
	const hd_type *target = l.numbers ? type->target : type_of_local(unit, of, local);
	if (!target)
		return G_MAXUINT;
	if (!l.numbers)
		l.handle = hd_layouts_add(t->layouts, unit, target);
	g_array_append_val(t->locals, l);
	return t->locals->len - 1;
}

guint
hd_trace_want(hd_trace *t, const hd_unit *unit, const char *function, const char *name, guint ordinal)
{
	const hd_type *type = hd_reach_type(unit, function, name, ordinal);
	type = type ? hd_type_strip(type) : NULL;
	if (!type || !type->members || !type->complete)
		return HD_NOT_WANTED;
	hd_layouts_want(t->layouts, hd_layouts_add(t->layouts, unit, type), t->wants);
	return t->wants++;
}

static gint
by_address(gconstpointer a, gconstpointer b)
{
	const hd_root *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

/* Several units know one variable. */
static void
drop_doubles(GArray *roots)
{
	guint kept = 0;
	for (guint i = 0; i < roots->len; i++) {
		const hd_root *r = &g_array_index(roots, hd_root, i),
			      *last = &g_array_index(roots, hd_root, MAX(kept, 1) - 1);
		if (kept == 0 || last->address != r->address || last->handle != r->handle)
			g_array_index(roots, hd_root, kept++) = *r;
	}
	g_array_set_size(roots, kept);
}

void
hd_trace_prepare(hd_trace *t)
{
	hd_layouts_prepare(t->layouts);
	t->all = hd_layouts_all(t->layouts);
	t->parts = hd_layouts_parts(t->layouts);
	t->followed = hd_layouts_followed(t->layouts);
	for (guint i = 0; i < t->roots->len; i++) {
		hd_root *r = &g_array_index(t->roots, hd_root, i);
		r->handle = hd_layouts_find(t->layouts, r->handle);
	}
	for (guint i = 0; i < t->locals->len; i++) {
		hd_local *l = &g_array_index(t->locals, hd_local, i);
		if (!l->numbers)
			l->handle = hd_layouts_find(t->layouts, l->handle);
	}
	g_array_sort(t->roots, by_address);
	drop_doubles(t->roots);
}

bool
hd_trace_local_matters(const hd_trace *t, guint local)
{
	const hd_local *l = &g_array_index(t->locals, hd_local, local);
	return l->numbers || t->all[l->handle].leads;
}

/* ---- nodes ---- */

/* Objects of several types may be at one address, a block or variable but once. */
static inline guint
name_of(const hd_node *n)
{
	return n->kind == HD_NODE_OBJECT ? n->layout : HD_NO_LAYOUT;
}

/* The node's place in the table, or the one it would get. */
static guint *
find_entry(const hd_trace *t, guint64 address, guint name)
{
	guint64 hash = (address ^ ((guint64)name << 48)) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
	guint i = (guint)(hash >> 32) & (t->table_size - 1);
	for (; t->table[i]; i = (i + 1) & (t->table_size - 1)) {
		const hd_node *n = hd_node_at(t, t->table[i] - 1);
		if (n->address == address && name_of(n) == name)
			break;
	}
	return &t->table[i];
}

static void
grow_table(hd_trace *t)
{
	t->table_size = MAX(t->table_size * 2, 1 << 12);
	g_free(t->table);
	t->table = g_new0(guint, t->table_size);
	for (guint i = t->roots->len; i < t->nodes->len; i++)
		if (hd_node_at(t, i)->kind != HD_NODE_LOCAL)
			*find_entry(t, hd_node_at(t, i)->address, name_of(hd_node_at(t, i))) = i + 1;
}

/* Variables are found by their addresses' order instead, for pointers lead into their middle. */
static guint
add_node(hd_trace *t, const hd_node *n)
{
	if (t->used * 2 >= t->table_size)
		grow_table(t);
	t->used++;
	g_array_append_vals(t->nodes, n, 1);
	*find_entry(t, n->address, name_of(n)) = t->nodes->len;
	return t->nodes->len - 1;
}

static void
enqueue(hd_trace *t, guint index)
{
	if (t->all[hd_node_at(t, index)->layout].pointers)
		g_array_append_val(t->queue, index);
}

static guint
find_block(const hd_trace *t, guint64 start)
{
	guint known = *find_entry(t, start, HD_NO_LAYOUT);
	return known ? known - 1 : HD_NO_NODE;
}

static guint
find_variable(const hd_trace *t, guint64 address)
{
	guint low = 0, high = t->roots->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (hd_node_at(t, middle)->address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address - hd_node_at(t, low - 1)->address < hd_node_at(t, low - 1)->size ? low - 1
												   : HD_NO_NODE;
}

/* ---- refusals ---- */

static bool
refuse_conflict(hd_trace *t, const hd_deferred *d)
{
	const hd_node *n = hd_node_at(t, d->place);
	char *is = hd_trail_name(t, n->layout), *other = hd_trail_name(t, d->layout);
	hd_trail_refuse(
		t, d->parent, d->pointer,
		"says that %s is in memory that another pointer says holds %s: which of them it is is not known", other,
		is);
	g_free(is);
	g_free(other);
	return false;
}

static bool
refuse_size(hd_trace *t, const hd_deferred *d)
{
	char *type = hd_trail_name(t, d->layout);
	hd_trail_refuse(t, d->parent, d->pointer,
			"leads to a block of %" G_GUINT64_FORMAT " bytes, which is too small for %s (%" G_GUINT64_FORMAT
			" bytes)",
			hd_node_at(t, d->place)->size, type, t->all[d->layout].size);
	g_free(type);
	return false;
}

static bool
refuse_deferred(hd_trace *t, const hd_deferred *d)
{
	char *type = hd_trail_name(t, d->layout);
	const hd_node *n = d->place != HD_NO_NODE ? hd_node_at(t, d->place) : NULL;
	if (d->uncertain && t->all[d->layout].kind == HD_LAYOUT_UNKNOWN)
		hd_trail_refuse(t, d->parent, d->pointer,
				"leads to %s, which has several definitions: which of them it is is not known", type);
	else if (d->uncertain)
		hd_trail_refuse(t, d->parent, d->pointer,
				"is in a union: whether it is in use, and leads to %s, only the program knows", type);
	else if (!n)
		hd_trail_refuse(t, d->parent, d->pointer,
				"leads to %s in memory that is neither a variable nor a block of the allocator (a "
				"stack, a pool "
				"of the program's own)",
				type);
	else if (n->kind == HD_NODE_VARIABLE || n->layout != HD_NO_LAYOUT)
		refuse_conflict(t, d);
	else
		hd_trail_refuse(t, d->parent, d->pointer,
				"leads into a block of %" G_GUINT64_FORMAT
				" bytes whose beginning no typed pointer names",
				n->size);
	g_free(type);
	return false;
}

/* ---- reading ---- */

static bool
read_word(hd_trace *t, guint64 address, guint64 end, guint64 *word)
{
	guint64 offset = address - t->window_start;
	if (address < t->window_start || offset + 8 > t->window_size) {
		gsize size = MIN(end - address, WINDOW);
		t->window_size = 0;
		if (!t->memory->read(address, t->window, size, t->memory->data))
			return false;
		t->window_start = address;
		t->window_size = size;
		offset = 0;
	}
	memcpy(word, t->window + offset, 8);
	return true;
}

static bool
is_readable(const hd_trace *t, guint64 address)
{
	guint8 byte;
	return t->memory->read(address, &byte, 1, t->memory->data);
}

/* ---- one pointer ---- */

static bool
is_weak(const hd_trace *t, guint node)
{
	const hd_node *n = hd_node_at(t, node);
	return n->kind == HD_NODE_LOCAL || n->weak;
}

/* An object of which only this pointer says what it is. */
static void
reach_object(hd_trace *t, const hd_deferred *d)
{
	const hd_layout *layout = &t->all[d->layout];
	bool tells = layout->pointers || layout->n_outer > 0;
	if (!tells || *find_entry(t, d->address, d->layout))
		return;
	hd_node n = {.address = d->address,
		     .size = layout->size,
		     .pointer = d->pointer,
		     .parent = d->parent,
		     .layout = d->layout,
		     .kind = HD_NODE_OBJECT,
		     .weak = is_weak(t, d->parent)};
	/* All elements, if it says so of a whole block. */
	if (d->place != HD_NO_NODE && hd_node_at(t, d->place)->address == d->address)
		n.size = hd_node_at(t, d->place)->size;
	enqueue(t, add_node(t, &n));
}

/* Nothing is known of what `void **` leads to. */
static bool
says_less(const hd_trace *t, guint layout, guint than)
{
	const hd_layout *x = &t->all[layout], *y = &t->all[than];
	return x->kind == HD_LAYOUT_POINTER && y->kind == HD_LAYOUT_POINTER && !t->all[x->target].type;
}

/* A pointer to a block's start says what the block is. */
static bool
claim(hd_trace *t, const hd_deferred *d)
{
	hd_node *n = hd_node_at(t, d->place);
	const hd_layout *layout = &t->all[d->layout];
	bool weak = is_weak(t, d->parent);
	if (n->layout == d->layout) {
		n->weak &= weak;
		return true;
	}
	if (n->size < layout->size && layout->holds)
		return refuse_size(t, d);
	bool first = n->layout == HD_NO_LAYOUT;
	if (!first &&
	    (hd_layouts_contains(t->layouts, n->layout, 0, n->size, d->layout) || says_less(t, d->layout, n->layout)))
		return true;
	if (first || says_less(t, n->layout, d->layout) ||
	    hd_layouts_contains(t->layouts, d->layout, 0, MAX(n->size, layout->size), n->layout)) {
		n->layout = d->layout;
		n->weak = weak && (first || n->weak);
		if (first) {
			n->parent = d->parent;
			n->pointer = d->pointer;
		}
		enqueue(t, d->place);
		return true;
	}
	if (layout->holds || t->all[n->layout].holds)
		return refuse_conflict(t, d);
	reach_object(t, d);
	return true;
}

/* The block or variable that holds the address. */
static hd_memory_kind
find_place(hd_trace *t, guint64 address, const hd_deferred *by, guint *place)
{
	*place = find_block(t, address);
	if (*place == HD_NO_NODE)
		*place = find_variable(t, address);
	if (*place != HD_NO_NODE)
		return HD_MEMORY_BLOCK;
	hd_node n = {.parent = by->parent, .pointer = by->pointer, .layout = HD_NO_LAYOUT, .kind = HD_NODE_BLOCK};
	hd_memory_kind kind = t->memory->block(address, &n.address, &n.size, t->memory->data);
	if (kind != HD_MEMORY_BLOCK)
		return kind;
	*place = n.address == address ? HD_NO_NODE : find_block(t, n.address);
	if (*place == HD_NO_NODE)
		*place = add_node(t, &n);
	return kind;
}

/* Neither block nor variable. What it leads to may be the end of one. */
static void
leave(hd_trace *t, const hd_deferred *d)
{
	const hd_layout *layout = &t->all[d->layout];
	bool matters = d->uncertain || layout->holds;
	if (layout->kind != HD_LAYOUT_UNTYPED && (!matters || is_readable(t, d->address)))
		g_array_append_vals(t->deferred, d, 1);
}

/* Whether by its size the block is as many of them as it has room for. */
static bool
has_size_of(const hd_trace *t, const hd_node *block, const hd_layout *layout)
{
	guint64 count = layout->size ? block->size / layout->size : 0;
	return layout->flexible ? block->size >= layout->size
				: count && (!t->memory->may_be_asked_for ||
					    t->memory->may_be_asked_for(count * layout->size, block->size));
}

/* A pointer of a frame, which may be anything. It says no more than what a block is that nobody else says that of. */
static bool
follow_weak(hd_trace *t, guint64 pointer, guint64 address, guint target, bool overlaid)
{
	const hd_local *local = &g_array_index(t->locals, hd_local, hd_node_at(t, t->node)->local);
	hd_deferred d = {.address = address, .pointer = pointer, .parent = t->node, .layout = target};
	bool speaks = local->numbers || (!overlaid && t->all[target].leads && t->all[target].kind != HD_LAYOUT_UNKNOWN);
	if (!speaks || find_place(t, address, &d, &d.place) != HD_MEMORY_BLOCK)
		return true;
	hd_node *place = hd_node_at(t, d.place);
	if (place->kind != HD_NODE_BLOCK || place->address != address)
		return true;
	if (local->numbers) {
		place->disputed = true;
		return true;
	}
	bool free_to_say = place->layout == HD_NO_LAYOUT && has_size_of(t, place, &t->all[target]);
	bool others = place->layout != HD_NO_LAYOUT && place->weak;
	return free_to_say || others ? claim(t, &d) : true;
}

static bool
follow(hd_trace *t, guint64 pointer, guint64 address, guint target, bool overlaid)
{
	const hd_layout *layout = &t->all[target];
	hd_deferred d = {.address = address, .pointer = pointer, .parent = t->node, .layout = target};
	d.uncertain = overlaid || layout->kind == HD_LAYOUT_UNKNOWN;
	if (layout->kind == HD_LAYOUT_UNTYPED)
		d.uncertain = false;
	else if (d.uncertain && !layout->leads)
		return true;
	switch (find_place(t, address, &d, &d.place)) {
	case HD_MEMORY_FREE:
		return true;
	case HD_MEMORY_OTHER:
		leave(t, &d);
		return true;
	case HD_MEMORY_BLOCK:
		break;
	}
	hd_node *place = hd_node_at(t, d.place);
	if (pointer % 8 && !place->crooked) {
		place->crooked = pointer;
		place->crooked_parent = t->node;
	}
	if (layout->text && address == place->address && !place->text) {
		place->text = pointer;
		place->text_parent = t->node;
	}
	if (layout->kind == HD_LAYOUT_UNTYPED)
		place->untyped = true;
	else if (place->kind == HD_NODE_BLOCK && place->address == address && !d.uncertain)
		return claim(t, &d);
	else
		g_array_append_val(t->deferred, d);
	return true;
}

/* ---- the walk ---- */

static bool
follow_from(hd_trace *t, guint64 pointer, guint64 address, guint target, bool overlaid)
{
	bool local = hd_node_at(t, t->node)->kind == HD_NODE_LOCAL;
	return (local ? follow_weak : follow)(t, pointer, address, target, overlaid);
}

/* false: ended, or *readable is false. */
static bool
visit(hd_trace *t, guint index, guint64 address, guint64 end, bool overlaid, bool *readable)
{
	const hd_layout *layout = &t->all[index];
	if (layout->torn || (layout->kind == HD_LAYOUT_UNKNOWN && layout->leads)) {
		char *type = hd_trail_name(t, index);
		hd_trail_refuse(
			t, t->node, address, "%s: %s",
			layout->torn
				? "is a union with an object to be found inside, and only the program knows whether it "
				  "is in use"
				: "has a shape that is impossible, so says the debug information",
			type);
		g_free(type);
		return false;
	}
	for (guint i = 0; i < layout->n_followed; i++) {
		const hd_part *part = &t->followed[layout->first_followed + i];
		const hd_layout *inner = &t->all[part->layout];
		guint64 at = address + part->offset, stride = part->stride;
		for (guint64 left = part->count; left > 0 && at < end && stride <= end - at; left--, at += stride) {
			guint64 word;
			if (inner->kind != HD_LAYOUT_POINTER) {
				guint64 inner_end = part->count == HD_PART_TAIL || inner->flexible ? end : at + stride;
				if (!visit(t, part->layout, at, inner_end, overlaid || part->overlaid, readable))
					return false;
			} else if (!(*readable = read_word(t, at, end, &word))) {
				return false;
			} else if (word >= ADDRESS_LEAST &&
				   !follow_from(t, at, word, inner->target, overlaid || part->overlaid)) {
				return false;
			}
		}
	}
	return true;
}

static bool
walk(hd_trace *t, guint index)
{
	const hd_node n = *hd_node_at(t, index);
	const hd_layout *layout = &t->all[n.layout];
	guint64 count = hd_node_count(t, &n), end = n.address + n.size;
	bool readable = true;
	t->node = index;
	t->window_size = 0;
	for (guint64 i = 0; i < MAX(count, 1); i++) {
		guint64 address = n.address + i * layout->size;
		if (visit(t, n.layout, address, end, false, &readable))
			continue;
		if (t->why || n.kind == HD_NODE_OBJECT)
			return t->why == NULL; /* a pointer to nothing */
		return hd_trail_refuse(t, index, address, "cannot be read");
	}
	return true;
}

static bool
drain(hd_trace *t)
{
	for (; t->done < t->queue->len; t->done++)
		if (!walk(t, g_array_index(t->queue, guint, t->done)))
			return false;
	t->done = 0;
	g_array_set_size(t->queue, 0);
	return true;
}

/* ---- what had to wait ---- */

static bool
fits_layout(const hd_trace *t, const hd_node *place, guint64 offset, guint layout)
{
	const hd_layout *element = &t->all[place->layout];
	guint64 count = hd_node_count(t, place), room = element->flexible ? place->size : element->size;
	if (room == 0)
		return false;
	/* One past the last is where a loop ends. */
	if (offset / room >= count)
		return offset == count * room && place->layout == layout;
	return hd_layouts_contains(t->layouts, place->layout, offset % room, room, layout);
}

/* Whether the place is known to have there what the pointer says. */
static bool
fits(const hd_trace *t, guint place_index, guint64 address, guint layout)
{
	const hd_node *place = place_index == HD_NO_NODE ? NULL : hd_node_at(t, place_index);
	const hd_layout *wanted = &t->all[layout];
	if (!place || place->layout == HD_NO_LAYOUT)
		return false;
	bool found = fits_layout(t, place, address - place->address, layout);
	for (guint i = 0; wanted->kind == HD_LAYOUT_UNKNOWN && !found && i < wanted->n; i++)
		found = fits_layout(t, place, address - place->address, t->parts[wanted->first + i].layout);
	return found;
}

/* The end of an array may be where something else begins. */
static bool
is_past_end(hd_trace *t, const hd_deferred *d)
{
	guint64 size = t->all[d->layout].size;
	guint place;
	return !d->uncertain && size > 0 && find_place(t, d->address - size, d, &place) == HD_MEMORY_BLOCK &&
	       fits(t, place, d->address - size, d->layout);
}

/* Whether a wanted one's place depends on it. */
static bool
matters(const hd_trace *t, const hd_deferred *d)
{
	const hd_node *place = d->place != HD_NO_NODE ? hd_node_at(t, d->place) : NULL;
	return d->uncertain || t->all[d->layout].holds ||
	       (place && place->layout != HD_NO_LAYOUT && t->all[place->layout].holds);
}

/* Those that lead to no known part, and to nothing wanted, are followed; which may make more blocks known, or known
 * better. The others wait in `waiting`. */
static bool
sort_deferred(hd_trace *t, GArray *waiting)
{
	for (guint i = 0; i < t->deferred->len; i++) {
		hd_deferred d = g_array_index(t->deferred, hd_deferred, i);
		if (matters(t, &d) || fits(t, d.place, d.address, d.layout)) {
			g_array_append_val(waiting, d);
		} else if (!is_past_end(t, &d)) {
			reach_object(t, &d);
			if (!drain(t))
				return false;
		}
	}
	g_array_set_size(t->deferred, 0);
	return true;
}

/* What was a part no longer is when its block turned out to be something larger: back to the deferred. */
static void
wake(hd_trace *t, GArray *waiting)
{
	guint kept = 0;
	for (guint i = 0; i < waiting->len; i++) {
		hd_deferred d = g_array_index(waiting, hd_deferred, i);
		if (matters(t, &d) || fits(t, d.place, d.address, d.layout))
			g_array_index(waiting, hd_deferred, kept++) = d;
		else
			g_array_append_val(t->deferred, d);
	}
	g_array_set_size(waiting, kept);
}

static bool
settle(hd_trace *t)
{
	GArray *waiting = g_array_new(FALSE, FALSE, sizeof(hd_deferred));
	bool going = true;
	while (going && t->deferred->len > 0) {
		going = sort_deferred(t, waiting);
		wake(t, waiting);
	}
	for (guint i = 0; going && i < waiting->len; i++) {
		const hd_deferred *d = &g_array_index(waiting, hd_deferred, i);
		if (!fits(t, d->place, d->address, d->layout) && !is_past_end(t, d))
			going = refuse_deferred(t, d);
	}
	g_array_unref(waiting);
	return going;
}

/* ---- frames ---- */

static guint
add_local_node(hd_trace *t, const hd_trace_slot *slot)
{
	const hd_local *l = &g_array_index(t->locals, hd_local, slot->local);
	hd_node n = {.address = slot->in_register ? 0 : slot->address,
		     .size = l->size,
		     .parent = HD_NO_NODE,
		     .layout = l->numbers ? HD_NO_LAYOUT : l->handle,
		     .kind = HD_NODE_LOCAL,
		     .local = slot->local};
	g_array_append_val(t->nodes, n);
	return t->nodes->len - 1;
}

static bool
walk_slot(hd_trace *t, const hd_trace_slot *slot)
{
	const hd_local *l = &g_array_index(t->locals, hd_local, slot->local);
	guint64 word = slot->word;
	bool pointer = hd_type_strip(l->type)->kind == HD_TYPE_POINTER;
	if (!hd_trace_local_matters(t, slot->local))
		return true;
	guint node = add_local_node(t, slot);
	if (!pointer)
		return t->all[l->handle].torn || walk(t, node) || !t->why;
	if (!slot->in_register && !t->memory->read(slot->address, &word, sizeof word, t->memory->data))
		return true;
	t->node = node;
	return word < ADDRESS_LEAST || follow_weak(t, slot->address, word, l->handle, false);
}

/* After the variables, whose word counts for more. */
static bool
walk_slots(hd_trace *t, const GArray *slots)
{
	for (guint i = 0; slots && i < slots->len; i++)
		if (!walk_slot(t, &g_array_index(slots, hd_trace_slot, i)))
			return false;
	return drain(t);
}

static void
start(hd_trace *t)
{
	g_array_set_size(t->nodes, 0);
	g_array_set_size(t->queue, 0);
	g_array_set_size(t->deferred, 0);
	t->done = t->used = 0;
	t->why = NULL;
	for (guint i = 0; i < t->roots->len; i++) {
		const hd_root *r = &g_array_index(t->roots, hd_root, i);
		hd_node n = {.address = r->address,
			     .size = r->size,
			     .parent = HD_NO_NODE,
			     .layout = r->handle,
			     .kind = HD_NODE_VARIABLE};
		g_array_append_val(t->nodes, n);
		enqueue(t, i);
	}
	if (!t->table)
		grow_table(t);
	memset(t->table, 0, t->table_size * sizeof *t->table);
}

bool
hd_trace_run(hd_trace *t, const hd_trace_memory *memory, const GArray *slots, GArray *found, GArray *leads, char **why)
{
	t->memory = memory;
	start(t);
	bool done = drain(t) && walk_slots(t, slots) && settle(t) && hd_trace_list(t, found, leads);
	*why = t->why;
	t->why = NULL;
	return done;
}

char *
hd_trace_unseen(const hd_trace *t)
{
	for (guint i = 0; i < t->unseen->len; i++) {
		const hd_root *r = &g_array_index(t->unseen, hd_root, i);
		if (t->all[hd_layouts_find(t->layouts, r->handle)].leads)
			return hd_trail_variable(r);
	}
	return NULL;
}

bool
hd_trace_knows(const hd_trace *t, guint64 block_start)
{
	guint found = t->table_size ? *find_entry(t, block_start, HD_NO_LAYOUT) : 0;
	return found && hd_node_at(t, found - 1)->layout != HD_NO_LAYOUT;
}

void
hd_trace_claims(const hd_trace *t, GHashTable *claims)
{
	for (guint i = 0; i < t->nodes->len; i++) {
		const hd_node *n = hd_node_at(t, i);
		if (n->kind == HD_NODE_BLOCK && n->weak && n->layout != HD_NO_LAYOUT &&
		    hd_node_at(t, n->parent)->kind == HD_NODE_LOCAL)
			g_hash_table_insert(claims, GSIZE_TO_POINTER(n->address), GUINT_TO_POINTER(i + 1));
	}
}
