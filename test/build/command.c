/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/build/support.h"

#include "base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void
assert_argv(const hd_command *command, const char *wanted)
{
	char *line = g_strjoinv("|", command->argv);
	assert_string_equal(line, wanted);
	g_free(line);
}

/* The command for a source, from a database with this text. */
static hd_command *
from_database(fixture *f, const char *text, const hd_command_hints *hints)
{
	GError *error = NULL;
	put(f, "compile_commands.json", text);
	hd_compdb *compdb = hd_compdb_open(NULL, f->project, f->project, &error);
	assert_null(error);
	assert_non_null(compdb);
	assert_string_equal(hd_compdb_path(compdb), path_of(f, "compile_commands.json"));
	hd_command *command = hd_command_find(compdb, hints, &error);
	if (!command)
		print_error("%s\n", error ? error->message : "no error");
	g_clear_error(&error);
	hd_compdb_free(compdb);
	return command;
}

static void
strips_outputs_of_a_database_command(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "src/a b.c", "");
	put(f, "src/other.c", "");
	put(f, "build/flags.rsp", "-DR='1 2' -o x.o \"-Iinc lude\" -MT\\ x");
	hd_command *command = from_database(f,
					    "[{\"directory\": \"build\", \"file\": \"../src/a b.c\", \"command\": "
					    "\"ccache gcc -Wp,-MD,x.d -MMD -MF x.d -MTx.o -MP -save-temps=obj -flto "
					    "-DX=\\\\\\\"s\\\\\\\" -I ../inc "
					    "-o a.o @flags.rsp -c '../src/a b.c' ../src/other.c -lm -Wl,-z,now\"}]",
					    &(hd_command_hints){.source = source});
	assert_non_null(command);
	assert_argv(command, "ccache|gcc|-flto|-DX=\"s\"|-I|../inc|-DR=1 2|-Iinc lude|../src/a b.c");
	assert_string_equal(command->source, source);
	assert_string_equal(command->source_arg, "../src/a b.c");
	assert_string_equal(command->directory, path_of(f, "build"));
	assert_int_equal(command->origin, HD_COMMAND_COMPDB);
	hd_command_free(command);
}

static void
picks_the_entry_that_built_the_program(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "a.c", "");
	static const char text[] =
		"[{\"directory\": \".\", \"file\": \"a.c\", \"arguments\": [\"gcc\", \"-O0\", \"-fPIC\", \"a.c\"]},"
		" {\"directory\": \".\", \"file\": \"./a.c\", \"arguments\": [\"gcc\", \"-O2\", \"./a.c\"]}]";
	hd_command_hints hints = {.source = source, .producer = "GNU C17 12.2.0 -mtune=generic -O2 -g"};
	hd_command *command = from_database(f, text, &hints);
	assert_argv(command, "gcc|-O2|./a.c");
	hd_command_free(command);
	hints.producer = "GNU C17 12.2.0 -mtune=generic -g -O0 -fPIC";
	command = from_database(f, text, &hints);
	assert_argv(command, "gcc|-O0|-fPIC|a.c");
	assert_non_null(strstr(command->origin_detail, "2 entries"));
	hd_command_free(command);
}

static void
looks_upwards_for_the_database(void **state)
{
	fixture *f = *state;
	GError *error = NULL;
	char *above = g_build_filename(f->folder, "compile_commands.json", NULL);
	assert_true(g_file_set_contents(above, "[]", -1, NULL));
	assert_int_equal(g_mkdir_with_parents(path_of(f, "x/y"), 0700), 0);
	assert_null(hd_compdb_open(NULL, path_of(f, "x/y"), f->project, &error)); /* above is another's */
	assert_null(error);
	put(f, "_build/compile_commands.json", "[]");
	hd_compdb *compdb = hd_compdb_open(NULL, path_of(f, "x/y"), f->project, &error);
	assert_non_null(compdb);
	assert_string_equal(hd_compdb_path(compdb), path_of(f, "_build/compile_commands.json"));
	assert_int_equal(hd_compdb_sources(compdb)->len, 0);
	hd_compdb_free(compdb);
	assert_int_equal(unlink(path_of(f, "_build/compile_commands.json")), 0);
	assert_true(g_file_set_contents(above, "damaged", -1, NULL));
	assert_null(hd_compdb_open(NULL, path_of(f, "x/y"), f->project, &error));
	assert_null(error);
	char *entry =
		g_strdup_printf("[{\"directory\": \"%s\", \"file\": \"a.c\", \"command\": \"cc a.c\"}]", f->project);
	assert_true(g_file_set_contents(above, entry, -1, NULL));
	const char *from[] = {path_of(f, "x/y"), path_of(f, "../elsewhere"), "/"};
	for (guint i = 0; i < G_N_ELEMENTS(from); i++) {
		compdb = hd_compdb_open(NULL, from[i], f->project, &error);
		assert_non_null(compdb);
		assert_string_equal(hd_compdb_path(compdb), above);
		hd_compdb_free(compdb);
	}
	g_free(entry);
	g_free(above);
}

static void
refuses_a_damaged_database(void **state)
{
	fixture *f = *state;
	static const char *const bad[] = {
		"",
		"{}",
		"[{}]",
		"[{\"file\": \"a.c\"}]",
		"[1]",
		"[{\"file\": 1, \"command\": \"cc\"}]",
		"[{\"file\": \"a.c\", \"arguments\": []}]",
		"[{\"file\": \"a.c\", \"arguments\": [1]}]",
		"[\"\xff\"]",
	};
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		GError *error = NULL;
		put(f, "compile_commands.json", bad[i]);
		assert_null(hd_compdb_open(NULL, f->project, f->project, &error));
		assert_true(g_error_matches(error, HD_ERROR, HD_ERROR_FORMAT));
		g_clear_error(&error);
	}
	GError *error = NULL;
	put(f, "compile_commands.json", "[{\"directory\": \".\", \"file\": \"a.c\", \"command\": \"cc 'a.c\"}]");
	hd_compdb *compdb = hd_compdb_open(NULL, f->project, f->project, &error);
	assert_non_null(compdb);
	assert_null(hd_command_find(compdb, &(hd_command_hints){.source = path_of(f, "a.c")}, &error));
	assert_true(g_error_matches(error, HD_ERROR, HD_ERROR_FORMAT));
	g_clear_error(&error);
	hd_compdb_free(compdb);
	assert_null(hd_compdb_open("/nonexistent/db.json", NULL, NULL, &error));
	assert_true(g_error_matches(error, HD_ERROR, HD_ERROR_IO));
	g_clear_error(&error);
}

static void
makes_a_command_from_debug_information(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "src/a.c", "#include <net/tcp.h>\n#include \"config.h\"\n#include \"own.h\"\n");
	const char *header = put(f, "include/net/tcp.h", "#include \"udp.h\"\n");
	put(f, "include/net/udp.h", "");
	put(f, "config.h", "#define C 1\n");
	put(f, "src/own.h", "");
	hd_command_hints hints = {.source = "src/a.c", .directory = f->project};
	hints.producer = "GNU C11 12.2.0 -mtune=generic -march=x86-64 -g -O2 -fPIC -fno-such-option";
	hints.files = g_ptr_array_new();
	g_ptr_array_add(hints.files, (char *)header);
	hd_command *command = hd_command_find(NULL, &hints, NULL);
	assert_non_null(command);
	char *wanted = g_strdup_printf("gcc|-mtune=generic|-march=x86-64|-g|-O2|-fPIC|-std=gnu11|-I%s|-I%s|src/a.c",
				       path_of(f, "include"), f->project);
	assert_argv(command, wanted);
	assert_string_equal(command->source, source);
	assert_int_equal(command->origin, HD_COMMAND_DEBUG_INFO);
	assert_non_null(strstr(command->origin_detail, "-D"));
	hd_build_result *result = build(f, command, NULL, NULL);
	assert_built(result);
	hd_build_result_free(result);
	hd_command_free(command);
	g_ptr_array_unref(hints.files);
	g_free(wanted);
}

static void
makes_a_command_from_what_clang_recorded(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "int f(void) { return sizeof A; }\n");
	hd_command_hints hints = {.source = "a.c", .directory = f->project};
	hints.producer = "Debian clang version 14.0.6 /usr/bin/clang -c -O2 -g -grecord-command-line "
			 "-D A=\"b\\ c\" a.c -o a.o";
	hd_command *command = hd_command_find(NULL, &hints, NULL);
	assert_non_null(command);
	assert_argv(command, "/usr/bin/clang|-O2|-g|-grecord-command-line|-D|A=\"b c\"|a.c");
	hd_command_free(command);
	hints.producer = "Debian clang version 14.0.6";
	command = hd_command_find(NULL, &hints, NULL);
	assert_non_null(command);
	assert_argv(command, "clang|-g|-O0|a.c");
	assert_non_null(strstr(command->origin_detail, "-O0"));
	hd_command_free(command);
}

static void
says_why_there_is_no_command(void **state)
{
	(void)state;
	static const char *const producers[] = {
		NULL, "", "GNU AS 2.40", "rustc version 1.70", "GNU C++17 12.2.0 -g", "clang version "};
	for (guint i = 0; i < G_N_ELEMENTS(producers) - 1; i++) {
		GError *error = NULL;
		hd_command_hints hints = {.source = "/x/a.c", .directory = "/x", .producer = producers[i]};
		assert_null(hd_command_find(NULL, &hints, &error));
		assert_true(g_error_matches(error, HD_ERROR, HD_ERROR_UNSUPPORTED));
		assert_non_null(strstr(error->message, "/x/a.c"));
		g_clear_error(&error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strips_outputs_of_a_database_command, setup, teardown),
		cmocka_unit_test_setup_teardown(picks_the_entry_that_built_the_program, setup, teardown),
		cmocka_unit_test_setup_teardown(looks_upwards_for_the_database, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_damaged_database, setup, teardown),
		cmocka_unit_test_setup_teardown(makes_a_command_from_debug_information, setup, teardown),
		cmocka_unit_test_setup_teardown(makes_a_command_from_what_clang_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(says_why_there_is_no_command, setup, teardown),
	};
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
