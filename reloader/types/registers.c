/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the System V x86-64 psABI passes a function's parameters and result
 * (3.2.3): whether all of them travel in registers. Where in doubt, they do not. */
#include "config.h"

#include "reloader/types/internal.h"

#include <dwarf.h>

typedef enum { CLASS_NONE, CLASS_SSE, CLASS_INTEGER } value_class;

/* A value being classified. What travels in registers takes few steps. */
typedef struct {
	value_class eightbytes[2];
	guint steps;
} passing;

static bool classify(const hd_type *type, guint64 bit_offset, guint64 bit_size, passing *to, int depth);

static bool
mark(guint64 first_bit, guint64 bits, value_class with, passing *to)
{
	if (bits == 0)
		return true;
	if (first_bit >= 128 || bits > 128 - first_bit)
		return false;
	for (guint64 i = first_bit / 64; i <= (first_bit + bits - 1) / 64; i++)
		to->eightbytes[i] = MAX(to->eightbytes[i], with); /* INTEGER wins over SSE */
	return true;
}

static bool
classify_base(const hd_type *type, guint64 bit_offset, guint64 bit_size, passing *to)
{
	guint64 size = type->size;
	switch (type->encoding) {
	case DW_ATE_float:
		if (size != 4 && size != 8)
			return false; /* long double: x87; __float128: a pair that this does not model */
		return bit_offset % (size * 8) == 0 && mark(bit_offset, size * 8, CLASS_SSE, to);
	case DW_ATE_complex_float:
		if (size != 8 && size != 16)
			return false;
		return bit_offset % (size * 4) == 0 && mark(bit_offset, size * 8, CLASS_SSE, to);
	case DW_ATE_decimal_float:
		return false;
	default:
		if (bit_size > 0)
			return mark(bit_offset, bit_size, CLASS_INTEGER, to);
		return size > 0 && size <= 16 && bit_offset % (size * 8) == 0 &&
		       mark(bit_offset, size * 8, CLASS_INTEGER, to);
	}
}

static bool
classify_members(const hd_type *type, guint64 bit_offset, passing *to, int depth)
{
	if (!type->complete || type->size > 16)
		return false;
	for (guint i = 0; i < type->members->len; i++) {
		const hd_member *member = &g_array_index(type->members, hd_member, i);
		if (!classify(member->type, bit_offset + member->bit_offset, member->bit_size, to, depth + 1))
			return false;
	}
	return true;
}

/* false: in memory, or nothing that this knows. An unaligned field puts all in memory. */
static bool
classify(const hd_type *type, guint64 bit_offset, guint64 bit_size, passing *to, int depth)
{
	type = hd_type_strip(type);
	if (depth > 16 || to->steps++ > 500)
		return false;
	switch (type->kind) {
	case HD_TYPE_BASE:
		return classify_base(type, bit_offset, bit_size, to);
	case HD_TYPE_POINTER:
		return bit_offset % 64 == 0 && mark(bit_offset, 64, CLASS_INTEGER, to);
	case HD_TYPE_ENUM:
		return (bit_size > 0 || (type->size > 0 && bit_offset % (type->size * 8) == 0)) &&
		       mark(bit_offset, bit_size ? bit_size : type->size * 8, CLASS_INTEGER, to);
	case HD_TYPE_STRUCT:
	case HD_TYPE_UNION:
		return classify_members(type, bit_offset, to, depth);
	case HD_TYPE_ARRAY:
		if (type->vector || type->count > 16)
			return false;
		for (guint64 i = 0; i < type->count; i++)
			if (!classify(type->target, bit_offset + i * hd_type_size(type->target) * 8, 0, to, depth + 1))
				return false;
		return true;
	default:
		return false;
	}
}

/* Adds a value's registers to the counts. */
static bool
count_registers(const hd_type *type, guint *general, guint *sse)
{
	passing value = {0};
	if (!classify(type, 0, 0, &value, 0))
		return false;
	for (int i = 0; i < 2; i++) {
		*general += value.eightbytes[i] == CLASS_INTEGER;
		*sse += value.eightbytes[i] == CLASS_SSE;
	}
	return true;
}

bool
hd_type_in_registers(const hd_type *function, guint *result_general, guint *result_sse)
{
	guint general = 0, sse = 0;
	*result_general = *result_sse = 0;
	const hd_type *result = hd_type_strip(function->target);
	if (function->variadic)
		return false;
	if (result->kind != HD_TYPE_VOID && !count_registers(result, result_general, result_sse))
		return false;
	for (guint i = 0; i < function->parameters->len; i++)
		if (!count_registers(function->parameters->pdata[i], &general, &sse))
			return false;
	return general <= 6 && sse <= 8;
}
