/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of a process that may hold an address of its own: those that it has to
 * itself, and what it shares and writes (proc(5), /proc/pid/pagemap). */
#include "config.h"

#include "reloader/target/private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct hd_pages {
	int pagemap;
	GArray *maps;
};

hd_pages *
hd_pages_new(pid_t reader, GError **error)
{
	char name[64];
	GArray *maps = hd_maps_read(reader, error);
	if (!maps)
		return NULL;
	hd_pages *pages = g_new0(hd_pages, 1);
	pages->maps = maps;
	g_snprintf(name, sizeof name, "/proc/%d/pagemap", (int)reader);
	pages->pagemap = open(name, O_RDONLY | O_CLOEXEC);
	return pages;
}

void
hd_pages_free(hd_pages *pages)
{
	if (!pages)
		return;
	if (pages->pagemap >= 0)
		close(pages->pagemap);
	g_array_free(pages->maps, true);
	g_free(pages);
}

static bool
is_looked_at(const hd_map *map)
{
	return map->readable && (!map->shared || map->writable) && !g_str_has_prefix(map->path, "[v");
}

/* proc(5), /proc/pid/pagemap: bit 63 present, 62 swapped out, 61 a file's page or shared. */
static bool
is_own_page(guint64 entry, bool shared)
{
	return (entry >> 62) != 0 && (shared || !(entry >> 61 & 1));
}

/* What lies below a stack pointer counts, too: a context that is suspended may. */
static void
each_run(const hd_pages *pages, const hd_map *map, hd_pages_run *run, void *data)
{
	guint64 entries[512], start = map->start, page = map->start;
	while (page < map->end) {
		gsize count = MIN(G_N_ELEMENTS(entries), (map->end - page) / HD_PAGE);
		ssize_t got = pread(pages->pagemap, entries, count * sizeof entries[0],
				    (off_t)(page / HD_PAGE * sizeof entries[0]));
		if (got <= 0) { /* not told: all of it */
			run(start, map->end - start, data);
			return;
		}
		for (gsize i = 0; i < (gsize)got / sizeof entries[0]; i++, page += HD_PAGE) {
			if (is_own_page(entries[i], map->shared))
				continue;
			if (page > start)
				run(start, page - start, data);
			start = page + HD_PAGE;
		}
	}
	if (map->end > start)
		run(start, map->end - start, data);
}

void
hd_pages_each(const hd_pages *pages, hd_pages_run *run, void *data)
{
	for (guint i = 0; i < pages->maps->len; i++) {
		const hd_map *map = &g_array_index(pages->maps, hd_map, i);
		if (is_looked_at(map))
			each_run(pages, map, run, data);
	}
}
