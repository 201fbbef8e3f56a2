/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plain view: one line an event on standard error; under a failure each
 * diagnostic with its source line and a caret. */
#ifndef HD_HOTDEV_PLAIN_H
#define HD_HOTDEV_PLAIN_H

#include "reloader/history/event.h"

/* New string, newline at the end of each line. project: where the sources are. */
char *hd_plain_text(const hd_event *event, const char *project, bool ascii);
/* Writes it to standard error in one piece. */
void hd_plain_write(const hd_event *event, const char *project, bool ascii);

#endif
