/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libtcc's objects, in words that gdb, libdw and the rest of hotdev understand:
 * instead of stabs, the result has DWARF (functions and lines; no types, no
 * locals) and unwind information. Code, data, symbols and relocations are the
 * same, and every section that has them keeps its index. */
#ifndef HD_INSTANT_DESCRIBE_H
#define HD_INSTANT_DESCRIBE_H

#include "reloader/instant/stabs.h"

/* What the object does not know of itself. */
typedef struct {
	const char *folder;	   /* where the compiler ran; absolute */
	const char *source;	   /* as lines of the compiled text call it */
	const char *text;	   /* a file with the text that was compiled, named instead; NULL: none */
	hd_stabs_line_of *line_of; /* NULL: lines end at 65535 */
	void *data;
} hd_description;

/* New reference. HD_ERROR_FORMAT: the object is damaged, or was compiled without
 * -g. HD_ERROR_IO: libelf could not write it. */
GBytes *hd_describe(GBytes *object, const hd_description *description, GError **error);

#endif
