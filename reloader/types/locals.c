/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/locals.h"

#include "reloader/types/internal.h"

#include <dwarf.h>

/* No honest list has more. */
#define MOST_PARTS 100000

typedef struct {
	hd_unit *unit;
	const hd_local_entry *entry;
	const hd_scope *scope;
} reader;

/* ---- one location ---- */

/* An expression that is one register with an offset, or DW_OP_call_frame_cfa. */
static bool
read_base(const Dwarf_Op *op, size_t count, hd_unit_local *out)
{
	if (count != 1)
		return false;
	out->offset = 0;
	if (op->atom == DW_OP_call_frame_cfa) {
		out->place = HD_LOCAL_AT_CFA;
	} else if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg15) {
		out->place = HD_LOCAL_IN_REGISTER;
		out->reg = op->atom - DW_OP_reg0;
	} else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg15) {
		out->place = HD_LOCAL_AT_REGISTER;
		out->reg = op->atom - DW_OP_breg0;
		out->offset = (gint64)op->number;
	} else {
		return false;
	}
	return true;
}

/* The function's DW_AT_frame_base: a register's name stands for what it has. */
static bool
read_frame_base(const reader *r, guint64 pc, hd_unit_local *out)
{
	Dwarf_Die die = g_array_index(r->unit->scopes, hd_scope, r->scope->function).die;
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;
	if (!dwarf_attr(&die, DW_AT_frame_base, &attribute) ||
	    dwarf_getlocation_addr(&attribute, pc, &ops, &count, 1) != 1 || !read_base(ops, count, out))
		return false;
	if (out->place == HD_LOCAL_IN_REGISTER)
		out->place = HD_LOCAL_AT_REGISTER;
	return true;
}

static bool
read_location(const reader *r, guint64 pc, const Dwarf_Op *op, size_t count, hd_unit_local *out)
{
	if (count != 1 || op->atom != DW_OP_fbreg)
		return read_base(op, count, out);
	bool good = read_frame_base(r, pc, out);
	out->offset += (gint64)op->number;
	return good;
}

/* ---- where it holds ---- */

static void
append(const reader *r, guint64 low, guint64 high, hd_unit_local *local)
{
	hd_unit *unit = r->unit;
	if (high <= low || (!unit->object && (low < unit->low || high > unit->high)))
		return;
	local->section = unit->object ? hd_section_of(low) : 0;
	local->start = unit->object ? hd_offset_of(low) : low;
	local->end = local->start + (high - low);
	g_array_append_val(unit->locals, *local);
}

/* One place wherever its scope has code. */
static void
append_scope(const reader *r, const Dwarf_Op *ops, size_t count, hd_unit_local *local)
{
	Dwarf_Die die = r->scope->die;
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	for (guint i = 0; i < MOST_PARTS && (at = dwarf_ranges(&die, at, &base, &low, &high)) > 0; i++)
		if (low < high && read_location(r, low, ops, count, local))
			append(r, low, high, local);
}

static void
read_entry(const reader *r)
{
	Dwarf_Die die = r->entry->die;
	Dwarf_Attribute attribute;
	Dwarf_Addr base, low, high;
	Dwarf_Op *ops;
	size_t count;
	ptrdiff_t at = 0;
	hd_unit_local local = {.name = r->entry->name, .function = r->entry->function, .type = r->entry->type};
	if (!dwarf_attr(&die, DW_AT_location, &attribute))
		return;
	for (guint i = 0; i < MOST_PARTS; i++) {
		at = dwarf_getlocations(&attribute, at, &base, &low, &high, &ops, &count);
		if (at <= 0)
			return;
		if (low == 0 && high == (Dwarf_Addr)-1)
			append_scope(r, ops, count, &local);
		else if (low < high && read_location(r, low, ops, count, &local))
			append(r, low, high, &local);
	}
}

/* ---- all ---- */

static bool
may_point(const hd_type *type)
{
	type = hd_type_strip(type);
	return type->kind == HD_TYPE_POINTER || type->kind == HD_TYPE_STRUCT || type->kind == HD_TYPE_UNION ||
	       type->kind == HD_TYPE_ARRAY;
}

static gint
by_place(gconstpointer a, gconstpointer b)
{
	const hd_unit_local *x = a, *y = b;
	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

const GArray *
hd_unit_locals(const hd_unit *unit)
{
	hd_unit *own = (hd_unit *)unit;
	if (own->locals)
		return own->locals;
	own->locals = g_array_new(FALSE, FALSE, sizeof(hd_unit_local));
	for (guint i = 0; i < own->local_entries->len; i++) {
		const hd_local_entry *entry = &g_array_index(own->local_entries, hd_local_entry, i);
		if (may_point(entry->type))
			read_entry(&(reader){own, entry, &g_array_index(own->scopes, hd_scope, entry->scope)});
	}
	g_array_sort(own->locals, by_place);
	return own->locals;
}
