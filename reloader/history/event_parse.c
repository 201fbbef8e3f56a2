/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events read back from a journal. A journal is a file that anyone may have
 * written: a member of the wrong type or missing is as one not set. */
#include "config.h"

#include "base/error.h"
#include "reloader/history/event.h"

#include <limits.h>
#include <string.h>

static char *
text(const json_t *object, const char *key)
{
	return g_strdup(json_string_value(json_object_get(object, key)));
}

static int
integer(const json_t *object, const char *key, int missing)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value))
		return missing;
	return (int)CLAMP(json_integer_value(value), INT_MIN, INT_MAX);
}

static guint
count(const json_t *object, const char *key)
{
	return (guint)MAX(integer(object, key, 0), 0);
}

static double
number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void
texts(GPtrArray *out, const json_t *array)
{
	size_t i;
	json_t *value;
	json_array_foreach(array, i, value) if (json_is_string(value))
		g_ptr_array_add(out, g_strdup(json_string_value(value)));
}

static hd_position
position(const json_t *object)
{
	return (hd_position){text(object, "file"), integer(object, "line", 0), integer(object, "column", 0)};
}

static hd_place *
place(const json_t *object)
{
	hd_place *made = hd_place_new();
	made->function = text(object, "function");
	made->module = text(object, "module");
	made->version = integer(object, "version", -1);
	made->file = text(object, "file");
	made->line = integer(object, "line", 0);
	return made;
}

static hd_thread_place *
thread_place(const json_t *object)
{
	hd_thread_place *at = g_new0(hd_thread_place, 1);
	at->pid = integer(object, "pid", 0);
	at->tid = integer(object, "tid", 0);
	at->thread = text(object, "thread");
	at->place = place(object);
	return at;
}

static void
diagnostics(GPtrArray *out, const json_t *array)
{
	size_t i;
	json_t *value;
	json_array_foreach(array, i, value)
	{
		hd_diagnostic *diagnostic = g_new0(hd_diagnostic, 1);
		const char *severity = json_string_value(json_object_get(value, "severity"));
		diagnostic->where = position(value);
		diagnostic->message = text(value, "message");
		diagnostic->severity = HD_SEVERITY_ERROR;
		for (int s = HD_SEVERITY_NOTE; s <= HD_SEVERITY_ERROR; s++)
			if (g_strcmp0(severity, hd_severity_name(s)) == 0)
				diagnostic->severity = s;
		g_ptr_array_add(out, diagnostic);
	}
}

static void
refusal(GPtrArray *out, const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "code"));
	hd_refusal *made = g_new0(hd_refusal, 1);
	made->code = HD_REFUSE_TARGET;
	for (int code = 0; code < HD_REFUSE_COUNT; code++)
		if (g_strcmp0(name, hd_refusal_name(code)) == 0)
			made->code = code;
	made->module = text(object, "module");
	made->reason = text(object, "reason");
	made->where = position(json_object_get(object, "where"));
	made->remedy = text(object, "remedy");
	g_ptr_array_add(out, made);
}

static void
held(hd_event *event, const json_t *json)
{
	texts(event->names, json_object_get(json, "modules"));
	const json_t *all = json_object_get(json, "refusals");
	if (json_array_size(all) == 0 && json_object_get(json, "code"))
		refusal(event->refusals, json);
	size_t i;
	json_t *value;
	json_array_foreach(all, i, value) refusal(event->refusals, value);
}

static void
waiting(hd_event *event, const json_t *json)
{
	texts(event->names, json_object_get(json, "modules"));
	size_t i;
	json_t *value;
	json_array_foreach(json_object_get(json, "blockers"), i, value)
		g_ptr_array_add(event->blockers, thread_place(value));
}

static void
transaction(hd_event *event, const json_t *json)
{
	event->transaction = integer(json, "transaction", 0);
	size_t i;
	json_t *value;
	json_array_foreach(json_object_get(json, "modules"), i, value)
	{
		hd_module_change *change = g_new0(hd_module_change, 1);
		change->module = text(value, "module");
		if (!change->module)
			change->module = g_strdup("?");
		change->version = integer(value, "version", 0);
		change->previous = integer(value, "previous", -1);
		change->compiler = text(value, "compiler");
		change->functions = g_ptr_array_new_with_free_func(g_free);
		texts(change->functions, json_object_get(value, "functions"));
		change->data = g_ptr_array_new_with_free_func(g_free);
		texts(change->data, json_object_get(value, "data"));
		g_ptr_array_add(event->modules, change);
	}
	event->processes = count(json, "processes");
	event->threads = count(json, "threads");
	event->save_to_live_ms = number(json, "save_to_live_ms");
	event->compile_ms = number(json, "compile_ms");
	event->link_ms = number(json, "link_ms");
	event->pause_us = number(json, "pause_us");
}

static void
crashed(hd_event *event, const json_t *json)
{
	event->tid = integer(json, "tid", 0);
	event->signal = integer(json, "signal", 0);
	size_t i;
	json_t *value;
	json_array_foreach(json_object_get(json, "stack"), i, value) g_ptr_array_add(event->stack, place(value));
}

static void
read_members(hd_event *event, const json_t *json)
{
	event->pid = integer(json, "pid", 0);
	switch (event->kind) {
	case HD_EVENT_READY:
		event->program = text(json, "program");
		event->module_count = count(json, "modules");
		event->startup_ms = number(json, "startup_ms");
		break;
	case HD_EVENT_FAILED:
		event->compiler = text(json, "compiler");
		diagnostics(event->diagnostics, json_object_get(json, "diagnostics"));
		texts(event->files, json_object_get(json, "files"));
		break;
	case HD_EVENT_SAVED:
	case HD_EVENT_UNCHANGED:
		texts(event->files, json_object_get(json, "files"));
		event->joined = json_is_true(json_object_get(json, "joined"));
		break;
	case HD_EVENT_HELD:
		held(event, json);
		break;
	case HD_EVENT_WAITING:
		waiting(event, json);
		break;
	case HD_EVENT_LIVE:
	case HD_EVENT_PROMOTED:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
		transaction(event, json);
		break;
	case HD_EVENT_PINNED:
	case HD_EVENT_RELEASED:
		event->at = thread_place(json);
		break;
	case HD_EVENT_PURGED:
		event->module = text(json, "module");
		event->version = integer(json, "version", 0);
		event->bytes = count(json, "bytes");
		break;
	case HD_EVENT_PROCESS:
		event->ppid = integer(json, "ppid", 0);
		event->change = text(json, "change");
		event->status = integer(json, "status", -1);
		break;
	case HD_EVENT_CRASHED:
		crashed(event, json);
		break;
	case HD_EVENT_WARNING:
		event->code = text(json, "code");
		event->message = text(json, "message");
		event->where = position(json);
		break;
	case HD_EVENT_COUNT:
		break;
	}
}

hd_event *
hd_event_from_json(const json_t *json, GError **error)
{
	const char *name = json_string_value(json_object_get(json, "event"));
	for (int kind = 0; name && kind < HD_EVENT_COUNT; kind++) {
		if (strcmp(name, hd_event_name(kind)) != 0)
			continue;
		hd_event *event = hd_event_new(kind);
		event->t = number(json, "t");
		read_members(event, json);
		return event;
	}
	g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "not an event of hotdev");
	return NULL;
}
