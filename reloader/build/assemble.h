/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command that is really run: the user's, and what hotdev adds. */
#ifndef HD_BUILD_ASSEMBLE_H
#define HD_BUILD_ASSEMBLE_H

#include "reloader/build/compiler.h"

/* The options that change the code, for this command; owned by the caller. */
char **hd_assemble_options(const hd_command *command, const hd_compiler *compiler);

/* Everything: words (the command's own, or led into a mirror), options, more, outputs. Owned by the caller. */
char **hd_assemble(const hd_compiler *compiler, char *const *words, char *const *options, char *const *more,
		   const char *object, const char *depfile);

/* Appends the options that name the source `name` in debug information and
 * leave __FILE__ alone. spelled: the source in the argv that is run. */
void hd_assemble_debug_name(GPtrArray *options, const hd_command *command, const char *spelled, const char *name);

/* The environment for compilers: messages in English, dates fixed; owned by the caller. */
char **hd_assemble_environment(void);

#endif
