/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/trace.h"

#include "reloader/types/compare.h"
#include "reloader/types/fields.h"
#include "reloader/types/parts.h"

#include <string.h>

#define NO_NODE G_MAXUINT
/* Numbers that are stored as pointers: no address of Linux is lower (mmap_min_addr). */
#define ADDRESS_LEAST 4096
/* What is read at once. Bytes. */
#define WINDOW ((gsize)1 << 16)
/* A block of malloc may be larger than what was asked for: by its granule and a rest too small to split off, and when
 * it is a mapping of its own by the rest of a page. Bytes. */
static guint64
slack_of(guint64 block_size)
{
	return block_size < 1 << 17 ? 32 : 4128;
}

typedef enum { NODE_VARIABLE, NODE_BLOCK, NODE_OBJECT } node_kind;

/* Memory that was reached. A variable or block is known by its address alone; an object, which nothing says the
 * extent of, by address and layout. */
typedef struct {
	guint64 address, size;
	guint64 pointer; /* the address of the one that led here first; it is in the parent */
	guint parent;	 /* NO_NODE: a variable */
	guint layout;	 /* of its elements; a block that nothing typed has none: NO_LAYOUT */
	node_kind kind;
	bool untyped; /* BLOCK: void * or char * leads here */
} node;

#define NO_LAYOUT G_MAXUINT

typedef struct {
	const hd_unit_variable *variable;
	const hd_type *type;
	guint64 address, size;
	guint handle; /* then the layout */
} root;

/* A pointer that cannot be judged before all blocks are known. */
typedef struct {
	guint64 address; /* where it leads */
	guint64 pointer; /* where it is */
	guint parent;	 /* in which node */
	guint place;	 /* into which node; NO_NODE: none that is known */
	guint layout;	 /* to what */
	bool uncertain;	 /* in a union, or of a type with several definitions: not to be followed */
} deferred;

struct hd_trace {
	hd_layouts *layouts;
	const hd_layout *all; /* those of layouts, once prepared */
	const hd_part *parts, *followed;
	guint wants;
	GArray *roots;	 /* of root; once prepared, in order of addresses, and the first nodes */
	GArray *holders; /* of guint: layouts that are wanted, or hold a wanted one */
	GArray *nodes;	 /* of node */
	GArray *queue;	 /* of guint: nodes whose pointers are still to be followed */
	guint done;	 /* how many of them were */
	GArray *deferred;
	guint *table; /* of nodes, 1 + index; 0: free. Open addressing, linear probing */
	guint table_size, used;
	/* while running */
	const hd_trace_memory *memory;
	guint node; /* whose pointers are followed */
	guint64 window_start, window_size;
	guint8 *window;
	char *why;
};

/* ---- before the stop ---- */

hd_trace *
hd_trace_new(void)
{
	hd_trace *t = g_new0(hd_trace, 1);
	t->layouts = hd_layouts_new();
	t->roots = g_array_new(FALSE, FALSE, sizeof(root));
	t->holders = g_array_new(FALSE, FALSE, sizeof(guint));
	t->nodes = g_array_new(FALSE, FALSE, sizeof(node));
	t->queue = g_array_new(FALSE, FALSE, sizeof(guint));
	t->deferred = g_array_new(FALSE, FALSE, sizeof(deferred));
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
	g_array_unref(t->holders);
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
	root r = {.variable = variable, .type = slot->type, .address = address};
	if (variable->tls || variable->constant || !hd_extent_of(slot->type, &r.size) || r.size == 0)
		return;
	r.handle = hd_layouts_add(t->layouts, unit, slot->type);
	g_array_append_val(t->roots, r);
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
	const root *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

void
hd_trace_prepare(hd_trace *t)
{
	hd_layouts_prepare(t->layouts);
	t->all = hd_layouts_all(t->layouts);
	t->parts = hd_layouts_parts(t->layouts);
	t->followed = hd_layouts_followed(t->layouts);
	for (guint i = 0; i < t->roots->len; i++) {
		root *r = &g_array_index(t->roots, root, i);
		r->handle = hd_layouts_find(t->layouts, r->handle);
	}
	for (guint i = 0; i < hd_layouts_count(t->layouts); i++)
		if (t->all[i].holds)
			g_array_append_val(t->holders, i);
	g_array_sort(t->roots, by_address);
}

/* ---- nodes ---- */

static inline node *
node_at(const hd_trace *t, guint index)
{
	return &g_array_index(t->nodes, node, index);
}

/* Objects of several types may be at one address, a block or variable but once. */
static inline guint
name_of(const node *n)
{
	return n->kind == NODE_OBJECT ? n->layout : NO_LAYOUT;
}

/* The node's place in the table, or the one it would get. */
static guint *
find_entry(const hd_trace *t, guint64 address, guint name)
{
	guint64 hash = (address ^ ((guint64)name << 48)) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
	guint i = (guint)(hash >> 32) & (t->table_size - 1);
	for (; t->table[i]; i = (i + 1) & (t->table_size - 1)) {
		const node *n = node_at(t, t->table[i] - 1);
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
		*find_entry(t, node_at(t, i)->address, name_of(node_at(t, i))) = i + 1;
}

/* Variables are found by their addresses' order instead, for pointers lead into their middle. */
static guint
add_node(hd_trace *t, const node *n)
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
	if (t->all[node_at(t, index)->layout].pointers)
		g_array_append_val(t->queue, index);
}

static guint
find_block(const hd_trace *t, guint64 start)
{
	guint known = *find_entry(t, start, NO_LAYOUT);
	return known ? known - 1 : NO_NODE;
}

static guint
find_variable(const hd_trace *t, guint64 address)
{
	guint low = 0, high = t->roots->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (node_at(t, middle)->address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address - node_at(t, low - 1)->address < node_at(t, low - 1)->size ? low - 1 : NO_NODE;
}

/* How many elements a node's memory has. */
static guint64
count_of(const hd_trace *t, const node *n)
{
	const hd_layout *layout = &t->all[n->layout];
	return layout->flexible || layout->size == 0 ? 1 : n->size / layout->size;
}

/* ---- text ---- */

/* Appends what is at that offset: "[3]", ".pos.x". */
static void
name_offset(GString *text, const hd_type *type, guint64 offset)
{
	for (int depth = 0; depth < HD_TYPE_DEPTH; depth++) {
		guint64 bytes = 0;
		type = hd_type_strip(type);
		const hd_member *found = NULL;
		if (type->kind == HD_TYPE_ARRAY) {
			type = type->target;
			if (!hd_extent_of(type, &bytes) || bytes == 0)
				return;
			g_string_append_printf(text, "[%" G_GUINT64_FORMAT "]", offset / bytes);
			offset %= bytes;
			continue;
		}
		for (guint i = 0; type->members && i < type->members->len; i++) {
			const hd_member *member = &g_array_index(type->members, hd_member, i);
			guint64 begin = member->bit_offset / 8;
			bool inside = begin <= offset && hd_extent_of(member->type, &bytes) &&
				      (offset - begin < bytes || hd_is_flexible(member->type));
			if (inside && !found)
				found = member;
		}
		if (!found)
			return;
		if (found->name)
			g_string_append_printf(text, "%s%s", text->len ? "." : "", found->name);
		offset -= found->bit_offset / 8;
		type = found->type;
	}
}

static char *
variable_text(const root *r)
{
	const hd_unit_variable *v = r->variable;
	char *declared = hd_type_print(r->type, v->name);
	char *file = v->where.file ? g_path_get_basename(v->where.file) : NULL;
	char *text = g_strdup_printf("%s%s%s%s%s%s", v->external ? "" : "static ", declared, v->function ? " of " : "",
				     v->function ? v->function : "", file ? " in " : "", file ? file : "");
	g_free(declared);
	g_free(file);
	return text;
}

/* The pointer's place in the node; empty when it is the whole node. */
static char *
step_text(const hd_trace *t, guint index, guint64 pointer)
{
	const node *n = node_at(t, index);
	GString *text = g_string_new(NULL);
	guint64 offset = pointer - n->address;
	if (n->kind == NODE_VARIABLE) {
		name_offset(text, g_array_index(t->roots, root, index).type, offset);
	} else if (n->layout != NO_LAYOUT) {
		const hd_layout *layout = &t->all[n->layout];
		if (!layout->flexible && layout->size > 0 && (n->size >= 2 * layout->size)) {
			g_string_append_printf(text, "[%" G_GUINT64_FORMAT "]", offset / layout->size);
			offset %= layout->size;
		}
		if (layout->kind == HD_LAYOUT_OBJECT)
			name_offset(text, layout->type, offset);
	}
	return g_string_free(text, FALSE);
}

/* A way of any length is told by its ends. */
#define STEPS_FIRST 3
#define STEPS_LAST 2

static char *
way_to(const hd_trace *t, guint index, guint64 pointer, bool has_pointer)
{
	GPtrArray *steps = g_ptr_array_new_with_free_func(g_free);
	guint length = 0, i = index;
	for (; node_at(t, i)->parent != NO_NODE; i = node_at(t, i)->parent)
		length++;
	GString *text = g_string_new(NULL);
	char *variable = variable_text(&g_array_index(t->roots, root, i));
	g_string_append(text, variable);
	g_free(variable);
	if (has_pointer)
		g_ptr_array_add(steps, step_text(t, index, pointer));
	for (i = index; node_at(t, i)->parent != NO_NODE; i = node_at(t, i)->parent, length--) {
		bool told = length <= STEPS_FIRST || steps->len < STEPS_LAST;
		if (told)
			g_ptr_array_add(steps, step_text(t, node_at(t, i)->parent, node_at(t, i)->pointer));
		else if (length == STEPS_FIRST + 1)
			g_ptr_array_add(steps, g_strdup("..."));
	}
	for (i = steps->len; i-- > 0;)
		if (*(char *)steps->pdata[i])
			g_string_append_printf(text, " -> %s", (char *)steps->pdata[i]);
	g_ptr_array_unref(steps);
	return g_string_free(text, FALSE);
}

char *
hd_trace_text(const hd_trace *t, guint index)
{
	return way_to(t, index, 0, false);
}

static char *
layout_text(const hd_trace *t, guint layout)
{
	return t->all[layout].type ? hd_type_print(t->all[layout].type, "") : g_strdup("data");
}

/* ---- refusals ---- */

/* Ends the walk: the pointer, and what is wrong about it. */
static bool G_GNUC_PRINTF(4, 5) refuse(hd_trace *t, guint parent, guint64 pointer, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *what = g_strdup_vprintf(format, ap), *way = way_to(t, parent, pointer, true);
	va_end(ap);
	t->why = g_strdup_printf("`%s` %s", way, what);
	g_free(what);
	g_free(way);
	return false;
}

static bool
refuse_conflict(hd_trace *t, const deferred *d)
{
	const node *n = node_at(t, d->place);
	char *is = layout_text(t, n->layout), *other = layout_text(t, d->layout);
	refuse(t, d->parent, d->pointer,
	       "says that %s is in memory that another pointer says holds %s: which of them it is is not known", other,
	       is);
	g_free(is);
	g_free(other);
	return false;
}

static bool
refuse_size(hd_trace *t, const deferred *d)
{
	char *type = layout_text(t, d->layout);
	refuse(t, d->parent, d->pointer,
	       "leads to a block of %" G_GUINT64_FORMAT " bytes, which is too small for %s (%" G_GUINT64_FORMAT
	       " bytes)",
	       node_at(t, d->place)->size, type, t->all[d->layout].size);
	g_free(type);
	return false;
}

static bool
refuse_deferred(hd_trace *t, const deferred *d)
{
	char *type = layout_text(t, d->layout);
	const node *n = d->place != NO_NODE ? node_at(t, d->place) : NULL;
	if (d->uncertain && t->all[d->layout].kind == HD_LAYOUT_UNKNOWN)
		refuse(t, d->parent, d->pointer,
		       "leads to %s, which has several definitions: which of them it is is not known", type);
	else if (d->uncertain)
		refuse(t, d->parent, d->pointer,
		       "is in a union: whether it is in use, and leads to %s, only the program knows", type);
	else if (!n)
		refuse(t, d->parent, d->pointer,
		       "leads to %s in memory that is neither a variable nor a block of the allocator (a stack, a pool "
		       "of the program's own)",
		       type);
	else if (n->kind == NODE_VARIABLE || n->layout != NO_LAYOUT)
		refuse_conflict(t, d);
	else
		refuse(t, d->parent, d->pointer,
		       "leads into a block of %" G_GUINT64_FORMAT " bytes whose beginning no typed pointer names",
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

/* An object of which only this pointer says what it is. */
static void
reach_object(hd_trace *t, const deferred *d)
{
	const hd_layout *layout = &t->all[d->layout];
	if (!layout->pointers || *find_entry(t, d->address, d->layout))
		return;
	node n = {.address = d->address,
		  .size = layout->size,
		  .pointer = d->pointer,
		  .parent = d->parent,
		  .layout = d->layout,
		  .kind = NODE_OBJECT};
	/* All elements, if it says so of a whole block. */
	if (d->place != NO_NODE && node_at(t, d->place)->address == d->address)
		n.size = node_at(t, d->place)->size;
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
claim(hd_trace *t, const deferred *d)
{
	node *n = node_at(t, d->place);
	const hd_layout *layout = &t->all[d->layout];
	if (n->layout == d->layout)
		return true;
	if (n->size < layout->size && layout->holds)
		return refuse_size(t, d);
	bool first = n->layout == NO_LAYOUT;
	if (!first &&
	    (hd_layouts_contains(t->layouts, n->layout, 0, n->size, d->layout) || says_less(t, d->layout, n->layout)))
		return true;
	if (first || says_less(t, n->layout, d->layout) ||
	    hd_layouts_contains(t->layouts, d->layout, 0, MAX(n->size, layout->size), n->layout)) {
		n->layout = d->layout;
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
find_place(hd_trace *t, guint64 address, const deferred *by, guint *place)
{
	*place = find_block(t, address);
	if (*place == NO_NODE)
		*place = find_variable(t, address);
	if (*place != NO_NODE)
		return HD_MEMORY_BLOCK;
	node n = {.parent = by->parent, .pointer = by->pointer, .layout = NO_LAYOUT, .kind = NODE_BLOCK};
	hd_memory_kind kind = t->memory->block(address, &n.address, &n.size, t->memory->data);
	if (kind != HD_MEMORY_BLOCK)
		return kind;
	*place = n.address == address ? NO_NODE : find_block(t, n.address);
	if (*place == NO_NODE)
		*place = add_node(t, &n);
	return kind;
}

/* Neither block nor variable. */
static bool
leave(hd_trace *t, const deferred *d)
{
	const hd_layout *layout = &t->all[d->layout];
	if (layout->kind == HD_LAYOUT_UNTYPED)
		return true;
	if (!d->uncertain && !layout->holds)
		reach_object(t, d);
	else if (is_readable(t, d->address))
		g_array_append_vals(t->deferred, d, 1);
	return true;
}

static bool
follow(hd_trace *t, guint64 pointer, guint64 address, guint target, bool overlaid)
{
	const hd_layout *layout = &t->all[target];
	deferred d = {.address = address, .pointer = pointer, .parent = t->node, .layout = target};
	d.uncertain = overlaid || layout->kind == HD_LAYOUT_UNKNOWN;
	if (layout->kind == HD_LAYOUT_UNTYPED)
		d.uncertain = false;
	else if (d.uncertain && !layout->leads)
		return true;
	switch (find_place(t, address, &d, &d.place)) {
	case HD_MEMORY_FREE:
		return true;
	case HD_MEMORY_OTHER:
		d.place = NO_NODE;
		return leave(t, &d);
	case HD_MEMORY_BLOCK:
		break;
	}
	node *place = node_at(t, d.place);
	if (layout->kind == HD_LAYOUT_UNTYPED)
		place->untyped = true;
	else if (place->kind == NODE_BLOCK && place->address == address && !d.uncertain)
		return claim(t, &d);
	else
		g_array_append_val(t->deferred, d);
	return true;
}

/* ---- the walk ---- */

/* false: ended, or *readable is false. */
static bool
visit(hd_trace *t, guint index, guint64 address, guint64 end, bool overlaid, bool *readable)
{
	const hd_layout *layout = &t->all[index];
	if (layout->torn || (layout->kind == HD_LAYOUT_UNKNOWN && layout->leads)) {
		char *type = layout_text(t, index);
		refuse(t, t->node, address, "%s: %s",
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
				   !follow(t, at, word, inner->target, overlaid || part->overlaid)) {
				return false;
			}
		}
	}
	return true;
}

static bool
walk(hd_trace *t, guint index)
{
	const node n = *node_at(t, index);
	const hd_layout *layout = &t->all[n.layout];
	guint64 count = count_of(t, &n), end = n.address + n.size;
	bool readable = true;
	t->node = index;
	t->window_size = 0;
	for (guint64 i = 0; i < MAX(count, 1); i++) {
		guint64 address = n.address + i * layout->size;
		if (visit(t, n.layout, address, end, false, &readable))
			continue;
		if (t->why || n.kind == NODE_OBJECT)
			return t->why == NULL; /* a pointer to nothing */
		return refuse(t, index, address, "cannot be read");
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
fits_layout(const hd_trace *t, const node *place, guint64 offset, guint layout)
{
	const hd_layout *element = &t->all[place->layout];
	guint64 count = count_of(t, place), room = element->flexible ? place->size : element->size;
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
	const node *place = place_index == NO_NODE ? NULL : node_at(t, place_index);
	const hd_layout *wanted = &t->all[layout];
	if (!place || place->layout == NO_LAYOUT)
		return false;
	bool found = fits_layout(t, place, address - place->address, layout);
	for (guint i = 0; wanted->kind == HD_LAYOUT_UNKNOWN && !found && i < wanted->n; i++)
		found = fits_layout(t, place, address - place->address, t->parts[wanted->first + i].layout);
	return found;
}

/* The end of an array may be where something else begins. */
static bool
is_past_end(hd_trace *t, const deferred *d)
{
	guint64 size = t->all[d->layout].size;
	guint place;
	return !d->uncertain && size > 0 && find_place(t, d->address - size, d, &place) == HD_MEMORY_BLOCK &&
	       fits(t, place, d->address - size, d->layout);
}

/* Those that lead to nothing wanted are followed, which may make more blocks known; the others wait for the end. */
static bool
settle(hd_trace *t)
{
	GArray *waiting = g_array_new(FALSE, FALSE, sizeof(deferred));
	bool going = true;
	for (guint i = 0; going && i < t->deferred->len; i++) {
		deferred d = g_array_index(t->deferred, deferred, i);
		if (fits(t, d.place, d.address, d.layout)) {
			/* what it is now it stays, or becomes a part of something larger: asked again below */
			g_array_append_val(waiting, d);
			continue;
		}
		const node *place = d.place != NO_NODE ? node_at(t, d.place) : NULL;
		bool holds = place && place->layout != NO_LAYOUT && t->all[place->layout].holds;
		if (d.uncertain || holds || t->all[d.layout].holds) {
			g_array_append_val(waiting, d);
			continue;
		}
		reach_object(t, &d);
		going = drain(t);
	}
	for (guint i = 0; going && i < waiting->len; i++) {
		const deferred *d = &g_array_index(waiting, deferred, i);
		if (!fits(t, d->place, d->address, d->layout) && !is_past_end(t, d))
			going = refuse_deferred(t, d);
	}
	g_array_unref(waiting);
	return going;
}

/* ---- what was found ---- */

static void
append_found(const hd_trace *t, guint index, guint layout, guint64 address, guint64 bytes, guint64 count, GArray *found)
{
	const node *n = node_at(t, index);
	hd_traced traced = {.address = address,
			    .bytes = bytes,
			    .count = count,
			    .wanted = t->all[layout].wanted,
			    .where = n->kind == NODE_VARIABLE ? HD_TRACED_IN_VARIABLE : HD_TRACED_IN_BLOCK,
			    .start = n->address,
			    .size = n->size,
			    .node = index};
	g_array_append_val(found, traced);
}

/* count objects of the layout in a row; end: of the memory that a flexible array may take. */
static void
list_wanted(const hd_trace *t, guint index, guint layout, guint64 address, guint64 stride, guint64 count, guint64 end,
	    GArray *found)
{
	const hd_layout *outer = &t->all[layout];
	if (outer->wanted != HD_NOT_WANTED) {
		append_found(t, index, layout, address, outer->flexible ? end - address : stride, count, found);
		return;
	}
	for (guint64 k = 0; k < count; k++)
		for (guint i = 0; i < outer->n; i++) {
			const hd_part *part = &t->parts[outer->first + i];
			guint64 at = address + k * stride + part->offset;
			bool tail = part->count == HD_PART_TAIL, flexible = t->all[part->layout].flexible;
			if (t->all[part->layout].holds && at < end)
				list_wanted(t, index, part->layout, at, part->stride,
					    tail ? (end - at) / part->stride : part->count,
					    tail || flexible ? end : at + part->stride, found);
		}
}

static guint64
offset_in_block(const hd_trace *t, const node *n, guint64 *size)
{
	guint64 start = n->address;
	*size = n->size;
	if (n->kind == NODE_OBJECT && t->memory->block(n->address, &start, size, t->memory->data) != HD_MEMORY_BLOCK)
		*size = 0;
	return n->address - start;
}

static bool
has_size(const hd_layout *layout, guint64 size)
{
	return size >= layout->size && (layout->flexible || size - layout->size < slack_of(size));
}

/* Another type that the block may be by its size: one that has, in that place, what is known of it. NULL: none. */
static const hd_layout *
disguised(const hd_trace *t, const node *n)
{
	guint64 size, offset = offset_in_block(t, n, &size);
	for (guint i = 0; i < t->holders->len; i++) {
		guint holder = g_array_index(t->holders, guint, i);
		const hd_layout *layout = &t->all[holder];
		if (layout->size > t->all[n->layout].size && has_size(layout, size) &&
		    hd_layouts_contains(t->layouts, holder, offset, layout->size, n->layout))
			return layout;
	}
	return NULL;
}

static void
append_lead(const hd_trace *t, guint index, guint wanted, GArray *leads)
{
	const node *n = node_at(t, index);
	hd_trace_lead lead = {.pointer = n->pointer, .wanted = wanted, .node = index};
	lead.start = n->address - offset_in_block(t, n, &lead.size);
	g_array_append_val(leads, lead);
}

/* Nothing but the block's size says how many objects it has, and whether it is larger than what the pointer says. */
static bool
judge_block(hd_trace *t, const node *n)
{
	const hd_layout *layout = &t->all[n->layout], *other = disguised(t, n);
	guint64 rest = n->size - MAX(count_of(t, n), 1) * layout->size;
	if (layout->flexible || (!other && rest < slack_of(n->size)))
		return true;
	char *type = layout_text(t, n->layout);
	char *larger = other ? layout_text(t, (guint)(other - t->all)) : NULL;
	if (other)
		refuse(t, n->parent, n->pointer,
		       "leads to a block of %" G_GUINT64_FORMAT " bytes, which may be %s as well as %s", n->size,
		       larger, type);
	else
		refuse(t, n->parent, n->pointer,
		       "leads to a block of %" G_GUINT64_FORMAT " bytes, which are more than %s (%" G_GUINT64_FORMAT
		       " bytes each): what the rest is is not known",
		       n->size, type, layout->size);
	g_free(larger);
	g_free(type);
	return false;
}

static bool
list_node(hd_trace *t, guint index, GArray *found, GArray *leads)
{
	const node *n = node_at(t, index);
	const hd_layout *layout = n->layout != NO_LAYOUT ? &t->all[n->layout] : NULL;
	if (!layout) {
		if (n->untyped)
			append_lead(t, index, HD_NOT_WANTED, leads);
	} else if (layout->holds) {
		if (n->kind == NODE_BLOCK && !judge_block(t, n))
			return false;
		list_wanted(t, index, n->layout, n->address, layout->size, count_of(t, n), n->address + n->size, found);
	} else if (n->kind != NODE_VARIABLE && layout->kind == HD_LAYOUT_OBJECT && layout->pointers) {
		const hd_layout *other = disguised(t, n);
		if (other)
			append_lead(t, index, other->held, leads);
	}
	return true;
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
		const root *r = &g_array_index(t->roots, root, i);
		node n = {.address = r->address,
			  .size = r->size,
			  .parent = NO_NODE,
			  .layout = r->handle,
			  .kind = NODE_VARIABLE};
		g_array_append_val(t->nodes, n);
		enqueue(t, i);
	}
	if (!t->table)
		grow_table(t);
	memset(t->table, 0, t->table_size * sizeof *t->table);
}

bool
hd_trace_run(hd_trace *t, const hd_trace_memory *memory, GArray *found, GArray *leads, char **why)
{
	t->memory = memory;
	start(t);
	bool done = drain(t) && settle(t);
	for (guint i = 0; done && i < t->nodes->len; i++)
		done = list_node(t, i, found, leads);
	*why = t->why;
	t->why = NULL;
	return done;
}
