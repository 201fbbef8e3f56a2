/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was found, for people: a line a file, then what is true of several files
 * once for all of them. */
#include "config.h"

#include "hotdev/doctor.h"

#include "base/text.h"
#include "hotdev/jsonl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* At most so many names stand in one line; the rest is counted. */
enum { NAMES_SHOWN = 4 };

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

/* ---- the files ---- */

static void
print_different(const json_t *proof)
{
	const json_t *different = json_object_get(proof, "different");
	size_t count = json_array_size(different), shown = MIN(count, NAMES_SHOWN);
	fputs("         NOT PROVEN: rebuilt, ", stdout);
	for (size_t i = 0; i < shown; i++)
		print_text(i ? ", %s" : "%s", json_string_value(json_array_get(different, i)));
	if (count > shown)
		printf(" and %zu more", count - shown);
	printf(" differ%s from what the program has: this is not the command, or not the compiler, that built it\n",
	       count == 1 ? "s" : "");
}

static void
print_proof(const json_t *proof)
{
	const char *verdict = string(proof, "verdict"), *reason = string(proof, "reason");
	long long functions = (long long)json_integer_value(json_object_get(proof, "functions"));
	if (!verdict)
		return;
	if (strcmp(verdict, "same") == 0)
		printf("         proven: rebuilt, its %lld function%s %s what the program has\n", functions,
		       functions == 1 ? "" : "s", functions == 1 ? "is" : "are");
	else if (strcmp(verdict, "different") == 0)
		print_different(proof);
	else
		print_text("         not proven: %s\n", reason ? reason : "?");
}

static void
print_module(const json_t *module)
{
	bool reloadable = json_is_true(json_object_get(module, "reloadable"));
	const char *reason = string(module, "reason"), *not_instant = string(module, "not_instant");
	printf("  %s  ", reloadable ? "yes" : "no ");
	print_text("%s\n", string(module, "module"));
	if (reason)
		print_text("         %s\n", reason);
	print_proof(json_object_get(module, "proof"));
	if (not_instant)
		print_text("         not built by libtcc: %s\n", not_instant);
}

/* ---- what several files share ---- */

typedef struct {
	const char *text;
	GPtrArray *modules; /* of const char *: names */
} shared;

static void
shared_free(void *data)
{
	shared *s = data;
	g_ptr_array_unref(s->modules);
	g_free(s);
}

static void
share(GPtrArray *all, const char *text, const char *module)
{
	shared *s = NULL;
	for (guint i = 0; i < all->len && !s; i++)
		if (strcmp(((shared *)all->pdata[i])->text, text) == 0)
			s = all->pdata[i];
	if (!s) {
		s = g_new(shared, 1);
		*s = (shared){text, g_ptr_array_new()};
		g_ptr_array_add(all, s);
	}
	g_ptr_array_add(s->modules, (char *)module);
}

static void
print_shared(const char *heading, const GPtrArray *all, size_t modules)
{
	if (all->len)
		printf("\n%s\n", heading);
	for (guint i = 0; i < all->len; i++) {
		const shared *s = all->pdata[i];
		print_text("  %s\n", s->text);
		fputs("         ", stdout);
		if (s->modules->len == modules && modules > 1) {
			printf("all %zu modules\n", modules);
			continue;
		}
		for (guint m = 0; m < MIN(s->modules->len, NAMES_SHOWN); m++)
			print_text(m ? ", %s" : "%s", s->modules->pdata[m]);
		if (s->modules->len > NAMES_SHOWN)
			printf(" and %u more", s->modules->len - NAMES_SHOWN);
		putchar('\n');
	}
}

static void
print_commands(const json_t *modules)
{
	GPtrArray *origins = g_ptr_array_new_with_free_func(shared_free);
	GPtrArray *warnings = g_ptr_array_new_with_free_func(shared_free);
	size_t i, n;
	json_t *module, *warning;
	json_array_foreach(modules, i, module)
	{
		const char *origin = string(module, "origin"), *name = string(module, "module");
		if (origin)
			share(origins, origin, name);
		json_array_foreach(json_object_get(module, "warnings"), n, warning)
			share(warnings, json_string_value(warning), name);
	}
	print_shared("compile commands come from", origins, json_array_size(modules));
	print_shared("what makes updates weaker", warnings, json_array_size(modules));
	g_ptr_array_unref(origins);
	g_ptr_array_unref(warnings);
}

/* ---- the machine ---- */

static void
print_limit(const json_t *limit)
{
	bool ok = json_is_true(json_object_get(limit, "ok"));
	printf("  %s  ", ok ? "ok " : "LOW");
	print_text("%s", string(limit, "name"));
	print_text(": %s\n", string(limit, "message"));
	const char *remedy = string(limit, "remedy");
	if (remedy && *remedy && !ok)
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
	print_commands(modules);
	if (json_array_size(limits))
		printf("\nthis machine\n");
	json_array_foreach(limits, i, one) print_limit(one);
}

static void
print_progress(guint done, guint all, void *data)
{
	(void)data;
	if (done < all)
		fprintf(stderr, "\rhotdev doctor: rebuilding, %u of %u files done", done, all);
	else
		fprintf(stderr, "\r%*s\r", 60, "");
	fflush(stderr);
}

int
hd_doctor(const hd_reloader_options *options, bool json, bool quick)
{
	GError *error = NULL;
	hd_reloader_progress *progress = isatty(STDERR_FILENO) ? print_progress : NULL;
	json_t *findings = hd_reloader_examine(options, !quick, progress, NULL, &error);
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
