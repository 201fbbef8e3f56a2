/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/renumber.h"

#include <dwarf.h>

struct hd_renumber {
	GHashTable *forward, *back; /* of gint64 * -> gint64 *, both owned */
};

bool
hd_enum_is_signed(const hd_type *type)
{
	const hd_type *base = hd_type_strip(type->target);
	if (base->kind == HD_TYPE_BASE)
		return base->encoding == DW_ATE_signed || base->encoding == DW_ATE_signed_char;
	for (guint i = 0; i < type->enumerators->len; i++)
		if (g_array_index(type->enumerators, hd_enumerator, i).value < 0)
			return true;
	return false;
}

static GHashTable *
by_name(const hd_type *type)
{
	GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < type->enumerators->len; i++) {
		hd_enumerator *enumerator = &g_array_index(type->enumerators, hd_enumerator, i);
		g_hash_table_insert(names, (char *)enumerator->name, enumerator);
	}
	return names;
}

static void
learn(GHashTable *map, gint64 from, gint64 to)
{
	if (!g_hash_table_contains(map, &from))
		g_hash_table_insert(map, g_memdup2(&from, sizeof from), g_memdup2(&to, sizeof to));
}

hd_renumber *
hd_renumber_new(const hd_type *old, const hd_type *now)
{
	bool moved = false;
	GHashTable *names = by_name(now);
	hd_renumber *renumber = g_new0(hd_renumber, 1);
	renumber->forward = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	renumber->back = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	for (guint i = 0; i < old->enumerators->len; i++) {
		const hd_enumerator *before = &g_array_index(old->enumerators, hd_enumerator, i);
		const hd_enumerator *after = g_hash_table_lookup(names, before->name);
		if (!after)
			continue;
		moved |= before->value != after->value;
		learn(renumber->forward, before->value, after->value);
		learn(renumber->back, after->value, before->value);
	}
	g_hash_table_unref(names);
	if (!moved)
		g_clear_pointer(&renumber, hd_renumber_free);
	return renumber;
}

void
hd_renumber_free(hd_renumber *renumber)
{
	if (!renumber)
		return;
	g_hash_table_unref(renumber->forward);
	g_hash_table_unref(renumber->back);
	g_free(renumber);
}

static bool
look_up(GHashTable *map, gint64 from, gint64 *to)
{
	const gint64 *found = g_hash_table_lookup(map, &from);
	if (found)
		*to = *found;
	return found != NULL;
}

bool
hd_renumber_forward(const hd_renumber *renumber, gint64 from, gint64 *to)
{
	return look_up(renumber->forward, from, to);
}

bool
hd_renumber_back(const hd_renumber *renumber, gint64 from, gint64 *to)
{
	return look_up(renumber->back, from, to);
}
