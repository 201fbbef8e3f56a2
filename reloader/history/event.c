/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life and JSON of events. The key names are the contract's; wall_us, raw and
 * what is derived stay out of JSON. */
#include "config.h"

#include "reloader/history/event.h"

#include "base/json.h"

#include <string.h>

static const char *const names[HD_EVENT_COUNT] = {
	[HD_EVENT_READY] = "ready",	    [HD_EVENT_SAVED] = "saved",	      [HD_EVENT_FAILED] = "failed",
	[HD_EVENT_HELD] = "held",	    [HD_EVENT_WAITING] = "waiting",   [HD_EVENT_LIVE] = "live",
	[HD_EVENT_UNCHANGED] = "unchanged", [HD_EVENT_PROMOTED] = "promoted", [HD_EVENT_PINNED] = "pinned",
	[HD_EVENT_RELEASED] = "released",   [HD_EVENT_UNDONE] = "undone",     [HD_EVENT_REDONE] = "redone",
	[HD_EVENT_PURGED] = "purged",	    [HD_EVENT_PROCESS] = "process",   [HD_EVENT_CRASHED] = "crashed",
	[HD_EVENT_WARNING] = "warning",
};

const char *
hd_event_name(hd_event_kind kind)
{
	return names[kind];
}

hd_event *
hd_event_new(hd_event_kind kind)
{
	hd_event *event = g_rc_box_new0(hd_event);
	event->kind = kind;
	event->status = -1;
	event->wall_us = g_get_real_time();
	switch (kind) {
	case HD_EVENT_SAVED:
	case HD_EVENT_UNCHANGED:
	case HD_EVENT_FAILED:
		event->files = g_ptr_array_new_with_free_func(g_free);
		if (kind == HD_EVENT_FAILED)
			event->diagnostics = g_ptr_array_new_with_free_func((GDestroyNotify)hd_diagnostic_free);
		break;
	case HD_EVENT_HELD:
	case HD_EVENT_WAITING:
		event->names = g_ptr_array_new_with_free_func(g_free);
		if (kind == HD_EVENT_HELD)
			event->refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
		else
			event->blockers = g_ptr_array_new_with_free_func((GDestroyNotify)hd_thread_place_free);
		break;
	case HD_EVENT_LIVE:
	case HD_EVENT_PROMOTED:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
		event->modules = g_ptr_array_new_with_free_func((GDestroyNotify)hd_module_change_free);
		break;
	case HD_EVENT_CRASHED:
		event->stack = g_ptr_array_new_with_free_func((GDestroyNotify)hd_place_free);
		break;
	default:
		break;
	}
	return event;
}

static void
event_clear(void *data)
{
	hd_event *event = data;
	GPtrArray **arrays[] = {&event->stack,	  &event->files,    &event->diagnostics, &event->names,
				&event->refusals, &event->blockers, &event->modules};
	for (gsize i = 0; i < G_N_ELEMENTS(arrays); i++)
		g_clear_pointer(arrays[i], g_ptr_array_unref);
	char **strings[] = {&event->program, &event->change, &event->compiler, &event->raw,
			    &event->module,  &event->code,   &event->message};
	for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
		g_clear_pointer(strings[i], g_free);
	hd_thread_place_free(event->at);
	hd_position_clear(&event->where);
}

hd_event *
hd_event_ref(hd_event *event)
{
	return g_rc_box_acquire(event);
}

void
hd_event_unref(hd_event *event)
{
	if (event)
		g_rc_box_release_full(event, event_clear);
}

void
hd_module_change_free(hd_module_change *change)
{
	if (!change)
		return;
	g_free(change->module);
	g_free(change->compiler);
	if (change->functions)
		g_ptr_array_unref(change->functions);
	if (change->data)
		g_ptr_array_unref(change->data);
	g_free(change);
}

hd_thread_place *
hd_thread_place_copy(const hd_thread_place *place)
{
	hd_thread_place *copy = g_new0(hd_thread_place, 1);
	*copy = (hd_thread_place){place->pid, place->tid, g_strdup(place->thread), hd_place_copy(place->place)};
	return copy;
}

void
hd_thread_place_free(hd_thread_place *place)
{
	if (!place)
		return;
	g_free(place->thread);
	hd_place_free(place->place);
	g_free(place);
}

/* ---- JSON ---- */

/* Microseconds' precision is the clock's; more digits are noise to read. */
static json_t *
number(double value)
{
	bool sane = value > -1e12 && value < 1e12;
	return json_real(sane ? (double)(gint64)(value * 1e6 + (value < 0 ? -0.5 : 0.5)) / 1e6 : 0);
}

static void
set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void
set_position(json_t *object, const hd_position *where)
{
	set(object, "file", hd_json_text(where->file));
	set(object, "line", json_integer(where->line));
	if (where->column > 0)
		set(object, "column", json_integer(where->column));
}

static void
set_place(json_t *object, const hd_place *place)
{
	static const hd_place unknown = {.version = -1};
	if (!place)
		place = &unknown;
	set(object, "function", hd_json_text(place->function));
	set(object, "module", hd_json_text(place->module));
	set(object, "version", place->version >= 0 ? json_integer(place->version) : json_null());
	set(object, "file", hd_json_text(place->file));
	set(object, "line", json_integer(place->line));
}

static void
set_thread_place(json_t *object, const hd_thread_place *at)
{
	set(object, "pid", json_integer(at->pid));
	set(object, "tid", json_integer(at->tid));
	set(object, "thread", hd_json_text(at->thread));
	set_place(object, at->place);
}

static json_t *
diagnostics_json(const GPtrArray *diagnostics)
{
	json_t *json = json_array();
	for (guint i = 0; i < diagnostics->len; i++) {
		const hd_diagnostic *diagnostic = diagnostics->pdata[i];
		json_t *object = json_object();
		set_position(object, &diagnostic->where);
		set(object, "severity", hd_json_text(hd_severity_name(diagnostic->severity)));
		set(object, "message", hd_json_text(diagnostic->message));
		json_array_append_new(json, object);
	}
	return json;
}

static void
set_refusal(json_t *object, const hd_refusal *refusal)
{
	set(object, "code", hd_json_text(hd_refusal_name(refusal->code)));
	set(object, "reason", hd_json_text(refusal->reason));
	json_t *where = json_object();
	set_position(where, &refusal->where);
	set(object, "where", where);
	set(object, "remedy", hd_json_text(refusal->remedy));
}

/* The first refusal is the event's; all of them follow, each with its module. */
static void
set_held(json_t *object, const hd_event *event)
{
	set(object, "modules", hd_json_texts(event->names));
	json_t *all = json_array();
	for (guint i = 0; i < event->refusals->len; i++) {
		const hd_refusal *refusal = event->refusals->pdata[i];
		if (i == 0)
			set_refusal(object, refusal);
		json_t *one = json_object();
		set(one, "module", hd_json_text(refusal->module));
		set_refusal(one, refusal);
		json_array_append_new(all, one);
	}
	set(object, "refusals", all);
}

static void
set_waiting(json_t *object, const hd_event *event)
{
	set(object, "modules", hd_json_texts(event->names));
	json_t *blockers = json_array();
	for (guint i = 0; i < event->blockers->len; i++) {
		json_t *blocker = json_object();
		set_thread_place(blocker, event->blockers->pdata[i]);
		json_array_append_new(blockers, blocker);
	}
	set(object, "blockers", blockers);
}

static void
set_transaction(json_t *object, const hd_event *event)
{
	set(object, "transaction", json_integer(event->transaction));
	json_t *modules = json_array();
	for (guint i = 0; i < event->modules->len; i++) {
		const hd_module_change *change = event->modules->pdata[i];
		json_t *module = json_object();
		set(module, "module", hd_json_text(change->module));
		set(module, "version", json_integer(change->version));
		if (event->kind == HD_EVENT_LIVE && change->previous >= 0)
			set(module, "previous", json_integer(change->previous));
		set(module, "compiler", hd_json_text(change->compiler));
		set(module, "functions", hd_json_texts(change->functions));
		set(module, "data", hd_json_texts(change->data));
		json_array_append_new(modules, module);
	}
	set(object, "modules", modules);
	set(object, "processes", json_integer(event->processes));
	set(object, "threads", json_integer(event->threads));
	set(object, "save_to_live_ms", number(event->save_to_live_ms));
	set(object, "compile_ms", number(event->compile_ms));
	set(object, "link_ms", number(event->link_ms));
	set(object, "pause_us", number(event->pause_us));
}

static void
set_crashed(json_t *object, const hd_event *event)
{
	set(object, "pid", json_integer(event->pid));
	set(object, "tid", json_integer(event->tid));
	set(object, "signal", json_integer(event->signal));
	json_t *stack = json_array();
	for (guint i = 0; i < event->stack->len; i++) {
		json_t *place = json_object();
		set_place(place, event->stack->pdata[i]);
		json_array_append_new(stack, place);
	}
	set(object, "stack", stack);
}

static void
set_members(json_t *object, const hd_event *event)
{
	switch (event->kind) {
	case HD_EVENT_READY:
		set(object, "pid", json_integer(event->pid));
		set(object, "program", hd_json_text(event->program));
		set(object, "modules", json_integer(event->module_count));
		set(object, "startup_ms", number(event->startup_ms));
		break;
	case HD_EVENT_FAILED:
		set(object, "files", hd_json_texts(event->files));
		set(object, "compiler", hd_json_text(event->compiler));
		set(object, "diagnostics", diagnostics_json(event->diagnostics));
		break;
	case HD_EVENT_SAVED:
	case HD_EVENT_UNCHANGED:
		set(object, "files", hd_json_texts(event->files));
		if (event->joined)
			set(object, "joined", json_true());
		break;
	case HD_EVENT_HELD:
		set_held(object, event);
		break;
	case HD_EVENT_WAITING:
		set_waiting(object, event);
		break;
	case HD_EVENT_LIVE:
	case HD_EVENT_PROMOTED:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
		set_transaction(object, event);
		break;
	case HD_EVENT_PINNED:
	case HD_EVENT_RELEASED:
		if (event->at)
			set_thread_place(object, event->at);
		break;
	case HD_EVENT_PURGED:
		set(object, "module", hd_json_text(event->module));
		set(object, "version", json_integer(event->version));
		set(object, "bytes", json_integer((json_int_t)event->bytes));
		break;
	case HD_EVENT_PROCESS:
		set(object, "pid", json_integer(event->pid));
		set(object, "ppid", json_integer(event->ppid));
		set(object, "change", hd_json_text(event->change));
		if (event->program)
			set(object, "program", hd_json_text(event->program));
		set(object, "status", event->status >= 0 ? json_integer(event->status) : json_null());
		break;
	case HD_EVENT_CRASHED:
		set_crashed(object, event);
		break;
	case HD_EVENT_WARNING:
		set(object, "code", hd_json_text(event->code));
		set(object, "message", hd_json_text(event->message));
		if (event->where.file)
			set_position(object, &event->where);
		break;
	case HD_EVENT_COUNT:
		break;
	}
}

json_t *
hd_event_json(const hd_event *event)
{
	json_t *object = json_object();
	set(object, "v", json_integer(1));
	set(object, "t", number(event->t));
	set(object, "event", json_string(names[event->kind]));
	set_members(object, event);
	return object;
}
