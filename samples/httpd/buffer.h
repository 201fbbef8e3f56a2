/* SPDX-License-Identifier: MIT */
/* Bytes that grow at the end and are taken from the front. All zero is an empty
 * one. Out of memory ends the program. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

typedef struct {
	char *at;
	size_t length, room;
} buffer;

/* Room for at least that many bytes behind the last one; returns where it is. */
char *buffer_reserve(buffer *b, size_t bytes);
void buffer_add(buffer *b, const void *bytes, size_t length);
void buffer_printf(buffer *b, const char *format, ...);
/* Takes bytes from the front. */
void buffer_drop(buffer *b, size_t bytes);
void buffer_free(buffer *b);

#endif
