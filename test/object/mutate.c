/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/object/mutate.h"

#include <stdlib.h>
#include <string.h>

/* Not assert: it may be compiled out. */
static void
must(bool condition)
{
	if (!condition)
		abort();
}

static guint64
read_name(const char *name)
{
	return name ? strlen(name) : 0;
}

static guint64
read_relocs(hd_object *object, const hd_atom *atom)
{
	guint64 sum = 0;
	for (guint i = 0; i < atom->n_relocs; i++) {
		const hd_reloc *reloc = &atom->relocs[i];
		must(reloc->offset < atom->size && atom->bytes);
		must(i == 0 || reloc[-1].offset <= reloc->offset);
		must((reloc->atom == HD_NONE) != (reloc->external == HD_NONE));
		if (reloc->atom != HD_NONE)
			sum += hd_object_atom(object, reloc->atom)->size;
		else
			sum += read_name(hd_object_external(object, reloc->external)->name);
		sum += (guint64)reloc->addend + (guint64)reloc->bias;
	}
	return sum;
}

/* What was read is used, so that it is read. */
static volatile guint64 total;

static void
read_object(hd_object *object)
{
	guint64 sum = 0;
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		must(atom->alignment && !(atom->alignment & (atom->alignment - 1)));
		sum += read_name(atom->name) + read_relocs(object, atom);
		for (guint64 k = 0; atom->bytes && k < atom->size; k++)
			sum += atom->bytes[k];
		for (const char *const *alias = atom->aliases; alias && *alias; alias++)
			must(hd_object_find(object, *alias) != HD_NONE);
		char *name = hd_atom_source_name(atom);
		must(!name == !atom->name);
		g_free(name);
		sum += hd_atom_is_clone(atom);
		if (atom->size && !atom->common)
			must(hd_object_at(object, atom->section, atom->section_offset) == i);
	}
	total += sum;
}

static void
compare(hd_object *old, hd_object *now, bool same)
{
	hd_diff *diff = hd_diff_new(old, now);
	must(!same || hd_diff_empty(diff));
	for (guint i = 0; i < hd_object_n_atoms(now); i++) {
		guint before = hd_diff_old_of(diff, i);
		must(before == HD_NONE || before < hd_object_n_atoms(old));
		must((hd_diff_fate(diff, i) == HD_ATOM_ADDED) == (before == HD_NONE));
	}
	for (guint i = 0; i < hd_object_n_atoms(old); i++) {
		guint after = hd_diff_new_of(diff, i);
		must(after == HD_NONE || hd_diff_old_of(diff, after) == i);
	}
	hd_diff_free(diff);
}

bool
exercise_object(GBytes *bytes, hd_object *other)
{
	hd_object *object = hd_object_parse(bytes, NULL);
	if (!object)
		return false;
	read_object(object);
	compare(object, object, true);
	if (other) {
		compare(other, object, false);
		compare(object, other, false);
	}
	hd_object_unref(object);
	return true;
}
