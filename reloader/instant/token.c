/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/token.h"

#include <string.h>

static bool
is_name(char c)
{
	return g_ascii_isalnum(c) || c == '_' || c == '$' || (guchar)c >= 0x80;
}

/* Comments and spaces. false: a comment does not end. */
static bool
pass_space(hd_tokens *t, guint *lines)
{
	while (t->at < t->end) {
		char c = *t->at;
		if (c == '\n') {
			(*lines)++;
			t->line_start = true;
			t->at++;
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
			t->at++;
		} else if (c == '\\' && t->at + 1 < t->end && t->at[1] == '\n') {
			(*lines)++;
			t->at += 2;
		} else if (c == '/' && t->at + 1 < t->end && t->at[1] == '/') {
			const char *line = memchr(t->at, '\n', (gsize)(t->end - t->at));
			t->at = line ? line : t->end;
		} else if (c == '/' && t->at + 1 < t->end && t->at[1] == '*') {
			const char *close = g_strstr_len(t->at + 2, t->end - t->at - 2, "*/");
			if (!close)
				return false;
			for (; t->at < close; t->at++)
				*lines += *t->at == '\n';
			t->at = close + 2;
		} else
			break;
	}
	return true;
}

/* From the opening quote to behind the closing one. NULL: it does not end on its line. */
static const char *
string_end(const char *at, const char *end)
{
	char quote = *at++;
	for (; at < end && *at != quote; at++) {
		if (*at == '\n')
			return NULL;
		if (*at == '\\')
			at++;
	}
	return at < end ? at + 1 : NULL;
}

/* To the end of the line; a backslash, or a comment that is still open there, continues it. */
static const char *
directive_end(const char *at, const char *end)
{
	while (at < end && *at != '\n') {
		const char *next = at + 1;
		if (*at == '\\' && next < end)
			next++;
		else if (*at == '"' || *at == '\'')
			next = string_end(at, end) ? string_end(at, end) : at + 1;
		else if (*at == '/' && next < end && *next == '*') {
			const char *close = g_strstr_len(at + 2, end - at - 2, "*/");
			next = close ? close + 2 : end;
		} else if (*at == '/' && next < end && *next == '/') {
			const char *line = memchr(at, '\n', (gsize)(end - at));
			return line ? line : end;
		}
		at = next;
	}
	return MIN(at, end);
}

/* The longest of "<<=", "->", ... that stands here. */
static gsize
punctuator_size(const char *at, const char *end)
{
	char c = at[0], second = end - at > 1 ? at[1] : 0, third = end - at > 2 ? at[2] : 0;
	if (c == '.')
		return second == '.' && third == '.' ? 3 : 1;
	if ((c == '<' || c == '>') && second == c)
		return third == '=' ? 3 : 2;
	if (second == c && strchr("+-&|=#", c))
		return 2;
	if (second == '=' && strchr("<>!*/%+-&^|", c))
		return 2;
	return c == '-' && second == '>' ? 2 : 1;
}

static const char *
number_end(const char *at, const char *end)
{
	for (; at < end && (is_name(*at) || *at == '.' || *at == '+' || *at == '-'); at++)
		if ((*at == '+' || *at == '-') && !strchr("eEpP", at[-1]))
			break;
	return at;
}

static bool
finish(hd_tokens *t, hd_token *token, hd_token_kind kind, const char *end)
{
	token->kind = end ? kind : HD_TOKEN_BROKEN;
	if (!end)
		return false;
	token->size = (gsize)(end - token->start);
	t->at = end;
	t->line_start = false;
	return true;
}

bool
hd_token_next(hd_tokens *t, hd_token *token)
{
	*token = (hd_token){HD_TOKEN_END, t->at, 0, 0};
	if (!pass_space(t, &token->lines)) {
		token->kind = HD_TOKEN_BROKEN;
		return false;
	}
	token->start = t->at;
	if (t->at >= t->end)
		return false;
	const char *at = t->at;
	char c = *at;
	if (c == '#' && t->line_start)
		return finish(t, token, HD_TOKEN_DIRECTIVE, directive_end(at, t->end));
	if (c == '"' || c == '\'')
		return finish(t, token, HD_TOKEN_STRING, string_end(at, t->end));
	if (g_ascii_isdigit(c) || (c == '.' && at + 1 < t->end && g_ascii_isdigit(at[1])))
		return finish(t, token, HD_TOKEN_NUMBER, number_end(at + 1, t->end));
	if (!is_name(c))
		return finish(t, token, HD_TOKEN_PUNCTUATOR, at + punctuator_size(at, t->end));
	while (at < t->end && is_name(*at))
		at++;
	bool prefix = at < t->end && (*at == '"' || *at == '\'') && at - token->start <= 2 &&
		      memchr("LuU", token->start[0], 3);
	return prefix ? finish(t, token, HD_TOKEN_STRING, string_end(at, t->end))
		      : finish(t, token, HD_TOKEN_IDENTIFIER, at);
}

bool
hd_token_is_in(const hd_token *token, GHashTable *names)
{
	char name[256];
	if (token->kind != HD_TOKEN_IDENTIFIER || token->size >= sizeof name)
		return false;
	memcpy(name, token->start, token->size);
	name[token->size] = '\0';
	return g_hash_table_contains(names, name);
}
