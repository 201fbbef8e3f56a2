/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files with several names: symbolic links lead to them, or hard links are them. */
#include "config.h"

#include "watcher/tree_private.h"

#include "watcher/links.h"
#include "watcher/names.h"

#include <errno.h>
#include <string.h>

struct hd_inode {
	int wd;
	GPtrArray *files; /* of hd_file *, borrowed */
};

/* --- symbolic links --- */

void
hd_tree_forget_links(hd_tree *tree, hd_file *file)
{
	for (guint i = 0; file->links && i < file->links->len; i++) {
		const char *place = g_ptr_array_index(file->links, i);
		GPtrArray *files = g_hash_table_lookup(tree->links, place);
		if (files && g_ptr_array_remove_fast(files, file) && files->len == 0)
			g_hash_table_remove(tree->links, place);
	}
	g_clear_pointer(&file->links, g_ptr_array_unref);
}

static void
watch_place(hd_tree *tree, hd_file *file, const char *place)
{
	GPtrArray *files = g_hash_table_lookup(tree->links, place);
	if (!files) {
		files = g_ptr_array_new();
		g_hash_table_insert(tree->links, g_strdup(place), files);
	}
	g_ptr_array_add(files, file);
	/* A link outside the project is left to the sweeps. */
	if (!hd_tree_inside(tree, place))
		return;
	char *folder = g_path_get_dirname(place);
	hd_tree_enter_chain(tree, folder);
	g_free(folder);
}

static bool
is_system(const hd_tree *tree, const char *path)
{
	return hd_names_below(path, "/usr") && !hd_names_below(path, "/usr/src") && !hd_tree_inside(tree, path);
}

/* A file in a watched folder that was not met yet is new: its event is still to come. */
static bool
is_news(hd_tree *tree, const char *path)
{
	char *parent = g_path_get_dirname(path);
	const hd_folder *folder = g_tree_lookup(tree->folders, parent);
	g_free(parent);
	const char *name = strrchr(path, '/') + 1;
	return folder && !folder->first && hd_tree_meet(tree, folder, name) != NULL;
}

static void
know_target(hd_tree *tree, hd_file *file)
{
	if (is_system(tree, file->real) || strcmp(file->real, HD_LINKS_LOOP) == 0 || hd_tree_file(tree, file->real))
		return;
	bool news = is_news(tree, file->real);
	hd_tree_know_real(tree, file->real);
	hd_file *target = hd_tree_file(tree, file->real);
	/* Edited after the link was read and before it was watched? */
	if (!news && file->said.exists && !hd_digest_equal(target->said, file->said)) {
		target->said = file->said;
		news = true;
	}
	if (news)
		tree->hooks.touched(target, HD_HINT_LOOK, tree->hooks.data);
}

void
hd_tree_follow_links(hd_tree *tree, hd_file *file)
{
	hd_tree_forget_links(tree, file);
	if (!file->real)
		return;
	GPtrArray *places = NULL;
	g_free(hd_links_resolve(file->path, &places));
	file->links = places;
	for (guint i = 0; places && i < places->len; i++)
		watch_place(tree, file, g_ptr_array_index(places, i));
	know_target(tree, file);
	/* Pointed elsewhere before it was watched? */
	GPtrArray *again = NULL;
	char *real = hd_links_resolve(file->path, &again);
	if (strcmp(real, file->real) != 0)
		tree->hooks.touched(file, HD_HINT_LOOK, tree->hooks.data);
	g_clear_pointer(&again, g_ptr_array_unref);
	g_free(real);
}

void
hd_tree_touch_through(hd_tree *tree, const char *place)
{
	GPtrArray *files = g_hash_table_lookup(tree->links, place);
	for (guint i = 0; files && i < files->len; i++)
		tree->hooks.touched(g_ptr_array_index(files, i), HD_HINT_LOOK, tree->hooks.data);
}

/* --- hard links --- */

void
hd_tree_unwatch_inode(hd_tree *tree, hd_file *file)
{
	hd_inode *inode = file->inode;
	file->inode = NULL;
	if (!inode || !g_ptr_array_remove_fast(inode->files, file) || inode->files->len > 0)
		return;
	g_hash_table_remove(tree->inode_of_wd, GINT_TO_POINTER(inode->wd));
	hd_inotify_unwatch(tree->inotify, inode->wd);
	g_ptr_array_unref(inode->files);
	g_free(inode);
}

/* Another file of the tree got a second name: it must join. */
static void
watch_others(hd_tree *tree, const hd_file *file)
{
	for (GTreeNode *node = g_tree_node_first(tree->files); node; node = g_tree_node_next(node)) {
		hd_file *other = g_tree_node_value(node);
		if (other == file || other->inode || other->stamp.inode != file->stamp.inode ||
		    other->stamp.device != file->stamp.device)
			continue;
		other->stamp.links = file->stamp.links;
		hd_tree_watch_inode(tree, other, false);
	}
}

/* The watch for a file that has, or had, several names; -1: it needs none. A name that is gone may still be open, and
 * written through: the inode stays watched as long as it is the one at the path. */
static int
inode_descriptor(hd_tree *tree, const hd_file *file)
{
	const hd_inode *before = file->inode;
	if (file->stamp.links <= 1 && !before)
		return -1;
	/* A second watch on the inode has the first one's number. */
	int wd = hd_inotify_watch(tree->inotify, file->path, IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB);
	bool needed = wd < 0 || file->stamp.links > 1 || wd == before->wd ||
		      g_hash_table_contains(tree->inode_of_wd, GINT_TO_POINTER(wd));
	if (needed)
		return wd;
	hd_inotify_unwatch(tree->inotify, wd);
	return -1;
}

void
hd_tree_watch_inode(hd_tree *tree, hd_file *file, bool others)
{
	if (!tree->inotify)
		return;
	hd_inode *inode = file->inode;
	int wd = inode_descriptor(tree, file);
	if (inode ? inode->wd == wd : wd == -1)
		return;
	tree->generation++;
	hd_tree_unwatch_inode(tree, file);
	if (wd < 0) {
		tree->limited += wd == -ENOSPC;
		return;
	}
	inode = g_hash_table_lookup(tree->inode_of_wd, GINT_TO_POINTER(wd));
	if (!inode) {
		inode = g_new0(hd_inode, 1);
		inode->wd = wd;
		inode->files = g_ptr_array_new();
		g_hash_table_insert(tree->inode_of_wd, GINT_TO_POINTER(wd), inode);
	}
	g_ptr_array_add(inode->files, file);
	file->inode = inode;
	/* It may have been written through another name before it was watched. */
	tree->hooks.touched(file, HD_HINT_LOOK, tree->hooks.data);
	if (others)
		watch_others(tree, file);
}

static hd_hint
hint_of(uint32_t mask)
{
	return mask & IN_CLOSE_WRITE ? HD_HINT_FINISH : mask & IN_MODIFY ? HD_HINT_WRITE : HD_HINT_LOOK;
}

bool
hd_tree_inode_event(hd_tree *tree, const hd_inotify_event *event, char **path)
{
	hd_inode *inode = g_hash_table_lookup(tree->inode_of_wd, GINT_TO_POINTER(event->wd));
	if (!inode)
		return false;
	*path = g_strdup(((hd_file *)g_ptr_array_index(inode->files, 0))->path);
	for (guint i = 0; i < inode->files->len; i++)
		tree->hooks.touched(g_ptr_array_index(inode->files, i), hint_of(event->mask), tree->hooks.data);
	if (event->mask & IN_IGNORED) {
		/* The last link is gone, and the watch with it. */
		for (guint i = 0; i < inode->files->len; i++)
			((hd_file *)g_ptr_array_index(inode->files, i))->inode = NULL;
		g_hash_table_remove(tree->inode_of_wd, GINT_TO_POINTER(inode->wd));
		g_ptr_array_unref(inode->files);
		g_free(inode);
	}
	return true;
}
