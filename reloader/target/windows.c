/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of a process that stands still, read a window at a time: thousands of
 * small objects that lie together are a few system calls. */
#include "config.h"

#include "reloader/target/private.h"

#include <string.h>

#define WINDOW_BITS 14
#define WINDOW (G_GUINT64_CONSTANT(1) << WINDOW_BITS)
#define SLOTS 512

typedef struct {
	guint64 number; /* address / WINDOW */
	gsize size;	/* so many bytes of it could be read */
	guint8 *bytes;	/* NULL: nothing has been read into the slot */
} slot;

struct hd_windows {
	pid_t reader;
	slot slots[SLOTS];
};

hd_windows *
hd_windows_new(pid_t reader)
{
	hd_windows *windows = g_new0(hd_windows, 1);
	windows->reader = reader;
	return windows;
}

void
hd_windows_free(hd_windows *windows)
{
	for (guint i = 0; windows && i < SLOTS; i++)
		g_free(windows->slots[i].bytes);
	g_free(windows);
}

void
hd_windows_forget(hd_windows *windows)
{
	for (guint i = 0; i < SLOTS; i++)
		g_clear_pointer(&windows->slots[i].bytes, g_free);
}

static const slot *
window_at(hd_windows *windows, guint64 number)
{
	slot *s = &windows->slots[number % SLOTS];
	if (s->bytes && s->number == number)
		return s;
	if (!s->bytes)
		s->bytes = g_malloc(WINDOW);
	s->number = number;
	s->size = hd_memory_read_some(windows->reader, number << WINDOW_BITS, s->bytes, WINDOW);
	return s;
}

bool
hd_windows_read(hd_windows *windows, guint64 address, void *out, gsize size)
{
	guint64 offset = address & (WINDOW - 1);
	if (size <= WINDOW - offset) {
		const slot *s = window_at(windows, address >> WINDOW_BITS);
		if (offset + size <= s->size) {
			memcpy(out, s->bytes + offset, size);
			return true;
		}
	}
	return hd_memory_read(windows->reader, address, out, size);
}
