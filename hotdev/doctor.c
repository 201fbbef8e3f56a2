/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/doctor.h"

#include "base/text.h"
#include "hotdev/jsonl.h"

#include <stdio.h>

static void
print_text(const char *format, const char *text)
{
	char *clean = hd_text_local(text);
	printf(format, clean);
	g_free(clean);
}

static const char *
string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void
print_module(const json_t *module)
{
	bool reloadable = json_is_true(json_object_get(module, "reloadable"));
	const char *reason = string(module, "reason"), *origin = string(module, "origin");
	printf("  %s  ", reloadable ? "yes" : "no ");
	print_text("%s\n", string(module, "module"));
	if (reason)
		print_text("         %s\n", reason);
	if (origin)
		print_text("         command from %s\n", origin);
	const char *not_instant = string(module, "not_instant");
	if (not_instant)
		print_text("         not built by libtcc: %s\n", not_instant);
	size_t i;
	json_t *warning;
	json_array_foreach(json_object_get(module, "warnings"), i, warning)
		print_text("         warning: %s\n", json_string_value(warning));
}

static void
print_limit(const json_t *limit)
{
	printf("  %s  ", json_is_true(json_object_get(limit, "ok")) ? "ok " : "LOW");
	print_text("%s", string(limit, "name"));
	print_text(": %s\n", string(limit, "message"));
	const char *remedy = string(limit, "remedy");
	if (remedy && *remedy && !json_is_true(json_object_get(limit, "ok")))
		print_text("         remedy: %s\n", remedy);
}

static void
print_findings(const json_t *findings)
{
	const json_t *modules = json_object_get(findings, "modules"), *limits = json_object_get(findings, "limits");
	bool ok = json_is_true(json_object_get(findings, "ok"));
	const char *reason = string(findings, "reason");
	print_text("%s ", string(findings, "program"));
	fputs(ok ? "can be reloaded" : "cannot be reloaded", stdout);
	print_text(reason ? ": %s\n" : "%s\n", reason);
	size_t i, reloadable = 0;
	json_t *one;
	json_array_foreach(modules, i, one) reloadable += json_is_true(json_object_get(one, "reloadable"));
	if (json_array_size(modules))
		printf("\nmodules: %zu, of which %zu can be reloaded\n", json_array_size(modules), reloadable);
	json_array_foreach(modules, i, one) print_module(one);
	if (json_array_size(limits))
		printf("\nthis machine\n");
	json_array_foreach(limits, i, one) print_limit(one);
}

int
hd_doctor(const hd_reloader_options *options, bool json)
{
	GError *error = NULL;
	json_t *findings = hd_reloader_examine(options, &error);
	if (!findings) {
		char *clean = hd_text_local(error->message);
		g_printerr("hotdev doctor: %s\n", clean);
		g_free(clean);
		g_error_free(error);
		return 3;
	}
	bool ok = json_is_true(json_object_get(findings, "ok"));
	if (json) {
		char *line = hd_jsonl(json_incref(findings));
		fputs(line, stdout);
		g_free(line);
	} else {
		print_findings(findings);
	}
	json_decref(findings);
	return ok ? 0 : 3;
}
