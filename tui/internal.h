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
	int count;     /* rows that there are */
	int top;       /* the first that is shown */
	int selected;
	char *filter; /* NULL: none */
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

typedef enum { SORT_NAME, SORT_STATE, SORT_LAST, SORT_COUNT } module_sort;

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
	enum { DETAIL_TROUBLE, DETAIL_MODULE, DETAIL_THREAD } subject;
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
	char prompt_kind;	/* '/' or ':' */
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
int tui_pane_room(const tui_pane *pane); /* rows inside the border */
void tui_pane_clamp(tui_pane *pane);

/* panes.c */
void tui_build_rows(tui *t);
void tui_draw_panes(tui *t);
const hd_module_view *tui_chosen_module(const tui *t);
const process_row *tui_chosen_process(const tui *t);
char *tui_age(gint64 since_us); /* "2s", "14m"; "-" for 0; new string */

/* detail.c */
bool tui_detail_wanted(const tui *t);
/* The module that the detail is about; NULL. */
const hd_module_view *tui_detail_module(const tui *t);
void tui_build_detail(tui *t);

/* chrome.c */
void tui_draw_bars(tui *t);
void tui_draw_help(tui *t);
/* The watcher's health and its last raw events: why something did or did not trigger. */
void tui_draw_watch(tui *t);
void tui_draw_terminal(tui *t);

/* keys.c */
void tui_key_pressed(tui *t, const tui_key *key);
/* The keys that the line at the bottom offers; new string. */
char *tui_hints(const tui *t);

/* edit.c */
void tui_edit(tui *t);

#endif
