/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
buffer_reserve(buffer *b, size_t bytes)
{
	size_t room = b->room ? b->room : 1024;
	while (room - b->length < bytes)
		room *= 2;
	if (room != b->room) {
		b->at = realloc(b->at, room);
		if (!b->at)
			abort();
		b->room = room;
	}
	return b->at + b->length;
}

void
buffer_add(buffer *b, const void *bytes, size_t length)
{
	if (length)
		memcpy(buffer_reserve(b, length), bytes, length);
	b->length += length;
}

void
buffer_printf(buffer *b, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		abort();
	/* One more for the zero that it ends with, and that is no part of the buffer. */
	vsnprintf(buffer_reserve(b, (size_t)length + 1), (size_t)length + 1, format, arguments);
	va_end(arguments);
	b->length += (size_t)length;
}

void
buffer_drop(buffer *b, size_t bytes)
{
	b->length -= bytes;
	if (b->length)
		memmove(b->at, b->at + bytes, b->length);
}

void
buffer_free(buffer *b)
{
	free(b->at);
	*b = (buffer){0};
}
