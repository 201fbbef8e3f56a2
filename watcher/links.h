/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a path leads, and which symbolic links lie on the way. */
#ifndef HD_WATCHER_LINKS_H
#define HD_WATCHER_LINKS_H

#include <glib.h>

/* A path that never exists. */
#define HD_LINKS_LOOP "/dev/null/loop"

/* The path with every symbolic link resolved, as far as it exists; the rest as
 * written. Owned by the caller. The place of each link met (a canonical folder
 * and the link's name) is added to *places, an array of char * that owns them,
 * made when the first is met. More than 40 links are a loop, as in
 * path_resolution(7): the answer is HD_LINKS_LOOP then. */
char *hd_links_resolve(const char *path, GPtrArray **places);

#endif
