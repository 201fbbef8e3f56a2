/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal we are shown on; the only file that speaks to ncurses.
 * Rows and columns count from 0 at the top left. Text is UTF-8 of anybody's:
 * it is cleaned here, and drawn with ASCII's likeness where that was asked. */
#ifndef HD_TUI_SCREEN_H
#define HD_TUI_SCREEN_H

#include <glib.h>
#include <stdbool.h>

typedef enum {
	STYLE_NORMAL,
	STYLE_DIM,
	STYLE_BAR, /* the lines above and below the panes */
	STYLE_BAR_BAD,
	STYLE_BORDER,
	STYLE_FOCUS, /* the border of the pane that has the keys */
	STYLE_HEADING,
	STYLE_SELECTED,
	STYLE_GOOD,
	STYLE_BUSY,
	STYLE_BAD,
	STYLE_COUNT,
} tui_style;

typedef struct {
	int row, column, rows, columns;
} tui_area;

/* A colour of the 256, or -1: the terminal's own. */
typedef struct {
	int foreground, background;
	bool bold, underline, italic, blink, reverse;
} tui_cell_style;

/* Keys: a character, or one of these. */
enum {
	KEY_BASE = 0x110000,
	TUI_KEY_UP = KEY_BASE,
	TUI_KEY_DOWN,
	TUI_KEY_LEFT,
	TUI_KEY_RIGHT,
	TUI_KEY_HOME,
	TUI_KEY_END,
	TUI_KEY_PAGE_UP,
	TUI_KEY_PAGE_DOWN,
	TUI_KEY_INSERT,
	TUI_KEY_DELETE,
	TUI_KEY_BACKSPACE,
	TUI_KEY_BACKTAB,
	TUI_KEY_ENTER,
	TUI_KEY_CLICK, /* row and column are set */
	TUI_KEY_WHEEL_UP,
	TUI_KEY_WHEEL_DOWN,
	TUI_KEY_FUNCTION, /* F1 is + 1, up to F12 */
	TUI_KEY_LAST = TUI_KEY_FUNCTION + 12,
};

#define TUI_CONTROL(c) ((c)&0x1f)

typedef struct {
	gunichar code;
	int row, column;
} tui_key;

typedef struct {
	bool ascii, mono, mouse;
} screen_options;

bool screen_possible(void);
/* Takes the terminal; it is given back by screen_close, on exit and on a fatal signal. */
bool screen_open(const screen_options *options, GError **error);
void screen_close(void);
/* Gives the terminal back for a while (an editor), and takes it again. */
void screen_suspend(void);
void screen_resume(void);

void screen_size(int *rows, int *columns);
/* The terminal has another size now: asks it. */
void screen_resized(void);

/* Between begin and end everything is drawn anew; end shows it. */
void screen_begin(void);
void screen_end(void);
/* Draws at most width columns, fills the rest of them; returns the columns that text took. */
int screen_text(int row, int column, int width, tui_style style, const char *text);
void screen_box(const tui_area *area, bool focused, const char *title, const char *right);
/* One cell of the program's terminal: a character and what combines with it, 0-terminated. */
void screen_cell(int row, int column, const guint32 *characters, const tui_cell_style *style);
/* Where the cursor is shown; row -1: nowhere. */
void screen_cursor(int row, int column);
void screen_bell(void);

/* The next key; false when there is none now. */
bool screen_key(tui_key *key);

#endif
