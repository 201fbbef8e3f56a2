/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one model that every view draws: modules with their versions and state,
 * processes with their threads, what is pending. Views read it and never
 * write; everything borrowed from it is valid until control returns to the
 * main loop. */
#ifndef HD_HISTORY_MODEL_H
#define HD_HISTORY_MODEL_H

#include "reloader/history/event.h"

typedef struct hd_model hd_model;

typedef enum {
	HD_MODULE_ORIGINAL, /* runs what the program started with; nothing saved since */
	HD_MODULE_BUILDING,
	HD_MODULE_LIVE,
	HD_MODULE_ERROR, /* does not compile */
	HD_MODULE_HELD,
	HD_MODULE_WAITING,
	HD_MODULE_UNDONE,
	HD_MODULE_MISSING, /* the file is gone; the old code runs on */
	HD_MODULE_UNRELOADABLE,
} hd_module_state;

const char *hd_module_state_name(hd_module_state state); /* "live", "ERROR", ... */

typedef struct {
	int version;
	int transaction;
	char *compiler;
	gint64 wall_us;
	gsize bytes;	      /* room in the program */
	GPtrArray *functions; /* of char *: what it changed */
	GPtrArray *data;
	GBytes *text; /* the source it was made of; may be NULL */
	bool undone;
	char *kept; /* why its memory was not given back, though undo no longer reaches it; NULL */
} hd_version_view;

typedef struct {
	const char *name; /* relative to the project */
	const char *path;
	hd_module_state state;
	int live;		      /* version that runs */
	int disk;		      /* version that the file would be */
	const char *compiler;	      /* of the live version; NULL: the program's own build */
	gint64 changed_us;	      /* wall time of the last save; 0: none */
	double last_ms;		      /* last save to live */
	guint pins;		      /* threads inside an old version */
	const GPtrArray *diagnostics; /* of hd_diagnostic *; NULL: none */
	const char *raw;	      /* what the compiler wrote */
	const hd_refusal *refusal;    /* why it is held; NULL */
	const char *unreloadable;     /* why; NULL */
	const char *not_instant;      /* why libtcc did not build what was saved last; NULL: it did, or nothing was */
	bool promoting;		      /* the program's own compiler builds what libtcc made live */
	const hd_command *command;    /* may be NULL */
	const GPtrArray *versions;    /* of hd_version_view *, oldest first */
	GBytes *original;	      /* the source of version 0; NULL: not known, or there is no later version */
} hd_module_view;

/* The source that a version was made of; borrowed, NULL: it is not kept. */
GBytes *hd_module_text(const hd_module_view *module, int version);
/* What differs between the sources of two kept versions, as a unified diff: "" when they are the same, as when only a
 * header changed. New string, not cleaned. NULL: the error is a sentence for the user. */
char *hd_module_difference(const hd_module_view *module, int from, int to, GError **error);

typedef struct {
	pid_t tid;
	char *name;
	char *code;	 /* "new", "old", "unknown" */
	hd_place *place; /* the frame in old code; NULL */
	gint64 since_us;
	GPtrArray *stack; /* of hd_place *; NULL: not known */
} hd_thread_view;

typedef struct {
	pid_t pid, ppid;
	char *name;
	GPtrArray *threads; /* of hd_thread_view * */
} hd_process_view;

typedef enum { HD_PROGRAM_STARTING, HD_PROGRAM_RUNNING, HD_PROGRAM_ENDED } hd_program_state;

const GPtrArray *hd_model_modules(const hd_model *model);   /* of hd_module_view *, by name */
const GPtrArray *hd_model_processes(const hd_model *model); /* of hd_process_view * */
const char *hd_model_program(const hd_model *model);
char *const *hd_model_argv(const hd_model *model);
const char *hd_model_project(const hd_model *model);
hd_program_state hd_model_program_state(const hd_model *model);
int hd_model_exit_status(const hd_model *model);
int hd_model_generation(const hd_model *model); /* last transaction */
bool hd_model_paused(const hd_model *model);
bool hd_model_idle(const hd_model *model);	 /* no build runs and nothing is pending */
json_t *hd_model_watcher(const hd_model *model); /* hd_watcher_status; new reference */

#endif
