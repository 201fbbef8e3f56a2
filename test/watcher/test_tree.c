/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders that come, go and move, links of both kinds, and odd names.
 * Only the kernel's events may tell: the watcher's own looks at the disk are off. */
#include "config.h"

#include "test/watcher/help.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
new_folders_and_a_write_at_once(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "mkdir -p src/x/y/z && echo 'int z;' > src/x/y/z/z.c");
	expect(t, "src/x/y/z/z.c", "int z;\n");
	shell(t, "mkdir -p q/r/s && echo 'int s;' > q/r/s/s.h && echo 'no source' > q/r/s/s.txt");
	expect(t, "q/r/s/s.h", "int s;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
	save(t, "src/x/y/z/z.c", "int z2;\n");
	expect(t, "src/x/y/z/z.c", "int z2;\n");
}

static void
folders_that_were_there_are_not_entered(void **state)
{
	trial *t = *state;
	shell(t, "mkdir data data/deep && echo 'int d;' > data/deep/d.c");
	watch(t, "src/a.c", NULL);
	save(t, "data/deep/d.c", "int d2;\n");
	save(t, "data/e.c", "int e;\n");
	expect_nothing(t);
	/* Unless somebody asks. */
	GPtrArray *files = g_ptr_array_new();
	g_ptr_array_add(files, at(t, "data/deep/d.c"));
	hd_watcher_add(t->watcher, files);
	hd_watcher_add(t->watcher, files);
	g_ptr_array_unref(files);
	GBytes *text = hd_watcher_text(t->watcher, at(t, "data/deep/d.c"));
	assert_non_null(text);
	assert_string_equal(g_bytes_get_data(text, NULL), "int d2;\n");
	g_bytes_unref(text);
	save(t, "data/deep/d.c", "int d3;\n");
	expect(t, "data/deep/d.c", "int d3;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

static void
new_sources_beside_known_ones(void **state)
{
	trial *t = *state;
	watch(t, "src/a.c", NULL);
	save(t, "src/new.c", "int new;\n");
	expect(t, "src/new.c", "int new;\n");
	save(t, "src/new.txt", "words\n");
	save(t, "src/b.c", "int b;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	unlink(at(t, "src/new.c"));
	expect(t, "src/new.c", NULL);
	/* A compiler's temporary source: come and gone is nothing. */
	forget(t);
	shell(t, "for i in 1 2 3; do : > src/tmp$i.c; rm src/tmp$i.c; done");
	expect_nothing(t);
}

static void
tree_moved_in(void **state)
{
	trial *t = *state;
	shell(t, "mkdir -p ../other/m/n && echo 'int m;' > ../other/m/m.c && echo 'int n;' > ../other/m/n/n.c");
	watch_all(t);
	shell(t, "mv ../other/m src/m");
	expect(t, "src/m/m.c", "int m;\n");
	expect(t, "src/m/n/n.c", "int n;\n");
	save(t, "src/m/n/n.c", "int n2;\n");
	expect(t, "src/m/n/n.c", "int n2;\n");
	settle(t);
	assert_int_equal(changes(t), 3);
}

static void
folder_renamed_then_edit_inside(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "mv src lib && echo 'int moved;' > lib/a.c");
	expect(t, "src/a.c", NULL);
	expect(t, "lib/a.c", "int moved;\n");
	expect(t, "lib/b.c", "int b;\n");
	save(t, "lib/b.c", "int b2;\n");
	expect(t, "lib/b.c", "int b2;\n");
	shell(t, "mv lib src && mv src src2 && mv src2 src");
	expect(t, "src/b.c", "int b2;\n");
	save(t, "src/b.c", "int b3;\n");
	expect(t, "src/b.c", "int b3;\n");
	expect_truth(t);
}

static void
two_folders_swapped(void **state)
{
	trial *t = *state;
	shell(t, "mkdir one two && echo 'int one;' > one/f.c && echo 'int two;' > two/f.c");
	watch_all(t);
	shell(t, "mv one tmp && mv two one && mv tmp two");
	expect(t, "one/f.c", "int two;\n");
	expect(t, "two/f.c", "int one;\n");
	save(t, "one/f.c", "int three;\n");
	expect(t, "one/f.c", "int three;\n");
	expect_truth(t);
}

static void
folder_moved_out(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "mv src ../gone");
	expect(t, "src/a.c", NULL);
	expect(t, "src/b.c", NULL);
	forget(t);
	shell(t, "echo 'int outside;' > ../gone/a.c");
	expect_nothing(t);
	shell(t, "mv ../gone src");
	expect(t, "src/a.c", "int outside;\n");
	expect(t, "src/b.c", "int b;\n");
}

static void
removed_and_made_again(void **state)
{
	trial *t = *state;
	watch_all(t);
	for (int i = 0; i < 5; i++) {
		char *text = g_strdup_printf("int a%d;\n", i);
		shell(t, "rm -rf src && mkdir src && echo 'int a%d;' > src/a.c", i);
		expect(t, "src/a.c", text);
		g_free(text);
	}
	expect(t, "src/b.c", NULL);
	save(t, "src/b.c", "int b;\n");
	expect(t, "src/b.c", "int b;\n");
	expect_truth(t);
}

static void
project_removed_and_made_again(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "cd .. && rm -rf p");
	expect(t, "src/a.c", NULL);
	expect(t, "include/a.h", NULL);
}

static void
replaced_by_a_folder_and_back(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "rm src/a.c && mkdir src/a.c");
	expect(t, "src/a.c", NULL);
	shell(t, "rmdir src/a.c && echo 'int file;' > src/a.c");
	expect(t, "src/a.c", "int file;\n");
	expect_truth(t);
}

static void
edit_through_a_link_in_the_project(void **state)
{
	trial *t = *state;
	shell(t, "mkdir ../shared && echo 'int s;' > ../shared/s.h && ln -s ../../shared/s.h include/s.h");
	char *real = g_build_filename(t->top, "shared", "s.h", NULL);
	watch_all(t);
	save(t, "include/s.h", "int s2;\n");
	expect(t, real, "int s2;\n");
	save(t, real, "int s3;\n");
	expect(t, real, "int s3;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
	GBytes *text = hd_watcher_text(t->watcher, at(t, "include/s.h"));
	assert_string_equal(g_bytes_get_data(text, NULL), "int s3;\n");
	g_bytes_unref(text);
	/* Its folder is outside: nothing else there is our business. */
	char *other = g_build_filename(t->top, "shared", "other.h", NULL);
	forget(t);
	save(t, other, "int other;\n");
	expect_nothing(t);
	g_free(other);
	g_free(real);
}

static void
edit_through_a_linked_folder(void **state)
{
	trial *t = *state;
	shell(t, "mkdir ../shared && echo 'int s;' > ../shared/s.h && ln -s ../shared linked");
	char *real = g_build_filename(t->top, "shared", "s.h", NULL);
	watch(t, "src/a.c", "linked/s.h", NULL);
	shell(t, "sed -i 's/s;/s2;/' linked/s.h");
	expect(t, real, "int s2;\n");
	shell(t, "sed -i 's/s2;/s3;/' ../shared/s.h");
	expect(t, real, "int s3;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
	g_free(real);
}

static void
edit_through_an_outside_symbolic_link(void **state)
{
	trial *t = *state;
	shell(t, "ln -s $PWD/src/a.c ../a.c && ln -s $PWD/src ../s");
	watch_all(t);
	shell(t, "echo 'int out;' > ../a.c");
	expect(t, "src/a.c", "int out;\n");
	shell(t, "sed -i 's/out/out2/' ../s/a.c");
	expect(t, "src/a.c", "int out2;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
}

static void
edit_through_an_outside_hard_link(void **state)
{
	trial *t = *state;
	shell(t, "ln src/a.c ../hard.c");
	watch_all(t);
	shell(t, "echo 'int hard;' > ../hard.c");
	expect(t, "src/a.c", "int hard;\n");
	save(t, "src/a.c", "int soft;\n");
	expect(t, "src/a.c", "int soft;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
	/* sed writes a new file: the other name is a file of its own now. */
	shell(t, "sed -i 's/soft/apart/' src/a.c");
	expect(t, "src/a.c", "int apart;\n");
	forget(t);
	shell(t, "echo 'int nobody;' > ../hard.c");
	expect_nothing(t);
}

static void
two_hard_links_in_the_project(void **state)
{
	trial *t = *state;
	shell(t, "ln src/a.c include/same.h");
	watch_all(t);
	save(t, "src/a.c", "int both;\n");
	expect(t, "src/a.c", "int both;\n");
	expect(t, "include/same.h", "int both;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
	/* One made later, and a write through it. */
	shell(t, "ln src/b.c src/b2.c");
	expect(t, "src/b2.c", "int b;\n");
	save(t, "src/b2.c", "int b2;\n");
	expect(t, "src/b.c", "int b2;\n");
	expect_truth(t);
}

/* The name that it was opened under is no more; the write goes on. */
static void
written_through_a_name_that_is_gone(void **state)
{
	trial *t = *state;
	watch_all(t);
	int fd = open(at(t, "src/first.c"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "int ", 4), 4);
	shell(t, "ln src/first.c src/second.c");
	expect(t, "src/second.c", "int ");
	unlink(at(t, "src/first.c"));
	settle(t);
	assert_int_equal(write(fd, "v;\n", 3), 3);
	close(fd);
	expect(t, "src/second.c", "int v;\n");
	expect_truth(t);
}

static const hd_file_change *
last_change(trial *t)
{
	const hd_watch_message *batch = g_ptr_array_index(t->batches, t->batches->len - 1);
	return g_ptr_array_index(batch->changes, batch->changes->len - 1);
}

static void
retargeted_link(void **state)
{
	trial *t = *state;
	shell(t, "echo 'int v1;' > include/v1.h && echo 'int v2;' > include/v2.h && ln -s v1.h include/v.h");
	watch_all(t);
	shell(t, "ln -sf v2.h include/v.h");
	expect(t, "include/v.h", "int v2;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	assert_string_equal(last_change(t)->formerly, at(t, "include/v1.h"));
	/* Edits of what it leads to now are said under that name, once. */
	forget(t);
	save(t, "include/v2.h", "int v3;\n");
	expect(t, "include/v2.h", "int v3;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	/* Elsewhere, to the same content: nothing. */
	shell(t, "cp include/v2.h include/v4.h");
	expect(t, "include/v4.h", "int v3;\n");
	forget(t);
	shell(t, "ln -sfn v4.h include/v.h");
	expect_nothing(t);
	save(t, "include/v4.h", "int v4;\n");
	expect(t, "include/v4.h", "int v4;\n");
	/* By rename, as careful tools do. */
	shell(t, "ln -s v1.h include/tmp.lnk && mv -T include/tmp.lnk include/v.h");
	expect(t, "include/v.h", "int v1;\n");
	assert_string_equal(last_change(t)->formerly, at(t, "include/v4.h"));
	/* To nowhere, and back. */
	shell(t, "ln -sfn nowhere.h include/v.h");
	expect(t, "include/v.h", NULL);
	shell(t, "ln -sfn v2.h include/v.h");
	expect(t, "include/v.h", "int v3;\n");
	/* A file of its own. */
	shell(t, "rm include/v.h && echo 'int own;' > include/v.h");
	expect(t, "include/v.h", "int own;\n");
	shell(t, "echo 'int own2;' > include/v.h");
	expect(t, "include/v.h", "int own2;\n");
}

static void
retargeted_folder_link(void **state)
{
	trial *t = *state;
	shell(t, "mkdir v1 v2 && echo 'int v1;' > v1/v.h && echo 'int v2;' > v2/v.h && ln -s v1 cur");
	watch(t, "src/a.c", "cur/v.h", NULL);
	shell(t, "ln -sfn v2 cur");
	expect(t, "cur/v.h", "int v2;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	assert_string_equal(last_change(t)->formerly, at(t, "v1/v.h"));
	save(t, "cur/v.h", "int v3;\n");
	expect(t, "v2/v.h", "int v3;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
}

/* The middle of a chain is no source and has no name of its own here. */
static void
retargeted_link_to_a_link(void **state)
{
	trial *t = *state;
	shell(t, "mkdir v1 v2 links && echo 'int v1;' > v1/v.h && echo 'int v2;' > v2/v.h && ln -s ../v1 links/cur && "
		 "ln -s ../links/cur/v.h include/v.h");
	watch(t, "src/a.c", "include/v.h", NULL);
	shell(t, "ln -sfn ../v2 links/cur");
	expect(t, "include/v.h", "int v2;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	assert_string_equal(last_change(t)->formerly, at(t, "v1/v.h"));
	save(t, "v2/v.h", "int v3;\n");
	expect(t, "v2/v.h", "int v3;\n");
	/* A loop leads nowhere. */
	shell(t, "ln -sfn ../links/cur links/cur");
	expect(t, "include/v.h", NULL);
	assert_null(hd_watcher_text(t->watcher, at(t, "include/v.h")));
	shell(t, "ln -sfn ../v1 links/cur");
	expect(t, "include/v.h", "int v1;\n");
}

static void
project_reached_through_a_link(void **state)
{
	trial *t = *state;
	shell(t, "ln -s p ../alias");
	char *alias = g_build_filename(t->top, "alias", NULL);
	char *name = g_build_filename(alias, "src", "a.c", NULL);
	t->options.project = alias;
	watch(t, name, NULL);
	save(t, name, "int alias;\n");
	expect(t, "src/a.c", "int alias;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	GBytes *text = hd_watcher_text(t->watcher, name);
	assert_string_equal(g_bytes_get_data(text, NULL), "int alias;\n");
	g_bytes_unref(text);
	g_free(name);
	g_free(alias);
}

static void
outside_the_project_is_passed_over(void **state)
{
	trial *t = *state;
	shell(t, "mkdir ../system && echo 'int s;' > ../system/s.h");
	char *path = g_build_filename(t->top, "system", "s.h", NULL);
	watch(t, "src/a.c", path, "/usr/include/stdio.h", NULL);
	save(t, path, "int s2;\n");
	expect_nothing(t);
	g_free(path);
}

static void
odd_names(void **state)
{
	trial *t = *state;
	const char *names[] = {"src/with space.c", "src/new\nline.c",  "src/\303\244\303\266\346\227\245.c",
			       "src/\377raw.c",	   "src/quote'\"$`.c", "sp ace/\t/tab.c"};
	shell(t, "mkdir -p 'sp ace/\t'");
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		save(t, names[i], "int odd;\n");
	watch_all(t);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		save(t, names[i], "int odder;\n");
		expect(t, names[i], "int odder;\n");
	}
	settle(t);
	assert_int_equal(changes(t), G_N_ELEMENTS(names));
	json_t *status = hd_watcher_status(t->watcher);
	assert_non_null(status);
	assert_string_equal(json_string_value(json_object_get(status, "state")), "ok");
	assert_true(json_array_size(json_object_get(status, "last")) > 0);
	json_decref(status);
}

int
main(void)
{
	events_only();
#define TRIAL(f) cmocka_unit_test_setup_teardown(f, trial_setup, trial_teardown)
	const struct CMUnitTest tests[] = {
		TRIAL(new_folders_and_a_write_at_once),
		TRIAL(folders_that_were_there_are_not_entered),
		TRIAL(new_sources_beside_known_ones),
		TRIAL(tree_moved_in),
		TRIAL(folder_renamed_then_edit_inside),
		TRIAL(two_folders_swapped),
		TRIAL(folder_moved_out),
		TRIAL(removed_and_made_again),
		TRIAL(project_removed_and_made_again),
		TRIAL(replaced_by_a_folder_and_back),
		TRIAL(edit_through_a_link_in_the_project),
		TRIAL(edit_through_a_linked_folder),
		TRIAL(edit_through_an_outside_symbolic_link),
		TRIAL(edit_through_an_outside_hard_link),
		TRIAL(two_hard_links_in_the_project),
		TRIAL(written_through_a_name_that_is_gone),
		TRIAL(retargeted_link),
		TRIAL(retargeted_folder_link),
		TRIAL(retargeted_link_to_a_link),
		TRIAL(project_reached_through_a_link),
		TRIAL(outside_the_project_is_passed_over),
		TRIAL(odd_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
