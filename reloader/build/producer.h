/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A compile command made from debug information: the producer's flags, the
 * folder, the line table. What is not recorded there (macros given by -D, and
 * with clang all flags) is assumed, and origin_detail says so. */
#ifndef HD_BUILD_PRODUCER_H
#define HD_BUILD_PRODUCER_H

#include "reloader/build/command.h"

/* HD_ERROR_UNSUPPORTED: the producer is unknown, or no such compiler is installed. */
hd_command *hd_producer_command(const hd_command_hints *hints, GError **error);

#endif
