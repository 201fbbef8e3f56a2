/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static void
clear_map(void *map)
{
	g_free(((hd_map *)map)->path);
}

/* One line as in proc(5): address perms offset dev inode pathname. */
static bool
parse_line(const char *line, hd_map *map)
{
	unsigned long start, end, offset, inode;
	unsigned int dev_major, dev_minor;
	char perms[5];
	int used = 0;
	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu%n", &start, &end, perms, &offset, &dev_major, &dev_minor, &inode,
		   &used) < 7)
		return false;
	const char *path = line + used;
	while (*path == ' ')
		path++;
	*map = (hd_map){.start = start,
			.end = end,
			.offset = offset,
			.device = makedev(dev_major, dev_minor),
			.inode = inode,
			.readable = perms[0] == 'r',
			.writable = perms[1] == 'w',
			.executable = perms[2] == 'x',
			.shared = perms[3] == 's',
			.path = g_strdup(path)};
	return true;
}

GArray *
hd_maps_read(pid_t pid, GError **error)
{
	char name[64];
	g_snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
	FILE *file = fopen(name, "re");
	if (!file) {
		hd_error_set_errno(error, errno == ENOENT ? HD_ERROR_GONE : HD_ERROR_IO, errno, "cannot open %s", name);
		return NULL;
	}
	GArray *maps = g_array_new(false, false, sizeof(hd_map));
	g_array_set_clear_func(maps, clear_map);
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	while ((length = getline(&line, &room, file)) > 0) {
		hd_map map;
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (parse_line(line, &map))
			g_array_append_val(maps, map);
	}
	free(line);
	fclose(file);
	return maps;
}

GArray *
hd_maps_of(hd_target *target, pid_t *reader, GError **error)
{
	/* A thread that ends meanwhile shows no mappings, or fewer; each look may choose another. */
	for (int attempt = 0; attempt < 100; attempt++) {
		pid_t pid = hd_target_witness(target);
		GArray *maps = pid ? hd_maps_read(pid, NULL) : NULL;
		if (maps && maps->len > 0 && hd_target_witness(target) == pid) {
			if (reader)
				*reader = pid;
			return maps;
		}
		if (maps)
			g_array_free(maps, true);
		if (!pid)
			break;
	}
	g_set_error(error, HD_ERROR, HD_ERROR_GONE, "%s",
		    target->ended ? "the program has ended" : "the program has called exec, and is another one now");
	return NULL;
}

const hd_map *
hd_maps_find(const GArray *maps, guint64 address)
{
	for (guint i = 0; i < maps->len; i++) {
		const hd_map *map = &g_array_index(maps, hd_map, i);
		if (address >= map->start && address < map->end)
			return map;
	}
	return NULL;
}

guint64
hd_maps_hole(const GArray *maps, guint64 size, guint64 from, guint64 floor, guint64 ceiling, bool upwards)
{
	if (ceiling < floor + size)
		return 0;
	guint64 place = upwards ? MAX(from, floor) : MIN(from, ceiling) - size;
	for (;;) {
		if (place < floor || place > ceiling - size)
			return 0;
		const hd_map *hit = NULL;
		for (guint i = 0; i < maps->len && !hit; i++) {
			const hd_map *map = &g_array_index(maps, hd_map, i);
			if (map->start < place + size && place < map->end)
				hit = map;
		}
		if (!hit)
			return place;
		if (!upwards && hit->start < floor + size)
			return 0;
		place = upwards ? hit->end : hit->start - size;
	}
}
