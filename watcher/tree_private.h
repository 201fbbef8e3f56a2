/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by tree.c (folders and files), alias.c (their other names), event.c
 * and sweep.c (what happened to them), and by nothing else. */
#ifndef HD_WATCHER_TREE_PRIVATE_H
#define HD_WATCHER_TREE_PRIVATE_H

#include "watcher/tree.h"

struct hd_tree {
	char *project, *exclude, *home;
	hd_inotify *inotify;
	hd_texts *texts;
	hd_tree_hooks hooks;
	/* Sorted by path, so that what lies below a folder is one range. */
	GTree *folders; /* char * -> hd_folder *, both owned by the folder */
	GTree *files;	/* char * -> hd_file *, likewise */
	GHashTable *folder_of_wd;
	GHashTable *inode_of_wd;
	GHashTable *links; /* char *: where a link lies -> GPtrArray of hd_file *, borrowed */
	guint limited;	   /* watches that the kernel refused for its limit, in all */
	guint limited_told;
	guint generation;
};

typedef enum {
	HD_LIST_BASELINE, /* what is there was there first */
	HD_LIST_NEWS,	  /* what is not known yet is new */
} hd_list;

char *hd_tree_join(const char *folder, const char *name);
bool hd_tree_inside(const hd_tree *tree, const char *path);
/* The values of a range: everything below path. A new array that borrows them. */
GPtrArray *hd_tree_below(GTree *sorted, const char *path);
bool hd_tree_known_below(hd_tree *tree, const char *path);
void hd_tree_touch_below(hd_tree *tree, const char *path);

/* Watches and lists one folder; false: there is none. */
bool hd_tree_enter(hd_tree *tree, const char *path, hd_list list);
/* The same for a folder and all above it up to the project, what is there of them. */
void hd_tree_enter_chain(hd_tree *tree, const char *path);
void hd_tree_list(hd_tree *tree, hd_folder *folder, hd_list list);
/* Tries to get a folder watched that is polled. */
void hd_tree_rewatch(hd_tree *tree, hd_folder *folder);
/* Forgets a folder and all below it, and touches the files that were there. */
void hd_tree_drop(hd_tree *tree, const char *path);

hd_file *hd_tree_file(hd_tree *tree, const char *path);
/* Makes the file if need be; NULL where its name is nobody's business. */
hd_file *hd_tree_meet(hd_tree *tree, const hd_folder *folder, const char *name);
/* Reads it; what it holds now is what was said. */
void hd_tree_baseline(hd_tree *tree, hd_file *file);
/* Knows a canonical path, inside the project or not. */
void hd_tree_know_real(hd_tree *tree, const char *path);

/* alias.c */
typedef struct hd_inode hd_inode;
/* After file->real changed: watches where its links lie and where they lead. */
void hd_tree_follow_links(hd_tree *tree, hd_file *file);
void hd_tree_forget_links(hd_tree *tree, hd_file *file);
/* Touches what the link at this place, or a folder there, led to. */
void hd_tree_touch_through(hd_tree *tree, const char *place);
/* After file->stamp changed: a file with several hard links is watched itself,
 * because a write through a link elsewhere is told to that folder only. With
 * others, the files that were read when they had this one name are found too. */
void hd_tree_watch_inode(hd_tree *tree, hd_file *file, bool others);
void hd_tree_unwatch_inode(hd_tree *tree, hd_file *file);
/* Touches every file of the inode; false: no inode has this watch. */
bool hd_tree_inode_event(hd_tree *tree, const hd_inotify_event *event, char **path);

#endif
