/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects that change their shape, while every thread stands still: what leads
 * into them leads to where it is now.
 *
 * A word of memory, a register or an epoll's user data that equals an address
 * in such an object is taken for a pointer to it; a number that looks so by
 * accident there is none, as long as addresses lie above 4 GiB. What was a
 * pointer once and is forgotten may be changed as well. Where it cannot be
 * told what such a word means now, nothing is changed, and the user is told. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* As much is looked through in one pause, which then takes some 100 ms. */
#define MOST_BYTES ((gsize)256 * 1024 * 1024)
#define CHUNK (256 * 1024)
#define NUMBERS_END (G_GUINT64_CONSTANT(1) << 32)
#define ERESTART_RESTARTBLOCK G_GINT64_CONSTANT(516) /* the kernel's own, seen by tracers only (linux/errno.h) */

typedef struct {
	guint64 start, end;
} place;

typedef struct {
	const hd_reshape *reshape;
	hd_stopped process;
	GArray *moved;	/* of hd_moved, by `from` */
	GArray *places; /* of place: where they will be, by address */
	guint64 low, span;
	GArray *code; /* of place: where no call may be under way, by address */
	guint64 code_low, code_span, guard;
	GArray *stacks; /* of place: threads' own, whose calls are known */
	GArray *dead;	/* of place: what lies below their stack pointers */
	hd_own_writes *writes;
	guint8 *chunk;
	gsize bytes;
	const hd_heap *heap; /* NULL: no object is there */
	GError *error;
} work;

void
hd_commit_reshape(hd_commit *commit, const hd_reshape *reshape)
{
	commit->reshape = *reshape;
}

/* ---- what a process is to have written ---- */

hd_own_writes *
hd_own_writes_new(void)
{
	hd_own_writes *writes = g_new0(hd_own_writes, 1);
	writes->list = g_array_new(false, false, sizeof(hd_own_write));
	writes->before = g_byte_array_new();
	writes->after = g_byte_array_new();
	writes->registers = g_array_new(false, false, sizeof(hd_own_registers));
	writes->blocks = g_array_new(false, false, sizeof(guint64));
	writes->left = g_array_new(false, false, sizeof(hd_own_write));
	writes->made = g_array_new(false, false, sizeof(hd_own_write));
	return writes;
}

void
hd_own_writes_free(hd_own_writes *writes)
{
	if (!writes)
		return;
	g_array_unref(writes->list);
	g_byte_array_unref(writes->before);
	g_byte_array_unref(writes->after);
	g_array_unref(writes->registers);
	g_array_unref(writes->blocks);
	g_array_unref(writes->left);
	g_array_unref(writes->made);
	g_free(writes);
}

static void
add_write(work *w, guint64 address, const void *before, const void *after, gsize size)
{
	hd_own_write write = {address, size, w->writes->before->len};
	g_byte_array_append(w->writes->before, before, (guint)size);
	g_byte_array_append(w->writes->after, after, (guint)size);
	g_array_append_val(w->writes->list, write);
}

/* ---- what leads into an object ---- */

static void refuse(work *w, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void
refuse(work *w, int code, const char *format, ...)
{
	va_list ap;
	if (w->error)
		return;
	va_start(ap, format);
	char *text = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error_literal(&w->error, HD_ERROR, code, text);
	g_free(text);
}

static gint
by_start(gconstpointer a, gconstpointer b)
{
	const guint64 *x = a, *y = b; /* each begins with it */
	return *x < *y ? -1 : *x > *y;
}

/* The last range of the array, which begins with its start, that starts at or before the address; NULL: none. */
static const void *
last_before(const GArray *ranges, guint64 address)
{
	gsize size = g_array_get_element_size((GArray *)ranges);
	guint low = 0, high = ranges->len;
	while (low < high) {
		guint middle = (low + high) / 2;
		if (*(const guint64 *)(const void *)(ranges->data + middle * size) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? ranges->data + (low - 1) * size : NULL;
}

static const hd_moved *
moved_at(const work *w, guint64 address)
{
	const hd_moved *moved = last_before(w->moved, address);
	return moved && address - moved->from < moved->old_size ? moved : NULL;
}

/* What a pointer leads into; to the end of a row counts, which C allows to point to (C11 6.5.6). */
static const hd_moved *
pointed_at(const work *w, guint64 address)
{
	const hd_moved *moved = last_before(w->moved, address);
	return moved && address - moved->from < moved->old_size + moved->ends_alone ? moved : NULL;
}

/* Code that knows another shape must not be gone on with: by a coroutine whose stack is no thread's now, or by a jump
 * buffer. Where a function begins, pointers to it lead, and calls through them come to the new one. */
static bool
leads_into_code(const work *w, guint64 word)
{
	const place *code = word - w->code_low < w->code_span ? last_before(w->code, word) : NULL;
	return code && word > code->start && word <= code->end;
}

static void
look_for_calls(work *w, guint64 word, guint64 at)
{
	if (!leads_into_code(w, word) && !leads_into_code(w, hd_unmangle(word, w->guard)))
		return;
	const place *stack = last_before(w->stacks, at);
	if (!stack || at >= stack->end)
		refuse(w, HD_ERROR_BUSY,
		       "the word at 0x%" G_GINT64_MODIFIER
		       "x of process %d leads into code that knows the old shape: a "
		       "coroutine or a jump buffer",
		       at, (int)w->process.pid);
}

static guint64
cannot_tell(work *w, guint64 word, const hd_moved *moved, guint64 at)
{
	refuse(w, HD_ERROR_UNSUPPORTED,
	       "the word at 0x%" G_GINT64_MODIFIER "x of process %d leads to byte %" G_GUINT64_FORMAT
	       " of %s, and where that is now cannot be told",
	       at, (int)w->process.pid, word - moved->from, moved->name);
	return word;
}

/* What the word is to be; the same where it leads into no object, or where that stays. transient: a register, or on a
 * stack, where most such words are forgotten: one to a number follows that, though it is wider now; one to a field that
 * is gone leads on to where the object was, which is nobody's from now on. at: for messages. */
static guint64
translate(work *w, guint64 word, bool transient, guint64 at)
{
	const hd_moved *moved = word - w->low < w->span ? pointed_at(w, word) : NULL;
	guint64 offset = moved ? moved->new_size : 0;
	if (!moved)
		return word;
	hd_lands lands = word - moved->from == moved->old_size
				 ? HD_LANDS
				 : w->reshape->lands(moved, word - moved->from, &offset, w->reshape->data);
	if (lands == HD_LANDS_NOWHERE && transient && moved->from != moved->to)
		return word;
	if (lands != HD_LANDS && !(lands == HD_LANDS_RETYPED && transient))
		return cannot_tell(w, word, moved, at);
	guint64 now = moved->to + offset;
	if (now == word || word >= NUMBERS_END)
		return now;
	refuse(w, HD_ERROR_UNSUPPORTED,
	       "the word at 0x%" G_GINT64_MODIFIER
	       "x of process %d may lead into %s, or be a number: the program is not "
	       "position-independent",
	       at, (int)w->process.pid, moved->name);
	return word;
}

/* What an object had is not looked at, where it was or where it will be: its new bytes are. */
static bool
is_replaced(const work *w, guint64 address)
{
	const place *there = last_before(w->places, address);
	return moved_at(w, address) || (there && address < there->end);
}

static bool
is_on_stack(const work *w, guint64 address)
{
	const place *stack = last_before(w->stacks, address);
	return stack && address < stack->end;
}

/* Left by calls that are over. */
static bool
is_dead(const work *w, guint64 address)
{
	const place *below = last_before(w->dead, address);
	return below && address < below->end;
}

static void
look_at_words(work *w, const guint64 *words, gsize count, guint64 at)
{
	for (gsize i = 0; i < count; i++) {
		look_for_calls(w, words[i], at + i * sizeof *words);
		if (G_LIKELY(words[i] - w->low >= w->span) || is_replaced(w, at + i * sizeof *words))
			continue;
		if (is_dead(w, at + i * sizeof *words))
			continue;
		if (w->heap && hd_heap_is_own(w->heap, at + i * sizeof *words))
			continue;
		guint64 now = translate(w, words[i], is_on_stack(w, at + i * sizeof *words), at + i * sizeof *words);
		if (now != words[i])
			add_write(w, at + i * sizeof *words, &words[i], &now, sizeof now);
	}
}

static void
count_run(guint64 start, gsize size, void *data)
{
	(void)start;
	((work *)data)->bytes += size;
}

static void
read_run(guint64 start, gsize size, void *data)
{
	work *w = data;
	while (size > 0 && !w->error) {
		gsize part = MIN(size, CHUNK);
		gsize got = hd_memory_read_some(w->process.reader, start, w->chunk, part);
		look_at_words(w, (const guint64 *)(void *)w->chunk, got / sizeof(guint64), start);
		start += part;
		size -= part;
	}
}

static void
note_stacks(work *w, const hd_stop *stop, const hd_pages *pages)
{
	for (guint i = 0; i < stop->threads->len; i++) {
		const hd_thread *thread = &g_array_index(stop->threads, hd_thread, i);
		place stack;
		if (thread->pid == w->process.pid && thread->state != HD_THREAD_GONE &&
		    hd_pages_map(pages, thread->regs.rsp, &stack.start, &stack.end)) {
			place below = {stack.start, thread->regs.rsp - HD_RED_ZONE};
			g_array_append_val(w->stacks, stack);
			g_array_append_val(w->dead, below);
		}
	}
	g_array_sort(w->stacks, by_start);
	g_array_sort(w->dead, by_start);
}

static void
look_through_memory(work *w, const hd_stop *stop)
{
	hd_pages *pages = hd_pages_new(w->process.reader, &w->error);
	if (!pages)
		return;
	note_stacks(w, stop, pages);
	hd_pages_each(pages, count_run, w);
	if (w->bytes > MOST_BYTES)
		refuse(w, HD_ERROR_UNSUPPORTED,
		       "%zu MiB of the memory of process %d are too much to be looked through in one pause",
		       w->bytes >> 20, (int)w->process.pid);
	else
		hd_pages_each(pages, read_run, w);
	hd_pages_free(pages);
}

/* Pointers of an object to itself, or to another that moves. */
static void
look_at_new_bytes(work *w, const hd_moved *moved)
{
	guint64 first = (moved->to + 7) & ~G_GUINT64_CONSTANT(7);
	for (guint64 at = first; at + sizeof at <= moved->to + moved->new_size; at += sizeof at) {
		guint64 word;
		memcpy(&word, moved->now + (at - moved->to), sizeof word);
		guint64 now = translate(w, word, false, at);
		memcpy(moved->now + (at - moved->to), &now, sizeof now);
	}
}

/* epoll_ctl(2): what the kernel keeps for the program, as proc(5) shows it in fdinfo. */
static void
look_at_polled(work *w, const char *path)
{
	char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	for (const char *line = strstr(text, "tfd:"); line && !w->error; line = strstr(line + 1, "tfd:")) {
		const char *data = strstr(line, "data:");
		guint64 word = data ? g_ascii_strtoull(data + strlen("data:"), NULL, 16) : 0;
		if (translate(w, word, false, 0) != word)
			refuse(w, HD_ERROR_UNSUPPORTED,
			       "an epoll of process %d has the address of an object that must move in its data",
			       (int)w->process.pid);
	}
	g_free(text);
}

static void
look_at_descriptors(work *w)
{
	char *folder = g_strdup_printf("/proc/%d/fdinfo", (int)w->process.reader);
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir && !w->error && (name = g_dir_read_name(dir))) {
		char *path = g_build_filename(folder, name, NULL);
		look_at_polled(w, path);
		g_free(path);
	}
	if (dir)
		g_dir_close(dir);
	g_free(folder);
}

/* A call that sleeps begins anew: what it goes on with otherwise, the kernel keeps (restart_syscall(2)). */
static void
begin_call_anew(hd_thread *thread)
{
	if ((gint64)thread->regs.rax != -ERESTART_RESTARTBLOCK || (gint64)thread->regs.orig_rax < 0)
		return;
	thread->regs.rax = thread->regs.orig_rax;
	thread->regs.orig_rax = (guint64)-1;
	thread->regs.rip -= 2;
}

static void
look_at_registers(work *w, hd_thread *thread, guint index)
{
	struct user_regs_struct *regs = &thread->regs;
	unsigned long long *general[] = {&regs->rax, &regs->rbx, &regs->rcx, &regs->rdx, &regs->rsi,
					 &regs->rdi, &regs->rbp, &regs->r8,  &regs->r9,	 &regs->r10,
					 &regs->r11, &regs->r12, &regs->r13, &regs->r14, &regs->r15};
	hd_own_registers before = {index, thread->changed, *regs};
	bool changed = false;
	for (gsize i = 0; i < G_N_ELEMENTS(general); i++) {
		guint64 now = translate(w, *general[i], true, regs->rip);
		changed |= now != *general[i];
		*general[i] = now;
	}
	if (changed) {
		g_array_append_val(w->writes->registers, before);
		begin_call_anew(thread);
		thread->changed = true;
	}
}

/* A copy on its way. Who called the C library for a system call keeps nothing in them (psABI, 3.2.1). */
static void
look_at_vector_registers(work *w, const hd_thread *thread)
{
	struct iovec state = {w->chunk, CHUNK};
	if (hd_thread_call(thread) >= 0 || ptrace(PTRACE_GETREGSET, thread->tid, NT_X86_XSTATE, &state) < 0)
		return;
	const guint64 *words = (const guint64 *)(void *)w->chunk;
	for (gsize i = 0; i < state.iov_len / sizeof *words && !w->error; i++)
		if (words[i] - w->low < w->span && pointed_at(w, words[i]))
			refuse(w, HD_ERROR_BUSY, "thread %d carries an address in a vector register", (int)thread->tid);
}

static void
look_at_threads(work *w, hd_stop *stop)
{
	for (guint i = 0; i < stop->threads->len && !w->error; i++) {
		hd_thread *thread = &g_array_index(stop->threads, hd_thread, i);
		if (thread->pid != w->process.pid || thread->state == HD_THREAD_GONE)
			continue;
		if (thread->state != HD_THREAD_STOPPED)
			refuse(w, HD_ERROR_BUSY, "thread %d cannot be stopped now", (int)thread->tid);
		else
			look_at_registers(w, thread, i);
		if (!w->error)
			look_at_vector_registers(w, thread);
	}
}

/* ---- the whole ---- */

static void
arrange(work *w)
{
	guint64 high = 0;
	for (guint i = 0; i < w->moved->len; i++) {
		const hd_moved *moved = &g_array_index(w->moved, hd_moved, i);
		place there = {moved->to, moved->to + moved->new_size};
		g_array_append_val(w->places, there);
	}
	g_array_sort(w->places, by_start);
	g_array_sort(w->moved, by_start);
	w->low = G_MAXUINT64;
	for (guint i = 0; i < w->moved->len; i++) {
		const hd_moved *moved = &g_array_index(w->moved, hd_moved, i);
		w->low = MIN(w->low, moved->from);
		high = MAX(high, moved->from + moved->old_size + moved->ends_alone);
	}
	w->span = high - w->low;
}

/* Those that overlap become one, so that the last one before an address is the only one to look at. */
static void
join_places(GArray *places)
{
	guint kept = 0;
	g_array_sort(places, by_start);
	for (guint i = 0; i < places->len; i++) {
		place *last = kept ? &g_array_index(places, place, kept - 1) : NULL,
		      *next = &g_array_index(places, place, i);
		if (last && next->start < last->end)
			last->end = MAX(last->end, next->end);
		else
			g_array_index(places, place, kept++) = *next;
	}
	g_array_set_size(places, kept);
}

static void
arrange_code(work *w, const hd_commit *commit)
{
	w->code_low = G_MAXUINT64;
	for (guint i = 0; i < commit->exclusions->len; i++) {
		const hd_exclusion *e = &g_array_index(commit->exclusions, hd_exclusion, i);
		place code = {e->start, e->end};
		if (!e->frames)
			continue;
		g_array_append_val(w->code, code);
		w->code_span = MAX(w->code_span, code.end + 1);
		w->code_low = MIN(w->code_low, code.start);
	}
	w->code_span = w->code->len ? w->code_span - w->code_low : 0;
	join_places(w->code);
}

/* What an object leaves behind must not look like pointers ever after. */
static void
scrub(work *w, const hd_moved *moved)
{
	guint8 *zeroes = g_malloc0(moved->old_size + 1), *before = g_malloc(moved->old_size + 1);
	if (hd_stopped_read(&w->process, moved->from, before, moved->old_size))
		add_write(w, moved->from, before, zeroes, moved->old_size);
	hd_own_write left = {.address = moved->from, .size = moved->old_size};
	hd_own_write made = {.address = moved->to, .size = moved->new_size};
	if (w->heap && hd_heap_has(w->heap, moved->from)) {
		g_array_append_val(w->writes->left, left);
		g_array_append_val(w->writes->made, made);
	}
	g_free(zeroes);
	g_free(before);
}

static void
write_objects(work *w)
{
	for (guint i = 0; i < w->moved->len && !w->error; i++) {
		const hd_moved *moved = &g_array_index(w->moved, hd_moved, i);
		guint8 *before = g_malloc(moved->new_size + 1);
		look_at_new_bytes(w, moved);
		if (moved->from != moved->to)
			scrub(w, moved);
		if (hd_stopped_read(&w->process, moved->to, before, moved->new_size))
			add_write(w, moved->to, before, moved->now, moved->new_size);
		else
			refuse(w, HD_ERROR_IO, "cannot read where %s is to be in process %d", moved->name,
			       (int)w->process.pid);
		g_free(before);
	}
}

static void
moved_clear(gpointer data)
{
	g_free(((hd_moved *)data)->now);
}

/* false: w->error says why. */
static bool
convert(work *w)
{
	char *why = NULL;
	bool good = w->reshape->convert(&w->process, w->moved, w->reshape->data, &why);
	if (w->process.asked->rest == HD_RESTLESS)
		refuse(w, HD_ERROR_BUSY, "a thread of process %d is allocating memory", (int)w->process.pid);
	else if (!good)
		refuse(w, HD_ERROR_UNSUPPORTED, "%s", why);
	g_free(why);
	return !w->error;
}

hd_own_writes *
hd_reshape_process(const hd_commit *commit, hd_stop *stop, const hd_process *process, GError **error)
{
	hd_asked asked = {0};
	work w = {.reshape = &commit->reshape, .process = {process->pid, process->reader, stop, process, &asked, NULL}};
	w.process.windows = hd_windows_new(process->reader);
	w.writes = hd_own_writes_new();
	asked.blocks = w.writes->blocks;
	w.moved = g_array_new(false, true, sizeof(hd_moved));
	g_array_set_clear_func(w.moved, moved_clear);
	w.places = g_array_new(false, false, sizeof(place));
	w.code = g_array_new(false, false, sizeof(place));
	w.stacks = g_array_new(false, false, sizeof(place));
	w.dead = g_array_new(false, false, sizeof(place));
	w.guard = hd_pointer_guard(stop, process);
	arrange_code(&w, commit);
	w.chunk = g_malloc(CHUNK);
	if (hd_fault("target.reshape"))
		refuse(&w, HD_ERROR_IO, "the change of shapes was made to fail");
	else if (convert(&w) && w.moved->len) {
		arrange(&w);
		w.heap = asked.heap || asked.blocks->len ? hd_stopped_heap(&w.process) : NULL;
		w.writes->heap = w.heap != NULL;
		write_objects(&w);
		if (!w.error)
			look_through_memory(&w, stop);
		look_at_descriptors(&w);
		look_at_threads(&w, stop);
	}
	hd_heap_free(asked.heap);
	hd_windows_free(w.process.windows);
	g_free(w.chunk);
	g_array_unref(w.moved);
	g_array_unref(w.places);
	g_array_unref(w.code);
	g_array_unref(w.stacks);
	g_array_unref(w.dead);
	if (!w.error)
		return w.writes;
	hd_own_writes_forget(w.writes, stop, process);
	hd_own_writes_free(w.writes);
	g_propagate_error(error, w.error);
	return NULL;
}

void
hd_own_writes_forget(hd_own_writes *writes, hd_stop *stop, const hd_process *process)
{
	for (guint i = 0; i < writes->registers->len; i++) {
		const hd_own_registers *before = &g_array_index(writes->registers, hd_own_registers, i);
		hd_thread *thread = &g_array_index(stop->threads, hd_thread, before->thread);
		thread->regs = before->regs;
		thread->changed = before->changed;
	}
	hd_stopped_give_back(stop, process, writes->blocks);
}

bool
hd_own_writes_hold(const hd_own_writes *writes, const hd_stop *stop, const hd_process *process)
{
	if (!writes->heap)
		return true;
	hd_heap *heap = hd_heap_read(stop->target->allocator, process->reader);
	bool known = hd_heap_is_known(heap);
	hd_heap_free(heap);
	return known;
}
