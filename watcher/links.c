/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/links.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Takes the first component off *rest into `name`; false at the end. */
static bool
next_component(const char **rest, GString *name)
{
	while (**rest == '/')
		(*rest)++;
	gsize length = strcspn(*rest, "/");
	g_string_truncate(name, 0);
	g_string_append_len(name, *rest, (gssize)length);
	*rest += length;
	return length > 0;
}

static void
go_up(GString *real)
{
	const char *slash = strrchr(real->str, '/');
	if (slash)
		g_string_truncate(real, (gsize)(slash - real->str));
}

char *
hd_links_resolve(const char *path, GPtrArray **places)
{
	GString *real = g_string_new(NULL), *name = g_string_new(NULL);
	char *todo = g_strdup(path), target[PATH_MAX];
	const char *rest = todo;
	int links = 0;
	while (next_component(&rest, name)) {
		if (strcmp(name->str, ".") == 0)
			continue;
		if (strcmp(name->str, "..") == 0) {
			go_up(real);
			continue;
		}
		gsize folder = real->len;
		g_string_append_c(real, '/');
		g_string_append(real, name->str);
		ssize_t length = readlink(real->str, target, sizeof target - 1);
		if (length < 0)
			continue;
		if (++links > 40) {
			g_string_assign(real, HD_LINKS_LOOP);
			break;
		}
		target[length] = '\0';
		if (!*places)
			*places = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(*places, g_strdup(real->str));
		char *joined = g_strconcat(target, "/", rest, NULL);
		g_free(todo);
		rest = todo = joined;
		g_string_truncate(real, target[0] == '/' ? 0 : folder);
	}
	if (real->len == 0)
		g_string_append_c(real, '/');
	g_free(todo);
	g_string_free(name, TRUE);
	return g_string_free(real, FALSE);
}
