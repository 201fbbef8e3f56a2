/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON as lines: how events are written to a journal and to the socket. */
#ifndef HD_HOTDEV_JSONL_H
#define HD_HOTDEV_JSONL_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* One object, one line, newline included, ASCII only: a terminal may show it. json is consumed. */
char *hd_jsonl(json_t *json);

#endif
