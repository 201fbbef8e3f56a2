/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/report.h"

#include "base/json.h"

#include <string.h>

static json_t *
vector(char *const *strings)
{
	json_t *json = json_array();
	for (; strings && *strings; strings++)
		json_array_append_new(json, hd_json_text(*strings));
	return json;
}

static void
set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static json_t *
seconds(gint64 wall_us)
{
	return wall_us ? json_real((double)wall_us / 1e6) : json_null();
}

static void
set_position(json_t *object, const hd_position *where)
{
	set(object, "file", hd_json_text(where->file));
	set(object, "line", json_integer(where->line));
	if (where->column > 0)
		set(object, "column", json_integer(where->column));
}

static json_t *
diagnostics_json(const GPtrArray *diagnostics)
{
	json_t *json = json_array();
	for (guint i = 0; diagnostics && i < diagnostics->len; i++) {
		const hd_diagnostic *diagnostic = diagnostics->pdata[i];
		json_t *object = json_object();
		set_position(object, &diagnostic->where);
		set(object, "severity", hd_json_text(hd_severity_name(diagnostic->severity)));
		set(object, "message", hd_json_text(diagnostic->message));
		json_array_append_new(json, object);
	}
	return json;
}

static json_t *
refusal_json(const hd_refusal *refusal)
{
	if (!refusal)
		return json_null();
	json_t *object = json_object(), *where = json_object();
	set(object, "code", hd_json_text(hd_refusal_name(refusal->code)));
	set(object, "reason", hd_json_text(refusal->reason));
	set_position(where, &refusal->where);
	set(object, "where", where);
	set(object, "remedy", hd_json_text(refusal->remedy));
	return object;
}

static json_t *
versions_json(const GPtrArray *versions)
{
	json_t *json = json_array();
	for (guint i = 0; versions && i < versions->len; i++) {
		const hd_version_view *version = versions->pdata[i];
		json_t *object = json_object();
		set(object, "version", json_integer(version->version));
		set(object, "transaction", json_integer(version->transaction));
		set(object, "compiler", hd_json_text(version->compiler));
		set(object, "since", seconds(version->wall_us));
		set(object, "bytes", json_integer((json_int_t)version->bytes));
		set(object, "functions", hd_json_texts(version->functions));
		set(object, "data", hd_json_texts(version->data));
		set(object, "undone", json_boolean(version->undone));
		set(object, "kept", hd_json_text(version->kept));
		json_array_append_new(json, object);
	}
	return json;
}

static json_t *
module_json(const hd_module_view *module)
{
	json_t *object = json_object();
	set(object, "module", hd_json_text(module->name));
	set(object, "path", hd_json_text(module->path));
	set(object, "state", hd_json_text(hd_module_state_name(module->state)));
	set(object, "live", json_integer(module->live));
	set(object, "disk", json_integer(module->disk));
	set(object, "compiler", hd_json_text(module->compiler));
	set(object, "changed", seconds(module->changed_us));
	set(object, "last_ms", json_real(module->last_ms));
	set(object, "pins", json_integer(module->pins));
	set(object, "diagnostics", diagnostics_json(module->diagnostics));
	set(object, "refusal", refusal_json(module->refusal));
	set(object, "unreloadable", hd_json_text(module->unreloadable));
	set(object, "not_instant", hd_json_text(module->not_instant));
	set(object, "promoting", json_boolean(module->promoting));
	set(object, "command", module->command ? vector(module->command->argv) : json_null());
	set(object, "origin", module->command ? hd_json_text(module->command->origin_detail) : json_null());
	set(object, "versions", versions_json(module->versions));
	return object;
}

json_t *
hd_report_modules(const hd_model *model)
{
	const GPtrArray *modules = hd_model_modules(model);
	json_t *json = json_array();
	for (guint i = 0; modules && i < modules->len; i++)
		json_array_append_new(json, module_json(modules->pdata[i]));
	return json;
}

static void
add_pins(json_t *json, const hd_process_view *process)
{
	for (guint i = 0; process->threads && i < process->threads->len; i++) {
		const hd_thread_view *thread = process->threads->pdata[i];
		if (g_strcmp0(thread->code, "old") != 0)
			continue;
		const hd_place *place = thread->place;
		json_t *object = json_object();
		set(object, "pid", json_integer(process->pid));
		set(object, "tid", json_integer(thread->tid));
		set(object, "thread", hd_json_text(thread->name));
		set(object, "function", hd_json_text(place ? place->function : NULL));
		set(object, "module", hd_json_text(place ? place->module : NULL));
		set(object, "version", place && place->version >= 0 ? json_integer(place->version) : json_null());
		set(object, "file", hd_json_text(place ? place->file : NULL));
		set(object, "line", json_integer(place ? place->line : 0));
		set(object, "since", seconds(thread->since_us));
		json_array_append_new(json, object);
	}
}

json_t *
hd_report_pins(const hd_model *model)
{
	const GPtrArray *processes = hd_model_processes(model);
	json_t *json = json_array();
	for (guint i = 0; processes && i < processes->len; i++)
		add_pins(json, processes->pdata[i]);
	return json;
}

/* Each diagnostic of each module once: one header's error is every dependent's. */
json_t *
hd_report_errors(const hd_model *model)
{
	const GPtrArray *modules = hd_model_modules(model);
	json_t *json = json_array();
	for (guint i = 0; modules && i < modules->len; i++) {
		const hd_module_view *module = modules->pdata[i];
		json_t *found = diagnostics_json(module->diagnostics), *one;
		if (module->refusal) {
			json_t *held = json_object();
			set_position(held, &module->refusal->where);
			set(held, "severity", json_string("error"));
			char *message = g_strdup_printf("%s held: %s", hd_refusal_name(module->refusal->code),
							module->refusal->reason ? module->refusal->reason : "");
			set(held, "message", hd_json_text(message));
			g_free(message);
			json_array_append_new(found, held);
		}
		size_t n, m;
		json_array_foreach(found, n, one)
		{
			json_t *known;
			bool seen = false;
			json_array_foreach(json, m, known) seen = seen || json_equal(known, one);
			if (!seen)
				json_array_append(json, one);
		}
		json_decref(found);
	}
	return json;
}

static json_t *
counts_json(const hd_model *model)
{
	const GPtrArray *modules = hd_model_modules(model);
	json_t *json = json_object();
	for (guint i = 0; modules && i < modules->len; i++) {
		const char *name = hd_module_state_name(((hd_module_view *)modules->pdata[i])->state);
		json_int_t before = json_integer_value(json_object_get(json, name));
		set(json, name, json_integer(before + 1));
	}
	return json;
}

json_t *
hd_report_status(const hd_model *model)
{
	static const char *const states[] = {
		[HD_PROGRAM_STARTING] = "starting", [HD_PROGRAM_RUNNING] = "running", [HD_PROGRAM_ENDED] = "ended"};
	const GPtrArray *processes = hd_model_processes(model), *modules = hd_model_modules(model);
	hd_program_state state = hd_model_program_state(model);
	guint threads = 0;
	for (guint i = 0; processes && i < processes->len; i++) {
		const hd_process_view *process = processes->pdata[i];
		threads += process->threads ? process->threads->len : 0;
	}
	const hd_process_view *first = processes && processes->len ? processes->pdata[0] : NULL;
	json_t *object = json_object(), *pins = hd_report_pins(model);
	set(object, "program", hd_json_text(hd_model_program(model)));
	set(object, "arguments", vector(hd_model_argv(model)));
	set(object, "project", hd_json_text(hd_model_project(model)));
	set(object, "state", json_string(states[state]));
	set(object, "exit_status", state == HD_PROGRAM_ENDED ? json_integer(hd_model_exit_status(model)) : json_null());
	set(object, "pid", first ? json_integer(first->pid) : json_null());
	set(object, "generation", json_integer(hd_model_generation(model)));
	set(object, "paused", json_boolean(hd_model_paused(model)));
	set(object, "idle", json_boolean(hd_model_idle(model)));
	set(object, "modules", json_integer(modules ? modules->len : 0));
	set(object, "states", counts_json(model));
	set(object, "processes", json_integer(processes ? processes->len : 0));
	set(object, "threads", json_integer(threads));
	set(object, "pins", json_integer((json_int_t)json_array_size(pins)));
	json_t *watcher = hd_model_watcher(model);
	set(object, "watcher", watcher ? watcher : json_null());
	json_decref(pins);
	return object;
}
