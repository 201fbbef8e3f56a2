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
/* A result with this one error; takes the error. */
hd_build_result *hd_result_failed(const hd_result_source *source, GError *error);
/* status as waitpid gives it. */
hd_build_result *hd_result_read(const hd_result_source *source, int status, const GString *output);

/* A file that the compiler read, or may have, past the mirror, which has another
 * text for it; owned by the caller. "": a file was not found, or it is not known what was read. NULL: all is well. */
char *hd_result_leak(const hd_result_source *source, int status, const GString *output);

#endif
