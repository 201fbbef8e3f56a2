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
