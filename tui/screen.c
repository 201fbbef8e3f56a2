/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "tui/screen.h"

#include "base/error.h"
#include "base/text.h"

#include <curses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* As much as there is of a terminal: one. */
static SCREEN *screen;
static bool suspended, ascii, mono;
static int cursor_row = -1, cursor_column;

/* ---- giving the terminal back when all else has failed ---- */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
static struct sigaction before[G_N_ELEMENTS(fatal)];
static struct termios saved_modes;
static char restore[256];

static void
append_capability(const char *name)
{
	const char *text = tigetstr(name);
	if (text && text != (char *)-1 && strlen(restore) + strlen(text) < sizeof restore)
		strcat(restore, text);
}

static void
prepare_restore(void)
{
	restore[0] = 0;
	append_capability("sgr0");
	append_capability("op");
	append_capability("cnorm");
	append_capability("rmkx");
	append_capability("rmcup");
	strncat(restore, "\033[?1000l\033[?1002l\033[?1006l\r", sizeof restore - strlen(restore) - 1);
}

/* Async-signal-safe: write, tcsetattr, sigaction, raise. Whoever handled the signal before has his turn. */
static void
die(int number)
{
	if (write(STDOUT_FILENO, restore, strlen(restore)) >= 0)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_modes);
	for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++)
		if (fatal[i] == number)
			sigaction(number, &before[i], NULL);
	raise(number);
}

static void
guard(void)
{
	struct sigaction action = {.sa_handler = die};
	for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++)
		sigaction(fatal[i], &action, &before[i]);
}

static void
unguard(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++)
		sigaction(fatal[i], &before[i], NULL);
}

/* ---- open and close ---- */

bool
screen_open(const screen_options *options, GError **error)
{
	static bool at_exit;
	tcgetattr(STDIN_FILENO, &saved_modes);
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "the terminal cannot show a dashboard: use --plain");
		return false;
	}
	if (!at_exit)
		atexit(screen_close);
	at_exit = true;
	prepare_restore();
	guard();
	ascii = options->ascii;
	/* Not cbreak: Ctrl-C, Ctrl-Z and Ctrl-] are keys, of ours or of the program. */
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	leaveok(stdscr, FALSE);
	mono = options->mono || !has_colors();
	if (!mono) {
		start_color();
		use_default_colors();
	}
	if (options->mouse) {
		mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
		mouseinterval(0);
	}
	return true;
}

void
screen_close(void)
{
	if (!screen)
		return;
	if (!suspended)
		endwin();
	unguard();
	delscreen(screen);
	screen = NULL;
}

void
screen_suspend(void)
{
	suspended = true;
	endwin();
}

void
screen_resume(void)
{
	suspended = false;
	screen_resized();
	clearok(stdscr, TRUE);
	refresh();
}

void
screen_size(int *rows, int *columns)
{
	getmaxyx(stdscr, *rows, *columns);
}

void
screen_resized(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		resizeterm(size.ws_row, size.ws_col);
	clearok(stdscr, TRUE);
}

/* ---- drawing ---- */

typedef struct {
	int foreground, background;
	attr_t attributes, mono;
} style_row;

static const style_row styles[STYLE_COUNT] = {
	[STYLE_NORMAL] = {-1, -1, A_NORMAL, A_NORMAL},
	[STYLE_DIM] = {-1, -1, A_DIM, A_NORMAL},
	[STYLE_BAR] = {COLOR_WHITE, COLOR_BLUE, A_BOLD, A_REVERSE},
	[STYLE_BAR_BAD] = {COLOR_WHITE, COLOR_RED, A_BOLD, A_REVERSE | A_BOLD},
	[STYLE_BORDER] = {-1, -1, A_DIM, A_NORMAL},
	[STYLE_FOCUS] = {COLOR_CYAN, -1, A_BOLD, A_BOLD},
	[STYLE_HEADING] = {COLOR_CYAN, -1, A_NORMAL, A_BOLD},
	[STYLE_SELECTED] = {-1, -1, A_REVERSE, A_REVERSE},
	[STYLE_GOOD] = {COLOR_GREEN, -1, A_NORMAL, A_NORMAL},
	[STYLE_BUSY] = {COLOR_YELLOW, -1, A_NORMAL, A_NORMAL},
	[STYLE_BAD] = {COLOR_RED, -1, A_BOLD, A_BOLD},
};

static void
use_style(tui_style style)
{
	const style_row *row = &styles[style];
	int pair =
		mono || (row->foreground < 0 && row->background < 0) ? 0 : alloc_pair(row->foreground, row->background);
	attr_set(mono ? row->mono : row->attributes, (short)MAX(pair, 0), &pair);
}

void
screen_begin(void)
{
	cursor_row = -1;
	erase();
}

void
screen_end(void)
{
	curs_set(cursor_row >= 0);
	if (cursor_row >= 0)
		move(cursor_row, cursor_column);
	refresh();
}

int
screen_text(int row, int column, int width, tui_style style, const char *text)
{
	int rows, columns;
	screen_size(&rows, &columns);
	width = MIN(width, columns - column);
	if (row < 0 || row >= rows || column < 0 || width <= 0)
		return 0;
	char *clean = hd_text_clean(text, -1);
	if (ascii) {
		char *likeness = hd_text_ascii(clean);
		g_free(clean);
		clean = likeness;
	}
	int used = 0;
	const char *end = clean;
	for (; *end; end = g_utf8_next_char(end)) {
		int step = hd_text_character_width(g_utf8_get_char(end));
		if (used + step > width)
			break;
		used += step;
	}
	glong length;
	gunichar *wide = g_utf8_to_ucs4_fast(clean, end - clean, &length);
	use_style(style);
	move(row, column);
	/* wchar_t is UCS-4 where __STDC_ISO_10646__ is defined, as with glibc. */
	addnwstr((wchar_t *)wide, (int)length);
	for (int i = used; i < width; i++)
		mvaddch(row, column + i, ' ');
	g_free(wide);
	g_free(clean);
	return used;
}

static void
draw_line(int row, int column, int columns, bool is_top)
{
	chtype left = is_top ? ACS_ULCORNER : ACS_LLCORNER, right = is_top ? ACS_URCORNER : ACS_LRCORNER;
	mvaddch(row, column, ascii ? '+' : left);
	for (int i = 1; i < columns - 1; i++)
		mvaddch(row, column + i, ascii ? '-' : ACS_HLINE);
	mvaddch(row, column + columns - 1, ascii ? '+' : right);
}

void
screen_box(const tui_area *area, bool focused, const char *title, const char *right)
{
	if (area->rows < 2 || area->columns < 4)
		return;
	tui_style style = focused ? STYLE_FOCUS : STYLE_BORDER;
	int last = area->column + area->columns - 1, bottom = area->row + area->rows - 1;
	use_style(style);
	draw_line(area->row, area->column, area->columns, true);
	draw_line(bottom, area->column, area->columns, false);
	for (int row = area->row + 1; row < bottom; row++) {
		mvaddch(row, area->column, ascii ? '|' : ACS_VLINE);
		mvaddch(row, last, ascii ? '|' : ACS_VLINE);
	}
	int room = area->columns - 4;
	char *text = g_strdup_printf(" %s ", title);
	int used = MIN(hd_text_width(text), room);
	screen_text(area->row, area->column + 2, used, focused ? STYLE_FOCUS : STYLE_HEADING, text);
	g_free(text);
	text = g_strdup_printf(" %s ", right ? right : "");
	int width = hd_text_width(text);
	if (right && *right && used + width + 1 <= room)
		screen_text(area->row, last - 1 - width, width, style, text);
	g_free(text);
}

void
screen_cell(int row, int column, const guint32 *characters, const tui_cell_style *style)
{
	wchar_t text[CCHARW_MAX + 1] = {L' '};
	int length = 0;
	/* libvterm keeps no control characters in cells; what a terminal may take as formatting goes too. */
	for (; characters[length] && characters[length] < 0x110000 && length < CCHARW_MAX; length++) {
		char utf8[8] = {0};
		g_unichar_to_utf8(characters[length], utf8);
		char *clean = hd_text_clean(utf8, -1);
		text[length] = (wchar_t)g_utf8_get_char(clean);
		if (ascii && text[length] > 0x7e)
			text[length] = '?';
		g_free(clean);
	}
	text[MAX(length, 1)] = 0;
	attr_t attributes = (style->bold ? A_BOLD : 0) | (style->underline ? A_UNDERLINE : 0) |
			    (style->blink ? A_BLINK : 0) | (style->reverse ? A_REVERSE : 0) |
			    (style->italic ? A_ITALIC : 0);
	int foreground = style->foreground, background = style->background;
	if (foreground >= COLORS)
		foreground = -1;
	if (background >= COLORS)
		background = -1;
	int pair = mono || (foreground < 0 && background < 0) ? 0 : MAX(alloc_pair(foreground, background), 0);
	cchar_t cell;
	if (setcchar(&cell, text, attributes, (short)pair, &pair) == OK)
		mvadd_wch(row, column, &cell);
}

void
screen_cursor(int row, int column)
{
	cursor_row = row;
	cursor_column = column;
}

void
screen_bell(void)
{
	beep();
}

/* ---- keys ---- */

static const struct {
	int curses;
	gunichar key;
} key_codes[] = {
	{KEY_UP, TUI_KEY_UP},	      {KEY_DOWN, TUI_KEY_DOWN},		  {KEY_LEFT, TUI_KEY_LEFT},
	{KEY_RIGHT, TUI_KEY_RIGHT},   {KEY_HOME, TUI_KEY_HOME},		  {KEY_END, TUI_KEY_END},
	{KEY_PPAGE, TUI_KEY_PAGE_UP}, {KEY_NPAGE, TUI_KEY_PAGE_DOWN},	  {KEY_IC, TUI_KEY_INSERT},
	{KEY_DC, TUI_KEY_DELETE},     {KEY_BACKSPACE, TUI_KEY_BACKSPACE}, {KEY_BTAB, TUI_KEY_BACKTAB},
	{KEY_ENTER, TUI_KEY_ENTER},
};

static bool
mouse_key(tui_key *key)
{
	MEVENT event;
	if (getmouse(&event) != OK)
		return false;
	key->row = event.y;
	key->column = event.x;
	if (event.bstate & BUTTON4_PRESSED)
		key->code = TUI_KEY_WHEEL_UP;
	else if (event.bstate & BUTTON5_PRESSED)
		key->code = TUI_KEY_WHEEL_DOWN;
	else
		key->code = TUI_KEY_CLICK;
	return true;
}

/* false: a key that means nothing here. */
static bool
function_key(wint_t code, tui_key *key)
{
	if (code == KEY_MOUSE)
		return mouse_key(key);
	if (code > KEY_F0 && code <= KEY_F(12)) {
		key->code = TUI_KEY_FUNCTION + (code - KEY_F0);
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(key_codes); i++) {
		if (key_codes[i].curses == (int)code) {
			key->code = key_codes[i].key;
			return true;
		}
	}
	return false;
}

bool
screen_key(tui_key *key)
{
	wint_t code;
	*key = (tui_key){0, -1, -1};
	for (int kind; (kind = get_wch(&code)) != ERR;) {
		if (kind == KEY_CODE_YES) {
			if (function_key(code, key))
				return true;
			continue;
		}
		key->code = code == '\r' ? (gunichar)TUI_KEY_ENTER : code == 0x7f ? (gunichar)TUI_KEY_BACKSPACE : code;
		return true;
	}
	return false;
}
