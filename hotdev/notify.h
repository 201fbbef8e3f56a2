/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the desktop, by notify-send(1), of what should not be missed. */
#ifndef HD_HOTDEV_NOTIFY_H
#define HD_HOTDEV_NOTIFY_H

#include "reloader/history/event.h"

/* HD_ERROR_USAGE: notify-send is not installed. */
bool hd_notify_possible(GError **error);
/* Failures, holds and crashes; other events are no news. Does not wait. */
void hd_notify(const hd_event *event, const char *program);

#endif
