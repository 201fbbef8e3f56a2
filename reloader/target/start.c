/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From fork to main, and the end.
 *
 * The child waits on a pipe until it is seized, so no signal is used up for
 * that, then execs. It runs to main by a breakpoint, and there makes the calls
 * that need a program which has set itself up. Until hd_target_run it dies
 * with us (PTRACE_O_EXITKILL): it has not begun. Afterwards nothing ties it. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK)
#define EXEC_STOP (SIGTRAP | (PTRACE_EVENT_EXEC << 8))
#define FORK_STOP (SIGTRAP | (PTRACE_EVENT_FORK << 8))
#define BREAKPOINT 0xcc

void
hd_target_note_exit(hd_target *target, pid_t pid, int status)
{
	if (pid == target->pid && !target->ended) {
		target->ended = true;
		target->status = status;
	}
}

static bool
ended_early(hd_target *target, int status, GError **error)
{
	hd_target_note_exit(target, target->pid, status);
	if (WIFSIGNALED(status))
		g_set_error(error, HD_ERROR, HD_ERROR_START, "%s was ended by signal %d (%s) before it reached main",
			    target->program, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		g_set_error(error, HD_ERROR, HD_ERROR_START, "%s ended with status %d before it reached main",
			    target->program, WEXITSTATUS(status));
	return false;
}

static bool
start_failed(hd_target *target, const char *what, GError **error)
{
	hd_error_set_errno(error, HD_ERROR_START, errno, "cannot start %s: %s", target->program, what);
	return false;
}

/* ---- may we at all ---- */

bool
hd_target_may_trace(GError **error)
{
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	if (child < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "no process can be made");
		return false;
	}
	bool denied = hd_fault("target.start-seize") ? (errno = EPERM, true) : ptrace(PTRACE_SEIZE, child, 0, 0) < 0;
	if (denied)
		hd_error_set_errno(error, HD_ERROR_DENIED, errno,
				   "the system does not let hotdev trace a child of its own");
	kill(child, SIGKILL);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	return !denied;
}

/* ---- exec ---- */

static bool
seize_and_exec(hd_target *target, const hd_launch *launch, GError **error)
{
	if (hd_fault("target.start-seize"))
		errno = EPERM;
	else
		errno = 0;
	if (errno || ptrace(PTRACE_SEIZE, launch->pid, 0, OPTIONS) < 0)
		return start_failed(target, "the system does not let hotdev trace it (ptrace)", error);
	if (write(launch->release, "", 1) != 1)
		return start_failed(target, "its process does not answer", error);
	for (;;) {
		int status, reason;
		if (waitpid(launch->pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return start_failed(target, "it was lost", error);
		}
		if (status >> 8 == EXEC_STOP)
			return true;
		if (!WIFSTOPPED(status)) {
			if (read(launch->failed, &reason, sizeof reason) != sizeof reason)
				return ended_early(target, status, error);
			hd_target_note_exit(target, launch->pid, status);
			errno = reason;
			hd_error_set_errno(error, HD_ERROR_START, reason, "cannot run %s", target->program);
			return false;
		}
		int signal_number = status >> 16 == 0 ? WSTOPSIG(status) : 0;
		ptrace(PTRACE_CONT, launch->pid, 0, signal_number);
	}
}

/* ---- where things are ---- */

bool
hd_auxiliary_read(pid_t pid, hd_auxiliary *aux)
{
	char name[64], *bytes;
	gsize size;
	*aux = (hd_auxiliary){0};
	g_snprintf(name, sizeof name, "/proc/%d/auxv", (int)pid);
	if (!g_file_get_contents(name, &bytes, &size, NULL))
		return false;
	const Elf64_auxv_t *vector = (const void *)bytes;
	for (gsize i = 0; i < size / sizeof *vector; i++) {
		switch (vector[i].a_type) {
		case AT_ENTRY:
			aux->entry = vector[i].a_un.a_val;
			break;
		case AT_PHDR:
			aux->headers = vector[i].a_un.a_val;
			break;
		case AT_BASE:
			aux->base = vector[i].a_un.a_val;
			break;
		case AT_SYSINFO_EHDR:
			aux->vdso = vector[i].a_un.a_val;
			break;
		default:
			break;
		}
	}
	g_free(bytes);
	return aux->entry != 0;
}

/* What the kernel runs is what we were asked to run, and of our kind. */
static bool
check_executable(hd_target *target, Elf64_Ehdr *header, GError **error)
{
	char name[64];
	struct stat asked, runs;
	g_snprintf(name, sizeof name, "/proc/%d/exe", (int)target->pid);
	if (stat(target->program, &asked) < 0 || stat(name, &runs) < 0)
		return start_failed(target, "it vanished", error);
	if (asked.st_dev != runs.st_dev || asked.st_ino != runs.st_ino) {
		char *interpreter = g_file_read_link(name, NULL);
		g_set_error(error, HD_ERROR, HD_ERROR_START, "%s is no program of its own: %s runs it", target->program,
			    interpreter ? interpreter : "another program");
		g_free(interpreter);
		return false;
	}
	if (target->file >= 0)
		close(target->file);
	target->file = open(name, O_RDONLY | O_CLOEXEC);
	target->built = runs.st_mtim;
	ssize_t got = target->file < 0 ? -1 : pread(target->file, header, sizeof *header, 0);
	if (got != sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64) {
		g_set_error(error, HD_ERROR, HD_ERROR_START, "%s is not a 64-bit x86 program", target->program);
		return false;
	}
	return true;
}

/* ---- running to an address ---- */

static bool
poke_byte(pid_t pid, guint64 address, guint8 byte, guint8 *old)
{
	guint64 aligned = address & ~G_GUINT64_CONSTANT(7);
	unsigned shift = (unsigned)(address - aligned) * 8;
	errno = 0;
	guint64 word = (guint64)ptrace(PTRACE_PEEKTEXT, pid, aligned, 0);
	if (errno)
		return false;
	if (old)
		*old = (guint8)(word >> shift);
	word = (word & ~(G_GUINT64_CONSTANT(0xff) << shift)) | (guint64)byte << shift;
	return ptrace(PTRACE_POKETEXT, pid, aligned, word) == 0;
}

typedef enum { REACHED, EXECUTED, FAILED } run_result;

/* A process forked before main has our breakpoint in its copy of the code. */
static void
clean_child(pid_t parent, guint64 address, guint8 byte)
{
	unsigned long child;
	int status;
	if (ptrace(PTRACE_GETEVENTMSG, parent, 0, &child) < 0 ||
	    !hd_wait_stop((pid_t)child, hd_now_ns() + 5 * G_GINT64_CONSTANT(1000000000), &status))
		return;
	poke_byte((pid_t)child, address, byte, NULL);
	ptrace(PTRACE_DETACH, (pid_t)child, 0, status >> 16 == 0 ? WSTOPSIG(status) : 0);
}

/* Goes on until the breakpoint at address is hit; signals pass as they would. Leaves the breakpoint in place. */
static run_result
run_to(hd_target *target, guint64 address, guint8 byte, GError **error)
{
	pid_t pid = target->pid;
	enum __ptrace_request request = PTRACE_CONT;
	int signal_number = 0;
	for (;;) {
		int status;
		if (ptrace(request, pid, 0, signal_number) < 0 && errno != ESRCH) {
			start_failed(target, "it cannot go on", error);
			return FAILED;
		}
		while (waitpid(pid, &status, __WALL) < 0)
			if (errno != EINTR) {
				start_failed(target, "it was lost", error);
				return FAILED;
			}
		if (!WIFSTOPPED(status)) {
			ended_early(target, status, error);
			return FAILED;
		}
		request = PTRACE_CONT;
		signal_number = 0;
		if (status >> 8 == EXEC_STOP)
			return EXECUTED;
		if (status >> 8 == FORK_STOP)
			clean_child(pid, address, byte);
		else if (status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP)
			request = PTRACE_LISTEN;
		else if (status >> 8 == SIGTRAP) {
			struct user_regs_struct regs;
			if (ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0 && regs.rip == address + 1) {
				regs.rip = address;
				if (ptrace(PTRACE_SETREGS, pid, 0, &regs) == 0)
					return REACHED;
			}
			signal_number = SIGTRAP;
		} else if (status >> 16 == 0)
			signal_number = WSTOPSIG(status);
	}
}

/* main is what __libc_start_main is called with: the way without a symbol. */
static guint64
main_from_start(hd_target *target, guint64 entry, GError **error)
{
	guint8 byte;
	struct user_regs_struct regs;
	if (!poke_byte(target->pid, entry, BREAKPOINT, &byte) || run_to(target, entry, byte, error) != REACHED ||
	    !poke_byte(target->pid, entry, byte, NULL))
		return 0;
	/* At the entry point the loader has done its work. */
	guint64 starter = hd_target_symbol(target, "__libc_start_main");
	if (!starter || !poke_byte(target->pid, starter, BREAKPOINT, &byte) ||
	    run_to(target, starter, byte, error) != REACHED || !poke_byte(target->pid, starter, byte, NULL) ||
	    ptrace(PTRACE_GETREGS, target->pid, 0, &regs) < 0)
		return 0;
	return regs.rdi;
}

static bool
find_dynamic(hd_target *target, const hd_auxiliary *aux, const Elf64_Ehdr *header)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		if (!hd_memory_read(target->pid, aux->headers + i * sizeof segment, &segment, sizeof segment))
			return false;
		if (segment.p_type == PT_DYNAMIC)
			target->dynamic = target->bias + segment.p_vaddr;
	}
	return true;
}

/* To main, with the breakpoint still there: its byte is given back. A program
 * may exec itself again before main; that is followed. */
static bool
run_to_main(hd_target *target, guint64 main_offset, guint8 *byte, GError **error)
{
	for (int executions = 0; executions < 16; executions++) {
		Elf64_Ehdr header;
		hd_auxiliary aux;
		if (!check_executable(target, &header, error))
			return false;
		if (!hd_auxiliary_read(target->pid, &aux)) {
			errno = EIO;
			return start_failed(target, "its auxiliary vector cannot be read", error);
		}
		target->auxiliary = aux;
		target->bias = aux.entry - header.e_entry;
		if (!find_dynamic(target, &aux, &header))
			return start_failed(target, "its headers cannot be read", error);
		GError *inner = NULL;
		target->main = main_offset ? target->bias + main_offset : main_from_start(target, aux.entry, &inner);
		if (inner) {
			g_propagate_error(error, inner);
			return false;
		}
		if (target->main == 0) {
			g_set_error(error, HD_ERROR, HD_ERROR_START, "main cannot be found in %s", target->program);
			return false;
		}
		if (hd_fault("target.breakpoint") || !poke_byte(target->pid, target->main, BREAKPOINT, byte))
			return start_failed(target, "no breakpoint can be set at main", error);
		run_result result = run_to(target, target->main, *byte, error);
		if (result != EXECUTED)
			return result == REACHED;
	}
	g_set_error(error, HD_ERROR, HD_ERROR_START, "%s executes itself again and again", target->program);
	return false;
}

/* ---- at main ---- */

/* Words of the program's memory for others, which are kept. */
static bool
exchange(pid_t tid, guint64 place, long *words, gsize count)
{
	for (gsize i = 0; i < count; i++) {
		errno = 0;
		long was = ptrace(PTRACE_PEEKDATA, tid, place + i * sizeof was, 0);
		if (errno || ptrace(PTRACE_POKEDATA, tid, place + i * sizeof was, words[i]) < 0)
			return false;
		words[i] = was;
	}
	return true;
}

bool
hd_mark_map(hd_inject *inject, GError **error)
{
	/* The path is put below the stack's red zone, where room for a signal's frame must be anyway. */
	const hd_mark *mark = &inject->target->mark;
	long path[8] = {0};
	pid_t tid = inject->thread->tid;
	guint64 place = (inject->regs.rsp - HD_RED_ZONE - sizeof path) & ~G_GUINT64_CONSTANT(15);
	g_snprintf((char *)path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), mark->fd);
	if (!exchange(tid, place, path, G_N_ELEMENTS(path))) {
		hd_error_set_errno(error, HD_ERROR_BUSY, errno, "the stack of thread %d cannot be written", (int)tid);
		return false;
	}
	bool good = hd_inject_map(inject, place, mark->address, HD_PAGE, PROT_READ, error);
	exchange(tid, place, path, G_N_ELEMENTS(path));
	return good;
}

void
hd_mark_unmap(hd_inject *inject)
{
	gint64 result;
	guint64 arguments[6] = {inject->target->mark.address, HD_PAGE};
	hd_inject_syscall(inject, SYS_munmap, arguments, &result, NULL);
}

static bool
make_mark(hd_target *target, hd_inject *inject, const GArray *maps, GError **error)
{
	target->mark.fd = hd_shared_memory("hotdev-mark", HD_PAGE, &target->mark.view, error);
	if (target->mark.fd < 0)
		return false;
	if (getrandom(target->mark.view, HD_TOKEN, 0) != HD_TOKEN)
		return start_failed(target, "no random bytes", error);
	const hd_map *code = hd_maps_find(maps, target->main);
	guint64 near = code ? code->start : target->main;
	guint64 top = near > 0x2000000 ? near - 0x1000000 : 0x7ff00000;
	target->mark.address = hd_maps_hole(maps, HD_PAGE, top, 0x10000, G_GUINT64_CONSTANT(0x7fffffff0000), false);
	if (!target->mark.address) {
		errno = ENOMEM;
		return start_failed(target, "no room in its address space", error);
	}
	return hd_mark_map(inject, error);
}

#define RTLD_NOW_LOCAL 2

/* The agent is a convenience (gdb's view of new code, blocks for objects that grow): without it the program is served
 * all the same. */
static void
load_agent(hd_target *target, hd_inject *inject, const char *path)
{
	struct stat status;
	guint64 dlopen_address = hd_target_symbol(target, "dlopen"), handle = 0;
	char *string = (char *)target->mark.view + HD_TOKEN;
	if (hd_fault("target.agent") || !dlopen_address || stat(path, &status) < 0 ||
	    g_strlcpy(string, path, HD_PAGE - HD_TOKEN) >= HD_PAGE - HD_TOKEN)
		return;
	if (!hd_inject_call(inject, dlopen_address, target->mark.address + HD_TOKEN, RTLD_NOW_LOCAL, &handle, NULL) ||
	    handle == 0)
		return;
	target->jit_descriptor = hd_target_symbol(target, "__jit_debug_descriptor");
	const GPtrArray *objects = target->objects;
	for (guint i = 0; objects && i < objects->len; i++) {
		const hd_target_object *object = g_ptr_array_index(objects, i);
		if (object->inode != status.st_ino || object->device != status.st_dev)
			continue;
		target->jit_descriptor = hd_object_symbol(object, "__jit_debug_descriptor");
		target->agent_allocate = hd_object_symbol(object, "hotdev_allocate");
		target->agent_free = hd_object_symbol(object, "hotdev_free");
	}
	target->agent_device = status.st_dev;
	target->agent_inode = status.st_ino;
}

static bool
settle_at_main(hd_target *target, const hd_target_options *options, guint8 byte, GError **error)
{
	bool good = false;
	hd_inject inject;
	hd_thread thread = {.pid = target->pid, .tid = target->pid, .state = HD_THREAD_STOPPED, .plain = true};
	GArray *maps = hd_maps_read(target->pid, error);
	if (!maps)
		return false;
	target->syscall_code = hd_find_syscall(target->pid, maps);
	if (!target->syscall_code) {
		errno = ENOENT;
		start_failed(target, "no system call instruction was found in it", error);
	} else if (hd_inject_begin(&inject, target, &thread, error)) {
		const hd_map *stack = hd_maps_find(maps, inject.regs.rsp);
		target->stack_end = stack ? stack->end : 0;
		good = make_mark(target, &inject, maps, error);
		if (good && options->agent)
			load_agent(target, &inject, options->agent);
		target->allocator = hd_allocator_find(target);
		good = hd_inject_end(&inject, good ? error : NULL) && good;
	}
	g_array_free(maps, true);
	if (good && !poke_byte(target->pid, target->main, byte, NULL))
		good = start_failed(target, "its code cannot be restored", error);
	if (!good && error && *error && (*error)->code != HD_ERROR_START)
		(*error)->code = HD_ERROR_START;
	return good;
}

/* ---- the contract ---- */

static hd_target *
new_target(const char *program)
{
	hd_target *target = g_new0(hd_target, 1);
	target->program = g_strdup(program);
	target->pidfd = target->mark.fd = target->file = -1;
	target->others = g_hash_table_new(NULL, NULL);
	target->kin = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	target->family = g_hash_table_new(NULL, NULL);
	target->adopted = g_hash_table_new(NULL, NULL);
	target->jit_nodes = g_array_new(false, false, sizeof(guint64));
	target->jit_spares = g_array_new(false, false, sizeof(guint64));
	target->code = hd_code_images_new();
	return target;
}

/* A program that could not be brought to main must not stay. */
static void
abandon(hd_target *target)
{
	int status;
	if (target->pid > 0 && !target->ended) {
		kill(target->pid, SIGKILL);
		while (waitpid(target->pid, &status, __WALL) < 0 ? errno == EINTR : WIFSTOPPED(status))
			continue;
	}
	hd_target_free(target);
}

hd_target *
hd_target_start(const hd_target_options *options, guint64 main_offset, GError **error)
{
	hd_launch launch;
	guint8 byte;
	/* Children that the program leaves behind become ours, so that they can be found and reaped. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!hd_launch_fork(options, &launch, error))
		return NULL;
	hd_target *target = new_target(options->program);
	target->pid = launch.pid;
	bool good = true;
	target->pidfd = hd_fault("target.pidfd") ? -1 : (int)syscall(SYS_pidfd_open, launch.pid, 0);
	if (target->pidfd < 0)
		good = start_failed(target, "pidfd_open", error);
	good = good && seize_and_exec(target, &launch, error);
	close(launch.release);
	close(launch.failed);
	if (good && run_to_main(target, main_offset, &byte, error) && settle_at_main(target, options, byte, error))
		return target;
	abandon(target);
	return NULL;
}

bool
hd_target_run(hd_target *target, GError **error)
{
	if (target->running)
		return true;
	hd_early_note(target);
	if (hd_fault("target.run") || ptrace(PTRACE_DETACH, target->pid, 0, 0) < 0) {
		hd_error_set_errno(error, HD_ERROR_START, errno, "cannot let %s run", target->program);
		return false;
	}
	target->running = true;
	return true;
}

void
hd_target_free(hd_target *target)
{
	if (!target)
		return;
	if (!target->running && !target->ended)
		ptrace(PTRACE_DETACH, target->pid, 0, 0);
	hd_arenas_free(target);
	hd_unwinder_free(target);
	g_free(target->allocator);
	g_clear_pointer(&target->early, g_hash_table_unref);
	g_clear_pointer(&target->made, g_hash_table_unref);
	g_clear_pointer(&target->objects, g_ptr_array_unref);
	if (target->mark.view)
		munmap(target->mark.view, HD_PAGE);
	if (target->mark.fd >= 0)
		close(target->mark.fd);
	if (target->pidfd >= 0)
		close(target->pidfd);
	if (target->file >= 0)
		close(target->file);
	g_hash_table_destroy(target->others);
	g_hash_table_destroy(target->kin);
	g_hash_table_destroy(target->family);
	g_hash_table_destroy(target->adopted);
	g_hash_table_destroy(target->code);
	g_array_free(target->jit_nodes, true);
	g_array_free(target->jit_spares, true);
	g_free(target->program);
	g_free(target);
}

pid_t
hd_target_pid(const hd_target *target)
{
	return target->pid;
}

int
hd_target_exit_fd(const hd_target *target)
{
	return target->pidfd;
}

bool
hd_target_exit_status(hd_target *target, int *status)
{
	int found;
	if (!target->ended && waitpid(target->pid, &found, WNOHANG) == target->pid && !WIFSTOPPED(found))
		hd_target_note_exit(target, target->pid, found);
	if (target->ended)
		*status = target->status;
	return target->ended;
}

/* ---- the end ---- */

static bool
all_gone(hd_target *target, GArray *pids)
{
	int status;
	hd_target_exit_status(target, &status);
	for (guint i = pids->len; i > 0; i--) {
		pid_t pid = g_array_index(pids, pid_t, i - 1);
		char state;
		pid_t tracer;
		if (pid == target->pid ? target->ended : !hd_thread_status(pid, &state, &tracer) || state == 'Z')
			g_array_remove_index_fast(pids, i - 1);
	}
	return pids->len == 0;
}

static void
signal_all(const GArray *pids, int number)
{
	for (guint i = 0; i < pids->len; i++)
		kill(g_array_index(pids, pid_t, i), number);
}

static bool
wait_gone(hd_target *target, GArray *pids, int ms)
{
	gint64 until = hd_now_ns() + ms * G_GINT64_CONSTANT(1000000);
	while (!all_gone(target, pids)) {
		if (hd_now_ns() > until)
			return false;
		struct pollfd first = {.fd = target->ended ? -1 : target->pidfd, .events = POLLIN};
		poll(&first, 1, 2);
	}
	return true;
}

void
hd_target_end(hd_target *target, int grace_ms)
{
	GArray *pids = hd_process_descendants(target);
	signal_all(pids, SIGTERM);
	signal_all(pids, SIGCONT); /* who is stopped cannot end */
	if (!target->running && !target->ended) {
		ptrace(PTRACE_DETACH, target->pid, 0, 0);
		target->running = true;
	}
	wait_gone(target, pids, grace_ms);
	/* What they forked meanwhile, too. */
	for (int round = 0; round < 10; round++) {
		g_array_free(pids, true);
		pids = hd_process_descendants(target);
		if (pids->len == 0)
			break;
		signal_all(pids, SIGKILL);
		wait_gone(target, pids, 200);
	}
	g_array_free(pids, true);
	hd_process_reap(target);
}
