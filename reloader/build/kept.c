/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/kept.h"

#include "reloader/build/result.h"

#include <string.h>

typedef struct {
	char *key, *debug_name;
	GHashTable *texts;
	hd_witness *others;
	hd_build_result *result;
	gsize size;
	GList link; /* in order of use */
} entry;

struct hd_kept {
	GHashTable *entries; /* key -> entry *; the key is the entry's */
	GQueue used;	     /* of entry *, the last one first */
	gsize size, most;
};

static void
free_entry(entry *e)
{
	g_hash_table_unref(e->texts);
	hd_witness_free(e->others);
	hd_build_result_free(e->result);
	g_free(e->debug_name);
	g_free(e->key);
	g_free(e);
}

static void
drop(hd_kept *kept, entry *e)
{
	g_queue_unlink(&kept->used, &e->link);
	g_hash_table_remove(kept->entries, e->key);
	kept->size -= e->size;
	free_entry(e);
}

hd_kept *
hd_kept_new(gsize most)
{
	hd_kept *kept = g_new0(hd_kept, 1);
	kept->entries = g_hash_table_new(g_str_hash, g_str_equal);
	kept->most = most;
	return kept;
}

void
hd_kept_clear(hd_kept *kept)
{
	while (kept->used.head)
		drop(kept, kept->used.head->data);
}

void
hd_kept_free(hd_kept *kept)
{
	hd_kept_clear(kept);
	g_hash_table_unref(kept->entries);
	g_free(kept);
}

/* What is kept of a build beside its object counts for a little, too. */
static gsize
size_of(const hd_build_result *result)
{
	return 4096 + (result->object ? g_bytes_get_size(result->object) : 0) + (result->raw ? strlen(result->raw) : 0);
}

void
hd_kept_add(hd_kept *kept, const char *key, const char *debug_name, GHashTable *texts, hd_witness *others,
	    const hd_build_result *result)
{
	entry *before = g_hash_table_lookup(kept->entries, key);
	if (before)
		drop(kept, before);
	entry *e = g_new0(entry, 1);
	*e = (entry){.key = g_strdup(key),
		     .debug_name = g_strdup(debug_name),
		     .texts = texts,
		     .others = others,
		     .result = hd_result_copy(result),
		     .size = size_of(result)};
	e->link.data = e;
	g_hash_table_insert(kept->entries, e->key, e);
	g_queue_push_head_link(&kept->used, &e->link);
	kept->size += e->size;
	while (kept->size > kept->most)
		drop(kept, kept->used.tail->data);
}

static bool
says_the_same(const entry *e, hd_kept_text *text, void *data)
{
	GHashTableIter iter;
	gpointer path, before;
	g_hash_table_iter_init(&iter, e->texts);
	while (g_hash_table_iter_next(&iter, &path, &before)) {
		GBytes *now = text(path, data);
		if (!now || (now != before && !g_bytes_equal(now, before)))
			return false;
	}
	return hd_witness_holds(e->others);
}

hd_build_result *
hd_kept_get(hd_kept *kept, const char *key, const char *debug_name, hd_kept_text *text, void *data)
{
	entry *e = g_hash_table_lookup(kept->entries, key);
	if (!e || g_strcmp0(e->debug_name, debug_name) != 0 || !says_the_same(e, text, data))
		return NULL;
	g_queue_unlink(&kept->used, &e->link);
	g_queue_push_head_link(&kept->used, &e->link);
	return hd_result_copy(e->result);
}
