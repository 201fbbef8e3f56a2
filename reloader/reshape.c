/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The new shape of living data: what each process has is converted within the
 * commit, and back by an undo, with what it had before under the fields that
 * only one of the shapes has. */
#include "config.h"

#include "base/error.h"
#include "reloader/private.h"

#include <string.h>

static bool
fits(const hd_migration_tally *tally, const char *key, char **why)
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
	*out = (hd_moved){.from = reshape->from,
			  .to = reshape->to,
			  .old_size = reshape->old_size,
			  .new_size = reshape->new_size,
			  .now = begin_with(kept ? kept : reshape->basis, reshape->new_size),
			  .name = reshape->key,
			  .shape = reshape};
	hd_migration_apply(reshape->migration, old, out->now, reshape->tail, &tally);
	if (fits(&tally, reshape->key, why) && hd_migration_validate(reshape->migration, old, reshape->tail, &error))
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
	*out = (hd_moved){.from = reshape->to,
			  .to = reshape->from,
			  .old_size = reshape->new_size,
			  .new_size = reshape->old_size,
			  .now = begin_with(kept_of(reshape, pid), reshape->old_size),
			  .name = reshape->key,
			  .shape = reshape};
	hd_migration_reverse(reshape->migration, now, out->now, reshape->tail, &tally);
	if (fits(&tally, reshape->key, why))
		return true;
	g_free(out->now);
	return false;
}

static bool
convert_one(const hd_stopped *process, hd_linked_reshape *reshape, bool back, GArray *moved, char **why)
{
	pid_t pid = hd_stopped_pid(process);
	gsize size = back ? reshape->new_size : reshape->old_size;
	guint8 *bytes = g_malloc(size + 1);
	hd_moved out;
	bool good = hd_stopped_read(process, back ? reshape->to : reshape->from, bytes, size);
	if (!good)
		*why = g_strdup_printf("%s cannot be read", reshape->key);
	good = good && (back ? convert_back : convert_forward)(reshape, pid, bytes, &out, why);
	if (good) {
		g_array_append_val(moved, out);
		g_hash_table_replace(reshape->taken, GINT_TO_POINTER(pid), g_bytes_new(bytes, size));
	}
	g_free(bytes);
	return good;
}

static bool
convert_all(const hd_stopped *process, GArray *moved, void *data, char **why)
{
	const hd_reshaping *work = data;
	for (guint i = 0; i < work->linked->len; i++) {
		GArray *reshapes = hd_linked_reshapes(g_ptr_array_index(work->linked, i));
		for (guint n = 0; n < reshapes->len; n++)
			if (!convert_one(process, &g_array_index(reshapes, hd_linked_reshape, n), work->back, moved,
					 why))
				return false;
	}
	return true;
}

static bool
lands(const hd_moved *moved, guint64 old_offset, guint64 *new_offset, void *data)
{
	const hd_reshaping *work = data;
	const hd_linked_reshape *reshape = moved->shape;
	return (work->back ? hd_migration_landing_back : hd_migration_landing)(
		       reshape->migration, reshape->tail, old_offset, NULL, new_offset) == HD_LANDING_FOUND;
}

bool
hd_reshaping_stage(hd_reshaping *work, hd_commit *commit)
{
	bool any = false;
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
	hd_reshaping_stage(work, commit);
}
