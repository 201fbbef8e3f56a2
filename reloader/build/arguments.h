/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the words of a compile command mean: the one table of options that take
 * a path, take another word, or have no place in a command that hotdev runs. */
#ifndef HD_BUILD_ARGUMENTS_H
#define HD_BUILD_ARGUMENTS_H

#include <glib.h>
#include <stdbool.h>

typedef enum {
	HD_ARGUMENT_INPUT, /* a file to compile or to link */
	HD_ARGUMENT_PATH,  /* an option with a header or a folder of headers */
	HD_ARGUMENT_DROP,  /* says what to write and where: hotdev's own business */
	HD_ARGUMENT_KEEP,
} hd_argument_kind;

typedef struct {
	hd_argument_kind kind;
	guint words;	  /* 1 or 2 */
	const char *path; /* INPUT and PATH: points into the word that ends with it */
	const char *name; /* the option as the table spells it; NULL: not in it */
} hd_argument;

/* The argument that starts at argv[0], which is not NULL. */
hd_argument hd_argument_at(char *const *argv);

/* Whether the word is an option of the compiler's driver ("-..."), or an input. */
bool hd_argument_is_option(const char *word);

/* Index of the compiler in argv, behind ccache, distcc and their like. */
guint hd_arguments_compiler(char *const *argv);

/* Replaces each @file by the words in it, as gcc(1) says; one that cannot be read stays. */
char **hd_arguments_expand(char *const *argv, const char *directory);

/* The command to keep: without outputs, dependency options, other sources and
 * objects. source is absolute; *source_arg becomes its spelling, added as
 * `written` at the end where argv does not have it. */
char **hd_arguments_clean(char *const *argv, const char *directory, const char *source, const char *written,
			  char **source_arg);

/* Absolute and without "." and ".."; links resolved where it exists. */
char *hd_canonical_path(const char *path, const char *directory);

#endif
