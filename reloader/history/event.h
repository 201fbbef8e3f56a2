/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened, as CONTRACT lists it: the one thing that plain lines, JSON,
 * the control socket and the dashboard are made of. */
#ifndef HD_HISTORY_EVENT_H
#define HD_HISTORY_EVENT_H

#include "base/place.h"
#include "base/refusal.h"
#include "reloader/build/build.h"

#include <jansson.h>
#include <sys/types.h>

typedef enum {
	HD_EVENT_READY,
	HD_EVENT_SAVED,
	HD_EVENT_FAILED,
	HD_EVENT_HELD,
	HD_EVENT_WAITING,
	HD_EVENT_LIVE,
	HD_EVENT_UNCHANGED,
	HD_EVENT_PROMOTED,
	HD_EVENT_PINNED,
	HD_EVENT_RELEASED,
	HD_EVENT_UNDONE,
	HD_EVENT_REDONE,
	HD_EVENT_PURGED,
	HD_EVENT_PROCESS,
	HD_EVENT_CRASHED,
	HD_EVENT_WARNING,
	HD_EVENT_COUNT,
} hd_event_kind;

/* One module's part in a transaction. */
typedef struct {
	char *module;
	int version;
	int previous;	      /* live: the version that ran before */
	char *compiler;	      /* "tcc", "gcc", "clang", ... */
	GPtrArray *functions; /* of char * */
	GPtrArray *data;
} hd_module_change;

/* Where a thread is. */
typedef struct {
	pid_t pid, tid;
	char *thread;
	hd_place *place;
} hd_thread_place;

/* Only the members that the kind has by CONTRACT are set; all owned. */
typedef struct {
	hd_event_kind kind;
	double t;	/* seconds since hotdev started */
	gint64 wall_us; /* g_get_real_time, for people */
	/* ready, process, crashed */
	pid_t pid, ppid, tid;
	char *program;
	guint module_count;
	double startup_ms;
	char *change; /* "started", "forked", "exec", "adopted", "ended" */
	int status;   /* exit status, or 128 + signal; -1: not ended */
	int signal;
	GPtrArray *stack; /* of hd_place * */
	/* saved, failed, unchanged */
	GPtrArray *files; /* of char *, relative to the project */
	bool joined;	  /* saved: while an earlier save was being built; both have the one outcome that follows */
	char *compiler;
	GPtrArray *diagnostics; /* of hd_diagnostic * */
	char *raw;		/* failed: what the compiler wrote; not in JSON */
	/* held, waiting: names; */
	GPtrArray *names;    /* of char * */
	GPtrArray *refusals; /* of hd_refusal *: the first is the event's */
	GPtrArray *blockers; /* of hd_thread_place * */
	/* live, promoted, undone, redone */
	int transaction;
	GPtrArray *modules; /* of hd_module_change * */
	guint processes, threads;
	double save_to_live_ms, compile_ms, link_ms, pause_us;
	/* pinned, released */
	hd_thread_place *at;
	/* purged */
	char *module;
	int version;
	gsize bytes;
	/* warning */
	char *code, *message;
	hd_position where;
} hd_event;

hd_event *hd_event_new(hd_event_kind kind); /* every array of the kind is there, empty */
hd_event *hd_event_ref(hd_event *event);
void hd_event_unref(hd_event *event);

void hd_module_change_free(hd_module_change *change);
hd_thread_place *hd_thread_place_copy(const hd_thread_place *place);
void hd_thread_place_free(hd_thread_place *place);

const char *hd_event_name(hd_event_kind kind);

/* The JSON object of CONTRACT; a new reference. Invalid UTF-8 is replaced. */
json_t *hd_event_json(const hd_event *event);
/* The event that hd_event_json made, or one written by hand; for replay. HD_ERROR_FORMAT. */
hd_event *hd_event_from_json(const json_t *json, GError **error);
/* One line for people, without time and newline, free of control characters; new string. */
char *hd_event_line(const hd_event *event);

#endif
