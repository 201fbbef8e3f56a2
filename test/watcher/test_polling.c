/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same promises where the kernel gives no inotify instance at all. */
#include "config.h"

#include "test/watcher/help.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
poll_all(trial *t)
{
	t->options.poll_ms = 5;
	watch_all(t);
	const hd_watch_message *warning = expect_warning(t, "polling");
	assert_non_null(strstr(warning->message, "fs.inotify.max_user_instances"));
}

static void
saves(void **state)
{
	trial *t = *state;
	poll_all(t);
	for (int i = 0; i < 10; i++) {
		char *text = g_strdup_printf("int s%d;\n", i);
		save(t, "src/a.c", text);
		expect(t, "src/a.c", text);
		g_free(text);
	}
	shell(t, "sed -i 's/s9/sed/' src/a.c; touch src/b.c; cp include/a.h x && mv x include/a.h");
	expect(t, "src/a.c", "int sed;\n");
	settle(t);
	assert_int_equal(changes(t), 11);
	expect_truth(t);
}

static void
folders(void **state)
{
	trial *t = *state;
	poll_all(t);
	shell(t, "mkdir -p src/x/y && echo 'int y;' > src/x/y/y.c && rm src/b.c");
	expect(t, "src/x/y/y.c", "int y;\n");
	expect(t, "src/b.c", NULL);
	shell(t, "mv src lib");
	expect(t, "lib/a.c", "int a;\n");
	expect(t, "lib/x/y/y.c", "int y;\n");
	expect(t, "src/a.c", NULL);
	shell(t, "rm -rf include && mkdir include && echo 'int again;' > include/a.h");
	expect(t, "include/a.h", "int again;\n");
	expect_truth(t);
}

static void
links(void **state)
{
	trial *t = *state;
	shell(t, "echo 'int v1;' > include/v1.h && echo 'int v2;' > include/v2.h && ln -s v1.h include/v.h && "
		 "ln src/a.c ../hard.c");
	poll_all(t);
	shell(t, "ln -sfn v2.h include/v.h; echo 'int hard;' > ../hard.c");
	expect(t, "include/v.h", "int v2;\n");
	expect(t, "src/a.c", "int hard;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
}

static void
barrier_sees_what_was_saved(void **state)
{
	trial *t = *state;
	t->options.poll_ms = 1000000;
	watch_all(t);
	for (int i = 0; i < 20; i++) {
		char *text = g_strdup_printf("int s%d;\n", i);
		save(t, "src/a.c", text);
		settle(t);
		gpointer said = g_hash_table_lookup(t->said, at(t, "src/a.c"));
		assert_non_null(said);
		assert_string_equal(g_bytes_get_data(said, NULL), text);
		g_free(text);
	}
}

int
main(void)
{
	g_setenv("HOTDEV_FAULT", "watcher.inotify:*", TRUE);
#define TRIAL(f) cmocka_unit_test_setup_teardown(f, trial_setup, trial_teardown)
	const struct CMUnitTest tests[] = {
		TRIAL(saves),
		TRIAL(folders),
		TRIAL(links),
		TRIAL(barrier_sees_what_was_saved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
