/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/assemble.h"

#include "reloader/build/build.h"

#include <string.h>
#include <time.h>

static void
add(GPtrArray *array, const char *word)
{
	g_ptr_array_add(array, g_strdup(word));
}

static char **
finish(GPtrArray *array)
{
	g_ptr_array_add(array, NULL);
	return (char **)g_ptr_array_free(array, FALSE);
}

bool
hd_command_optimises(const hd_command *command)
{
	const char *level = "0";
	for (guint i = 1; command->argv[0] && command->argv[i]; i++)
		if (g_str_has_prefix(command->argv[i], "-O"))
			level = command->argv[i] + 2;
	return strcmp(level, "0") != 0;
}

/* Whether the command asks for types and variables in the debug information (gcc(1): level 2 and up). */
static bool
has_debug_information(const hd_command *command)
{
	bool has = false;
	for (guint i = 1; command->argv[0] && command->argv[i]; i++) {
		const char *word = command->argv[i];
		if (strcmp(word, "-g") == 0 || strcmp(word, "-g2") == 0 || strcmp(word, "-g3") == 0 ||
		    g_str_has_prefix(word, "-gdwarf") || g_str_has_prefix(word, "-ggdb"))
			has = !g_str_has_suffix(word, "gdb0") && !g_str_has_suffix(word, "gdb1");
		else if (strcmp(word, "-g0") == 0 || strcmp(word, "-g1") == 0 || strcmp(word, "-gmlt") == 0 ||
			 strcmp(word, "-gline-tables-only") == 0)
			has = false;
	}
	return has;
}

static bool
has_word(const hd_command *command, const char *prefix)
{
	for (guint i = 1; command->argv[0] && command->argv[i]; i++)
		if (g_str_has_prefix(command->argv[i], prefix))
			return true;
	return false;
}

char **
hd_assemble_options(const hd_command *command, const hd_compiler *compiler)
{
	GPtrArray *options = g_ptr_array_new();
	if (!has_debug_information(command))
		add(options, "-g");
	for (guint i = 0; compiler->options[i]; i++)
		add(options, compiler->options[i]);
	/* Position-independent code reaches foreign variables through the GOT anyhow. */
	if (compiler->no_direct_access && !has_word(command, "-fPIC") && !has_word(command, "-fpic"))
		add(options, compiler->no_direct_access);
	if (has_word(command, "-flto"))
		add(options, "-fno-lto");
	if (has_word(command, "-gz"))
		add(options, "-gz=none");
	return finish(options);
}

/* Debug information in a file of its own could not be read with the object. */
static bool
is_unwanted(const char *word)
{
	return strcmp(word, "-gsplit-dwarf") == 0 || g_str_has_prefix(word, "-gsplit-dwarf=");
}

char **
hd_assemble(const hd_compiler *compiler, char *const *words, char *const *options, char *const *more,
	    const char *object, const char *depfile)
{
	GPtrArray *argv = g_ptr_array_new();
	for (guint i = 0; words[i]; i++)
		if (!is_unwanted(words[i]))
			add(argv, words[i]);
	for (guint i = 0; options[i]; i++)
		add(argv, options[i]);
	for (guint i = 0; more[i]; i++)
		add(argv, more[i]);
	if (compiler->json)
		add(argv, "-fdiagnostics-format=json");
	else if (compiler->family == HD_COMPILER_CLANG) {
		add(argv, "-fno-caret-diagnostics");
		add(argv, "-fno-color-diagnostics");
	} else if (compiler->family == HD_COMPILER_GCC) {
		add(argv, "-fno-diagnostics-show-caret");
		add(argv, "-fdiagnostics-color=never");
	}
	add(argv, "-c");
	add(argv, "-MD");
	add(argv, "-MF");
	add(argv, depfile);
	if (compiler->family != HD_COMPILER_OTHER) {
		add(argv, "-MT");
		add(argv, "o");
	}
	add(argv, "-o");
	add(argv, object);
	return finish(argv);
}

/* The part of a path up to and with the last slash. */
static int
folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (int)(slash + 1 - path) : 0;
}

/* A map works on prefixes: "a.c" would also rename "a.config.h". So whatever
 * beside the source begins with its name gets a map of its own; gcc takes the
 * last map that fits, clang the longest, which here is the same one. */
void
hd_assemble_debug_name(GPtrArray *options, const hd_command *command, const char *spelled, const char *name)
{
	const char *real = command->source_arg, *base = real + folder_length(real);
	if (strchr(spelled, '=')) /* the map would be cut there; the name stays the source's own */
		return;
	g_ptr_array_add(options, g_strdup_printf("-fdebug-prefix-map=%s=%s", spelled, name));
	char *folder = g_path_get_dirname(command->source);
	GDir *siblings = g_dir_open(folder, 0, NULL);
	const char *entry;
	while (siblings && (entry = g_dir_read_name(siblings))) {
		if (!g_str_has_prefix(entry, base) || strcmp(entry, base) == 0 || strchr(entry, '='))
			continue;
		g_ptr_array_add(options, g_strdup_printf("-fdebug-prefix-map=%.*s%s=%.*s%s", folder_length(spelled),
							 spelled, entry, folder_length(real), real, entry));
	}
	if (siblings)
		g_dir_close(siblings);
	g_free(folder);
}

char **
hd_assemble_environment(void)
{
	char **environment = g_get_environ();
	environment = g_environ_setenv(environment, "LC_ALL", "C", TRUE);
	environment = g_environ_setenv(environment, "LANGUAGE", "C", TRUE);
	/* __DATE__ and __TIME__ must not make two builds of one text differ (reproducible-builds.org). */
	char *now = g_strdup_printf("%" G_GINT64_FORMAT, (gint64)time(NULL));
	environment = g_environ_setenv(environment, "SOURCE_DATE_EPOCH", now, FALSE);
	g_free(now);
	environment = g_environ_unsetenv(environment, "DEPENDENCIES_OUTPUT");
	environment = g_environ_unsetenv(environment, "SUNPRO_DEPENDENCIES");
	return environment;
}
