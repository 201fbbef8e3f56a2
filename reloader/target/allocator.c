/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose malloc the program calls, and whether anybody is inside it.
 *
 * Nobody is, if no thread runs code of that object (one that stands behind a
 * `syscall` does not), none is in a system call that an allocator makes, and
 * no return address into its functions is on a stack. */
#include "config.h"

#include "reloader/target/private.h"

#include <string.h>
#include <sys/syscall.h>

/* glibc's malloc.c is one piece of text; these are its ends and what lies between, with functions that have no name
 * outside. */
static const char *const functions[] = {"malloc",
					"free",
					"calloc",
					"realloc",
					"reallocarray",
					"memalign",
					"aligned_alloc",
					"posix_memalign",
					"valloc",
					"pvalloc",
					"malloc_usable_size",
					"malloc_trim",
					"malloc_info",
					"malloc_stats",
					"mallinfo",
					"mallinfo2",
					"mallopt",
					"__libc_malloc",
					"__libc_free",
					"__libc_calloc",
					"__libc_realloc",
					"__libc_memalign"};

static bool
take_function(const char *name, guint64 address, guint64 size, void *data)
{
	hd_allocator *allocator = data;
	for (gsize i = 0; i < G_N_ELEMENTS(functions); i++)
		if (strcmp(name, functions[i]) == 0) {
			allocator->functions_start = MIN(allocator->functions_start, address);
			allocator->functions_end = MAX(allocator->functions_end, address + size);
		}
	return true;
}

static void
find_segments(hd_allocator *allocator, const hd_target_object *object, const GArray *maps)
{
	allocator->text_start = allocator->data_start = G_MAXUINT64;
	for (guint i = 0; i < maps->len; i++) {
		const hd_map *map = &g_array_index(maps, hd_map, i);
		if (map->inode != object->inode || map->device != object->device || map->start < object->low ||
		    map->start >= object->high)
			continue;
		if (map->executable) {
			allocator->text_start = MIN(allocator->text_start, map->start);
			allocator->text_end = MAX(allocator->text_end, map->end);
		} else if (map->writable) {
			allocator->data_start = MIN(allocator->data_start, map->start);
			allocator->data_end = MAX(allocator->data_end, map->end);
		}
	}
}

static hd_allocator *
describe(const hd_target_object *object, bool own, const GArray *maps)
{
	hd_allocator *allocator = g_new0(hd_allocator, 1);
	allocator->own = own;
	find_segments(allocator, object, maps);
	allocator->glibc = hd_object_symbol(object, "gnu_get_libc_version") != 0;
	if (allocator->glibc) {
		allocator->functions_start = G_MAXUINT64;
		hd_object_each_symbol(object, take_function, allocator);
	} else {
		allocator->functions_start = allocator->text_start;
		allocator->functions_end = allocator->text_end;
	}
	return allocator;
}

hd_allocator *
hd_allocator_find(hd_target *target)
{
	const GPtrArray *objects = hd_target_objects(target, NULL);
	GArray *maps = hd_maps_of(target, NULL, NULL);
	hd_allocator *allocator = NULL;
	for (guint i = 0; maps && objects && i < objects->len && !allocator; i++) {
		const hd_target_object *object = g_ptr_array_index(objects, i);
		if (hd_object_symbol(object, "malloc"))
			allocator = describe(object, i == 0, maps);
	}
	if (maps)
		g_array_free(maps, true);
	return allocator;
}

/* ---- where threads are ---- */

gint64
hd_thread_call(const hd_thread *thread)
{
	const struct user_regs_struct *regs = &thread->regs;
	bool behind = (gint64)regs->orig_rax >= 0;
	guint8 code[2];
	/* hd_thread_hide_interrupt puts a thread in front of the instruction. */
	if ((!behind && !thread->changed) ||
	    !hd_memory_read(thread->tid, regs->rip - (behind ? 2 : 0), code, sizeof code) || code[0] != 0x0f ||
	    code[1] != 0x05)
		return -1;
	return (gint64)(behind ? regs->orig_rax : regs->rax);
}

/* A fork holds all locks of glibc's allocator. */
static bool
is_made_by_allocators(gint64 call)
{
	switch (call) {
	case SYS_brk:
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mremap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_fork:
	case SYS_clone:
	case SYS_clone3:
		return true;
	default:
		return false;
	}
}

static bool
is_function(guint64 word, const void *data)
{
	const hd_allocator *allocator = data;
	return word >= allocator->functions_start && word <= allocator->functions_end;
}

static bool
is_outside(const hd_allocator *allocator, hd_target *target, const hd_thread *thread)
{
	if (thread->state != HD_THREAD_STOPPED)
		return false;
	gint64 call = hd_thread_call(thread);
	guint64 pc = thread->regs.rip;
	if (is_made_by_allocators(call) || (call < 0 && pc >= allocator->text_start && pc < allocator->text_end))
		return false;
	return !hd_thread_is_inside(target, thread, is_function, allocator);
}

bool
hd_allocator_rests(const hd_allocator *allocator, const hd_stop *stop, const hd_process *process)
{
	for (guint i = 0; i < stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(stop->threads, hd_thread, i);
		if (thread->pid == process->pid && thread->state != HD_THREAD_GONE &&
		    !is_outside(allocator, stop->target, thread))
			return false;
	}
	return true;
}
