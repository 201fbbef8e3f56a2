/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From compiled objects to an outcome: compare, judge, link, commit. Nothing of
 * the program changes before the commit; whatever is refused before it, or
 * fails in it, leaves the program as it was. */
#include "config.h"

#include "reloader/private.h"

#include <string.h>
#include <unistd.h>

/* How long a commit may look for an instant at which no thread is in the way. */
#define COMMIT_DEADLINE_MS 500
/* A change of shapes waits until everybody has left code that knows the old ones: how long, when the user is told, and
 * how long the first look for such an instant takes; each of those after it (hd_update_finish) is one stop. */
#define WAIT_MOST_NS (10 * G_GINT64_CONSTANT(1000000000))
#define WAIT_SAID_NS (G_GINT64_CONSTANT(500000000))
#define WAIT_FIRST_MS 50

static hd_job *
job_at(const hd_update *update, guint index)
{
	return g_ptr_array_index(update->jobs, index);
}

static void
add_name(GPtrArray *names, const char *name)
{
	if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		g_ptr_array_add(names, g_strdup(name));
}

/* ---- outcomes ---- */

static void
keep_pending(hd_update *update)
{
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, update->work);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		g_hash_table_add(update->reloader->pending, g_strdup(path));
}

static bool
is_failed(const hd_job *job)
{
	return job->result && !job->result->ok;
}

/* The text that the program was built of does not compile either: the command is to blame, not the edit. */
static void
blame_command(const hd_job *job, hd_event *event, GString *raw)
{
	const hd_command *command = job->copy->command;
	if (!command || !job->base || job->base->ok)
		return;
	hd_diagnostic *note = g_new0(hd_diagnostic, 1);
	note->where.file = g_strdup(job->copy->module->path);
	note->severity = HD_SEVERITY_NOTE;
	note->message = g_strdup_printf(
		"what the program was built of does not compile either: the compile command is "
		"not the right one; it comes from %s%s",
		command->origin_detail ? command->origin_detail : "?",
		command->origin == HD_COMMAND_DEBUG_INFO ? "; a compile_commands.json would have the right one" : "");
	g_string_append_printf(raw, "%s: note: %s\n", job->copy->module->name, note->message);
	g_ptr_array_add(event->diagnostics, note);
}

static void
emit_failed(hd_update *update)
{
	hd_reloader *r = update->reloader;
	if (update->kind == HD_UPDATE_PROMOTION) {
		for (guint i = 0; i < update->jobs->len; i++)
			if (is_failed(job_at(update, i)))
				hd_promote_failed(update, job_at(update, i));
		return;
	}
	hd_event *event = hd_event_new(HD_EVENT_FAILED);
	GString *raw = g_string_new(NULL);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		if (!is_failed(job))
			continue;
		add_name(event->files, job->copy->module->name);
		if (!event->compiler)
			event->compiler = g_strdup(job->result->compiler ? job->result->compiler : "cc");
		for (guint d = 0; d < job->result->diagnostics->len; d++) {
			hd_diagnostic *diagnostic = g_ptr_array_index(job->result->diagnostics, d);
			hd_reloader_real_position(r, &diagnostic->where);
			hd_diagnostic *copy = g_new0(hd_diagnostic, 1);
			copy->where = hd_position_copy(&diagnostic->where);
			copy->severity = diagnostic->severity;
			copy->message = g_strdup(diagnostic->message);
			g_ptr_array_add(event->diagnostics, copy);
		}
		g_string_append(raw, job->result->raw ? job->result->raw : "");
		blame_command(job, event, raw);
		hd_module_set_errors(job->copy->module, g_ptr_array_ref(job->result->diagnostics),
				     g_strdup(job->result->raw));
	}
	event->raw = g_string_free(raw, FALSE);
	keep_pending(update);
	hd_reloader_emit(r, event);
}

static bool
is_changed(const hd_job *job)
{
	return job->diff && (!hd_diff_empty(job->diff) || (job->also && g_hash_table_size(job->also)) || job->relinks);
}

/* Back from "building" for those that neither failed nor are held. */
static void
settle_modules(hd_update *update)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		if (job->result && job->copy->module->view.state == HD_MODULE_BUILDING)
			hd_module_settle(job->copy->module);
	}
}

static void
unlink_jobs(hd_update *update)
{
	for (guint i = update->jobs->len; i > 0; i--) {
		hd_job *job = job_at(update, i - 1);
		if (job->linked)
			hd_linked_free(job->linked, true);
		job->linked = NULL;
		if (job->jit_image)
			hd_target_arena_free(update->reloader->target, job->jit_image);
		job->jit_image = job->jit = 0;
		g_clear_pointer(&job->plan, hd_plan_free);
	}
}

/* Takes the refusals. */
static void
emit_held(hd_update *update, GPtrArray *refusals)
{
	hd_reloader *r = update->reloader;
	if (update->kind == HD_UPDATE_PROMOTION) {
		hd_promote_held(update, g_ptr_array_index(refusals, 0));
		unlink_jobs(update);
		g_ptr_array_unref(refusals);
		return;
	}
	hd_event *event = hd_event_new(HD_EVENT_HELD);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		if (!is_changed(job))
			continue;
		add_name(event->names, job->copy->module->name);
		hd_refusal *shown = g_ptr_array_index(refusals, 0);
		for (guint n = 0; n < refusals->len; n++) {
			hd_refusal *own = g_ptr_array_index(refusals, n);
			if (g_strcmp0(own->module, job->copy->module->name) == 0) {
				shown = own;
				break;
			}
		}
		hd_reloader_real_position(r, &shown->where);
		hd_module_set_refusal(job->copy->module, hd_refusal_copy(shown));
	}
	for (guint i = 0; i < refusals->len; i++) {
		hd_refusal *refusal = g_ptr_array_index(refusals, i);
		hd_reloader_real_position(r, &refusal->where);
		g_ptr_array_add(event->refusals, refusal);
	}
	g_ptr_array_set_free_func(refusals, NULL);
	g_ptr_array_unref(refusals);
	settle_modules(update);
	keep_pending(update);
	unlink_jobs(update);
	hd_join_withdraw(update);
	hd_reloader_emit(r, event);
	if (r->options.restart_on_refuse)
		hd_reloader_restart_soon(r);
}

static void
nothing_pends(hd_reloader *r)
{
	g_hash_table_remove_all(r->pending);
	g_hash_table_remove_all(r->running);
}

/* Where nothing had to be built: what failed or was held has been taken back. */
static void
settle_concerned(hd_update *update)
{
	GPtrArray *modules = update->reloader->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		hd_module *module = g_ptr_array_index(modules, m);
		bool stuck = module->view.state == HD_MODULE_ERROR || module->view.state == HD_MODULE_HELD ||
			     module->view.state == HD_MODULE_BUILDING;
		for (guint c = 0; c < module->copies->len && stuck; c++)
			if (hd_update_concerns(update, g_ptr_array_index(module->copies, c)))
				hd_module_settle(module);
	}
}

static void
emit_unchanged(hd_update *update)
{
	hd_reloader *r = update->reloader;
	hd_event *event = hd_event_new(HD_EVENT_UNCHANGED);
	for (guint i = 0; i < update->files->len; i++)
		g_ptr_array_add(event->files, g_strdup(g_ptr_array_index(update->files, i)));
	for (guint i = 0; i < update->jobs->len; i++)
		if (job_at(update, i)->result || job_at(update, i)->attempt)
			hd_module_settle(job_at(update, i)->copy->module);
	settle_concerned(update);
	nothing_pends(r);
	hd_tier_settle(update);
	hd_reloader_emit(r, event);
}

/* ---- compare and judge ---- */

/* What a compiler wrote makes no sense: it may the next time, so it is not kept. */
static hd_refusal *
unreadable(const hd_reloader *reloader, hd_refusal_code code, const hd_job *job, GError *error)
{
	hd_builder_forget(reloader->builder);
	return hd_judge_unreadable(code, job, error);
}

/* The text that the program was built of, compiled, is what the program runs. */
static void
adopt_base(const hd_reloader *reloader, hd_job *job)
{
	hd_copy *copy = job->copy;
	for (guint i = 0; job->base && i < job->base->dependencies->len; i++)
		copy->stale |= g_hash_table_contains(reloader->unknown, g_ptr_array_index(job->base->dependencies, i));
	if (!job->base || !job->base->ok || copy->stale || !copy->unit || hd_copy_whole(copy))
		return;
	hd_object *object = hd_object_parse(job->base->object, NULL);
	if (!object) {
		hd_builder_forget(reloader->builder);
		return;
	}
	hd_unit *unit = hd_unit_read_object(job->base->object, NULL);
	hd_copy_add_revision(copy, 0, object, unit, NULL);
	hd_object_unref(object);
}

/* What libtcc made live and the new build has too. What an optimising compiler has inlined everywhere has no
 * successor: libtcc's body of it stays the newest. */
static GHashTable *
instant_functions(const hd_job *job)
{
	GHashTable *names = hd_bindings_instant(job->copy->bindings);
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, names);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (hd_object_find(job->object, name) == HD_NONE)
			g_hash_table_iter_remove(&iter);
	return names;
}

/* libtcc's functions take others' places when they do: with theirs, or when the same is built otherwise. */
static void
find_differences(const hd_update *update, hd_job *job)
{
	if (update->kind == HD_UPDATE_INSTANT) {
		job->diff = hd_diff_new_told(job->object, hd_attempt_changed(job->attempt),
					     hd_attempt_constants(job->attempt));
		job->also = g_hash_table_ref(hd_attempt_placed(job->attempt));
		return;
	}
	const hd_revision *whole = hd_copy_whole(job->copy);
	job->diff = hd_diff_new(whole ? whole->object : NULL, job->object);
	if (job->copy->bindings)
		job->also = instant_functions(job);
}

static hd_refusal *
compare(hd_update *update, hd_job *job)
{
	const hd_reloader *reloader = update->reloader;
	adopt_base(reloader, job);
	if (!job->result || job->diff)
		return NULL;
	GError *error = NULL;
	if (!job->object)
		job->object = hd_object_parse(job->result->object, &error);
	if (!job->object)
		return unreadable(reloader, HD_REFUSE_OBJECT, job, error);
	find_differences(update, job);
	return is_changed(job) ? hd_apply_examine(update, job) : NULL;
}

hd_refusal *
hd_apply_examine(hd_update *update, hd_job *job)
{
	const hd_reloader *reloader = update->reloader;
	GError *error = NULL;
	if (!job->unit)
		job->unit = hd_unit_read_object(job->result->object, &error);
	if (!job->unit && update->kind != HD_UPDATE_INSTANT)
		return unreadable(reloader, HD_REFUSE_DEBUG_INFO, job, error);
	g_clear_error(&error);
	hd_copy *copy = job->copy;
	if (!copy->bindings)
		copy->bindings =
			copy->unit ? hd_bind_unit(reloader->scope, reloader->target, copy->home, copy->unit, &error)
				   : hd_bindings_new();
	return copy->bindings ? NULL : hd_judge_unreadable(HD_REFUSE_DEBUG_INFO, job, error);
}

/* ---- link ---- */

static bool
spares_registers(const hd_copy *copy)
{
	const char *producer = copy->unit ? copy->unit->producer : NULL;
	return producer && g_str_has_prefix(producer, "GNU") && strstr(producer, " -O") && !strstr(producer, " -O0") &&
	       !strstr(producer, "-fno-ipa-ra");
}

static hd_plan_fitting
fitting_of(hd_reloader *r, const hd_copy *copy)
{
	if (!copy->command || !hd_command_optimises(copy->command))
		return HD_PLAN_AS_WRITTEN;
	return hd_builder_is_clang(r->builder, copy->command) ? HD_PLAN_ALL_FITTED : HD_PLAN_ORIGINAL_FITTED;
}

/* A promotion is a part of the one that made its version live. */
static int
transaction_of(const hd_update *update, const hd_job *job)
{
	if (update->kind == HD_UPDATE_PROMOTION)
		return hd_module_version(job->copy->module, job->version)->transaction;
	return update->reloader->model->generation + 1;
}

static hd_refusal *
place(hd_update *update, hd_job *job)
{
	hd_reloader *r = update->reloader;
	hd_copy *copy = job->copy;
	const hd_unit *running = hd_judge_running_unit(copy, NULL);
	/* What libtcc says of its objects has neither types nor data; what changed has neither, too. */
	bool instant = update->kind == HD_UPDATE_INSTANT;
	const hd_unit *unit = instant ? NULL : job->unit;
	job->plan = hd_plan_new(&(hd_plan_request){
		.diff = job->diff,
		.running = running,
		.unit = unit,
		.bindings = copy->bindings,
		.fitting = fitting_of(update->reloader, copy),
		.also = job->also,
		.reshapes = job->reshapes,
		.moved = update->moved,
	});
	hd_link_request request = {
		.target = r->target,
		.scope = r->scope,
		.home = copy->home,
		.bindings = copy->bindings,
		.diff = job->diff,
		.plan = job->plan,
		.reshapes = job->reshapes,
		.unit = unit,
		.signatures = instant ? running : unit,
		.instant = instant,
		.spares_registers = spares_registers(copy),
		.version = job->version,
		.transaction = transaction_of(update, job),
	};
	hd_refusal *refusal = NULL;
	job->linked = hd_link_place(&request, &refusal);
	return refusal;
}

/* Every job has its place before any is relocated: they may need each other's new names. */
static bool
link_jobs(hd_update *update, GPtrArray *refusals)
{
	for (guint pass = 0; pass < 2 && !refusals->len; pass++) {
		for (guint i = 0; i < update->jobs->len; i++) {
			hd_job *job = job_at(update, i);
			if (!is_changed(job))
				continue;
			hd_refusal *refusal = pass == 0 ? place(update, job) : hd_link_relocate(job->linked);
			if (!refusal)
				continue;
			g_free(refusal->module);
			refusal->module = g_strdup(job->copy->module->name);
			if (!refusal->where.file)
				refusal->where.file = g_strdup(job->copy->module->path);
			g_ptr_array_add(refusals, refusal);
		}
	}
	return refusals->len == 0;
}

/* ---- commit ---- */

/* Room for the version's symbols, which gdb sees from the commit on. Without it the code goes live all the same. */
static void
show_to_gdb(hd_update *update, hd_job *job)
{
	hd_target *target = update->reloader->target;
	GBytes *artefact = hd_linked_artefact(job->linked);
	guint8 *view;
	gsize size = g_bytes_get_size(artefact);
	if (hd_target_arena(target, &job->copy->home->object, HD_ARENA_DEBUG, size, 16, &job->jit_image, &view, NULL))
		memcpy(view, g_bytes_get_data(artefact, NULL), size);
}

static hd_refusal *
refusal_of(const GError *error)
{
	hd_refusal *refusal;
	switch (error->code) {
	case HD_ERROR_GONE:
		refusal = hd_refusal_new(HD_REFUSE_TARGET, NULL, "%s", error->message);
		hd_refusal_set_remedy(refusal, "restart the program: hotdev ctl restart");
		return refusal;
	case HD_ERROR_BUSY:
		return hd_refusal_new(HD_REFUSE_BUSY, NULL, "%s", error->message);
	case HD_ERROR_DENIED:
		return hd_refusal_new(HD_REFUSE_DENIED, NULL, "%s", error->message);
	default:
		return hd_refusal_new(HD_REFUSE_TARGET, NULL, "%s", error->message);
	}
}

static void
merge_names(GPtrArray *into, const GPtrArray *names)
{
	for (guint i = 0; i < names->len; i++)
		add_name(into, g_ptr_array_index(names, i));
}

static hd_module_change *
change_of(const hd_version_view *version, const hd_module *module)
{
	hd_module_change *change = g_new0(hd_module_change, 1);
	change->module = g_strdup(module->name);
	change->version = version->version;
	for (guint i = 0; i < module->versions->len; i++) {
		const hd_version_view *older = g_ptr_array_index(module->versions, i);
		if (older->version < version->version && !older->undone)
			change->previous = older->version;
	}
	change->compiler = g_strdup(version->compiler);
	change->functions = g_ptr_array_new_with_free_func(g_free);
	change->data = g_ptr_array_new_with_free_func(g_free);
	merge_names(change->functions, version->functions);
	merge_names(change->data, version->data);
	return change;
}

/* What the program was built of, where that is known. */
static void
keep_original(const hd_reloader *r, const hd_copy *copy)
{
	hd_module *module = copy->module;
	if (module->view.original || !copy->unit || copy->stale || g_hash_table_contains(r->unknown, module->path))
		return;
	GBytes *text = g_hash_table_lookup(r->originals, module->path);
	if (!text)
		text = g_hash_table_lookup(r->texts, module->path);
	module->view.original = text ? g_bytes_ref(text) : NULL;
}

static hd_version_view *
version_for(hd_update *update, hd_job *job, int transaction)
{
	hd_module *module = job->copy->module;
	if (update->kind == HD_UPDATE_PROMOTION) {
		hd_version_view *promoted = hd_module_version(module, job->version);
		g_free(promoted->compiler);
		promoted->compiler = g_strdup(job->result->compiler ? job->result->compiler : "cc");
		return promoted;
	}
	hd_version_view *version =
		module->versions->len ? g_ptr_array_index(module->versions, module->versions->len - 1) : NULL;
	if (version && version->transaction == transaction)
		return version; /* another copy of the same module */
	version = hd_module_add_version(module, transaction);
	version->compiler = g_strdup(job->result->compiler ? job->result->compiler : "cc");
	GBytes *text = g_hash_table_lookup(update->reloader->texts, module->path);
	version->text = text ? g_bytes_ref(text) : NULL;
	keep_original(update->reloader, job->copy);
	return version;
}

static void
warn_kept(hd_update *update, const hd_job *job, const GPtrArray *kept)
{
	for (guint i = 0; i < kept->len; i++) {
		const char *key = g_ptr_array_index(kept, i);
		hd_position where = {.file = job->copy->module->path};
		hd_reloader_warn(update->reloader, "initialiser-kept", &where,
				 "%s keeps its value: the program has written it since it was initialised", key);
	}
}

/* What libtcc made live before, and is built otherwise now, is not what this save changed. */
static bool
is_news(const hd_update *update, const hd_job *job, const char *function)
{
	if (update->kind == HD_UPDATE_PROMOTION || !job->also || !g_hash_table_contains(job->also, function))
		return true;
	GHashTable *changed = job->attempt ? hd_attempt_changed(job->attempt) : NULL;
	return !changed || g_hash_table_contains(changed, function);
}

/* The commit was made: the job is the copy's newest revision. */
static void
record_job(hd_update *update, hd_job *job, int transaction, const hd_commit_result *result, double ms)
{
	hd_module *module = job->copy->module;
	GPtrArray *kept = g_ptr_array_new_with_free_func(g_free);
	hd_linked_settle(job->linked, result->skipped, kept);
	hd_target_add_code(update->reloader->target, hd_linked_artefact(job->linked));
	hd_version_view *version = version_for(update, job, transaction);
	version->bytes += hd_linked_size(job->linked);
	for (guint i = 0; i < job->plan->functions->len; i++)
		if (is_news(update, job, g_ptr_array_index(job->plan->functions, i)))
			add_name(version->functions, g_ptr_array_index(job->plan->functions, i));
	merge_names(version->data, job->plan->data);
	hd_revision *revision = hd_copy_add_revision(job->copy, version->version, job->object,
						     g_steal_pointer(&job->unit), g_steal_pointer(&job->linked));
	revision->instant = update->kind == HD_UPDATE_INSTANT;
	revision->jit = job->jit;
	revision->jit_image = job->jit_image;
	hd_module_choose_live(module);
	hd_module_settle(module);
	module->view.last_ms = ms;
	warn_kept(update, job, kept);
	g_ptr_array_unref(kept);
}

static bool
names_module(const hd_event *event, const hd_module *module)
{
	for (guint i = 0; i < event->modules->len; i++)
		if (strcmp(((hd_module_change *)g_ptr_array_index(event->modules, i))->module, module->name) == 0)
			return true;
	return false;
}

/* transaction: what undo is to take back; NULL: the event makes nothing new. */
static void
add_parts(hd_update *update, hd_transaction *transaction, hd_event *event)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		hd_module *module = job->copy->module;
		if (!is_changed(job) || names_module(event, module))
			continue;
		hd_version_view *version = hd_module_version(module, job->version);
		g_ptr_array_add(event->modules, change_of(version, module));
		if (!transaction)
			continue;
		hd_part *part = g_new0(hd_part, 1);
		part->module = module;
		part->version = version->version;
		part->change = change_of(version, module);
		g_ptr_array_add(transaction->parts, part);
	}
}

/* perf reads /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt). */
static void
write_perf_map(hd_update *update)
{
	GPtrArray *processes = hd_target_processes(update->reloader->target);
	for (guint p = 0; p < processes->len; p++) {
		const hd_target_process *process = g_ptr_array_index(processes, p);
		char *path = g_strdup_printf("/tmp/perf-%d.map", (int)process->pid);
		FILE *map = fopen(path, "ae");
		g_free(path);
		for (guint i = 0; map && i < update->jobs->len; i++) {
			const hd_job *job = job_at(update, i);
			const GArray *code = is_changed(job) ? hd_linked_code(job->linked) : NULL;
			for (guint c = 0; code && c < code->len; c++) {
				const hd_placed_code *placed = &g_array_index(code, hd_placed_code, c);
				const char *name = hd_object_atom(job->object, placed->atom)->name;
				fprintf(map, "%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %s@v%d\n", placed->start,
					placed->end - placed->start, name ? name : "?", job->version);
			}
		}
		if (map)
			fclose(map);
	}
	g_ptr_array_unref(processes);
}

static int
promoted_transaction(hd_update *update)
{
	int last = 0;
	for (guint i = 0; i < update->jobs->len; i++)
		if (is_changed(job_at(update, i)))
			last = MAX(last, transaction_of(update, job_at(update, i)));
	return last;
}

static void
note_files(const hd_update *update, hd_transaction *transaction)
{
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, update->work);
	while (transaction && g_hash_table_iter_next(&iter, &path, NULL)) {
		g_ptr_array_add(transaction->files, g_strdup(path));
		g_hash_table_remove(update->reloader->taken_back, path);
	}
}

static void
record(hd_update *update, const hd_commit_result *result, gint64 linking_ns)
{
	hd_reloader *r = update->reloader;
	bool promotes = update->kind == HD_UPDATE_PROMOTION;
	if (!promotes)
		hd_model_forget_undone(r->model);
	hd_transaction *transaction = promotes ? NULL : hd_model_add_transaction(r->model);
	note_files(update, transaction);
	double ms = (double)(result->live_ns - update->written_ns) / 1e6;
	hd_event *event = hd_event_new(promotes ? HD_EVENT_PROMOTED : HD_EVENT_LIVE);
	event->transaction = transaction ? transaction->number : promoted_transaction(update);
	event->processes = result->processes;
	event->threads = result->threads;
	event->save_to_live_ms = ms;
	event->compile_ms = (double)(update->built_ns - update->begun_ns + update->ahead_ns) / 1e6;
	event->link_ms = (double)(result->live_ns - linking_ns - result->pause_ns) / 1e6;
	event->pause_us = (double)result->pause_ns / 1e3;
	write_perf_map(update);
	nothing_pends(r);
	hd_draft_drop(r);
	hd_tier_settle(update);
	hd_census_settle(update->census_types);
	if (transaction)
		transaction->census = g_steal_pointer(&update->census_types);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		if (is_changed(job))
			record_job(update, job, event->transaction, result, ms);
		else if (job->result || job->attempt)
			hd_module_settle(job->copy->module);
	}
	add_parts(update, transaction, event);
	hd_join_settle(update);
	hd_reloader_emit(r, event);
	hd_pins_take(r->pins, result->samples);
	hd_purge_soon(r);
}

/* together: only at an instant when nobody is inside anything that changes. */
static bool
try_commit(hd_update *update, bool together, int deadline_ms, hd_commit_result *result, GError **error)
{
	hd_commit *commit = hd_commit_new();
	hd_reshaping reshaping;
	hd_reshaping_begin(&reshaping, false);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		if (!is_changed(job))
			continue;
		hd_linked_stage(job->linked, commit);
		if (together)
			hd_linked_await(job->linked, commit);
		if (job->jit_image)
			hd_target_jit_add(update->reloader->target, commit, job->jit_image,
					  g_bytes_get_size(hd_linked_artefact(job->linked)), &job->jit);
	}
	hd_reshaping_stage_update(update, &reshaping, commit);
	GError *failure = NULL;
	bool done = hd_target_commit(update->reloader->target, commit, deadline_ms, result, &failure);
	g_clear_pointer(&update->blockers, g_ptr_array_unref);
	if (failure && failure->code == HD_ERROR_BUSY && update->reshapes)
		update->blockers = hd_pins_blockers(update->reloader->pins, commit);
	if (failure)
		g_propagate_error(error, failure);
	hd_reshaping_end(&reshaping);
	hd_commit_free(commit);
	return done;
}

/* Several functions switch together if a moment comes in time, so that no call
 * sees a mixture; else their frames in old code stay, and are shown. */
static bool
commit_patiently(hd_update *update, hd_commit_result *result, GError **error)
{
	guint switches = 0;
	for (guint i = 0; i < update->jobs->len; i++)
		if (is_changed(job_at(update, i)))
			switches += hd_linked_switches(job_at(update, i)->linked);
	int patience = update->reloader->options.patience_ms;
	GError *busy = NULL;
	if (switches > 1 && patience > 0 && !update->reshapes && try_commit(update, true, patience, result, &busy))
		return true;
	if (busy && busy->code != HD_ERROR_BUSY) {
		g_propagate_error(error, busy);
		return false;
	}
	g_clear_error(&busy);
	int deadline_ms = !update->reshapes ? COMMIT_DEADLINE_MS : update->waiting_until ? 0 : WAIT_FIRST_MS;
	return try_commit(update, false, deadline_ms, result, error);
}

/* A debugger holds the program: false, the update is to be tried again when it lets go. */
static bool
waits_for_debugger(hd_update *update, const char *why)
{
	hd_reloader *r = update->reloader;
	unlink_jobs(update);
	if (!update->warned && update->kind != HD_UPDATE_PROMOTION)
		hd_reloader_warn(r, "ptrace-denied", NULL, "the edit waits: %s", why);
	update->warned = true;
	return true;
}

/* ---- waiting for frames ---- */

static hd_event *
waiting_event(hd_update *update)
{
	hd_event *event = hd_event_new(HD_EVENT_WAITING);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_module *module = job_at(update, i)->copy->module;
		if (!is_changed(job_at(update, i)))
			continue;
		add_name(event->names, module->name);
		module->view.state = HD_MODULE_WAITING;
	}
	for (guint i = 0; i < update->blockers->len; i++)
		g_ptr_array_add(event->blockers, hd_thread_place_copy(update->blockers->pdata[i]));
	return event;
}

/* Somebody is in code that knows the old shape: true, the update is to be tried again when they may have left. */
static bool
waits_for_frames(hd_update *update)
{
	hd_reloader *r = update->reloader;
	if (!update->reshapes || (update->waiting_until && hd_now_ns() > update->waiting_until))
		return false;
	if (!update->waiting_until)
		update->waiting_until = hd_now_ns() + WAIT_MOST_NS;
	if (!update->said_waiting && hd_now_ns() > update->waiting_until - WAIT_MOST_NS + WAIT_SAID_NS) {
		update->said_waiting = true;
		hd_reloader_emit(r, waiting_event(update));
	}
	unlink_jobs(update);
	return true;
}

/* Why nobody could be found out of the way in time. */
static hd_refusal *
blocked(const hd_update *update, const GError *error)
{
	const hd_thread_place *at =
		update->blockers && update->blockers->len ? g_ptr_array_index(update->blockers, 0) : NULL;
	if (!at || !at->place->function)
		return refusal_of(error);
	hd_position where = {.file = at->place->file, .line = at->place->line};
	hd_refusal *refusal =
		hd_refusal_new(HD_REFUSE_BUSY, &where, "%s (%d) stays inside %s, which knows the old shape", at->thread,
			       (int)at->tid, at->place->function);
	hd_refusal_set_remedy(refusal,
			      "move what %s does with it into a function that returns, undo the edit, or restart "
			      "the program",
			      at->place->function);
	return refusal;
}

/* Why an object could not take its new shape. */
static hd_refusal *
not_migrated(const hd_update *update, const GError *error)
{
	const hd_changed_type *type = update->changed_types && update->changed_types->len
					      ? g_ptr_array_index(update->changed_types, 0)
					      : NULL;
	const hd_position *where = type && type->refusal ? &type->refusal->where : NULL;
	hd_refusal *refusal = hd_refusal_new(HD_REFUSE_LIVE_DATA, where, "%s", error->message);
	if (update->census_types && update->census_types->len && !update->reloader->options.typed_heap)
		hd_refusal_set_remedy(refusal,
				      "if typed pointers lead to all such objects, say so: hotdev ctl migrate, or "
				      "HD_STATE(pointer) of hotdev.h in the program; else undo the edit, or "
				      "restart the program");
	return refusal;
}

static hd_refusal *
refusal_of_commit(const hd_update *update, const GError *error)
{
	switch (error->code) {
	case HD_ERROR_BUSY:
		return blocked(update, error);
	case HD_ERROR_UNSUPPORTED:
		return not_migrated(update, error);
	default:
		return refusal_of(error);
	}
}

static hd_applied
commit_jobs(hd_update *update, gint64 linking_ns)
{
	for (guint i = 0; i < update->jobs->len; i++)
		if (is_changed(job_at(update, i)))
			show_to_gdb(update, job_at(update, i));
	hd_commit_result result = {0};
	GError *error = NULL;
	if (commit_patiently(update, &result, &error)) {
		record(update, &result, linking_ns);
		hd_commit_result_clear(&result);
		return HD_APPLY_OVER;
	}
	bool busy = error->code == HD_ERROR_BUSY;
	bool waits = (error->code == HD_ERROR_DENIED && waits_for_debugger(update, error->message)) ||
		     (busy && waits_for_frames(update));
	if (!waits) {
		GPtrArray *refusals = g_ptr_array_new();
		g_ptr_array_add(refusals, refusal_of_commit(update, error));
		emit_held(update, refusals);
	}
	g_error_free(error);
	return waits ? HD_APPLY_AGAIN : HD_APPLY_OVER;
}

/* ---- the whole ---- */

static bool
any(const hd_update *update, bool (*holds)(const hd_job *))
{
	for (guint i = 0; i < update->jobs->len; i++)
		if (holds(job_at(update, i)))
			return true;
	return false;
}

static void
emit_warnings(hd_update *update, GPtrArray *warnings)
{
	for (guint i = 0; i < warnings->len; i++) {
		hd_refusal *warning = g_ptr_array_index(warnings, i);
		hd_reloader_real_position(update->reloader, &warning->where);
		hd_reloader_warn(update->reloader, "enum-renumbered", &warning->where, "%s", warning->reason);
	}
	g_ptr_array_set_size(warnings, 0);
}

static void
compare_jobs(hd_update *update, GPtrArray *refusals)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_refusal *refusal = compare(update, job_at(update, i));
		if (refusal)
			g_ptr_array_add(refusals, refusal);
	}
}

/* What libtcc built changes no type, and deletes nothing. */
static void
judge_jobs(hd_update *update, GPtrArray *refusals, GPtrArray *warnings)
{
	hd_migrate_forget(update);
	for (guint i = 0; i < update->jobs->len && update->kind != HD_UPDATE_INSTANT; i++) {
		hd_job *job = job_at(update, i);
		if (!is_changed(job))
			continue;
		hd_judge_types(update, job, refusals, warnings);
		hd_judge_deletions(update, job, refusals);
		hd_judge_constants(update, job, refusals);
	}
	hd_migrate_prepare(update, refusals);
}

/* Back to where nothing was built. */
static void
forget_objects(hd_update *update)
{
	unlink_jobs(update);
	for (guint i = 0; i < update->jobs->len; i++) {
		hd_job *job = job_at(update, i);
		g_clear_pointer(&job->diff, hd_diff_free);
		g_clear_pointer(&job->also, g_hash_table_unref);
		g_clear_pointer(&job->reshapes, g_hash_table_unref);
		g_clear_pointer(&job->unit, hd_unit_free);
		g_clear_pointer(&job->object, hd_object_unref);
	}
}

/* Takes the refusals, of which there is one. */
static hd_applied
refuse(hd_update *update, GPtrArray *refusals)
{
	const hd_refusal *first = g_ptr_array_index(refusals, 0);
	if (first->code == HD_REFUSE_DENIED && waits_for_debugger(update, first->reason)) {
		g_ptr_array_unref(refusals);
		return HD_APPLY_AGAIN;
	}
	if (update->kind == HD_UPDATE_INSTANT) {
		forget_objects(update);
		hd_tier_abandon(update, first->reason);
		g_ptr_array_unref(refusals);
		return HD_APPLY_REBUILD;
	}
	emit_held(update, refusals);
	return HD_APPLY_OVER;
}

static hd_applied
apply_changes(hd_update *update)
{
	GPtrArray *refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	GPtrArray *warnings = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	gint64 linking_ns = hd_now_ns();
	hd_applied applied = HD_APPLY_OVER;
	compare_jobs(update, refusals);
	bool changed = refusals->len || any(update, is_changed);
	if (!refusals->len)
		judge_jobs(update, refusals, warnings);
	if (changed && !refusals->len)
		link_jobs(update, refusals);
	if (refusals->len)
		applied = refuse(update, g_steal_pointer(&refusals));
	else if (!changed)
		emit_unchanged(update);
	else
		applied = commit_jobs(update, linking_ns);
	if (applied == HD_APPLY_OVER && refusals)
		emit_warnings(update, warnings);
	g_clear_pointer(&refusals, g_ptr_array_unref);
	g_ptr_array_unref(warnings);
	return applied;
}

hd_applied
hd_apply(hd_update *update)
{
	hd_join_decide(update);
	if (!any(update, is_failed))
		return apply_changes(update);
	emit_failed(update);
	for (guint i = 0; i < update->jobs->len; i++)
		adopt_base(update->reloader, job_at(update, i));
	settle_modules(update);
	hd_join_withdraw(update);
	return HD_APPLY_OVER;
}
