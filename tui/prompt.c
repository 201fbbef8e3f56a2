/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "tui/prompt.h"

#include "base/text.h"

#include <string.h>

enum { TEXT_LIMIT = 1024 };

struct tui_prompt {
	GString *text;
	gsize at; /* byte offset of the cursor, between characters */
	GPtrArray *history;
	guint recalled; /* index in history; its length: the new text */
};

tui_prompt *
tui_prompt_new(void)
{
	tui_prompt *prompt = g_new0(tui_prompt, 1);
	prompt->text = g_string_new(NULL);
	prompt->history = g_ptr_array_new_with_free_func(g_free);
	return prompt;
}

void
tui_prompt_free(tui_prompt *prompt)
{
	if (!prompt)
		return;
	g_string_free(prompt->text, TRUE);
	g_ptr_array_unref(prompt->history);
	g_free(prompt);
}

void
tui_prompt_start(tui_prompt *prompt, const char *text)
{
	g_string_assign(prompt->text, text ? text : "");
	prompt->at = prompt->text->len;
	prompt->recalled = prompt->history->len;
}

static gsize
before(const tui_prompt *prompt)
{
	const char *start = prompt->text->str, *previous = g_utf8_find_prev_char(start, start + prompt->at);
	return previous ? (gsize)(previous - start) : 0;
}

static gsize
after(const tui_prompt *prompt)
{
	const char *here = prompt->text->str + prompt->at;
	return *here ? (gsize)(g_utf8_next_char(here) - prompt->text->str) : prompt->at;
}

static void
erase(tui_prompt *prompt, gsize from, gsize to)
{
	g_string_erase(prompt->text, (gssize)from, (gssize)(to - from));
	prompt->at = from;
}

static gsize
word_start(const tui_prompt *prompt)
{
	gsize at = prompt->at;
	while (at > 0 && prompt->text->str[at - 1] == ' ')
		at--;
	while (at > 0 && prompt->text->str[at - 1] != ' ')
		at--;
	return at;
}

static void
recall(tui_prompt *prompt, int step)
{
	guint wanted = prompt->recalled + (guint)step;
	if (wanted > prompt->history->len)
		return;
	prompt->recalled = wanted;
	g_string_assign(prompt->text, wanted < prompt->history->len ? prompt->history->pdata[wanted] : "");
	prompt->at = prompt->text->len;
}

static void
insert(tui_prompt *prompt, gunichar c)
{
	char utf8[8];
	int size = g_unichar_to_utf8(c, utf8);
	if (prompt->text->len + (gsize)size > TEXT_LIMIT)
		return;
	g_string_insert_len(prompt->text, (gssize)prompt->at, utf8, size);
	prompt->at += (gsize)size;
}

static tui_prompt_state
finish(tui_prompt *prompt)
{
	GPtrArray *history = prompt->history;
	const char *last = history->len ? history->pdata[history->len - 1] : NULL;
	if (prompt->text->len && g_strcmp0(last, prompt->text->str) != 0)
		g_ptr_array_add(history, g_strdup(prompt->text->str));
	return PROMPT_DONE;
}

/* The keys are those of readline's Emacs mode. */
tui_prompt_state
tui_prompt_key(tui_prompt *prompt, const tui_key *key)
{
	switch (key->code) {
	case TUI_KEY_ENTER:
	case '\n':
		return finish(prompt);
	case TUI_CONTROL('['):
	case TUI_CONTROL('C'):
	case TUI_CONTROL('G'):
		return PROMPT_CANCELLED;
	case TUI_KEY_LEFT:
	case TUI_CONTROL('B'):
		prompt->at = before(prompt);
		break;
	case TUI_KEY_RIGHT:
	case TUI_CONTROL('F'):
		prompt->at = after(prompt);
		break;
	case TUI_KEY_HOME:
	case TUI_CONTROL('A'):
		prompt->at = 0;
		break;
	case TUI_KEY_END:
	case TUI_CONTROL('E'):
		prompt->at = prompt->text->len;
		break;
	case TUI_KEY_BACKSPACE:
	case TUI_CONTROL('H'):
		erase(prompt, before(prompt), prompt->at);
		break;
	case TUI_KEY_DELETE:
	case TUI_CONTROL('D'): {
		gsize at = prompt->at;
		erase(prompt, at, after(prompt));
		break;
	}
	case TUI_CONTROL('U'):
		erase(prompt, 0, prompt->at);
		break;
	case TUI_CONTROL('K'):
		g_string_truncate(prompt->text, prompt->at);
		break;
	case TUI_CONTROL('W'):
		erase(prompt, word_start(prompt), prompt->at);
		break;
	case TUI_KEY_UP:
	case TUI_CONTROL('P'):
		recall(prompt, -1);
		break;
	case TUI_KEY_DOWN:
	case TUI_CONTROL('N'):
		recall(prompt, 1);
		break;
	default:
		if (key->code >= 0x20 && key->code < KEY_BASE)
			insert(prompt, key->code);
		break;
	}
	return PROMPT_TYPING;
}

const char *
tui_prompt_text(const tui_prompt *prompt)
{
	return prompt->text->str;
}

int
tui_prompt_cursor(const tui_prompt *prompt)
{
	char *left = g_strndup(prompt->text->str, prompt->at), *clean = hd_text_clean(left, -1);
	int width = hd_text_width(clean);
	g_free(left);
	g_free(clean);
	return width;
}
