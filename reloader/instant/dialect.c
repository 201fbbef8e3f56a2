/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/dialect.h"

#include "reloader/build/arguments.h"
#include "reloader/build/process.h"

#include <string.h>

#define ANSWER_MS 10000

typedef struct {
	hd_wire_kind kind;
	char *text;
} telling;

struct hd_dialect {
	char *folder, *source;
	GArray *tellings; /* of telling */
	GString *preamble;
	GPtrArray *folders;
};

/* Options that libtcc can neither follow nor pass over. Prefixes. */
static const char *const ruled_out[] = {
	"-fshort-enums",
	"-fpack-struct",
	"-fshort-wchar",
	"-funsigned-bitfields",
	"-fexec-charset",
	"-finput-charset",
	"-fwide-exec-charset",
	"-finstrument-functions",
	"-fsplit-stack",
	"-fsanitize",
	"-ftrapv",
	"-fopenmp",
	"-fopenacc",
	"-fprofile",
	"-ftest-coverage",
	"--coverage",
	"-fms-extensions",
	"-fplan9-extensions",
	"-fgnu-tm",
	"-pg",
	"-m32",
	"-mx32",
	"-mabi",
	"-malign-double",
	"-m96bit-long-double",
	"-m128bit-long-double",
	"-mlong-double",
	"-mms-bitfields",
	"-msoft-float",
	"-mno-80387",
	"-mregparm",
	"-mstackrealign",
	"-mpreferred",
	"-mincoming",
	"-mgeneral-regs-only",
	"-mcmodel",
	"-ffixed-",
	"-fcall-",
	"-ftls-model",
	"-fpatchable",
	"-nostdinc",
	"--sysroot",
	"-isysroot",
	"-iquote",
	"-imacros",
	"-iprefix",
	"-iwithprefix",
	"-include-pch",
	"-B",
	"-x",
	"-A",
	"-Xclang",
	"-Xpreprocessor",
	"-specs",
	"-target",
	"--target",
	"-fplugin",
};

/* Macros that a compiler defines by itself and that are as true of libtcc's code. Prefixes. */
static const char *const shared[] = {
	"__SIZEOF_",
	"__INT",
	"__UINT",
	"__SCHAR_",
	"__SHRT_",
	"__LONG_",
	"__PTRDIFF_",
	"__SIZE_",
	"__WCHAR_",
	"__WINT_",
	"__CHAR",
	"__BYTE_ORDER__",
	"__ORDER_",
	"__FLOAT_WORD_ORDER__",
	"__BIGGEST_ALIGNMENT__",
	"__FLT_",
	"__DBL_",
	"__LDBL_",
	"__SIG_ATOMIC_",
	"__ELF__",
	"_LP64",
	"__amd64",
	"__x86_64",
	"__gnu_linux__",
	"__pic__",
	"__PIC__",
	"__pie__",
	"__PIE__",
	"_REENTRANT",
	"__STRICT_ANSI__",
	"__OPTIMIZE",
	"_FORTIFY_SOURCE",
	"__STDC_IEC",
	"__STDC_UTF",
	"__STDC_ISO",
};
static const char *const not_shared[] = {"__SIZEOF_INT128__", "__SIZEOF_FLOAT80__", "__SIZEOF_FLOAT128__"};

/* What libtcc defines by itself. */
static const char *const tccs_own[] = {
	"__x86_64__",
	"__SIZE_TYPE__",
	"__PTRDIFF_TYPE__",
	"__LP64__",
	"__SIZEOF_POINTER__",
	"__WCHAR_TYPE__",
	"__WINT_TYPE__",
	"__SIZEOF_LONG__",
	"__LONG_MAX__",
	"__SIZEOF_INT__",
	"__SIZEOF_LONG_LONG__",
	"__CHAR_BIT__",
	"__ORDER_LITTLE_ENDIAN__",
	"__ORDER_BIG_ENDIAN__",
	"__BYTE_ORDER__",
	"__INT_MAX__",
	"__LONG_LONG_MAX__",
};

static bool
is_one_of(const char *word, const char *const *words, guint n, bool prefixes)
{
	for (guint i = 0; i < n; i++)
		if (prefixes ? g_str_has_prefix(word, words[i]) : strcmp(word, words[i]) == 0)
			return true;
	return false;
}
#define IS_ONE_OF(word, words) is_one_of(word, words, G_N_ELEMENTS(words), false)
#define BEGINS_WITH_ONE_OF(word, words) is_one_of(word, words, G_N_ELEMENTS(words), true)

/* Takes text. */
static void
tell(hd_dialect *dialect, hd_wire_kind kind, char *text)
{
	telling t = {kind, text};
	g_array_append_val(dialect->tellings, t);
}

static void
add_folder(hd_dialect *dialect, const char *path, const char *directory)
{
	char *folder = g_canonicalize_filename(path, directory);
	g_ptr_array_add(dialect->folders, g_strdup(folder));
	tell(dialect, HD_WIRE_INCLUDE, folder);
}

static void
include_first(hd_dialect *dialect, const char *path, const hd_command *command)
{
	char *file = g_canonicalize_filename(path, command->directory);
	g_string_append_printf(dialect->preamble, "#include \"%s\"\n", file);
	g_free(file);
}

/* "-std=gnu17", "-ansi". libtcc knows C99 and C11; what came later than C11 changes no code that both take. */
static const char *
standard_of(const char *word)
{
	static const char *const old[] = {"-std=c9", "-std=gnu9", "-std=c8", "-std=gnu8", "-std=iso9899:1", "-ansi"};
	return BEGINS_WITH_ONE_OF(word, old) ? "-std=c99" : "-std=c11";
}

/* The value of an option that takes one, in the same word or the next. */
static const char *
value_of(char *const *argv, const hd_argument *argument)
{
	return argument->words > 1 ? argv[1] : argv[0] + strlen(argument->name);
}

static bool
take_named(hd_dialect *dialect, const hd_command *command, char *const *argv, const hd_argument *argument)
{
	const char *name = argument->name ? argument->name : "";
	if (strcmp(name, "-D") == 0)
		tell(dialect, HD_WIRE_DEFINE, g_strdup(value_of(argv, argument)));
	else if (strcmp(name, "-U") == 0)
		tell(dialect, HD_WIRE_UNDEFINE, g_strdup(value_of(argv, argument)));
	else if (strcmp(name, "-I") == 0 || strcmp(name, "--include-directory") == 0 ||
		 strcmp(name, "--include-directory=") == 0)
		add_folder(dialect, argument->path, command->directory);
	else if (strcmp(name, "-include") == 0)
		include_first(dialect, argument->path, command);
	else
		return false;
	return true;
}

static void
take_arguments(hd_dialect *dialect, const hd_command *command, char **why)
{
	const char *standard = "-std=c11";
	GPtrArray *last = g_ptr_array_new(); /* -isystem and -idirafter come behind every -I */
	for (guint i = hd_arguments_compiler(command->argv) + 1; command->argv[i] && !*why;) {
		char *const *argv = command->argv + i;
		hd_argument argument = hd_argument_at(argv);
		bool system = g_strcmp0(argument.name, "-isystem") == 0 || g_strcmp0(argument.name, "-idirafter") == 0;
		if (system)
			g_ptr_array_add(last, (char *)argument.path);
		else if (take_named(dialect, command, argv, &argument))
			;
		else if (g_str_has_prefix(argv[0], "-Wp,-D"))
			tell(dialect, HD_WIRE_DEFINE, g_strdup(argv[0] + strlen("-Wp,-D")));
		else if (g_str_has_prefix(argv[0], "-std=") || strcmp(argv[0], "-ansi") == 0)
			standard = standard_of(argv[0]);
		else if (strcmp(argv[0], "-funsigned-char") == 0)
			tell(dialect, HD_WIRE_OPTION, g_strdup(argv[0]));
		else if (BEGINS_WITH_ONE_OF(argv[0], ruled_out))
			*why = g_strdup_printf("libtcc has no option like %s", argv[0]);
		i += argument.words;
	}
	for (guint i = 0; i < last->len; i++)
		add_folder(dialect, g_ptr_array_index(last, i), command->directory);
	g_ptr_array_unref(last);
	tell(dialect, HD_WIRE_OPTION, g_strdup(standard));
}

/* ---- the compiler's own macros ---- */

/* The question: the compiler with what can change its macros; strings are borrowed. */
static GPtrArray *
macros_command(const hd_command *command)
{
	static const char *const tail[] = {"-dM", "-E", "-x", "c", "/dev/null"};
	GPtrArray *argv = g_ptr_array_new();
	g_ptr_array_add(argv, command->argv[hd_arguments_compiler(command->argv)]);
	for (guint i = hd_arguments_compiler(command->argv) + 1; command->argv[i];) {
		hd_argument argument = hd_argument_at(command->argv + i);
		bool kept = argument.kind == HD_ARGUMENT_KEEP && g_strcmp0(argument.name, "-D") != 0 &&
			    g_strcmp0(argument.name, "-U") != 0;
		for (guint w = 0; w < argument.words && kept; w++)
			g_ptr_array_add(argv, command->argv[i + w]);
		i += argument.words;
	}
	for (guint i = 0; i < G_N_ELEMENTS(tail); i++)
		g_ptr_array_add(argv, (char *)tail[i]);
	g_ptr_array_add(argv, NULL);
	return argv;
}

static GString *
ask_macros(const hd_command *command, GPtrArray *argv)
{
	char **environment = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
	hd_process_spec spec = {(char *const *)argv->pdata, environment, command->directory, false};
	int status = -1;
	GString *answer = hd_process_run(&spec, ANSWER_MS, &status, NULL);
	g_strfreev(environment);
	if (answer && status != 0) {
		g_string_free(answer, TRUE);
		answer = NULL;
	}
	return answer;
}

/* "NAME=VALUE" of each shared macro; a macro with parameters ("__INT64_C(c)") is not passed on. */
static void
take_macro(hd_dialect *dialect, const char *line)
{
	char **parts = g_strsplit(line, " ", 3);
	if (parts[0] && parts[1] && strcmp(parts[0], "#define") == 0 && !strchr(parts[1], '(') &&
	    BEGINS_WITH_ONE_OF(parts[1], shared) && !IS_ONE_OF(parts[1], not_shared) && !IS_ONE_OF(parts[1], tccs_own))
		tell(dialect, HD_WIRE_DEFINE, g_strdup_printf("%s=%s", parts[1], parts[2] ? parts[2] : ""));
	g_strfreev(parts);
}

static void
take_macros(hd_dialect *dialect, const hd_command *command, char **why)
{
	static GHashTable *known; /* the question -> the answer, char * */
	if (!known)
		known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GPtrArray *argv = macros_command(command);
	char *key = g_strjoinv("\n", (char **)argv->pdata);
	const char *text = g_hash_table_lookup(known, key);
	if (!text) {
		GString *answer = ask_macros(command, argv);
		if (answer) {
			text = g_string_free(answer, FALSE);
			g_hash_table_insert(known, g_strdup(key), (char *)text);
		}
	}
	g_free(key);
	g_ptr_array_unref(argv);
	if (!text) {
		*why = g_strdup_printf("%s does not say which macros it defines (-dM -E)", command->argv[0]);
		return;
	}
	char **lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++)
		take_macro(dialect, lines[i]);
	g_strfreev(lines);
}

static void
clear_telling(void *data)
{
	g_free(((telling *)data)->text);
}

hd_dialect *
hd_dialect_new(const hd_command *command, char **why)
{
	hd_dialect *dialect = g_new0(hd_dialect, 1);
	dialect->tellings = g_array_new(FALSE, FALSE, sizeof(telling));
	g_array_set_clear_func(dialect->tellings, clear_telling);
	dialect->preamble = g_string_new(NULL);
	dialect->folders = g_ptr_array_new_with_free_func(g_free);
	dialect->folder = g_strdup(command->directory);
	dialect->source = g_strdup(command->source_arg);
	*why = NULL;
	tell(dialect, HD_WIRE_FOLDER, g_strdup(command->directory));
	tell(dialect, HD_WIRE_SOURCE, g_strdup(command->source_arg));
	take_macros(dialect, command, why);
	/* SDL includes the vector instructions' header for its users, and leaves it out for who says so. */
	tell(dialect, HD_WIRE_DEFINE, g_strdup("SDL_DISABLE_IMMINTRIN_H"));
	if (!*why)
		take_arguments(dialect, command, why);
	if (!*why)
		return dialect;
	hd_dialect_free(dialect);
	return NULL;
}

void
hd_dialect_free(hd_dialect *dialect)
{
	if (!dialect)
		return;
	g_free(dialect->folder);
	g_free(dialect->source);
	g_array_unref(dialect->tellings);
	g_string_free(dialect->preamble, TRUE);
	g_ptr_array_unref(dialect->folders);
	g_free(dialect);
}

const char *
hd_dialect_folder(const hd_dialect *dialect)
{
	return dialect->folder;
}

const char *
hd_dialect_source(const hd_dialect *dialect)
{
	return dialect->source;
}

void
hd_dialect_apply(const hd_dialect *dialect, hd_tcc_question *question)
{
	for (guint i = 0; i < dialect->tellings->len; i++) {
		const telling *t = &g_array_index(dialect->tellings, telling, i);
		hd_tcc_question_add(question, t->kind, t->text, -1);
	}
}

const char *
hd_dialect_preamble(const hd_dialect *dialect)
{
	return dialect->preamble->str;
}

const GPtrArray *
hd_dialect_folders(const hd_dialect *dialect)
{
	return dialect->folders;
}
