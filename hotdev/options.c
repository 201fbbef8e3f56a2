/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/options.h"

#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum { FLAG, NUMBER, STRING, CHOICE, KEY, KIND } row_type;

typedef struct {
	const char *name;     /* without dashes */
	const char *argument; /* as shown; NULL: takes none */
	const char *help;     /* NULL: not shown */
	row_type type;
	size_t offset;	  /* in hd_options */
	int low, high;	  /* NUMBER; KIND: the command in low */
	unsigned belongs; /* commands it may be given to */
} row;

#define AT(member) offsetof(hd_options, member)
#define DEMO (1u << HD_COMMAND_DEMO)
#define RUN (1u << HD_COMMAND_RUN | DEMO)
#define DOCTOR (1u << HD_COMMAND_DOCTOR)
#define CTL (1u << HD_COMMAND_CTL)

/* CHOICE: the argument's words, in the order of the enum, between bars.
 * clang-format off */
static const row rows[] = {
	{"plain", NULL, "no dashboard, a line an event", FLAG, AT(plain), 0, 0, RUN},
	{"no-mouse", NULL, "without the mouse", FLAG, AT(no_mouse), 0, 0, RUN},
	{"events", "FILE", "append every event to FILE as JSON (- is stdout)", STRING, AT(events), 0, 0, RUN},
	{"compiler", "auto|tcc|cc", "auto: libtcc at once, the program's own cc behind it", CHOICE, AT(compiler), 0, 0,
	 RUN | DOCTOR},
	{"compdb", "FILE", "the compilation database, compile_commands.json", STRING, AT(compdb), 0, 0, RUN | DOCTOR},
	{"project", "DIR", "the folder watched, and that modules are named from", STRING, AT(project), 0, 0,
	 RUN | DOCTOR},
	{"on-refuse", "hold|restart", "what a refused edit does (hold)", CHOICE, AT(restart_on_refuse), 0, 0, RUN},
	{"on-disagree", "keep|undo", "what only libtcc takes stays, or is undone (keep)", CHOICE, AT(on_disagree), 0, 0,
	 RUN},
	{"keep", "N", "versions of a module to keep for undo (8)", NUMBER, AT(keep), 1, 1000, RUN},
	{"settle", "MS", "how long files must be quiet to go live (3)", NUMBER, AT(settle_ms), 0, 10000, RUN},
	{"patience", "MS", "how long to wait for no thread to be in the way (20)", NUMBER, AT(patience_ms), 0, 600000,
	 RUN},
	{"typed-heap", NULL, "types lead to every object on the heap (ctl migrate)", FLAG, AT(typed_heap), 0, 0, RUN},
	{"socket", "PATH", "the control socket (one per running hotdev)", STRING, AT(socket), 0, 0, RUN | CTL},
	{"ascii", NULL, "draw with ASCII only", FLAG, AT(ascii), 0, 0, RUN},
	{"mono", NULL, "without colours (as NO_COLOR)", FLAG, AT(mono), 0, 0, RUN},
	{"bell", NULL, "ring when an edit fails or is held", FLAG, AT(bell), 0, 0, RUN},
	{"notify", NULL, "tell the desktop", FLAG, AT(notify), 0, 0, RUN},
	{"prefix", "KEY", "the key that leaves the program's terminal (^])", KEY, AT(prefix), 0, 0, RUN},
	{"replay", "FILE", "show a journal (of --events), without a program", STRING, AT(replay), 0, 0, RUN},
	{"json", NULL, NULL, FLAG, AT(json), 0, 0, DOCTOR},
	{"quick", NULL, NULL, FLAG, AT(quick), 0, 0, DOCTOR},
	{"help", NULL, "this help", KIND, 0, HD_COMMAND_HELP, 0, RUN | DOCTOR | CTL},
	{"version", NULL, "the version", KIND, 0, HD_COMMAND_VERSION, 0, RUN | DOCTOR | CTL},
};
/* clang-format on */

static bool usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool
usage_error(GError **error, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *message = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error_literal(error, HD_ERROR, HD_ERROR_USAGE, message);
	g_free(message);
	return false;
}

static const row *
find_row(const char *name, size_t length, hd_command_kind kind)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0 &&
		    rows[i].belongs & 1u << kind)
			return &rows[i];
	return NULL;
}

static bool
set_number(int *out, const row *r, const char *value, GError **error)
{
	char *end;
	errno = 0;
	long number = strtol(value, &end, 10);
	if (errno || end == value || *end || number < r->low || number > r->high)
		return usage_error(error, "--%s takes a whole number from %d to %d, not \"%s\"", r->name, r->low,
				   r->high, value);
	*out = (int)number;
	return true;
}

static bool
set_choice(hd_options *options, const row *r, const char *value, GError **error)
{
	char **words = g_strsplit(r->argument, "|", -1);
	int chosen = -1;
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], value) == 0)
			chosen = i;
	g_strfreev(words);
	if (chosen < 0)
		return usage_error(error, "--%s takes %s, not \"%s\"", r->name, r->argument, value);
	if (r->offset == AT(restart_on_refuse))
		options->restart_on_refuse = chosen == 1;
	else
		*(int *)((char *)options + r->offset) = chosen;
	return true;
}

/* "^A" to "^_"; a program can do without one of them, and cannot without other keys. */
static bool
set_key(int *out, const row *r, const char *value, GError **error)
{
	char letter = g_ascii_toupper(value[0] == '^' ? value[1] : 0);
	if (letter < 'A' || letter > '_' || value[2] || strchr("CIJMQSZ[", letter))
		return usage_error(error,
				   "--%s takes a control key that terminals leave alone, as ^A or ^], not \"%s\"",
				   r->name, value);
	*out = letter & 0x1f;
	return true;
}

static bool
set_row(hd_options *options, const row *r, const char *value, GError **error)
{
	char *member = (char *)options + r->offset;
	switch (r->type) {
	case FLAG:
		*(bool *)member = true;
		return true;
	case KIND:
		options->kind = r->low;
		return true;
	case STRING:
		if (!*value)
			return usage_error(error, "--%s needs %s, not an empty word", r->name, r->argument);
		*(const char **)member = value;
		return true;
	case NUMBER:
		return set_number((int *)member, r, value, error);
	case KEY:
		return set_key((int *)member, r, value, error);
	case CHOICE:
		return set_choice(options, r, value, error);
	}
	return false;
}

/* One option at argv[*at], its value too when it is a word of its own; moves *at behind it. */
static bool
parse_option(hd_options *options, hd_command_kind kind, char **argv, int *at, GError **error)
{
	const char *word = argv[*at];
	if (strcmp(word, "-h") == 0)
		word = "--help";
	bool short_socket = kind == HD_COMMAND_CTL && strcmp(word, "-s") == 0;
	if (short_socket)
		word = "--socket";
	if (word[1] != '-')
		return usage_error(error, "there is no option %s", word);
	const char *name = word + 2, *equals = strchr(name, '=');
	const row *r = find_row(name, equals ? (size_t)(equals - name) : strlen(name), kind);
	if (!r)
		return usage_error(error, "there is no option %s%s", word,
				   kind == HD_COMMAND_RUN ? "" : " for this command");
	(*at)++;
	const char *value = equals ? equals + 1 : NULL;
	if (!r->argument && value)
		return usage_error(error, "--%s takes no value", r->name);
	if (r->argument && !value) {
		if (!argv[*at])
			return usage_error(error, "--%s needs %s", r->name, r->argument);
		value = argv[(*at)++];
	}
	return set_row(options, r, value, error);
}

bool
hd_options_parse(hd_options *options, int argc, char **argv, GError **error)
{
	*options = (hd_options){.keep = 8, .settle_ms = 3, .patience_ms = 20, .prefix = ']' & 0x1f};
	hd_command_kind kind = HD_COMMAND_RUN;
	int at = 1;
	if (argc > 1 && strcmp(argv[1], "doctor") == 0)
		kind = HD_COMMAND_DOCTOR;
	else if (argc > 1 && strcmp(argv[1], "ctl") == 0)
		kind = HD_COMMAND_CTL;
	else if (argc > 1 && strcmp(argv[1], "demo") == 0)
		kind = HD_COMMAND_DEMO;
	if (kind != HD_COMMAND_RUN)
		at++;
	options->kind = kind;
	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		if (!parse_option(options, kind, argv, &at, error))
			return false;
		if (options->kind == HD_COMMAND_HELP || options->kind == HD_COMMAND_VERSION)
			return true;
	}
	options->arguments = argv + at;
	if (kind == HD_COMMAND_DEMO) {
		bool fits = !options->replay && (!argv[at] || !argv[at + 1]);
		return fits || usage_error(error, "demo takes one folder, and no --replay");
	}
	if (kind == HD_COMMAND_RUN && options->replay) {
		options->kind = HD_COMMAND_REPLAY;
		return argv[at] ? usage_error(error, "--replay runs no program") : true;
	}
	if (!argv[at])
		return usage_error(error, kind == HD_COMMAND_CTL ? "which command? hotdev --help lists them"
								 : "which program?");
	if (kind == HD_COMMAND_DOCTOR && argv[at + 1])
		return usage_error(error, "doctor takes one program");
	return true;
}

static char *
shown(const row *r)
{
	return g_strdup_printf("--%s%s%s", r->name, r->argument ? " " : "", r->argument ? r->argument : "");
}

/* Fits a terminal of 80 by 24: neighbours that are short share a line. */
char *
hd_options_help(void)
{
	enum { LEFT = 25, WIDTH = 79 };
	GString *help = g_string_new("Usage: hotdev [OPTION]... [--] PROGRAM [ARG]...  run it, reload what is saved\n"
				     "       hotdev doctor [--json] [--quick] PROGRAM  what can be reloaded, why not\n"
				     "       hotdev ctl [-s SOCKET] COMMAND [ARG]...   speak to a running hotdev\n");
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const row *next = i + 1 < G_N_ELEMENTS(rows) ? &rows[i + 1] : NULL;
		if (!rows[i].help)
			continue;
		char *left = shown(&rows[i]), *both = NULL, *text = NULL;
		if (next && next->help && !rows[i].argument && !next->argument) {
			both = g_strdup_printf("%s, --%s", left, next->name);
			text = g_strdup_printf("%s; %s", rows[i].help, next->help);
		}
		bool share = both && strlen(both) < LEFT - 2 && strlen(text) <= WIDTH - LEFT - 2;
		g_string_append_printf(help, "  %-*s%s\n", LEFT, share ? both : left, share ? text : rows[i].help);
		i += share;
		g_free(left);
		g_free(both);
		g_free(text);
	}
	g_string_append(help, "ctl: status, modules, pins, errors, diff MODULE [V [V]] (each with --json),\n"
			      "reload [FILE], undo|redo|purge [MODULE], pause, resume, restart, events,\n"
			      "wait [--timeout S] [live|idle], quit [end|leave]. Try: hotdev demo, man hotdev\n");
	return g_string_free(help, FALSE);
}
