/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/arguments.h"

#include <stdlib.h>
#include <string.h>

typedef enum {
	ALONE,	  /* -c */
	PREFIX,	  /* -save-temps=... : the value is in the word */
	SEPARATE, /* -Xclang word */
	EITHER,	  /* -I dir, -Idir */
} spelling;

/* Options of gcc(1) and clang; the longest match counts. */
static const struct {
	const char *name;
	spelling spelling;
	hd_argument_kind kind;
} options[] = {
	{"-c", ALONE, HD_ARGUMENT_DROP},
	{"-S", ALONE, HD_ARGUMENT_DROP},
	{"-E", ALONE, HD_ARGUMENT_DROP},
	{"-fsyntax-only", ALONE, HD_ARGUMENT_DROP},
	{"-o", EITHER, HD_ARGUMENT_DROP},
	{"--output", SEPARATE, HD_ARGUMENT_DROP},
	{"--output=", PREFIX, HD_ARGUMENT_DROP},
	{"-M", ALONE, HD_ARGUMENT_DROP},
	{"-MM", ALONE, HD_ARGUMENT_DROP},
	{"-MD", ALONE, HD_ARGUMENT_DROP},
	{"-MMD", ALONE, HD_ARGUMENT_DROP},
	{"-MG", ALONE, HD_ARGUMENT_DROP},
	{"-MP", ALONE, HD_ARGUMENT_DROP},
	{"-MV", ALONE, HD_ARGUMENT_DROP},
	{"-MF", EITHER, HD_ARGUMENT_DROP},
	{"-MT", EITHER, HD_ARGUMENT_DROP},
	{"-MQ", EITHER, HD_ARGUMENT_DROP},
	{"-MJ", EITHER, HD_ARGUMENT_DROP},
	{"-Wp,-M", PREFIX, HD_ARGUMENT_DROP},
	{"-save-temps", ALONE, HD_ARGUMENT_DROP},
	{"--save-temps", ALONE, HD_ARGUMENT_DROP},
	{"-save-temps=", PREFIX, HD_ARGUMENT_DROP},
	{"--save-temps=", PREFIX, HD_ARGUMENT_DROP},
	{"-dumpbase", SEPARATE, HD_ARGUMENT_DROP},
	{"-dumpbase-ext", SEPARATE, HD_ARGUMENT_DROP},
	{"-dumpdir", SEPARATE, HD_ARGUMENT_DROP},
	{"--serialize-diagnostics", SEPARATE, HD_ARGUMENT_DROP},
	{"-serialize-diagnostics", SEPARATE, HD_ARGUMENT_DROP},
	{"-index-store-path", SEPARATE, HD_ARGUMENT_DROP},
	{"-I", EITHER, HD_ARGUMENT_PATH},
	{"-iquote", EITHER, HD_ARGUMENT_PATH},
	{"-isystem", EITHER, HD_ARGUMENT_PATH},
	{"-idirafter", EITHER, HD_ARGUMENT_PATH},
	{"-include", EITHER, HD_ARGUMENT_PATH},
	{"-imacros", EITHER, HD_ARGUMENT_PATH},
	{"-include-pch", SEPARATE, HD_ARGUMENT_PATH},
	{"--include-directory", SEPARATE, HD_ARGUMENT_PATH},
	{"--include-directory=", PREFIX, HD_ARGUMENT_PATH},
	{"-D", EITHER, HD_ARGUMENT_KEEP},
	{"-U", EITHER, HD_ARGUMENT_KEEP},
	{"-A", EITHER, HD_ARGUMENT_KEEP},
	{"-x", EITHER, HD_ARGUMENT_KEEP},
	{"-l", EITHER, HD_ARGUMENT_KEEP},
	{"-L", EITHER, HD_ARGUMENT_KEEP},
	{"-T", EITHER, HD_ARGUMENT_KEEP},
	{"-u", EITHER, HD_ARGUMENT_KEEP},
	{"-z", EITHER, HD_ARGUMENT_KEEP},
	{"-B", EITHER, HD_ARGUMENT_KEEP},
	{"-iprefix", EITHER, HD_ARGUMENT_KEEP},
	{"-iwithprefix", EITHER, HD_ARGUMENT_KEEP},
	{"-iwithprefixbefore", EITHER, HD_ARGUMENT_KEEP},
	{"-isysroot", EITHER, HD_ARGUMENT_KEEP},
	{"-imultilib", EITHER, HD_ARGUMENT_KEEP},
	{"--sysroot", SEPARATE, HD_ARGUMENT_KEEP},
	{"--param", SEPARATE, HD_ARGUMENT_KEEP},
	{"-aux-info", SEPARATE, HD_ARGUMENT_KEEP},
	{"-wrapper", SEPARATE, HD_ARGUMENT_KEEP},
	{"-specs", SEPARATE, HD_ARGUMENT_KEEP},
	{"-target", SEPARATE, HD_ARGUMENT_KEEP},
	{"-arch", SEPARATE, HD_ARGUMENT_KEEP},
	{"-mllvm", SEPARATE, HD_ARGUMENT_KEEP},
	{"-Xclang", SEPARATE, HD_ARGUMENT_KEEP},
	{"-Xlinker", SEPARATE, HD_ARGUMENT_KEEP},
	{"-Xassembler", SEPARATE, HD_ARGUMENT_KEEP},
	{"-Xpreprocessor", SEPARATE, HD_ARGUMENT_KEEP},
};

/* Length of the match of option i with word; 0: none. */
static gsize
match(guint i, const char *word)
{
	gsize length = strlen(options[i].name);
	bool whole = options[i].spelling == ALONE || options[i].spelling == SEPARATE;
	if (whole ? strcmp(word, options[i].name) != 0 : strncmp(word, options[i].name, length) != 0)
		return 0;
	return length;
}

bool
hd_argument_is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

hd_argument
hd_argument_at(char *const *argv)
{
	const char *word = argv[0];
	if (!hd_argument_is_option(word))
		return (hd_argument){HD_ARGUMENT_INPUT, 1, word, NULL};
	gsize longest = 0;
	guint best = 0;
	for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
		gsize length = match(i, word);
		if (length > longest) {
			longest = length;
			best = i;
		}
	}
	if (longest == 0)
		return (hd_argument){HD_ARGUMENT_KEEP, 1, NULL, NULL};
	hd_argument argument = {options[best].kind, 1, NULL, options[best].name};
	bool next = options[best].spelling == SEPARATE || (options[best].spelling == EITHER && word[longest] == '\0');
	if (next && argv[1])
		argument.words = 2;
	if (argument.kind == HD_ARGUMENT_PATH)
		argument.path = argument.words == 2 ? argv[1] : word + longest;
	return argument;
}

guint
hd_arguments_compiler(char *const *argv)
{
	static const char *const launchers[] = {"ccache", "distcc", "sccache", "icecc", "gomacc", "buildcache", NULL};
	guint i = 0;
	while (argv[i] && argv[i + 1]) {
		char *name = g_path_get_basename(argv[i]);
		bool launcher = g_strv_contains(launchers, name);
		g_free(name);
		/* ccache(1): KEY=VALUE settings may stand before the compiler. */
		bool setting = i > 0 && strchr(argv[i], '=') && !hd_argument_is_option(argv[i]);
		if (!launcher && !setting)
			break;
		i++;
	}
	return i;
}

char *
hd_canonical_path(const char *path, const char *directory)
{
	char *absolute = g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(directory, path, NULL);
	char *real = realpath(absolute, NULL);
	char *canonical = real ? g_strdup(real) : g_canonicalize_filename(absolute, "/");
	free(real);
	g_free(absolute);
	return canonical;
}

/* One word of a response file, quoted as in libiberty's buildargv: quotes of
 * both kinds, and a backslash before any character. NULL at the end. */
static char *
next_word(const char **text)
{
	const char *p = *text;
	while (g_ascii_isspace(*p))
		p++;
	if (*p == '\0')
		return NULL;
	GString *word = g_string_new(NULL);
	char quote = '\0';
	for (; *p && (quote || !g_ascii_isspace(*p)); p++) {
		if (*p == '\\' && p[1])
			g_string_append_c(word, *++p);
		else if (quote && *p == quote)
			quote = '\0';
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else
			g_string_append_c(word, *p);
	}
	*text = p;
	return g_string_free(word, FALSE);
}

static void
expand_into(GPtrArray *out, const char *word, const char *directory, guint depth)
{
	char *path = NULL, *content = NULL;
	if (word[0] == '@' && word[1] && depth < 16) {
		path = g_path_is_absolute(word + 1) ? g_strdup(word + 1) : g_build_filename(directory, word + 1, NULL);
		if (!g_file_get_contents(path, &content, NULL, NULL))
			content = NULL;
	}
	if (content) {
		const char *text = content;
		for (char *inner; (inner = next_word(&text)); g_free(inner))
			expand_into(out, inner, directory, depth + 1);
	} else
		g_ptr_array_add(out, g_strdup(word));
	g_free(content);
	g_free(path);
}

char **
hd_arguments_expand(char *const *argv, const char *directory)
{
	GPtrArray *out = g_ptr_array_new();
	for (guint i = 0; argv[i]; i++)
		expand_into(out, argv[i], directory, 0);
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}

static bool
is_linker_option(const hd_argument *argument, const char *word)
{
	return (argument->name && strcmp(argument->name, "-l") == 0) || g_str_has_prefix(word, "-Wl,") ||
	       (argument->name && strcmp(argument->name, "-Xlinker") == 0);
}

/* The index in argv of the word that names the source; 0: none does. */
static guint
find_source(char *const *argv, guint first, const char *directory, const char *source)
{
	guint found = 0;
	for (guint i = first; argv[i] && !found;) {
		hd_argument argument = hd_argument_at(argv + i);
		if (argument.kind == HD_ARGUMENT_INPUT) {
			char *path = hd_canonical_path(argv[i], directory);
			if (strcmp(path, source) == 0)
				found = i;
			g_free(path);
		}
		i += argument.words;
	}
	return found;
}

char **
hd_arguments_clean(char *const *argv, const char *directory, const char *source, const char *written, char **source_arg)
{
	guint first = argv[0] ? hd_arguments_compiler(argv) + 1 : 0;
	guint at = find_source(argv, first, directory, source);
	GPtrArray *out = g_ptr_array_new();
	for (guint i = 0; i < first; i++)
		g_ptr_array_add(out, g_strdup(argv[i]));
	for (guint i = first; argv[i];) {
		hd_argument argument = hd_argument_at(argv + i);
		bool keep = argument.kind == HD_ARGUMENT_INPUT ? i == at : argument.kind != HD_ARGUMENT_DROP;
		if (strcmp(argv[i], "--") == 0 || is_linker_option(&argument, argv[i]))
			keep = false;
		for (guint n = 0; keep && n < argument.words; n++)
			g_ptr_array_add(out, g_strdup(argv[i + n]));
		i += argument.words;
	}
	if (!at)
		g_ptr_array_add(out, g_strdup(written));
	*source_arg = g_strdup(at ? argv[at] : written);
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}
