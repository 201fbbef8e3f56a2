/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When is an edit finished? Collects hints about files, reads what they hold,
 * and gives batches that are final.
 *
 * A file is complete when it was read while nobody wrote, and is not empty. A
 * complete file is due when it was quiet for settle_ns. One that is empty,
 * missing or being written is waited for until limit_ns after its last hint:
 * editors truncate first, and move the old file away before the new one comes.
 * A batch is said when all its files are due. Complete files wait no longer
 * than limit_ns after the first hint for others; those then follow in a batch
 * of their own.
 *
 * Times are CLOCK_MONOTONIC and come from the caller. */
#ifndef HD_WATCHER_SETTLE_H
#define HD_WATCHER_SETTLE_H

#include "watcher/file.h"

typedef enum {
	HD_HINT_LOOK,	/* something happened to it */
	HD_HINT_WRITE,	/* it is being written */
	HD_HINT_FINISH, /* a write was finished */
} hd_hint;

typedef struct hd_settle hd_settle;

/* Called after each read, before its result is used: may correct file->said
 * and content->real of a symbolic link. */
typedef void hd_settle_read_hook(hd_file *file, hd_content *content, void *data);
/* Called when file->said or file->real were brought up to date, with the text
 * (NULL: gone); elsewhere: file->real is another now. The file may be freed there. */
typedef void hd_settle_said_hook(hd_file *file, GBytes *text, bool elsewhere, void *data);

hd_settle *hd_settle_new(gint64 settle_ns, gint64 limit_ns, hd_settle_read_hook *read, hd_settle_said_hook *said,
			 void *data);
void hd_settle_free(hd_settle *settle);

void hd_settle_touch(hd_settle *settle, hd_file *file, hd_hint hint, gint64 now_ns);
/* Forgets what is pending for a file that is about to be freed. */
void hd_settle_drop(hd_settle *settle, hd_file *file);

/* Reads what the hints named. Gives the files (of hd_file *, borrowed) whose
 * new content may be built already, with `pending` filled; NULL: none. */
GPtrArray *hd_settle_read(hd_settle *settle);

/* The files (of hd_file *, borrowed) of the batch that is final now, with
 * `pending` filled and *written_ns set; NULL: none. With held true nothing is
 * final. Until hd_settle_said the files stay as they are. */
GPtrArray *hd_settle_take(hd_settle *settle, gint64 now_ns, bool held, gint64 *written_ns);
/* The batch of hd_settle_take was said. */
void hd_settle_said(hd_settle *settle, GPtrArray *batch);

/* When to call hd_settle_take next; -1: nothing is pending. */
gint64 hd_settle_deadline(const hd_settle *settle);

/* The serial that the next pending file will get; and the lowest of those pending, or that. */
guint64 hd_settle_next_serial(const hd_settle *settle);
guint64 hd_settle_oldest_serial(const hd_settle *settle);
/* When the first hint came of those pending, and the last; -1: none. */
gint64 hd_settle_first(const hd_settle *settle);
gint64 hd_settle_last(const hd_settle *settle);

#endif
