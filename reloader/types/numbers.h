/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: numbers as they lie in memory (x86-64 psABI, 3.1.2):
 * integers of any width at any bit, the least significant bit first, and floats. */
#ifndef HD_TYPES_NUMBERS_H
#define HD_TYPES_NUMBERS_H

#include <glib.h>
#include <stdbool.h>

#define HD_WIDEST 128 /* bits */
__extension__ typedef unsigned __int128 hd_wide;

/* bit counts from bytes' start; width is at most HD_WIDEST. Touches no byte outside of the bits, and no other bit. */
hd_wide hd_bits_read(const guint8 *bytes, guint64 bit, guint width);
void hd_bits_write(guint8 *bytes, guint64 bit, guint width, hd_wide value);
/* The value of the low bits: what is above them is the sign, or zero. */
hd_wide hd_bits_extend(hd_wide value, guint width, bool is_signed);

/* Sizes that can be converted: float, double, and the long double of the x87. */
bool hd_float_has_size(guint64 bytes);
/* false: the value was rounded. A NaN keeps what fits of its payload, and stays a signaling one. */
bool hd_float_convert(const guint8 *from, guint64 from_size, guint8 *to, guint64 to_size);

#endif
