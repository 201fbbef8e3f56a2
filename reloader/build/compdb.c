/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile_commands.json, as clang's "JSON Compilation Database Format
 * Specification" has it. Commands are taken apart when they are asked for. */
#include "config.h"

#include "reloader/build/compdb.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/build/arguments.h"

#include <jansson.h>
#include <string.h>

struct hd_compdb {
	char *path;
	json_t *root;
	GPtrArray *sources;  /* of char *, each once, in the file's order */
	GHashTable *entries; /* source -> GPtrArray of json_t *, borrowed from root */
};

static char *
entry_directory(const hd_compdb *compdb, json_t *entry)
{
	const char *directory = json_string_value(json_object_get(entry, "directory"));
	char *own = g_path_get_dirname(compdb->path);
	char *absolute = g_canonicalize_filename(directory ? directory : ".", own);
	g_free(own);
	return absolute;
}

static bool
is_command(json_t *entry)
{
	if (json_is_string(json_object_get(entry, "command")))
		return true;
	json_t *arguments = json_object_get(entry, "arguments");
	size_t index;
	json_t *word;
	json_array_foreach(arguments, index, word) if (!json_is_string(word)) return false;
	return json_array_size(arguments) > 0;
}

static bool
index_entries(hd_compdb *compdb, GError **error)
{
	size_t index;
	json_t *entry;
	json_array_foreach(compdb->root, index, entry)
	{
		const char *file = json_string_value(json_object_get(entry, "file"));
		if (!file || !*file || !is_command(entry)) {
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT,
				    "entry %zu of %s has no \"file\", or neither \"arguments\" nor \"command\"",
				    index + 1, compdb->path);
			return false;
		}
		char *directory = entry_directory(compdb, entry);
		char *source = hd_canonical_path(file, directory);
		g_free(directory);
		GPtrArray *same = g_hash_table_lookup(compdb->entries, source);
		if (!same) {
			same = g_ptr_array_new();
			g_ptr_array_add(compdb->sources, source);
			g_hash_table_insert(compdb->entries, source, same);
		} else
			g_free(source);
		g_ptr_array_add(same, entry);
	}
	return true;
}

static hd_compdb *
open_file(const char *path, GError **error)
{
	hd_compdb *compdb = g_new0(hd_compdb, 1);
	compdb->path = hd_canonical_path(path, ".");
	compdb->sources = g_ptr_array_new_with_free_func(g_free);
	compdb->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
	char *text = NULL;
	gsize size = 0;
	GError *failed = NULL;
	if (hd_fault("compdb.read") || !g_file_get_contents(path, &text, &size, &failed)) {
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "cannot read %s: %s", path,
			    failed ? failed->message : "injected fault");
		g_clear_error(&failed);
		goto fail;
	}
	json_error_t why;
	compdb->root = json_loadb(text, size, 0, &why);
	g_free(text);
	if (!json_is_array(compdb->root)) {
		if (compdb->root)
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s is not an array of commands", path);
		else
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s:%d: %s", path, why.line, why.text);
		goto fail;
	}
	if (index_entries(compdb, error))
		return compdb;
fail:
	hd_compdb_free(compdb);
	return NULL;
}

static char *
look_in(const char *folder)
{
	static const char *const places[] = {"", "build", "_build", "builddir"};
	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		char *path = g_build_filename(folder, places[i], "compile_commands.json", NULL);
		if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
			return path;
		g_free(path);
	}
	return NULL;
}

static bool
is_below(const char *path, const char *folder)
{
	gsize length = strlen(folder);
	return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/' || length == 1);
}

static bool
names_source_below(const hd_compdb *compdb, const char *folder)
{
	for (guint i = 0; i < compdb->sources->len; i++)
		if (is_below(g_ptr_array_index(compdb->sources, i), folder))
			return true;
	return false;
}

/* The database in one folder. One outside of the project is not ours to complain of, unless it is about the project. */
static hd_compdb *
open_in(const char *folder, const char *project, GError **error)
{
	char *path = look_in(folder);
	bool inside = !project || is_below(folder, project);
	hd_compdb *compdb = path ? open_file(path, inside ? error : NULL) : NULL;
	g_free(path);
	if (compdb && !inside && !names_source_below(compdb, project))
		g_clear_pointer(&compdb, hd_compdb_free);
	return compdb;
}

/* Upwards from a folder. */
static hd_compdb *
open_nearest(const char *from, const char *project, GError **error)
{
	GError *problem = NULL;
	hd_compdb *compdb = NULL;
	char *folder = hd_canonical_path(from, ".");
	while (!(compdb = open_in(folder, project, &problem)) && !problem && strcmp(folder, "/") != 0) {
		char *above = g_path_get_dirname(folder);
		g_free(folder);
		folder = above;
	}
	g_free(folder);
	if (problem)
		g_propagate_error(error, problem);
	return compdb;
}

hd_compdb *
hd_compdb_open(const char *path, const char *from, const char *project, GError **error)
{
	if (path)
		return open_file(path, error);
	GError *problem = NULL;
	char *top = project ? hd_canonical_path(project, ".") : NULL;
	hd_compdb *compdb = open_nearest(from ? from : ".", top, &problem);
	if (!compdb && !problem && top)
		compdb = open_nearest(top, top, &problem);
	g_free(top);
	if (problem)
		g_propagate_error(error, problem);
	return compdb;
}

void
hd_compdb_free(hd_compdb *compdb)
{
	if (!compdb)
		return;
	g_hash_table_unref(compdb->entries);
	g_ptr_array_unref(compdb->sources);
	json_decref(compdb->root);
	g_free(compdb->path);
	g_free(compdb);
}

const char *
hd_compdb_path(const hd_compdb *compdb)
{
	return compdb->path;
}

GPtrArray *
hd_compdb_sources(const hd_compdb *compdb)
{
	return compdb->sources;
}

bool
hd_compdb_names(const hd_compdb *compdb, const char *source)
{
	return g_hash_table_contains(compdb->entries, source);
}

/* The words of an entry's command, in the folder where it runs; owned by the caller. */
static char **
entry_words(json_t *entry, const char *directory, GError **error)
{
	char **words = NULL;
	json_t *arguments = json_object_get(entry, "arguments");
	const char *line = json_string_value(json_object_get(entry, "command"));
	if (json_is_array(arguments)) {
		words = g_new0(char *, json_array_size(arguments) + 1);
		for (size_t i = 0; i < json_array_size(arguments); i++)
			words[i] = g_strdup(json_string_value(json_array_get(arguments, i)));
	} else if (!g_shell_parse_argv(line, NULL, &words, error))
		return NULL;
	char **expanded = hd_arguments_expand(words, directory);
	g_strfreev(words);
	return expanded;
}

/* How well a command fits what the debug information says: the folder counts
 * most, then the optimisation level, then each other option of code generation. */
static int
likeness(char *const *words, const char *directory, const hd_command_hints *hints)
{
	int score = hints->directory && strcmp(hints->directory, directory) == 0 ? 4 : 0;
	char **recorded = g_strsplit(hints->producer ? hints->producer : "", " ", -1);
	for (guint i = 1; words[0] && words[i]; i++) {
		const char *word = words[i];
		if (strncmp(word, "-O", 2) != 0 && strncmp(word, "-f", 2) != 0 && strncmp(word, "-m", 2) != 0 &&
		    strncmp(word, "-std", 4) != 0)
			continue;
		bool same = g_strv_contains((const char *const *)recorded, word);
		score += (same ? 1 : -1) * (word[1] == 'O' ? 3 : 2);
	}
	g_strfreev(recorded);
	bool pic = g_strv_contains((const char *const *)words, "-fPIC") ||
		   g_strv_contains((const char *const *)words, "-fpic");
	return score + (hints->shared == pic ? 1 : 0);
}

static hd_command *
make_command(const hd_compdb *compdb, const char *source, json_t *entry, char **words, char *directory)
{
	hd_command *command = g_new0(hd_command, 1);
	command->source = g_strdup(source);
	command->directory = directory;
	command->argv = hd_arguments_clean(words, directory, source, json_string_value(json_object_get(entry, "file")),
					   &command->source_arg);
	command->origin = HD_COMMAND_COMPDB;
	command->origin_detail = g_strdup(compdb->path);
	return command;
}

hd_command *
hd_compdb_command(const hd_compdb *compdb, const char *source, const hd_command_hints *hints, GError **error)
{
	GPtrArray *entries = g_hash_table_lookup(compdb->entries, source);
	json_t *best = NULL;
	char **best_words = NULL;
	char *best_directory = NULL;
	int best_score = G_MININT;
	for (guint i = 0; entries && i < entries->len; i++) {
		json_t *entry = g_ptr_array_index(entries, i);
		char *directory = entry_directory(compdb, entry);
		GError *why = NULL;
		char **words = entry_words(entry, directory, &why);
		int score = words && words[0] ? likeness(words, directory, hints) : G_MININT;
		if (score > best_score) {
			g_strfreev(best_words);
			g_free(best_directory);
			best = entry;
			best_score = score;
			best_words = g_steal_pointer(&words);
			best_directory = g_steal_pointer(&directory);
		} else if (why && error && !*error)
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the command for %s in %s: %s", source,
				    compdb->path, why->message);
		g_clear_error(&why);
		g_strfreev(words);
		g_free(directory);
	}
	if (!best)
		return NULL;
	g_clear_error(error);
	hd_command *command = make_command(compdb, source, best, best_words, best_directory);
	if (entries->len > 1) {
		g_free(command->origin_detail);
		command->origin_detail = g_strdup_printf("%s, the likeliest of %u entries", compdb->path, entries->len);
	}
	g_strfreev(best_words);
	return command;
}
