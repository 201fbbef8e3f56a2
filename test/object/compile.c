/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/object/compile.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SPLIT " -ffunction-sections -fdata-sections"

static const variant table[] = {
	{"gcc -g -O0" SPLIT, .gcc = true, .level = 0},
	{"gcc -g -O2" SPLIT, .gcc = true, .level = 2},
	{"gcc -O3 -fPIC" SPLIT, .gcc = true, .level = 3},
	{"gcc -g -O0 -fno-pie" SPLIT, .gcc = true, .level = 0},
	{"gcc -O2 -fno-pie -fcf-protection=full" SPLIT, .gcc = true, .level = 2},
	{"clang -g -O0" SPLIT, .clang = true, .level = 0},
	{"clang -g -O2 -fpie" SPLIT, .clang = true, .level = 2},
	{"clang -O3 -fPIC" SPLIT, .clang = true, .level = 3},
	{"clang -O2 -fno-pie" SPLIT, .clang = true, .level = 2},
	{"tcc -g", .tcc = true},
	{.name = NULL},
};

const variant *
all_variants(void)
{
	static variant found[G_N_ELEMENTS(table)];
	guint n = 0;
	if (found[0].name)
		return found;
	for (const variant *v = table; v->name; v++) {
		char *compiler = g_strndup(v->name, strcspn(v->name, " "));
		char *path = g_find_program_in_path(compiler);
		if (path)
			found[n++] = *v;
		else
			printf("# %s is not installed: not tested with it\n", compiler);
		g_free(path);
		g_free(compiler);
	}
	return found;
}

static char *
temporary_folder(void)
{
	GError *error = NULL;
	char *folder = g_dir_make_tmp("hotdev-object-XXXXXX", &error);
	if (!folder)
		fail_msg("%s", error->message);
	return folder;
}

/* Runs a shell-quoted command; fails the test with its words unless it succeeds. */
static char *
run(const char *command)
{
	char *out = NULL, *err = NULL;
	int status;
	GError *error = NULL;
	if (!g_spawn_command_line_sync(command, &out, &err, &status, &error))
		fail_msg("%s: %s", command, error->message);
	if (status != 0)
		fail_msg("%s: status %d: %s", command, status, err);
	g_free(err);
	return out;
}

GBytes *
compile_file(const variant *v, const char *path)
{
	char *folder = temporary_folder();
	char *object = g_build_filename(folder, "unit.o", NULL);
	char *command = g_strdup_printf("%s -w -o '%s' -c '%s'", v->name, object, path);
	g_free(run(command));
	char *data;
	gsize size;
	assert_true(g_file_get_contents(object, &data, &size, NULL));
	g_unlink(object);
	g_rmdir(folder);
	g_free(command);
	g_free(object);
	g_free(folder);
	return g_bytes_new_take(data, size);
}

GBytes *
compile_text(const variant *v, const char *text)
{
	char *folder = temporary_folder();
	char *source = g_build_filename(folder, "unit.c", NULL);
	assert_true(g_file_set_contents(source, text, -1, NULL));
	GBytes *bytes = compile_file(v, source);
	g_unlink(source);
	g_rmdir(folder);
	g_free(source);
	g_free(folder);
	return bytes;
}

static hd_object *
parse(GBytes *bytes)
{
	GError *error = NULL;
	hd_object *object = hd_object_parse(bytes, &error);
	if (!object)
		fail_msg("%s", error->message);
	g_bytes_unref(bytes);
	return object;
}

hd_object *
object_of_text(const variant *v, const char *text)
{
	return parse(compile_text(v, text));
}

hd_object *
object_of_file(const variant *v, const char *path)
{
	return parse(compile_file(v, path));
}

char *
output_of_program(const variant *v, const char *path, const char *options)
{
	char *folder = temporary_folder();
	char *program = g_build_filename(folder, "program", NULL);
	char *command = g_strdup_printf("%s -w%s -o '%s' '%s' %s", v->name,
					strstr(v->name, "-fno-pie") ? " -no-pie" : "", program, path, options);
	g_free(run(command));
	char *out = run(program);
	g_unlink(program);
	g_rmdir(folder);
	g_free(command);
	g_free(program);
	g_free(folder);
	return out;
}

char *
source_path(const char *relative)
{
	const char *root = g_getenv("HOTDEV_SOURCE");
	return g_build_filename(root ? root : ".", relative, NULL);
}
