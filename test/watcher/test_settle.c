/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a batch is final, on a clock of the test's own; and what names say. */
#include "config.h"

#include "test/watcher/help.h"

#include "watcher/content.h"
#include "watcher/names.h"
#include "watcher/settle.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS G_GINT64_CONSTANT(1000000)

typedef struct {
	trial *t;
	hd_settle *settle;
	hd_file a, b;
	int said;
} clockwork;

static void
on_read(hd_file *file, hd_content *content, void *data)
{
	(void)file;
	(void)content;
	(void)data;
}

static void
on_said(hd_file *file, GBytes *text, bool elsewhere, void *data)
{
	clockwork *c = data;
	(void)file;
	(void)text;
	assert_false(elsewhere);
	c->said++;
}

static clockwork
begin(trial *t)
{
	clockwork c = {.t = t};
	hd_content content;
	c.a.path = at(t, "src/a.c");
	c.b.path = at(t, "src/b.c");
	hd_content_read(c.a.path, &content);
	c.a.said = content.digest;
	hd_content_clear(&content);
	hd_content_read(c.b.path, &content);
	c.b.said = content.digest;
	hd_content_clear(&content);
	return c;
}

/* The number of files in the batch that is final at this time; 0: none is. */
static guint
final_at(clockwork *c, gint64 ms, gint64 *written_ms)
{
	gint64 written_ns = 0;
	GPtrArray *early = hd_settle_read(c->settle);
	g_clear_pointer(&early, g_ptr_array_unref);
	GPtrArray *batch = hd_settle_take(c->settle, ms * MS, false, &written_ns);
	guint count = batch ? batch->len : 0;
	if (written_ms)
		*written_ms = written_ns / MS;
	if (batch) {
		hd_settle_said(c->settle, batch);
		g_ptr_array_unref(batch);
	}
	return count;
}

static void
quiet_for_the_settle_time(void **state)
{
	clockwork c = begin(*state);
	gint64 written;
	c.settle = hd_settle_new(3 * MS, 100 * MS, on_read, on_said, &c);
	assert_int_equal(hd_settle_deadline(c.settle), -1);
	save(c.t, "src/a.c", "int one;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_WRITE, 1000 * MS);
	hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 1001 * MS);
	assert_int_equal(final_at(&c, 1003, NULL), 0);
	assert_int_equal(hd_settle_deadline(c.settle), 1004 * MS);
	/* Another file of the same batch starts the wait again. */
	save(c.t, "src/b.c", "int two;\n");
	hd_settle_touch(c.settle, &c.b, HD_HINT_FINISH, 1003 * MS);
	assert_int_equal(final_at(&c, 1005, NULL), 0);
	/* A touch is no write. */
	hd_settle_touch(c.settle, &c.b, HD_HINT_LOOK, 1005 * MS);
	assert_int_equal(final_at(&c, 1007, NULL), 0);
	assert_int_equal(final_at(&c, 1008, &written), 2);
	assert_int_equal(written, 1003);
	assert_int_equal(final_at(&c, 5000, NULL), 0);
	assert_int_equal(hd_settle_deadline(c.settle), -1);
	hd_settle_free(c.settle);
}

static void
no_longer_than_the_limit(void **state)
{
	clockwork c = begin(*state);
	c.settle = hd_settle_new(3 * MS, 100 * MS, on_read, on_said, &c);
	guint said = 0;
	for (int i = 0; i <= 100; i += 2) {
		char *text = g_strdup_printf("int v%d;\n", i);
		save(c.t, "src/a.c", text);
		g_free(text);
		hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, (1000 + i) * MS);
		said += final_at(&c, 1000 + i, NULL);
		assert_int_equal(said, i == 100);
	}
	hd_settle_free(c.settle);
}

static void
a_growing_file_does_not_hold_up_the_rest(void **state)
{
	clockwork c = begin(*state);
	gint64 written;
	c.settle = hd_settle_new(3 * MS, 100 * MS, on_read, on_said, &c);
	save(c.t, "src/a.c", "int half");
	save(c.t, "src/b.c", "int whole;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_WRITE, 1000 * MS);
	hd_settle_touch(c.settle, &c.b, HD_HINT_FINISH, 1001 * MS);
	hd_settle_touch(c.settle, &c.a, HD_HINT_WRITE, 1050 * MS);
	assert_int_equal(final_at(&c, 1099, NULL), 0);
	assert_int_equal(final_at(&c, 1100, &written), 1);
	assert_int_equal(written, 1001);
	hd_settle_touch(c.settle, &c.a, HD_HINT_WRITE, 1140 * MS);
	assert_int_equal(final_at(&c, 1200, NULL), 0);
	/* Nobody wrote for the limit, and nobody closed it: as it is. */
	assert_int_equal(final_at(&c, 1239, NULL), 0);
	assert_int_equal(final_at(&c, 1240, NULL), 1);
	hd_settle_free(c.settle);
}

/* Emptied by someone who has it open: waited for longer, but not for ever when only looks tell of the text. */
static void
an_emptied_file_is_waited_for_until_its_text_is_there(void **state)
{
	clockwork c = begin(*state);
	c.settle = hd_settle_new(3 * MS, 100 * MS, on_read, on_said, &c);
	save(c.t, "src/a.c", "");
	hd_settle_touch(c.settle, &c.a, HD_HINT_WRITE, 1000 * MS);
	assert_int_equal(final_at(&c, 1100, NULL), 0);
	assert_int_equal(final_at(&c, 1400, NULL), 0);
	save(c.t, "src/a.c", "int late;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_LOOK, 1500 * MS);
	assert_int_equal(final_at(&c, 1599, NULL), 0);
	assert_int_equal(final_at(&c, 1600, NULL), 1);
	hd_settle_free(c.settle);
}

static void
empty_and_missing_are_waited_for(void **state)
{
	clockwork c = begin(*state);
	c.settle = hd_settle_new(3 * MS, 100 * MS, on_read, on_said, &c);
	save(c.t, "src/a.c", "");
	unlink(at(c.t, "src/b.c"));
	hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 1000 * MS);
	hd_settle_touch(c.settle, &c.b, HD_HINT_LOOK, 1000 * MS);
	assert_int_equal(final_at(&c, 1099, NULL), 0);
	assert_int_equal(final_at(&c, 1100, NULL), 2);
	assert_false(c.b.said.exists);
	/* Still open for writing: what is to come is waited for longer. */
	save(c.t, "src/a.c", "int b;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 1500 * MS);
	assert_int_equal(final_at(&c, 1503, NULL), 1);
	save(c.t, "src/a.c", "");
	hd_settle_touch(c.settle, &c.a, HD_HINT_WRITE, 1600 * MS);
	assert_int_equal(final_at(&c, 1700, NULL), 0);
	assert_int_equal(final_at(&c, 1900, NULL), 0);
	/* Back as it was before anybody was told: nothing. */
	save(c.t, "src/a.c", "int a;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 2000 * MS);
	assert_int_equal(final_at(&c, 2003, NULL), 1);
	save(c.t, "src/a.c", "");
	hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 3000 * MS);
	assert_int_equal(final_at(&c, 3050, NULL), 0);
	save(c.t, "src/a.c", "int a;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 3060 * MS);
	assert_int_equal(final_at(&c, 4000, NULL), 0);
	assert_int_equal(hd_settle_deadline(c.settle), -1);
	hd_settle_free(c.settle);
}

static void
a_change_that_no_hint_told_of_starts_the_wait_again(void **state)
{
	clockwork c = begin(*state);
	c.settle = hd_settle_new(3 * MS, 100 * MS, on_read, on_said, &c);
	save(c.t, "src/a.c", "int one;\n");
	hd_settle_touch(c.settle, &c.a, HD_HINT_LOOK, 1000 * MS);
	assert_int_equal(final_at(&c, 1000, NULL), 0);
	save(c.t, "src/a.c", "int longer;\n");
	assert_int_equal(final_at(&c, 1003, NULL), 0);
	assert_int_equal(final_at(&c, 1006, NULL), 1);
	hd_settle_free(c.settle);
}

static void
early_tells_of_the_edit_and_of_its_undoing(void **state)
{
	clockwork c = begin(*state);
	c.settle = hd_settle_new(50 * MS, 100 * MS, on_read, on_said, &c);
	const char *texts[] = {"int one;\n", "int a;\n"};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		save(c.t, "src/a.c", texts[i]);
		hd_settle_touch(c.settle, &c.a, HD_HINT_FINISH, 1000 * MS);
		GPtrArray *early = hd_settle_read(c.settle);
		assert_non_null(early);
		assert_int_equal(early->len, 1);
		assert_string_equal(g_bytes_get_data(c.a.pending.text, NULL), texts[i]);
		g_ptr_array_unref(early);
	}
	assert_int_equal(final_at(&c, 1050, NULL), 0);
	hd_settle_free(c.settle);
}

static void
names(void **state)
{
	(void)state;
	const char *ignored[] = {"/p/.git/index", "/p/src/a.c~", "/p/src/.a.c.swp", "/p/4913",
				 "/p/.#a.c",	  "/p/#a.c#",	 "/p/a.o",	    "/p/a.c___jb_tmp___",
				 "/p/a.c.orig",	  "/p/a.c.rej",	 "/p/.svn/x.c",	    "/p/.hg/x.c"};
	const char *watched[] = {"/p/a.c", "/p/a.h",   "/p/4913.c",	"/p/git/a.c", "/p/a.orig.c",
				 "/p/o",   "/p/sed.c", "/p/sedition.h", "/p/tmp/a.c"};
	for (gsize i = 0; i < G_N_ELEMENTS(ignored); i++)
		assert_true(hd_watcher_ignores(ignored[i]));
	for (gsize i = 0; i < G_N_ELEMENTS(watched); i++)
		assert_false(hd_watcher_ignores(watched[i]));
	assert_true(hd_names_source("x.inc") && hd_names_source("x.def") && hd_names_source("x.y"));
	assert_false(hd_names_source("x.txt") || hd_names_source("c") || hd_names_source(".#x.c"));
	assert_true(hd_names_below("/a/b", "/a") && hd_names_below("/a", "/a") && hd_names_below("/a", "/"));
	assert_false(hd_names_below("/ab", "/a") || hd_names_below("/", "/a"));
}

static gpointer
rename_to_and_fro(gpointer data)
{
	trial *t = data;
	const char *here = at(t, "src/a.c"), *there = at(t, "src/elsewhere.c");
	for (int i = 0; i < 20000; i++)
		if (rename(here, there) < 0 || rename(there, here) < 0)
			break;
	return NULL;
}

/* The kernel's name of an open file is where it is now: that it moved makes no link of what was opened. */
static void
renamed_while_it_is_read(void **state)
{
	trial *t = *state;
	const char *path = at(t, "src/a.c");
	GThread *thread = g_thread_new("renamer", rename_to_and_fro, t);
	for (int i = 0; i < 20000; i++) {
		hd_content content;
		hd_content_read(path, &content);
		assert_null(content.real);
		hd_content_clear(&content);
	}
	g_thread_join(thread);
}

int
main(void)
{
#define TRIAL(f) cmocka_unit_test_setup_teardown(f, trial_setup, trial_teardown)
	const struct CMUnitTest tests[] = {
		TRIAL(quiet_for_the_settle_time),
		TRIAL(no_longer_than_the_limit),
		TRIAL(a_growing_file_does_not_hold_up_the_rest),
		TRIAL(an_emptied_file_is_waited_for_until_its_text_is_there),
		TRIAL(empty_and_missing_are_waited_for),
		TRIAL(a_change_that_no_hint_told_of_starts_the_wait_again),
		TRIAL(early_tells_of_the_edit_and_of_its_undoing),
		TRIAL(renamed_while_it_is_read),
		TRIAL(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
