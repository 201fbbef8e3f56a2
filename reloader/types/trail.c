/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/trail.h"

#include "reloader/types/fields.h"

/* Appends what is at that offset: "[3]", ".pos.x". */
static void
name_offset(GString *text, const hd_type *type, guint64 offset)
{
	for (int depth = 0; depth < HD_TYPE_DEPTH; depth++) {
		guint64 bytes = 0;
		type = hd_type_strip(type);
		const hd_member *found = NULL;
		if (type->kind == HD_TYPE_ARRAY) {
			type = type->target;
			if (!hd_extent_of(type, &bytes) || bytes == 0)
				return;
			g_string_append_printf(text, "[%" G_GUINT64_FORMAT "]", offset / bytes);
			offset %= bytes;
			continue;
		}
		for (guint i = 0; type->members && i < type->members->len; i++) {
			const hd_member *member = &g_array_index(type->members, hd_member, i);
			guint64 begin = member->bit_offset / 8;
			bool inside = begin <= offset && hd_extent_of(member->type, &bytes) &&
				      (offset - begin < bytes || hd_is_flexible(member->type));
			if (inside && !found)
				found = member;
		}
		if (!found)
			return;
		if (found->name)
			g_string_append_printf(text, "%s%s", text->len ? "." : "", found->name);
		offset -= found->bit_offset / 8;
		type = found->type;
	}
}

char *
hd_trail_variable(const hd_root *r)
{
	const hd_unit_variable *v = r->variable;
	char *declared = hd_type_print(r->type, v->name);
	char *file = v->where.file ? g_path_get_basename(v->where.file) : NULL;
	char *text = g_strdup_printf("%s%s%s%s%s%s", v->external ? "" : "static ", declared, v->function ? " of " : "",
				     v->function ? v->function : "", file ? " in " : "", file ? file : "");
	g_free(declared);
	g_free(file);
	return text;
}

static char *
local_text(const hd_local *l)
{
	char *declared = hd_type_print(l->type, l->name), *text = g_strdup_printf("%s of %s", declared, l->function);
	g_free(declared);
	return text;
}

/* The pointer's place in the node; empty when it is the whole node. */
static char *
step_text(const hd_trace *t, guint index, guint64 pointer)
{
	const hd_node *n = hd_node_at(t, index);
	GString *text = g_string_new(NULL);
	guint64 offset = pointer - n->address;
	if (n->kind == HD_NODE_VARIABLE) {
		name_offset(text, g_array_index(t->roots, hd_root, index).type, offset);
	} else if (n->kind == HD_NODE_LOCAL) {
		const hd_local *l = &g_array_index(t->locals, hd_local, n->local);
		if (hd_type_strip(l->type)->kind != HD_TYPE_POINTER)
			name_offset(text, l->type, offset);
	} else if (n->layout != HD_NO_LAYOUT) {
		const hd_layout *layout = &t->all[n->layout];
		if (!layout->flexible && layout->size > 0 && (n->size >= 2 * layout->size)) {
			g_string_append_printf(text, "[%" G_GUINT64_FORMAT "]", offset / layout->size);
			offset %= layout->size;
		}
		if (layout->kind == HD_LAYOUT_OBJECT)
			name_offset(text, layout->type, offset);
	}
	return g_string_free(text, FALSE);
}

/* A way of any length is told by its ends. */
#define STEPS_FIRST 3
#define STEPS_LAST 2

static char *
way_to(const hd_trace *t, guint index, guint64 pointer, bool has_pointer)
{
	GPtrArray *steps = g_ptr_array_new_with_free_func(g_free);
	guint length = 0, i = index;
	for (; hd_node_at(t, i)->parent != HD_NO_NODE; i = hd_node_at(t, i)->parent)
		length++;
	GString *text = g_string_new(NULL);
	const hd_node *first = hd_node_at(t, i);
	char *variable = first->kind == HD_NODE_LOCAL ? local_text(&g_array_index(t->locals, hd_local, first->local))
						      : hd_trail_variable(&g_array_index(t->roots, hd_root, i));
	g_string_append(text, variable);
	g_free(variable);
	if (has_pointer)
		g_ptr_array_add(steps, step_text(t, index, pointer));
	for (i = index; hd_node_at(t, i)->parent != HD_NO_NODE; i = hd_node_at(t, i)->parent, length--) {
		bool told = length <= STEPS_FIRST || steps->len < STEPS_LAST;
		if (told)
			g_ptr_array_add(steps, step_text(t, hd_node_at(t, i)->parent, hd_node_at(t, i)->pointer));
		else if (length == STEPS_FIRST + 1)
			g_ptr_array_add(steps, g_strdup("..."));
	}
	for (i = steps->len; i-- > 0;)
		if (*(char *)steps->pdata[i])
			g_string_append_printf(text, " -> %s", (char *)steps->pdata[i]);
	g_ptr_array_unref(steps);
	return g_string_free(text, FALSE);
}

char *
hd_trace_text(const hd_trace *t, guint index)
{
	return way_to(t, index, 0, false);
}

char *
hd_trail_name(const hd_trace *t, guint layout)
{
	return t->all[layout].type ? hd_type_print(t->all[layout].type, "") : g_strdup("data");
}

bool
hd_trail_refuse(hd_trace *t, guint parent, guint64 pointer, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *what = g_strdup_vprintf(format, ap), *way = way_to(t, parent, pointer, true);
	va_end(ap);
	t->why = g_strdup_printf("`%s` %s", way, what);
	g_free(what);
	g_free(way);
	return false;
}
