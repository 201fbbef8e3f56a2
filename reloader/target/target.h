/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running program: started, found with all its processes and threads,
 * stopped, read, written, unwound. The only code that calls ptrace, and only
 * from the thread that started the program.
 *
 * Order of calls: hd_target_start (stopped at main), any number of
 * hd_target_objects / hd_target_arena, hd_target_run (detached: from here the
 * program runs free). Then hd_target_commit and hd_target_sample as often as
 * wanted. Between those calls nothing of ours is attached.
 *
 * Addresses are the program's. Every process has the same layout: they come
 * from fork. */
#ifndef HD_TARGET_TARGET_H
#define HD_TARGET_TARGET_H

#include "base/place.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct hd_target hd_target;

typedef struct {
	const char *program; /* path to execute, found already (PATH was searched) */
	char *const *argv;
	char *const *environment; /* NULL: ours */
	int terminal; /* the pty's slave end that becomes the controlling terminal and 0, 1, 2; -1: ours are kept */
	const char *agent; /* path of the agent's shared object; NULL: none */
} hd_target_options;

/* fork, be traced, exec, run to main (at main_offset, the symbol's address in the
 * file; 0: found as __libc_start_main's argument; HD_ERROR_START names what was wrong), load the
 * agent by calling dlopen there. The program inherits no descriptor of ours.
 * It is stopped when this returns. */
hd_target *hd_target_start(const hd_target_options *options, guint64 main_offset, GError **error);
/* Whether the system lets us trace a child of ours at all: tried on one. HD_ERROR_DENIED: it does not. */
bool hd_target_may_trace(GError **error);
/* Forgets the program, which runs on; maps and patches stay. */
void hd_target_free(hd_target *target);
/* Detaches; the program runs. */
bool hd_target_run(hd_target *target, GError **error);

pid_t hd_target_pid(const hd_target *target);
/* Polls readable when the first process has ended; owned by the target. */
int hd_target_exit_fd(const hd_target *target);
/* After that: its wait status, collected once and kept. false: still running. */
bool hd_target_exit_status(hd_target *target, int *status);

/* An ELF file mapped in the program. */
typedef struct {
	char *path;   /* of the file; "[vdso]" and the like left out */
	guint64 bias; /* what is added to the file's addresses */
	guint64 low, high;
	guint64 device, inode;
} hd_target_object;

/* Loaded objects, the program first, then in the loader's (search) order; of
 * hd_target_object *, owned by the target, read anew at each call. */
const GPtrArray *hd_target_objects(hd_target *target, GError **error);

/* Reads memory of one process (0: the first). May be used while it runs. */
bool hd_target_read(hd_target *target, pid_t pid, guint64 address, void *out, gsize size, GError **error);

/* ---- arenas ---- */

typedef enum {
	HD_ARENA_CODE,	/* shared by all processes, executable in the program, written through `view` */
	HD_ARENA_DATA,	/* private to each process, zero until a commit writes it */
	HD_ARENA_DEBUG, /* shared, read-only in the program: symbol files for gdb; anywhere */
} hd_arena_kind;

/* Room within ±2 GiB of object (ignored for DEBUG; one DEBUG arena). Maps the
 * arena first if this object has none yet, in every process, by injected
 * system calls. *view (CODE and DEBUG) is our writable mapping of it. Fails
 * with HD_ERROR_IO when nothing is free. Released by hd_target_arena_free. */
bool hd_target_arena(hd_target *target, const hd_target_object *object, hd_arena_kind kind, gsize size, gsize alignment,
		     guint64 *address, guint8 **view, GError **error);
void hd_target_arena_free(hd_target *target, guint64 address);

/* ---- commit ---- */

typedef enum {
	HD_WRITE_ALWAYS,
	HD_WRITE_REQUIRED,  /* expect must be there in every process, else the commit fails */
	HD_WRITE_UNTOUCHED, /* only in processes where expect is there; else skipped and counted */
} hd_write_mode;

typedef struct {
	guint64 address;
	GBytes *bytes;
	GBytes *expect; /* same length; NULL for ALWAYS */
	hd_write_mode mode;
} hd_write;

typedef struct {
	guint64 start, end; /* [start, end) */
	bool frames;	    /* false: no program counter strictly inside (start, end); a thread there is stepped out.
			     * true: no counter and no return address in [start, end] */
} hd_exclusion;

typedef struct hd_commit hd_commit;

hd_commit *hd_commit_new(void);
void hd_commit_free(hd_commit *commit);
/* bytes and expect are referenced. Returns the write's index. */
guint hd_commit_write(hd_commit *commit, guint64 address, GBytes *bytes, GBytes *expect, hd_write_mode mode);
void hd_commit_exclude(hd_commit *commit, guint64 start, guint64 end, bool frames);
/* A copy into our own view of shared memory, made at the same instant (code arenas). */
void hd_commit_store(hd_commit *commit, guint8 *view, GBytes *bytes);
guint hd_commit_size(const hd_commit *commit);
/* Whether a frame there (a program counter or a return address) is in the way. */
bool hd_commit_excludes_frame(const hd_commit *commit, guint64 address);

/* A process of the program while all of it stands still. */
typedef struct hd_stopped hd_stopped;
pid_t hd_stopped_pid(const hd_stopped *process);
bool hd_stopped_read(const hd_stopped *process, guint64 address, void *out, gsize size);

/* The heap of a process that stands still. While one of its threads is inside the allocator, all that is asked here
 * is answered false, and the commit fails with HD_ERROR_BUSY whatever `convert` says: it is tried again.
 *
 * The block in use that holds the address: where the user's part begins, and malloc_usable_size(3) of it. glibc only;
 * false: there is none, or the allocator's data are not what they should be. What a thread keeps to be used again
 * may count as in use. */
bool hd_stopped_block(const hd_stopped *process, guint64 address, guint64 *start, gsize *size);
/* Whether the address is the allocator's, in a block or not. */
bool hd_stopped_is_heap(const hd_stopped *process, guint64 address);
/* Whether the block was there before main, or an object has left it, and it holds what it held then: none of the
 * program's objects. */
bool hd_stopped_is_early(const hd_stopped *process, guint64 start, gsize size);
/* Every word on the stacks and in the registers of its threads. */
typedef void hd_word_run(guint64 word, void *data);
void hd_stopped_stack_words(const hd_stopped *process, hd_word_run *run, void *data);
/* Every word of the variables with an initial value of loaded objects but the program's own file: the C library's, say.
 */
void hd_stopped_library_words(const hd_stopped *process, hd_word_run *run, void *data);
/* The frames of its threads, as far as they can be unwound without a guess; a thread's innermost first. */
typedef struct hd_frame hd_frame;
typedef void hd_frame_run(const hd_frame *frame, void *data);
void hd_stopped_frames(const hd_stopped *process, hd_frame_run *run, void *data);
/* All blocks in use, those of the C library among them. */
typedef void hd_block_run(guint64 start, gsize size, void *data);
void hd_stopped_blocks(const hd_stopped *process, hd_block_run *run, void *data);
/* Whether those are all there are: the program's malloc is glibc's, and all of its arenas make sense. */
bool hd_stopped_heap_is_known(const hd_stopped *process);
/* Blocks of these sizes by the program's own malloc, in one of its threads, which does not know. All of them; or
 * none, and *why (new string) says why. They are freed again, in the same stop, if the commit fails. */
bool hd_stopped_allocate(const hd_stopped *process, const gsize *sizes, guint count, guint64 *addresses, char **why);

/* An object that has another shape from now on. */
typedef struct {
	guint64 from, to; /* the same: it stays where it is */
	gsize old_size, new_size;
	guint8 *now;	   /* its new bytes; owned */
	bool ends_alone;   /* a pointer to right behind it is to its end, and to nothing else */
	const char *name;  /* for messages; borrowed */
	const void *shape; /* its owner's, for `lands` */
} hd_moved;

typedef enum {
	HD_LANDS_UNSURE,  /* there are several, and which is meant cannot be told */
	HD_LANDS_NOWHERE, /* what was there is gone */
	HD_LANDS,
	HD_LANDS_RETYPED, /* on a number that is of another type now */
} hd_lands;

typedef struct {
	/* For each process: appends its objects, as they shall be, to moved (of hd_moved). false: it cannot be done,
	 * *why (new string) says why. Called again when the commit is tried again. */
	bool (*convert)(const hd_stopped *process, GArray *moved, void *data, char **why);
	/* Where a pointer to that byte of the old object leads in the new one; bytes. */
	hd_lands (*lands)(const hd_moved *moved, guint64 old_offset, guint64 *new_offset, void *data);
	void *data;
} hd_reshape;

/* With the commit, objects change their shape, and every pointer into them follows. The commit fails with
 * HD_ERROR_UNSUPPORTED where that cannot be done. */
void hd_commit_reshape(hd_commit *commit, const hd_reshape *reshape);

typedef struct {
	guint processes, threads;
	gint64 pause_ns;    /* longest time any thread stood still */
	gint64 live_ns;	    /* monotonic: the last thread was released */
	GArray *skipped;    /* of guint: for each write, in how many processes it was skipped */
	GPtrArray *samples; /* of hd_sample *: every thread as it was at that instant */
} hd_commit_result;

void hd_commit_result_clear(hd_commit_result *result);

/* Stops every thread of every process, checks exclusions, writes, lets go. All
 * or nothing: on failure (HD_ERROR_BUSY, _DENIED, _IO, _GONE, _UNSUPPORTED) every byte is as
 * it was, and the program runs. No system call of the program returns EINTR for it.
 * deadline_ms: how long to try again for exclusions. */
bool hd_target_commit(hd_target *target, const hd_commit *commit, int deadline_ms, hd_commit_result *result,
		      GError **error);

/* ---- processes, threads, stacks ---- */

typedef struct {
	pid_t pid, ppid;
	bool adopted; /* by hd_target_adopt */
	char *name;
	GArray *threads; /* of hd_target_thread */
} hd_target_process;

typedef struct {
	pid_t tid;
	char name[16];
} hd_target_thread;

/* Living processes of the program (same executable, from fork), the first one first, from /proc,
 * without stopping anything; of hd_target_process *, with element free function. */
GPtrArray *hd_target_processes(hd_target *target);

/* ---- processes that called exec ---- */

/* A process that comes from the program's and has called exec: it is the program's no more, for it has another image.
 */
typedef struct {
	pid_t pid, ppid;
	char *runs; /* the path of what it executes */
} hd_target_stranger;

/* Those that live, as hd_target_processes saw them last; of hd_target_stranger, with clear function. */
GArray *hd_target_strangers(hd_target *target);

/* Looks who is the program's, and who comes from it. */
void hd_target_look(hd_target *target);

/* Processes that come from the program's and run its file anew, byte for byte the same, under whatever name; of
 * pid_t. As hd_target_look, hd_target_processes or a commit saw them last. */
GArray *hd_target_newcomers(hd_target *target);

/* Makes one of them the program's: gives it mark and arenas, and makes `commit` in it alone, which says what differs
 * between the file and what is live. All or nothing; no other process stands still. `needed` (of hd_target_object *):
 * what it must have where the others have it; the first `startup` of them, in that order, before anything else. result:
 * as of a commit. HD_ERROR_BUSY: not yet (it is still being loaded, or is in the way); HD_ERROR_GONE: it has ended or
 * called exec; anything else: never. The agent is not loaded there: gdb sees no names of new code in it. */
bool hd_target_adopt(hd_target *target, pid_t pid, const GPtrArray *needed, guint startup, const hd_commit *commit,
		     hd_commit_result *result, GError **error);

/* ---- stacks ---- */

/* A thread as it was: registers and a copy of its stack, to be unwound later. */
typedef struct hd_sample hd_sample;
void hd_sample_free(hd_sample *sample);
pid_t hd_sample_pid(const hd_sample *sample);
pid_t hd_sample_tid(const hd_sample *sample);
const char *hd_sample_name(const hd_sample *sample);

/* DWARF's numbers 0 to 15: the general registers (x86-64 psABI, figure 3.36). */
#define HD_FRAME_REGISTERS 16

struct hd_frame {
	guint64 pc;			       /* of the call, for frames above the innermost: already minus one */
	guint64 cfa;			       /* the canonical frame address (DWARF 5, 6.4); 0: not known */
	guint64 registers[HD_FRAME_REGISTERS]; /* as they are in this frame */
	guint16 known;			       /* bit n: registers[n] is; none, where a frame further in was a guess */
};

/* Tells the unwinder of code that was placed in an arena: an ELF image whose
 * allocated sections have sh_addr set. bytes is referenced. */
void hd_target_add_code(hd_target *target, GBytes *elf);
void hd_target_remove_code(hd_target *target, GBytes *elf);

/* Unwinds; innermost frame first; of hd_frame. *complete: reached the thread's
 * outermost frame; false: the rest is unknown, never "new". */
GArray *hd_target_unwind(hd_target *target, const hd_sample *sample, bool *complete);

/* What unwinding reads of files, before a stop in which it is done. */
void hd_target_prepare_unwind(hd_target *target);

/* Samples the given threads (of pid_t; NULL: all) with a stop as short as can be; of hd_sample *. */
GPtrArray *hd_target_sample(hd_target *target, const GArray *tids, GError **error);

/* ---- leads ---- */

/* Code at [start, end), and whether anything leads into it. */
typedef struct {
	guint64 start, end;
	bool found;
	pid_t pid;  /* where: in this process ... */
	guint64 at; /* ... the word at this address; 0: a register */
} hd_lead;

/* Looks through registers and memory of every process, in one stop, for what leads into the code of `leads` (of
 * hd_lead): return addresses on stacks, whoever's they are, jump buffers, stored addresses of labels. Conservative: a
 * number that looks like such an address counts. HD_ERROR_BUSY: not now, or there is too much memory. pause_ns: how
 * long the program stood still. */
bool hd_target_look_for_leads(hd_target *target, GArray *leads, gint64 *pause_ns, GError **error);

/* ---- gdb ---- */

/* Adds to commit what shows a symbol file (an ELF image in a DEBUG arena) to
 * gdb by its JIT interface, or takes it away. false: the agent is not loaded. */
bool hd_target_jit_add(hd_target *target, hd_commit *commit, guint64 image, gsize size, guint64 *handle);
bool hd_target_jit_remove(hd_target *target, hd_commit *commit, guint64 handle);

/* A signal to the first process, or its end with all its children (SIGTERM, then SIGKILL after grace_ms). */
void hd_target_end(hd_target *target, int grace_ms);

#endif
