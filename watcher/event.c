/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one event of the kernel means for the tree. */
#include "config.h"

#include "watcher/tree_private.h"

#include "watcher/names.h"

#include <string.h>

#define CAME (IN_CREATE | IN_MOVED_TO)
#define WENT (IN_DELETE | IN_MOVED_FROM)

/* A folder below a watched one came, went or changed its permissions. */
static const char *
subfolder_event(hd_tree *tree, hd_folder *folder, const hd_inotify_event *event, const char *path)
{
	hd_folder *child = g_tree_lookup(tree->folders, path);
	if (event->mask & IN_ATTRIB) {
		if (child && child->denied)
			hd_tree_rewatch(tree, child);
		return "folder";
	}
	bool known = hd_tree_known_below(tree, path);
	if (!child && !known && (event->name[0] == '.' || hd_names_ignores(event->name)))
		return "ignored";
	if (event->mask & WENT) {
		g_hash_table_remove(folder->skipped, event->name);
		hd_tree_drop(tree, path);
	} else if (event->mask & CAME) {
		/* One of that name may have been here, if it went unseen. */
		hd_tree_drop(tree, path);
		bool excluded = tree->exclude && strcmp(path, tree->exclude) == 0;
		if (known || (!folder->foreign && !excluded)) {
			hd_tree_enter(tree, path, HD_LIST_NEWS);
			hd_tree_touch_below(tree, path);
		}
	}
	hd_tree_touch_through(tree, path);
	return "folder";
}

static const char *
file_event(hd_tree *tree, hd_folder *folder, const hd_inotify_event *event, const char *path)
{
	if (event->mask & (CAME | WENT)) {
		/* It may be, or have been, a link that others lead through. */
		hd_tree_touch_through(tree, path);
		hd_tree_touch_below(tree, path);
	}
	hd_file *file = hd_tree_file(tree, path);
	if (!file && !(event->mask & WENT))
		file = hd_tree_meet(tree, folder, event->name);
	if (!file)
		return hd_names_ignores(event->name) ? "ignored" : "no source";
	hd_hint hint = event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO) ? HD_HINT_FINISH
		       : event->mask & IN_MODIFY		    ? HD_HINT_WRITE
								    : HD_HINT_LOOK;
	tree->hooks.touched(file, hint, tree->hooks.data);
	return "looked at";
}

/* The watched folder itself was deleted, moved or unmounted. Its parent, where
 * that is watched, tells of the first two as well. */
static const char *
self_event(hd_tree *tree, hd_folder *folder, const hd_inotify_event *event)
{
	if (!(event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)))
		return "folder";
	char *path = g_strdup(folder->path);
	hd_tree_drop(tree, path);
	if (hd_tree_known_below(tree, path))
		hd_tree_enter(tree, path, HD_LIST_NEWS);
	g_free(path);
	return "folder";
}

const char *
hd_tree_event(hd_tree *tree, const hd_inotify_event *event, char **path)
{
	*path = NULL;
	if (hd_tree_inode_event(tree, event, path))
		return "looked at";
	hd_folder *folder = g_hash_table_lookup(tree->folder_of_wd, GINT_TO_POINTER(event->wd));
	if (!folder)
		return event->mask & IN_Q_OVERFLOW ? "events lost" : "gone";
	if (!*event->name) {
		*path = g_strdup(folder->path);
		return self_event(tree, folder, event);
	}
	*path = hd_tree_join(folder->path, event->name);
	if (event->mask & IN_ISDIR)
		return subfolder_event(tree, folder, event, *path);
	return file_event(tree, folder, event, *path);
}
