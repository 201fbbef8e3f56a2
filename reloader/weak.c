/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For doctor: options of a compiler under which updates can do less. */
#include "config.h"

#include "reloader/private.h"

#include <string.h>

/* When a row holds. */
typedef enum {
	ANY_AT_1,   /* every compiler at -O1 and above */
	GCC_AT_1,   /* gcc there, unless `option` is given */
	GCC_AT_2,   /* gcc at -O2 and above, unless `option` is given */
	WHEN_GIVEN, /* where an option begins with `option` */
} reason;

static const struct {
	reason when;
	const char *option;
	const char *sentence;
} rows[] = {
	{ANY_AT_1, NULL,
	 "it is optimised, so static functions are fitted to their callers: an edit of one replaces its callers too, "
	 "and "
	 "a frame that runs on keeps calling the old one; -O0 while editing avoids it"},
	{GCC_AT_1, "-fno-ipa-ra",
	 "built with -fipa-ra: small edited functions are entered through code that keeps registers, and what uses "
	 "more "
	 "is held (HD205); -fno-ipa-ra avoids it"},
	{GCC_AT_2, "-fno-ipa-icf",
	 "built with -fipa-icf: functions with equal bodies share one, and an edit of one of them is held (HD204); "
	 "-fno-ipa-icf avoids it"},
	{WHEN_GIVEN, "-fno-asynchronous-unwind-tables",
	 "it has no unwind tables: who is in old code cannot always be seen; leave -fno-asynchronous-unwind-tables "
	 "out"},
	{WHEN_GIVEN, "-fno-unwind-tables",
	 "it has no unwind tables: who is in old code cannot always be seen; leave -fno-unwind-tables out"},
	{WHEN_GIVEN, "-fprofile",
	 "it counts what runs: functions that are edited are left out of the counts; build without -fprofile-arcs and "
	 "-fprofile-generate"},
	{WHEN_GIVEN, "--coverage",
	 "it counts what runs: functions that are edited are left out of the counts; build without --coverage"},
	{WHEN_GIVEN, "-finstrument-functions",
	 "its hooks are told other addresses for functions that are edited; build without -finstrument-functions"},
	{WHEN_GIVEN, "-fwhole-program",
	 "its functions are taken for the only ones: an edit that another file would need is held; build without "
	 "-fwhole-program"},
};

/* A word of the command, or of what the compiler wrote of itself into the debug information. */
static bool
is_given(const hd_command *command, const char *producer, const char *option, bool prefix)
{
	size_t length = strlen(option);
	for (char **word = command->argv; *word; word++)
		if (strncmp(*word, option, length) == 0 && (prefix || !(*word)[length]))
			return true;
	const char *at = producer;
	while ((at = strstr(at, option))) {
		bool starts = at > producer && at[-1] == ' ';
		at += length;
		if (starts && (prefix || *at == ' ' || !*at))
			return true;
	}
	return false;
}

/* gcc(1): the last one counts; -Og is -O1 with less, -Os is -O2 with less. */
static int
level_of(const hd_command *command)
{
	const char *level = "0";
	for (char **word = command->argv; *word; word++)
		if (g_str_has_prefix(*word, "-O"))
			level = *word + strlen("-O");
	if (strcmp(level, "0") == 0)
		return 0;
	return !*level || strcmp(level, "1") == 0 || strcmp(level, "g") == 0 ? 1 : 2;
}

static bool
holds(reason when, const char *option, const hd_command *command, const char *producer)
{
	bool gcc = g_str_has_prefix(producer, "GNU");
	switch (when) {
	case ANY_AT_1:
		return level_of(command) >= 1;
	case GCC_AT_1:
		return gcc && level_of(command) >= 1 && !is_given(command, producer, option, false);
	case GCC_AT_2:
		return gcc && level_of(command) >= 2 && !is_given(command, producer, option, false);
	case WHEN_GIVEN:
		return is_given(command, producer, option, true);
	}
	return false;
}

json_t *
hd_weak_options(const hd_command *command, const char *producer)
{
	json_t *sentences = json_array();
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		if (holds(rows[i].when, rows[i].option, command, producer ? producer : ""))
			json_array_append_new(sentences, json_string(rows[i].sentence));
	return sentences;
}
