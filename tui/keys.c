/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keys do: one table, of which the help is made. A key of a pane goes
 * before the same key for all. */
#include "config.h"

#include "tui/internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { WHEEL_STEP = 3 };

typedef struct {
	gunichar key;
	const char *shown; /* NULL: as the row above, not listed */
	unsigned panes;	   /* bits; 0: all */
	const char *help;
	const char *hint; /* what the bottom line offers; NULL: nothing */
	void (*run)(tui *t);
} key_row;

#define IN(pane) (1u << PANE_##pane)
#define LISTS (IN(MODULES) | IN(PROCESSES) | IN(EVENTS))
#define TEXTS (IN(DETAIL) | IN(OUTPUT) | IN(EVENTS))

static void
command(tui *t, tui_command what, const char *argument, const char *done)
{
	GError *error = NULL;
	if (!t->options.source.command(t->options.source.data, what, argument, &error)) {
		tui_say(t, "%s", error ? error->message : "it failed");
		g_clear_error(&error);
	} else if (done) {
		tui_say(t, "%s", done);
	}
}

/* ---- moving ---- */

static void
remember_choice(tui *t)
{
	if (t->focus == PANE_MODULES) {
		const hd_module_view *module = tui_chosen_module(t);
		g_free(t->chosen_module);
		t->chosen_module = module ? g_strdup(module->name) : NULL;
	} else if (t->focus == PANE_PROCESSES) {
		const process_row *row = tui_chosen_process(t);
		t->chosen_tid = !row ? 0 : row->thread ? row->thread->tid : -row->process->pid;
	}
	t->detail_stale = true;
}

/* Lists move their cursor, texts move themselves. */
static void
move_by(tui *t, int step)
{
	tui_pane *pane = &t->panes[t->focus];
	if (t->focus == PANE_OUTPUT)
		t->follow = false;
	if (1u << t->focus & LISTS)
		pane->selected += step;
	else
		pane->top += step;
	tui_pane_clamp(pane);
	if (t->focus == PANE_OUTPUT && pane->top >= pane->count - tui_pane_room(pane))
		t->follow = true;
	remember_choice(t);
}

static int
page(const tui *t)
{
	return MAX(tui_pane_room(&t->panes[t->focus]) - 1, 1);
}

static void
go_up(tui *t)
{
	move_by(t, -1);
}

static void
go_down(tui *t)
{
	move_by(t, 1);
}

static void
page_up(tui *t)
{
	move_by(t, -page(t));
}

static void
page_down(tui *t)
{
	move_by(t, page(t));
}

static void
go_first(tui *t)
{
	move_by(t, -t->panes[t->focus].count);
}

static void
go_last(tui *t)
{
	move_by(t, t->panes[t->focus].count);
}

static bool
pane_exists(const tui *t, int kind)
{
	return kind != PANE_DETAIL || tui_detail_wanted(t);
}

static void
focus_on(tui *t, pane_kind kind)
{
	if (!pane_exists(t, (int)kind))
		return;
	t->focus = kind;
	t->detail_stale = true;
}

static void
cycle(tui *t, int step)
{
	int next = (int)t->focus;
	do
		next = (next + step + PANE_COUNT) % PANE_COUNT;
	while (!pane_exists(t, next));
	focus_on(t, next);
}

static void
next_pane(tui *t)
{
	cycle(t, 1);
}

static void
previous_pane(tui *t)
{
	cycle(t, -1);
}

static void
focus_modules(tui *t)
{
	focus_on(t, PANE_MODULES);
}

static void
focus_processes(tui *t)
{
	focus_on(t, PANE_PROCESSES);
}

static void
focus_detail(tui *t)
{
	focus_on(t, PANE_DETAIL);
}

static void
focus_output(tui *t)
{
	focus_on(t, PANE_OUTPUT);
}

static void
focus_events(tui *t)
{
	focus_on(t, PANE_EVENTS);
}

/* ---- looking ---- */

static void
zoom(tui *t)
{
	t->zoomed = !t->zoomed;
}

static void
open_detail(tui *t)
{
	if (t->focus == PANE_PROCESSES) {
		t->subject = DETAIL_THREAD;
	} else if (t->focus == PANE_MODULES) {
		t->subject = DETAIL_MODULE;
	} else if (t->panes[PANE_EVENTS].selected < (int)t->events->len) {
		const told_event *told = t->events->pdata[t->panes[PANE_EVENTS].selected];
		t->subject = DETAIL_EVENT;
		g_free(t->told_detail);
		t->told_detail = g_strdup(told->line);
	}
	remember_choice(t);
	t->error_shown = 0;
	t->panes[PANE_DETAIL].top = 0;
}

/* One thing at a time: what was searched for, the filter, the zoom, the detail. */
static void
escape(tui *t)
{
	tui_pane *pane = &t->panes[t->focus];
	if (pane->sought && *pane->sought)
		g_clear_pointer(&pane->sought, g_free);
	else if (pane->filter && *pane->filter)
		g_clear_pointer(&pane->filter, g_free);
	else if (t->zoomed)
		t->zoomed = false;
	else
		t->subject = DETAIL_TROUBLE;
	t->detail_stale = true;
}

static void
start_prompt(tui *t, int kind, const char *text)
{
	t->mode = MODE_PROMPT;
	t->prompt_kind = kind;
	tui_prompt_start(t->prompt, text);
}

static void
filter(tui *t)
{
	if (t->focus == PANE_DETAIL)
		t->focus = PANE_MODULES;
	start_prompt(t, PROMPT_FILTER, t->panes[t->focus].filter);
}

static void
search(tui *t)
{
	start_prompt(t, PROMPT_SEARCH, "");
}

/* Output is read from its end upwards. */
static void
go_to_match(tui *t, int step)
{
	tui_pane *pane = &t->panes[t->focus];
	if (t->focus == PANE_OUTPUT)
		step = -step;
	for (int i = 1; i <= pane->count; i++) {
		int row = ((pane->selected + i * step) % pane->count + pane->count) % pane->count;
		char *text = tui_row_text(t, t->focus, row);
		bool found = strcasestr(text, pane->sought) != NULL;
		g_free(text);
		if (!found)
			continue;
		pane->selected = row;
		pane->top = row - tui_pane_room(pane) / 2;
		tui_pane_clamp(pane);
		if (t->focus == PANE_OUTPUT)
			t->follow = false;
		return;
	}
	tui_say(t, "%s is not there", pane->sought);
}

static void
search_first(tui *t)
{
	tui_pane *pane = &t->panes[t->focus];
	if (!pane->sought || !*pane->sought)
		return;
	pane->selected = t->focus == PANE_OUTPUT ? pane->count : -1;
	go_to_match(t, 1);
}

static void
colon(tui *t)
{
	start_prompt(t, PROMPT_COMMAND, "");
}

static void
change_sort(tui *t)
{
	t->sort = (t->sort + 1) % SORT_COUNT;
}

static void
only_pinned(tui *t)
{
	t->pinned_only = !t->pinned_only;
}

static void
change_follow(tui *t)
{
	t->follow = !t->follow;
}

static void
change_wrap(tui *t)
{
	t->wrap = !t->wrap;
}

static void
raw_output(tui *t)
{
	t->raw = !t->raw;
	t->detail_stale = true;
}

static void
show_error(tui *t, int step)
{
	t->error_shown = MAX(t->error_shown + step, 0);
	t->panes[PANE_DETAIL].top = 0;
	t->detail_stale = true;
}

static void
next(tui *t, int step)
{
	const char *sought = t->panes[t->focus].sought;
	if (sought && *sought)
		go_to_match(t, step);
	else
		show_error(t, step);
}

static void
go_next(tui *t)
{
	next(t, 1);
}

static void
go_previous(tui *t)
{
	next(t, -1);
}

static void
older_from(tui *t)
{
	tui_move_difference(t, false, -1);
}

static void
newer_from(tui *t)
{
	tui_move_difference(t, false, 1);
}

static void
older_to(tui *t)
{
	tui_move_difference(t, true, -1);
}

static void
newer_to(tui *t)
{
	tui_move_difference(t, true, 1);
}

static void
help(tui *t)
{
	t->mode = MODE_HELP;
}

static void
redraw(tui *t)
{
	(void)t;
	screen_resized();
}

static void
terminal(tui *t)
{
	if (t->terminal)
		tui_enter_terminal(t, t->was_full);
	else
		tui_say(t, "there is no program with a terminal here");
}

/* ---- commands ---- */

static void
reload(tui *t)
{
	command(t, TUI_RELOAD, NULL, "reload: what is pending is built again");
}

static void
restart(tui *t)
{
	command(t, TUI_RESTART, NULL, "restart: the program starts anew");
}

static void
undo(tui *t)
{
	command(t, TUI_UNDO, NULL, NULL);
}

static void
redo(tui *t)
{
	command(t, TUI_REDO, NULL, NULL);
}

static void
pause_or_resume(tui *t)
{
	command(t, TUI_PAUSE, NULL, t->now.paused ? "resumed" : "paused: saves wait until P is pressed again");
}

static void
purge(tui *t)
{
	const hd_module_view *module = tui_chosen_module(t);
	command(t, TUI_PURGE, module ? module->name : NULL, "purge: what nothing uses any more is given back");
}

static void
ask_quit(tui *t)
{
	bool is_journal = t->options.terminal < 0;
	if (is_journal || t->now.state == HD_PROGRAM_ENDED)
		command(t, TUI_QUIT, "end", NULL);
	else
		t->mode = MODE_QUIT;
}

/* ncurses' own handler gives the terminal back before it stops us, and takes it again after. */
static void
suspend(tui *t)
{
	(void)t;
	raise(SIGTSTP);
	screen_resized();
}

static const key_row keys[] = {
	{'?', "?", 0, "this help", NULL, help},
	{'r', "r", 0, "reload what is pending", "r reload", reload},
	{'R', "R", 0, "restart the program", "R restart", restart},
	{'u', "u", 0, "undo the last transaction", "u undo", undo},
	{'U', "U", 0, "redo it", NULL, redo},
	{TUI_KEY_ENTER, "Enter", LISTS, "detail of what is chosen", "Enter detail", open_detail},
	{'d', "d", 0, "difference of two versions", "d diff", tui_show_difference},
	{'<', "< >", 0, "difference: from which one", NULL, older_from},
	{'>', NULL, 0, NULL, NULL, newer_from},
	{'{', "{ }", 0, "difference: to which one", NULL, older_to},
	{'}', NULL, 0, NULL, NULL, newer_to},
	{'e', "e", 0, "edit the place in $EDITOR", "e edit", tui_edit},
	{'/', "/", 0, "filter the pane", "/ filter", filter},
	{TUI_CONTROL('I'), "Tab", 0, "the next pane", "Tab pane", next_pane},
	{TUI_KEY_BACKTAB, "S-Tab", 0, "the pane before", NULL, previous_pane},
	{'1', "1-5", 0, "the pane of that number", NULL, focus_modules},
	{'2', NULL, 0, NULL, NULL, focus_processes},
	{'3', NULL, 0, NULL, NULL, focus_detail},
	{'4', NULL, 0, NULL, NULL, focus_output},
	{'5', NULL, 0, NULL, NULL, focus_events},
	{'z', "z", 0, "zoom the pane", "z zoom", zoom},
	{TUI_CONTROL('['), "Esc", 0, "clear search, filter, zoom", NULL, escape},
	{':', ":", 0, "type a command (as for ctl)", ": cmd", colon},
	{'t', "t", 0, "the program's terminal", "t terminal", terminal},
	{TUI_CONTROL(']'), "Ctrl-]", 0, "there and back (--prefix)", NULL, terminal},
	{'k', "k, Up", 0, "up", NULL, go_up},
	{TUI_KEY_UP, NULL, 0, NULL, NULL, go_up},
	{'j', "j, Down", 0, "down", NULL, go_down},
	{TUI_KEY_DOWN, NULL, 0, NULL, NULL, go_down},
	{TUI_KEY_PAGE_UP, "PgUp", 0, "a page up", NULL, page_up},
	{TUI_KEY_PAGE_DOWN, "PgDn", 0, "a page down", NULL, page_down},
	{' ', NULL, 0, NULL, NULL, page_down},
	{'g', "g, Home", 0, "first", NULL, go_first},
	{TUI_KEY_HOME, NULL, 0, NULL, NULL, go_first},
	{'G', "G, End", 0, "last", NULL, go_last},
	{TUI_KEY_END, NULL, 0, NULL, NULL, go_last},
	{'s', "s", IN(MODULES), "sort: state, name, last save", NULL, change_sort},
	{'s', "s", TEXTS, "search: in the pane's text", NULL, search},
	{'x', "x", IN(MODULES), "purge old versions", NULL, purge},
	{'p', "p", 0, "threads: pinned only", NULL, only_pinned},
	{'n', "n", 0, "the next error, or match", NULL, go_next},
	{'N', "N", 0, "the error before, or match", NULL, go_previous},
	{'w', "w", 0, "errors: the compiler's words", NULL, raw_output},
	{'f', "f", IN(OUTPUT), "output: follow the end", NULL, change_follow},
	{'W', "W", IN(OUTPUT), "output: wrap long lines", NULL, change_wrap},
	{'P', "P", 0, "pause, resume", NULL, pause_or_resume},
	{TUI_CONTROL('L'), "Ctrl-L", 0, "draw the screen anew", NULL, redraw},
	{TUI_CONTROL('Z'), "Ctrl-Z", 0, "suspend hotdev", NULL, suspend},
	{'q', "q", 0, "quit: asks about the program", "q quit", ask_quit},
	{TUI_CONTROL('C'), "Ctrl-C", 0, "the same; twice: end it all", NULL, ask_quit},
};

char *
tui_keys_help(void)
{
	static const char *const names[] = {"modules", "processes", "detail", "output", "events"};
	GString *text = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (!keys[i].shown)
			continue;
		g_string_append_printf(text, "%s%-8s %s", text->len ? "\n" : "", keys[i].shown, keys[i].help);
		bool one = keys[i].panes && !(keys[i].panes & (keys[i].panes - 1));
		for (int pane = 0; one && pane < PANE_COUNT; pane++)
			if (keys[i].panes == 1u << pane && !strstr(keys[i].help, ": "))
				g_string_append_printf(text, " (%s)", names[pane]);
	}
	return g_string_free(text, FALSE);
}

/* The last one stays: how to leave. */
char *
tui_hints(const tui *t, int width)
{
	GPtrArray *hints = g_ptr_array_new();
	int used = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (!keys[i].hint || (keys[i].panes && !(keys[i].panes & 1u << t->focus)))
			continue;
		g_ptr_array_add(hints, (char *)keys[i].hint);
		used += (int)strlen(keys[i].hint) + 2;
	}
	while (hints->len > 1 && used > width) {
		used -= (int)strlen(hints->pdata[hints->len - 2]) + 2;
		g_ptr_array_remove_index(hints, hints->len - 2);
	}
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < hints->len; i++)
		g_string_append_printf(text, " %s ", (char *)hints->pdata[i]);
	g_ptr_array_unref(hints);
	return g_string_free(text, FALSE);
}

char *
tui_prefix_name(const tui *t)
{
	return g_strdup_printf("Ctrl-%c", (char)(t->options.prefix | 0x40));
}

/* ---- what is typed ---- */

static const struct {
	const char *name;
	tui_command command;
	const char *fixed; /* the argument; NULL: the word that follows */
} words[] = {
	{"reload", TUI_RELOAD, NULL}, {"restart", TUI_RESTART, NULL}, {"undo", TUI_UNDO, NULL},
	{"redo", TUI_REDO, NULL},     {"purge", TUI_PURGE, NULL},     {"pause", TUI_PAUSE, NULL},
	{"resume", TUI_PAUSE, NULL},  {"quit", TUI_QUIT, "end"},      {"leave", TUI_QUIT, "leave"},
};

static void
run_typed(tui *t, const char *line)
{
	char *copy = g_strstrip(g_strdup(line)), *space = strchr(copy, ' ');
	const char *argument = space ? g_strchug(space + 1) : NULL;
	if (space)
		*space = 0;
	bool found = false;
	for (size_t i = 0; i < G_N_ELEMENTS(words) && !found; i++) {
		if (strcmp(words[i].name, copy) != 0)
			continue;
		found = true;
		bool nothing = (strcmp(copy, "pause") == 0 && t->now.paused) ||
			       (strcmp(copy, "resume") == 0 && !t->now.paused);
		if (!nothing)
			command(t, words[i].command, words[i].fixed ? words[i].fixed : argument, NULL);
	}
	if (strcmp(copy, "watch") == 0) {
		t->mode = MODE_WATCH;
		found = true;
	}
	if (!found && *copy)
		tui_say(t, "there is no command %s", copy);
	g_free(copy);
}

static void
prompt_key(tui *t, const tui_key *key)
{
	tui_prompt_state state = tui_prompt_key(t->prompt, key);
	tui_pane *pane = &t->panes[t->focus];
	char **text = t->prompt_kind == PROMPT_FILTER	? &pane->filter
		      : t->prompt_kind == PROMPT_SEARCH ? &pane->sought
							: NULL;
	if (text) {
		g_free(*text);
		*text = state == PROMPT_CANCELLED ? NULL : g_strdup(tui_prompt_text(t->prompt));
	}
	if (state == PROMPT_TYPING)
		return;
	t->mode = MODE_DASHBOARD;
	if (state == PROMPT_DONE && t->prompt_kind == PROMPT_COMMAND)
		run_typed(t, tui_prompt_text(t->prompt));
	else if (state == PROMPT_DONE && t->prompt_kind == PROMPT_SEARCH)
		search_first(t);
}

static void
quit_key(tui *t, const tui_key *key)
{
	t->mode = MODE_DASHBOARD;
	if (key->code == 'e' || key->code == TUI_CONTROL('C')) {
		tui_say(t, "ending the program");
		command(t, TUI_QUIT, "end", NULL);
	} else if (key->code == 'l') {
		command(t, TUI_QUIT, "leave", NULL);
	} else if (key->code == 'q') {
		t->mode = MODE_QUIT;
	}
}

static void
mouse_key(tui *t, const tui_key *key)
{
	for (int kind = 0; kind < PANE_COUNT; kind++) {
		tui_pane *pane = &t->panes[kind];
		const tui_area *area = &pane->area;
		if (key->row < area->row || key->row >= area->row + area->rows || key->column < area->column ||
		    key->column >= area->column + area->columns)
			continue;
		focus_on(t, kind);
		if (key->code == TUI_KEY_WHEEL_UP)
			move_by(t, -WHEEL_STEP);
		else if (key->code == TUI_KEY_WHEEL_DOWN)
			move_by(t, WHEEL_STEP);
		else if (1u << kind & LISTS)
			move_by(t, pane->top + key->row - area->row - 1 - pane->heading - pane->selected);
		return;
	}
}

static void
dashboard_key(tui *t, const tui_key *key)
{
	if (key->code == TUI_KEY_CLICK || key->code == TUI_KEY_WHEEL_UP || key->code == TUI_KEY_WHEEL_DOWN) {
		mouse_key(t, key);
		return;
	}
	if (key->code == t->options.prefix) {
		terminal(t);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (keys[i].key == key->code && key->code != TUI_CONTROL(']') &&
		    (!keys[i].panes || keys[i].panes & 1u << t->focus)) {
			keys[i].run(t);
			return;
		}
	}
}

void
tui_key_pressed(tui *t, const tui_key *key)
{
	switch (t->mode) {
	case MODE_DASHBOARD:
		dashboard_key(t, key);
		break;
	case MODE_TERMINAL:
		if (key->code == t->options.prefix)
			tui_leave_terminal(t);
		else
			tui_terminal_key(t->terminal, key);
		break;
	case MODE_HELP:
	case MODE_WATCH:
		t->mode = MODE_DASHBOARD;
		break;
	case MODE_PROMPT:
		prompt_key(t, key);
		break;
	case MODE_QUIT:
		quit_key(t, key);
		break;
	case MODE_EDITOR:
		break;
	}
}
