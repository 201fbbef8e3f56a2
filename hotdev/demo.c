/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/demo.h"

#include "base/error.h"
#include "base/text.h"
#include "hotdev/guide.h"
#include "hotdev/installed.h"
#include "hotdev/run.h"

#include <errno.h>
#include <glib/gstdio.h>

enum { STATUS_START = 3 };

static const char *const files[] = {"Makefile", "README.md", "boids.h", "draw.c", "flock.c", "main.c"};

static bool
copy(const char *from, const char *to, GError **error)
{
	char *text = NULL;
	gsize size = 0;
	bool copied =
		g_file_get_contents(from, &text, &size, error) && g_file_set_contents(to, text, (gssize)size, error);
	g_free(text);
	return copied;
}

static bool
lay(const char *folder, GError **error)
{
	if (g_file_test(folder, G_FILE_TEST_EXISTS))
		return true;
	if (g_mkdir_with_parents(folder, 0755) != 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "the folder %s cannot be made", folder);
		return false;
	}
	char *samples = hd_installed_data("samples", "boids");
	bool laid = true;
	for (guint i = 0; i < G_N_ELEMENTS(files) && laid; i++) {
		char *from = g_build_filename(samples, files[i], NULL), *to = g_build_filename(folder, files[i], NULL);
		laid = copy(from, to, error);
		g_free(from);
		g_free(to);
	}
	g_free(samples);
	return laid;
}

/* What make says goes to our own output. */
static bool
build(const char *folder, GError **error)
{
	const char *argv[] = {"make", "-s", "-C", folder, "boids", NULL};
	int status;
	return g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL,
			    NULL, NULL, &status, error) &&
	       g_spawn_check_wait_status(status, error);
}

int
hd_demo(const hd_options *options, gint64 start_ns)
{
	const char *folder = options->arguments[0] ? options->arguments[0] : "hotdev-demo";
	GError *error = NULL;
	if (!lay(folder, &error) || !build(folder, &error)) {
		char *clean = hd_text_local(error->message);
		g_printerr("hotdev: the sample cannot be built in %s: %s\n", folder, clean);
		g_free(clean);
		g_error_free(error);
		return STATUS_START;
	}
	g_printerr("hotdev: the program's sources are in %s: edit them there, or press e\n", folder);
	char *program = g_build_filename(folder, "boids", NULL);
	char *arguments[] = {program, NULL};
	hd_options run = *options;
	run.arguments = arguments;
	hd_guide *guide = hd_guide_new();
	int status = hd_run_guided(&run, guide, start_ns);
	hd_guide_free(guide);
	g_free(program);
	return status;
}
