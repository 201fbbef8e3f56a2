/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stopping every thread of every process of the program, unseen by it.
 *
 * Attaching and stopping are two steps. While attached (PTRACE_SEIZE) the
 * threads run on, but whatever they fork or clone is attached from its birth
 * on; so once a search finds nothing that is not attached, the pause itself, which
 * begins at PTRACE_INTERRUPT, needs no other search on a quiet system.
 *
 * No signal is lost: a thread that was about to take one gets it when it is
 * let go. Job control is left as it is: a thread is put back into its group
 * stop.
 *
 * Going on is the kernel's work: when the tracer ends it lets go of all that
 * are left, with nothing in between (exit_ptrace, kernel/ptrace.c). Let go one
 * by one, the first to run would take the processor from the tracer, and the
 * others stand still for as long as the scheduler likes. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)
#define MILLISECOND G_GINT64_CONSTANT(1000000)
/* A thread that has not stopped by then is looked at: it may be unable to. */
#define LOOK_AFTER (10 * MILLISECOND)
#define GIVE_UP_AFTER (2000 * MILLISECOND)
#define MOST_MISSES 4
#define MOST_LOOKS 2000

/* ---- the tracer ---- */

typedef struct {
	void (*work)(void *data);
	void *data;
	pid_t tid;
	gint64 ended; /* when the kernel had let go of what it traced */
	int failed;
} tracing;

/* Longer each time that nothing has happened: who waits for a processor is not to find it busy with waiting. */
static void
nap(guint idle)
{
	struct timespec moment = {0, 5000L << MIN(idle, 4)};
	nanosleep(&moment, NULL);
}

/* While threads stand still for it, a thread should not wait for a processor: a real-time one does not. Where that is
 * denied it takes its turn. */
static void
hurry(void)
{
	struct sched_param first = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
}

static void *
tracer_main(void *data)
{
	tracing *t = data;
	t->tid = (pid_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, "hotdev-tracer");
	prctl(PR_SET_TIMERSLACK, 1UL);
	hurry();
	t->work(t->data);
	return NULL;
}

/* Sees the tracer off. pthread_join returns a little before the kernel lets go of what it traced. */
static void *
witness_main(void *data)
{
	tracing *t = data;
	pthread_t thread;
	hurry();
	prctl(PR_SET_TIMERSLACK, 1UL);
	t->failed = pthread_create(&thread, NULL, tracer_main, t);
	if (t->failed)
		return NULL;
	pthread_join(thread, NULL);
	for (guint looks = 0; syscall(SYS_tgkill, getpid(), t->tid, 0) == 0; looks++)
		if (looks > MOST_LOOKS)
			nap(0);
	t->ended = hd_now_ns();
	return NULL;
}

bool
hd_tracer_run(void (*work)(void *data), void *data, gint64 *ended, GError **error)
{
	tracing t = {.work = work, .data = data};
	sigset_t all, before;
	pthread_t witness;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = hd_fault("target.thread") ? EAGAIN : pthread_create(&witness, NULL, witness_main, &t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed) {
		pthread_join(witness, NULL);
		failed = t.failed;
	}
	if (failed)
		hd_error_set_errno(error, HD_ERROR_IO, failed, "cannot start a thread");
	if (ended)
		*ended = t.ended;
	return !failed;
}

bool
hd_wait_stop(pid_t tid, gint64 until, int *status)
{
	for (guint looks = 0;; looks++) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);
		if (got == tid)
			return WIFSTOPPED(*status);
		if (got < 0 && errno != EINTR)
			return false;
		if (hd_now_ns() > until)
			return false;
		nap(looks);
	}
}

/* ---- the lists ---- */

static hd_thread *
thread_at(const hd_stop *stop, guint i)
{
	return &g_array_index(stop->threads, hd_thread, i);
}

static hd_thread *
find_thread(const hd_stop *stop, pid_t tid)
{
	guint i = GPOINTER_TO_UINT(g_hash_table_lookup(stop->index, GINT_TO_POINTER(tid)));
	return i ? thread_at(stop, i - 1) : NULL;
}

hd_process *
hd_stop_process(hd_stop *stop, pid_t pid)
{
	for (guint i = 0; i < stop->processes->len; i++) {
		hd_process *process = &g_array_index(stop->processes, hd_process, i);
		if (process->pid == pid)
			return process;
	}
	return NULL;
}

static void
add_thread(hd_stop *stop, pid_t pid, pid_t tid)
{
	hd_thread thread = {.pid = pid, .tid = tid, .state = HD_THREAD_SEIZED};
	g_array_append_val(stop->threads, thread);
	g_hash_table_insert(stop->index, GINT_TO_POINTER(tid), GUINT_TO_POINTER(stop->threads->len));
}

/* Who was adopted, and what it forked, is without. */
static bool
has_agent(const hd_target *target, pid_t reader)
{
	if (!target->agentless)
		return true;
	GArray *maps = hd_maps_read(reader, NULL);
	bool found = false;
	for (guint i = 0; maps && i < maps->len && !found; i++) {
		const hd_map *map = &g_array_index(maps, hd_map, i);
		found = map->inode == target->agent_inode && map->device == target->agent_device;
	}
	if (maps)
		g_array_free(maps, true);
	return found;
}

static bool
add_process(hd_stop *stop, pid_t pid, GError **error)
{
	char name[64];
	pid_t reader = stop->newcomer ? pid : hd_process_reader(stop->target, pid);
	if (!reader)
		return true;
	g_snprintf(name, sizeof name, "/proc/%d/mem", (int)reader);
	hd_process process = {.pid = pid,
			      .reader = reader,
			      .memory = hd_fault("target.open") ? -1 : open(name, O_RDWR | O_CLOEXEC),
			      .agent = !stop->newcomer && has_agent(stop->target, reader)};
	if (process.memory < 0 && (errno == ENOENT || errno == ESRCH))
		return true;
	if (process.memory < 0) {
		hd_error_set_errno(error, errno == EACCES || errno == EPERM ? HD_ERROR_DENIED : HD_ERROR_IO, errno,
				   "cannot open the memory of process %d", (int)pid);
		return false;
	}
	g_array_append_val(stop->processes, process);
	return true;
}

hd_stop *
hd_stop_new(hd_target *target)
{
	hd_stop *stop = g_new0(hd_stop, 1);
	stop->target = target;
	stop->threads = g_array_new(false, false, sizeof(hd_thread));
	stop->processes = g_array_new(false, false, sizeof(hd_process));
	stop->index = g_hash_table_new(NULL, NULL);
	return stop;
}

void
hd_stop_free(hd_stop *stop)
{
	for (guint i = 0; i < stop->processes->len; i++)
		close(g_array_index(stop->processes, hd_process, i).memory);
	g_array_free(stop->processes, true);
	g_array_free(stop->threads, true);
	g_hash_table_destroy(stop->index);
	g_free(stop);
}

/* ---- letting go of one ---- */

static void
let_go(hd_thread *thread)
{
	if (thread->changed)
		ptrace(PTRACE_SETREGS, thread->tid, 0, &thread->regs);
	ptrace(PTRACE_DETACH, thread->tid, 0, thread->signal);
	if (thread->stop_again)
		syscall(SYS_tgkill, thread->pid, thread->tid, SIGSTOP);
	thread->state = HD_THREAD_GONE;
}

/* It was asked to stop and may do so by now; while nobody asked, it runs, and
 * is let go when the tracer ends. */
static void
let_go_late(hd_thread *thread, gint64 until)
{
	int status;
	bool stopped = thread->interrupted
			       ? hd_wait_stop(thread->tid, until, &status)
			       : waitpid(thread->tid, &status, __WALL | WNOHANG) == thread->tid && WIFSTOPPED(status);
	if (!stopped)
		return;
	thread->signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
	thread->plain = status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
	if (ptrace(PTRACE_GETREGS, thread->tid, 0, &thread->regs) == 0)
		hd_thread_hide_interrupt(thread);
	let_go(thread);
}

/* ---- attaching ---- */

/* Why PTRACE_SEIZE said EPERM. true: there is nothing to attach to. */
static bool
explain_denial(hd_stop *stop, pid_t pid, pid_t tid, bool *again, GError **error)
{
	char state;
	pid_t tracer;
	*again = false;
	if (!hd_thread_status(tid, &state, &tracer) || state == 'Z' || state == 'X')
		return true;
	if (tracer == 0) {
		g_set_error(error, HD_ERROR, HD_ERROR_DENIED,
			    "the system does not let hotdev trace thread %d of the program (ptrace is denied)",
			    (int)tid);
		return false;
	}
	/* Attached at birth already. */
	if (tracer == (pid_t)syscall(SYS_gettid)) {
		add_thread(stop, pid, tid);
		return true;
	}
	/* A tracer of our own that is just ending lets go in a moment. */
	char task[64];
	g_snprintf(task, sizeof task, "/proc/self/task/%d", (int)tracer);
	if (access(task, F_OK) == 0) {
		*again = true;
		return true;
	}
	char *name = hd_process_name(tracer);
	g_set_error(error, HD_ERROR, HD_ERROR_DENIED, "thread %d of the program is held by %s (process %d)", (int)tid,
		    name, (int)tracer);
	g_free(name);
	return false;
}

static bool
seize(hd_stop *stop, pid_t pid, pid_t tid, GError **error)
{
	for (int attempt = 0;; attempt++) {
		bool again = false;
		if (hd_fault("target.seize"))
			errno = EIO;
		else if (ptrace(PTRACE_SEIZE, tid, 0, OPTIONS) == 0) {
			add_thread(stop, pid, tid);
			return true;
		}
		if (errno == ESRCH)
			return true;
		if (errno != EPERM) {
			hd_error_set_errno(error, HD_ERROR_DENIED, errno, "cannot trace thread %d", (int)tid);
			return false;
		}
		if (!explain_denial(stop, pid, tid, &again, error))
			return false;
		if (!again || attempt > 1000)
			return true;
		nap(0);
	}
}

/* It called exec after it was found to be the program's and before it was attached to; later we are told. */
static bool
called_exec(const hd_stop *stop, const hd_process *process)
{
	return !stop->newcomer && !hd_process_reader(stop->target, process->pid);
}

static void
disown(hd_stop *stop, hd_process *process)
{
	process->gone = true;
	for (guint i = 0; i < stop->threads->len; i++) {
		hd_thread *thread = thread_at(stop, i);
		if (thread->pid != process->pid || thread->state != HD_THREAD_SEIZED)
			continue;
		thread->interrupted = ptrace(PTRACE_INTERRUPT, thread->tid, 0, 0) == 0;
		let_go_late(thread, hd_now_ns() + LOOK_AFTER);
		thread->state = HD_THREAD_GONE;
	}
}

static GArray *
processes_to_stop(const hd_stop *stop, GError **error)
{
	if (!stop->newcomer)
		return hd_process_find(stop->target, error);
	GArray *pids = g_array_new(false, false, sizeof(pid_t));
	g_array_append_val(pids, stop->newcomer);
	return pids;
}

/* Attaches to what is not attached yet; counts it. */
static bool
seize_new(hd_stop *stop, guint *added, GError **error)
{
	*added = 0;
	GArray *pids = processes_to_stop(stop, error);
	if (!pids)
		return false;
	bool good = true;
	for (guint i = 0; i < pids->len && good; i++) {
		pid_t pid = g_array_index(pids, pid_t, i);
		if (!hd_stop_process(stop, pid))
			good = add_process(stop, pid, error);
	}
	g_array_free(pids, true);
	GArray *tids = g_array_new(false, false, sizeof(pid_t));
	for (guint i = 0; i < stop->processes->len && good; i++) {
		hd_process *process = &g_array_index(stop->processes, hd_process, i);
		if (process->gone || (process->listed && !stop->began))
			continue;
		guint before = stop->threads->len;
		hd_process_threads(process->pid, tids);
		for (guint t = 0; t < tids->len && good; t++)
			if (!find_thread(stop, g_array_index(tids, pid_t, t)))
				good = seize(stop, process->pid, g_array_index(tids, pid_t, t), error);
		/* Nothing new beside threads whose every child we get: complete, unless one was being born. */
		process->listed = !stop->began && stop->threads->len == before;
		*added += stop->threads->len - before;
		if (good && stop->threads->len > before && called_exec(stop, process))
			disown(stop, process);
	}
	g_array_free(tids, true);
	return good;
}

static bool
search(hd_stop *stop, guint *added, GError **error)
{
	hd_births births = hd_births_now();
	stop->existing = births.existing;
	stop->last = births.last;
	return seize_new(stop, added, error);
}

/* Has nothing been born since the last search began? A fork that was under way then has its pid already; it shows in
 * the number of those that exist, unless another ends in the same instant and nothing else is born: taken as never. */
static bool
nothing_born(const hd_stop *stop)
{
	hd_births births = hd_births_now();
	return births.last != 0 && births.last == stop->last && births.existing == stop->existing;
}

bool
hd_stop_attach(hd_stop *stop, GError **error)
{
	guint added;
	do {
		if (!search(stop, &added, error))
			return false;
	} while (added > 0 && !nothing_born(stop));
	if (stop->threads->len == 0) {
		g_set_error(error, HD_ERROR, HD_ERROR_GONE, "the program has ended");
		return false;
	}
	return true;
}

/* ---- stopping ---- */

static void
forget_process(hd_stop *stop, pid_t pid)
{
	hd_process *process = hd_stop_process(stop, pid);
	if (process)
		process->gone = true;
	for (guint i = 0; i < stop->threads->len; i++)
		if (thread_at(stop, i)->pid == pid)
			thread_at(stop, i)->state = HD_THREAD_GONE;
}

/* A thread that made another is in its event stop; the other is attached already. */
static void
adopt(hd_stop *stop, pid_t parent, pid_t tid)
{
	unsigned long made;
	if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &made) < 0 || find_thread(stop, (pid_t)made))
		return;
	char task[64];
	g_snprintf(task, sizeof task, "/proc/%d/task/%lu", (int)parent, made);
	if (access(task, F_OK) == 0) {
		add_thread(stop, parent, (pid_t)made);
		return;
	}
	add_thread(stop, (pid_t)made, (pid_t)made);
	g_hash_table_add(stop->target->family, GINT_TO_POINTER((int)made));
	GError *ignored = NULL;
	if (!add_process(stop, (pid_t)made, &ignored)) {
		/* Without its memory nothing can be written: seen as a failing write. */
		hd_process process = {.pid = (pid_t)made, .reader = (pid_t)made, .memory = -1};
		g_array_append_val(stop->processes, process);
		g_clear_error(&ignored);
	}
}

/* Takes in what wait said of a thread. threads may move. */
static void
absorb(hd_stop *stop, pid_t tid, int status)
{
	hd_thread *thread = find_thread(stop, tid);
	if (!thread) {
		/* Attached at birth, and its parent died before it could tell of it. */
		if (!WIFSTOPPED(status))
			return;
		add_thread(stop, tid, tid);
		GError *ignored = NULL;
		if (!hd_stop_process(stop, tid) && !add_process(stop, tid, &ignored))
			g_clear_error(&ignored);
		thread = find_thread(stop, tid);
	}
	if (!WIFSTOPPED(status)) {
		thread->state = HD_THREAD_GONE;
		if (tid == thread->pid) {
			hd_target_note_exit(stop->target, tid, status);
			forget_process(stop, tid);
		}
		return;
	}
	if (stop->began == 0)
		stop->began = hd_now_ns();
	thread->state = HD_THREAD_STOPPED;
	switch (status >> 16) {
	case 0:
		thread->signal = WSTOPSIG(status);
		break;
	case PTRACE_EVENT_STOP:
		thread->listening = WSTOPSIG(status) != SIGTRAP;
		thread->plain = !thread->listening;
		break;
	case PTRACE_EVENT_EXEC:
		forget_process(stop, thread->pid);
		ptrace(PTRACE_DETACH, tid, 0, 0);
		break;
	default:
		adopt(stop, thread->pid, tid);
	}
}

/* A thread asleep where no signal reaches it (a parent in vfork, a slow disk):
 * it meets our interrupt before it runs any code of the program. Where it will
 * go on is in /proc/TID/syscall: the last two fields are rsp and rip. */
bool
hd_thread_look_inside(hd_thread *thread)
{
	char state, name[64], text[256];
	pid_t tracer;
	if (!hd_thread_status(thread->tid, &state, &tracer) || state != 'D')
		return false;
	g_snprintf(name, sizeof name, "/proc/%d/syscall", (int)thread->tid);
	FILE *file = fopen(name, "re");
	bool good = file && fgets(text, sizeof text, file);
	if (file)
		fclose(file);
	char *last = good ? strrchr(g_strchomp(text), ' ') : NULL;
	if (!last)
		return false; /* "running" */
	/* Back from these it is another program, or the old one: which, is waited for. */
	long number = strtol(text, NULL, 10);
	if (number == SYS_execve || number == SYS_execveat)
		return false;
	thread->regs.rip = g_ascii_strtoull(last + 1, NULL, 16);
	*last = '\0';
	char *before = strrchr(text, ' ');
	if (!before)
		return false;
	thread->regs.rsp = g_ascii_strtoull(before + 1, NULL, 16);
	thread->state = HD_THREAD_INSIDE;
	return true;
}

/* Takes the threads that have stopped; false: there are more. It gives up after a few that have not: one that has to
 * wait for a processor is not to find it busy with looking. */
static bool
collect(hd_stop *stop, bool *progress)
{
	guint left = 0;
	*progress = false;
	for (guint i = 0; i < stop->threads->len && left < MOST_MISSES; i++) {
		if (thread_at(stop, i)->state != HD_THREAD_SEIZED)
			continue;
		pid_t tid = thread_at(stop, i)->tid;
		int status;
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
		if (got == 0) {
			left++;
			continue;
		}
		*progress = true;
		if (got == tid)
			absorb(stop, tid, status);
		else
			thread_at(stop, i)->state = HD_THREAD_GONE;
	}
	return left == 0;
}

static bool
wait_for_all(hd_stop *stop, GError **error)
{
	gint64 start = hd_now_ns();
	guint idle = 0;
	bool progress;
	while (!collect(stop, &progress)) {
		gint64 waited = hd_now_ns() - start;
		for (guint i = 0; i < stop->threads->len && waited > LOOK_AFTER; i++) {
			hd_thread *thread = thread_at(stop, i);
			if (thread->state != HD_THREAD_SEIZED || hd_thread_look_inside(thread) ||
			    waited < GIVE_UP_AFTER)
				continue;
			g_set_error(error, HD_ERROR, HD_ERROR_BUSY, "thread %d does not stop", (int)thread->tid);
			return false;
		}
		idle = progress ? 0 : idle + 1;
		if (idle)
			nap(idle - 1);
	}
	return true;
}

/* Stops of threads that nobody told us of. */
static bool
sweep_known(hd_stop *stop)
{
	bool any = false;
	int status;
	for (guint i = 0; i < stop->threads->len; i++) {
		pid_t tid = g_array_index(stop->threads, hd_thread, i).tid;
		if (g_array_index(stop->threads, hd_thread, i).state == HD_THREAD_GONE ||
		    waitpid(tid, &status, __WALL | WNOHANG | __WNOTHREAD) <= 0)
			continue;
		absorb(stop, tid, status);
		any = true;
	}
	return any;
}

/* Takes what threads have to tell. Another child of ours that has ended (a
 * compiler) is left to whoever waits for it: looked at, and not collected. */
static bool
sweep(hd_stop *stop)
{
	bool any = false;
	int status;
	siginfo_t info = {0};
	while (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD) == 0 &&
	       info.si_pid > 0) {
		pid_t tid = info.si_pid;
		bool ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
		if (ended && !find_thread(stop, tid))
			return sweep_known(stop) || any;
		if (waitpid(tid, &status, __WALL | WNOHANG | __WNOTHREAD) <= 0)
			break;
		absorb(stop, tid, status);
		any = true;
		info.si_pid = 0;
	}
	return any;
}

static bool
signal_pending(pid_t tid)
{
	siginfo_t info[1];
	struct __ptrace_peeksiginfo_args arguments = {.off = 0, .flags = 0, .nr = 1};
	if (ptrace(PTRACE_PEEKSIGINFO, tid, &arguments, info) > 0)
		return true;
	arguments.flags = PTRACE_PEEKSIGINFO_SHARED;
	return ptrace(PTRACE_PEEKSIGINFO, tid, &arguments, info) > 0;
}

/* Signals that are queued and blocked interrupt nothing. proc(5): SigPnd, ShdPnd, SigBlk. */
static bool
signal_deliverable(pid_t tid)
{
	char name[64];
	g_snprintf(name, sizeof name, "/proc/%d/status", (int)tid);
	FILE *file = fopen(name, "re");
	if (!file)
		return true;
	char line[256];
	unsigned long long own = 0, shared = 0, blocked = 0;
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "SigPnd: %llx", &own) == 1 || sscanf(line, "ShdPnd: %llx", &shared) == 1)
			continue;
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	}
	fclose(file);
	return ((own | shared) & ~blocked) != 0;
}

void
hd_thread_hide_interrupt(hd_thread *thread)
{
	/* Most system calls restart by themselves. A few answer EINTR whatever woke them (signal(7): epoll_wait,
	 * semtimedop, sigtimedwait, sockets with a timeout). If no signal did, we did: back to the two bytes of
	 * `syscall`, with the call's number where it was. */
	struct user_regs_struct *regs = &thread->regs;
	if ((gint64)regs->rax != -EINTR || (gint64)regs->orig_rax < 0 || !thread->plain)
		return;
	guint8 code[2];
	if (!hd_memory_read(thread->tid, regs->rip - 2, code, sizeof code) || code[0] != 0x0f || code[1] != 0x05)
		return;
	if (signal_pending(thread->tid) && signal_deliverable(thread->tid))
		return;
	regs->rax = regs->orig_rax;
	regs->orig_rax = (guint64)-1;
	regs->rip -= 2;
	thread->changed = true;
}

static bool
interrupt(hd_thread *thread, GError **error)
{
	if (thread->state != HD_THREAD_SEIZED)
		return true;
	bool failed = hd_fault("target.interrupt");
	if (failed)
		errno = EIO;
	else if (ptrace(PTRACE_INTERRUPT, thread->tid, 0, 0) == 0)
		thread->interrupted = true;
	else
		failed = errno != ESRCH;
	if (failed)
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot stop thread %d", (int)thread->tid);
	return !failed;
}

/* A process none of whose threads is there any more has ended. */
static void
forget_ended(hd_stop *stop)
{
	GHashTable *living = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < stop->threads->len; i++)
		if (thread_at(stop, i)->state != HD_THREAD_GONE)
			g_hash_table_add(living, GINT_TO_POINTER(thread_at(stop, i)->pid));
	for (guint i = 0; i < stop->processes->len; i++) {
		hd_process *process = &g_array_index(stop->processes, hd_process, i);
		process->gone = process->gone || !g_hash_table_contains(living, GINT_TO_POINTER(process->pid));
	}
	g_hash_table_destroy(living);
}

static bool
stop_known(hd_stop *stop, GError **error)
{
	for (guint i = 0; i < stop->threads->len; i++)
		if (!interrupt(thread_at(stop, i), error))
			return false;
	do {
		if (hd_fault("target.wait")) {
			g_set_error(error, HD_ERROR, HD_ERROR_BUSY, "waiting for a thread was made to fail");
			return false;
		}
		if (!wait_for_all(stop, error))
			return false;
	} while (sweep(stop));
	return true;
}

static bool
has_running(const hd_stop *stop)
{
	for (guint i = 0; i < stop->threads->len; i++)
		if (thread_at(stop, i)->state == HD_THREAD_SEIZED)
			return true;
	return false;
}

bool
hd_stop_now(hd_stop *stop, GError **error)
{
	if (stop->began == 0)
		stop->began = hd_now_ns();
	/* A thread may have been inside fork when it was attached to; its child is not attached then, and in no list
	 * before the fork is over. Now that all stand still it is: look again, unless nothing was born at all. */
	guint added = 0;
	do {
		if (!stop_known(stop, error) || (!nothing_born(stop) && !search(stop, &added, error)))
			return false;
	} while (added > 0 || has_running(stop));
	for (guint i = 0; i < stop->threads->len; i++) {
		hd_thread *thread = thread_at(stop, i);
		if (thread->state != HD_THREAD_STOPPED)
			continue;
		if (hd_fault("target.registers")) {
			g_set_error(error, HD_ERROR, HD_ERROR_IO, "reading registers was made to fail");
			return false;
		}
		if (ptrace(PTRACE_GETREGS, thread->tid, 0, &thread->regs) < 0)
			thread->state = HD_THREAD_GONE; /* killed */
		else
			hd_thread_hide_interrupt(thread);
	}
	forget_ended(stop);
	return true;
}

GPtrArray *
hd_stop_borrowable(hd_stop *stop)
{
	GPtrArray *threads = g_ptr_array_new();
	for (guint p = 0; p < stop->processes->len; p++) {
		const hd_process *process = &g_array_index(stop->processes, hd_process, p);
		hd_thread *found = NULL;
		for (guint t = 0; t < stop->threads->len && !found; t++) {
			hd_thread *thread = &g_array_index(stop->threads, hd_thread, t);
			if (thread->pid == process->pid && thread->state == HD_THREAD_STOPPED && thread->plain)
				found = thread;
		}
		if (found)
			g_ptr_array_add(threads, found);
		else if (!process->gone) {
			g_ptr_array_unref(threads);
			return NULL;
		}
	}
	return threads;
}

/* ---- going on ---- */

/* A step ends at once; it takes longer where the processors are busy, and for ever in a system call that sleeps. */
static bool
wait_step(pid_t tid, int *status)
{
	gint64 start = hd_now_ns();
	char state = 'R';
	pid_t tracer;
	while (!hd_wait_stop(tid, hd_now_ns() + 5 * MILLISECOND, status))
		if (hd_now_ns() - start > GIVE_UP_AFTER || !hd_thread_status(tid, &state, &tracer) || state == 'S' ||
		    state == 'D' || state == 'Z')
			return false;
	return true;
}

bool
hd_thread_step(hd_thread *thread)
{
	/* Signals wait meanwhile. SIGTRAP must not be blocked for a step: the kernel would reset its handler. */
	pid_t tid = thread->tid;
	guint64 mask, closed = ~(G_GUINT64_CONSTANT(1) << (SIGTRAP - 1));
	int status;
	if (thread->signal || !thread->plain || ptrace(PTRACE_GETSIGMASK, tid, sizeof mask, &mask) < 0 ||
	    ptrace(PTRACE_SETREGS, tid, 0, &thread->regs) < 0)
		return false;
	ptrace(PTRACE_SETSIGMASK, tid, sizeof closed, &closed);
	thread->stepped = true;
	bool good = ptrace(PTRACE_SINGLESTEP, tid, 0, 0) == 0;
	if (good && !wait_step(tid, &status)) {
		/* Asleep in a system call, or dead. */
		good = ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 &&
		       hd_wait_stop(tid, hd_now_ns() + GIVE_UP_AFTER, &status);
		if (!good)
			thread->state = HD_THREAD_SEIZED;
	}
	if (!good)
		return false;
	ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask);
	siginfo_t info;
	bool stepped =
		status >> 8 == SIGTRAP && ptrace(PTRACE_GETSIGINFO, tid, 0, &info) == 0 && info.si_code == TRAP_TRACE;
	if (status >> 16 == 0 && !stepped)
		thread->signal = WSTOPSIG(status);
	if (ptrace(PTRACE_GETREGS, tid, 0, &thread->regs) < 0)
		return false;
	thread->changed = false;
	return stepped;
}

/* All that the end of the tracer does not do: it takes a signal away, and leaves a thread stepping. */
static bool
needs_detach(const hd_thread *thread)
{
	return thread->signal || thread->stop_again || thread->stepped;
}

static void
set_options(hd_stop *stop, long options)
{
	for (guint i = 0; i < stop->threads->len; i++)
		if (thread_at(stop, i)->state == HD_THREAD_STOPPED)
			ptrace(PTRACE_SETOPTIONS, thread_at(stop, i)->tid, 0, options);
}

void
hd_stop_tie(hd_stop *stop)
{
	stop->tied = true;
	set_options(stop, OPTIONS | PTRACE_O_EXITKILL);
}

void
hd_stop_release(hd_stop *stop)
{
	for (guint i = 0; i < stop->threads->len; i++) {
		hd_thread *thread = thread_at(stop, i);
		if (thread->state != HD_THREAD_STOPPED)
			continue;
		if (needs_detach(thread))
			let_go(thread);
		else if (thread->changed)
			ptrace(PTRACE_SETREGS, thread->tid, 0, &thread->regs);
	}
	/* All is written; the tracer's own end lets go of the rest. */
	if (stop->tied)
		set_options(stop, OPTIONS);
	gint64 now = hd_now_ns();
	for (guint i = 0; i < stop->threads->len; i++) {
		hd_thread *thread = thread_at(stop, i);
		if (thread->state == HD_THREAD_SEIZED)
			let_go_late(thread, now + LOOK_AFTER);
		else if (thread->state == HD_THREAD_INSIDE)
			let_go_late(thread, 0);
	}
}
