/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the parts of an object went, and where its pointers are. */
#include "config.h"

#include "reloader/types/steps.h"

#include <string.h>

/* ---- where something went ---- */

typedef struct {
	const hd_migration *migration;
	guint64 tail;
	const char *pointee;
	bool back; /* from the new object to the old one */
	bool found, retyped, ambiguous;
	guint64 offset;
} search;

static const hd_side *
side_from(const search *s, const hd_step *step)
{
	return s->back ? &step->now : &step->old;
}

static const hd_side *
side_to(const search *s, const hd_step *step)
{
	return s->back ? &step->old : &step->now;
}

static bool
is_wanted(const search *s, const char *type)
{
	return !s->pointee || strcmp(s->pointee, "void") == 0 || strcmp(s->pointee, type) == 0;
}

static void
propose(search *s, const char *type, guint64 offset, bool retyped)
{
	if (!is_wanted(s, type))
		return;
	s->ambiguous |= s->found && s->offset != offset;
	s->retyped |= retyped;
	s->found = true;
	s->offset = offset;
}

static bool
changes_type(const hd_step *step)
{
	return (step->kind == HD_STEP_INTEGER || step->kind == HD_STEP_FLOAT || step->kind == HD_STEP_ENUM) &&
	       step->old.width != step->now.width;
}

static void
search_leaf(search *s, const hd_step *step, guint64 offset, guint64 base)
{
	const hd_side *from = side_from(s, step), *there = side_to(s, step);
	guint64 at = from->at / 8, to = base + there->at / 8;
	if (from->at % 8 || there->at % 8 || offset < at || (offset - at) * 8 >= from->width)
		return;
	if (offset == at)
		propose(s, step->type, to, changes_type(step));
	else if (!changes_type(step) && (!s->pointee || strcmp(s->pointee, "void") == 0))
		propose(s, "void", to + (offset - at), false);
}

static void search_steps(search *s, guint first, guint end, guint64 offset, guint64 base);

static void
search_repeat(search *s, guint i, guint64 offset, guint64 base)
{
	const hd_step *step = &g_array_index(s->migration->steps, hd_step, i);
	const hd_side *from = side_from(s, step), *there = side_to(s, step);
	guint64 stride = from->width / 8, at = from->at / 8, to = base + there->at / 8;
	guint64 count = step->count == HD_TAIL ? s->tail : step->count;
	if (stride == 0 || offset < at || (offset - at) / stride >= count)
		return;
	if (offset == at)
		propose(s, step->type, to, false);
	search_steps(s, i + 1, i + 1 + step->body, (offset - at) % stride,
		     to + (offset - at) / stride * (there->width / 8));
}

static void
search_steps(search *s, guint first, guint end, guint64 offset, guint64 base)
{
	for (guint i = first; i < end; i++) {
		const hd_step *step = &g_array_index(s->migration->steps, hd_step, i);
		if (step->kind == HD_STEP_REPEAT) {
			search_repeat(s, i, offset, base);
			i += step->body;
		} else if (step->kind != HD_STEP_INSIDE) {
			if (step->kind != HD_STEP_OVERLAID)
				search_leaf(s, step, offset, base);
		} else if (offset == side_from(s, step)->at / 8) {
			propose(s, step->type, base + side_to(s, step)->at / 8, false);
		}
	}
}

static hd_landing
land(search *s, guint64 offset, guint64 *out)
{
	search_steps(s, 0, s->migration->steps->len, offset, 0);
	if (!s->found || s->ambiguous)
		return s->found ? HD_LANDING_AMBIGUOUS : HD_LANDING_NONE;
	*out = s->offset;
	return s->retyped ? HD_LANDING_RETYPED : HD_LANDING_FOUND;
}

hd_landing
hd_migration_landing(const hd_migration *migration, guint64 tail, guint64 old_offset, const char *pointee,
		     guint64 *new_offset)
{
	search s = {.migration = migration, .tail = tail, .pointee = pointee};
	return land(&s, old_offset, new_offset);
}

hd_landing
hd_migration_landing_back(const hd_migration *migration, guint64 tail, guint64 new_offset, const char *pointee,
			  guint64 *old_offset)
{
	search s = {.migration = migration, .tail = tail, .pointee = pointee, .back = true};
	return land(&s, new_offset, old_offset);
}

/* ---- pointers ---- */

typedef struct {
	hd_migration_visit *visit;
	void *data;
} pointer_visit;

static void
visit_pointer(const hd_step *step, guint64 old_base, guint64 new_base, void *data)
{
	const pointer_visit *v = data;
	if (step->kind != HD_STEP_POINTER && step->kind != HD_STEP_OVERLAID)
		return;
	hd_migration_pointer pointer = {.old_offset = old_base + step->old.at / 8,
					.new_offset = new_base + step->now.at / 8,
					.pointee = step->type,
					.overlaid = step->kind == HD_STEP_OVERLAID};
	v->visit(&pointer, v->data);
}

void
hd_migration_each_pointer(const hd_migration *migration, guint64 tail, hd_migration_visit *visit, void *data)
{
	pointer_visit v = {visit, data};
	hd_steps_walk(migration, tail, visit_pointer, &v);
}
