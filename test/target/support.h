/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of reloader/target share: a temporary folder, programs built
 * in it, and a program started under a target. */
#ifndef TEST_TARGET_SUPPORT_H
#define TEST_TARGET_SUPPORT_H

#include "reloader/target/target.h"

#include "test/target/program.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

typedef struct {
	char *folder, *program;
	struct board *board;
	hd_target *target;
	guint64 bias;
} scene;

/* Compiles text (which may include program.h) with these flags. */
scene *scene_new(const char *text, const char *flags);
/* Starts it to main, with the board as its first argument and `argument` (may be NULL) as its second. */
void scene_start(scene *s, const char *argument);
/* ... and lets it run until it says that it is ready. */
void scene_run(scene *s);
void scene_free(scene *s);

/* The address of a symbol in the running program. */
guint64 scene_address(scene *s, const char *symbol);
/* Its value and size in the file. */
guint64 symbol_in(const char *path, const char *name, guint64 *size);

/* Until the condition holds; fails the test after two minutes. */
#define WAIT_FOR(condition)                                                                                            \
	do {                                                                                                           \
		gint64 wait_until = hd_now_ns() + G_GINT64_CONSTANT(120000000000);                                      \
		while (!(condition)) {                                                                                 \
			if (hd_now_ns() > wait_until)                                                                  \
				fail_msg("waited in vain for %s", #condition);                                         \
			g_usleep(500);                                                                                 \
		}                                                                                                      \
	} while (0)

#define ASSERT_GOOD(call)                                                                                              \
	do {                                                                                                           \
		GError *error = NULL;                                                                                  \
		if (!(call))                                                                                           \
			fail_msg("%s: %s", #call, error ? error->message : "no error given");                          \
	} while (0)

/* Code that returns number, placed in the code arena; its address. */
guint64 place_constant(scene *s, int number);
/* Adds the redirect of function to code. */
void redirect(scene *s, hd_commit *commit, guint64 function, guint64 code);
/* Commits; whether it worked. */
bool commit_now(scene *s, const hd_commit *commit, int deadline_ms, hd_commit_result *result, GError **error);

#endif
