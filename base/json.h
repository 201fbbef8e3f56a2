/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings as JSON has them: whatever bytes a file name or a message holds, what comes out is valid UTF-8. */
#ifndef HD_BASE_JSON_H
#define HD_BASE_JSON_H

#include <glib.h>
#include <jansson.h>

/* Invalid bytes are replaced; NULL is null. New reference. */
json_t *hd_json_text(const char *text);
/* An array of them, of char *; NULL is empty. New reference. */
json_t *hd_json_texts(const GPtrArray *texts);

#endif
