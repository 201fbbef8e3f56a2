/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: C text to an object, with the compilers that are installed. */
#ifndef HD_TEST_COMPILE_H
#define HD_TEST_COMPILE_H

#include "reloader/object/object.h"

typedef struct {
	const char *name; /* "gcc -O2 -fPIC" */
	bool gcc, clang, tcc;
	int level; /* of optimisation */
} variant;

/* Every compiler and set of options that the tests run through; ends with a NULL name. Compilers that are not
 * installed are left out, and said so once on standard output. */
const variant *all_variants(void);

/* The object's bytes; the test fails with the compiler's words when it does not compile. */
GBytes *compile_text(const variant *v, const char *text);
GBytes *compile_file(const variant *v, const char *path);
/* The same, parsed. */
hd_object *object_of_text(const variant *v, const char *text);
hd_object *object_of_file(const variant *v, const char *path);

/* Compiles and links a program, runs it, and returns what it wrote. */
char *output_of_program(const variant *v, const char *path, const char *options);

/* A file of the source tree; the caller frees. */
char *source_path(const char *relative);

#endif
