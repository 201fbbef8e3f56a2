/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file system a folder is on, and whether writes to it come past this kernel. */
#ifndef HD_WATCHER_FILESYSTEM_H
#define HD_WATCHER_FILESYSTEM_H

#include <stdbool.h>

/* "ext4"; valid for ever. *shared: other machines, or the host of a virtual
 * one, may write without this kernel knowing. */
const char *hd_filesystem_name(const char *path, bool *shared);

#endif
