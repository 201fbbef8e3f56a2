/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share. Nobody else includes it. */
#ifndef HD_TARGET_PRIVATE_H
#define HD_TARGET_PRIVATE_H

#include "reloader/target/target.h"

#include <sys/user.h>

/* ---- /proc/PID/maps (maps.c) ---- */

typedef struct {
	guint64 start, end, offset;
	guint64 device, inode;
	bool readable, writable, executable, shared;
	char *path; /* owned; "" for anonymous memory */
} hd_map;

/* Of hd_map, by address, with clear function. */
GArray *hd_maps_read(pid_t pid, GError **error);
/* The program's, through any thread that has its memory; `reader` (may be NULL) gets which. */
GArray *hd_maps_of(hd_target *target, pid_t *reader, GError **error);
const hd_map *hd_maps_find(const GArray *maps, guint64 address);
/* The place for `size` bytes closest below `from` (above it when `upwards`) that none of maps touches,
 * inside [floor, ceiling). 0: none. */
guint64 hd_maps_hole(const GArray *maps, guint64 size, guint64 from, guint64 floor, guint64 ceiling, bool upwards);

/* ---- the target ---- */

#define HD_PAGE 4096
#define HD_RED_ZONE 128 /* below the stack pointer, and alive (x86-64 psABI, 3.2.2) */
#define HD_TOKEN 16

/* Where the kernel put what it maps itself (getauxval(3)). */
typedef struct {
	guint64 entry, headers, base, vdso;
} hd_auxiliary;

/* A page shared with every process of the program, at the same address in
 * each, read-only there. Whoever has the token in it comes from fork. The rest
 * is room for the strings of injected calls. */
typedef struct {
	guint64 address;
	guint8 *view;
	int fd;
} hd_mark;

typedef struct {
	guint64 next, previous, image, size;
} hd_jit_entry; /* struct jit_code_entry of gdb's JIT interface */

struct hd_target {
	char *program;
	pid_t pid;
	int pidfd;
	bool ended; /* and its status collected */
	int status;
	bool running; /* detached; false: stopped at main, traced by the thread that started it */
	hd_auxiliary auxiliary;
	guint64 bias, main, dynamic;
	guint64 debug;	      /* r_debug, the loader's list; 0: not known yet, or there is none */
	guint64 stack_end;    /* of the first thread */
	guint64 syscall_code; /* address of a `syscall` instruction */
	hd_mark mark;
	guint64 agent_device, agent_inode;
	guint64 agent_allocate, agent_free; /* its functions; 0: it is not loaded */
	struct hd_allocator *allocator;	    /* NULL: not found */
	GHashTable *early;		    /* early.c's: blocks that main found */
	GHashTable *made;		    /* early.c's: start -> bytes that we asked for */
	GPtrArray *objects;		    /* of hd_target_object * */
	GPtrArray *arenas;		    /* of arena * */
	guint commits;			    /* that have succeeded */
	int file;			    /* the program's, open for reading */
	struct timespec built;		    /* when it was last written */
	GHashTable *kin;		    /* pid -> hd_kin *: processes below the program's that are not its own */
	GHashTable *adopted;		    /* pids that were adopted */
	bool agentless;			    /* there may be processes without the agent */
	bool reshaped;			    /* objects have another shape than the program's file says */
	GHashTable *others;		    /* pid -> inode of /proc/pid: processes known not to be the program's */
	GHashTable *family;		    /* pids that were the program's, to be reaped when they are ours to reap */
	guint64 jit_descriptor;
	GArray *jit_nodes;  /* of guint64: addresses of the list's nodes, first first */
	GArray *jit_spares; /* of guint64: nodes to be used again */
	GHashTable *code;   /* GBytes * -> code image (unwind.c) */
	void *unwinder;	    /* unwind.c's, made when first needed */
};

/* ---- one process and one thread that are stopped (stop.c) ---- */

typedef enum {
	HD_THREAD_SEIZED,  /* traced, runs */
	HD_THREAD_STOPPED, /* in a ptrace stop */
	HD_THREAD_INSIDE,  /* asleep in the kernel and not to be woken; it stops before it runs any code of the program
			    */
	HD_THREAD_GONE,
} hd_thread_state;

typedef struct {
	pid_t pid, tid;
	hd_thread_state state;
	int signal;	  /* to be delivered when it goes on; 0: none */
	bool listening;	  /* stopped by job control: goes on being so */
	bool interrupted; /* was asked to stop */
	bool plain;	  /* in a trap of PTRACE_INTERRUPT: system calls can be injected */
	bool changed;	  /* registers are to be written before it goes on */
	bool stop_again;  /* a SIGSTOP was taken from it */
	bool stepped;	  /* goes on stepping unless it is detached */
	struct user_regs_struct regs;
} hd_thread;

typedef struct {
	pid_t pid;
	pid_t reader; /* a thread of it that has memory */
	int memory;   /* /proc/PID/mem */
	bool listed;  /* every thread of it is known */
	bool gone;    /* ended, or called exec */
	bool agent;   /* it has loaded the agent, if there is one */
} hd_process;

typedef struct {
	hd_target *target;
	pid_t newcomer;		/* only this process, which has no mark yet; 0: all that have it */
	GArray *threads;	/* of hd_thread */
	GArray *processes;	/* of hd_process */
	GHashTable *index;	/* tid -> index in threads + 1 */
	guint64 existing, last; /* hd_births before the last search */
	gint64 began;		/* when the first thread stopped; 0: none has */
	bool tied;		/* hd_stop_tie */
} hd_stop;

/* Runs work in a thread of its own and waits for it. ptrace ties a traced
 * thread to the thread that traces it, so whatever work leaves attached, on
 * whatever path, the kernel lets go when that thread ends, which was at *ended (may be NULL). */
bool hd_tracer_run(void (*work)(void *data), void *data, gint64 *ended, GError **error);

/* The three steps of a stop, in a tracer; each failure asks for hd_stop_release. */
hd_stop *hd_stop_new(hd_target *target);
/* Attaches to every thread of every process; they run on. New ones are attached as they are made. */
bool hd_stop_attach(hd_stop *stop, GError **error);
/* Stops them all and reads their registers. */
bool hd_stop_now(hd_stop *stop, GError **error);
/* From here on, and until they are let go, whoever ends this process ends the stopped ones as well: half of what is to
 * be written must not run. */
void hd_stop_tie(hd_stop *stop);
/* The last that work does: what is still attached then goes on when the tracer ends; registers that were changed are
 * written. */
void hd_stop_release(hd_stop *stop);
void hd_stop_free(hd_stop *stop);

/* Waits for the next stop of a traced thread. false: it ended, or the time (ns, monotonic) has come. */
bool hd_wait_stop(pid_t tid, gint64 until, int *status);
/* One instruction further; a signal that comes instead is kept in thread->signal. */
bool hd_thread_step(hd_thread *thread);
/* Where a thread that was asked to stop will go on, if it sleeps in the kernel; its state says so then. */
bool hd_thread_look_inside(hd_thread *thread);
hd_process *hd_stop_process(hd_stop *stop, pid_t pid);
/* One thread of each process in which system calls can be made; of hd_thread *. NULL: there is none right now. */
GPtrArray *hd_stop_borrowable(hd_stop *stop);
/* If its system call was cut short by us alone, makes it start again. */
void hd_thread_hide_interrupt(hd_thread *thread);

/* ---- finding processes (process.c) ---- */

/* Below the program's processes, and without the mark: it has called exec. */
typedef struct {
	guint64 inode; /* of /proc/pid */
	dev_t device;  /* what was looked at when `same` was found out */
	ino_t file;
	struct timespec modified;
	bool looked, same; /* whether it runs the program's file */
} hd_kin;

/* Pids of all processes of the program; of pid_t. */
GArray *hd_process_find(hd_target *target, GError **error);
/* A thread of the process through which its memory is reached: the first one, if that lives. 0: none. */
pid_t hd_process_reader(const hd_target *target, pid_t pid);
/* The same of any process of the program, the first one if it lives. 0: it has ended. */
pid_t hd_target_witness(hd_target *target);
/* Appends the thread ids of a process to tids (of pid_t), complete unless it ended. */
void hd_process_threads(pid_t pid, GArray *tids);
/* The system's processes and threads: how many there are, and the pid given last. */
typedef struct {
	guint64 existing, last;
} hd_births;
hd_births hd_births_now(void);
/* All processes of the program and all that they started; of pid_t. */
GArray *hd_process_descendants(hd_target *target);
/* Whether a process runs the program's file anew, and has not been adopted. */
bool hd_process_is_newcomer(hd_target *target, pid_t pid);
/* A process is the program's from now on. */
void hd_process_adopted(hd_target *target, pid_t pid);
/* Collects children that the program orphaned, which are ours then. */
void hd_process_reap(hd_target *target);
/* State letter and tracer of a thread; false: gone. */
bool hd_thread_status(pid_t tid, char *state, pid_t *tracer);
char *hd_process_name(pid_t pid);
/* Collects the first process' wait status when it comes by. */
void hd_target_note_exit(hd_target *target, pid_t pid, int status);

/* ---- injected calls (inject.c): the thread is traced by the caller and stopped ---- */

typedef struct {
	hd_target *target;
	hd_thread *thread;
	guint64 mask;
	struct user_regs_struct regs;
	guint64 stack;		/* where calls have theirs: below this address; 0: below the thread's own */
	struct iovec *extended; /* floating point and vector state; NULL: not saved */
} hd_inject;

bool hd_inject_begin(hd_inject *inject, hd_target *target, hd_thread *thread, GError **error);
/* result is the kernel's: -errno on failure. false: the thread was lost. */
bool hd_inject_syscall(hd_inject *inject, long number, const guint64 arguments[6], gint64 *result, GError **error);
/* Calls a function with up to two arguments. HD_ERROR_BUSY: it began to wait for another thread, which is stopped. */
bool hd_inject_call(hd_inject *inject, guint64 function, guint64 first, guint64 second, guint64 *result,
		    GError **error);
/* The thread is as it was. */
bool hd_inject_end(hd_inject *inject, GError **error);
/* Address of two bytes 0f 05 in executable memory; 0: none. */
guint64 hd_find_syscall(pid_t pid, const GArray *maps);

/* ---- memory ---- */

/* Whole range or false. */
bool hd_memory_read(pid_t pid, guint64 address, void *out, gsize size);
/* As much as is mapped from address on. */
gsize hd_memory_read_some(pid_t pid, guint64 address, void *out, gsize size);
/* memory: /proc/PID/mem. Whole range, or false: perhaps part of it. */
bool hd_memory_write(int memory, guint64 address, const void *bytes, gsize size);

/* ---- windows.c ---- */

/* What is read while the process stands still is remembered. */
typedef struct hd_windows hd_windows;
hd_windows *hd_windows_new(pid_t reader);
void hd_windows_free(hd_windows *windows);
/* Whole range or false. */
bool hd_windows_read(hd_windows *windows, guint64 address, void *out, gsize size);
/* The process has run, or was written to. */
void hd_windows_forget(hd_windows *windows);

/* ---- pages.c ---- */

/* Where a process that stands still may keep addresses. */
typedef struct hd_pages hd_pages;
/* reader: a thread that has its memory. */
hd_pages *hd_pages_new(pid_t reader, GError **error);
void hd_pages_free(hd_pages *pages);
typedef void hd_pages_run(guint64 start, gsize size, void *data);
/* In whole pages, in order of addresses. */
void hd_pages_each(const hd_pages *pages, hd_pages_run *run, void *data);
/* The mapping that holds the address. */
bool hd_pages_map(const hd_pages *pages, guint64 address, guint64 *start, guint64 *end);
/* An address that setjmp has kept, as it was. guard: hd_pointer_guard; 0: it cannot be read. */
guint64 hd_unmangle(guint64 word, guint64 guard);
guint64 hd_pointer_guard(const hd_stop *stop, const hd_process *process);
/* Of hd_map: all mappings, as they were when this was made. */
const GArray *hd_pages_maps(const hd_pages *pages);
void hd_pages_each_in(const hd_pages *pages, const hd_map *map, hd_pages_run *run, void *data);

/* ---- objects.c ---- */

/* The objects that one process has loaded, as hd_target_objects has them. NULL: not now, or its layout is another. */
GPtrArray *hd_objects_of(hd_target *target, pid_t pid);

/* Address of a symbol that a loaded object defines in .dynsym; 0: none. */
guint64 hd_target_symbol(hd_target *target, const char *name);
guint64 hd_object_symbol(const hd_target_object *object, const char *name);
/* Every symbol that the object defines in .dynsym, until run says false. */
typedef bool hd_symbol_run(const char *name, guint64 address, guint64 size, void *data);
void hd_object_each_symbol(const hd_target_object *object, hd_symbol_run *run, void *data);

/* ---- arena.c ---- */

/* An anonymous file of that size, mapped writable. -1 on failure. */
int hd_shared_memory(const char *name, gsize size, guint8 **view, GError **error);
/* Injected openat, mmap, close in one stopped thread. What is writable is the process' own copy. */
bool hd_inject_map(hd_inject *inject, guint64 path, guint64 address, gsize size, int protection, GError **error);
void hd_arenas_free(hd_target *target);
/* Maps every arena where the others have it. All or none. */
bool hd_arenas_map_into(hd_inject *inject, GError **error);
void hd_arenas_unmap_from(hd_inject *inject);
/* What a commit has written into an arena for data is there at first in a process that is adopted later; where it
 * replaced something that was expected, only if that was there at first. */
void hd_arena_remember(hd_target *target, guint64 address, const guint8 *bytes, const guint8 *expect, gsize size);
/* Does the address lie in an arena for code? */
/* Where the program has what our view shows; 0: not in an arena. A process into
 * whose page a debugger wrote has that page to itself from then on: there, what
 * is stored in the view must be written once more (commit.c). */
guint64 hd_arena_program_address(const hd_target *target, const guint8 *view);
bool hd_arena_has_code(const hd_target *target, guint64 address);

/* ---- start.c, launch.c ---- */

/* false: there is none, as in the middle of an exec. */
bool hd_auxiliary_read(pid_t pid, hd_auxiliary *auxiliary);

/* Forks; the child waits until release is written to, then execs; failed reports errno. */
typedef struct {
	pid_t pid;
	int release, failed;
} hd_launch;
bool hd_launch_fork(const hd_target_options *options, hd_launch *launch, GError **error);
/* Maps the mark's page, which says whose a process is. HD_ERROR_BUSY: not now. */
bool hd_mark_map(hd_inject *inject, GError **error);
void hd_mark_unmap(hd_inject *inject);

/* ---- adopt.c ---- */

typedef struct {
	pid_t pid;
	const GPtrArray *needed; /* of hd_target_object * */
	guint startup;
} hd_newcomer;

/* The newcomer is stopped: looks whether it is laid out like the others, and gives it mark and arenas.
 * HD_ERROR_BUSY: not yet. */
bool hd_adopt_prepare(hd_stop *stop, const hd_newcomer *newcomer, GError **error);
void hd_adopt_withdraw(hd_stop *stop);

/* ---- commit.c ---- */

struct hd_commit {
	GArray *writes;	    /* of hd_write */
	GArray *exclusions; /* of hd_exclusion */
	GArray *stores;	    /* of hd_store */
	GArray *jit_added;  /* of hd_jit_added */
	GArray *jit_gone;   /* of guint64: nodes */
	hd_reshape reshape; /* convert NULL: nothing changes its shape */
};

typedef struct {
	guint8 *view;
	GBytes *bytes;
} hd_store;

typedef struct {
	guint64 node, image, size;
} hd_jit_added;

/* reshape.c: what one process is to have written, and had. */
typedef struct {
	guint64 address;
	gsize size, offset; /* in before and after */
} hd_own_write;

typedef struct {
	guint thread; /* index in the stop's */
	bool changed;
	struct user_regs_struct regs;
} hd_own_registers;

typedef struct {
	GArray *list; /* of hd_own_write, in the order of writing */
	GByteArray *before, *after;
	GArray *registers;   /* of hd_own_registers: as they were */
	GArray *blocks;	     /* of guint64: allocated for it */
	GArray *left, *made; /* of hd_own_write: blocks that objects leave, and where they come */
	bool heap;	     /* some blocks of the heap are written to */
} hd_own_writes;

hd_own_writes *hd_own_writes_new(void);
void hd_own_writes_free(hd_own_writes *writes);
/* The registers of the process' threads are changed already. NULL: nothing is. HD_ERROR_BUSY: perhaps soon;
 * HD_ERROR_UNSUPPORTED: it cannot be done. */
hd_own_writes *hd_reshape_process(const hd_commit *commit, hd_stop *stop, const hd_process *process, GError **error);
/* It is not to be, and its memory is as it was: the registers are, too, and the blocks are given back. */
void hd_own_writes_forget(hd_own_writes *writes, hd_stop *stop, const hd_process *process);
/* It was written: whether the allocator's data still make sense. */
bool hd_own_writes_hold(const hd_own_writes *writes, const hd_stop *stop, const hd_process *process);

/* ---- allocator.c ---- */

/* The object whose malloc the program calls. */
typedef struct hd_allocator {
	bool glibc; /* the C library's own, as glibc has it */
	bool own;   /* part of the program itself */
	guint64 text_start, text_end;
	guint64 data_start, data_end; /* writable */
	/* A return address in here is one of a thread that allocates. */
	guint64 functions_start, functions_end;
} hd_allocator;

/* To be freed by g_free. NULL: no loaded object defines malloc. The program must have come to main: from there on it
 * is always the same. */
hd_allocator *hd_allocator_find(hd_target *target);
/* Whether no thread of the process is inside the allocator. */
bool hd_allocator_rests(const hd_allocator *allocator, const hd_stop *stop, const hd_process *process);
/* The number of the system call that the thread stands right behind, or will make again; -1: none. */
gint64 hd_thread_call(const hd_thread *thread);

/* ---- heap.c: the blocks of glibc's allocator, which rests ---- */

typedef struct hd_heap hd_heap;
hd_heap *hd_heap_read(const hd_allocator *allocator, pid_t reader);
void hd_heap_free(hd_heap *heap);
/* A lock of it is held. */
bool hd_heap_is_locked(const hd_heap *heap);
/* All of it was understood. */
bool hd_heap_has(const hd_heap *heap, guint64 address);
/* Whether the word there is the allocator's own, and no block's. What it points to are chunks, not blocks. */
bool hd_heap_is_own(const hd_heap *heap, guint64 address);
bool hd_heap_is_known(const hd_heap *heap);
bool hd_heap_block(const hd_heap *heap, guint64 address, guint64 *start, gsize *size);
void hd_heap_each(const hd_heap *heap, hd_block_run *run, void *data);

/* ---- early.c ---- */

/* The program is stopped at main. */
void hd_early_note(hd_target *target);
/* Nobody uses it any more, and it holds zeroes. */
void hd_early_leave(hd_target *target, guint64 start, gsize size);
/* A block that was allocated for an object: so many bytes were asked for. */
void hd_early_make(hd_target *target, guint64 start, gsize asked);
/* How many bytes of a block are anybody's: what was asked for, if we did; else all that can be used. */
gsize hd_early_asked(const hd_target *target, guint64 start, gsize usable);
/* Whether the block was there then, or was left, and holds what it held. */
bool hd_early_has(const hd_target *target, pid_t reader, guint64 start, gsize size);

/* ---- stopped.c ---- */

/* What was asked of a process' heap in one stop. */
typedef struct {
	enum { HD_REST_UNKNOWN, HD_RESTS, HD_RESTLESS } rest; /* whether its allocator does */
	hd_heap *heap;					      /* NULL: not asked for since the last change */
	GArray *blocks;					      /* of guint64: those that were allocated; not owned */
} hd_asked;

struct hd_stopped {
	pid_t pid, reader; /* the process' */
	hd_stop *stop;
	const hd_process *process;
	hd_asked *asked;
	hd_windows *windows;
};

/* NULL: it cannot be known, or not now. */
const hd_heap *hd_stopped_heap(const hd_stopped *process);
/* Gives back what hd_stopped_allocate made, in the same stop. */
void hd_stopped_give_back(hd_stop *stop, const hd_process *process, GArray *blocks);

/* jit.c: appends the writes that make the list what commit says; `nodes` is the new list. */
GArray *hd_jit_prepare(hd_target *target, const hd_commit *commit, GArray *writes);
void hd_jit_committed(hd_target *target, const hd_commit *commit, GArray *nodes);

/* Makes commit in a process that becomes the program's by it. */
bool hd_commit_newcomer(hd_target *target, const hd_newcomer *newcomer, const hd_commit *commit, int deadline_ms,
			hd_commit_result *result, GError **error);

/* ---- sample.c ---- */

#define HD_SAMPLE_STACK (256 * 1024)
#define HD_STACK_LIMIT (64 * 1024 * 1024)

typedef struct {
	guint64 start, limit; /* limit: at most up to there; memory may end before */
} hd_stack_range;

/* The stack that a thread with these registers is on. */
hd_stack_range hd_stack_current(const hd_target *target, const struct user_regs_struct *regs);
/* When that is not its own (a signal's, a coroutine's): the part of its own that it
 * points to, given words of the current one. false: it is its own, or nothing points there. */
bool hd_stack_other(const hd_target *target, const hd_thread *thread, const guint64 *words, gsize count,
		    hd_stack_range *range);

/* Is there a return address on the thread's stacks for which test is true? In doubt there is. */
typedef bool hd_word_test(guint64 word, const void *data);
bool hd_thread_is_inside(hd_target *target, const hd_thread *thread, hd_word_test *test, const void *data);

typedef struct {
	guint64 start;
	gsize size;
	guint8 *bytes;
} hd_stack_copy;

struct hd_sample {
	pid_t pid, tid;
	char name[16];
	struct user_regs_struct regs;
	bool registers;		/* false: only rip and rsp are known */
	hd_stack_copy stack[2]; /* the one it is on, and its own if that is another */
};

/* Every word on the stacks of a thread that is stopped. */
void hd_stack_words(const hd_target *target, const hd_thread *thread, hd_word_run *run, void *data);
/* From a thread that is stopped. */
hd_sample *hd_sample_take(const hd_target *target, const hd_thread *thread);
void hd_sample_name_all(GPtrArray *samples);

/* ---- unwind.c ---- */

void hd_unwinder_free(hd_target *target);
GHashTable *hd_code_images_new(void);

#endif
