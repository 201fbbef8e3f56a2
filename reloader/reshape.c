/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The new shape of living data: what each process has is converted within the
 * commit, and back by an undo, with what it had before under the fields that
 * only one of the shapes has. */
#include "config.h"

#include "base/error.h"
#include "reloader/private.h"

#include <string.h>

bool
hd_reshape_fits(const hd_migration_tally *tally, const char *key, char **why)
{
	if (tally->changed)
		*why = g_strdup_printf("%s has numbers that its new type cannot hold", key);
	else if (tally->unnamed)
		*why = g_strdup_printf("%s has values that the new enumeration does not name", key);
	return !*why;
}

/* What the process had there when the shape last changed; what was forked since has its parent's. */
static GBytes *
kept_of(const hd_linked_reshape *reshape, pid_t pid)
{
	GHashTableIter iter;
	gpointer kept = g_hash_table_lookup(reshape->kept, GINT_TO_POINTER(pid));
	g_hash_table_iter_init(&iter, reshape->kept);
	if (!kept && !g_hash_table_iter_next(&iter, NULL, &kept))
		return NULL;
	return kept;
}

static guint8 *
begin_with(GBytes *bytes, gsize size)
{
	guint8 *out = g_malloc0(size + 1);
	if (bytes)
		memcpy(out, g_bytes_get_data(bytes, NULL), MIN(size, g_bytes_get_size(bytes)));
	return out;
}

static bool
convert_forward(const hd_linked_reshape *reshape, pid_t pid, const guint8 *old, hd_moved *out, char **why)
{
	hd_migration_tally tally = {0};
	GError *error = NULL;
	GBytes *kept = kept_of(reshape, pid);
	*out = (hd_moved){
		.from = reshape->from,
		.to = reshape->to,
		.old_size = reshape->old_size,
		.new_size = reshape->new_size,
		.now = begin_with(kept ? kept : reshape->basis, reshape->new_size),
		.name = reshape->key,
	};
	hd_migration_apply(reshape->migration, old, out->now, reshape->tail, &tally);
	if (hd_reshape_fits(&tally, reshape->key, why) &&
	    hd_migration_validate(reshape->migration, old, reshape->tail, &error))
		return true;
	if (error)
		*why = g_strdup(error->message);
	g_clear_error(&error);
	g_free(out->now);
	return false;
}

static bool
convert_back(const hd_linked_reshape *reshape, pid_t pid, const guint8 *now, hd_moved *out, char **why)
{
	hd_migration_tally tally = {0};
	*out = (hd_moved){
		.from = reshape->to,
		.to = reshape->from,
		.old_size = reshape->new_size,
		.new_size = reshape->old_size,
		.now = begin_with(kept_of(reshape, pid), reshape->old_size),
		.name = reshape->key,
	};
	hd_migration_reverse(reshape->migration, now, out->now, reshape->tail, &tally);
	if (hd_reshape_fits(&tally, reshape->key, why))
		return true;
	g_free(out->now);
	return false;
}

/* The memory of a rule is the work's. */
static const hd_landing_rule *
rule_of(hd_reshaping *work, const hd_linked_reshape *reshape)
{
	hd_landing_rule *rule = g_new0(hd_landing_rule, 1);
	*rule = (hd_landing_rule){reshape->migration, reshape->tail, work->back ? reshape->new_size : reshape->old_size,
				  work->back ? reshape->old_size : reshape->new_size, 1};
	g_ptr_array_add(work->rules, rule);
	return rule;
}

static bool
convert_one(hd_reshaping *work, const hd_stopped *process, hd_linked_reshape *reshape, GArray *moved, char **why)
{
	pid_t pid = hd_stopped_pid(process);
	gsize size = work->back ? reshape->new_size : reshape->old_size;
	guint8 *bytes = g_malloc(size + 1);
	hd_moved out;
	bool good = hd_stopped_read(process, work->back ? reshape->to : reshape->from, bytes, size);
	if (!good)
		*why = g_strdup_printf("%s cannot be read", reshape->key);
	good = good && (work->back ? convert_back : convert_forward)(reshape, pid, bytes, &out, why);
	if (good) {
		out.shape = rule_of(work, reshape);
		g_array_append_val(moved, out);
		g_hash_table_replace(reshape->taken, GINT_TO_POINTER(pid), g_bytes_new(bytes, size));
	}
	g_free(bytes);
	return good;
}

static bool
convert_all(const hd_stopped *process, GArray *moved, void *data, char **why)
{
	hd_reshaping *work = data;
	g_ptr_array_set_size(work->rules, 0);
	for (guint i = 0; i < work->linked->len; i++) {
		GArray *reshapes = hd_linked_reshapes(g_ptr_array_index(work->linked, i));
		for (guint n = 0; n < reshapes->len; n++)
			if (!convert_one(work, process, &g_array_index(reshapes, hd_linked_reshape, n), moved, why))
				return false;
	}
	return !work->census || hd_census_convert(work->census, process, moved, why);
}

static hd_lands
lands(const hd_moved *moved, guint64 old_offset, guint64 *new_offset, void *data)
{
	static const hd_lands landings[] = {
		[HD_LANDING_NONE] = HD_LANDS_NOWHERE,
		[HD_LANDING_FOUND] = HD_LANDS,
		[HD_LANDING_AMBIGUOUS] = HD_LANDS_UNSURE,
		[HD_LANDING_RETYPED] = HD_LANDS_RETYPED,
	};
	const hd_reshaping *work = data;
	const hd_landing_rule *rule = moved->shape;
	guint64 which = old_offset / rule->stride, inside = 0;
	if (which >= rule->count) {
		*new_offset = old_offset - rule->count * rule->stride + rule->count * rule->new_stride;
		return HD_LANDS;
	}
	hd_landing landing = (work->back ? hd_migration_landing_back : hd_migration_landing)(
		rule->migration, rule->tail, old_offset % rule->stride, NULL, &inside);
	*new_offset = which * rule->new_stride + inside;
	return landings[landing];
}

void
hd_reshaping_begin(hd_reshaping *work, bool back)
{
	*work = (hd_reshaping){
		.linked = g_ptr_array_new(), .rules = g_ptr_array_new_with_free_func(g_free), .back = back};
}

void
hd_reshaping_end(hd_reshaping *work)
{
	g_ptr_array_unref(work->linked);
	g_ptr_array_unref(work->rules);
	g_clear_pointer(&work->census, hd_census_free);
}

bool
hd_reshaping_stage(hd_reshaping *work, hd_commit *commit)
{
	bool any = work->census != NULL;
	for (guint i = 0; i < work->linked->len; i++)
		any |= hd_linked_reshapes(g_ptr_array_index(work->linked, i))->len > 0;
	if (any)
		hd_commit_reshape(commit, &(hd_reshape){convert_all, lands, work});
	return any;
}

void
hd_reshaping_stage_update(hd_update *update, hd_reshaping *work, hd_commit *commit)
{
	for (guint i = 0; i < update->jobs->len; i++) {
		const hd_job *job = g_ptr_array_index(update->jobs, i);
		if (!job->linked)
			continue;
		g_ptr_array_add(work->linked, job->linked);
		if (update->reshapes)
			hd_oldcode_exclude(update, job, commit);
	}
	if (update->census_types && update->census_types->len)
		work->census = hd_census_new(update->reloader, update->census_types, false);
	hd_reshaping_stage(work, commit);
}
