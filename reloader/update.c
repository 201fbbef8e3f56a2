/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An update: from a saved batch to compiled objects. It builds the saved text
 * of every unit that is made of a saved file, and, where no revision is known
 * to compare it with, the text that the program was built of. */
#include "config.h"

#include "reloader/private.h"

#include <glib/gstdio.h>
#include <string.h>

/* How soon an update is tried again that waits for a debugger; or for frames, whose absence may be short. */
#define RETRY_MS 250
#define LOOK_MS 20

#define PROOFS_MOST 8

/* Back to where nothing of the saved text was built; what it is compared with stays. */
static void
job_reset(hd_job *job)
{
	g_clear_pointer(&job->build, hd_build_cancel);
	g_clear_pointer(&job->result, hd_build_result_free);
	g_clear_pointer(&job->laid, g_hash_table_unref);
	g_clear_pointer(&job->attempt, hd_attempt_free);
	g_clear_pointer(&job->also, g_hash_table_unref);
	g_clear_pointer(&job->reshapes, g_hash_table_unref);
	g_clear_pointer(&job->diff, hd_diff_free);
	g_clear_pointer(&job->plan, hd_plan_free);
	g_clear_pointer(&job->object, hd_object_unref);
	g_clear_pointer(&job->unit, hd_unit_free);
	if (job->linked)
		hd_linked_free(job->linked, true);
	job->linked = NULL;
	job->relinks = job->by_libtcc = false;
}

static void
job_free(hd_job *job)
{
	job_reset(job);
	g_clear_pointer(&job->base_build, hd_build_cancel);
	g_clear_pointer(&job->base, hd_build_result_free);
	g_clear_pointer(&job->proof_build, hd_build_cancel);
	g_clear_pointer(&job->proof, hd_build_result_free);
	g_free(job);
}

hd_update *
hd_update_new(hd_reloader *reloader, hd_update_kind kind)
{
	hd_update *update = g_new0(hd_update, 1);
	update->reloader = reloader;
	update->kind = kind;
	update->files = g_ptr_array_new_with_free_func(g_free);
	update->work = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	update->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)job_free);
	update->begun_ns = hd_now_ns();
	return update;
}

void
hd_update_free(hd_update *update)
{
	g_clear_handle_id(&update->retry_source, g_source_remove);
	hd_migrate_forget(update);
	g_clear_pointer(&update->blockers, g_ptr_array_unref);
	g_ptr_array_unref(update->jobs);
	g_ptr_array_unref(update->files);
	g_hash_table_unref(update->work);
	g_free(update);
}

char *
hd_reloader_version_path(const hd_reloader *r, const hd_module *module, int version)
{
	return g_strdup_printf("%s/v%d/%s", r->options.scratch, version,
			       module->name[0] == '/' ? module->name + 1 : module->name);
}

void
hd_reloader_real_position(const hd_reloader *r, hd_position *position)
{
	gsize length = strlen(r->options.scratch);
	if (!position->file || strncmp(position->file, r->options.scratch, length) != 0 ||
	    strncmp(position->file + length, "/v", 2) != 0)
		return;
	const char *name = strchr(position->file + length + 1, '/');
	if (!name)
		return;
	char *real = g_build_filename(r->model->project, name + 1, NULL);
	g_free(position->file);
	position->file = real;
}

/* It stays readable for gdb under that name. */
char *
hd_reloader_keep_text(const hd_reloader *r, const hd_module *module, int version, GBytes *text)
{
	char *path = hd_reloader_version_path(r, module, version);
	char *folder = g_path_get_dirname(path);
	bool kept = text && g_mkdir_with_parents(folder, 0700) == 0 &&
		    g_file_set_contents(path, g_bytes_get_data(text, NULL), (gssize)g_bytes_get_size(text), NULL);
	g_free(folder);
	if (!kept)
		g_clear_pointer(&path, g_free);
	return path;
}

/* ---- completion ---- */

static gboolean
try_again(gpointer data)
{
	hd_update *update = data;
	update->retry_source = 0;
	hd_update_finish(update);
	return G_SOURCE_REMOVE;
}

void
hd_update_finish(hd_update *update)
{
	hd_reloader *r = update->reloader;
	if (!update->built_ns)
		update->built_ns = hd_now_ns();
	if (hd_promote_waits(update))
		return;
	switch (hd_apply(update)) {
	case HD_APPLY_AGAIN:
		update->retry_source = g_timeout_add(update->waiting_until ? LOOK_MS : RETRY_MS, try_again, update);
		return;
	case HD_APPLY_REBUILD:
		update->built_ns = 0;
		hd_update_build(update);
		return;
	case HD_APPLY_OVER:
		g_clear_pointer(update->kind == HD_UPDATE_PROMOTION ? &r->promotion : &r->update, hd_update_free);
		hd_promote_undo_refused(r);
		hd_reloader_next(r);
		return;
	}
}

static void
one_done(hd_update *update)
{
	if (--update->running == 0)
		hd_update_build(update);
}

/* Every file that a unit turned out to be made of is watched from now on. false: one that nobody watched yet was
 * written to while it was read, and the unit may be made of another text than is known now. */
static bool
learn_dependencies(hd_reloader *r, hd_copy *copy, const hd_build_result *result)
{
	bool sure = true;
	if (!result->ok)
		return sure;
	GPtrArray *unknown = g_ptr_array_new();
	for (guint i = 0; i < result->dependencies->len; i++)
		if (!g_hash_table_contains(r->texts, g_ptr_array_index(result->dependencies, i)))
			g_ptr_array_add(unknown, g_ptr_array_index(result->dependencies, i));
	g_clear_pointer(&copy->dependencies, g_ptr_array_unref);
	copy->dependencies = g_ptr_array_ref(result->dependencies);
	hd_watcher_add(r->watcher, copy->dependencies);
	hd_discover_texts(r, copy->dependencies);
	for (guint i = 0; i < unknown->len && sure; i++) {
		const char *path = g_ptr_array_index(unknown, i);
		sure = !g_hash_table_contains(r->texts, path) || !hd_build_result_doubts(result, path);
	}
	g_ptr_array_unref(unknown);
	return sure;
}

/* Whether the build was given a text that a newer save has replaced since. (What it was not given it has read from
 * disk, and compared with the text that is known now.) */
static bool
is_outdated(const hd_reloader *r, const hd_job *job)
{
	for (guint i = 0; i < job->result->dependencies->len; i++) {
		const char *path = g_ptr_array_index(job->result->dependencies, i);
		GBytes *laid = g_hash_table_lookup(job->laid, path), *text = g_hash_table_lookup(r->texts, path);
		if (laid && laid != text && !(text && g_bytes_equal(laid, text)))
			return true;
	}
	return false;
}

static hd_job *
job_of(const hd_update *update, const hd_build *build)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->build == build || job->base_build == build || job->proof_build == build)
			return job;
	}
	g_assert_not_reached();
}

static void start_build(hd_update *update, hd_job *job);

static void
build_done(hd_build *build, hd_build_result *result, void *data)
{
	hd_update *update = data;
	hd_job *job = job_of(update, build);
	job->build = NULL;
	job->result = result;
	bool sure = learn_dependencies(update->reloader, job->copy, result);
	if (!sure || is_outdated(update->reloader, job)) {
		job_reset(job);
		start_build(update, job);
	}
	one_done(update);
}

static void
base_done(hd_build *build, hd_build_result *result, void *data)
{
	hd_update *update = data;
	hd_job *job = job_of(update, build);
	job->base_build = NULL;
	job->base = result;
	if (!job->copy->dependencies)
		learn_dependencies(update->reloader, job->copy, result);
	one_done(update);
}

static void
proof_done(hd_build *build, hd_build_result *result, void *data)
{
	hd_update *update = data;
	hd_job *job = job_of(update, build);
	job->proof_build = NULL;
	job->proof = result;
	one_done(update);
}

/* ---- jobs ---- */

static hd_build_result *
no_command(hd_copy *copy, GError *error)
{
	hd_build_result *result = g_new0(hd_build_result, 1);
	result->diagnostics = g_ptr_array_new_with_free_func((GDestroyNotify)hd_diagnostic_free);
	result->dependencies = g_ptr_array_new_with_free_func(g_free);
	hd_diagnostic *diagnostic = g_new0(hd_diagnostic, 1);
	diagnostic->severity = HD_SEVERITY_ERROR;
	diagnostic->where.file = g_strdup(copy->module->path);
	diagnostic->message = g_strdup_printf("no compile command is known: %s", error->message);
	g_ptr_array_add(result->diagnostics, diagnostic);
	g_error_free(error);
	return result;
}

static void
start_base(hd_update *update, hd_job *job)
{
	hd_reloader *r = update->reloader;
	const hd_command *command = hd_discover_command(r, job->copy, NULL);
	if (!command)
		return;
	hd_build_request request = {
		.command = command,
		.texts = g_hash_table_size(r->originals) ? r->originals : NULL,
		.tree = r->texts,
		.older = r->originals,
		.background = update->kind == HD_UPDATE_PROMOTION,
	};
	update->running++;
	job->base_build = hd_build_start(r->builder, &request, base_done, update);
}

static void
start_proof(hd_update *update, hd_job *job)
{
	bool promotes = update->kind == HD_UPDATE_PROMOTION;
	job->proof_build = hd_origin_prove(update->reloader, job->copy, promotes, proof_done, update);
	update->running += job->proof_build != NULL;
}

/* What was saved is built, and what is live is promoted, whatever is being written meanwhile: all of an update's units
 * are made of the same texts. */
static GHashTable *
texts_of(const hd_update *update)
{
	GHashTable *texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, update->work);
	while (g_hash_table_iter_next(&iter, &path, NULL)) {
		GBytes *text = g_hash_table_lookup(update->reloader->texts, path);
		if (text)
			g_hash_table_insert(texts, g_strdup(path), g_bytes_ref(text));
	}
	return texts;
}

static void
start_build(hd_update *update, hd_job *job)
{
	hd_reloader *r = update->reloader;
	GError *error = NULL;
	const hd_command *command = hd_discover_command(r, job->copy, &error);
	if (!command) {
		job->result = no_command(job->copy, error);
		return;
	}
	bool promotes = update->kind == HD_UPDATE_PROMOTION;
	const hd_module *module = job->copy->module;
	char *debug_name = hd_reloader_keep_text(r, module, job->version, g_hash_table_lookup(r->texts, module->path));
	job->laid = texts_of(update);
	hd_build_request request = {.command = command,
				    .texts = job->laid,
				    .tree = r->texts,
				    .debug_name = debug_name,
				    .background = promotes};
	update->running++;
	job->build = hd_build_start(r->builder, &request, build_done, update);
	g_free(debug_name);
}

hd_job *
hd_update_job(hd_update *update, hd_copy *copy)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->copy == copy)
			return job;
	}
	hd_job *job = g_new0(hd_job, 1);
	job->copy = copy;
	g_ptr_array_add(update->jobs, job);
	return job;
}

void
hd_update_number(hd_update *update, hd_job *job)
{
	hd_module *module = job->copy->module;
	if (update->kind == HD_UPDATE_PROMOTION) {
		job->version = module->view.live;
		return;
	}
	job->version = hd_module_next_version(module);
	module->view.state = HD_MODULE_BUILDING;
	module->view.disk = job->version;
}

/* Before a build has said what it is made of, debug information names most of it. */
static bool
names_a_file(const hd_update *update, const hd_copy *copy)
{
	const hd_command_hints *hints =
		copy->unit && !copy->dependencies ? hd_image_unit_hints(copy->home->image, copy->unit) : NULL;
	for (guint i = 0; hints && hints->files && i < hints->files->len; i++)
		if (g_hash_table_contains(update->work, g_ptr_array_index(hints->files, i)))
			return true;
	return false;
}

bool
hd_update_concerns(const hd_update *update, const hd_copy *copy)
{
	if (g_hash_table_contains(update->work, copy->module->path) || names_a_file(update, copy))
		return true;
	for (guint i = 0; copy->dependencies && i < copy->dependencies->len; i++)
		if (g_hash_table_contains(update->work, g_ptr_array_index(copy->dependencies, i)))
			return true;
	return false;
}

/* A file that is no module's own may be a header of any unit that has not said yet what it is made of. */
bool
hd_update_may_concern(const hd_update *update, const hd_copy *copy)
{
	if (copy->dependencies)
		return false;
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, update->work);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		if (!hd_model_module(update->reloader->model, path))
			return true;
	return false;
}

static bool
needs_base(const hd_copy *copy)
{
	return copy->unit && (!copy->stale || !copy->compared) && !hd_copy_whole(copy);
}

/* false: the job is to be built anew, by another command. */
static bool
decide_origin(const hd_update *update, hd_job *job)
{
	char *why = NULL;
	hd_origin origin = hd_origin_decide(update->reloader, job->copy, job->proof, &why);
	if (origin == HD_ORIGIN_TRUSTED)
		return true;
	job_reset(job);
	g_clear_pointer(&job->base, hd_build_result_free);
	if (why)
		job->result = no_command(job->copy, g_error_new_literal(HD_ERROR, HD_ERROR_UNSUPPORTED, why));
	else
		g_clear_pointer(&job->proof, hd_build_result_free);
	g_free(why);
	return origin == HD_ORIGIN_WRONG;
}

static bool
decide_origins(hd_update *update)
{
	bool decided = true;
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->proof && !job->copy->compared)
			decided &= decide_origin(update, job);
	}
	return decided;
}

static guint
count_proofs(const hd_update *update)
{
	guint count = 0;
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		count += job->proof || job->proof_build;
	}
	return count;
}

/* A proof is one more compilation. The first few begin at once; where many units are built (a header's dependents),
 * the others wait for what they are compared with, which may do. Macros are the same all over a project, mostly: what
 * is not stale is not proven without end. */
static bool
begins_proof(const hd_update *update, const hd_job *job)
{
	guint count = count_proofs(update);
	return count < g_get_num_processors() ||
	       ((job->base || !needs_base(job->copy)) && (job->copy->stale || count < PROOFS_MOST));
}

static void
start_copy(hd_update *update, hd_copy *copy)
{
	bool concerned = hd_update_concerns(update, copy);
	if (!concerned && !hd_update_may_concern(update, copy))
		return;
	hd_job *job = hd_update_job(update, copy);
	if (job->base)
		hd_origin_recognise(update->reloader, copy, job->base);
	if (concerned && !job->proof && !job->proof_build && begins_proof(update, job))
		start_proof(update, job);
	if (!job->base && !job->base_build && (needs_base(copy) || !concerned))
		start_base(update, job);
	if (concerned && !job->result && !job->build) {
		hd_update_number(update, job);
		start_build(update, job);
	}
}

/* Starts what can be started; called again whenever all that ran has ended,
 * since a base build may show that more units are concerned. */
void
hd_update_build(hd_update *update)
{
	GPtrArray *modules = update->reloader->model->modules;
	update->running++; /* builds that end at once must not finish the update here */
	for (guint m = 0; m < modules->len; m++) {
		hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++)
			start_copy(update, g_ptr_array_index(module->copies, c));
	}
	if (--update->running > 0)
		return;
	if (decide_origins(update))
		hd_update_finish(update);
	else
		hd_update_build(update);
}

/* ---- what was saved ---- */

static void
note_text(hd_reloader *r, const char *path, GBytes *text)
{
	GBytes *before = g_hash_table_lookup(r->texts, path);
	GBytes *original = g_hash_table_lookup(r->originals, path);
	if (!before)
		g_hash_table_add(r->unknown, g_strdup(path));
	else if (!original)
		g_hash_table_insert(r->originals, g_strdup(path), g_bytes_ref(before));
	else if (original && text && g_bytes_equal(original, text))
		g_hash_table_remove(r->originals, path);
	if (!g_hash_table_contains(r->running, path))
		g_hash_table_insert(r->running, g_strdup(path), before ? g_bytes_ref(before) : NULL);
	if (text)
		g_hash_table_insert(r->texts, g_strdup(path), g_bytes_ref(text));
}

static void
note_missing(hd_reloader *r, const char *path)
{
	g_hash_table_remove(r->pending, path);
	hd_module *module = hd_model_module(r->model, path);
	if (!module)
		return;
	module->view.state = HD_MODULE_MISSING;
	hd_reloader_warn(r, "missing", &(hd_position){.file = (char *)path}, "%s is gone; its code runs on",
			 module->name);
}

/* Takes the name. */
static void
add_file(GPtrArray *files, char *name)
{
	if (g_ptr_array_find_with_equal_func(files, name, g_str_equal, NULL))
		g_free(name);
	else
		g_ptr_array_add(files, name);
}

static void
note_changes(hd_update *update, const hd_watch_message *batch)
{
	hd_reloader *r = update->reloader;
	for (guint i = 0; i < batch->changes->len; i++) {
		const hd_file_change *change = g_ptr_array_index(batch->changes, i);
		note_text(r, change->path, change->text);
		if (change->formerly) { /* a link that leads elsewhere now: who read it by this name reads another file
					 */
			g_hash_table_add(r->unknown, g_strdup(change->formerly));
			g_hash_table_add(update->work, g_strdup(change->formerly));
		}
		add_file(update->files, hd_model_relative(r->model, change->path));
		if (!change->text) {
			note_missing(r, change->path);
			g_hash_table_remove(update->work, change->path);
			continue;
		}
		g_hash_table_add(update->work, g_strdup(change->path));
		hd_module *module = hd_model_module(r->model, change->path);
		if (module)
			module->view.changed_us = g_get_real_time();
	}
}

static void
copy_pending(hd_update *update)
{
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, update->reloader->pending);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		g_hash_table_add(update->work, g_strdup(path));
}

/* A plugin may have been opened since; its modules are as old as its file. */
static void
look_for_plugins(hd_reloader *r)
{
	if (!hd_scope_refresh(r->scope, r->target, NULL))
		return;
	GPtrArray *files = hd_discover_modules(r);
	hd_watcher_add(r->watcher, files);
	hd_discover_texts(r, files);
	g_ptr_array_unref(files);
}

static bool
any_undone(const hd_reloader *r)
{
	for (guint m = 0; m < r->model->modules->len; m++) {
		const hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len; c++)
			if (((const hd_copy *)g_ptr_array_index(module->copies, c))->text_unknown)
				return true;
	}
	return false;
}

/* Whether what failed or was held has been taken back, and every file says again what runs: then there is nothing
 * to build. That runs by libtcc's code, perhaps, and is promoted as if the edit had not been. */
static bool
is_taken_back(const hd_update *update)
{
	const hd_reloader *r = update->reloader;
	GHashTableIter iter;
	gpointer path;
	bool back = g_hash_table_size(update->work) && !any_undone(r);
	g_hash_table_iter_init(&iter, update->work);
	while (back && g_hash_table_iter_next(&iter, &path, NULL)) {
		GBytes *running = g_hash_table_lookup(r->running, path), *text = g_hash_table_lookup(r->texts, path);
		back = running && text && g_bytes_equal(running, text) && !g_hash_table_contains(r->unknown, path);
	}
	return back;
}

/* ---- a newer save while an update is being built ---- */

/* A file that was not there may be found by an #include that found another, or nothing; so may another, for one that
 * is gone. */
static bool
changes_search(const hd_reloader *r, const hd_watch_message *batch)
{
	for (guint i = 0; i < batch->changes->len; i++) {
		const hd_file_change *change = g_ptr_array_index(batch->changes, i);
		if (!change->text || change->formerly || !g_hash_table_contains(r->texts, change->path))
			return true;
	}
	return false;
}

/* Whether the job is made of a file of the batch, as far as is known before its build has ended. */
static bool
is_made_of(const hd_job *job, const hd_watch_message *batch)
{
	const GPtrArray *files = job->result ? job->result->dependencies : job->copy->dependencies;
	for (guint i = 0; i < batch->changes->len; i++) {
		const hd_file_change *change = g_ptr_array_index(batch->changes, i);
		if (strcmp(change->path, job->copy->module->path) == 0)
			return true;
		for (guint n = 0; files && n < files->len; n++)
			if (strcmp(g_ptr_array_index(files, n), change->path) == 0)
				return true;
	}
	return false;
}

/* What is built, or being built, of texts that stay is kept. libtcc, which takes milliseconds, begins anew. */
static void
make_way(hd_update *update, const hd_watch_message *batch, bool search_changes)
{
	g_clear_handle_id(&update->retry_source, g_source_remove);
	update->built_ns = update->waiting_until = 0;
	update->said_waiting = false;
	hd_migrate_forget(update);
	g_clear_pointer(&update->blockers, g_ptr_array_unref);
	if (update->kind == HD_UPDATE_INSTANT)
		g_ptr_array_set_size(update->jobs, 0);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (!search_changes && !is_made_of(job, batch) && !(job->result && !job->result->ok))
			continue;
		update->running -= job->build != NULL;
		job_reset(job);
	}
}

/* ---- the batch ---- */

static void
emit_saved(hd_reloader *r, const hd_watch_message *batch, bool joined)
{
	hd_event *event = hd_event_new(HD_EVENT_SAVED);
	for (guint i = 0; i < batch->changes->len; i++) {
		const hd_file_change *change = g_ptr_array_index(batch->changes, i);
		g_ptr_array_add(event->files, hd_model_relative(r->model, change->path));
	}
	event->joined = joined;
	hd_reloader_emit(r, event);
}

/* Those of a header's dependents are many, and new to us at its first edit. */
static void
find_commands(hd_update *update)
{
	GPtrArray *modules = update->reloader->model->modules, *copies = g_ptr_array_new();
	for (guint m = 0; m < modules->len; m++) {
		const hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (hd_update_concerns(update, copy) || hd_update_may_concern(update, copy))
				g_ptr_array_add(copies, copy);
		}
	}
	hd_discover_commands(update->reloader, copies);
	g_ptr_array_unref(copies);
}

static void
begin_build(hd_update *update)
{
	if (!is_taken_back(update))
		find_commands(update);
	if (is_taken_back(update)) {
		g_ptr_array_set_size(update->jobs, 0);
		update->running = 0;
		hd_update_finish(update);
	} else if (update->kind == HD_UPDATE_BUILD && update->jobs->len)
		hd_update_build(update);
	else {
		update->kind = HD_UPDATE_BUILD;
		if (!hd_tier_begin(update))
			hd_update_build(update);
	}
}

void
hd_update_take(hd_reloader *r, hd_watch_message *batch)
{
	hd_promote_cancel(r);
	bool joins = r->update != NULL, search_changes = changes_search(r, batch);
	if (!joins)
		r->update = hd_update_new(r, HD_UPDATE_BUILD);
	hd_update *update = r->update;
	update->begun_ns = hd_now_ns();
	update->written_ns = r->written_ns = batch->written_ns;
	if (search_changes)
		hd_builder_forget(r->builder);
	if (joins)
		make_way(update, batch, search_changes);
	copy_pending(update);
	note_changes(update, batch);
	hd_undo_join(update);
	emit_saved(r, batch, joins);
	hd_watch_message_free(batch);
	look_for_plugins(r);
	hd_join_candidates(update);
	begin_build(update);
	hd_draft_drop(r);
	/* While it is built: who has called exec since the last look gets what this save makes live with all others. */
	hd_target_look(r->target);
	hd_adopt_newcomers(r);
}
