/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the dashboard's files share. `now` and the rows of the panes are made
 * anew by tui_refresh before anything is drawn or any key acts: nothing in them
 * outlives the return to the main loop. */
#ifndef HD_TUI_INTERNAL_H
#define HD_TUI_INTERNAL_H

#include "tui/prompt.h"
#include "tui/screen.h"
#include "tui/terminal.h"
#include "tui/tui.h"

typedef enum { PANE_MODULES, PANE_PROCESSES, PANE_DETAIL, PANE_OUTPUT, PANE_EVENTS, PANE_COUNT } pane_kind;

typedef struct {
	tui_area area; /* with its border; rows 0: not shown */
	int heading;   /* rows of it, below the border */
	int count;     /* rows that there are */
	int top;       /* the first that is shown */
	int selected;
	char *filter; /* NULL: none */
	char *sought; /* what was searched for last; NULL: nothing */
} tui_pane;

typedef enum {
	MODE_DASHBOARD,
	MODE_TERMINAL, /* the program has the screen and the keys */
	MODE_HELP,
	MODE_WATCH,
	MODE_PROMPT,
	MODE_QUIT, /* the question is asked */
	MODE_EDITOR,
} tui_mode;

/* By state: what needs somebody first, then by name. */
typedef enum { SORT_STATE, SORT_NAME, SORT_LAST, SORT_COUNT } module_sort;

typedef struct {
	const hd_process_view *process;
	const hd_thread_view *thread; /* NULL: the row of the process */
	bool last;		      /* thread of its process */
} process_row;

/* A row of the output: a part of a line, where lines are wrapped. */
typedef struct {
	guint line;
	guint start, length; /* bytes */
} output_row;

typedef struct {
	char *text; /* owned */
	tui_style style;
	bool whole; /* it is cut, not wrapped: columns matter in it */
} detail_line;

typedef struct {
	gint64 wall_us;
	char *line;
	hd_event_kind kind;
} told_event;

struct tui {
	tui_options options;
	tui_mode mode;
	tui_snapshot now;
	gint64 started_us;
	int rows, columns;
	tui_pane panes[PANE_COUNT];
	pane_kind focus;
	bool zoomed, shown;
	/* rows, by pane */
	GPtrArray *modules; /* of const hd_module_view * */
	GArray *processes;  /* of process_row */
	GPtrArray *detail;  /* of detail_line */
	GArray *output;	    /* of output_row */
	GPtrArray *events;  /* of const told_event *, newest first */
	module_sort sort;
	int module_columns; /* how many of them there is room for */
	bool pinned_only, follow, wrap, raw;
	char *chosen_module; /* under the cursor, whatever moves */
	pid_t chosen_tid;
	/* detail */
	enum { DETAIL_TROUBLE, DETAIL_MODULE, DETAIL_THREAD, DETAIL_DIFFERENCE, DETAIL_EVENT } subject;
	int diff_from, diff_to; /* versions */
	char *told_detail;	/* the event that the detail is about */
	int detail_width;	/* that its lines were wrapped for */
	char *detail_title, *detail_right;
	hd_position detail_where; /* what `e` opens */
	int error_shown;	  /* of the module's diagnostics, from 0 */
	bool detail_stale;
	/* what happened */
	GPtrArray *told;   /* of told_event *, oldest first; bounded */
	hd_event *waiting; /* the last of its kind; NULL */
	char *last_saved;
	gint64 last_saved_us;
	char *notice; /* shown over the program for a moment */
	tui_style notice_style;
	gint64 notice_until_us;
	char *message; /* the answer to a command */
	gint64 message_until_us;
	/* input */
	tui_prompt *prompt;
	enum { PROMPT_FILTER, PROMPT_SEARCH, PROMPT_COMMAND } prompt_kind;
	tui_terminal *terminal; /* NULL: none */
	bool was_full, entered_by_itself;
	guint redraw, tick, input, resize, editor;
	gint64 drawn_us;
};

/* tui.c */
void tui_dirty(tui *t);
void tui_refresh(tui *t);
void tui_say(tui *t, const char *format, ...) G_GNUC_PRINTF(2, 3);
void tui_enter_terminal(tui *t, bool by_itself);
void tui_leave_terminal(tui *t);

/* layout.c */
void tui_layout(tui *t);
int tui_pane_room(const tui_pane *pane); /* rows for its contents */
void tui_pane_clamp(tui_pane *pane);

/* panes.c */
/* Before the layout, which depends on them; and those that depend on the layout. */
void tui_build_lists(tui *t);
void tui_build_texts(tui *t);
/* The text of a row, for searching; new string. */
char *tui_row_text(const tui *t, pane_kind kind, int row);
void tui_draw_panes(tui *t);
const hd_module_view *tui_chosen_module(const tui *t);
const process_row *tui_chosen_process(const tui *t);
char *tui_age(gint64 since_us); /* "2s", "14m"; "-" for 0; new string */

/* detail.c */
bool tui_detail_wanted(const tui *t);
/* Shows what differs between the version that runs and the one before. */
void tui_show_difference(tui *t);
/* Moves the older (or the newer) side of it to another kept version. */
void tui_move_difference(tui *t, bool newer, int step);
/* The module that the detail is about; NULL. */
const hd_module_view *tui_detail_module(const tui *t);
void tui_build_detail(tui *t);
void tui_detail_line_free(void *line);

/* chrome.c */
void tui_draw_bars(tui *t);
void tui_draw_help(tui *t);
/* The watcher's health and its last raw events: why something did or did not trigger. */
void tui_draw_watch(tui *t);
void tui_draw_terminal(tui *t);

/* keys.c */
void tui_key_pressed(tui *t, const tui_key *key);
/* The keys that the line at the bottom offers, as many as there is room for; new string. */
char *tui_hints(const tui *t, int width);
/* "^]"; new string. */
char *tui_prefix_name(const tui *t);

/* edit.c */
void tui_edit(tui *t);

#endif
