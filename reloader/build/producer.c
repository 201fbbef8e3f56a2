/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/producer.h"

#include "base/error.h"
#include "reloader/build/arguments.h"
#include "reloader/build/compiler.h"
#include "reloader/build/includes.h"

#include <string.h>

/* What DW_AT_producer says. */
typedef struct {
	const char *family; /* "gcc" or "clang" */
	char *version;
	char *standard;	   /* "gnu17"; NULL: not said */
	const char *flags; /* into the producer; "" where it has none */
} producer;

/* gcc names the language it compiled; -std= is among the flags only if it was given. */
static char *
standard_of(const char *language)
{
	static const struct {
		const char *language, *standard;
	} standards[] = {
		{"C89", "gnu90"}, {"C90", "gnu90"}, {"C99", "gnu99"}, {"C11", "gnu11"},
		{"C17", "gnu17"}, {"C18", "gnu17"}, {"C2X", "gnu2x"}, {"C23", "gnu23"},
	};
	for (guint i = 0; i < G_N_ELEMENTS(standards); i++)
		if (g_str_has_prefix(language, standards[i].language))
			return g_strdup(standards[i].standard);
	return NULL;
}

static bool
read_producer(const char *text, producer *p)
{
	*p = (producer){0};
	const char *clang = strstr(text, "clang version ");
	const char *at = NULL;
	if (clang) {
		p->family = "clang";
		at = clang + strlen("clang version ");
	} else if (g_str_has_prefix(text, "GNU C") && !g_str_has_prefix(text, "GNU C++")) {
		p->family = "gcc";
		p->standard = standard_of(text + strlen("GNU "));
		at = strchr(text + strlen("GNU C"), ' ');
		at = at ? at + 1 : "";
	} else
		return false;
	p->version = g_strndup(at, strspn(at, "0123456789."));
	/* gcc's flags begin with an option, clang's (-grecord-command-line) with the path of the compiler. */
	const char *flags = strstr(at, clang ? " /" : " -");
	p->flags = flags ? flags + 1 : "";
	return true;
}

/* Words in which a backslash keeps the next character, as clang writes them. */
static char **
split_escaped(const char *text)
{
	GPtrArray *words = g_ptr_array_new();
	GString *word = g_string_new(NULL);
	for (const char *p = text;; p++) {
		if (*p == '\\' && p[1])
			g_string_append_c(word, *++p);
		else if (*p && *p != ' ')
			g_string_append_c(word, *p);
		else {
			if (word->len > 0)
				g_ptr_array_add(words, g_strdup(word->str));
			g_string_truncate(word, 0);
		}
		if (!*p)
			break;
	}
	g_string_free(word, TRUE);
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

/* --- the compiler ----------------------------------------------------------- */

/* 2: this very version; 1: the same major one; 0: another; -1: not this kind of compiler at all. */
static int
fitness(const char *name, const producer *p)
{
	char *path = g_find_program_in_path(name);
	if (!path)
		return -1;
	g_free(path);
	char *argv[] = {(char *)name, NULL};
	const hd_compiler *compiler = hd_compiler_of("/", argv);
	bool clang = strcmp(p->family, "clang") == 0;
	if (compiler->family != (clang ? HD_COMPILER_CLANG : HD_COMPILER_GCC))
		return -1;
	if (strcmp(compiler->version, p->version) == 0)
		return 2;
	gsize major = strcspn(p->version, ".");
	return strncmp(compiler->version, p->version, major) == 0 && compiler->version[major] == '.' ? 1 : 0;
}

/* The best compiler in PATH; *exact tells whether it is the one that built the program. */
static char *
find_compiler(const producer *p, int *best)
{
	char *numbered = g_strdup_printf("%s-%.*s", p->family, (int)strcspn(p->version, "."), p->version);
	const char *names[] = {p->family, numbered, "cc", NULL};
	const char *found = NULL;
	*best = -1;
	for (guint i = 0; names[i] && *best < 2; i++) {
		int fit = fitness(names[i], p);
		if (fit > *best) {
			*best = fit;
			found = names[i];
		}
	}
	char *name = g_strdup(found);
	g_free(numbered);
	return name;
}

/* --- gcc's flags ------------------------------------------------------------ */

/* Recorded flags are those of cc1, most of which the driver takes too. The
 * answer is kept, because the units of a program mostly share their flags. */
static char **
accepted_flags(char *compiler, const char *flags)
{
	static GHashTable *known;
	if (!known)
		known = g_hash_table_new(g_str_hash, g_str_equal);
	char *key = g_strdup_printf("%s %s", compiler, flags);
	char **accepted = g_hash_table_lookup(known, key);
	if (accepted) {
		g_free(key);
		return g_strdupv(accepted);
	}
	char *argv[] = {compiler, NULL};
	char **words = split_escaped(flags);
	if (!hd_compiler_accepts("/", argv, words)) {
		guint kept = 0;
		for (guint i = 0; words[i]; i++) {
			char *one[] = {words[i], NULL};
			if (hd_compiler_accepts("/", argv, one))
				words[kept++] = words[i];
			else
				g_free(words[i]);
		}
		words[kept] = NULL;
	}
	g_hash_table_insert(known, key, words);
	return g_strdupv(words);
}

static bool
has_prefix(char *const *words, const char *prefix)
{
	for (guint i = 0; words[i]; i++)
		if (g_str_has_prefix(words[i], prefix))
			return true;
	return false;
}

/* --- the command ------------------------------------------------------------ */

static void
take_words(GPtrArray *argv, char **words)
{
	for (guint i = 0; words[i]; i++)
		g_ptr_array_add(argv, words[i]);
	g_free(words);
}

/* gcc's recorded flags, or what is assumed of clang. */
static void
add_flags(GPtrArray *argv, const producer *p, const hd_command_hints *hints, GString *detail)
{
	char *compiler = g_ptr_array_index(argv, 0);
	if (strcmp(p->family, "gcc") == 0) {
		char **flags = accepted_flags(compiler, p->flags);
		bool standard = has_prefix(flags, "-std=") || has_prefix(flags, "-ansi");
		take_words(argv, flags);
		if (!standard && p->standard)
			g_ptr_array_add(argv, g_strdup_printf("-std=%s", p->standard));
	} else {
		g_ptr_array_add(argv, g_strdup("-g"));
		const char *level = hints->optimised ? "-O2" : "-O0";
		g_ptr_array_add(argv, g_strdup(level));
		if (hints->fixed) /* clang's own choice may be -fpie */
			g_ptr_array_add(argv, g_strdup("-fno-pie"));
		g_string_append_printf(
			detail, "; clang records no options (-grecord-command-line makes it): %s is assumed", level);
	}
}

static void
add_includes(GPtrArray *argv, const hd_command_hints *hints, const char *source, const char *directory)
{
	GPtrArray *folders =
		hd_includes_guess(source, directory, hints->files, hints->include_directories, hints->others);
	for (guint i = 0; i < folders->len; i++)
		g_ptr_array_add(argv, g_strconcat("-I", (const char *)g_ptr_array_index(folders, i), NULL));
	g_ptr_array_unref(folders);
}

/* The source as the compiler was probably given it, so that __FILE__ is the same. */
static char *
spelling_of(const hd_command_hints *hints, const char *source, const char *directory)
{
	if (!g_path_is_absolute(hints->source))
		return g_strdup(hints->source);
	/* Built elsewhere than where the source is: "../net.c". */
	char *spelt = hints->spelling && !g_path_is_absolute(hints->spelling)
			      ? hd_canonical_path(hints->spelling, directory)
			      : NULL;
	bool as_spelt = spelt && strcmp(spelt, source) == 0;
	g_free(spelt);
	if (as_spelt)
		return g_strdup(hints->spelling);
	gsize length = strlen(directory);
	if (strncmp(source, directory, length) == 0 && source[length] == '/')
		return g_strdup(source + length + 1);
	return g_strdup(source);
}

static void
build_argv(hd_command *command, const hd_command_hints *hints, const producer *p, GString *detail)
{
	if (strcmp(p->family, "clang") == 0 && *p->flags) {
		char **words = split_escaped(p->flags);
		command->argv = hd_arguments_clean(words, command->directory, command->source, hints->source,
						   &command->source_arg);
		g_strfreev(words);
		return;
	}
	int fit = -1;
	char *compiler = find_compiler(p, &fit);
	if (!compiler)
		return;
	GPtrArray *argv = g_ptr_array_new();
	g_ptr_array_add(argv, compiler);
	if (fit < 2) {
		char *own[] = {compiler, NULL};
		g_string_append_printf(detail, "; %s %s is not installed, %s takes its place", p->family, p->version,
				       hd_compiler_of("/", own)->name);
	}
	add_flags(argv, p, hints, detail);
	add_includes(argv, hints, command->source, command->directory);
	g_string_append(detail, "; macros given by -D are not recorded");
	command->source_arg = spelling_of(hints, command->source, command->directory);
	g_ptr_array_add(argv, g_strdup(command->source_arg));
	g_ptr_array_add(argv, NULL);
	command->argv = (char **)g_ptr_array_free(argv, FALSE);
}

hd_command *
hd_producer_command(const hd_command_hints *hints, GError **error)
{
	producer p;
	if (!hints->producer || !read_producer(hints->producer, &p)) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "%s is in no compile_commands.json, and its debug information does not say how it was "
			    "compiled (producer: %s)",
			    hints->source, hints->producer ? hints->producer : "none");
		return NULL;
	}
	hd_command *command = g_new0(hd_command, 1);
	GString *detail = g_string_new("the debug information");
	command->origin = HD_COMMAND_DEBUG_INFO;
	command->source = hd_canonical_path(hints->source, hints->directory ? hints->directory : "/");
	if (hints->directory && g_file_test(hints->directory, G_FILE_TEST_IS_DIR))
		command->directory = g_strdup(hints->directory);
	else {
		command->directory = g_path_get_dirname(command->source);
		g_string_append_printf(detail, "; the folder %s is gone, %s takes its place",
				       hints->directory ? hints->directory : "of the build", command->directory);
	}
	build_argv(command, hints, &p, detail);
	command->origin_detail = g_string_free(detail, FALSE);
	if (!command->argv) {
		g_set_error(
			error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			"%s was compiled by %s %s, and no %s is in PATH; install it or give a compile_commands.json",
			hints->source, p.family, p.version, p.family);
		g_clear_pointer(&command, hd_command_free);
	}
	g_free(p.version);
	g_free(p.standard);
	return command;
}
