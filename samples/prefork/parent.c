/* SPDX-License-Identifier: MIT */
#include "parent.h"
#include "worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 128 };

int
parent_listen(unsigned short port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0)
		return -1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, BACKLOG) == 0)
		return listener;
	int error = errno;
	close(listener);
	errno = error;
	return -1;
}

unsigned short
parent_port(int listener)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof address;
	getsockname(listener, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

/* A worker that outlived its parent would keep the port. */
static void
end_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
}

static pid_t
start_worker(int listener)
{
	pid_t parent = getpid(), worker = fork();
	if (worker == 0) {
		end_with(parent);
		worker_run(listener);
	}
	return worker;
}

static void
report(pid_t worker, int status)
{
	if (WIFSIGNALED(status))
		printf("worker %d ended: %s\n", (int)worker, strsignal(WTERMSIG(status)));
	else
		printf("worker %d ended with status %d\n", (int)worker, WEXITSTATUS(status));
	fflush(stdout);
}

/* So that workers that die at once do not take the machine with them. */
static void
breathe(void)
{
	struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	nanosleep(&pause, NULL);
}

void
parent_run(int listener, unsigned workers)
{
	for (unsigned i = 0; i < workers; i++)
		if (start_worker(listener) < 0)
			return;
	for (;;) {
		int status;
		pid_t worker = wait(&status);
		if (worker < 0 && errno != EINTR)
			return;
		if (worker < 0)
			continue;
		report(worker, status);
		breathe();
		if (start_worker(listener) < 0)
			return;
	}
}
