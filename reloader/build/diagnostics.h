/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what compilers write: gcc's JSON, and the "file:line:column: severity:
 * message" of every other. The text is hostile until read: whatever bytes it
 * holds, what comes out is valid UTF-8 without control characters. */
#ifndef HD_BUILD_DIAGNOSTICS_H
#define HD_BUILD_DIAGNOSTICS_H

#include "reloader/build/build.h"

/* Gives a file name its real, absolute form; owned by the caller. */
typedef char *hd_diagnostics_name(const char *file, void *data);

/* Appends to diagnostics in the compiler's order and what a person would have
 * read to raw. */
void hd_diagnostics_read(const char *output, gsize size, hd_diagnostics_name *name, void *data, GPtrArray *diagnostics,
			 GString *raw);

/* Errors first, then warnings, then notes; the order within each is kept. */
void hd_diagnostics_sort(GPtrArray *diagnostics);

/* file NULL: no position. message as printf. */
hd_diagnostic *hd_diagnostic_new(hd_severity severity, const char *file, int line, int column, const char *format, ...)
	G_GNUC_PRINTF(5, 6);

/* Valid UTF-8, control characters but newline and tab replaced; owned by the caller. */
char *hd_clean_text(const char *text, gssize size);

#endif
