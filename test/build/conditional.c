/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which branches of a text a command leaves out. */
#include "config.h"

#include "test/build/support.h"

#include "reloader/build/conditional.h"

#include <glib/gstdio.h>
#include <string.h>

/* The first lines of what is left out, as "3 7"; owned by the caller. */
static char *
left_out(fixture *f, const hd_command *command, const char *text)
{
	GBytes *bytes = g_bytes_new(text, strlen(text));
	hd_conditional_question question = {command, bytes, hd_conditional_branches(bytes)};
	hd_conditional_ask(&question, 1, f->folder);
	GString *lines = g_string_new(NULL);
	for (int line = 1; line < 100; line++)
		for (guint i = 0; i < question.branches->len; i++)
			if (g_array_index(question.branches, hd_lines, i).first == line)
				g_string_append_printf(lines, "%s%d", lines->len ? " " : "", line);
	g_array_unref(question.branches);
	g_bytes_unref(bytes);
	return g_string_free(lines, FALSE);
}

static void
assert_left_out(fixture *f, const hd_command *command, const char *text, const char *wanted)
{
	char *lines = left_out(f, command, text);
	assert_string_equal(lines, wanted);
	g_free(lines);
}

static void
branches_are_left_out_or_taken(void **state)
{
	fixture *f = *state;
	static const char *const compilers[] = {"gcc", "clang"};
	put(f, "x.h", "#define IN_HEADER 1\n");
	put(f, "a.c", "");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, ".", "a.c", compilers[i], "-DGIVEN", "a.c", NULL);
		assert_left_out(f, command, "int x;\n", "");
		assert_left_out(f, command, "#ifdef GIVEN\nint a;\n#else\nint b;\n#endif\n", "4");
		assert_left_out(f, command, "#ifdef OTHER\nint a;\n#elif 1\nint b;\n#else\nint c;\n#endif\n", "2 6");
		assert_left_out(f, command,
				"#include \"x.h\"\n#if IN_HEADER\nint a;\n#endif\n#if !IN_HEADER\nint b;\n#endif\n",
				"6");
		assert_left_out(f, command, "#if 0\n#if 1\nint a;\n#endif\n#endif\n", "2 3");
		/* Numbers mean other lines, or it does not get that far: nothing can be told. */
		assert_left_out(f, command, "#line 7\n#if 0\nint a;\n#endif\n", "");
		assert_left_out(f, command, "#if 0\nint a;\n#endif\n#include \"gone.h\"\n", "");
		hd_command_free(command);
	}
	hd_command *command = command_of(f, ".", "a.c", "/nonexistent/cc", "a.c", NULL);
	assert_left_out(f, command, "#if 0\nint a;\n#endif\n", "");
	hd_command_free(command);
}

static void
several_are_asked_at_once(void **state)
{
	fixture *f = *state;
	if (g_get_num_processors() < 2) {
		print_message("one processor only\n");
		skip();
	}
	/* None goes on before two are there. */
	const char *pair = put(f, "pair",
			       "#!/bin/sh\nhere=$(dirname \"$0\")\n: > \"$here/running.$$\"\n"
			       "until [ -e \"$here/two\" ]; do\n"
			       "\t[ $(ls \"$here\" | grep -c running) -lt 2 ] || : > \"$here/two\"\n"
			       "\tsleep 0.01\ndone\nexec gcc \"$@\"\n");
	assert_int_equal(g_chmod(pair, 0700), 0);
	put(f, "a.c", "");
	hd_command *command = command_of(f, ".", "a.c", pair, "a.c", NULL);
	GBytes *text = g_bytes_new_static("#if 0\nint a;\n#endif\n", strlen("#if 0\nint a;\n#endif\n"));
	hd_conditional_question questions[9];
	for (guint i = 0; i < G_N_ELEMENTS(questions); i++)
		questions[i] = (hd_conditional_question){command, text, hd_conditional_branches(text)};
	hd_conditional_ask(questions, G_N_ELEMENTS(questions), f->folder);
	for (guint i = 0; i < G_N_ELEMENTS(questions); i++) {
		assert_int_equal(questions[i].branches->len, 1);
		assert_int_equal(g_array_index(questions[i].branches, hd_lines, 0).first, 2);
		g_array_unref(questions[i].branches);
	}
	g_bytes_unref(text);
	hd_command_free(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(branches_are_left_out_or_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(several_are_asked_at_once, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
