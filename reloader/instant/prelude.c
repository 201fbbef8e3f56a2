/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/prelude.h"

#include "reloader/build/includes.h"
#include "reloader/instant/token.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* libtcc prints the ## of a definition so. */
#define PASTE "<a6>"

typedef struct {
	char *path;
	guint64 device, inode, size;
	struct timespec changed;
	bool folder;
	guint64 names; /* of a folder: hash of what is in it and could be found in place of a header */
} stamp;

struct hd_prelude {
	gint references;
	char *text; /* the source's first bytes */
	gsize length;
	hd_outline *outline;
	GHashTable *macros; /* char *name -> char *directive with its newline */
	GArray *stamps;	    /* of stamp */
	GHashTable *parts;  /* set of names: of the headers, and of the folders on the way to them */
};

/* ---- where the prelude of a source ends ---- */

static int
conditional_step(const hd_token *directive)
{
	const char *at = directive->start + 1, *end = directive->start + directive->size;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (g_str_has_prefix(at, "if"))
		return 1;
	return g_str_has_prefix(at, "endif") ? -1 : 0;
}

gsize
hd_prelude_length(const char *text, gsize size)
{
	hd_tokens tokens = {text, text + size, true};
	hd_token token;
	const char *good = text;
	int depth = 0;
	while (hd_token_next(&tokens, &token) && token.kind == HD_TOKEN_DIRECTIVE) {
		depth += conditional_step(&token);
		if (depth == 0)
			good = token.start + token.size;
	}
	return good > text && good < text + size ? (gsize)(good - text) + 1 : 0;
}

/* ---- what it was made of ---- */

/* One that is not there is remembered as such. */
static void
take_stamp(stamp *s)
{
	struct stat st;
	if (stat(s->path, &st) != 0)
		return;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	s->size = s->folder ? 0 : (guint64)st.st_size;
	s->changed = st.st_mtim;
}

static bool
same_stamp(const stamp *a, const stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Of those names in a folder that lead to a header somewhere, whatever their order: another that comes there may be
 * found in its place. What else comes and goes (what is built, an editor's copies) does not matter. */
static guint64
hash_names(const hd_prelude *prelude, const char *path)
{
	guint64 hash = 0;
	DIR *folder = opendir(path);
	struct dirent *entry;
	while (folder && (entry = readdir(folder)))
		if (g_hash_table_contains(prelude->parts, entry->d_name))
			hash += XXH3_64bits(entry->d_name, strlen(entry->d_name));
	if (folder)
		closedir(folder);
	return hash;
}

/* A folder changes whenever an editor saves by renaming; what counts is whether a name has come or gone. */
static bool
still_holds(const hd_prelude *prelude, stamp *was)
{
	stamp now = {.path = was->path, .folder = was->folder, .names = was->names};
	take_stamp(&now);
	if (same_stamp(was, &now))
		return true;
	if (!was->folder || hash_names(prelude, was->path) != was->names)
		return false;
	*was = now;
	return true;
}

static void
add_stamp(hd_prelude *prelude, GHashTable *seen, const char *path, bool folder)
{
	if (!g_hash_table_add(seen, g_strdup(path)))
		return;
	stamp s = {.path = g_strdup(path), .folder = folder};
	take_stamp(&s);
	if (folder)
		s.names = hash_names(prelude, path);
	g_array_append_val(prelude->stamps, s);
}

static void
add_parts(hd_prelude *prelude, const char *path)
{
	char **parts = g_strsplit(path, "/", -1);
	for (char **part = parts; *part; part++)
		g_hash_table_add(prelude->parts, g_strdup(*part));
	g_strfreev(parts);
}

static void
clear_stamp(void *data)
{
	g_free(((stamp *)data)->path);
}

static void
stamp_all(hd_prelude *prelude, GPtrArray *files, const hd_dialect *dialect)
{
	GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < files->len; i++)
		add_parts(prelude, g_ptr_array_index(files, i));
	for (guint i = 0; i < files->len; i++) {
		char *folder = g_path_get_dirname(g_ptr_array_index(files, i));
		/* What a package brings is replaced by renaming, which changes the folder. */
		if (!hd_path_is_system(g_ptr_array_index(files, i)))
			add_stamp(prelude, seen, g_ptr_array_index(files, i), false);
		add_stamp(prelude, seen, folder, true);
		g_free(folder);
	}
	const GPtrArray *folders = hd_dialect_folders(dialect);
	for (guint i = 0; i < folders->len; i++)
		add_stamp(prelude, seen, g_ptr_array_index(folders, i), true);
	g_hash_table_unref(seen);
}

/* ---- macros ---- */

static const char *
word_end(const char *at)
{
	while (g_ascii_isalnum(*at) || *at == '_' || *at == '$')
		at++;
	return at;
}

/* As libtcc prints it, "#define f(a,b) a<a6>b", made C again. NULL: it is not certain what it was. */
static char *
readable(const char *line, gsize size)
{
	GString *out = g_string_sized_new(size + 16);
	char quote = 0;
	for (gsize i = 0; i < size; i++) {
		char c = line[i];
		if (quote && c == '\\' && i + 1 < size)
			g_string_append_c(out, line[i++]);
		else if (quote && c == quote)
			quote = 0;
		else if (!quote && (c == '"' || c == '\''))
			quote = c;
		else if (!quote && strncmp(line + i, PASTE, strlen(PASTE)) == 0) {
			g_string_append(out, "##");
			i += strlen(PASTE) - 1;
			continue;
		}
		g_string_append_c(out, line[i]);
	}
	bool certain = !quote;
	for (gsize i = 0; i < out->len && certain; i++)
		certain = (guchar)out->str[i] < 0x80;
	g_string_append_c(out, '\n');
	return g_string_free(out, !certain);
}

/* A parameter called __VA_ARGS__ is how libtcc prints "...". */
static void
restore_variadic(char **line)
{
	char *open = *line + strlen("#define ");
	open = (char *)word_end(open);
	char *close = *open == '(' ? strchr(open, ')') : NULL;
	char *last = close ? g_strstr_len(open, close - open, "__VA_ARGS__") : NULL;
	if (!last)
		return;
	*last = '\0';
	char *whole = g_strconcat(*line, "...", last + strlen("__VA_ARGS__"), NULL);
	g_free(*line);
	*line = whole;
}

static bool
take_macro(hd_prelude *prelude, const char *line, gsize size)
{
	bool undefines = g_str_has_prefix(line, "#undef ");
	const char *name = line + (undefines ? strlen("#undef ") : strlen("#define "));
	char *key = g_strndup(name, (gsize)(word_end(name) - name));
	char *text = readable(line, size);
	if (!text || !*key) {
		g_free(text);
		g_free(key);
		return false;
	}
	if (!undefines)
		restore_variadic(&text);
	g_hash_table_insert(prelude->macros, key, text);
	return true;
}

/* Whether a parameter list that reaches up to `dots` ends in a name: "#define f(args...)". */
static bool
is_named_variadic(const char *text, const char *dots)
{
	const char *line = dots;
	while (line > text && line[-1] != '\n')
		line--;
	const char *at = line + strspn(line, " \t");
	if (*at != '#')
		return false;
	at += 1 + strspn(at + 1, " \t");
	if (!g_str_has_prefix(at, "define"))
		return false;
	at += strlen("define");
	at = word_end(at + strspn(at, " \t"));
	const char *before = dots;
	while (before > at && (before[-1] == ' ' || before[-1] == '\t'))
		before--;
	return *at == '(' && !memchr(at, ')', (gsize)(dots - at)) && word_end(before - 1) == before;
}

/* libtcc prints such a macro as if it took one argument there. */
static bool
has_named_variadic(const char *path)
{
	char *text = NULL;
	bool found = false;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return false;
	for (const char *at = text; !found && (at = strstr(at, "...")); at += 3)
		found = is_named_variadic(text, at);
	g_free(text);
	return found;
}

/* ---- reading the answer ---- */

typedef struct {
	hd_prelude *prelude;
	const hd_dialect *dialect;
	GString *declarations;
	GPtrArray *files;
	GHashTable *seen;
	bool own; /* libtcc's own definitions, and the command's: every question has them again */
	bool good;
} reading;

/* "# 1 "FILE" 1" */
static void
take_marker(reading *r, const char *line, gsize size)
{
	const char *open = memchr(line, '"', size);
	const char *close = open ? memchr(open + 1, '"', (gsize)(line + size - open - 1)) : NULL;
	if (!close)
		return;
	char *name = g_strndup(open + 1, (gsize)(close - open - 1));
	r->own = name[0] == '<';
	bool source = strcmp(name, hd_dialect_source(r->dialect)) == 0;
	if (!r->own && !source) {
		char *path = g_canonicalize_filename(name, hd_dialect_folder(r->dialect));
		if (g_hash_table_add(r->seen, g_strdup(path)))
			g_ptr_array_add(r->files, path);
		else
			g_free(path);
	}
	g_free(name);
}

/* What lasts beyond the line it stands on cannot be kept apart from what follows. */
static bool
is_stateless_pragma(const char *line)
{
	return g_str_has_prefix(line, "#pragma once") || g_str_has_prefix(line, "#pragma STDC") ||
	       g_str_has_prefix(line, "#pragma GCC diagnostic") || g_str_has_prefix(line, "#pragma GCC system_header");
}

static void
take_line(reading *r, const char *line, gsize size)
{
	if (g_str_has_prefix(line, "#define ") || g_str_has_prefix(line, "#undef ")) {
		if (!r->own)
			r->good &= take_macro(r->prelude, line, size);
		g_string_append_c(r->declarations, '\n');
		return;
	}
	if (g_str_has_prefix(line, "# "))
		take_marker(r, line, size);
	else if (line[0] == '#' && !is_stateless_pragma(line))
		r->good = false;
	g_string_append_len(r->declarations, line, (gssize)size + 1);
}

static void
read_answer(reading *r, const char *answer, gsize size)
{
	const char *end = answer + size;
	for (const char *line = answer; line < end;) {
		const char *newline = memchr(line, '\n', (gsize)(end - line));
		gsize length = (gsize)((newline ? newline : end) - line);
		if (newline)
			take_line(r, line, length);
		line += length + 1;
	}
}

hd_prelude *
hd_prelude_new(const char *text, gsize length, const char *answer, gsize size, const hd_dialect *dialect)
{
	hd_prelude *prelude = g_new0(hd_prelude, 1);
	prelude->references = 1;
	prelude->text = g_strndup(text, length);
	prelude->length = length;
	prelude->macros = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	prelude->stamps = g_array_new(FALSE, FALSE, sizeof(stamp));
	prelude->parts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_array_set_clear_func(prelude->stamps, clear_stamp);
	reading r = {.prelude = prelude, .dialect = dialect, .good = true};
	r.declarations = g_string_sized_new(size + 1);
	r.files = g_ptr_array_new_with_free_func(g_free);
	r.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	read_answer(&r, answer, size);
	for (guint i = 0; i < r.files->len && r.good; i++)
		r.good = !has_named_variadic(g_ptr_array_index(r.files, i));
	stamp_all(prelude, r.files, dialect);
	prelude->outline = r.good ? hd_outline_new(r.declarations->str, r.declarations->len) : NULL;
	g_string_free(r.declarations, TRUE);
	g_ptr_array_unref(r.files);
	g_hash_table_unref(r.seen);
	if (!prelude->outline)
		g_clear_pointer(&prelude, hd_prelude_unref);
	return prelude;
}

hd_prelude *
hd_prelude_ref(hd_prelude *prelude)
{
	prelude->references++;
	return prelude;
}

void
hd_prelude_unref(hd_prelude *prelude)
{
	if (!prelude || --prelude->references > 0)
		return;
	g_free(prelude->text);
	hd_outline_unref(prelude->outline);
	g_hash_table_unref(prelude->macros);
	g_array_unref(prelude->stamps);
	g_hash_table_unref(prelude->parts);
	g_free(prelude);
}

bool
hd_prelude_serves(const hd_prelude *prelude, const char *text, gsize length)
{
	if (prelude->length != length || memcmp(prelude->text, text, length) != 0)
		return false;
	for (guint i = 0; i < prelude->stamps->len; i++)
		if (!still_holds(prelude, &g_array_index(prelude->stamps, stamp, i)))
			return false;
	return true;
}

void
hd_prelude_files(const hd_prelude *prelude, GPtrArray *files)
{
	for (guint i = 0; i < prelude->stamps->len; i++) {
		const stamp *s = &g_array_index(prelude->stamps, stamp, i);
		if (!s->folder)
			g_ptr_array_add(files, g_strdup(s->path));
	}
}

hd_outline *
hd_prelude_outline(const hd_prelude *prelude)
{
	return prelude->outline;
}

/* ---- what a text needs of it ---- */

static void
append_all(const hd_prelude *prelude, GString *out)
{
	GHashTableIter iter;
	gpointer line;
	g_hash_table_iter_init(&iter, prelude->macros);
	while (g_hash_table_iter_next(&iter, NULL, &line))
		g_string_append(out, line);
}

typedef struct {
	const hd_prelude *prelude;
	GHashTable *needed; /* set of the macros' keys */
	GQueue work;	    /* of directives whose names are still to be looked at */
	bool all;	    /* it cannot be told which are needed */
} gathering;

static bool
is_include(const hd_token *directive)
{
	const char *at = directive->start + 1;
	at += strspn(at, " \t");
	return g_str_has_prefix(at, "include");
}

static void
gather(gathering *g, const char *text, gsize size)
{
	hd_tokens tokens = {text, text + size, false};
	hd_token token;
	char name[256];
	while (!g->all && hd_token_next(&tokens, &token)) {
		gpointer key, line;
		if (token.kind == HD_TOKEN_DIRECTIVE) {
			gather(g, token.start + 1, token.size - 1);
			g->all |= is_include(&token);
		}
		g->all |= token.kind == HD_TOKEN_PUNCTUATOR && token.size == 2 && memcmp(token.start, "##", 2) == 0;
		if (token.kind != HD_TOKEN_IDENTIFIER || token.size >= sizeof name)
			continue;
		memcpy(name, token.start, token.size);
		name[token.size] = '\0';
		if (g_hash_table_lookup_extended(g->prelude->macros, name, &key, &line) &&
		    g_hash_table_add(g->needed, key))
			g_queue_push_tail(&g->work, line);
	}
}

void
hd_prelude_macros(const hd_prelude *prelude, const char *text, gsize size, GString *out)
{
	gathering g = {.prelude = prelude, .needed = g_hash_table_new(g_str_hash, g_str_equal)};
	g_queue_init(&g.work);
	gather(&g, text, size);
	const char *line;
	gsize start = out->len;
	while (!g.all && (line = g_queue_pop_head(&g.work))) {
		g_string_append(out, line);
		gather(&g, line, strlen(line));
	}
	/* A name that is made by ## may be any macro's, and a header may use any. */
	if (g.all) {
		g_string_truncate(out, start);
		append_all(prelude, out);
	}
	g_queue_clear(&g.work);
	g_hash_table_unref(g.needed);
}
