/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts laid over the tree: the object must be, bit for bit, what the compiler
 * makes of a tree that really holds these texts. */
#include "config.h"

#include "test/build/support.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char *const compilers[] = {"gcc", "clang"};
static const char *const levels[] = {"-O0", "-O2"};

static const char old_header[] = "#pragma once\n#include \"sub/y.h\"\n#define X 41\n"
				 "static inline const char *where(void) { return __FILE__; }\n"
				 "static inline int twice(int n) { return 2 * n + Y; }\n";
static const char new_header[] = "#pragma once\n#define X 42\n#define where() \"new header\"\n#define twice(n) (n)\n";

/* A tree with every way to a header that a mirror must not miss. */
static void
put_tree(fixture *f)
{
	put(f, "src/a b.c",
	    "#include <assert.h>\n#include \"../inc/x.h\"\n#include \"link/z.h\"\n#include <n.h>\n"
	    "const char *file(void) { return __FILE__; }\n"
	    "int f(int a) { assert(a); return twice(a) + X + Z + N + FORCED + where()[0]; }\n");
	put(f, "inc/x.h", old_header);
	put(f, "inc/sub/y.h", "#pragma once\n#include \"../x.h\"\n#define Y 7\n");
	put(f, "inc/sub/deep/z.h", "#include \"../../x.h\"\n#define Z (X + 1)\n");
	put(f, "inc/n.h", "#include_next <n.h>\n#define N (NN + X)\n");
	put(f, "inc2/n.h", "#include \"../inc/x.h\"\n#define NN X\n");
	put(f, "forced.h", "#include \"inc/x.h\"\n#define FORCED X\n");
	put(f, "build/keep", "");
	assert_int_equal(symlink("../inc/sub/deep", path_of(f, "src/link")), 0);
}

static hd_command *
relative(fixture *f, const char *compiler, const char *level)
{
	return command_of(f, "build", "src/a b.c", compiler, level, "-g", "-I../inc", "-I", "../inc2", "-include",
			  "../forced.h", "../src/a b.c", NULL);
}

static hd_command *
absolute(fixture *f, const char *compiler, const char *level)
{
	char *inc = g_strconcat("-I", path_of(f, "inc"), NULL);
	char *forced = g_strconcat("-include", path_of(f, "forced.h"), NULL);
	hd_command *command = command_of(f, "build", "src/a b.c", compiler, level, "-g", inc, "-isystem",
					 path_of(f, "inc2"), forced, path_of(f, "src/a b.c"), NULL);
	g_free(inc);
	g_free(forced);
	return command;
}

static int
by_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

static void
assert_same_result(hd_build_result *one, hd_build_result *other)
{
	assert_built(one);
	assert_built(other);
	assert_true(g_bytes_equal(one->object, other->object));
	assert_int_equal(one->dependencies->len, other->dependencies->len);
	g_ptr_array_sort(one->dependencies, by_text);
	g_ptr_array_sort(other->dependencies, by_text);
	for (guint i = 0; i < one->dependencies->len; i++)
		assert_string_equal(g_ptr_array_index(one->dependencies, i), g_ptr_array_index(other->dependencies, i));
}

/* Builds from the tree, then changes the tree and builds the old texts. */
static void
check_identity(fixture *f, hd_command *command, GHashTable *old, const char *changed, const char *text,
	       const char *debug_name)
{
	char *before = NULL;
	assert_true(g_file_get_contents(changed, &before, NULL, NULL));
	hd_build_result *real = build(f, command, old, debug_name);
	assert_true(g_file_set_contents(changed, text, -1, NULL));
	hd_build_result *laid = build(f, command, old, debug_name);
	hd_build_result *new = build(f, command, NULL, debug_name);
	assert_same_result(real, laid);
	assert_false(new->ok &&g_bytes_equal(new->object, real->object));
	assert_true(g_file_set_contents(changed, before, -1, NULL));
	hd_build_result_free(real);
	hd_build_result_free(laid);
	hd_build_result_free(new);
	g_free(before);
}

static void
old_header_while_the_disk_has_the_new(void **state)
{
	fixture *f = *state;
	put_tree(f);
	const char *header = path_of(f, "inc/x.h");
	GHashTable *texts = texts_of(header, old_header, NULL);
	for (guint i = 0; i < 8; i++) {
		hd_command *command = (i & 4 ? absolute : relative)(f, compilers[i & 1], levels[(i >> 1) & 1]);
		check_identity(f, command, texts, header, new_header, NULL);
		check_identity(f, command, texts, header, new_header, "src/a b.c, version 3");
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
}

static void
old_source_while_the_disk_has_the_new(void **state)
{
	fixture *f = *state;
	const char *text = "#include \"own.h\"\nint f(void) { return OWN; }\n";
	const char *source = put(f, "src/a.c", text);
	put(f, "src/own.h", "#define OWN 5\n");
	GHashTable *texts = texts_of(source, text, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, "src", "src/a.c", compilers[i], "-g", "a.c", NULL);
		check_identity(f, command, texts, source, "int f(void) { return 6; }\n", NULL);
		assert_int_equal(unlink(source), 0); /* nor need it be there at all */
		hd_build_result *result = build(f, command, texts, NULL);
		assert_built(result);
		assert_true(depends_on(result, source));
		hd_build_result_free(result);
		put(f, "src/a.c", text);
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
}

static void
spelled_through_a_link(void **state)
{
	fixture *f = *state;
	put_tree(f);
	char *link = g_build_filename(f->folder, "link", NULL);
	assert_int_equal(symlink(f->project, link), 0);
	const char *header = path_of(f, "inc/x.h");
	GHashTable *texts = texts_of(header, old_header, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = relative(f, compilers[i], "-O1");
		g_free(command->directory);
		command->directory = g_build_filename(link, "build", NULL);
		check_identity(f, command, texts, header, new_header, NULL);
		char *source = g_build_filename(link, "src/a b.c", NULL);
		guint last = g_strv_length(command->argv) - 1;
		g_free(command->argv[last]);
		g_free(command->source_arg);
		command->argv[last] = source;
		command->source_arg = g_strdup(source);
		check_identity(f, command, texts, header, new_header, NULL);
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
	g_free(link);
}

static void
errors_name_the_real_files(void **state)
{
	fixture *f = *state;
	put_tree(f);
	const char *header = path_of(f, "inc/x.h");
	GHashTable *texts = texts_of(header, "#include \"sub/y.h\"\nint broken(void) { return nothing; }\n", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = absolute(f, compilers[i], "-O0");
		hd_build_result *result = build(f, command, texts, NULL);
		assert_false(result->ok);
		const hd_diagnostic *first = diagnostic(result, 0);
		assert_string_equal(first->where.file, header);
		assert_int_equal(first->where.line, 2);
		assert_null(strstr(result->raw, "mirror-"));
		assert_true(depends_on(result, header));
		hd_build_result_free(result);
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
}

static void
hidden_and_new_files(void **state)
{
	fixture *f = *state;
	put(f, "src/a.c",
	    "#if __has_include(\"gone.h\")\n#error it is there\n#endif\n#include \"new/n.h\"\nint n = N;\n");
	const char *gone = put(f, "src/gone.h", "");
	GHashTable *texts = texts_of(path_of(f, "src/new/n.h"), "#define N 4\n", NULL);
	g_hash_table_insert(texts, g_strdup(gone), NULL);
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, ".", "src/a.c", compilers[i], "src/a.c", NULL);
		hd_build_result *result = build(f, command, texts, NULL);
		assert_built(result);
		assert_true(depends_on(result, path_of(f, "src/new/n.h")));
		hd_build_result_free(result);
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
}

static void
headers_outside_the_project(void **state)
{
	fixture *f = *state;
	const char *own = put(f, "src/own.h", "#define OWN 1\n");
	const char *outside = put(f, "../outside/deep/out.h", "#include \"../more.h\"\n#define OUT MORE\n");
	put(f, "../outside/more.h", "#define MORE 4\n");
	put(f, "../outside/twice.h", "#define TWICE 1\n");
	put(f, "inc/twice.h", "#define TWICE 2\n"); /* must not be found first */
	put(f, "src/a.c",
	    "#include \"own.h\"\n#include <twice.h>\n#include \"deep/out.h\"\n#include \"../../outside/more.h\"\n"
	    "int f(void) { return OWN + OUT + MORE + TWICE; }\n");
	char *real = g_canonicalize_filename(outside, NULL);
	GHashTable *texts = texts_of(own, "#define OWN 1\n", real, "#include \"../more.h\"\n#define OUT MORE\n", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command =
			command_of(f, "src", "src/a.c", compilers[i], "-g", "-I../../outside", "-I../inc", "a.c", NULL);
		check_identity(f, command, texts, own, "#define OWN 2\n", NULL);
		check_identity(f, command, texts, real, "#define OUT 2\n", NULL);
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
	g_free(real);
}

static void
a_header_it_cannot_hide_fails_the_build(void **state)
{
	fixture *f = *state;
	const char *header = put(f, "x.h", "#define X 1\n");
	char *text = g_strdup_printf("#include \"%s\"\nint f(void) { return X; }\n", header);
	put(f, "a.c", text);
	GHashTable *texts = texts_of(header, "#define X 2\n", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, ".", "a.c", compilers[i], "a.c", NULL);
		hd_build_result *result = build(f, command, texts, NULL);
		assert_false(result->ok);
		assert_non_null(strstr(diagnostic(result, 0)->message, header));
		hd_build_result_free(result);
		hd_command_free(command);
	}
	g_hash_table_unref(texts);
	g_free(text);
}

/* The compiler waits for the file `go` in the middle of its work, through a
 * wrapper; the header changes meanwhile. */
static void
disk_changed_during_the_build(void **state)
{
	fixture *f = *state;
	const char *text = "#include \"x.h\"\nint f(void) { return X; }\n";
	put(f, "a.c", text);
	const char *header = put(f, "x.h", "#define X 1\n");
	const char *wrapper = put(f, "cc.sh",
				  "#!/bin/sh\ncase \"$*\" in *a.c*) : > \"$READY\"\n"
				  "while ! [ -e \"$GO\" ]; do sleep 0.01; done;; esac\nexec gcc \"$@\"\n");
	assert_int_equal(g_chmod(wrapper, 0700), 0);
	g_setenv("READY", path_of(f, "ready"), TRUE);
	g_setenv("GO", path_of(f, "go"), TRUE);
	hd_builder_free(f->builder); /* which took the environment */
	char *scratch = g_build_filename(f->folder, "scratch", NULL);
	f->builder = hd_builder_new(scratch, f->project, 1, NULL);
	g_free(scratch);
	hd_command *command = command_of(f, ".", "a.c", wrapper, "-g", "a.c", NULL);
	GHashTable *texts = texts_of(header, "#define X 1\n", NULL);
	put(f, "go", "");
	hd_build_result *wanted = build(f, command, texts, NULL);
	assert_int_equal(unlink(path_of(f, "go")), 0);
	assert_int_equal(unlink(path_of(f, "ready")), 0);
	hd_builder_forget(f->builder);
	hd_build_result *result = NULL;
	hd_build_request request = {.command = command, .texts = texts};
	hd_build_start(f->builder, &request, keep_result, &result);
	wait_until(g_file_test(path_of(f, "ready"), G_FILE_TEST_EXISTS));
	put(f, "x.h", "#define X 2\n");
	put(f, "go", "");
	wait_until(result);
	assert_same_result(wanted, result);
	hd_build_result_free(wanted);
	hd_build_result_free(result);
	hd_command_free(command);
	g_hash_table_unref(texts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(old_header_while_the_disk_has_the_new, setup, teardown),
		cmocka_unit_test_setup_teardown(old_source_while_the_disk_has_the_new, setup, teardown),
		cmocka_unit_test_setup_teardown(spelled_through_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_name_the_real_files, setup, teardown),
		cmocka_unit_test_setup_teardown(hidden_and_new_files, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_outside_the_project, setup, teardown),
		cmocka_unit_test_setup_teardown(a_header_it_cannot_hide_fails_the_build, setup, teardown),
		cmocka_unit_test_setup_teardown(disk_changed_during_the_build, setup, teardown),
	};
	return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
