/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static char *folder;

void
compile_begin(void)
{
	folder = g_dir_make_tmp("hotdev-test-XXXXXX", NULL);
	assert_non_null(folder);
	/* What debug information names is canonical; so should be what we compare it with. */
	char *real = realpath(folder, NULL);
	g_free(folder);
	folder = g_strdup(real);
	free(real);
}

static void
remove_tree(const char *path)
{
	GDir *directory = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
	const char *name;
	while (directory && (name = g_dir_read_name(directory))) {
		char *child = g_build_filename(path, name, NULL);
		remove_tree(child);
		g_free(child);
	}
	if (directory)
		g_dir_close(directory);
	remove(path);
}

void
compile_end(void)
{
	remove_tree(folder);
	g_clear_pointer(&folder, g_free);
}

char *
compile_path(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

void
compile_write(const char *name, const char *text)
{
	char *path = compile_path(name);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	g_free(path);
}

bool
compile_has(const char *compiler)
{
	char *path = g_find_program_in_path(compiler);
	g_free(path);
	return path != NULL;
}

bool
compile_run(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *command = g_strdup_vprintf(format, ap);
	va_end(ap);
	char *argv[] = {"/bin/sh", "-c", command, NULL};
	char *output = NULL;
	int status = -1;
	bool done = g_spawn_sync(folder, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &output, &status, NULL) &&
		    g_spawn_check_wait_status(status, NULL);
	if (!done)
		print_message("# %s: %s\n", command, output ? output : "");
	g_free(output);
	g_free(command);
	return done;
}

GBytes *
compile_read(const char *name)
{
	char *path = compile_path(name), *content;
	gsize size;
	assert_true(g_file_get_contents(path, &content, &size, NULL));
	g_free(path);
	return g_bytes_new_take(content, size);
}

GBytes *
compile_object(const char *command, const char *text)
{
	compile_write("unit.c", text);
	assert_true(compile_run("%s -w -c unit.c -o unit.o", command));
	return compile_read("unit.o");
}
