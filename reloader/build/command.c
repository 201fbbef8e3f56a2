/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/command.h"

#include "base/error.h"
#include "reloader/build/arguments.h"
#include "reloader/build/compdb.h"
#include "reloader/build/producer.h"

void
hd_command_free(hd_command *command)
{
	if (!command)
		return;
	g_free(command->source);
	g_free(command->directory);
	g_strfreev(command->argv);
	g_free(command->source_arg);
	g_free(command->origin_detail);
	g_free(command);
}

hd_command *
hd_command_find(const hd_compdb *compdb, const hd_command_hints *hints, GError **error)
{
	if (!hints->source || !*hints->source) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "a unit of the debug information has no name");
		return NULL;
	}
	if (compdb) {
		char *source = hd_canonical_path(hints->source, hints->directory ? hints->directory : "/");
		GError *why = NULL;
		hd_command *command = hd_compdb_command(compdb, source, hints, &why);
		g_free(source);
		if (command || why) {
			if (why)
				g_propagate_error(error, why);
			return command;
		}
	}
	return hd_producer_command(hints, error);
}

void
hd_command_add(hd_command *command, const char *const *words)
{
	guint length = g_strv_length(command->argv);
	command->argv = g_renew(char *, command->argv, length + g_strv_length((char **)words) + 1);
	for (guint i = 0; words[i]; i++)
		command->argv[length++] = g_strdup(words[i]);
	command->argv[length] = NULL;
	char *all = g_strjoinv(" ", (char **)words);
	char *detail = g_strdup_printf("%s; with %s it gives the program's code",
				       command->origin_detail ? command->origin_detail : "", all);
	g_free(command->origin_detail);
	command->origin_detail = detail;
	g_free(all);
}
