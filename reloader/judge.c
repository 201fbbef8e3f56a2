/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Would the change break the program? Shapes and signatures by debug
 * information; deletions by what still refers to what is gone. */
#include "config.h"

#include "reloader/link/referrers.h"
#include "reloader/private.h"
#include "reloader/types/verdict.h"

#include <string.h>

hd_refusal *
hd_judge_unreadable(hd_refusal_code code, const hd_job *job, GError *error)
{
	hd_position where = {.file = job->copy->module->path};
	hd_refusal *refusal = hd_refusal_new(code, &where, "%s: %s", job->copy->module->name,
					     error ? error->message : "it has no debug information");
	refusal->module = g_strdup(job->copy->module->name);
	g_clear_error(&error);
	return refusal;
}

const hd_unit *
hd_judge_running_unit(const hd_copy *copy, GError **error)
{
	const hd_revision *whole = hd_copy_whole(copy);
	if (whole && whole->unit)
		return whole->unit;
	return copy->unit ? hd_image_unit_details(copy->home->image, copy->unit, error) : NULL;
}

/* ---- who else refers to a name ---- */

static const hd_object *
coming_object(const hd_update *update, const hd_copy *copy)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->copy == copy && job->object)
			return job->object;
	}
	return NULL;
}

/* Whether what the copy will run, once the update is live, refers to the name. */
static bool
will_use(const hd_update *update, const hd_copy *copy, const char *name)
{
	const hd_object *object = coming_object(update, copy);
	return object ? hd_object_refers_to(object, name) : hd_copy_uses(copy, name);
}

GArray *
hd_judge_entries(const hd_update *update)
{
	GArray *entries = g_array_new(FALSE, FALSE, sizeof(guint64));
	const GPtrArray *modules = update->reloader->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		const hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (!copy->unit || (!coming_object(update, copy) && !hd_copy_whole(copy)))
				continue;
			const GPtrArray *functions = hd_image_unit_functions(copy->home->image, copy->unit);
			for (guint f = 0; f < functions->len; f++) {
				const hd_image_symbol *symbol = g_ptr_array_index(functions, f);
				guint64 entry = copy->home->bias + symbol->address;
				g_array_append_val(entries, entry);
			}
		}
	}
	return entries;
}

static GPtrArray *
users_of(const hd_update *update, const hd_job *job, const char *name)
{
	hd_loaded *home = job->copy->home;
	const hd_image_symbol *symbol = hd_image_global(home->image, name);
	GArray *judged = hd_judge_entries(update);
	GPtrArray *users = symbol && symbol->kind != HD_SYMBOL_TLS
				   ? hd_referrers(home, home->bias + symbol->address,
						  home->bias + symbol->address + MAX(symbol->size, 1), judged)
				   : g_ptr_array_new_with_free_func(g_free);
	g_array_unref(judged);
	const GPtrArray *modules = update->reloader->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		const hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (copy != job->copy && will_use(update, copy, name))
				g_ptr_array_add(users, g_strdup(module->name));
		}
	}
	return users;
}

/* Defined by another module of the update, or elsewhere already: moved, not deleted. */
static bool
is_defined_elsewhere(const hd_update *update, const hd_job *job, const char *name)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *other = g_ptr_array_index(update->jobs, i);
		guint atom = other != job && other->object ? hd_object_find(other->object, name) : HD_NONE;
		if (atom != HD_NONE && hd_object_atom(other->object, atom)->binding != HD_BIND_LOCAL)
			return true;
	}
	return false;
}

/* "draw.c, answer": new string. */
static char *
listed(GPtrArray *users)
{
	GString *list = g_string_new(NULL);
	for (guint i = 0; i < users->len; i++)
		g_string_append_printf(list, "%s%s", i ? ", " : "", (char *)g_ptr_array_index(users, i));
	return g_string_free(list, FALSE);
}

static hd_refusal *
used_elsewhere(const hd_job *job, hd_refusal_code code, const char *name, const char *what, GPtrArray *users)
{
	char *list = listed(users);
	hd_position where = {.file = job->copy->module->path};
	hd_refusal *refusal = hd_refusal_new(code, &where, "%s %s %s", name, what, list);
	refusal->module = g_strdup(job->copy->module->name);
	g_free(list);
	return refusal;
}

void
hd_judge_deletions(hd_update *update, hd_job *job, GPtrArray *refusals)
{
	hd_object *old = hd_diff_old(job->diff);
	for (guint i = 0; old && i < hd_object_n_atoms(old); i++) {
		const hd_atom *atom = hd_object_atom(old, i);
		if (!atom->name || atom->binding == HD_BIND_LOCAL || hd_diff_new_of(job->diff, i) != HD_NONE ||
		    hd_object_find(job->object, atom->name) != HD_NONE || is_defined_elsewhere(update, job, atom->name))
			continue;
		GPtrArray *users = users_of(update, job, atom->name);
		if (users->len)
			g_ptr_array_add(refusals, used_elsewhere(job, HD_REFUSE_DELETED, atom->name,
								 "is gone, and still used by", users));
		g_ptr_array_unref(users);
	}
}

/* ---- shapes and signatures ---- */

/* The new object's atom for a datum; HD_NONE: there is none. */
static guint
datum_atom(const hd_job *job, const char *key)
{
	for (guint i = 0; i < hd_object_n_atoms(job->object); i++) {
		const hd_atom *atom = hd_object_atom(job->object, i);
		if (!atom->name || atom->kind == HD_ATOM_CODE || atom->kind == HD_ATOM_STRING)
			continue;
		char *name = hd_plan_datum_key(job->object, i, job->unit);
		bool found = strcmp(name, key) == 0;
		g_free(name);
		if (found)
			return i;
	}
	return HD_NONE;
}

static bool
is_untouched(const hd_update *update, const hd_job *job, const char *key)
{
	hd_reloader *r = update->reloader;
	hd_datum *datum = hd_bindings_datum(job->copy->bindings, key);
	GBytes *initial = datum ? hd_bind_initial(datum, r->scope, r->target, job->copy->home) : NULL;
	if (!initial)
		return false;
	gsize size = g_bytes_get_size(initial);
	guint8 *now = g_malloc(size + 1);
	bool untouched = hd_target_read(r->target, 0, datum->address, now, size, NULL) &&
			 memcmp(now, g_bytes_get_data(initial, NULL), size) == 0;
	g_free(now);
	return untouched;
}

/* What no code of the unit ever writes, and a table of functions that the
 * program never wrote, are code rather than state: a longer one takes its place. */
static bool
is_no_state(const hd_update *update, const hd_job *job, const char *key)
{
	guint now = datum_atom(job, key);
	guint was = now == HD_NONE ? HD_NONE : hd_diff_old_of(job->diff, now);
	if (was == HD_NONE || !hd_diff_old(job->diff))
		return false;
	const hd_atom *atom = hd_object_atom(job->object, now);
	bool constant =
		atom->kind == HD_ATOM_CONST && hd_object_atom(hd_diff_old(job->diff), was)->kind == HD_ATOM_CONST;
	if (constant)
		return atom->binding == HD_BIND_LOCAL;
	return hd_plan_is_function_table(job->object, now) && is_untouched(update, job, key);
}

static bool
is_address_taken(const hd_job *job, const char *function)
{
	hd_object *old = hd_diff_old(job->diff);
	guint atom = old ? hd_object_find(old, function) : HD_NONE;
	return !old || (atom != HD_NONE && hd_plan_address_is_taken(old, atom));
}

/* A signature may change when every caller is in the unit and no pointer to the
 * function can be about: then old frames call the old body, and new ones the new. */
static bool
is_known_to_all_callers(const hd_update *update, const hd_job *job, hd_refusal *refusal)
{
	GPtrArray *users = users_of(update, job, refusal->subject);
	bool known = users->len == 0 && !is_address_taken(job, refusal->subject);
	if (users->len) {
		char *list = listed(users);
		char *reason = g_strdup_printf("%s; called by %s", refusal->reason, list);
		g_free(refusal->reason);
		refusal->reason = reason;
		g_free(list);
	}
	g_ptr_array_unref(users);
	return known;
}

static bool
can_live_with(const hd_update *update, const hd_job *job, hd_refusal *refusal)
{
	if (!refusal->subject)
		return false;
	switch (refusal->code) {
	case HD_REFUSE_VARIABLE_TYPE:
		return is_no_state(update, job, refusal->subject);
	case HD_REFUSE_SIGNATURE:
		return is_known_to_all_callers(update, job, refusal);
	default:
		return false;
	}
}

/* Static functions are no affair of other units, but of pointers to them. */
static void
judge_static_signatures(hd_job *job, const hd_unit *running, GPtrArray *refusals)
{
	for (guint i = 0; i < hd_object_n_atoms(job->object); i++) {
		const hd_atom *atom = hd_object_atom(job->object, i);
		if (atom->kind != HD_ATOM_CODE || !atom->name || atom->binding != HD_BIND_LOCAL ||
		    !hd_plan_signature_differs(running, job->unit, atom->name) || !is_address_taken(job, atom->name))
			continue;
		const hd_unit_function *function = hd_unit_function_named(job->unit, atom->name);
		hd_refusal *refusal = hd_refusal_new(
			HD_REFUSE_SIGNATURE, &function->where, "%s: %s becomes %s, and pointers to it may be stored",
			atom->name, hd_unit_function_named(running, atom->name)->signature, function->signature);
		refusal->module = g_strdup(job->copy->module->name);
		g_ptr_array_add(refusals, refusal);
	}
}

void
hd_judge_types(hd_update *update, hd_job *job, GPtrArray *refusals, GPtrArray *warnings)
{
	const char *module = job->copy->module->name;
	GError *error = NULL;
	const hd_unit *running = hd_judge_running_unit(job->copy, &error);
	if (!running && !job->copy->unit)
		return; /* it joins: nothing runs that it could disagree with */
	if (!running) {
		g_ptr_array_add(refusals, hd_judge_unreadable(HD_REFUSE_DEBUG_INFO, job, error));
		return;
	}
	hd_verdict *verdict = hd_verdict_new(running, job->unit);
	for (guint i = 0; i < verdict->refusals->len; i++) {
		hd_refusal *refusal = hd_refusal_copy(g_ptr_array_index(verdict->refusals, i));
		g_free(refusal->module);
		refusal->module = g_strdup(module);
		if (can_live_with(update, job, refusal) || hd_migrate_answers(update, job, running, refusal, refusals))
			hd_refusal_free(refusal);
		else
			g_ptr_array_add(refusals, refusal);
	}
	for (guint i = 0; i < verdict->changed->len; i++)
		hd_migrate_follow(update, job, running, g_ptr_array_index(verdict->changed, i));
	for (guint i = 0; i < verdict->warnings->len; i++)
		g_ptr_array_add(warnings, hd_refusal_copy(g_ptr_array_index(verdict->warnings, i)));
	hd_verdict_free(verdict);
	judge_static_signatures(job, running, refusals);
}

/* ---- constants ---- */

static bool
grows_elsewhere(const hd_job *job, guint index)
{
	const hd_atom *atom = hd_object_atom(job->object, index);
	if (atom->kind != HD_ATOM_CONST || !atom->name || atom->binding == HD_BIND_LOCAL ||
	    hd_diff_fate(job->diff, index) != HD_ATOM_CHANGED)
		return false;
	const hd_datum *datum = hd_bindings_datum(job->copy->bindings, atom->name);
	return datum && datum->size != atom->size;
}

void
hd_judge_constants(hd_update *update, hd_job *job, GPtrArray *refusals)
{
	for (guint i = 0; i < hd_object_n_atoms(job->object); i++) {
		const char *name = hd_object_atom(job->object, i)->name;
		GPtrArray *users = grows_elsewhere(job, i) ? users_of(update, job, name) : NULL;
		if (users && users->len)
			g_ptr_array_add(refusals, used_elsewhere(job, HD_REFUSE_CONST_SHARED, name,
								 "changed its size, and is used by", users));
		g_clear_pointer(&users, g_ptr_array_unref);
	}
}
