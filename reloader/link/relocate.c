/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a reference in an atom to the bytes that make it. */
#include "config.h"

#include "reloader/link/linked.h"

#include <string.h>

/* ---- addresses ---- */

/* A jump in f.cold back to the first byte of f is no call of f. */
static bool
is_jump_from_cold(const hd_atom *from, const hd_reloc *reloc)
{
	return hd_plan_is_private(from) && strstr(from->name, ".cold") && reloc->offset > 0 &&
	       from->bytes[reloc->offset - 1] != 0xe8;
}

static guint64
permanent_address(const hd_linked *l, guint index)
{
	if (l->permanent[index])
		return l->permanent[index];
	const hd_function *function = hd_bindings_function(l->r.bindings, hd_link_atom(l, index)->name);
	return function ? function->permanent : 0;
}

/* A function that the unit defines and the program has from elsewhere: a weak
 * one that lost, an IFUNC. 0: the program does not have it. */
static guint64
decided_elsewhere(const hd_linked *l, const hd_atom *atom)
{
	hd_found found;
	if (atom->ifunc) {
		/* Its resolver has a name at the same place. */
		for (const char *const *alias = atom->aliases; alias && *alias; alias++) {
			const hd_image_symbol *symbol = hd_image_global(l->r.home->image, *alias);
			if (symbol && symbol->kind == HD_SYMBOL_IFUNC &&
			    hd_scope_lookup(l->r.scope, l->r.target, l->r.home, *alias, &found))
				return found.address;
		}
	}
	return hd_scope_lookup(l->r.scope, l->r.target, l->r.home, atom->name, &found) ? found.address : 0;
}

/* 0: the atom is not in the program. */
static guint64
atom_target(const hd_linked *l, const hd_atom *from, const hd_reloc *reloc, hd_reference reference)
{
	const hd_atom *atom = hd_link_atom(l, reloc->atom);
	guint64 placed = l->address[reloc->atom];
	if (!hd_link_is_redirectable(atom))
		return placed;
	bool start = hd_plan_means_start(from, reloc) && !is_jump_from_cold(from, reloc);
	if (!start)
		return placed;
	if (!placed && (atom->ifunc || !hd_bindings_function(l->r.bindings, atom->name)))
		return decided_elsewhere(l, atom);
	if (reference != HD_REF_CALL)
		return permanent_address(l, reloc->atom);
	if (placed)
		return placed - HD_ARCH_JUMP;
	const hd_function *function = hd_bindings_function(l->r.bindings, atom->name);
	const hd_body *body = function ? hd_function_current(function) : NULL;
	return body ? body->entry : 0;
}

static hd_refusal *
missing(const hd_linked *l, guint atom, const hd_reloc *reloc)
{
	const char *name = hd_link_target_name(l, hd_link_target(l, reloc));
	return hd_link_refuse(l, HD_REFUSE_SYMBOL_MISSING, atom, reloc->offset,
			      "nothing in the program defines %s, which %s uses", name, hd_link_target_name(l, atom));
}

/* Where the thing is; for TLS its offset in home's block. */
static hd_refusal *
find_target(const hd_linked *l, guint index, const hd_reloc *reloc, hd_reference reference, hd_found *found)
{
	const hd_atom *from = hd_link_atom(l, index);
	if (reloc->atom != HD_NONE) {
		const hd_atom *atom = hd_link_atom(l, reloc->atom);
		*found = (hd_found){atom_target(l, from, reloc, reference),
				    atom->kind == HD_ATOM_CODE ? HD_SYMBOL_FUNCTION
				    : hd_link_is_tls(atom)     ? HD_SYMBOL_TLS
							       : HD_SYMBOL_OBJECT,
				    l->r.home};
		if (found->address || hd_link_is_tls(atom))
			return NULL;
		return hd_link_refuse(l, HD_REFUSE_RELOCATION, index, reloc->offset,
				      "%s refers into %s, which is not in the program", hd_link_target_name(l, index),
				      hd_link_target_name(l, reloc->atom));
	}
	const hd_external *external = hd_object_external(l->object, reloc->external);
	const hd_function *function = hd_bindings_function(l->r.bindings, external->name);
	if (function) {
		*found = (hd_found){function->permanent, HD_SYMBOL_FUNCTION, l->r.home};
		return NULL;
	}
	if (hd_scope_lookup(l->r.scope, l->r.target, l->r.home, external->name, found))
		return NULL;
	*found = (hd_found){0};
	return external->weak ? NULL : missing(l, index, reloc);
}

/* ---- thread-local storage (Drepper, "ELF Handling For Thread-Local Storage", 4.4.6) ---- */

static bool
thread_offset(const hd_linked *l, const hd_found *found, const char *name, guint64 *offset)
{
	if (found->home && found->home->is_program) {
		guint64 alignment = MAX(hd_image_tls_alignment(found->home->image), 1);
		guint64 size = (hd_image_tls_size(found->home->image) + alignment - 1) / alignment * alignment;
		*offset = found->address - size;
		return true;
	}
	/* A library's block has a fixed place only if it was there at the start; then the loader has
	 * told somebody the offset. */
	const GPtrArray *loaded = hd_scope_loaded(l->r.scope);
	for (guint i = 0; i < loaded->len; i++) {
		const hd_loaded *home = g_ptr_array_index(loaded, i);
		guint64 word = home->image && !home->gone ? hd_image_tls_offset_word(home->image, name) : 0;
		if (word && hd_target_read(l->r.target, 0, home->bias + word, offset, sizeof *offset, NULL))
			return true;
	}
	return false;
}

static bool
tls_module(const hd_linked *l, const hd_found *found, guint64 *module)
{
	if (!found->home)
		return false;
	if (found->home->is_program) {
		*module = 1;
		return true;
	}
	guint64 word = hd_image_tls_module_word(found->home->image);
	return word && hd_target_read(l->r.target, 0, found->home->bias + word, module, sizeof *module, NULL);
}

/* ---- relocation ---- */

static void
put_word(const hd_linked *l, guint64 address, guint64 word)
{
	memcpy(hd_link_view(l, address), &word, sizeof word);
}

/* What hd_arch_relocate is to be given for this reference. false: it cannot be made. */
static bool
operand(hd_linked *l, const hd_found *found, guint target, hd_reference reference, guint64 *out)
{
	guint64 word;
	switch (reference) {
	case HD_REF_CALL:
	case HD_REF_ADDRESS:
		*out = found->address;
		return true;
	case HD_REF_GOT:
		put_word(l, l->got[target], found->address);
		*out = l->got[target];
		return true;
	case HD_REF_TLS_OFFSET:
		return thread_offset(l, found, hd_link_target_name(l, target), out);
	case HD_REF_TLS_GOT:
		if (!thread_offset(l, found, hd_link_target_name(l, target), &word))
			return false;
		put_word(l, l->got[target], word);
		*out = l->got[target];
		return true;
	case HD_REF_TLS_PAIR:
	case HD_REF_TLS_MODULE:
		if (!tls_module(l, found, &word))
			return false;
		put_word(l, l->got[target], word);
		put_word(l, l->got[target] + 8, reference == HD_REF_TLS_PAIR ? found->address : 0);
		*out = l->got[target];
		return true;
	case HD_REF_TLS_IN_MODULE:
		*out = found->address;
		return true;
	default:
		return false;
	}
}

static bool
relocate_through_stub(hd_linked *l, const hd_reloc *reloc, guint target, guint8 *field, guint64 room, guint64 place,
		      const hd_found *found)
{
	if (!l->stub[target] || found->kind == HD_SYMBOL_OBJECT)
		return false;
	hd_arch_stub(hd_link_view(l, l->stub[target]), found->address);
	return hd_arch_relocate(reloc->type, field, room, place, l->stub[target], reloc->addend);
}

/* image: the atom's bytes as they will be at `place`. */
static hd_refusal *
relocate_one(hd_linked *l, guint index, const hd_reloc *reloc, guint8 *image, guint64 place)
{
	const hd_atom *atom = hd_link_atom(l, index);
	hd_reference reference = hd_link_reference(atom, reloc);
	if (reference == HD_REF_NONE)
		return NULL;
	hd_found found;
	hd_refusal *refusal = find_target(l, index, reloc, reference, &found);
	if (refusal)
		return refusal;
	if (found.kind != HD_SYMBOL_TLS)
		g_hash_table_add(l->targets, GSIZE_TO_POINTER(found.address));
	guint target = hd_link_target(l, reloc);
	guint64 at = place + reloc->offset, room = atom->size - reloc->offset, value;
	if (reference == HD_REF_GOT &&
	    hd_arch_relax_got(reloc->type, image, reloc->offset, at, found.address, reloc->addend))
		return NULL;
	if (operand(l, &found, target, reference, &value) &&
	    hd_arch_relocate(reloc->type, image + reloc->offset, room, at, value, reloc->addend))
		return NULL;
	if ((reference == HD_REF_CALL || (reference == HD_REF_ADDRESS && found.address)) &&
	    relocate_through_stub(l, reloc, target, image + reloc->offset, room, at, &found))
		return NULL;
	return hd_link_refuse(l, HD_REFUSE_RELOCATION, index, reloc->offset, "%s cannot refer to %s from here (%s)",
			      hd_link_target_name(l, index), hd_link_target_name(l, target),
			      hd_arch_reloc_name(reloc->type));
}

hd_refusal *
hd_link_relocate_atom(hd_linked *l, guint index, guint8 *image, guint64 place)
{
	const hd_atom *atom = hd_link_atom(l, index);
	hd_refusal *refusal = NULL;
	for (guint i = 0; i < atom->n_relocs && !refusal; i++)
		refusal = relocate_one(l, index, &atom->relocs[i], image, place);
	return refusal;
}

hd_refusal *
hd_link_relocate_placed(hd_linked *l)
{
	hd_refusal *refusal = NULL;
	for (guint i = 0; i < l->n_atoms && !refusal; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (!l->r.plan->place[i])
			continue;
		guint8 *image = hd_link_view(l, l->address[i]);
		if (atom->bytes)
			memcpy(image, atom->bytes, atom->size);
		else
			memset(image, 0, atom->size);
		refusal = hd_link_relocate_atom(l, i, image, l->address[i]);
		if (atom->kind != HD_ATOM_CODE)
			continue;
		hd_arch_slot(image - HD_ARCH_JUMP);
		hd_placed_code placed = {l->address[i], l->address[i] + atom->size, i};
		g_array_append_val(l->placed, placed);
	}
	return refusal;
}
