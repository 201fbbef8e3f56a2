/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where nobody may be when data change their shape: in code that was built with
 * the old one, and would go on using it. */
#include "config.h"

#include "reloader/object/resume.h"
#include "reloader/private.h"

#include <string.h>

typedef struct {
	const hd_update *update; /* NULL, as the job: an undo */
	const hd_job *job;
	const hd_copy *copy;
	int version; /* of the copy, that comes or goes */
	hd_commit *commit;
	GHashTable *diffs; /* hd_revision * -> hd_diff *; NULL: an undo */
} exclusion;

typedef struct {
	const char *name; /* NULL: none */
	guint64 start, end;
	int version;
} old_code;

/* The function that a compiler's part or clone ("f.part.0") was made of; NULL: none. */
static const hd_function *
parent_of(const hd_copy *copy, const char *name)
{
	char *source = g_strndup(name, strcspn(name, "."));
	const hd_function *function = hd_bindings_function(copy->bindings, source);
	g_free(source);
	return function;
}

static bool
has_body_of(const hd_function *function, int version)
{
	for (guint i = 0; i < function->bodies->len; i++)
		if (g_array_index(function->bodies, hd_body, i).version == version)
			return true;
	return false;
}

static bool
part_stays(const exclusion *e, const old_code *code, const hd_body *parent)
{
	bool with_parent = !parent || parent->version == code->version;
	if (!e->job)
		return with_parent && code->version != e->version;
	guint atom = hd_object_find(e->job->object, code->name);
	return with_parent && atom != HD_NONE && !e->job->plan->place[atom] &&
	       hd_diff_fate(e->job->diff, atom) == HD_ATOM_SAME;
}

/* Whether it is in force afterwards: then it knows the new shape, or none. */
static bool
stays(const exclusion *e, const old_code *code)
{
	if (!code->name)
		return false;
	const hd_function *function = hd_bindings_function(e->copy->bindings, code->name);
	const hd_function *parent = function ? function : parent_of(e->copy, code->name);
	const hd_body *current = parent ? hd_function_current(parent) : NULL;
	if (!function)
		return part_stays(e, code, current);
	return (current && current->start == code->start) || (!e->job && !has_body_of(function, e->version));
}

/* What the reference means has moved, or is another function by now whose old body is called under its old entry. */
static bool
means_another(const hd_reloc *reloc, void *data)
{
	const exclusion *e = data;
	const hd_plan *plan = e->job->plan;
	if (reloc->atom == HD_NONE)
		return g_hash_table_contains(e->update->moved,
					     hd_object_external(e->job->object, reloc->external)->name);
	const hd_atom *atom = hd_object_atom(e->job->object, reloc->atom);
	return plan->renew[reloc->atom] || plan->lineage[reloc->atom] ||
	       (hd_plan_is_private(atom) && hd_diff_fate(e->job->diff, reloc->atom) != HD_ATOM_SAME);
}

static const hd_revision *
revision_of(const hd_copy *copy, int version)
{
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		if (revision->version == version && !revision->instant)
			return revision;
	}
	return NULL;
}

/* What differs between an older version, in which some frame still is, and what comes. */
static const hd_diff *
difference_from(const exclusion *e, const hd_revision *revision)
{
	if (hd_diff_old(e->job->diff) == revision->object)
		return e->job->diff;
	hd_diff *diff = g_hash_table_lookup(e->diffs, revision);
	if (!diff) {
		diff = hd_diff_new(revision->object, e->job->object);
		g_hash_table_insert(e->diffs, (gpointer)revision, diff);
	}
	return diff;
}

/* ---- the program's own code ---- */

/* One function as the program has it, and as it is compared: built with other options (-fPIC), from the same text. */
typedef struct {
	const hd_unit *own_unit, *unit;
	const hd_atom *atom;
	guint64 own_start; /* the file's address */
	GArray *own, *returns;
} twin;

static bool
is_same_line(const twin *t, guint64 own, guint64 other)
{
	hd_position a = {0}, b = {0};
	bool known = hd_unit_line(t->own_unit, 0, t->own_start + own - 1, &a) &&
		     hd_unit_line(t->unit, t->atom->section, t->atom->section_offset + other - 1, &b);
	bool same = known && a.line == b.line;
	hd_position_clear(&a);
	hd_position_clear(&b);
	return same;
}

static bool
is_paired(const twin *t)
{
	bool paired = t->own && t->returns && t->own->len == t->returns->len;
	for (guint i = 0; paired && i < t->own->len; i++)
		paired = is_same_line(t, g_array_index(t->own, guint64, i), g_array_index(t->returns, guint64, i));
	return paired;
}

static bool
is_within(const GArray *parts, guint64 offset)
{
	for (guint i = 0; i < parts->len; i++) {
		const hd_unsafe *part = &g_array_index(parts, hd_unsafe, i);
		if (offset >= part->start && offset < part->end)
			return true;
	}
	return false;
}

/* All but the points where a call returns to what is safe in its twin. */
static GArray *
between_returns(const twin *t, const GArray *parts, guint64 size)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(hd_unsafe));
	hd_unsafe part = {0, 0};
	for (guint i = 0; i < t->own->len; i++) {
		if (is_within(parts, g_array_index(t->returns, guint64, i)))
			continue;
		part.end = g_array_index(t->own, guint64, i);
		g_array_append_val(out, part);
		part.start = part.end + 2; /* exclude() begins one byte before */
	}
	part.end = size;
	if (part.start < part.end)
		g_array_append_val(out, part);
	return out;
}

/* Calls are paired in order, if there are as many and each stands in the same line. Takes parts. */
static GArray *
parts_of_own_code(const exclusion *e, const old_code *code, const hd_revision *revision, guint was, GArray *parts)
{
	hd_loaded *home = e->copy->home;
	guint64 size = code->end - code->start;
	guint8 *bytes = g_malloc(size + 1);
	twin t = {.own_unit = e->copy->unit ? hd_image_unit_details(home->image, e->copy->unit, NULL) : NULL,
		  .unit = revision->unit,
		  .atom = hd_object_atom(revision->object, was),
		  .own_start = code->start - home->bias};
	GArray *out = NULL;
	if (t.own_unit && t.unit && code->version == 0 && hd_image_bytes(home->image, t.own_start, size, bytes)) {
		t.own = hd_resume_returns(bytes, size);
		t.returns = hd_resume_returns(t.atom->bytes, t.atom->size);
		out = is_paired(&t) ? between_returns(&t, parts, size) : NULL;
		g_clear_pointer(&t.own, g_array_unref);
		g_clear_pointer(&t.returns, g_array_unref);
	}
	g_array_unref(parts);
	g_free(bytes);
	return out;
}

/* ---- what a frame may still come to ---- */

/* A frame of the function that is built anew may go on where all that it will still do is the same. NULL: nowhere. */
static GArray *
unsafe_parts(const exclusion *e, const old_code *code)
{
	const hd_revision *revision = e->job && code->name ? revision_of(e->copy, code->version) : NULL;
	guint atom = revision ? hd_object_find(e->job->object, code->name) : HD_NONE;
	const hd_diff *diff = atom != HD_NONE ? difference_from(e, revision) : NULL;
	guint was = diff ? hd_diff_old_of(diff, atom) : HD_NONE;
	if (was == HD_NONE || hd_migrate_may_be_in_frame(e->update, code->name))
		return NULL;
	GArray *parts = hd_resume_unsafe(diff, atom, means_another, (void *)e);
	bool as_compared = hd_object_atom(revision->object, was)->size == code->end - code->start;
	return parts && !as_compared ? parts_of_own_code(e, code, revision, was, parts) : parts;
}

static void
exclude(const exclusion *e, const old_code *code)
{
	if (code->end <= code->start || stays(e, code))
		return;
	GArray *parts = unsafe_parts(e, code);
	if (!parts)
		hd_commit_exclude(e->commit, code->start, code->end, true);
	for (guint i = 0; parts && i < parts->len; i++) {
		const hd_unsafe *part = &g_array_index(parts, hd_unsafe, i);
		/* From inside the instruction before: only where the function begins may pointers lead. */
		hd_commit_exclude(e->commit, code->start + part->start - (part->start > 0), code->start + part->end - 1,
				  true);
	}
	if (parts)
		g_array_unref(parts);
}

static void
exclude_other_shape(const exclusion *e)
{
	const hd_copy *copy = e->copy;
	const GPtrArray *functions = copy->unit ? hd_image_unit_functions(copy->home->image, copy->unit) : NULL;
	for (guint i = 0; functions && i < functions->len; i++) {
		const hd_image_symbol *symbol = g_ptr_array_index(functions, i);
		guint64 start = copy->home->bias + symbol->address;
		exclude(e, &(old_code){symbol->name, start, start + symbol->size, 0});
	}
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		const GArray *code = revision->linked ? hd_linked_code(revision->linked) : NULL;
		for (guint c = 0; code && c < code->len; c++) {
			const hd_placed_code *placed = &g_array_index(code, hd_placed_code, c);
			exclude(e, &(old_code){hd_object_atom(revision->object, placed->atom)->name, placed->start,
					       placed->end, revision->version});
		}
	}
}

void
hd_oldcode_exclude(const hd_update *update, const hd_job *job, hd_commit *commit)
{
	GHashTable *diffs = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)hd_diff_free);
	exclude_other_shape(&(exclusion){update, job, job->copy, job->version, commit, diffs});
	g_hash_table_unref(diffs);
}

void
hd_oldcode_exclude_other(const hd_copy *copy, int version, hd_commit *commit)
{
	exclude_other_shape(&(exclusion){NULL, NULL, copy, version, commit, NULL});
}
