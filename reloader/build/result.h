/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an ended compiler to a result. */
#ifndef HD_BUILD_RESULT_H
#define HD_BUILD_RESULT_H

#include "reloader/build/build.h"
#include "reloader/build/compiler.h"
#include "reloader/build/mirror.h"

typedef struct {
	const hd_command *command;
	const hd_compiler *compiler;
	const char *project;
	const char *working;	 /* the folder in which the compiler ran */
	const hd_mirror *mirror; /* in which it ran; NULL: none */
	const char *object, *depfile;
	GHashTable *canonical; /* path -> real path, a cache of the builder's */
} hd_result_source;

hd_build_result *hd_result_new(void);
hd_build_result *hd_result_copy(const hd_build_result *result);
/* A result with this one error; takes the error. */
hd_build_result *hd_result_failed(const hd_result_source *source, GError *error);
/* status as waitpid gives it. */
hd_build_result *hd_result_read(const hd_result_source *source, int status, const GString *output);

/* Every file that the compiler read, the system's too: real paths, of char *, each once; owned by the caller.
 * Empty: it is not known. */
GPtrArray *hd_result_files(const hd_result_source *source);

/* Whether the same texts give the same result again: it was not for want of a file, of memory or of room. */
bool hd_result_is_final(const hd_build_result *result, int status, const GString *output);

/* A file that the compiler read, or may have, past the mirror, which has another
 * text for it; owned by the caller. "": a file was not found, or it is not known what was read. NULL: all is well. */
char *hd_result_leak(const hd_result_source *source, int status, const GString *output);

#endif
