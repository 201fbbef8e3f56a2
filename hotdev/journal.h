/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --events: every event appended to a file as one line of JSON. */
#ifndef HD_HOTDEV_JOURNAL_H
#define HD_HOTDEV_JOURNAL_H

#include "reloader/history/event.h"

typedef struct hd_journal hd_journal;

/* "-" is standard output. The file is created 0600 or appended to. HD_ERROR_IO. */
hd_journal *hd_journal_open(const char *path, GError **error);
/* One write for one event: a reader that follows the file never sees half a
 * line that stays half. A journal that cannot be written is given up, and said once. */
void hd_journal_write(hd_journal *journal, const hd_event *event);
void hd_journal_close(hd_journal *journal);

#endif
