/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A save is said once with its final content, whichever program writes it.
 * Only the kernel's events may tell: the watcher's own looks at the disk are off. */
#include "config.h"

#include "test/watcher/help.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void
nap(int ms)
{
	g_usleep((gulong)ms * 1000);
}

static void
truncate_and_write(void **state)
{
	trial *t = *state;
	watch_all(t);
	save(t, "src/a.c", "int a = 1;\n");
	expect(t, "src/a.c", "int a = 1;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	assert_true(t->early->len >= 1);
}

static void
vim_saves(trial *t, const char *settings)
{
	if (!have("vim"))
		skip();
	watch_all(t);
	for (int i = 1; i <= 3; i++) {
		char *text = g_strdup_printf("int a = %d;\n", i);
		shell(t,
		      "vim -u NONE -i NONE -n -es -c 'set backupskip= swapfile backup< %s' -c '%%s/.*/int a = %d;/' -c "
		      "'wq' src/a.c </dev/null >/dev/null 2>&1",
		      settings, i);
		expect(t, "src/a.c", text);
		settle(t);
		assert_int_equal(changes(t), 1);
		forget(t);
		g_free(text);
	}
}

static void
vim_backupcopy_auto(void **state)
{
	vim_saves(*state, "backupcopy=auto writebackup");
}

static void
vim_backupcopy_yes(void **state)
{
	vim_saves(*state, "backupcopy=yes writebackup");
}

static void
vim_backupcopy_no(void **state)
{
	vim_saves(*state, "backupcopy=no writebackup");
}

static void
vim_backup_kept(void **state)
{
	vim_saves(*state, "backupcopy=no backup");
}

static void
vim_nowritebackup(void **state)
{
	vim_saves(*state, "nobackup nowritebackup");
}

static void
sed_in_place(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "sed -i 's/a;/a2;/' src/a.c");
	expect(t, "src/a.c", "int a2;\n");
	shell(t, "sed -i 's/a2;/a3;/' src/a.c");
	expect(t, "src/a.c", "int a3;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
}

static void
ed_writes(void **state)
{
	trial *t = *state;
	if (!have("ed"))
		skip();
	watch_all(t);
	shell(t, "printf '1s/a/ed/\\nw\\nq\\n' | ed -s src/a.c >/dev/null");
	expect(t, "src/a.c", "int ed;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

static void
patch_applies(void **state)
{
	trial *t = *state;
	if (!have("patch"))
		skip();
	watch_all(t);
	shell(t, "printf -- '--- a/src/a.c\\n+++ b/src/a.c\\n@@ -1 +1 @@\\n-int a;\\n+int patched;\\n' | "
		 "patch -s -b -p1");
	expect(t, "src/a.c", "int patched;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

static void
clang_format_after_the_save(void **state)
{
	trial *t = *state;
	if (!have("clang-format"))
		skip();
	watch_all(t);
	shell(t, "printf 'int   a  =  4;\\n' > src/a.c && clang-format -i --style=LLVM src/a.c");
	expect(t, "src/a.c", "int a = 4;\n");
	settle(t);
	assert_true(changes(t) <= 2);
	expect_truth(t);
}

static void
jetbrains_sequence(void **state)
{
	trial *t = *state;
	watch_all(t);
	for (int i = 1; i <= 2; i++) {
		char *text = g_strdup_printf("int jet%d;\n", i);
		save(t, "src/a.c___jb_tmp___", text);
		assert_int_equal(rename(at(t, "src/a.c"), at(t, "src/a.c___jb_old___")), 0);
		assert_int_equal(rename(at(t, "src/a.c___jb_tmp___"), at(t, "src/a.c")), 0);
		assert_int_equal(unlink(at(t, "src/a.c___jb_old___")), 0);
		expect(t, "src/a.c", text);
		g_free(text);
	}
	settle(t);
	assert_int_equal(changes(t), 2);
}

static void
emacs_lock_link(void **state)
{
	trial *t = *state;
	watch_all(t);
	assert_int_equal(symlink("user@host.1234:5678", at(t, "src/.#a.c")), 0);
	save(t, "src/#a.c#", "int auto");
	expect_nothing(t);
	/* The first save moves the old file to the backup; later ones write in place. */
	assert_int_equal(rename(at(t, "src/a.c"), at(t, "src/a.c~")), 0);
	save(t, "src/a.c", "int emacs;\n");
	unlink(at(t, "src/#a.c#"));
	unlink(at(t, "src/.#a.c"));
	expect(t, "src/a.c", "int emacs;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

/* VS Code: a reader sees 0 bytes between truncation and writing. */
static void
empty_for_50_ms(void **state)
{
	trial *t = *state;
	t->options.settle_limit_ms = 10000;
	watch_all(t);
	int fd = open(at(t, "src/a.c"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	close(fd);
	nap(50);
	save(t, "src/a.c", "int code;\n");
	expect(t, "src/a.c", "int code;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
	for (guint i = 0; i < t->early->len; i++) {
		const hd_watch_message *early = g_ptr_array_index(t->early, i);
		const hd_file_change *change = g_ptr_array_index(early->changes, 0);
		assert_true(g_bytes_get_size(change->text) > 0);
	}
}

static void
emptied_for_good(void **state)
{
	trial *t = *state;
	watch_all(t);
	save(t, "src/a.c", "");
	expect(t, "src/a.c", "");
	settle(t);
	assert_int_equal(changes(t), 1);
}

/* The first half stays open across ten settle times. */
static void
two_chunks(void **state)
{
	trial *t = *state;
	t->options.settle_limit_ms = 10000;
	watch_all(t);
	int fd = open(at(t, "src/a.c"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "int half", 8), 8);
	nap(30);
	assert_int_equal(write(fd, " = 2;\n", 6), 6);
	close(fd);
	expect(t, "src/a.c", "int half = 2;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

/* An open file that nobody writes to any more is said as it is. */
static void
never_closed(void **state)
{
	trial *t = *state;
	watch_all(t);
	int fd = open(at(t, "src/a.c"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "int open;\n", 10), 10);
	expect(t, "src/a.c", "int open;\n");
	assert_int_equal(write(fd, "int more;\n", 10), 10);
	expect(t, "src/a.c", "int open;\nint more;\n");
	close(fd);
	settle(t);
	assert_int_equal(changes(t), 2);
}

static void
touch_and_identical_rewrite(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "touch src/a.c include/a.h");
	save(t, "src/b.c", "int b;\n");
	shell(t, "cp src/b.c src/b.new && mv src/b.new src/b.c && chmod 600 src/b.c");
	expect_nothing(t);
	/* There and back before it settled. */
	save(t, "src/a.c", "int other;\n");
	save(t, "src/a.c", "int a;\n");
	settle(t);
	assert_true(changes(t) == 0 || changes(t) == 2);
	expect_truth(t);
}

static void
mapped_edit(void **state)
{
	trial *t = *state;
	watch_all(t);
	int fd = open(at(t, "src/a.c"), O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);
	map[4] = 'm';
	munmap(map, 7);
	expect(t, "src/a.c", "int m;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

static void
deleted_and_made_again(void **state)
{
	trial *t = *state;
	watch_all(t);
	for (int i = 0; i < 20; i++) {
		char *text = g_strdup_printf("int again%d;\n", i);
		assert_int_equal(unlink(at(t, "src/a.c")), 0);
		save(t, "src/a.c", text);
		expect(t, "src/a.c", text);
		g_free(text);
	}
	settle(t);
	assert_int_equal(changes(t), 20);
}

static void
deleted_for_good(void **state)
{
	trial *t = *state;
	watch_all(t);
	unlink(at(t, "src/a.c"));
	expect(t, "src/a.c", NULL);
	assert_null(hd_watcher_text(t->watcher, at(t, "src/a.c")));
	save(t, "src/a.c", "int a;\n");
	expect(t, "src/a.c", "int a;\n");
	settle(t);
	assert_int_equal(changes(t), 2);
}

static void
ten_saves_last_wins(void **state)
{
	trial *t = *state;
	watch_all(t);
	for (int i = 0; i < 10; i++) {
		char *text = g_strdup_printf("int save%d;\n", i);
		save(t, "src/a.c", text);
		g_free(text);
		nap(2);
	}
	expect(t, "src/a.c", "int save9;\n");
	settle(t);
	assert_true(changes(t) >= 1 && changes(t) <= 10);
	expect_truth(t);
}

static void
header_is_one_change(void **state)
{
	trial *t = *state;
	watch_all(t);
	save(t, "include/a.h", "extern long a;\n");
	expect(t, "include/a.h", "extern long a;\n");
	settle(t);
	assert_int_equal(changes(t), 1);
}

static void
several_files_are_one_batch(void **state)
{
	trial *t = *state;
	t->options.settle_ms = 500;
	t->options.settle_limit_ms = 2000;
	watch_all(t);
	save(t, "include/a.h", "extern char a;\n");
	save(t, "src/a.c", "char a;\n");
	save(t, "src/b.c", "char b;\n");
	expect(t, "src/b.c", "char b;\n");
	settle(t);
	assert_int_equal(changes(t), 3);
	assert_int_equal(t->batches->len, 1);
}

static void
by_products_are_ignored(void **state)
{
	trial *t = *state;
	watch_all(t);
	shell(t, "mkdir .git .svn CMakeFiles; touch 4913 src/a.c~ src/.a.c.swp src/.a.c.swx src/a.o src/a.c.orig "
		 "src/a.c.rej src/.#x.c src/libx.so src/a.d; echo x > .git/x.c; echo y > CMakeFiles/y.c; "
		 "echo z > notes.txt");
	expect_nothing(t);
}

static void
git_checkout_and_stash(void **state)
{
	trial *t = *state;
	if (!have("git"))
		skip();
	shell(t, "git init -q . && git config user.email t@example.org && git config user.name t && "
		 "for i in $(seq 500); do echo \"int v$i;\" > src/f$i.c; done && git add . && git commit -qm 1 && "
		 "git checkout -q -b other && for i in $(seq 500); do echo \"long v$i;\" > src/f$i.c; done && "
		 "git commit -qam 2 && git checkout -q -");
	watch_all(t);
	for (int i = 0; i < 2; i++) {
		shell(t, "git checkout -q other");
		expect(t, "src/f500.c", "long v500;\n");
		settle(t);
		assert_int_equal(changes(t), 500);
		assert_int_equal(t->batches->len, 1);
		forget(t);
		shell(t, "git checkout -q -");
		settle(t);
		assert_int_equal(changes(t), 500);
		assert_int_equal(t->batches->len, 1);
		forget(t);
	}
	shell(t, "for i in $(seq 500); do echo \"short v$i;\" > src/f$i.c; done");
	expect(t, "src/f500.c", "short v500;\n");
	forget(t);
	shell(t, "git stash -q");
	expect(t, "src/f500.c", "int v500;\n");
	settle(t);
	assert_int_equal(changes(t), 500);
	shell(t, "git stash pop -q");
	expect(t, "src/f500.c", "short v500;\n");
	expect_truth(t);
}

int
main(void)
{
	events_only();
#define TRIAL(f) cmocka_unit_test_setup_teardown(f, trial_setup, trial_teardown)
	const struct CMUnitTest tests[] = {
		TRIAL(truncate_and_write),
		TRIAL(vim_backupcopy_auto),
		TRIAL(vim_backupcopy_yes),
		TRIAL(vim_backupcopy_no),
		TRIAL(vim_backup_kept),
		TRIAL(vim_nowritebackup),
		TRIAL(sed_in_place),
		TRIAL(ed_writes),
		TRIAL(patch_applies),
		TRIAL(clang_format_after_the_save),
		TRIAL(jetbrains_sequence),
		TRIAL(emacs_lock_link),
		TRIAL(empty_for_50_ms),
		TRIAL(emptied_for_good),
		TRIAL(two_chunks),
		TRIAL(never_closed),
		TRIAL(touch_and_identical_rewrite),
		TRIAL(mapped_edit),
		TRIAL(deleted_and_made_again),
		TRIAL(deleted_for_good),
		TRIAL(ten_saves_last_wins),
		TRIAL(header_is_one_change),
		TRIAL(several_files_are_one_batch),
		TRIAL(by_products_are_ignored),
		TRIAL(git_checkout_and_stash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
