/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a compiler is and which options it accepts, found by asking it. */
#ifndef HD_BUILD_COMPILER_H
#define HD_BUILD_COMPILER_H

#include "reloader/build/command.h"

typedef enum { HD_COMPILER_OTHER, HD_COMPILER_GCC, HD_COMPILER_CLANG } hd_compiler_family;

typedef struct {
	hd_compiler_family family;
	char *word;		/* "gcc", "clang", "tcc", else the program's own name */
	char *name;		/* with the version: "gcc 12.2.0" */
	char *version;		/* "12.2.0"; "" where unknown */
	char **options;		/* what code that is to be compared and linked needs, of what it accepts */
	char *no_direct_access; /* the option for it, or NULL */
	bool json;		/* -fdiagnostics-format=json */
	bool prefix_map;	/* -ffile-prefix-map and -fdebug-prefix-map */
} hd_compiler;

/* The compiler in a command. Asked at the first call for each program (path and
 * time of change), some 50 ms; kept for ever. Never NULL: one that does not
 * answer is HD_COMPILER_OTHER. */
const hd_compiler *hd_compiler_of(const char *directory, char *const *argv);

/* Whether it compiles an empty file with these words behind its name. */
bool hd_compiler_accepts(const char *directory, char *const *argv, char *const *options);

#endif
