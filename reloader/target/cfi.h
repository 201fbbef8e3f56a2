/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwind information for code in an arena. */
#ifndef HD_TARGET_CFI_H
#define HD_TARGET_CFI_H

#include <glib.h>
#include <stdbool.h>

/* An executable ELF file with the .eh_frame of the placed code of image (see
 * hd_target_add_code), and the range of that code; owned by the caller. NULL:
 * nothing was placed, or it is no such file. */
GByteArray *hd_cfi_build(GBytes *image, guint64 *low, guint64 *high);

#endif
