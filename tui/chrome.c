/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bars above and below the panes, the help, and the program's own screen. */
#include "config.h"

#include "base/text.h"
#include "tui/internal.h"

#include <string.h>

typedef struct {
	guint errors, held, waiting, missing, pinned, building;
} counts;

static counts
count(const tui *t)
{
	counts c = {0};
	for (guint i = 0; t->now.modules && i < t->now.modules->len; i++) {
		const hd_module_view *module = t->now.modules->pdata[i];
		c.errors += module->state == HD_MODULE_ERROR;
		c.held += module->state == HD_MODULE_HELD;
		c.waiting += module->state == HD_MODULE_WAITING;
		c.missing += module->state == HD_MODULE_MISSING;
		c.building += module->state == HD_MODULE_BUILDING;
		c.pinned += module->pins;
	}
	return c;
}

static void
append_count(GString *text, guint number, const char *word)
{
	if (number)
		g_string_append_printf(text, "  %u %s", number, word);
}

static void
draw_ends(int row, int columns, tui_style style, const char *left, const char *right)
{
	char *clean = hd_text_clean(right, -1);
	int width = hd_text_width(clean);
	g_free(clean);
	screen_text(row, 0, columns, style, left);
	if (width < columns / 2 + 10)
		screen_text(row, columns - width, width, style, right);
}

static char *
program_line(const tui *t)
{
	char *arguments = t->now.argv && t->now.argv[0] ? g_strjoinv(" ", (char **)t->now.argv + 1) : g_strdup("");
	gint64 up = (g_get_real_time() - t->started_us) / G_USEC_PER_SEC;
	char *line =
		g_strdup_printf(" hotdev  %s%s%s  up %d:%02d  gen %d", t->now.program ? t->now.program : "-",
				*arguments ? " " : "", arguments, (int)(up / 60), (int)(up % 60), t->now.generation);
	g_free(arguments);
	return line;
}

static void
draw_program_bar(const tui *t, const counts *c)
{
	GString *right = g_string_new(NULL);
	char *left = program_line(t);
	if (t->now.state == HD_PROGRAM_ENDED)
		g_string_append_printf(right, "  ENDED status %d", t->now.exit_status);
	else if (t->now.processes)
		g_string_append_printf(right, "  %u proc%s", t->now.processes->len,
				       t->now.processes->len == 1 ? "" : "s");
	append_count(right, c->errors, "ERROR");
	append_count(right, c->held, "HELD");
	append_count(right, c->waiting, "WAITING");
	append_count(right, c->missing, "MISSING");
	append_count(right, c->pinned, "PINNED");
	if (t->now.paused)
		g_string_append(right, "  PAUSED");
	GDateTime *now = g_date_time_new_now_local();
	char *time = g_date_time_format(now, "%H:%M:%S");
	g_string_append_printf(right, "  %s ", time);
	bool bad = c->errors || c->held || t->now.state == HD_PROGRAM_ENDED;
	draw_ends(0, t->columns, bad ? STYLE_BAR_BAD : STYLE_BAR, left, right->str);
	g_free(time);
	g_date_time_unref(now);
	g_string_free(right, TRUE);
	g_free(left);
}

static void
append_watcher(GString *line, const json_t *watcher)
{
	const char *state = json_string_value(json_object_get(watcher, "state"));
	const json_t *folders = json_object_get(watcher, "folders");
	int overflows = (int)json_integer_value(json_object_get(watcher, "overflows"));
	g_string_append_printf(line, " watch %s", state ? state : "-");
	if (folders)
		g_string_append_printf(line, ", %d folder%s", (int)json_integer_value(folders),
				       json_integer_value(folders) == 1 ? "" : "s");
	if (overflows)
		g_string_append_printf(line, ", overflow %d", overflows);
}

/* What the watcher is about; where somebody is guided, what to do next. */
static void
draw_watch_bar(const tui *t, const counts *c)
{
	if (t->now.advice) {
		char *line = g_strdup_printf(" %s", t->now.advice);
		screen_text(1, 0, t->columns, STYLE_BUSY, line);
		g_free(line);
		return;
	}
	GString *left = g_string_new(NULL);
	const char *state = json_string_value(json_object_get(t->now.watcher, "state"));
	append_watcher(left, t->now.watcher);
	if (t->last_saved) {
		char *age = tui_age(t->last_saved_us);
		g_string_append_printf(left, " | last save %s, %s ago", t->last_saved, age);
		g_free(age);
	} else if (t->now.state == HD_PROGRAM_RUNNING && t->terminal) {
		g_string_append(left, " | edit a source and save it: it goes live");
	}
	if (c->building)
		g_string_append_printf(left, " | building %u", c->building);
	else if (t->last_saved)
		g_string_append_printf(left, " | build %s", t->now.idle ? "idle" : "busy");
	if (t->options.name)
		g_string_append_printf(left, " | journal %s", t->options.name);
	bool bad = state && strcmp(state, "ok") != 0;
	draw_ends(1, t->columns, bad ? STYLE_BUSY : STYLE_NORMAL, left->str, " ? help ");
	g_string_free(left, TRUE);
}

static void
draw_bottom(const tui *t)
{
	int row = t->rows - 1;
	if (t->mode == MODE_QUIT) {
		screen_text(row, 0, t->columns, STYLE_BAR_BAD,
			    " Quit: e end the program | l leave it running | Esc stay");
	} else if (t->mode == MODE_PROMPT) {
		static const char *const kinds[] = {
			[PROMPT_FILTER] = "/", [PROMPT_SEARCH] = "search: ", [PROMPT_COMMAND] = ":"};
		const char *kind = kinds[t->prompt_kind];
		char *line = g_strconcat(kind, tui_prompt_text(t->prompt), NULL);
		screen_text(row, 0, t->columns, STYLE_NORMAL, line);
		screen_cursor(row, MIN((int)strlen(kind) + tui_prompt_cursor(t->prompt), t->columns - 1));
		g_free(line);
	} else if (t->message && g_get_real_time() < t->message_until_us) {
		screen_text(row, 0, t->columns, STYLE_BUSY, t->message);
	} else if (t->now.state == HD_PROGRAM_ENDED) {
		char *line = g_strdup_printf(" the program ended with status %d | R restart | q quit | ? help",
					     t->now.exit_status);
		screen_text(row, 0, t->columns, STYLE_BUSY, line);
		g_free(line);
	} else {
		char *hints = tui_hints(t, t->columns);
		screen_text(row, 0, t->columns, STYLE_DIM, hints);
		g_free(hints);
	}
}

void
tui_draw_bars(tui *t)
{
	counts c = count(t);
	draw_program_bar(t, &c);
	if (t->rows > 1)
		draw_watch_bar(t, &c);
	if (t->rows > 2)
		draw_bottom(t);
}

void
tui_draw_help(tui *t)
{
	char *text = tui_keys_help();
	char **lines = g_strsplit(text, "\n", -1);
	tui_area area = {0, 0, t->rows, t->columns};
	screen_box(&area, true, "KEYS", "any key goes back");
	int count_lines = (int)g_strv_length(lines), room = MAX(t->rows - 2, 1);
	/* In columns when they do not fit one below the other. */
	int columns = MAX(1, MIN((count_lines + room - 1) / room, t->columns / 38));
	int width = (t->columns - 2) / columns, deep = MIN((count_lines + columns - 1) / columns, room);
	for (int i = 0; i < count_lines && i < deep * columns; i++)
		screen_text(1 + i % deep, 1 + i / deep * width, width - 1, STYLE_NORMAL, lines[i]);
	g_strfreev(lines);
	g_free(text);
}

static char *
watch_line(const json_t *seen)
{
	const char *path = json_string_value(json_object_get(seen, "path"));
	const char *mask = json_string_value(json_object_get(seen, "mask"));
	const char *verdict = json_string_value(json_object_get(seen, "verdict"));
	return g_strdup_printf("%9.3f %-24s %-10s %s", json_number_value(json_object_get(seen, "t")), mask ? mask : "",
			       verdict ? verdict : "", path ? path : "");
}

void
tui_draw_watch(tui *t)
{
	tui_area area = {0, 0, t->rows, t->columns};
	screen_box(&area, true, "WATCH", "any key goes back");
	json_t *last = t->now.watcher ? json_object_get(t->now.watcher, "last") : NULL;
	int known = (int)json_array_size(last), room = MAX(t->rows - 3, 1), first = MAX(known - room, 0);
	char *health = g_strdup_printf(
		"%s: %d folders, %d files, overflow %d; the last %d events",
		t->now.watcher ? json_string_value(json_object_get(t->now.watcher, "state")) : "no watcher",
		(int)json_integer_value(json_object_get(t->now.watcher, "folders")),
		(int)json_integer_value(json_object_get(t->now.watcher, "files")),
		(int)json_integer_value(json_object_get(t->now.watcher, "overflows")), known - first);
	screen_text(1, 1, t->columns - 2, STYLE_NORMAL, health);
	g_free(health);
	for (int i = first; i < known; i++) {
		char *line = watch_line(json_array_get(last, (size_t)i));
		screen_text(2 + i - first, 1, t->columns - 2, STYLE_DIM, line);
		g_free(line);
	}
}

void
tui_draw_terminal(tui *t)
{
	tui_area area = {0, 0, t->rows, t->columns};
	tui_terminal_resize(t->terminal, t->rows, t->columns);
	tui_terminal_draw(t->terminal, &area, true);
	if (t->notice && g_get_real_time() < t->notice_until_us) {
		char *prefix = tui_prefix_name(t);
		char *line = g_strdup_printf(" %s | %s dashboard", t->notice, prefix);
		g_free(prefix);
		screen_text(t->rows - 1, 0, t->columns, t->notice_style, line);
		g_free(line);
	}
}
