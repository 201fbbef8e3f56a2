/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a build is made of: files that change while the compiler reads them, and builds that need not be done again. */
#include "config.h"

#include "test/build/support.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char source_text[] = "#include \"x.h\"\nint f(void) { return X; }\n";

/* A compiler that counts how often it compiles project/a.c, and runs `before` and `after` each time; owned by the
 * caller. $here is the project. */
static hd_command *
counting(fixture *f, const char *compiler, const char *before, const char *after)
{
	char *text = g_strdup_printf("#!/bin/sh\nhere=$(dirname \"$0\")\n"
				     "case \"$*\" in *a.c*) ;; *) exec %s \"$@\" ;; esac\n"
				     "echo >> \"$here/count\"\n%s\n%s \"$@\"\nstatus=$?\n%s\nexit $status\n",
				     compiler, before, compiler, after);
	const char *wrapper = put(f, "counting", text);
	assert_int_equal(g_chmod(wrapper, 0700), 0);
	g_free(text);
	return command_of(f, ".", "a.c", wrapper, "-g", "a.c", NULL);
}

static gsize
count(fixture *f)
{
	char *text = NULL;
	gsize size = 0;
	if (g_file_get_contents(path_of(f, "count"), &text, &size, NULL))
		g_free(text);
	return size;
}

static hd_build_result *
build_in(fixture *f, const hd_command *command, GHashTable *texts, GHashTable *tree, const char *debug_name)
{
	hd_build_result *result = NULL;
	hd_build_request request = {.command = command, .texts = texts, .tree = tree, .debug_name = debug_name};
	hd_build_start(f->builder, &request, keep_result, &result);
	assert_null(result);
	wait_until(result);
	return result;
}

static void
set_text(GHashTable *tree, const char *path, const char *text)
{
	g_hash_table_insert(tree, g_strdup(path), g_bytes_new(text, strlen(text)));
}

static void
assert_same_object(const hd_build_result *one, const hd_build_result *other)
{
	assert_built(one);
	assert_built(other);
	assert_true(g_bytes_equal(one->object, other->object));
}

static void
a_file_that_does_not_say_what_it_should_is_laid_over(void **state)
{
	fixture *f = *state;
	static const char *const compilers[] = {"gcc", "clang"};
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		GHashTable *tree = texts_of(put(f, "a.c", source_text), source_text, put(f, "x.h", "#define X 1\n"),
					    "#define X 1\n", NULL);
		hd_command *command = command_of(f, ".", "a.c", compilers[i], "a.c", NULL);
		hd_build_result *wanted = build(f, command, NULL, NULL);
		put(f, "x.h", "#define X 2\n");
		hd_build_result *result = build_in(f, command, NULL, tree, NULL);
		assert_same_object(wanted, result);
		assert_true(depends_on(result, path_of(f, "x.h")));
		hd_build_result_free(result);
		hd_build_result_free(wanted);
		hd_command_free(command);
		g_hash_table_unref(tree);
	}
}

/* The header changes behind the compiler's back, and back again: nothing on disk tells what was read. */
static void
a_file_that_changes_while_it_is_read_is_read_again(void **state)
{
	fixture *f = *state;
	GHashTable *tree = texts_of(put(f, "a.c", source_text), source_text, put(f, "x.h", "#define X 1\n"),
				    "#define X 1\n", NULL);
	hd_command *plain = counting(f, "gcc", "", "");
	hd_build_result *wanted = build(f, plain, NULL, NULL);
	hd_builder_forget(f->builder);
	hd_command_free(plain);
	hd_command *command = counting(f, "gcc", "[ -e \"$here/twice\" ] || echo '#define X 2' > \"$here/x.h\"",
				       "[ -e \"$here/twice\" ] || echo '#define X 1' > \"$here/x.h\"\n"
				       ": > \"$here/twice\"");
	gsize before = count(f);
	hd_build_result *result = build_in(f, command, NULL, tree, NULL);
	assert_same_object(wanted, result);
	assert_true(count(f) >= before + 2);
	hd_build_result_free(result);
	hd_build_result_free(wanted);
	hd_command_free(command);
	g_hash_table_unref(tree);
}

static void
the_text_that_counts_is_that_at_the_end(void **state)
{
	fixture *f = *state;
	GHashTable *tree = texts_of(put(f, "a.c", source_text), source_text, put(f, "x.h", "#define X 2\n"),
				    "#define X 1\n", NULL);
	hd_command *command = command_of(f, ".", "a.c", "gcc", "a.c", NULL);
	hd_build_result *wanted = build(f, command, NULL, NULL), *result = NULL;
	hd_builder_forget(f->builder);
	hd_build_request request = {.command = command, .tree = tree};
	hd_build_start(f->builder, &request, keep_result, &result);
	set_text(tree, path_of(f, "x.h"), "#define X 2\n");
	wait_until(result);
	assert_same_object(wanted, result);
	hd_build_result_free(result);
	hd_build_result_free(wanted);
	hd_command_free(command);
	g_hash_table_unref(tree);
}

static void
the_same_is_not_built_again(void **state)
{
	fixture *f = *state;
	static const char *const compilers[] = {"gcc", "clang", "tcc"};
	const char *source = put(f, "a.c", source_text), *header = put(f, "x.h", "#define X 1\n");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		GHashTable *tree = texts_of(source, source_text, header, "#define X 1\n", NULL);
		GHashTable *texts = texts_of(source, "#include \"x.h\"\nint f(void) { return X + 1; }\n", NULL);
		hd_command *command = counting(f, compilers[i], "", "");
		hd_build_result *first = build_in(f, command, texts, tree, "/v2/a.c");
		gsize known = count(f);
		hd_build_result *again = build_in(f, command, texts, tree, "/v2/a.c");
		assert_int_equal(count(f), known);
		assert_same_object(first, again);
		assert_string_equal(again->compiler, first->compiler);
		assert_int_equal(again->dependencies->len, first->dependencies->len);
		hd_build_result_free(again);
		/* Another name in debug information, another header, another text, another command. */
		hd_build_result_free(build_in(f, command, texts, tree, "/v3/a.c"));
		assert_int_equal(count(f), known + 1);
		set_text(tree, header, "#define X 5\n");
		again = build_in(f, command, texts, tree, "/v3/a.c");
		assert_true(count(f) > known + 1);
		assert_built(again);
		assert_false(g_bytes_equal(first->object, again->object));
		hd_build_result_free(again);
		set_text(tree, header, "#define X 1\n");
		known = count(f);
		set_text(texts, source, "#include \"x.h\"\nint f(void) { return X + 2; }\n");
		hd_build_result_free(build_in(f, command, texts, tree, "/v3/a.c"));
		assert_true(count(f) > known);
		known = count(f);
		hd_command *other = command_of(f, ".", "a.c", command->argv[0], "-g", "-DY", "a.c", NULL);
		hd_build_result_free(build_in(f, other, texts, tree, "/v3/a.c"));
		assert_true(count(f) > known);
		known = count(f);
		hd_builder_forget(f->builder);
		hd_build_result_free(build_in(f, command, texts, tree, "/v3/a.c"));
		assert_true(count(f) > known);
		hd_build_result_free(first);
		hd_command_free(other);
		hd_command_free(command);
		g_hash_table_unref(texts);
		g_hash_table_unref(tree);
	}
}

static void
what_does_not_compile_is_not_built_again(void **state)
{
	fixture *f = *state;
	const char *wrong = "int f(void) { return X; }\n", *source = put(f, "a.c", wrong);
	GHashTable *tree = texts_of(source, wrong, NULL);
	hd_command *command = counting(f, "gcc", "", "");
	hd_build_result *first = build_in(f, command, NULL, tree, NULL);
	hd_build_result_free(first);
	first = build_in(f, command, NULL, tree, NULL); /* the file is older than this one's start */
	gsize known = count(f);
	hd_build_result *again = build_in(f, command, NULL, tree, NULL);
	assert_int_equal(count(f), known);
	assert_false(again->ok);
	assert_int_equal(again->diagnostics->len, first->diagnostics->len);
	assert_string_equal(diagnostic(again, 0)->message, diagnostic(first, 0)->message);
	assert_int_equal(diagnostic(again, 0)->where.line, diagnostic(first, 0)->where.line);
	hd_build_result_free(again);
	hd_build_result_free(first);
	hd_command_free(command);
	g_hash_table_unref(tree);
}

/* For want of a file, of memory, of room: it may be there the next time. */
static void
what_stopped_the_compiler_is_tried_again(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "a.c", "#include \"gone.h\"\n");
	GHashTable *tree = texts_of(source, "#include \"gone.h\"\n", NULL);
	hd_command *command = counting(f, "gcc", "", "");
	hd_build_result_free(build_in(f, command, NULL, tree, NULL));
	gsize known = count(f);
	hd_build_result_free(build_in(f, command, NULL, tree, NULL));
	assert_true(count(f) > known);
	hd_command_free(command);
	put(f, "a.c", "int x;\n");
	set_text(tree, source, "int x;\n");
	command = counting(f, "gcc", "", "status=4; echo 'gcc: fatal error: Killed signal terminated program cc1'");
	hd_build_result_free(build_in(f, command, NULL, tree, NULL));
	known = count(f);
	hd_build_result_free(build_in(f, command, NULL, tree, NULL));
	assert_true(count(f) > known);
	hd_command_free(command);
	g_hash_table_unref(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_that_does_not_say_what_it_should_is_laid_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_changes_while_it_is_read_is_read_again, setup, teardown),
		cmocka_unit_test_setup_teardown(the_text_that_counts_is_that_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_is_not_built_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_compile_is_not_built_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_stopped_the_compiler_is_tried_again, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
