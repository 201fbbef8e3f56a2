/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data of a new object: which the program has, which are new, and which get
 * a new initial value. */
#include "config.h"

#include "reloader/link/linked.h"

#include <string.h>

/* The datum in the program that an atom continues; NULL: it is new. A global
 * may be defined by another unit there (COMMON, or moved between files). */
static hd_datum *
find_datum(const hd_linked *l, guint index, const char *key)
{
	const hd_atom *atom = hd_link_atom(l, index);
	hd_datum *datum = hd_bindings_datum(l->r.bindings, key);
	hd_found found;
	if (datum || atom->binding == HD_BIND_LOCAL ||
	    !hd_scope_lookup(l->r.scope, l->r.target, l->r.home, atom->name, &found))
		return datum;
	bool tls = found.kind == HD_SYMBOL_TLS;
	if (tls != hd_link_is_tls(atom) || (tls && found.home != l->r.home))
		return NULL;
	return hd_bindings_add_datum(l->r.bindings, key, found.address, atom->size, tls, NULL);
}

static hd_refusal *
bind_datum(hd_linked *l, guint index)
{
	const hd_atom *atom = hd_link_atom(l, index);
	char *key = hd_plan_datum_key(l->object, index, l->r.unit);
	hd_datum *datum = l->r.plan->renew[index] ? NULL : find_datum(l, index, key);
	hd_refusal *refusal = NULL;
	if (datum && datum->scattered) {
		refusal = hd_link_refuse(l, HD_REFUSE_VARIABLE_TYPE, index, 0,
					 "the compiler has split %s or narrowed it, so that new code cannot share it",
					 key);
		hd_refusal_set_remedy(refusal, "make it external, build with -O1, or restart the program");
	} else if (datum && datum->size < atom->size) {
		refusal = hd_link_refuse(l,
					 atom->kind == HD_ATOM_CONST ? HD_REFUSE_CONST_SHARED : HD_REFUSE_VARIABLE_TYPE,
					 index, 0, "%s grew from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " bytes",
					 key, datum->size, atom->size);
	} else if (datum) {
		l->address[index] = datum->address;
	} else if (l->r.instant) {
		refusal = hd_link_refuse(l, HD_REFUSE_VARIABLE_TYPE, index, 0, "the program has no %s of its own", key);
	} else if (hd_link_is_tls(atom)) {
		refusal = hd_link_refuse(l, HD_REFUSE_TLS_NEW, index, 0, "the thread-local variable %s is new", key);
	} else if (atom->kind != HD_ATOM_CONST) {
		gsize alignment = MAX(atom->alignment, 8);
		l->fresh_size = (l->fresh_size + alignment - 1) / alignment * alignment;
		l->address[index] = l->fresh_size; /* an offset until the room is there */
		l->fresh_size += atom->size;
	}
	g_free(key);
	return refusal;
}

/* NULL: it keeps its shape. */
static hd_migration *
migration_of(const hd_linked *l, guint index)
{
	if (!l->r.reshapes || !hd_link_is_datum(hd_link_atom(l, index)))
		return NULL;
	char *key = hd_plan_datum_key(l->object, index, l->r.unit);
	hd_migration *migration = g_hash_table_lookup(l->r.reshapes, key);
	g_free(key);
	return migration;
}

/* Only what the placed code or a written datum can reach needs an address. */
static bool *
reachable_data(const hd_linked *l)
{
	bool *reachable = g_new0(bool, l->n_atoms + 1);
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		bool differs =
			(hd_link_is_datum(atom) && hd_diff_fate(l->r.diff, i) != HD_ATOM_SAME) || migration_of(l, i);
		if (differs)
			reachable[i] = true;
		for (guint n = 0; (l->r.plan->place[i] || differs) && n < atom->n_relocs; n++)
			if (atom->relocs[n].atom != HD_NONE)
				reachable[atom->relocs[n].atom] = true;
	}
	return reachable;
}

hd_refusal *
hd_link_bind_data(hd_linked *l)
{
	bool *reachable = reachable_data(l);
	hd_refusal *refusal = NULL;
	for (guint i = 0; i < l->n_atoms && !refusal; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (l->r.plan->place[i] || !reachable[i] || atom->kind == HD_ATOM_CODE ||
		    atom->kind == HD_ATOM_STRING || hd_plan_is_label_table(l->object, i))
			continue;
		gsize before = l->fresh_size;
		if (hd_link_is_datum(atom)) {
			refusal = bind_datum(l, i);
		} else if (!atom->name) { /* a compound literal at file scope */
			gsize alignment = MAX(atom->alignment, 8);
			l->fresh_size = (l->fresh_size + alignment - 1) / alignment * alignment;
			l->address[i] = l->fresh_size;
			l->fresh_size += atom->size;
		}
		l->fresh_atom[i] = l->fresh_size != before;
	}
	g_free(reachable);
	return refusal;
}

/* ---- initialisers ---- */

static hd_refusal *
initial_image(hd_linked *l, guint index, GBytes **out)
{
	const hd_atom *atom = hd_link_atom(l, index);
	guint8 *image = g_malloc0(atom->size + 1);
	if (atom->bytes)
		memcpy(image, atom->bytes, atom->size);
	hd_refusal *refusal = hd_link_relocate_atom(l, index, image, l->address[index]);
	if (refusal)
		g_free(image);
	else
		*out = g_bytes_new_take(image, atom->size);
	return refusal;
}

static bool
is_zero(GBytes *bytes)
{
	gsize size;
	const guint8 *data = g_bytes_get_data(bytes, &size);
	for (gsize i = 0; i < size; i++)
		if (data[i])
			return false;
	return true;
}

static void
add_write(hd_linked *l, char *key, guint64 address, guint8 *view, GBytes *bytes, GBytes *before, hd_write_mode mode)
{
	hd_data_write write = {
		.key = key,
		.address = address,
		.view = view,
		.bytes = g_bytes_ref(bytes),
		.before = before ? g_bytes_ref(before) : NULL,
		.mode = mode,
	};
	g_array_append_val(l->writes, write);
}

/* An initialiser that changed, of a datum that the program has. */
static void
change_initialiser(hd_linked *l, guint index, GBytes *image)
{
	const hd_atom *atom = hd_link_atom(l, index);
	char *key = hd_plan_datum_key(l->object, index, l->r.unit);
	hd_datum *datum = hd_bindings_datum(l->r.bindings, key);
	GBytes *before = hd_bind_initial(datum, l->r.scope, l->r.target, l->r.home);
	if (before && g_bytes_equal(before, image)) {
		g_free(key);
	} else if (before && g_bytes_get_size(before) == g_bytes_get_size(image)) {
		add_write(l, key, datum->address, datum->view, image, before,
			  atom->kind == HD_ATOM_CONST ? HD_WRITE_REQUIRED : HD_WRITE_UNTOUCHED);
	} else if (hd_diff_old(l->r.diff)) {
		g_ptr_array_add(l->kept, key);
	} else {
		g_free(key);
	}
}

/* An object of another shape: what its new fields begin with. Takes the image. */
static void
change_shape(hd_linked *l, guint index, hd_migration *migration, GBytes *image)
{
	char *key = hd_plan_datum_key(l->object, index, l->r.unit);
	hd_datum *datum = hd_bindings_datum(l->r.bindings, key);
	GBytes *initial = hd_bind_initial(datum, l->r.scope, l->r.target, l->r.home);
	guint64 tail = hd_migration_tail(migration, datum->size);
	hd_linked_reshape reshape = {
		.key = key,
		.from = datum->address,
		.to = l->address[index],
		.migration = migration,
		.tail = tail,
		.old_size = hd_migration_old_size(migration, tail),
		.new_size = hd_migration_new_size(migration, tail),
		.basis = image,
		.initial = initial ? g_bytes_ref(initial) : NULL,
		.kept = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref),
		.taken = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref),
	};
	g_array_append_val(l->reshapes, reshape);
}

/* Without an old object the bytes decide, unless they hold addresses, which always differ. */
static bool
may_differ(const hd_linked *l, guint index)
{
	if (hd_diff_is_certain(l->r.diff))
		return hd_diff_fate(l->r.diff, index) != HD_ATOM_SAME;
	return hd_link_atom(l, index)->n_relocs == 0;
}

hd_refusal *
hd_link_prepare_data(hd_linked *l)
{
	for (guint i = 0; i < l->n_atoms; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		hd_migration *migration = migration_of(l, i);
		bool changed = hd_link_is_datum(atom) && !l->r.plan->place[i] && l->address[i] && may_differ(l, i);
		if (hd_link_is_tls(atom) || !(l->fresh_atom[i] || changed || migration))
			continue;
		GBytes *image = NULL;
		hd_refusal *refusal = initial_image(l, i, &image);
		if (refusal)
			return refusal;
		if (migration)
			change_shape(l, i, migration, g_bytes_ref(image));
		else if (!l->fresh_atom[i])
			change_initialiser(l, i, image);
		else if (!is_zero(image))
			add_write(l, hd_plan_datum_key(l->object, i, l->r.unit), l->address[i], NULL, image, NULL,
				  HD_WRITE_ALWAYS);
		g_bytes_unref(image);
	}
	return NULL;
}
