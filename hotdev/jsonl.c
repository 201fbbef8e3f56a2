/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/jsonl.h"

#include <stdlib.h>

char *
hd_jsonl(json_t *json)
{
	/* DEL is the one control character that neither JSON nor JSON_ENSURE_ASCII escapes. */
	char *dump = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	json_decref(json);
	GString *line = g_string_new(NULL);
	for (const char *c = dump ? dump : "{}"; *c; c++) {
		if (*c == 0x7f)
			g_string_append(line, "\\u007f");
		else
			g_string_append_c(line, *c);
	}
	g_string_append_c(line, '\n');
	free(dump);
	return g_string_free(line, FALSE);
}
