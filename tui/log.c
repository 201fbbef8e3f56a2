/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser knows as much of ECMA-48 as it takes to leave sequences out:
 * ESC, CSI to its final byte, and the strings (OSC, DCS, APC, PM, SOS) to
 * their terminator. */
#include "config.h"

#include "tui/log.h"

#include "base/text.h"

#include <string.h>

enum { LINE_LIMIT = 4096 };

typedef enum { GROUND, ESCAPE, CSI, STRING, STRING_ESCAPE } parser_state;

struct tui_log {
	GQueue *lines; /* of tui_log_line *; whole ones */
	guint most_lines;
	gsize most_bytes, bytes;
	guint64 total;
	GString *growing;  /* raw bytes of the line that is being printed */
	tui_log_line last; /* the same, fit to be shown */
	bool restarted;	   /* a carriage return: the next character starts the line anew */
	bool draws;
	parser_state state;
	GPtrArray *index; /* lines, for access by number; NULL: to be made */
};

static void
line_free(void *data)
{
	tui_log_line *line = data;
	g_free(line->text);
	g_free(line);
}

tui_log *
tui_log_new(guint lines, gsize bytes)
{
	tui_log *log = g_new0(tui_log, 1);
	log->lines = g_queue_new();
	log->most_lines = lines;
	log->most_bytes = bytes;
	log->growing = g_string_new(NULL);
	return log;
}

void
tui_log_free(tui_log *log)
{
	if (!log)
		return;
	g_queue_free_full(log->lines, line_free);
	g_string_free(log->growing, TRUE);
	g_free(log->last.text);
	g_clear_pointer(&log->index, g_ptr_array_unref);
	g_free(log);
}

static void
end_line(tui_log *log)
{
	tui_log_line *line = g_new(tui_log_line, 1);
	line->wall_us = g_get_real_time();
	line->text = hd_text_clean(log->growing->str, log->growing->len);
	log->bytes += strlen(line->text);
	g_queue_push_tail(log->lines, line);
	log->total++;
	while (log->lines->length > log->most_lines || log->bytes > log->most_bytes) {
		tui_log_line *oldest = g_queue_pop_head(log->lines);
		log->bytes -= strlen(oldest->text);
		line_free(oldest);
	}
	g_string_truncate(log->growing, 0);
	log->restarted = false;
}

static void
ground(tui_log *log, char c)
{
	switch (c) {
	case '\033':
		log->state = ESCAPE;
		return;
	case '\n':
		end_line(log);
		return;
	case '\r':
		log->restarted = true;
		return;
	case '\b':
		if (log->growing->len)
			g_string_truncate(log->growing, log->growing->len - 1);
		return;
	case '\t':
		do
			g_string_append_c(log->growing, ' ');
		while (log->growing->len % 8);
		return;
	default:
		break;
	}
	if ((guchar)c < 0x20)
		return;
	if (log->restarted)
		g_string_truncate(log->growing, 0);
	log->restarted = false;
	if (log->growing->len >= LINE_LIMIT)
		end_line(log);
	g_string_append_c(log->growing, c);
}

static void
escaped(tui_log *log, char c)
{
	if (c == '[')
		log->state = CSI;
	else if (strchr("]PX^_", c) && c)
		log->state = STRING;
	else if (c >= 0x30 || c < 0)
		log->state = GROUND;
	/* Intermediate bytes (0x20 to 0x2f): a final byte is to come. */
}

static void
control_sequence(tui_log *log, char c)
{
	if (c == '\033') {
		log->state = ESCAPE;
	} else if (c >= 0x40 && c < 0x7f) {
		log->state = GROUND;
		/* CUP, HVP, VPA, CUU, ED: whoever sends one of these paints a screen. */
		log->draws = log->draws || strchr("HfdAJ", c);
	}
}

void
tui_log_feed(tui_log *log, const char *data, gsize size)
{
	g_clear_pointer(&log->index, g_ptr_array_unref);
	for (gsize i = 0; i < size; i++) {
		char c = data[i];
		switch (log->state) {
		case GROUND:
			ground(log, c);
			break;
		case ESCAPE:
			escaped(log, c);
			break;
		case CSI:
			control_sequence(log, c);
			break;
		case STRING:
			if (c == '\a')
				log->state = GROUND;
			else if (c == '\033')
				log->state = STRING_ESCAPE;
			break;
		case STRING_ESCAPE:
			log->state = c == '\\' ? GROUND : STRING;
			break;
		}
	}
	g_free(log->last.text);
	log->last = (tui_log_line){0};
	if (log->growing->len) {
		log->last.wall_us = g_get_real_time();
		log->last.text = hd_text_clean(log->growing->str, log->growing->len);
	}
}

guint
tui_log_count(const tui_log *log)
{
	return log->lines->length + (log->last.text != NULL);
}

const tui_log_line *
tui_log_get(const tui_log *log, guint index)
{
	tui_log *cache = (tui_log *)log;
	if (index >= log->lines->length)
		return log->last.text ? &log->last : NULL;
	if (!cache->index) {
		cache->index = g_ptr_array_sized_new(log->lines->length);
		for (GList *link = log->lines->head; link; link = link->next)
			g_ptr_array_add(cache->index, link->data);
	}
	return log->index->pdata[index];
}

guint64
tui_log_total(const tui_log *log)
{
	return log->total;
}

bool
tui_log_draws(const tui_log *log)
{
	return log->draws;
}

void
tui_log_forget_drawing(tui_log *log)
{
	log->draws = false;
}
