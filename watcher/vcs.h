/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether version control is rewriting the project's files at this moment. A
 * checkout of many files is one edit: half of it is no program. */
#ifndef HD_WATCHER_VCS_H
#define HD_WATCHER_VCS_H

#include <glib.h>
#include <stdbool.h>

typedef struct hd_vcs hd_vcs;

/* Finds the repository that project lies in, if any. */
hd_vcs *hd_vcs_new(const char *project);
void hd_vcs_free(hd_vcs *vcs);
/* True while its lock is held; a lock older than limit_ns was left behind by a crash and does not count. */
bool hd_vcs_busy(const hd_vcs *vcs, gint64 limit_ns);

#endif
