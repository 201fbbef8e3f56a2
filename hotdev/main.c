/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/text.h"
#include "hotdev/ctl.h"
#include "hotdev/demo.h"
#include "hotdev/doctor.h"
#include "hotdev/run.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

static int
doctor(const hd_options *options)
{
	hd_reloader_options reloader;
	hd_run_reloader_options(options, &reloader);
	int status = hd_doctor(&reloader, options->json, options->quick);
	hd_run_reloader_options_clear(&reloader);
	return status;
}

static int
help(void)
{
	char *text = hd_options_help();
	fputs(text, stdout);
	g_free(text);
	return fflush(stdout) == 0 ? 0 : 1;
}

static void
ignore_signal(int number)
{
	(void)number;
}

static int
run(const hd_options *options, gint64 start_ns)
{
	/* A handler, unlike SIG_IGN, is not handed on to the program. */
	if (options->kind == HD_COMMAND_RUN || options->kind == HD_COMMAND_DEMO)
		signal(SIGPIPE, ignore_signal);
	switch (options->kind) {
	case HD_COMMAND_RUN:
		return hd_run(options, start_ns);
	case HD_COMMAND_DEMO:
		return hd_demo(options, start_ns);
	case HD_COMMAND_REPLAY:
		return hd_replay(options);
	case HD_COMMAND_DOCTOR:
		return doctor(options);
	case HD_COMMAND_CTL:
		return hd_ctl(options->socket, options->arguments);
	case HD_COMMAND_HELP:
		return help();
	case HD_COMMAND_VERSION:
		puts(PACKAGE_STRING);
		return 0;
	}
	return 2;
}

int
main(int argc, char **argv)
{
	gint64 start_ns = hd_now_ns();
	hd_options options;
	GError *error = NULL;
	setlocale(LC_ALL, "");
	/* Figures are written the same everywhere. */
	setlocale(LC_NUMERIC, "C");
	if (!hd_options_parse(&options, argc, argv, &error)) {
		char *clean = hd_text_local(error->message);
		fprintf(stderr, "hotdev: %s\nTry: hotdev --help\n", clean);
		g_free(clean);
		g_error_free(error);
		return 2;
	}
	return run(&options, start_ns);
}
