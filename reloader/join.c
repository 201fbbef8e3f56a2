/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources that are not in the program yet. One joins when it defines what a
 * changed module newly needs. That the compilation database names it is not
 * enough: it names those of every program that the project builds. */
#include "config.h"

#include "reloader/private.h"

#include <string.h>

static bool
is_c_source(const char *path)
{
	return g_str_has_suffix(path, ".c");
}

static bool
in_compdb(const hd_reloader *r, const char *path)
{
	return r->compdb && hd_compdb_names(r->compdb, path);
}

/* A command like that of a neighbour: what a makefile's pattern rule would say. */
static hd_command *
command_like(const hd_command *neighbour, const char *path)
{
	hd_command *command = g_new0(hd_command, 1);
	command->source = g_strdup(path);
	command->source_arg = g_strdup(path);
	command->directory = g_strdup(neighbour->directory);
	command->argv = g_strdupv(neighbour->argv);
	command->origin = neighbour->origin;
	command->origin_detail = g_strdup_printf("as for %s", neighbour->source);
	for (char **argument = command->argv; *argument; argument++) {
		if (strcmp(*argument, neighbour->source_arg) != 0)
			continue;
		g_free(*argument);
		*argument = g_strdup(path);
	}
	return command;
}

static const hd_command *
any_command(hd_reloader *r)
{
	for (guint m = 0; m < r->model->modules->len; m++) {
		const hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_command *command = hd_discover_command(r, g_ptr_array_index(module->copies, c), NULL);
			if (command)
				return command;
		}
	}
	return NULL;
}

static void
add_candidate(hd_reloader *r, const char *path)
{
	hd_command *command = NULL;
	if (in_compdb(r, path)) {
		hd_command_hints hints = {.source = path};
		command = hd_command_find(r->compdb, &hints, NULL);
	}
	const hd_command *neighbour = command ? NULL : any_command(r);
	if (!command && !neighbour)
		return;
	hd_loaded *program = g_ptr_array_index(hd_scope_loaded(r->scope), 0);
	hd_copy *copy = hd_module_add_copy(hd_model_add_module(r->model, path), program, NULL);
	copy->command = command ? command : command_like(neighbour, path);
	copy->module->view.command = copy->command;
}

void
hd_join_candidates(hd_update *update)
{
	hd_reloader *r = update->reloader;
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, update->work);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		if (is_c_source(path) && !hd_model_module(r->model, path))
			g_hash_table_add(r->strays, g_strdup(path));
	g_hash_table_iter_init(&iter, r->strays);
	while (g_hash_table_iter_next(&iter, &path, NULL)) {
		if (!hd_model_module(r->model, path)) /* else it is one of this update already */
			add_candidate(r, path);
		g_hash_table_add(update->work, g_strdup(path));
	}
}

static bool
is_candidate(const hd_job *job)
{
	return !job->copy->unit && !job->copy->revisions->len;
}

static bool
defines(hd_job *job, const char *name)
{
	if (!job->result || !job->result->ok)
		return false;
	if (!job->object)
		job->object = hd_object_parse(job->result->object, NULL);
	guint atom = job->object ? hd_object_find(job->object, name) : HD_NONE;
	return atom != HD_NONE && hd_object_atom(job->object, atom)->binding != HD_BIND_LOCAL;
}

/* A name that the object uses and nothing in the program defines. */
static bool
lacks(hd_reloader *r, const hd_job *job, const hd_external *external)
{
	hd_found found;
	return !external->weak && !hd_scope_lookup(r->scope, r->target, job->copy->home, external->name, &found);
}

static bool
is_needed_by(hd_update *update, hd_job *candidate, const hd_job *job)
{
	for (guint i = 0; job->object && i < hd_object_n_externals(job->object); i++) {
		const hd_external *external = hd_object_external(job->object, i);
		if (defines(candidate, external->name) && lacks(update->reloader, job, external)) {
			candidate->copy->home = job->copy->home;
			return true;
		}
	}
	return false;
}

static bool
is_needed(hd_update *update, hd_job *candidate)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job == candidate || (is_candidate(job) && !job->joins))
			continue;
		if (job->result && job->result->ok && !job->object)
			job->object = hd_object_parse(job->result->object, NULL);
		if (is_needed_by(update, candidate, job))
			return true;
	}
	return false;
}

void
hd_join_decide(hd_update *update)
{
	hd_reloader *r = update->reloader;
	bool again = true;
	while (again) {
		again = false;
		for (guint i = 0; i < update->jobs->len; i++) {
			hd_job *job = g_ptr_array_index(update->jobs, i);
			if (is_candidate(job) && !job->joins && is_needed(update, job))
				again = job->joins = true;
		}
	}
	for (guint i = update->jobs->len; i > 0; i--) {
		hd_job *job = g_ptr_array_index(update->jobs, i - 1);
		if (!is_candidate(job) || job->joins)
			continue;
		hd_module *module = job->copy->module;
		g_hash_table_remove(update->work, module->path);
		g_ptr_array_remove_index(update->jobs, i - 1);
		hd_model_remove_module(r->model, module);
	}
}

void
hd_join_settle(hd_update *update)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->joins)
			g_hash_table_remove(update->reloader->strays, job->copy->module->path);
	}
}

void
hd_join_withdraw(hd_update *update)
{
	hd_reloader *r = update->reloader;
	for (guint i = update->jobs->len; i > 0; i--) {
		hd_job *job = g_ptr_array_index(update->jobs, i - 1);
		if (!job->joins || !is_candidate(job))
			continue;
		hd_module *module = job->copy->module;
		g_ptr_array_remove_index(update->jobs, i - 1);
		hd_model_remove_module(r->model, module);
	}
}
