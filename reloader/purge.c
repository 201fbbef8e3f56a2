/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving back the memory of old code: of versions that undo no longer reaches,
 * and of libtcc's builds that were promoted, once nothing leads into it: no
 * body in force, no other version's code, no register and no word of the
 * program's memory. What cannot be proven stays, and its version says why. */
#include "config.h"

#include "reloader/private.h"

#include <malloc.h>
#include <unistd.h>

/* A look stops the program for a moment (hd_target_look_for_leads): not with every edit, but when
 * so much has come since the last look that it is worth it. Builds that run meanwhile refer to nothing that goes. */
#define SOON_MS 1000
#define WORTH_COUNT 64
#define WORTH_BYTES (1024 * 1024)
#define COMMIT_DEADLINE_MS 500

typedef struct {
	hd_copy *copy;
	hd_revision *revision;
	hd_lead lead; /* its code, and what leads there */
} candidate;

typedef struct {
	hd_reloader *r;
	GArray *candidates; /* of candidate */
	GArray *leads;	    /* of hd_lead, one for each, while it is looked for what leads there */
} purge;

static candidate *
candidate_at(const purge *p, guint index)
{
	return &g_array_index(p->candidates, candidate, index);
}

/* ---- what may go ---- */

/* What a new object is compared with after every undo that is possible. */
static const hd_revision *
last_compared(const hd_copy *copy)
{
	const hd_revision *last = NULL;
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		if (!revision->instant && hd_module_ends_undo(copy->module, revision->version))
			last = revision;
	}
	return last;
}

static bool
is_promoted(const hd_copy *copy, guint index)
{
	const hd_revision *revision = g_ptr_array_index(copy->revisions, index);
	const hd_revision *next =
		index + 1 < copy->revisions->len ? g_ptr_array_index(copy->revisions, index + 1) : NULL;
	return revision->instant && next && next->version == revision->version;
}

static void
add_candidates(purge *p, hd_copy *copy)
{
	const hd_revision *base = last_compared(copy);
	for (guint i = 0; copy->bindings && i < copy->revisions->len; i++) {
		hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		bool over = revision->version <= copy->module->floor || is_promoted(copy, i);
		if (!revision->linked || revision == base || !over)
			continue;
		candidate c = {copy, revision, hd_linked_own_code(revision->linked)};
		if (!hd_bindings_need_code(copy->bindings, c.lead.start, c.lead.end, copy->module->floor))
			g_array_append_val(p->candidates, c);
	}
}

static void
for_each_copy(hd_reloader *r, void (*each)(purge *p, hd_copy *copy), purge *p)
{
	for (guint m = 0; m < r->model->modules->len; m++) {
		hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len; c++)
			each(p, g_ptr_array_index(module->copies, c));
	}
}

/* ---- what leads there ---- */

static void
begin_look(purge *p)
{
	p->leads = g_array_new(FALSE, FALSE, sizeof(hd_lead));
	for (guint i = 0; i < p->candidates->len; i++)
		g_array_append_val(p->leads, candidate_at(p, i)->lead);
}

static void
say_why_kept(const candidate *c, const hd_lead *lead)
{
	hd_version_view *version = hd_module_version(c->copy->module, c->revision->version);
	if (!version)
		return;
	g_free(version->kept);
	version->kept = !lead->pid ? g_strdup("code that runs refers to it")
			: lead->at ? g_strdup_printf("process %d has its address at 0x%" G_GINT64_MODIFIER
						     "x: a stack, a jump buffer or a label that was stored",
						     (int)lead->pid, lead->at)
				   : g_strdup_printf("a thread of process %d is in it", (int)lead->pid);
}

/* Whatever is led to stays. Returns whether anything was. */
static bool
end_look(purge *p)
{
	bool any = false;
	for (guint i = p->candidates->len; i > 0; i--) {
		const hd_lead *lead = &g_array_index(p->leads, hd_lead, i - 1);
		if (!lead->found)
			continue;
		say_why_kept(candidate_at(p, i - 1), lead);
		g_array_remove_index(p->candidates, i - 1);
		any = true;
	}
	g_clear_pointer(&p->leads, g_array_unref);
	return any;
}

static bool
is_candidate(const purge *p, const hd_revision *revision)
{
	for (guint i = 0; i < p->candidates->len; i++)
		if (candidate_at(p, i)->revision == revision)
			return true;
	return false;
}

static void
look_at_code(purge *p, hd_copy *copy)
{
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		if (revision->linked && !is_candidate(p, revision))
			hd_linked_mark_leads(revision->linked, p->leads);
	}
}

/* Code that stays must not lead into code that goes; what stays for it may itself lead further. */
static void
keep_what_code_leads_to(purge *p)
{
	do {
		begin_look(p);
		for_each_copy(p->r, look_at_code, p);
	} while (end_look(p));
}

/* false: it could not be looked at. */
static bool
keep_what_the_program_leads_to(purge *p, GError **error)
{
	gint64 pause_ns;
	begin_look(p);
	bool looked = hd_target_look_for_leads(p->r->target, p->leads, &pause_ns, error);
	if (end_look(p))
		keep_what_code_leads_to(p);
	return looked;
}

/* ---- the end of a version ---- */

static bool
hide_from_gdb(purge *p, GError **error)
{
	hd_commit *commit = hd_commit_new();
	for (guint i = 0; i < p->candidates->len; i++)
		if (candidate_at(p, i)->revision->jit)
			hd_target_jit_remove(p->r->target, commit, candidate_at(p, i)->revision->jit);
	hd_commit_result result = {0};
	bool done = hd_commit_size(commit) == 0 ||
		    hd_target_commit(p->r->target, commit, COMMIT_DEADLINE_MS, &result, error);
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	return done;
}

static void
forget_text(const hd_reloader *r, const hd_module *module, int version)
{
	char *path = hd_reloader_version_path(r, module, version);
	unlink(path);
	char *folder = g_path_get_dirname(path);
	while (g_str_has_prefix(folder, r->options.scratch) && rmdir(folder) == 0) {
		char *parent = g_path_get_dirname(folder);
		g_free(folder);
		folder = parent;
	}
	g_free(folder);
	g_free(path);
}

static void
give_back(purge *p, const candidate *c)
{
	hd_reloader *r = p->r;
	hd_event *event = hd_event_new(HD_EVENT_PURGED);
	event->module = g_strdup(c->copy->module->name);
	event->version = c->revision->version;
	event->bytes = c->lead.end - c->lead.start;
	hd_target_remove_code(r->target, hd_linked_artefact(c->revision->linked));
	if (c->revision->jit_image)
		hd_target_arena_free(r->target, c->revision->jit_image);
	hd_linked_give_back(c->revision->linked);
	g_ptr_array_remove(c->copy->revisions, c->revision);
	/* libtcc's build of a version may go, and the other stay. */
	if (hd_copy_has_version(c->copy, event->version)) {
		hd_event_unref(event);
		return;
	}
	forget_text(r, c->copy->module, event->version);
	hd_module_forget_versions(c->copy->module);
	hd_reloader_emit(r, event);
}

static void
forget_data(purge *p, hd_copy *copy)
{
	(void)p;
	if (copy->bindings)
		hd_bindings_forget_data(copy->bindings, copy->module->floor);
}

/* ---- the whole ---- */

static purge
purge_begin(hd_reloader *r, const hd_module *only)
{
	purge p = {.r = r, .candidates = g_array_new(FALSE, FALSE, sizeof(candidate))};
	hd_model_set_floors(r->model, r->options.keep);
	for_each_copy(r, add_candidates, &p);
	for (guint i = p.candidates->len; only && i > 0; i--)
		if (candidate_at(&p, i - 1)->copy->module != only)
			g_array_remove_index(p.candidates, i - 1);
	return p;
}

/* false: the program could not be looked at; everything stays. */
static bool
purge_run(purge *p, GError **error)
{
	keep_what_code_leads_to(p);
	if (!keep_what_the_program_leads_to(p, error) || !hide_from_gdb(p, error))
		return false;
	for (guint i = 0; i < p->candidates->len; i++)
		give_back(p, candidate_at(p, i));
	for_each_copy(p->r, forget_data, p);
	malloc_trim(0); /* objects and types of what is gone lie between what stays */
	return true;
}

static gsize
code_size(const purge *p)
{
	gsize bytes = 0;
	for (guint i = 0; i < p->candidates->len; i++)
		bytes += candidate_at(p, i)->lead.end - candidate_at(p, i)->lead.start;
	return bytes;
}

static bool
is_worth_it(const purge *p)
{
	return p->candidates->len >= p->r->purge_left + WORTH_COUNT ||
	       code_size(p) >= p->r->purge_left_bytes + WORTH_BYTES;
}

/* What stayed is no reason for another look. */
static void
note_left(hd_reloader *r)
{
	purge p = purge_begin(r, NULL);
	r->purge_left = p.candidates->len;
	r->purge_left_bytes = code_size(&p);
	g_array_unref(p.candidates);
}

static gboolean
purge_soon(gpointer data)
{
	hd_reloader *r = data;
	r->purge_source = 0;
	if (r->model->state != HD_PROGRAM_RUNNING)
		return G_SOURCE_REMOVE;
	purge p = purge_begin(r, NULL);
	bool worth = is_worth_it(&p);
	if (worth)
		purge_run(&p, NULL);
	g_array_unref(p.candidates);
	if (worth)
		note_left(r);
	return G_SOURCE_REMOVE;
}

void
hd_purge_soon(hd_reloader *r)
{
	if (!r->purge_source)
		r->purge_source = g_timeout_add(SOON_MS, purge_soon, r);
}

void
hd_purge_cancel(hd_reloader *r)
{
	g_clear_handle_id(&r->purge_source, g_source_remove);
}

bool
hd_reloader_purge(hd_reloader *r, const char *name, GError **error)
{
	hd_module *module = name ? hd_model_named(r->model, name) : NULL;
	if (name && !module) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "%s is no module of the program", name);
		return false;
	}
	if (!r->target || r->model->state != HD_PROGRAM_RUNNING) {
		g_set_error(error, HD_ERROR, HD_ERROR_GONE, "the program does not run");
		return false;
	}
	purge p = purge_begin(r, module);
	bool done = purge_run(&p, error);
	g_array_unref(p.candidates);
	note_left(r);
	return done;
}
