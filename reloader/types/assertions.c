/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/assertions.h"

#include "reloader/types/internal.h"

#include <string.h>

typedef struct {
	GHashTable *words;
	GHashTable *said; /* set of char *: the types done */
	GString *out;
	char *unsayable;
	int depth;
} saying;

static bool
is_used(const saying *s, const char *name)
{
	return name && g_hash_table_contains(s->words, name);
}

/* "struct point", or "point" where only a typedef names it; new string, NULL: C has no name for it here. */
static char *
spelling(const hd_type *type)
{
	if (type->function || !type->complete ||
	    g_str_has_prefix(hd_type_tag(type) ? hd_type_tag(type) : "__va", "__va"))
		return NULL;
	return type->name ? g_strdup_printf("%s %s", hd_type_keyword(type), type->name) : g_strdup(type->alias);
}

static void
say_member(saying *s, const char *type, const hd_member *member)
{
	if (member->bit_size) {
		if (!s->unsayable)
			s->unsayable = g_strdup_printf(
				"%s has the bit-field %s, which libtcc may lay out in another way", type, member->name);
		return;
	}
	g_string_append_printf(s->out, "_Static_assert(__builtin_offsetof(%s,%s)==%" G_GUINT64_FORMAT ",\"%s.%s\");\n",
			       type, member->name, member->bit_offset / 8, type, member->name);
	const hd_type *inner = hd_type_strip(member->type);
	guint64 size = hd_type_size(member->type);
	bool open = inner->kind == HD_TYPE_ARRAY && !inner->counted;
	if (size && !open)
		g_string_append_printf(s->out,
				       "_Static_assert(sizeof(((%s*)0)->%s)==%" G_GUINT64_FORMAT ",\"%s.%s\");\n", type,
				       member->name, size, type, member->name);
}

/* Members of anonymous members are the aggregate's own (C11 6.7.2.1). */
static void
say_members(saying *s, const char *name, const hd_type *type, guint64 base)
{
	if (!type->members || ++s->depth > HD_TYPE_DEPTH)
		return;
	for (guint i = 0; i < type->members->len; i++) {
		hd_member member = g_array_index(type->members, hd_member, i);
		member.bit_offset += base;
		if (!member.name)
			say_members(s, name, hd_type_strip(member.type), member.bit_offset);
		else if (is_used(s, member.name))
			say_member(s, name, &member);
	}
	s->depth--;
}

static void
say_enumerators(saying *s, const hd_type *type)
{
	for (guint i = 0; type->enumerators && i < type->enumerators->len; i++) {
		const hd_enumerator *e = &g_array_index(type->enumerators, hd_enumerator, i);
		if (is_used(s, e->name))
			g_string_append_printf(s->out,
					       "_Static_assert((long long)%s==%" G_GINT64_FORMAT "LL,\"%s\");\n",
					       e->name, e->value, e->name);
	}
}

/* Names of the implementation's own (ISO C11, 7.1.3), such as __SOCKADDR_ARG, are types for one compiler and macros for
 * another: where the text has none of that name there is nothing to agree with. */
static bool
is_declared(const saying *s, const hd_type *type)
{
	return type->name || !g_str_has_prefix(type->alias, "__") || strstr(s->out->str, type->alias);
}

static void
say_type(saying *s, const hd_type *type)
{
	bool aggregate = type->kind == HD_TYPE_STRUCT || type->kind == HD_TYPE_UNION;
	char *name = aggregate || type->kind == HD_TYPE_ENUM ? spelling(type) : NULL;
	if (type->kind == HD_TYPE_ENUM && !type->function)
		say_enumerators(s, type);
	if (!name || !g_hash_table_add(s->said, name) || !is_declared(s, type))
		return;
	g_string_append_printf(s->out, "_Static_assert(sizeof(%s)==%" G_GUINT64_FORMAT ",\"%s\");\n", name, type->size,
			       name);
	if (aggregate)
		say_members(s, name, type, 0);
}

/* glibc's __SOCKADDR_ARG: a transparent union of pointers for gcc, which may leave its members out, and a pointer for
 * others; both travel as a pointer. */
static bool
stands_for_a_pointer(const hd_type *type)
{
	bool pointers = type->kind == HD_TYPE_UNION && !type->name && type->alias &&
			g_str_has_prefix(type->alias, "__") && type->size == sizeof(void *);
	for (guint i = 0; pointers && type->members && i < type->members->len; i++)
		pointers = hd_type_strip(g_array_index(type->members, hd_member, i).type)->kind == HD_TYPE_POINTER;
	return pointers;
}

static bool
is_aggregate(const hd_type *type)
{
	type = hd_type_strip(type);
	return type->kind == HD_TYPE_STRUCT || (type->kind == HD_TYPE_UNION && !stands_for_a_pointer(type));
}

static bool
passes_aggregates(const hd_type *function)
{
	bool passes = is_aggregate(function->target);
	for (guint i = 0; function->parameters && i < function->parameters->len && !passes; i++)
		passes = is_aggregate(function->parameters->pdata[i]);
	return passes;
}

bool
hd_unit_passes_aggregates(const hd_unit *unit, GHashTable *words)
{
	GHashTable *unused = g_hash_table_new(NULL, NULL);
	bool passes = false;
	for (guint i = 0; i < unit->functions->len; i++) {
		const hd_function_slot *slot = unit->functions->pdata[i];
		if (!slot->open.name || !g_hash_table_contains(words, slot->open.name))
			g_hash_table_add(unused, slot->type);
	}
	for (guint i = 0; i < unit->types->len && !passes; i++) {
		hd_type *type = unit->types->pdata[i];
		passes = type->kind == HD_TYPE_FUNCTION && !g_hash_table_contains(unused, type) &&
			 passes_aggregates(type);
	}
	g_hash_table_unref(unused);
	return passes;
}

char *
hd_unit_assertions(const hd_unit *unit, GHashTable *words, GString *out)
{
	saying s = {words, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), out, NULL, 0};
	g_string_append(out, "\n# 1 \"" HD_ASSERTIONS_FILE "\"\n");
	for (guint i = 0; i < unit->types->len; i++)
		say_type(&s, g_ptr_array_index(unit->types, i));
	g_hash_table_unref(s.said);
	return s.unsayable;
}
