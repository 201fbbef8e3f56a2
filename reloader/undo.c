/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking transactions back and putting them on again. What every entry must
 * hold follows from which bodies are undone; so both are one commit. */
#include "config.h"

#include "reloader/private.h"

#define UNDO_DEADLINE_MS 500

typedef struct {
	hd_commit *commit;
	hd_reshaping reshaping;
} undoing;

typedef void each_copy(hd_copy *copy, int version, bool undone, undoing *work);

static void
mark(hd_copy *copy, int version, bool undone, undoing *work)
{
	(void)work;
	hd_bindings_mark(copy->bindings, version, undone);
}

static void
redirect(hd_copy *copy, int version, bool undone, undoing *work)
{
	GHashTableIter iter;
	gpointer function;
	g_hash_table_iter_init(&iter, copy->bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &function))
		hd_function_redirect(function, work->commit);
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		if (revision->version != version || !revision->linked)
			continue;
		hd_linked_revert_data(revision->linked, work->commit, !undone);
		g_ptr_array_add(work->reshaping.linked, revision->linked);
	}
}

/* Where data change their shape, nobody may be in code that knows the other. */
static void
exclude(hd_copy *copy, int version, bool undone, undoing *work)
{
	(void)undone;
	hd_oldcode_exclude_other(copy, version, work->commit);
}

static void
settle(hd_copy *copy, int version, bool undone, undoing *work)
{
	(void)work;
	GHashTableIter iter;
	gpointer function;
	g_hash_table_iter_init(&iter, copy->bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &function))
		hd_function_redirected(function);
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		if (revision->version == version && revision->linked)
			hd_linked_reverted(revision->linked, !undone);
	}
	copy->text_unknown = true;
	g_clear_pointer(&copy->reading, hd_reading_free);
}

static void
for_each_copy(const hd_transaction *transaction, bool undone, undoing *work, each_copy *each)
{
	for (guint p = 0; p < transaction->parts->len; p++) {
		const hd_part *part = g_ptr_array_index(transaction->parts, p);
		for (guint c = 0; c < part->module->copies->len; c++) {
			hd_copy *copy = g_ptr_array_index(part->module->copies, c);
			if (copy->bindings && hd_copy_has_version(copy, part->version))
				each(copy, part->version, undone, work);
		}
	}
}

static void
record(hd_transaction *transaction, bool again, hd_event *event)
{
	transaction->undone = !again;
	for (guint p = 0; p < transaction->parts->len; p++) {
		const hd_part *part = g_ptr_array_index(transaction->parts, p);
		hd_module *module = part->module;
		for (guint i = 0; i < module->versions->len; i++) {
			hd_version_view *version = g_ptr_array_index(module->versions, i);
			if (version->version == part->version)
				version->undone = !again;
		}
		hd_module_choose_live(module);
		hd_module_settle(module);
		hd_module_change *change = g_new0(hd_module_change, 1);
		change->module = g_strdup(module->name);
		change->version = module->view.live;
		change->compiler = g_strdup(part->change->compiler);
		change->functions =
			g_ptr_array_copy(part->change->functions, (GCopyFunc)(void (*)(void))g_strdup, NULL);
		change->data = g_ptr_array_copy(part->change->data, (GCopyFunc)(void (*)(void))g_strdup, NULL);
		g_ptr_array_set_free_func(change->functions, g_free);
		g_ptr_array_set_free_func(change->data, g_free);
		g_ptr_array_add(event->modules, change);
	}
}

/* ---- a save after an undo ---- */

static bool
reads(const hd_update *update, const char *file)
{
	const GPtrArray *modules = update->reloader->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		const hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (hd_update_concerns(update, copy) && copy->dependencies &&
			    g_ptr_array_find_with_equal_func(copy->dependencies, file, g_str_equal, NULL))
				return true;
		}
	}
	return false;
}

static bool
join_files(hd_update *update)
{
	GHashTableIter iter;
	gpointer file;
	bool joined = false;
	g_hash_table_iter_init(&iter, update->reloader->taken_back);
	while (g_hash_table_iter_next(&iter, &file, NULL))
		if (!g_hash_table_contains(update->work, file) && reads(update, file))
			joined |= g_hash_table_add(update->work, g_strdup(file));
	return joined;
}

void
hd_undo_join(hd_update *update)
{
	while (join_files(update))
		;
}

static void
note_files(hd_reloader *r, const hd_transaction *transaction, bool again)
{
	for (guint i = 0; i < transaction->files->len; i++) {
		const char *file = g_ptr_array_index(transaction->files, i);
		if (again)
			g_hash_table_remove(r->taken_back, file);
		else
			g_hash_table_add(r->taken_back, g_strdup(file));
	}
}

/* ---- undoing ---- */

static bool
find(hd_reloader *r, const char *name, bool again, hd_transaction **out, GError **error)
{
	hd_module *module = name ? hd_model_named(r->model, name) : NULL;
	if (name && !module) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "%s is no module of the program", name);
		return false;
	}
	*out = again ? hd_model_to_redo(r->model, module) : hd_model_to_undo(r->model, module);
	if (*out)
		return true;
	g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "there is nothing to %s%s%s", again ? "redo" : "undo",
		    name ? " in " : "", name ? name : "");
	return false;
}

bool
hd_undo_last(hd_reloader *r, const char *name, bool again, GError **error)
{
	hd_transaction *transaction;
	if (!r->target || r->model->state != HD_PROGRAM_RUNNING) {
		g_set_error(error, HD_ERROR, HD_ERROR_GONE, "the program does not run");
		return false;
	}
	if (!find(r, name, again, &transaction, error))
		return false;
	hd_promote_cancel(r);
	hd_draft_drop(r);
	gint64 asked_ns = hd_now_ns();
	undoing work = {.commit = hd_commit_new()};
	hd_reshaping_begin(&work.reshaping, !again);
	if (transaction->census && transaction->census->len)
		work.reshaping.census = hd_census_new(r, transaction->census, !again);
	for_each_copy(transaction, !again, NULL, mark);
	for_each_copy(transaction, !again, &work, redirect);
	if (hd_reshaping_stage(&work.reshaping, work.commit))
		for_each_copy(transaction, !again, &work, exclude);
	hd_commit_result result = {0};
	bool done = hd_target_commit(r->target, work.commit, UNDO_DEADLINE_MS, &result, error);
	hd_commit_free(work.commit);
	hd_reshaping_end(&work.reshaping);
	if (!done) {
		for_each_copy(transaction, again, NULL, mark);
		return false;
	}
	for_each_copy(transaction, !again, NULL, settle);
	hd_census_settle(transaction->census);
	note_files(r, transaction, again);
	hd_event *event = hd_event_new(again ? HD_EVENT_REDONE : HD_EVENT_UNDONE);
	event->transaction = transaction->number;
	event->processes = result.processes;
	event->threads = result.threads;
	event->pause_us = (double)result.pause_ns / 1e3;
	event->save_to_live_ms = (double)(result.live_ns - asked_ns) / 1e6;
	record(transaction, again, event);
	hd_reloader_emit(r, event);
	hd_pins_take(r->pins, result.samples);
	hd_commit_result_clear(&result);
	hd_reloader_next(r);
	return true;
}
