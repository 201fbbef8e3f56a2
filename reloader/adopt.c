/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that execute the program's own file anew, as servers do that
 * upgrade themselves: each is brought to what is live, and is one of the
 * program's from then on. One that cannot be is named, once. */
#include "config.h"

#include "reloader/private.h"

/* Between looks at one that is still being loaded. */
#define AGAIN_MS 10
/* After that, with the tick. */
#define MOST_LOOKS 200

/* What code that was placed may hold addresses of. Those of the start come first, in the loader's order. */
static GPtrArray *
needed_objects(const hd_reloader *r, guint *startup)
{
	GPtrArray *needed = g_ptr_array_new();
	const GPtrArray *loaded = hd_scope_loaded(r->scope);
	*startup = 0;
	for (guint i = 0; i < loaded->len; i++) {
		const hd_loaded *home = g_ptr_array_index(loaded, i);
		if (home->startup)
			g_ptr_array_insert(needed, (gint)(*startup)++, (gpointer)&home->object);
		else if (!home->gone && (home->referred || hd_discover_has_modules(r, home)))
			g_ptr_array_add(needed, (gpointer)&home->object);
	}
	return needed;
}

/* Between the program's files and what is live. */
static hd_commit *
difference(hd_reloader *r)
{
	hd_commit *commit = hd_commit_new();
	for (guint m = 0; m < r->model->modules->len; m++) {
		const hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (copy->bindings && !copy->home->gone)
				hd_bind_install(copy->bindings, r->scope, r->target, copy->home, commit);
		}
	}
	return commit;
}

typedef enum { UNTOLD, HELD_BY_OTHER, LEFT_OUT } told;

static told
told_of(const hd_reloader *r, pid_t pid)
{
	return (told)GPOINTER_TO_INT(g_hash_table_lookup(r->left_out, GINT_TO_POINTER(pid)));
}

/* A debugger lets go some day; what lies elsewhere stays there. */
static void
tell_once(hd_reloader *r, pid_t pid, const GError *error)
{
	told now = error->code == HD_ERROR_DENIED ? HELD_BY_OTHER : LEFT_OUT;
	if (told_of(r, pid) == now)
		return;
	g_hash_table_insert(r->left_out, GINT_TO_POINTER(pid), GINT_TO_POINTER(now));
	if (now == HELD_BY_OTHER)
		hd_reloader_warn(r, "ptrace-denied", NULL, "process %d runs the program anew, and waits: %s", (int)pid,
				 error->message);
	else
		hd_reloader_warn(r, "not-adopted", NULL, "%s: it is not reloaded; `hotdev ctl restart` takes it in",
				 error->message);
}

/* false: to be tried again. */
static bool
adopt(hd_reloader *r, pid_t pid)
{
	guint startup;
	GPtrArray *needed = needed_objects(r, &startup);
	hd_commit *commit = difference(r);
	hd_commit_result result = {0};
	GError *error = NULL;
	if (hd_target_adopt(r->target, pid, needed, startup, commit, &result, &error))
		hd_pins_adopted(r->pins, result.samples);
	else if (error->code != HD_ERROR_BUSY && error->code != HD_ERROR_GONE)
		tell_once(r, pid, error);
	bool again = error && (error->code == HD_ERROR_BUSY || error->code == HD_ERROR_DENIED);
	hd_commit_result_clear(&result);
	g_clear_error(&error);
	hd_commit_free(commit);
	g_ptr_array_unref(needed);
	return !again;
}

/* Whoever is a newcomer no more may become one again. */
static gboolean
is_no_newcomer(gpointer pid, gpointer unused, gpointer data)
{
	const GArray *pids = data;
	(void)unused;
	for (guint i = 0; i < pids->len; i++)
		if (g_array_index(pids, pid_t, i) == GPOINTER_TO_INT(pid))
			return FALSE;
	return TRUE;
}

static gboolean
look_again(gpointer data)
{
	hd_reloader *r = data;
	r->adopt_source = 0;
	hd_target_look(r->target);
	hd_adopt_newcomers(r);
	return G_SOURCE_REMOVE;
}

void
hd_adopt_newcomers(hd_reloader *r)
{
	if (r->model->state != HD_PROGRAM_RUNNING)
		return;
	GArray *pids = hd_target_newcomers(r->target);
	guint waiting = 0, seen = 0;
	g_hash_table_foreach_remove(r->left_out, is_no_newcomer, pids);
	for (guint i = 0; i < pids->len; i++) {
		pid_t pid = g_array_index(pids, pid_t, i);
		if (told_of(r, pid) == LEFT_OUT)
			continue;
		/* The list has to say first that it was left. */
		if (seen++ == 0)
			hd_pins_refresh(r->pins);
		waiting += !adopt(r, pid);
	}
	g_array_unref(pids);
	if (seen)
		hd_pins_refresh(r->pins);
	r->adopt_looks = waiting ? r->adopt_looks + 1 : 0;
	if (waiting && !r->adopt_source && r->adopt_looks < MOST_LOOKS)
		r->adopt_source = g_timeout_add(AGAIN_MS, look_again, r);
}

void
hd_adopt_cancel(hd_reloader *r)
{
	g_clear_handle_id(&r->adopt_source, g_source_remove);
	g_hash_table_remove_all(r->left_out);
	r->adopt_looks = 0;
}
