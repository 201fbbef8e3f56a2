/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/watcher/property.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITERS 3
#define OPERATIONS 60

typedef struct {
	trial *t;
	bool links; /* hard and symbolic ones are made too */
	GRand *rand;
	int number, step;
} writer;

static const char *const folders[] = {"src", "include", "src/x", "src/x/y", "z", "z/w"};
static const char *const files[] = {"a.c", "b.c", "a.h", "b.h"};

static const char *
pick_folder(writer *w)
{
	return folders[g_rand_int_range(w->rand, 0, G_N_ELEMENTS(folders))];
}

static char *
pick_file(writer *w)
{
	const char *name = files[g_rand_int_range(w->rand, 0, G_N_ELEMENTS(files))];
	return g_build_filename(w->t->project, pick_folder(w), name, NULL);
}

static void
write_to(writer *w, const char *path, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		return;
	char text[64];
	/* Few enough contents that some writes change nothing. */
	int length = snprintf(text, sizeof text, "int v%d;\n", g_rand_int_range(w->rand, 0, 4));
	ssize_t half = write(fd, text, 3);
	if (half == 3 && g_rand_int_range(w->rand, 0, 4) == 0)
		g_usleep((gulong)g_rand_int_range(w->rand, 0, 12000));
	if (write(fd, text + 3, (size_t)length - 3) < 0)
		abort();
	close(fd);
}

static void
op_rewrite(writer *w, const char *path)
{
	write_to(w, path, O_TRUNC);
}

static void
op_append(writer *w, const char *path)
{
	write_to(w, path, O_APPEND);
}

static void
op_replace(writer *w, const char *path)
{
	char *temporary = g_strdup_printf("%s.%d.tmp", path, w->number);
	write_to(w, temporary, O_TRUNC);
	if (rename(temporary, path) < 0)
		unlink(temporary);
	g_free(temporary);
}

static void
op_delete(writer *w, const char *path)
{
	(void)w;
	unlink(path);
}

static void
op_touch(writer *w, const char *path)
{
	(void)w;
	utimensat(AT_FDCWD, path, NULL, 0);
	chmod(path, g_rand_boolean(w->rand) ? 0644 : 0600);
}

static void
op_truncate(writer *w, const char *path)
{
	if (truncate(path, g_rand_int_range(w->rand, 0, 5)) < 0)
		return;
}

static void
op_map(writer *w, const char *path)
{
	(void)w;
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	/* One byte, so that no shrinking by another writer leaves it without a page but for size 0. */
	if (fstat(fd, &st) == 0 && st.st_size > 0 && pwrite(fd, "I", 1, 0) < 0)
		abort();
	close(fd);
}

static void
op_move(writer *w, const char *path)
{
	char *other = pick_file(w);
	if (rename(path, other) < 0)
		errno = 0;
	g_free(other);
}

static void
op_hard_link(writer *w, const char *path)
{
	if (!w->links)
		return;
	char *other = pick_file(w);
	unlink(other);
	if (link(path, other) < 0)
		errno = 0;
	g_free(other);
}

static void
op_symbolic_link(writer *w, const char *path)
{
	if (!w->links)
		return;
	char *other = pick_file(w);
	unlink(other);
	if (symlink(path, other) < 0)
		errno = 0;
	g_free(other);
}

static void
op_retarget(writer *w, const char *path)
{
	char *link = g_build_filename(w->t->project, "cur", NULL);
	char *temporary = g_strdup_printf("%s.%d.tmp", link, w->number);
	(void)path;
	if (symlink(g_rand_boolean(w->rand) ? "v1" : "v2", temporary) == 0 && rename(temporary, link) < 0)
		unlink(temporary);
	g_free(temporary);
	g_free(link);
}

static void
op_edit_version(writer *w, const char *path)
{
	char *file = g_build_filename(w->t->project, g_rand_boolean(w->rand) ? "v1" : "cur", "v.h", NULL);
	(void)path;
	write_to(w, file, O_TRUNC);
	g_free(file);
}

static void
op_make_folder(writer *w, const char *path)
{
	(void)path;
	char *folder = g_build_filename(w->t->project, pick_folder(w), NULL);
	g_mkdir_with_parents(folder, 0755);
	g_free(folder);
}

static void
op_move_folder(writer *w, const char *path)
{
	(void)path;
	char *from = g_build_filename(w->t->project, pick_folder(w), NULL);
	char *to = g_build_filename(w->t->project, pick_folder(w), NULL);
	if (rename(from, to) < 0)
		errno = 0;
	g_free(from);
	g_free(to);
}

static void
op_remove_folder(writer *w, const char *path)
{
	(void)path;
	char *command = g_strdup_printf("rm -rf '%s/%s' 2>/dev/null", w->t->project, pick_folder(w));
	if (system(command) < 0)
		abort();
	g_free(command);
}

static void
op_nap(writer *w, const char *path)
{
	(void)path;
	g_usleep((gulong)g_rand_int_range(w->rand, 0, 8000));
}

/* Each as often as its weight says. */
static const struct {
	void (*run)(writer *w, const char *path);
	int weight;
} operations[] = {
	{op_rewrite, 20},     {op_append, 5},	     {op_replace, 12},	    {op_delete, 6},
	{op_touch, 4},	      {op_truncate, 3},	     {op_map, 3},	    {op_move, 6},
	{op_hard_link, 3},    {op_symbolic_link, 3}, {op_retarget, 3},	    {op_edit_version, 3},
	{op_make_folder, 10}, {op_move_folder, 5},   {op_remove_folder, 2}, {op_nap, 12},
};

static gpointer
write_on(gpointer data)
{
	writer *w = data;
	int total = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(operations); i++)
		total += operations[i].weight;
	for (w->step = 0; w->step < OPERATIONS; w->step++) {
		int draw = g_rand_int_range(w->rand, 0, total);
		gsize i = 0;
		while (draw >= operations[i].weight)
			draw -= operations[i++].weight;
		char *path = pick_file(w);
		operations[i].run(w, path);
		g_free(path);
	}
	return NULL;
}

static guint32
number_from(const char *variable, guint32 otherwise)
{
	const char *text = g_getenv(variable);
	return text ? (guint32)strtoul(text, NULL, 0) : otherwise;
}

void
what_is_said_is_what_is(trial *t, bool links)
{
	t->wild = links;
	guint32 seed = number_from("HOTDEV_TEST_SEED", (guint32)g_get_real_time());
	guint32 rounds = number_from("HOTDEV_TEST_ROUNDS", 20);
	print_message("# HOTDEV_TEST_SEED=%u\n", seed);
	shell(t, "mkdir -p src/x/y z/w v1 v2 && for d in src include src/x src/x/y z z/w; do "
		 "for f in a.c b.c a.h b.h; do echo \"int $f\" > $d/$f; done; done; "
		 "echo 'int v1;' > v1/v.h; echo 'int v2;' > v2/v.h; ln -s v1 cur");
	watch_all_and(t, "cur/v.h");
	for (guint32 round = 0; round < rounds; round++) {
		writer writers[WRITERS];
		GThread *threads[WRITERS];
		for (int i = 0; i < WRITERS; i++) {
			writers[i] =
				(writer){t, links, g_rand_new_with_seed(seed + round * WRITERS + (guint32)i), i, 0};
			threads[i] = g_thread_new("writer", write_on, &writers[i]);
		}
		for (int i = 0; i < WRITERS; i++) {
			g_thread_join(threads[i]);
			g_rand_free(writers[i].rand);
		}
		print_message("# round %u\n", round);
		expect_truth(t);
	}
}
