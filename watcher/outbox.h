/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the watcher's thread hands to its owner: messages in order, and the
 * ring of last raw events. Safe from both threads. */
#ifndef HD_WATCHER_OUTBOX_H
#define HD_WATCHER_OUTBOX_H

#include "watcher/watcher.h"

#include <stdint.h>

typedef struct hd_outbox hd_outbox;

/* NULL where no descriptor is left. */
hd_outbox *hd_outbox_new(GError **error);
void hd_outbox_free(hd_outbox *outbox);
/* Readable while messages wait. */
int hd_outbox_fd(const hd_outbox *outbox);
/* The message becomes the outbox's. */
void hd_outbox_put(hd_outbox *outbox, hd_watch_message *message);
hd_watch_message *hd_outbox_take(hd_outbox *outbox);

/* One raw event; path may be NULL, verdict is valid for ever: what came of it. */
void hd_outbox_note(hd_outbox *outbox, gint64 t_ns, uint32_t mask, const char *path, const char *verdict);
/* The ring as a new JSON array, oldest first. */
json_t *hd_outbox_notes(hd_outbox *outbox);

#endif
