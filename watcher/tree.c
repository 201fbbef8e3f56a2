/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/tree_private.h"

#include "base/fault.h"
#include "watcher/links.h"
#include "watcher/names.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int
compare_paths(gconstpointer a, gconstpointer b, gpointer data)
{
	(void)data;
	return strcmp(a, b);
}

hd_tree *
hd_tree_new(const char *project, const char *exclude, hd_inotify *inotify, hd_texts *texts, const hd_tree_hooks *hooks)
{
	hd_tree *tree = g_new0(hd_tree, 1);
	tree->project = g_strdup(project);
	tree->exclude = g_strdup(exclude);
	tree->home = g_canonicalize_filename(g_get_home_dir(), "/");
	tree->inotify = inotify;
	tree->texts = texts;
	tree->hooks = *hooks;
	tree->folders = g_tree_new_full(compare_paths, NULL, NULL, NULL);
	tree->files = g_tree_new_full(compare_paths, NULL, NULL, NULL);
	tree->folder_of_wd = g_hash_table_new(NULL, NULL);
	tree->inode_of_wd = g_hash_table_new(NULL, NULL);
	tree->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	return tree;
}

static void
folder_free(hd_folder *folder)
{
	g_free(folder->path);
	g_hash_table_unref(folder->skipped);
	g_free(folder);
}

static void
file_free(hd_tree *tree, hd_file *file)
{
	hd_tree_forget_links(tree, file);
	hd_tree_unwatch_inode(tree, file);
	g_free(file->real);
	g_free(file->path);
	g_free(file);
}

void
hd_tree_free(hd_tree *tree)
{
	if (!tree)
		return;
	for (GTreeNode *node = g_tree_node_first(tree->folders); node; node = g_tree_node_next(node))
		folder_free(g_tree_node_value(node));
	for (GTreeNode *node = g_tree_node_first(tree->files); node; node = g_tree_node_next(node))
		file_free(tree, g_tree_node_value(node));
	g_tree_unref(tree->folders);
	g_tree_unref(tree->files);
	g_hash_table_unref(tree->folder_of_wd);
	g_hash_table_unref(tree->inode_of_wd);
	g_hash_table_unref(tree->links);
	g_free(tree->project);
	g_free(tree->exclude);
	g_free(tree->home);
	g_free(tree);
}

char *
hd_tree_join(const char *folder, const char *name)
{
	return g_strconcat(strcmp(folder, "/") == 0 ? "" : folder, "/", name, NULL);
}

bool
hd_tree_inside(const hd_tree *tree, const char *path)
{
	return hd_names_below(path, tree->project) && !(tree->exclude && hd_names_below(path, tree->exclude));
}

GPtrArray *
hd_tree_below(GTree *sorted, const char *path)
{
	GPtrArray *found = g_ptr_array_new();
	char *prefix = hd_tree_join(path, "");
	for (GTreeNode *node = g_tree_lower_bound(sorted, prefix);
	     node && g_str_has_prefix(g_tree_node_key(node), prefix); node = g_tree_node_next(node))
		g_ptr_array_add(found, g_tree_node_value(node));
	g_free(prefix);
	return found;
}

bool
hd_tree_known_below(hd_tree *tree, const char *path)
{
	GPtrArray *files = hd_tree_below(tree->files, path);
	bool known = false;
	for (guint i = 0; i < files->len && !known; i++)
		known = ((hd_file *)g_ptr_array_index(files, i))->known;
	g_ptr_array_unref(files);
	return known;
}

void
hd_tree_touch_below(hd_tree *tree, const char *path)
{
	GPtrArray *files = hd_tree_below(tree->files, path);
	for (guint i = 0; i < files->len; i++)
		tree->hooks.touched(g_ptr_array_index(files, i), HD_HINT_LOOK, tree->hooks.data);
	g_ptr_array_unref(files);
}

/* --- folders --- */

static bool
is_foreign(const hd_tree *tree, const char *path)
{
	struct stat st;
	if (!hd_tree_inside(tree, path) || strcmp(path, "/") == 0 || strcmp(path, tree->home) == 0)
		return true;
	return stat(path, &st) == 0 && (st.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH);
}

static bool
same_folder(const char *a, const char *b)
{
	struct stat sa, sb;
	return lstat(a, &sa) == 0 && lstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* The kernel gave a descriptor that another folder has: either that one was
 * moved here and its event is still to come, or both are one (a bind mount). */
static bool
take_over(hd_tree *tree, hd_folder *folder, int wd)
{
	hd_folder *other = g_hash_table_lookup(tree->folder_of_wd, GINT_TO_POINTER(wd));
	if (!other)
		return true;
	if (same_folder(other->path, folder->path))
		return false;
	g_hash_table_remove(tree->folder_of_wd, GINT_TO_POINTER(wd));
	other->wd = -1;
	char *path = g_strdup(other->path);
	hd_tree_drop(tree, path);
	g_free(path);
	return true;
}

/* false: there is no such folder. */
static bool
folder_watch(hd_tree *tree, hd_folder *folder)
{
	struct stat st;
	if (lstat(folder->path, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	tree->generation++;
	if (!tree->inotify)
		return true;
	int wd = hd_inotify_watch(tree->inotify, folder->path, HD_FOLDER_MASK);
	if (wd == -ENOENT || wd == -ENOTDIR || wd == -ELOOP)
		return false;
	folder->denied = wd == -EACCES;
	if (wd == -ENOSPC)
		tree->limited++;
	if (wd >= 0 && take_over(tree, folder, wd)) {
		folder->wd = wd;
		g_hash_table_insert(tree->folder_of_wd, GINT_TO_POINTER(wd), folder);
	}
	return true;
}

void
hd_tree_rewatch(hd_tree *tree, hd_folder *folder)
{
	guint limited = tree->limited;
	if (!tree->inotify || folder->wd >= 0 || !folder_watch(tree, folder))
		return;
	/* What was refused before is not news. */
	tree->limited = limited;
	if (folder->wd >= 0)
		hd_tree_list(tree, folder, HD_LIST_NEWS);
}

bool
hd_tree_enter(hd_tree *tree, const char *path, hd_list list)
{
	if (g_tree_lookup(tree->folders, path))
		return true;
	hd_folder *folder = g_new0(hd_folder, 1);
	folder->path = g_strdup(path);
	folder->wd = -1;
	folder->skipped = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	folder->foreign = is_foreign(tree, path);
	if (!folder_watch(tree, folder)) {
		folder_free(folder);
		return false;
	}
	g_tree_insert(tree->folders, folder->path, folder);
	if (folder->denied) {
		char *message =
			g_strdup_printf("the folder %s cannot be read, so new files in it are not seen", folder->path);
		tree->hooks.warn("unreadable", message, tree->hooks.data);
		g_free(message);
	}
	folder->first = list == HD_LIST_BASELINE;
	hd_tree_list(tree, folder, list);
	return true;
}

void
hd_tree_enter_chain(hd_tree *tree, const char *path)
{
	if (!hd_tree_inside(tree, path)) {
		hd_tree_enter(tree, path, HD_LIST_BASELINE);
		return;
	}
	if (strcmp(path, tree->project) != 0) {
		char *parent = g_path_get_dirname(path);
		hd_tree_enter_chain(tree, parent);
		g_free(parent);
	}
	hd_tree_enter(tree, path, HD_LIST_BASELINE);
}

static void
folder_forget(hd_tree *tree, hd_folder *folder)
{
	tree->generation++;
	if (folder->wd >= 0) {
		g_hash_table_remove(tree->folder_of_wd, GINT_TO_POINTER(folder->wd));
		hd_inotify_unwatch(tree->inotify, folder->wd);
	}
	g_tree_remove(tree->folders, folder->path);
	folder_free(folder);
}

void
hd_tree_drop(hd_tree *tree, const char *path)
{
	GPtrArray *below = hd_tree_below(tree->folders, path);
	for (guint i = 0; i < below->len; i++)
		folder_forget(tree, g_ptr_array_index(below, i));
	g_ptr_array_unref(below);
	hd_folder *folder = g_tree_lookup(tree->folders, path);
	if (folder)
		folder_forget(tree, folder);
	hd_tree_touch_below(tree, path);
}

/* --- what a folder holds --- */

static unsigned char
entry_type(const char *path, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	return lstat(path, &st) == 0 ? (unsigned char)IFTODT(st.st_mode) : DT_UNKNOWN;
}

static void
list_subfolder(hd_tree *tree, hd_folder *folder, const char *path, const char *name, hd_list list, GHashTable *skipped)
{
	if (g_tree_lookup(tree->folders, path))
		return;
	bool was_there = list == HD_LIST_BASELINE || g_hash_table_contains(folder->skipped, name);
	bool known = hd_tree_known_below(tree, path);
	bool followed = !folder->foreign && !was_there && name[0] != '.' && !hd_names_ignores(name) &&
			!(tree->exclude && strcmp(path, tree->exclude) == 0);
	if (list == HD_LIST_NEWS && (known || followed)) {
		hd_tree_enter(tree, path, HD_LIST_NEWS);
		hd_tree_touch_below(tree, path);
	} else {
		g_hash_table_add(skipped, g_strdup(name));
	}
}

static void
list_entry(hd_tree *tree, hd_folder *folder, const struct dirent *entry, hd_list list, GHashTable *skipped)
{
	char *path = hd_tree_join(folder->path, entry->d_name);
	unsigned char type = entry_type(path, entry);
	if (type == DT_DIR) {
		list_subfolder(tree, folder, path, entry->d_name, list, skipped);
	} else if ((type == DT_REG || type == DT_LNK) && !hd_tree_file(tree, path)) {
		hd_file *file = hd_tree_meet(tree, folder, entry->d_name);
		if (file && list == HD_LIST_BASELINE)
			hd_tree_baseline(tree, file);
		else if (file)
			tree->hooks.touched(file, HD_HINT_LOOK, tree->hooks.data);
	}
	g_free(path);
}

void
hd_tree_list(hd_tree *tree, hd_folder *folder, hd_list list)
{
	struct stat st;
	folder->changed_ns = 0;
	DIR *directory = hd_fault("watcher.list") ? NULL : opendir(folder->path);
	if (!directory) {
		folder->first = false;
		return;
	}
	if (fstat(dirfd(directory), &st) == 0)
		folder->changed_ns = (gint64)st.st_mtim.tv_sec * G_USEC_PER_SEC * 1000 + st.st_mtim.tv_nsec;
	/* Taken together first: entering a subfolder may drop this very folder. */
	GHashTable *skipped = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	char *path = g_strdup(folder->path);
	for (struct dirent *entry; (entry = readdir(directory)) && g_tree_lookup(tree->folders, path) == folder;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			list_entry(tree, folder, entry, list, skipped);
	closedir(directory);
	if (g_tree_lookup(tree->folders, path) == folder) {
		g_hash_table_unref(folder->skipped);
		folder->skipped = g_steal_pointer(&skipped);
		folder->first = false;
	}
	g_clear_pointer(&skipped, g_hash_table_unref);
	g_free(path);
}

/* --- files --- */

hd_file *
hd_tree_file(hd_tree *tree, const char *path)
{
	return g_tree_lookup(tree->files, path);
}

static hd_file *
file_new(hd_tree *tree, const char *path)
{
	hd_file *file = g_new0(hd_file, 1);
	file->path = g_strdup(path);
	g_tree_insert(tree->files, file->path, file);
	return file;
}

hd_file *
hd_tree_meet(hd_tree *tree, const hd_folder *folder, const char *name)
{
	char *path = hd_tree_join(folder->path, name);
	hd_file *file = hd_tree_file(tree, path);
	if (!file && !folder->foreign && hd_names_source(name) && !(tree->exclude && strcmp(path, tree->exclude) == 0))
		file = file_new(tree, path);
	g_free(path);
	return file;
}

static void
set_denied(hd_tree *tree, hd_file *file, bool denied)
{
	if (denied && !file->denied) {
		char *message = g_strdup_printf("%s cannot be read, so edits to it are not seen", file->path);
		tree->hooks.warn("unreadable", message, tree->hooks.data);
		g_free(message);
	}
	file->denied = denied;
}

void
hd_tree_baseline(hd_tree *tree, hd_file *file)
{
	hd_content content;
	hd_content_read(file->path, &content);
	set_denied(tree, file, content.status == HD_READ_DENIED);
	file->said = content.digest;
	file->stamp = content.stamp;
	hd_texts_set(tree->texts, file->path, content.text);
	if (content.status == HD_READ_CHANGING)
		tree->hooks.touched(file, HD_HINT_LOOK, tree->hooks.data);
	if (content.real) {
		g_free(file->real);
		file->real = g_steal_pointer(&content.real);
		hd_texts_alias(tree->texts, file->path, file->real);
		hd_tree_follow_links(tree, file);
	}
	hd_tree_watch_inode(tree, file, false);
	hd_content_clear(&content);
}

void
hd_tree_know_real(hd_tree *tree, const char *path)
{
	hd_file *file = hd_tree_file(tree, path);
	if (file && file->known)
		return;
	char *folder = g_path_get_dirname(path);
	hd_tree_enter_chain(tree, folder);
	g_free(folder);
	file = hd_tree_file(tree, path);
	if (!file) {
		file = file_new(tree, path);
		hd_tree_baseline(tree, file);
	}
	file->known = true;
}

/* The name to know a path by. NULL: it is outside the project. */
static char *
name_of(hd_tree *tree, const char *path)
{
	/* ".." after a link leads elsewhere than the words say. */
	char *name = strstr(path, "/..") ? NULL : g_canonicalize_filename(path, "/");
	if (name && hd_tree_inside(tree, name))
		return name;
	GPtrArray *places = NULL;
	char *real = hd_links_resolve(path, &places);
	g_clear_pointer(&places, g_ptr_array_unref);
	if (!hd_tree_inside(tree, real))
		g_clear_pointer(&real, g_free);
	else if (name)
		hd_texts_alias(tree->texts, name, real);
	g_free(name);
	return real;
}

void
hd_tree_know(hd_tree *tree, const char *path)
{
	char *name = name_of(tree, path);
	if (!name)
		return;
	char *folder = g_path_get_dirname(name);
	GPtrArray *places = NULL;
	char *real = g_tree_lookup(tree->folders, folder) ? NULL : hd_links_resolve(folder, &places);
	if (real && strcmp(real, folder) != 0) {
		/* A link lies above it: the name stands beside the file it leads to. */
		hd_file *file = hd_tree_file(tree, name);
		if (!file) {
			file = file_new(tree, name);
			char *base = g_path_get_basename(name);
			file->real = hd_tree_join(real, base);
			g_free(base);
			hd_texts_alias(tree->texts, name, file->real);
			hd_tree_follow_links(tree, file);
			hd_tree_baseline(tree, file);
		}
		file->known = true;
	} else {
		hd_tree_know_real(tree, name);
	}
	g_clear_pointer(&places, g_ptr_array_unref);
	g_free(real);
	g_free(folder);
	g_free(name);
}

void
hd_tree_was_read(hd_tree *tree, hd_file *file, hd_content *content)
{
	set_denied(tree, file, content->status == HD_READ_DENIED);
	if (content->status == HD_READ_DENIED)
		return;
	if (content->status == HD_READ_GONE) {
		/* A link that leads nowhere leads somewhere still: that may come. */
		GPtrArray *places = NULL;
		char *real = hd_links_resolve(file->path, &places);
		if (places)
			content->real = g_steal_pointer(&real);
		g_free(real);
		g_clear_pointer(&places, g_ptr_array_unref);
	}
	if (file->real) {
		const hd_file *target = hd_tree_file(tree, file->real);
		if (g_strcmp0(file->real, content->real) == 0)
			file->said = file->pending.told = content->digest; /* the target's news, said under its name */
		else if (target)
			file->said = target->said;
	}
	hd_stamp stamp = file->stamp;
	file->stamp = content->stamp;
	if (stamp.inode != content->stamp.inode || stamp.links != content->stamp.links)
		hd_tree_watch_inode(tree, file, true);
}

void
hd_tree_was_said(hd_tree *tree, hd_file *file, GBytes *text, bool elsewhere)
{
	if (elsewhere)
		tree->hooks.renamed(file, text, tree->hooks.data);
	/* The way there may be another even where the end is the same. */
	if (elsewhere || file->real)
		hd_tree_follow_links(tree, file);
	if (file->known || file->said.exists || file->real || file->pending.active)
		return;
	tree->hooks.dropped(file, tree->hooks.data);
	g_tree_remove(tree->files, file->path);
	file_free(tree, file);
}

/* --- figures --- */

guint
hd_tree_folders(const hd_tree *tree)
{
	return (guint)g_tree_nnodes(tree->folders);
}

guint
hd_tree_files(const hd_tree *tree)
{
	return (guint)g_tree_nnodes(tree->files);
}

guint
hd_tree_generation(const hd_tree *tree)
{
	return tree->generation;
}

bool
hd_tree_any_folder(const hd_tree *tree, bool (*callback)(const char *path, void *data), void *data)
{
	for (GTreeNode *node = g_tree_node_first(tree->folders); node; node = g_tree_node_next(node)) {
		const hd_folder *folder = g_tree_node_value(node);
		if (folder->wd >= 0 && callback(folder->path, data))
			return true;
	}
	return false;
}
