/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of others (compilers, programs, file names) made fit for a terminal.
 * Whatever a view writes that hotdev did not make up itself goes through
 * hd_text_clean: nothing that it returns can move a cursor or be taken for a
 * control sequence. */
#ifndef HD_BASE_TEXT_H
#define HD_BASE_TEXT_H

#include <glib.h>
#include <stdbool.h>

/* New string: valid UTF-8 of one line. Tabs and newlines become spaces; every
 * other control, formatting (bidirectional overrides too) and invalid
 * character becomes U+FFFD. length -1: up to the NUL. NULL is "". */
char *hd_text_clean(const char *text, gssize length);

/* New string, ASCII only: what hotdev itself draws with ("→", "·", "…") by its
 * nearest likeness, anything else by '?'. */
char *hd_text_ascii(const char *utf8);

/* New string: cleaned, and ASCII where the locale's encoding is not UTF-8. */
char *hd_text_local(const char *text);
bool hd_text_locale_is_ascii(void);

/* Columns that valid UTF-8 takes in a terminal: 0 for combining marks, 2 for wide characters. */
int hd_text_width(const char *utf8);
int hd_text_character_width(gunichar c);

/* The part of file that says where below project it is; file itself when it is not there. */
const char *hd_text_below(const char *project, const char *file);

/* "512 bytes", "4.0 KiB"; new string. */
char *hd_text_size(gsize bytes);

/* A source line as it can be shown: tabs expanded to 8 columns, cleaned. NULL
 * when the file cannot be read or has no such line. A relative file is looked
 * for in project (NULL: here). *caret is the column on the screen, from 0, of
 * the byte `column` (from 1; 0: none, and *caret is -1). A column beyond the
 * line is taken for one on the screen: gcc counts a tab as eight. */
char *hd_text_source_line(const char *project, const char *file, int line, int column, int *caret);

#endif
