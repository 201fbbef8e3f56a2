/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal that the program has: the master end of its pty, and what is on
 * its screen. The only file that speaks to libvterm. */
#ifndef HD_TUI_TERMINAL_H
#define HD_TUI_TERMINAL_H

#include "tui/log.h"
#include "tui/screen.h"

typedef struct tui_terminal tui_terminal;

/* libvterm 0.1 writes outside its screen when a wide character meets fewer columns. */
enum { TUI_LEAST_ROWS = 4, TUI_LEAST_COLUMNS = 16 };

/* master is borrowed and made non-blocking. changed is called, from the main
 * loop, when there is something else to draw. */
tui_terminal *tui_terminal_new(int master, int rows, int columns, void (*changed)(void *data), void *data);
void tui_terminal_free(tui_terminal *terminal);

const tui_log *tui_terminal_log(const tui_terminal *terminal);
/* The program has the alternate screen, or reads single keys: it needs the whole terminal. */
bool tui_terminal_is_full(const tui_terminal *terminal);
/* The program paints its screen, so that its output is no list of lines. */
bool tui_terminal_draws(const tui_terminal *terminal);
/* A new program has the terminal. */
void tui_terminal_reset(tui_terminal *terminal);

/* Tells the program, when the size is another than before. */
void tui_terminal_resize(tui_terminal *terminal, int rows, int columns);
void tui_terminal_draw(const tui_terminal *terminal, const tui_area *area, bool cursor);
/* A key for the program. What it does not read in time is lost, not kept for ever. */
void tui_terminal_key(tui_terminal *terminal, const tui_key *key);

#endif
