/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/object/resume.h"

#include "reloader/object/decode.h"

#include <string.h>

typedef struct {
	const hd_atom *atom;
	GArray *at;	 /* of guint: where each instruction starts, and the end */
	GArray *decoded; /* of hd_instruction */
} listing;

typedef struct {
	const hd_diff *diff;
	hd_resume_moved *moved;
	void *data;
	listing old, now;
	guint head, tail; /* so many instructions are paired from the start, and from the end */
} comparison;

/* ---- instructions ---- */

static void
listing_clear(listing *l)
{
	g_array_unref(l->at);
	g_array_unref(l->decoded);
}

static bool
list(listing *l, const hd_atom *atom)
{
	guint offset = 0;
	*l = (listing){atom, g_array_new(FALSE, FALSE, sizeof(guint)),
		       g_array_new(FALSE, FALSE, sizeof(hd_instruction))};
	while (offset < atom->size) {
		hd_instruction instruction;
		if (!hd_decode(atom->bytes + offset, atom->size - offset, &instruction))
			return false;
		g_array_append_val(l->at, offset);
		g_array_append_val(l->decoded, instruction);
		offset += instruction.length;
	}
	g_array_append_val(l->at, offset);
	return true;
}

static guint
start_of(const listing *l, guint index)
{
	return g_array_index(l->at, guint, index);
}

static const hd_instruction *
instruction_at(const listing *l, guint index)
{
	return &g_array_index(l->decoded, hd_instruction, index);
}

/* The instruction at a byte; G_MAXUINT: none begins there. */
static guint
index_of(const listing *l, gint64 offset)
{
	guint low = 0, high = l->decoded->len;
	while (low < high) {
		guint middle = (low + high) / 2;
		if (start_of(l, middle) < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->decoded->len && start_of(l, low) == offset ? low : G_MAXUINT;
}

/* Index of the first relocation at or behind a byte. */
static guint
first_reloc(const hd_atom *atom, guint64 offset)
{
	guint low = 0, high = atom->n_relocs;
	while (low < high) {
		guint middle = (low + high) / 2;
		if (atom->relocs[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
has_reloc(const listing *l, guint index)
{
	guint r = first_reloc(l->atom, start_of(l, index));
	return r < l->atom->n_relocs && l->atom->relocs[r].offset < start_of(l, index + 1);
}

/* Of a branch inside the function without a relocation; G_MAXUINT: it leads elsewhere. */
static guint
target_of(const listing *l, guint index)
{
	const hd_instruction *i = instruction_at(l, index);
	bool branches = i->flow == HD_FLOW_BRANCH || i->flow == HD_FLOW_JUMP;
	return branches && !has_reloc(l, index) ? index_of(l, (gint64)start_of(l, index) + i->length + i->distance)
						: G_MAXUINT;
}

/* ---- do two say the same ---- */

static bool
same_reference(const comparison *c, const hd_reloc *old, const hd_reloc *now)
{
	if (old->type != now->type || old->addend != now->addend)
		return false;
	if ((old->atom == HD_NONE) != (now->atom == HD_NONE))
		return false;
	if (c->moved(now, c->data))
		return false;
	if (now->atom != HD_NONE)
		return hd_diff_old_of(c->diff, now->atom) == old->atom;
	return strcmp(hd_object_external(hd_diff_old(c->diff), old->external)->name,
		      hd_object_external(hd_diff_now(c->diff), now->external)->name) == 0;
}

static bool
same_references(const comparison *c, guint a, guint b)
{
	guint x = first_reloc(c->old.atom, start_of(&c->old, a)), y = first_reloc(c->now.atom, start_of(&c->now, b));
	guint x_end = first_reloc(c->old.atom, start_of(&c->old, a + 1));
	guint y_end = first_reloc(c->now.atom, start_of(&c->now, b + 1));
	if (x_end - x != y_end - y)
		return false;
	for (; x < x_end; x++, y++)
		if (c->old.atom->relocs[x].offset - start_of(&c->old, a) !=
			    c->now.atom->relocs[y].offset - start_of(&c->now, b) ||
		    !same_reference(c, &c->old.atom->relocs[x], &c->now.atom->relocs[y]))
			return false;
	return true;
}

/* Bytes but for what relocations and the distance of a branch fill in: those are compared by what they lead to. */
static bool
same_bytes(const comparison *c, guint a, guint b)
{
	const hd_instruction *x = instruction_at(&c->old, a), *y = instruction_at(&c->now, b);
	const guint8 *p = c->old.atom->bytes + start_of(&c->old, a), *q = c->now.atom->bytes + start_of(&c->now, b);
	if (x->length != y->length || x->flow != y->flow || x->field != y->field || x->field_size != y->field_size)
		return false;
	bool leads = target_of(&c->old, a) != G_MAXUINT;
	gsize until = leads ? x->field : x->length;
	return memcmp(p, q, until) == 0 && (!leads || memcmp(p + x->field + x->field_size, q + x->field + x->field_size,
							     (gsize)(x->length - x->field - x->field_size)) == 0);
}

static bool
same_instruction(const comparison *c, guint a, guint b)
{
	return same_bytes(c, a, b) && same_references(c, a, b) &&
	       (target_of(&c->old, a) == G_MAXUINT) == (target_of(&c->now, b) == G_MAXUINT);
}

/* The new instruction that an old one is paired with; G_MAXUINT: none. */
static guint
paired(const comparison *c, guint a)
{
	guint from_end = c->old.decoded->len - a;
	if (a < c->head)
		return a;
	return from_end <= c->tail ? c->now.decoded->len - from_end : G_MAXUINT;
}

/* As many as there were are paired one by one; else from both ends as far as they say the same. */
static void
pair(comparison *c)
{
	guint x = c->old.decoded->len, y = c->now.decoded->len, most = MIN(x, y);
	while (c->head < most && (x == y || same_instruction(c, c->head, c->head)))
		c->head++;
	while (c->tail < most - c->head && same_instruction(c, x - 1 - c->tail, y - 1 - c->tail))
		c->tail++;
}

static bool
differs(const comparison *c, guint a)
{
	guint b = paired(c, a), target = target_of(&c->old, a);
	if (b == G_MAXUINT || !same_instruction(c, a, b))
		return true;
	return target != G_MAXUINT && paired(c, target) != target_of(&c->now, b);
}

/* ---- what can be reached ---- */

/* lea disp(%rbp or %rsp), register: somebody may keep a pointer to an object in the frame, which has no name and
 * another size now (Intel SDM 2, "LEA", and 2.1.5, table 2-2). */
static bool
takes_frame_address(const listing *l, guint index)
{
	const guint8 *p = l->atom->bytes + start_of(l, index);
	if ((p[0] & 0xf0) == 0x40)
		p++;
	guint8 mode = p[1] >> 6, base = p[1] & 7;
	return instruction_at(l, index)->length >= 3 && p[0] == 0x8d && mode != 0 && (base == 4 || base == 5);
}

static bool
reaches(const comparison *c, const bool *unsafe, guint a)
{
	guint target = target_of(&c->old, a), last = c->old.decoded->len - 1;
	switch (instruction_at(&c->old, a)->flow) {
	case HD_FLOW_RETURN:
		return false;
	case HD_FLOW_INDIRECT_JUMP:
		return true;
	case HD_FLOW_JUMP:
		return target != G_MAXUINT ? unsafe[target] : !has_reloc(&c->old, a);
	case HD_FLOW_BRANCH:
		if (target != G_MAXUINT ? unsafe[target] : !has_reloc(&c->old, a))
			return true;
		break;
	default:
		break;
	}
	return a < last && unsafe[a + 1];
}

static void
spread(const comparison *c, bool *unsafe)
{
	bool again = true;
	while (again) {
		again = false;
		for (guint i = c->old.decoded->len; i > 0; i--)
			if (!unsafe[i - 1] && reaches(c, unsafe, i - 1))
				again = unsafe[i - 1] = true;
	}
}

static GArray *
ranges(const comparison *c, const bool *unsafe)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(hd_unsafe));
	for (guint i = 0; i < c->old.decoded->len; i++) {
		hd_unsafe range = {start_of(&c->old, i), start_of(&c->old, i + 1)};
		if (!unsafe[i])
			continue;
		if (i > 0 && unsafe[i - 1])
			g_array_index(out, hd_unsafe, out->len - 1).end = range.end;
		else
			g_array_append_val(out, range);
	}
	return out;
}

static GArray *
find_unsafe(comparison *c)
{
	bool *unsafe = g_new0(bool, c->old.decoded->len + 1), frame = false;
	pair(c);
	for (guint i = 0; i < c->old.decoded->len; i++) {
		unsafe[i] = differs(c, i);
		frame |= unsafe[i] && takes_frame_address(&c->old, i);
	}
	spread(c, unsafe);
	GArray *out = frame ? NULL : ranges(c, unsafe);
	g_free(unsafe);
	return out;
}

GArray *
hd_resume_unsafe(const hd_diff *diff, guint new_atom, hd_resume_moved *moved, void *data)
{
	guint old_atom = hd_diff_old_of(diff, new_atom);
	comparison c = {.diff = diff, .moved = moved, .data = data};
	if (old_atom == HD_NONE || !hd_diff_old(diff))
		return NULL;
	const hd_atom *old = hd_object_atom(hd_diff_old(diff), old_atom),
		      *now = hd_object_atom(hd_diff_now(diff), new_atom);
	if (old->kind != HD_ATOM_CODE || now->kind != HD_ATOM_CODE || !old->size || !now->size)
		return NULL;
	bool old_listed = list(&c.old, old), now_listed = list(&c.now, now);
	GArray *unsafe = old_listed && now_listed ? find_unsafe(&c) : NULL;
	listing_clear(&c.old);
	listing_clear(&c.now);
	return unsafe;
}

GArray *
hd_resume_returns(const guint8 *code, gsize size)
{
	GArray *returns = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint64 at = 0;
	while (at < size) {
		hd_instruction instruction;
		if (!hd_decode(code + at, size - at, &instruction)) {
			g_array_unref(returns);
			return NULL;
		}
		at += instruction.length;
		if (instruction.flow == HD_FLOW_CALL || instruction.flow == HD_FLOW_INDIRECT)
			g_array_append_val(returns, at);
	}
	return returns;
}
