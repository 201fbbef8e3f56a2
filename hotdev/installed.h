/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the files are that hotdev comes with: beside it where it runs from its
 * build folder, else as installed. All return new strings. */
#ifndef HD_HOTDEV_INSTALLED_H
#define HD_HOTDEV_INSTALLED_H

/* What hotdev starts or loads; folder: in reloader/, of the build. */
char *hd_installed_helper(const char *folder, const char *name);
/* A folder of data, the same in the build and as installed. */
char *hd_installed_data(const char *parent, const char *name);

#endif
