/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the dependencies that -MD writes: a rule in make's syntax. */
#ifndef HD_BUILD_DEPFILE_H
#define HD_BUILD_DEPFILE_H

#include <glib.h>

/* The prerequisites of the first rule as they stand, of char *, owned by the caller. */
GPtrArray *hd_depfile_parse(const char *text, gsize size);

#endif
