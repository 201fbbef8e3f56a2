/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs compile commands, several at once, and reads what came of them.
 *
 * A build never looks at the clock or at time stamps: it compiles the texts it
 * is given. Files in `texts` are laid over the tree: the compiler sees them
 * instead of what is on disk (a mirror of the folders concerned, in the
 * builder's own directory, with links to everything else; debug information
 * and __FILE__ keep the real names). What it reads besides is looked at when
 * it has ended: a file that does not say what `tree` has, or was written to
 * meanwhile, is laid over too, and the build repeated.
 *
 * A build that was done before, of the same texts, is not done again. */
#ifndef HD_BUILD_BUILD_H
#define HD_BUILD_BUILD_H

#include "base/place.h"
#include "reloader/build/command.h"

#include <time.h>

typedef struct hd_builder hd_builder;
typedef struct hd_build hd_build; /* one running compilation */

typedef enum { HD_SEVERITY_NOTE, HD_SEVERITY_WARNING, HD_SEVERITY_ERROR } hd_severity;

typedef struct {
	hd_position where;
	hd_severity severity;
	char *message;
} hd_diagnostic;

void hd_diagnostic_free(hd_diagnostic *diagnostic);
const char *hd_severity_name(hd_severity severity);

typedef struct {
	bool ok;
	bool cancelled;
	GBytes *object;		 /* the relocatable object; NULL unless ok */
	GPtrArray *diagnostics;	 /* of hd_diagnostic *, errors first, in the compiler's order; never NULL */
	GPtrArray *dependencies; /* of char *: canonical real paths of every file read, system headers left out; never
				    NULL */
	char *compiler;		 /* "gcc", "clang", ... for people */
	char *raw;		 /* what the compiler wrote, as text */
	gint64 elapsed_ns;
	struct timespec begun; /* when the compiler started, by the clock of files */
} hd_build_result;

void hd_build_result_free(hd_build_result *result);
/* Whether the file was written to since the compiler started: what it read of it is not known. */
bool hd_build_result_doubts(const hd_build_result *result, const char *path);

typedef struct {
	const hd_command *command; /* borrowed until the callback has returned */
	GHashTable *texts; /* char *path (canonical) -> GBytes *, NULL: no such file; laid over the tree. NULL: none.
			      Copied. */
	GHashTable *tree;  /* char *path -> GBytes *: what any other file is to say. Borrowed until the callback has
			      returned, and may change until then. NULL: whatever is on disk. */
	GHashTable *older; /* the same, for a build of what files said before: comes first. NULL: none */
	const char *debug_name; /* name for the source in the debug information; NULL: its own */
	bool background;	/* lowest priority */
	bool as_it_stands;	/* without the options that hotdev adds to be able to compare and link */
} hd_build_request;

/* Called from the main context, once for each build, unless it was cancelled. result is the callee's. */
typedef void hd_build_done(hd_build *build, hd_build_result *result, void *data);

/* A builder keeps its files under `directory` (created, mode 0700) and runs at
 * most `jobs` compilers at once (0: one a processor); others wait their turn, background last. */
hd_builder *hd_builder_new(const char *directory, const char *project, guint jobs, GError **error);
/* A compiler that runs longer is ended, and its build failed; 20 minutes unless set. */
void hd_builder_set_time_limit(hd_builder *builder, int milliseconds);
/* Cancels what runs, removes its files. */
void hd_builder_free(hd_builder *builder);

/* Never fails at once: a compiler that cannot be run is a result with ok false
 * and a diagnostic. The handle is valid until its callback returns. */
hd_build *hd_build_start(hd_builder *builder, const hd_build_request *request, hd_build_done *done, void *data);
/* Ends the compiler's process group; the callback is not called. */
void hd_build_cancel(hd_build *build);

/* Files have come or gone, or the user asks for it: what was built before is built again. */
void hd_builder_forget(hd_builder *builder);

/* Options that hotdev adds to this compiler's command ("-ffunction-sections", ...),
 * found by asking the compiler once; owned by the builder. For doctor. */
const char *const *hd_builder_extra_options(hd_builder *builder, const hd_command *command);

/* Whether the command's optimisation level lets the compiler optimise between functions (anything but -O0). */
bool hd_command_optimises(const hd_command *command);
/* Whether the command's compiler is clang. Asks it once. */
bool hd_builder_is_clang(hd_builder *builder, const hd_command *command);

#endif
