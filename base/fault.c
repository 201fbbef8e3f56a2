/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/fault.h"

#include <glib.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	char *point;
	unsigned long fires_at; /* 0: at every call */
	unsigned long calls;
} fault;

static GPtrArray *faults;

static void
load_faults(void)
{
	faults = g_ptr_array_new();
	const char *spec = g_getenv("HOTDEV_FAULT");
	char **items = g_strsplit(spec ? spec : "", ",", -1);
	for (char **item = items; *item; item++) {
		if (!**item)
			continue;
		fault *f = g_new0(fault, 1);
		char *colon = strrchr(*item, ':');
		f->fires_at = 1;
		if (colon)
			f->fires_at = colon[1] == '*' ? 0 : strtoul(colon + 1, NULL, 10);
		f->point = g_strndup(*item, colon ? (gsize)(colon - *item) : strlen(*item));
		g_ptr_array_add(faults, f);
	}
	g_strfreev(items);
}

bool
hd_fault(const char *point)
{
	static gsize loaded;
	if (g_once_init_enter(&loaded)) {
		load_faults();
		g_once_init_leave(&loaded, 1);
	}
	for (guint i = 0; i < faults->len; i++) {
		fault *f = g_ptr_array_index(faults, i);
		if (strcmp(f->point, point) != 0)
			continue;
		f->calls++;
		if (f->fires_at == 0 || f->calls == f->fires_at) {
			errno = EIO;
			return true;
		}
	}
	return false;
}
