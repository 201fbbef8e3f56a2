/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parts of a text a compile command leaves out (#if, #ifdef): where the
 * program has code in one of them, the command is not the one that built it. */
#ifndef HD_BUILD_CONDITIONAL_H
#define HD_BUILD_CONDITIONAL_H

#include "reloader/build/command.h"

typedef struct {
	int first, last; /* lines; the directives around them are not among them */
} hd_lines;

/* The branches of a text's conditionals, of hd_lines; owned by the caller. None where lines are not what they seem. */
GArray *hd_conditional_branches(GBytes *text);

typedef struct {
	const hd_command *command;
	GBytes *text;
	GArray *branches; /* of hd_lines: those to ask about; then those that are left out. None: it cannot be told */
} hd_conditional_question;

/* Has the commands' compilers preprocess the texts: some 10 ms each, several at once, none where there is nothing to
 * ask about. scratch: a folder for it. */
void hd_conditional_ask(hd_conditional_question *questions, guint count, const char *scratch);

#endif
