/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls and function calls that the program makes for us.
 *
 * No byte of the program's code is written for it: system calls go through a
 * `syscall` instruction that is there already (the vdso's), and stop at
 * PTRACE_SYSCALL's stops, which are no signals. Meanwhile the thread's signals
 * wait (PTRACE_SETSIGMASK). Legal order: begin, any number of calls, end. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define PATIENCE_NS (5 * G_GINT64_CONSTANT(1000000000))
#define SIGNAL_BIT(number) (G_GUINT64_CONSTANT(1) << ((number)-1))

static bool
lost(const hd_inject *inject, GError **error)
{
	g_set_error(error, HD_ERROR, HD_ERROR_GONE, "thread %d ended while it made a call for hotdev",
		    (int)inject->thread->tid);
	inject->thread->state = HD_THREAD_GONE;
	return false;
}

bool
hd_inject_begin(hd_inject *inject, hd_target *target, hd_thread *thread, GError **error)
{
	*inject = (hd_inject){.target = target, .thread = thread};
	/* SIGTRAP stays open: a trap that finds it blocked resets the program's handler (kernel/signal.c). */
	guint64 closed = ~SIGNAL_BIT(SIGTRAP);
	if (hd_fault("target.inject") || ptrace(PTRACE_GETREGS, thread->tid, 0, &inject->regs) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof inject->mask, &inject->mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof closed, &closed) < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot borrow thread %d", (int)thread->tid);
		return false;
	}
	return true;
}

/* Goes on by `request` to the stop with this status; a SIGSTOP, which no mask holds back, is kept for later. */
static bool
run_to(hd_inject *inject, enum __ptrace_request request, int wanted, int *other)
{
	pid_t tid = inject->thread->tid;
	if (other)
		*other = 0;
	for (;;) {
		int status;
		if (ptrace(request, tid, 0, 0) < 0 || !hd_wait_stop(tid, hd_now_ns() + PATIENCE_NS, &status))
			return false;
		if (status >> 8 == wanted)
			return true;
		if (status >> 8 == SIGSTOP)
			inject->thread->stop_again = true;
		else if (other && status >> 16 == 0) {
			*other = WSTOPSIG(status);
			return true;
		}
	}
}

bool
hd_inject_syscall(hd_inject *inject, long number, const guint64 arguments[6], gint64 *result, GError **error)
{
	pid_t tid = inject->thread->tid;
	struct user_regs_struct regs = inject->regs;
	regs.rip = inject->target->syscall_code;
	regs.rax = (guint64)number;
	regs.orig_rax = (guint64)-1; /* nothing to restart */
	regs.rdi = arguments[0];
	regs.rsi = arguments[1];
	regs.rdx = arguments[2];
	regs.r10 = arguments[3];
	regs.r8 = arguments[4];
	regs.r9 = arguments[5];
	if (hd_fault("target.syscall")) {
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "system call %ld was made to fail", number);
		return false;
	}
	if (ptrace(PTRACE_SETREGS, tid, 0, &regs) < 0 || !run_to(inject, PTRACE_SYSCALL, SYSCALL_STOP, NULL) ||
	    !run_to(inject, PTRACE_SYSCALL, SYSCALL_STOP, NULL) || ptrace(PTRACE_GETREGS, tid, 0, &regs) < 0)
		return lost(inject, error);
	*result = (gint64)regs.rax;
	return true;
}

static bool
save_extended(hd_inject *inject)
{
	if (inject->extended)
		return true;
	struct iovec *area = g_new0(struct iovec, 1);
	area->iov_len =
		64 * 1024; /* more than any processor's XSAVE area without AMX; the kernel says how much it is */
	area->iov_base = g_malloc0(area->iov_len);
	inject->extended = area;
	return ptrace(PTRACE_GETREGSET, inject->thread->tid, NT_X86_XSTATE, area) == 0;
}

/* The call returns to a `syscall` instruction, where it stops like any system call: no signal takes part, whatever the
 * program does with SIGTRAP. The stack pointer tells that one from all others. */
static bool
has_returned(const hd_inject *inject, const struct user_regs_struct *regs, guint64 stack)
{
	return regs->rip == inject->target->syscall_code + 2 && regs->rsp == stack + sizeof(guint64);
}

/* With all threads stopped, whoever waits for another waits for ever: futex(2), or a lock that is tried again. */
static bool
would_wait(const struct user_regs_struct *regs)
{
	switch (regs->orig_rax) {
	case SYS_futex:
		switch (regs->rsi & FUTEX_CMD_MASK) {
		case FUTEX_WAIT:
		case FUTEX_WAIT_BITSET:
		case FUTEX_LOCK_PI:
			return true;
		default:
			return false;
		}
	case SYS_sched_yield:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
		return true;
	default:
		return false;
	}
}

/* A system call that has been entered becomes one that does nothing, and that every seccomp(2) filter knows. */
static bool
pass_over(hd_inject *inject, struct user_regs_struct *regs)
{
	regs->orig_rax = SYS_read;
	regs->rdi = (guint64)-1;
	regs->rsi = regs->rdx = 0;
	return ptrace(PTRACE_SETREGS, inject->thread->tid, 0, regs) == 0 &&
	       run_to(inject, PTRACE_SYSCALL, SYSCALL_STOP, NULL);
}

/* To the call's end. regs: as it was begun, then the last ones; *other: a signal that came instead. */
static bool
run_call(hd_inject *inject, struct user_regs_struct *regs, int *other, bool *waits)
{
	pid_t tid = inject->thread->tid;
	guint64 stack = regs->rsp;
	*waits = false;
	for (bool entering = true;; entering = !entering) {
		if (!run_to(inject, PTRACE_SYSCALL, SYSCALL_STOP, other) || ptrace(PTRACE_GETREGS, tid, 0, regs) < 0)
			return false;
		if (*other)
			return true;
		if (!entering)
			continue;
		guint64 result = regs->orig_rax;
		*waits = !has_returned(inject, regs, stack) && would_wait(regs);
		if (!*waits && !has_returned(inject, regs, stack))
			continue;
		bool good = pass_over(inject, regs);
		regs->rax = result;
		return good;
	}
}

/* It runs and does not come to an end: it is stopped where it is. */
static bool
call_back(const hd_inject *inject)
{
	int status;
	pid_t tid = inject->thread->tid;
	return ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 && hd_wait_stop(tid, hd_now_ns() + PATIENCE_NS, &status);
}

bool
hd_inject_call(hd_inject *inject, guint64 function, guint64 first, guint64 second, guint64 *result, GError **error)
{
	pid_t tid = inject->thread->tid;
	struct user_regs_struct regs = inject->regs;
	if (!save_extended(inject))
		return lost(inject, error);
	/* Entry of a function: rsp + 8 is a multiple of 16 (psABI, 3.2.2). */
	guint64 top = inject->stack ? inject->stack : regs.rsp - HD_RED_ZONE;
	regs.rsp = (top & ~G_GUINT64_CONSTANT(15)) - 8;
	regs.rip = function;
	regs.rdi = first;
	regs.rsi = second;
	regs.rax = 0;
	regs.orig_rax = (guint64)-1;
	regs.eflags &= ~G_GUINT64_CONSTANT(0x400); /* direction flag clear, as the ABI has it */
	if (ptrace(PTRACE_POKEDATA, tid, regs.rsp, inject->target->syscall_code) < 0 ||
	    ptrace(PTRACE_SETREGS, tid, 0, &regs) < 0)
		return lost(inject, error);
	/* Faults have to arrive: a blocked SIGSEGV kills. */
	guint64 closed = ~(SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) |
			   SIGNAL_BIT(SIGFPE));
	ptrace(PTRACE_SETSIGMASK, tid, sizeof closed, &closed);
	int other;
	bool waits, ended = run_call(inject, &regs, &other, &waits);
	if (!ended && !call_back(inject))
		return lost(inject, error);
	if (!ended || other || waits) {
		g_set_error(error, HD_ERROR, waits ? HD_ERROR_BUSY : HD_ERROR_IO,
			    "a call made for hotdev did not come back (signal %d)", other);
		return false;
	}
	*result = regs.rax;
	return true;
}

bool
hd_inject_end(hd_inject *inject, GError **error)
{
	pid_t tid = inject->thread->tid;
	bool good = inject->thread->state != HD_THREAD_GONE;
	if (good && inject->extended)
		good = ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, inject->extended) == 0;
	/* A system call of its own that our stop interrupted is restarted by the kernel when the thread is let go:
	 * PTRACE_DETACH sends it through signal handling, where these registers say so (__ptrace_unlink). */
	good = good && ptrace(PTRACE_SETREGS, tid, 0, &inject->regs) == 0 &&
	       ptrace(PTRACE_SETSIGMASK, tid, sizeof inject->mask, &inject->mask) == 0;
	if (inject->extended) {
		g_free(inject->extended->iov_base);
		g_clear_pointer(&inject->extended, g_free);
	}
	return good || lost(inject, error);
}

guint64
hd_find_syscall(pid_t pid, const GArray *maps)
{
	/* The vdso first: it is the smallest and the same in every process that came from fork. */
	for (int pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < maps->len; i++) {
			const hd_map *map = &g_array_index(maps, hd_map, i);
			bool vdso = strcmp(map->path, "[vdso]") == 0;
			if (!map->executable || vdso != (pass == 0) || strcmp(map->path, "[vsyscall]") == 0)
				continue;
			gsize size = (gsize)MIN(map->end - map->start, 4 * 1024 * 1024);
			guint8 *bytes = g_malloc(size);
			gsize got = hd_memory_read_some(pid, map->start, bytes, size);
			guint8 *found = got ? memmem(bytes, got, "\x0f\x05", 2) : NULL;
			guint64 address = found ? map->start + (guint64)(found - bytes) : 0;
			g_free(bytes);
			if (address)
				return address;
		}
	}
	return 0;
}
