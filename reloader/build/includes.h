/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Include directories guessed from the files that a compilation read. The line
 * table has the folders of files, not what -I said: `#include "net/tcp.h"`
 * under -Iinclude leaves "include/net". So the #include lines are read too. */
#ifndef HD_BUILD_INCLUDES_H
#define HD_BUILD_INCLUDES_H

#include <glib.h>
#include <stdbool.h>

/* files and folders: of char *, as the line table has them, relative ones under `directory`. others: folders of the
 * program's other units, where a header is looked for that left no trace in this one; NULL: not known.
 * Absolute folders, of char *, the likeliest first; owned by the caller. */
GPtrArray *hd_includes_guess(const char *source, const char *directory, const GPtrArray *files,
			     const GPtrArray *folders, const GPtrArray *others);

/* Whether a canonical path is the system's or the compiler's own. */
bool hd_path_is_system(const char *path);

#endif
