/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/instant.h"

#include "reloader/instant/linemark.h"

#include <string.h>

/* A compiler that does not call itself GNU C is robbed of every __attribute__ by this header of glibc. */
#define CDEFS "/usr/include/x86_64-linux-gnu/sys/cdefs.h"

struct hd_instant {
	hd_tcc *tcc;
	GBytes *cdefs; /* without that definition; NULL: it is not there */
};

struct hd_instant_unit {
	hd_instant *instant;
	hd_dialect *dialect;
	char *source;	     /* canonical */
	hd_prelude *prelude; /* of the last text read; NULL: none */
};

/* Reading a text takes one question where the prelude is there, and three where it must be made. */
struct hd_instant_task {
	hd_instant_unit *unit;
	guint ticket;
	GBytes *text;
	gsize split;	 /* where the prelude ends */
	bool linemarked; /* the question includes linemark.h's file */
	GHashTable *overlay;
	hd_prelude *prelude;
	hd_reading *reading; /* made with a new prelude, and still to be proved */
	hd_instant_read_done *read;
	hd_instant_compiled *compiled;
	void *data;
};

/* The line stays, so that those behind it keep their numbers. */
static GBytes *
cdefs_with_attributes(void)
{
	char *text;
	gsize size;
	if (!g_file_get_contents(CDEFS, &text, &size, NULL))
		return NULL;
	for (char *at = text; (at = strstr(at, "define __attribute__(")); at++)
		memset(at, ' ', strcspn(at, "\n"));
	return g_bytes_new_take(text, size);
}

hd_instant *
hd_instant_new(const char *program)
{
	hd_instant *instant = g_new0(hd_instant, 1);
	instant->cdefs = cdefs_with_attributes();
	instant->tcc = hd_tcc_new(program);
	return instant;
}

void
hd_instant_free(hd_instant *instant)
{
	if (!instant)
		return;
	hd_tcc_free(instant->tcc);
	g_clear_pointer(&instant->cdefs, g_bytes_unref);
	g_free(instant);
}

void
hd_instant_set_time_limit(hd_instant *instant, guint milliseconds)
{
	hd_tcc_set_time_limit(instant->tcc, milliseconds);
}

hd_instant_unit *
hd_instant_unit_new(hd_instant *instant, const hd_command *command, char **why)
{
	hd_dialect *dialect = hd_dialect_new(command, why);
	if (!dialect)
		return NULL;
	hd_instant_unit *unit = g_new0(hd_instant_unit, 1);
	unit->instant = instant;
	unit->dialect = dialect;
	unit->source = g_strdup(command->source);
	return unit;
}

void
hd_instant_unit_free(hd_instant_unit *unit)
{
	if (!unit)
		return;
	hd_dialect_free(unit->dialect);
	hd_prelude_unref(unit->prelude);
	g_free(unit->source);
	g_free(unit);
}

/* ---- tasks ---- */

static void
task_free(hd_instant_task *task)
{
	g_clear_pointer(&task->text, g_bytes_unref);
	g_clear_pointer(&task->overlay, g_hash_table_unref);
	hd_prelude_unref(task->prelude);
	hd_reading_free(task->reading);
	g_free(task);
}

void
hd_instant_cancel(hd_instant_task *task)
{
	hd_tcc_cancel(task->unit->instant->tcc, task->ticket);
	task_free(task);
}

/* Takes reading. The task is over before the callback, which may begin another. */
static void
finish_reading(hd_instant_task *task, hd_reading *reading, const char *why)
{
	hd_instant_read_done *done = task->read;
	void *data = task->data;
	char *reason = g_strdup(why);
	task_free(task);
	done(reading, reason, data);
	g_free(reason);
}

/* What libtcc said, in one line. */
static char *
reason_of(const hd_tcc_answer *answer)
{
	if (answer->lost)
		return g_strdup(HD_INSTANT_LOST);
	const char *error = strstr(answer->messages, "error:");
	const char *line = error;
	while (line && line > answer->messages && line[-1] != '\n')
		line--;
	if (!line)
		return g_strdup("libtcc refused it");
	return g_strdup_printf("libtcc refused it: %.*s", (int)strcspn(line, "\n"), line);
}

static void
fail_reading(hd_instant_task *task, const hd_tcc_answer *answer)
{
	char *why = reason_of(answer);
	finish_reading(task, NULL, why);
	g_free(why);
}

/* ---- questions ---- */

/* bytes NULL: none. */
static void
add_file(hd_tcc_question *question, const char *path, GBytes *bytes)
{
	if (!bytes)
		return;
	hd_tcc_question_add(question, HD_WIRE_PATH, path, -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes));
}

static void
ask(hd_instant_task *task, hd_wire_task what, const char *text, gsize size, hd_tcc_done *done)
{
	hd_tcc_question *question = hd_tcc_question_new(what);
	hd_dialect_apply(task->unit->dialect, question);
	hd_tcc_question_add(question, HD_WIRE_PATH, hd_dialect_source(task->unit->dialect), -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, text, (gssize)size);
	add_file(question, CDEFS, task->unit->instant->cdefs);
	if (task->linemarked) {
		hd_tcc_question_add(question, HD_WIRE_PATH, HD_LINEMARK_PATH, -1);
		hd_tcc_question_add(question, HD_WIRE_TEXT, HD_LINEMARK_TEXT, -1);
	}
	GHashTableIter iter;
	gpointer path, bytes;
	if (task->overlay)
		g_hash_table_iter_init(&iter, task->overlay);
	while (task->overlay && g_hash_table_iter_next(&iter, &path, &bytes)) {
		if (strcmp(path, task->unit->source) != 0)
			add_file(question, path, bytes);
	}
	task->ticket = hd_tcc_ask(task->unit->instant->tcc, question, done, task);
}

/* What is to come are lines of the source. libtcc puts the folder of the file it reads in front of the name. */
static void
append_marker(const hd_instant_unit *unit, guint line, GString *lines)
{
	char *name = g_path_get_basename(hd_dialect_source(unit->dialect));
	g_string_append_printf(lines, "# %u \"%s\"\n", line, name);
	g_free(name);
}

/* The text from `split` on, behind the lines given, with its own line numbers. */
static void
ask_from(hd_instant_task *task, GString *lines, gsize split, hd_tcc_done *done)
{
	gsize size;
	const char *text = g_bytes_get_data(task->text, &size);
	guint line = 1;
	for (gsize i = 0; i < split; i++)
		line += text[i] == '\n';
	append_marker(task->unit, line, lines);
	task->linemarked = hd_linemark_append(lines, text + split, size - split);
	g_string_append_c(lines, '\n');
	ask(task, HD_WIRE_PREPROCESS, lines->str, lines->len, done);
	g_string_free(lines, TRUE);
}

static void
ask_whole(hd_instant_task *task, hd_tcc_done *done)
{
	ask_from(task, g_string_new(hd_dialect_preamble(task->unit->dialect)), 0, done);
}

static void
ask_own(hd_instant_task *task, hd_tcc_done *done)
{
	gsize size;
	const char *text = g_bytes_get_data(task->text, &size);
	GString *lines = g_string_sized_new(size + 8192);
	hd_prelude_macros(task->prelude, text + task->split, size - task->split, lines);
	ask_from(task, lines, task->split, done);
}

/* ---- reading ---- */

/* The whole text, without a prelude. */
static void
whole_read(const hd_tcc_answer *answer, void *data)
{
	hd_instant_task *task = data;
	if (!answer->good) {
		fail_reading(task, answer);
		return;
	}
	hd_outline *outline = hd_outline_new(answer->text, answer->size);
	if (outline)
		finish_reading(task, hd_reading_new(NULL, outline), NULL);
	else
		finish_reading(task, NULL, "hotdev cannot tell where its declarations begin and end");
}

static void
own_read(const hd_tcc_answer *answer, void *data)
{
	hd_instant_task *task = data;
	hd_outline *outline = answer->good ? hd_outline_new(answer->text, answer->size) : NULL;
	if (outline)
		finish_reading(task, hd_reading_new(hd_prelude_ref(task->prelude), outline), NULL);
	else
		ask_whole(task, whole_read);
}

static bool
same_declarations(const hd_reading *one, const hd_reading *other)
{
	bool same = hd_reading_count(one) == hd_reading_count(other);
	for (guint i = 0; same && i < hd_reading_count(one); i++) {
		const hd_declaration *a = hd_reading_at(one, i), *b = hd_reading_at(other, i);
		same = a->kind == b->kind && a->head == b->head && a->content == b->content;
	}
	return same;
}

/* A new prelude is trusted once it has given the same as the whole text. */
static void
prelude_proved(const hd_tcc_answer *answer, void *data)
{
	hd_instant_task *task = data;
	hd_outline *outline = answer->good ? hd_outline_new(answer->text, answer->size) : NULL;
	if (!outline) {
		if (answer->good)
			finish_reading(task, NULL, "hotdev cannot tell where its declarations begin and end");
		else
			fail_reading(task, answer);
		return;
	}
	hd_reading *whole = hd_reading_new(NULL, outline);
	if (!same_declarations(whole, task->reading)) {
		finish_reading(task, whole, NULL);
		return;
	}
	hd_reading_free(whole);
	if (!task->overlay) {
		hd_prelude_unref(task->unit->prelude);
		task->unit->prelude = hd_prelude_ref(task->prelude);
	}
	finish_reading(task, g_steal_pointer(&task->reading), NULL);
}

static void
own_read_first(const hd_tcc_answer *answer, void *data)
{
	hd_instant_task *task = data;
	hd_outline *outline = answer->good ? hd_outline_new(answer->text, answer->size) : NULL;
	if (outline)
		task->reading = hd_reading_new(hd_prelude_ref(task->prelude), outline);
	ask_whole(task, outline ? prelude_proved : whole_read);
}

static void
prelude_read(const hd_tcc_answer *answer, void *data)
{
	hd_instant_task *task = data;
	const char *text = g_bytes_get_data(task->text, NULL);
	if (answer->good)
		task->prelude = hd_prelude_new(text, task->split, answer->text, answer->size, task->unit->dialect);
	if (task->prelude)
		ask_own(task, own_read_first);
	else
		ask_whole(task, whole_read);
}

hd_instant_task *
hd_instant_read(hd_instant_unit *unit, GBytes *text, GHashTable *overlay, hd_instant_read_done *done, void *data)
{
	hd_instant_task *task = g_new0(hd_instant_task, 1);
	gsize size;
	const char *bytes = g_bytes_get_data(text, &size);
	task->unit = unit;
	task->text = g_bytes_ref(text);
	task->overlay = overlay ? g_hash_table_ref(overlay) : NULL;
	task->read = done;
	task->data = data;
	task->split = hd_prelude_length(bytes, size);
	if (hd_linemark_is_in(bytes, task->split)) /* where the text goes on is another line than its place says */
		task->split = 0;
	if (unit->prelude && !overlay && hd_prelude_serves(unit->prelude, bytes, task->split)) {
		task->prelude = hd_prelude_ref(unit->prelude);
		ask_own(task, own_read);
	} else if (task->split) {
		GString *lines = g_string_new(hd_dialect_preamble(unit->dialect));
		append_marker(unit, 1, lines);
		g_string_append_len(lines, bytes, (gssize)task->split);
		ask(task, HD_WIRE_MACROS, lines->str, lines->len, prelude_read);
		g_string_free(lines, TRUE);
	} else
		ask_whole(task, whole_read);
	return task;
}

/* ---- compiling ---- */

static void
compiled(const hd_tcc_answer *answer, void *data)
{
	hd_instant_task *task = data;
	hd_instant_compiled *done = task->compiled;
	void *theirs = task->data;
	char *why = answer->good ? NULL : reason_of(answer);
	GBytes *object = answer->good ? g_bytes_new(answer->text, answer->size) : NULL;
	task_free(task);
	done(object, why, theirs);
	g_free(why);
}

hd_instant_task *
hd_instant_compile(hd_instant_unit *unit, const GString *text, hd_instant_compiled *done, void *data)
{
	hd_instant_task *task = g_new0(hd_instant_task, 1);
	task->unit = unit;
	task->compiled = done;
	task->data = data;
	hd_tcc_question *question = hd_tcc_question_new(HD_WIRE_COMPILE);
	char *name =
		g_path_get_basename(hd_dialect_source(unit->dialect)); /* so that the text's markers stay as they are */
	hd_tcc_question_add(question, HD_WIRE_FOLDER, hd_dialect_folder(unit->dialect), -1);
	hd_tcc_question_add(question, HD_WIRE_SOURCE, name, -1);
	hd_tcc_question_add(question, HD_WIRE_OPTION, "-g -std=c11 -Wunsupported", -1);
	hd_tcc_question_add(question, HD_WIRE_PATH, name, -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, text->str, (gssize)text->len);
	g_free(name);
	task->ticket = hd_tcc_ask(unit->instant->tcc, question, compiled, task);
	return task;
}
