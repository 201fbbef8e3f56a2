/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/installed.h"

#include <glib.h>

static char *
beside(const char *parent, const char *folder, const char *name)
{
	char *own = g_file_read_link("/proc/self/exe", NULL);
	char *here = own ? g_path_get_dirname(own) : g_strdup(".");
	char *path = g_build_filename(here, "..", parent, folder, name, NULL);
	g_free(own);
	g_free(here);
	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return path;
	g_free(path);
	return NULL;
}

char *
hd_installed_helper(const char *folder, const char *name)
{
	char *path = beside("reloader", folder, name);
	return path ? path : g_build_filename(PKGLIBEXECDIR, name, NULL);
}

char *
hd_installed_data(const char *parent, const char *name)
{
	char *path = beside(parent, name, "Makefile");
	char *folder = path ? g_path_get_dirname(path) : g_build_filename(PKGDATADIR, parent, name, NULL);
	g_free(path);
	return folder;
}
