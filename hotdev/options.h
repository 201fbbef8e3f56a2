/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of hotdev, from one table: parsing, --help and the
 * completions' list of names are all made of it. */
#ifndef HD_HOTDEV_OPTIONS_H
#define HD_HOTDEV_OPTIONS_H

#include "reloader/reloader.h"

typedef enum {
	HD_COMMAND_RUN,
	HD_COMMAND_DOCTOR,
	HD_COMMAND_CTL,
	HD_COMMAND_DEMO, /* its options are those of run; arguments: [FOLDER] */
	HD_COMMAND_REPLAY,
	HD_COMMAND_HELP,
	HD_COMMAND_VERSION,
} hd_command_kind;

/* Strings are borrowed from argv. */
typedef struct {
	hd_command_kind kind;
	/* run, replay */
	bool plain, ascii, mono, no_mouse, bell, notify;
	int prefix; /* a control character */
	bool restart_on_refuse;
	hd_disagree_choice on_disagree;
	int compiler; /* hd_compiler_choice */
	bool typed_heap;
	int keep, settle_ms, patience_ms;
	const char *events, *compdb, *project, *socket, *replay;
	/* doctor */
	bool json, quick;
	/* PROGRAM [ARG]...; ctl: COMMAND [ARG]...; NULL-terminated */
	char **arguments;
} hd_options;

/* Never writes anything. HD_ERROR_USAGE: the command line is wrong. */
bool hd_options_parse(hd_options *options, int argc, char **argv, GError **error);
/* What --help prints; new string. */
char *hd_options_help(void);

#endif
