/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The child is made like posix_spawn's (clone with CLONE_VM and CLONE_VFORK, a
 * stack of its own), because fork copies page tables and posix_spawn sets
 * neither the nice value nor the input and output class. Until it calls exec
 * the child shares our memory: it makes system calls only, and every signal
 * is blocked so that no handler of ours runs in it. */
#include "config.h"

#include "reloader/build/process.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 2 /* how often, without a pidfd */
#define STACK_SIZE (64 * 1024)
#define CLOSE_LATER (1u << 2)	       /* CLOSE_RANGE_CLOEXEC of close_range(2) */
#define IOPRIO_WHO_PROCESS 1	       /* ioprio_set(2); no header of libc has these */
#define IOPRIO_IDLE (3 << 13)	       /* IOPRIO_CLASS_IDLE */
#define OUTPUT_MOST (16 * 1024 * 1024) /* what is read of a compiler's output */

struct hd_process {
	pid_t pid; /* also the group's; 0: reaped */
	pid_t group;
	int pidfd;  /* -1: the kernel (before Linux 5.3) or valgrind has none; then we look now and then */
	int output; /* memfd */
	GSource *source;
	hd_process_ended *ended;
	void *data;
};

typedef struct {
	const hd_process_spec *spec;
	const char *path;
	int output, null;
	int failure[2]; /* a pipe: the errno of a child that could not exec, else nothing */
} launch;

/* Not sanitized: it never returns, and what it marked of its stack would go on being marked. */
__attribute__((no_sanitize_address)) static int
child(void *data)
{
	launch *l = data;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	if (l->spec->background) {
		setpriority(PRIO_PROCESS, 0, 19);
		sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	}
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	if (chdir(l->spec->directory) == 0 && dup2(l->null, 0) >= 0 && dup2(l->output, 1) >= 0 &&
	    dup2(l->output, 2) >= 0) {
		/* Ours are close-on-exec; this is for those of libraries. */
		syscall(SYS_close_range, 3u, ~0u, CLOSE_LATER);
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(l->path, l->spec->argv, l->spec->environment);
	}
	(void)!write(l->failure[1], &(int){errno}, sizeof(int));
	_exit(127);
}

static pid_t
launch_child(launch *l)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid_t pid = clone(child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, l);
	int saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stack, STACK_SIZE);
	errno = saved;
	return pid;
}

/* false: it still runs. Somebody else in this process who waits for any child
 * may have taken the status: it is HD_PROCESS_STATUS_LOST then. */
static bool
reap(hd_process *process, int flags, int *status)
{
	pid_t got;
	while ((got = waitpid(process->pid, status, flags)) < 0 && errno == EINTR)
		;
	if (got == 0)
		return false;
	if (got < 0)
		*status = HD_PROCESS_STATUS_LOST;
	process->pid = 0;
	return true;
}

static gboolean
look(void *data)
{
	hd_process *process = data;
	int status = 0;
	if (!reap(process, WNOHANG, &status))
		return G_SOURCE_CONTINUE;
	g_source_unref(process->source);
	process->source = NULL;
	process->ended(process, status, process->data);
	return G_SOURCE_REMOVE;
}

static gboolean
on_end(int fd, GIOCondition condition, void *data)
{
	(void)fd;
	(void)condition;
	return look(data);
}

static hd_process *
adopt(pid_t pid, int output, GMainContext *context, hd_process_ended *ended, void *data)
{
	hd_process *process = g_new0(hd_process, 1);
	process->pid = process->group = pid;
	process->output = output;
	process->ended = ended;
	process->data = data;
	process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process->pidfd >= 0)
		fcntl(process->pidfd, F_SETFD, FD_CLOEXEC);
	if (!context)
		return process;
	if (process->pidfd >= 0) {
		process->source = g_unix_fd_source_new(process->pidfd, G_IO_IN);
		g_source_set_callback(process->source, G_SOURCE_FUNC(on_end), process, NULL);
	} else {
		process->source = g_timeout_source_new(LOOK_MS);
		g_source_set_callback(process->source, look, process, NULL);
	}
	g_source_attach(process->source, context);
	return process;
}

static char *
find_program(const char *name, const char *directory)
{
	if (!strchr(name, '/'))
		return g_find_program_in_path(name);
	return g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(directory, name, NULL);
}

static bool
open_files(launch *l)
{
	l->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	errno = l->null < 0 ? errno : ENFILE;
	l->output = hd_fault("build.memfd") ? -1 : memfd_create("hotdev-output", MFD_CLOEXEC);
	/* Appending, so that a compiler that opens /dev/stderr anew overwrites nothing. */
	return l->null >= 0 && l->output >= 0 && fcntl(l->output, F_SETFL, O_APPEND) == 0 &&
	       pipe2(l->failure, O_CLOEXEC) == 0;
}

static void
close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The child, once it runs the program; -1 with errno. */
static pid_t
launch_and_check(launch *l)
{
	int why = EAGAIN;
	pid_t pid = hd_fault("build.spawn") ? -1 : launch_child(l);
	if (pid < 0)
		return -1;
	close_file(&l->failure[1]);
	ssize_t n;
	while ((n = read(l->failure[0], &why, sizeof why)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = why;
	return -1;
}

hd_process *
hd_process_start(const hd_process_spec *spec, GMainContext *context, hd_process_ended *ended, void *data,
		 GError **error)
{
	hd_process *process = NULL;
	char *path = find_program(spec->argv[0], spec->directory);
	launch l = {spec, path, -1, -1, {-1, -1}};
	if (!path) {
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "the compiler %s is not in PATH", spec->argv[0]);
		return NULL;
	}
	pid_t pid = open_files(&l) ? launch_and_check(&l) : -1;
	int why = errno;
	if (pid >= 0) {
		process = adopt(pid, l.output, context, ended, data);
		l.output = -1;
	} else if (access(spec->directory, X_OK) < 0)
		hd_error_set_errno(error, HD_ERROR_IO, why, "cannot run the compiler in %s", spec->directory);
	else
		hd_error_set_errno(error, HD_ERROR_IO, why, "cannot run %s", path);
	close_file(&l.null);
	close_file(&l.output);
	close_file(&l.failure[0]);
	close_file(&l.failure[1]);
	g_free(path);
	return process;
}

gint64
hd_process_output_size(const hd_process *process)
{
	struct stat st;
	return fstat(process->output, &st) == 0 ? st.st_size : 0;
}

GString *
hd_process_output(const hd_process *process)
{
	gint64 size = MIN(hd_process_output_size(process), OUTPUT_MOST);
	GString *text = g_string_sized_new((gsize)size + 1);
	while ((gint64)text->len < size) {
		ssize_t n = pread(process->output, text->str + text->len, (size_t)size - text->len, (off_t)text->len);
		if (n <= 0)
			break;
		g_string_set_size(text, text->len + (gsize)n);
	}
	return text;
}

void
hd_process_kill(hd_process *process)
{
	if (process->source) {
		g_source_destroy(process->source);
		g_source_unref(process->source);
		process->source = NULL;
	}
	if (process->group)
		kill(-process->group, SIGKILL);
}

bool
hd_process_gone(hd_process *process)
{
	if (!process->group)
		return true;
	if (process->pid && waitpid(process->pid, NULL, WNOHANG) != 0)
		process->pid = 0;
	/* Orphans of the group come to us where we are a subreaper (prctl(2)); elsewhere to init. */
	while (!process->pid && waitpid(-process->group, NULL, WNOHANG) > 0)
		;
	if (process->pid || kill(-process->group, 0) == 0)
		return false;
	process->group = 0;
	return true;
}

void
hd_process_suspend(hd_process *process, bool suspended)
{
	if (process->pid)
		kill(-process->group, suspended ? SIGSTOP : SIGCONT);
}

bool
hd_process_wait(hd_process *process, int timeout_ms, int *status)
{
	struct pollfd ready = {process->pidfd, POLLIN, 0}; /* -1 is ignored by poll(2) */
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	while (!reap(process, WNOHANG, status)) {
		gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;
		if (left <= 0)
			return false;
		poll(&ready, 1, (int)(process->pidfd < 0 ? MIN(left, LOOK_MS) : left));
	}
	return true;
}

void
hd_process_free(hd_process *process)
{
	if (!process)
		return;
	if (process->pid) {
		hd_process_kill(process);
		int status;
		reap(process, 0, &status);
	}
	if (process->source) {
		g_source_destroy(process->source);
		g_source_unref(process->source);
	}
	if (process->pidfd >= 0)
		close(process->pidfd);
	close(process->output);
	g_free(process);
}

GString *
hd_process_run(const hd_process_spec *spec, int timeout_ms, int *status, GError **error)
{
	hd_process *process = hd_process_start(spec, NULL, NULL, NULL, error);
	if (!process)
		return NULL;
	GString *output = NULL;
	if (hd_process_wait(process, timeout_ms, status))
		output = hd_process_output(process);
	else
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "%s did not answer in %d ms", spec->argv[0], timeout_ms);
	hd_process_free(process);
	return output;
}
