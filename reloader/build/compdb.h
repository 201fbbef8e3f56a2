/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a compilation database that only command.c needs. */
#ifndef HD_BUILD_COMPDB_H
#define HD_BUILD_COMPDB_H

#include "reloader/build/command.h"

/* The command for a source (canonical). NULL without error: it has none; HD_ERROR_FORMAT: it is damaged. */
hd_command *hd_compdb_command(const hd_compdb *compdb, const char *source, const hd_command_hints *hints,
			      GError **error);

#endif
