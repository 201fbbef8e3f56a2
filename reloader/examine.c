/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What doctor says of a program, without running it. */
#include "config.h"

#include "reloader/private.h"
#include "reloader/prove.h"

#include <string.h>
#include <sys/stat.h>

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

/* A source that was saved since the program was built says nothing of it. New reference; NULL: it cannot be read,
 * either. */
static GBytes *
text_of(const hd_reloader *r, const char *path)
{
	struct stat program, source;
	char *text;
	gsize size;
	if (stat(r->program_path, &program) != 0 || stat(path, &source) != 0 ||
	    source.st_mtim.tv_sec > program.st_mtim.tv_sec || !g_file_get_contents(path, &text, &size, NULL))
		return NULL;
	return g_bytes_new_take(text, size);
}

/* One unit, and what is found out of it. */
typedef struct {
	const hd_image_unit *unit;
	const char *limit;   /* why it cannot be reloaded at all; NULL */
	hd_command *command; /* NULL: there is none, and error says why; or it has a limit */
	GError *error;
	char *wrong; /* why the command is not the one that built it; NULL */
} finding;

static void
clear_finding(void *data)
{
	finding *f = data;
	if (f->command)
		hd_command_free(f->command);
	g_clear_error(&f->error);
	g_free(f->wrong);
}

static GArray *
find_commands(hd_reloader *r, const GPtrArray *units)
{
	GArray *findings = g_array_new(FALSE, TRUE, sizeof(finding));
	g_array_set_clear_func(findings, clear_finding);
	for (guint i = 0; units && i < units->len; i++) {
		const hd_image_unit *unit = g_ptr_array_index(units, i);
		finding f = {.unit = unit, .limit = why_not(unit)};
		if (!f.limit)
			hd_image_unit_hints(r->image, unit);
		g_array_append_val(findings, f);
	}
	for (guint i = 0; i < findings->len; i++) { /* each may need the hints of all */
		finding *f = &g_array_index(findings, finding, i);
		if (!f->limit)
			f->command = hd_command_find(r->compdb, hd_image_unit_hints(r->image, f->unit), &f->error);
	}
	return findings;
}

static void
check_commands(hd_reloader *r, GArray *findings)
{
	GArray *checks = g_array_new(FALSE, FALSE, sizeof(hd_command_check));
	GPtrArray *checked = g_ptr_array_new();
	for (guint i = 0; i < findings->len; i++) {
		finding *f = &g_array_index(findings, finding, i);
		if (!f->command)
			continue;
		hd_command_check check = {f->command, hd_image_unit_details(r->image, f->unit, NULL),
					  text_of(r, f->command->source), NULL};
		g_array_append_val(checks, check);
		g_ptr_array_add(checked, f);
	}
	hd_discover_check(r, (hd_command_check *)(void *)checks->data, checks->len);
	for (guint i = 0; i < checks->len; i++) {
		hd_command_check *check = &g_array_index(checks, hd_command_check, i);
		((finding *)g_ptr_array_index(checked, i))->wrong = check->why;
		g_clear_pointer(&check->text, g_bytes_unref);
	}
	g_ptr_array_unref(checked);
	g_array_unref(checks);
}

static void
set_unreloadable(json_t *module, const char *reason)
{
	json_object_set_new(module, "reloadable", json_false());
	json_object_set_new(module, "reason", json_string(reason));
}

static json_t *
words_of(const hd_command *command)
{
	json_t *argv = json_array();
	for (char **argument = command->argv; *argument; argument++)
		json_array_append_new(argv, json_string(*argument));
	return argv;
}

/* The first file of the unit that was saved after the program was built; NULL: none. */
static const char *
saved_since(const hd_reloader *r, const hd_image_unit *unit)
{
	struct stat program, file;
	const hd_command_hints *hints = hd_image_unit_hints(r->image, unit);
	if (stat(r->program_path, &program) != 0)
		return unit->source;
	for (guint i = 0; hints && hints->files && i < hints->files->len; i++) {
		const char *path = g_ptr_array_index(hints->files, i);
		if (stat(path, &file) == 0 &&
		    (file.st_mtim.tv_sec > program.st_mtim.tv_sec ||
		     (file.st_mtim.tv_sec == program.st_mtim.tv_sec && file.st_mtim.tv_nsec > program.st_mtim.tv_nsec)))
			return path;
	}
	return NULL;
}

/* Takes the command. */
static void
prove(hd_reloader *r, hd_prover *prover, const hd_image_unit *unit, hd_command *command, json_t *module)
{
	const char *since = saved_since(r, unit);
	if (!since) {
		hd_prover_add(prover, r->image, unit, command, module);
		return;
	}
	char *name = hd_model_relative(r->model, since);
	char *reason =
		g_strdup_printf("%s was saved after the program was built: build that anew to have the proof", name);
	hd_prover_unknown(module, reason);
	g_free(reason);
	g_free(name);
	hd_command_free(command);
}

static void
set_command(hd_reloader *r, hd_prover *prover, finding *f, json_t *module)
{
	const hd_command *command = f->command;
	const hd_image_unit *unit = f->unit;
	if (f->wrong)
		set_unreloadable(module, f->wrong);
	json_object_set_new(module, "command", words_of(command));
	json_object_set_new(module, "origin", json_string(command->origin_detail ? command->origin_detail : ""));
	json_t *warnings = hd_weak_options(command, unit->producer);
	if (r->compdb && command->origin == HD_COMMAND_DEBUG_INFO)
		json_array_append_new(warnings, json_string("it is not in the compilation database: macros given by -D "
							    "are not known"));
	json_object_set_new(module, "warnings", warnings);
	char *not_instant = why_not_instant(r, command, unit->source);
	json_object_set_new(module, "not_instant", not_instant ? json_string(not_instant) : json_null());
	g_free(not_instant);
	if (prover)
		prove(r, prover, unit, g_steal_pointer(&f->command), module);
}

static json_t *
module_of(hd_reloader *r, hd_prover *prover, finding *f)
{
	const char *why = f->limit ? f->limit : f->error ? f->error->message : NULL;
	char *name = hd_model_relative(r->model, f->unit->source ? f->unit->source : "?");
	json_t *module = json_pack("{s:s, s:b, s:s*}", "module", name, "reloadable", why == NULL, "reason", why);
	g_free(name);
	if (f->command)
		set_command(r, prover, f, module);
	return module;
}

static guint
count_folders(const GPtrArray *units)
{
	GHashTable *folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; units && i < units->len; i++) {
		const hd_image_unit *unit = g_ptr_array_index(units, i);
		if (unit->source)
			g_hash_table_add(folders, g_path_get_dirname(unit->source));
	}
	guint count = g_hash_table_size(folders);
	g_hash_table_unref(folders);
	return count;
}

json_t *
hd_reloader_examine(const hd_reloader_options *options, bool prove, hd_reloader_progress *progress, void *data,
		    GError **error)
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
	hd_prover *prover = ok && prove ? hd_prover_new(r->options.scratch, r->model->project, NULL) : NULL;
	json_t *modules = json_array();
	const GPtrArray *units = r->image ? hd_image_units(r->image) : NULL;
	GArray *findings = find_commands(r, units);
	check_commands(r, findings);
	for (guint i = 0; i < findings->len; i++)
		json_array_append_new(modules, module_of(r, prover, &g_array_index(findings, finding, i)));
	g_array_unref(findings);
	if (prover)
		hd_prover_run(prover, progress, data);
	hd_prover_free(prover);
	json_t *report = json_pack("{s:i, s:s, s:b, s:s*, s:o, s:o}", "v", 1, "program", options->program, "ok", ok,
				   "reason", problem ? problem->message : NULL, "modules", modules, "limits",
				   hd_machine_limits(r, count_folders(units)));
	g_clear_error(&problem);
	hd_reloader_free(r);
	return report;
}
