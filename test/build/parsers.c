/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/build/support.h"

#include "reloader/build/depfile.h"
#include "reloader/build/diagnostics.h"

#include <string.h>

static void
reads_make_syntax(void **state)
{
	(void)state;
	static const char text[] = "o: a.c b\\ c.h \\\n  d$$e.h f\\#g.h h\\\\\\ i.h j\\k.h \\\r\n l.h\n\nb\\ c.h:\n";
	static const char *const wanted[] = {"a.c", "b c.h", "d$e.h", "f#g.h", "h\\ i.h", "j\\k.h", "l.h"};
	GPtrArray *names = hd_depfile_parse(text, strlen(text));
	assert_int_equal(names->len, G_N_ELEMENTS(wanted));
	for (guint i = 0; i < names->len; i++)
		assert_string_equal(g_ptr_array_index(names, i), wanted[i]);
	g_ptr_array_unref(names);
}

static void
survives_cut_off_make_syntax(void **state)
{
	(void)state;
	static const char text[] = "o: a.c b\\ c.h \\\n d$$ e\\\\";
	for (gsize size = 0; size <= strlen(text); size++) {
		char *cut = g_memdup2(text, size); /* exactly so long: a reader that runs over is seen */
		g_ptr_array_unref(hd_depfile_parse(cut ? cut : "", size));
		g_free(cut);
	}
}

static char *
same_name(const char *file, void *data)
{
	(void)data;
	return g_strdup(file);
}

static GPtrArray *
read_text(const char *text, gsize size)
{
	GPtrArray *diagnostics = g_ptr_array_new_with_free_func((GDestroyNotify)hd_diagnostic_free);
	GString *raw = g_string_new(NULL);
	hd_diagnostics_read(text, size, same_name, NULL, diagnostics, raw);
	assert_true(g_utf8_validate(raw->str, -1, NULL));
	g_string_free(raw, TRUE);
	return diagnostics;
}

static void
reads_text_of_any_compiler(void **state)
{
	(void)state;
	static const struct {
		const char *line, *file, *message;
		int at, column;
		hd_severity severity;
	} cases[] = {
		{"a: b.c:3:7: error: no: really", "a: b.c", "no: really", 3, 7, HD_SEVERITY_ERROR},
		{"x.c:12: warning: odd", "x.c", "odd", 12, 0, HD_SEVERITY_WARNING},
		{"/tmp/cc1.s: Assembler messages:", NULL, NULL, 0, 0, 0},
		{"/tmp/cc1.s:4: Error: no such instruction: `foo'", "/tmp/cc1.s", "no such instruction: `foo'", 4, 0,
		 HD_SEVERITY_ERROR},
		{"clang: error: no such file or directory: 'x.c'", NULL, "no such file or directory: 'x.c'", 0, 0,
		 HD_SEVERITY_ERROR},
		{"<command-line>:1:2: warning: M redefined", NULL, "M redefined", 1, 2, HD_SEVERITY_WARNING},
		{"a.c:1:1: fatal error: x.h: No such file", "a.c", "x.h: No such file", 1, 1, HD_SEVERITY_ERROR},
		{"In file included from a.c:1:", NULL, NULL, 0, 0, 0},
		{"a.c:99999999999999999999: error: far", "a.c", "far", G_MAXINT, 0, HD_SEVERITY_ERROR},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		GPtrArray *found = read_text(cases[i].line, strlen(cases[i].line));
		assert_int_equal(found->len, cases[i].message ? 1 : 0);
		if (cases[i].message) {
			hd_diagnostic *one = g_ptr_array_index(found, 0);
			assert_string_equal(one->message, cases[i].message);
			assert_int_equal(one->where.line, cases[i].at);
			assert_int_equal(one->where.column, cases[i].column);
			assert_int_equal(one->severity, cases[i].severity);
			if (cases[i].file)
				assert_string_equal(one->where.file, cases[i].file);
			else
				assert_null(one->where.file);
		}
		g_ptr_array_unref(found);
	}
}

static void
makes_hostile_bytes_harmless(void **state)
{
	(void)state;
	static const char text[] = "\xff\xfe.c:1:2: error: \033[2Jgone \xc3\x28\0 end\n"
				   "[{\"kind\": \"error\", \"message\": \"\xff\x01\", \"locations\": [7]}]\n"
				   "[[[[[[\n[{\"kind\": 3}]\n[1, null, {}]\n: error: \n:::: error: : : \n";
	GPtrArray *found = read_text(text, sizeof text - 1);
	assert_true(found->len >= 2);
	for (guint i = 0; i < found->len; i++) {
		hd_diagnostic *one = g_ptr_array_index(found, i);
		assert_true(g_utf8_validate(one->message, -1, NULL));
		assert_null(strchr(one->message, '\033'));
		assert_true(!one->where.file || g_utf8_validate(one->where.file, -1, NULL));
	}
	g_ptr_array_unref(found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_make_syntax),
		cmocka_unit_test(survives_cut_off_make_syntax),
		cmocka_unit_test(reads_text_of_any_compiler),
		cmocka_unit_test(makes_hostile_bytes_harmless),
	};
	return cmocka_run_group_tests_name("parsers", tests, NULL, NULL);
}
