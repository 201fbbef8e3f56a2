/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HD_BUILD_REMOVE_H
#define HD_BUILD_REMOVE_H

/* Removes a folder and all that is in it; links are removed, never followed. Failures are of no consequence. */
void hd_remove_tree(const char *path);

#endif
