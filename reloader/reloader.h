/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reloader: saved files in at the top, a patched program out at the
 * bottom, events up. Runs in the thread-default GMainContext; every call is
 * from that thread and returns quickly; nothing here knows a view. */
#ifndef HD_RELOADER_H
#define HD_RELOADER_H

#include "reloader/history/model.h"

typedef struct hd_reloader hd_reloader;

typedef enum { HD_COMPILER_AUTO, HD_COMPILER_TCC, HD_COMPILER_CC } hd_compiler_choice;

/* What becomes of libtcc's build where the program's own compiler refuses the same text. */
typedef enum { HD_DISAGREE_KEEP, HD_DISAGREE_UNDO } hd_disagree_choice;

typedef struct {
	const char *program; /* as the user gave it */
	char *const *argv;   /* argv[0] included */
	int terminal;	     /* pty slave for the program, -1: the program keeps ours */
	hd_compiler_choice compiler;
	const char *compdb;  /* NULL: find */
	const char *project; /* NULL: find */
	bool restart_on_refuse;
	hd_disagree_choice on_disagree;
	int keep, settle_ms, patience_ms;
	const char *agent;   /* path of the agent's shared object */
	const char *tcc;     /* path of hotdev-tcc; NULL: no libtcc */
	const char *scratch; /* directory for build files and versions, mode 0700 */
	gint64 start_ns;     /* when hotdev started: the zero of every t */
	bool typed_heap;     /* typed pointers from variables lead to every object on the heap that changes its shape */
} hd_reloader_options;

typedef void hd_reloader_listener(hd_event *event, void *data);

/* options are copied. The model is there at once, the program not yet. */
hd_reloader *hd_reloader_new(const hd_reloader_options *options);
void hd_reloader_free(hd_reloader *reloader);

const hd_model *hd_reloader_model(const hd_reloader *reloader);
/* Called for every event, in order; the event is borrowed. Several may listen. */
void hd_reloader_listen(hd_reloader *reloader, hd_reloader_listener *listener, void *data);

/* Starts the program and the watching; the event `ready` is given before this
 * returns true. HD_ERROR_START, HD_ERROR_WATCH, else. */
bool hd_reloader_start(hd_reloader *reloader, GError **error);

/* Commands; each failure is a sentence for the user. */
bool hd_reloader_undo(hd_reloader *reloader, const char *module,
		      GError **error); /* module NULL: the last transaction */
bool hd_reloader_redo(hd_reloader *reloader, const char *module, GError **error);
bool hd_reloader_reload(hd_reloader *reloader, const char *file,
			GError **error); /* file NULL: everything pending; an unchanged file is rebuilt */
bool hd_reloader_purge(hd_reloader *reloader, const char *module, GError **error);
/* The user gives his word that typed pointers lead to every object on the heap: from now on types that have some may
 * change their shape. What is held is tried again. */
bool hd_reloader_migrate(hd_reloader *reloader, GError **error);
void hd_reloader_pause(hd_reloader *reloader, bool paused);
bool hd_reloader_restart(hd_reloader *reloader, GError **error);
void hd_reloader_end(hd_reloader *reloader); /* ends the program */

/* Calls done once every save made before now has its verdict (live: and at least one went live since
 * `since`), or after timeout_ms with false. Returns a ticket for hd_reloader_wait_cancel. */
typedef void hd_reloader_waited(bool reached, void *data);
guint hd_reloader_wait(hd_reloader *reloader, bool live, int timeout_ms, hd_reloader_waited *done, void *data);
void hd_reloader_wait_cancel(hd_reloader *reloader, guint ticket);

/* What doctor says of a program, without running it: a JSON object {"v": 1, "program": .., "ok": bool, "reason": ..,
 * "modules": [{"module", "reloadable", "reason", "command": [..], "origin", "warnings": [..], "not_instant",
 * "proof": {"verdict": "same" | "different" | "unknown", "functions", "different": [..], "reason"}}],
 * "limits": [{"name", "ok", "message", "remedy"}]}.
 * prove: every untouched file is built and compared with the program; progress, which may be NULL, is told how many. */
typedef void hd_reloader_progress(guint done, guint all, void *data);
json_t *hd_reloader_examine(const hd_reloader_options *options, bool prove, hd_reloader_progress *progress, void *data,
			    GError **error);

#endif
