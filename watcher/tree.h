/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which folders are watched, and which files are in them.
 *
 * Watched is the folder of every known file, every folder above it up to the
 * project, and every folder that appears below one of those later. A folder
 * that was there first and holds nothing known is not entered. A watch always
 * comes before the list: what happens between the two is seen twice, never
 * not at all.
 *
 * A foreign folder is one where only known files count and new folders are
 * nobody's business: outside the project, where a symbolic link led us; the
 * root, the home folder, and folders that everybody may write to. */
#ifndef HD_WATCHER_TREE_H
#define HD_WATCHER_TREE_H

#include "watcher/inotify.h"
#include "watcher/settle.h"

/* What is asked of the kernel for each. */
#define HD_FOLDER_MASK                                                                                                 \
	(IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB |                \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

typedef struct {
	char *path;
	int wd; /* -1: nothing tells us, so it is polled */
	bool foreign;
	bool denied;	     /* it may not be read */
	bool first;	     /* its first list is being made, of what was there first */
	gint64 changed_ns;   /* its time when last listed; for polling */
	GHashTable *skipped; /* char *: names of folders that were there first */
} hd_folder;

typedef struct {
	void (*touched)(hd_file *file, hd_hint hint, void *data);
	/* The file is about to be freed. */
	void (*dropped)(hd_file *file, void *data);
	/* From now on its text is that of file->real; where that is NULL, its own, which is text. */
	void (*renamed)(hd_file *file, GBytes *text, void *data);
	void (*warn)(const char *code, const char *message, void *data);
	void *data;
} hd_tree_hooks;

typedef struct hd_tree hd_tree;

/* project is canonical; exclude (NULL: none) is never entered. inotify NULL:
 * everything is polled. texts gets every known file's first text. All are
 * borrowed and outlive the tree. */
hd_tree *hd_tree_new(const char *project, const char *exclude, hd_inotify *inotify, hd_texts *texts,
		     const hd_tree_hooks *hooks);
void hd_tree_free(hd_tree *tree);

/* Knows the file from now on; what it holds now is the baseline. Files outside
 * the project are passed over. */
void hd_tree_know(hd_tree *tree, const char *path);
/* Applies one event. The path it is about is put into *path (owned by the
 * caller), and what came of it is returned: a word for people, valid for ever. */
const char *hd_tree_event(hd_tree *tree, const hd_inotify_event *event, char **path);

typedef enum {
	HD_SWEEP_POLLED,   /* lists and looks at what the kernel does not tell of */
	HD_SWEEP_ALL,	   /* lists every folder and looks at every file */
	HD_SWEEP_STAMPS,   /* looks at the stamp of every file */
	HD_SWEEP_CONTENTS, /* lists every folder, reads every file */
} hd_sweep;

/* Compares with the disk, and touches what differs. */
void hd_tree_sweep(hd_tree *tree, hd_sweep sweep);

/* After each read of a file; see hd_settle_read_hook. */
void hd_tree_was_read(hd_tree *tree, hd_file *file, hd_content *content);
/* After a file was said; see hd_settle_said_hook. Follows a link that leads
 * elsewhere, frees what is gone and was not known. */
void hd_tree_was_said(hd_tree *tree, hd_file *file, GBytes *text, bool elsewhere);

/* Says what is not watched though it should be, once for every new reason. */
void hd_tree_warn(hd_tree *tree, int poll_ms);

guint hd_tree_folders(const hd_tree *tree);
guint hd_tree_files(const hd_tree *tree);
/* Folders, and files with other hard links, that are polled. */
guint hd_tree_polled(const hd_tree *tree);
/* Counts up whenever those may have changed. */
guint hd_tree_generation(const hd_tree *tree);
/* Calls back for every folder that has a watch, until that answers true. */
bool hd_tree_any_folder(const hd_tree *tree, bool (*callback)(const char *path, void *data), void *data);

#endif
