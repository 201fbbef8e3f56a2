/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread's registers and stack at one instant. Taken while it is stopped and
 * looked at later, so that the stop is short. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define LOOK_AFTER (10 * G_GINT64_CONSTANT(1000000))
#define GIVE_UP_AFTER (2000 * G_GINT64_CONSTANT(1000000))

/* glibc and musl put a thread's control block (fs_base) at the top of the stack that it was created with; the first
 * thread's stack ends where the kernel made it end. */
static bool
below(guint64 address, guint64 top)
{
	return address < top && top - address < HD_STACK_LIMIT;
}

hd_stack_range
hd_stack_current(const hd_target *target, const struct user_regs_struct *regs)
{
	hd_stack_range range = {(regs->rsp - HD_RED_ZONE) & ~G_GUINT64_CONSTANT(7), regs->rsp + HD_STACK_LIMIT};
	if (below(regs->rsp, target->stack_end))
		range.limit = target->stack_end;
	else if (below(regs->rsp, regs->fs_base))
		range.limit = regs->fs_base;
	return range;
}

bool
hd_stack_other(const hd_target *target, const hd_thread *thread, const guint64 *words, gsize count,
	       hd_stack_range *range)
{
	const struct user_regs_struct *regs = &thread->regs;
	if (thread->state != HD_THREAD_STOPPED || below(regs->rsp, target->stack_end) ||
	    below(regs->rsp, regs->fs_base))
		return false;
	guint64 top = thread->tid == thread->pid ? target->stack_end : regs->fs_base, lowest = top;
	for (gsize i = 0; i < count; i++)
		if (words[i] < lowest && below(words[i], top))
			lowest = words[i];
	*range = (hd_stack_range){(lowest - HD_RED_ZONE) & ~G_GUINT64_CONSTANT(7), top};
	return lowest < top;
}

/* Conservative: any word that looks like a return address counts. */
static bool
stack_has(const hd_target *target, const hd_thread *thread, hd_word_test *test, const void *data)
{
	hd_stack_range range = hd_stack_current(target, &thread->regs);
	gsize room = (gsize)(range.limit - range.start);
	bool found = false;
	for (int which = 0; which < 2 && !found; which++) {
		guint64 *words = g_malloc(room);
		gsize count = hd_memory_read_some(thread->tid, range.start, words, room) / sizeof(guint64);
		for (gsize i = HD_RED_ZONE / sizeof(guint64); i < count && !found; i++)
			found = test(words[i], data);
		bool more = which == 0 && hd_stack_other(target, thread, words, count, &range);
		room = (gsize)(range.limit - range.start);
		g_free(words);
		if (!more)
			break;
	}
	return found;
}

typedef struct {
	hd_word_run *run;
	void *data;
} word_visit;

static bool
visit_word(guint64 word, const void *data)
{
	const word_visit *visit = data;
	visit->run(word, visit->data);
	return false;
}

void
hd_stack_words(const hd_target *target, const hd_thread *thread, hd_word_run *run, void *data)
{
	word_visit visit = {run, data};
	stack_has(target, thread, visit_word, &visit);
}

static void
copy_stack(hd_stack_copy *copy, pid_t tid, const hd_stack_range *range)
{
	gsize size = (gsize)MIN(range->limit - range->start, HD_SAMPLE_STACK);
	copy->start = range->start;
	copy->bytes = g_malloc(size);
	copy->size = hd_memory_read_some(tid, range->start, copy->bytes, size);
}

hd_sample *
hd_sample_take(const hd_target *target, const hd_thread *thread)
{
	hd_sample *sample = g_new0(hd_sample, 1);
	sample->pid = thread->pid;
	sample->tid = thread->tid;
	sample->regs = thread->regs;
	sample->registers = thread->state == HD_THREAD_STOPPED;
	hd_stack_range range = hd_stack_current(target, &thread->regs);
	hd_stack_copy *copy = &sample->stack[0];
	copy_stack(copy, thread->tid, &range);
	if (hd_stack_other(target, thread, (const guint64 *)copy->bytes, copy->size / sizeof(guint64), &range))
		copy_stack(&sample->stack[1], thread->tid, &range);
	return sample;
}

/* A word that only looks like a return address, left by a call long over, must not be in the way for ever: where the
 * whole stack can be unwound, its frames count. */
static bool
frames_have(hd_target *target, const hd_thread *thread, hd_word_test *test, const void *data)
{
	bool complete;
	hd_sample *sample = hd_sample_take(target, thread);
	GArray *frames = hd_target_unwind(target, sample, &complete);
	bool found = !complete;
	for (guint i = 0; i < frames->len && !found; i++)
		found = test(g_array_index(frames, hd_frame, i).pc + (i > 0), data); /* where it returns */
	g_array_unref(frames);
	hd_sample_free(sample);
	return found;
}

bool
hd_thread_is_inside(hd_target *target, const hd_thread *thread, hd_word_test *test, const void *data)
{
	return stack_has(target, thread, test, data) && frames_have(target, thread, test, data);
}

void
hd_sample_name_all(GPtrArray *samples)
{
	for (guint i = 0; i < samples->len; i++) {
		hd_sample *sample = g_ptr_array_index(samples, i);
		char *name = hd_process_name(sample->tid);
		g_strlcpy(sample->name, name, sizeof sample->name);
		g_free(name);
	}
}

void
hd_sample_free(hd_sample *sample)
{
	if (!sample)
		return;
	g_free(sample->stack[0].bytes);
	g_free(sample->stack[1].bytes);
	g_free(sample);
}

pid_t
hd_sample_pid(const hd_sample *sample)
{
	return sample->pid;
}

pid_t
hd_sample_tid(const hd_sample *sample)
{
	return sample->tid;
}

const char *
hd_sample_name(const hd_sample *sample)
{
	return sample->name;
}

/* ---- sampling without a commit ---- */

typedef struct {
	hd_target *target;
	const GArray *tids;
	GPtrArray *samples;
	GError *error;
} sampling;

/* One thread at a time, each let go before the next: no thread waits for another. */
static void
sample_thread(sampling *s, pid_t pid, pid_t tid)
{
	int status;
	hd_thread thread = {.pid = pid, .tid = tid};
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
		return;
	gint64 asked = hd_now_ns();
	if (!hd_wait_stop(tid, asked + LOOK_AFTER, &status)) {
		/* What sleeps in the kernel is let go when the tracer ends; what only waits for a processor stops. */
		if (hd_thread_look_inside(&thread))
			g_ptr_array_add(s->samples, hd_sample_take(s->target, &thread));
		if (thread.state == HD_THREAD_INSIDE || !hd_wait_stop(tid, asked + GIVE_UP_AFTER, &status))
			return;
	}
	thread.state = HD_THREAD_STOPPED;
	thread.signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
	thread.plain = status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
	if (ptrace(PTRACE_GETREGS, tid, 0, &thread.regs) == 0) {
		g_ptr_array_add(s->samples, hd_sample_take(s->target, &thread));
		hd_thread_hide_interrupt(&thread);
	}
	if (thread.changed)
		ptrace(PTRACE_SETREGS, tid, 0, &thread.regs);
	ptrace(PTRACE_DETACH, tid, 0, thread.signal);
}

static bool
wanted(const sampling *s, pid_t tid)
{
	for (guint i = 0; s->tids && i < s->tids->len; i++)
		if (g_array_index(s->tids, pid_t, i) == tid)
			return true;
	return s->tids == NULL;
}

static void
sample_work(void *data)
{
	sampling *s = data;
	GArray *pids = hd_process_find(s->target, &s->error);
	GArray *tids = g_array_new(false, false, sizeof(pid_t));
	for (guint p = 0; pids && p < pids->len; p++) {
		pid_t pid = g_array_index(pids, pid_t, p);
		hd_process_threads(pid, tids);
		for (guint t = 0; t < tids->len; t++)
			if (wanted(s, g_array_index(tids, pid_t, t)))
				sample_thread(s, pid, g_array_index(tids, pid_t, t));
	}
	g_array_free(tids, true);
	if (pids)
		g_array_free(pids, true);
}

GPtrArray *
hd_target_sample(hd_target *target, const GArray *tids, GError **error)
{
	sampling s = {.target = target, .tids = tids};
	s.samples = g_ptr_array_new_with_free_func((GDestroyNotify)hd_sample_free);
	if (hd_fault("target.sample") || !hd_tracer_run(sample_work, &s, NULL, &s.error) || s.error) {
		if (!s.error)
			g_set_error(&s.error, HD_ERROR, HD_ERROR_IO, "sampling was made to fail");
		g_propagate_error(error, s.error);
		g_ptr_array_unref(s.samples);
		return NULL;
	}
	hd_sample_name_all(s.samples);
	return s.samples;
}
