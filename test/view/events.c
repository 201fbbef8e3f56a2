/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as JSON, as lines, and back; hostile text in them. */
#include "config.h"

#include "base/text.h"
#include "hotdev/journal_model.h"
#include "hotdev/jsonl.h"
#include "hotdev/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glib/gstdio.h>

static const char *const journal[] = {
	"{\"v\":1,\"t\":0.5,\"event\":\"ready\",\"pid\":7,\"program\":\"./app\",\"modules\":2,\"startup_ms\":41.5}",
	"{\"v\":1,\"t\":1.0,\"event\":\"saved\",\"files\":[\"net.c\",\"net.h\"]}",
	"{\"v\":1,\"t\":1.25,\"event\":\"failed\",\"files\":[\"net.c\"],\"compiler\":\"gcc\",\"diagnostics\":[{"
	"\"file\":"
	"\"net.c\",\"line\":3,\"column\":2,\"severity\":\"error\",\"message\":\"no\"},{\"file\":\"net.c\",\"line\":1,"
	"\"severity\":\"note\",\"message\":\"here\"}]}",
	"{\"v\":1,\"t\":1.5,\"event\":\"held\",\"modules\":[\"net.c\"],\"code\":\"HD101\",\"reason\":\"grew\","
	"\"where\":{"
	"\"file\":\"net.h\",\"line\":4},\"remedy\":\"undo\",\"refusals\":[{\"module\":\"net.c\",\"code\":\"HD101\","
	"\"reason\":\"grew\",\"where\":{\"file\":\"net.h\",\"line\":4},\"remedy\":\"undo\"}]}",
	"{\"v\":1,\"t\":1.75,\"event\":\"waiting\",\"modules\":[\"net.c\"],\"blockers\":[{\"pid\":7,\"tid\":8,"
	"\"thread\":"
	"\"io\",\"function\":\"f\",\"module\":\"net.c\",\"version\":0,\"file\":\"net.c\",\"line\":9}]}",
	"{\"v\":1,\"t\":2.0,\"event\":\"live\",\"transaction\":1,\"modules\":[{\"module\":\"net.c\",\"version\":2,"
	"\"previous\":1,\"compiler\":\"gcc\",\"functions\":[\"f\",\"g\"],\"data\":[\"f.count\"]}],\"processes\":1,"
	"\"threads\":3,\"save_to_live_ms\":6.125,\"compile_ms\":4.0,\"link_ms\":0.75,\"pause_us\":90.5}",
	"{\"v\":1,\"t\":2.25,\"event\":\"unchanged\",\"files\":[\"net.c\"]}",
	"{\"v\":1,\"t\":2.5,\"event\":\"promoted\",\"transaction\":2,\"modules\":[],\"processes\":1,\"threads\":3,"
	"\"save_to_live_ms\":0.0,\"compile_ms\":0.0,\"link_ms\":0.0,\"pause_us\":1.0}",
	"{\"v\":1,\"t\":2.75,\"event\":\"pinned\",\"pid\":7,\"tid\":8,\"thread\":\"io\",\"function\":\"f\",\"module\":"
	"\"net.c\",\"version\":1,\"file\":\"net.c\",\"line\":9}",
	"{\"v\":1,\"t\":3.0,\"event\":\"released\",\"pid\":7,\"tid\":8,\"thread\":\"io\",\"function\":null,\"module\":"
	"null,\"version\":null,\"file\":null,\"line\":0}",
	"{\"v\":1,\"t\":3.25,\"event\":\"undone\",\"transaction\":1,\"modules\":[{\"module\":\"net.c\",\"version\":1,"
	"\"compiler\":null,\"functions\":[],\"data\":[]}],\"processes\":1,\"threads\":3,\"save_to_live_ms\":0.0,"
	"\"compile_ms\":0.0,\"link_ms\":0.0,\"pause_us\":2.0}",
	"{\"v\":1,\"t\":3.5,\"event\":\"redone\",\"transaction\":1,\"modules\":[],\"processes\":1,\"threads\":3,"
	"\"save_to_live_ms\":0.0,\"compile_ms\":0.0,\"link_ms\":0.0,\"pause_us\":2.0}",
	"{\"v\":1,\"t\":3.75,\"event\":\"purged\",\"module\":\"net.c\",\"version\":1,\"bytes\":4096}",
	"{\"v\":1,\"t\":4.0,\"event\":\"process\",\"pid\":9,\"ppid\":7,\"change\":\"forked\",\"status\":null}",
	"{\"v\":1,\"t\":4.25,\"event\":\"crashed\",\"pid\":7,\"tid\":8,\"signal\":11,\"stack\":[{\"function\":\"f\","
	"\"module\":\"net.c\",\"version\":2,\"file\":\"net.c\",\"line\":9}]}",
	"{\"v\":1,\"t\":4.5,\"event\":\"warning\",\"code\":\"enum\",\"message\":\"renumbered\",\"file\":\"net.h\","
	"\"line\":2}",
};

static hd_event *
parse(const char *line)
{
	json_error_t where;
	json_t *json = json_loads(line, 0, &where);
	assert_non_null(json);
	hd_event *event = hd_event_from_json(json, NULL);
	json_decref(json);
	assert_non_null(event);
	return event;
}

static void
every_event_says_in_json_what_it_was_made_of(void **state)
{
	(void)state;
	assert_int_equal(G_N_ELEMENTS(journal), HD_EVENT_COUNT);
	for (int kind = 0; kind < HD_EVENT_COUNT; kind++) {
		hd_event *event = parse(journal[kind]);
		assert_int_equal(event->kind, kind);
		char *again = hd_jsonl(hd_event_json(event));
		g_strchomp(again);
		assert_string_equal(again, journal[kind]);
		g_free(again);
		hd_event_unref(event);
	}
}

static void
assert_line(hd_event_kind kind, const char *wanted)
{
	hd_event *event = parse(journal[kind]);
	char *line = hd_event_line(event);
	assert_string_equal(line, wanted);
	g_free(line);
	hd_event_unref(event);
}

static void
lines_say_scope_and_outcome(void **state)
{
	(void)state;
	assert_line(HD_EVENT_LIVE,
		    "net.c v1 → v2 live · 2 functions, 1 datum · 6.1 ms (gcc 4.0, link 0.8, pause 0.09) · "
		    "state kept");
	assert_line(HD_EVENT_FAILED, "net.c failed: 1 error (gcc), the old code runs on");
	assert_line(HD_EVENT_HELD, "HD101 held: net.c: grew (net.h:4). Remedy: undo");
	assert_line(HD_EVENT_WAITING, "net.c waiting: io (8) is inside f net.c:9");
	assert_line(HD_EVENT_PINNED, "io (8) is still inside net.c v1: f net.c:9");
	assert_line(HD_EVENT_CRASHED, "crashed: SIGSEGV in thread 8 of process 7, in f net.c:9");
	assert_line(HD_EVENT_PURGED, "net.c v1 purged · 4.0 KiB given back");
	assert_line(HD_EVENT_SAVED, "net.c, net.h saved");
}

static void
an_empty_event_of_every_kind_can_be_said(void **state)
{
	(void)state;
	for (int kind = 0; kind < HD_EVENT_COUNT; kind++) {
		hd_event *event = hd_event_new(kind);
		char *line = hd_event_line(event), *json = hd_jsonl(hd_event_json(event)),
		     *plain = hd_plain_text(event, NULL, true);
		assert_true(g_str_has_suffix(json, "}\n"));
		assert_true(g_str_is_ascii(plain));
		g_free(line);
		g_free(json);
		g_free(plain);
		hd_event_unref(hd_event_ref(event));
		hd_event_unref(event);
	}
}

/* What no terminal may get: C0 but the newline, DEL, C1. */
static bool
is_harmless(const char *text)
{
	if (!g_utf8_validate(text, -1, NULL))
		return false;
	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);
		if (c != '\n' && (c < 0x20 || (c >= 0x7f && c < 0xa0)))
			return false;
	}
	return true;
}

static void
hostile_bytes_stay_harmless(void **state)
{
	(void)state;
	static const char evil[] = "a\033[2Jb\x07\x9b"
				   "31m\xc2\x9b\xe2\x80\xae\x7f\xff\n\tend";
	char *clean = hd_text_clean(evil, -1);
	assert_true(is_harmless(clean));
	assert_null(strchr(clean, '\n'));
	g_free(clean);
	hd_event *event = hd_event_new(HD_EVENT_FAILED);
	g_ptr_array_add(event->files, g_strdup(evil));
	hd_diagnostic *diagnostic = g_new0(hd_diagnostic, 1);
	diagnostic->message = g_strdup(evil);
	diagnostic->where.file = g_strdup(evil);
	diagnostic->severity = HD_SEVERITY_ERROR;
	g_ptr_array_add(event->diagnostics, diagnostic);
	char *plain = hd_plain_text(event, NULL, false), *json = hd_jsonl(hd_event_json(event));
	assert_true(is_harmless(plain));
	assert_true(is_harmless(json));
	g_free(plain);
	g_free(json);
	hd_event_unref(event);
}

static void
random_bytes_stay_harmless(void **state)
{
	(void)state;
	GRand *random = g_rand_new_with_seed(7);
	for (int i = 0; i < 20000; i++) {
		char bytes[24];
		for (size_t j = 0; j < sizeof bytes; j++)
			bytes[j] = (char)g_rand_int_range(random, 0, 256);
		char *clean = hd_text_clean(bytes, sizeof bytes), *ascii = hd_text_ascii(clean);
		assert_true(is_harmless(clean));
		assert_true(g_str_is_ascii(ascii));
		assert_true(hd_text_width(clean) >= 0);
		g_free(clean);
		g_free(ascii);
	}
	g_rand_free(random);
}

static void
the_caret_stands_under_the_byte_whatever_tabs_and_width(void **state)
{
	(void)state;
	int caret;
	char *folder = g_dir_make_tmp("hotdev-XXXXXX", NULL), *path = g_build_filename(folder, "a.c", NULL);
	assert_true(g_file_set_contents(path, "one\n\tif (x)\n\303\251\344\270\255x;\r\nlast", -1, NULL));
	char *line = hd_text_source_line(folder, "a.c", 2, 2, &caret);
	assert_string_equal(line, "        if (x)");
	assert_int_equal(caret, 8);
	g_free(line);
	line = hd_text_source_line(NULL, path, 3, 6, &caret);
	assert_string_equal(line, "\303\251\344\270\255x;");
	assert_int_equal(caret, 3);
	g_free(line);
	line = hd_text_source_line(folder, "a.c", 4, 5, &caret);
	assert_string_equal(line, "last");
	assert_int_equal(caret, 4);
	g_free(line);
	line = hd_text_source_line(folder, "a.c", 2, 13, &caret);
	assert_int_equal(caret, 12);
	g_free(line);
	assert_string_equal(hd_text_below("/a/b", "/a/b/c.c"), "c.c");
	assert_string_equal(hd_text_below("/a/b", "/a/bc/c.c"), "/a/bc/c.c");
	assert_null(hd_text_source_line(folder, "a.c", 5, 1, &caret));
	assert_null(hd_text_source_line(folder, "b.c", 1, 1, &caret));
	assert_null(hd_text_source_line(NULL, "/dev/zero", 1, 1, &caret));
	g_remove(path);
	g_rmdir(folder);
	g_free(path);
	g_free(folder);
}

static void
plain_text_shows_the_source_under_a_diagnostic(void **state)
{
	(void)state;
	char *folder = g_dir_make_tmp("hotdev-XXXXXX", NULL), *path = g_build_filename(folder, "net.c", NULL);
	assert_true(g_file_set_contents(path, "1\n2\n  bad\n", -1, NULL));
	hd_event *event = parse(journal[HD_EVENT_FAILED]);
	char *text = hd_plain_text(event, folder, false);
	assert_string_equal(text, "hotdev: net.c failed: 1 error (gcc), the old code runs on\n"
				  "  net.c:3:2: error: no\n"
				  "      3 |   bad\n"
				  "        |  ^\n"
				  "  net.c:1: note: here\n"
				  "      1 | 1\n");
	g_free(text);
	hd_event_unref(event);
	g_remove(path);
	g_rmdir(folder);
	g_free(path);
	g_free(folder);
}

static const hd_module_view *
only_module(const hd_journal_model *model)
{
	tui_snapshot snapshot;
	hd_journal_model_snapshot(model, &snapshot);
	assert_int_equal(snapshot.modules->len, 1);
	return snapshot.modules->pdata[0];
}

static void
apply(hd_journal_model *model, hd_event_kind kind)
{
	hd_event *event = parse(journal[kind]);
	hd_journal_model_apply(model, event);
	hd_event_unref(event);
}

static void
a_journal_makes_a_model(void **state)
{
	(void)state;
	hd_journal_model *model = hd_journal_model_new();
	apply(model, HD_EVENT_READY);
	apply(model, HD_EVENT_FAILED);
	assert_int_equal(only_module(model)->state, HD_MODULE_ERROR);
	assert_int_equal(only_module(model)->diagnostics->len, 2);
	apply(model, HD_EVENT_HELD);
	assert_int_equal(only_module(model)->state, HD_MODULE_HELD);
	assert_null(only_module(model)->diagnostics);
	assert_string_equal(only_module(model)->refusal->reason, "grew");
	apply(model, HD_EVENT_LIVE);
	assert_int_equal(only_module(model)->state, HD_MODULE_LIVE);
	assert_int_equal(only_module(model)->live, 2);
	assert_null(only_module(model)->refusal);
	apply(model, HD_EVENT_PINNED);
	assert_int_equal(only_module(model)->pins, 1);
	apply(model, HD_EVENT_UNDONE);
	assert_int_equal(only_module(model)->state, HD_MODULE_UNDONE);
	assert_int_equal(only_module(model)->live, 1);
	hd_journal_model_free(model);
}

static void
a_damaged_journal_never_harms(void **state)
{
	(void)state;
	static const char *const words[] = {"\"x\"", "null", "-1", "1e300", "[]", "{}", "[null,[],{}]", "true"};
	hd_journal_model *model = hd_journal_model_new();
	for (size_t kind = 0; kind < G_N_ELEMENTS(journal); kind++) {
		json_error_t where;
		json_t *good = json_loads(journal[kind], 0, &where), *value;
		const char *key;
		json_object_foreach(good, key, value)
		{
			for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
				json_t *bad = json_deep_copy(good);
				json_object_set_new(bad, key, json_loads(words[i], JSON_DECODE_ANY, &where));
				hd_event *event = hd_event_from_json(bad, NULL);
				if (event) {
					char *line = hd_event_line(event);
					assert_true(is_harmless(line));
					g_free(line);
					json_decref(hd_event_json(event));
					hd_journal_model_apply(model, event);
				}
				hd_event_unref(event);
				json_decref(bad);
			}
		}
		json_decref(good);
	}
	hd_journal_model_free(model);
}

static void
a_journal_cut_short_is_read_up_to_there(void **state)
{
	(void)state;
	char *folder = g_dir_make_tmp("hotdev-XXXXXX", NULL), *path = g_build_filename(folder, "j", NULL);
	char *text = g_strdup_printf("%s\n%s\n%.20s", journal[0], journal[1], journal[2]);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	GPtrArray *events = hd_journal_read(path, NULL);
	assert_int_equal(events->len, 2);
	g_ptr_array_unref(events);
	assert_true(g_file_set_contents(path, "{\"event\":\"ready\"}\nnonsense\n", -1, NULL));
	GError *error = NULL;
	assert_null(hd_journal_read(path, &error));
	assert_non_null(strstr(error->message, "line 2"));
	g_error_free(error);
	g_free(text);
	g_remove(path);
	g_rmdir(folder);
	g_free(path);
	g_free(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_says_in_json_what_it_was_made_of),
		cmocka_unit_test(lines_say_scope_and_outcome),
		cmocka_unit_test(an_empty_event_of_every_kind_can_be_said),
		cmocka_unit_test(hostile_bytes_stay_harmless),
		cmocka_unit_test(random_bytes_stay_harmless),
		cmocka_unit_test(the_caret_stands_under_the_byte_whatever_tabs_and_width),
		cmocka_unit_test(plain_text_shows_the_source_under_a_diagnostic),
		cmocka_unit_test(a_journal_makes_a_model),
		cmocka_unit_test(a_damaged_journal_never_harms),
		cmocka_unit_test(a_journal_cut_short_is_read_up_to_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
