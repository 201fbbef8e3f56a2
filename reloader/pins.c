/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is in old code. A thread is pinned while one of its frames is in a body
 * of a function that is no longer the one in force. Nothing is sampled while
 * nothing is pinned. */
#include "config.h"

#include "reloader/private.h"

#include <string.h>

#define SAMPLE_MS 250

typedef struct {
	pid_t pid, tid;
	char *thread;
	hd_place *place;  /* the innermost frame in old code */
	GPtrArray *stack; /* of hd_place *, innermost first */
	gint64 since_us;
	bool complete; /* the stack was unwound to its end */
} pin;

struct hd_pins {
	hd_reloader *reloader;
	GHashTable *pinned;    /* tid -> pin * */
	GHashTable *unknown;   /* set of tid: stacks that could not be unwound at the last look */
	GHashTable *alive;     /* pid -> ppid, as last said */
	GHashTable *strangers; /* set of pid: have called exec, and were told of */
	guint source;
};

static void
pin_free(pin *p)
{
	g_free(p->thread);
	hd_place_free(p->place);
	g_ptr_array_unref(p->stack);
	g_free(p);
}

hd_pins *
hd_pins_new(hd_reloader *r)
{
	hd_pins *pins = g_new0(hd_pins, 1);
	pins->reloader = r;
	pins->pinned = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)pin_free);
	pins->unknown = g_hash_table_new(NULL, NULL);
	pins->alive = g_hash_table_new(NULL, NULL);
	pins->strangers = g_hash_table_new(NULL, NULL);
	return pins;
}

void
hd_pins_free(hd_pins *pins)
{
	if (!pins)
		return;
	g_clear_handle_id(&pins->source, g_source_remove);
	g_hash_table_unref(pins->pinned);
	g_hash_table_unref(pins->unknown);
	g_hash_table_unref(pins->alive);
	g_hash_table_unref(pins->strangers);
	g_free(pins);
}

/* ---- from addresses to places ---- */

/* Where a program counter is, in the terms of modules. */
typedef struct {
	hd_place *place;
	bool old;
} attribution;

static void
set_line(const hd_reloader *r, hd_place *place, const hd_unit *unit, guint section, guint64 address)
{
	hd_position where = {0};
	if (!unit || !hd_unit_line(unit, section, address, &where))
		return;
	hd_reloader_real_position(r, &where);
	place->file = g_steal_pointer(&where.file);
	place->line = where.line;
	hd_position_clear(&where);
}

static bool
is_superseded(const hd_copy *copy, const char *name, int version)
{
	const hd_function *function = hd_bindings_function(copy->bindings, name);
	return function && hd_function_is_superseded(function, version);
}

static bool
attribute_placed(const hd_reloader *r, const hd_copy *copy, guint64 pc, attribution *out)
{
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		const GArray *code = revision->linked ? hd_linked_code(revision->linked) : NULL;
		for (guint c = 0; code && c < code->len; c++) {
			const hd_placed_code *placed = &g_array_index(code, hd_placed_code, c);
			if (pc < placed->start || pc >= placed->end)
				continue;
			const hd_atom *atom = hd_object_atom(revision->object, placed->atom);
			out->place->function = hd_atom_source_name(atom);
			out->place->module = g_strdup(copy->module->name);
			out->place->version = revision->version;
			out->old = out->place->function && is_superseded(copy, out->place->function, revision->version);
			set_line(r, out->place, revision->unit, atom->section,
				 atom->section_offset + (pc - placed->start));
			return true;
		}
	}
	return false;
}

/* "f.cold.1" and "f.constprop.0" are f. */
static char *
without_suffix(const char *symbol)
{
	const char *dot = strchr(symbol, '.');
	return dot && dot > symbol ? g_strndup(symbol, (gsize)(dot - symbol)) : g_strdup(symbol);
}

static bool
attribute_original(const hd_reloader *r, const hd_copy *copy, guint64 pc, attribution *out)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, copy->bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const hd_function *function = value;
		const hd_body *body = hd_function_body_at(function, pc);
		if (!body || body->version != 0)
			continue;
		out->place->function = without_suffix(function->name);
		out->place->module = g_strdup(copy->module->name);
		out->place->version = 0;
		out->old = is_superseded(copy, out->place->function, 0);
		if (copy->unit)
			set_line(r, out->place, hd_image_unit_details(copy->home->image, copy->unit, NULL), 0,
				 pc - copy->home->bias);
		return true;
	}
	return false;
}

/* Code of no edited module: its symbol is enough. */
static void
attribute_elsewhere(const hd_reloader *r, guint64 pc, hd_place *place)
{
	const GPtrArray *loaded = hd_scope_loaded(r->scope);
	for (guint i = 0; i < loaded->len; i++) {
		const hd_loaded *home = g_ptr_array_index(loaded, i);
		if (!home->image || home->gone || pc < home->object.low || pc >= home->object.high)
			continue;
		const hd_image_symbol *symbol = hd_image_symbol_at(home->image, pc - home->bias);
		if (symbol)
			place->function = without_suffix(symbol->name);
		return;
	}
}

static attribution
attribute(const hd_reloader *r, guint64 pc)
{
	attribution a = {hd_place_new(), false};
	a.place->pc = pc;
	const GPtrArray *modules = r->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		const hd_module *module = g_ptr_array_index(modules, m);
		for (guint c = 0; c < module->copies->len; c++) {
			const hd_copy *copy = g_ptr_array_index(module->copies, c);
			if (copy->bindings &&
			    (attribute_placed(r, copy, pc, &a) || attribute_original(r, copy, pc, &a)))
				return a;
		}
	}
	attribute_elsewhere(r, pc, a.place);
	return a;
}

/* ---- pins ---- */

/* NULL: no frame of the thread is in old code. */
static pin *
look_at(hd_pins *pins, const hd_sample *sample)
{
	hd_reloader *r = pins->reloader;
	bool complete;
	GArray *frames = hd_target_unwind(r->target, sample, &complete);
	pin *p = g_new0(pin, 1);
	p->pid = hd_sample_pid(sample);
	p->tid = hd_sample_tid(sample);
	p->thread = g_strdup(hd_sample_name(sample));
	p->stack = g_ptr_array_new_with_free_func((GDestroyNotify)hd_place_free);
	p->since_us = g_get_real_time();
	p->complete = complete;
	for (guint i = 0; frames && i < frames->len; i++) {
		attribution a = attribute(r, g_array_index(frames, hd_frame, i).pc);
		if (a.old && !p->place)
			p->place = hd_place_copy(a.place);
		g_ptr_array_add(p->stack, a.place);
	}
	g_clear_pointer(&frames, g_array_unref);
	if (complete)
		g_hash_table_remove(pins->unknown, GINT_TO_POINTER(p->tid));
	else
		g_hash_table_add(pins->unknown, GINT_TO_POINTER(p->tid));
	if (!p->place)
		g_clear_pointer(&p, pin_free);
	return p;
}

static void
emit_pin(hd_pins *pins, hd_event_kind kind, const pin *p)
{
	hd_event *event = hd_event_new(kind);
	event->at = g_new0(hd_thread_place, 1);
	event->at->pid = p->pid;
	event->at->tid = p->tid;
	event->at->thread = g_strdup(p->thread);
	event->at->place = hd_place_copy(p->place);
	hd_reloader_emit(pins->reloader, event);
}

static bool
same_pin(const pin *a, const pin *b)
{
	return a->place->version == b->place->version && g_strcmp0(a->place->function, b->place->function) == 0 &&
	       g_strcmp0(a->place->module, b->place->module) == 0;
}

static void
release(hd_pins *pins, pin *p)
{
	g_hash_table_steal(pins->pinned, GINT_TO_POINTER(p->tid));
	emit_pin(pins, HD_EVENT_RELEASED, p);
	pin_free(p);
}

static void
take_sample(hd_pins *pins, const hd_sample *sample)
{
	pin *now = look_at(pins, sample);
	pin *was = g_hash_table_lookup(pins->pinned, GINT_TO_POINTER(hd_sample_tid(sample)));
	if (now && was && same_pin(now, was)) {
		now->since_us = was->since_us;
		g_hash_table_insert(pins->pinned, GINT_TO_POINTER(now->tid), now);
		return;
	}
	if (was)
		release(pins, was);
	if (now) {
		g_hash_table_insert(pins->pinned, GINT_TO_POINTER(now->tid), now);
		emit_pin(pins, HD_EVENT_PINNED, now);
	}
}

static void
count_pins(hd_pins *pins)
{
	const GPtrArray *modules = pins->reloader->model->modules;
	for (guint m = 0; m < modules->len; m++) {
		hd_module *module = g_ptr_array_index(modules, m);
		module->view.pins = 0;
		GHashTableIter iter;
		gpointer value;
		g_hash_table_iter_init(&iter, pins->pinned);
		while (g_hash_table_iter_next(&iter, NULL, &value))
			module->view.pins += g_strcmp0(((pin *)value)->place->module, module->name) == 0;
	}
}

/* Threads that have ended are in nothing any more. */
static void
release_ended(hd_pins *pins, const GPtrArray *samples)
{
	GList *tids = g_hash_table_get_keys(pins->pinned);
	for (GList *tid = tids; tid; tid = tid->next) {
		bool alive = false;
		for (guint i = 0; i < samples->len; i++)
			alive |= hd_sample_tid(g_ptr_array_index(samples, i)) == GPOINTER_TO_INT(tid->data);
		if (!alive)
			release(pins, g_hash_table_lookup(pins->pinned, tid->data));
	}
	g_list_free(tids);
}

static gboolean
sample_again(gpointer data)
{
	hd_pins *pins = data;
	if (!pins->reloader->target || g_hash_table_size(pins->pinned) == 0) {
		pins->source = 0;
		return G_SOURCE_REMOVE;
	}
	GArray *tids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	GHashTableIter iter;
	gpointer tid;
	g_hash_table_iter_init(&iter, pins->pinned);
	while (g_hash_table_iter_next(&iter, &tid, NULL))
		g_array_append_val(tids, ((pid_t){GPOINTER_TO_INT(tid)}));
	GPtrArray *samples = hd_target_sample(pins->reloader->target, tids, NULL);
	g_array_unref(tids);
	if (samples) {
		release_ended(pins, samples);
		for (guint i = 0; i < samples->len; i++)
			take_sample(pins, g_ptr_array_index(samples, i));
		g_ptr_array_unref(samples);
		count_pins(pins);
		hd_pins_refresh(pins); /* who asks after the event is told the same */
	}
	return G_SOURCE_CONTINUE;
}

static void
take_samples(hd_pins *pins, const GPtrArray *samples)
{
	for (guint i = 0; i < samples->len; i++)
		take_sample(pins, g_ptr_array_index(samples, i));
	count_pins(pins);
	if (!pins->source && g_hash_table_size(pins->pinned))
		pins->source = g_timeout_add(SAMPLE_MS, sample_again, pins);
}

void
hd_pins_take(hd_pins *pins, const GPtrArray *samples)
{
	release_ended(pins, samples);
	take_samples(pins, samples);
	hd_pins_refresh(pins);
}

void
hd_pins_adopted(hd_pins *pins, const GPtrArray *samples)
{
	take_samples(pins, samples);
}

/* ---- who is in the way ---- */

static hd_thread_place *
blocker(hd_pins *pins, const hd_commit *commit, const hd_sample *sample)
{
	bool complete;
	GArray *frames = hd_target_unwind(pins->reloader->target, sample, &complete);
	hd_thread_place *at = NULL;
	for (guint i = 0; i < frames->len && !at; i++) {
		guint64 pc = g_array_index(frames, hd_frame, i).pc;
		if (!hd_commit_excludes_frame(commit, pc + (i > 0)))
			continue;
		at = g_new0(hd_thread_place, 1);
		at->pid = hd_sample_pid(sample);
		at->tid = hd_sample_tid(sample);
		at->thread = g_strdup(hd_sample_name(sample));
		at->place = attribute(pins->reloader, pc).place;
	}
	g_array_unref(frames);
	return at;
}

GPtrArray *
hd_pins_blockers(hd_pins *pins, const hd_commit *commit)
{
	GPtrArray *blockers = g_ptr_array_new_with_free_func((GDestroyNotify)hd_thread_place_free);
	GPtrArray *samples = hd_target_sample(pins->reloader->target, NULL, NULL);
	for (guint i = 0; samples && i < samples->len; i++) {
		hd_thread_place *at = blocker(pins, commit, g_ptr_array_index(samples, i));
		if (at)
			g_ptr_array_add(blockers, at);
	}
	g_clear_pointer(&samples, g_ptr_array_unref);
	return blockers;
}

/* ---- processes ---- */

static void
emit_process(hd_pins *pins, pid_t pid, pid_t ppid, const char *change, const char *program)
{
	hd_event *event = hd_event_new(HD_EVENT_PROCESS);
	event->pid = pid;
	event->ppid = ppid;
	event->change = g_strdup(change);
	event->program = g_strdup(program);
	event->status = -1;
	hd_reloader_emit(pins->reloader, event);
}

/* Of those that were in the list, and of children of those that are. */
static void
tell_of_strangers(hd_pins *pins, GHashTable *before)
{
	GArray *strangers = hd_target_strangers(pins->reloader->target);
	GHashTable *told = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < strangers->len; i++) {
		const hd_target_stranger *s = &g_array_index(strangers, hd_target_stranger, i);
		gpointer pid = GINT_TO_POINTER(s->pid);
		bool known = g_hash_table_contains(pins->strangers, pid);
		if (!known && !g_hash_table_contains(before, pid) &&
		    !g_hash_table_contains(pins->alive, GINT_TO_POINTER(s->ppid)))
			continue;
		if (!known)
			emit_process(pins, s->pid, s->ppid, "exec", s->runs);
		g_hash_table_add(told, pid);
	}
	g_array_unref(strangers);
	g_hash_table_unref(pins->strangers);
	pins->strangers = told;
}

static hd_thread_view *
thread_view(hd_pins *pins, const hd_target_thread *thread)
{
	hd_thread_view *view = g_new0(hd_thread_view, 1);
	gpointer tid = GINT_TO_POINTER(thread->tid);
	const pin *p = g_hash_table_lookup(pins->pinned, tid);
	view->tid = thread->tid;
	view->name = g_strdup(thread->name);
	view->code = g_strdup(p ? "old" : g_hash_table_contains(pins->unknown, tid) ? "unknown" : "new");
	if (p) {
		view->place = hd_place_copy(p->place);
		view->stack = g_ptr_array_ref(p->stack);
		view->since_us = p->since_us;
	}
	return view;
}

static hd_process_view *
process_view(hd_pins *pins, const hd_target_process *process)
{
	hd_process_view *view = g_new0(hd_process_view, 1);
	view->pid = process->pid;
	view->ppid = process->ppid;
	view->name = g_strdup(process->name);
	view->threads = g_ptr_array_new_with_free_func((GDestroyNotify)hd_thread_view_free);
	for (guint i = 0; i < process->threads->len; i++)
		g_ptr_array_add(view->threads,
				thread_view(pins, &g_array_index(process->threads, hd_target_thread, i)));
	return view;
}

void
hd_pins_refresh(hd_pins *pins)
{
	hd_reloader *r = pins->reloader;
	GPtrArray *processes = hd_target_processes(r->target);
	GHashTable *alive = g_hash_table_new(NULL, NULL);
	GPtrArray *views = g_ptr_array_new_with_free_func((GDestroyNotify)hd_process_view_free);
	for (guint i = 0; i < processes->len; i++) {
		const hd_target_process *process = g_ptr_array_index(processes, i);
		g_hash_table_insert(alive, GINT_TO_POINTER(process->pid), GINT_TO_POINTER(process->ppid));
		g_ptr_array_add(views, process_view(pins, process));
	}
	g_ptr_array_unref(r->model->processes);
	r->model->processes = views;

	GHashTable *before = pins->alive;
	pins->alive = alive;
	pid_t first = hd_target_pid(r->target);
	for (guint i = 0; i < processes->len; i++) {
		const hd_target_process *process = g_ptr_array_index(processes, i);
		if (!g_hash_table_contains(before, GINT_TO_POINTER(process->pid)))
			emit_process(pins, process->pid, process->ppid,
				     process->adopted	     ? "adopted"
				     : process->pid == first ? "started"
							     : "forked",
				     NULL);
	}
	tell_of_strangers(pins, before);
	GHashTableIter iter;
	gpointer pid, ppid;
	g_hash_table_iter_init(&iter, before);
	while (g_hash_table_iter_next(&iter, &pid, &ppid))
		/* The first process's end is told by whoever collects its status. */
		if (!g_hash_table_contains(alive, pid) && !g_hash_table_contains(pins->strangers, pid) &&
		    GPOINTER_TO_INT(pid) != first)
			emit_process(pins, GPOINTER_TO_INT(pid), GPOINTER_TO_INT(ppid), "ended", NULL);
	g_hash_table_unref(before);
	g_ptr_array_unref(processes);
}
