/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as one line for people: scope first, then what happened. */
#include "config.h"

#include "base/text.h"
#include "reloader/history/event.h"

#include <string.h>

#define DOT " · "

/* At most so many names stand in one line; the rest is counted. */
enum { NAMES_SHOWN = 3 };

static void
append_names(GString *line, const GPtrArray *names)
{
	guint shown = MIN(names->len, NAMES_SHOWN);
	for (guint i = 0; i < shown; i++)
		g_string_append_printf(line, "%s%s", i ? ", " : "", (char *)names->pdata[i]);
	if (names->len > shown)
		g_string_append_printf(line, " and %u more", names->len - shown);
	if (names->len == 0)
		g_string_append(line, "?");
}

static void
append_count(GString *line, guint count, const char *one, const char *several)
{
	g_string_append_printf(line, "%u %s", count, count == 1 ? one : several);
}

static void
append_position(GString *line, const hd_position *where)
{
	if (!where->file)
		return;
	g_string_append_printf(line, " (%s", where->file);
	if (where->line > 0)
		g_string_append_printf(line, ":%d", where->line);
	g_string_append_c(line, ')');
}

static void
append_place(GString *line, const hd_place *place)
{
	if (!place || !place->function)
		g_string_append(line, "an unknown function");
	else
		g_string_append(line, place->function);
	if (!place || !place->file || place->line <= 0)
		return;
	/* The module's name is the file's, only shorter. */
	bool own = place->module && g_str_has_suffix(place->file, place->module);
	g_string_append_printf(line, " %s:%d", own ? place->module : place->file, place->line);
}

static void
append_thread(GString *line, const hd_thread_place *at)
{
	g_string_append_printf(line, "%s (%d)", at->thread ? at->thread : "thread", (int)at->tid);
}

static void
append_version(GString *line, const hd_place *place)
{
	g_string_append(line, place && place->module ? place->module : "old code");
	if (place && place->version >= 0)
		g_string_append_printf(line, " v%d", place->version);
}

static void
failed(GString *line, const hd_event *event)
{
	guint errors = 0;
	for (guint i = 0; i < event->diagnostics->len; i++)
		errors += ((hd_diagnostic *)event->diagnostics->pdata[i])->severity == HD_SEVERITY_ERROR;
	append_names(line, event->files);
	g_string_append(line, " failed: ");
	if (errors)
		append_count(line, errors, "error", "errors");
	else
		g_string_append(line, "it does not compile");
	if (event->compiler)
		g_string_append_printf(line, " (%s)", event->compiler);
	g_string_append(line, ", the old code runs on");
}

static void
held(GString *line, const hd_event *event)
{
	const hd_refusal *first = event->refusals->len ? event->refusals->pdata[0] : NULL;
	if (first)
		g_string_append_printf(line, "%s ", hd_refusal_name(first->code));
	g_string_append(line, "held: ");
	append_names(line, event->names);
	if (!first)
		return;
	g_string_append_printf(line, ": %s", first->reason ? first->reason : "");
	append_position(line, &first->where);
	if (event->refusals->len > 1)
		g_string_append_printf(line, " and %u more", event->refusals->len - 1);
	if (first->remedy)
		g_string_append_printf(line, ". Remedy: %s", first->remedy);
}

static void
waiting(GString *line, const hd_event *event)
{
	append_names(line, event->names);
	g_string_append(line, " waiting");
	for (guint i = 0; i < MIN(event->blockers->len, NAMES_SHOWN); i++) {
		const hd_thread_place *at = event->blockers->pdata[i];
		g_string_append(line, i ? ", " : ": ");
		append_thread(line, at);
		g_string_append(line, " is inside ");
		append_place(line, at->place);
	}
	if (event->blockers->len > NAMES_SHOWN)
		g_string_append_printf(line, " and %u more", event->blockers->len - NAMES_SHOWN);
}

static void
append_changes(GString *line, const hd_event *event)
{
	guint shown = MIN(event->modules->len, NAMES_SHOWN);
	for (guint i = 0; i < shown; i++) {
		const hd_module_change *change = event->modules->pdata[i];
		g_string_append_printf(line, "%s%s ", i ? ", " : "", change->module);
		if (event->kind == HD_EVENT_LIVE && change->previous >= 0)
			g_string_append_printf(line, "v%d → ", change->previous);
		g_string_append_printf(line, "v%d", change->version);
	}
	if (event->modules->len > shown)
		g_string_append_printf(line, " and %u more", event->modules->len - shown);
}

static void
append_times(GString *line, const hd_event *event)
{
	const hd_module_change *first = event->modules->len ? event->modules->pdata[0] : NULL;
	if (event->save_to_live_ms > 0)
		g_string_append_printf(line, DOT "%.1f ms", event->save_to_live_ms);
	if (event->compile_ms > 0)
		g_string_append_printf(line, " (%s %.1f, link %.1f, pause %.2f)",
				       first && first->compiler ? first->compiler : "compiler", event->compile_ms,
				       event->link_ms, event->pause_us / 1000);
	else
		g_string_append_printf(line, DOT "pause %.2f ms", event->pause_us / 1000);
}

static void
transaction(GString *line, const hd_event *event)
{
	guint functions = 0, data = 0;
	for (guint i = 0; i < event->modules->len; i++) {
		const hd_module_change *change = event->modules->pdata[i];
		functions += change->functions ? change->functions->len : 0;
		data += change->data ? change->data->len : 0;
	}
	append_changes(line, event);
	g_string_append(line, event->kind == HD_EVENT_LIVE	 ? " live"
			      : event->kind == HD_EVENT_PROMOTED ? " promoted"
			      : event->kind == HD_EVENT_UNDONE	 ? " live again (undone)"
								 : " live again (redone)");
	g_string_append(line, DOT);
	append_count(line, functions, "function", "functions");
	if (data) {
		g_string_append(line, ", ");
		append_count(line, data, "datum", "data");
	}
	append_times(line, event);
	if (event->processes > 1)
		g_string_append_printf(line, DOT "%u processes", event->processes);
	g_string_append(line, DOT "state kept");
}

static void
append_signal(GString *line, int signal)
{
	const char *name = signal > 0 ? sigabbrev_np(signal) : NULL;
	if (name)
		g_string_append_printf(line, "SIG%s", name);
	else
		g_string_append_printf(line, "signal %d", signal);
}

static void
process(GString *line, const hd_event *event)
{
	const char *change = event->change ? event->change : "changed";
	g_string_append_printf(line, "process %d ", (int)event->pid);
	if (strcmp(change, "forked") == 0) {
		g_string_append_printf(line, "forked from %d", (int)event->ppid);
	} else if (strcmp(change, "exec") == 0) {
		g_string_append(line, "called exec: it runs ");
		g_string_append(line, event->program ? event->program : "another program");
		g_string_append(line, " now");
	} else if (strcmp(change, "adopted") == 0) {
		g_string_append(line, "runs the program anew: it has the live versions too");
	} else if (strcmp(change, "ended") == 0) {
		g_string_append(line, "ended");
		if (event->status >= 0)
			g_string_append_printf(line, " with status %d", event->status);
		if (event->status > 128 && sigabbrev_np(event->status - 128))
			g_string_append_printf(line, " (SIG%s)", sigabbrev_np(event->status - 128));
	} else {
		g_string_append(line, change);
	}
}

static void
crashed(GString *line, const hd_event *event)
{
	g_string_append(line, "crashed: ");
	append_signal(line, event->signal);
	g_string_append_printf(line, " in thread %d of process %d", (int)event->tid, (int)event->pid);
	if (event->stack->len) {
		g_string_append(line, ", in ");
		append_place(line, event->stack->pdata[0]);
	}
}

static void
append_bytes(GString *line, gsize bytes)
{
	char *size = hd_text_size(bytes);
	g_string_append(line, size);
	g_free(size);
}

static void
append_event(GString *line, const hd_event *event)
{
	switch (event->kind) {
	case HD_EVENT_READY:
		g_string_append_printf(line, "ready: %s runs as process %d" DOT, event->program ? event->program : "?",
				       (int)event->pid);
		append_count(line, event->module_count, "module", "modules");
		g_string_append_printf(line, " watched" DOT "%.0f ms", event->startup_ms);
		break;
	case HD_EVENT_SAVED:
	case HD_EVENT_UNCHANGED:
		append_names(line, event->files);
		g_string_append(line, event->kind == HD_EVENT_UNCHANGED
					      ? " unchanged: nothing that the program runs differs"
				      : event->joined ? " saved, and built with what was saved before"
						      : " saved");
		break;
	case HD_EVENT_FAILED:
		failed(line, event);
		break;
	case HD_EVENT_HELD:
		held(line, event);
		break;
	case HD_EVENT_WAITING:
		waiting(line, event);
		break;
	case HD_EVENT_LIVE:
	case HD_EVENT_PROMOTED:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
		transaction(line, event);
		break;
	case HD_EVENT_PINNED:
	case HD_EVENT_RELEASED:
		if (!event->at)
			break;
		append_thread(line, event->at);
		g_string_append(line, event->kind == HD_EVENT_PINNED ? " is still inside " : " left ");
		append_version(line, event->at->place);
		g_string_append(line, ": ");
		append_place(line, event->at->place);
		break;
	case HD_EVENT_PURGED:
		g_string_append_printf(line, "%s v%d purged" DOT, event->module ? event->module : "?", event->version);
		append_bytes(line, event->bytes);
		g_string_append(line, " given back");
		break;
	case HD_EVENT_PROCESS:
		process(line, event);
		break;
	case HD_EVENT_CRASHED:
		crashed(line, event);
		break;
	case HD_EVENT_WARNING:
		g_string_append_printf(line, "warning: %s", event->message ? event->message : "");
		append_position(line, &event->where);
		break;
	case HD_EVENT_COUNT:
		break;
	}
}

char *
hd_event_line(const hd_event *event)
{
	GString *line = g_string_new(NULL);
	append_event(line, event);
	char *clean = hd_text_clean(line->str, line->len);
	g_string_free(line, TRUE);
	return clean;
}
