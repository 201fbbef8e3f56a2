/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/history/module.h"

#include <string.h>

/* ---- storage ---- */

static void
revision_free(hd_revision *revision)
{
	hd_object_unref(revision->object);
	if (revision->unit)
		hd_unit_free(revision->unit);
	hd_linked_free(revision->linked, false);
	g_free(revision);
}

static void
copy_free(hd_copy *copy)
{
	if (copy->command)
		hd_command_free(copy->command);
	g_free(copy->no_command);
	/* Revisions refer to the bindings. */
	g_ptr_array_unref(copy->revisions);
	hd_bindings_free(copy->bindings);
	hd_reading_free(copy->reading);
	hd_instant_unit_free(copy->instant);
	g_clear_pointer(&copy->dependencies, g_ptr_array_unref);
	g_free(copy);
}

static void
version_free(hd_version_view *version)
{
	g_free(version->compiler);
	g_ptr_array_unref(version->functions);
	g_ptr_array_unref(version->data);
	g_clear_pointer(&version->text, g_bytes_unref);
	g_free(version->kept);
	g_free(version);
}

static void
module_free(hd_module *module)
{
	g_ptr_array_unref(module->copies);
	g_ptr_array_unref(module->versions);
	g_clear_pointer(&module->view.original, g_bytes_unref);
	g_clear_pointer(&module->diagnostics, g_ptr_array_unref);
	hd_refusal_free(module->refusal);
	g_free(module->raw);
	g_free(module->unreloadable);
	g_free(module->not_instant);
	g_free(module->name);
	g_free(module->path);
	g_free(module);
}

static void
part_free(hd_part *part)
{
	hd_module_change_free(part->change);
	g_free(part);
}

static void
transaction_free(hd_transaction *transaction)
{
	g_ptr_array_unref(transaction->parts);
	g_ptr_array_unref(transaction->files);
	g_clear_pointer(&transaction->census, g_ptr_array_unref);
	g_free(transaction);
}

void
hd_thread_view_free(hd_thread_view *thread)
{
	g_free(thread->name);
	g_free(thread->code);
	hd_place_free(thread->place);
	g_clear_pointer(&thread->stack, g_ptr_array_unref);
	g_free(thread);
}

void
hd_process_view_free(hd_process_view *process)
{
	g_free(process->name);
	g_ptr_array_unref(process->threads);
	g_free(process);
}

hd_model *
hd_model_new(const char *program, char *const *argv)
{
	hd_model *model = g_new0(hd_model, 1);
	model->program = g_strdup(program);
	model->argv = g_strdupv((char **)argv);
	model->modules = g_ptr_array_new_with_free_func((GDestroyNotify)module_free);
	model->by_path = g_hash_table_new(g_str_hash, g_str_equal);
	model->processes = g_ptr_array_new_with_free_func((GDestroyNotify)hd_process_view_free);
	model->transactions = g_ptr_array_new_with_free_func((GDestroyNotify)transaction_free);
	model->idle = true;
	return model;
}

void
hd_model_reset(hd_model *model)
{
	g_ptr_array_set_size(model->transactions, 0);
	g_ptr_array_set_size(model->processes, 0);
	g_hash_table_remove_all(model->by_path);
	g_ptr_array_set_size(model->modules, 0);
	model->state = HD_PROGRAM_STARTING;
}

void
hd_model_free(hd_model *model)
{
	if (!model)
		return;
	g_ptr_array_unref(model->transactions);
	g_ptr_array_unref(model->processes);
	g_hash_table_unref(model->by_path);
	g_ptr_array_unref(model->modules);
	g_strfreev(model->argv);
	g_free(model->program);
	g_free(model->project);
	g_free(model);
}

/* ---- modules ---- */

char *
hd_model_relative(const hd_model *model, const char *path)
{
	gsize length = model->project ? strlen(model->project) : 0;
	if (length && strncmp(path, model->project, length) == 0 && path[length] == '/')
		return g_strdup(path + length + 1);
	return g_strdup(path);
}

hd_module *
hd_model_module(const hd_model *model, const char *path)
{
	return g_hash_table_lookup(model->by_path, path);
}

hd_module *
hd_model_named(const hd_model *model, const char *name)
{
	for (guint i = 0; i < model->modules->len; i++) {
		hd_module *module = g_ptr_array_index(model->modules, i);
		if (strcmp(module->name, name) == 0 || strcmp(module->path, name) == 0)
			return module;
	}
	return NULL;
}

static gint
by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(hd_module *const *)a)->name, (*(hd_module *const *)b)->name);
}

hd_module *
hd_model_add_module(hd_model *model, const char *path)
{
	hd_module *module = hd_model_module(model, path);
	if (module)
		return module;
	module = g_new0(hd_module, 1);
	module->path = g_strdup(path);
	module->name = hd_model_relative(model, path);
	module->copies = g_ptr_array_new_with_free_func((GDestroyNotify)copy_free);
	module->versions = g_ptr_array_new_with_free_func((GDestroyNotify)version_free);
	module->view.name = module->name;
	module->view.path = module->path;
	module->view.versions = module->versions;
	g_ptr_array_add(model->modules, module);
	g_hash_table_insert(model->by_path, module->path, module);
	g_ptr_array_sort(model->modules, by_name);
	return module;
}

void
hd_model_remove_module(hd_model *model, hd_module *module)
{
	g_hash_table_remove(model->by_path, module->path);
	g_ptr_array_remove(model->modules, module);
}

hd_copy *
hd_module_add_copy(hd_module *module, hd_loaded *home, const hd_image_unit *unit)
{
	hd_copy *copy = g_new0(hd_copy, 1);
	copy->module = module;
	copy->home = home;
	copy->unit = unit;
	copy->revisions = g_ptr_array_new_with_free_func((GDestroyNotify)revision_free);
	g_ptr_array_add(module->copies, copy);
	return copy;
}

hd_revision *
hd_copy_add_revision(hd_copy *copy, int version, hd_object *object, hd_unit *unit, hd_linked *linked)
{
	hd_revision *revision = g_new0(hd_revision, 1);
	revision->version = version;
	revision->object = hd_object_ref(object);
	revision->unit = unit;
	revision->linked = linked;
	guint at = copy->revisions->len;
	while (at > 0 && ((hd_revision *)g_ptr_array_index(copy->revisions, at - 1))->version > version)
		at--;
	g_ptr_array_insert(copy->revisions, (gint)at, revision);
	return revision;
}

static bool
is_undone(const hd_module *module, int number)
{
	const hd_version_view *version = hd_module_version(module, number);
	return version && version->undone;
}

hd_revision *
hd_copy_whole(const hd_copy *copy)
{
	for (guint i = copy->revisions->len; i > 0; i--) {
		hd_revision *revision = g_ptr_array_index(copy->revisions, i - 1);
		if (!revision->instant && !is_undone(copy->module, revision->version))
			return revision;
	}
	return NULL;
}

bool
hd_copy_has_version(const hd_copy *copy, int version)
{
	for (guint i = 0; i < copy->revisions->len; i++)
		if (((const hd_revision *)g_ptr_array_index(copy->revisions, i))->version == version)
			return true;
	return false;
}

bool
hd_copy_uses(const hd_copy *copy, const char *name)
{
	for (guint i = copy->revisions->len; i > 0; i--) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i - 1);
		if (is_undone(copy->module, revision->version))
			continue;
		if (hd_object_refers_to(revision->object, name))
			return true;
		if (!revision->instant)
			return false;
	}
	return false;
}

void
hd_module_set_errors(hd_module *module, GPtrArray *diagnostics, char *raw)
{
	g_clear_pointer(&module->diagnostics, g_ptr_array_unref);
	g_free(module->raw);
	module->diagnostics = diagnostics;
	module->raw = raw;
	module->view.diagnostics = diagnostics;
	module->view.raw = raw;
	if (diagnostics)
		module->view.state = HD_MODULE_ERROR;
}

void
hd_module_set_refusal(hd_module *module, hd_refusal *refusal)
{
	hd_refusal_free(module->refusal);
	module->refusal = refusal;
	module->view.refusal = refusal;
	if (refusal)
		module->view.state = HD_MODULE_HELD;
}

void
hd_module_set_not_instant(hd_module *module, char *why)
{
	g_free(module->not_instant);
	module->not_instant = why;
	module->view.not_instant = why;
}

void
hd_module_settle(hd_module *module)
{
	hd_module_set_errors(module, NULL, NULL);
	hd_module_set_refusal(module, NULL);
	const hd_version_view *newest =
		module->versions->len ? g_ptr_array_index(module->versions, module->versions->len - 1) : NULL;
	bool undone = newest && newest->undone;
	module->view.state = undone ? HD_MODULE_UNDONE : module->view.live > 0 ? HD_MODULE_LIVE : HD_MODULE_ORIGINAL;
	module->view.disk = module->view.live;
}

int
hd_module_next_version(const hd_module *module)
{
	if (!module->versions->len)
		return 1;
	return ((hd_version_view *)g_ptr_array_index(module->versions, module->versions->len - 1))->version + 1;
}

hd_version_view *
hd_module_add_version(hd_module *module, int transaction)
{
	hd_version_view *version = g_new0(hd_version_view, 1);
	for (guint i = 0; i < module->versions->len; i++)
		version->version =
			MAX(version->version, ((hd_version_view *)g_ptr_array_index(module->versions, i))->version);
	version->version++;
	version->transaction = transaction;
	version->wall_us = g_get_real_time();
	version->functions = g_ptr_array_new_with_free_func(g_free);
	version->data = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(module->versions, version);
	return version;
}

hd_version_view *
hd_module_version(const hd_module *module, int number)
{
	for (guint i = 0; i < module->versions->len; i++) {
		hd_version_view *version = g_ptr_array_index(module->versions, i);
		if (version->version == number)
			return version;
	}
	return NULL;
}

void
hd_module_choose_live(hd_module *module)
{
	module->view.live = 0;
	module->view.compiler = NULL;
	for (guint i = 0; i < module->versions->len; i++) {
		const hd_version_view *version = g_ptr_array_index(module->versions, i);
		if (version->undone)
			continue;
		module->view.live = version->version;
		module->view.compiler = version->compiler;
	}
}

/* ---- transactions ---- */

hd_transaction *
hd_model_add_transaction(hd_model *model)
{
	hd_transaction *transaction = g_new0(hd_transaction, 1);
	transaction->files = g_ptr_array_new_with_free_func(g_free);
	transaction->number = ++model->generation;
	transaction->parts = g_ptr_array_new_with_free_func((GDestroyNotify)part_free);
	g_ptr_array_add(model->transactions, transaction);
	return transaction;
}

static bool
contains(const hd_transaction *transaction, const hd_module *module)
{
	for (guint i = 0; i < transaction->parts->len; i++)
		if (((hd_part *)g_ptr_array_index(transaction->parts, i))->module == module)
			return true;
	return !module;
}

hd_transaction *
hd_model_to_undo(const hd_model *model, const hd_module *module)
{
	for (guint i = model->transactions->len; i > 0; i--) {
		hd_transaction *transaction = g_ptr_array_index(model->transactions, i - 1);
		if (!transaction->undone && contains(transaction, module))
			return transaction;
	}
	return NULL;
}

/* What was undone last is redone first: the oldest undone that follows everything in force. */
hd_transaction *
hd_model_to_redo(const hd_model *model, const hd_module *module)
{
	hd_transaction *found = NULL;
	for (guint i = model->transactions->len; i > 0; i--) {
		hd_transaction *transaction = g_ptr_array_index(model->transactions, i - 1);
		if (!contains(transaction, module))
			continue;
		if (!transaction->undone)
			break;
		found = transaction;
	}
	return found;
}

void
hd_model_forget_undone(hd_model *model)
{
	for (guint i = model->transactions->len; i > 0; i--) {
		const hd_transaction *transaction = g_ptr_array_index(model->transactions, i - 1);
		if (transaction->undone)
			g_ptr_array_remove_index(model->transactions, i - 1);
	}
}

/* ---- getters ---- */

const GPtrArray *
hd_model_modules(const hd_model *model)
{
	return model->modules;
}

const GPtrArray *
hd_model_processes(const hd_model *model)
{
	return model->processes;
}

const char *
hd_model_program(const hd_model *model)
{
	return model->program;
}

char *const *
hd_model_argv(const hd_model *model)
{
	return model->argv;
}

const char *
hd_model_project(const hd_model *model)
{
	return model->project;
}

hd_program_state
hd_model_program_state(const hd_model *model)
{
	return model->state;
}

int
hd_model_exit_status(const hd_model *model)
{
	return model->exit_status;
}

int
hd_model_generation(const hd_model *model)
{
	return model->generation;
}

bool
hd_model_paused(const hd_model *model)
{
	return model->paused;
}

bool
hd_model_idle(const hd_model *model)
{
	return model->idle;
}

json_t *
hd_model_watcher(const hd_model *model)
{
	return model->watcher_status ? model->watcher_status(model->watcher_data) : json_object();
}
