/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 as far as this server needs it (RFC 9112): requests are read,
 * responses written, and connections stay open unless somebody objects. */
#ifndef HTTP_H
#define HTTP_H

#include "buffer.h"

#include <stdbool.h>

/* A part of a text that belongs to somebody else. */
typedef struct {
	const char *at;
	size_t length;
} slice;

bool slice_is(const slice *s, const char *text);

typedef struct {
	slice method, path, query, body;
	bool keep_alive;
	/* Who answers, and to whom. */
	unsigned worker;	  /* from 1 */
	unsigned long connection; /* from 1, in the order in which they came */
	unsigned long number;	  /* of this request on its connection, from 1 */
} request;

typedef struct {
	int status;
	const char *type; /* of the body */
	buffer body;
} response;

typedef enum {
	HTTP_WHOLE,	  /* a request, *used bytes long */
	HTTP_PART,	  /* the beginning of one */
	HTTP_BAD,	  /* none, or one that is too long */
	HTTP_UNSUPPORTED, /* one that this server does not understand */
} http_result;

/* Reads the request that a text begins with. Its slices point into the text. */
http_result http_read(const char *text, size_t length, request *q, size_t *used);
void http_write(buffer *out, const request *q, const response *a);

#endif
