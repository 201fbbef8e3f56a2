/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a name alone says: by-product, source, or neither. hd_watcher_ignores
 * is in watcher.h. */
#ifndef HD_WATCHER_NAMES_H
#define HD_WATCHER_NAMES_H

#include <stdbool.h>

/* Whether a file of this name is worth reporting though nothing named it yet. */
bool hd_names_source(const char *name);
/* Whether one path component is a by-product; hd_watcher_ignores asks it of each. */
bool hd_names_ignores(const char *name);
/* Whether path is folder or below it. */
bool hd_names_below(const char *path, const char *folder);

#endif
