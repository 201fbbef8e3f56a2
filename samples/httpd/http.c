/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { LONGEST_HEAD = 16 * 1024, LONGEST_BODY = 1024 * 1024 };

bool
slice_is(const slice *s, const char *text)
{
	return s->length == strlen(text) && memcmp(s->at, text, s->length) == 0;
}

/* Header names, and the values that are looked at here, may be in either case. */
static bool
is_like(const slice *s, const char *text)
{
	return s->length == strlen(text) && strncasecmp(s->at, text, s->length) == 0;
}

/* Takes what stands before a separator, and the separator, from the front of
 * rest; all of it where there is none. */
static slice
take(slice *rest, const char *separator)
{
	size_t width = strlen(separator);
	const char *end = memmem(rest->at, rest->length, separator, width);
	slice first = {rest->at, end ? (size_t)(end - rest->at) : rest->length};
	size_t used = end ? first.length + width : first.length;
	rest->at += used;
	rest->length -= used;
	return first;
}

static slice
trimmed(slice s)
{
	for (; s.length && (*s.at == ' ' || *s.at == '\t'); s.length--)
		s.at++;
	while (s.length && (s.at[s.length - 1] == ' ' || s.at[s.length - 1] == '\t'))
		s.length--;
	return s;
}

static bool
read_number(const slice *s, size_t *number)
{
	*number = 0;
	for (size_t i = 0; i < s->length; i++) {
		if (s->at[i] < '0' || s->at[i] > '9' || *number > LONGEST_BODY)
			return false;
		*number = *number * 10 + (size_t)(s->at[i] - '0');
	}
	return s->length > 0;
}

static bool
read_request_line(slice line, request *q)
{
	slice target;
	q->method = take(&line, " ");
	target = take(&line, " ");
	q->path = take(&target, "?");
	q->query = target;
	q->keep_alive = slice_is(&line, "HTTP/1.1");
	return q->method.length && q->path.length && (q->keep_alive || slice_is(&line, "HTTP/1.0"));
}

static http_result
read_header(slice line, request *q)
{
	slice name = take(&line, ":"), value = trimmed(line);
	if (is_like(&name, "Content-Length") && !read_number(&value, &q->body.length))
		return HTTP_BAD;
	if (is_like(&name, "Transfer-Encoding"))
		return HTTP_UNSUPPORTED;
	if (is_like(&name, "Connection") && is_like(&value, "close"))
		q->keep_alive = false;
	if (is_like(&name, "Connection") && is_like(&value, "keep-alive"))
		q->keep_alive = true;
	return HTTP_WHOLE;
}

http_result
http_read(const char *text, size_t length, request *q, size_t *used)
{
	const char *end = memmem(text, length, "\r\n\r\n", 4);
	if (!end)
		return length > LONGEST_HEAD ? HTTP_BAD : HTTP_PART;
	slice head = {text, (size_t)(end - text)};
	q->body = (slice){end + 4, 0};
	if (!read_request_line(take(&head, "\r\n"), q))
		return HTTP_BAD;
	while (head.length) {
		http_result result = read_header(take(&head, "\r\n"), q);
		if (result != HTTP_WHOLE)
			return result;
	}
	if (q->body.length > LONGEST_BODY)
		return HTTP_BAD;
	*used = (size_t)(q->body.at - text) + q->body.length;
	return *used > length ? HTTP_PART : HTTP_WHOLE;
}

static const char *
reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 501:
		return "Not Implemented";
	}
	return "Other";
}

void
http_write(buffer *out, const request *q, const response *a)
{
	char date[64];
	time_t now = time(NULL);
	struct tm calendar;
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &calendar));
	buffer_printf(out, "HTTP/1.1 %d %s\r\n", a->status, reason(a->status));
	buffer_printf(out, "Date: %s\r\n", date);
	buffer_printf(out, "Content-Type: %s\r\n", a->type);
	buffer_printf(out, "Content-Length: %zu\r\n", a->body.length);
	buffer_printf(out, "Connection: %s\r\n\r\n", q->keep_alive ? "keep-alive" : "close");
	if (!slice_is(&q->method, "HEAD"))
		buffer_add(out, a->body.at, a->body.length);
}
