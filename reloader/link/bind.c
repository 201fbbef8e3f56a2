/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/bind.h"

#include <string.h>

static void
bind_function(hd_bindings *bindings, hd_loaded *home, const hd_image_symbol *symbol)
{
	guint64 entry = home->bias + symbol->address;
	hd_function *function = hd_bindings_add_function(bindings, symbol->name, entry);
	hd_body body = {
		.entry = entry,
		.from_original = entry,
		.start = entry,
		.end = entry + symbol->size,
		.exclude_end = entry + HD_ARCH_JUMP,
	};
	hd_image_bytes(home->image, symbol->address, MIN(symbol->size, HD_ARCH_JUMP), body.original);
	memcpy(body.now, body.original, HD_ARCH_JUMP);
	g_array_append_val(function->bodies, body);
}

static void
bind_variable(hd_bindings *bindings, hd_scope *scope, hd_target *target, hd_loaded *home,
	      const hd_unit_variable *variable)
{
	char *key = hd_datum_key(variable->function, variable->name, variable->ordinal);
	guint64 address = variable->tls ? variable->address : home->bias + variable->address;
	hd_datum *datum = hd_bindings_add_datum(bindings, key, address, variable->size, variable->tls, NULL);
	datum->scattered = variable->scattered;
	hd_found found;
	/* A library's variable may live in the program instead (R_X86_64_COPY), or be pre-empted. */
	if (variable->external && !variable->tls && !home->is_program &&
	    hd_scope_lookup(scope, target, home, variable->name, &found) && found.address != address) {
		datum->address = found.address;
		datum->origin = variable->address;
	}
	g_free(key);
}

hd_bindings *
hd_bind_unit(hd_scope *scope, hd_target *target, hd_loaded *home, const hd_image_unit *unit, GError **error)
{
	const hd_unit *details = hd_image_unit_details(home->image, unit, error);
	if (!details)
		return NULL;
	hd_bindings *bindings = hd_bindings_new();
	const GPtrArray *functions = hd_image_unit_functions(home->image, unit);
	for (guint i = 0; i < functions->len; i++) {
		const hd_image_symbol *symbol = g_ptr_array_index(functions, i);
		if (symbol->kind == HD_SYMBOL_FUNCTION) /* not an IFUNC: its address is its resolver's */
			bind_function(bindings, home, symbol);
	}
	const GPtrArray *variables = hd_unit_variables(details);
	for (guint i = 0; i < variables->len; i++) {
		const hd_unit_variable *variable = g_ptr_array_index(variables, i);
		if ((variable->located || variable->scattered) && !variable->declaration)
			bind_variable(bindings, scope, target, home, variable);
	}
	return bindings;
}

typedef struct {
	hd_scope *scope;
	hd_target *target;
	hd_loaded *home;
} resolving;

static guint64
resolve_dynamic(const char *symbol, void *data)
{
	resolving *r = data;
	hd_found found;
	return hd_scope_lookup(r->scope, r->target, r->home, symbol, &found) ? found.address : 0;
}

/* What the image's file foretells. */
static GBytes *
from_file(const hd_datum *datum, hd_scope *scope, hd_target *target, hd_loaded *home)
{
	guint8 *bytes = g_malloc(datum->size + 1);
	resolving r = {scope, target, home};
	guint64 origin = datum->origin ? datum->origin : datum->address - home->bias;
	if (hd_image_initial(home->image, origin, datum->size, home->bias, resolve_dynamic, &r, bytes))
		return g_bytes_new_take(bytes, datum->size);
	g_free(bytes);
	return NULL;
}

GBytes *
hd_bind_initial(hd_datum *datum, hd_scope *scope, hd_target *target, hd_loaded *home)
{
	if (!datum->initial && !datum->tls)
		datum->initial = from_file(datum, scope, target, home);
	return datum->initial;
}

/* A variable of the program whose initialiser an update has changed. */
static void
install_datum(const hd_datum *datum, hd_scope *scope, hd_target *target, hd_loaded *home, hd_commit *commit)
{
	if (datum->version != 0 || datum->view || !datum->initial)
		return;
	GBytes *before = from_file(datum, scope, target, home);
	if (before && !g_bytes_equal(before, datum->initial) &&
	    g_bytes_get_size(before) == g_bytes_get_size(datum->initial))
		hd_commit_write(commit, datum->address, datum->initial, before, HD_WRITE_UNTOUCHED);
	g_clear_pointer(&before, g_bytes_unref);
}

void
hd_bind_install(const hd_bindings *bindings, hd_scope *scope, hd_target *target, hd_loaded *home, hd_commit *commit)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		hd_function_install(value, home, commit);
	g_hash_table_iter_init(&iter, bindings->data);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		for (const hd_datum *datum = value; datum; datum = datum->older)
			install_datum(datum, scope, target, home, commit);
}

/* Whether five bytes of padding at this address of the file are free for a jump. */
static bool
is_free_padding(hd_loaded *home, guint64 at, guint8 bytes[16])
{
	gint64 key = (gint64)at;
	guint64 room = MIN(hd_image_room(home->image, at), 16); /* holds the longest instruction */
	return room >= HD_ARCH_JUMP && !g_hash_table_contains(home->hops, &key) &&
	       hd_image_bytes(home->image, at, room, bytes) && hd_arch_padding(bytes, room) >= HD_ARCH_JUMP;
}

/* Padding behind some function in reach of a short jump, with room for a jump,
 * that is nobody's hop yet and no part of what a redirect of that function covers. */
static bool
find_hop(hd_loaded *home, hd_body *body)
{
	guint64 entry = body->start - home->bias;
	guint64 at = entry > HD_ARCH_SHORT_REACH ? entry - HD_ARCH_SHORT_REACH : 1;
	for (; at < entry + HD_ARCH_SHORT_REACH; at++) {
		const hd_image_symbol *before = hd_image_symbol_at(home->image, at - 1);
		guint8 bytes[16];
		bool ends = before && before->size && before->address + before->size == at;
		guint64 hop = ends ? MAX(at, before->address + HD_ARCH_JUMP) : 0;
		if (!ends || !is_free_padding(home, hop, bytes))
			continue;
		gint64 key = (gint64)hop;
		g_hash_table_add(home->hops, g_memdup2(&key, sizeof key));
		body->hop = home->bias + hop;
		memcpy(body->hop_now, bytes, HD_ARCH_JUMP);
		body->exclude_end = body->entry + HD_ARCH_SHORT_JUMP;
		return true;
	}
	return false;
}

bool
hd_bind_entry(hd_loaded *home, hd_body *body, const char **why)
{
	guint64 address = body->start - home->bias;
	gsize size = body->end - body->start, room = hd_image_room(home->image, address);
	gsize padding = room > size ? room - size : 0;
	guint8 *code = g_malloc0(size + padding + 1);
	hd_entry entry = HD_ENTRY_UNREADABLE;
	if (hd_image_bytes(home->image, address, size + padding, code))
		entry = hd_arch_entry(code, size, padding, body->start);
	memcpy(body->original, code, MIN(size + padding, HD_ARCH_JUMP));
	memcpy(body->now, body->original, HD_ARCH_JUMP);
	g_free(code);
	switch (entry) {
	case HD_ENTRY_FREE:
		body->exclude_end = body->entry + HD_ARCH_JUMP;
		return true;
	case HD_ENTRY_LOOP:
		body->exclude_end = MAX(body->end, body->entry + HD_ARCH_JUMP + 1);
		return true;
	case HD_ENTRY_SHORT:
		if (size >= HD_ARCH_SHORT_JUMP && (body->hop || find_hop(home, body)))
			return true;
		*why = "is shorter than a jump, and other code follows at once";
		return false;
	case HD_ENTRY_UNREADABLE:
	default:
		*why = "cannot be decoded";
		return false;
	}
}
