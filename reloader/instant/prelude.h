/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The headers of a source, preprocessed once: what they declare, and the macros
 * that are in force behind them. A save then costs what the file's own text
 * costs.
 *
 * A source is split where its first lines, which only include and define, end.
 * A prelude serves as long as those lines, every file that they read and every
 * folder that was searched are as they were. */
#ifndef HD_INSTANT_PRELUDE_H
#define HD_INSTANT_PRELUDE_H

#include "reloader/instant/dialect.h"
#include "reloader/instant/outline.h"

typedef struct hd_prelude hd_prelude;

/* Bytes of the text that belong to the prelude: whole lines, conditionals closed; 0: none. */
gsize hd_prelude_length(const char *text, gsize size);

/* From an answer to HD_WIRE_MACROS for the text's first bytes. NULL: they
 * cannot be stood in for (pragmas with a state, macros that libtcc does not tell exactly). */
hd_prelude *hd_prelude_new(const char *text, gsize length, const char *answer, gsize size, const hd_dialect *dialect);
hd_prelude *hd_prelude_ref(hd_prelude *prelude);
void hd_prelude_unref(hd_prelude *prelude);

/* Whether it still is what these first bytes of a text stand for. */
bool hd_prelude_serves(const hd_prelude *prelude, const char *text, gsize length);

/* Appends the paths, new strings, of the files it was made of, those of the system left out. */
void hd_prelude_files(const hd_prelude *prelude, GPtrArray *files);

hd_outline *hd_prelude_outline(const hd_prelude *prelude);
/* Appends the macros that a text may need, as directives. */
void hd_prelude_macros(const hd_prelude *prelude, const char *text, gsize size, GString *out);

#endif
