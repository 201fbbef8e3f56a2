/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The draft: libtcc's attempt at a source that was saved and has not settled
 * yet, so that the settle time hides the compiler's. Nobody hears of it. An
 * update takes it where it is about this text and nothing else: then it is just
 * what the update would begin itself. Everything else drops it. */
#include "config.h"

#include "reloader/private.h"

struct hd_draft {
	char *path;
	GPtrArray *attempts; /* of hd_attempt *, one for each copy; NULL where it was taken */
};

static void
drop_attempt(gpointer attempt)
{
	if (attempt)
		hd_attempt_free(attempt);
}

void
hd_draft_drop(hd_reloader *r)
{
	hd_draft *draft = g_steal_pointer(&r->draft);
	if (!draft)
		return;
	g_ptr_array_unref(draft->attempts);
	g_free(draft->path);
	g_free(draft);
}

static bool
may_begin(const hd_reloader *r)
{
	return r->instant && !r->update && g_queue_is_empty(r->batches) && !r->model->paused &&
	       r->model->state == HD_PROGRAM_RUNNING;
}

/* The module whose own text, and no other file, is about to be another; NULL: there is none. */
static const hd_module *
concerned(const hd_reloader *r, const hd_watch_message *early)
{
	const hd_file_change *change = g_ptr_array_index(early->changes, 0);
	GBytes *before = g_hash_table_lookup(r->texts, change->path);
	if (early->changes->len != 1 || !change->text || change->formerly || !before ||
	    g_bytes_equal(change->text, before))
		return NULL;
	return hd_model_module(r->model, change->path);
}

void
hd_draft_begin(hd_reloader *r, const hd_watch_message *early)
{
	hd_draft_drop(r);
	const hd_module *module = may_begin(r) ? concerned(r, early) : NULL;
	if (!module)
		return;
	for (guint c = 0; c < module->copies->len; c++)
		if (!hd_tier_may_draft(r, g_ptr_array_index(module->copies, c)))
			return;
	hd_warm_end(r);
	const hd_file_change *change = g_ptr_array_index(early->changes, 0);
	r->draft = g_new0(hd_draft, 1);
	r->draft->path = g_strdup(change->path);
	r->draft->attempts = g_ptr_array_new_with_free_func(drop_attempt);
	for (guint c = 0; c < module->copies->len; c++)
		g_ptr_array_add(r->draft->attempts,
				hd_attempt_new(r, g_ptr_array_index(module->copies, c), change->text));
}

/* The text of another file may have been read in the meantime. */
static bool
is_alone(const hd_update *update, const hd_draft *draft)
{
	return g_hash_table_size(update->work) == 1 && g_hash_table_contains(update->work, draft->path);
}

hd_attempt *
hd_draft_take(const hd_update *update, const hd_copy *copy)
{
	const hd_reloader *r = update->reloader;
	GBytes *text = g_hash_table_lookup(r->texts, copy->module->path);
	for (guint i = 0; r->draft && is_alone(update, r->draft) && i < r->draft->attempts->len; i++) {
		hd_attempt *attempt = g_ptr_array_index(r->draft->attempts, i);
		if (!attempt || attempt->copy != copy || !g_bytes_equal(attempt->text, text))
			continue;
		r->draft->attempts->pdata[i] = NULL;
		return attempt;
	}
	return NULL;
}
