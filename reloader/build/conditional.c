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
		g_array_set_size(branches, 0);
	return branches;
}

/* ---- what the compiler makes of it ---- */

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

/* ---- asking ---- */

typedef struct asking asking;

/* One compiler at work. */
typedef struct {
	asking *all;
	hd_conditional_question *question;
	char *path; /* the text's, in scratch */
	hd_process *process;
	GSource *deadline;
} task;

struct asking {
	hd_conditional_question *questions;
	guint count, next, running;
	const char *scratch;
	GMainContext *context; /* of our own: nothing else happens meanwhile */
};

static void
take_answer(task *t, const GString *output)
{
	char **lines = g_strsplit(output->str, "\n", -1);
	GHashTable *left = lines_left(lines, t->path);
	drop_taken(t->question->branches, left);
	g_hash_table_unref(left);
	g_strfreev(lines);
}

static void ask_more(asking *all);

/* output NULL: it does not answer. */
static void
finish(task *t, const GString *output)
{
	asking *all = t->all;
	if (output)
		take_answer(t, output);
	else
		g_array_set_size(t->question->branches, 0);
	if (t->deadline) {
		g_source_destroy(t->deadline);
		g_source_unref(t->deadline);
	}
	hd_process_free(t->process);
	unlink(t->path);
	g_free(t->path);
	g_free(t);
	all->running--;
	ask_more(all);
}

static void
on_ended(hd_process *process, int status, void *data)
{
	GString *output = status == 0 ? hd_process_output(process) : NULL;
	finish(data, output);
	if (output)
		g_string_free(output, TRUE);
}

static gboolean
on_deadline(void *data)
{
	finish(data, NULL);
	return G_SOURCE_REMOVE;
}

static hd_process *
preprocess(task *t)
{
	const hd_command *command = t->question->command;
	char *folder = g_path_get_dirname(command->source);
	GPtrArray *argv = g_ptr_array_new();
	for (char **argument = command->argv; *argument; argument++)
		g_ptr_array_add(argv, g_strcmp0(*argument, command->source_arg) == 0 ? t->path : *argument);
	g_ptr_array_add(argv, (char *)"-E");
	g_ptr_array_add(argv, (char *)"-iquote");
	g_ptr_array_add(argv, folder);
	g_ptr_array_add(argv, NULL);
	hd_process_spec spec = {(char *const *)argv->pdata, environ, command->directory, false};
	hd_process *process = hd_process_start(&spec, t->all->context, on_ended, t, NULL);
	g_ptr_array_unref(argv);
	g_free(folder);
	return process;
}

static void
ask_one(asking *all, hd_conditional_question *question)
{
	task *t = g_new0(task, 1);
	t->all = all;
	t->question = question;
	t->path = g_strdup_printf("%s/conditional-%u.c", all->scratch, (guint)(question - all->questions));
	all->running++;
	gsize size;
	const char *bytes = g_bytes_get_data(question->text, &size);
	if (!g_file_set_contents(t->path, bytes, (gssize)size, NULL) || !(t->process = preprocess(t))) {
		finish(t, NULL);
		return;
	}
	t->deadline = g_timeout_source_new(ANSWER_MS);
	g_source_set_callback(t->deadline, on_deadline, t, NULL);
	g_source_attach(t->deadline, all->context);
}

static void
ask_more(asking *all)
{
	while (all->running < g_get_num_processors() && all->next < all->count) {
		hd_conditional_question *question = &all->questions[all->next++];
		if (question->branches->len)
			ask_one(all, question);
	}
}

void
hd_conditional_ask(hd_conditional_question *questions, guint count, const char *scratch)
{
	asking all = {questions, count, 0, 0, scratch, g_main_context_new()};
	ask_more(&all);
	while (all.running)
		g_main_context_iteration(all.context, TRUE);
	g_main_context_unref(all.context);
}

GArray *
hd_conditional_branches(GBytes *text)
{
	gsize size;
	const char *bytes = g_bytes_get_data(text, &size);
	char *copy = g_strndup(bytes, size);
	char **lines = g_strsplit(copy, "\n", -1);
	GArray *branches = branches_of(lines);
	g_strfreev(lines);
	g_free(copy);
	return branches;
}
