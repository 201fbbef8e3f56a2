/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instant tier: an update is built by libtcc, where every unit concerned
 * changed only in what its functions do, and libtcc compiles that faithfully.
 * One that does not sends the whole update to the program's own compiler. */
#include "config.h"

#include "reloader/private.h"

#include "reloader/instant/describe.h"
#include "reloader/instant/faithful.h"
#include "reloader/types/assertions.h"

#include <stdlib.h>
#include <string.h>

/* running and now are read one after the other; the delta between them is compiled. */
struct hd_attempt {
	hd_update *update;
	hd_job *job;
	hd_instant_task *task; /* the step under way; NULL: none */
	hd_reading *running;   /* of the text that runs */
	hd_reading *now;       /* of the text that was saved */
	hd_delta *delta;
	char *refused; /* by libtcc, or for what it would do; NULL: not yet, or for another reason */
	bool done;     /* the job has its object, or needs none: what runs says the same */
};

void
hd_attempt_free(hd_attempt *attempt)
{
	if (attempt->task)
		hd_instant_cancel(attempt->task);
	hd_reading_free(attempt->running);
	hd_reading_free(attempt->now);
	hd_delta_free(attempt->delta);
	g_free(attempt->refused);
	g_free(attempt);
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

/* ---- giving up ---- */

/* Once for each module. */
static void
say_why(hd_reloader *r, const hd_copy *copy, const char *why)
{
	if (!g_hash_table_add(r->said, g_strdup(copy->module->path)))
		return;
	hd_position where = {.file = copy->module->path};
	hd_reloader_warn(r, "not-instant", &where, "%s goes straight to the program's own compiler: %s",
			 copy->module->name, why);
}

/* libtcc will not do for this copy, however it is edited. */
static void
rule_out(hd_reloader *r, hd_copy *copy, const char *why)
{
	copy->ruled_out = true;
	say_why(r, copy, why);
}

/* The other compiler took what libtcc refused. Where that lies in a header, no edit of the source will help. */
static void
learn_refusal(hd_reloader *r, hd_copy *copy, const char *why)
{
	char *own = g_path_get_basename(copy->module->path);
	if (strstr(why, own))
		say_why(r, copy, why);
	else
		rule_out(r, copy, why);
	g_free(own);
}

/* What was read stays: it tells what runs once the other compiler's build is live. */
static void
stop(hd_attempt *attempt)
{
	if (attempt->task)
		hd_instant_cancel(attempt->task);
	attempt->task = NULL;
	attempt->done = false;
}

void
hd_tier_abandon(hd_update *update, const char *why)
{
	update->kind = HD_UPDATE_BUILD;
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->attempt)
			stop(job->attempt);
		g_clear_pointer(&job->result, hd_build_result_free);
		g_clear_pointer(&job->object, hd_object_unref);
		if (why && job->attempt)
			hd_module_set_not_instant(job->copy->module, g_strdup(why));
	}
}

static void
give_up(hd_attempt *attempt, const char *why)
{
	hd_update *update = attempt->update;
	hd_tier_abandon(update, NULL);
	hd_module_set_not_instant(attempt->job->copy->module, g_strdup(why));
	hd_update_build(update);
}

/* ---- compiled ---- */

static hd_build_result *
result_of(GBytes *object)
{
	hd_build_result *result = g_new0(hd_build_result, 1);
	result->ok = true;
	result->object = g_bytes_ref(object);
	result->compiler = g_strdup("tcc");
	result->diagnostics = g_ptr_array_new_with_free_func((GDestroyNotify)hd_diagnostic_free);
	result->dependencies = g_ptr_array_new_with_free_func(g_free);
	return result;
}

/* Clang fits static functions to their callers in every version, the calling convention included. */
static bool
fits_always(const hd_attempt *attempt)
{
	const hd_copy *copy = attempt->job->copy;
	return hd_command_optimises(copy->command) &&
	       hd_builder_is_clang(attempt->update->reloader->builder, copy->command);
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
			return g_strdup_printf("libtcc takes %s for another kind of symbol", (char *)name);
	}
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		if (atom->kind == HD_ATOM_CODE && atom->name && atom->binding == HD_BIND_LOCAL &&
		    fits_always(attempt) && hd_bindings_function(attempt->job->copy->bindings, atom->name))
			return g_strdup_printf("%s may be fitted to its callers", atom->name);
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
describe(hd_attempt *attempt, GBytes *bytes)
{
	const hd_command *command = attempt->job->copy->command;
	char *text = hd_update_keep_text(attempt->update, attempt->job);
	hd_description description = {command->directory, command->source_arg, text, line_of, attempt};
	GBytes *described = hd_describe(bytes, &description, NULL);
	g_free(text);
	return described ? described : g_bytes_ref(bytes);
}

/* Makes libtcc's object the job's; or says why not. */
static char *
adopt(hd_attempt *attempt, GBytes *bytes)
{
	hd_job *job = attempt->job;
	GError *error = NULL;
	GBytes *described = describe(attempt, bytes);
	job->object = hd_object_parse(described, &error);
	char *why = job->object ? unsuitable(attempt, job->object) : g_strdup(error->message);
	if (!why)
		job->result = result_of(described);
	g_bytes_unref(described);
	g_clear_error(&error);
	return why;
}

static bool
all_done(const hd_update *update)
{
	for (guint i = 0; i < update->jobs->len; i++)
		if (!((hd_job *)g_ptr_array_index(update->jobs, i))->attempt->done)
			return false;
	return true;
}

static void
compiled(GBytes *object, const char *why, void *data)
{
	hd_attempt *attempt = data;
	hd_update *update = attempt->update;
	attempt->task = NULL;
	char *reason = object ? adopt(attempt, object) : g_strdup(why);
	if (!object)
		attempt->refused = g_strdup(why);
	g_clear_pointer(&object, g_bytes_unref);
	if (reason) {
		give_up(attempt, reason);
		g_free(reason);
		return;
	}
	attempt->done = true;
	if (all_done(update))
		hd_update_finish(update);
}

/* ---- the delta ---- */

static bool
is_inlined(const char *function, void *data)
{
	const hd_copy *copy = ((const hd_attempt *)data)->job->copy;
	const hd_unit *running = hd_judge_running_unit(copy, NULL);
	const hd_unit_function *details = running ? hd_unit_function_named(running, function) : NULL;
	return details && details->inlined;
}

/* An optimising compiler had the body in sight: what it returns, reads, spares. */
static bool
is_known_to_callers(const char *function, void *data)
{
	(void)function;
	return hd_command_optimises(((const hd_attempt *)data)->job->copy->command);
}

/* New code cannot call a static function that has no body of its own, nor one
 * that was fitted to the callers that the compiler saw. */
static bool
comes_along(const hd_declaration *function, void *data)
{
	const hd_attempt *attempt = data;
	const hd_copy *copy = attempt->job->copy;
	const hd_function *bound = hd_bindings_function(copy->bindings, function->name);
	const hd_body *body = bound ? hd_function_current(bound) : NULL;
	return !body || (body->version == 0 && hd_command_optimises(copy->command)) || fits_always(attempt);
}

static char *
close_delta(hd_attempt *attempt)
{
	hd_reloader *r = attempt->update->reloader;
	hd_copy *copy = attempt->job->copy;
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

/* Appends to the text what it must agree with; or says why libtcc is not to have it. */
static char *
guard(hd_attempt *attempt, GString *text)
{
	const hd_unit *running = hd_judge_running_unit(attempt->job->copy, NULL);
	GHashTable *words = hd_delta_words(attempt->delta, attempt->now);
	char *why = running ? hd_unfaithful(attempt->delta, attempt->now, words)
			    : g_strdup("what runs has no debug information");
	if (!why && hd_unit_passes_aggregates(running, words))
		why = g_strdup("a structure may be passed by value");
	if (!why)
		why = hd_unit_assertions(running, words, text);
	g_hash_table_unref(words);
	return why;
}

static void
compile(hd_attempt *attempt)
{
	GString *text = hd_delta_text(attempt->delta, attempt->now);
	char *why = guard(attempt, text);
	if (why)
		give_up(attempt, why);
	else
		attempt->task = hd_instant_compile(attempt->job->copy->instant, text, compiled, attempt);
	g_free(why);
	g_string_free(text, TRUE);
}

/* ---- reading ---- */

/* Where libtcc sees no difference the other compiler might: it is asked now, or
 * when it is to build what libtcc has made live. */
static void
pass_over(hd_attempt *attempt)
{
	if (!attempt->job->copy->owes) {
		give_up(attempt, "nothing that libtcc sees has changed");
		return;
	}
	attempt->done = true;
	if (all_done(attempt->update))
		hd_update_finish(attempt->update);
}

/* Headers are watched from when libtcc has read them; what depends on them, the other compiler will say. */
static void
watch_headers(hd_reloader *r, const hd_copy *copy, const hd_reading *reading)
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
		give_up(attempt, why);
		return;
	}
	watch_headers(attempt->update->reloader, attempt->job->copy, reading);
	char *reason = close_delta(attempt);
	if (reason)
		give_up(attempt, reason);
	else if (g_hash_table_size(attempt->delta->changed))
		compile(attempt);
	else
		pass_over(attempt);
	g_free(reason);
}

static void
read_now(hd_attempt *attempt)
{
	hd_copy *copy = attempt->job->copy;
	GBytes *text = g_hash_table_lookup(attempt->update->reloader->texts, copy->module->path);
	attempt->task = hd_instant_read(copy->instant, text, NULL, now_read, attempt);
}

static void
running_read(hd_reading *reading, const char *why, void *data)
{
	hd_attempt *attempt = data;
	attempt->task = NULL;
	attempt->running = reading;
	if (!reading) {
		rule_out(attempt->update->reloader, attempt->job->copy, why);
		give_up(attempt, why);
		return;
	}
	read_now(attempt);
}

/* Whether what runs differs from the tree in more than the source. */
static GHashTable *
overlay_of(const hd_reloader *r, const hd_copy *copy)
{
	guint others = g_hash_table_size(r->running) - g_hash_table_contains(r->running, copy->module->path);
	return others ? r->running : NULL;
}

static GBytes *
running_text(const hd_reloader *r, const hd_copy *copy)
{
	gpointer text;
	if (g_hash_table_lookup_extended(r->running, copy->module->path, NULL, &text))
		return text;
	return g_hash_table_lookup(r->texts, copy->module->path);
}

static void
attempt_begin(hd_update *update, hd_job *job)
{
	hd_reloader *r = update->reloader;
	hd_copy *copy = job->copy;
	hd_attempt *attempt = g_new0(hd_attempt, 1);
	attempt->update = update;
	attempt->job = job;
	job->attempt = attempt;
	hd_update_number(update, job);
	if (copy->reading) {
		attempt->running = hd_reading_copy(copy->reading);
		read_now(attempt);
	} else {
		attempt->task = hd_instant_read(copy->instant, running_text(r, copy), overlay_of(r, copy), running_read,
						attempt);
	}
}

/* ---- may it be tried ---- */

static bool
is_unknown(const hd_reloader *r, const hd_copy *copy)
{
	if (!g_hash_table_size(r->unknown))
		return false;
	bool unknown = !copy->dependencies || g_hash_table_contains(r->unknown, copy->module->path);
	for (guint i = 0; copy->dependencies && i < copy->dependencies->len && !unknown; i++)
		unknown = g_hash_table_contains(r->unknown, g_ptr_array_index(copy->dependencies, i));
	return unknown;
}

static bool
prepare(hd_reloader *r, hd_copy *copy)
{
	if (copy->instant || copy->ruled_out)
		return copy->instant;
	const hd_command *command = hd_discover_command(r, copy, NULL);
	char *why = NULL;
	if (!command)
		return false; /* the other tier says so */
	copy->instant = hd_instant_unit_new(r->instant, command, &why);
	if (!copy->instant) {
		rule_out(r, copy, why);
		hd_module_set_not_instant(copy->module, why);
	}
	return copy->instant;
}

/* A copy that joined the program has no debug information that runs, to be checked against. */
static bool
may_try(hd_reloader *r, hd_copy *copy)
{
	bool known = hd_copy_whole(copy) || (!copy->stale && !is_unknown(r, copy));
	return copy->unit && known && !copy->text_unknown && running_text(r, copy) &&
	       g_hash_table_lookup(r->texts, copy->module->path) && prepare(r, copy);
}

hd_instant_task *
hd_tier_read_ahead(hd_reloader *r, hd_copy *copy, hd_instant_read_done *done, void *data)
{
	const hd_command *command = copy->reading ? NULL : hd_discover_command(r, copy, NULL);
	if (!command || copy->ruled_out || !copy->unit || copy->stale || is_unknown(r, copy) || !running_text(r, copy))
		return NULL;
	char *why = NULL;
	if (!copy->instant)
		copy->instant = hd_instant_unit_new(r->instant, command, &why);
	g_free(why);
	/* What else an edit asks for is kept where it is read: symbols of every object, too. */
	hd_found nothing;
	hd_builder_is_clang(r->builder, command);
	hd_judge_running_unit(copy, NULL);
	hd_scope_lookup(r->scope, r->target, copy->home, "", &nothing);
	if (!copy->bindings)
		copy->bindings = hd_bind_unit(r->scope, r->target, copy->home, copy->unit, NULL);
	if (!copy->instant)
		return NULL;
	return hd_instant_read(copy->instant, running_text(r, copy), overlay_of(r, copy), done, data);
}

void
hd_tier_adopt_reading(hd_reloader *r, hd_copy *copy, hd_reading *reading)
{
	watch_headers(r, copy, reading);
	hd_reading_free(copy->reading);
	copy->reading = reading;
}

bool
hd_tier_begin(hd_update *update)
{
	hd_reloader *r = update->reloader;
	hd_warm_end(r);
	GPtrArray *copies = g_ptr_array_new();
	bool possible = r->instant != NULL;
	for (guint m = 0; m < r->model->modules->len && possible; m++) {
		hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len && possible; c++) {
			hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (hd_update_concerns(update, copy)) {
				possible = may_try(r, copy);
				g_ptr_array_add(copies, copy);
			} else
				possible = !hd_update_may_concern(update, copy);
		}
	}
	possible = possible && copies->len;
	if (possible)
		update->kind = HD_UPDATE_INSTANT;
	/* Every job is there before any can end. */
	for (guint i = 0; i < copies->len && possible; i++)
		attempt_begin(update, hd_update_job(update, g_ptr_array_index(copies, i)));
	g_ptr_array_unref(copies);
	return possible;
}

/* The version that runs may as well have been made of the text that was saved now. */
static void
renew_text(const hd_reloader *r, hd_module *module)
{
	hd_version_view *live = hd_module_version(module, module->view.live);
	GBytes *text = g_hash_table_lookup(r->texts, module->path);
	if (!live || !text)
		return;
	g_clear_pointer(&live->text, g_bytes_unref);
	live->text = g_bytes_ref(text);
}

void
hd_tier_settle(hd_update *update)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		hd_copy *copy = job->copy;
		if (!job->result && !(job->attempt && job->attempt->done))
			continue;
		if (!job->result) {
			renew_text(update->reloader, copy->module);
			hd_reading_free(copy->reading);
			copy->reading = g_steal_pointer(&job->attempt->now);
			continue;
		}
		if (update->kind == HD_UPDATE_BUILD && job->attempt && job->attempt->refused)
			learn_refusal(update->reloader, copy, job->attempt->refused);
		if (update->kind != HD_UPDATE_PROMOTION)
			g_clear_pointer(&copy->reading, hd_reading_free);
		if (job->attempt)
			copy->reading = g_steal_pointer(&job->attempt->now);
		copy->text_unknown = false;
		copy->owes = update->kind == HD_UPDATE_INSTANT;
		copy->module->view.promoting = false;
		if (copy->owes)
			hd_module_set_not_instant(copy->module, NULL);
	}
}
