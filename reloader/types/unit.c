/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/unit.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/types/internal.h"
#include "reloader/types/sources.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

static hd_unit *
unit_new(Dwarf *dwarf)
{
	hd_unit *unit = g_new0(hd_unit, 1);
	unit->dwarf = dwarf;
	unit->cus = g_array_new(FALSE, FALSE, sizeof(Dwarf_Die));
	unit->types = g_ptr_array_new_with_free_func(hd_type_free);
	unit->nodes = g_hash_table_new(NULL, NULL);
	unit->unfilled = g_array_new(FALSE, FALSE, sizeof(hd_unfilled));
	unit->variables = g_ptr_array_new_with_free_func(g_free);
	unit->functions = g_ptr_array_new_with_free_func(g_free);
	unit->variable_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	unit->function_index = g_hash_table_new(g_str_hash, g_str_equal);
	unit->by_address = g_ptr_array_new();
	unit->sources = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)hd_sources_free);
	unit->files = g_hash_table_new(g_str_hash, g_str_equal);
	unit->strings = g_string_chunk_new(4096);
	unit->scopes = g_array_new(FALSE, FALSE, sizeof(hd_scope));
	unit->local_entries = g_array_new(FALSE, FALSE, sizeof(hd_local_entry));
	unit->nothing = hd_graph_new(unit, HD_TYPE_VOID);
	return unit;
}

void
hd_unit_free(hd_unit *unit)
{
	if (!unit)
		return;
	g_array_unref(unit->cus);
	g_ptr_array_unref(unit->types);
	g_hash_table_unref(unit->nodes);
	g_array_unref(unit->unfilled);
	g_ptr_array_unref(unit->variables);
	g_ptr_array_unref(unit->functions);
	g_hash_table_unref(unit->variable_index);
	g_hash_table_unref(unit->function_index);
	g_ptr_array_unref(unit->by_address);
	g_hash_table_unref(unit->sources);
	g_hash_table_unref(unit->files);
	g_string_chunk_free(unit->strings);
	g_array_unref(unit->scopes);
	g_array_unref(unit->local_entries);
	g_clear_pointer(&unit->locals, g_array_unref);
	hd_relocated_free(unit->object);
	g_free(unit);
}

/* ---- putting in order what the walk found ---- */

static int
by_source(const hd_variable_slot *a, const hd_variable_slot *b)
{
	int difference = g_strcmp0(a->open.function, b->open.function);
	if (difference == 0)
		difference = strcmp(a->open.name, b->open.name);
	if (difference == 0)
		difference = a->open.where.line - b->open.where.line;
	if (difference == 0)
		difference = a->open.where.column - b->open.where.column;
	if (difference == 0)
		difference = (a->order > b->order) - (a->order < b->order);
	return difference;
}

static gint
compare_by_source(gconstpointer a, gconstpointer b)
{
	return by_source(*(hd_variable_slot *const *)a, *(hd_variable_slot *const *)b);
}

static gint
compare_by_address(gconstpointer a, gconstpointer b)
{
	const hd_unit_variable *x = *(hd_unit_variable *const *)a, *y = *(hd_unit_variable *const *)b;
	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return (x->address > y->address) - (x->address < y->address);
}

/* Two entries for one variable: an instance of each block it was inlined to, or a declaration before the definition. */
static bool
is_same(const hd_variable_slot *kept, const hd_variable_slot *next)
{
	if (g_strcmp0(kept->open.function, next->open.function) != 0 || strcmp(kept->open.name, next->open.name) != 0)
		return false;
	if (kept->open.declaration || next->open.declaration || !kept->open.function)
		return true;
	if (kept->open.located && next->open.located)
		return kept->open.section == next->open.section && kept->open.address == next->open.address;
	return kept->open.where.line == next->open.where.line && kept->open.where.column == next->open.where.column;
}

/* What says more of the variable: a definition, and one with a place. */
static int
weight(const hd_variable_slot *slot)
{
	return (slot->open.declaration ? 0 : 4) + (slot->open.located ? 2 : 0) + (slot->memory ? 1 : 0);
}

static void
merge_variables(hd_unit *unit)
{
	g_ptr_array_sort(unit->variables, compare_by_source);
	GPtrArray *merged = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < unit->variables->len; i++) {
		hd_variable_slot *next = unit->variables->pdata[i];
		hd_variable_slot *kept = merged->len ? merged->pdata[merged->len - 1] : NULL;
		if (!kept || !is_same(kept, next)) {
			g_ptr_array_add(merged, next);
		} else if (weight(next) > weight(kept)) {
			merged->pdata[merged->len - 1] = next;
			g_free(kept);
		} else {
			g_free(next);
		}
	}
	g_ptr_array_set_free_func(unit->variables, NULL);
	g_ptr_array_unref(unit->variables);
	unit->variables = merged;
}

static char *
key_of(const char *function, const char *name, guint ordinal)
{
	return g_strdup_printf("%s/%s#%u", function ? function : "", name, ordinal);
}

static void
finish_variables(hd_unit *unit)
{
	merge_variables(unit);
	const hd_variable_slot *before = NULL;
	for (guint i = 0; i < unit->variables->len; i++) {
		hd_variable_slot *slot = unit->variables->pdata[i];
		hd_unit_variable *variable = &slot->open;
		if (before && g_strcmp0(before->open.function, variable->function) == 0 &&
		    strcmp(before->open.name, variable->name) == 0)
			variable->ordinal = before->open.ordinal + 1;
		before = slot;
		char *text = hd_type_print(slot->type, "");
		variable->type = g_string_chunk_insert_const(unit->strings, text);
		g_free(text);
		text = hd_type_shape(unit, slot->type);
		variable->shape = g_string_chunk_insert_const(unit->strings, text);
		g_free(text);
		variable->size = hd_type_size(slot->type);
		variable->constant = hd_type_is_const(slot->type);
		g_hash_table_insert(unit->variable_index, key_of(variable->function, variable->name, variable->ordinal),
				    slot);
		/* In an image a thread-local's address is an offset, which says nothing beside addresses. */
		if (variable->located && (unit->object || !variable->tls))
			g_ptr_array_add(unit->by_address, slot);
	}
	g_ptr_array_sort(unit->by_address, compare_by_address);
}

static bool
says_more(const hd_unit_function *a, const hd_unit_function *b)
{
	return a->declaration != b->declaration ? !a->declaration : a->located && !b->located;
}

static void
finish_functions(hd_unit *unit)
{
	for (guint i = 0; i < unit->functions->len; i++) {
		hd_function_slot *slot = unit->functions->pdata[i];
		hd_unit_function *function = &slot->open;
		function->prototyped = slot->type->prototyped;
		function->variadic = slot->type->variadic && slot->type->prototyped;
		function->n_parameters = slot->type->parameters->len;
		function->in_registers =
			hd_type_in_registers(slot->type, &function->result_general, &function->result_sse);
		char *text = hd_type_print(slot->type, "");
		function->signature = g_string_chunk_insert_const(unit->strings, text);
		g_free(text);
		text = hd_type_shape(unit, slot->type);
		function->shape = g_string_chunk_insert_const(unit->strings, text);
		g_free(text);
		const hd_function_slot *known = g_hash_table_lookup(unit->function_index, function->name);
		if (!known || says_more(function, &known->open))
			g_hash_table_insert(unit->function_index, (char *)function->name, slot);
	}
}

/* ---- the readers ---- */

static void
read_limits(hd_unit *unit)
{
	Elf *elf = dwarf_getelf(unit->dwarf);
	size_t n = 0;
	GElf_Phdr segment;
	unit->low = G_MAXUINT64;
	if (elf_getphdrnum(elf, &n) != 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD) {
			unit->low = MIN(unit->low, segment.p_vaddr);
			unit->high = MAX(unit->high, segment.p_vaddr + segment.p_memsz);
		}
}

/* What -g1 leaves out are types: gcc's variables then have none, clang's
 * functions no line. Nothing could be judged by such a unit. */
static bool
has_types(const hd_unit *unit)
{
	bool placed = false, declared = false;
	for (guint i = 0; i < unit->variables->len; i++)
		if (((const hd_variable_slot *)unit->variables->pdata[i])->type->kind == HD_TYPE_VOID)
			return false;
	for (guint i = 0; i < unit->functions->len; i++) {
		const hd_unit_function *function = unit->functions->pdata[i];
		placed |= function->located;
		declared |= function->where.line > 0;
	}
	for (guint i = 0; i < unit->cus->len; i++) {
		Dwarf_Die *cu = &g_array_index(unit->cus, Dwarf_Die, i);
		Dwarf_Attribute attribute;
		if (dwarf_srclang(cu) == DW_LANG_Mips_Assembler)
			return true;
		if (hd_producer_omits_types(dwarf_formstring(dwarf_attr(cu, DW_AT_producer, &attribute))))
			return false;
		placed |= dwarf_hasattr(cu, DW_AT_low_pc) && hd_graph_number(cu, DW_AT_high_pc, NULL) > 0;
	}
	return declared || !placed;
}

bool
hd_producer_omits_types(const char *producer)
{
	bool omits = false;
	char **options = g_strsplit(producer ? producer : "", " ", -1);
	for (char **option = options; *option; option++) {
		const char *level = g_str_has_prefix(*option, "-ggdb") ? *option + 5
				    : g_str_has_prefix(*option, "-g")  ? *option + 2
								       : NULL;
		if (level && (*level == '\0' || (g_ascii_isdigit(*level) && level[1] == '\0')))
			omits = *level == '1';
	}
	g_strfreev(options);
	return omits;
}

static bool
finish(hd_unit *unit, GError **error)
{
	if (!has_types(unit)) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "the debug information has no types: build with -g, not with -g1");
		return false;
	}
	finish_variables(unit);
	finish_functions(unit);
	g_clear_pointer(&unit->nodes, g_hash_table_unref);
	unit->nodes = g_hash_table_new(NULL, NULL);
	return true;
}

static bool
read_cu(hd_unit *unit, Dwarf_Die *cu, GError **error)
{
	if (hd_fault("types.unit")) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the debug information is damaged");
		return false;
	}
	if (dwarf_hasattr(cu, DW_AT_dwo_name) || dwarf_hasattr(cu, DW_AT_GNU_dwo_name)) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "the debug information is in a separate .dwo file: build without -gsplit-dwarf");
		return false;
	}
	g_array_append_val(unit->cus, *cu);
	return hd_walk_unit(unit, cu, error);
}

hd_unit *
hd_unit_read_image(Dwarf *dwarf, Dwarf_Off die, GError **error)
{
	Dwarf_Die cu;
	hd_unit *unit = unit_new(dwarf);
	read_limits(unit);
	if (!dwarf_offdie(dwarf, die, &cu))
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the debug information is damaged");
	else if (read_cu(unit, &cu, error) && finish(unit, error))
		return unit;
	hd_unit_free(unit);
	return NULL;
}

static bool
read_object(hd_unit *unit, GError **error)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	int more;
	while ((more = dwarf_get_units(unit->dwarf, cu, &cu, NULL, NULL, &die, NULL)) == 0) {
		int tag = dwarf_tag(&die);
		if (tag != DW_TAG_compile_unit && tag != DW_TAG_skeleton_unit)
			continue;
		if (!read_cu(unit, &die, error))
			return false;
	}
	if (more < 0)
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the debug information is damaged");
	else if (unit->cus->len == 0)
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object has no debug information");
	return more > 0 && unit->cus->len > 0;
}

hd_unit *
hd_unit_read_object(GBytes *bytes, GError **error)
{
	hd_relocated *object = hd_relocated_new(bytes, error);
	if (!object)
		return NULL;
	hd_unit *unit = unit_new(hd_relocated_dwarf(object));
	unit->object = object;
	if (read_object(unit, error) && finish(unit, error))
		return unit;
	hd_unit_free(unit);
	return NULL;
}

/* ---- asking ---- */

const GPtrArray *
hd_unit_variables(const hd_unit *unit)
{
	return unit->variables;
}

const GPtrArray *
hd_unit_functions(const hd_unit *unit)
{
	return unit->functions;
}

const hd_unit_variable *
hd_unit_variable_named(const hd_unit *unit, const char *function, const char *name, guint ordinal)
{
	char *key = key_of(function, name, ordinal);
	const hd_variable_slot *slot = g_hash_table_lookup(unit->variable_index, key);
	g_free(key);
	return slot ? &slot->open : NULL;
}

const hd_unit_function *
hd_unit_function_named(const hd_unit *unit, const char *name)
{
	const hd_function_slot *slot = g_hash_table_lookup(unit->function_index, name);
	return slot ? &slot->open : NULL;
}

const hd_unit_variable *
hd_unit_variable_at(const hd_unit *unit, guint section, guint64 address)
{
	hd_unit_variable wanted = {.section = section, .address = address};
	const hd_unit_variable *key = &wanted;
	guint low = 0, high = unit->by_address->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (compare_by_address(&unit->by_address->pdata[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	const hd_unit_variable *found = unit->by_address->pdata[low - 1];
	bool inside = found->section == section && address - found->address < MAX(found->size, 1);
	return inside ? found : NULL;
}

bool
hd_unit_line(const hd_unit *unit, guint section, guint64 address, hd_position *where)
{
	Dwarf_Addr wanted = unit->object ? ((guint64)section << HD_SECTION_SHIFT) + address : address;
	for (guint i = 0; i < unit->cus->len; i++) {
		Dwarf_Die *cu = &g_array_index(unit->cus, Dwarf_Die, i);
		Dwarf_Line *line = dwarf_getsrc_die(cu, wanted);
		const char *name = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
		if (!name || dwarf_lineno(line, &where->line) != 0)
			continue;
		if (dwarf_linecol(line, &where->column) != 0)
			where->column = 0;
		where->file = g_strdup(hd_graph_file((hd_unit *)unit, cu, name));
		return true;
	}
	return false;
}

static int
code_line_of(hd_unit *unit, Dwarf_Die *cu, const char *file, int first, int last)
{
	Dwarf_Lines *lines;
	size_t count;
	int found = 0;
	if (dwarf_getsrclines(cu, &lines, &count) != 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		int number;
		if (dwarf_lineno(line, &number) != 0 || number < first || number > last || (found && number >= found))
			continue;
		const char *name = dwarf_linesrc(line, NULL, NULL);
		if (name && strcmp(hd_graph_file(unit, cu, name), file) == 0)
			found = number;
	}
	return found;
}

int
hd_unit_code_line(const hd_unit *unit, const char *file, int first, int last)
{
	int found = 0;
	for (guint i = 0; i < unit->cus->len && !found; i++)
		found = code_line_of((hd_unit *)unit, &g_array_index(unit->cus, Dwarf_Die, i), file, first, last);
	return found;
}

const char *
hd_unit_producer(const hd_unit *unit)
{
	Dwarf_Attribute attribute;
	Dwarf_Die *cu = unit->cus->len ? &g_array_index(unit->cus, Dwarf_Die, 0) : NULL;
	return cu ? dwarf_formstring(dwarf_attr(cu, DW_AT_producer, &attribute)) : NULL;
}
