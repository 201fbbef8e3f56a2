/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a commit consists of, and making it.
 *
 * Order: everything that can fail without the program noticing comes before
 * the first write: attach, touch the code pages (their copy on write costs
 * ten times the write), stop, exclusions, read every range in every process.
 * Then write; old bytes are known, so a failing write is undone everywhere.
 *
 * Should we die between two writes, the kernel lets the threads go with what
 * is written by then. So shared code comes first and data next, which nothing
 * refers to yet, and what lies in the program's code (the redirects) last. What
 * remains: if we die between two redirects, some functions are new and some
 * old; and a changed initialiser, or an object's new shape, may be in force
 * before the code that goes with it. Each function is whole in any case. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_STEPS 64
#define BATCH 256 /* ranges read at once, of IOV_MAX at most */
#define MILLISECOND G_GINT64_CONSTANT(1000000)

/* ---- the list of what to do ---- */

static void
clear_write(void *data)
{
	hd_write *write = data;
	g_bytes_unref(write->bytes);
	g_clear_pointer(&write->expect, g_bytes_unref);
}

static void
clear_store(void *data)
{
	g_bytes_unref(((hd_store *)data)->bytes);
}

hd_commit *
hd_commit_new(void)
{
	hd_commit *commit = g_new0(hd_commit, 1);
	commit->writes = g_array_new(false, false, sizeof(hd_write));
	g_array_set_clear_func(commit->writes, clear_write);
	commit->exclusions = g_array_new(false, false, sizeof(hd_exclusion));
	commit->stores = g_array_new(false, false, sizeof(hd_store));
	g_array_set_clear_func(commit->stores, clear_store);
	commit->jit_added = g_array_new(false, false, sizeof(hd_jit_added));
	commit->jit_gone = g_array_new(false, false, sizeof(guint64));
	return commit;
}

void
hd_commit_free(hd_commit *commit)
{
	if (!commit)
		return;
	g_array_free(commit->writes, true);
	g_array_free(commit->exclusions, true);
	g_array_free(commit->stores, true);
	g_array_free(commit->jit_added, true);
	g_array_free(commit->jit_gone, true);
	g_free(commit);
}

guint
hd_commit_write(hd_commit *commit, guint64 address, GBytes *bytes, GBytes *expect, hd_write_mode mode)
{
	hd_write write = {address, g_bytes_ref(bytes), expect ? g_bytes_ref(expect) : NULL, mode};
	g_array_append_val(commit->writes, write);
	return commit->writes->len - 1;
}

void
hd_commit_exclude(hd_commit *commit, guint64 start, guint64 end, bool frames)
{
	hd_exclusion exclusion = {start, end, frames};
	g_array_append_val(commit->exclusions, exclusion);
}

void
hd_commit_store(hd_commit *commit, guint8 *view, GBytes *bytes)
{
	hd_store store = {view, g_bytes_ref(bytes)};
	g_array_append_val(commit->stores, store);
}

guint
hd_commit_size(const hd_commit *commit)
{
	return commit->writes->len + commit->stores->len + commit->jit_added->len + commit->jit_gone->len +
	       (commit->reshape.convert != NULL);
}

void
hd_commit_result_clear(hd_commit_result *result)
{
	g_clear_pointer(&result->skipped, g_array_unref);
	g_clear_pointer(&result->samples, g_ptr_array_unref);
}

/* ---- one attempt ---- */

typedef struct {
	guint write;  /* index in the commit */
	bool code;    /* lies in executable memory of the program */
	gsize offset; /* of its bytes in an image of all of them */
	gsize size;
	guint64 address;
	const guint8 *bytes, *expect;
	hd_write_mode mode;
} step;

typedef struct {
	hd_target *target;
	const hd_commit *commit;
	const hd_newcomer *newcomer; /* NULL: in every process of the program */
	GArray *steps;		     /* of step, in the order of writing */
	gsize total;		     /* bytes of all steps */
	hd_stop *stop;
	guint8 *before;	     /* every process' old bytes, one image after the other */
	guint8 *skip;	     /* process * steps: this write is left out there */
	guint8 **stored;     /* old bytes of the stores */
	hd_own_writes **own; /* for each process; NULL: none */
	guint processes;     /* length of the two above, in processes */
	bool step;	     /* a thread in the way is stepped out; else it is let go and stopped again */
	hd_commit_result *result;
	GPtrArray *samples; /* of this attempt */
	gint64 ended;	    /* the program runs on */
	GError *error;
	bool good;
} attempt;

static int
compare_steps(const void *a, const void *b)
{
	const step *x = a, *y = b;
	if (x->code != y->code)
		return x->code ? 1 : -1;
	return x->write < y->write ? -1 : x->write > y->write;
}

static GArray *
make_steps(const GArray *writes, const GArray *maps, gsize *total)
{
	GArray *steps = g_array_new(false, false, sizeof(step));
	for (guint i = 0; i < writes->len; i++) {
		const hd_write *write = &g_array_index(writes, hd_write, i);
		const hd_map *map = hd_maps_find(maps, write->address);
		step s = {.write = i, .code = map && map->executable, .address = write->address, .mode = write->mode};
		s.bytes = g_bytes_get_data(write->bytes, &s.size);
		s.expect = write->expect ? g_bytes_get_data(write->expect, NULL) : NULL;
		if (s.size > 0)
			g_array_append_val(steps, s);
	}
	g_array_sort(steps, compare_steps);
	*total = 0;
	for (guint i = 0; i < steps->len; i++) {
		step *s = &g_array_index(steps, step, i);
		s->offset = *total;
		*total += s->size;
	}
	return steps;
}

static hd_process *
process_at(const attempt *a, guint i)
{
	return &g_array_index(a->stop->processes, hd_process, i);
}

static const step *
step_at(const attempt *a, guint i)
{
	return &g_array_index(a->steps, step, i);
}

/* Writing a byte of private code over itself makes the page private now, while
 * the program runs. Never done to data, which the program may be writing. */
static void
touch_code(attempt *a)
{
	for (guint p = 0; p < a->stop->processes->len; p++) {
		guint64 last = 0;
		for (guint i = 0; i < a->steps->len; i++) {
			const step *s = step_at(a, i);
			guint64 end = s->address + s->size - 1;
			for (guint64 page = s->address & ~(guint64)(HD_PAGE - 1); s->code && page <= end;
			     page += HD_PAGE) {
				guint64 address = MAX(page, s->address);
				guint8 byte;
				if (page == last || pread(process_at(a, p)->memory, &byte, 1, (off_t)address) != 1)
					continue;
				last = page;
				if (pwrite(process_at(a, p)->memory, &byte, 1, (off_t)address) != 1)
					continue; /* the commit will find out */
			}
		}
	}
}

/* ---- exclusions ---- */

static bool
counter_excluded(const hd_commit *commit, guint64 pc)
{
	for (guint i = 0; i < commit->exclusions->len; i++) {
		const hd_exclusion *e = &g_array_index(commit->exclusions, hd_exclusion, i);
		if (e->frames ? pc >= e->start && pc <= e->end : pc > e->start && pc < e->end)
			return true;
	}
	return false;
}

static bool
has_frame_exclusion(const hd_commit *commit)
{
	for (guint i = 0; i < commit->exclusions->len; i++)
		if (g_array_index(commit->exclusions, hd_exclusion, i).frames)
			return true;
	return false;
}

bool
hd_commit_excludes_frame(const hd_commit *commit, guint64 address)
{
	for (guint i = 0; i < commit->exclusions->len; i++) {
		const hd_exclusion *e = &g_array_index(commit->exclusions, hd_exclusion, i);
		if (e->frames && address >= e->start && address <= e->end)
			return true;
	}
	return false;
}

static bool
frame_excluded(guint64 address, const void *commit)
{
	return hd_commit_excludes_frame(commit, address);
}

static bool
busy(attempt *a, const hd_thread *thread)
{
	g_set_error(&a->error, HD_ERROR, HD_ERROR_BUSY, "thread %d is inside a function that must not be running",
		    (int)thread->tid);
	return false;
}

static bool
check_thread(attempt *a, hd_thread *thread, bool frames)
{
	for (int steps = 0; counter_excluded(a->commit, thread->regs.rip); steps++)
		if (!a->step || steps == MOST_STEPS || thread->state != HD_THREAD_STOPPED || !hd_thread_step(thread))
			return busy(a, thread);
	return !frames || !hd_thread_is_inside(a->target, thread, frame_excluded, a->commit) || busy(a, thread);
}

static bool
check_exclusions(attempt *a)
{
	bool frames = has_frame_exclusion(a->commit);
	for (guint i = 0; i < a->stop->threads->len; i++) {
		hd_thread *thread = &g_array_index(a->stop->threads, hd_thread, i);
		if (thread->state != HD_THREAD_GONE && !check_thread(a, thread, frames))
			return false;
	}
	return true;
}

/* ---- reading, writing, undoing ---- */

/* A killed process takes no writes and needs none. */
static bool
has_died(attempt *a, guint p)
{
	char state;
	pid_t tracer, pid = process_at(a, p)->pid;
	if (hd_thread_status(pid, &state, &tracer) && state != 'Z' && state != 'X')
		return false;
	process_at(a, p)->gone = true;
	return true;
}

/* All ranges of the steps from `first` on that are not left out, as many as one call takes, into the image. */
static bool
read_batch(const attempt *a, pid_t tid, guint first, guint count, const guint8 *skip, guint8 *image)
{
	struct iovec remote[BATCH], local[BATCH];
	guint used = 0;
	gsize size = 0;
	for (guint i = first; i < first + count; i++) {
		const step *s = step_at(a, i);
		if (skip[i])
			continue;
		remote[used] = (struct iovec){GSIZE_TO_POINTER(s->address), s->size};
		local[used++] = (struct iovec){image + s->offset, s->size};
		size += s->size;
	}
	return process_vm_readv(tid, local, used, remote, used, 0) == (ssize_t)size;
}

static bool
read_process(attempt *a, guint p)
{
	guint8 *image = a->before + (gsize)p * a->total, *skip = a->skip + (gsize)p * a->steps->len;
	const hd_process *process = process_at(a, p);
	for (guint i = 0; i < a->steps->len && !process->agent; i++)
		skip[i] = step_at(a, i)->address == a->target->jit_descriptor;
	for (guint first = 0; first < a->steps->len; first += BATCH) {
		guint count = MIN(BATCH, a->steps->len - first);
		if (hd_fault("target.expect") || !read_batch(a, process->reader, first, count, skip, image)) {
			if (has_died(a, p))
				return true;
			g_set_error(&a->error, HD_ERROR, HD_ERROR_IO, "cannot read what is to be changed in process %d",
				    (int)process->pid);
			return false;
		}
	}
	for (guint i = 0; i < a->steps->len; i++) {
		const step *s = step_at(a, i);
		if (skip[i])
			continue;
		bool same = !s->expect || memcmp(image + s->offset, s->expect, s->size) == 0;
		if (!same && s->mode == HD_WRITE_REQUIRED) {
			g_set_error(&a->error, HD_ERROR, HD_ERROR_IO,
				    "process %d does not hold at 0x%" G_GINT64_MODIFIER "x what it should",
				    (int)process->pid, s->address);
			return false;
		}
		skip[i] = !same && s->mode == HD_WRITE_UNTOUCHED;
	}
	return true;
}

static bool
read_all(attempt *a)
{
	a->processes = a->stop->processes->len;
	a->before = g_malloc(MAX((gsize)a->processes * a->total, 1));
	a->skip = g_malloc0(MAX((gsize)a->processes * a->steps->len, 1));
	for (guint p = 0; p < a->processes; p++)
		if (!process_at(a, p)->gone && !read_process(a, p))
			return false;
	return true;
}

/* ---- objects that change their shape ---- */

static bool
reshape_all(attempt *a)
{
	a->own = g_new0(hd_own_writes *, MAX(a->processes, 1));
	for (guint p = 0; a->commit->reshape.convert && p < a->processes; p++) {
		if (process_at(a, p)->gone)
			continue;
		a->own[p] = hd_reshape_process(a->commit, a->stop, process_at(a, p), &a->error);
		if (!a->own[p] && !has_died(a, p))
			return false;
		if (!a->own[p])
			g_clear_error(&a->error);
	}
	return true;
}

/* Many writes in one call. The program may have made some of the memory read-only (RELRO): that it cannot write. */
static bool
write_batch(const attempt *a, guint p, guint first, guint count, const GByteArray *bytes)
{
	struct iovec remote[BATCH];
	const hd_own_write *writes = &g_array_index(a->own[p]->list, hd_own_write, first);
	gsize size = 0;
	for (guint i = 0; i < count; i++) {
		remote[i] = (struct iovec){GSIZE_TO_POINTER(writes[i].address), writes[i].size};
		size += writes[i].size;
	}
	/* Their bytes follow one another. */
	struct iovec local = {bytes->data + writes[0].offset, size};
	return process_vm_writev(process_at(a, p)->reader, &local, 1, remote, count, 0) == (ssize_t)size;
}

static bool
write_each(const attempt *a, guint p, guint first, guint count, const GByteArray *bytes)
{
	for (guint i = first; i < first + count; i++) {
		const hd_own_write *write = &g_array_index(a->own[p]->list, hd_own_write, i);
		if (!hd_memory_write(process_at(a, p)->memory, write->address, bytes->data + write->offset,
				     write->size))
			return false;
	}
	return true;
}

static bool
write_own(const attempt *a, guint p, const GByteArray *bytes)
{
	guint total = a->own[p] ? a->own[p]->list->len : 0;
	for (guint first = 0; first < total; first += BATCH) {
		guint count = MIN(BATCH, total - first);
		errno = EIO;
		if (hd_fault("target.object") ||
		    (!write_batch(a, p, first, count, bytes) && !write_each(a, p, first, count, bytes)))
			return false;
	}
	return true;
}

static void
undo_own(const attempt *a, guint p)
{
	guint total = a->own[p] ? a->own[p]->list->len : 0;
	for (guint first = 0; first < total; first += BATCH) {
		guint count = MIN(BATCH, total - first);
		if (!write_batch(a, p, first, count, a->own[p]->before))
			write_each(a, p, first, count, a->own[p]->before);
	}
}

/* What is not in the writes: registers, and blocks that were allocated. */
static void
undo_rest(attempt *a)
{
	for (guint p = 0; a->own && p < a->processes; p++)
		if (a->own[p])
			hd_own_writes_forget(a->own[p], a->stop, process_at(a, p));
}

/* ---- writing ---- */

static bool
write_process(attempt *a, guint p, guint *done)
{
	const guint8 *skip = a->skip + (gsize)p * a->steps->len;
	if (a->own[p] && !write_own(a, p, a->own[p]->after)) {
		if (has_died(a, p))
			return true;
		hd_error_set_errno(&a->error, HD_ERROR_IO, errno, "cannot write an object of process %d",
				   (int)process_at(a, p)->pid);
		return false;
	}
	for (*done = 0; *done < a->steps->len; (*done)++) {
		const step *s = step_at(a, *done);
		if (skip[*done])
			continue;
		errno = EIO;
		if (hd_fault("target.write") ||
		    !hd_memory_write(process_at(a, p)->memory, s->address, s->bytes, s->size)) {
			int reason = errno;
			(*done)++; /* in part, perhaps */
			if (has_died(a, p))
				return true;
			hd_error_set_errno(&a->error, HD_ERROR_IO, reason,
					   "cannot write %zu bytes of process %d at 0x%" G_GINT64_MODIFIER "x", s->size,
					   (int)process_at(a, p)->pid, s->address);
			return false;
		}
	}
	return true;
}

/* Backwards, so that the redirects go first. */
static void
undo_process(attempt *a, guint p, guint done)
{
	const guint8 *image = a->before + (gsize)p * a->total, *skip = a->skip + (gsize)p * a->steps->len;
	for (guint i = done; i > 0; i--) {
		const step *s = step_at(a, i - 1);
		if (!skip[i - 1])
			hd_memory_write(process_at(a, p)->memory, s->address, image + s->offset, s->size);
	}
	undo_own(a, p);
}

static void
make_stores(attempt *a)
{
	const GArray *stores = a->commit->stores;
	a->stored = g_new0(guint8 *, stores->len + 1);
	for (guint i = 0; i < stores->len; i++) {
		const hd_store *store = &g_array_index(stores, hd_store, i);
		gsize size;
		const void *bytes = g_bytes_get_data(store->bytes, &size);
		a->stored[i] = g_memdup2(store->view, size);
		memcpy(store->view, bytes, size);
	}
}

static void
undo_stores(attempt *a)
{
	const GArray *stores = a->commit->stores;
	for (guint i = stores->len; i > 0; i--) {
		const hd_store *store = &g_array_index(stores, hd_store, i - 1);
		memcpy(store->view, a->stored[i - 1], g_bytes_get_size(store->bytes));
	}
}

/* A process whose page a debugger once wrote does not see what was stored. */
static bool
show_store(attempt *a, guint p, guint index, const guint8 *bytes)
{
	const hd_store *store = &g_array_index(a->commit->stores, hd_store, index);
	guint64 address = hd_arena_program_address(a->target, store->view);
	gsize size = g_bytes_get_size(store->bytes);
	guint8 *seen = g_malloc(size + 1);
	bool same = !address || (hd_memory_read_some(process_at(a, p)->reader, address, seen, size) == size &&
				 memcmp(seen, bytes, size) == 0);
	g_free(seen);
	return same || hd_memory_write(process_at(a, p)->memory, address, bytes, size);
}

static bool
show_stores(attempt *a, guint p)
{
	for (guint i = 0; i < a->commit->stores->len; i++) {
		const hd_store *store = &g_array_index(a->commit->stores, hd_store, i);
		if (show_store(a, p, i, g_bytes_get_data(store->bytes, NULL)) || has_died(a, p))
			continue;
		g_set_error(&a->error, HD_ERROR, HD_ERROR_IO, "cannot write new code of process %d",
			    (int)process_at(a, p)->pid);
		return false;
	}
	return true;
}

static void
hide_stores(attempt *a)
{
	undo_stores(a);
	for (guint p = 0; p < a->processes; p++)
		for (guint i = 0; i < a->commit->stores->len && !process_at(a, p)->gone; i++)
			show_store(a, p, i, a->stored[i]);
}

/* A last look before anything runs: should the allocator's data make no sense now, a pointer was taken for another. */
static bool
objects_hold(attempt *a)
{
	for (guint p = 0; p < a->processes; p++) {
		if (!a->own[p] || process_at(a, p)->gone || hd_own_writes_hold(a->own[p], a->stop, process_at(a, p)) ||
		    has_died(a, p))
			continue;
		g_set_error(&a->error, HD_ERROR, HD_ERROR_UNSUPPORTED, "the heap of process %d would not make sense",
			    (int)process_at(a, p)->pid);
		return false;
	}
	return true;
}

static bool
write_all(attempt *a)
{
	make_stores(a);
	guint p, done = 0;
	for (p = 0; p < a->processes; p++) {
		done = 0;
		if (!process_at(a, p)->gone && (!show_stores(a, p) || !write_process(a, p, &done)))
			break;
	}
	if (p == a->processes && objects_hold(a) && !hd_fault("target.last"))
		return true;
	if (p == a->processes && !a->error)
		g_set_error(&a->error, HD_ERROR, HD_ERROR_IO, "the last step was made to fail");
	else
		undo_process(a, p, done);
	while (p-- > 0)
		if (!process_at(a, p)->gone)
			undo_process(a, p, a->steps->len);
	hide_stores(a);
	return false;
}

/* ---- the whole ---- */

static void
take_samples(attempt *a)
{
	for (guint i = 0; i < a->stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(a->stop->threads, hd_thread, i);
		if (thread->state == HD_THREAD_STOPPED || thread->state == HD_THREAD_INSIDE)
			g_ptr_array_add(a->samples, hd_sample_take(a->target, thread));
	}
}

static void
note_left(const attempt *a)
{
	for (guint p = 0; p < a->processes; p++)
		for (guint i = 0; a->own[p] && i < a->own[p]->left->len; i++) {
			const hd_own_write *left = &g_array_index(a->own[p]->left, hd_own_write, i);
			const hd_own_write *made = &g_array_index(a->own[p]->made, hd_own_write, i);
			hd_early_leave(a->target, left->address, left->size);
			hd_early_make(a->target, made->address, made->size);
		}
}

static void
fill_result(attempt *a, guint writes)
{
	hd_commit_result *result = a->result;
	note_left(a);
	result->skipped = g_array_sized_new(false, true, sizeof(guint), writes);
	g_array_set_size(result->skipped, writes);
	for (guint p = 0; p < a->processes; p++) {
		if (process_at(a, p)->gone)
			continue;
		result->processes++;
		for (guint i = 0; i < a->steps->len; i++)
			if (a->skip[(gsize)p * a->steps->len + i] && step_at(a, i)->write < writes)
				g_array_index(result->skipped, guint, step_at(a, i)->write)++;
	}
	result->threads = a->samples->len;
	result->pause_ns = a->ended - a->stop->began;
	result->live_ns = a->ended;
	result->samples = a->samples;
	hd_sample_name_all(a->samples);
}

static void
attempt_work(void *data)
{
	attempt *a = data;
	a->stop = hd_stop_new(a->target);
	a->stop->newcomer = a->newcomer ? a->newcomer->pid : 0;
	if (hd_stop_attach(a->stop, &a->error)) {
		/* Of a newcomer it is not known yet what lies where. */
		if (!a->newcomer)
			touch_code(a);
		bool prepared = hd_stop_now(a->stop, &a->error) &&
				(!a->newcomer || hd_adopt_prepare(a->stop, a->newcomer, &a->error));
		a->good = prepared && check_exclusions(a) && read_all(a) && reshape_all(a);
		if (a->good) {
			take_samples(a);
			if (a->commit->reshape.convert)
				hd_stop_tie(a->stop);
			a->good = write_all(a);
		}
		if (!a->good)
			undo_rest(a);
		if (prepared && !a->good && a->newcomer)
			hd_adopt_withdraw(a->stop);
	}
	hd_stop_release(a->stop);
}

static void
clear_attempt(attempt *a)
{
	for (guint i = 0; a->stored && i < a->commit->stores->len; i++)
		g_free(a->stored[i]);
	g_clear_pointer(&a->stored, g_free);
	for (guint p = 0; a->own && p < a->processes; p++)
		hd_own_writes_free(a->own[p]);
	g_clear_pointer(&a->own, g_free);
	g_clear_pointer(&a->before, g_free);
	g_clear_pointer(&a->skip, g_free);
	g_clear_pointer(&a->stop, hd_stop_free);
}

static bool
try_once(attempt *a, guint writes)
{
	a->samples = g_ptr_array_new_with_free_func((GDestroyNotify)hd_sample_free);
	a->good = hd_tracer_run(attempt_work, a, &a->ended, &a->error) && a->good;
	if (a->good)
		fill_result(a, writes);
	else
		g_ptr_array_unref(a->samples);
	if (a->stop)
		clear_attempt(a);
	return a->good;
}

static GArray *
copy_writes(const GArray *from)
{
	GArray *writes = g_array_new(false, false, sizeof(hd_write));
	g_array_set_clear_func(writes, clear_write);
	for (guint i = 0; i < from->len; i++) {
		hd_write write = g_array_index(from, hd_write, i);
		g_bytes_ref(write.bytes);
		if (write.expect)
			g_bytes_ref(write.expect);
		g_array_append_val(writes, write);
	}
	return writes;
}

static void
remember(const attempt *a)
{
	for (guint i = 0; i < a->steps->len; i++) {
		const step *s = step_at(a, i);
		if (!s->code)
			hd_arena_remember(a->target, s->address, s->bytes, s->expect, s->size);
	}
}

static bool
run(hd_target *target, const hd_newcomer *newcomer, const hd_commit *commit, const GArray *maps, int deadline_ms,
    hd_commit_result *result, GError **error)
{
	gint64 until = hd_now_ns() + deadline_ms * MILLISECOND;
	memset(result, 0, sizeof *result);
	GArray *writes = copy_writes(commit->writes);
	GArray *nodes = hd_jit_prepare(target, commit, writes);
	attempt a = {.target = target, .commit = commit, .newcomer = newcomer, .result = result};
	a.steps = make_steps(writes, maps, &a.total);
	for (;;) {
		g_clear_error(&a.error);
		/* The kernel leaves a thread stepping when its tracer is killed, and the trap then ends the
		 * program: so that is for threads that do not get away by themselves. */
		a.step = hd_now_ns() >= until - deadline_ms * MILLISECOND / 2;
		if (try_once(&a, commit->writes->len) || a.error->code != HD_ERROR_BUSY || hd_now_ns() >= until)
			break;
		g_usleep(200);
	}
	if (a.good) {
		target->commits++;
		target->reshaped |= commit->reshape.convert != NULL;
		hd_jit_committed(target, commit, nodes);
		remember(&a);
	} else
		g_propagate_error(error, a.error);
	g_array_free(nodes, true);
	g_array_free(a.steps, true);
	g_array_free(writes, true);
	return a.good;
}

bool
hd_target_commit(hd_target *target, const hd_commit *commit, int deadline_ms, hd_commit_result *result, GError **error)
{
	if (!target->running) {
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "the program has not been let run yet");
		return false;
	}
	GArray *maps = hd_maps_of(target, NULL, error);
	if (!maps)
		return false;
	bool good = run(target, NULL, commit, maps, deadline_ms, result, error);
	g_array_free(maps, true);
	return good;
}

bool
hd_commit_newcomer(hd_target *target, const hd_newcomer *newcomer, const hd_commit *commit, int deadline_ms,
		   hd_commit_result *result, GError **error)
{
	GArray *maps = hd_maps_read(newcomer->pid, error);
	if (!maps)
		return false;
	bool good = run(target, newcomer, commit, maps, deadline_ms, result, error);
	g_array_free(maps, true);
	return good;
}
