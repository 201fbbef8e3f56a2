/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libtcc says of the lines of its code, as stabs in .stab and .stabstr:
 * entries of twelve bytes, in the order in which it compiled. Of them
 *   N_SO     a folder, ending in "/"; then the source; at last an end without a name
 *   N_SOL    what follows comes of this file
 *   N_FUN    a function begins: "name:Ftype", "name:ftype" where it is static;
 *            its relocation names its symbol
 *   N_SLINE  a line's code begins, at this distance from the function's start
 * are read. A line has 16 bits there; what it has beyond must be known otherwise. */
#ifndef HD_INSTANT_STABS_H
#define HD_INSTANT_STABS_H

#include "reloader/object/elf_view.h"

typedef struct {
	guint64 offset; /* from the function's start */
	guint file;	/* index */
	guint line;
} hd_stabs_line;

typedef struct {
	char *name; /* as the source has it */
	bool external;
	guint symbol;	      /* index of its symbol, whose section has all of its code */
	guint64 size;	      /* bytes of code, at least 1 */
	guint first, n_lines; /* in `lines`; the first one is where its body opens, at offset 0; offsets ascend */
} hd_stabs_function;

typedef struct {
	GPtrArray *files;  /* of char *, as libtcc spells them, each once; the source first */
	GArray *functions; /* of hd_stabs_function, each symbol once */
	GArray *lines;	   /* of hd_stabs_line */
} hd_stabs;

/* The line in which a function's definition begins; 0: not known. */
typedef guint hd_stabs_line_of(const char *function, void *data);

/* HD_ERROR_FORMAT: there are no stabs, or they are damaged. line_of: NULL if nothing is known. */
hd_stabs *hd_stabs_read(const hd_elf_view *view, hd_stabs_line_of *line_of, void *data, GError **error);
void hd_stabs_free(hd_stabs *stabs);

/* Index of the section of that name; 0: there is none. */
guint hd_stabs_section(const hd_elf_view *view, const char *name);

#endif
