/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/numbers.h"

#include <math.h>
#include <string.h>

/* ---- integers ---- */

hd_wide
hd_bits_read(const guint8 *bytes, guint64 bit, guint width)
{
	hd_wide value = 0;
	if (width > 0 && bit % 8 == 0 && width % 8 == 0) {
		memcpy(&value, bytes + bit / 8, width / 8);
		return value;
	}
	for (guint done = 0; done < width;) {
		guint skip = (guint)((bit + done) % 8), take = MIN(8 - skip, width - done);
		hd_wide part = (bytes[(bit + done) / 8] >> skip) & ((1u << take) - 1);
		value |= part << done;
		done += take;
	}
	return value;
}

void
hd_bits_write(guint8 *bytes, guint64 bit, guint width, hd_wide value)
{
	if (width > 0 && bit % 8 == 0 && width % 8 == 0) {
		memcpy(bytes + bit / 8, &value, width / 8);
		return;
	}
	for (guint done = 0; done < width;) {
		guint skip = (guint)((bit + done) % 8), take = MIN(8 - skip, width - done);
		guint mask = ((1u << take) - 1) << skip;
		guint8 *byte = &bytes[(bit + done) / 8];
		*byte = (guint8)((*byte & ~mask) | (((guint)(value >> done) << skip) & mask));
		done += take;
	}
}

hd_wide
hd_bits_extend(hd_wide value, guint width, bool is_signed)
{
	if (width == 0 || width >= HD_WIDEST)
		return width ? value : 0;
	hd_wide top = (hd_wide)1 << (width - 1), mask = (top << 1) - 1;
	value &= mask;
	return is_signed && (value & top) ? value | ~mask : value;
}

/* ---- floats ---- */

bool
hd_float_has_size(guint64 bytes)
{
	return bytes == sizeof(float) || bytes == sizeof(double) || bytes == sizeof(long double);
}

static long double
load(const guint8 *bytes, guint64 size)
{
	float single;
	double twice;
	long double extended;
	if (size == sizeof single) {
		memcpy(&single, bytes, sizeof single);
		return single;
	}
	if (size == sizeof twice) {
		memcpy(&twice, bytes, sizeof twice);
		return twice;
	}
	memcpy(&extended, bytes, sizeof extended);
	return extended;
}

static void
store(guint8 *bytes, guint64 size, long double value)
{
	float single = (float)value;
	double twice = (double)value;
	if (size == sizeof single)
		memcpy(bytes, &single, sizeof single);
	else if (size == sizeof twice)
		memcpy(bytes, &twice, sizeof twice);
	else
		memcpy(bytes, &value, 10); /* the other six bytes are padding */
}

/* Of a NaN the hardware's conversion would change a bit: it makes a quiet one of a signaling one. */
static void
convert_nan(const guint8 *from, guint64 from_size, guint8 *to, guint64 to_size)
{
	static const struct {
		guint64 size;
		guint fraction, exponent, explicit_one; /* bits */
	} formats[] = {{4, 23, 8, 0}, {8, 52, 11, 0}, {16, 63, 15, 1}};
	hd_wide sign = 0, payload = 0; /* of 63 bits, from the top */
	for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
		guint fraction = formats[i].fraction, rest = fraction + formats[i].explicit_one;
		if (formats[i].size != from_size)
			continue;
		payload = hd_bits_read(from, 0, fraction) << (63 - fraction);
		sign = hd_bits_read(from, rest + formats[i].exponent, 1);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
		guint fraction = formats[i].fraction, rest = fraction + formats[i].explicit_one;
		if (formats[i].size != to_size)
			continue;
		hd_wide kept = payload >> (63 - fraction);
		hd_bits_write(to, 0, fraction, kept ? kept : 1); /* 0 would be an infinity */
		hd_bits_write(to, fraction, formats[i].explicit_one + formats[i].exponent, ~(hd_wide)0);
		hd_bits_write(to, rest + formats[i].exponent, 1, sign);
	}
}

bool
hd_float_convert(const guint8 *from, guint64 from_size, guint8 *to, guint64 to_size)
{
	long double value = load(from, from_size);
	if (isnan(value)) {
		convert_nan(from, from_size, to, to_size);
		return true;
	}
	store(to, to_size, value);
	return load(to, to_size) == value;
}
