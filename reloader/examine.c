/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What doctor says of a program, without running it. */
#include "config.h"

#include "reloader/private.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void
add_limit(json_t *limits, const char *name, bool ok, const char *message, const char *remedy)
{
	json_array_append_new(limits, json_pack("{s:s, s:b, s:s, s:s*}", "name", name, "ok", ok, "message", message,
						"remedy", ok ? NULL : remedy));
}

static long
number_in(const char *path)
{
	char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	long number = strtol(text, NULL, 10);
	g_free(text);
	return number;
}

/* proc(5), ptrace(2), inotify(7). */
static json_t *
limits(guint files)
{
	json_t *array = json_array();
	long scope = number_in("/proc/sys/kernel/yama/ptrace_scope");
	char *message = g_strdup_printf(scope < 0 ? "ptrace is not restricted by Yama" : "ptrace_scope is %ld", scope);
	add_limit(array, "ptrace", scope < 2, message, "sysctl kernel.yama.ptrace_scope=1");
	g_free(message);
	long watches = number_in("/proc/sys/fs/inotify/max_user_watches");
	message = g_strdup_printf("%ld folders can be watched", watches);
	add_limit(array, "inotify", watches < 0 || watches > (long)files, message,
		  "sysctl fs.inotify.max_user_watches=524288");
	g_free(message);
	struct rlimit descriptors;
	getrlimit(RLIMIT_NOFILE, &descriptors);
	message = g_strdup_printf("%lu files can be open", (unsigned long)descriptors.rlim_cur);
	add_limit(array, "descriptors", descriptors.rlim_cur >= 256, message, "ulimit -n 1024");
	g_free(message);
	return array;
}

static const char *
why_not(const hd_image_unit *unit)
{
	if (!unit->is_c)
		return "not C";
	if (unit->limit)
		return unit->limit;
	if (!unit->source || !g_file_test(unit->source, G_FILE_TEST_EXISTS))
		return "the source is not there";
	return NULL;
}

typedef struct {
	bool done;
	char *why; /* NULL: libtcc reads it */
} reading;

static void
was_read(hd_reading *read, const char *why, void *data)
{
	reading *asked = data;
	asked->done = true;
	asked->why = read ? NULL : g_strdup(why);
	hd_reading_free(read);
}

/* Why libtcc cannot build the file, whatever the edit; NULL: it can, or is not to be used. */
static char *
why_not_instant(const hd_reloader *r, const hd_command *command, const char *source)
{
	char *why = NULL, *text = NULL;
	gsize size;
	if (!r->instant || !g_file_get_contents(source, &text, &size, NULL))
		return NULL;
	GBytes *bytes = g_bytes_new_take(text, size);
	hd_instant_unit *unit = hd_instant_unit_new(r->instant, command, &why);
	reading asked = {.done = false};
	if (unit && hd_instant_read(unit, bytes, NULL, was_read, &asked))
		while (!asked.done)
			g_main_context_iteration(NULL, TRUE);
	if (unit)
		hd_instant_unit_free(unit);
	g_bytes_unref(bytes);
	return unit ? asked.why : why;
}

/* A source that was saved since the program was built says nothing of it. */
static char *
why_wrong(const hd_reloader *r, const hd_command *command, const hd_image_unit *unit)
{
	struct stat program, source;
	char *text;
	gsize size;
	const hd_unit *built = hd_image_unit_details(r->image, unit, NULL);
	if (!built || stat(r->program_path, &program) != 0 || stat(command->source, &source) != 0 ||
	    source.st_mtim.tv_sec > program.st_mtim.tv_sec || !g_file_get_contents(command->source, &text, &size, NULL))
		return NULL;
	GBytes *bytes = g_bytes_new_take(text, size);
	char *why = hd_discover_why_wrong(r, command, built, bytes);
	g_bytes_unref(bytes);
	return why;
}

static void
set_unreloadable(json_t *module, const char *reason)
{
	json_object_set_new(module, "reloadable", json_false());
	json_object_set_new(module, "reason", json_string(reason));
}

static json_t *
command_of(hd_reloader *r, const hd_image_unit *unit, json_t *module)
{
	GError *error = NULL;
	hd_command *command = hd_command_find(r->compdb, hd_image_unit_hints(r->image, unit), &error);
	if (!command) {
		set_unreloadable(module, error->message);
		g_error_free(error);
		return module;
	}
	char *wrong = why_wrong(r, command, unit);
	if (wrong)
		set_unreloadable(module, wrong);
	g_free(wrong);
	json_t *argv = json_array();
	for (char **argument = command->argv; *argument; argument++)
		json_array_append_new(argv, json_string(*argument));
	json_object_set_new(module, "command", argv);
	json_object_set_new(module, "origin", json_string(command->origin_detail ? command->origin_detail : ""));
	json_t *warnings = json_array();
	const char *producer = unit->producer ? unit->producer : "";
	if (g_str_has_prefix(producer, "GNU") && hd_command_optimises(command) && !strstr(producer, "-fno-ipa-ra"))
		json_array_append_new(warnings,
				      json_string("built with -fipa-ra: small edited functions are entered "
						  "through code that keeps registers; -fno-ipa-ra avoids it"));
	json_object_set_new(module, "warnings", warnings);
	char *not_instant = why_not_instant(r, command, unit->source);
	json_object_set_new(module, "not_instant", not_instant ? json_string(not_instant) : json_null());
	g_free(not_instant);
	hd_command_free(command);
	return module;
}

static json_t *
module_of(hd_reloader *r, const hd_image_unit *unit)
{
	const char *why = why_not(unit);
	char *name = hd_model_relative(r->model, unit->source ? unit->source : "?");
	json_t *module = json_pack("{s:s, s:b, s:s*}", "module", name, "reloadable", why == NULL, "reason", why);
	g_free(name);
	return why ? module : command_of(r, unit, module);
}

json_t *
hd_reloader_examine(const hd_reloader_options *options, GError **error)
{
	hd_reloader *r = hd_reloader_new(options);
	GError *problem = NULL;
	bool ok = hd_discover_program(r, &problem);
	if (problem && problem->code == HD_ERROR_USAGE) {
		g_propagate_error(error, problem);
		hd_reloader_free(r);
		return NULL;
	}
	if (options->tcc && options->compiler != HD_COMPILER_CC)
		r->instant = hd_instant_new(options->tcc);
	json_t *modules = json_array();
	const GPtrArray *units = r->image ? hd_image_units(r->image) : NULL;
	for (guint i = 0; units && i < units->len; i++)
		json_array_append_new(modules, module_of(r, g_ptr_array_index(units, i)));
	json_t *report = json_pack("{s:i, s:s, s:b, s:s*, s:o, s:o}", "v", 1, "program", options->program, "ok", ok,
				   "reason", problem ? problem->message : NULL, "modules", modules, "limits",
				   limits(units ? units->len : 0));
	g_clear_error(&problem);
	hd_reloader_free(r);
	return report;
}
