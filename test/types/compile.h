/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: small sources, compiled by real compilers in a folder of the test's own. */
#ifndef HD_TEST_TYPES_COMPILE_H
#define HD_TEST_TYPES_COMPILE_H

#include <glib.h>
#include <stdbool.h>

/* Makes the folder; removes it and everything in it. */
void compile_begin(void);
void compile_end(void);
/* "<folder>/name"; new string. */
char *compile_path(const char *name);
void compile_write(const char *name, const char *text);

bool compile_has(const char *compiler);
/* Runs "<command>" with the shell in the folder; false when it fails (what it wrote is shown). */
bool compile_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Writes text to unit.c, compiles it with "<command> -c"; fails the test when that fails. */
GBytes *compile_object(const char *command, const char *text);
GBytes *compile_read(const char *name);

#endif
