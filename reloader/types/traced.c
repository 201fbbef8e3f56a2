/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/trail.h"

/* A block of malloc may be larger than what was asked for: by its granule and a rest too small to split off, and when
 * it is a mapping of its own by the rest of a page. Bytes. */
static guint64
slack_of(guint64 block_size)
{
	return block_size < 1 << 17 ? 32 : 4128;
}

static void
append_found(const hd_trace *t, guint index, guint layout, guint64 address, guint64 bytes, guint64 count, GArray *found)
{
	const hd_node *n = hd_node_at(t, index);
	hd_traced traced = {.address = address,
			    .bytes = bytes,
			    .count = count,
			    .wanted = t->all[layout].wanted,
			    .where = n->kind == HD_NODE_VARIABLE ? HD_TRACED_IN_VARIABLE : HD_TRACED_IN_BLOCK,
			    .start = n->address,
			    .size = n->size,
			    .weak = n->weak,
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
offset_in_block(const hd_trace *t, const hd_node *n, guint64 *size)
{
	guint64 start = n->address;
	*size = n->size;
	if (n->kind == HD_NODE_OBJECT && t->memory->block(n->address, &start, size, t->memory->data) != HD_MEMORY_BLOCK)
		*size = 0;
	return n->address - start;
}

static bool
has_size(const hd_layout *layout, guint64 size)
{
	return size >= layout->size && (layout->flexible || size - layout->size < slack_of(size));
}

/* Another type that the block may be by its size: one that has, in that place, what is known of it. holding: it must
 * hold a wanted one, not only lead there. NULL: none. */
static const hd_layout *
disguised(const hd_trace *t, const hd_node *n, bool holding)
{
	const hd_layout *inner = &t->all[n->layout];
	guint64 size, offset = inner->n_outer > 0 ? offset_in_block(t, n, &size) : 0;
	for (guint i = 0; i < inner->n_outer; i++) {
		guint outer = hd_layouts_inside(t->layouts)[inner->first_outer + i].outer;
		const hd_layout *layout = &t->all[outer];
		if (layout->size > inner->size && (layout->holds || !holding) && has_size(layout, size) &&
		    hd_layouts_contains(t->layouts, outer, offset, layout->size, n->layout))
			return layout;
	}
	return NULL;
}

/* outer: what it may be; NULL: nothing is known. */
static void
append_lead(const hd_trace *t, guint index, const hd_layout *outer, GArray *leads)
{
	const hd_node *n = hd_node_at(t, index);
	hd_trace_lead lead = {.kind = !outer	     ? HD_LEAD_UNTYPED
				      : outer->holds ? HD_LEAD_MAY_HOLD
						     : HD_LEAD_MAY_LEAD,
			      .pointer = n->pointer,
			      .wanted = outer ? outer->held : HD_NOT_WANTED,
			      .node = index};
	lead.start = n->address - offset_in_block(t, n, &lead.size);
	g_array_append_val(leads, lead);
}

/* Nothing but the block's size says how many objects it has, and whether it is larger than what the pointer says. */
static bool
judge_block(hd_trace *t, const hd_node *n)
{
	const hd_layout *layout = &t->all[n->layout], *other = disguised(t, n, true);
	guint64 rest = n->size - MAX(hd_node_count(t, n), 1) * layout->size;
	if (layout->flexible || (!other && rest < slack_of(n->size)))
		return true;
	char *type = hd_trail_name(t, n->layout);
	char *larger = other ? hd_trail_name(t, (guint)(other - t->all)) : NULL;
	if (other)
		hd_trail_refuse(t, n->parent, n->pointer,
				"leads to a block of %" G_GUINT64_FORMAT " bytes, which may be %s as well as %s",
				n->size, larger, type);
	else
		hd_trail_refuse(t, n->parent, n->pointer,
				"leads to a block of %" G_GUINT64_FORMAT
				" bytes, which are more than %s (%" G_GUINT64_FORMAT
				" bytes each): what the rest is is not known",
				n->size, type, layout->size);
	g_free(larger);
	g_free(type);
	return false;
}

/* What only frames lead to is what they say if nobody says otherwise. */
static bool
judge_word(hd_trace *t, const hd_node *n)
{
	if (n->kind != HD_NODE_BLOCK || !n->weak || (!n->untyped && !n->disputed))
		return true;
	char *type = hd_trail_name(t, n->layout);
	hd_trail_refuse(t, n->parent, n->pointer,
			"leads to a block that may be %s, or what another pointer says, which knows no such type: a "
			"variable of a frame may be out of date",
			type);
	g_free(type);
	return false;
}

static bool
begins_with_text(const hd_type *type, int depth)
{
	type = hd_type_strip(type);
	if (type->kind == HD_TYPE_ARRAY && depth < HD_TYPE_DEPTH)
		return begins_with_text(type->target, depth + 1);
	for (guint i = 0; type->members && i < type->members->len && depth < HD_TYPE_DEPTH; i++) {
		const hd_member *member = &g_array_index(type->members, hd_member, i);
		if (member->bit_offset == 0 && begins_with_text(member->type, depth + 1))
			return true;
	}
	return type->kind == HD_TYPE_BASE && type->size == 1;
}

/* What was said of a place beside its type. */
static bool
judge_pointers(hd_trace *t, const hd_node *n)
{
	if (n->crooked)
		return hd_trail_refuse(t, n->crooked_parent, n->crooked,
				       "is a pointer that is not aligned (in a packed struct), which nothing finds "
				       "that only looks for words");
	if (!n->text || n->kind != HD_NODE_BLOCK || begins_with_text(t->all[n->layout].type, 0))
		return true;
	char *type = hd_trail_name(t, n->layout);
	hd_trail_refuse(t, n->text_parent, n->text,
			"leads to a block of %" G_GUINT64_FORMAT
			" bytes that another pointer says holds %s: it may be text by now, and that pointer forgotten",
			n->size, type);
	g_free(type);
	return false;
}

static bool
list_node(hd_trace *t, guint index, GArray *found, GArray *leads)
{
	const hd_node *n = hd_node_at(t, index);
	const hd_layout *layout = n->layout != HD_NO_LAYOUT ? &t->all[n->layout] : NULL;
	if (n->kind == HD_NODE_LOCAL)
		return true;
	if (!layout) {
		if (n->untyped)
			append_lead(t, index, NULL, leads);
	} else if (layout->holds) {
		if (!judge_word(t, n) || !judge_pointers(t, n) || (n->kind == HD_NODE_BLOCK && !judge_block(t, n)))
			return false;
		list_wanted(t, index, n->layout, n->address, layout->size, hd_node_count(t, n), n->address + n->size,
			    found);
	} else if (n->kind != HD_NODE_VARIABLE) {
		const hd_layout *outer = disguised(t, n, false);
		if (outer)
			append_lead(t, index, outer, leads);
	}
	return true;
}

bool
hd_trace_list(hd_trace *t, GArray *found, GArray *leads)
{
	for (guint i = 0; i < t->nodes->len; i++)
		if (!list_node(t, i, found, leads))
			return false;
	return true;
}
