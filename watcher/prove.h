/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proves at the start that the kernel reports what happens in the tree. */
#ifndef HD_WATCHER_PROVE_H
#define HD_WATCHER_PROVE_H

#include "watcher/tree.h"

/* Called for every event met while waiting. */
typedef void hd_prove_event(const hd_inotify_event *event, void *data);

/* Writes a cookie file into a watched folder and waits for its event, for
 * limit_ms at most. Where no folder may be written to, opens one instead. */
bool hd_prove(hd_tree *tree, hd_inotify *inotify, int limit_ms, hd_prove_event *seen, void *data);

#endif
