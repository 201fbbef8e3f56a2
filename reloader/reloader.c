/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reloader's life: start, the watcher's messages in, events out, commands. */
#include "config.h"

#include "reloader/private.h"

#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TICK_MS 500
#define END_GRACE_MS 2000

typedef struct {
	hd_reloader_listener *call;
	void *data;
} listener;

typedef struct {
	hd_reloader *reloader;
	guint ticket;
	guint64 barrier; /* 0: reached */
	bool live;
	guint timeout;
	hd_reloader_waited *done;
	void *data;
} wait_for;

/* ---- events ---- */

void
hd_reloader_emit(hd_reloader *r, hd_event *event)
{
	event->t = (double)(hd_now_ns() - r->options.start_ns) / 1e9;
	event->wall_us = g_get_real_time();
	for (guint i = 0; i < r->listeners->len; i++) {
		const listener *l = g_ptr_array_index(r->listeners, i);
		l->call(event, l->data);
	}
	hd_event_unref(event);
}

void
hd_reloader_warn(hd_reloader *r, const char *code, const hd_position *where, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	hd_event *event = hd_event_new(HD_EVENT_WARNING);
	event->code = g_strdup(code);
	event->message = g_strdup_vprintf(format, ap);
	if (where)
		event->where = hd_position_copy(where);
	va_end(ap);
	hd_reloader_emit(r, event);
}

void
hd_reloader_listen(hd_reloader *r, hd_reloader_listener *call, void *data)
{
	listener *l = g_new0(listener, 1);
	*l = (listener){call, data};
	g_ptr_array_add(r->listeners, l);
}

const hd_model *
hd_reloader_model(const hd_reloader *r)
{
	return r->model;
}

/* ---- waiting clients ---- */

static void
wait_free(wait_for *w)
{
	g_clear_handle_id(&w->timeout, g_source_remove);
	g_free(w);
}

static void
finish_wait(wait_for *w, bool reached)
{
	hd_reloader_waited *done = w->done;
	void *data = w->data;
	g_ptr_array_remove(w->reloader->waits, w);
	done(reached, data);
}

static void
check_waits(hd_reloader *r)
{
	bool decided = !r->update && g_queue_is_empty(r->batches);
	r->model->idle = decided && !r->promotion;
	for (guint i = r->waits->len; i > 0; i--) {
		wait_for *w = g_ptr_array_index(r->waits, i - 1);
		if (!w->barrier && (w->live ? decided : r->model->idle))
			finish_wait(w, !w->live || g_hash_table_size(r->pending) == 0);
	}
}

static gboolean
wait_timed_out(gpointer data)
{
	wait_for *w = data;
	w->timeout = 0;
	finish_wait(w, false);
	return G_SOURCE_REMOVE;
}

guint
hd_reloader_wait(hd_reloader *r, bool live, int timeout_ms, hd_reloader_waited *done, void *data)
{
	wait_for *w = g_new0(wait_for, 1);
	w->reloader = r;
	w->ticket = ++r->next_wait;
	w->live = live;
	w->done = done;
	w->data = data;
	w->barrier = r->watcher ? hd_watcher_barrier(r->watcher) : 0;
	if (timeout_ms >= 0)
		w->timeout = g_timeout_add((guint)timeout_ms, wait_timed_out, w);
	g_ptr_array_add(r->waits, w);
	return w->ticket;
}

void
hd_reloader_wait_cancel(hd_reloader *r, guint ticket)
{
	for (guint i = 0; i < r->waits->len; i++) {
		wait_for *w = g_ptr_array_index(r->waits, i);
		if (w->ticket != ticket)
			continue;
		g_ptr_array_remove_index(r->waits, i);
		return;
	}
}

/* ---- the watcher's messages ---- */

void
hd_reloader_next(hd_reloader *r)
{
	while (!r->model->paused && r->model->state == HD_PROGRAM_RUNNING && !g_queue_is_empty(r->batches))
		hd_update_take(r, g_queue_pop_head(r->batches));
	hd_promote(r);
	check_waits(r);
}

static void
barrier_reached(hd_reloader *r, guint64 ticket)
{
	for (guint i = 0; i < r->waits->len; i++) {
		wait_for *w = g_ptr_array_index(r->waits, i);
		if (w->barrier && w->barrier <= ticket)
			w->barrier = 0;
	}
	hd_promote_barrier(r, ticket);
}

static gboolean
watcher_ready(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd;
	(void)condition;
	hd_reloader *r = data;
	hd_watch_message *message;
	while ((message = hd_watcher_take(r->watcher))) {
		if (message->kind == HD_WATCH_BATCH) {
			g_queue_push_tail(r->batches, message);
			continue;
		}
		if (message->kind == HD_WATCH_EARLY)
			hd_draft_begin(r, message);
		else if (message->kind == HD_WATCH_BARRIER)
			barrier_reached(r, message->barrier);
		else if (message->kind == HD_WATCH_WARNING)
			hd_reloader_warn(r, message->code, NULL, "%s", message->message);
		hd_watch_message_free(message);
	}
	hd_reloader_next(r);
	return G_SOURCE_CONTINUE;
}

static json_t *
watcher_status(void *data)
{
	hd_reloader *r = data;
	return r->watcher ? hd_watcher_status(r->watcher) : json_object();
}

/* ---- the program's end ---- */

static int
exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void
emit_end(hd_reloader *r)
{
	hd_event *event = hd_event_new(HD_EVENT_PROCESS);
	event->pid = hd_target_pid(r->target);
	event->change = g_strdup("ended");
	event->status = r->model->exit_status;
	hd_reloader_emit(r, event);
}

static gboolean
tick(gpointer data)
{
	hd_reloader *r = data;
	bool ended = r->exit_source == 0;
	GPtrArray *processes = ended ? hd_target_processes(r->target) : NULL;
	bool last = ended && processes->len == 0;
	g_clear_pointer(&processes, g_ptr_array_unref);
	if (last)
		r->model->state = HD_PROGRAM_ENDED;
	hd_pins_refresh(r->pins);
	if (!last) {
		hd_adopt_newcomers(r);
		return G_SOURCE_CONTINUE;
	}
	r->tick_source = 0;
	g_clear_pointer(&r->update, hd_update_free);
	hd_promote_cancel(r);
	emit_end(r);
	check_waits(r);
	return G_SOURCE_REMOVE;
}

static gboolean
program_ended(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd;
	(void)condition;
	hd_reloader *r = data;
	int status;
	if (!hd_target_exit_status(r->target, &status))
		return G_SOURCE_CONTINUE;
	r->model->exit_status = exit_status(status);
	r->exit_source = 0;
	if (!tick(r))
		return G_SOURCE_REMOVE;
	emit_end(r); /* its children run on */
	return G_SOURCE_REMOVE;
}

/* ---- start ---- */

static bool
start_target(hd_reloader *r, GError **error)
{
	hd_target_options options = {
		.program = r->program_path,
		.argv = r->options.argv,
		.terminal = r->options.terminal,
		.agent = r->options.agent,
	};
	r->target = hd_target_start(&options, hd_image_global(r->image, "main")->address, error);
	if (!r->target)
		return false;
	r->scope = hd_scope_new();
	return hd_scope_refresh(r->scope, r->target, error);
}

/* Beside every object that can be reloaded, while the program stands still at
 * main: nothing has to be injected later, when a debugger may hold it. */
static bool
map_arenas(hd_reloader *r, GError **error)
{
	static const hd_arena_kind kinds[] = {HD_ARENA_CODE, HD_ARENA_DATA, HD_ARENA_DEBUG};
	const GPtrArray *loaded = hd_scope_loaded(r->scope);
	for (guint i = 0; i < loaded->len; i++) {
		const hd_loaded *home = g_ptr_array_index(loaded, i);
		for (guint k = 0; hd_discover_has_modules(r, home) && k < G_N_ELEMENTS(kinds); k++) {
			guint64 address;
			guint8 *view;
			if (!hd_target_arena(r->target, &home->object, kinds[k], 16, 16, &address, &view, error))
				return false;
			hd_target_arena_free(r->target, address);
		}
	}
	return true;
}

static bool
start_watcher(hd_reloader *r, GPtrArray *files, GError **error)
{
	if (r->watcher) {
		hd_watcher_add(r->watcher, files);
		return true;
	}
	hd_watcher_options options = {
		.project = r->model->project,
		.files = files,
		.settle_ms = r->options.settle_ms,
		.settle_limit_ms = 100,
		.exclude = r->options.scratch,
	};
	GPtrArray *named = r->compdb ? hd_compdb_sources(r->compdb) : NULL;
	for (guint i = 0; named && i < named->len; i++)
		g_ptr_array_add(files, g_strdup(g_ptr_array_index(named, i)));
	r->watcher = hd_watcher_new(&options, error);
	if (!r->watcher)
		return false;
	r->watcher_source = g_unix_fd_add(hd_watcher_fd(r->watcher), G_IO_IN, watcher_ready, r);
	return true;
}

static void
emit_ready(hd_reloader *r, gint64 from_ns)
{
	hd_event *event = hd_event_new(HD_EVENT_READY);
	event->pid = hd_target_pid(r->target);
	event->program = g_strdup(r->options.program);
	event->module_count = r->model->modules->len;
	event->startup_ms = (double)(hd_now_ns() - from_ns) / 1e6;
	hd_reloader_emit(r, event);
}

static void
drop_target(hd_reloader *r)
{
	g_clear_pointer(&r->update, hd_update_free);
	hd_promote_cancel(r);
	hd_draft_drop(r);
	hd_warm_end(r);
	hd_purge_cancel(r);
	hd_adopt_cancel(r);
	r->purge_left = r->purge_left_bytes = 0;
	g_clear_handle_id(&r->restart_source, g_source_remove);
	g_clear_handle_id(&r->exit_source, g_source_remove);
	g_clear_handle_id(&r->tick_source, g_source_remove);
	g_clear_pointer(&r->pins, hd_pins_free);
	hd_model_reset(r->model);
	g_clear_pointer(&r->scope, hd_scope_free);
	g_clear_pointer(&r->target, hd_target_free);
}

static bool
start_program(hd_reloader *r, gint64 from_ns, GError **error)
{
	if (!hd_discover_program(r, error))
		return false;
	if (!r->builder && !(r->builder = hd_builder_new(r->options.scratch, r->model->project, 0, error)))
		return false;
	if (!r->instant && r->options.tcc && r->options.compiler != HD_COMPILER_CC)
		r->instant = hd_instant_new(r->options.tcc);
	if (!start_target(r, error))
		return false;
	GPtrArray *files = hd_discover_modules(r);
	bool watching = start_watcher(r, files, error);
	if (watching)
		hd_discover_texts(r, files);
	g_ptr_array_unref(files);
	if (!watching || !map_arenas(r, error) || !hd_target_run(r->target, error)) {
		hd_target_end(r->target, 0);
		return false;
	}
	r->pins = hd_pins_new(r);
	r->model->state = HD_PROGRAM_RUNNING;
	r->exit_source = g_unix_fd_add(hd_target_exit_fd(r->target), G_IO_IN, program_ended, r);
	r->tick_source = g_timeout_add(TICK_MS, tick, r);
	emit_ready(r, from_ns);
	hd_discover_warn(r);
	hd_pins_refresh(r->pins);
	hd_warm_begin(r);
	return true;
}

bool
hd_reloader_start(hd_reloader *r, GError **error)
{
	GError *problem = NULL;
	if (start_program(r, r->options.start_ns, &problem))
		return true;
	if (problem->code != HD_ERROR_WATCH && problem->code != HD_ERROR_USAGE)
		problem->code = HD_ERROR_START;
	g_propagate_error(error, problem);
	return false;
}

/* ---- life ---- */

hd_reloader *
hd_reloader_new(const hd_reloader_options *options)
{
	hd_reloader *r = g_new0(hd_reloader, 1);
	r->options = *options;
	r->options.program = g_strdup(options->program);
	r->options.argv = g_strdupv((char **)options->argv);
	r->options.compdb = g_strdup(options->compdb);
	r->options.project = g_strdup(options->project);
	r->options.agent = g_strdup(options->agent);
	r->options.tcc = g_strdup(options->tcc);
	/* Debug information names files below it, with links resolved. */
	char *scratch = realpath(options->scratch, NULL);
	r->options.scratch = g_strdup(scratch ? scratch : options->scratch);
	free(scratch);
	r->model = hd_model_new(options->program, options->argv);
	r->model->watcher_status = watcher_status;
	r->model->watcher_data = r;
	r->listeners = g_ptr_array_new_with_free_func(g_free);
	r->texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	r->originals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	r->pending = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->taken_back = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->unknown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->strays = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->running = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	r->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->batches = g_queue_new();
	r->waits = g_ptr_array_new_with_free_func((GDestroyNotify)wait_free);
	r->left_out = g_hash_table_new(NULL, NULL);
	return r;
}

void
hd_reloader_free(hd_reloader *r)
{
	if (!r)
		return;
	drop_target(r);
	g_clear_handle_id(&r->watcher_source, g_source_remove);
	hd_watcher_free(r->watcher);
	g_ptr_array_unref(r->waits);
	g_queue_free_full(r->batches, (GDestroyNotify)hd_watch_message_free);
	if (r->builder)
		hd_builder_free(r->builder);
	if (r->compdb)
		hd_compdb_free(r->compdb);
	g_clear_pointer(&r->image, hd_image_unref);
	g_hash_table_unref(r->texts);
	g_hash_table_unref(r->originals);
	g_hash_table_unref(r->pending);
	g_hash_table_unref(r->taken_back);
	g_hash_table_unref(r->strays);
	g_hash_table_unref(r->running);
	g_hash_table_unref(r->said);
	g_hash_table_unref(r->unknown);
	g_hash_table_unref(r->left_out);
	g_ptr_array_unref(r->listeners);
	hd_model_free(r->model);
	hd_instant_free(r->instant);
	free(r->program_path);
	g_free((char *)r->options.program);
	g_strfreev((char **)r->options.argv);
	g_free((char *)r->options.compdb);
	g_free((char *)r->options.project);
	g_free((char *)r->options.agent);
	g_free((char *)r->options.tcc);
	g_free((char *)r->options.scratch);
	g_free(r);
}

/* ---- commands ---- */

bool
hd_reloader_undo(hd_reloader *r, const char *module, GError **error)
{
	return hd_undo_last(r, module, false, error);
}

bool
hd_reloader_redo(hd_reloader *r, const char *module, GError **error)
{
	return hd_undo_last(r, module, true, error);
}

static void
add_change(hd_reloader *r, GPtrArray *changes, const char *path)
{
	hd_file_change *change = g_new0(hd_file_change, 1);
	GBytes *text = hd_watcher_text(r->watcher, path);
	change->path = g_strdup(path);
	change->text = text;
	g_ptr_array_add(changes, change);
}

bool
hd_reloader_reload(hd_reloader *r, const char *file, GError **error)
{
	hd_module *module = file ? hd_model_named(r->model, file) : NULL;
	if (file && !module) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "%s is no module of the program", file);
		return false;
	}
	hd_builder_forget(r->builder);
	hd_watch_message *batch = hd_watch_message_new(HD_WATCH_BATCH);
	batch->written_ns = hd_now_ns();
	if (module)
		add_change(r, batch->changes, module->path);
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, r->pending);
	while (!file && g_hash_table_iter_next(&iter, &path, NULL))
		add_change(r, batch->changes, path);
	g_queue_push_tail(r->batches, batch);
	hd_reloader_next(r);
	return true;
}

bool
hd_reloader_migrate(hd_reloader *r, GError **error)
{
	r->options.typed_heap = true;
	return hd_reloader_reload(r, NULL, error);
}

void
hd_reloader_pause(hd_reloader *r, bool paused)
{
	r->model->paused = paused;
	hd_reloader_next(r);
}

/* What was saved since the program was built: it shall run that. */
static void
queue_saved(hd_reloader *r)
{
	struct stat program, file;
	if (stat(r->program_path, &program) != 0)
		return;
	hd_watch_message *batch = hd_watch_message_new(HD_WATCH_BATCH);
	batch->written_ns = hd_now_ns();
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, r->originals);
	while (g_hash_table_iter_next(&iter, &path, NULL)) {
		bool built_since = stat(path, &file) == 0 && file.st_mtim.tv_sec < program.st_mtim.tv_sec;
		if (built_since)
			g_hash_table_iter_remove(&iter);
		else
			add_change(r, batch->changes, path);
	}
	g_hash_table_remove_all(r->pending);
	g_hash_table_remove_all(r->taken_back);
	g_hash_table_remove_all(r->running);
	GHashTableIter originals;
	gpointer text;
	g_hash_table_iter_init(&originals, r->originals);
	while (g_hash_table_iter_next(&originals, &path, &text))
		g_hash_table_insert(r->running, g_strdup(path), g_bytes_ref(text));
	if (batch->changes->len)
		g_queue_push_tail(r->batches, batch);
	else
		hd_watch_message_free(batch);
}

static gboolean
restart_now(gpointer data)
{
	hd_reloader *r = data;
	r->restart_source = 0;
	hd_reloader_restart(r, NULL);
	return G_SOURCE_REMOVE;
}

void
hd_reloader_restart_soon(hd_reloader *r)
{
	if (!r->restart_source)
		r->restart_source = g_idle_add(restart_now, r);
}

bool
hd_reloader_restart(hd_reloader *r, GError **error)
{
	gint64 from_ns = hd_now_ns();
	hd_target_end(r->target, END_GRACE_MS);
	drop_target(r);
	queue_saved(r);
	if (!start_program(r, from_ns, error))
		return false;
	hd_reloader_next(r);
	return true;
}

void
hd_reloader_end(hd_reloader *r)
{
	if (r->target && r->model->state == HD_PROGRAM_RUNNING)
		hd_target_end(r->target, END_GRACE_MS);
}
