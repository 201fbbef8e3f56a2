/* SPDX-License-Identifier: MIT */
#include "worker.h"
#include "handler.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE = 30 /* seconds */, LONGEST_REQUEST = 8192, LONGEST_PAGE = 8192 };

typedef struct {
	int descriptor;
	char text[LONGEST_REQUEST + 1]; /* what has been read and not yet been answered; ends with a zero */
	size_t length;
} client;

static bool
send_all(int descriptor, const char *text, size_t length)
{
	while (length) {
		ssize_t sent = send(descriptor, text, length, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return false;
		text += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool
respond(int descriptor, const char *status, const char *page, size_t length)
{
	char response[256 + LONGEST_PAGE];
	int head = snprintf(response, 256, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
			    status, length);
	memcpy(response + head, page, length);
	return send_all(descriptor, response, (size_t)head + length);
}

/* Reads until the text has a whole request; returns its length, 0: there is none. */
static size_t
next_request(client *c)
{
	for (;;) {
		const char *end = strstr(c->text, "\r\n\r\n");
		if (end)
			return (size_t)(end - c->text) + 4;
		ssize_t got = recv(c->descriptor, c->text + c->length, LONGEST_REQUEST - c->length, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		c->length += (size_t)got;
		c->text[c->length] = 0;
	}
}

/* Answers the request that the text begins with. False: the connection ends. */
static bool
answer(const client *c)
{
	char path[1024], page[LONGEST_PAGE];
	int minor = 0;
	if (sscanf(c->text, "GET %1023s HTTP/1.%d", path, &minor) != 2) {
		respond(c->descriptor, "501 Not Implemented", "", 0);
		return false;
	}
	size_t length = handle(path, page, sizeof page);
	if (length >= sizeof page)
		length = sizeof page - 1;
	return respond(c->descriptor, "200 OK", page, length) && minor > 0;
}

static void
serve(int descriptor)
{
	client c = {.descriptor = descriptor};
	struct timeval patience = {.tv_sec = PATIENCE};
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	for (;;) {
		size_t used = next_request(&c);
		if (!used || !answer(&c))
			break;
		c.length -= used;
		memmove(c.text, c.text + used, c.length + 1);
	}
	close(descriptor);
}

void
worker_run(int listener)
{
	for (;;) {
		int descriptor = accept(listener, NULL, NULL);
		if (descriptor >= 0)
			serve(descriptor);
	}
}
