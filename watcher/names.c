/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/names.h"

#include "watcher/watcher.h"

#include <fnmatch.h>
#include <string.h>

/* Shell patterns for one component. They must never match a name that people
 * give to a source. */
static const char *const by_products[] = {
	/* version control */
	".git",
	".hg",
	".svn",
	".bzr",
	"CVS",
	"_darcs",
	".jj",
	/* vim, Emacs, nano, JetBrains, VS Code, gedit, Kate, sed -i */
	"*.sw[a-z]",
	".*.un~",
	"*~",
	"4913",
	".#*",
	"#*#",
	"*___jb_tmp___",
	"*___jb_old___",
	"*.vsctmp",
	".goutputstream-*",
	"*.kate-swp",
	".nfs*",
	"sed[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]",
	/* patch and merge leftovers */
	"*.orig",
	"*.rej",
	"*.bak",
	"*.tmp",
	/* builds */
	"*.o",
	"*.lo",
	"*.a",
	"*.la",
	"*.so",
	"*.so.*",
	"*.obj",
	"*.gch",
	"*.pch",
	"*.d",
	"*.dwo",
	"*.su",
	"*.gcda",
	"*.gcno",
	".deps",
	".libs",
	".dirstamp",
	"CMakeFiles",
	/* ours */
	".hotdev*",
};

static const char *const sources[] = {
	".c", ".h", ".inc", ".inl", ".def", ".tbl", ".tab", ".x", ".xpm", ".xbm", ".l", ".y", ".s", ".S", ".i",
};

bool
hd_names_ignores(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(by_products); i++)
		if (fnmatch(by_products[i], name, 0) == 0)
			return true;
	return false;
}

bool
hd_watcher_ignores(const char *path)
{
	char **parts = g_strsplit(path, "/", -1);
	bool ignored = false;
	for (char **part = parts; *part && !ignored; part++)
		ignored = **part && hd_names_ignores(*part);
	g_strfreev(parts);
	return ignored;
}

bool
hd_names_source(const char *name)
{
	const char *dot = strrchr(name, '.');
	if (!dot || hd_names_ignores(name))
		return false;
	for (gsize i = 0; i < G_N_ELEMENTS(sources); i++)
		if (strcmp(dot, sources[i]) == 0)
			return true;
	return false;
}

bool
hd_names_below(const char *path, const char *folder)
{
	gsize length = strlen(folder);
	if (length > 0 && folder[length - 1] == '/')
		length--;
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}
