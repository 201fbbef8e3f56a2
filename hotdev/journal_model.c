/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/journal_model.h"

#include "base/error.h"

#include <string.h>

struct hd_journal_model {
	GPtrArray *modules;   /* of module *, by name */
	GPtrArray *processes; /* of hd_process_view * */
	char *program;
	pid_t pid;
	hd_program_state state;
	int exit_status, generation;
	bool polling; /* what the watcher said of itself */
	int overflows;
};

/* The view comes first: an array of these is an array of views. */
typedef struct {
	hd_module_view view;
	GPtrArray *versions;	  /* view.versions, writable */
	hd_event *failure, *hold; /* what view borrows its diagnostics and refusal from */
} module;

static void
version_free(void *data)
{
	hd_version_view *version = data;
	g_free(version->compiler);
	g_clear_pointer(&version->functions, g_ptr_array_unref);
	g_clear_pointer(&version->data, g_ptr_array_unref);
	g_free(version);
}

static void
module_free(void *data)
{
	module *m = data;
	hd_event_unref(m->failure);
	hd_event_unref(m->hold);
	g_ptr_array_unref(m->versions);
	g_free((char *)m->view.name);
	g_free(m);
}

static void
thread_free(void *data)
{
	hd_thread_view *thread = data;
	g_free(thread->name);
	g_free(thread->code);
	hd_place_free(thread->place);
	g_free(thread);
}

static void
process_free(void *data)
{
	hd_process_view *process = data;
	g_free(process->name);
	g_ptr_array_unref(process->threads);
	g_free(process);
}

hd_journal_model *
hd_journal_model_new(void)
{
	hd_journal_model *model = g_new0(hd_journal_model, 1);
	model->modules = g_ptr_array_new_with_free_func(module_free);
	model->processes = g_ptr_array_new_with_free_func(process_free);
	return model;
}

void
hd_journal_model_free(hd_journal_model *model)
{
	if (!model)
		return;
	g_ptr_array_unref(model->modules);
	g_ptr_array_unref(model->processes);
	g_free(model->program);
	g_free(model);
}

static module *
module_named(hd_journal_model *model, const char *name)
{
	guint at = 0;
	for (; at < model->modules->len; at++) {
		module *m = model->modules->pdata[at];
		int order = strcmp(m->view.name, name);
		if (order == 0)
			return m;
		if (order > 0)
			break;
	}
	module *m = g_new0(module, 1);
	m->view.name = m->view.path = g_strdup(name);
	m->versions = g_ptr_array_new_with_free_func(version_free);
	m->view.versions = m->versions;
	g_ptr_array_insert(model->modules, (gint)at, m);
	return m;
}

static void
clear_trouble(module *m)
{
	m->view.diagnostics = NULL;
	m->view.refusal = NULL;
	g_clear_pointer(&m->failure, hd_event_unref);
	g_clear_pointer(&m->hold, hd_event_unref);
}

static void
apply_files(hd_journal_model *model, const hd_event *event)
{
	for (guint i = 0; i < event->files->len; i++) {
		if (!g_str_has_suffix(event->files->pdata[i], ".c"))
			continue;
		module *m = module_named(model, event->files->pdata[i]);
		if (event->kind == HD_EVENT_SAVED) {
			m->view.state = HD_MODULE_BUILDING;
			m->view.changed_us = event->wall_us;
			continue;
		}
		clear_trouble(m);
		if (event->kind == HD_EVENT_UNCHANGED) {
			m->view.state = m->versions->len ? HD_MODULE_LIVE : HD_MODULE_ORIGINAL;
			m->view.disk = m->view.live;
			continue;
		}
		m->view.state = HD_MODULE_ERROR;
		m->view.disk = m->view.live + 1;
		m->failure = hd_event_ref((hd_event *)event);
		m->view.diagnostics = event->diagnostics;
	}
}

static const hd_refusal *
refusal_for(const hd_event *event, const char *name)
{
	for (guint i = 0; i < event->refusals->len; i++) {
		const hd_refusal *refusal = event->refusals->pdata[i];
		if (g_strcmp0(refusal->module, name) == 0)
			return refusal;
	}
	return event->refusals->len ? event->refusals->pdata[0] : NULL;
}

static void
apply_names(hd_journal_model *model, const hd_event *event)
{
	for (guint i = 0; i < event->names->len; i++) {
		module *m = module_named(model, event->names->pdata[i]);
		clear_trouble(m);
		m->view.disk = m->view.live + 1;
		m->view.state = HD_MODULE_WAITING;
		if (event->kind != HD_EVENT_HELD)
			continue;
		m->view.state = HD_MODULE_HELD;
		m->hold = hd_event_ref((hd_event *)event);
		m->view.refusal = refusal_for(event, m->view.name);
	}
}

static GPtrArray *
copy_names(const GPtrArray *names)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; names && i < names->len; i++)
		g_ptr_array_add(copy, g_strdup(names->pdata[i]));
	return copy;
}

static hd_version_view *
version_numbered(module *m, int number)
{
	for (guint i = 0; i < m->versions->len; i++) {
		hd_version_view *version = m->versions->pdata[i];
		if (version->version == number)
			return version;
	}
	hd_version_view *version = g_new0(hd_version_view, 1);
	version->version = number;
	g_ptr_array_add(m->versions, version);
	return version;
}

static void
apply_change(hd_journal_model *model, const hd_event *event, const hd_module_change *change)
{
	module *m = module_named(model, change->module);
	clear_trouble(m);
	hd_version_view *version = version_numbered(m, change->version);
	if (event->kind == HD_EVENT_LIVE || event->kind == HD_EVENT_PROMOTED) {
		g_free(version->compiler);
		version->compiler = g_strdup(change->compiler);
		version->transaction = event->transaction;
		version->wall_us = event->wall_us;
		g_clear_pointer(&version->functions, g_ptr_array_unref);
		g_clear_pointer(&version->data, g_ptr_array_unref);
		version->functions = copy_names(change->functions);
		version->data = copy_names(change->data);
		m->view.last_ms = event->save_to_live_ms;
	}
	for (guint i = 0; i < m->versions->len; i++) {
		hd_version_view *other = m->versions->pdata[i];
		other->undone = other->version > change->version && event->kind == HD_EVENT_UNDONE;
	}
	/* What libtcc made live is built again, and said to be promoted or, by a warning, not. */
	m->view.promoting = event->kind == HD_EVENT_LIVE && g_strcmp0(change->compiler, "tcc") == 0;
	m->view.live = change->version;
	m->view.disk = event->kind == HD_EVENT_UNDONE ? change->version + 1 : change->version;
	m->view.compiler = version->compiler;
	m->view.state = event->kind == HD_EVENT_UNDONE ? HD_MODULE_UNDONE : HD_MODULE_LIVE;
}

static hd_process_view *
process_of(hd_journal_model *model, pid_t pid)
{
	for (guint i = 0; i < model->processes->len; i++) {
		hd_process_view *process = model->processes->pdata[i];
		if (process->pid == pid)
			return process;
	}
	hd_process_view *process = g_new0(hd_process_view, 1);
	process->pid = pid;
	process->name = model->program ? g_path_get_basename(model->program) : g_strdup("?");
	process->threads = g_ptr_array_new_with_free_func(thread_free);
	g_ptr_array_add(model->processes, process);
	return process;
}

static hd_thread_view *
thread_of(hd_process_view *process, pid_t tid, const char *name)
{
	for (guint i = 0; i < process->threads->len; i++) {
		hd_thread_view *thread = process->threads->pdata[i];
		if (thread->tid == tid)
			return thread;
	}
	hd_thread_view *thread = g_new0(hd_thread_view, 1);
	thread->tid = tid;
	thread->name = g_strdup(name ? name : process->name);
	thread->code = g_strdup("new");
	g_ptr_array_add(process->threads, thread);
	return thread;
}

static void
apply_pin(hd_journal_model *model, const hd_event *event)
{
	const hd_thread_place *at = event->at;
	hd_thread_view *thread = thread_of(process_of(model, at->pid), at->tid, at->thread);
	bool pinned = event->kind == HD_EVENT_PINNED, was = strcmp(thread->code, "old") == 0;
	if (at->place->module && pinned != was) {
		module *m = module_named(model, at->place->module);
		if (pinned)
			m->view.pins++;
		else if (m->view.pins)
			m->view.pins--;
	}
	g_free(thread->code);
	thread->code = g_strdup(pinned ? "old" : "new");
	hd_place_free(thread->place);
	thread->place = pinned ? hd_place_copy(at->place) : NULL;
	thread->since_us = pinned ? event->wall_us : 0;
}

static void
remove_process(hd_journal_model *model, pid_t pid)
{
	for (guint i = 0; i < model->processes->len; i++) {
		hd_process_view *process = model->processes->pdata[i];
		if (process->pid == pid) {
			g_ptr_array_remove_index(model->processes, i);
			return;
		}
	}
}

static void
apply_process(hd_journal_model *model, const hd_event *event)
{
	const char *change = event->change ? event->change : "";
	if (strcmp(change, "exec") == 0) {
		remove_process(model, event->pid);
		return;
	}
	if (strcmp(change, "ended") == 0) {
		remove_process(model, event->pid);
		if (event->pid == model->pid)
			model->exit_status = MAX(event->status, 0);
		if (model->processes->len == 0)
			model->state = HD_PROGRAM_ENDED;
		return;
	}
	hd_process_view *process = process_of(model, event->pid);
	process->ppid = event->ppid;
	thread_of(process, event->pid, NULL);
}

static void
apply_ready(hd_journal_model *model, const hd_event *event)
{
	g_ptr_array_set_size(model->processes, 0);
	g_free(model->program);
	model->program = g_strdup(event->program);
	model->pid = event->pid;
	model->state = HD_PROGRAM_RUNNING;
	thread_of(process_of(model, event->pid), event->pid, NULL);
	for (guint i = 0; i < model->modules->len; i++)
		((module *)model->modules->pdata[i])->view.pins = 0;
}

static void
apply_purged(hd_journal_model *model, const hd_event *event)
{
	if (!event->module)
		return;
	module *m = module_named(model, event->module);
	for (guint i = 0; i < m->versions->len; i++) {
		hd_version_view *version = m->versions->pdata[i];
		if (version->version == event->version && version->version != m->view.live) {
			g_ptr_array_remove_index(m->versions, i);
			return;
		}
	}
}

/* The module that is part of the program and whose source it is: the file may be named in full. NULL: none. */
static module *
module_of_file(const hd_journal_model *model, const char *file)
{
	for (guint i = 0; i < model->modules->len; i++) {
		module *m = model->modules->pdata[i];
		gsize length = strlen(file), own = strlen(m->view.name);
		if (g_str_has_suffix(file, m->view.name) && (length == own || file[length - own - 1] == '/'))
			return m;
	}
	return NULL;
}

static void
apply_warning(hd_journal_model *model, const hd_event *event)
{
	const char *code = event->code ? event->code : "";
	module *m = event->where.file ? module_of_file(model, event->where.file) : NULL;
	if (m && strcmp(code, "missing") == 0)
		m->view.state = HD_MODULE_MISSING;
	else if (m && strcmp(code, "not-promoted") == 0)
		m->view.promoting = false;
	else if (strcmp(code, "polling") == 0)
		model->polling = true;
	else if (strcmp(code, "overflow") == 0)
		model->overflows++;
}

void
hd_journal_model_apply(hd_journal_model *model, const hd_event *event)
{
	switch (event->kind) {
	case HD_EVENT_READY:
		apply_ready(model, event);
		break;
	case HD_EVENT_SAVED:
	case HD_EVENT_FAILED:
	case HD_EVENT_UNCHANGED:
		apply_files(model, event);
		break;
	case HD_EVENT_HELD:
	case HD_EVENT_WAITING:
		apply_names(model, event);
		break;
	case HD_EVENT_LIVE:
	case HD_EVENT_PROMOTED:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
		model->generation = MAX(model->generation, event->transaction);
		for (guint i = 0; i < event->modules->len; i++)
			apply_change(model, event, event->modules->pdata[i]);
		break;
	case HD_EVENT_PINNED:
	case HD_EVENT_RELEASED:
		apply_pin(model, event);
		break;
	case HD_EVENT_PURGED:
		apply_purged(model, event);
		break;
	case HD_EVENT_PROCESS:
		apply_process(model, event);
		break;
	case HD_EVENT_WARNING:
		apply_warning(model, event);
		break;
	case HD_EVENT_CRASHED:
	case HD_EVENT_COUNT:
		break;
	}
}

void
hd_journal_model_snapshot(const hd_journal_model *model, tui_snapshot *snapshot)
{
	*snapshot = (tui_snapshot){
		.modules = model->modules,
		.processes = model->processes,
		.program = model->program,
		.state = model->state,
		.exit_status = model->exit_status,
		.generation = model->generation,
		.idle = true,
		.watcher = json_pack("{s:s, s:i}", "state", model->polling ? "polling" : "ok", "overflows",
				     model->overflows),
	};
}

GPtrArray *
hd_journal_read(const char *path, GError **error)
{
	char *text;
	GError *cause = NULL;
	if (!g_file_get_contents(path, &text, NULL, &cause)) {
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "the journal cannot be read: %s", cause->message);
		g_error_free(cause);
		return NULL;
	}
	GPtrArray *events = g_ptr_array_new_with_free_func((GDestroyNotify)hd_event_unref);
	int number = 0;
	for (char *line = text, *end; events && (end = strchr(line, '\n')); line = end + 1) {
		number++;
		*end = 0;
		json_error_t where;
		json_t *json = json_loads(line, 0, &where);
		hd_event *event = hd_event_from_json(json, NULL);
		json_decref(json);
		if (event) {
			g_ptr_array_add(events, event);
			continue;
		}
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "line %d of %s is not an event of hotdev", number, path);
		g_clear_pointer(&events, g_ptr_array_unref);
	}
	g_free(text);
	hd_event *last = events && events->len ? events->pdata[events->len - 1] : NULL;
	for (guint i = 0; last && i < events->len; i++) {
		hd_event *event = events->pdata[i];
		event->wall_us = last->wall_us - (gint64)((last->t - event->t) * 1e6);
	}
	return events;
}
