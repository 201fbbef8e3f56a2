/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/object/object.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/object/private.h"

#include <string.h>

/* gcc and clang end every object with .note.GNU-stack, tcc none; a name alone would not do, for a static
 * local L of gcc's is L.0 too. */
static bool
is_from_tcc(const hd_elf_view *view)
{
	for (guint i = 1; i < view->n_sections; i++)
		if (strcmp(view->sections[i].name, ".note.GNU-stack") == 0 ||
		    strcmp(view->sections[i].name, ".comment") == 0)
			return false;
	return true;
}

static hd_object *
new_object(GBytes *bytes, guint n_sections)
{
	hd_object *object = g_new0(hd_object, 1);
	object->references = 1;
	object->bytes = g_bytes_ref(bytes);
	object->atoms = g_array_new(FALSE, FALSE, sizeof(hd_atom));
	object->externals = g_array_new(FALSE, FALSE, sizeof(hd_external));
	object->relocs = g_array_new(FALSE, FALSE, sizeof(hd_reloc));
	object->names = g_hash_table_new(g_str_hash, g_str_equal);
	object->alias_lists = g_ptr_array_new_with_free_func(g_free);
	object->ranges = g_new0(hd_atom_range, n_sections);
	object->n_ranges = n_sections;
	return object;
}

static void
clear_reading(hd_reading *reading)
{
	for (guint i = 0; i < reading->view->n_sections; i++)
		if (reading->raw[i])
			g_array_free(reading->raw[i], TRUE);
	g_free(reading->raw);
	g_free(reading->common_atoms);
}

hd_object *
hd_object_parse(GBytes *bytes, GError **error)
{
	hd_elf_view view;
	if (hd_fault("object.parse")) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "injected fault: object.parse");
		return NULL;
	}
	GError *problem = NULL;
	if (!hd_elf_view_init(&view, bytes, &problem)) {
		g_propagate_error(error, problem);
		return NULL;
	}
	hd_reading reading = {.object = new_object(bytes, view.n_sections), .view = &view, .tcc = is_from_tcc(&view)};
	reading.raw = g_new0(GArray *, view.n_sections);
	reading.common_atoms = g_new(guint, MAX(view.n_symbols, 1));
	bool ok = hd_raw_relocs_read(&reading, &problem);
	if (ok) {
		hd_atoms_read(&reading);
		ok = hd_relocs_read(&reading, &problem);
	}
	clear_reading(&reading);
	hd_elf_view_clear(&view);
	if (ok)
		return reading.object;
	hd_object_unref(reading.object);
	g_propagate_error(error, problem);
	return NULL;
}

hd_object *
hd_object_ref(hd_object *object)
{
	g_atomic_int_inc(&object->references);
	return object;
}

void
hd_object_unref(hd_object *object)
{
	if (!object || !g_atomic_int_dec_and_test(&object->references))
		return;
	g_array_free(object->atoms, TRUE);
	g_array_free(object->externals, TRUE);
	g_array_free(object->relocs, TRUE);
	g_hash_table_destroy(object->names);
	g_ptr_array_free(object->alias_lists, TRUE);
	g_free(object->ranges);
	g_bytes_unref(object->bytes);
	g_free(object);
}

GBytes *
hd_object_bytes(const hd_object *object)
{
	return object->bytes;
}

guint
hd_object_n_atoms(const hd_object *object)
{
	return object->atoms->len;
}

const hd_atom *
hd_object_atom(const hd_object *object, guint index)
{
	g_return_val_if_fail(index < object->atoms->len, NULL);
	return &g_array_index(object->atoms, hd_atom, index);
}

guint
hd_object_n_externals(const hd_object *object)
{
	return object->externals->len;
}

const hd_external *
hd_object_external(const hd_object *object, guint index)
{
	g_return_val_if_fail(index < object->externals->len, NULL);
	return &g_array_index(object->externals, hd_external, index);
}

bool
hd_object_refers_to(const hd_object *object, const char *name)
{
	for (guint i = 0; i < hd_object_n_externals(object); i++)
		if (strcmp(hd_object_external(object, i)->name, name) == 0)
			return true;
	return false;
}

guint
hd_object_find(const hd_object *object, const char *name)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(object->names, name)) - 1; /* HD_NONE where there is none */
}

guint
hd_atom_nearest(const hd_object *object, guint section, gint64 offset)
{
	if (section >= object->n_ranges || object->ranges[section].n == 0)
		return HD_NONE;
	guint low = object->ranges[section].first, high = low + object->ranges[section].n;
	while (high - low > 1) {
		guint middle = low + (high - low) / 2;
		if (offset >= 0 && g_array_index(object->atoms, hd_atom, middle).section_offset <= (guint64)offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

guint
hd_object_at(const hd_object *object, guint section, guint64 offset)
{
	if (offset > G_MAXINT64)
		return HD_NONE;
	guint index = hd_atom_nearest(object, section, (gint64)offset);
	if (index == HD_NONE)
		return HD_NONE;
	const hd_atom *atom = &g_array_index(object->atoms, hd_atom, index);
	return offset >= atom->section_offset && offset - atom->section_offset < atom->size ? index : HD_NONE;
}
