/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the user's editor at the place that the detail is about. hotdev goes
 * on meanwhile: what is saved there goes live while the editor is open. */
#include "config.h"

#include "tui/internal.h"

#include <string.h>

static void
edited(GPid pid, gint status, gpointer data)
{
	(void)status;
	tui *t = data;
	g_spawn_close_pid(pid);
	t->editor = 0;
	t->mode = MODE_DASHBOARD;
	screen_resume();
	tui_dirty(t);
}

static char **
editor_command(const tui *t, const hd_position *where, GError **error)
{
	const char *editor = g_getenv("VISUAL");
	if (!editor || !*editor)
		editor = g_getenv("EDITOR");
	int count;
	char **words;
	if (!g_shell_parse_argv(editor && *editor ? editor : "vi", &count, &words, error))
		return NULL;
	GPtrArray *command = g_ptr_array_new();
	for (int i = 0; i < count; i++)
		g_ptr_array_add(command, words[i]);
	g_free(words);
	g_ptr_array_add(command, g_strdup_printf("+%d", MAX(where->line, 1)));
	g_ptr_array_add(command, g_path_is_absolute(where->file) || !t->now.project
					 ? g_strdup(where->file)
					 : g_build_filename(t->now.project, where->file, NULL));
	g_ptr_array_add(command, NULL);
	return (char **)g_ptr_array_free(command, FALSE);
}

void
tui_edit(tui *t)
{
	const hd_module_view *module = tui_chosen_module(t);
	hd_position where = {(char *)(module ? module->path : NULL), 1, 0};
	if (t->detail_where.file && tui_detail_wanted(t))
		where = t->detail_where;
	if (!where.file) {
		tui_say(t, "there is no file to edit here");
		return;
	}
	GError *error = NULL;
	GPid pid;
	char **command = editor_command(t, &where, &error);
	GSpawnFlags flags = G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN;
	screen_suspend();
	if (command && g_spawn_async(NULL, command, NULL, flags, NULL, NULL, &pid, &error)) {
		t->mode = MODE_EDITOR;
		t->editor = g_child_watch_add(pid, edited, t);
	} else {
		screen_resume();
		tui_say(t, "the editor cannot be started: %s", error->message);
		g_error_free(error);
	}
	g_strfreev(command);
}
