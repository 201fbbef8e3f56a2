/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The syntax is what gcc's munge() in libcpp/mkdeps.cc writes: a space, tab or
 * '#' in a name follows a backslash, backslashes before it are doubled,
 * others are not; '$' is "$$"; a backslash ends a line that goes on. clang
 * and tcc write a subset. A newline in a name is written as it is and cannot
 * be told from the end of the rule. */
#include "config.h"

#include "reloader/build/depfile.h"

#include <stdbool.h>

typedef struct {
	const char *at, *end;
	GString *word;
	GPtrArray *words;
} reader;

static void
finish_word(reader *r)
{
	if (r->word->len > 0)
		g_ptr_array_add(r->words, g_strndup(r->word->str, r->word->len));
	g_string_truncate(r->word, 0);
}

/* A run of backslashes, and what follows it. */
static void
read_backslashes(reader *r)
{
	gsize count = 0;
	while (r->at < r->end && *r->at == '\\') {
		count++;
		r->at++;
	}
	char next = r->at < r->end ? *r->at : '\n';
	if (next == '\n' || (next == '\r' && r->at + 1 < r->end && r->at[1] == '\n')) {
		for (gsize i = 1; i < count; i++)
			g_string_append_c(r->word, '\\');
		finish_word(r);
		r->at += next == '\r' ? 2 : r->at < r->end;
		return;
	}
	bool special = next == ' ' || next == '\t' || next == '#' || next == ':';
	for (gsize i = 0; i < (special ? count / 2 : count); i++)
		g_string_append_c(r->word, '\\');
	if (special && count % 2 == 1) {
		g_string_append_c(r->word, next);
		r->at++;
	}
}

GPtrArray *
hd_depfile_parse(const char *text, gsize size)
{
	reader r = {text, text + size, g_string_new(NULL), g_ptr_array_new_with_free_func(g_free)};
	bool target = true;
	while (r.at < r.end) {
		char c = *r.at;
		if (c == '\\') {
			read_backslashes(&r);
			continue;
		}
		r.at++;
		if (target) {
			/* The target is ours; its end is the first colon before white space. */
			if (c == ':' && (r.at == r.end || g_ascii_isspace(*r.at)))
				target = false;
			g_string_truncate(r.word, 0);
		} else if (c == '\n' || c == '\r')
			break;
		else if (c == ' ' || c == '\t')
			finish_word(&r);
		else {
			if (c == '$' && r.at < r.end && *r.at == '$')
				r.at++;
			g_string_append_c(r.word, c);
		}
	}
	finish_word(&r);
	g_string_free(r.word, TRUE);
	return r.words;
}
