/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start-up, in this order: the journal and the terminal (nothing runs yet, so a
 * refusal is only a sentence), the control socket, the program, the dashboard.
 * Every event goes to the journal first and to the control socket last: who is
 * answered there finds it in the journal. */
#include "config.h"

#include "hotdev/run.h"

#include "base/error.h"
#include "base/text.h"
#include "hotdev/control.h"
#include "hotdev/installed.h"
#include "hotdev/journal.h"
#include "hotdev/journal_model.h"
#include "hotdev/notify.h"
#include "hotdev/plain.h"
#include "hotdev/pty.h"
#include "tui/tui.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { STATUS_START = 3, STATUS_WATCH = 4, STATUS_USAGE = 2 };

/* By then a program that was asked to end has ended or been killed. */
enum { END_MS = 10000 };

typedef struct {
	const hd_options *options;
	GMainLoop *loop;
	hd_reloader *reloader;
	hd_guide *guide;     /* borrowed; NULL: none */
	hd_journal *journal; /* NULL: none */
	hd_control *control; /* NULL: not there yet, or no place for it */
	tui *dashboard;	     /* NULL: plain */
	hd_pty pty;
	bool ascii;
	bool quitting; /* the user asked for the end */
	guint check;   /* source: has the program ended? */
	int status;
} session;

static void
say(const char *message)
{
	char *clean = hd_text_local(message);
	g_printerr("hotdev: %s\n", clean);
	g_free(clean);
}

static int
say_error(GError *error)
{
	int status = STATUS_START;
	if (g_error_matches(error, HD_ERROR, HD_ERROR_WATCH))
		status = STATUS_WATCH;
	else if (g_error_matches(error, HD_ERROR, HD_ERROR_USAGE))
		status = STATUS_USAGE;
	say(error->message);
	g_error_free(error);
	return status;
}

/* ---- events ---- */

static gboolean
check_end(gpointer data)
{
	session *s = data;
	s->check = 0;
	const hd_model *model = hd_reloader_model(s->reloader);
	if (hd_model_program_state(model) != HD_PROGRAM_ENDED)
		return G_SOURCE_REMOVE;
	if (!s->quitting)
		s->status = hd_model_exit_status(model);
	if (s->quitting || !s->dashboard)
		g_main_loop_quit(s->loop);
	return G_SOURCE_REMOVE;
}

static void
heard(hd_event *event, void *data)
{
	session *s = data;
	if (s->journal)
		hd_journal_write(s->journal, event);
	if (s->dashboard)
		tui_event(s->dashboard, event);
	else
		hd_plain_write(event, hd_model_project(hd_reloader_model(s->reloader)), s->ascii);
	if (s->options->notify)
		hd_notify(event, s->options->arguments[0]);
	if (s->control)
		hd_control_event(s->control, event);
	/* Its first line is due once the program runs. */
	if (s->guide && (hd_guide_event(s->guide, event) || event->kind == HD_EVENT_READY) && !s->dashboard)
		g_printerr("demo: %s\n", hd_guide_text(s->guide));
	if (event->kind == HD_EVENT_PROCESS && !s->check)
		s->check = g_idle_add(check_end, s);
}

/* ---- the end ---- */

static gboolean
end_late(gpointer data)
{
	session *s = data;
	say("the program has not ended, and is left running");
	g_main_loop_quit(s->loop);
	return G_SOURCE_REMOVE;
}

static void
quit(void *data)
{
	session *s = data;
	if (s->quitting)
		return;
	s->quitting = true;
	if (hd_model_program_state(hd_reloader_model(s->reloader)) == HD_PROGRAM_ENDED) {
		g_main_loop_quit(s->loop);
		return;
	}
	s->status = 0;
	hd_reloader_end(s->reloader);
	g_timeout_add(END_MS, end_late, s);
	if (!s->check)
		s->check = g_idle_add(check_end, s);
}

static void
leave(session *s)
{
	s->quitting = true;
	s->status = 0;
	g_main_loop_quit(s->loop);
}

static void
quit_as_told(bool left_running, void *data)
{
	if (left_running)
		leave(data);
	else
		quit(data);
}

static gboolean
quit_by_signal(gpointer data)
{
	quit(data);
	return G_SOURCE_CONTINUE;
}

/* Ctrl-C at a plain hotdev is the program's affair: it had the signal too. */
static gboolean
survive(gpointer data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

/* ---- the dashboard's side ---- */

static void
take_snapshot(void *data, tui_snapshot *snapshot)
{
	const session *s = data;
	const hd_model *model = hd_reloader_model(s->reloader);
	*snapshot = (tui_snapshot){
		.modules = hd_model_modules(model),
		.processes = hd_model_processes(model),
		.program = hd_model_program(model),
		.argv = hd_model_argv(model),
		.project = hd_model_project(model),
		.state = hd_model_program_state(model),
		.exit_status = hd_model_exit_status(model),
		.generation = hd_model_generation(model),
		.paused = hd_model_paused(model),
		.idle = hd_model_idle(model),
		.watcher = hd_model_watcher(model),
		.advice = s->guide ? hd_guide_text(s->guide) : NULL,
	};
}

static bool
run_command(void *data, tui_command command, const char *argument, GError **error)
{
	session *s = data;
	switch (command) {
	case TUI_RELOAD:
		return hd_reloader_reload(s->reloader, argument, error);
	case TUI_RESTART:
		return hd_reloader_restart(s->reloader, error);
	case TUI_UNDO:
		return hd_reloader_undo(s->reloader, argument, error);
	case TUI_REDO:
		return hd_reloader_redo(s->reloader, argument, error);
	case TUI_PURGE:
		return hd_reloader_purge(s->reloader, argument, error);
	case TUI_PAUSE:
		hd_reloader_pause(s->reloader, !hd_model_paused(hd_reloader_model(s->reloader)));
		return true;
	case TUI_QUIT:
		quit_as_told(strcmp(argument, "leave") == 0, s);
		return true;
	case TUI_COMMAND_COUNT:
		break;
	}
	return false;
}

static tui *
dashboard_new(const hd_options *options, tui_source source, int terminal)
{
	const char *no_color = g_getenv("NO_COLOR");
	tui_options settings = {
		.source = source,
		.terminal = terminal,
		.ascii = options->ascii || hd_text_locale_is_ascii(),
		.mono = options->mono || (no_color && *no_color),
		.mouse = !options->no_mouse,
		.bell = options->bell,
		.prefix = (gunichar)options->prefix,
		.name = options->events,
	};
	return tui_new(&settings);
}

/* ---- start-up ---- */

/* Never follows a link out of the folder. */
static void
remove_tree(const char *path)
{
	GDir *directory = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
	const char *name;
	while (directory && (name = g_dir_read_name(directory))) {
		char *below = g_build_filename(path, name, NULL);
		remove_tree(below);
		g_free(below);
	}
	g_clear_pointer(&directory, g_dir_close);
	g_remove(path);
}

/* In memory where that can be had: a build makes many small files. */
static char *
make_scratch(void)
{
	const char *places[] = {g_getenv("XDG_RUNTIME_DIR"), "/dev/shm", g_get_tmp_dir()};
	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		char *path = places[i] && *places[i] ? g_build_filename(places[i], "hotdev-XXXXXX", NULL) : NULL;
		if (path && g_mkdtemp(path))
			return path;
		g_free(path);
	}
	return NULL;
}

void
hd_run_reloader_options(const hd_options *options, hd_reloader_options *out)
{
	*out = (hd_reloader_options){
		.program = options->arguments[0],
		.argv = options->arguments,
		.terminal = -1,
		.compiler = options->compiler,
		.compdb = options->compdb,
		.project = options->project,
		.restart_on_refuse = options->restart_on_refuse,
		.on_disagree = options->on_disagree,
		.keep = options->keep,
		.settle_ms = options->settle_ms,
		.patience_ms = options->patience_ms,
		.typed_heap = options->typed_heap,
		.agent = hd_installed_helper("agent", "hotdev-agent.so"),
		.tcc = hd_installed_helper("instant", "hotdev-tcc"),
		.scratch = make_scratch(),
	};
}

void
hd_run_reloader_options_clear(hd_reloader_options *options)
{
	if (options->scratch)
		remove_tree(options->scratch);
	g_free((char *)options->scratch);
	g_free((char *)options->agent);
	g_free((char *)options->tcc);
}

static void
open_control(session *s)
{
	GError *error = NULL;
	s->control = hd_control_new(s->options->socket, s->reloader, quit_as_told, s, &error);
	if (s->control)
		return;
	say(error->message);
	if (s->options->socket)
		s->status = STATUS_USAGE;
	g_error_free(error);
}

static bool
open_terminal(session *s, GError **error)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	int rows, columns;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	tui_program_size(size.ws_row, size.ws_col, &rows, &columns);
	if (!hd_pty_open(&s->pty, rows, columns, error))
		return false;
	tui_source source = {take_snapshot, run_command, s};
	s->dashboard = dashboard_new(s->options, source, s->pty.master);
	return true;
}

static bool
wants_dashboard(const hd_options *options)
{
	return !options->plain && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && tui_possible();
}

/* The program's terminal is ours, whatever terminal we are shown on. */
static bool
start_program(session *s, GError **error)
{
	char *outer = s->dashboard ? g_strdup(g_getenv("TERM")) : NULL;
	if (s->dashboard)
		g_setenv("TERM", "xterm-256color", TRUE);
	bool started = hd_reloader_start(s->reloader, error);
	if (s->dashboard && outer)
		g_setenv("TERM", outer, TRUE);
	g_free(outer);
	return started && (!s->dashboard || tui_show(s->dashboard, error));
}

static void
session_clear(session *s)
{
	tui_free(s->dashboard);
	s->dashboard = NULL;
	if (s->check)
		g_source_remove(s->check);
	hd_control_free(s->control);
	hd_reloader_free(s->reloader);
	hd_journal_close(s->journal);
	hd_pty_close(&s->pty);
	g_main_loop_unref(s->loop);
}

static bool
session_open(session *s, hd_reloader_options *reloader, GError **error)
{
	const hd_options *options = s->options;
	if (options->events && strcmp(options->events, "-") == 0 && wants_dashboard(options)) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE,
			    "events on standard output and a dashboard on it do not go together: add --plain");
		return false;
	}
	if (options->notify && !hd_notify_possible(error))
		return false;
	if (options->events && !(s->journal = hd_journal_open(options->events, error)))
		return false;
	if (wants_dashboard(options) && !open_terminal(s, error))
		return false;
	reloader->terminal = s->pty.slave;
	s->reloader = hd_reloader_new(reloader);
	hd_reloader_listen(s->reloader, heard, s);
	open_control(s);
	return s->status == 0;
}

static void
session_run(session *s)
{
	GError *error = NULL;
	guint signals[] = {
		g_unix_signal_add(SIGTERM, quit_by_signal, s),
		g_unix_signal_add(SIGHUP, quit_by_signal, s),
		g_unix_signal_add(SIGINT, s->dashboard ? quit_by_signal : survive, s),
	};
	if (!start_program(s, &error)) {
		tui_free(s->dashboard);
		s->dashboard = NULL;
		s->status = say_error(error);
	} else {
		s->check = g_idle_add(check_end, s);
		g_main_loop_run(s->loop);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
		g_source_remove(signals[i]);
}

int
hd_run(const hd_options *options, gint64 start_ns)
{
	return hd_run_guided(options, NULL, start_ns);
}

int
hd_run_guided(const hd_options *options, hd_guide *guide, gint64 start_ns)
{
	session s = {.options = options,
		     .guide = guide,
		     .pty = {-1, -1, -1},
		     .ascii = options->ascii || hd_text_locale_is_ascii()};
	hd_reloader_options reloader;
	GError *error = NULL;
	s.loop = g_main_loop_new(NULL, FALSE);
	hd_run_reloader_options(options, &reloader);
	reloader.start_ns = start_ns;
	if (session_open(&s, &reloader, &error))
		session_run(&s);
	else if (error)
		s.status = say_error(error);
	session_clear(&s);
	hd_run_reloader_options_clear(&reloader);
	return s.status;
}

/* ---- replay ---- */

typedef struct {
	GMainLoop *loop;
	hd_journal_model *model;
} replay;

static void
replay_snapshot(void *data, tui_snapshot *snapshot)
{
	hd_journal_model_snapshot(((replay *)data)->model, snapshot);
}

static bool
replay_command(void *data, tui_command command, const char *argument, GError **error)
{
	(void)argument;
	if (command == TUI_QUIT) {
		g_main_loop_quit(((replay *)data)->loop);
		return true;
	}
	g_set_error(error, HD_ERROR, HD_ERROR_GONE, "this is a journal: there is no program to command");
	return false;
}

static gboolean
replay_quit(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_CONTINUE;
}

static void
replay_plain(const GPtrArray *events, bool ascii)
{
	for (guint i = 0; i < events->len; i++)
		hd_plain_write(events->pdata[i], NULL, ascii);
}

static int
replay_dashboard(const hd_options *options, const GPtrArray *events)
{
	replay r = {g_main_loop_new(NULL, FALSE), hd_journal_model_new()};
	tui_source source = {replay_snapshot, replay_command, &r};
	tui *dashboard = dashboard_new(options, source, -1);
	for (guint i = 0; i < events->len; i++) {
		hd_journal_model_apply(r.model, events->pdata[i]);
		tui_event(dashboard, events->pdata[i]);
	}
	guint signals[] = {
		g_unix_signal_add(SIGTERM, replay_quit, r.loop),
		g_unix_signal_add(SIGHUP, replay_quit, r.loop),
		g_unix_signal_add(SIGINT, replay_quit, r.loop),
	};
	GError *error = NULL;
	if (tui_show(dashboard, &error))
		g_main_loop_run(r.loop);
	tui_free(dashboard);
	for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
		g_source_remove(signals[i]);
	hd_journal_model_free(r.model);
	g_main_loop_unref(r.loop);
	return error ? say_error(error) : 0;
}

int
hd_replay(const hd_options *options)
{
	GError *error = NULL;
	GPtrArray *events = hd_journal_read(options->replay, &error);
	if (!events)
		return say_error(error);
	int status = 0;
	if (wants_dashboard(options))
		status = replay_dashboard(options, events);
	else
		replay_plain(events, options->ascii || hd_text_locale_is_ascii());
	g_ptr_array_unref(events);
	return status;
}
