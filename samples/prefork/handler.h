/* SPDX-License-Identifier: MIT */
#ifndef HANDLER_H
#define HANDLER_H

#include <stddef.h>

/* Writes the page that a path asks for, and a zero; returns its length, which
 * is more than there is room for if it did not fit. */
size_t handle(const char *path, char *page, size_t room);

#endif
