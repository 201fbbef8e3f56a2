/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions are found by name; a reference that leads to a datum says where
 * that datum is, so it is compared next. In an image that the loader moves,
 * pointers in data are the loader's to fill and are left out. */
#include "config.h"

#include "reloader/link/proof.h"

#include "reloader/link/arch.h"

#include <string.h>

typedef struct {
	guint atom;
	guint64 address;
	const char *owner; /* the function that led here: the name of what has none */
} place;

typedef struct {
	hd_image *image;
	hd_object *object;
	guint64 *address; /* by atom; 0: not known yet */
	GArray *queue;	  /* of place: data still to be compared */
	hd_proof *proof;
} comparison;

static void
differs(comparison *c, const hd_atom *atom, const char *owner)
{
	GPtrArray *different = c->proof->different;
	char *name = atom->name ? hd_atom_source_name(atom) : g_strdup(owner ? owner : "a constant");
	if (g_ptr_array_find_with_equal_func(different, name, g_str_equal, NULL))
		g_free(name);
	else
		g_ptr_array_add(different, name);
}

static bool
is_named(const hd_atom *atom, const char *name)
{
	bool named = atom->name && strcmp(atom->name, name) == 0;
	for (const char *const *alias = atom->aliases; !named && alias && *alias; alias++)
		named = strcmp(*alias, name) == 0;
	return named;
}

static bool
is_data(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_CONST || atom->kind == HD_ATOM_STRING || atom->kind == HD_ATOM_DATA ||
	       atom->kind == HD_ATOM_ZERO;
}

/* What has no symbol there is a linkage table's entry, which may lead to the name. */
static bool
may_be_function(const comparison *c, guint64 address, const hd_atom *atom, const char *external)
{
	if (!hd_image_symbol_at(c->image, address))
		return true;
	GPtrArray *symbols = hd_image_symbols_starting_at(c->image, address);
	bool found = false;
	for (guint i = 0; i < symbols->len && !found; i++) {
		const char *name = ((const hd_image_symbol *)g_ptr_array_index(symbols, i))->name;
		found = atom ? is_named(atom, name) : strcmp(external, name) == 0;
	}
	g_ptr_array_unref(symbols);
	return found;
}

/* Whether a datum can be there; where it was not met yet, it is compared later. */
static bool
is_datum(comparison *c, guint atom, guint64 address, const char *owner)
{
	if (c->address[atom])
		return c->address[atom] == address;
	c->address[atom] = address;
	place next = {atom, address, owner};
	g_array_append_val(c->queue, next);
	return true;
}

static bool
leads_right(comparison *c, const hd_reloc *reloc, guint64 target, const char *owner)
{
	if (reloc->atom == HD_NONE) {
		const char *name = hd_object_external(c->object, reloc->external)->name;
		const hd_image_symbol *symbol = hd_image_global(c->image, name);
		return !symbol || symbol->address == target || may_be_function(c, target, NULL, name);
	}
	const hd_atom *meant = hd_object_atom(c->object, reloc->atom);
	if (meant->kind == HD_ATOM_CODE)
		return !meant->name || may_be_function(c, target, meant, NULL);
	return !is_data(meant) || is_datum(c, reloc->atom, target, owner);
}

/* Takes what a linker wrote out of both, and looks where it leads. */
static bool
compare_references(comparison *c, const hd_atom *atom, guint64 address, guint8 *theirs, guint8 *ours, const char *owner)
{
	bool code = atom->kind == HD_ATOM_CODE, same = true;
	bool readable = code || !hd_image_is_pie(c->image);
	guint64 done = 0; /* up to here the bytes are the linker's */
	guint8 *linked = g_memdup2(theirs, atom->size);
	for (guint i = 0; i < atom->n_relocs; i++) {
		const hd_reloc *reloc = &atom->relocs[i];
		guint before, after;
		guint64 target;
		hd_arch_linked_bytes(reloc->type, &before, &after);
		if (readable && reloc->offset >= done &&
		    hd_arch_target(reloc->type, linked, atom->size, reloc->offset, address, reloc->addend, &target))
			same &= leads_right(c, reloc, target, owner);
		guint64 from = reloc->offset - MIN(before, reloc->offset);
		done = MAX(done, MIN(reloc->offset + after, atom->size));
		memset(theirs + from, 0, done - from);
		memset(ours + from, 0, done - from);
	}
	g_free(linked);
	return same;
}

static bool
is_same(comparison *c, const hd_atom *atom, guint64 address, const char *owner)
{
	guint8 *theirs = g_malloc0(atom->size + 1), *ours = g_malloc0(atom->size + 1);
	bool same = hd_image_bytes(c->image, address, atom->size, theirs);
	if (atom->bytes)
		memcpy(ours, atom->bytes, atom->size);
	same = same && compare_references(c, atom, address, theirs, ours, owner) &&
	       memcmp(theirs, ours, atom->size) == 0;
	g_free(theirs);
	g_free(ours);
	return same;
}

static void
compare_function(comparison *c, const hd_image_symbol *symbol)
{
	guint index = hd_object_find(c->object, symbol->name);
	if (index != HD_NONE && c->address[index] == symbol->address)
		return; /* by another of its names */
	c->proof->functions++;
	if (index == HD_NONE) {
		differs(c, &(hd_atom){.name = symbol->name}, NULL);
		return;
	}
	const hd_atom *atom = hd_object_atom(c->object, index);
	c->address[index] = symbol->address;
	if (atom->kind != HD_ATOM_CODE || (symbol->size && symbol->size != atom->size) ||
	    !is_same(c, atom, symbol->address, atom->name))
		differs(c, atom, NULL);
}

/* Data that others can see have a name in the image, whoever uses them. */
static void
find_globals(comparison *c)
{
	for (guint i = 0; i < hd_object_n_atoms(c->object); i++) {
		const hd_atom *atom = hd_object_atom(c->object, i);
		if (!is_data(atom) || !atom->name || atom->binding != HD_BIND_GLOBAL || atom->common)
			continue;
		const hd_image_symbol *symbol = hd_image_global(c->image, atom->name);
		if (symbol && symbol->kind == HD_SYMBOL_OBJECT)
			is_datum(c, i, symbol->address, NULL);
	}
}

hd_proof *
hd_proof_new(hd_image *image, const hd_image_unit *unit, hd_object *object)
{
	hd_proof *proof = g_new0(hd_proof, 1);
	proof->different = g_ptr_array_new_with_free_func(g_free);
	comparison c = {image, object, g_new0(guint64, hd_object_n_atoms(object) + 1),
			g_array_new(FALSE, FALSE, sizeof(place)), proof};
	const GPtrArray *functions = hd_image_unit_functions(image, unit);
	for (guint i = 0; functions && i < functions->len; i++)
		compare_function(&c, g_ptr_array_index(functions, i));
	find_globals(&c);
	for (guint i = 0; i < c.queue->len; i++) {
		place at = g_array_index(c.queue, place, i); /* the array grows meanwhile */
		const hd_atom *atom = hd_object_atom(object, at.atom);
		if (!is_same(&c, atom, at.address, at.owner))
			differs(&c, atom, at.owner);
	}
	g_array_unref(c.queue);
	g_free(c.address);
	return proof;
}

void
hd_proof_free(hd_proof *proof)
{
	if (!proof)
		return;
	g_ptr_array_unref(proof->different);
	g_free(proof);
}
