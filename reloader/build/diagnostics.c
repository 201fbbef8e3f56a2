/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/diagnostics.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DIAGNOSTICS_MOST 1000 /* of one compilation; nobody reads on */

typedef struct {
	hd_diagnostics_name *name;
	void *data;
	GPtrArray *out;
	GString *raw;
} reader;

void
hd_diagnostic_free(hd_diagnostic *diagnostic)
{
	if (!diagnostic)
		return;
	hd_position_clear(&diagnostic->where);
	g_free(diagnostic->message);
	g_free(diagnostic);
}

const char *
hd_severity_name(hd_severity severity)
{
	static const char *const names[] = {"note", "warning", "error"};
	return names[severity];
}

hd_diagnostic *
hd_diagnostic_new(hd_severity severity, const char *file, int line, int column, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	hd_diagnostic *diagnostic = g_new0(hd_diagnostic, 1);
	diagnostic->severity = severity;
	diagnostic->where.file = g_strdup(file);
	diagnostic->where.line = MAX(line, 0);
	diagnostic->where.column = MAX(column, 0);
	diagnostic->message = g_strdup_vprintf(format, ap);
	va_end(ap);
	return diagnostic;
}

char *
hd_clean_text(const char *text, gssize size)
{
	char *clean = g_utf8_make_valid(text, size);
	for (char *p = clean; *p; p++)
		if (((guchar)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
			*p = '?';
	return clean;
}

static bool
severity_of(const char *word, hd_severity *severity)
{
	static const struct {
		const char *word;
		hd_severity severity;
	} words[] = {
		{"error", HD_SEVERITY_ERROR},
		{"fatal error", HD_SEVERITY_ERROR},
		{"internal compiler error", HD_SEVERITY_ERROR},
		{"sorry, unimplemented", HD_SEVERITY_ERROR},
		{"Error", HD_SEVERITY_ERROR},	    /* the assembler */
		{"Fatal error", HD_SEVERITY_ERROR}, /* the assembler */
		{"warning", HD_SEVERITY_WARNING},
		{"Warning", HD_SEVERITY_WARNING},
		{"note", HD_SEVERITY_NOTE},
		{"remark", HD_SEVERITY_NOTE},
	};
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(word, words[i].word) == 0) {
			*severity = words[i].severity;
			return true;
		}
	return false;
}

static void
add(reader *r, hd_severity severity, const char *file, int line, int column, const char *message)
{
	if (r->out->len >= DIAGNOSTICS_MOST)
		return;
	/* "<command-line>", "<built-in>": no file. */
	char *real = file && *file && *file != '<' ? r->name(file, r->data) : NULL;
	g_ptr_array_add(r->out, hd_diagnostic_new(severity, real, line, column, "%s", message));
	g_free(real);
}

/* --- gcc's JSON ------------------------------------------------------------ */

/* One diagnostic and the notes that hang on it. The format is described in
 * gcc(1) under -fdiagnostics-format=json. */
static void
add_json(reader *r, json_t *item, guint depth)
{
	const char *kind = json_string_value(json_object_get(item, "kind"));
	const char *text = json_string_value(json_object_get(item, "message"));
	const char *option = json_string_value(json_object_get(item, "option"));
	json_t *caret = json_object_get(json_array_get(json_object_get(item, "locations"), 0), "caret");
	const char *file = json_string_value(json_object_get(caret, "file"));
	int line = (int)json_integer_value(json_object_get(caret, "line"));
	int column = (int)json_integer_value(json_object_get(caret, "column"));
	hd_severity severity = HD_SEVERITY_ERROR;
	if (!kind || !text)
		return;
	severity_of(kind, &severity);
	char *message = option ? g_strdup_printf("%s [%s]", text, option) : g_strdup(text);
	add(r, severity, file, line, column, message);
	if (file)
		g_string_append_printf(r->raw, "%s:%d:%d: ", file, line, column);
	g_string_append_printf(r->raw, "%s: %s\n", kind, message);
	g_free(message);
	size_t index;
	json_t *child;
	if (depth < 8)
		json_array_foreach(json_object_get(item, "children"), index, child) add_json(r, child, depth + 1);
}

/* Whether the line was an array of diagnostics, which then are read. */
static bool
read_json_line(reader *r, const char *line)
{
	if (line[0] != '[')
		return false;
	json_t *array = json_loads(line, 0, NULL);
	if (!json_is_array(array)) {
		json_decref(array);
		return false;
	}
	size_t index;
	json_t *item;
	json_array_foreach(array, index, item) add_json(r, item, 0);
	json_decref(array);
	return true;
}

/* --- text ------------------------------------------------------------------ */

/* Takes ":digits" off the end of text; 0: there is none. */
static int
take_number(char *text)
{
	char *colon = strrchr(text, ':');
	if (!colon || !g_ascii_isdigit(colon[1]))
		return 0;
	char *end;
	long number = strtol(colon + 1, &end, 10);
	if (*end)
		return 0;
	*colon = '\0';
	return (int)CLAMP(number, 0, G_MAXINT);
}

/* "place: severity: message"; place may have colons and spaces in it. */
static void
read_text_line(reader *r, const char *line)
{
	for (const char *at = line; (at = strstr(at, ": ")); at += 2) {
		const char *word = at + 2;
		const char *end = strstr(word, ": ");
		hd_severity severity;
		if (!end)
			return;
		char *kind = g_strndup(word, (gsize)(end - word));
		bool found = severity_of(kind, &severity);
		g_free(kind);
		if (!found)
			continue;
		char *place = g_strndup(line, (gsize)(at - line));
		int last = take_number(place);
		int before = last ? take_number(place) : 0;
		if (last) /* without a line it is the name of a program: "clang: error: no input files" */
			add(r, severity, place, before ? before : last, before ? last : 0, end + 2);
		else
			add(r, severity, NULL, 0, 0, end + 2);
		g_free(place);
		return;
	}
}

void
hd_diagnostics_read(const char *output, gsize size, hd_diagnostics_name *name, void *data, GPtrArray *diagnostics,
		    GString *raw)
{
	reader r = {name, data, diagnostics, raw};
	char *text = hd_clean_text(output, (gssize)size);
	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (read_json_line(&r, line))
			continue;
		read_text_line(&r, line);
		g_string_append(raw, line);
		g_string_append_c(raw, '\n');
	}
	g_free(text);
}

void
hd_diagnostics_sort(GPtrArray *diagnostics)
{
	GPtrArray *sorted = g_ptr_array_new();
	for (int severity = HD_SEVERITY_ERROR; severity >= HD_SEVERITY_NOTE; severity--)
		for (guint i = 0; i < diagnostics->len; i++) {
			hd_diagnostic *diagnostic = g_ptr_array_index(diagnostics, i);
			if ((int)diagnostic->severity == severity)
				g_ptr_array_add(sorted, diagnostic);
		}
	for (guint i = 0; i < sorted->len; i++)
		g_ptr_array_index(diagnostics, i) = g_ptr_array_index(sorted, i);
	g_ptr_array_free(sorted, TRUE);
}
