/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that knows libinotifytools.
 *
 * The library keeps all its state in statics: one hd_inotify at a time in a
 * process, and every call from the thread that opened it. What it lacks is
 * made up for here: its descriptor is found, made close-on-exec and given
 * out to be polled. */
#ifndef HD_WATCHER_INOTIFY_H
#define HD_WATCHER_INOTIFY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>

typedef struct hd_inotify hd_inotify;

typedef struct {
	int wd;
	uint32_t mask;
	const char *name; /* "" for the watched object itself; valid until the next call */
} hd_inotify_event;

/* HD_ERROR_WATCH: no instance left (fs.inotify.max_user_instances), another is open. */
hd_inotify *hd_inotify_open(GError **error);
/* Closes the descriptor. NULL is allowed. */
void hd_inotify_close(hd_inotify *inotify);

/* Polls readable when the kernel has events. Events that the library has
 * already read do not show here: call hd_inotify_next until it is false. */
int hd_inotify_fd(const hd_inotify *inotify);

/* A watch descriptor, or -errno: ENOSPC is the watch limit. A second watch on
 * one inode answers the first one's descriptor and replaces its mask. */
int hd_inotify_watch(hd_inotify *inotify, const char *path, uint32_t mask);
/* A watch that is gone already is no error. */
void hd_inotify_unwatch(hd_inotify *inotify, int wd);

/* The next event; false when there is none. Never blocks. */
bool hd_inotify_next(hd_inotify *inotify, hd_inotify_event *event);

/* "CLOSE_WRITE" or several joined by commas; owned by the caller. From any thread. */
char *hd_inotify_mask_name(uint32_t mask);

/* The sysctl that bounds the number of watches here and its value. The name is valid for ever. */
const char *hd_inotify_limit(guint64 *value);

#endif
