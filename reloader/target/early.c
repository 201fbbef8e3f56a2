/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks of the heap that are none of the program's objects, as long as they
 * hold what they held: those that were there before its main, the loader's and
 * the C library's own; and those that objects of another shape have left. */
#include "config.h"

#include "reloader/target/private.h"

#include <xxhash.h>

#define MOST_BYTES ((gsize)64 * 1024) /* a larger one is not remembered */

typedef struct {
	gsize size;
	guint64 content;
} early_block;

typedef struct {
	hd_target *target;
	pid_t reader;
} noting;

static bool
content_of(pid_t reader, guint64 start, gsize size, guint64 *out)
{
	guint8 *bytes = g_malloc(size + 1);
	bool good = hd_memory_read(reader, start, bytes, size);
	if (good)
		*out = XXH3_64bits(bytes, size);
	g_free(bytes);
	return good;
}

static void
note(guint64 start, gsize size, void *data)
{
	const noting *n = data;
	early_block block = {.size = size};
	if (size <= MOST_BYTES && content_of(n->reader, start, size, &block.content))
		g_hash_table_insert(n->target->early, GSIZE_TO_POINTER(start), g_memdup2(&block, sizeof block));
}

void
hd_early_note(hd_target *target)
{
	noting n = {target, target->pid};
	target->early = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	target->made = g_hash_table_new(NULL, NULL);
	if (!target->allocator || !target->allocator->glibc)
		return;
	hd_heap *heap = hd_heap_read(target->allocator, target->pid);
	hd_heap_each(heap, note, &n);
	hd_heap_free(heap);
}

void
hd_early_leave(hd_target *target, guint64 start, gsize size)
{
	guint8 *zeroes = g_malloc0(size + 1);
	early_block block = {size, XXH3_64bits(zeroes, size)};
	g_hash_table_insert(target->early, GSIZE_TO_POINTER(start), g_memdup2(&block, sizeof block));
	g_free(zeroes);
}

void
hd_early_make(hd_target *target, guint64 start, gsize asked)
{
	g_hash_table_insert(target->made, GSIZE_TO_POINTER(start), GSIZE_TO_POINTER(asked));
}

/* It may have been freed since, and be another block by now: one that is as large. */
gsize
hd_early_asked(const hd_target *target, guint64 start, gsize usable)
{
	gsize asked = target->made ? GPOINTER_TO_SIZE(g_hash_table_lookup(target->made, GSIZE_TO_POINTER(start))) : 0;
	return asked && asked <= usable && usable - asked < 32 ? asked : usable;
}

bool
hd_early_has(const hd_target *target, pid_t reader, guint64 start, gsize size)
{
	const early_block *block = target->early ? g_hash_table_lookup(target->early, GSIZE_TO_POINTER(start)) : NULL;
	guint64 content;
	return block && block->size == size && content_of(reader, start, size, &content) && content == block->content;
}
