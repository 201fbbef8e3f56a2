/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which code of a loaded object refers to an address. */
#ifndef HD_LINK_REFERRERS_H
#define HD_LINK_REFERRERS_H

#include "reloader/link/scope.h"

/* Functions of home's file with a 32-bit field that leads into [low,
 * high) (run-time addresses): calls, jumps and address computations, whichever
 * instruction holds them. Functions in `except` (their run-time entries, of
 * guint64) do not count. New array of new strings, each name once. */
GPtrArray *hd_referrers(hd_loaded *home, guint64 low, guint64 high, const GArray *except);

#endif
