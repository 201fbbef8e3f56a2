/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/outline.h"

#include "reloader/instant/token.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct hd_outline {
	gint references;
	char *text;
	GArray *declarations;  /* of hd_declaration */
	GHashTable *functions; /* char *name -> index + 1 */
	GStringChunk *files;
	guint64 hash;
};

/* The declaration being read. */
typedef struct {
	hd_outline *outline;
	hd_declaration now;
	bool begun;
	guint64 hash, all;    /* of the tokens since the last part began, and of all */
	guint braces, others; /* depth of {}, and of () and [] together */
	guint file_braces;    /* that were closed at file scope: a struct, an initialiser */
	bool assigned, is_typedef;
	hd_token last;	   /* of this declaration */
	hd_token group;	   /* in front of the outermost parenthesis opened last */
	hd_token declared; /* in front of the first one that belongs to no attribute: a function's name, perhaps */
	guint groups;	   /* outermost parentheses that belong to no attribute */
	bool stray;	   /* something that no declaration has: give up */
	const char *file;
	int line;
} reader;

static bool
is_word(const hd_token *token, const char *word)
{
	return token->kind == HD_TOKEN_IDENTIFIER && strlen(word) == token->size &&
	       memcmp(token->start, word, token->size) == 0;
}

/* A word whose parentheses are no parameters. */
static bool
is_attribute(const hd_token *token)
{
	static const char *const words[] = {"__attribute__", "__attribute", "_Alignas",	  "__asm__",  "__asm",
					    "asm",	     "__declspec",  "__typeof__", "__typeof", "typeof"};
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (is_word(token, words[i]))
			return true;
	return false;
}

static void
hash_token(reader *r, const hd_token *token)
{
	guint64 own = XXH3_64bits(token->start, token->size);
	r->hash = (r->hash ^ own) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) + token->size;
	r->all = (r->all ^ own) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) + token->size;
}

static void
begin(reader *r, const hd_token *token)
{
	hd_outline *outline = r->outline;
	r->now = (hd_declaration){
		.kind = HD_DECLARATION_OTHER,
		.start = (gsize)(token->start - outline->text),
		.file = r->file,
		.line = r->line,
	};
	r->begun = true;
	r->braces = r->others = r->file_braces = r->groups = 0;
	r->assigned = r->is_typedef = false;
	r->last = r->group = r->declared = (hd_token){0};
	r->hash = 0;
}

static void
finish(reader *r, const hd_token *token)
{
	r->now.end = (gsize)(token->start + token->size - r->outline->text);
	if (r->now.kind == HD_DECLARATION_FUNCTION)
		r->now.content = r->hash;
	else
		r->now.head = r->hash;
	g_array_append_val(r->outline->declarations, r->now);
	if (r->now.kind == HD_DECLARATION_FUNCTION &&
	    !g_hash_table_insert(r->outline->functions, r->now.name, GUINT_TO_POINTER(r->outline->declarations->len)))
		r->stray = true; /* two definitions of one name */
	r->begun = false;
}

/* "int f(int a)" or "T *f(void) __attribute__((..))", and nothing that could be a variable. */
static bool
is_prototype(const reader *r)
{
	return !r->is_typedef && !r->assigned && !r->file_braces && r->groups == 1 &&
	       r->declared.kind == HD_TOKEN_IDENTIFIER;
}

/* A brace at file scope: does a function's body begin? */
static bool
opens_body(const reader *r)
{
	return r->last.size == 1 && r->last.start[0] == ')' && !r->assigned && !r->is_typedef &&
	       !is_attribute(&r->group);
}

static void
open_body(reader *r, const hd_token *token)
{
	r->stray |= r->declared.kind != HD_TOKEN_IDENTIFIER || r->groups != 1 || r->file_braces;
	if (r->stray)
		return;
	r->now.kind = HD_DECLARATION_FUNCTION;
	r->now.name = g_strndup(r->declared.start, r->declared.size);
	r->now.body = (gsize)(token->start - r->outline->text);
	r->now.head = r->hash;
	r->hash = 0;
}

static void
note_identifier(reader *r, const hd_token *token)
{
	if (r->braces == 0 && r->others == 0) {
		r->is_typedef |= is_word(token, "typedef");
		r->now.is_static |= is_word(token, "static");
	}
	if (r->now.kind == HD_DECLARATION_FUNCTION)
		r->now.keeps_state |= is_word(token, "static");
}

static void
open_group(reader *r, const hd_token *token)
{
	if (r->braces == 0 && r->others == 0 && token->start[0] == '(') {
		r->group = r->last;
		if (!is_attribute(&r->group) && r->groups++ == 0)
			r->declared = r->group;
	}
	r->others++;
}

/* true: the declaration ends with this token. */
static bool
take_punctuator(reader *r, const hd_token *token)
{
	if (token->size != 1)
		return false;
	bool body = r->now.kind == HD_DECLARATION_FUNCTION;
	switch (token->start[0]) {
	case '(':
	case '[':
		open_group(r, token);
		return false;
	case ')':
	case ']':
		r->stray |= r->others == 0;
		r->others -= r->others > 0;
		return false;
	case '{':
		if (r->braces == 0 && r->others == 0 && opens_body(r))
			open_body(r, token);
		r->braces++;
		return false;
	case '}':
		r->stray |= r->braces == 0;
		r->braces -= r->braces > 0;
		r->file_braces += r->braces == 0 && r->others == 0;
		return body && r->braces == 0;
	case '=':
		r->assigned |= r->braces == 0 && r->others == 0;
		return false;
	case ';':
		if (r->braces || r->others)
			return false;
		r->now.kind = is_prototype(r) ? HD_DECLARATION_PROTOTYPE : HD_DECLARATION_OTHER;
		if (r->now.kind == HD_DECLARATION_PROTOTYPE)
			r->now.name = g_strndup(r->declared.start, r->declared.size);
		return true;
	default:
		return false;
	}
}

static void
take_token(reader *r, const hd_token *token)
{
	if (!r->begun && token->size == 1 && token->start[0] == ';')
		return; /* an empty declaration */
	if (!r->begun)
		begin(r, token);
	bool ends = false;
	if (token->kind == HD_TOKEN_IDENTIFIER)
		note_identifier(r, token);
	else if (token->kind == HD_TOKEN_PUNCTUATOR)
		ends = take_punctuator(r, token);
	hash_token(r, token);
	r->last = *token;
	if (ends)
		finish(r, token);
}

/* "# 12 "net.h" 1": the lines that follow are those of that file. */
static bool
take_marker(reader *r, const hd_token *token)
{
	char *end;
	const char *at = token->start + 1;
	long line = strtol(at, &end, 10);
	if (end == at)
		return false;
	r->line = (int)line - 1; /* the marker's own end of line is still to come */
	const char *name = memchr(end, '"', (gsize)(token->start + token->size - end));
	const char *close = name ? memchr(name + 1, '"', (gsize)(token->start + token->size - name - 1)) : NULL;
	if (close) {
		char *copy = g_strndup(name + 1, (gsize)(close - name - 1));
		r->file = g_string_chunk_insert_const(r->outline->files, copy);
		g_free(copy);
	}
	return true;
}

/* A pragma stands for itself; inside of a declaration it is part of it. */
static void
take_directive(reader *r, const hd_token *token)
{
	if (take_marker(r, token))
		return;
	bool alone = !r->begun;
	if (alone) {
		begin(r, token);
		r->now.kind = HD_DECLARATION_OTHER;
	}
	hash_token(r, token);
	if (alone)
		finish(r, token);
}

static bool
read_all(reader *r, gsize size)
{
	hd_tokens tokens = {r->outline->text, r->outline->text + size, true};
	hd_token token;
	while (hd_token_next(&tokens, &token) && !r->stray) {
		r->line += (int)token.lines;
		if (token.kind == HD_TOKEN_DIRECTIVE)
			take_directive(r, &token);
		else
			take_token(r, &token);
	}
	return !r->stray && !r->begun && token.kind == HD_TOKEN_END;
}

static void
clear_declaration(void *data)
{
	g_free(((hd_declaration *)data)->name);
}

hd_outline *
hd_outline_new(const char *text, gsize size)
{
	hd_outline *outline = g_new0(hd_outline, 1);
	outline->references = 1;
	outline->text = g_malloc(size + 1);
	memcpy(outline->text, text, size);
	outline->text[size] = '\0';
	outline->declarations = g_array_sized_new(FALSE, FALSE, sizeof(hd_declaration), 256);
	g_array_set_clear_func(outline->declarations, clear_declaration);
	outline->functions = g_hash_table_new(g_str_hash, g_str_equal);
	outline->files = g_string_chunk_new(256);
	reader r = {.outline = outline};
	bool good = read_all(&r, size);
	outline->hash = r.all;
	if (!good) {
		if (r.begun)
			g_free(r.now.name);
		g_clear_pointer(&outline, hd_outline_unref);
	}
	return outline;
}

hd_outline *
hd_outline_ref(hd_outline *outline)
{
	outline->references++;
	return outline;
}

void
hd_outline_unref(hd_outline *outline)
{
	if (!outline || --outline->references > 0)
		return;
	g_free(outline->text);
	g_hash_table_unref(outline->functions);
	g_array_unref(outline->declarations);
	g_string_chunk_free(outline->files);
	g_free(outline);
}

const char *
hd_outline_text(const hd_outline *outline)
{
	return outline->text;
}

guint
hd_outline_count(const hd_outline *outline)
{
	return outline->declarations->len;
}

const hd_declaration *
hd_outline_at(const hd_outline *outline, guint index)
{
	return &g_array_index(outline->declarations, hd_declaration, index);
}

const hd_declaration *
hd_outline_function(const hd_outline *outline, const char *name)
{
	guint index = GPOINTER_TO_UINT(g_hash_table_lookup(outline->functions, name));
	return index ? hd_outline_at(outline, index - 1) : NULL;
}

guint64
hd_outline_hash(const hd_outline *outline)
{
	return outline->hash;
}
