/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From debugging information entries to the type graph. */
#include "config.h"

#include "reloader/types/internal.h"
#include "reloader/types/sources.h"

#include <dwarf.h>
#include <string.h>

guint64
hd_graph_number(Dwarf_Die *die, unsigned int name, bool *known)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value = 0;
	bool there = dwarf_formudata(dwarf_attr(die, name, &attribute), &value) == 0;
	if (known)
		*known = there;
	return there ? value : 0;
}

bool
hd_graph_flag(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	bool value = false;
	return dwarf_formflag(dwarf_attr_integrate(die, name, &attribute), &value) == 0 && value;
}

const char *
hd_graph_file(hd_unit *unit, Dwarf_Die *die, const char *name)
{
	const char *known = g_hash_table_lookup(unit->files, name);
	if (known)
		return known;
	Dwarf_Die cu;
	Dwarf_Attribute attribute;
	const char *directory = NULL;
	if (dwarf_diecu(die, &cu, NULL, NULL))
		directory = dwarf_formstring(dwarf_attr(&cu, DW_AT_comp_dir, &attribute));
	char *one = hd_source_name(name, directory);
	known = g_string_chunk_insert_const(unit->strings, one);
	g_hash_table_insert(unit->files, g_string_chunk_insert_const(unit->strings, name), (char *)known);
	g_free(one);
	return known;
}

static hd_sources *
sources_of(hd_unit *unit, Dwarf_CU *cu)
{
	hd_sources *sources = g_hash_table_lookup(unit->sources, cu);
	Dwarf_Die die;
	if (!sources && dwarf_cu_die(cu, &die, NULL, NULL, NULL, NULL, NULL, NULL)) {
		sources = hd_sources_new(dwarf_cu_getdwarf(cu), &die);
		g_hash_table_insert(unit->sources, cu, sources);
	}
	return sources;
}

void
hd_graph_where(hd_unit *unit, Dwarf_Die *die, const char **file, int *line, int *column)
{
	Dwarf_Attribute attribute;
	Dwarf_Word index;
	*file = NULL;
	if (dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_file, &attribute), &index) == 0) {
		hd_sources *sources = sources_of(unit, attribute.cu);
		*file = sources ? hd_sources_file(sources, index) : NULL;
	}
	if (dwarf_decl_line(die, line) != 0)
		*line = 0;
	if (column && dwarf_decl_column(die, column) != 0)
		*column = 0;
}

hd_type *
hd_graph_new(hd_unit *unit, hd_type_kind kind)
{
	hd_type *type = g_new0(hd_type, 1);
	type->kind = kind;
	type->target = unit->nothing ? unit->nothing : type;
	g_ptr_array_add(unit->types, type);
	return type;
}

void
hd_type_free(gpointer data)
{
	hd_type *type = data;
	if (type->members)
		g_array_unref(type->members);
	if (type->enumerators)
		g_array_unref(type->enumerators);
	if (type->parameters)
		g_ptr_array_unref(type->parameters);
	if (type->holders)
		g_ptr_array_unref(type->holders);
	g_free(type);
}

void
hd_graph_hold(hd_type *type, const char *function)
{
	type->local = true;
	if (!type->holders)
		type->holders = g_ptr_array_new();
	if (!type->holders->len || type->holders->pdata[type->holders->len - 1] != function)
		g_ptr_array_add(type->holders, (char *)function);
}

hd_type *
hd_graph_type_of(hd_unit *unit, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die target;
	if (!dwarf_attr_integrate(die, DW_AT_type, &attribute))
		return unit->nothing;
	if (!dwarf_formref_die(&attribute, &target))
		return NULL;
	return hd_graph_type(unit, &target);
}

static hd_type_kind
kind_of(int tag)
{
	switch (tag) {
	case DW_TAG_base_type:
		return HD_TYPE_BASE;
	case DW_TAG_pointer_type:
		return HD_TYPE_POINTER;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return HD_TYPE_STRUCT;
	case DW_TAG_union_type:
		return HD_TYPE_UNION;
	case DW_TAG_enumeration_type:
		return HD_TYPE_ENUM;
	case DW_TAG_array_type:
		return HD_TYPE_ARRAY;
	case DW_TAG_subroutine_type:
		return HD_TYPE_FUNCTION;
	case DW_TAG_typedef:
		return HD_TYPE_TYPEDEF;
	case DW_TAG_const_type:
		return HD_TYPE_CONST;
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
	case DW_TAG_immutable_type:
	case DW_TAG_packed_type:
		return HD_TYPE_QUALIFIED;
	default:
		return HD_TYPE_UNKNOWN;
	}
}

/* DW_AT_data_bit_offset counts from the aggregate's start (DWARF 4, 5.5.6);
 * the older DW_AT_bit_offset from the storage unit's most significant bit. */
static guint64
member_offset(Dwarf_Die *die, const hd_member *member)
{
	bool known;
	guint64 bits = hd_graph_number(die, DW_AT_data_bit_offset, &known);
	if (known)
		return bits;
	Dwarf_Attribute attribute;
	guint64 offset = hd_graph_number(die, DW_AT_data_member_location, &known) * 8;
	Dwarf_Op *ops;
	size_t n_ops;
	if (!known && dwarf_attr(die, DW_AT_data_member_location, &attribute) &&
	    dwarf_getlocation(&attribute, &ops, &n_ops) == 0 && n_ops == 1 && ops[0].atom == DW_OP_plus_uconst)
		offset = ops[0].number * 8;
	guint64 from_top = hd_graph_number(die, DW_AT_bit_offset, &known);
	if (!known)
		return offset;
	int storage = dwarf_bytesize(die);
	Dwarf_Die type;
	if (storage < 0 && dwarf_formref_die(dwarf_attr(die, DW_AT_type, &attribute), &type) &&
	    dwarf_peel_type(&type, &type) == 0)
		storage = dwarf_bytesize(&type);
	return offset + (guint64)MAX(storage, 0) * 8 - from_top - member->bit_size;
}

static bool
read_member(hd_unit *unit, hd_type *type, Dwarf_Die *die)
{
	hd_member member = {.name = dwarf_diename(die), .type = hd_graph_type_of(unit, die)};
	if (!member.type)
		return false;
	member.bit_size = hd_graph_number(die, DW_AT_bit_size, NULL);
	member.bit_offset = member_offset(die, &member);
	hd_graph_where(unit, die, &member.file, &member.line, NULL);
	g_array_append_val(type->members, member);
	return true;
}

static void
read_enumerator(hd_type *type, Dwarf_Die *die)
{
	hd_enumerator enumerator = {.name = dwarf_diename(die)};
	Dwarf_Attribute attribute;
	Dwarf_Word word;
	Dwarf_Sword sword;
	if (!dwarf_attr(die, DW_AT_const_value, &attribute) || !enumerator.name)
		return;
	/* DW_FORM_data1 says nothing of the sign; gcc writes negative values as sdata. */
	unsigned int form = dwarf_whatform(&attribute);
	if (form == DW_FORM_sdata || form == DW_FORM_implicit_const) {
		if (dwarf_formsdata(&attribute, &sword) == 0)
			enumerator.value = sword;
	} else if (dwarf_formudata(&attribute, &word) == 0) {
		enumerator.value = (gint64)word;
	}
	g_array_append_val(type->enumerators, enumerator);
}

/* Runs `read` for the children with this tag; false when one is damaged. */
typedef bool child_reader(hd_unit *unit, hd_type *type, Dwarf_Die *child);

static bool
for_children(hd_unit *unit, hd_type *type, Dwarf_Die *die, child_reader *read)
{
	Dwarf_Die child;
	int more = dwarf_child(die, &child);
	while (more == 0) {
		const void *at = child.addr;
		if (!read(unit, type, &child))
			return false;
		more = dwarf_siblingof(&child, &child);
		if (more == 0 && (const char *)child.addr <= (const char *)at)
			return false;
	}
	return more > 0;
}

static bool
aggregate_child(hd_unit *unit, hd_type *type, Dwarf_Die *child)
{
	return dwarf_tag(child) != DW_TAG_member || read_member(unit, type, child);
}

static bool
enumeration_child(hd_unit *unit, hd_type *type, Dwarf_Die *child)
{
	(void)unit;
	if (dwarf_tag(child) == DW_TAG_enumerator)
		read_enumerator(type, child);
	return true;
}

static bool
function_child(hd_unit *unit, hd_type *type, Dwarf_Die *child)
{
	if (dwarf_tag(child) == DW_TAG_unspecified_parameters)
		type->variadic = true;
	if (dwarf_tag(child) != DW_TAG_formal_parameter)
		return true;
	hd_type *parameter = hd_graph_type_of(unit, child);
	if (parameter)
		g_ptr_array_add(type->parameters, parameter);
	return parameter != NULL;
}

/* One subrange for each dimension, the outermost first; nodes for the inner ones. */
static bool
array_child(hd_unit *unit, hd_type *type, Dwarf_Die *child)
{
	if (dwarf_tag(child) != DW_TAG_subrange_type && dwarf_tag(child) != DW_TAG_enumeration_type)
		return true;
	hd_type *dimension = type;
	if (type->complete) {
		int n = 1;
		for (; dimension->target->dimension; n++)
			dimension = dimension->target;
		if (n > HD_TYPE_DEPTH / 2)
			return false;
		hd_type *inner = hd_graph_new(unit, HD_TYPE_ARRAY);
		inner->target = dimension->target;
		inner->dimension = true;
		dimension->target = inner;
		dimension = inner;
	}
	type->complete = dimension->complete = true;
	bool known;
	dimension->count = hd_graph_number(child, DW_AT_count, &dimension->counted);
	if (dimension->counted)
		return true;
	guint64 last = hd_graph_number(child, DW_AT_upper_bound, &known);
	dimension->counted = known;
	dimension->count = known ? last + 1 : 0;
	return true;
}

static bool
fill_aggregate(hd_unit *unit, hd_type *type, Dwarf_Die *die)
{
	type->complete = !hd_graph_flag(die, DW_AT_declaration);
	type->members = g_array_new(FALSE, FALSE, sizeof(hd_member));
	return for_children(unit, type, die, aggregate_child);
}

bool
hd_graph_function(hd_unit *unit, hd_type *type, Dwarf_Die *die)
{
	type->prototyped = hd_graph_flag(die, DW_AT_prototyped);
	type->parameters = g_ptr_array_new();
	hd_type *result = hd_graph_type_of(unit, die);
	type->target = result ? result : unit->nothing;
	return result && for_children(unit, type, die, function_child);
}

static void
name_anonymous(hd_type *typedefd)
{
	hd_type *target = typedefd->target;
	if ((target->kind != HD_TYPE_STRUCT && target->kind != HD_TYPE_UNION && target->kind != HD_TYPE_ENUM) ||
	    !typedefd->name)
		return;
	if (target->alias && target->alias_line <= typedefd->line)
		return;
	target->alias = typedefd->name;
	target->alias_line = typedefd->line;
}

static bool
fill(hd_unit *unit, hd_type *type, Dwarf_Die *die)
{
	type->name = dwarf_diename(die);
	hd_graph_where(unit, die, &type->file, &type->line, NULL);
	type->size = hd_graph_number(die, DW_AT_byte_size, NULL);
	if (type->kind != HD_TYPE_FUNCTION) {
		hd_type *target = hd_graph_type_of(unit, die);
		if (!target)
			return false;
		type->target = target;
	}
	switch (type->kind) {
	case HD_TYPE_BASE:
		type->encoding = (guint)hd_graph_number(die, DW_AT_encoding, NULL);
		return true;
	case HD_TYPE_STRUCT:
	case HD_TYPE_UNION:
		return fill_aggregate(unit, type, die);
	case HD_TYPE_ENUM:
		type->complete = !hd_graph_flag(die, DW_AT_declaration);
		type->enumerators = g_array_new(FALSE, FALSE, sizeof(hd_enumerator));
		return for_children(unit, type, die, enumeration_child);
	case HD_TYPE_ARRAY:
		type->vector = hd_graph_flag(die, DW_AT_GNU_vector);
		return for_children(unit, type, die, array_child);
	case HD_TYPE_FUNCTION:
		return hd_graph_function(unit, type, die);
	case HD_TYPE_TYPEDEF:
		name_anonymous(type);
		return true;
	default:
		return true;
	}
}

hd_type *
hd_graph_type(hd_unit *unit, Dwarf_Die *die)
{
	hd_type *type = g_hash_table_lookup(unit->nodes, die->addr);
	if (type)
		return type;
	type = hd_graph_new(unit, kind_of(dwarf_tag(die)));
	g_hash_table_insert(unit->nodes, die->addr, type);
	g_array_append_val(unit->unfilled, ((hd_unfilled){.type = type, .die = *die}));
	return type;
}

bool
hd_graph_finish(hd_unit *unit)
{
	while (unit->unfilled->len > 0) {
		hd_unfilled next = g_array_index(unit->unfilled, hd_unfilled, unit->unfilled->len - 1);
		g_array_set_size(unit->unfilled, unit->unfilled->len - 1);
		if (!fill(unit, next.type, &next.die))
			return false;
	}
	return true;
}
