/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leads into a range of code: a register, or a word in memory, plain or as
 * glibc's setjmp keeps it. Every thread of every process stands still for the
 * look: a word that moved meanwhile could be missed. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* As much is looked through in one stop, which then takes some 40 ms. */
#define MOST_BYTES (64 * 1024 * 1024)
#define CHUNK (256 * 1024)

typedef struct {
	hd_target *target;
	hd_stop *stop;
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

static void
look_at_words(const look *l, const guint64 *words, gsize count, pid_t pid, guint64 at, guint64 guard)
{
	for (gsize i = 0; i < count; i++) {
		guint64 plain = words[i], kept = hd_unmangle(words[i], guard);
		if (G_UNLIKELY(plain - l->low < l->span))
			mark(l, plain, pid, at + i * sizeof plain);
		if (G_UNLIKELY(kept - l->low < l->span))
			mark(l, kept, pid, at + i * sizeof plain);
	}
}

/* ---- memory ---- */

typedef struct {
	look *l;
	pid_t pid, reader;
	guint64 guard;
	hd_pages *pages;
} process_look;

static void
count_run(guint64 start, gsize size, void *data)
{
	(void)start;
	((process_look *)data)->l->bytes += size;
}

static void
read_run(guint64 start, gsize size, void *data)
{
	const process_look *p = data;
	while (size > 0) {
		gsize part = MIN(size, CHUNK);
		gsize got = hd_memory_read_some(p->reader, start, p->l->chunk, part);
		look_at_words(p->l, (const guint64 *)(void *)p->l->chunk, got / sizeof(guint64), p->pid, start,
			      p->guard);
		start += part;
		size -= part;
	}
}

/* ---- the stop ---- */

static void
process_look_free(gpointer data)
{
	process_look *p = data;
	hd_pages_free(p->pages);
	g_free(p);
}

static process_look *
process_look_new(look *l, const hd_stop *stop, const hd_process *process)
{
	hd_pages *pages = hd_pages_new(process->reader, &l->error);
	if (!pages)
		return NULL;
	process_look *p = g_new0(process_look, 1);
	*p = (process_look){l, process->pid, process->reader, hd_pointer_guard(stop, process), pages};
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
		process_look *p = process->gone ? NULL : process_look_new(l, stop, process);
		if (!p)
			continue;
		g_ptr_array_add(processes, p);
		hd_pages_each(p->pages, count_run, p);
	}
	if (!l->error && l->bytes > MOST_BYTES)
		g_set_error(&l->error, HD_ERROR, HD_ERROR_BUSY,
			    "%zu MiB of the program's memory are too much to be looked through in one pause",
			    l->bytes >> 20);
	for (guint i = 0; i < processes->len && !l->error; i++)
		hd_pages_each(((process_look *)g_ptr_array_index(processes, i))->pages, read_run,
			      g_ptr_array_index(processes, i));
	for (guint i = 0; i < stop->threads->len && !l->error; i++)
		if (g_array_index(stop->threads, hd_thread, i).state == HD_THREAD_STOPPED)
			look_at_registers(l, &g_array_index(stop->threads, hd_thread, i));
	g_ptr_array_unref(processes);
}

static void
look_stopped(void *data)
{
	look *l = data;
	if (hd_stop_attach(l->stop, &l->error) && hd_stop_now(l->stop, &l->error) && all_are_seen(l, l->stop))
		look_at_program(l, l->stop);
	hd_stop_release(l->stop);
}

static void
look_at_all(look *l)
{
	l->stop = hd_stop_new(l->target);
	gint64 ended;
	if (hd_tracer_run(look_stopped, l, &ended, &l->error) && l->stop->began)
		l->pause_ns = ended - l->stop->began;
	hd_stop_free(l->stop);
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
		look_at_all(&l);
	g_free(l.chunk);
	*pause_ns = l.pause_ns;
	if (!l.error)
		return true;
	g_propagate_error(error, l.error);
	return false;
}
