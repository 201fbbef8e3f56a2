/* SPDX-License-Identifier: GPL-2.0-or-later */
/* #line in a text that libtcc preprocesses. Its answer names a new line and
 * file only where the number grew by eight or more, or a file was included: so
 * an empty file is included behind every such directive. */
#ifndef HD_INSTANT_LINEMARK_H
#define HD_INSTANT_LINEMARK_H

#include <glib.h>
#include <stdbool.h>

/* The file, which the question must bring. */
#define HD_LINEMARK_PATH "/dev/null/line"
#define HD_LINEMARK_TEXT "\n"

/* Whether there is one, "#line 7" or "# 7", perhaps with a name. */
bool hd_linemark_is_in(const char *text, gsize size);

/* Appends the text, which then includes that file. false: it has no such
 * directive outside of #if, and is as it was. */
bool hd_linemark_append(GString *out, const char *text, gsize size);

#endif
