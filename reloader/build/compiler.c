/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/compiler.h"

#include "reloader/build/arguments.h"
#include "reloader/build/process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ANSWER_MS 10000

enum {
	SECTIONS_CODE,
	SECTIONS_DATA,
	NO_IPA_RA,
	NO_IPA_VRP,
	NO_IPA_BIT_CP,
	UNWIND,
	CODE_OPTIONS,
	DIRECT = CODE_OPTIONS,
	PREFIX_MAP,
	JSON,
	COUNT
};

/* Sections: an atom is a section (object.h). -fno-ipa-ra: no caller relies on
 * what a callee leaves alone (FACTS.md). -fno-ipa-vrp, -fno-ipa-bit-cp: no callee
 * relies on which values the callers of one version pass. Unwind tables: stacks are unwound
 * through new code at every instruction. Direct access off: variables of
 * libraries are reached through a word that the linker fills, so that they may
 * lie anywhere. NULL: not of this family. */
static const char *const wanted[COUNT][2] = {
	/* gcc, clang */
	[SECTIONS_CODE] = {"-ffunction-sections", "-ffunction-sections"},
	[SECTIONS_DATA] = {"-fdata-sections", "-fdata-sections"},
	[NO_IPA_RA] = {"-fno-ipa-ra", NULL},
	[NO_IPA_VRP] = {"-fno-ipa-vrp", NULL},
	[NO_IPA_BIT_CP] = {"-fno-ipa-bit-cp", NULL},
	[UNWIND] = {"-fasynchronous-unwind-tables", "-fasynchronous-unwind-tables"},
	[DIRECT] = {"-mno-direct-extern-access", "-fno-direct-access-external-data"},
	[PREFIX_MAP] = {"-ffile-prefix-map=/a=/b", "-ffile-prefix-map=/a=/b"},
	[JSON] = {"-fdiagnostics-format=json", NULL},
};

/* The compiler alone, as argv spells it, with these words behind it; owned by the caller, words borrowed. */
static GPtrArray *
question(char *const *argv, char *const *words)
{
	GPtrArray *out = g_ptr_array_new();
	g_ptr_array_add(out, argv[hd_arguments_compiler(argv)]);
	for (guint i = 0; words && words[i]; i++)
		g_ptr_array_add(out, words[i]);
	return out;
}

static GString *
ask(const char *directory, GPtrArray *argv, int *status)
{
	g_ptr_array_add(argv, NULL);
	char **environment = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
	hd_process_spec spec = {(char *const *)argv->pdata, environment, directory, false};
	GString *answer = hd_process_run(&spec, ANSWER_MS, status, NULL);
	g_strfreev(environment);
	g_ptr_array_free(argv, TRUE);
	return answer;
}

bool
hd_compiler_accepts(const char *directory, char *const *argv, char *const *options)
{
	static const char *const tail[] = {"-Werror", "-fsyntax-only", "-x", "c", "/dev/null", NULL};
	GPtrArray *words = question(argv, options);
	for (guint i = 0; tail[i]; i++)
		g_ptr_array_add(words, (char *)tail[i]);
	int status = -1;
	GString *answer = ask(directory, words, &status);
	if (!answer)
		return false;
	g_string_free(answer, TRUE);
	return status == 0;
}

/* The value of a macro in what -dM prints, or NULL. */
static char *
macro(const char *text, const char *name)
{
	char *define = g_strdup_printf("#define %s ", name);
	const char *at = strstr(text, define);
	gsize skip = strlen(define);
	g_free(define);
	if (!at)
		return NULL;
	return g_strndup(at + skip, strcspn(at + skip, "\n"));
}

static char *
version_of(const char *text, const char *major, const char *minor, const char *patch)
{
	char *numbers[] = {macro(text, major), macro(text, minor), macro(text, patch), NULL};
	char *version = numbers[0] && numbers[1] && numbers[2] ? g_strjoinv(".", numbers) : g_strdup("");
	for (guint i = 0; i < 3; i++)
		g_free(numbers[i]);
	return version;
}

static void
identify(hd_compiler *compiler, const char *directory, char *const *argv)
{
	static char *words[] = {"-dM", "-E", "-x", "c", "/dev/null", NULL};
	int status = -1;
	GString *answer = ask(directory, question(argv, words), &status);
	const char *text = answer && status == 0 ? answer->str : "";
	char *base = g_path_get_basename(argv[hd_arguments_compiler(argv)]);
	if (strstr(text, "#define __clang__ ")) {
		compiler->family = HD_COMPILER_CLANG;
		compiler->word = g_strdup("clang");
		compiler->version = version_of(text, "__clang_major__", "__clang_minor__", "__clang_patchlevel__");
	} else if (strstr(text, "#define __GNUC__ ") && !strstr(text, "#define __TINYC__ ")) {
		compiler->family = HD_COMPILER_GCC;
		compiler->word = g_strdup("gcc");
		compiler->version = version_of(text, "__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__");
	} else {
		compiler->version = g_strdup("");
		compiler->word = g_strdup(strstr(text, "#define __TINYC__ ") ? "tcc" : base);
	}
	compiler->name = g_strdup_printf("%s%s%s", compiler->word, *compiler->version ? " " : "", compiler->version);
	g_free(base);
	if (answer)
		g_string_free(answer, TRUE);
}

/* Asks about all at once, and one by one only if that is refused. */
static void
find_options(hd_compiler *compiler, const char *directory, char *const *argv)
{
	char *words[COUNT + 1] = {NULL}, *accepted[COUNT] = {NULL};
	guint count = 0;
	for (guint i = 0; compiler->family != HD_COMPILER_OTHER && i < COUNT; i++) {
		accepted[i] = (char *)wanted[i][compiler->family == HD_COMPILER_CLANG];
		if (accepted[i])
			words[count++] = accepted[i];
	}
	bool all = count > 0 && hd_compiler_accepts(directory, argv, words);
	for (guint i = 0; i < COUNT && !all; i++) {
		char *one[] = {accepted[i], NULL};
		if (accepted[i] && !hd_compiler_accepts(directory, argv, one))
			accepted[i] = NULL;
	}
	compiler->options = g_new0(char *, CODE_OPTIONS + 1);
	count = 0;
	for (guint i = 0; i < CODE_OPTIONS; i++)
		if (accepted[i])
			compiler->options[count++] = g_strdup(accepted[i]);
	compiler->no_direct_access = g_strdup(accepted[DIRECT]);
	compiler->prefix_map = accepted[PREFIX_MAP] != NULL;
	compiler->json = accepted[JSON] != NULL;
}

/* What makes a program the same one: its path and when it changed. */
static char *
identity(const char *directory, char *const *argv)
{
	const char *word = argv[hd_arguments_compiler(argv)];
	char *path = strchr(word, '/') ? hd_canonical_path(word, directory) : g_find_program_in_path(word);
	struct stat st = {0};
	if (path)
		(void)!stat(path, &st);
	char *key = g_strdup_printf("%s %" G_GINT64_FORMAT ".%09ld", path ? path : word, (gint64)st.st_mtim.tv_sec,
				    st.st_mtim.tv_nsec);
	g_free(path);
	return key;
}

const hd_compiler *
hd_compiler_of(const char *directory, char *const *argv)
{
	static GHashTable *known;
	if (!known)
		known = g_hash_table_new(g_str_hash, g_str_equal);
	char *key = identity(directory, argv);
	hd_compiler *compiler = g_hash_table_lookup(known, key);
	if (compiler) {
		g_free(key);
		return compiler;
	}
	compiler = g_new0(hd_compiler, 1);
	identify(compiler, directory, argv);
	find_options(compiler, directory, argv);
	g_hash_table_insert(known, key, compiler);
	return compiler;
}
