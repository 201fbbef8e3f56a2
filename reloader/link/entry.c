/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of functions: can a jump be written there, who shares the body,
 * which registers must be kept for old callers. */
#include "config.h"

#include "reloader/link/linked.h"

#include <string.h>

/* Two functions that the program keeps in one body may only change together. */
static hd_refusal *
check_shared_body(const hd_linked *l, guint index, const hd_body *original)
{
	GPtrArray *symbols = hd_image_symbols_starting_at(l->r.home->image, original->start - l->r.home->bias);
	hd_refusal *refusal = NULL;
	for (guint i = 0; i < symbols->len && !refusal; i++) {
		const hd_image_symbol *symbol = g_ptr_array_index(symbols, i);
		guint other = hd_object_find(l->object, symbol->name);
		bool ours = hd_bindings_function(l->r.bindings, symbol->name) != NULL;
		if (other == index || (other == HD_NONE && ours && !l->r.instant))
			continue;
		/* What libtcc leaves out of its object stays as it is. */
		if (!l->r.instant && other != HD_NONE && hd_diff_fate(l->r.diff, other) == HD_ATOM_SAME &&
		    hd_diff_fate(l->r.diff, index) == HD_ATOM_SAME)
			continue;
		refusal = hd_link_refuse(l, HD_REFUSE_ALIAS, index, 0,
					 "%s and %s share one body in the program and now differ",
					 hd_link_atom(l, index)->name, symbol->name);
	}
	g_ptr_array_unref(symbols);
	return refusal;
}

typedef struct {
	const hd_linked *l;
	GHashTable *seen;
	hd_register_set written;
	bool unknown;
} spread;

static void footprint_of_original(spread *s, guint64 address, guint64 size);

static void
follow_call(spread *s, guint64 to)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, s->l->r.bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const hd_function *function = value;
		const hd_body *body = &g_array_index(function->bodies, hd_body, 0);
		if (function->bodies->len && body->version == 0 && body->start == to) {
			footprint_of_original(s, body->start, body->end - body->start);
			return;
		}
	}
	s->unknown = true;
}

/* What the program's own body of a function may change, with all it calls in the
 * unit: what its callers there may expect to be spared is the complement. */
static void
footprint_of_original(spread *s, guint64 address, guint64 size)
{
	if (s->unknown || !g_hash_table_add(s->seen, g_memdup2(&address, sizeof address)))
		return;
	guint8 *code = g_malloc(size + 1);
	if (hd_image_bytes(s->l->r.home->image, address - s->l->r.home->bias, size, code)) {
		hd_footprint footprint = hd_arch_footprint(code, size, address);
		s->written |= footprint.written;
		/* What cannot be read counts as writing nothing: then most is kept, which is safe. */
		s->unknown |= footprint.readable && footprint.indirect;
		for (guint i = 0; i < footprint.calls->len && !s->unknown; i++)
			follow_call(s, g_array_index(footprint.calls, guint64, i));
		hd_footprint_clear(&footprint);
	}
	g_free(code);
}

/* Registers that old callers may rely on and the new body may change. */
static hd_register_set
registers_to_keep(const hd_linked *l, guint index, const hd_body *original)
{
	spread s = {l, g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL), 0, false};
	footprint_of_original(&s, original->start, original->end - original->start);
	g_hash_table_unref(s.seen);
	if (s.unknown)
		return 0;
	const hd_atom *atom = hd_link_atom(l, index);
	hd_footprint now = hd_arch_footprint(hd_link_view(l, l->address[index]), atom->size, l->address[index]);
	hd_register_set changed = now.written;
	if (!now.readable || now.indirect || now.calls->len)
		changed = HD_REGISTERS_CALLER_SAVED;
	hd_footprint_clear(&now);
	return HD_REGISTERS_CALLER_SAVED & ~s.written & changed;
}

static bool
is_called_in_unit(const hd_linked *l, const char *name)
{
	hd_object *old = hd_diff_old(l->r.diff);
	guint target = old ? hd_object_find(old, name) : HD_NONE;
	if (target == HD_NONE)
		return true;
	for (guint i = 0; i < hd_object_n_atoms(old); i++) {
		const hd_atom *atom = hd_object_atom(old, i);
		for (guint n = 0; atom->kind == HD_ATOM_CODE && n < atom->n_relocs; n++)
			if (atom->relocs[n].atom == target)
				return true;
	}
	return false;
}

/* Where the result travels: rax, rdx, xmm0, xmm1, in the order of hd_register_set. */
static hd_register_set
result_registers(const hd_unit_function *function)
{
	if (!function || !function->in_registers)
		return 0;
	hd_register_set general = function->result_general > 1 ? 1u << 2 | 1u : function->result_general;
	hd_register_set sse = function->result_sse > 1 ? 3u : function->result_sse;
	return general | sse << 16;
}

static hd_refusal *
make_keeper(hd_linked *l, guint index, const hd_body *original, hd_body *body)
{
	const hd_atom *atom = hd_link_atom(l, index);
	if (!l->r.spares_registers || !is_called_in_unit(l, atom->name))
		return NULL;
	const hd_unit_function *function = l->r.signatures ? hd_unit_function_named(l->r.signatures, atom->name) : NULL;
	hd_register_set keep = registers_to_keep(l, index, original) & ~result_registers(function);
	if (!keep)
		return NULL;
	if (!function || !function->in_registers)
		return hd_link_refuse(l, HD_REFUSE_CLOBBER, index, 0,
				      "callers of %s in the program rely on registers that its new code changes",
				      atom->name);
	GByteArray *code = g_byte_array_new();
	guint64 place = l->code.start + l->keepers;
	hd_arch_keeper(code, place, body->entry, keep);
	if (code->len <= HD_KEEPER_ROOM) {
		memcpy(hd_link_view(l, place), code->data, code->len);
		body->from_original = place;
		hd_range made = {place, place + code->len};
		g_array_append_val(l->keeper_code, made);
		l->keepers += HD_KEEPER_ROOM;
	}
	bool fits = body->from_original == place;
	g_byte_array_unref(code);
	return fits ? NULL
		    : hd_link_refuse(l, HD_REFUSE_CLOBBER, index, 0, "no room to keep the registers of %s", atom->name);
}

static hd_refusal *
prepare_entry(hd_linked *l, guint index, const char *name)
{
	const hd_atom *atom = hd_link_atom(l, index);
	hd_function *function = hd_bindings_function(l->r.bindings, name);
	hd_body body = {
		.version = l->r.version,
		.transaction = l->r.transaction,
		.entry = l->address[index] - HD_ARCH_JUMP,
		.start = l->address[index],
		.end = l->address[index] + atom->size,
		.view = hd_link_view(l, l->address[index]) - HD_ARCH_JUMP,
		.instant = l->r.instant,
		.says_the_same = hd_diff_is_certain(l->r.diff) && hd_diff_fate(l->r.diff, index) == HD_ATOM_SAME,
	};
	body.from_original = body.entry;
	hd_arch_slot(body.original);
	hd_arch_slot(body.now);
	hd_refusal *refusal = NULL;
	if (!function) {
		function = hd_bindings_add_function(l->r.bindings, name, l->permanent[index]);
		function->stub = l->permanent[index];
		function->stub_view = hd_link_view(l, l->permanent[index]);
		hd_arch_jump(function->stub_view, function->stub, body.entry);
		memcpy(function->stub_now, function->stub_view, HD_ARCH_JUMP);
		g_ptr_array_add(l->brought, g_strdup(name));
	}
	body.lineage = hd_function_lineage(function, l->r.plan->lineage[index]);
	hd_body *original = function->bodies->len ? &g_array_index(function->bodies, hd_body, 0) : NULL;
	if (original && original->version == 0 && original->lineage == body.lineage) {
		const char *why = NULL;
		bool redirected = memcmp(original->now, original->original, HD_ARCH_JUMP) != 0;
		if (!redirected && !hd_bind_entry(l->r.home, original, &why))
			refusal = hd_link_refuse(l, HD_REFUSE_ENTRY, index, 0, "%s %s", name, why);
		if (!refusal)
			refusal = check_shared_body(l, index, original);
		if (!refusal)
			refusal = make_keeper(l, index, original, &body);
	}
	if (refusal)
		return refusal;
	g_array_append_val(function->bodies, body);
	g_ptr_array_add(l->staged, function);
	return NULL;
}

hd_refusal *
hd_link_prepare_entries(hd_linked *l)
{
	hd_refusal *refusal = NULL;
	for (guint i = 0; i < l->n_atoms && !refusal; i++) {
		const hd_atom *atom = hd_link_atom(l, i);
		if (!l->r.plan->place[i] || !hd_link_is_redirectable(atom))
			continue;
		refusal = prepare_entry(l, i, atom->name);
		for (const char *const *alias = atom->aliases; alias && *alias && !refusal; alias++)
			refusal = prepare_entry(l, i, *alias);
	}
	return refusal;
}
