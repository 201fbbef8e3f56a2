/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process of the program while all of it stands still: what it has, and
 * memory that it is given by its own allocator.
 *
 * For that one of its threads makes a call. It has a stack of its own for it,
 * in memory that is mapped for the time of the call and holds the sizes, too;
 * what the thread had, it has again afterwards (inject.c). The call cannot
 * wait for a lock for ever: nobody is inside the allocator, and where it begins
 * to wait all the same, it is taken back. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define STACK ((gsize)256 * 1024)

pid_t
hd_stopped_pid(const hd_stopped *process)
{
	return process->pid;
}

bool
hd_stopped_read(const hd_stopped *process, guint64 address, void *out, gsize size)
{
	return hd_windows_read(process->windows, address, out, size);
}

/* ---- the heap ---- */

static bool
rests(const hd_stopped *process)
{
	hd_asked *asked = process->asked;
	const hd_allocator *allocator = process->stop->target->allocator;
	if (asked->rest == HD_REST_UNKNOWN)
		asked->rest = hd_allocator_rests(allocator, process->stop, process->process) ? HD_RESTS : HD_RESTLESS;
	return asked->rest == HD_RESTS;
}

const hd_heap *
hd_stopped_heap(const hd_stopped *process)
{
	hd_asked *asked = process->asked;
	const hd_allocator *allocator = process->stop->target->allocator;
	if (!allocator || !allocator->glibc || !rests(process))
		return NULL;
	if (!asked->heap) {
		asked->heap = hd_heap_read(allocator, process->reader);
		if (hd_heap_is_locked(asked->heap))
			asked->rest = HD_RESTLESS;
	}
	return asked->rest == HD_RESTS ? asked->heap : NULL;
}

bool
hd_stopped_block(const hd_stopped *process, guint64 address, guint64 *start, gsize *size)
{
	const hd_heap *heap = hd_stopped_heap(process);
	if (!heap || !hd_heap_block(heap, address, start, size))
		return false;
	*size = hd_early_asked(process->stop->target, *start, *size);
	return address - *start < *size;
}

bool
hd_stopped_is_heap(const hd_stopped *process, guint64 address)
{
	const hd_heap *heap = hd_stopped_heap(process);
	return heap && hd_heap_has(heap, address);
}

bool
hd_stopped_is_early(const hd_stopped *process, guint64 start, gsize size)
{
	return hd_early_has(process->stop->target, process->reader, start, size);
}

void
hd_stopped_stack_words(const hd_stopped *process, hd_word_run *run, void *data)
{
	for (guint i = 0; i < process->stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(process->stop->threads, hd_thread, i);
		const guint64 *registers = (const guint64 *)(const void *)&thread->regs;
		if (thread->pid != process->pid || thread->state == HD_THREAD_GONE)
			continue;
		for (gsize n = 0; n < sizeof thread->regs / sizeof *registers; n++)
			run(registers[n], data);
		hd_stack_words(process->stop->target, thread, run, data);
	}
}

/* What comes after a guess has no registers. */
static void
run_frames(const hd_stopped *process, const hd_thread *thread, hd_frame_run *run, void *data)
{
	hd_target *target = process->stop->target;
	bool complete;
	hd_sample *sample = hd_sample_take(target, thread);
	GArray *frames = hd_target_unwind(target, sample, &complete);
	for (guint i = 0; i < frames->len; i++)
		if (g_array_index(frames, hd_frame, i).known)
			run(&g_array_index(frames, hd_frame, i), data);
	g_array_unref(frames);
	hd_sample_free(sample);
}

void
hd_stopped_frames(const hd_stopped *process, hd_frame_run *run, void *data)
{
	for (guint i = 0; i < process->stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(process->stop->threads, hd_thread, i);
		if (thread->pid == process->pid && thread->state == HD_THREAD_STOPPED)
			run_frames(process, thread, run, data);
	}
}

static void
run_words(const hd_stopped *process, const hd_map *map, hd_word_run *run, void *data)
{
	gsize size = map->end - map->start;
	guint64 *words = g_malloc(size);
	gsize count = hd_memory_read_some(process->reader, map->start, words, size) / sizeof *words;
	for (gsize i = 0; i < count; i++)
		run(words[i], data);
	g_free(words);
}

/* Not an arena: to look at its pages would make them. */
static bool
is_library_data(const hd_map *map, const hd_map *program)
{
	return map->inode && map->writable && !map->shared && !g_str_has_prefix(map->path, "/memfd:hotdev") &&
	       !(program && map->inode == program->inode);
}

void
hd_stopped_library_words(const hd_stopped *process, hd_word_run *run, void *data)
{
	const hd_target *target = process->stop->target;
	GArray *maps = hd_maps_read(process->reader, NULL);
	const hd_map *program = maps ? hd_maps_find(maps, target->main) : NULL;
	for (guint i = 0; maps && i < maps->len; i++) {
		const hd_map *map = &g_array_index(maps, hd_map, i);
		if (is_library_data(map, program))
			run_words(process, map, run, data);
	}
	if (maps)
		g_array_free(maps, true);
}

void
hd_stopped_blocks(const hd_stopped *process, hd_block_run *run, void *data)
{
	const hd_heap *heap = hd_stopped_heap(process);
	if (heap)
		hd_heap_each(heap, run, data);
}

bool
hd_stopped_heap_is_known(const hd_stopped *process)
{
	const hd_heap *heap = hd_stopped_heap(process);
	return heap && hd_heap_is_known(heap);
}

/* ---- calls of the agent's functions ---- */

/* Best is one in a system call: it is in no restartable sequence (rseq(2)), which a detour would cut short. */
static hd_thread *
borrowable(const hd_stop *stop, const hd_process *process)
{
	hd_thread *found = NULL;
	for (guint i = 0; i < stop->threads->len; i++) {
		hd_thread *thread = &g_array_index(stop->threads, hd_thread, i);
		if (thread->pid != process->pid || thread->state != HD_THREAD_STOPPED || !thread->plain)
			continue;
		if (hd_thread_call(thread) >= 0)
			return thread;
		if (!found)
			found = thread;
	}
	return found;
}

typedef struct {
	hd_inject inject;
	const hd_process *process;
	guint64 function;
	guint64 *words; /* what it is called with, and what it leaves there */
	guint count;
	guint64 result;
} agent_call;

static bool
call_with(agent_call *call, guint64 room, GError **error)
{
	gsize size = call->count * sizeof *call->words;
	call->inject.stack = room + STACK;
	if (!hd_memory_write(call->process->memory, room + STACK, call->words, size)) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot write what is to be allocated");
		return false;
	}
	if (!hd_inject_call(&call->inject, call->function, call->count, room + STACK, &call->result, error))
		return false;
	if (hd_memory_read(call->process->reader, room + STACK, call->words, size))
		return true;
	hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot read what was allocated");
	return false;
}

static bool
call_in_room(agent_call *call, GError **error)
{
	gsize size = (STACK + call->count * sizeof *call->words + HD_PAGE - 1) & ~(gsize)(HD_PAGE - 1);
	guint64 map[6] = {0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (guint64)-1, 0};
	gint64 room, unmapped;
	if (!hd_inject_syscall(&call->inject, SYS_mmap, map, &room, error))
		return false;
	if (room < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, (int)-room, "cannot map %zu bytes in the program", size);
		return false;
	}
	bool good = call_with(call, (guint64)room, error);
	guint64 unmap[6] = {(guint64)room, size};
	if (call->inject.thread->state != HD_THREAD_GONE)
		hd_inject_syscall(&call->inject, SYS_munmap, unmap, &unmapped, NULL);
	return good;
}

static bool
call_agent(agent_call *call, hd_stop *stop, GError **error)
{
	hd_thread *thread = borrowable(stop, call->process);
	if (!thread) {
		g_set_error(error, HD_ERROR, HD_ERROR_BUSY, "no thread of process %d can make a call for hotdev now",
			    (int)call->process->pid);
		return false;
	}
	if (!hd_inject_begin(&call->inject, stop->target, thread, error))
		return false;
	bool good = call_in_room(call, error);
	return hd_inject_end(&call->inject, good ? error : NULL) && good;
}

/* ---- allocation ---- */

/* What can be said before it is tried; NULL: nothing speaks against it. */
static const char *
obstacle(const hd_stopped *process)
{
	const hd_target *target = process->stop->target;
	if (!process->process->agent || !target->agent_allocate || !target->allocator)
		return "hotdev cannot call the program's malloc";
	if (target->allocator->own)
		return "the program brings a malloc of its own";
	if (!rests(process))
		return "a thread is inside the program's malloc";
	if (target->allocator->glibc && !hd_stopped_heap_is_known(process))
		return "the data of the program's malloc are not what they should be";
	return NULL;
}

bool
hd_stopped_allocate(const hd_stopped *process, const gsize *sizes, guint count, guint64 *addresses, char **why)
{
	if (count == 0)
		return true;
	const char *no = obstacle(process);
	if (no) {
		*why = g_strdup(no);
		return false;
	}
	hd_asked *asked = process->asked;
	GError *error = NULL;
	agent_call call = {.process = process->process,
			   .function = process->stop->target->agent_allocate,
			   .words = g_new(guint64, count),
			   .count = count};
	for (guint i = 0; i < count; i++)
		call.words[i] = sizes[i];
	bool good = !hd_fault("target.allocate") && call_agent(&call, process->stop, &error);
	good = good && call.result == count;
	g_clear_pointer(&asked->heap, hd_heap_free);
	hd_windows_forget(process->windows);
	if (good) {
		g_array_append_vals(asked->blocks, call.words, count);
		memcpy(addresses, call.words, count * sizeof *addresses);
	} else
		*why = g_strdup(error ? error->message : "the program's malloc has no memory");
	if (error && error->code == HD_ERROR_BUSY)
		asked->rest = HD_RESTLESS;
	g_clear_error(&error);
	g_free(call.words);
	return good;
}

void
hd_stopped_give_back(hd_stop *stop, const hd_process *process, GArray *blocks)
{
	agent_call call = {.process = process,
			   .function = stop->target->agent_free,
			   .words = (guint64 *)(void *)blocks->data,
			   .count = blocks->len};
	if (blocks->len && !process->gone)
		call_agent(&call, stop, NULL);
	g_array_set_size(blocks, 0);
}
