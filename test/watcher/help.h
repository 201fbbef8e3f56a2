/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the watcher's tests share: a project in a temporary folder, a watcher
 * on it, and what that has said so far. */
#ifndef HD_TEST_WATCHER_HELP_H
#define HD_TEST_WATCHER_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watcher/watcher.h"

typedef struct {
	char *top;     /* the temporary folder, canonical */
	char *project; /* top/p */
	hd_watcher *watcher;
	hd_watcher_options options;
	GHashTable *said;    /* char *path -> GBytes *: as last said; NULL: gone */
	GPtrArray *batches;  /* of hd_watch_message * */
	GPtrArray *warnings; /* of hd_watch_message * */
	GPtrArray *early;    /* of hd_watch_message * */
	GHashTable *started; /* char *path -> GBytes *: on disk when the watcher started */
	guint64 passed;	     /* the last barrier met */
	bool wild;	     /* links come and go: what a path said last may be another's to say now */
} trial;

/* cmocka fixtures: a project with src/a.c, src/b.c and include/a.h, not watched yet. */
int trial_setup(void **state);
int trial_teardown(void **state);

/* Without a single look at the disk of its own: only the kernel's events can tell. */
void events_only(void);

/* Starts watching all that is in the project, or the NULL-ended names given. */
void watch_all(trial *t);
void watch_all_and(trial *t, const char *name);
void watch(trial *t, const char *name, ...) G_GNUC_NULL_TERMINATED;
void unwatch(trial *t);

/* An absolute path; relative names are below the project. Freed with the trial. */
char *at(trial *t, const char *name);
/* Truncates and writes. */
void save(trial *t, const char *name, const char *text);
/* Runs a shell command in the project; it must succeed. */
void shell(trial *t, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Whether a program is there; says on standard output that the test is skipped when not. */
bool have(const char *program);

/* Takes messages until a batch said the file with this text (NULL: gone). Fails after a long time. */
void expect(trial *t, const char *name, const char *text);
/* Waits for a warning of this code. */
const hd_watch_message *expect_warning(trial *t, const char *code);
/* Takes messages until everything saved before now was said. */
void settle(trial *t);
/* settle, and nothing was said since the last `forget`. */
void expect_nothing(trial *t);
/* Forgets the batches so far (not what was said last). */
void forget(trial *t);
/* How often a file was in a batch since the last `forget`. */
guint times_said(trial *t, const char *name);
/* How many changes all batches had. */
guint changes(trial *t);
/* What is on disk under every source's name, and every name that was said or was
 * there first, equals what was said; behind a symbolic link, what is told of it. */
void expect_truth(trial *t);

#endif
