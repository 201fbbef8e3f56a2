/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libtcc's process: it answers, refuses, takes too long, and may be gone. */
#include "config.h"

#include "reloader/instant/tcc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <string.h>

#define SERVER "reloader/instant/hotdev-tcc"

typedef struct {
	guint answers;
	bool good, lost;
	gsize size;
	char messages[512];
} heard;

static void
hear(const hd_tcc_answer *answer, void *data)
{
	heard *h = data;
	h->answers++;
	h->good = answer->good;
	h->lost = answer->lost;
	h->size = answer->size;
	g_strlcpy(h->messages, answer->messages, sizeof h->messages);
}

static guint
ask(hd_tcc *tcc, const char *text, heard *h)
{
	hd_tcc_question *question = hd_tcc_question_new(HD_WIRE_COMPILE);
	hd_tcc_question_add(question, HD_WIRE_FOLDER, "/", -1);
	hd_tcc_question_add(question, HD_WIRE_SOURCE, "a.c", -1);
	hd_tcc_question_add(question, HD_WIRE_OPTION, "-g", -1);
	hd_tcc_question_add(question, HD_WIRE_PATH, "a.c", -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, text, -1);
	return hd_tcc_ask(tcc, question, hear, h);
}

static void
wait_for(const heard *h)
{
	while (!h->answers)
		g_main_context_iteration(NULL, TRUE);
}

static void
test_it_compiles_and_refuses(void **state)
{
	(void)state;
	hd_tcc *tcc = hd_tcc_new(SERVER);
	heard good = {0}, bad = {0}, again = {0};
	ask(tcc, "int f(void) { return 1; }\n", &good);
	ask(tcc, "int f(void) { return }\n", &bad);
	ask(tcc, "int g(void) { return 2; }\n", &again);
	wait_for(&again);
	assert_true(good.answers == 1 && good.good && good.size > 0);
	assert_true(bad.answers == 1 && !bad.good && !bad.lost);
	assert_non_null(strstr(bad.messages, "a.c:"));
	assert_true(again.good);
	hd_tcc_free(tcc);
}

static void
test_one_that_cannot_be_started_is_lost(void **state)
{
	(void)state;
	hd_tcc *tcc = hd_tcc_new("/nonexistent/hotdev-tcc");
	heard h = {0};
	ask(tcc, "int f(void) { return 1; }\n", &h);
	wait_for(&h);
	assert_true(h.lost && !h.good);
	hd_tcc_free(tcc);
}

/* Macros that double make a text which no time suffices for. */
static char *
endless(void)
{
	GString *text = g_string_new("#define A0 1+1+1+1+1+1+1+1\n");
	for (int i = 1; i < 12; i++)
		g_string_append_printf(text, "#define A%d A%d+A%d+A%d+A%d+A%d+A%d+A%d+A%d\n", i, i - 1, i - 1, i - 1,
				       i - 1, i - 1, i - 1, i - 1, i - 1);
	g_string_append(text, "int f(void) { return A11; }\n");
	return g_string_free(text, FALSE);
}

static void
test_an_endless_compilation_is_ended_and_the_next_is_answered(void **state)
{
	(void)state;
	hd_tcc *tcc = hd_tcc_new(SERVER);
	hd_tcc_set_time_limit(tcc, 200);
	char *text = endless();
	heard h = {0}, next = {0};
	ask(tcc, text, &h);
	wait_for(&h);
	assert_true(h.lost && !h.good);
	hd_tcc_set_time_limit(tcc, 20000);
	ask(tcc, "int f(void) { return 1; }\n", &next);
	wait_for(&next);
	assert_true(next.good);
	g_free(text);
	hd_tcc_free(tcc);
}

static void
test_a_cancelled_question_is_not_answered(void **state)
{
	(void)state;
	hd_tcc *tcc = hd_tcc_new(SERVER);
	heard h = {0}, next = {0};
	hd_tcc_cancel(tcc, ask(tcc, "int f(void) { return 1; }\n", &h));
	ask(tcc, "int g(void) { return 1; }\n", &next);
	wait_for(&next);
	assert_true(next.good);
	assert_int_equal(h.answers, 0);
	hd_tcc_free(tcc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_compiles_and_refuses),
		cmocka_unit_test(test_one_that_cannot_be_started_is_lost),
		cmocka_unit_test(test_an_endless_compilation_is_ended_and_the_next_is_answered),
		cmocka_unit_test(test_a_cancelled_question_is_not_answered),
	};
	return cmocka_run_group_tests_name("instant: tcc", tests, NULL, NULL);
}
