/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the views that need no terminal: options, the output's lines, the prompt. */
#include "config.h"

#include "base/error.h"
#include "hotdev/options.h"
#include "tui/log.h"
#include "tui/prompt.h"
#include "tui/terminal.h"

#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- options ---- */

#define PARSE(options, ...)                                                                                            \
	parse(options, (char *[]){"hotdev", __VA_ARGS__, NULL}, (int)G_N_ELEMENTS(((char *[]){"hotdev", __VA_ARGS__})))

static bool
parse(hd_options *options, char **argv, int argc)
{
	GError *error = NULL;
	bool ok = hd_options_parse(options, argc, argv, &error);
	assert_int_equal(ok, error == NULL);
	if (error)
		assert_int_equal(error->code, HD_ERROR_USAGE);
	g_clear_error(&error);
	return ok;
}

static void
options_have_the_defaults_of_the_contract(void **state)
{
	(void)state;
	hd_options options;
	assert_true(PARSE(&options, "./app", "--plain"));
	assert_int_equal(options.kind, HD_COMMAND_RUN);
	assert_false(options.plain);
	assert_int_equal(options.keep, 8);
	assert_int_equal(options.settle_ms, 3);
	assert_int_equal(options.patience_ms, 20);
	assert_int_equal(options.compiler, HD_COMPILER_AUTO);
	assert_false(options.restart_on_refuse);
	assert_int_equal(options.on_disagree, HD_DISAGREE_KEEP);
	assert_string_equal(options.arguments[0], "./app");
	assert_string_equal(options.arguments[1], "--plain");
	assert_null(options.arguments[2]);
}

static void
options_take_their_values(void **state)
{
	(void)state;
	hd_options options;
	assert_true(PARSE(&options, "--compiler=cc", "--keep", "3", "--on-refuse", "restart", "--on-disagree", "undo",
			  "--events", "-", "--plain", "--", "--app", "x"));
	assert_int_equal(options.compiler, HD_COMPILER_CC);
	assert_int_equal(options.keep, 3);
	assert_true(options.restart_on_refuse);
	assert_int_equal(options.on_disagree, HD_DISAGREE_UNDO);
	assert_true(options.plain);
	assert_string_equal(options.events, "-");
	assert_string_equal(options.arguments[0], "--app");
	assert_true(PARSE(&options, "ctl", "-s", "/x", "undo", "a.c"));
	assert_int_equal(options.kind, HD_COMMAND_CTL);
	assert_string_equal(options.socket, "/x");
	assert_string_equal(options.arguments[1], "a.c");
	assert_true(PARSE(&options, "doctor", "--json", "./app"));
	assert_true(options.json);
	assert_true(PARSE(&options, "--", "ctl"));
	assert_int_equal(options.kind, HD_COMMAND_RUN);
	assert_true(PARSE(&options, "--replay", "j"));
	assert_int_equal(options.kind, HD_COMMAND_REPLAY);
	assert_true(PARSE(&options, "--keep", "2", "--help"));
	assert_int_equal(options.kind, HD_COMMAND_HELP);
}

static void
wrong_usage_is_refused(void **state)
{
	(void)state;
	hd_options options;
	assert_false(PARSE(&options, "--plain"));
	assert_false(PARSE(&options, "--nonsense", "x"));
	assert_false(PARSE(&options, "-x", "x"));
	assert_false(PARSE(&options, "--keep", "0", "x"));
	assert_false(PARSE(&options, "--keep", "8x", "x"));
	assert_false(PARSE(&options, "--keep", "99999999999999999999", "x"));
	assert_false(PARSE(&options, "--keep"));
	assert_false(PARSE(&options, "--compiler", "icc", "x"));
	assert_false(PARSE(&options, "--plain=1", "x"));
	assert_false(PARSE(&options, "--events=", "x"));
	assert_false(PARSE(&options, "--json", "x"));
	assert_false(PARSE(&options, "doctor", "--plain", "x"));
	assert_false(PARSE(&options, "doctor", "x", "y"));
	assert_false(PARSE(&options, "ctl"));
	assert_false(PARSE(&options, "--replay", "j", "x"));
}

static void
help_fits_a_screen(void **state)
{
	(void)state;
	char *help = hd_options_help(), **lines = g_strsplit(help, "\n", -1);
	assert_in_range(g_strv_length(lines), 10, 30);
	g_strfreev(lines);
	g_free(help);
}

/* ---- the output's lines ---- */

static tui_log *
fed(const char *bytes, gsize piece)
{
	tui_log *log = tui_log_new(4, 1000);
	for (gsize at = 0, size = strlen(bytes); at < size; at += piece)
		tui_log_feed(log, bytes + at, MIN(piece, size - at));
	return log;
}

static void
output_is_lines_without_control_sequences(void **state)
{
	(void)state;
	static const char bytes[] = "\033[31mred\033[0m\n\033]0;title\033\\50%\r99%\nta\tb\nab\bc\033(B\nlast";
	/* However the bytes come in pieces. */
	for (gsize piece = 1; piece < sizeof bytes; piece++) {
		tui_log *log = fed(bytes, piece);
		assert_int_equal(tui_log_count(log), 5);
		assert_string_equal(tui_log_get(log, 0)->text, "red");
		assert_string_equal(tui_log_get(log, 1)->text, "99%");
		assert_string_equal(tui_log_get(log, 2)->text, "ta      b");
		assert_string_equal(tui_log_get(log, 3)->text, "ac");
		assert_string_equal(tui_log_get(log, 4)->text, "last");
		assert_false(tui_log_draws(log));
		tui_log_free(log);
	}
}

static void
output_kept_is_bounded(void **state)
{
	(void)state;
	tui_log *log = fed("1\n2\n3\n4\n5\n6\n", 3);
	assert_int_equal(tui_log_count(log), 4);
	assert_int_equal(tui_log_total(log), 6);
	assert_string_equal(tui_log_get(log, 0)->text, "3");
	assert_null(tui_log_get(log, 4));
	char *long_line = g_strnfill(100000, 'x');
	tui_log_feed(log, long_line, 100000);
	gsize bytes = 0;
	for (guint i = 0; i < tui_log_count(log); i++)
		bytes += strlen(tui_log_get(log, i)->text);
	assert_in_range(bytes, 1, 1000 + 4096);
	g_free(long_line);
	tui_log_free(log);
}

static void
a_program_that_moves_the_cursor_draws(void **state)
{
	(void)state;
	tui_log *log = fed("\033[12;4Hx", 1);
	assert_true(tui_log_draws(log));
	tui_log_free(log);
}

/* ---- the program's terminal ---- */

static void
ignore_change(void *data)
{
	(void)data;
}

/* The sizes and the bytes that libvterm's own resizing does not survive. */
static void
random_output_at_random_sizes_does_no_harm(void **state)
{
	(void)state;
	static const char final_bytes[] = "[;0123456789?hlHJKmLMPrABCDST@X";
	int master, slave;
	struct termios modes;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tcgetattr(slave, &modes);
	cfmakeraw(&modes);
	tcsetattr(slave, TCSANOW, &modes);
	GRand *random = g_rand_new_with_seed(3);
	tui_terminal *terminal = tui_terminal_new(master, 24, 80, ignore_change, NULL);
	for (int round = 0; round < 3000; round++) {
		char bytes[300];
		for (size_t i = 0; i < sizeof bytes; i++) {
			int kind = g_rand_int_range(random, 0, 10);
			bytes[i] = kind < 1   ? '\033'
				   : kind < 3 ? final_bytes[g_rand_int_range(random, 0, (int)sizeof final_bytes - 1)]
					      : (char)g_rand_int_range(random, 0, 256);
		}
		assert_int_equal(write(slave, bytes, sizeof bytes), sizeof bytes);
		while (g_main_context_iteration(NULL, FALSE))
			;
		/* Answers to the program's queries. */
		tcflush(slave, TCIFLUSH);
		if (round % 10 == 0)
			tui_terminal_resize(terminal, g_rand_int_range(random, 0, 60),
					    g_rand_int_range(random, 0, 200));
	}
	tui_terminal_free(terminal);
	g_rand_free(random);
	close(master);
	close(slave);
}

/* ---- the prompt ---- */

static void
type(tui_prompt *prompt, const char *keys)
{
	for (; *keys; keys = g_utf8_next_char(keys))
		tui_prompt_key(prompt, &(tui_key){.code = g_utf8_get_char(keys)});
}

static void
press(tui_prompt *prompt, gunichar code)
{
	tui_prompt_key(prompt, &(tui_key){.code = code});
}

static void
the_prompt_edits_a_line(void **state)
{
	(void)state;
	tui_prompt *prompt = tui_prompt_new();
	tui_prompt_start(prompt, NULL);
	type(prompt, "undö nxt.c");
	press(prompt, TUI_KEY_LEFT);
	press(prompt, TUI_KEY_LEFT);
	press(prompt, TUI_KEY_LEFT);
	press(prompt, TUI_KEY_BACKSPACE);
	type(prompt, "e");
	assert_string_equal(tui_prompt_text(prompt), "undö net.c");
	assert_int_equal(tui_prompt_cursor(prompt), 7);
	press(prompt, TUI_KEY_HOME);
	press(prompt, TUI_KEY_DELETE);
	press(prompt, TUI_KEY_LEFT);
	press(prompt, TUI_KEY_END);
	press(prompt, TUI_KEY_RIGHT);
	press(prompt, TUI_CONTROL('W'));
	assert_string_equal(tui_prompt_text(prompt), "ndö ");
	assert_int_equal(tui_prompt_key(prompt, &(tui_key){.code = TUI_KEY_ENTER}), PROMPT_DONE);
	tui_prompt_start(prompt, "new");
	press(prompt, TUI_KEY_UP);
	assert_string_equal(tui_prompt_text(prompt), "ndö ");
	press(prompt, TUI_KEY_UP);
	assert_string_equal(tui_prompt_text(prompt), "ndö ");
	assert_int_equal(tui_prompt_key(prompt, &(tui_key){.code = TUI_CONTROL('[')}), PROMPT_CANCELLED);
	tui_prompt_free(prompt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_have_the_defaults_of_the_contract),
		cmocka_unit_test(options_take_their_values),
		cmocka_unit_test(wrong_usage_is_refused),
		cmocka_unit_test(help_fits_a_screen),
		cmocka_unit_test(output_is_lines_without_control_sequences),
		cmocka_unit_test(output_kept_is_bounded),
		cmocka_unit_test(a_program_that_moves_the_cursor_draws),
		cmocka_unit_test(random_output_at_random_sizes_does_no_harm),
		cmocka_unit_test(the_prompt_edits_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
