/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/instant/texts.h"

#include <string.h>

hd_reading *
text_reading(const char *text)
{
	hd_outline *outline = hd_outline_new(text, strlen(text));
	return outline ? hd_reading_new(NULL, outline) : NULL;
}

char *
text_names(GHashTable *names)
{
	GList *keys = g_list_sort(g_hash_table_get_keys(names), (GCompareFunc)strcmp);
	GString *text = g_string_new(NULL);
	for (GList *key = keys; key; key = key->next)
		g_string_append_printf(text, "%s%s", text->len ? " " : "", (char *)key->data);
	g_list_free(keys);
	return g_string_free(text, FALSE);
}
