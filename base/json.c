/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/json.h"

json_t *
hd_json_text(const char *text)
{
	if (!text)
		return json_null();
	char *valid = g_utf8_make_valid(text, -1);
	json_t *json = json_string(valid);
	g_free(valid);
	return json;
}

json_t *
hd_json_texts(const GPtrArray *texts)
{
	json_t *json = json_array();
	for (guint i = 0; texts && i < texts->len; i++)
		json_array_append_new(json, hd_json_text(g_ptr_array_index(texts, i)));
	return json;
}
