/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/conditional.h"

#include "reloader/build/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 10000

/* ---- the text's branches ---- */

typedef enum { NO_DIRECTIVE, BEGINS, TURNS, ENDS, RENUMBERS } directive;

static directive
directive_of(const char *line)
{
	static const struct {
		const char *name;
		directive kind;
	} names[] = {{"if", BEGINS}, {"el", TURNS}, {"endif", ENDS}, {"line", RENUMBERS}};
	line += strspn(line, " \t");
	if (*line != '#')
		return NO_DIRECTIVE;
	line += 1 + strspn(line + 1, " \t");
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_has_prefix(line, names[i].name))
			return names[i].kind;
	return NO_DIRECTIVE;
}

/* Of hd_lines; NULL: lines are not what they seem. */
static GArray *
branches_of(char *const *lines)
{
	GArray *branches = g_array_new(FALSE, FALSE, sizeof(hd_lines));
	GArray *open = g_array_new(FALSE, FALSE, sizeof(int));
	bool renumbered = false;
	for (int number = 1; lines[number - 1] && !renumbered; number++) {
		directive kind = directive_of(lines[number - 1]);
		renumbered = kind == RENUMBERS;
		if ((kind == TURNS || kind == ENDS) && open->len) {
			hd_lines branch = {g_array_index(open, int, open->len - 1) + 1, number - 1};
			g_array_append_val(branches, branch);
			g_array_set_size(open, open->len - 1);
		}
		if (kind == BEGINS || kind == TURNS)
			g_array_append_val(open, number);
	}
	g_array_unref(open);
	if (renumbered)
		g_clear_pointer(&branches, g_array_unref);
	return branches;
}

/* ---- what the compiler makes of it ---- */

static GString *
preprocess(const hd_command *command, const char *path)
{
	char *folder = g_path_get_dirname(command->source);
	GPtrArray *argv = g_ptr_array_new();
	for (char **argument = command->argv; *argument; argument++)
		g_ptr_array_add(argv, g_strcmp0(*argument, command->source_arg) == 0 ? (char *)path : *argument);
	g_ptr_array_add(argv, (char *)"-E");
	g_ptr_array_add(argv, (char *)"-iquote");
	g_ptr_array_add(argv, folder);
	g_ptr_array_add(argv, NULL);
	hd_process_spec spec = {(char *const *)argv->pdata, environ, command->directory, false};
	int status = -1;
	GString *output = hd_process_run(&spec, ANSWER_MS, &status, NULL);
	if (output && status != 0) {
		g_string_free(output, TRUE);
		output = NULL;
	}
	g_ptr_array_unref(argv);
	g_free(folder);
	return output;
}

/* Linemarkers (the GNU cpp manual, "Preprocessor Output"): # LINE "FILE" FLAGS. */
static bool
read_marker(const char *line, const char *path, int *number, bool *ours)
{
	if (line[0] != '#' || line[1] != ' ' || !g_ascii_isdigit(line[2]))
		return false;
	const char *quote = strchr(line, '"');
	gsize length = strlen(path);
	*number = atoi(line + 2);
	*ours = quote && strncmp(quote + 1, path, length) == 0 && quote[1 + length] == '"';
	return true;
}

/* A set of the numbers of the text's lines of which something is left. */
static GHashTable *
lines_left(char *const *output, const char *path)
{
	GHashTable *left = g_hash_table_new(NULL, NULL);
	int number = 0;
	bool ours = false;
	for (; *output; output++) {
		if (read_marker(*output, path, &number, &ours))
			continue;
		if (ours && (*output)[strspn(*output, " \t\r")])
			g_hash_table_add(left, GINT_TO_POINTER(number));
		number++;
	}
	return left;
}

static void
drop_taken(GArray *branches, GHashTable *left)
{
	for (guint i = branches->len; i > 0; i--) {
		const hd_lines *branch = &g_array_index(branches, hd_lines, i - 1);
		bool taken = false;
		for (int line = branch->first; line <= branch->last && !taken; line++)
			taken = g_hash_table_contains(left, GINT_TO_POINTER(line));
		if (taken)
			g_array_remove_index_fast(branches, i - 1);
	}
}

static bool
reduce(GArray *branches, const hd_command *command, GBytes *text, const char *scratch)
{
	char *path = g_build_filename(scratch, "conditional.c", NULL);
	gsize size;
	const char *bytes = g_bytes_get_data(text, &size);
	GString *output = g_file_set_contents(path, bytes, (gssize)size, NULL) ? preprocess(command, path) : NULL;
	bool good = output != NULL;
	if (good) {
		char **lines = g_strsplit(output->str, "\n", -1);
		GHashTable *left = lines_left(lines, path);
		drop_taken(branches, left);
		g_hash_table_unref(left);
		g_strfreev(lines);
		g_string_free(output, TRUE);
	}
	unlink(path);
	g_free(path);
	return good;
}

GArray *
hd_conditional_left_out(const hd_command *command, GBytes *text, const char *scratch)
{
	gsize size;
	const char *bytes = g_bytes_get_data(text, &size);
	char *copy = g_strndup(bytes, size);
	char **lines = g_strsplit(copy, "\n", -1);
	GArray *branches = branches_of(lines);
	g_strfreev(lines);
	g_free(copy);
	if (branches && branches->len && !reduce(branches, command, text, scratch))
		g_clear_pointer(&branches, g_array_unref);
	return branches;
}
