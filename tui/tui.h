/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dashboard: draws a model, sends commands; knows nothing else.
 *
 * Order of calls: tui_new, tui_show (the terminal is taken), tui_event for
 * every event, tui_free (the terminal is as it was). The terminal is put back
 * on exit() and on a fatal signal too. Works in the default GMainContext. */
#ifndef HD_TUI_TUI_H
#define HD_TUI_TUI_H

#include "reloader/history/model.h"

typedef struct tui tui;

/* What there is to draw, borrowed as the model's views are: until control
 * returns to the main loop. watcher alone is owned by the caller of snapshot. */
typedef struct {
	const GPtrArray *modules;   /* of hd_module_view * */
	const GPtrArray *processes; /* of hd_process_view * */
	const char *program;
	char *const *argv; /* may be NULL */
	const char *project;
	hd_program_state state;
	int exit_status;
	int generation;
	bool paused, idle;
	json_t *watcher;    /* may be NULL */
	const char *advice; /* a line for the user; NULL: none */
} tui_snapshot;

typedef enum {
	TUI_RELOAD, /* argument: a file, or NULL for all that is pending */
	TUI_RESTART,
	TUI_UNDO,
	TUI_REDO,
	TUI_PURGE, /* argument: a module, or NULL */
	TUI_PAUSE, /* pauses, or resumes */
	TUI_QUIT,  /* argument: "end" the program or "leave" it running */
	TUI_COMMAND_COUNT,
} tui_command;

/* Where the model is, and who takes the commands. */
typedef struct {
	void (*snapshot)(void *data, tui_snapshot *snapshot);
	/* false: *error is a sentence for the user. */
	bool (*command)(void *data, tui_command command, const char *argument, GError **error);
	void *data;
} tui_source;

typedef struct {
	tui_source source;
	int terminal; /* master end of the program's pty, borrowed; -1: it has none */
	bool ascii;   /* draw with ASCII only, whatever the locale */
	bool mono;    /* no colours */
	bool mouse, bell;
	gunichar prefix;  /* the control character that leaves the program's terminal */
	const char *name; /* what is shown for the journal; NULL: none */
} tui_options;

/* Whether the terminal can show a dashboard at all (terminfo knows it, and its cursor moves). */
bool tui_possible(void);

tui *tui_new(const tui_options *options);
/* Takes the terminal. false: it cannot be used (no terminfo entry); use plain lines. */
bool tui_show(tui *t, GError **error);
void tui_event(tui *t, hd_event *event);
void tui_free(tui *t);

/* The size that the program's terminal has in a terminal of this size. */
void tui_program_size(int rows, int columns, int *program_rows, int *program_columns);

/* The key table as text, for --help keys and the manual's test; new string. */
char *tui_keys_help(void);

#endif
