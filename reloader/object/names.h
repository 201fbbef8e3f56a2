/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside reloader/object: names as compilers change them. */
#ifndef HD_OBJECT_NAMES_H
#define HD_OBJECT_NAMES_H

#include <glib.h>
#include <stdbool.h>

/* A part between dots is a number: the name's order, not the name, says which it is. */
bool hd_name_is_numbered(const char *name);
/* "f.constprop" of "f.constprop.0"; new string. */
char *hd_name_without_numbers(const char *name);
/* Data that no source names: CSWTCH.1, __func__.0. */
bool hd_name_is_compilers(const char *name);

#endif
