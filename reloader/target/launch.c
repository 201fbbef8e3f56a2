/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The child's side of a start: it gets what the user's shell gave us (signal
 * mask, ignored signals, descriptors, environment), and nothing that we made. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

extern char **environ;

#define MAX_INHERITED 256

/* What this process was started with, noted before any other code of ours can change it. */
static struct {
	sigset_t mask;
	bool ignored[NSIG];
	int descriptors[MAX_INHERITED]; /* from 3 on, ascending */
	int count;
} given;

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

__attribute__((constructor)) static void
note_what_was_given(void)
{
	sigprocmask(SIG_SETMASK, NULL, &given.mask);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;
		given.ignored[number] = sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
	}
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		return;
	struct dirent *entry;
	while ((entry = readdir(directory)) && given.count < MAX_INHERITED) {
		int fd = atoi(entry->d_name);
		int flags = fcntl(fd, F_GETFD);
		if (fd > 2 && fd != dirfd(directory) && flags >= 0 && !(flags & FD_CLOEXEC))
			given.descriptors[given.count++] = fd;
	}
	closedir(directory);
	qsort(given.descriptors, (size_t)given.count, sizeof given.descriptors[0], compare_ints);
}

static void
close_range_on_exec(unsigned int first, unsigned int last)
{
	if (first > last || syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (unsigned int fd = first; fd <= last && fd < 65536; fd++)
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

static void
restore_descriptors(void)
{
	unsigned int next = 3;
	for (int i = 0; i < given.count; i++) {
		unsigned int fd = (unsigned int)given.descriptors[i];
		if (fd > next)
			close_range_on_exec(next, fd - 1);
		next = fd + 1;
	}
	close_range_on_exec(next, ~0U);
}

static void
restore_signals(void)
{
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action = {.sa_handler = given.ignored[number] ? SIG_IGN : SIG_DFL};
		if (number != SIGKILL && number != SIGSTOP)
			sigaction(number, &action, NULL);
	}
	sigprocmask(SIG_SETMASK, &given.mask, NULL);
}

static bool
take_terminal(int terminal)
{
	if (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0)
		return false;
	/* The slave may itself be 0, 1 or 2; dup2 onto itself changes nothing. */
	for (int fd = 0; fd < 3; fd++)
		if (dup2(terminal, fd) < 0)
			return false;
	return true;
}

/* Between fork and exec: only async-signal-safe calls. */
static void G_GNUC_NORETURN
child(const hd_target_options *options, int wait, int failed)
{
	char go;
	/* End of file: our parent is gone before it could trace us. */
	if (read(wait, &go, 1) != 1)
		_exit(127);
	if (options->terminal < 0 || take_terminal(options->terminal)) {
		restore_descriptors();
		restore_signals();
		/* Handed on by fork and exec: what executes the program again has it at the same addresses, and can be
		 * adopted (adopt.c). Where that is denied, all else works as well. */
		int persona = personality(0xffffffff);
		if (persona >= 0)
			personality((unsigned long)persona | ADDR_NO_RANDOMIZE);
		execve(options->program, options->argv, options->environment ? options->environment : environ);
	}
	int reason = errno;
	ssize_t written = write(failed, &reason, sizeof reason);
	_exit(written == sizeof reason ? 127 : 126);
}

/* The kernel runs a privileged file without its privileges when it is traced. */
static bool
check_file(const char *program, GError **error)
{
	struct stat status;
	if (stat(program, &status) < 0) {
		hd_error_set_errno(error, HD_ERROR_START, errno, "cannot run %s", program);
		return false;
	}
	if (!S_ISREG(status.st_mode)) {
		g_set_error(error, HD_ERROR, HD_ERROR_START, "cannot run %s: it is not a regular file", program);
		return false;
	}
	if (access(program, X_OK) < 0) {
		hd_error_set_errno(error, HD_ERROR_START, errno, "cannot run %s", program);
		return false;
	}
	if ((status.st_mode & (S_ISUID | S_ISGID)) || getxattr(program, "security.capability", NULL, 0) > 0) {
		g_set_error(error, HD_ERROR, HD_ERROR_START,
			    "%s runs with privileges of its own (setuid, setgid or capabilities), which it loses when "
			    "it is traced",
			    program);
		return false;
	}
	return true;
}

bool
hd_launch_fork(const hd_target_options *options, hd_launch *launch, GError **error)
{
	int wait[2] = {-1, -1}, failed[2] = {-1, -1};
	if (!check_file(options->program, error))
		return false;
	if (hd_fault("target.pipe") || pipe2(wait, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0) {
		hd_error_set_errno(error, HD_ERROR_START, errno, "cannot make a pipe");
		goto fail;
	}
	/* No handler of ours may run in the child: all signals wait until it has reset them. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = hd_fault("target.fork") ? -1 : fork();
	if (pid == 0) {
		close(wait[1]);
		close(failed[0]);
		child(options, wait[0], failed[1]);
	}
	int reason = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		hd_error_set_errno(error, HD_ERROR_START, reason, "cannot fork");
		goto fail;
	}
	close(wait[0]);
	close(failed[1]);
	*launch = (hd_launch){pid, wait[1], failed[0]};
	return true;
fail:
	for (int i = 0; i < 2; i++) {
		if (wait[i] >= 0)
			close(wait[i]);
		if (failed[i] >= 0)
			close(failed[i]);
	}
	return false;
}
