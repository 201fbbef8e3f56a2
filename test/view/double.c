/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stand-in for the reloader: it starts the program and tells its views what
 * a script says, so that the views can be tested without ptrace, and in states
 * that are hard to reach. The environment:
 *   HOTDEV_DOUBLE_JOURNAL  a journal; its events are told once the program runs
 *   HOTDEV_DOUBLE_WATCHER  the state of the watcher, if not "ok"
 *   HOTDEV_DOUBLE_START    "start" or "watch": the start is refused
 * Undo and redo tell one event of transaction 1; reload tells unchanged. */
#include "config.h"

#include "base/error.h"
#include "hotdev/journal_model.h"
#include "reloader/reloader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct hd_reloader {
	hd_reloader_options options;
	GPtrArray *listeners; /* of listener * */
	hd_journal_model *model;
	pid_t pid;
	guint child;
	bool paused;
};

typedef struct {
	hd_reloader_listener *call;
	void *data;
} listener;

hd_reloader *
hd_reloader_new(const hd_reloader_options *options)
{
	hd_reloader *reloader = g_new0(hd_reloader, 1);
	reloader->options = *options;
	reloader->listeners = g_ptr_array_new_with_free_func(g_free);
	reloader->model = hd_journal_model_new();
	return reloader;
}

void
hd_reloader_free(hd_reloader *reloader)
{
	if (!reloader)
		return;
	if (reloader->child)
		g_source_remove(reloader->child);
	g_ptr_array_unref(reloader->listeners);
	hd_journal_model_free(reloader->model);
	g_free(reloader);
}

const hd_model *
hd_reloader_model(const hd_reloader *reloader)
{
	return (const hd_model *)reloader;
}

void
hd_reloader_listen(hd_reloader *reloader, hd_reloader_listener *call, void *data)
{
	listener *l = g_new(listener, 1);
	*l = (listener){call, data};
	g_ptr_array_add(reloader->listeners, l);
}

/* Consumes the event. */
static void
tell(hd_reloader *reloader, hd_event *event)
{
	event->t = (double)(hd_now_ns() - reloader->options.start_ns) / 1e9;
	hd_journal_model_apply(reloader->model, event);
	for (guint i = 0; i < reloader->listeners->len; i++) {
		listener *l = reloader->listeners->pdata[i];
		l->call(event, l->data);
	}
	hd_event_unref(event);
}

static void
ended(GPid pid, gint wait_status, gpointer data)
{
	hd_reloader *reloader = data;
	reloader->child = 0;
	hd_event *event = hd_event_new(HD_EVENT_PROCESS);
	event->pid = pid;
	event->change = g_strdup("ended");
	event->status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	tell(reloader, event);
}

static void
take_terminal(int terminal)
{
	if (terminal < 0)
		return;
	setsid();
	ioctl(terminal, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(terminal, fd);
}

static bool
start(hd_reloader *reloader, GError **error)
{
	int failed[2], errnum = 0;
	if (pipe2(failed, O_CLOEXEC) < 0)
		abort();
	reloader->pid = fork();
	if (reloader->pid == 0) {
		take_terminal(reloader->options.terminal);
		execvp(reloader->options.program, reloader->options.argv);
		errnum = errno;
		_exit(write(failed[1], &errnum, sizeof errnum) < 0);
	}
	close(failed[1]);
	bool ok = read(failed[0], &errnum, sizeof errnum) == 0;
	close(failed[0]);
	if (!ok) {
		waitpid(reloader->pid, NULL, 0);
		hd_error_set_errno(error, HD_ERROR_START, errnum, "%s cannot be started", reloader->options.program);
		return false;
	}
	reloader->child = g_child_watch_add(reloader->pid, ended, reloader);
	hd_event *ready = hd_event_new(HD_EVENT_READY);
	ready->program = g_strdup(reloader->options.program);
	ready->pid = reloader->pid;
	ready->module_count = 2;
	tell(reloader, ready);
	return true;
}

static gboolean
tell_script(gpointer data)
{
	GPtrArray *events = hd_journal_read(g_getenv("HOTDEV_DOUBLE_JOURNAL"), NULL);
	for (guint i = 0; events && i < events->len; i++)
		tell(data, hd_event_ref(events->pdata[i]));
	if (events)
		g_ptr_array_unref(events);
	return G_SOURCE_REMOVE;
}

bool
hd_reloader_start(hd_reloader *reloader, GError **error)
{
	const char *refuse = g_getenv("HOTDEV_DOUBLE_START");
	if (refuse) {
		g_set_error(error, HD_ERROR, strcmp(refuse, "watch") == 0 ? HD_ERROR_WATCH : HD_ERROR_START,
			    "it is refused");
		return false;
	}
	if (!start(reloader, error))
		return false;
	if (g_getenv("HOTDEV_DOUBLE_JOURNAL"))
		g_idle_add(tell_script, reloader);
	return true;
}

static bool
step(hd_reloader *reloader, hd_event_kind kind, const char *module, GError **error)
{
	if (module && strcmp(module, "main.c") != 0) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "no transaction contains %s", module);
		return false;
	}
	hd_event *event = hd_event_new(kind);
	event->transaction = 1;
	hd_module_change *change = g_new0(hd_module_change, 1);
	change->module = g_strdup("main.c");
	change->version = kind == HD_EVENT_UNDONE ? 1 : 2;
	change->functions = g_ptr_array_new_with_free_func(g_free);
	change->data = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(event->modules, change);
	tell(reloader, event);
	return true;
}

bool
hd_reloader_undo(hd_reloader *reloader, const char *module, GError **error)
{
	return step(reloader, HD_EVENT_UNDONE, module, error);
}

bool
hd_reloader_redo(hd_reloader *reloader, const char *module, GError **error)
{
	return step(reloader, HD_EVENT_REDONE, module, error);
}

bool
hd_reloader_reload(hd_reloader *reloader, const char *file, GError **error)
{
	(void)error;
	hd_event *event = hd_event_new(HD_EVENT_UNCHANGED);
	g_ptr_array_add(event->files, g_strdup(file ? file : "main.c"));
	tell(reloader, event);
	return true;
}

bool
hd_reloader_migrate(hd_reloader *reloader, GError **error)
{
	(void)reloader;
	g_set_error(error, HD_ERROR, HD_ERROR_BUSY, "nothing is held");
	return false;
}

bool
hd_reloader_purge(hd_reloader *reloader, const char *module, GError **error)
{
	(void)reloader, (void)module;
	g_set_error(error, HD_ERROR, HD_ERROR_BUSY, "there is no old version to purge");
	return false;
}

void
hd_reloader_pause(hd_reloader *reloader, bool paused)
{
	reloader->paused = paused;
}

bool
hd_reloader_restart(hd_reloader *reloader, GError **error)
{
	if (reloader->child) {
		g_source_remove(reloader->child);
		kill(reloader->pid, SIGKILL);
		waitpid(reloader->pid, NULL, 0);
	}
	return start(reloader, error);
}

void
hd_reloader_end(hd_reloader *reloader)
{
	if (reloader->child)
		kill(reloader->pid, SIGTERM);
}

typedef struct {
	hd_reloader_waited *done;
	void *data;
} waiter;

static gboolean
waited(gpointer data)
{
	waiter *w = data;
	w->done(true, w->data);
	return G_SOURCE_REMOVE;
}

static gboolean
waited_in_vain(gpointer data)
{
	waiter *w = data;
	w->done(false, w->data);
	return G_SOURCE_REMOVE;
}

/* Nothing is ever being built: idle is reached at once, live never. */
guint
hd_reloader_wait(hd_reloader *reloader, bool live, int timeout_ms, hd_reloader_waited *done, void *data)
{
	(void)reloader;
	waiter *w = g_new(waiter, 1);
	*w = (waiter){done, data};
	return g_timeout_add_full(G_PRIORITY_DEFAULT, live ? (guint)timeout_ms : 0, live ? waited_in_vain : waited, w,
				  g_free);
}

void
hd_reloader_wait_cancel(hd_reloader *reloader, guint ticket)
{
	(void)reloader;
	g_source_remove(ticket);
}

json_t *
hd_reloader_examine(const hd_reloader_options *options, bool prove, hd_reloader_progress *progress, void *data,
		    GError **error)
{
	(void)prove, (void)progress, (void)data;
	if (!g_file_test(options->program, G_FILE_TEST_IS_EXECUTABLE)) {
		g_set_error(error, HD_ERROR, HD_ERROR_START, "%s is no program", options->program);
		return NULL;
	}
	return json_pack("{s:i, s:s, s:b, s:[{s:s, s:b, s:s, s:[s]}], s:[{s:s, s:b, s:s, s:s}]}", "v", 1, "program",
			 options->program, "ok", 1, "modules", "module", "main.c", "reloadable", 1, "origin",
			 "compile_commands.json", "warnings", "built\033[31m without -fno-ipa-ra", "limits", "name",
			 "ptrace", "ok", 0, "message", "ptrace_scope is 3", "remedy", "set it to 1");
}

/* ---- the model ---- */

static tui_snapshot
snapshot_of(const hd_model *model)
{
	tui_snapshot snapshot;
	hd_journal_model_snapshot(((const hd_reloader *)model)->model, &snapshot);
	json_decref(snapshot.watcher); /* the double has one of its own */
	snapshot.watcher = NULL;
	return snapshot;
}

const GPtrArray *
hd_model_modules(const hd_model *model)
{
	return snapshot_of(model).modules;
}

const GPtrArray *
hd_model_processes(const hd_model *model)
{
	return snapshot_of(model).processes;
}

const char *
hd_model_program(const hd_model *model)
{
	return ((const hd_reloader *)model)->options.program;
}

char *const *
hd_model_argv(const hd_model *model)
{
	return ((const hd_reloader *)model)->options.argv;
}

const char *
hd_model_project(const hd_model *model)
{
	return ((const hd_reloader *)model)->options.project;
}

hd_program_state
hd_model_program_state(const hd_model *model)
{
	return snapshot_of(model).state;
}

int
hd_model_exit_status(const hd_model *model)
{
	return snapshot_of(model).exit_status;
}

int
hd_model_generation(const hd_model *model)
{
	return snapshot_of(model).generation;
}

bool
hd_model_paused(const hd_model *model)
{
	return ((const hd_reloader *)model)->paused;
}

bool
hd_model_idle(const hd_model *model)
{
	(void)model;
	return true;
}

json_t *
hd_model_watcher(const hd_model *model)
{
	(void)model;
	const char *state = g_getenv("HOTDEV_DOUBLE_WATCHER");
	return json_pack("{s:s, s:i, s:i, s:i}", "state", state ? state : "ok", "folders", 3, "files", 7, "overflows",
			 0);
}
