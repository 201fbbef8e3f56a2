/* SPDX-License-Identifier: MIT */
/* What the server says. Edit this file while it says it. */
#include "handler.h"

static void
home(const request *q, response *a)
{
	buffer_printf(&a->body, "<!doctype html>\n<title>httpd</title>\n");
	buffer_printf(&a->body, "<meta http-equiv=\"refresh\" content=\"1\">\n");
	buffer_printf(&a->body, "<h1>Hello, world.</h1>\n");
	buffer_printf(&a->body, "<p>Worker %u, connection %lu, request %lu on it.</p>\n", q->worker, q->connection,
		      q->number);
}

static void
echo(const request *q, response *a)
{
	a->type = "text/plain";
	buffer_add(&a->body, q->body.at, q->body.length);
}

static const struct {
	const char *path;
	void (*answer)(const request *q, response *a);
} pages[] = {
	{"/", home},
	{"/echo", echo},
};

void
handle(const request *q, response *a)
{
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (slice_is(&q->path, pages[i].path)) {
			pages[i].answer(q, a);
			return;
		}
	}
	a->status = 404;
	buffer_printf(&a->body, "<h1>There is no such page.</h1>\n");
}
