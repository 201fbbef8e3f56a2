/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promotion: what libtcc made live is built by the program's own compiler, in
 * the background, and replaced: the same version, from the same text. It is an
 * update beside the others, which any of them cancels. */
#include "config.h"

#include "reloader/private.h"

static bool
runs_what_was_saved(const hd_reloader *r, const hd_module *module)
{
	const hd_version_view *live = hd_module_version(module, module->view.live);
	GBytes *saved = g_hash_table_lookup(r->texts, module->path);
	return live && live->text && saved && g_bytes_equal(live->text, saved);
}

static bool
is_owed(const hd_reloader *r, const hd_module *module)
{
	for (guint c = 0; c < module->copies->len; c++) {
		const hd_copy *copy = g_ptr_array_index(module->copies, c);
		if (copy->owes && !copy->text_unknown && runs_what_was_saved(r, module))
			return true;
	}
	return false;
}

/* The errors stay in sight: what is on disk has them. */
static void
undo_refused(hd_reloader *r, hd_module *module)
{
	GError *error = NULL;
	hd_position where = {.file = module->path};
	GPtrArray *diagnostics = g_ptr_array_ref(module->diagnostics);
	char *raw = g_strdup(module->raw);
	if (hd_undo_last(r, module->name, false, &error)) {
		hd_module_set_errors(module, diagnostics, raw);
		return;
	}
	hd_reloader_warn(r, "not-undone", &where, "%s: libtcc's build cannot be undone and stays live: %s",
			 module->name, error->message);
	g_error_free(error);
	g_ptr_array_unref(diagnostics);
	g_free(raw);
}

/* The version; 0: there is none. */
static int
take_refusal(const hd_module *module)
{
	int refused = 0;
	for (guint c = 0; c < module->copies->len; c++) {
		hd_copy *copy = g_ptr_array_index(module->copies, c);
		refused = MAX(refused, copy->refused);
		copy->refused = 0;
	}
	return refused;
}

void
hd_promote_undo_refused(hd_reloader *r)
{
	for (guint m = 0; m < r->model->modules->len; m++) {
		hd_module *module = g_ptr_array_index(r->model->modules, m);
		int refused = take_refusal(module);
		if (refused && refused == module->view.live) /* else it went with another of its transaction */
			undo_refused(r, module);
	}
}

void
hd_promote(hd_reloader *r)
{
	if (r->options.compiler != HD_COMPILER_AUTO || r->promotion || r->update || !g_queue_is_empty(r->batches) ||
	    r->model->state != HD_PROGRAM_RUNNING || g_hash_table_size(r->pending))
		return;
	hd_update *promotion = hd_update_new(r, HD_UPDATE_PROMOTION);
	promotion->written_ns = r->written_ns;
	for (guint m = 0; m < r->model->modules->len; m++) {
		hd_module *module = g_ptr_array_index(r->model->modules, m);
		if (!is_owed(r, module))
			continue;
		g_hash_table_add(promotion->work, g_strdup(module->path));
		module->view.promoting = true;
	}
	if (!g_hash_table_size(promotion->work)) {
		hd_update_free(promotion);
		return;
	}
	r->promotion = promotion;
	hd_update_build(promotion);
}

void
hd_promote_cancel(hd_reloader *r)
{
	g_clear_pointer(&r->promotion, hd_update_free);
	for (guint m = 0; m < r->model->modules->len; m++)
		((hd_module *)g_ptr_array_index(r->model->modules, m))->view.promoting = false;
}

/* The compiler has read headers as they are on disk. What was saved by then, and cancels the promotion, has been said
 * when the barrier is reached. */
bool
hd_promote_waits(hd_update *update)
{
	bool waits = update->kind == HD_UPDATE_PROMOTION && !update->barrier;
	if (waits)
		update->barrier = hd_watcher_barrier(update->reloader->watcher);
	return waits;
}

void
hd_promote_barrier(hd_reloader *r, guint64 ticket)
{
	if (!r->promotion || !r->promotion->barrier || r->promotion->barrier > ticket)
		return;
	if (g_queue_is_empty(r->batches))
		hd_update_finish(r->promotion);
	else
		hd_promote_cancel(r);
}

/* Until it is saved again; libtcc's code stays. */
static void
forgive(hd_update *promotion)
{
	for (guint i = 0; i < promotion->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(promotion->jobs, i);
		job->copy->owes = false;
		job->copy->module->view.promoting = false;
	}
}

void
hd_promote_failed(hd_update *promotion, const hd_job *job)
{
	hd_module *module = job->copy->module;
	hd_diagnostic *first = job->result->diagnostics->len ? g_ptr_array_index(job->result->diagnostics, 0) : NULL;
	hd_position file = {.file = module->path};
	if (first)
		hd_reloader_real_position(promotion->reloader, &first->where);
	bool undo = promotion->reloader->options.on_disagree == HD_DISAGREE_UNDO;
	job->copy->refused = undo ? job->version : 0;
	hd_reloader_warn(promotion->reloader, "not-promoted", first ? &first->where : &file,
			 "%s: libtcc's build %s: %s refuses the same text: %s", module->name,
			 undo ? "is undone" : "stays live", job->result->compiler ? job->result->compiler : "cc",
			 first ? first->message : "it failed");
	hd_module_set_errors(module, g_ptr_array_ref(job->result->diagnostics), g_strdup(job->result->raw));
	forgive(promotion);
}

void
hd_promote_held(hd_update *promotion, const hd_refusal *refusal)
{
	hd_position where = hd_position_copy(&refusal->where);
	hd_reloader_real_position(promotion->reloader, &where);
	hd_reloader_warn(promotion->reloader, "not-promoted", &where, "%s%slibtcc's build stays live: %s: %s",
			 refusal->module ? refusal->module : "", refusal->module ? ": " : "",
			 hd_refusal_name(refusal->code), refusal->reason);
	hd_position_clear(&where);
	forgive(promotion);
}
