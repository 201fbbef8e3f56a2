/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb's JIT interface (gdb manual, "Registering Code"), written from outside:
 * the agent exports the descriptor, the list's nodes lie in the data arena of
 * the first object, and a commit writes both. gdb reads them when it attaches;
 * it cannot be attached while we write. */
#include "config.h"

#include "reloader/target/private.h"

#include <stddef.h>
#include <string.h>

/* struct jit_descriptor, x86-64 layout. */
typedef struct {
	guint32 version, action;
	guint64 relevant, first;
} descriptor;

static guint64
new_node(hd_target *target)
{
	guint64 node = 0;
	if (target->jit_spares->len > 0) {
		node = g_array_index(target->jit_spares, guint64, target->jit_spares->len - 1);
		g_array_set_size(target->jit_spares, target->jit_spares->len - 1);
		return node;
	}
	const GPtrArray *objects = target->objects ? target->objects : hd_target_objects(target, NULL);
	if (!objects || objects->len == 0 ||
	    !hd_target_arena(target, g_ptr_array_index(objects, 0), HD_ARENA_DATA, sizeof(hd_jit_entry), 8, &node, NULL,
			     NULL))
		return 0;
	return node;
}

bool
hd_target_jit_add(hd_target *target, hd_commit *commit, guint64 image, gsize size, guint64 *handle)
{
	hd_jit_added added = {.image = image, .size = size};
	if (!target->jit_descriptor || !(added.node = new_node(target)))
		return false;
	g_array_append_val(commit->jit_added, added);
	*handle = added.node;
	return true;
}

bool
hd_target_jit_remove(hd_target *target, hd_commit *commit, guint64 handle)
{
	if (!target->jit_descriptor || !handle)
		return false;
	g_array_append_val(commit->jit_gone, handle);
	return true;
}

static void
append_write(GArray *writes, guint64 address, const void *bytes, gsize size)
{
	hd_write write = {address, g_bytes_new(bytes, size), NULL, HD_WRITE_ALWAYS};
	g_array_append_val(writes, write);
}

static bool
holds(const GArray *list, guint64 node)
{
	for (guint i = 0; i < list->len; i++)
		if (g_array_index(list, guint64, i) == node)
			return true;
	return false;
}

static guint64
node_at(const GArray *list, guint index)
{
	return index < list->len ? g_array_index(list, guint64, index) : 0;
}

/* The links that are not as they were. What stays keeps its order. */
static void
relink(const GArray *was, const GArray *nodes, GArray *writes)
{
	guint old = 0;
	for (guint i = 0; i < nodes->len; i++) {
		guint64 node = node_at(nodes, i);
		guint64 links[2] = {node_at(nodes, i + 1), node_at(nodes, i - 1)};
		while (old < was->len && node_at(was, old) != node && !holds(nodes, node_at(was, old)))
			old++;
		bool stays = node_at(was, old) == node;
		if (!stays || node_at(was, old + 1) != links[0] || node_at(was, old - 1) != links[1])
			append_write(writes, node, links, sizeof links);
		old += stays;
	}
}

GArray *
hd_jit_prepare(hd_target *target, const hd_commit *commit, GArray *writes)
{
	GArray *nodes = g_array_new(false, false, sizeof(guint64));
	for (guint i = 0; i < target->jit_nodes->len; i++)
		if (!holds(commit->jit_gone, g_array_index(target->jit_nodes, guint64, i)))
			g_array_append_val(nodes, g_array_index(target->jit_nodes, guint64, i));
	for (guint i = 0; i < commit->jit_added->len; i++) {
		const hd_jit_added *added = &g_array_index(commit->jit_added, hd_jit_added, i);
		if (holds(commit->jit_gone, added->node))
			continue;
		guint64 image[2] = {added->image, added->size};
		append_write(writes, added->node + offsetof(hd_jit_entry, image), image, sizeof image);
		g_array_append_val(nodes, added->node);
	}
	if (commit->jit_added->len + commit->jit_gone->len == 0)
		return nodes;
	relink(target->jit_nodes, nodes, writes);
	descriptor head = {.version = 1, .first = nodes->len ? g_array_index(nodes, guint64, 0) : 0};
	append_write(writes, target->jit_descriptor, &head, sizeof head);
	return nodes;
}

void
hd_jit_committed(hd_target *target, const hd_commit *commit, GArray *nodes)
{
	g_array_append_vals(target->jit_spares, commit->jit_gone->data, commit->jit_gone->len);
	g_array_set_size(target->jit_nodes, 0);
	g_array_append_vals(target->jit_nodes, nodes->data, nodes->len);
}
