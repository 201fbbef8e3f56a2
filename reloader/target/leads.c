/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leads into a range of code: a register, or a word in memory, plain or as
 * glibc's setjmp keeps it. Every thread of every process stands still for the
 * look: a word that moved meanwhile could be missed. Only pages that hold
 * something of the process' own are read (proc(5), /proc/pid/pagemap). */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

/* As much is looked through in one stop, which then takes some 40 ms. */
#define MOST_BYTES (64 * 1024 * 1024)
#define CHUNK (256 * 1024)

typedef struct {
	hd_target *target;
	GArray *leads; /* of hd_lead */
	guint64 low, span;
	guint8 *chunk;
	gsize bytes; /* to be read, then read */
	gint64 pause_ns;
	GError *error;
} look;

/* ---- words ---- */

static void
mark(const look *l, guint64 word, pid_t pid, guint64 at)
{
	for (guint i = 0; i < l->leads->len; i++) {
		hd_lead *lead = &g_array_index(l->leads, hd_lead, i);
		if (word >= lead->start && word < lead->end && !lead->found) {
			lead->found = true;
			lead->pid = pid;
			lead->at = at;
		}
	}
}

/* glibc, sysdeps/unix/sysv/linux/x86_64/pointer_guard.h (PTR_DEMANGLE): rotated right by 17, xored with the guard. */
static guint64
unmangle(guint64 word, guint64 guard)
{
	return (word >> 17 | word << 47) ^ guard;
}

static void
look_at_words(const look *l, const guint64 *words, gsize count, pid_t pid, guint64 at, guint64 guard)
{
	for (gsize i = 0; i < count; i++) {
		guint64 plain = words[i], kept = unmangle(words[i], guard);
		if (G_UNLIKELY(plain - l->low < l->span))
			mark(l, plain, pid, at + i * sizeof plain);
		if (G_UNLIKELY(kept - l->low < l->span))
			mark(l, kept, pid, at + i * sizeof plain);
	}
}

/* ---- memory ---- */

typedef struct {
	pid_t pid, reader;
	int pagemap;
	guint64 guard;
	GArray *maps;
} process_look;

/* Pages that may hold an address: those of the process' own, and what it shares and writes. */
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

typedef void each_run(look *l, const process_look *p, guint64 start, gsize size);

static void
count_run(look *l, const process_look *p, guint64 start, gsize size)
{
	(void)p;
	(void)start;
	l->bytes += size;
}

static void
read_run(look *l, const process_look *p, guint64 start, gsize size)
{
	while (size > 0) {
		gsize part = MIN(size, CHUNK);
		gsize got = hd_memory_read_some(p->reader, start, l->chunk, part);
		look_at_words(l, (const guint64 *)(void *)l->chunk, got / sizeof(guint64), p->pid, start, p->guard);
		start += part;
		size -= part;
	}
}

/* Runs of pages that are to be read. What lies below a stack pointer counts, too: a context that is suspended may. */
static void
for_each_run(look *l, const process_look *p, const hd_map *map, each_run *each)
{
	guint64 entries[512], run = map->start, page = map->start;
	while (page < map->end) {
		gsize count = MIN(G_N_ELEMENTS(entries), (map->end - page) / HD_PAGE);
		ssize_t got = pread(p->pagemap, entries, count * sizeof entries[0],
				    (off_t)(page / HD_PAGE * sizeof entries[0]));
		if (got <= 0) { /* not told: all of it */
			each(l, p, run, map->end - run);
			return;
		}
		for (gsize i = 0; i < (gsize)got / sizeof entries[0]; i++, page += HD_PAGE) {
			if (is_own_page(entries[i], map->shared))
				continue;
			if (page > run)
				each(l, p, run, page - run);
			run = page + HD_PAGE;
		}
	}
	if (map->end > run)
		each(l, p, run, map->end - run);
}

static void
for_each_map(look *l, const process_look *p, each_run *each)
{
	for (guint i = 0; i < p->maps->len; i++) {
		const hd_map *map = &g_array_index(p->maps, hd_map, i);
		if (is_looked_at(map))
			for_each_run(l, p, map, each);
	}
}

/* ---- the stop ---- */

static void
process_look_free(gpointer data)
{
	process_look *p = data;
	if (p->pagemap >= 0)
		close(p->pagemap);
	g_array_free(p->maps, true);
	g_free(p);
}

/* tcbhead_t of glibc (sysdeps/x86_64/nptl/tls.h): pointer_guard at 0x30. Another C library has something else there,
 * with which nothing is found. */
static guint64
guard_of(const hd_stop *stop, const hd_process *process)
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

static process_look *
process_look_new(const hd_stop *stop, const hd_process *process, GError **error)
{
	char name[64];
	GArray *maps = hd_maps_read(process->reader, error);
	if (!maps)
		return NULL;
	process_look *p = g_new0(process_look, 1);
	*p = (process_look){process->pid, process->reader, -1, guard_of(stop, process), maps};
	g_snprintf(name, sizeof name, "/proc/%d/pagemap", (int)process->reader);
	p->pagemap = open(name, O_RDONLY | O_CLOEXEC);
	return p;
}

/* The general ones, and those that a copy goes through. */
static void
look_at_registers(const look *l, const hd_thread *thread)
{
	guint64 words[sizeof thread->regs / sizeof(guint64)];
	memcpy(words, &thread->regs, sizeof words);
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (words[i] - l->low < l->span)
			mark(l, words[i], thread->pid, 0);
	struct iovec state = {l->chunk, CHUNK};
	if (ptrace(PTRACE_GETREGSET, thread->tid, NT_X86_XSTATE, &state) < 0)
		return;
	const guint64 *extended = (const guint64 *)(void *)l->chunk;
	for (gsize i = 0; i < state.iov_len / sizeof(guint64); i++)
		if (extended[i] - l->low < l->span)
			mark(l, extended[i], thread->pid, 0);
}

/* A thread that sleeps where it cannot be stopped keeps its registers to itself. */
static bool
all_are_seen(look *l, const hd_stop *stop)
{
	for (guint i = 0; i < stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(stop->threads, hd_thread, i);
		if (thread->state == HD_THREAD_INSIDE) {
			g_set_error(&l->error, HD_ERROR, HD_ERROR_BUSY, "thread %d cannot be stopped now",
				    (int)thread->tid);
			return false;
		}
	}
	return true;
}

static void
look_at_program(look *l, hd_stop *stop)
{
	GPtrArray *processes = g_ptr_array_new_with_free_func(process_look_free);
	for (guint i = 0; i < stop->processes->len && !l->error; i++) {
		const hd_process *process = &g_array_index(stop->processes, hd_process, i);
		process_look *p = process->gone ? NULL : process_look_new(stop, process, &l->error);
		if (!p)
			continue;
		g_ptr_array_add(processes, p);
		for_each_map(l, p, count_run);
	}
	if (!l->error && l->bytes > MOST_BYTES)
		g_set_error(&l->error, HD_ERROR, HD_ERROR_BUSY,
			    "%zu MiB of the program's memory are too much to be looked through in one pause",
			    l->bytes >> 20);
	for (guint i = 0; i < processes->len && !l->error; i++)
		for_each_map(l, g_ptr_array_index(processes, i), read_run);
	for (guint i = 0; i < stop->threads->len && !l->error; i++)
		if (g_array_index(stop->threads, hd_thread, i).state == HD_THREAD_STOPPED)
			look_at_registers(l, &g_array_index(stop->threads, hd_thread, i));
	g_ptr_array_unref(processes);
}

static void
look_stopped(void *data)
{
	look *l = data;
	hd_stop *stop = hd_stop_new(l->target);
	if (hd_stop_attach(stop, &l->error) && hd_stop_now(stop, &l->error) && all_are_seen(l, stop))
		look_at_program(l, stop);
	hd_stop_release(stop);
	l->pause_ns = stop->ended - stop->began;
	hd_stop_free(stop);
}

bool
hd_target_look_for_leads(hd_target *target, GArray *leads, gint64 *pause_ns, GError **error)
{
	look l = {.target = target, .leads = leads, .low = G_MAXUINT64};
	guint64 high = 0;
	for (guint i = 0; i < leads->len; i++) {
		hd_lead *lead = &g_array_index(leads, hd_lead, i);
		lead->found = false;
		l.low = MIN(l.low, lead->start);
		high = MAX(high, lead->end);
	}
	*pause_ns = 0;
	if (leads->len == 0)
		return true;
	l.span = high - l.low;
	l.chunk = g_malloc(CHUNK);
	if (hd_fault("target.leads"))
		g_set_error(&l.error, HD_ERROR, HD_ERROR_IO, "looking through the program's memory was made to fail");
	else
		hd_tracer_run(look_stopped, &l, &l.error);
	g_free(l.chunk);
	*pause_ns = l.pause_ns;
	if (!l.error)
		return true;
	g_propagate_error(error, l.error);
	return false;
}
