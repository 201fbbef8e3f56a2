/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/pty.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs in the keeper; only async-signal-safe calls. */
static G_GNUC_NORETURN void
keep(int master, int leash)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE};
	char buffer[4096];
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	setsid();
	if (chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "hotdev-keeper");
	/* Nothing else may be held: a pipe to a shell would not end with hotdev. */
	unsigned low = (unsigned)MIN(master, leash), high = (unsigned)MAX(master, leash);
	if (low > 0)
		syscall(SYS_close_range, 0, low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1, high - 1, 0);
	syscall(SYS_close_range, high + 1, ~0U, 0);
	while (read(leash, buffer, sizeof buffer) < 0 && errno == EINTR)
		;
	/* EIO: the last slave is closed (pty(7)). */
	ssize_t got;
	while ((got = read(master, buffer, sizeof buffer)) > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
		if (got < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = master, .events = POLLIN}, 1, -1);
	_exit(0);
}

/* Forked twice, so that it is nobody's child here. */
static bool
start_keeper(hd_pty *pty, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "a pipe cannot be made");
		return false;
	}
	pid_t child = fork();
	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		close(ends[1]);
		keep(pty->master, ends[0]);
	}
	close(ends[0]);
	pty->leash = ends[1];
	if (child < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "the keeper of the terminal cannot be started");
		return false;
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return true;
}

bool
hd_pty_open(hd_pty *pty, int rows, int columns, GError **error)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
	*pty = (hd_pty){-1, -1, -1};
	if (openpty(&pty->master, &pty->slave, NULL, NULL, &size) < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "no terminal can be made for the program");
		return false;
	}
	fcntl(pty->master, F_SETFD, FD_CLOEXEC);
	fcntl(pty->slave, F_SETFD, FD_CLOEXEC);
	if (start_keeper(pty, error))
		return true;
	hd_pty_close(pty);
	return false;
}

void
hd_pty_close(hd_pty *pty)
{
	int *all[] = {&pty->slave, &pty->master, &pty->leash};
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
}
