/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/includes.h"

#include "reloader/build/arguments.h"

#include <string.h>

#define FILE_MOST (4 * 1024 * 1024) /* a larger one is no header */

typedef struct {
	const char *source, *directory;
	GPtrArray *files;	 /* canonical paths that the compilation is known to have read */
	GHashTable *read;	 /* of those, what has been looked into */
	GPtrArray *traced;	 /* canonical folders that the line table names */
	const GPtrArray *others; /* those of other units; NULL: not known */
	GPtrArray *folders;	 /* the answer */
} guesser;

/* Wherever they are installed, compilers keep their own headers in lib/gcc/TARGET/VERSION/include and
 * lib/clang/VERSION/include. */
static bool
is_compilers(const char *path)
{
	const char *own = strstr(path, "/lib/gcc/");
	if (!own)
		own = strstr(path, "/lib/clang/");
	return own && strstr(own, "/include");
}

bool
hd_path_is_system(const char *path)
{
	static const char *const roots[] = {
		"/usr/include/", "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/local/include/", "/usr/local/lib/",
		"/usr/share/",	 "/lib/",     "/lib64/",     "/nix/store/", "/gnu/store/"};
	for (guint i = 0; i < G_N_ELEMENTS(roots); i++)
		if (g_str_has_prefix(path, roots[i]))
			return true;
	return is_compilers(path);
}

static void
add_unique(GPtrArray *array, char *path)
{
	if (g_ptr_array_find_with_equal_func(array, path, g_str_equal, NULL))
		g_free(path);
	else
		g_ptr_array_add(array, path);
}

static bool
exists(const char *folder, const char *name)
{
	char *path = g_build_filename(folder, name, NULL);
	bool is = g_file_test(path, G_FILE_TEST_IS_REGULAR);
	g_free(path);
	return is;
}

/* The folders where a compiler looks without being told, and what is around them. A compiler's own are for no
 * other compiler to read, either. */
static bool
is_searched_anyway(const char *folder)
{
	static const char *const roots[] = {"/", "/usr", "/usr/include", "/usr/local", "/usr/local/include"};
	for (guint i = 0; i < G_N_ELEMENTS(roots); i++)
		if (strcmp(folder, roots[i]) == 0)
			return true;
	if (is_compilers(folder))
		return true;
	const char *architecture = "/usr/include/";
	return g_str_has_prefix(folder, architecture) && !strchr(folder + strlen(architecture), '/') &&
	       strstr(folder, "-linux-");
}

/* The C library's inner folders (bits, sys, asm, ...) are nobody's -I: their headers would hide those of the same
 * names that programs mean. */
static bool
hides_standard_headers(const char *folder)
{
	static const char *const names[] = {"errno.h", "fcntl.h",  "limits.h", "signal.h", "stdint.h",
					    "stdio.h", "stdlib.h", "string.h", "time.h",   "types.h"};
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (exists(folder, names[i]))
			return true;
	return false;
}

/* <dirent.h> includes bits/dirent.h, which alone may leave a trace. */
static bool
is_inner_folder(const char *folder, const char *name)
{
	return hd_path_is_system(folder) && !is_searched_anyway(folder) &&
	       (exists("/usr/include", name) || hides_standard_headers(folder));
}

/* The folder under which a known file is called `name`, or NULL. */
static char *
root_of_known(const guesser *g, const char *name)
{
	for (guint i = 0; i < g->files->len; i++) {
		const char *path = g_ptr_array_index(g->files, i);
		gsize size = strlen(path), length = strlen(name);
		if (size <= length + 1 || path[size - length - 1] != '/' || strcmp(path + size - length, name) != 0)
			continue;
		char *folder = g_strndup(path, size - length - 1);
		if (!is_inner_folder(folder, name))
			return folder;
		g_free(folder);
	}
	return NULL;
}

/* The nearest place for a header that left no trace (it has macros only):
 * from the source upwards, the folders and their include folders. */
static char *
root_nearby(const guesser *g, const char *name)
{
	const char *starts[] = {g->source, g->directory};
	for (guint i = 0; i < G_N_ELEMENTS(starts); i++) {
		char *folder = i == 0 ? g_path_get_dirname(starts[i]) : g_strdup(starts[i]);
		for (guint up = 0; up < 4 && strcmp(folder, "/") != 0; up++) {
			static const char *const below[] = {".", "include", "inc", "src"};
			for (guint n = 0; n < G_N_ELEMENTS(below); n++) {
				char *place = g_canonicalize_filename(below[n], folder);
				if (exists(place, name)) {
					g_free(folder);
					return place;
				}
				g_free(place);
			}
			char *above = g_path_get_dirname(folder);
			g_free(folder);
			folder = above;
		}
		g_free(folder);
	}
	return NULL;
}

/* A header that only includes others leaves no trace, but they do, in its folder or below it:
 * SDL2/SDL.h, glib-2.0/glib.h. */
static char *
root_of_traced(const GPtrArray *traced, const char *name)
{
	for (guint i = 0; traced && i < traced->len; i++) {
		char *folder = g_strdup(g_ptr_array_index(traced, i));
		for (guint up = 0; up < 3 && !is_searched_anyway(folder); up++) {
			if (exists(folder, name) && !hides_standard_headers(folder))
				return folder;
			char *above = g_path_get_dirname(folder);
			g_free(folder);
			folder = above;
		}
		g_free(folder);
	}
	return NULL;
}

static void
resolve(guesser *g, const char *includer, const char *name, bool quoted)
{
	char *own = g_path_get_dirname(includer);
	bool beside = quoted && exists(own, name);
	if (beside)
		add_unique(g->files, hd_canonical_path(name, own));
	g_free(own);
	if (beside || g_path_is_absolute(name))
		return;
	for (guint i = 0; i < g->folders->len; i++)
		if (exists(g_ptr_array_index(g->folders, i), name)) {
			add_unique(g->files, hd_canonical_path(name, g_ptr_array_index(g->folders, i)));
			return;
		}
	char *root = root_of_known(g, name);
	if (!root && !exists("/usr/include", name))
		root = root_nearby(g, name);
	if (!root && !exists("/usr/include", name))
		root = root_of_traced(g->traced, name);
	if (!root && !exists("/usr/include", name))
		root = root_of_traced(g->others, name);
	if (!root)
		return;
	add_unique(g->files, hd_canonical_path(name, root));
	if (is_searched_anyway(root))
		g_free(root);
	else
		add_unique(g->folders, root);
}

/* The name in an #include line, or NULL. */
static char *
included(const char *line, const char *end, bool *quoted)
{
	while (line < end && g_ascii_isspace(*line))
		line++;
	if (line == end || *line++ != '#')
		return NULL;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	if ((gsize)(end - line) < strlen("include") || strncmp(line, "include", strlen("include")) != 0)
		return NULL;
	line += strlen("include");
	while (line < end && *line != '"' && *line != '<')
		line++;
	if (line == end)
		return NULL;
	*quoted = *line == '"';
	const char *close = memchr(line + 1, *quoted ? '"' : '>', (gsize)(end - line - 1));
	return close && close > line + 1 ? g_strndup(line + 1, (gsize)(close - line - 1)) : NULL;
}

/* What the system's headers include is found without our help, but where they had to be searched for themselves:
 * glib-2.0/glib.h includes glibconfig.h, which is elsewhere again. */
static bool
needs_help(const guesser *g, const char *path)
{
	if (!hd_path_is_system(path))
		return true;
	for (guint i = 0; i < g->folders->len; i++) {
		const char *folder = g_ptr_array_index(g->folders, i);
		gsize length = strlen(folder);
		if (strncmp(path, folder, length) == 0 && path[length] == '/')
			return true;
	}
	return false;
}

static void
look_into(guesser *g, const char *path)
{
	char *text = NULL;
	gsize size = 0;
	if (!needs_help(g, path) || !g_hash_table_add(g->read, g_strdup(path)) ||
	    !g_file_get_contents(path, &text, &size, NULL))
		return;
	for (const char *line = text, *end = text + size; line < end && size <= FILE_MOST;) {
		const char *next = memchr(line, '\n', (gsize)(end - line));
		next = next ? next : end;
		bool quoted = false;
		char *name = included(line, next, &quoted);
		if (name)
			resolve(g, path, name, quoted);
		g_free(name);
		line = next + 1;
	}
	g_free(text);
}

static void
look_into_all(guesser *g)
{
	for (guint i = 0; i < g->files->len; i++) { /* grows as headers are found */
		char *path = g_strdup(g_ptr_array_index(g->files, i));
		look_into(g, path);
		g_free(path);
	}
}

static void
add_traced(guesser *g)
{
	char *own = g_path_get_dirname(g->source);
	for (guint i = 0; i < g->traced->len; i++) {
		const char *folder = g_ptr_array_index(g->traced, i);
		char *slashed = g_strconcat(folder, "/", NULL);
		if (!hd_path_is_system(slashed) && strcmp(folder, own) != 0 && strcmp(folder, g->directory) != 0 &&
		    g_file_test(folder, G_FILE_TEST_IS_DIR))
			add_unique(g->folders, g_strdup(folder));
		g_free(slashed);
	}
	g_free(own);
}

GPtrArray *
hd_includes_guess(const char *source, const char *directory, const GPtrArray *files, const GPtrArray *folders,
		  const GPtrArray *others)
{
	guesser g = {source,
		     directory,
		     g_ptr_array_new_with_free_func(g_free),
		     g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		     g_ptr_array_new_with_free_func(g_free),
		     others,
		     g_ptr_array_new_with_free_func(g_free)};
	for (guint i = 0; folders && i < folders->len; i++)
		add_unique(g.traced, hd_canonical_path(g_ptr_array_index(folders, i), directory));
	g_ptr_array_add(g.files, g_strdup(source));
	for (guint i = 0; files && i < files->len; i++)
		add_unique(g.files, hd_canonical_path(g_ptr_array_index(files, i), directory));
	guint before;
	do {
		before = g.folders->len; /* a new one can make files worth looking into */
		look_into_all(&g);
	} while (g.folders->len > before);
	add_traced(&g);
	g_ptr_array_unref(g.files);
	g_ptr_array_unref(g.traced);
	g_hash_table_unref(g.read);
	return g.folders;
}
