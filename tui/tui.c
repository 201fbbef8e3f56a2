/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of the dashboard, and when it draws: at most every REDRAW_MS, and once
 * a second for the clock and the ages. */
#include "config.h"

#include "tui/tui.h"

#include "tui/internal.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum { REDRAW_MS = 33, EVENTS_KEPT = 1000 };

/* How long an answer and a notice stay. */
#define MESSAGE_US (6 * G_USEC_PER_SEC)

bool
tui_possible(void)
{
	return screen_possible();
}

static void
told_free(void *data)
{
	g_free(((told_event *)data)->line);
	g_free(data);
}

static void program_wrote(void *data);

tui *
tui_new(const tui_options *options)
{
	tui *t = g_new0(tui, 1);
	t->options = *options;
	t->rows = 24;
	t->columns = 80;
	t->started_us = g_get_real_time();
	t->modules = g_ptr_array_new();
	t->processes = g_array_new(FALSE, FALSE, sizeof(process_row));
	t->detail = g_ptr_array_new_with_free_func(tui_detail_line_free);
	t->output = g_array_new(FALSE, FALSE, sizeof(output_row));
	t->events = g_ptr_array_new();
	t->told = g_ptr_array_new_with_free_func(told_free);
	t->prompt = tui_prompt_new();
	t->follow = t->wrap = t->detail_stale = true;
	return t;
}

void
tui_free(tui *t)
{
	if (!t)
		return;
	screen_close();
	guint sources[] = {t->redraw, t->tick, t->input, t->resize, t->editor};
	for (gsize i = 0; i < G_N_ELEMENTS(sources); i++)
		if (sources[i])
			g_source_remove(sources[i]);
	tui_terminal_free(t->terminal);
	tui_prompt_free(t->prompt);
	for (int i = 0; i < PANE_COUNT; i++) {
		g_free(t->panes[i].filter);
		g_free(t->panes[i].sought);
	}
	g_free(t->told_detail);
	json_decref(t->now.watcher);
	hd_event_unref(t->waiting);
	hd_position_clear(&t->detail_where);
	g_ptr_array_unref(t->modules);
	g_array_unref(t->processes);
	g_ptr_array_unref(t->detail);
	g_array_unref(t->output);
	g_ptr_array_unref(t->events);
	g_ptr_array_unref(t->told);
	g_free(t->chosen_module);
	g_free(t->detail_title);
	g_free(t->detail_right);
	g_free(t->last_saved);
	g_free(t->notice);
	g_free(t->message);
	g_free(t);
}

/* ---- drawing ---- */

void
tui_refresh(tui *t)
{
	json_decref(t->now.watcher);
	t->now = (tui_snapshot){0};
	t->options.source.snapshot(t->options.source.data, &t->now);
	screen_size(&t->rows, &t->columns);
	tui_build_lists(t);
	tui_layout(t);
	tui_build_texts(t);
}

static void
draw(tui *t)
{
	if (t->mode == MODE_EDITOR)
		return;
	tui_refresh(t);
	const tui_area *output = &t->panes[PANE_OUTPUT].area;
	if (t->terminal && t->mode != MODE_TERMINAL && output->rows > 2)
		tui_terminal_resize(t->terminal, output->rows - 2, output->columns - 2);
	screen_begin();
	if (t->mode == MODE_TERMINAL) {
		tui_draw_terminal(t);
	} else if (t->mode == MODE_HELP) {
		tui_draw_help(t);
	} else if (t->mode == MODE_WATCH) {
		tui_draw_watch(t);
	} else {
		tui_draw_panes(t);
		tui_draw_bars(t);
	}
	screen_end();
	t->drawn_us = g_get_monotonic_time();
}

static gboolean
redraw(gpointer data)
{
	tui *t = data;
	t->redraw = 0;
	draw(t);
	return G_SOURCE_REMOVE;
}

void
tui_dirty(tui *t)
{
	if (t->redraw || !t->shown)
		return;
	gint64 since_ms = (g_get_monotonic_time() - t->drawn_us) / 1000;
	guint delay = since_ms >= REDRAW_MS ? 0 : (guint)(REDRAW_MS - since_ms);
	/* Below reloads and keys, above the program's output. */
	t->redraw = g_timeout_add_full(G_PRIORITY_HIGH_IDLE, delay, redraw, t, NULL);
}

void
tui_say(tui *t, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	g_free(t->message);
	char *text = g_strdup_vprintf(format, ap);
	t->message = g_strdup_printf(" %s", text);
	g_free(text);
	va_end(ap);
	t->message_until_us = g_get_real_time() + MESSAGE_US;
	tui_dirty(t);
}

/* ---- the program's terminal ---- */

void
tui_enter_terminal(tui *t, bool by_itself)
{
	t->mode = MODE_TERMINAL;
	t->entered_by_itself = by_itself;
	g_free(t->notice);
	t->notice = g_strdup("the program has the terminal");
	t->notice_style = STYLE_BAR;
	t->notice_until_us = g_get_real_time() + MESSAGE_US / 2;
	tui_dirty(t);
}

void
tui_leave_terminal(tui *t)
{
	t->mode = MODE_DASHBOARD;
	tui_dirty(t);
}

/* A full-screen program gets the terminal when it becomes one, and loses it
 * when it is one no more; in between the user has the say. Who went to a program
 * that only writes lines stays there until it ends. */
static void
check_full(tui *t)
{
	if (!t->terminal)
		return;
	bool ended = t->now.state == HD_PROGRAM_ENDED;
	bool full = tui_terminal_is_full(t->terminal) && !ended;
	if (full && !t->was_full && t->mode == MODE_DASHBOARD)
		tui_enter_terminal(t, true);
	else if (t->mode == MODE_TERMINAL && (ended || (!full && t->was_full && t->entered_by_itself)))
		tui_leave_terminal(t);
	t->was_full = full;
}

static void
program_wrote(void *data)
{
	tui *t = data;
	check_full(t);
	tui_dirty(t);
}

/* ---- sources ---- */

static gboolean
tick(gpointer data)
{
	tui *t = data;
	check_full(t);
	/* For the ages in it; sources have none. */
	t->detail_stale = t->detail_stale || t->subject != DETAIL_DIFFERENCE;
	tui_dirty(t);
	return G_SOURCE_CONTINUE;
}

static gboolean
readable(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd;
	tui *t = data;
	tui_key key;
	if (t->mode == MODE_EDITOR) {
		/* The editor's keys are not ours; the tick asks again. */
		t->input = 0;
		return G_SOURCE_REMOVE;
	}
	if (condition & (G_IO_HUP | G_IO_ERR)) {
		t->input = 0;
		raise(SIGHUP);
		return G_SOURCE_REMOVE;
	}
	while (t->mode != MODE_EDITOR && screen_key(&key)) {
		tui_refresh(t);
		tui_key_pressed(t, &key);
	}
	tui_dirty(t);
	return G_SOURCE_CONTINUE;
}

static gboolean
resized(gpointer data)
{
	tui *t = data;
	if (t->mode != MODE_EDITOR)
		screen_resized();
	tui_dirty(t);
	return G_SOURCE_CONTINUE;
}

bool
tui_show(tui *t, GError **error)
{
	screen_options options = {t->options.ascii, t->options.mono, t->options.mouse};
	if (!screen_open(&options, error))
		return false;
	t->shown = true;
	screen_size(&t->rows, &t->columns);
	if (t->options.terminal >= 0) {
		int rows, columns;
		tui_program_size(t->rows, t->columns, &rows, &columns);
		t->terminal = tui_terminal_new(t->options.terminal, rows, columns, program_wrote, t);
	}
	t->input = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, readable, t);
	t->resize = g_unix_signal_add(SIGWINCH, resized, t);
	t->tick = g_timeout_add_seconds(1, tick, t);
	draw(t);
	return true;
}

/* ---- events ---- */

static void
notice(tui *t, const hd_event *event, const char *line)
{
	switch (event->kind) {
	case HD_EVENT_FAILED:
	case HD_EVENT_HELD:
	case HD_EVENT_CRASHED:
		t->notice_style = STYLE_BAR_BAD;
		if (t->options.bell && t->shown && t->mode != MODE_EDITOR)
			screen_bell();
		break;
	case HD_EVENT_LIVE:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
	case HD_EVENT_WAITING:
		t->notice_style = STYLE_BAR;
		break;
	default:
		return;
	}
	g_free(t->notice);
	t->notice = g_strdup(line);
	t->notice_until_us = g_get_real_time() + MESSAGE_US;
}

static void
remember(tui *t, hd_event *event)
{
	switch (event->kind) {
	case HD_EVENT_READY:
		t->started_us = event->wall_us;
		if (t->terminal)
			tui_terminal_reset(t->terminal);
		break;
	case HD_EVENT_SAVED:
		if (event->files->len) {
			g_free(t->last_saved);
			t->last_saved = g_strdup(event->files->pdata[0]);
			t->last_saved_us = event->wall_us;
		}
		break;
	case HD_EVENT_FAILED:
		t->error_shown = 0;
		t->panes[PANE_DETAIL].top = 0;
		break;
	case HD_EVENT_WAITING:
		hd_event_unref(t->waiting);
		t->waiting = hd_event_ref(event);
		break;
	default:
		break;
	}
}

void
tui_event(tui *t, hd_event *event)
{
	told_event *told = g_new(told_event, 1);
	*told = (told_event){event->wall_us, hd_event_line(event), event->kind};
	if (t->told->len >= EVENTS_KEPT)
		g_ptr_array_remove_index(t->told, 0);
	g_ptr_array_add(t->told, told);
	remember(t, event);
	notice(t, event, told->line);
	t->detail_stale = true;
	tui_dirty(t);
}
