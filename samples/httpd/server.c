/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server.h"
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 128, EVENTS = 64 };

typedef struct {
	pthread_t thread;
	int epoll;
	unsigned number; /* from 1 */
} worker;

int
server_listen(unsigned short port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
server_port(int listener)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof address;
	getsockname(listener, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

static void
serve(worker *w, connection *c)
{
	unsigned before = connection_events(c);
	if (!connection_serve(c, w->number)) {
		connection_free(c);
		return;
	}
	struct epoll_event event = {.events = connection_events(c), .data.ptr = c};
	if (event.events != before)
		epoll_ctl(w->epoll, EPOLL_CTL_MOD, connection_descriptor(c), &event);
}

static void *
work(void *argument)
{
	worker *w = argument;
	struct epoll_event events[EVENTS];
	for (;;) {
		int count = epoll_wait(w->epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++)
			serve(w, events[i].data.ptr);
	}
	return NULL;
}

static int
start_worker(worker *w, unsigned number)
{
	w->number = number;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return errno;
	return pthread_create(&w->thread, NULL, work, w);
}

/* Once epoll knows the connection it is the worker's. */
static void
deal_out(worker *w, int descriptor, unsigned long number)
{
	int on = 1;
	setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection *c = connection_new(descriptor, number);
	struct epoll_event event = {.events = connection_events(c), .data.ptr = c};
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, descriptor, &event) < 0)
		connection_free(c);
}

static void
accept_one(int listener, worker *workers, unsigned count)
{
	static unsigned long number;
	int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (descriptor >= 0) {
		deal_out(&workers[number % count], descriptor, number + 1);
		number++;
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		/* The connection waits until another one ends. */
		usleep(10000);
}

void
server_run(int listener, unsigned count)
{
	worker *workers = calloc(count, sizeof *workers);
	if (!workers)
		return;
	for (unsigned i = 0; i < count; i++) {
		int error = start_worker(&workers[i], i + 1);
		if (error) {
			errno = error;
			return;
		}
	}
	for (;;)
		accept_one(listener, workers, count);
}
