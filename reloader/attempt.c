/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An attempt: libtcc reads a copy's text, the part of it that differs from what
 * runs is cut out, guarded and compiled. It knows no update: it may begin before
 * there is one (draft.c). */
#include "config.h"

#include "reloader/private.h"

#include "reloader/instant/describe.h"
#include "reloader/instant/faithful.h"
#include "reloader/types/assertions.h"

#include <stdlib.h>
#include <string.h>

void
hd_attempt_free(hd_attempt *attempt)
{
	if (attempt->task)
		hd_instant_cancel(attempt->task);
	g_bytes_unref(attempt->text);
	hd_reading_free(attempt->running);
	hd_reading_free(attempt->now);
	hd_delta_free(attempt->delta);
	g_clear_pointer(&attempt->described, g_bytes_unref);
	g_clear_pointer(&attempt->object, hd_object_unref);
	g_clear_pointer(&attempt->unit, hd_unit_free);
	g_free(attempt->why);
	g_free(attempt);
}

static void
end(hd_attempt *attempt, hd_attempt_state state, const char *why)
{
	attempt->state = state;
	attempt->why = g_strdup(why);
	attempt->ended_ns = hd_now_ns();
	if (attempt->ended)
		attempt->ended(attempt, attempt->data);
}

void
hd_attempt_stop(hd_attempt *attempt)
{
	if (attempt->task)
		hd_instant_cancel(attempt->task);
	attempt->task = NULL;
	if (attempt->state == HD_ATTEMPT_UNDER_WAY)
		attempt->state = HD_ATTEMPT_STOPPED;
	attempt->ended = NULL;
}

GHashTable *
hd_attempt_changed(const hd_attempt *attempt)
{
	return attempt->delta ? attempt->delta->changed : NULL;
}

GHashTable *
hd_attempt_placed(const hd_attempt *attempt)
{
	return attempt->delta->compile;
}

GHashTable *
hd_attempt_constants(const hd_attempt *attempt)
{
	return attempt->delta->constants;
}

/* What says nothing of the text leads to no conclusion about it. */
static hd_attempt_state
unless_lost(hd_attempt_state state, const char *why)
{
	return strcmp(why, HD_INSTANT_LOST) == 0 ? HD_ATTEMPT_DECLINED : state;
}

/* ---- the delta ---- */

static bool
is_inlined(const char *function, void *data)
{
	const hd_unit *running = hd_judge_running_unit(((const hd_attempt *)data)->copy, NULL);
	const hd_unit_function *details = running ? hd_unit_function_named(running, function) : NULL;
	return details && details->inlined;
}

/* An optimising compiler had the body in sight: what it returns, reads, spares. */
static bool
is_known_to_callers(const char *function, void *data)
{
	(void)function;
	return hd_command_optimises(((const hd_attempt *)data)->copy->command);
}

bool
hd_attempt_fits_always(const hd_attempt *attempt)
{
	const hd_command *command = attempt->copy->command;
	return hd_command_optimises(command) && hd_builder_is_clang(attempt->reloader->builder, command);
}

/* New code cannot call a static function that has no body of its own, nor one
 * that was fitted to the callers that the compiler saw. */
static bool
comes_along(const hd_declaration *function, void *data)
{
	const hd_attempt *attempt = data;
	const hd_copy *copy = attempt->copy;
	const hd_function *bound = hd_bindings_function(copy->bindings, function->name);
	const hd_body *body = bound ? hd_function_current(bound) : NULL;
	return !body || (body->version == 0 && hd_command_optimises(copy->command)) || hd_attempt_fits_always(attempt);
}

static char *
close_delta(hd_attempt *attempt)
{
	hd_reloader *r = attempt->reloader;
	hd_copy *copy = attempt->copy;
	GError *error = NULL;
	char *why = NULL;
	attempt->delta = hd_delta_new(attempt->running, attempt->now, &why);
	if (!attempt->delta)
		return why;
	if (!copy->bindings)
		copy->bindings = hd_bind_unit(r->scope, r->target, copy->home, copy->unit, &error);
	if (!copy->bindings) {
		why = g_strdup(error->message);
		g_error_free(error);
		return why;
	}
	hd_delta_facts facts = {is_inlined, is_known_to_callers, comes_along, attempt};
	hd_delta_close(attempt->delta, attempt->now, &facts, &why);
	return why;
}

/* ---- compiling ---- */

/* Appends to the text what it must agree with; or says why libtcc is not to have it. */
static char *
guard(hd_attempt *attempt, GString *text)
{
	const hd_unit *running = hd_judge_running_unit(attempt->copy, NULL);
	GHashTable *words = hd_delta_words(attempt->delta, attempt->now);
	char *why = running ? hd_unfaithful(attempt->delta, attempt->now, words)
			    : g_strdup("what runs has no debug information");
	if (!why && hd_unit_passes_aggregates(running, words))
		why = g_strdup("a structure may be passed by value, which libtcc may do in another way");
	if (!why)
		why = hd_unit_assertions(running, words, text);
	g_hash_table_unref(words);
	return why;
}

/* Why the object does not suit the program; NULL: it does. */
static char *
unsuitable(const hd_attempt *attempt, const hd_object *object)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, attempt->delta->compile);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		const hd_declaration *function = hd_reading_function(attempt->now, name);
		guint index = hd_object_find(object, name);
		const hd_atom *atom = index == HD_NONE ? NULL : hd_object_atom(object, index);
		if (!atom || atom->ifunc || atom->binding != (function->is_static ? HD_BIND_LOCAL : HD_BIND_GLOBAL))
			return g_strdup_printf("libtcc makes %s static, weak or global, and the program does not",
					       (char *)name);
	}
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		if (atom->kind == HD_ATOM_CODE && atom->name && atom->binding == HD_BIND_LOCAL &&
		    hd_attempt_fits_always(attempt) && hd_bindings_function(attempt->copy->bindings, atom->name))
			return g_strdup_printf("the program's compiler may have changed how %s is called", atom->name);
	}
	return NULL;
}

static guint
line_of(const char *function, void *data)
{
	const hd_declaration *declaration = hd_reading_function(((const hd_attempt *)data)->now, function);
	return declaration && declaration->line > 0 ? (guint)declaration->line : 0;
}

/* The object with debug information; where there can be none, as it is. New reference. */
static GBytes *
describe(hd_attempt *attempt, GBytes *object)
{
	const hd_module *module = attempt->copy->module;
	const hd_command *command = attempt->copy->command;
	char *text = hd_reloader_keep_text(attempt->reloader, module, hd_module_next_version(module), attempt->text);
	hd_description description = {command->directory, command->source_arg, text, line_of, attempt};
	GBytes *described = hd_describe(object, &description, NULL);
	g_free(text);
	return described ? described : g_bytes_ref(object);
}

/* Makes of what libtcc wrote what goes live; or says why it cannot. */
static char *
examine(hd_attempt *attempt, GBytes *object)
{
	GError *error = NULL;
	attempt->described = describe(attempt, object);
	attempt->object = hd_object_parse(attempt->described, &error);
	char *why = attempt->object ? unsuitable(attempt, attempt->object) : g_strdup(error->message);
	g_clear_error(&error);
	if (!why)
		attempt->unit = hd_unit_read_object(attempt->described, NULL);
	return why;
}

/* Where an assertion of ours does not hold: what it is about, in words; new string. */
static char *
in_words(const char *why)
{
	static const char error[] = "error: ";
	const char *ours = strstr(why, HD_ASSERTIONS_FILE ":");
	const char *name = ours ? strstr(ours, error) : NULL;
	if (!name)
		return g_strdup(why);
	return g_strdup_printf("libtcc gives %s another size, place or value than it has in the program",
			       name + strlen(error));
}

static void
compiled(GBytes *object, const char *why, void *data)
{
	hd_attempt *attempt = data;
	attempt->task = NULL;
	char *unfit = object ? examine(attempt, object) : in_words(why);
	if (object)
		end(attempt, unfit ? HD_ATTEMPT_DECLINED : HD_ATTEMPT_COMPILED, unfit);
	else
		end(attempt, unless_lost(HD_ATTEMPT_NOT_COMPILED, why), unfit);
	g_clear_pointer(&object, g_bytes_unref);
	g_free(unfit);
}

static void
compile(hd_attempt *attempt)
{
	GString *text = hd_delta_text(attempt->delta, attempt->now);
	char *why = guard(attempt, text);
	if (why)
		end(attempt, HD_ATTEMPT_DECLINED, why);
	else
		attempt->task = hd_instant_compile(attempt->copy->instant, text, compiled, attempt);
	g_free(why);
	g_string_free(text, TRUE);
}

/* ---- reading ---- */

/* Headers are watched from when libtcc has read them; what depends on them, the other compiler will say. */
void
hd_attempt_watch_headers(hd_reloader *r, const hd_copy *copy, const hd_reading *reading)
{
	if (!reading->prelude || (copy->reading && copy->reading->prelude == reading->prelude))
		return;
	GPtrArray *read = g_ptr_array_new_with_free_func(g_free), *files = g_ptr_array_new_with_free_func(g_free);
	hd_prelude_files(reading->prelude, read);
	for (guint i = 0; i < read->len; i++) {
		char *path = realpath(g_ptr_array_index(read, i), NULL);
		if (path)
			g_ptr_array_add(files, g_strdup(path));
		free(path);
	}
	hd_watcher_add(r->watcher, files);
	hd_discover_texts(r, files);
	g_ptr_array_unref(read);
	g_ptr_array_unref(files);
}

static void
now_read(hd_reading *reading, const char *why, void *data)
{
	hd_attempt *attempt = data;
	attempt->task = NULL;
	attempt->now = reading;
	if (!reading) {
		end(attempt, HD_ATTEMPT_DECLINED, why);
		return;
	}
	hd_attempt_watch_headers(attempt->reloader, attempt->copy, reading);
	char *reason = close_delta(attempt);
	if (reason)
		end(attempt, HD_ATTEMPT_DECLINED, reason);
	else if (g_hash_table_size(attempt->delta->changed))
		compile(attempt);
	else
		end(attempt, HD_ATTEMPT_SAME, NULL);
	g_free(reason);
}

static void
read_now(hd_attempt *attempt)
{
	attempt->task = hd_instant_read(attempt->copy->instant, attempt->text, NULL, now_read, attempt);
}

static void
running_read(hd_reading *reading, const char *why, void *data)
{
	hd_attempt *attempt = data;
	attempt->task = NULL;
	attempt->running = reading;
	if (reading)
		read_now(attempt);
	else
		end(attempt, unless_lost(HD_ATTEMPT_UNREADABLE, why), why);
}

GBytes *
hd_attempt_running_text(const hd_reloader *r, const hd_copy *copy)
{
	gpointer text;
	if (g_hash_table_lookup_extended(r->running, copy->module->path, NULL, &text))
		return text;
	return g_hash_table_lookup(r->texts, copy->module->path);
}

/* Whether what runs differs from the tree in more than the source. */
static GHashTable *
overlay_of(const hd_reloader *r, const hd_copy *copy)
{
	guint others = g_hash_table_size(r->running) - g_hash_table_contains(r->running, copy->module->path);
	return others ? r->running : NULL;
}

hd_instant_task *
hd_attempt_read_running(hd_reloader *r, hd_copy *copy, hd_instant_read_done *done, void *data)
{
	return hd_instant_read(copy->instant, hd_attempt_running_text(r, copy), overlay_of(r, copy), done, data);
}

hd_attempt *
hd_attempt_new(hd_reloader *r, hd_copy *copy, GBytes *text)
{
	hd_attempt *attempt = g_new0(hd_attempt, 1);
	attempt->reloader = r;
	attempt->copy = copy;
	attempt->text = g_bytes_ref(text);
	attempt->begun_ns = hd_now_ns();
	if (copy->reading) {
		attempt->running = hd_reading_copy(copy->reading);
		read_now(attempt);
	} else
		attempt->task = hd_attempt_read_running(r, copy, running_read, attempt);
	return attempt;
}
