/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where what is placed goes: each body aligned with its slot before it, then
 * constants, words, stubs and keepers. */
#include "config.h"

#include "reloader/link/linked.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/link/artefact.h"

static gsize
take(hd_linked *l, gsize size, gsize alignment)
{
	gsize at = (l->size + alignment - 1) / alignment * alignment;
	l->size = at + size;
	return at;
}

static void
lay_out_atoms(hd_linked *l)
{
	/* Code first, each body aligned with its slot before it; then constants. */
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (!l->r.plan->place[i] || atom->kind != HD_ATOM_CODE)
			continue;
		l->size += HD_ARCH_JUMP;
		l->address[i] = take(l, MAX(atom->size, 1), MAX(atom->alignment, 16));
	}
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (l->r.plan->place[i] && atom->kind != HD_ATOM_CODE)
			l->address[i] = take(l, MAX(atom->size, 1), MAX(atom->alignment, 1));
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
			l->got[target] = take(l, 16, 16);
		break;
	case HD_REF_CALL:
	case HD_REF_ADDRESS:
		if (target >= l->n_atoms && !l->stub[target])
			l->stub[target] = take(l, HD_ARCH_STUB, 16);
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
			l->permanent[i] = take(l, HD_ARCH_STUB, 16);
	}
	l->keepers = take(l, l->r.spares_registers ? keepers * HD_KEEPER_ROOM : 0, 16);
	l->eh_frame = take(l, hd_artefact_eh_frame_size(l->object), 16);
}

hd_refusal *
hd_link_reserve(hd_linked *l)
{
	GError *error = NULL;
	hd_target_object *object = &l->r.home->object;
	if (l->size && (hd_fault("link.code") ||
			!hd_target_arena(l->r.target, object, HD_ARENA_CODE, l->size, 64, &l->code, &l->view, &error)))
		goto failed;
	if (l->fresh_size && (hd_fault("link.data") || !hd_target_arena(l->r.target, object, HD_ARENA_DATA,
									l->fresh_size, 64, &l->fresh, NULL, &error)))
		goto failed;
	for (guint i = 0; i < l->n_atoms; i++) {
		if (l->r.plan->place[i])
			l->address[i] += l->code;
		else if (l->fresh_atom[i])
			l->address[i] += l->fresh;
		if (l->permanent[i])
			l->permanent[i] += l->code;
	}
	for (guint i = 0; i < l->n_targets; i++) {
		if (l->got[i])
			l->got[i] += l->code;
		if (l->stub[i])
			l->stub[i] += l->code;
	}
	return NULL;
failed:;
	bool denied = error && error->code == HD_ERROR_DENIED;
	hd_refusal *refusal =
		hd_refusal_new(denied ? HD_REFUSE_DENIED : HD_REFUSE_TARGET, NULL, "%s%s",
			       denied ? "" : "no room for the new code: ", error ? error->message : "injected fault");
	g_clear_error(&error);
	return refusal;
}
