/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Living data whose shape an update changes: which they are, that nobody is
 * left who knows the old shape, and what each process' have to become.
 *
 * What hotdev can account for is migrated; anything else holds the edit. Every
 * unit that has the type must be in the update, and every body that was built
 * with the old shape must be off the stacks when the commit is made. */
#include "config.h"

#include "base/error.h"
#include "reloader/link/referrers.h"
#include "reloader/object/resume.h"
#include "reloader/private.h"

#include <string.h>

/* ---- what changes ---- */

typedef struct {
	char *key; /* of hd_migration_of_key */
	const hd_unit *running;
	hd_refusal *refusal; /* what is said where its objects cannot be accounted for */
} changed_type;

static void
changed_type_free(gpointer data)
{
	changed_type *type = data;
	g_free(type->key);
	hd_refusal_free(type->refusal);
	g_free(type);
}

static GPtrArray *
changed_types(hd_update *update)
{
	if (!update->changed_types)
		update->changed_types = g_ptr_array_new_with_free_func(changed_type_free);
	return update->changed_types;
}

static void
note_type(hd_update *update, const hd_unit *running, const hd_refusal *refusal)
{
	changed_type *type = g_new0(changed_type, 1);
	type->key = g_strdup(refusal->subject);
	type->running = running;
	type->refusal = hd_refusal_copy(refusal);
	g_ptr_array_add(changed_types(update), type);
}

static bool
is_thread_local(const hd_unit *unit, const char *key)
{
	const GPtrArray *variables = hd_unit_variables(unit);
	for (guint i = 0; i < variables->len; i++) {
		const hd_unit_variable *variable = g_ptr_array_index(variables, i);
		char *own = variable->tls ? hd_datum_key(variable->function, variable->name, variable->ordinal) : NULL;
		bool same = own && strcmp(own, key) == 0;
		g_free(own);
		if (same)
			return true;
	}
	return false;
}

bool
hd_migrate_answers(hd_update *update, hd_job *job, const hd_unit *running, const hd_refusal *refusal,
		   GPtrArray *refusals)
{
	if (!refusal->subject || update->kind == HD_UPDATE_PROMOTION)
		return false;
	if (refusal->code == HD_REFUSE_VARIABLE_TYPE) {
		update->reshapes |= !is_thread_local(running, refusal->subject);
		return !is_thread_local(running, refusal->subject);
	}
	if (refusal->code != HD_REFUSE_TYPE_LAYOUT)
		return false;
	hd_migration *migration = hd_migration_of_key(running, job->unit, refusal->subject, refusals);
	if (migration)
		note_type(update, running, refusal);
	update->reshapes |= migration != NULL;
	hd_migration_free(migration);
	return true;
}

/* ---- variables ---- */

static hd_refusal *cannot(const hd_job *job, const hd_position *where, const char *format, ...) G_GNUC_PRINTF(3, 4);

static hd_refusal *
cannot(const hd_job *job, const hd_position *where, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *reason = g_strdup_vprintf(format, ap);
	va_end(ap);
	hd_refusal *refusal = hd_refusal_new(HD_REFUSE_LIVE_DATA, where, "%s", reason);
	refusal->module = g_strdup(job->copy->module->name);
	g_free(reason);
	return refusal;
}

static bool
is_state(const hd_unit_variable *variable)
{
	return !variable->declaration && !variable->constant && (variable->located || variable->scattered);
}

/* NULL: it keeps its shape, or is refused. */
static hd_migration *
migration_of(const hd_job *job, const hd_unit *running, const hd_unit_variable *variable, GPtrArray *refusals)
{
	const hd_unit_variable *now =
		hd_unit_variable_named(job->unit, variable->function, variable->name, variable->ordinal);
	if (!is_state(variable) || !now || now->declaration || now->constant)
		return NULL;
	hd_migration *migration = hd_migration_of_variable(running, job->unit, variable->function, variable->name,
							   variable->ordinal, refusals);
	bool keeps = !migration || hd_migration_is_identity(migration);
	if (!keeps && variable->tls)
		g_ptr_array_add(refusals, cannot(job, &now->where,
						 "%s is thread-local: every thread has one, and they are not migrated",
						 variable->name));
	if (!keeps && !variable->tls)
		return migration;
	hd_migration_free(migration);
	return NULL;
}

/* Its size in bytes, and what is behind the end that its type counts. */
static guint64
size_after(const hd_migration *migration, const hd_datum *datum)
{
	return hd_migration_new_size(migration, hd_migration_tail(migration, datum->size));
}

static void
add_reshape(hd_update *update, hd_job *job, const hd_unit_variable *variable, hd_migration *migration,
	    GPtrArray *refusals)
{
	char *key = hd_datum_key(variable->function, variable->name, variable->ordinal);
	const hd_datum *datum = hd_bindings_datum(job->copy->bindings, key);
	if (!datum) {
		g_ptr_array_add(refusals, cannot(job, &variable->where, "where %s is cannot be told", key));
		hd_migration_free(migration);
		g_free(key);
		return;
	}
	if (variable->external && size_after(migration, datum) > datum->size)
		g_hash_table_add(update->moved, g_strdup(variable->name));
	g_hash_table_insert(job->reshapes, key, migration);
}

static void
collect_variables(hd_update *update, hd_job *job, GPtrArray *refusals)
{
	const hd_unit *running = hd_judge_running_unit(job->copy, NULL);
	if (!running || !job->unit)
		return;
	job->reshapes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)hd_migration_free);
	const GPtrArray *variables = hd_unit_variables(running);
	for (guint i = 0; i < variables->len; i++) {
		const hd_unit_variable *variable = g_ptr_array_index(variables, i);
		hd_migration *migration = migration_of(job, running, variable, refusals);
		if (migration)
			add_reshape(update, job, variable, migration, refusals);
	}
}

/* ---- who else is concerned ---- */

static bool
refers_to_moved(const hd_update *update, const hd_object *object)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, update->moved);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (hd_object_refers_to(object, name))
			return true;
	return false;
}

static const hd_job *
job_of(const hd_update *update, const hd_copy *copy)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->copy == copy && job->object)
			return job;
	}
	return NULL;
}

/* The same type, as it was: a unit that was not saved, and has it in a text of its own. */
static bool
has_old_shape(const changed_type *type, const hd_unit *unit)
{
	GPtrArray *ignored = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	hd_migration *migration = hd_migration_of_key(type->running, unit, type->key, ignored);
	bool same = migration && hd_migration_is_identity(migration);
	hd_migration_free(migration);
	g_ptr_array_unref(ignored);
	return same;
}

static void
judge_bystander(const hd_update *update, const hd_copy *copy, GPtrArray *refusals)
{
	const hd_job *first = g_ptr_array_index(update->jobs, 0);
	const hd_unit *unit = hd_judge_running_unit(copy, NULL);
	GHashTableIter iter;
	gpointer name;
	for (guint i = 0; unit && update->changed_types && i < update->changed_types->len; i++) {
		const changed_type *type = g_ptr_array_index(update->changed_types, i);
		if (has_old_shape(type, unit))
			g_ptr_array_add(refusals, cannot(first, &type->refusal->where,
							 "%s has %s as it was, and was not saved with it",
							 copy->module->name, strchr(type->key, '/') + 1));
	}
	g_hash_table_iter_init(&iter, update->moved);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (hd_copy_uses(copy, name))
			g_ptr_array_add(refusals, cannot(first, NULL,
							 "%s outgrows its place, and %s, which uses it, was "
							 "not saved with it",
							 (const char *)name, copy->module->name));
}

/* Code of the same file that no module has: of an object without debug information. */
static void
judge_strangers(const hd_update *update, const hd_job *job, GPtrArray *refusals)
{
	hd_loaded *home = job->copy->home;
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, update->moved);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		const hd_image_symbol *symbol = hd_image_global(home->image, name);
		if (!symbol || !g_hash_table_contains(job->reshapes, name))
			continue;
		GArray *known = hd_judge_entries(update);
		GPtrArray *users = hd_referrers(home, home->bias + symbol->address,
						home->bias + symbol->address + MAX(symbol->size, 1), known);
		if (users->len)
			g_ptr_array_add(refusals,
					cannot(job, NULL,
					       "%s outgrows its place, and %s, which uses it, cannot be "
					       "built anew",
					       (const char *)name, (const char *)g_ptr_array_index(users, 0)));
		g_ptr_array_unref(users);
		g_array_unref(known);
	}
}

static void
judge_others(const hd_update *update, GPtrArray *refusals)
{
	const GPtrArray *modules = update->reloader->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		const hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (!job_of(update, copy))
				judge_bystander(update, copy, refusals);
		}
	}
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->reshapes)
			judge_strangers(update, job, refusals);
	}
}

/* ---- the heap ---- */

/* Objects that no variable holds. */
static void
judge_heap(const hd_update *update, GPtrArray *refusals)
{
	for (guint i = 0; update->changed_types && i < update->changed_types->len; i++) {
		const changed_type *type = g_ptr_array_index(update->changed_types, i);
		if (!hd_reach_has_pointer(type->running, type->key))
			continue;
		g_ptr_array_add(refusals, hd_refusal_copy(type->refusal));
	}
}

/* ---- before the commit ---- */

void
hd_migrate_prepare(hd_update *update, GPtrArray *refusals)
{
	if (!update->reshapes || refusals->len)
		return;
	update->moved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		hd_refusal *refusal = job->object ? hd_apply_examine(update, job) : NULL;
		if (refusal)
			g_ptr_array_add(refusals, refusal);
		else if (job->object)
			collect_variables(update, job, refusals);
	}
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		job->relinks = job->object && ((job->reshapes && g_hash_table_size(job->reshapes)) ||
					       refers_to_moved(update, job->object));
	}
	judge_others(update, refusals);
	judge_heap(update, refusals);
}

void
hd_migrate_forget(hd_update *update)
{
	g_clear_pointer(&update->changed_types, g_ptr_array_unref);
	g_clear_pointer(&update->moved, g_hash_table_unref);
	update->reshapes = false;
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		g_clear_pointer(&job->reshapes, g_hash_table_unref);
		job->relinks = false;
	}
}

/* ---- at the commit ---- */

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

static bool
may_have_object_in_frame(const exclusion *e, const char *function)
{
	const GPtrArray *types = e->update->changed_types;
	for (guint i = 0; types && i < types->len; i++) {
		const changed_type *type = g_ptr_array_index(types, i);
		if (hd_reach_has_local(type->running, type->key, function))
			return true;
	}
	return false;
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

/* A frame of the function that is built anew may go on where all that it will still do is the same. NULL: nowhere. */
static GArray *
unsafe_parts(const exclusion *e, const old_code *code)
{
	const hd_revision *revision = e->job && code->name ? revision_of(e->copy, code->version) : NULL;
	guint atom = revision ? hd_object_find(e->job->object, code->name) : HD_NONE;
	const hd_diff *diff = atom != HD_NONE ? difference_from(e, revision) : NULL;
	guint was = diff ? hd_diff_old_of(diff, atom) : HD_NONE;
	if (was == HD_NONE || hd_object_atom(revision->object, was)->size != code->end - code->start ||
	    may_have_object_in_frame(e, code->name))
		return NULL;
	return hd_resume_unsafe(diff, atom, means_another, (void *)e);
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

static void
exclude_old_code(const hd_update *update, const hd_job *job, hd_commit *commit)
{
	GHashTable *diffs = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)hd_diff_free);
	exclude_other_shape(&(exclusion){update, job, job->copy, job->version, commit, diffs});
	g_hash_table_unref(diffs);
}

void
hd_migrate_exclude_other(const hd_copy *copy, int version, hd_commit *commit)
{
	exclude_other_shape(&(exclusion){NULL, NULL, copy, version, commit, NULL});
}

static bool
fits(const hd_migration_tally *tally, const char *key, char **why)
{
	if (tally->changed)
		*why = g_strdup_printf("%s has numbers that its new type cannot hold", key);
	else if (tally->unnamed)
		*why = g_strdup_printf("%s has values that the new enumeration does not name", key);
	return !*why;
}

/* What the process had there when the shape last changed; what was forked since has its parent's. */
static GBytes *
kept_of(const hd_linked_reshape *reshape, pid_t pid)
{
	GHashTableIter iter;
	gpointer kept = g_hash_table_lookup(reshape->kept, GINT_TO_POINTER(pid));
	g_hash_table_iter_init(&iter, reshape->kept);
	if (!kept && !g_hash_table_iter_next(&iter, NULL, &kept))
		return NULL;
	return kept;
}

static guint8 *
begin_with(GBytes *bytes, gsize size)
{
	guint8 *out = g_malloc0(size + 1);
	if (bytes)
		memcpy(out, g_bytes_get_data(bytes, NULL), MIN(size, g_bytes_get_size(bytes)));
	return out;
}

static bool
convert_forward(const hd_linked_reshape *reshape, pid_t pid, const guint8 *old, hd_moved *out, char **why)
{
	hd_migration_tally tally = {0};
	GError *error = NULL;
	GBytes *kept = kept_of(reshape, pid);
	*out = (hd_moved){.from = reshape->from,
			  .to = reshape->to,
			  .old_size = reshape->old_size,
			  .new_size = reshape->new_size,
			  .now = begin_with(kept ? kept : reshape->basis, reshape->new_size),
			  .name = reshape->key,
			  .shape = reshape};
	hd_migration_apply(reshape->migration, old, out->now, reshape->tail, &tally);
	if (fits(&tally, reshape->key, why) && hd_migration_validate(reshape->migration, old, reshape->tail, &error))
		return true;
	if (error)
		*why = g_strdup(error->message);
	g_clear_error(&error);
	g_free(out->now);
	return false;
}

static bool
convert_back(const hd_linked_reshape *reshape, pid_t pid, const guint8 *now, hd_moved *out, char **why)
{
	hd_migration_tally tally = {0};
	*out = (hd_moved){.from = reshape->to,
			  .to = reshape->from,
			  .old_size = reshape->new_size,
			  .new_size = reshape->old_size,
			  .now = begin_with(kept_of(reshape, pid), reshape->old_size),
			  .name = reshape->key,
			  .shape = reshape};
	hd_migration_reverse(reshape->migration, now, out->now, reshape->tail, &tally);
	if (fits(&tally, reshape->key, why))
		return true;
	g_free(out->now);
	return false;
}

static bool
convert_one(const hd_stopped *process, hd_linked_reshape *reshape, bool back, GArray *moved, char **why)
{
	pid_t pid = hd_stopped_pid(process);
	gsize size = back ? reshape->new_size : reshape->old_size;
	guint8 *bytes = g_malloc(size + 1);
	hd_moved out;
	bool good = hd_stopped_read(process, back ? reshape->to : reshape->from, bytes, size);
	if (!good)
		*why = g_strdup_printf("%s cannot be read", reshape->key);
	good = good && (back ? convert_back : convert_forward)(reshape, pid, bytes, &out, why);
	if (good) {
		g_array_append_val(moved, out);
		g_hash_table_replace(reshape->taken, GINT_TO_POINTER(pid), g_bytes_new(bytes, size));
	}
	g_free(bytes);
	return good;
}

static bool
convert_all(const hd_stopped *process, GArray *moved, void *data, char **why)
{
	const hd_reshaping *work = data;
	for (guint i = 0; i < work->linked->len; i++) {
		GArray *reshapes = hd_linked_reshapes(g_ptr_array_index(work->linked, i));
		for (guint n = 0; n < reshapes->len; n++)
			if (!convert_one(process, &g_array_index(reshapes, hd_linked_reshape, n), work->back, moved,
					 why))
				return false;
	}
	return true;
}

static bool
lands(const hd_moved *moved, guint64 old_offset, guint64 *new_offset, void *data)
{
	const hd_reshaping *work = data;
	const hd_linked_reshape *reshape = moved->shape;
	return (work->back ? hd_migration_landing_back : hd_migration_landing)(
		       reshape->migration, reshape->tail, old_offset, NULL, new_offset) == HD_LANDING_FOUND;
}

bool
hd_reshaping_stage(hd_reshaping *work, hd_commit *commit)
{
	bool any = false;
	for (guint i = 0; i < work->linked->len; i++)
		any |= hd_linked_reshapes(g_ptr_array_index(work->linked, i))->len > 0;
	if (any)
		hd_commit_reshape(commit, &(hd_reshape){convert_all, lands, work});
	return any;
}

void
hd_migrate_stage(hd_update *update, hd_reshaping *work, hd_commit *commit)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		if (!job->linked)
			continue;
		g_ptr_array_add(work->linked, job->linked);
		if (update->reshapes)
			exclude_old_code(update, job, commit);
	}
	hd_reshaping_stage(work, commit);
}
