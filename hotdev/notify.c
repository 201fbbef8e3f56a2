/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/notify.h"

#include "base/error.h"
#include "base/text.h"

bool
hd_notify_possible(GError **error)
{
	char *path = g_find_program_in_path("notify-send");
	bool possible = path != NULL;
	g_free(path);
	if (!possible)
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE,
			    "--notify needs notify-send: install libnotify-bin, or use --bell");
	return possible;
}

static void
told(GPid pid, gint status, gpointer data)
{
	(void)status, (void)data;
	g_spawn_close_pid(pid);
}

void
hd_notify(const hd_event *event, const char *program)
{
	if (event->kind != HD_EVENT_FAILED && event->kind != HD_EVENT_HELD && event->kind != HD_EVENT_CRASHED)
		return;
	char *name = hd_text_clean(program, -1), *line = hd_event_line(event);
	char *title = g_strdup_printf("hotdev %s", name), *body = g_markup_escape_text(line, -1);
	const char *argv[] = {"notify-send", "--app-name=hotdev", "--", title, body, NULL};
	/* A direct child: an orphan would be handed on to us among those of the program. */
	GSpawnFlags flags = G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL |
			    G_SPAWN_DO_NOT_REAP_CHILD;
	GPid pid;
	if (g_spawn_async(NULL, (char **)argv, NULL, flags, NULL, NULL, &pid, NULL))
		g_child_watch_add(pid, told, NULL);
	g_free(name);
	g_free(line);
	g_free(title);
	g_free(body);
}
