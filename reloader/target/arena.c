/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Room near the program's objects. An arena is one mapping, at the same
 * address in every process; its free ranges are kept here.
 *
 * Where it lies: relocations between an object and code placed for it reach
 * ±2 GiB. Below the object is best: the heap grows upwards behind the program,
 * and the kernel fills mappings downwards from the top, first fit. A program
 * that is not position-independent uses 32-bit absolute addresses, so its
 * arenas end below 2 GiB, as high as can be, away from its heap. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB G_GUINT64_CONSTANT(0x100000)
#define REACH G_GUINT64_CONSTANT(0x7ff00000) /* 2 GiB less what an addend may add */
#define GAP (16 * MIB)
#define LOWEST G_GUINT64_CONSTANT(0x10000)
#define HIGHEST G_GUINT64_CONSTANT(0x7fffffff0000)

typedef struct {
	guint64 start, end;
} range;

typedef struct {
	guint64 size;
	guint serial; /* commits done when it was given out */
} block;

typedef struct {
	hd_arena_kind kind;
	guint64 device, inode, bias; /* of the object; 0 for DEBUG */
	guint64 address, size;
	int fd;
	guint8 *view;	    /* of DATA: what a process has there at first */
	GArray *free;	    /* of range, ascending, none touching another */
	GHashTable *blocks; /* address -> block * */
} arena;

static const guint64 usual_size[] = {
	[HD_ARENA_CODE] = 32 * MIB, [HD_ARENA_DATA] = 16 * MIB, [HD_ARENA_DEBUG] = 256 * MIB};

/* ---- the free list ---- */

static guint64
take(arena *a, guint64 size, guint64 alignment)
{
	for (guint i = 0; i < a->free->len; i++) {
		range *r = &g_array_index(a->free, range, i);
		guint64 start = (r->start + alignment - 1) & ~(alignment - 1);
		if (start < r->start || start > r->end || r->end - start < size)
			continue;
		range before = {r->start, start}, after = {start + size, r->end};
		g_array_remove_index(a->free, i);
		if (after.start < after.end)
			g_array_insert_val(a->free, i, after);
		if (before.start < before.end)
			g_array_insert_val(a->free, i, before);
		return start;
	}
	return 0;
}

static void
give_back(arena *a, guint64 start, guint64 size)
{
	guint i = 0;
	while (i < a->free->len && g_array_index(a->free, range, i).start < start)
		i++;
	range whole = {start, start + size};
	if (i < a->free->len && g_array_index(a->free, range, i).start == whole.end) {
		whole.end = g_array_index(a->free, range, i).end;
		g_array_remove_index(a->free, i);
	}
	if (i > 0 && g_array_index(a->free, range, i - 1).end == whole.start)
		g_array_index(a->free, range, i - 1).end = whole.end;
	else
		g_array_insert_val(a->free, i, whole);
}

static void
free_arena(void *data)
{
	arena *a = data;
	if (a->view)
		munmap(a->view, a->size);
	if (a->fd >= 0)
		close(a->fd);
	g_array_free(a->free, true);
	g_hash_table_destroy(a->blocks);
	g_free(a);
}

void
hd_arenas_free(hd_target *target)
{
	g_clear_pointer(&target->arenas, g_ptr_array_unref);
}

/* ---- mapping ---- */

bool
hd_inject_map(hd_inject *inject, guint64 path, guint64 address, gsize size, int protection, GError **error)
{
	gint64 opened, mapped, closed;
	/* Not open for writing: the program could never make this memory writable, but as its own copy. */
	guint64 open_arguments[6] = {(guint64)AT_FDCWD, path, O_RDONLY | O_CLOEXEC};
	if (!hd_inject_syscall(inject, SYS_openat, open_arguments, &opened, error))
		return false;
	if (opened < 0) {
		hd_error_set_errno(error, HD_ERROR_DENIED, (int)-opened,
				   "the program cannot open the memory that hotdev shares with it");
		return false;
	}
	/* Code is mapped privately: a page that nobody wrote still shows what we store, and a debugger
	 * can write its breakpoints, which a shared mapping refuses (hd_arena_program_address says more). */
	int sharing = protection & PROT_WRITE  ? MAP_PRIVATE | MAP_NORESERVE
		      : protection & PROT_EXEC ? MAP_PRIVATE
					       : MAP_SHARED;
	int flags = MAP_FIXED_NOREPLACE | sharing;
	guint64 map_arguments[6] = {address, size, (guint64)protection, (guint64)flags, (guint64)opened, 0};
	bool good = hd_inject_syscall(inject, SYS_mmap, map_arguments, &mapped, error);
	guint64 close_arguments[6] = {(guint64)opened};
	if (!hd_inject_syscall(inject, SYS_close, close_arguments, &closed, good ? error : NULL))
		good = false;
	if (good && mapped != (gint64)address) {
		hd_error_set_errno(error, HD_ERROR_IO, mapped < 0 ? (int)-mapped : EEXIST,
				   "cannot map %zu bytes in the program at 0x%" G_GINT64_MODIFIER "x", size, address);
		good = false;
	}
	return good;
}

typedef struct {
	hd_target *target;
	arena *arena;
	guint64 low, high; /* of the object */
	hd_stop *stop;
	GError *error;
	bool good;
} mapping;

static guint64
choose_place(const mapping *m, const GArray *maps)
{
	guint64 size = m->arena->size;
	if (m->arena->kind == HD_ARENA_DEBUG) {
		guint64 below = hd_maps_hole(maps, size, m->low > GAP ? m->low - GAP : m->low, LOWEST, HIGHEST, false);
		/* Nothing fits under a program that is linked low. */
		return below ? below : hd_maps_hole(maps, size, HIGHEST / 2, LOWEST, HIGHEST, false);
	}
	guint64 floor = m->high > REACH + LOWEST ? m->high - REACH : LOWEST;
	guint64 ceiling = MIN(m->low + REACH, HIGHEST);
	if (m->high <= REACH)
		return hd_maps_hole(maps, size, REACH, LOWEST, REACH, false);
	guint64 place = hd_maps_hole(maps, size, m->low - GAP, floor, ceiling, false);
	if (!place)
		place = hd_maps_hole(maps, size, m->low, floor, ceiling, false);
	if (!place)
		place = hd_maps_hole(maps, size, MIN(m->high + 1024 * MIB, ceiling - size), floor, ceiling, true);
	return place ? place : hd_maps_hole(maps, size, m->high, floor, ceiling, true);
}

static int
protection_of(const arena *a)
{
	return a->kind == HD_ARENA_CODE	  ? PROT_READ | PROT_EXEC
	       : a->kind == HD_ARENA_DATA ? PROT_READ | PROT_WRITE
					  : PROT_READ;
}

static bool
map_in_thread(mapping *m, hd_thread *thread, guint64 address)
{
	arena *a = m->arena;
	hd_inject inject;
	char *path = (char *)m->target->mark.view + HD_TOKEN;
	g_snprintf(path, HD_PAGE - HD_TOKEN, "/proc/%d/fd/%d", (int)getpid(), a->fd);
	if (!hd_inject_begin(&inject, m->target, thread, &m->error))
		return false;
	bool good = hd_inject_map(&inject, m->target->mark.address + HD_TOKEN, address, a->size, protection_of(a),
				  &m->error);
	return hd_inject_end(&inject, good ? &m->error : NULL) && good;
}

static void
unmap(hd_inject *inject, const arena *a)
{
	gint64 result;
	guint64 arguments[6] = {a->address, a->size};
	hd_inject_syscall(inject, SYS_munmap, arguments, &result, NULL);
}

static void
unmap_in_thread(mapping *m, hd_thread *thread)
{
	hd_inject inject;
	if (!hd_inject_begin(&inject, m->target, thread, NULL))
		return;
	unmap(&inject, m->arena);
	hd_inject_end(&inject, NULL);
}

/* The path goes through the mark's page, which is there already. */
bool
hd_arenas_map_into(hd_inject *inject, GError **error)
{
	const hd_target *target = inject->target;
	char *path = (char *)target->mark.view + HD_TOKEN;
	guint count = target->arenas ? target->arenas->len : 0;
	for (guint i = 0; i < count; i++) {
		const arena *a = g_ptr_array_index(target->arenas, i);
		g_snprintf(path, HD_PAGE - HD_TOKEN, "/proc/%d/fd/%d", (int)getpid(), a->fd);
		if (hd_inject_map(inject, target->mark.address + HD_TOKEN, a->address, a->size, protection_of(a),
				  error))
			continue;
		while (i > 0)
			unmap(inject, g_ptr_array_index(target->arenas, --i));
		return false;
	}
	return true;
}

void
hd_arenas_unmap_from(hd_inject *inject)
{
	const hd_target *target = inject->target;
	for (guint i = 0; target->arenas && i < target->arenas->len; i++)
		unmap(inject, g_ptr_array_index(target->arenas, i));
}

/* Before the program runs: the first thread is ours already. */
static void
map_at_start(mapping *m)
{
	GArray *maps = hd_maps_read(m->target->pid, &m->error);
	if (!maps)
		return;
	hd_thread thread = {.pid = m->target->pid, .tid = m->target->pid, .state = HD_THREAD_STOPPED, .plain = true};
	m->arena->address = choose_place(m, maps);
	g_array_free(maps, true);
	if (!m->arena->address)
		g_set_error(&m->error, HD_ERROR, HD_ERROR_IO, "no room for new code near the program");
	else
		m->good = map_in_thread(m, &thread, m->arena->address);
}

static GArray *
all_maps(hd_stop *stop, GError **error)
{
	GArray *all = g_array_new(false, false, sizeof(hd_map));
	for (guint p = 0; p < stop->processes->len; p++) {
		const hd_process *process = &g_array_index(stop->processes, hd_process, p);
		if (process->gone)
			continue;
		GArray *maps = hd_maps_read(process->reader, error);
		if (!maps) {
			g_array_free(all, true);
			return NULL;
		}
		g_array_append_vals(all, maps->data, maps->len);
		g_array_free(maps, true);
	}
	for (guint i = 0; i < all->len; i++)
		g_array_index(all, hd_map, i).path = NULL; /* freed with its own list: only addresses count here */
	return all;
}

static void
map_everywhere(mapping *m, hd_stop *stop)
{
	GPtrArray *threads = hd_stop_borrowable(stop);
	GArray *maps = threads ? all_maps(stop, &m->error) : NULL;
	if (!threads)
		g_set_error(&m->error, HD_ERROR, HD_ERROR_BUSY,
			    "no thread can make a system call for hotdev right now");
	m->arena->address = maps ? choose_place(m, maps) : 0;
	if (maps && !m->arena->address)
		g_set_error(&m->error, HD_ERROR, HD_ERROR_IO, "no room for new code near the object");
	guint done = 0;
	m->good = m->arena->address != 0;
	while (m->good && done < threads->len) {
		m->good = map_in_thread(m, g_ptr_array_index(threads, done), m->arena->address);
		done += m->good;
	}
	while (!m->good && done > 0)
		unmap_in_thread(m, g_ptr_array_index(threads, --done));
	if (maps)
		g_array_free(maps, true);
	if (threads)
		g_ptr_array_unref(threads);
}

static void
map_stopped(void *data)
{
	mapping *m = data;
	if (hd_stop_attach(m->stop, &m->error) && hd_stop_now(m->stop, &m->error))
		map_everywhere(m, m->stop);
	hd_stop_release(m->stop);
}

/* false: no thread of ours could be had. */
static bool
map_while_running(mapping *m)
{
	m->stop = hd_stop_new(m->target);
	bool ran = hd_tracer_run(map_stopped, m, NULL, &m->error);
	hd_stop_free(m->stop);
	return ran;
}

static arena *
new_arena(hd_target *target, const hd_target_object *object, hd_arena_kind kind, guint64 size, GError **error)
{
	static const char *const names[] = {
		[HD_ARENA_CODE] = "hotdev-code", [HD_ARENA_DATA] = "hotdev-data", [HD_ARENA_DEBUG] = "hotdev-debug"};
	arena *a = g_new0(arena, 1);
	a->kind = kind;
	a->fd = -1;
	a->size = (MAX(size, usual_size[kind]) + MIB - 1) & ~(MIB - 1);
	a->free = g_array_new(false, false, sizeof(range));
	a->blocks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	if (kind != HD_ARENA_DEBUG) {
		a->device = object->device;
		a->inode = object->inode;
		a->bias = object->bias;
	}
	if ((a->fd = hd_shared_memory(names[kind], a->size, &a->view, error)) < 0) {
		free_arena(a);
		return NULL;
	}
	mapping m = {.target = target, .arena = a, .low = target->main & ~(MIB - 1), .high = target->main};
	if (object) {
		m.low = object->low;
		m.high = object->high;
	}
	if (hd_fault("target.map"))
		g_set_error(&m.error, HD_ERROR, HD_ERROR_IO, "mapping was made to fail");
	else if (!target->running)
		map_at_start(&m);
	/* A thread that is about to take a signal cannot be borrowed: in a moment it can. */
	for (int attempt = 0; target->running && !m.good && attempt < 50; attempt++) {
		if (m.error && m.error->code != HD_ERROR_BUSY)
			break;
		g_clear_error(&m.error);
		if (attempt > 0)
			g_usleep(2000);
		if (!map_while_running(&m))
			break;
	}
	if (!m.good) {
		g_propagate_error(error, m.error);
		free_arena(a);
		return NULL;
	}
	range whole = {a->address, a->address + a->size};
	g_array_append_val(a->free, whole);
	g_ptr_array_add(target->arenas, a);
	return a;
}

/* ---- giving out ---- */

static bool
give_out(const hd_target *target, arena *a, guint64 size, guint64 alignment, guint64 *address, guint8 **view)
{
	guint64 place = take(a, size, alignment);
	if (!place)
		return false;
	block *b = g_new0(block, 1);
	b->size = size;
	b->serial = target->commits;
	g_hash_table_insert(a->blocks, g_memdup2(&place, sizeof place), b);
	*address = place;
	if (view)
		*view = a->kind != HD_ARENA_DATA ? a->view + (place - a->address) : NULL;
	return true;
}

bool
hd_target_arena(hd_target *target, const hd_target_object *object, hd_arena_kind kind, gsize size, gsize alignment,
		guint64 *address, guint8 **view, GError **error)
{
	size = MAX(size, 1);
	alignment = MAX(alignment, 1);
	if (!target->arenas)
		target->arenas = g_ptr_array_new_with_free_func(free_arena);
	for (guint i = 0; i < target->arenas->len; i++) {
		arena *a = g_ptr_array_index(target->arenas, i);
		bool same = kind == HD_ARENA_DEBUG ||
			    (a->device == object->device && a->inode == object->inode && a->bias == object->bias);
		if (a->kind == kind && same && give_out(target, a, size, alignment, address, view))
			return true;
	}
	arena *a = new_arena(target, object, kind, size + alignment, error);
	return a && give_out(target, a, size, alignment, address, view);
}

void
hd_target_arena_free(hd_target *target, guint64 address)
{
	for (guint i = 0; target->arenas && i < target->arenas->len; i++) {
		arena *a = g_ptr_array_index(target->arenas, i);
		const block *b = g_hash_table_lookup(a->blocks, &address);
		if (!b)
			continue;
		/* Data promises zeroes; what a commit may have written is not given out again. */
		if (a->kind != HD_ARENA_DATA || b->serial == target->commits)
			give_back(a, address, b->size);
		g_hash_table_remove(a->blocks, &address);
		return;
	}
}

void
hd_arena_remember(hd_target *target, guint64 address, const guint8 *bytes, const guint8 *expect, gsize size)
{
	for (guint i = 0; target->arenas && i < target->arenas->len; i++) {
		arena *a = g_ptr_array_index(target->arenas, i);
		if (a->kind != HD_ARENA_DATA || address < a->address || address - a->address > a->size - size)
			continue;
		guint8 *first = a->view + (address - a->address);
		if (!expect || memcmp(first, expect, size) == 0)
			memcpy(first, bytes, size);
		return;
	}
}

guint64
hd_arena_program_address(const hd_target *target, const guint8 *view)
{
	for (guint i = 0; target->arenas && i < target->arenas->len; i++) {
		const arena *a = g_ptr_array_index(target->arenas, i);
		if (a->view && view >= a->view && view < a->view + a->size)
			return a->address + (guint64)(view - a->view);
	}
	return 0;
}

bool
hd_arena_has_code(const hd_target *target, guint64 address)
{
	for (guint i = 0; target->arenas && i < target->arenas->len; i++) {
		const arena *a = g_ptr_array_index(target->arenas, i);
		if (a->kind == HD_ARENA_CODE && address >= a->address && address - a->address < a->size)
			return true;
	}
	return false;
}
