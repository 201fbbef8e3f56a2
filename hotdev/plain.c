/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/plain.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* More would push the first, which matters, off the screen. */
enum { DIAGNOSTICS_SHOWN = 20 };

static void
append_clean(GString *out, const char *text)
{
	char *clean = hd_text_clean(text, -1);
	g_string_append(out, clean);
	g_free(clean);
}

static void
append_diagnostic(GString *out, const hd_diagnostic *diagnostic, const char *project)
{
	const hd_position *where = &diagnostic->where;
	g_string_append(out, "  ");
	if (where->file) {
		append_clean(out, hd_text_below(project, where->file));
		if (where->line > 0)
			g_string_append_printf(out, ":%d", where->line);
		if (where->column > 0)
			g_string_append_printf(out, ":%d", where->column);
		g_string_append(out, ": ");
	}
	g_string_append_printf(out, "%s: ", hd_severity_name(diagnostic->severity));
	append_clean(out, diagnostic->message);
	g_string_append_c(out, '\n');
	int caret;
	char *line = hd_text_source_line(project, where->file, where->line, where->column, &caret);
	if (line) {
		g_string_append_printf(out, "  %5d | %s\n", where->line, line);
		if (caret >= 0)
			g_string_append_printf(out, "        | %*s^\n", caret, "");
		g_free(line);
	}
}

char *
hd_plain_text(const hd_event *event, const char *project, bool ascii)
{
	char *line = hd_event_line(event);
	GString *out = g_string_new("hotdev: ");
	g_string_append_printf(out, "%s\n", line);
	g_free(line);
	if (event->kind == HD_EVENT_FAILED) {
		guint shown = MIN(event->diagnostics->len, DIAGNOSTICS_SHOWN);
		for (guint i = 0; i < shown; i++)
			append_diagnostic(out, event->diagnostics->pdata[i], project);
		if (shown < event->diagnostics->len)
			g_string_append_printf(out, "  and %u more\n", event->diagnostics->len - shown);
	}
	if (!ascii)
		return g_string_free(out, FALSE);
	char *likeness = hd_text_ascii(out->str);
	g_string_free(out, TRUE);
	return likeness;
}

void
hd_plain_write(const hd_event *event, const char *project, bool ascii)
{
	char *text = hd_plain_text(event, project, ascii);
	fwrite(text, 1, strlen(text), stderr);
	fflush(stderr);
	g_free(text);
}
