/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/bindings.h"

#include <string.h>

static void
function_free(hd_function *function)
{
	g_free(function->name);
	g_array_unref(function->bodies);
	g_free(function);
}

static void
datum_free(hd_datum *datum)
{
	g_free(datum->key);
	g_clear_pointer(&datum->initial, g_bytes_unref);
	g_clear_pointer(&datum->older, datum_free);
	g_free(datum);
}

hd_bindings *
hd_bindings_new(void)
{
	hd_bindings *bindings = g_new0(hd_bindings, 1);
	bindings->functions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)function_free);
	bindings->data = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)datum_free);
	return bindings;
}

void
hd_bindings_free(hd_bindings *bindings)
{
	if (!bindings)
		return;
	g_hash_table_unref(bindings->functions);
	g_hash_table_unref(bindings->data);
	g_free(bindings);
}

hd_function *
hd_bindings_function(const hd_bindings *bindings, const char *name)
{
	return g_hash_table_lookup(bindings->functions, name);
}

hd_function *
hd_bindings_add_function(hd_bindings *bindings, const char *name, guint64 permanent)
{
	hd_function *function = g_new0(hd_function, 1);
	function->name = g_strdup(name);
	function->permanent = permanent;
	function->bodies = g_array_new(FALSE, TRUE, sizeof(hd_body));
	g_hash_table_insert(bindings->functions, function->name, function);
	return function;
}

hd_datum *
hd_bindings_datum(const hd_bindings *bindings, const char *key)
{
	hd_datum *datum = key ? g_hash_table_lookup(bindings->data, key) : NULL;
	while (datum && datum->undone)
		datum = datum->older;
	return datum;
}

hd_datum *
hd_bindings_add_datum(hd_bindings *bindings, const char *key, guint64 address, guint64 size, bool tls, GBytes *initial)
{
	hd_datum *datum = g_new0(hd_datum, 1);
	datum->key = g_strdup(key);
	datum->address = address;
	datum->size = size;
	datum->tls = tls;
	datum->initial = initial ? g_bytes_ref(initial) : NULL;
	gpointer older = NULL;
	g_hash_table_steal_extended(bindings->data, key, NULL, &older);
	datum->older = older;
	g_hash_table_insert(bindings->data, datum->key, datum);
	return datum;
}

static hd_body *
body(const hd_function *function, guint index)
{
	return &g_array_index(function->bodies, hd_body, index);
}

/* The newest body not undone that the entry at `from` may lead to: one of its own lineage. */
static hd_body *
in_force(const hd_function *function, guint from)
{
	for (guint i = function->bodies->len; i > 0; i--) {
		hd_body *b = body(function, i - 1);
		if (!b->undone && b->lineage == body(function, from)->lineage)
			return b;
	}
	return NULL;
}

hd_body *
hd_function_current(const hd_function *function)
{
	for (guint i = function->bodies->len; i > 0; i--)
		if (!body(function, i - 1)->undone)
			return body(function, i - 1);
	return NULL;
}

guint
hd_function_lineage(const hd_function *function, bool begins)
{
	const hd_body *current = hd_function_current(function);
	guint unused = 0;
	for (guint i = 0; i < function->bodies->len; i++)
		unused = MAX(unused, body(function, i)->lineage + 1);
	return begins || !current ? unused : current->lineage;
}

bool
hd_function_is_superseded(const hd_function *function, int version)
{
	for (guint i = function->bodies->len; i > 0; i--) {
		const hd_body *b = body(function, i - 1);
		if (b->undone)
			continue;
		if (b->version == version)
			return false;
		if (!b->says_the_same || b->version < version)
			return true;
	}
	return false;
}

GHashTable *
hd_bindings_instant(const hd_bindings *bindings)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const hd_function *function = value;
		const hd_body *current = hd_function_current(function);
		if (current && current->instant)
			g_hash_table_add(names, g_strdup(function->name));
	}
	return names;
}

hd_body *
hd_function_body_at(const hd_function *function, guint64 pc)
{
	for (guint i = 0; i < function->bodies->len; i++) {
		hd_body *b = body(function, i);
		if (pc >= b->start && pc < b->end)
			return b;
	}
	return NULL;
}

/* Where the entry must lead; 0: to its own code. */
static guint64
destination(const hd_function *function, guint index)
{
	const hd_body *b = body(function, index);
	const hd_body *force = in_force(function, index);
	if (!force || force == b)
		return 0;
	return b->version == 0 ? force->from_original : force->entry;
}

/* What the entry must hold. false: out of reach, which linking has ruled out. */
static bool
wanted(const hd_function *function, guint index, guint8 out[HD_ARCH_JUMP])
{
	const hd_body *b = body(function, index);
	guint64 to = destination(function, index);
	memcpy(out, b->original, HD_ARCH_JUMP);
	if (!to)
		return true;
	return b->hop ? hd_arch_short_jump(out, b->entry, b->hop) : hd_arch_jump(out, b->entry, to);
}

static void
redirect_site(hd_commit *commit, guint64 address, guint8 *view, const guint8 *was, const guint8 *want, gsize size)
{
	GBytes *bytes = g_bytes_new(want, size);
	if (view) {
		hd_commit_store(commit, view, bytes);
	} else {
		GBytes *expect = g_bytes_new(was, size);
		hd_commit_write(commit, address, bytes, expect, HD_WRITE_REQUIRED);
		g_bytes_unref(expect);
	}
	g_bytes_unref(bytes);
}

/* The jump in padding is written whenever it must lead elsewhere; nobody is in it but on the way through. */
static bool
redirect_hop(const hd_function *function, guint index, hd_commit *commit, guint8 want[HD_ARCH_JUMP])
{
	const hd_body *b = body(function, index);
	guint64 to = b->hop ? destination(function, index) : 0;
	if (!to || !hd_arch_jump(want, b->hop, to))
		return false;
	if (commit && memcmp(want, b->hop_now, HD_ARCH_JUMP) != 0) {
		redirect_site(commit, b->hop, NULL, b->hop_now, want, HD_ARCH_JUMP);
		hd_commit_exclude(commit, b->hop, b->hop + HD_ARCH_JUMP, false);
	}
	return true;
}

guint
hd_function_redirect(hd_function *function, hd_commit *commit)
{
	guint changed = 0;
	guint8 want[HD_ARCH_JUMP];
	for (guint i = 0; i < function->bodies->len; i++) {
		hd_body *b = body(function, i);
		redirect_hop(function, i, commit, want);
		if (!wanted(function, i, want) || memcmp(want, b->now, HD_ARCH_JUMP) == 0)
			continue;
		redirect_site(commit, b->entry, b->view, b->now, want, b->hop ? HD_ARCH_SHORT_JUMP : HD_ARCH_JUMP);
		if (!b->view)
			hd_commit_exclude(commit, b->entry, b->exclude_end, b->exclude_end > b->entry + HD_ARCH_JUMP);
		changed++;
	}
	const hd_body *force = hd_function_current(function);
	if (function->stub && force && hd_arch_jump(want, function->stub, force->entry) &&
	    memcmp(want, function->stub_now, HD_ARCH_JUMP) != 0)
		redirect_site(commit, function->stub, function->stub_view, function->stub_now, want, HD_ARCH_JUMP);
	return changed;
}

void
hd_function_install(const hd_function *function, const hd_loaded *home, hd_commit *commit)
{
	guint8 want[HD_ARCH_JUMP], padding[HD_ARCH_JUMP];
	for (guint i = 0; i < function->bodies->len; i++) {
		const hd_body *b = body(function, i);
		/* Placed code is shared, and says so already. */
		if (b->version != 0 || !destination(function, i) || !wanted(function, i, want))
			continue;
		redirect_site(commit, b->entry, NULL, b->original, want, b->hop ? HD_ARCH_SHORT_JUMP : HD_ARCH_JUMP);
		hd_commit_exclude(commit, b->entry, b->exclude_end, b->exclude_end > b->entry + HD_ARCH_JUMP);
		if (!redirect_hop(function, i, NULL, want) ||
		    !hd_image_bytes(home->image, b->hop - home->bias, HD_ARCH_JUMP, padding))
			continue;
		redirect_site(commit, b->hop, NULL, padding, want, HD_ARCH_JUMP);
		hd_commit_exclude(commit, b->hop, b->hop + HD_ARCH_JUMP, false);
	}
}

void
hd_function_redirected(hd_function *function)
{
	guint8 want[HD_ARCH_JUMP];
	for (guint i = 0; i < function->bodies->len; i++) {
		if (redirect_hop(function, i, NULL, want))
			memcpy(body(function, i)->hop_now, want, HD_ARCH_JUMP);
		if (wanted(function, i, want))
			memcpy(body(function, i)->now, want, HD_ARCH_JUMP);
	}
	const hd_body *force = hd_function_current(function);
	if (function->stub && force && hd_arch_jump(want, function->stub, force->entry))
		memcpy(function->stub_now, want, HD_ARCH_JUMP);
}

void
hd_bindings_mark(hd_bindings *bindings, int version, bool undone)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const hd_function *function = value;
		for (guint i = 0; i < function->bodies->len; i++)
			if (body(function, i)->version == version)
				body(function, i)->undone = undone;
	}
	g_hash_table_iter_init(&iter, bindings->data);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		for (hd_datum *datum = value; datum; datum = datum->older)
			if (datum->version == version && (datum->older || datum->view))
				datum->undone = undone;
}

/* A later body of its lineage takes its place in every state that undo can reach. */
static bool
is_outlived(const hd_function *function, guint index, int floor)
{
	const hd_body *b = body(function, index);
	for (guint i = index + 1; i < function->bodies->len; i++) {
		const hd_body *later = body(function, i);
		if (later->lineage == b->lineage &&
		    (later->version == b->version || (later->version <= floor && !later->undone)))
			return true;
	}
	return false;
}

bool
hd_bindings_need_code(const hd_bindings *bindings, guint64 start, guint64 end, int floor)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const hd_function *function = value;
		for (guint i = 0; i < function->bodies->len; i++) {
			const hd_body *b = body(function, i);
			/* Without a body in force, its permanent address leads to the last one. */
			bool over =
				b->undone && b->version <= floor && !(function->stub && !hd_function_current(function));
			if (b->start >= start && b->start < end && !over && !is_outlived(function, i, floor))
				return true;
		}
	}
	return false;
}

void
hd_bindings_forget_code(hd_bindings *bindings, guint64 start, guint64 end)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, bindings->functions);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		hd_function *function = value;
		for (guint i = function->bodies->len; i > 0; i--)
			if (body(function, i - 1)->start >= start && body(function, i - 1)->start < end)
				g_array_remove_index(function->bodies, i - 1);
	}
}

void
hd_bindings_forget_data(hd_bindings *bindings, int floor)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, bindings->data);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		hd_datum *datum = value;
		while (datum && (datum->undone || datum->version > floor))
			datum = datum->older;
		if (datum)
			g_clear_pointer(&datum->older, datum_free);
	}
}
