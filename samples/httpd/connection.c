/* SPDX-License-Identifier: MIT */
#include "connection.h"
#include "handler.h"
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 64 * 1024 };

struct connection {
	int descriptor;
	unsigned long number, requests;
	buffer in, out;
	bool last; /* to be closed once all has been sent */
};

connection *
connection_new(int descriptor, unsigned long number)
{
	connection *c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->descriptor = descriptor;
	c->number = number;
	return c;
}

void
connection_free(connection *c)
{
	close(c->descriptor);
	buffer_free(&c->in);
	buffer_free(&c->out);
	free(c);
}

int
connection_descriptor(const connection *c)
{
	return c->descriptor;
}

/* A client that does not read what it is sent is not read either. */
unsigned
connection_events(const connection *c)
{
	return c->out.length ? EPOLLOUT : EPOLLIN;
}

static bool
later(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static bool
receive(connection *c)
{
	ssize_t got = recv(c->descriptor, buffer_reserve(&c->in, AT_ONCE), AT_ONCE, 0);
	if (got > 0)
		c->in.length += (size_t)got;
	return got > 0 || (got < 0 && later());
}

static bool
transmit(connection *c)
{
	while (c->out.length) {
		ssize_t sent = send(c->descriptor, c->out.at, c->out.length, MSG_NOSIGNAL);
		if (sent < 0)
			return later();
		buffer_drop(&c->out, (size_t)sent);
	}
	return !c->last;
}

static void
refuse(connection *c, int status)
{
	request q = {.keep_alive = false};
	response a = {.status = status, .type = "text/plain"};
	http_write(&c->out, &q, &a);
	c->last = true;
}

static void
answer(connection *c, request *q, unsigned worker)
{
	response a = {.status = 200, .type = "text/html; charset=utf-8"};
	q->worker = worker;
	q->connection = c->number;
	q->number = ++c->requests;
	handle(q, &a);
	http_write(&c->out, q, &a);
	buffer_free(&a.body);
	c->last = !q->keep_alive;
}

/* All requests that are here: a client may send several before it reads. */
static void
answer_all(connection *c, unsigned worker)
{
	size_t done = 0;
	while (!c->last) {
		request q;
		size_t used = 0;
		http_result result = http_read(c->in.at + done, c->in.length - done, &q, &used);
		if (result == HTTP_PART)
			break;
		if (result == HTTP_WHOLE)
			answer(c, &q, worker);
		else
			refuse(c, result == HTTP_BAD ? 400 : 501);
		done += used;
	}
	buffer_drop(&c->in, done);
}

bool
connection_serve(connection *c, unsigned worker)
{
	if (!c->out.length) {
		if (!receive(c))
			return false;
		answer_all(c, worker);
	}
	return transmit(c);
}
