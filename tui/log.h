/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program printed, as lines: a ring of bounded size. Control
 * sequences are left out; a carriage return starts the line anew. */
#ifndef HD_TUI_LOG_H
#define HD_TUI_LOG_H

#include <glib.h>
#include <stdbool.h>

typedef struct tui_log tui_log;

typedef struct {
	gint64 wall_us;
	char *text; /* UTF-8, clean */
} tui_log_line;

/* At most this many lines, and this many bytes in them. */
tui_log *tui_log_new(guint lines, gsize bytes);
void tui_log_free(tui_log *log);
void tui_log_feed(tui_log *log, const char *data, gsize size);
/* Lines that are kept, oldest first; the last may still be growing. */
guint tui_log_count(const tui_log *log);
const tui_log_line *tui_log_get(const tui_log *log, guint index);
/* Lines that there ever were: a number for each, whatever is kept. */
guint64 tui_log_total(const tui_log *log);
/* Whether the program moves the cursor about, rather than printing lines. */
bool tui_log_draws(const tui_log *log);
void tui_log_forget_drawing(tui_log *log);

#endif
