/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is loaded, as the dynamic loader's own list has it (link.h: r_debug,
 * link_map), whose order is the order of symbol search. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#define MOST_OBJECTS 4096
#define MOST_SEGMENTS 128 /* of one object; linkers make about a dozen */

static void
free_object(void *data)
{
	hd_target_object *object = data;
	g_free(object->path);
	g_free(object);
}

/* Where the file that owns this address begins and ends: from its program headers in memory. */
static hd_target_object *
describe(pid_t pid, const GArray *maps, guint64 bias, guint64 inside)
{
	const hd_map *map = hd_maps_find(maps, inside);
	if (!map || map->path[0] != '/')
		return NULL;
	const hd_map *first = NULL;
	for (guint i = 0; i < maps->len; i++) {
		const hd_map *other = &g_array_index(maps, hd_map, i);
		if (other->start > map->start)
			break;
		if (other->inode == map->inode && other->device == map->device && other->offset == 0)
			first = other;
	}
	Elf64_Ehdr header;
	Elf64_Phdr segments[MOST_SEGMENTS];
	if (!first || !hd_memory_read(pid, first->start, &header, sizeof header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum > MOST_SEGMENTS ||
	    !hd_memory_read(pid, first->start + header.e_phoff, segments, header.e_phnum * sizeof segments[0]))
		return NULL;
	hd_target_object *object = g_new0(hd_target_object, 1);
	object->path = g_strdup(map->path);
	object->bias = bias;
	object->device = map->device;
	object->inode = map->inode;
	object->low = G_MAXUINT64;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		const Elf64_Phdr *segment = &segments[i];
		if (segment->p_type != PT_LOAD)
			continue;
		object->low = MIN(object->low, bias + (segment->p_vaddr & ~(guint64)(HD_PAGE - 1)));
		object->high = MAX(object->high, bias + segment->p_vaddr + segment->p_memsz);
	}
	if (object->low < object->high)
		return object;
	free_object(object);
	return NULL;
}

/* DT_DEBUG's value; 0: the loader has not run, or there is none. */
static guint64
find_debug(const hd_target *target, pid_t pid)
{
	for (guint i = 0; target->dynamic && i < 1024; i++) {
		Elf64_Dyn entry;
		if (!hd_memory_read(pid, target->dynamic + i * sizeof entry, &entry, sizeof entry) ||
		    entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_DEBUG)
			return entry.d_un.d_ptr;
	}
	return 0;
}

/* One walk of the list; false: the loader is changing it, or it makes no sense. */
static bool
walk(const hd_target *target, pid_t pid, guint64 debug, const GArray *maps, GPtrArray *objects)
{
	struct r_debug head;
	if (!hd_memory_read(pid, debug, &head, sizeof head) || head.r_state != RT_CONSISTENT)
		return false;
	guint64 next = GPOINTER_TO_SIZE(head.r_map);
	for (guint i = 0; next && i < MOST_OBJECTS; i++) {
		struct link_map entry;
		if (!hd_memory_read(pid, next, &entry, sizeof entry))
			return false;
		guint64 dynamic = GPOINTER_TO_SIZE(entry.l_ld);
		hd_target_object *object = describe(pid, maps, entry.l_addr, dynamic);
		if (object && object->inode == target->agent_inode && object->device == target->agent_device)
			g_clear_pointer(&object, free_object);
		if (object)
			g_ptr_array_add(objects, object);
		next = GPOINTER_TO_SIZE(entry.l_next);
	}
	/* Nothing was loaded or unloaded while we read. */
	struct r_debug after;
	return hd_memory_read(pid, debug, &after, sizeof after) && after.r_state == RT_CONSISTENT &&
	       after.r_map == head.r_map;
}

GPtrArray *
hd_objects_of(hd_target *target, pid_t pid)
{
	GArray *maps = hd_maps_read(pid, NULL);
	GPtrArray *objects = g_ptr_array_new_with_free_func(free_object);
	guint64 debug = maps ? find_debug(target, pid) : 0;
	if (debug && !walk(target, pid, debug, maps, objects))
		g_clear_pointer(&objects, g_ptr_array_unref);
	if (maps)
		g_array_free(maps, true);
	if (objects && objects->len == 0)
		g_clear_pointer(&objects, g_ptr_array_unref);
	return objects;
}

/* One look through the eyes of a thread that has the program's memory. NULL without an error: not now. */
static GPtrArray *
look_once(hd_target *target, GError **error)
{
	pid_t pid;
	GArray *maps = hd_maps_of(target, &pid, error);
	if (!maps)
		return NULL;
	if (!target->debug)
		target->debug = find_debug(target, pid);
	GPtrArray *objects = g_ptr_array_new_with_free_func(free_object);
	bool good = true;
	if (target->debug)
		good = walk(target, pid, target->debug, maps, objects);
	else {
		hd_target_object *only = describe(pid, maps, target->bias, target->main);
		if (only)
			g_ptr_array_add(objects, only);
	}
	g_array_free(maps, true);
	if (!good || objects->len == 0)
		g_clear_pointer(&objects, g_ptr_array_unref);
	return objects;
}

const GPtrArray *
hd_target_objects(hd_target *target, GError **error)
{
	/* The loader may be at work, and the thread that we look through may just end. */
	GPtrArray *objects = NULL;
	GError *failure = NULL;
	for (int attempt = 0; attempt < 50 && !objects && !failure; attempt++) {
		if (attempt > 0)
			g_usleep(1000);
		objects = look_once(target, &failure);
	}
	if (failure) {
		g_propagate_error(error, failure);
		return NULL;
	}
	if (!objects) {
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "cannot read the list of loaded objects of process %d",
			    (int)target->pid);
		return NULL;
	}
	g_clear_pointer(&target->objects, g_ptr_array_unref);
	target->objects = objects;
	return objects;
}

void
hd_object_each_symbol(const hd_target_object *object, hd_symbol_run *run, void *data)
{
	int fd = open(object->path, O_RDONLY | O_CLOEXEC);
	elf_version(EV_CURRENT);
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
	Elf_Scn *section = NULL;
	bool more = true;
	while (elf && more && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM || header.sh_entsize == 0)
			continue;
		Elf_Data *symbols = elf_getdata(section, NULL);
		int count = (int)(header.sh_size / header.sh_entsize);
		for (int i = 0; symbols && i < count && more; i++) {
			GElf_Sym symbol;
			if (!gelf_getsym(symbols, i, &symbol) || symbol.st_shndx == SHN_UNDEF)
				continue;
			const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
			more = !name || run(name, object->bias + symbol.st_value, symbol.st_size, data);
		}
	}
	elf_end(elf);
	if (fd >= 0)
		close(fd);
}

typedef struct {
	const char *name;
	guint64 address;
} wanted_symbol;

static bool
is_not_wanted(const char *name, guint64 address, guint64 size, void *data)
{
	wanted_symbol *wanted = data;
	(void)size;
	if (strcmp(name, wanted->name) != 0)
		return true;
	wanted->address = address;
	return false;
}

guint64
hd_object_symbol(const hd_target_object *object, const char *name)
{
	wanted_symbol wanted = {name, 0};
	hd_object_each_symbol(object, is_not_wanted, &wanted);
	return wanted.address;
}

guint64
hd_target_symbol(hd_target *target, const char *name)
{
	const GPtrArray *objects = hd_target_objects(target, NULL);
	for (guint i = 0; objects && i < objects->len; i++) {
		guint64 address = hd_object_symbol(g_ptr_array_index(objects, i), name);
		if (address)
			return address;
	}
	return 0;
}
