/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a link, and what becomes of it. */
#include "config.h"

#include "reloader/link/linked.h"

#include "reloader/link/artefact.h"

static void
data_write_clear(hd_data_write *write)
{
	g_free(write->key);
	g_bytes_unref(write->bytes);
	g_clear_pointer(&write->before, g_bytes_unref);
}

static void
reshape_clear(hd_linked_reshape *reshape)
{
	g_free(reshape->key);
	g_clear_pointer(&reshape->basis, g_bytes_unref);
	g_clear_pointer(&reshape->initial, g_bytes_unref);
	g_hash_table_unref(reshape->kept);
	g_hash_table_unref(reshape->taken);
}

const hd_atom *
hd_link_atom(const hd_linked *l, guint index)
{
	return hd_object_atom(l->object, index);
}

bool
hd_link_is_redirectable(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_CODE && atom->name && !hd_plan_is_private(atom);
}

guint
hd_link_target(const hd_linked *l, const hd_reloc *reloc)
{
	return reloc->atom != HD_NONE ? reloc->atom : l->n_atoms + reloc->external;
}

const char *
hd_link_target_name(const hd_linked *l, guint target)
{
	if (target >= l->n_atoms)
		return hd_object_external(l->object, target - l->n_atoms)->name;
	const char *name = hd_link_atom(l, target)->name;
	return name ? name : "an anonymous constant";
}

hd_reference
hd_link_reference(const hd_atom *atom, const hd_reloc *reloc)
{
	return hd_arch_reference(reloc->type, atom->kind == HD_ATOM_CODE ? atom->bytes : NULL, atom->size,
				 reloc->offset);
}

/* The line of an atom's byte; of data, which has none, where the variable is declared. Where the reference is in
 * something without a name (a string's neighbour, a table of a switch), the source alone. */
static hd_position
position_of(const hd_linked *l, const hd_atom *atom, guint64 offset)
{
	hd_position where = {0};
	if (!l->r.unit || hd_unit_line(l->r.unit, atom->section, atom->section_offset + offset, &where))
		return where;
	hd_position_clear(&where);
	const hd_unit_variable *variable = hd_unit_variable_at(l->r.unit, atom->section, atom->section_offset + offset);
	const hd_unit_function *function = atom->name ? hd_unit_function_named(l->r.unit, atom->name) : NULL;
	if (variable)
		return hd_position_copy(&variable->where);
	return function ? hd_position_copy(&function->where) : (hd_position){0};
}

hd_refusal *
hd_link_refuse(const hd_linked *l, hd_refusal_code code, guint atom, guint64 offset, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *reason = g_strdup_vprintf(format, ap);
	va_end(ap);
	hd_position where = {0};
	if (atom < l->n_atoms)
		where = position_of(l, hd_link_atom(l, atom), offset);
	hd_refusal *refusal = hd_refusal_new(code, &where, "%s", reason);
	hd_position_clear(&where);
	g_free(reason);
	return refusal;
}

bool
hd_link_is_datum(const hd_atom *atom)
{
	return atom->name && atom->kind != HD_ATOM_CODE && atom->kind != HD_ATOM_STRING;
}

bool
hd_link_is_tls(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_TLS || atom->kind == HD_ATOM_TLS_ZERO;
}

guint8 *
hd_link_view(const hd_linked *l, guint64 address)
{
	const hd_room *room = address - l->lasting.start < l->lasting.size ? &l->lasting : &l->code;
	return room->view + (address - room->start);
}

static void
unlink_bodies(hd_linked *l)
{
	for (guint i = 0; i < l->staged->len; i++) {
		hd_function *function = g_ptr_array_index(l->staged, i);
		g_array_set_size(function->bodies, function->bodies->len - 1);
	}
	g_ptr_array_set_size(l->staged, 0);
	for (guint i = 0; i < l->brought->len; i++)
		g_hash_table_remove(l->r.bindings->functions, g_ptr_array_index(l->brought, i));
	g_ptr_array_set_size(l->brought, 0);
}

static hd_linked *
linked_new(const hd_link_request *request)
{
	hd_linked *l = g_new0(hd_linked, 1);
	l->r = *request;
	l->object = hd_object_ref(hd_diff_now(request->diff));
	l->n_atoms = hd_object_n_atoms(l->object);
	l->n_targets = l->n_atoms + hd_object_n_externals(l->object);
	l->address = g_new0(guint64, l->n_targets + 1);
	l->got = g_new0(guint64, l->n_targets + 1);
	l->stub = g_new0(guint64, l->n_targets + 1);
	l->permanent = g_new0(guint64, l->n_targets + 1);
	l->writes = g_array_new(FALSE, TRUE, sizeof(hd_data_write));
	g_array_set_clear_func(l->writes, (GDestroyNotify)data_write_clear);
	if (l->r.reshapes)
		g_hash_table_ref(l->r.reshapes);
	l->reshapes = g_array_new(FALSE, TRUE, sizeof(hd_linked_reshape));
	g_array_set_clear_func(l->reshapes, (GDestroyNotify)reshape_clear);
	l->kept = g_ptr_array_new_with_free_func(g_free);
	l->staged = g_ptr_array_new();
	l->brought = g_ptr_array_new_with_free_func(g_free);
	l->keeper_code = g_array_new(FALSE, FALSE, sizeof(hd_range));
	l->placed = g_array_new(FALSE, FALSE, sizeof(hd_placed_code));
	l->targets = g_hash_table_new(NULL, NULL);
	l->fresh_atom = g_new0(bool, l->n_atoms + 1);
	l->announced = g_ptr_array_new_with_free_func(g_free);
	l->code.size = l->lasting.size = HD_ROOM_NOTHING;
	return l;
}

static void
withdraw(hd_linked *l)
{
	for (guint i = 0; i < l->announced->len; i++)
		g_hash_table_remove(l->r.home->added, g_ptr_array_index(l->announced, i));
	g_ptr_array_set_size(l->announced, 0);
}

void
hd_linked_free(hd_linked *l, bool discard)
{
	if (!l)
		return;
	if (discard) {
		unlink_bodies(l);
		withdraw(l);
	}
	if (discard && l->code.start)
		hd_target_arena_free(l->r.target, l->code.start);
	if (discard && l->lasting.start)
		hd_target_arena_free(l->r.target, l->lasting.start);
	if (discard && l->fresh)
		hd_target_arena_free(l->r.target, l->fresh);
	hd_object_unref(l->object);
	g_free(l->address);
	g_free(l->got);
	g_free(l->stub);
	g_free(l->permanent);
	g_array_unref(l->writes);
	g_array_unref(l->reshapes);
	g_clear_pointer(&l->r.reshapes, g_hash_table_unref);
	g_ptr_array_unref(l->kept);
	g_free(l->fresh_atom);
	g_ptr_array_unref(l->announced);
	g_ptr_array_unref(l->staged);
	g_ptr_array_unref(l->brought);
	g_array_unref(l->placed);
	g_hash_table_unref(l->targets);
	g_array_unref(l->keeper_code);
	g_clear_pointer(&l->artefact, g_bytes_unref);
	g_free(l);
}

/* New globals can be referred to by the other modules of the transaction from here. */
static void
announce(hd_linked *l)
{
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		guint64 address = l->permanent[i] ? l->permanent[i] : l->fresh_atom[i] ? l->address[i] : 0;
		if (!atom->name || atom->binding == HD_BIND_LOCAL || !address)
			continue;
		hd_scope_add(l->r.home, atom->name, address);
		g_ptr_array_add(l->announced, g_strdup(atom->name));
	}
}

hd_linked *
hd_link_place(const hd_link_request *request, hd_refusal **refusal)
{
	hd_linked *l = linked_new(request);
	l->fresh_size = 8; /* offset 0 says "none" */
	*refusal = hd_link_bind_data(l);
	if (l->fresh_size == 8)
		l->fresh_size = 0;
	if (!*refusal) {
		hd_link_lay_out(l);
		*refusal = hd_link_reserve(l);
	}
	if (*refusal) {
		hd_linked_free(l, true);
		return NULL;
	}
	announce(l);
	return l;
}

hd_refusal *
hd_link_relocate(hd_linked *l)
{
	hd_refusal *refusal = hd_link_relocate_placed(l);
	if (!refusal)
		refusal = hd_link_prepare_data(l);
	if (!refusal)
		refusal = hd_link_prepare_entries(l);
	if (!refusal)
		l->artefact = hd_artefact_new(l->object, l->address, l->code.start + l->eh_frame, l->keeper_code);
	return refusal;
}

/* A table that is renewed must still be what the program started with, in every process. */
static void
require_untouched(hd_linked *l, guint index, hd_commit *commit)
{
	char *key = hd_plan_datum_key(l->object, index, l->r.unit);
	hd_datum *datum = hd_bindings_datum(l->r.bindings, key);
	GBytes *initial = datum ? hd_bind_initial(datum, l->r.scope, l->r.target, l->r.home) : NULL;
	if (initial && !(l->r.reshapes && g_hash_table_contains(l->r.reshapes, key)))
		hd_commit_write(commit, datum->address, initial, initial, HD_WRITE_REQUIRED);
	g_free(key);
}

/* As it is: so that the commit makes sure that every process sees it. */
static void
stage_room(const hd_room *room, hd_commit *commit)
{
	if (!room->size)
		return;
	GBytes *bytes = g_bytes_new(room->view, room->size);
	hd_commit_store(commit, room->view, bytes);
	g_bytes_unref(bytes);
}

void
hd_linked_stage(hd_linked *l, hd_commit *commit)
{
	for (guint i = 0; i < l->n_atoms; i++)
		if (l->r.plan->renew[i])
			require_untouched(l, i, commit);
	stage_room(&l->code, commit);
	stage_room(&l->lasting, commit);
	for (guint i = 0; i < l->writes->len; i++) {
		hd_data_write *write = &g_array_index(l->writes, hd_data_write, i);
		write->index = G_MAXUINT;
		if (write->view)
			hd_commit_store(commit, write->view, write->bytes);
		else
			write->index =
				hd_commit_write(commit, write->address, write->bytes,
						write->mode == HD_WRITE_ALWAYS ? NULL : write->before, write->mode);
	}
	for (guint i = 0; i < l->staged->len; i++)
		hd_function_redirect(g_ptr_array_index(l->staged, i), commit);
}

/* The body that the staged one takes over from; NULL: the function is new. */
static const hd_body *
superseded_body(const hd_function *function)
{
	return function->bodies->len > 1 ? &g_array_index(function->bodies, hd_body, function->bodies->len - 2) : NULL;
}

guint
hd_linked_switches(const hd_linked *l)
{
	guint count = 0;
	for (guint i = 0; i < l->staged->len; i++) {
		const hd_function *function = g_ptr_array_index(l->staged, i);
		count += superseded_body(function) &&
			 !g_array_index(function->bodies, hd_body, function->bodies->len - 1).says_the_same;
	}
	return count;
}

void
hd_linked_await(const hd_linked *l, hd_commit *commit)
{
	for (guint i = 0; i < l->staged->len; i++) {
		const hd_function *function = g_ptr_array_index(l->staged, i);
		const hd_body *body = superseded_body(function);
		if (body && !g_array_index(function->bodies, hd_body, function->bodies->len - 1).says_the_same)
			hd_commit_exclude(commit, body->start, body->end, true);
	}
}

static void
settle_write(hd_linked *l, hd_data_write *write, const GArray *skipped, GPtrArray *kept)
{
	guint missed = write->index < skipped->len ? g_array_index(skipped, guint, write->index) : 0;
	write->done = missed == 0;
	hd_datum *datum = hd_bindings_datum(l->r.bindings, write->key);
	if (missed)
		g_ptr_array_add(kept, g_strdup(write->key));
	else if (datum) {
		g_clear_pointer(&datum->initial, g_bytes_unref);
		datum->initial = g_bytes_ref(write->bytes);
	}
}

/* New variables and functions are there for every later version, and for other modules. */
static void
publish(hd_linked *l)
{
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (atom->name && atom->binding != HD_BIND_LOCAL && l->permanent[i])
			hd_scope_add(l->r.home, atom->name, l->permanent[i]);
		bool constant =
			atom->kind == HD_ATOM_CONST && l->r.plan->place[i] && !hd_plan_is_label_table(l->object, i);
		bool datum = hd_link_is_datum(atom) && !hd_link_is_tls(atom) && l->address[i] &&
			     (constant || !l->r.plan->place[i]);
		if (!datum)
			continue;
		char *key = hd_plan_datum_key(l->object, i, l->r.unit);
		hd_datum *known = hd_bindings_datum(l->r.bindings, key);
		if (!known || constant || l->r.plan->renew[i]) {
			GBytes *initial = constant ? g_bytes_new(hd_link_view(l, l->address[i]), atom->size) : NULL;
			known = hd_bindings_add_datum(l->r.bindings, key, l->address[i], atom->size, false, initial);
			known->version = l->r.version;
			known->view = constant ? hd_link_view(l, l->address[i]) : NULL;
			g_clear_pointer(&initial, g_bytes_unref);
			if (atom->binding != HD_BIND_LOCAL)
				hd_scope_add(l->r.home, atom->name, l->address[i]);
		}
		g_free(key);
	}
}

/* What the datum held at first, in the shape that it has now. */
static void
settle_reshapes(const hd_linked *l, bool again)
{
	for (guint i = 0; i < l->reshapes->len; i++) {
		hd_linked_reshape *reshape = &g_array_index(l->reshapes, hd_linked_reshape, i);
		hd_datum *datum = hd_bindings_datum(l->r.bindings, reshape->key);
		GHashTable *kept = reshape->kept;
		reshape->kept = reshape->taken;
		reshape->taken = kept;
		g_hash_table_remove_all(kept);
		GBytes *initial = again ? reshape->basis : reshape->initial;
		if (!datum)
			continue;
		g_clear_pointer(&datum->initial, g_bytes_unref);
		datum->initial = initial ? g_bytes_ref(initial) : NULL;
	}
}

GArray *
hd_linked_reshapes(const hd_linked *l)
{
	return l->reshapes;
}

void
hd_linked_settle(hd_linked *l, const GArray *skipped, GPtrArray *kept)
{
	publish(l);
	settle_reshapes(l, true);
	for (guint i = 0; i < l->writes->len; i++)
		settle_write(l, &g_array_index(l->writes, hd_data_write, i), skipped, kept);
	for (guint i = 0; i < l->kept->len; i++)
		g_ptr_array_add(kept, g_strdup(g_ptr_array_index(l->kept, i)));
	for (guint i = 0; i < l->staged->len; i++)
		hd_function_redirected(g_ptr_array_index(l->staged, i));
}

void
hd_linked_revert_data(const hd_linked *l, hd_commit *commit, bool again)
{
	for (guint i = 0; i < l->writes->len; i++) {
		const hd_data_write *write = &g_array_index(l->writes, hd_data_write, i);
		if (!write->done || !write->before)
			continue;
		GBytes *want = again ? write->bytes : write->before, *expect = again ? write->before : write->bytes;
		if (write->view)
			hd_commit_store(commit, write->view, want);
		else
			hd_commit_write(commit, write->address, want, expect, HD_WRITE_UNTOUCHED);
	}
}

/* Code that is built from now on must find globals where they are. */
static void
find_again(const hd_linked *l, const hd_linked_reshape *reshape, guint64 address)
{
	const hd_image_symbol *symbol = hd_image_global(l->r.home->image, reshape->key);
	if (reshape->from != reshape->to && (symbol || g_hash_table_contains(l->r.home->added, reshape->key)))
		hd_scope_add(l->r.home, reshape->key, address);
}

void
hd_linked_reverted(hd_linked *l, bool again)
{
	for (guint i = 0; i < l->reshapes->len; i++) {
		const hd_linked_reshape *reshape = &g_array_index(l->reshapes, hd_linked_reshape, i);
		find_again(l, reshape, again ? reshape->to : reshape->from);
	}
	settle_reshapes(l, again);
	for (guint i = 0; i < l->writes->len; i++) {
		const hd_data_write *write = &g_array_index(l->writes, hd_data_write, i);
		hd_datum *datum = hd_bindings_datum(l->r.bindings, write->key);
		if (!write->done || !write->before || !datum || datum->address != write->address)
			continue;
		g_clear_pointer(&datum->initial, g_bytes_unref);
		datum->initial = g_bytes_ref(again ? write->bytes : write->before);
	}
}

hd_lead
hd_linked_own_code(const hd_linked *l)
{
	return (hd_lead){.start = l->code.start, .end = l->code.start + l->code.size};
}

void
hd_linked_mark_leads(const hd_linked *l, GArray *leads)
{
	GHashTableIter iter;
	gpointer target;
	g_hash_table_iter_init(&iter, l->targets);
	while (g_hash_table_iter_next(&iter, &target, NULL)) {
		guint64 address = GPOINTER_TO_SIZE(target);
		for (guint i = 0; i < leads->len; i++) {
			hd_lead *lead = &g_array_index(leads, hd_lead, i);
			lead->found |= address >= lead->start && address < lead->end;
		}
	}
}

void
hd_linked_give_back(hd_linked *l)
{
	if (!l->code.start)
		return;
	hd_bindings_forget_code(l->r.bindings, l->code.start, l->code.start + l->code.size);
	hd_target_arena_free(l->r.target, l->code.start);
	l->code = (hd_room){0};
	g_array_set_size(l->placed, 0);
}

gsize
hd_linked_size(const hd_linked *l)
{
	return l->code.size + l->lasting.size + l->fresh_size;
}

GBytes *
hd_linked_artefact(const hd_linked *l)
{
	return l->artefact;
}

const GArray *
hd_linked_code(const hd_linked *l)
{
	return l->placed;
}
