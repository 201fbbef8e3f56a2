/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/reading.h"

hd_reading *
hd_reading_new(hd_prelude *prelude, hd_outline *own)
{
	hd_reading *reading = g_new0(hd_reading, 1);
	reading->prelude = prelude;
	reading->own = own;
	return reading;
}

hd_reading *
hd_reading_copy(const hd_reading *reading)
{
	return hd_reading_new(reading->prelude ? hd_prelude_ref(reading->prelude) : NULL, hd_outline_ref(reading->own));
}

void
hd_reading_free(hd_reading *reading)
{
	if (!reading)
		return;
	hd_prelude_unref(reading->prelude);
	hd_outline_unref(reading->own);
	g_free(reading);
}

static const hd_outline *
headers(const hd_reading *reading)
{
	return reading->prelude ? hd_prelude_outline(reading->prelude) : NULL;
}

static guint
header_count(const hd_reading *reading)
{
	return reading->prelude ? hd_outline_count(headers(reading)) : 0;
}

guint
hd_reading_count(const hd_reading *reading)
{
	return header_count(reading) + hd_outline_count(reading->own);
}

const hd_declaration *
hd_reading_at(const hd_reading *reading, guint index)
{
	guint n = header_count(reading);
	return index < n ? hd_outline_at(headers(reading), index) : hd_outline_at(reading->own, index - n);
}

const char *
hd_reading_text(const hd_reading *reading, guint index)
{
	return hd_outline_text(index < header_count(reading) ? headers(reading) : reading->own);
}

const hd_declaration *
hd_reading_function(const hd_reading *reading, const char *name)
{
	const hd_declaration *found = hd_outline_function(reading->own, name);
	return found || !reading->prelude ? found : hd_outline_function(headers(reading), name);
}
