/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every #line is in what libtcc preprocessed, wherever it leads; no other line has moved. */
#include "config.h"

#include "reloader/instant/linemark.h"

#include "reloader/instant/outline.h"
#include "reloader/instant/tcc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <string.h>

static void
take_outline(const hd_tcc_answer *answer, void *data)
{
	if (!answer->good)
		fail_msg("libtcc: %s", answer->messages);
	*(hd_outline **)data = hd_outline_new(answer->text, answer->size);
	assert_non_null(*(hd_outline **)data);
}

static hd_outline *
preprocessed(const char *text)
{
	hd_tcc *tcc = hd_tcc_new("reloader/instant/hotdev-tcc");
	hd_tcc_question *question = hd_tcc_question_new(HD_WIRE_PREPROCESS);
	GString *marked = g_string_new(NULL);
	hd_linemark_append(marked, text, strlen(text));
	hd_tcc_question_add(question, HD_WIRE_FOLDER, "/", -1);
	hd_tcc_question_add(question, HD_WIRE_SOURCE, "mod.c", -1);
	hd_tcc_question_add(question, HD_WIRE_PATH, "mod.c", -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, marked->str, (gssize)marked->len);
	hd_tcc_question_add(question, HD_WIRE_PATH, HD_LINEMARK_PATH, -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, HD_LINEMARK_TEXT, -1);
	hd_outline *outline = NULL;
	hd_tcc_ask(tcc, question, take_outline, &outline);
	while (!outline)
		g_main_context_iteration(NULL, TRUE);
	hd_tcc_free(tcc);
	g_string_free(marked, TRUE);
	return outline;
}

/* "file:line" of each function f. */
static void
check(const char *text, const char *const *places)
{
	hd_outline *outline = preprocessed(text);
	for (guint i = 0; i < hd_outline_count(outline); i++) {
		const hd_declaration *function = hd_outline_at(outline, i);
		char *place = g_strdup_printf("%s:%d", function->file, function->line);
		assert_non_null(places[i]);
		assert_string_equal(place, places[i]);
		g_free(place);
	}
	assert_null(places[hd_outline_count(outline)]);
	hd_outline_unref(outline);
}

static void
test_forwards_backwards_and_into_other_files(void **state)
{
	(void)state;
	check("int a(void) { return 1; }\n"
	      "#line 300\n"
	      "int b(void) { return 1; }\n"
	      "#line 7 \"gram.y\"\n"
	      "int c(void) { return 1; }\n"
	      "# 9 \"gram.y\"\n"
	      "int d(void) { return 1; }\n"
	      "  #  line 10 \"other.y\" /* there */\n"
	      "\n"
	      "int e(void) { return 1; }\n"
	      "#line 13 \"mod.c\"\n"
	      "int f(void) { return 1; }\n"
	      "#line 1\n"
	      "int g(void) { return 1; }",
	      (const char *const[]){"mod.c:1", "mod.c:300", "gram.y:7", "gram.y:9", "other.y:11", "mod.c:13", "mod.c:1",
				    NULL});
}

static void
test_what_only_looks_like_one_moves_nothing(void **state)
{
	(void)state;
	check("/* things:\n"
	      "# 1 first\n"
	      "#line 5\n"
	      "*/\n"
	      "#define TEXT \"\\\n"
	      "#line 5\\\n"
	      "\"\n"
	      "#if 0\n"
	      "#ifdef X\n"
	      "#endif\n"
	      "#line 70 \"never.y\"\n"
	      "#endif\n"
	      "#pragma STDC FP_CONTRACT ON\n"
	      "int a(void) { return '#' + sizeof TEXT; }\n",
	      (const char *const[]){"mod.c:13", "mod.c:14", NULL});
}

static void
test_inside_a_function_the_value_of_line_is_kept(void **state)
{
	(void)state;
	const char *text = "int a(void)\n"
			   "{\n"
			   "#line 3 \"gram.y\"\n"
			   "\treturn __LINE__;\n"
			   "}\n";
	hd_outline *outline = preprocessed(text);
	assert_int_equal(hd_outline_count(outline), 1);
	assert_non_null(strstr(hd_outline_text(outline), "return 3;"));
	assert_non_null(strstr(hd_outline_text(outline), "# 3 \"gram.y\""));
	hd_outline_unref(outline);
}

static void
test_it_is_found_where_it_is_one(void **state)
{
	(void)state;
	static const char *const with[] = {"#line 3\n", " # 3 \"a\"\n", "#if X\n#line 3\n#endif\n"};
	static const char *const without[] = {"/* see #12\n#line 3\n*/\n", "#include \"a#1.h\"\n", "#define line 1\n"};
	for (guint i = 0; i < G_N_ELEMENTS(with); i++)
		assert_true(hd_linemark_is_in(with[i], strlen(with[i])));
	for (guint i = 0; i < G_N_ELEMENTS(without); i++)
		assert_false(hd_linemark_is_in(without[i], strlen(without[i])));
}

static void
test_a_text_without_one_is_as_it_was(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "int a;\n", "#define line 5\n# define x 7\n", "#line x\n", "# 5", "#"};
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		GString *out = g_string_new(NULL);
		assert_false(hd_linemark_append(out, texts[i], strlen(texts[i])));
		assert_string_equal(out->str, texts[i]);
		g_string_free(out, TRUE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwards_backwards_and_into_other_files),
		cmocka_unit_test(test_what_only_looks_like_one_moves_nothing),
		cmocka_unit_test(test_inside_a_function_the_value_of_line_is_kept),
		cmocka_unit_test(test_it_is_found_where_it_is_one),
		cmocka_unit_test(test_a_text_without_one_is_as_it_was),
	};
	return cmocka_run_group_tests_name("instant: linemark", tests, NULL, NULL);
}
