/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/plan.h"

#include <elf.h>
#include <string.h>

bool
hd_plan_is_private(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_CODE && atom->name && atom->binding == HD_BIND_LOCAL && strchr(atom->name, '.');
}

bool
hd_plan_means_start(const hd_atom *from, const hd_reloc *reloc)
{
	switch (reloc->type) {
	case R_X86_64_64:
	case R_X86_64_32:
	case R_X86_64_32S:
		return reloc->addend == 0;
	case R_X86_64_PC32:
	case R_X86_64_PC64:
		/* In a table the field is relative to the table; only code carries the bias. */
		return from->kind == HD_ATOM_CODE && reloc->addend == -4;
	default:
		return reloc->addend == -4 || reloc->addend == 0;
	}
}

bool
hd_plan_is_label_table(const hd_object *object, guint index)
{
	const hd_atom *atom = hd_object_atom(object, index);
	if (atom->kind != HD_ATOM_DATA && atom->kind != HD_ATOM_CONST)
		return false;
	for (guint i = 0; i < atom->n_relocs; i++) {
		const hd_reloc *reloc = &atom->relocs[i];
		if (reloc->atom != HD_NONE && hd_object_atom(object, reloc->atom)->kind == HD_ATOM_CODE &&
		    !hd_plan_means_start(atom, reloc))
			return true;
	}
	return false;
}

bool
hd_plan_is_function_table(const hd_object *object, guint index)
{
	const hd_atom *atom = hd_object_atom(object, index);
	if (atom->kind != HD_ATOM_DATA || !atom->name || atom->binding != HD_BIND_LOCAL)
		return false;
	for (guint i = 0; i < atom->n_relocs; i++)
		if (atom->relocs[i].atom != HD_NONE &&
		    hd_object_atom(object, atom->relocs[i].atom)->kind == HD_ATOM_CODE)
			return true;
	return false;
}

bool
hd_plan_address_is_taken(const hd_object *object, guint target)
{
	for (guint a = 0; a < hd_object_n_atoms(object); a++) {
		const hd_atom *atom = hd_object_atom(object, a);
		const guint8 *code = atom->kind == HD_ATOM_CODE ? atom->bytes : NULL;
		for (guint i = 0; i < atom->n_relocs; i++) {
			const hd_reloc *reloc = &atom->relocs[i];
			if (reloc->atom == target &&
			    hd_arch_reference(reloc->type, code, atom->size, reloc->offset) != HD_REF_CALL)
				return true;
		}
	}
	return false;
}

bool
hd_plan_signature_differs(const hd_unit *running, const hd_unit *unit, const char *name)
{
	const hd_unit_function *before = running ? hd_unit_function_named(running, name) : NULL;
	const hd_unit_function *now = unit ? hd_unit_function_named(unit, name) : NULL;
	return before && now && g_strcmp0(before->shape, now->shape) != 0;
}

char *
hd_plan_datum_key(const hd_object *object, guint index, const hd_unit *unit)
{
	const hd_atom *atom = hd_object_atom(object, index);
	const hd_unit_variable *variable = NULL;
	if (unit && atom->section)
		variable = hd_unit_variable_at(unit, atom->section, atom->section_offset);
	if (variable)
		return hd_datum_key(variable->function, variable->name, variable->ordinal);
	return atom->binding == HD_BIND_LOCAL ? hd_atom_source_name(atom) : g_strdup(atom->name);
}

typedef struct {
	hd_plan *plan;
	const hd_diff *diff;
	const hd_object *object;
	const hd_unit *running, *unit;
	const hd_bindings *bindings;
	hd_plan_fitting fitting;
	GHashTable *reshapes, *moved;
} planner;

static const hd_atom *
atom_of(const planner *p, guint index)
{
	return hd_object_atom(p->object, index);
}

static bool
is_function(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_CODE && atom->name;
}

static const hd_datum *
bound_datum(const planner *p, guint index)
{
	char *key = hd_plan_datum_key(p->object, index, p->unit);
	const hd_datum *datum = hd_bindings_datum(p->bindings, key);
	g_free(key);
	return datum;
}

/* What was constant lies where nothing can be written; what was a variable may have been. */
static bool
changes_writability(const planner *p, guint index)
{
	guint was = hd_diff_old_of(p->diff, index);
	if (was == HD_NONE || !hd_diff_old(p->diff))
		return false;
	return (hd_object_atom(hd_diff_old(p->diff), was)->kind == HD_ATOM_CONST) !=
	       (atom_of(p, index)->kind == HD_ATOM_CONST);
}

/* An object of another shape that no longer fits where it is. */
static bool
outgrows_its_room(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	if (!p->reshapes || !atom->name)
		return false;
	char *key = hd_plan_datum_key(p->object, index, p->unit);
	const hd_datum *datum = g_hash_table_contains(p->reshapes, key) ? hd_bindings_datum(p->bindings, key) : NULL;
	g_free(key);
	return datum && datum->size < atom->size;
}

/* A writable datum that cannot go on where it is: a table of functions that grew, a former constant. */
static bool
needs_new_room(const planner *p, guint index)
{
	if (outgrows_its_room(p, index))
		return true;
	const hd_atom *atom = atom_of(p, index);
	const hd_datum *datum = hd_plan_is_function_table(p->object, index) ? bound_datum(p, index) : NULL;
	bool writable = atom->name && (atom->kind == HD_ATOM_DATA || atom->kind == HD_ATOM_ZERO) &&
			!hd_plan_is_label_table(p->object, index);
	return (datum && datum->size != atom->size) || (writable && changes_writability(p, index));
}

/* A named datum that the program has: new content of the same size is written
 * where it is, so that pointers to it stay good and compare equal. */
static bool
keeps_its_place(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	if (!atom->name || hd_plan_is_label_table(p->object, index))
		return false;
	/* Nothing to compare with: a table of addresses is taken as it is now. */
	if (!hd_diff_old(p->diff) && atom->kind == HD_ATOM_CONST && atom->n_relocs)
		return false;
	const hd_datum *datum = bound_datum(p, index);
	return datum && datum->size == atom->size && !changes_writability(p, index);
}

/* Something whose users hold its old address, and which is going to have a new one. */
static bool
moves(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	if (p->plan->lineage[index] || p->plan->renew[index])
		return true;
	if (hd_diff_fate(p->diff, index) != HD_ATOM_CHANGED)
		return false;
	return hd_plan_is_private(atom) || (atom->kind == HD_ATOM_CONST && atom->name && !keeps_its_place(p, index));
}

static bool
refers_to_moving(const planner *p, const hd_atom *atom)
{
	for (guint i = 0; i < atom->n_relocs; i++) {
		const hd_reloc *reloc = &atom->relocs[i];
		if (reloc->atom != HD_NONE
			    ? moves(p, reloc->atom)
			    : p->moved && g_hash_table_contains(p->moved,
								hd_object_external(p->object, reloc->external)->name))
			return true;
	}
	return false;
}

/* Some caller in the old object differs in the new one: a frame of it may call
 * by assumptions that the new code no longer keeps. */
static bool
an_old_caller_changes(const planner *p, guint target)
{
	hd_object *old = hd_diff_old(p->diff);
	guint was = hd_diff_old_of(p->diff, target);
	if (!old || was == HD_NONE)
		return false;
	for (guint a = 0; a < hd_object_n_atoms(old); a++) {
		const hd_atom *atom = hd_object_atom(old, a);
		guint now = hd_diff_new_of(p->diff, a);
		if (a == was || atom->kind != HD_ATOM_CODE || (now != HD_NONE && !p->plan->place[now]))
			continue;
		for (guint i = 0; i < atom->n_relocs; i++)
			if (atom->relocs[i].atom == was)
				return true;
	}
	return false;
}

/* An entry is good for exactly those callers that its code was made for, when
 * the signature differs, and when the compiler may have fitted a static function
 * to the callers it saw (constants, dead parameters). */
static bool
begins_lineage(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	if (!is_function(atom) || hd_plan_is_private(atom) || hd_diff_fate(p->diff, index) != HD_ATOM_CHANGED)
		return false;
	if (hd_plan_signature_differs(p->running, p->unit, atom->name) && strcmp(atom->name, "main") != 0)
		return true;
	return p->fitting == HD_PLAN_ALL_FITTED && atom->binding == HD_BIND_LOCAL &&
	       !hd_plan_address_is_taken(p->object, index) && an_old_caller_changes(p, index);
}

/* A weak definition that lost to another module's, and an IFUNC's resolver,
 * whose choice was made at the start, are not ours to replace. */
static bool
is_decided_elsewhere(const planner *p, const hd_atom *atom)
{
	return atom->ifunc || (atom->binding == HD_BIND_WEAK && hd_diff_old(p->diff) &&
			       !hd_bindings_function(p->bindings, atom->name));
}

/* Upwards: users of what moves switch too. */
static void
close_upwards(planner *p)
{
	bool again = true;
	while (again) {
		again = false;
		for (guint i = 0; i < p->plan->n_atoms; i++) {
			const hd_atom *atom = atom_of(p, i);
			if (atom->kind == HD_ATOM_CODE && !p->plan->place[i] && !is_decided_elsewhere(p, atom) &&
			    refers_to_moving(p, atom))
				again = p->plan->place[i] = true;
			if (p->plan->place[i] && !p->plan->lineage[i] && begins_lineage(p, i))
				again = p->plan->lineage[i] = true;
		}
	}
}

/* What placed code refers to and cannot find in the program comes with it. */
/* Static, and still the program's own body, which may be fitted to callers that change now. */
static bool
is_fitted_original(const planner *p, const hd_atom *atom, const hd_function *function)
{
	const hd_body *body = function ? hd_function_current(function) : NULL;
	return p->fitting == HD_PLAN_ORIGINAL_FITTED && atom->binding == HD_BIND_LOCAL && body && body->version == 0;
}

/* The compiler put its value where it was used, and left it out: code that needs it in memory has its own. */
static bool
is_folded_constant(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	const hd_unit_variable *variable =
		p->running && atom->name ? hd_unit_variable_named(p->running, NULL, atom->name, 0) : NULL;
	return variable && variable->constant && !variable->external && !bound_datum(p, index);
}

static bool
comes_along(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	const hd_function *function = atom->name ? hd_bindings_function(p->bindings, atom->name) : NULL;
	switch (atom->kind) {
	case HD_ATOM_CODE:
		return !is_decided_elsewhere(p, atom) &&
		       (!atom->name || hd_plan_is_private(atom) || !function || is_fitted_original(p, atom, function));
	case HD_ATOM_STRING:
		return true;
	case HD_ATOM_CONST:
		return !keeps_its_place(p, index);
	case HD_ATOM_DATA:
		return hd_plan_is_label_table(p->object, index) || is_folded_constant(p, index);
	default:
		return false;
	}
}

/* A datum whose content the update brings. */
static bool
will_be_written(const planner *p, guint index)
{
	const hd_atom *atom = atom_of(p, index);
	return atom->name && (atom->kind == HD_ATOM_DATA || atom->kind == HD_ATOM_CONST) &&
	       hd_diff_fate(p->diff, index) != HD_ATOM_SAME && !(!hd_diff_old(p->diff) && keeps_its_place(p, index));
}

static void
close_downwards(planner *p)
{
	GArray *work = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < p->plan->n_atoms; i++)
		if (p->plan->place[i] || will_be_written(p, i))
			g_array_append_val(work, i);
	while (work->len) {
		const hd_atom *atom = atom_of(p, g_array_index(work, guint, work->len - 1));
		g_array_set_size(work, work->len - 1);
		for (guint i = 0; i < atom->n_relocs; i++) {
			guint target = atom->relocs[i].atom;
			if (target == HD_NONE || p->plan->place[target] || !comes_along(p, target))
				continue;
			p->plan->place[target] = true;
			g_array_append_val(work, target);
		}
	}
	g_array_unref(work);
}

static gint
by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
report(GPtrArray *names, char *name)
{
	if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		g_free(name);
	else
		g_ptr_array_add(names, name);
}

static void
report_differences(planner *p)
{
	for (guint i = 0; i < p->plan->n_atoms; i++) {
		const hd_atom *atom = atom_of(p, i);
		if (!atom->name || hd_diff_fate(p->diff, i) == HD_ATOM_SAME)
			continue;
		if (atom->kind == HD_ATOM_CODE)
			report(p->plan->functions, hd_atom_source_name(atom));
		else if (atom->kind != HD_ATOM_STRING && !hd_plan_is_label_table(p->object, i) &&
			 !g_str_has_prefix(atom->name, "__func__") && !g_str_has_prefix(atom->name, "__FUNCTION__") &&
			 !g_str_has_prefix(atom->name, "__PRETTY_FUNCTION__"))
			report(p->plan->data, hd_plan_datum_key(p->object, i, p->unit));
	}
	g_ptr_array_sort(p->plan->functions, by_name);
	g_ptr_array_sort(p->plan->data, by_name);
}

hd_plan *
hd_plan_new(const hd_plan_request *request)
{
	const hd_diff *diff = request->diff;
	GHashTable *also = request->also;
	hd_object *object = hd_diff_now(diff);
	hd_plan *plan = g_new0(hd_plan, 1);
	plan->n_atoms = hd_object_n_atoms(object);
	plan->place = g_new0(bool, plan->n_atoms + 1);
	plan->lineage = g_new0(bool, plan->n_atoms + 1);
	plan->renew = g_new0(bool, plan->n_atoms + 1);
	plan->functions = g_ptr_array_new_with_free_func(g_free);
	plan->data = g_ptr_array_new_with_free_func(g_free);
	planner p = {plan,
		     diff,
		     object,
		     request->running,
		     request->unit,
		     request->bindings,
		     request->fitting,
		     request->reshapes,
		     request->moved};
	for (guint i = 0; i < plan->n_atoms; i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		plan->renew[i] = needs_new_room(&p, i);
		bool switches = hd_diff_fate(diff, i) != HD_ATOM_SAME ||
				(also && atom->name && g_hash_table_contains(also, atom->name));
		plan->place[i] = is_function(atom) && switches && !is_decided_elsewhere(&p, atom);
	}
	close_upwards(&p);
	close_downwards(&p);
	report_differences(&p);
	return plan;
}

void
hd_plan_free(hd_plan *plan)
{
	if (!plan)
		return;
	g_free(plan->place);
	g_free(plan->lineage);
	g_free(plan->renew);
	g_ptr_array_unref(plan->functions);
	g_ptr_array_unref(plan->data);
	g_free(plan);
}
