/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From kernel events to "these files now have this content".
 *
 * A watcher owns one thread, the only one that touches libinotifytools. It
 * watches folders; an event is a hint, the content's hash is the truth. What
 * it says comes out of one queue, in order:
 *
 *   HD_WATCH_EARLY    a file seems to have new content: building may begin
 *   HD_WATCH_BATCH    these files now have this content, and were quiet for
 *                     the settle time: each change is said exactly once
 *   HD_WATCH_BARRIER  every save made before hd_watcher_barrier() was called
 *                     has been said
 *   HD_WATCH_WARNING  overflow, watch limit, unreadable folder, polling
 *
 * EARLY may come several times for one file, also with the content it had: then
 * the edit was taken back. A file is not final while version control holds its
 * lock and writes.
 *
 * Paths are absolute and canonical (realpath), so an edit through a symbolic
 * link is said under the file's one name. One watcher at a time in a process. */
#ifndef HD_WATCHER_WATCHER_H
#define HD_WATCHER_WATCHER_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct hd_watcher hd_watcher;

typedef struct {
	const char *project; /* nothing outside it is watched, but where symbolic links in it lead */
	GPtrArray *files;    /* of char *: absolute paths of known sources and headers; others are passed over */
	int settle_ms;	     /* quiet time before a batch is final */
	int settle_limit_ms; /* and at most this in all, counted from the first event; an empty, missing or
				still growing file is left to a later batch until it is quiet for so long */
	int poll_ms;	     /* period of polling where the kernel does not report; 0: 500 */
	const char *exclude; /* canonical; a folder never looked into (hotdev's own files); NULL: none */
} hd_watcher_options;

typedef struct {
	char *path;
	GBytes *text;	/* the new content, a NUL behind its end; NULL: the file is gone */
	char *formerly; /* a symbolic link was pointed elsewhere: path is the link's own name, this the canonical
			   path that it led to (whoever read that one through the link is concerned); else NULL */
} hd_file_change;

typedef enum { HD_WATCH_EARLY, HD_WATCH_BATCH, HD_WATCH_BARRIER, HD_WATCH_WARNING } hd_watch_kind;

typedef struct {
	hd_watch_kind kind;
	GPtrArray *changes;   /* of hd_file_change *; EARLY and BATCH */
	gint64 written_ns;    /* monotonic: when the kernel reported the last finished write among the changes */
	guint64 barrier;      /* BARRIER: the ticket */
	char *code, *message; /* WARNING: a word ("overflow", "watch-limit", "polling", "unreadable"), a sentence */
} hd_watch_message;

/* Starts watching; when it returns, every later save is seen (the cookie file
 * proved it, or polling has taken over and a WARNING is queued). options are
 * copied. HD_ERROR_WATCH where nothing can be watched. */
hd_watcher *hd_watcher_new(const hd_watcher_options *options, GError **error);
/* Stops the thread and frees everything. NULL is allowed. */
void hd_watcher_free(hd_watcher *watcher);

/* Adds files learnt later (a header found by a build); those known are
 * skipped. When it returns, every later save of them is seen. */
void hd_watcher_add(hd_watcher *watcher, GPtrArray *files);

/* A descriptor (close-on-exec) that polls readable while messages wait. Owned by the watcher. */
int hd_watcher_fd(const hd_watcher *watcher);
/* The next message, owned by the caller; NULL when there is none. Never blocks. */
hd_watch_message *hd_watcher_take(hd_watcher *watcher);
/* An empty one, for who makes batches by hand (a reload on request). */
hd_watch_message *hd_watch_message_new(hd_watch_kind kind);
void hd_watch_message_free(hd_watch_message *message);

/* The content of a known file as last said (at first: as at the start), a new
 * reference, or NULL when unknown or gone. Safe from the owner's thread. */
GBytes *hd_watcher_text(hd_watcher *watcher, const char *path);

/* Asks for a BARRIER message; returns its ticket. */
guint64 hd_watcher_barrier(hd_watcher *watcher);

/* Health and the ring of last raw events (oldest first; t in seconds since the
 * watcher started), as a new JSON object:
 * {"state":"ok|polling|degraded","folders":n,"files":n,"polled":n,"overflows":n,
 *  "file_system":"ext4","last":[{"t":..,"mask":"CLOSE_WRITE","path":"..",
 *  "verdict":"looked at|ignored|no source|folder|gone|events lost"}]} */
json_t *hd_watcher_status(hd_watcher *watcher);

/* Whether a name is an editor's, version control's or a build's by-product that never triggers anything. */
bool hd_watcher_ignores(const char *path);

#endif
