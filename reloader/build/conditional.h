/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parts of a text a compile command leaves out (#if, #ifdef): where the
 * program has code in one of them, the command is not the one that built it. */
#ifndef HD_BUILD_CONDITIONAL_H
#define HD_BUILD_CONDITIONAL_H

#include "reloader/build/command.h"

typedef struct {
	int first, last; /* lines; the directives around them are not among them */
} hd_lines;

/* Runs the command's compiler on the text, up to preprocessing (some 10 ms; not at all where the text has no
 * conditionals). scratch: a folder for it. Of hd_lines, new; NULL: it cannot be told. */
GArray *hd_conditional_left_out(const hd_command *command, GBytes *text, const char *scratch);

#endif
