/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing with the disk, where the kernel does not tell or may not have. */
#include "config.h"

#include "watcher/tree_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static GPtrArray *
paths_of(GTree *sorted)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
	for (GTreeNode *node = g_tree_node_first(sorted); node; node = g_tree_node_next(node))
		g_ptr_array_add(paths, g_strdup(g_tree_node_key(node)));
	return paths;
}

/* Events were lost, those that say a watch is dead among them: the one on
 * this path may be a deleted folder's. A second watch on one inode has the
 * first one's number. */
static void
renew_watch(hd_tree *tree, hd_folder *folder)
{
	if (!tree->inotify || folder->wd < 0)
		return;
	int wd = hd_inotify_watch(tree->inotify, folder->path, HD_FOLDER_MASK);
	if (wd == folder->wd)
		return;
	g_hash_table_remove(tree->folder_of_wd, GINT_TO_POINTER(folder->wd));
	folder->wd = -1;
	hd_tree_rewatch(tree, folder);
}

static void
sweep_folder(hd_tree *tree, const char *path, hd_sweep sweep)
{
	struct stat st;
	hd_folder *folder = g_tree_lookup(tree->folders, path);
	if (!folder || (sweep == HD_SWEEP_POLLED && folder->wd >= 0))
		return;
	if (lstat(path, &st) < 0 ? errno != EACCES : !S_ISDIR(st.st_mode)) {
		hd_tree_drop(tree, path);
		return;
	}
	if (sweep == HD_SWEEP_CONTENTS)
		renew_watch(tree, folder);
	gint64 changed_ns = (gint64)st.st_mtim.tv_sec * G_USEC_PER_SEC * 1000 + st.st_mtim.tv_nsec;
	/* A second change within the clock's tick shows no newer time. */
	gint64 age_ns = g_get_real_time() * 1000 - folder->changed_ns;
	bool racy = age_ns < 3 * G_GINT64_CONSTANT(1000000000);
	if (sweep == HD_SWEEP_CONTENTS || racy || changed_ns != folder->changed_ns)
		hd_tree_list(tree, folder, HD_LIST_NEWS);
}

static void
sweep_file(hd_tree *tree, hd_file *file, hd_sweep sweep)
{
	hd_stamp now;
	hd_stamp_take(file->path, &now);
	if (sweep == HD_SWEEP_CONTENTS || hd_stamp_differs(&file->stamp, &now))
		tree->hooks.touched(file, HD_HINT_LOOK, tree->hooks.data);
}

/* Whether the kernel tells of every edit to the file. */
static bool
is_told(hd_tree *tree, const hd_file *file)
{
	if (file->stamp.links > 1 && !file->inode)
		return false;
	char *path = g_path_get_dirname(file->path);
	const hd_folder *folder = g_tree_lookup(tree->folders, path);
	g_free(path);
	return (folder && folder->wd >= 0) || file->real;
}

static void
sweep_files(hd_tree *tree, hd_sweep sweep)
{
	for (GTreeNode *node = g_tree_node_first(tree->files); node; node = g_tree_node_next(node)) {
		hd_file *file = g_tree_node_value(node);
		if (sweep != HD_SWEEP_POLLED || !is_told(tree, file))
			sweep_file(tree, file, sweep);
	}
}

/* Watches what could not be watched before, or came back where nobody told. */
static void
mend(hd_tree *tree)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
	for (GTreeNode *node = g_tree_node_first(tree->files); node; node = g_tree_node_next(node)) {
		const hd_file *file = g_tree_node_value(node);
		char *path = file->known && !file->real ? g_path_get_dirname(file->path) : NULL;
		if (path && !g_tree_lookup(tree->folders, path))
			g_ptr_array_add(paths, g_steal_pointer(&path));
		g_free(path);
	}
	for (guint i = 0; i < paths->len; i++)
		hd_tree_enter_chain(tree, g_ptr_array_index(paths, i));
	g_ptr_array_unref(paths);
	if (!tree->inotify || hd_tree_polled(tree) == 0)
		return;
	paths = paths_of(tree->folders);
	for (guint i = 0; i < paths->len; i++) {
		hd_folder *folder = g_tree_lookup(tree->folders, g_ptr_array_index(paths, i));
		if (folder && folder->wd < 0)
			hd_tree_rewatch(tree, folder);
	}
	g_ptr_array_unref(paths);
}

void
hd_tree_sweep(hd_tree *tree, hd_sweep sweep)
{
	if (sweep != HD_SWEEP_STAMPS) {
		GPtrArray *paths = paths_of(tree->folders);
		for (guint i = 0; i < paths->len; i++)
			sweep_folder(tree, g_ptr_array_index(paths, i), sweep);
		g_ptr_array_unref(paths);
	}
	if (sweep != HD_SWEEP_POLLED)
		mend(tree);
	sweep_files(tree, sweep);
}

guint
hd_tree_polled(const hd_tree *tree)
{
	guint polled = 0;
	for (GTreeNode *node = g_tree_node_first(tree->folders); node; node = g_tree_node_next(node))
		polled += ((const hd_folder *)g_tree_node_value(node))->wd < 0;
	for (GTreeNode *node = g_tree_node_first(tree->files); node; node = g_tree_node_next(node)) {
		const hd_file *file = g_tree_node_value(node);
		polled += file->stamp.links > 1 && !file->inode;
	}
	return polled;
}

void
hd_tree_warn(hd_tree *tree, int poll_ms)
{
	if (tree->limited <= tree->limited_told)
		return;
	tree->limited_told = tree->limited;
	guint64 limit = 0;
	const char *name = hd_inotify_limit(&limit);
	char *message = g_strdup_printf("the kernel's limit on watches is reached: the sysctl %s is %" G_GUINT64_FORMAT
					", and at least %" G_GUINT64_FORMAT
					" are needed; what is not watched (%u) is looked at every %d ms",
					name, limit, limit + tree->limited, tree->limited, poll_ms);
	tree->hooks.warn("watch-limit", message, tree->hooks.data);
	g_free(message);
}
