/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/ctl.h"

#include "base/json.h"
#include "base/text.h"
#include "hotdev/endpoint.h"
#include "hotdev/jsonl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, FAILED = 1, USAGE = 2 };

typedef struct {
	const char *name, *argument; /* argument NULL: takes none */
	int most;		     /* arguments */
	bool json;		     /* takes --json */
	void (*print)(const json_t *answer);
} ctl_command;

static void
print_clean(const json_t *value)
{
	const char *string = json_string_value(value);
	char *clean = hd_text_local(string ? string : "-");
	fputs(clean, stdout);
	g_free(clean);
}

static void
print_padded(const char *text, const char *missing, int width)
{
	char *clean = hd_text_local(text ? text : missing);
	printf("%-*s%s", width, clean, width ? " " : "");
	g_free(clean);
}

static long long
integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void
print_status(const json_t *answer)
{
	const json_t *status = json_object_get(answer, "status"), *count;
	const char *name;
	fputs("program     ", stdout);
	print_clean(json_object_get(status, "program"));
	fputs("\nstate       ", stdout);
	print_clean(json_object_get(status, "state"));
	if (json_is_integer(json_object_get(status, "exit_status")))
		printf(", status %lld", integer(status, "exit_status"));
	else
		printf(", process %lld", integer(status, "pid"));
	fputs("\nproject     ", stdout);
	print_clean(json_object_get(status, "project"));
	printf("\ngeneration  %lld%s%s\n", integer(status, "generation"),
	       json_is_true(json_object_get(status, "paused")) ? ", paused" : "",
	       json_is_true(json_object_get(status, "idle")) ? ", idle" : ", building");
	printf("modules     %lld:", integer(status, "modules"));
	json_t *states = json_object_get(status, "states");
	json_object_foreach(states, name, count)
	{
		printf(" %lld ", (long long)json_integer_value(count));
		print_padded(name, "?", 0);
	}
	printf("\nprocesses   %lld, %lld threads, %lld in old code\n", integer(status, "processes"),
	       integer(status, "threads"), integer(status, "pins"));
}

static void
print_modules(const json_t *answer)
{
	size_t i;
	json_t *module;
	json_array_foreach(json_object_get(answer, "modules"), i, module)
	{
		printf("v%-3lld v%-3lld ", integer(module, "live"), integer(module, "disk"));
		print_padded(json_string_value(json_object_get(module, "compiler")), "own", 8);
		print_padded(json_string_value(json_object_get(module, "state")), "?", 12);
		print_clean(json_object_get(module, "module"));
		if (integer(module, "pins"))
			printf("  %lld pinned", integer(module, "pins"));
		putchar('\n');
	}
}

static void
print_pins(const json_t *answer)
{
	size_t i;
	json_t *pin;
	json_array_foreach(json_object_get(answer, "pins"), i, pin)
	{
		printf("%lld ", integer(pin, "tid"));
		print_clean(json_object_get(pin, "thread"));
		fputs(" inside ", stdout);
		print_clean(json_object_get(pin, "module"));
		printf(" v%lld: ", integer(pin, "version"));
		print_clean(json_object_get(pin, "function"));
		putchar(' ');
		print_clean(json_object_get(pin, "file"));
		printf(":%lld\n", integer(pin, "line"));
	}
}

/* As compilers write them: editors read these lines. */
static void
print_errors(const json_t *answer)
{
	size_t i;
	json_t *one;
	json_array_foreach(json_object_get(answer, "errors"), i, one)
	{
		print_clean(json_object_get(one, "file"));
		printf(":%lld:%lld: ", integer(one, "line"), MAX(integer(one, "column"), 1));
		print_clean(json_object_get(one, "severity"));
		fputs(": ", stdout);
		print_clean(json_object_get(one, "message"));
		putchar('\n');
	}
}

static void
print_diff(const json_t *answer)
{
	const char *text = json_string_value(json_object_get(json_object_get(answer, "diff"), "text"));
	char **lines = g_strsplit(text ? text : "", "\n", -1);
	for (char **line = lines; *line && (line[1] || **line); line++) {
		/* hd_text_clean makes spaces of tabs, and a patch needs them. */
		char **pieces = g_strsplit(*line, "\t", -1);
		for (char **piece = pieces; *piece; piece++) {
			if (piece > pieces)
				putchar('\t');
			print_padded(*piece, "", 0);
		}
		putchar('\n');
		g_strfreev(pieces);
	}
	g_strfreev(lines);
}

/* clang-format off */
static const ctl_command commands[] = {
	{"status", NULL, 0, true, print_status},
	{"modules", NULL, 0, true, print_modules},
	{"pins", NULL, 0, true, print_pins},
	{"errors", NULL, 0, true, print_errors},
	{"diff", "MODULE [FROM [TO]]", 3, true, print_diff},
	{"reload", "FILE", 1, false, NULL},
	{"undo", "MODULE", 1, false, NULL},
	{"redo", "MODULE", 1, false, NULL},
	{"migrate", NULL, 0, false, NULL},
	{"purge", "MODULE", 1, false, NULL},
	{"pause", NULL, 0, false, NULL},
	{"resume", NULL, 0, false, NULL},
	{"restart", NULL, 0, false, NULL},
	{"events", NULL, 0, false, NULL},
	{"wait", "live|idle", 1, false, NULL},
	{"quit", "end|leave", 1, false, NULL},
};
/* clang-format on */

typedef struct {
	const ctl_command *command;
	const char *arguments[3], *timeout;
	int count; /* of arguments */
	bool json;
} request;

static bool
wrong(const char *format, const char *what)
{
	char *clean = hd_text_local(what);
	fputs("hotdev ctl: ", stderr);
	fprintf(stderr, format, clean);
	fputc('\n', stderr);
	g_free(clean);
	return false;
}

static bool
is_seconds(const char *text)
{
	char *end;
	double seconds = text ? g_ascii_strtod(text, &end) : -1;
	return text && end != text && !*end && isfinite(seconds) && seconds >= 0;
}

/* Where the command is this one: whether its argument, if it has one, is one of two words. */
static bool
is_one_of(const request *r, const char *command, const char *one, const char *two)
{
	const char *word = r->arguments[0];
	if (strcmp(r->command->name, command) != 0 || !word || strcmp(word, one) == 0 || strcmp(word, two) == 0)
		return true;
	return wrong("%s is not among what this command takes", word);
}

static bool
parse_words(request *r, char **words)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i].name, *words) == 0)
			r->command = &commands[i];
	if (!r->command)
		return wrong("there is no command %s", *words);
	bool is_wait = strcmp(r->command->name, "wait") == 0;
	for (words++; *words; words++) {
		if (r->command->json && strcmp(*words, "--json") == 0) {
			r->json = true;
		} else if (is_wait && strcmp(*words, "--timeout") == 0) {
			if (!is_seconds(words[1]))
				return wrong("%s takes seconds", *words);
			r->timeout = *++words;
		} else if (is_wait && g_str_has_prefix(*words, "--timeout=")) {
			r->timeout = *words + strlen("--timeout=");
			if (!is_seconds(r->timeout))
				return wrong("%s: --timeout takes seconds", *words);
		} else if (**words == '-' || r->count == r->command->most) {
			return wrong("%s is one word too many", *words);
		} else {
			r->arguments[r->count++] = *words;
		}
	}
	return is_one_of(r, "wait", "live", "idle") && is_one_of(r, "quit", "end", "leave");
}

static void
add_argument(json_t *arguments, const request *r, const char *argument)
{
	char *resolved = NULL;
	/* The other side has another working directory. */
	if (strcmp(r->command->name, "reload") == 0 && g_file_test(argument, G_FILE_TEST_EXISTS))
		resolved = realpath(argument, NULL);
	char *valid = g_utf8_make_valid(resolved ? resolved : argument, -1);
	json_array_append_new(arguments, json_string(valid));
	g_free(valid);
	free(resolved);
}

static char *
request_line(const request *r)
{
	json_t *json = json_object(), *arguments = json_array();
	for (int i = 0; i < r->count; i++)
		add_argument(arguments, r, r->arguments[i]);
	if (r->timeout && !r->count)
		json_array_append_new(arguments, json_string("live"));
	if (r->timeout)
		json_array_append_new(arguments, json_string(r->timeout));
	json_object_set_new(json, "v", json_integer(1));
	json_object_set_new(json, "command", json_string(r->command->name));
	json_object_set_new(json, "arguments", arguments);
	return hd_jsonl(json);
}

static int
print_answer(const request *r, char *line)
{
	json_error_t where;
	json_t *answer = json_loads(line, 0, &where);
	bool ok = json_is_true(json_object_get(answer, "ok"));
	if (ok && r->json)
		fputs(line, stdout);
	else if (ok && r->command->print)
		r->command->print(answer);
	if (!ok) {
		const char *message = json_string_value(json_object_get(answer, "error"));
		wrong("%s", message ? message : "the answer cannot be read");
	}
	json_decref(answer);
	return ok ? OK : FAILED;
}

static int
converse(int fd, const request *r)
{
	char *line = request_line(r);
	FILE *stream = fdopen(fd, "r+");
	if (!stream || fputs(line, stream) < 0 || fflush(stream) != 0) {
		wrong("%s", g_strerror(errno));
		g_free(line);
		return FAILED;
	}
	g_free(line);
	char *answer = NULL;
	size_t room = 0;
	int status = FAILED;
	if (getline(&answer, &room, stream) > 0)
		status = print_answer(r, answer);
	else
		wrong("%s", "hotdev has ended without an answer");
	/* The stream of events: hotdev made these lines fit for a terminal. */
	bool follow = status == OK && strcmp(r->command->name, "events") == 0;
	while (follow && getline(&answer, &room, stream) > 0)
		if (fputs(answer, stdout) < 0 || fflush(stdout) != 0)
			break;
	free(answer);
	fclose(stream);
	if (fflush(stdout) != 0)
		status = FAILED;
	return status;
}

static char *
only_one_running(void)
{
	GPtrArray *running = hd_endpoint_running();
	char *path = running->len == 1 ? g_strdup(running->pdata[0]) : NULL;
	if (running->len == 0)
		wrong("%s", "no hotdev runs");
	if (running->len > 1)
		wrong("%s", "several hotdev run; choose one with -s:");
	for (guint i = 0; running->len > 1 && i < running->len; i++)
		fprintf(stderr, "  %s\n", (char *)running->pdata[i]);
	g_ptr_array_unref(running);
	return path;
}

int
hd_ctl(const char *socket, char **words)
{
	request r = {0};
	if (!parse_words(&r, words))
		return USAGE;
	char *path = socket ? g_strdup(socket) : only_one_running();
	if (!path)
		return USAGE;
	GError *error = NULL;
	int fd = hd_endpoint_connect(path, &error);
	g_free(path);
	if (fd < 0) {
		wrong("%s", error->message);
		g_error_free(error);
		return FAILED;
	}
	return converse(fd, &r);
}
