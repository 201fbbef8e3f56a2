/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between two texts, as diff(1) says it. */
#ifndef HD_BASE_DIFFERENCE_H
#define HD_BASE_DIFFERENCE_H

#include <glib.h>

/* The unified diff of two texts that are called by these names; "" when they
 * are the same. New string, not cleaned. NULL with HD_ERROR_IO: diff cannot be
 * run. */
char *hd_difference(GBytes *from, const char *from_name, GBytes *to, const char *to_name, GError **error);

#endif
