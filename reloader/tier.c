/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instant tier: an update is built by libtcc, where every unit concerned
 * changed only in what its functions do, and libtcc compiles that faithfully.
 * One that does not sends the whole update to the program's own compiler. */
#include "config.h"

#include "reloader/private.h"

#include <string.h>

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

static bool
names_file(const char *why, const char *path)
{
	char *name = g_path_get_basename(path);
	bool found = strstr(why, name);
	g_free(name);
	return found;
}

/* The source, or what its #line directives name. */
static bool
lies_in_source(const hd_attempt *attempt)
{
	const hd_reading *now = attempt->now;
	bool own = names_file(attempt->why, attempt->copy->module->path);
	for (guint i = 0; !own && now->prelude && i < hd_outline_count(now->own); i++) {
		const char *file = hd_outline_at(now->own, i)->file;
		own = file && names_file(attempt->why, file);
	}
	return own;
}

/* The other compiler took what libtcc refused. Where that lies in a header, no edit of the source will help. */
static void
learn_refusal(hd_reloader *r, const hd_attempt *attempt)
{
	if (lies_in_source(attempt))
		say_why(r, attempt->copy, attempt->why);
	else
		rule_out(r, attempt->copy, attempt->why);
}

/* What was read stays: it tells what runs once the other compiler's build is live. */
void
hd_tier_abandon(hd_update *update, const char *why)
{
	update->kind = HD_UPDATE_BUILD;
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->attempt)
			hd_attempt_stop(job->attempt);
		job->by_libtcc = false;
		g_clear_pointer(&job->result, hd_build_result_free);
		g_clear_pointer(&job->object, hd_object_unref);
		if (why && job->attempt)
			hd_module_set_not_instant(job->copy->module, g_strdup(why));
	}
}

static void
give_up(hd_update *update, const hd_job *job, const char *why)
{
	hd_tier_abandon(update, NULL);
	hd_module_set_not_instant(job->copy->module, g_strdup(why));
	hd_update_build(update);
}

/* ---- what attempts come to ---- */

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

/* Makes the attempt's object the job's. */
static void
adopt(hd_job *job)
{
	job->result = result_of(job->attempt->described);
	job->object = hd_object_ref(job->attempt->object);
	job->unit = g_steal_pointer(&job->attempt->unit);
}

/* Takes what an attempt has come to; or says why the other compiler is to build. */
static char *
take(hd_update *update, hd_job *job)
{
	switch (job->attempt->state) {
	case HD_ATTEMPT_COMPILED:
		adopt(job);
		return NULL;
	case HD_ATTEMPT_SAME:
		/* Where libtcc sees no difference the other compiler might: it is asked now, or when it is to build
		 * what libtcc has made live. */
		return job->copy->owes ? NULL : g_strdup("libtcc sees no difference; the program's own compiler may");
	case HD_ATTEMPT_UNREADABLE:
		rule_out(update->reloader, job->copy, job->attempt->why);
		break;
	case HD_ATTEMPT_DECLINED:
	case HD_ATTEMPT_NOT_COMPILED:
	case HD_ATTEMPT_UNDER_WAY:
	case HD_ATTEMPT_STOPPED:
		break;
	}
	return g_strdup(job->attempt->why);
}

static bool
all_by_libtcc(const hd_update *update)
{
	for (guint i = 0; i < update->jobs->len; i++)
		if (!((hd_job *)g_ptr_array_index(update->jobs, i))->by_libtcc)
			return false;
	return true;
}

static void
finish(hd_update *update)
{
	/* What was done ahead of the update counts as compiling, the waiting behind it does not. */
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_attempt *attempt = ((hd_job *)g_ptr_array_index(update->jobs, i))->attempt;
		update->ahead_ns = MAX(update->ahead_ns, MIN(attempt->ended_ns, update->begun_ns) - attempt->begun_ns);
	}
	hd_update_finish(update);
}

/* false: the other compiler builds, and the update may be over. */
static bool
take_over(hd_update *update, hd_job *job)
{
	char *why = take(update, job);
	bool taken = job->by_libtcc = !why;
	if (!taken)
		give_up(update, job, why);
	g_free(why);
	return taken;
}

static void
attempt_ended(hd_attempt *attempt, void *data)
{
	hd_update *update = data;
	if (take_over(update, hd_update_job(update, attempt->copy)) && all_by_libtcc(update))
		finish(update);
}

/* What drafts have come to before the update began. */
static void
take_drafts(hd_update *update)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = g_ptr_array_index(update->jobs, i);
		if (job->attempt->state != HD_ATTEMPT_UNDER_WAY && !take_over(update, job))
			return;
	}
	if (all_by_libtcc(update))
		finish(update);
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

/* What is kept of the copy, for libtcc. *why, the caller's: it cannot be; NULL where the other tier will say what is
 * wrong. */
static bool
prepare(hd_reloader *r, hd_copy *copy, char **why)
{
	*why = NULL;
	if (copy->instant || copy->ruled_out)
		return !copy->ruled_out;
	const hd_command *command = hd_discover_command(r, copy, NULL);
	if (command)
		copy->instant = hd_instant_unit_new(r->instant, command, why);
	return copy->instant;
}

static bool
prepare_quietly(hd_reloader *r, hd_copy *copy)
{
	char *why;
	bool prepared = prepare(r, copy, &why);
	g_free(why);
	return prepared;
}

static bool
prepare_or_say(hd_reloader *r, hd_copy *copy)
{
	char *why;
	bool prepared = prepare(r, copy, &why);
	if (why) {
		rule_out(r, copy, why);
		hd_module_set_not_instant(copy->module, why);
	}
	return prepared;
}

/* What runs is known, and has debug information to be checked against: a copy that joined the program has none. */
static bool
is_comparable(const hd_reloader *r, const hd_copy *copy)
{
	bool known = hd_copy_whole(copy) || (!copy->stale && !is_unknown(r, copy));
	return copy->unit && known && !copy->text_unknown && hd_attempt_running_text(r, copy) &&
	       g_hash_table_lookup(r->texts, copy->module->path);
}

bool
hd_tier_may_draft(hd_reloader *r, hd_copy *copy)
{
	return is_comparable(r, copy) && prepare_quietly(r, copy);
}

hd_instant_task *
hd_tier_read_ahead(hd_reloader *r, hd_copy *copy, hd_instant_read_done *done, void *data)
{
	const hd_command *command = copy->reading ? NULL : hd_discover_command(r, copy, NULL);
	if (!command || copy->ruled_out || !copy->unit || copy->stale || is_unknown(r, copy) ||
	    !hd_attempt_running_text(r, copy))
		return NULL;
	bool prepared = prepare_quietly(r, copy);
	/* What else an edit asks for is kept where it is read: symbols of every object, too. */
	hd_found nothing;
	hd_builder_is_clang(r->builder, command);
	hd_judge_running_unit(copy, NULL);
	hd_scope_lookup(r->scope, r->target, copy->home, "", &nothing);
	if (!copy->bindings)
		copy->bindings = hd_bind_unit(r->scope, r->target, copy->home, copy->unit, NULL);
	return prepared ? hd_attempt_read_running(r, copy, done, data) : NULL;
}

void
hd_tier_adopt_reading(hd_reloader *r, hd_copy *copy, hd_reading *reading)
{
	hd_attempt_watch_headers(r, copy, reading);
	hd_reading_free(copy->reading);
	copy->reading = reading;
}

/* The copies that the update concerns; NULL: one of them, or one that may be, is not for libtcc. */
static GPtrArray *
copies_to_try(const hd_update *update)
{
	hd_reloader *r = update->reloader;
	GPtrArray *copies = g_ptr_array_new();
	bool possible = true;
	for (guint m = 0; m < r->model->modules->len && possible; m++) {
		hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len && possible; c++) {
			hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (hd_update_concerns(update, copy)) {
				possible = is_comparable(r, copy) && prepare_or_say(r, copy);
				g_ptr_array_add(copies, copy);
			} else
				possible = !hd_update_may_concern(update, copy);
		}
	}
	if (possible && copies->len)
		return copies;
	g_ptr_array_unref(copies);
	return NULL;
}

static void
start(hd_update *update, hd_copy *copy)
{
	hd_reloader *r = update->reloader;
	hd_job *job = hd_update_job(update, copy);
	hd_update_number(update, job);
	job->attempt = hd_draft_take(update, copy);
	if (!job->attempt)
		job->attempt = hd_attempt_new(r, copy, g_hash_table_lookup(r->texts, copy->module->path));
	job->attempt->ended = attempt_ended;
	job->attempt->data = update;
}

bool
hd_tier_begin(hd_update *update)
{
	hd_reloader *r = update->reloader;
	hd_warm_end(r);
	GPtrArray *copies = r->instant ? copies_to_try(update) : NULL;
	if (!copies)
		return false;
	update->kind = HD_UPDATE_INSTANT;
	/* Every job is there before any can end. */
	for (guint i = 0; i < copies->len; i++)
		start(update, g_ptr_array_index(copies, i));
	g_ptr_array_unref(copies);
	take_drafts(update);
	return true;
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
		if (!job->result && !job->by_libtcc)
			continue;
		if (!job->result) {
			renew_text(update->reloader, copy->module);
			hd_reading_free(copy->reading);
			copy->reading = g_steal_pointer(&job->attempt->now);
			continue;
		}
		if (update->kind == HD_UPDATE_BUILD && job->attempt && job->attempt->state == HD_ATTEMPT_NOT_COMPILED)
			learn_refusal(update->reloader, job->attempt);
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
