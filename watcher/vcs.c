/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/vcs.h"

#include <string.h>
#include <sys/stat.h>

struct hd_vcs {
	GPtrArray *locks; /* char *: paths that exist while it works */
};

/* Where a lock lies in the folder of that name, from the top of the repository. */
static const struct {
	const char *folder, *lock;
} kinds[] = {
	{".git", "index.lock"},
	{".hg", "wlock"},
};

/* .git is a file "gitdir: PATH" in a linked work tree (gitrepository-layout(5)). */
static char *
git_folder(const char *path)
{
	char *text = NULL, *folder = NULL;
	if (!g_file_test(path, G_FILE_TEST_IS_REGULAR) || !g_file_get_contents(path, &text, NULL, NULL))
		return g_strdup(path);
	if (g_str_has_prefix(text, "gitdir: ")) {
		char *parent = g_path_get_dirname(path);
		folder = g_canonicalize_filename(g_strstrip(text + strlen("gitdir: ")), parent);
		g_free(parent);
	}
	g_free(text);
	return folder ? folder : g_strdup(path);
}

static void
look_in(hd_vcs *vcs, const char *top)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		char *path = g_build_filename(top, kinds[i].folder, NULL);
		if (g_file_test(path, G_FILE_TEST_EXISTS)) {
			char *folder = git_folder(path);
			g_ptr_array_add(vcs->locks, g_build_filename(folder, kinds[i].lock, NULL));
			g_free(folder);
		}
		g_free(path);
	}
}

hd_vcs *
hd_vcs_new(const char *project)
{
	hd_vcs *vcs = g_new0(hd_vcs, 1);
	vcs->locks = g_ptr_array_new_with_free_func(g_free);
	char *top = g_strdup(project);
	for (;;) {
		look_in(vcs, top);
		char *parent = g_path_get_dirname(top);
		bool end = strcmp(parent, top) == 0;
		g_free(top);
		top = parent;
		if (end)
			break;
	}
	g_free(top);
	return vcs;
}

void
hd_vcs_free(hd_vcs *vcs)
{
	if (!vcs)
		return;
	g_ptr_array_unref(vcs->locks);
	g_free(vcs);
}

bool
hd_vcs_busy(const hd_vcs *vcs, gint64 limit_ns)
{
	for (guint i = 0; i < vcs->locks->len; i++) {
		struct stat st;
		/* hg's is a dangling symbolic link. */
		if (lstat(g_ptr_array_index(vcs->locks, i), &st) < 0)
			continue;
		gint64 age_ns = g_get_real_time() * 1000 - (gint64)st.st_ctim.tv_sec * G_USEC_PER_SEC * 1000;
		if (age_ns < limit_ns)
			return true;
	}
	return false;
}
