/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of building share: a temporary folder for each test, files in
 * it, commands, and builds that are waited for. */
#ifndef HD_TEST_BUILD_SUPPORT_H
#define HD_TEST_BUILD_SUPPORT_H

#include "reloader/build/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct {
	char *folder;  /* removed at the end */
	char *project; /* folder/project; the name is hard on purpose */
	hd_builder *builder;
} fixture;

int setup(void **state);
int teardown(void **state);

/* Writes project/name, with the folders above it; returns its path, which is never freed. */
const char *put(fixture *f, const char *name, const char *text);
const char *path_of(fixture *f, const char *name);

/* A command whose source is project/source, run in project/directory; words end with NULL. */
hd_command *command_of(fixture *f, const char *directory, const char *source, ...) G_GNUC_NULL_TERMINATED;

 /* Starts a build and waits for its result. */
 hd_build_result *build(fixture *f, const hd_command *command, GHashTable *texts, const char *debug_name);
 /* A callback that stores the result where data points. */
 void keep_result(hd_build *running, hd_build_result *result, void *data);
 GHashTable *texts_of(const char *path, const char *text, ...) G_GNUC_NULL_TERMINATED;

 /* Fails the test, with what the compiler wrote, unless ok. */
 void assert_built(const hd_build_result *result);
 /* Whether the object holds these bytes. */
 bool holds(const hd_build_result *result, const char *text);
 const hd_diagnostic *diagnostic(const hd_build_result *result, guint index);
 bool depends_on(const hd_build_result *result, const char *path);

 /* Seconds: HOTDEV_DEADLINE, or a minute. */
guint patience(void);

/* Runs the main loop until the condition holds; fails when patience is over. */
#define wait_until(condition)                                                                                          \
	do {                                                                                                           \
		gint64 deadline_ = g_get_monotonic_time() + patience() * G_USEC_PER_SEC;                               \
		while (!(condition)) {                                                                                 \
			assert_true(g_get_monotonic_time() < deadline_);                                               \
			turn();                                                                                        \
		}                                                                                                      \
	} while (0)
 /* One turn of the main loop; wakes up by itself to look at what no source reports. */
 void turn(void);

#endif
