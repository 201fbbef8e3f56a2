/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an edit changed, told by the texts alone. */
#include "config.h"

#include "test/instant/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <string.h>

static const char before[] = "struct s { int a; };\n"
			     "static int state = 1;\n"
			     "int elsewhere(int);\n"
			     "static inline int small(int x) { return x + 1; }\n"
			     "static int middle(struct s *s) { return small(s->a) + state; }\n"
			     "int top(struct s *s) { return middle(s) * 2; }\n"
			     "int counts(void) { static int n; return ++n; }\n"
			     "int other(void) { return '\"' + elsewhere(3); }\n";

static const char tuned[] = "static const float speed = 2.5f, drag = -1;\n"
			    "static const int many = 3, wide = 'a';\n"
			    "static int table[4];\n"
			    "float move(float x) { return x * speed; }\n"
			    "int first(void) { return table[0] + wide; }\n"
			    "int counts(void) { static int n; return n += many; }\n";

static char *
edited(const char *text, const char *old, const char *now)
{
	const char *at = strstr(text, old);
	assert_non_null(at);
	return g_strdup_printf("%.*s%s%s", (int)(at - text), text, now, at + strlen(old));
}

typedef struct {
	const char *old, *now;
	const char *changed; /* NULL: refused */
	const char *why;
} row;

static const row rows[] = {
	{"x + 1", "x + 2", "small", NULL},
	{"x + 1", "x  +\n\n 1 /* the same */", "", NULL},
	{"return middle(s) * 2", "return middle(s) * 3", "top", NULL},
	{"int other(void)", "static int fresh(void) { return 1; }\nint other(void)", "fresh", NULL},
	{"int other(void)", "int declared(int);\nint other(void)", "", NULL},
	{"int a;", "int a, b;", NULL, "declared otherwise"},
	{"state = 1", "state = 2", NULL, "declared otherwise"},
	{"static int middle(struct s *s)", "static long middle(struct s *s)", NULL, "takes or returns"},
	{"++n", "--n", NULL, "static variable"},
	{"return '\"' + elsewhere(3);", "static int own; return own;", NULL, "static variable"},
	{"int other(void) { return '\"' + elsewhere(3); }", "", NULL, "is gone"},
	{"int other(void)", "int elsewhere(int x) { return x; }\nint other(void)", NULL, "in another source"},
	{"int elsewhere(int);", "", NULL, "is gone"},
};

static const row tunings[] = {
	{"speed = 2.5f", "speed = 3.5f", "move", NULL},
	{"drag = -1", "drag = -2.5", "", NULL},
	{"drag = -1", "drag = 1", "", NULL},
	{"wide = 'a'", "wide = 'b'", "first", NULL},
	{"speed = 2.5f, drag = -1", "speed = 3.5f, drag = -2", "move", NULL},
	{"many = 3", "many = 4", NULL, "static variable"},
	{"speed = 2.5f", "speed = 2.5f * 2", NULL, "declared otherwise"},
	{"speed = 2.5f", "speed", NULL, "declared otherwise"},
	{"static const float", "static const double", NULL, "declared otherwise"},
	{"wide = 'a'", "wide = sizeof table", NULL, "declared otherwise"},
	{"float move(float x)", "static int more[4];\nfloat move(float x)", NULL, "declared otherwise"},
};

static void
check_rows(const char *text, const row *at, gsize count)
{
	hd_reading *old = text_reading(text);
	for (; count-- > 0; at++) {
		char *other = edited(text, at->old, at->now), *why = NULL;
		hd_reading *now = text_reading(other);
		hd_delta *delta = hd_delta_new(old, now, &why);
		if (at->changed) {
			if (!delta)
				fail_msg("%s: %s", at->now, why);
			char *names = text_names(delta->changed);
			assert_string_equal(names, at->changed);
			g_free(names);
		} else {
			assert_null(delta);
			if (!strstr(why, at->why))
				fail_msg("%s: %s", at->now, why);
		}
		hd_delta_free(delta);
		hd_reading_free(now);
		g_free(why);
		g_free(other);
	}
	hd_reading_free(old);
}

static void
test_what_changed(void **state)
{
	(void)state;
	check_rows(before, rows, G_N_ELEMENTS(rows));
}

static void
test_constants_are_tuned(void **state)
{
	(void)state;
	check_rows(tuned, tunings, G_N_ELEMENTS(tunings));
}

/* ---- who comes with it ---- */

typedef struct {
	const char *inlined, *known, *along; /* names, with spaces around each */
} world;

static bool
lists(const char *names, const char *name)
{
	char *word = g_strdup_printf(" %s ", name);
	bool found = strstr(names, word) != NULL;
	g_free(word);
	return found;
}

static bool
is_inlined(const char *function, void *data)
{
	return lists(((const world *)data)->inlined, function);
}

static bool
is_known(const char *function, void *data)
{
	return lists(((const world *)data)->known, function);
}

static bool
comes_along(const hd_declaration *function, void *data)
{
	return lists(((const world *)data)->along, function->name);
}

static void
closed(const world *w, const char *old, const char *new, const char *changed, const char *compile)
{
	char *text = edited(before, old, new), *why = NULL;
	hd_reading *was = text_reading(before), *now = text_reading(text);
	hd_delta *delta = hd_delta_new(was, now, &why);
	hd_delta_facts facts = {is_inlined, is_known, comes_along, (void *)w};
	assert_non_null(delta);
	assert_true(hd_delta_close(delta, now, &facts, &why));
	char *names = text_names(delta->changed), *built = text_names(delta->compile);
	assert_string_equal(names, changed);
	assert_string_equal(built, compile);
	g_free(names);
	g_free(built);
	GString *reduced = hd_delta_text(delta, now);
	/* Bodies of what is not compiled are not there. */
	assert_true(strstr(compile, "other") || !strstr(reduced->str, "elsewhere(3)"));
	g_string_free(reduced, TRUE);
	hd_delta_free(delta);
	hd_reading_free(was);
	hd_reading_free(now);
	g_free(text);
}

static void
test_who_comes_with_it(void **state)
{
	(void)state;
	closed(&(world){" ", " ", " "}, "x + 1", "x + 2", "small", "small");
	closed(&(world){" small ", " ", " "}, "x + 1", "x + 2", "middle small", "middle small");
	closed(&(world){" small middle ", " ", " "}, "x + 1", "x + 2", "middle small top", "middle small top");
	closed(&(world){" ", " small middle ", " "}, "x + 1", "x + 2", "small", "middle small top");
	closed(&(world){" ", " ", " middle small "}, "* 2", "* 3", "top", "middle small top");
	closed(&(world){" ", " ", " middle "}, "* 2", "* 3", "top", "middle top");
}

static void
test_a_static_inline_function_is_built_though_nobody_calls_it(void **state)
{
	(void)state;
	char *text = edited(before, "x + 1", "x + 2"), *why = NULL;
	hd_reading *was = text_reading(before), *now = text_reading(text);
	hd_delta *delta = hd_delta_new(was, now, &why);
	GString *reduced = hd_delta_text(delta, now);
	assert_null(strstr(reduced->str, "inline"));
	assert_non_null(strstr(reduced->str, "x + 2"));
	g_string_free(reduced, TRUE);
	hd_delta_free(delta);
	hd_reading_free(was);
	hd_reading_free(now);
	g_free(text);
}

static void
test_broken_texts_have_no_outline_or_one(void **state)
{
	(void)state;
	/* Never read past the end, whatever is cut off. */
	for (gsize size = 0; size < strlen(before); size++) {
		char *text = g_strndup(before, size);
		hd_reading_free(text_reading(text));
		g_free(text);
	}
	assert_null(text_reading("int f(void) { return \"x; }"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changed),
		cmocka_unit_test(test_constants_are_tuned),
		cmocka_unit_test(test_who_comes_with_it),
		cmocka_unit_test(test_a_static_inline_function_is_built_though_nobody_calls_it),
		cmocka_unit_test(test_broken_texts_have_no_outline_or_one),
	};
	return cmocka_run_group_tests_name("instant: delta", tests, NULL, NULL);
}
