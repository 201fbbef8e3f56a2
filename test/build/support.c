/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/build/support.h"

#include "reloader/build/remove.h"

#include <glib/gstdio.h>
#include <string.h>

int
setup(void **state)
{
	fixture *f = g_new0(fixture, 1);
	GError *error = NULL;
	char *made = g_dir_make_tmp("hotdev-build-XXXXXX", &error);
	assert_non_null(made);
	f->folder = g_canonicalize_filename(made, NULL);
	g_free(made);
	f->project = g_build_filename(f->folder, "pro'ject \xc3\xa9", NULL);
	assert_int_equal(g_mkdir(f->project, 0700), 0);
	char *scratch = g_build_filename(f->folder, "scratch", NULL);
	f->builder = hd_builder_new(scratch, f->project, 2, &error);
	assert_non_null(f->builder);
	g_free(scratch);
	*state = f;
	return 0;
}

int
teardown(void **state)
{
	fixture *f = *state;
	hd_builder_free(f->builder);
	hd_remove_tree(f->folder);
	g_free(f->folder);
	g_free(f->project);
	g_free(f);
	return 0;
}

const char *
path_of(fixture *f, const char *name)
{
	char *path = g_build_filename(f->project, name, NULL);
	const char *kept = g_intern_string(path);
	g_free(path);
	return kept;
}

const char *
put(fixture *f, const char *name, const char *text)
{
	const char *path = path_of(f, name);
	char *folder = g_path_get_dirname(path);
	assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	g_free(folder);
	return path;
}

hd_command *
command_of(fixture *f, const char *directory, const char *source, ...)
{
	hd_command *command = g_new0(hd_command, 1);
	GPtrArray *argv = g_ptr_array_new();
	va_list ap;
	va_start(ap, source);
	for (const char *word; (word = va_arg(ap, const char *));)
		g_ptr_array_add(argv, g_strdup(word));
	va_end(ap);
	g_ptr_array_add(argv, NULL);
	command->source = g_strdup(path_of(f, source));
	command->directory = g_strdup(path_of(f, directory));
	command->argv = (char **)g_ptr_array_free(argv, FALSE);
	command->source_arg = g_strdup(command->argv[g_strv_length(command->argv) - 1]);
	return command;
}

void
keep_result(hd_build *running, hd_build_result *result, void *data)
{
	(void)running;
	*(hd_build_result **)data = result;
}

hd_build_result *
build(fixture *f, const hd_command *command, GHashTable *texts, const char *debug_name)
{
	hd_build_result *result = NULL;
	hd_build_request request = {.command = command, .texts = texts, .debug_name = debug_name};
	hd_build_start(f->builder, &request, keep_result, &result);
	assert_null(result); /* never from within the start */
	wait_until(result);
	return result;
}

GHashTable *
texts_of(const char *path, const char *text, ...)
{
	GHashTable *texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	va_list ap;
	va_start(ap, text);
	while (path) {
		g_hash_table_insert(texts, g_strdup(path), g_bytes_new(text, strlen(text)));
		path = va_arg(ap, const char *);
		text = path ? va_arg(ap, const char *) : NULL;
	}
	va_end(ap);
	return texts;
}

void
assert_built(const hd_build_result *result)
{
	if (!result->ok)
		print_error("%s\n", result->raw);
	assert_true(result->ok);
	assert_non_null(result->object);
}

bool
holds(const hd_build_result *result, const char *text)
{
	gsize size;
	const char *bytes = g_bytes_get_data(result->object, &size);
	return memmem(bytes, size, text, strlen(text)) != NULL;
}

const hd_diagnostic *
diagnostic(const hd_build_result *result, guint index)
{
	assert_true(index < result->diagnostics->len);
	return g_ptr_array_index(result->diagnostics, index);
}

bool
depends_on(const hd_build_result *result, const char *path)
{
	return g_ptr_array_find_with_equal_func(result->dependencies, path, g_str_equal, NULL);
}

static gboolean
wake(void *data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

guint
patience(void)
{
	const char *said = g_getenv("HOTDEV_DEADLINE");
	return said ? (guint)g_ascii_strtoull(said, NULL, 10) : 60;
}

void
turn(void)
{
	guint source = g_timeout_add(5, wake, NULL);
	g_main_context_iteration(NULL, TRUE);
	g_source_remove(source);
}
