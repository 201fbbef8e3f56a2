/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: values of an enumeration, from one version to the next by enumerator name. */
#ifndef HD_TYPES_RENUMBER_H
#define HD_TYPES_RENUMBER_H

#include "reloader/types/internal.h"

typedef struct hd_renumber hd_renumber;

/* Whether negative values are possible: the sign that its bits have in memory. */
bool hd_enum_is_signed(const hd_type *type);

/* Of two enumerations. NULL: every name that both have means the same value, so that values stay as they are. */
hd_renumber *hd_renumber_new(const hd_type *old, const hd_type *now);
void hd_renumber_free(hd_renumber *renumber);

/* The other version's value of the same name; of several names with one value the first declared counts.
 * false: no enumerator has this value, or its name is not in the other version; *to is untouched. */
bool hd_renumber_forward(const hd_renumber *renumber, gint64 from, gint64 *to);
bool hd_renumber_back(const hd_renumber *renumber, gint64 from, gint64 *to);

#endif
