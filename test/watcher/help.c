/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/watcher/help.h"

#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Long enough for a loaded machine; nothing waits for it that works. */
#define PATIENCE (240 * G_GINT64_CONSTANT(1000000000))

static void
bytes_unref(gpointer bytes)
{
	if (bytes)
		g_bytes_unref(bytes);
}

int
trial_setup(void **state)
{
	trial *t = g_new0(trial, 1);
	char *top = g_dir_make_tmp("hotdev-watcher-XXXXXX", NULL);
	assert_non_null(top);
	char *real = realpath(top, NULL);
	t->top = g_strdup(real);
	free(real);
	g_free(top);
	t->project = g_build_filename(t->top, "p", NULL);
	t->options = (hd_watcher_options){.project = t->project, .settle_ms = 3, .settle_limit_ms = 100};
	t->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bytes_unref);
	t->started = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bytes_unref);
	t->batches = g_ptr_array_new_with_free_func((GDestroyNotify)hd_watch_message_free);
	t->warnings = g_ptr_array_new_with_free_func((GDestroyNotify)hd_watch_message_free);
	t->early = g_ptr_array_new_with_free_func((GDestroyNotify)hd_watch_message_free);
	g_mkdir(t->project, 0755);
	shell(t, "mkdir src include");
	save(t, "src/a.c", "int a;\n");
	save(t, "src/b.c", "int b;\n");
	save(t, "include/a.h", "extern int a;\n");
	*state = t;
	return 0;
}

int
trial_teardown(void **state)
{
	trial *t = *state;
	hd_watcher_free(t->watcher);
	char *quoted = g_shell_quote(t->top);
	char *command = g_strdup_printf("chmod -R u+rwx %s && rm -rf %s", quoted, quoted);
	assert_int_equal(system(command), 0);
	g_free(command);
	g_free(quoted);
	g_hash_table_unref(t->said);
	g_hash_table_unref(t->started);
	g_ptr_array_unref(t->batches);
	g_ptr_array_unref(t->warnings);
	g_ptr_array_unref(t->early);
	g_clear_pointer(&t->options.files, g_ptr_array_unref);
	g_free(t->project);
	g_free(t->top);
	g_free(t);
	return 0;
}

void
events_only(void)
{
	g_setenv("HOTDEV_FAULT", "watcher.stamps:*", FALSE);
}

char *
at(trial *t, const char *name)
{
	char *path = name[0] == '/' ? g_strdup(name) : g_build_filename(t->project, name, NULL);
	const char *kept = g_intern_string(path);
	g_free(path);
	return (char *)(uintptr_t)kept;
}

void
save(trial *t, const char *name, const char *text)
{
	int fd = open(at(t, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void
shell(trial *t, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *command = g_strdup_vprintf(format, ap);
	va_end(ap);
	char *quoted = g_shell_quote(t->project);
	char *line = g_strdup_printf("cd %s && { %s\n}", quoted, command);
	int status = system(line);
	if (status != 0)
		fail_msg("status %d: %s", status, command);
	g_free(line);
	g_free(quoted);
	g_free(command);
}

bool
have(const char *program)
{
	char *path = g_find_program_in_path(program);
	bool found = path != NULL;
	if (!found)
		print_message("# skipped: %s is not installed\n", program);
	g_free(path);
	return found;
}

/* Puts every regular file below a folder into the list. */
static void
collect(GPtrArray *files, const char *folder)
{
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		char *path = g_build_filename(folder, name, NULL);
		if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK) &&
		    name[0] != '.')
			collect(files, path);
		else if (g_file_test(path, G_FILE_TEST_IS_REGULAR) && !hd_watcher_ignores(name))
			g_ptr_array_add(files, g_strdup(path));
		g_free(path);
	}
	if (dir)
		g_dir_close(dir);
}

static GBytes *
on_disk(const char *path)
{
	char *text = NULL;
	gsize size = 0;
	return g_file_get_contents(path, &text, &size, NULL) ? g_bytes_new_take(text, size) : NULL;
}

static void
start(trial *t)
{
	GError *error = NULL;
	for (guint i = 0; i < t->options.files->len; i++) {
		const char *path = g_ptr_array_index(t->options.files, i);
		g_hash_table_replace(t->started, g_strdup(path), on_disk(path));
	}
	t->watcher = hd_watcher_new(&t->options, &error);
	if (!t->watcher)
		fail_msg("%s", error->message);
}

void
watch_all(trial *t)
{
	t->options.files = g_ptr_array_new_with_free_func(g_free);
	collect(t->options.files, t->project);
	start(t);
}

void
watch_all_and(trial *t, const char *name)
{
	t->options.files = g_ptr_array_new_with_free_func(g_free);
	collect(t->options.files, t->project);
	g_ptr_array_add(t->options.files, g_strdup(at(t, name)));
	start(t);
}

void
watch(trial *t, const char *name, ...)
{
	va_list ap;
	t->options.files = g_ptr_array_new_with_free_func(g_free);
	va_start(ap, name);
	for (; name; name = va_arg(ap, const char *))
		g_ptr_array_add(t->options.files, g_strdup(at(t, name)));
	va_end(ap);
	start(t);
}

void
unwatch(trial *t)
{
	g_clear_pointer(&t->watcher, hd_watcher_free);
	g_clear_pointer(&t->options.files, g_ptr_array_unref);
}

static bool
same(GBytes *a, GBytes *b)
{
	return a && b ? g_bytes_equal(a, b) : a == b;
}

static bool
is_alias(const char *path)
{
	char *real = realpath(path, NULL);
	bool alias = (real && strcmp(real, path) != 0) || g_file_test(path, G_FILE_TEST_IS_SYMLINK);
	free(real);
	return alias;
}

/* Each change is said once: a batch never repeats what was there. */
static void
apply(trial *t, const hd_watch_message *batch)
{
	assert_true(batch->changes->len > 0);
	assert_true(batch->written_ns > 0 && batch->written_ns <= hd_now_ns());
	for (guint i = 0; i < batch->changes->len; i++) {
		const hd_file_change *change = g_ptr_array_index(batch->changes, i);
		gpointer before = NULL;
		bool known = g_hash_table_lookup_extended(t->said, change->path, NULL, &before) ||
			     g_hash_table_lookup_extended(t->started, change->path, NULL, &before);
		if (!t->wild && !change->formerly && (known || !change->text) && same(before, change->text))
			fail_msg("%s was said again, with no other content", change->path);
		g_hash_table_replace(t->said, g_strdup(change->path), change->text ? g_bytes_ref(change->text) : NULL);
		GBytes *text = hd_watcher_text(t->watcher, change->path);
		/* Behind a link is the text last said of the file there. */
		if (text && change->text && !t->wild && !is_alias(change->path))
			assert_true(g_bytes_equal(text, change->text));
		bytes_unref(text);
	}
}

/* Takes one message; false: the deadline passed. */
static bool
take(trial *t, gint64 deadline)
{
	hd_watch_message *message;
	while (!(message = hd_watcher_take(t->watcher))) {
		gint64 left = deadline - hd_now_ns();
		if (left <= 0)
			return false;
		struct pollfd ready = {hd_watcher_fd(t->watcher), POLLIN, 0};
		poll(&ready, 1, (int)(left / 1000000) + 1);
	}
	switch (message->kind) {
	case HD_WATCH_BATCH:
		apply(t, message);
		g_ptr_array_add(t->batches, message);
		return true;
	case HD_WATCH_WARNING:
		assert_non_null(message->code);
		assert_non_null(message->message);
		g_ptr_array_add(t->warnings, message);
		return true;
	case HD_WATCH_EARLY:
		g_ptr_array_add(t->early, message);
		return true;
	case HD_WATCH_BARRIER:
		t->passed = message->barrier;
		hd_watch_message_free(message);
		return true;
	}
	return false;
}

static void
give_up(trial *t, const char *what)
{
	json_t *status = hd_watcher_status(t->watcher), *note;
	size_t index;
	json_array_foreach(json_object_get(status, "last"), index, note)
	{
		char *line = json_dumps(note, JSON_REAL_PRECISION(9));
		printf("# %s\n", line);
		free(line);
	}
	json_object_del(status, "last");
	char *text = json_dumps(status, 0);
	printf("# %s\n", text);
	fflush(stdout);
	free(text);
	json_decref(status);
	fail_msg("never said: %s", what);
}

void
expect(trial *t, const char *name, const char *text)
{
	gint64 deadline = hd_now_ns() + PATIENCE;
	GBytes *wanted = text ? g_bytes_new(text, strlen(text)) : NULL;
	const char *path = at(t, name);
	gpointer now;
	while (!g_hash_table_lookup_extended(t->said, path, NULL, &now) || !same(now, wanted))
		if (!take(t, deadline))
			give_up(t, path);
	bytes_unref(wanted);
}

const hd_watch_message *
expect_warning(trial *t, const char *code)
{
	gint64 deadline = hd_now_ns() + PATIENCE;
	for (;;) {
		for (guint i = 0; i < t->warnings->len; i++) {
			const hd_watch_message *warning = g_ptr_array_index(t->warnings, i);
			if (strcmp(warning->code, code) == 0)
				return warning;
		}
		if (!take(t, deadline))
			give_up(t, code);
	}
}

void
settle(trial *t)
{
	gint64 deadline = hd_now_ns() + PATIENCE;
	guint64 ticket = hd_watcher_barrier(t->watcher);
	while (t->passed < ticket)
		if (!take(t, deadline))
			give_up(t, "the barrier");
}

guint
changes(trial *t)
{
	guint count = 0;
	for (guint i = 0; i < t->batches->len; i++)
		count += ((hd_watch_message *)g_ptr_array_index(t->batches, i))->changes->len;
	return count;
}

guint
times_said(trial *t, const char *name)
{
	guint count = 0;
	const char *path = at(t, name);
	for (guint i = 0; i < t->batches->len; i++) {
		const GPtrArray *list = ((hd_watch_message *)g_ptr_array_index(t->batches, i))->changes;
		for (guint j = 0; j < list->len; j++)
			count += strcmp(((hd_file_change *)g_ptr_array_index(list, j))->path, path) == 0;
	}
	return count;
}

void
expect_nothing(trial *t)
{
	settle(t);
	if (changes(t) == 0)
		return;
	const hd_watch_message *batch = g_ptr_array_index(t->batches, 0);
	give_up(t, ((hd_file_change *)g_ptr_array_index(batch->changes, 0))->path);
}

void
forget(trial *t)
{
	settle(t);
	g_ptr_array_set_size(t->batches, 0);
	g_ptr_array_set_size(t->early, 0);
	g_ptr_array_set_size(t->warnings, 0);
}

static void
compare(trial *t, const char *path)
{
	gpointer said = NULL;
	char *real = realpath(path, NULL);
	GBytes *told = NULL;
	if (t->wild || is_alias(path))
		said = told = hd_watcher_text(t->watcher, path);
	else if (!g_hash_table_lookup_extended(t->said, path, NULL, &said))
		said = g_hash_table_lookup(t->started, path);
	GBytes *disk = on_disk(path);
	if (!same(said, disk)) {
		print_message("# said: %s\n# disk: %s\n# real: %s\n",
			      said ? (const char *)g_bytes_get_data(said, NULL) : "gone",
			      disk ? (const char *)g_bytes_get_data(disk, NULL) : "gone", real ? real : "none");
		give_up(t, path);
	}
	bytes_unref(told);
	bytes_unref(disk);
	free(real);
}

void
expect_truth(trial *t)
{
	settle(t);
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	collect(files, t->project);
	for (guint i = 0; i < files->len; i++)
		compare(t, g_ptr_array_index(files, i));
	g_ptr_array_unref(files);
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, t->said);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		compare(t, path);
	g_hash_table_iter_init(&iter, t->started);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		compare(t, path);
}
