/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where what is placed goes: each body aligned with its slot before it, then
 * tables of labels, words, stubs and keepers; constants and permanent addresses into room of their own. */
#include "config.h"

#include "reloader/link/linked.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/link/artefact.h"

static gsize
take(hd_room *room, gsize size, gsize alignment)
{
	gsize at = (room->size + alignment - 1) / alignment * alignment;
	room->size = at + size;
	return at;
}

/* Placed, and not gone with the code: the program may have stored its address. */
static bool
outlives_code(const hd_linked *l, guint index)
{
	return hd_link_atom(l, index)->kind != HD_ATOM_CODE && !hd_plan_is_label_table(l->object, index);
}

static hd_room *
room_of(hd_linked *l, guint index)
{
	return outlives_code(l, index) ? &l->lasting : &l->code;
}

static void
lay_out_atoms(hd_linked *l)
{
	/* Code first, each body aligned with its slot before it. */
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (!l->r.plan->place[i] || atom->kind != HD_ATOM_CODE)
			continue;
		l->code.size += HD_ARCH_JUMP;
		l->address[i] = take(&l->code, MAX(atom->size, 1), MAX(atom->alignment, 16));
	}
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (l->r.plan->place[i] && atom->kind != HD_ATOM_CODE)
			l->address[i] = take(room_of(l, i), MAX(atom->size, 1), MAX(atom->alignment, 1));
	}
}

static void
survey_reloc(hd_linked *l, const hd_atom *atom, const hd_reloc *reloc)
{
	guint target = hd_link_target(l, reloc);
	switch (hd_link_reference(atom, reloc)) {
	case HD_REF_GOT:
	case HD_REF_TLS_GOT:
	case HD_REF_TLS_PAIR:
	case HD_REF_TLS_MODULE:
		if (!l->got[target])
			l->got[target] = take(&l->code, 16, 16);
		break;
	case HD_REF_CALL:
	case HD_REF_ADDRESS:
		if (target >= l->n_atoms && !l->stub[target])
			l->stub[target] = take(&l->code, HD_ARCH_STUB, 16);
		break;
	default:
		break;
	}
}

void
hd_link_lay_out(hd_linked *l)
{
	lay_out_atoms(l);
	guint keepers = 0;
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		bool written = hd_link_is_datum(atom) && hd_diff_fate(l->r.diff, i) != HD_ATOM_SAME;
		for (guint n = 0; (l->r.plan->place[i] || written) && n < atom->n_relocs; n++)
			survey_reloc(l, atom, &atom->relocs[n]);
		if (!l->r.plan->place[i] || !hd_link_is_redirectable(atom))
			continue;
		keepers++;
		if (!hd_bindings_function(l->r.bindings, atom->name))
			l->permanent[i] = take(&l->lasting, HD_ARCH_STUB, 16);
	}
	l->keepers = take(&l->code, l->r.spares_registers ? keepers * HD_KEEPER_ROOM : 0, 16);
	l->eh_frame = take(&l->code, hd_artefact_eh_frame_size(l->object), 16);
}

static bool
reserve_room(hd_linked *l, hd_room *room, guint alignment, GError **error)
{
	if (room->size <= HD_ROOM_NOTHING) {
		room->size = 0;
		return true;
	}
	return !hd_fault("link.code") && hd_target_arena(l->r.target, &l->r.home->object, HD_ARENA_CODE, room->size,
							 alignment, &room->start, &room->view, error);
}

static void
add_start(guint64 *offsets, guint count, guint64 start)
{
	for (guint i = 0; i < count; i++)
		if (offsets[i])
			offsets[i] += start;
}

hd_refusal *
hd_link_reserve(hd_linked *l)
{
	GError *error = NULL;
	hd_target_object *object = &l->r.home->object;
	if (!reserve_room(l, &l->code, 64, &error) || !reserve_room(l, &l->lasting, 16, &error))
		goto failed;
	if (l->fresh_size && (hd_fault("link.data") || !hd_target_arena(l->r.target, object, HD_ARENA_DATA,
									l->fresh_size, 64, &l->fresh, NULL, &error)))
		goto failed;
	for (guint i = 0; i < l->n_atoms; i++) {
		if (l->r.plan->place[i])
			l->address[i] += room_of(l, i)->start;
		else if (l->fresh_atom[i])
			l->address[i] += l->fresh;
	}
	add_start(l->permanent, l->n_atoms, l->lasting.start);
	add_start(l->got, l->n_targets, l->code.start);
	add_start(l->stub, l->n_targets, l->code.start);
	return NULL;
failed:;
	bool denied = error && error->code == HD_ERROR_DENIED;
	hd_refusal *refusal =
		hd_refusal_new(denied ? HD_REFUSE_DENIED : HD_REFUSE_TARGET, NULL, "%s%s",
			       denied ? "" : "no room for the new code: ", error ? error->message : "injected fault");
	g_clear_error(&error);
	return refusal;
}
