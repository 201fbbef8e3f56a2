/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readings of texts that need no preprocessing. */
#ifndef TEST_INSTANT_TEXTS_H
#define TEST_INSTANT_TEXTS_H

#include "reloader/instant/delta.h"

/* NULL: its declarations cannot be told apart. */
hd_reading *text_reading(const char *text);
/* The names, sorted, with spaces between; new string. */
char *text_names(GHashTable *names);

#endif
