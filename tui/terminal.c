/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "tui/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <vterm.h>

enum {
	LOG_LINES = 10000,
	LOG_BYTES = 8 << 20,
	READ_SIZE = 32 << 10,
	INPUT_LIMIT = 64 << 10, /* keys that the program has not read */
};

/* How far into a private mode sequence (CSI ? Pn ; ... h or l) the bytes are. */
typedef enum { MODE_NONE, MODE_ESCAPE, MODE_CSI, MODE_PRIVATE } mode_state;

struct tui_terminal {
	int master;
	guint readable, writable;
	int rows, columns;
	VTerm *vterm;
	VTermScreen *screen;
	VTermPos cursor;
	bool cursor_visible, alternate;
	bool cursor_keys; /* DECCKM: cursor keys send SS3 */
	mode_state mode;
	int mode_number;
	bool mode_has_1;
	GString *input; /* for the program, not yet taken */
	tui_log *log;
	void (*changed)(void *data);
	void *data;
};

/* ---- to the program ---- */

static gboolean can_write(gint fd, GIOCondition condition, gpointer data);

static void
flush_input(tui_terminal *terminal)
{
	while (terminal->input->len) {
		ssize_t wrote = write(terminal->master, terminal->input->str, terminal->input->len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0 && errno == EAGAIN) {
			if (!terminal->writable)
				terminal->writable = g_unix_fd_add(terminal->master, G_IO_OUT, can_write, terminal);
			return;
		}
		if (wrote < 0)
			g_string_truncate(terminal->input, 0);
		else
			g_string_erase(terminal->input, 0, wrote);
	}
}

static gboolean
can_write(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd, (void)condition;
	tui_terminal *terminal = data;
	terminal->writable = 0;
	flush_input(terminal);
	return G_SOURCE_REMOVE;
}

/* Keys, and the answers that a terminal gives to queries. */
static void
send_input(const char *bytes, size_t size, void *data)
{
	tui_terminal *terminal = data;
	if (terminal->input->len + size > INPUT_LIMIT)
		return;
	g_string_append_len(terminal->input, bytes, (gssize)size);
	flush_input(terminal);
}

static const struct {
	gunichar key;
	VTermKey vterm;
} key_codes[] = {
	{TUI_KEY_UP, VTERM_KEY_UP},	     {TUI_KEY_DOWN, VTERM_KEY_DOWN},	       {TUI_KEY_LEFT, VTERM_KEY_LEFT},
	{TUI_KEY_RIGHT, VTERM_KEY_RIGHT},    {TUI_KEY_HOME, VTERM_KEY_HOME},	       {TUI_KEY_END, VTERM_KEY_END},
	{TUI_KEY_PAGE_UP, VTERM_KEY_PAGEUP}, {TUI_KEY_PAGE_DOWN, VTERM_KEY_PAGEDOWN},  {TUI_KEY_INSERT, VTERM_KEY_INS},
	{TUI_KEY_DELETE, VTERM_KEY_DEL},     {TUI_KEY_BACKSPACE, VTERM_KEY_BACKSPACE}, {TUI_KEY_ENTER, VTERM_KEY_ENTER},
};

void
tui_terminal_key(tui_terminal *terminal, const tui_key *key)
{
	for (size_t i = 0; i < G_N_ELEMENTS(key_codes); i++) {
		if (key_codes[i].key == key->code) {
			vterm_keyboard_key(terminal->vterm, key_codes[i].vterm, VTERM_MOD_NONE);
			return;
		}
	}
	if (key->code == TUI_KEY_BACKTAB)
		vterm_keyboard_key(terminal->vterm, VTERM_KEY_TAB, VTERM_MOD_SHIFT);
	else if (key->code > TUI_KEY_FUNCTION && key->code <= TUI_KEY_LAST)
		vterm_keyboard_key(terminal->vterm, VTERM_KEY_FUNCTION(key->code - TUI_KEY_FUNCTION), VTERM_MOD_NONE);
	else if (key->code < 0x20)
		send_input(&(char){(char)key->code}, 1, terminal);
	else if (key->code < KEY_BASE)
		vterm_keyboard_unichar(terminal->vterm, key->code, VTERM_MOD_NONE);
}

/* ---- from the program ---- */

static int
cursor_moved(VTermPos position, VTermPos old, int visible, void *data)
{
	(void)old, (void)visible;
	((tui_terminal *)data)->cursor = position;
	return 1;
}

static int
property_set(VTermProp property, VTermValue *value, void *data)
{
	tui_terminal *terminal = data;
	if (property == VTERM_PROP_ALTSCREEN)
		terminal->alternate = value->boolean;
	else if (property == VTERM_PROP_CURSORVISIBLE)
		terminal->cursor_visible = value->boolean;
	return 1;
}

/* libvterm tells of most modes, not of DECCKM, which outlives a change of size. */
static void
follow_mode(tui_terminal *terminal, char c)
{
	switch (terminal->mode) {
	case MODE_ESCAPE:
		terminal->mode = c == '[' ? MODE_CSI : MODE_NONE;
		break;
	case MODE_CSI:
		terminal->mode = c == '?' ? MODE_PRIVATE : MODE_NONE;
		terminal->mode_number = 0;
		terminal->mode_has_1 = false;
		break;
	case MODE_PRIVATE:
		if (g_ascii_isdigit(c)) {
			terminal->mode_number = MIN(terminal->mode_number * 10 + (c - '0'), 9999);
			break;
		}
		terminal->mode_has_1 |= terminal->mode_number == 1;
		terminal->mode_number = 0;
		if (c == ';')
			break;
		if ((c == 'h' || c == 'l') && terminal->mode_has_1)
			terminal->cursor_keys = c == 'h';
		terminal->mode = MODE_NONE;
		break;
	case MODE_NONE:
		break;
	}
	if (c == '\033')
		terminal->mode = MODE_ESCAPE;
}

static const VTermScreenCallbacks callbacks = {.movecursor = cursor_moved, .settermprop = property_set};

/* At idle priority, and a piece at a time: a program that floods its terminal
 * waits for us; reloads and keys do not wait for it. */
static gboolean
can_read(gint fd, GIOCondition condition, gpointer data)
{
	(void)condition;
	tui_terminal *terminal = data;
	char buffer[READ_SIZE];
	ssize_t got = read(fd, buffer, sizeof buffer);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (got <= 0) {
		terminal->readable = 0;
		return G_SOURCE_REMOVE;
	}
	if (!terminal->alternate)
		tui_log_feed(terminal->log, buffer, (gsize)got);
	for (ssize_t i = 0; i < got; i++)
		follow_mode(terminal, buffer[i]);
	vterm_input_write(terminal->vterm, buffer, (size_t)got);
	terminal->changed(terminal->data);
	return G_SOURCE_CONTINUE;
}

static void
start_reading(tui_terminal *terminal)
{
	GSource *source = g_unix_fd_source_new(terminal->master, G_IO_IN);
	g_source_set_priority(source, G_PRIORITY_DEFAULT_IDLE);
	g_source_set_callback(source, G_SOURCE_FUNC(can_read), terminal, NULL);
	terminal->readable = g_source_attach(source, NULL);
	g_source_unref(source);
}

static void
open_screen(tui_terminal *terminal)
{
	terminal->cursor = (VTermPos){0, 0};
	terminal->cursor_visible = true;
	terminal->alternate = false;
	terminal->vterm = vterm_new(terminal->rows, terminal->columns);
	vterm_set_utf8(terminal->vterm, 1);
	terminal->screen = vterm_obtain_screen(terminal->vterm);
	vterm_screen_enable_altscreen(terminal->screen, 1);
	vterm_screen_set_callbacks(terminal->screen, &callbacks, terminal);
	vterm_screen_reset(terminal->screen, 1);
	vterm_output_set_callback(terminal->vterm, send_input, terminal);
}

tui_terminal *
tui_terminal_new(int master, int rows, int columns, void (*changed)(void *data), void *data)
{
	tui_terminal *terminal = g_new0(tui_terminal, 1);
	terminal->master = master;
	terminal->rows = MAX(rows, TUI_LEAST_ROWS);
	terminal->columns = MAX(columns, TUI_LEAST_COLUMNS);
	terminal->changed = changed;
	terminal->data = data;
	terminal->input = g_string_new(NULL);
	terminal->log = tui_log_new(LOG_LINES, LOG_BYTES);
	open_screen(terminal);
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	start_reading(terminal);
	return terminal;
}

void
tui_terminal_free(tui_terminal *terminal)
{
	if (!terminal)
		return;
	if (terminal->readable)
		g_source_remove(terminal->readable);
	if (terminal->writable)
		g_source_remove(terminal->writable);
	vterm_free(terminal->vterm);
	tui_log_free(terminal->log);
	g_string_free(terminal->input, TRUE);
	g_free(terminal);
}

const tui_log *
tui_terminal_log(const tui_terminal *terminal)
{
	return terminal->log;
}

bool
tui_terminal_is_full(const tui_terminal *terminal)
{
	/* The master end answers with the slave's modes. */
	struct termios modes;
	bool raw = tcgetattr(terminal->master, &modes) == 0 && !(modes.c_lflag & ICANON) && !(modes.c_lflag & ECHO);
	return terminal->alternate || raw;
}

bool
tui_terminal_draws(const tui_terminal *terminal)
{
	return terminal->alternate || tui_log_draws(terminal->log);
}

void
tui_terminal_reset(tui_terminal *terminal)
{
	vterm_screen_reset(terminal->screen, 1);
	terminal->alternate = terminal->cursor_keys = false;
	tui_log_forget_drawing(terminal->log);
}

static char *
row_text(const tui_terminal *terminal, int row)
{
	GString *text = g_string_new(NULL);
	VTermScreenCell cell;
	for (VTermPos at = {row, 0}; at.col < terminal->columns; at.col += MAX(cell.width, 1)) {
		if (!vterm_screen_get_cell(terminal->screen, at, &cell))
			break;
		gunichar c = cell.chars[0];
		g_string_append_unichar(text, c >= ' ' && g_unichar_validate(c) ? c : ' ');
	}
	return g_strchomp(g_string_free(text, FALSE));
}

/* What a screen of another size begins with: the last lines, and the modes. */
static char *
screen_as_input(const tui_terminal *terminal, int rows)
{
	GString *input = g_string_new(terminal->alternate ? "\033[?1049h" : "");
	int last = MIN(terminal->cursor.row, terminal->rows - 1);
	for (int row = MAX(last - rows + 1, 0); row <= last; row++) {
		char *text = row_text(terminal, row);
		g_string_append_printf(input, "%s%s", text, row < last ? "\r\n" : "");
		g_free(text);
	}
	if (terminal->cursor_keys)
		g_string_append(input, "\033[?1h");
	if (!terminal->cursor_visible)
		g_string_append(input, "\033[?25l");
	return g_string_free(input, FALSE);
}

/* By a new screen: vterm_set_size of libvterm 0.1 corrupts memory (random bytes
 * and sizes crash it in seconds). What is painted comes back with SIGWINCH. */
void
tui_terminal_resize(tui_terminal *terminal, int rows, int columns)
{
	rows = MAX(rows, TUI_LEAST_ROWS);
	columns = MAX(columns, TUI_LEAST_COLUMNS);
	if (rows == terminal->rows && columns == terminal->columns)
		return;
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
	char *input = screen_as_input(terminal, rows);
	vterm_free(terminal->vterm);
	terminal->rows = rows;
	terminal->columns = columns;
	open_screen(terminal);
	vterm_input_write(terminal->vterm, input, strlen(input));
	g_free(input);
	ioctl(terminal->master, TIOCSWINSZ, &size);
}

/* ---- to the screen ---- */

/* The nearest of the 256 colours' cube. */
static int
cube_colour(const VTermColor *colour)
{
	int red = (colour->rgb.red * 5 + 127) / 255, green = (colour->rgb.green * 5 + 127) / 255,
	    blue = (colour->rgb.blue * 5 + 127) / 255;
	return 16 + 36 * red + 6 * green + blue;
}

static int
colour_number(const VTermColor *colour)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(colour) || VTERM_COLOR_IS_DEFAULT_BG(colour))
		return -1;
	return VTERM_COLOR_IS_INDEXED(colour) ? colour->indexed.idx : cube_colour(colour);
}

static int
draw_cell(const tui_terminal *terminal, const tui_area *area, VTermPos position)
{
	VTermScreenCell cell;
	if (!vterm_screen_get_cell(terminal->screen, position, &cell))
		return 1;
	tui_cell_style style = {
		.foreground = colour_number(&cell.fg),
		.background = colour_number(&cell.bg),
		.bold = cell.attrs.bold,
		.underline = cell.attrs.underline,
		.italic = cell.attrs.italic,
		.blink = cell.attrs.blink,
		.reverse = cell.attrs.reverse,
	};
	bool plain = style.background < 0 && !style.reverse && !style.underline;
	if ((cell.chars[0] == 0 || cell.chars[0] == ' ') && plain)
		return 1;
	guint32 characters[VTERM_MAX_CHARS_PER_CELL + 1] = {0};
	memcpy(characters, cell.chars, sizeof cell.chars);
	if (position.col + cell.width <= area->columns)
		screen_cell(area->row + position.row, area->column + position.col, characters, &style);
	return MAX(cell.width, 1);
}

void
tui_terminal_draw(const tui_terminal *terminal, const tui_area *area, bool cursor)
{
	VTermPos position;
	for (position.row = 0; position.row < MIN(terminal->rows, area->rows); position.row++)
		for (position.col = 0; position.col < MIN(terminal->columns, area->columns);)
			position.col += draw_cell(terminal, area, position);
	if (cursor && terminal->cursor_visible && terminal->cursor.row < area->rows &&
	    terminal->cursor.col < area->columns)
		screen_cursor(area->row + terminal->cursor.row, area->column + terminal->cursor.col);
}
