/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/linemark.h"

#include "reloader/instant/token.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
	hd_tokens tokens;
	guint conditions; /* #if without #endif so far */
} reader;

/* The word or number behind "#". */
static hd_token
word_of(const hd_token *directive)
{
	hd_tokens tokens = {directive->start + 1, directive->start + directive->size, false};
	hd_token word;
	hd_token_next(&tokens, &word);
	return word;
}

/* The number of a directive that sets the line, all on a line of its own. */
static bool
read_number(const hd_token *directive, const char *end, hd_token *number)
{
	*number = word_of(directive);
	if (number->kind == HD_TOKEN_IDENTIFIER && hd_token_is(number, "line")) {
		hd_tokens rest = {number->start + number->size, directive->start + directive->size, false};
		hd_token_next(&rest, number);
	}
	return number->kind == HD_TOKEN_NUMBER && strspn(number->start, "0123456789") == number->size &&
	       number->size < 10 && !memchr(directive->start, '\n', directive->size) &&
	       directive->start + directive->size < end && directive->start[directive->size] == '\n';
}

static void
count_conditions(reader *r, const hd_token *directive)
{
	hd_token word = word_of(directive);
	if (word.kind != HD_TOKEN_IDENTIFIER)
		return;
	if (hd_token_is(&word, "if") || hd_token_is(&word, "ifdef") || hd_token_is(&word, "ifndef"))
		r->conditions++;
	else if (hd_token_is(&word, "endif") && r->conditions)
		r->conditions--;
}

/* The next one that no condition can leave out: a line added to what is left out would move all that follow. */
static bool
next_directive(reader *r, hd_token *directive, hd_token *number)
{
	while (hd_token_next(&r->tokens, directive)) {
		if (directive->kind != HD_TOKEN_DIRECTIVE)
			continue;
		if (!r->conditions && read_number(directive, r->tokens.end, number))
			return true;
		count_conditions(r, directive);
	}
	return false;
}

/* Whether it is worth while to read all tokens: some line begins with "#", and a digit or "line". */
static bool
may_have_one(const char *text, const char *end)
{
	for (const char *at = text; (at = memchr(at, '#', (gsize)(end - at))); at++) {
		const char *word = at + 1;
		while (word < end && (*word == ' ' || *word == '\t'))
			word++;
		if (word < end && (g_ascii_isdigit(*word) || (end - word > 4 && memcmp(word, "line", 4) == 0)))
			return true;
	}
	return false;
}

bool
hd_linemark_is_in(const char *text, gsize size)
{
	hd_tokens tokens = {text, text + size, true};
	hd_token directive, number;
	bool found = false;
	if (!may_have_one(text, text + size))
		return false;
	while (!found && hd_token_next(&tokens, &directive))
		found = directive.kind == HD_TOKEN_DIRECTIVE && read_number(&directive, tokens.end, &number);
	return found;
}

bool
hd_linemark_append(GString *out, const char *text, gsize size)
{
	const char *from = text, *end = text + size;
	reader r = {{text, end, true}, 0};
	hd_token directive, number;
	while (may_have_one(from, end) && next_directive(&r, &directive, &number)) {
		long line = strtol(number.start, NULL, 10);
		g_string_append_len(out, from, number.start - from);
		/* The line that includes has the number before. */
		g_string_append_printf(out, "%ld", MAX(line - 1, 0));
		from = directive.start + directive.size + 1;
		g_string_append_len(out, number.start + number.size, from - number.start - (gssize)number.size);
		g_string_append(out, "#include \"" HD_LINEMARK_PATH "\"\n");
	}
	g_string_append_len(out, from, end - from);
	return from != text;
}
