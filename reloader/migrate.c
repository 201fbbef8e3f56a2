/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Living data whose shape an update changes: which they are, and who has to be
 * built anew with them. What hotdev can account for is migrated; anything else
 * holds the edit. oldcode.c keeps the commit from an instant at which somebody
 * is in code that knows the old shape; reshape.c makes the new objects. */
#include "config.h"

#include "reloader/link/referrers.h"
#include "reloader/private.h"

#include <string.h>

/* ---- what changes ---- */

static void
changed_type_free(gpointer data)
{
	hd_changed_type *type = data;
	g_free(type->key);
	hd_migration_free(type->migration);
	hd_refusal_free(type->refusal);
	g_free(type);
}

/* The same type, as it was: a unit that was not saved, and has it in a text of its own. */
static bool
has_old_shape(const hd_changed_type *type, const hd_unit *unit)
{
	GPtrArray *ignored = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	hd_migration *migration = hd_migration_of_key(type->running, unit, type->key, ignored);
	bool same = migration && hd_migration_is_identity(migration);
	hd_migration_free(migration);
	g_ptr_array_unref(ignored);
	return same;
}

static bool
is_noted(const hd_update *update, const hd_unit *running, const char *key)
{
	for (guint i = 0; i < update->changed_types->len; i++) {
		const hd_changed_type *type = g_ptr_array_index(update->changed_types, i);
		if (strcmp(type->key, key) == 0 && has_old_shape(type, running))
			return true;
	}
	return false;
}

/* Takes the migration. */
static void
note_type(hd_update *update, const hd_unit *running, const hd_unit *built, const char *key, hd_migration *migration,
	  const hd_refusal *refusal)
{
	if (!update->changed_types)
		update->changed_types = g_ptr_array_new_with_free_func(changed_type_free);
	if (is_noted(update, running, key)) {
		hd_migration_free(migration);
		return;
	}
	hd_changed_type *type = g_new0(hd_changed_type, 1);
	type->key = g_strdup(key);
	type->running = running;
	type->built = built;
	type->migration = migration;
	type->refusal = refusal ? hd_refusal_copy(refusal) : NULL;
	g_ptr_array_add(update->changed_types, type);
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
	update->reshapes |= migration != NULL;
	if (migration)
		note_type(update, running, job->unit, refusal->subject, migration, refusal);
	return true;
}

void
hd_migrate_follow(hd_update *update, hd_job *job, const hd_unit *running, const char *key)
{
	GPtrArray *said = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	hd_migration *migration = update->reshapes ? hd_migration_of_key(running, job->unit, key, said) : NULL;
	if (migration)
		note_type(update, running, job->unit, key, migration, NULL);
	g_ptr_array_unref(said);
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

/* Its code may be the same; what its debug information says of types is not, and the next change begins with that. */
static bool
has_changed_type(const hd_update *update, const hd_job *job)
{
	const hd_unit *running = hd_judge_running_unit(job->copy, NULL);
	GPtrArray *ignored = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	bool found = false;
	for (guint i = 0; running && job->unit && update->changed_types && i < update->changed_types->len && !found;
	     i++) {
		const hd_changed_type *type = g_ptr_array_index(update->changed_types, i);
		hd_migration *migration = hd_migration_of_key(running, job->unit, type->key, ignored);
		found = migration && !hd_migration_is_identity(migration);
		hd_migration_free(migration);
	}
	g_ptr_array_unref(ignored);
	return found;
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

static void
judge_bystander(const hd_update *update, const hd_copy *copy, GPtrArray *refusals)
{
	const hd_job *first = g_ptr_array_index(update->jobs, 0);
	const hd_unit *unit = hd_judge_running_unit(copy, NULL);
	GHashTableIter iter;
	gpointer name;
	for (guint i = 0; unit && update->changed_types && i < update->changed_types->len; i++) {
		const hd_changed_type *type = g_ptr_array_index(update->changed_types, i);
		const char *tag = strchr(type->key, '/') + 1;
		if (type->refusal && has_old_shape(type, unit))
			g_ptr_array_add(refusals, cannot(first, &type->refusal->where,
							 "%s has %.*s as it was, and was not saved with it",
							 copy->module->name, (int)strcspn(tag, "#"), tag));
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
					       refers_to_moved(update, job->object) || has_changed_type(update, job));
	}
	judge_others(update, refusals);
	update->census_types = hd_census_types(update);
}

void
hd_migrate_forget(hd_update *update)
{
	g_clear_pointer(&update->changed_types, g_ptr_array_unref);
	g_clear_pointer(&update->moved, g_hash_table_unref);
	g_clear_pointer(&update->census_types, g_ptr_array_unref);
	update->reshapes = false;
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		g_clear_pointer(&job->reshapes, g_hash_table_unref);
		job->relinks = false;
	}
}

bool
hd_migrate_may_be_in_frame(const hd_update *update, const char *function)
{
	const GPtrArray *types = update->changed_types;
	for (guint i = 0; types && i < types->len; i++) {
		const hd_changed_type *type = g_ptr_array_index(types, i);
		if (hd_reach_has_local(type->running, type->key, function))
			return true;
	}
	return false;
}
