/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a process may keep an address of its own, and how: in pages that it has
 * to itself, in what it shares and writes (proc(5), /proc/pid/pagemap), plain or
 * as glibc's setjmp keeps it. */
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

/* Code of a file holds no addresses but those that linking knows of. */
static bool
is_looked_at(const hd_map *map)
{
	return map->readable && !(map->executable && map->inode) && (!map->shared || map->writable) &&
	       !g_str_has_prefix(map->path, "[v");
}

/* proc(5), /proc/pid/pagemap: bit 63 present, 62 swapped out, 61 a file's page or shared. */
static bool
is_own_page(guint64 entry, bool shared)
{
	return (entry >> 62) != 0 && (shared || !(entry >> 61 & 1));
}

const GArray *
hd_pages_maps(const hd_pages *pages)
{
	return pages->maps;
}

/* What lies below a stack pointer counts, too: a context that is suspended may. */
void
hd_pages_each_in(const hd_pages *pages, const hd_map *map, hd_pages_run *run, void *data)
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
			hd_pages_each_in(pages, map, run, data);
	}
}

/* glibc, sysdeps/unix/sysv/linux/x86_64/pointer_guard.h (PTR_DEMANGLE): rotated right by 17, xored with the guard. */
guint64
hd_unmangle(guint64 word, guint64 guard)
{
	return (word >> 17 | word << 47) ^ guard;
}

/* tcbhead_t of glibc (sysdeps/x86_64/nptl/tls.h): pointer_guard at 0x30. Another C library has something else there,
 * with which nothing is found. */
guint64
hd_pointer_guard(const hd_stop *stop, const hd_process *process)
{
	guint64 guard = 0;
	for (guint i = 0; i < stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(stop->threads, hd_thread, i);
		if (thread->pid == process->pid && thread->state == HD_THREAD_STOPPED &&
		    hd_memory_read(process->reader, thread->regs.fs_base + 0x30, &guard, sizeof guard))
			break;
	}
	return guard;
}

bool
hd_pages_map(const hd_pages *pages, guint64 address, guint64 *start, guint64 *end)
{
	const hd_map *map = hd_maps_find(pages->maps, address);
	if (!map)
		return false;
	*start = map->start;
	*end = map->end;
	return true;
}
