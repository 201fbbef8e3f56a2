/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types as text: for people, and as shapes that are equal when two types can
 * share memory.
 *
 * A shape says kinds and sizes, tags, and a digest of the layout of everything
 * reached by value; of what is reached through a pointer only the name. What
 * compilers and optimisation levels say differently (names of base types,
 * typedefs, order of entries) is not in it. */
#include "config.h"

#include "reloader/types/internal.h"

#include <dwarf.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

const hd_type *
hd_type_strip(const hd_type *type)
{
	for (int i = 0; i < HD_TYPE_DEPTH; i++) {
		if (type->kind != HD_TYPE_TYPEDEF && type->kind != HD_TYPE_CONST && type->kind != HD_TYPE_QUALIFIED)
			return type;
		type = type->target;
	}
	return type;
}

guint64
hd_type_size(const hd_type *type)
{
	guint64 count = 1;
	for (int i = 0; i < HD_TYPE_DEPTH; i++) {
		type = hd_type_strip(type);
		if (type->kind == HD_TYPE_POINTER)
			return count * 8;
		if (type->kind != HD_TYPE_ARRAY)
			return count * type->size;
		if (type->vector && type->size > 0)
			return count * type->size;
		if (type->count > 0 && count > G_MAXINT64 / type->count)
			return 0;
		count *= type->count;
		type = type->target;
	}
	return 0;
}

bool
hd_type_is_const(const hd_type *type)
{
	for (int i = 0; i < HD_TYPE_DEPTH; i++) {
		if (type->kind == HD_TYPE_CONST)
			return true;
		if (type->kind != HD_TYPE_TYPEDEF && type->kind != HD_TYPE_QUALIFIED && type->kind != HD_TYPE_ARRAY)
			return false;
		type = type->target;
	}
	return false;
}

const char *
hd_type_keyword(const hd_type *type)
{
	switch (type->kind) {
	case HD_TYPE_STRUCT:
		return "struct";
	case HD_TYPE_UNION:
		return "union";
	case HD_TYPE_ENUM:
		return "enum";
	default:
		return "";
	}
}

const char *
hd_type_tag(const hd_type *type)
{
	return type->name ? type->name : type->alias;
}

const char *
hd_base_code(const hd_type *type)
{
	switch (type->encoding) {
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		return "int";
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return "unsigned";
	case DW_ATE_boolean:
		return "bool";
	case DW_ATE_float:
		return "float";
	case DW_ATE_complex_float:
		return "complex";
	case DW_ATE_decimal_float:
		return "decimal";
	default:
		return "other";
	}
}

/* ---- for people ---- */

/* gcc and clang spell base types in their own ways; C programmers in this one. */
static const char *
base_name(const char *name)
{
	static const char *const names[][2] = {
		{"long int", "long"},
		{"short int", "short"},
		{"long long int", "long long"},
		{"short unsigned int", "unsigned short"},
		{"long unsigned int", "unsigned long"},
		{"long long unsigned int", "unsigned long long"},
	};
	for (gsize i = 0; name && i < G_N_ELEMENTS(names); i++)
		if (strcmp(name, names[i][0]) == 0)
			return names[i][1];
	return name ? name : "?";
}

static void print(GString *out, const hd_type *type, const char *declarator, int depth);

static void
print_parameters(GString *out, const hd_type *function, int depth)
{
	g_string_append_c(out, '(');
	for (guint i = 0; i < function->parameters->len; i++) {
		g_string_append(out, i ? ", " : "");
		print(out, function->parameters->pdata[i], "", depth + 1);
	}
	if (function->variadic && function->prototyped)
		g_string_append(out, ", ...");
	else if (function->parameters->len == 0 && function->prototyped)
		g_string_append(out, "void");
	g_string_append_c(out, ')');
}

/* A pointer's declarator, around which its target's is written. */
static char *
pointer_declarator(const hd_type *pointer, const char *qualifier, const char *declarator)
{
	const hd_type *target = pointer->target;
	while (target->kind == HD_TYPE_CONST || target->kind == HD_TYPE_QUALIFIED) {
		if (target->target == target)
			break;
		target = target->target;
	}
	bool wrap = target->kind == HD_TYPE_ARRAY || target->kind == HD_TYPE_FUNCTION;
	return g_strdup_printf(wrap ? "(*%s%s)" : "*%s%s", qualifier, declarator);
}

static void
print_named(GString *out, const hd_type *type, const char *declarator)
{
	switch (type->kind) {
	case HD_TYPE_VOID:
		g_string_append(out, "void");
		break;
	case HD_TYPE_BASE:
		g_string_append(out, base_name(type->name));
		break;
	case HD_TYPE_STRUCT:
	case HD_TYPE_UNION:
	case HD_TYPE_ENUM:
		if (type->name)
			g_string_append_printf(out, "%s %s", hd_type_keyword(type), type->name);
		else if (type->alias)
			g_string_append(out, type->alias);
		else
			g_string_append_printf(out, "%s {...}", hd_type_keyword(type));
		break;
	default:
		g_string_append(out, type->name ? type->name : "?");
	}
	if (*declarator)
		g_string_append_printf(out, " %s", declarator);
}

static void
print(GString *out, const hd_type *type, const char *declarator, int depth)
{
	char *inner = NULL;
	GString *function = NULL;
	if (depth > HD_TYPE_DEPTH || out->len > 4096 || strlen(declarator) > 4096) {
		g_string_append(out, "...");
		return;
	}
	switch (type->kind) {
	case HD_TYPE_POINTER:
		inner = pointer_declarator(type, "", declarator);
		break;
	case HD_TYPE_CONST:
		if (type->target->kind == HD_TYPE_POINTER) {
			inner = pointer_declarator(type->target, *declarator ? "const " : "const", declarator);
			type = type->target;
		} else {
			/* gcc says it of an array and of its elements. */
			if (type->target->kind != HD_TYPE_ARRAY || !hd_type_is_const(type->target))
				g_string_append(out, "const ");
			inner = g_strdup(declarator);
		}
		break;
	case HD_TYPE_QUALIFIED:
		inner = g_strdup(declarator);
		break;
	case HD_TYPE_ARRAY:
		inner = type->counted ? g_strdup_printf("%s[%" G_GUINT64_FORMAT "]", declarator, type->count)
				      : g_strdup_printf("%s[]", declarator);
		break;
	case HD_TYPE_FUNCTION:
		function = g_string_new(declarator);
		print_parameters(function, type, depth);
		inner = g_string_free(function, FALSE);
		break;
	default:
		print_named(out, type, declarator);
		return;
	}
	print(out, type->target, inner, depth + 1);
	g_free(inner);
}

char *
hd_type_print(const hd_type *type, const char *declarator)
{
	GString *out = g_string_new(NULL);
	print(out, type, declarator, 0);
	return g_string_free(out, FALSE);
}

/* ---- shapes ---- */

/* Types that refer to each other without names could go on for ever. */
#define SHAPE_MOST (1 << 20)

static void by_value(hd_unit *unit, GString *out, const hd_type *type, int depth);
static void by_name(hd_unit *unit, GString *out, const hd_type *type, int depth);

static void
function_shape(hd_unit *unit, GString *out, const hd_type *function, int depth)
{
	by_value(unit, out, function->target, depth + 1);
	g_string_append_c(out, '(');
	for (guint i = 0; i < function->parameters->len; i++) {
		by_value(unit, out, function->parameters->pdata[i], depth + 1);
		g_string_append_c(out, ',');
	}
	g_string_append(out, !function->prototyped ? "?)" : function->variadic ? "...)" : ")");
}

static void
layout(hd_unit *unit, GString *out, const hd_type *type, int depth)
{
	for (guint i = 0; i < type->members->len; i++) {
		const hd_member *member = &g_array_index(type->members, hd_member, i);
		g_string_append_printf(out, "%s@%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT " ",
				       member->name ? member->name : "", member->bit_offset, member->bit_size);
		by_value(unit, out, member->type, depth + 1);
		g_string_append_c(out, ';');
	}
	g_string_append_printf(out, "%" G_GUINT64_FORMAT, type->size);
}

/* The digest is kept, so that a graph of shared types is read once, not once a path. */
static const char *
digest_of(hd_unit *unit, hd_type *type, int depth)
{
	if (type->digest || type->visiting || !type->complete)
		return type->digest ? type->digest : "?";
	type->visiting = true;
	GString *text = g_string_new(NULL);
	layout(unit, text, type, depth);
	XXH128_hash_t hash = XXH3_128bits(text->str, text->len);
	type->visiting = false;
	g_string_printf(text, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64)hash.high64,
			(guint64)hash.low64);
	type->digest = g_string_chunk_insert_const(unit->strings, text->str);
	g_string_free(text, TRUE);
	return type->digest;
}

static void
by_value(hd_unit *unit, GString *out, const hd_type *type, int depth)
{
	type = hd_type_strip(type);
	if (depth > HD_TYPE_DEPTH || out->len > SHAPE_MOST) {
		g_string_append_c(out, '?');
		return;
	}
	switch (type->kind) {
	case HD_TYPE_BASE:
		g_string_append_printf(out, "%s%" G_GUINT64_FORMAT, hd_base_code(type), type->size);
		break;
	case HD_TYPE_POINTER:
		g_string_append_c(out, '*');
		by_name(unit, out, type->target, depth + 1);
		break;
	case HD_TYPE_STRUCT:
	case HD_TYPE_UNION:
		g_string_append_printf(out, "%s %s{%s}", hd_type_keyword(type),
				       hd_type_tag(type) ? hd_type_tag(type) : "",
				       digest_of(unit, (hd_type *)type, depth));
		break;
	case HD_TYPE_ENUM:
		g_string_append_printf(out, "enum %s:%" G_GUINT64_FORMAT, hd_type_tag(type) ? hd_type_tag(type) : "",
				       type->size);
		break;
	case HD_TYPE_ARRAY:
		g_string_append_printf(out, "%s[%" G_GUINT64_FORMAT "]", type->vector ? "v" : "", type->count);
		by_value(unit, out, type->target, depth + 1);
		break;
	case HD_TYPE_FUNCTION:
		function_shape(unit, out, type, depth);
		break;
	case HD_TYPE_VOID:
		g_string_append_c(out, 'v');
		break;
	default:
		g_string_append_printf(out, "%s?", type->name ? type->name : "");
	}
}

static void
by_name(hd_unit *unit, GString *out, const hd_type *type, int depth)
{
	const hd_type *bare = hd_type_strip(type);
	const char *keyword = hd_type_keyword(bare);
	if (*keyword && hd_type_tag(bare))
		g_string_append_printf(out, "%s %s", keyword, hd_type_tag(bare));
	else
		by_value(unit, out, bare, depth + 1);
}

char *
hd_type_shape(hd_unit *unit, const hd_type *type)
{
	GString *out = g_string_new(NULL);
	by_value(unit, out, type, 0);
	return g_string_free(out, FALSE);
}
