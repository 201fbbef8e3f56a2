/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libtcc must be told so that it reads a text as the command's own
 * compiler does: macros, folders, the standard. Options that change what code
 * or data look like, and that libtcc does not have, rule it out. */
#ifndef HD_INSTANT_DIALECT_H
#define HD_INSTANT_DIALECT_H

#include "reloader/build/command.h"
#include "reloader/instant/tcc.h"

typedef struct hd_dialect hd_dialect;

/* Asks the command's compiler for its macros, once for each set of options
 * (some 10 ms). NULL: libtcc cannot stand in for this command; *why, the caller's, says so. */
hd_dialect *hd_dialect_new(const hd_command *command, char **why);
void hd_dialect_free(hd_dialect *dialect);

/* Where the command runs. */
const char *hd_dialect_folder(const hd_dialect *dialect);
/* The source as the command spells it. */
const char *hd_dialect_source(const hd_dialect *dialect);

/* Adds everything but the text. */
void hd_dialect_apply(const hd_dialect *dialect, hd_tcc_question *question);
/* Lines to stand in front of the text: the files of -include. "" where there are none. */
const char *hd_dialect_preamble(const hd_dialect *dialect);
/* Folders that are searched for headers; of char *, absolute. */
const GPtrArray *hd_dialect_folders(const hd_dialect *dialect);

#endif
