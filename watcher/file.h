/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file that is reported on: shared by the tree, which finds files, and the
 * settling, which decides when what they hold is said. The tree owns them. */
#ifndef HD_WATCHER_FILE_H
#define HD_WATCHER_FILE_H

#include "watcher/content.h"

/* An edit that is not said yet. `active` is true from the first hint until the
 * content was said or turned out to be as before. */
typedef struct {
	bool active;
	bool open;	   /* somebody writes: it was modified and not closed since */
	bool stale;	   /* must be read (again) before anything is said */
	bool steady;	   /* `seen` was read without anybody writing meanwhile */
	guint64 serial;	   /* counts up over all files, for barriers */
	gint64 first_ns;   /* when the first hint came; again when the others of its batch went ahead */
	gint64 last_ns;	   /* the last hint */
	gint64 hint_ns;	   /* the last hint that can have ended a write */
	gint64 written_ns; /* the one that brought `seen` */
	hd_digest seen;	   /* what it held when last read */
	GBytes *text;	   /* of `seen`; NULL: gone */
	char *real;	   /* of `seen`, as in hd_content */
	hd_digest told;	   /* what EARLY said last */
} hd_pending;

typedef struct {
	char *path;	  /* canonical, or the name of a symbolic link that leads to a file */
	bool known;	  /* named by the owner, or met under a link; else found by its name */
	bool denied;	  /* exists and may not be read, and a warning said so */
	char *real;	  /* where the links lead; NULL: path is canonical */
	GPtrArray *links; /* char *: where those links lie; NULL: none */
	gpointer inode;	  /* the tree's watch on the inode itself, of a file with other hard links */
	hd_stamp stamp;	  /* at the last read */
	hd_digest said;
	hd_pending pending;
} hd_file;

#endif
