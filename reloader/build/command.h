/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose compile command is this: compile_commands.json, else what the debug
 * information says. The command is kept as it stands. */
#ifndef HD_BUILD_COMMAND_H
#define HD_BUILD_COMMAND_H

#include <glib.h>
#include <stdbool.h>

typedef enum { HD_COMMAND_COMPDB, HD_COMMAND_DEBUG_INFO } hd_command_origin;

typedef struct {
	char *source;	  /* absolute, canonical */
	char *directory;  /* where the command runs; absolute */
	char **argv;	  /* NULL-terminated; with neither -c, -o nor dependency options */
	char *source_arg; /* the source as argv spells it */
	hd_command_origin origin;
	char *origin_detail; /* a phrase for doctor: the database's path, or what was inferred */
} hd_command;

/* Words (NULL-terminated) that make it give the program's code. */
void hd_command_add(hd_command *command, const char *const *words);
void hd_command_free(hd_command *command);

/* What the debug information of one translation unit says of its building;
 * all borrowed. Relative paths are under `directory`. For a source that only
 * the database knows (a new file) all but `source` may be NULL. */
typedef struct {
	const char *source;    /* best as DW_AT_name spells it: __FILE__ then stays the same */
	const char *spelling;  /* DW_AT_name, as the compiler was given it; may be NULL */
	const char *directory; /* DW_AT_comp_dir */
	const char *producer;  /* DW_AT_producer */
	GPtrArray *include_directories;
	bool shared;		 /* it is part of a shared library */
	bool fixed;		 /* it is part of a program at a fixed address, no PIE */
	bool optimised;		 /* its code is, whatever the producer says */
	GPtrArray *files;	 /* every file of the line table */
	const GPtrArray *others; /* absolute folders that the program's other units looked into; NULL: not known */
} hd_command_hints;

typedef struct hd_compdb hd_compdb;

/* Reads path; when NULL, looks for the nearest compile_commands.json in
 * `from`, its build/, _build/ and builddir/ folders and those above, then in and above `project`. One that is outside
 * of the project must name a source in it. NULL without error: there is none. HD_ERROR_FORMAT: it is damaged. */
hd_compdb *hd_compdb_open(const char *path, const char *from, const char *project, GError **error);
void hd_compdb_free(hd_compdb *compdb);
const char *hd_compdb_path(const hd_compdb *compdb);
/* Absolute paths of every source it names; owned by the database. */
GPtrArray *hd_compdb_sources(const hd_compdb *compdb);

bool hd_compdb_names(const hd_compdb *compdb, const char *source);

/* The command for a source: the database's if it has one (the entry most like
 * what the hints say, when a source stands there twice), else made from hints.
 * compdb may be NULL. NULL with an error when neither can say. */
hd_command *hd_command_find(const hd_compdb *compdb, const hd_command_hints *hints, GError **error);

#endif
