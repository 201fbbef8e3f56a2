/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/referrers.h"

#include <string.h>

static bool
is_excepted(const GArray *except, guint64 entry)
{
	for (guint i = 0; except && i < except->len; i++)
		if (g_array_index(except, guint64, i) == entry)
			return true;
	return false;
}

static void
note(hd_loaded *home, guint64 at, const GArray *except, GPtrArray *names)
{
	const hd_image_symbol *symbol = hd_image_symbol_at(home->image, at);
	if (!symbol || is_excepted(except, home->bias + symbol->address) ||
	    g_ptr_array_find_with_equal_func(names, symbol->name, g_str_equal, NULL))
		return;
	g_ptr_array_add(names, g_strdup(symbol->name));
}

/* A field at any byte offset: cheaper than decoding, and misses nothing. The
 * displacement counts from its own end unless an immediate follows. fixed: the
 * image is linked to its place, so that a field may hold the address itself. */
static void
scan(hd_loaded *home, bool fixed, const guint8 *bytes, gsize size, guint64 at, guint64 low, guint64 high,
     const GArray *except, GPtrArray *names)
{
	for (gsize i = 0; i + 4 <= size; i++) {
		gint32 field;
		memcpy(&field, bytes + i, sizeof field);
		guint64 target = at + i + 4 + (guint64)(gint64)field;
		guint64 absolute = (guint64)(gint64)field;
		if ((target >= low && target < high) || (fixed && absolute >= low && absolute < high))
			note(home, at + i, except, names);
	}
}

GPtrArray *
hd_referrers(hd_loaded *home, guint64 low, guint64 high, const GArray *except)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	guint64 from, to;
	for (guint n = 0; hd_image_code(home->image, n, &from, &to); n++) {
		guint8 *bytes = g_malloc(to - from + 1);
		if (hd_image_bytes(home->image, from, to - from, bytes))
			scan(home, !hd_image_is_pie(home->image), bytes, to - from, from, low - home->bias,
			     high - home->bias, except, names);
		g_free(bytes);
	}
	return names;
}
