/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/text.h"

#include <glib/gstdio.h>
#include <langinfo.h>
#include <string.h>
#include <sys/stat.h>

enum {
	TAB_WIDTH = 8,
	SOURCE_LIMIT = 16 << 20, /* bytes of a file that is read for one line of it */
	LINE_LIMIT = 4096,	 /* bytes of a line that is shown */
};

static bool
is_harmless(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_FORMAT:
	case G_UNICODE_SURROGATE:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return false;
	default:
		return true;
	}
}

char *
hd_text_clean(const char *text, gssize length)
{
	if (!text)
		return g_strdup("");
	const char *end = text + (length < 0 ? strlen(text) : (gsize)length);
	GString *out = g_string_sized_new(end - text + 1);
	while (text < end) {
		gunichar c = g_utf8_get_char_validated(text, end - text);
		if (c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append(out, "\357\277\275");
			text++;
			continue;
		}
		if (c == '\t' || c == '\n' || c == '\r')
			g_string_append_c(out, ' ');
		else
			g_string_append_unichar(out, is_harmless(c) ? c : 0xfffd);
		text = g_utf8_next_char(text);
	}
	return g_string_free(out, FALSE);
}

char *
hd_text_ascii(const char *utf8)
{
	static const struct {
		gunichar from;
		const char *to;
	} likeness[] = {
		{0x2192, "->"}, {0x00b7, "|"}, {0x2026, "..."}, {0x2018, "'"}, {0x2019, "'"}, {0x201c, "\""},
		{0x201d, "\""}, {0x2013, "-"}, {0x2014, "-"},	{0x00b5, "u"}, {0x2500, "-"}, {0x2502, "|"},
		{0x25b8, ">"},	{0x25be, "v"}, {0x2514, "`"},	{0x251c, "|"},
	};
	GString *out = g_string_sized_new(strlen(utf8) + 8);
	for (; *utf8; utf8 = g_utf8_next_char(utf8)) {
		gunichar c = g_utf8_get_char(utf8);
		if (c < 0x80) {
			g_string_append_c(out, (char)c);
			continue;
		}
		const char *to = hd_text_character_width(c) == 0 ? "" : "?";
		for (gsize i = 0; i < G_N_ELEMENTS(likeness); i++)
			if (likeness[i].from == c)
				to = likeness[i].to;
		g_string_append(out, to);
	}
	return g_string_free(out, FALSE);
}

bool
hd_text_locale_is_ascii(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

char *
hd_text_local(const char *text)
{
	char *clean = hd_text_clean(text, -1);
	if (!hd_text_locale_is_ascii())
		return clean;
	char *ascii = hd_text_ascii(clean);
	g_free(clean);
	return ascii;
}

int
hd_text_character_width(gunichar c)
{
	if (g_unichar_iszerowidth(c))
		return 0;
	return g_unichar_iswide(c) ? 2 : 1;
}

int
hd_text_width(const char *utf8)
{
	int width = 0;
	for (; *utf8; utf8 = g_utf8_next_char(utf8))
		width += hd_text_character_width(g_utf8_get_char(utf8));
	return width;
}

const char *
hd_text_below(const char *project, const char *file)
{
	size_t length = project ? strlen(project) : 0;
	if (length == 0 || strncmp(file, project, length) != 0 || file[length] != '/')
		return file;
	return file + length + 1;
}

char *
hd_text_size(gsize bytes)
{
	if (bytes < 1024)
		return g_strdup_printf("%" G_GSIZE_FORMAT " bytes", bytes);
	double kilo = (double)bytes / 1024;
	return kilo < 1024 ? g_strdup_printf("%.1f KiB", kilo) : g_strdup_printf("%.1f MiB", kilo / 1024);
}

static GBytes *
read_source(const char *project, const char *file)
{
	char *path = g_path_is_absolute(file) || !project ? g_strdup(file) : g_build_filename(project, file, NULL);
	GStatBuf status;
	char *text = NULL;
	gsize length;
	/* A name in a diagnostic may be anything, a device or a fifo too. */
	if (g_stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= SOURCE_LIMIT)
		g_file_get_contents(path, &text, &length, NULL);
	g_free(path);
	return text ? g_bytes_new_take(text, length) : NULL;
}

char *
hd_text_source_line(const char *project, const char *file, int line, int column, int *caret)
{
	*caret = -1;
	if (!file || line < 1)
		return NULL;
	GBytes *bytes = read_source(project, file);
	if (!bytes)
		return NULL;
	gsize size;
	const char *at = g_bytes_get_data(bytes, &size), *end = at + size;
	for (int i = 1; at && at < end && i < line; i++) {
		at = memchr(at, '\n', end - at);
		at = at ? at + 1 : end;
	}
	if (!at || at >= end) {
		g_bytes_unref(bytes);
		return NULL;
	}
	const char *stop = memchr(at, '\n', end - at);
	gsize length = MIN((stop ? stop : end) - at, LINE_LIMIT);
	GString *expanded = g_string_new(NULL);
	int width = 0;
	for (gsize i = 0; i <= length; i++) {
		if (column > 0 && i == (gsize)column - 1)
			*caret = width;
		if (i == length || at[i] == '\r')
			continue;
		int step = at[i] == '\t' ? TAB_WIDTH - width % TAB_WIDTH : 1;
		if (at[i] == '\t') {
			g_string_append_printf(expanded, "%*s", step, "");
		} else {
			g_string_append_c(expanded, at[i]);
			/* A character's columns are counted at its first byte. */
			gunichar c =
				(guchar)at[i] < 0x80 ? (guchar)at[i] : g_utf8_get_char_validated(at + i, length - i);
			if (((guchar)at[i] & 0xc0) == 0x80)
				step = 0;
			else if (c < 0x110000)
				step = hd_text_character_width(c);
		}
		width += step;
	}
	if (column > 0 && *caret < 0)
		*caret = MIN(column - 1, width);
	g_bytes_unref(bytes);
	char *clean = hd_text_clean(expanded->str, expanded->len);
	g_string_free(expanded, TRUE);
	return g_strchomp(clean);
}
