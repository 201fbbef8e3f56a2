/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions and variables of a unit, from a walk over all its entries.
 *
 * An optimising compiler splits what the source has once: an abstract instance
 * says what a function or variable is, concrete ones (DW_AT_abstract_origin)
 * say where it is. Records are made from the former ("roots"), places are
 * collected by root and put in at the end. */
#include "config.h"

#include "reloader/types/internal.h"

#include "base/error.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

/* Blocks nest no deeper in any honest program. */
#define WALK_DEPTH 500
#define HD_NO_SCOPE G_MAXUINT

typedef struct {
	guint64 address, size;
	bool tls, memory, exact;
} place;

typedef struct {
	const void *root;
	guint64 low, size;
	bool concrete; /* an instance of a root that stands elsewhere: perhaps a clone's */
} code_place;

/* A variable inside a function that may prove static once its concrete instances are seen. */
typedef struct {
	Dwarf_Die die;
	const char *function;
	gsize order;
} candidate;

typedef struct {
	hd_unit *unit;
	GHashTable *places;    /* root -> place *, owned */
	GArray *codes;	       /* of code_place */
	GHashTable *functions; /* root -> hd_function_slot * */
	GArray *candidates;
	GHashTable *imported; /* partial units (dwz), each read once */
	guint scope;	      /* the innermost one around; HD_NO_SCOPE: none */
	gsize visited, limit; /* entries; more than there are bytes means a loop */
	GError **error;
} walk;

static bool
damaged(walk *w)
{
	g_set_error(w->error, HD_ERROR, HD_ERROR_FORMAT, "the debug information is damaged");
	return false;
}

/* ---- places ---- */

static guint64
read_word(const guint8 *bytes, gsize width)
{
	guint64 word = 0;
	memcpy(&word, bytes, width);
	return GUINT64_FROM_LE(word);
}

/* DW_OP_addrx: the address stands in .debug_addr. */
static bool
indexed_address(Dwarf_Attribute *attribute, guint64 *address, size_t *n_ops)
{
	Dwarf_Op *ops;
	Dwarf_Attribute indirect;
	return dwarf_getlocation(attribute, &ops, n_ops) == 0 && *n_ops > 0 &&
	       dwarf_getlocation_attr(attribute, ops, &indirect) == 0 && dwarf_formaddr(&indirect, address) == 0;
}

/* A location that is one address, or an offset in the thread's block (DWARF 5,
 * 2.6.1.1 and 2.5.1.4). Anything longer that begins so is memory that cannot
 * be bound as one piece. */
static place
parse_location(Dwarf_Die *die)
{
	place result = {0};
	Dwarf_Attribute attribute;
	Dwarf_Block block;
	size_t n_ops = 0;
	if (!dwarf_attr(die, DW_AT_location, &attribute) || dwarf_formblock(&attribute, &block) != 0 ||
	    block.length == 0)
		return result;
	const guint8 *rest = block.data;
	gsize left = block.length, used;
	if (rest[0] == DW_OP_addr && left >= 9) {
		result.address = read_word(rest + 1, 8);
		used = 9;
	} else if (rest[0] == DW_OP_const8u && left >= 9) {
		result.address = read_word(rest + 1, 8);
		used = 9;
	} else if (rest[0] == DW_OP_const4u && left >= 5) {
		result.address = read_word(rest + 1, 4);
		used = 5;
	} else if (rest[0] == DW_OP_addrx || rest[0] == DW_OP_GNU_addr_index) {
		result.memory = true;
		result.exact = indexed_address(&attribute, &result.address, &n_ops) && n_ops == 1;
		return result;
	} else {
		return result;
	}
	result.tls = left > used && (rest[used] == DW_OP_GNU_push_tls_address || rest[used] == DW_OP_form_tls_address);
	result.memory = rest[0] == DW_OP_addr || result.tls;
	result.exact = result.memory && left == used + (result.tls ? 1 : 0);
	return result;
}

static void
set_place(const hd_unit *unit, hd_variable_slot *slot, const place *p)
{
	if (!unit->object && !p->tls && (p->address <= unit->low || p->address >= unit->high))
		return; /* the linker left it out */
	slot->memory = p->memory;
	slot->open.tls = p->tls;
	slot->open.scattered = p->memory && !p->exact;
	slot->open.located = p->exact;
	if (!p->exact)
		return;
	slot->open.address = p->address;
	if (!unit->object)
		return;
	slot->open.section = hd_section_of(p->address);
	slot->open.address = hd_offset_of(p->address);
	slot->open.located = slot->open.section != 0; /* COMMON has no place yet */
}

/* ---- roots ---- */

/* The entry that says what this one is an instance of; itself if none. */
static bool
find_root(Dwarf_Die *die, Dwarf_Die *root)
{
	Dwarf_Attribute attribute;
	*root = *die;
	for (int i = 0; i < 16; i++) {
		if (!dwarf_attr(root, DW_AT_abstract_origin, &attribute))
			return true;
		if (!dwarf_formref_die(&attribute, root))
			return false;
	}
	return false;
}

static hd_position
position_of(hd_unit *unit, Dwarf_Die *die)
{
	hd_position where = {0};
	const char *file;
	hd_graph_where(unit, die, &file, &where.line, &where.column);
	where.file = (char *)file;
	return where;
}

/* ---- variables ---- */

static bool
add_variable(walk *w, Dwarf_Die *die, const char *function, gsize order, const place *p)
{
	hd_unit *unit = w->unit;
	hd_type *type = hd_graph_type_of(unit, die);
	const char *name = dwarf_diename(die);
	if (!type)
		return damaged(w);
	if (!name)
		return true;
	hd_variable_slot *slot = g_new0(hd_variable_slot, 1);
	slot->open.name = name;
	slot->open.function = function;
	slot->open.external = hd_graph_flag(die, DW_AT_external);
	slot->open.declaration = dwarf_hasattr(die, DW_AT_declaration) && !p->memory;
	slot->open.where = position_of(unit, die);
	slot->type = type;
	slot->order = order;
	set_place(unit, slot, p);
	g_ptr_array_add(unit->variables, slot);
	return true;
}

static bool
note_local(walk *w, Dwarf_Die *die, Dwarf_Die *root, const char *function)
{
	hd_local_entry entry = {.die = *die, .name = dwarf_diename(root), .function = function, .scope = w->scope};
	if (!function || w->scope == HD_NO_SCOPE || !entry.name || !dwarf_hasattr(die, DW_AT_location))
		return true;
	entry.type = hd_graph_type_of(w->unit, root);
	if (!entry.type)
		return damaged(w);
	g_array_append_val(w->unit->local_entries, entry);
	return true;
}

static bool
visit_variable(walk *w, Dwarf_Die *die, const char *function)
{
	Dwarf_Die root;
	place p = parse_location(die);
	if (!find_root(die, &root))
		return damaged(w);
	if (!p.memory && !note_local(w, die, &root, function))
		return false;
	if (root.addr != die->addr) {
		if (p.memory)
			g_hash_table_insert(w->places, root.addr, g_memdup2(&p, sizeof p));
		return true;
	}
	if (!function || p.memory || dwarf_hasattr(die, DW_AT_declaration))
		return add_variable(w, die, function, w->visited, &p);
	hd_type *type = hd_graph_type_of(w->unit, die);
	if (!type)
		return damaged(w);
	hd_graph_hold(type, function);
	g_array_append_val(w->candidates, ((candidate){*die, function, w->visited}));
	return true;
}

static bool
settle_candidates(walk *w)
{
	for (guint i = 0; i < w->candidates->len; i++) {
		candidate *c = &g_array_index(w->candidates, candidate, i);
		const place *p = g_hash_table_lookup(w->places, c->die.addr);
		if (p && !add_variable(w, &c->die, c->function, c->order, p))
			return false;
	}
	return true;
}

/* ---- functions ---- */

static void
note_code(walk *w, Dwarf_Die *die, const void *root)
{
	Dwarf_Addr base, low = 0, high = 0;
	/* Of several ranges the first holds the entry: the parts split off follow. */
	if (dwarf_ranges(die, 0, &base, &low, &high) <= 0 ||
	    (!w->unit->object && (low <= w->unit->low || low >= w->unit->high)))
		return;
	code_place code = {.root = root, .low = low, .size = high - low, .concrete = root != die->addr};
	g_array_append_val(w->codes, code);
}

static bool
add_function(walk *w, Dwarf_Die *die)
{
	hd_unit *unit = w->unit;
	const char *name = dwarf_diename(die);
	hd_function_slot *slot = g_new0(hd_function_slot, 1);
	g_ptr_array_add(unit->functions, slot);
	slot->type = hd_graph_new(unit, HD_TYPE_FUNCTION);
	if (!hd_graph_function(unit, slot->type, die))
		return damaged(w);
	slot->open.name = name ? name : "";
	slot->open.external = hd_graph_flag(die, DW_AT_external);
	slot->open.declaration = dwarf_hasattr(die, DW_AT_declaration);
	slot->open.where = position_of(unit, die);
	/* DWARF 5, 3.3.8.1: DW_INL_inlined is odd, and so is DW_INL_declared_inlined. */
	slot->open.inlined = hd_graph_number(die, DW_AT_inline, NULL) & DW_INL_inlined;
	Dwarf_Attribute attribute;
	slot->linkage_name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
	g_hash_table_insert(w->functions, die->addr, slot);
	return true;
}

static bool walk_children(walk *w, Dwarf_Die *die, const char *function, int depth);

static bool
walk_scope(walk *w, Dwarf_Die *die, bool is_function, const char *function, int depth)
{
	GArray *scopes = w->unit->scopes;
	guint around = w->scope;
	hd_scope scope = {*die, is_function || around == HD_NO_SCOPE
					? scopes->len
					: g_array_index(scopes, hd_scope, around).function};
	w->scope = scopes->len;
	g_array_append_val(scopes, scope);
	bool good = walk_children(w, die, function, depth + 1);
	w->scope = around;
	return good;
}

static bool
visit_parameter(walk *w, Dwarf_Die *die, const char *function)
{
	Dwarf_Die root;
	hd_type *type = hd_graph_type_of(w->unit, die);
	if (!type || !find_root(die, &root))
		return damaged(w);
	hd_graph_hold(type, function);
	return note_local(w, die, &root, function);
}

static bool
visit_function(walk *w, Dwarf_Die *die, int depth)
{
	Dwarf_Die root;
	if (!find_root(die, &root))
		return damaged(w);
	if (root.addr == die->addr && !add_function(w, die))
		return false;
	note_code(w, die, root.addr);
	const char *name = dwarf_diename(&root);
	return walk_scope(w, die, true, name ? name : "", depth);
}

/* ---- the walk ---- */

/* An entry takes at least a byte, so a unit has fewer than it has bytes. */
static gsize
most_entries(Dwarf_Die *cu)
{
	Dwarf_Off start = dwarf_dieoffset(cu) - dwarf_cuoffset(cu), next;
	size_t header;
	if (dwarf_nextcu(dwarf_cu_getdwarf(cu->cu), start, &next, &header, NULL, NULL, NULL) != 0 || next <= start)
		return 0;
	return next - start;
}

static bool
visit_type(walk *w, Dwarf_Die *die, const char *function)
{
	hd_type *type = hd_graph_type(w->unit, die);
	if (function)
		type->function = function;
	return true;
}

static bool
visit_import(walk *w, Dwarf_Die *die, int depth)
{
	Dwarf_Attribute attribute;
	Dwarf_Die partial;
	if (!dwarf_formref_die(dwarf_attr(die, DW_AT_import, &attribute), &partial))
		return damaged(w);
	if (!g_hash_table_add(w->imported, partial.addr))
		return true;
	w->limit += most_entries(&partial);
	return walk_children(w, &partial, NULL, depth + 1);
}

static bool
visit(walk *w, Dwarf_Die *die, const char *function, int depth)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		return visit_function(w, die, depth);
	case DW_TAG_variable:
		return visit_variable(w, die, function);
	case DW_TAG_formal_parameter:
		return visit_parameter(w, die, function);
	case DW_TAG_lexical_block:
	case DW_TAG_inlined_subroutine:
		return walk_scope(w, die, false, function, depth);
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return visit_type(w, die, function) && walk_children(w, die, function, depth + 1);
	case DW_TAG_enumeration_type:
	case DW_TAG_typedef:
	case DW_TAG_pointer_type:
	case DW_TAG_array_type:
	case DW_TAG_subroutine_type:
		return visit_type(w, die, function);
	case DW_TAG_imported_unit:
		return visit_import(w, die, depth);
	default:
		return true;
	}
}

static bool
walk_children(walk *w, Dwarf_Die *die, const char *function, int depth)
{
	Dwarf_Die child;
	if (depth > WALK_DEPTH)
		return damaged(w);
	int more = dwarf_child(die, &child);
	while (more == 0) {
		const void *at = child.addr;
		if (++w->visited > w->limit || !visit(w, &child, function, depth))
			return w->visited > w->limit ? damaged(w) : false;
		more = dwarf_siblingof(&child, &child);
		if (more == 0 && (const char *)child.addr <= (const char *)at)
			return damaged(w);
	}
	return more > 0 ? true : damaged(w);
}

/* ---- what only the symbol table knows ---- */

/* Adds the names of functions and data to `wanted`: address -> GPtrArray of names. */
static void
read_names(const hd_unit *unit, GHashTable *wanted)
{
	Elf *elf = dwarf_getelf(unit->dwarf);
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		gsize count = data ? data->d_size / sizeof(Elf64_Sym) : 0;
		for (gsize i = 0; i < count && gelf_getsym(data, (int)i, &symbol); i++) {
			guint type = GELF_ST_TYPE(symbol.st_info);
			if (type == STT_SECTION || type == STT_FILE || symbol.st_shndx == SHN_UNDEF)
				continue;
			guint64 address = symbol.st_value;
			if (unit->object)
				address += (guint64)symbol.st_shndx << HD_SECTION_SHIFT;
			GPtrArray *names = g_hash_table_lookup(wanted, &address);
			const char *name = names ? elf_strptr(elf, header.sh_link, symbol.st_name) : NULL;
			if (name && *name)
				g_ptr_array_add(names, (char *)name);
		}
	}
}

static void
want(GHashTable *wanted, guint64 address)
{
	if (!g_hash_table_contains(wanted, &address))
		g_hash_table_insert(wanted, g_memdup2(&address, sizeof address), g_ptr_array_new());
}

/* An instance whose symbols all have other names is a clone's (f.constprop.0, f.part.0). */
static bool
is_clone(const hd_function_slot *slot, const GPtrArray *names)
{
	for (guint i = 0; i < names->len; i++)
		if (strcmp(names->pdata[i], slot->open.name) == 0 ||
		    g_strcmp0(names->pdata[i], slot->linkage_name) == 0)
			return false;
	return names->len > 0;
}

static void
settle_code(walk *w, GHashTable *names)
{
	for (guint i = 0; i < w->codes->len; i++) {
		const code_place *code = &g_array_index(w->codes, code_place, i);
		hd_function_slot *slot = g_hash_table_lookup(w->functions, code->root);
		if (!slot || slot->open.located ||
		    (code->concrete && is_clone(slot, g_hash_table_lookup(names, &code->low))))
			continue;
		slot->open.located = true;
		slot->open.section = w->unit->object ? hd_section_of(code->low) : 0;
		slot->open.address = w->unit->object ? hd_offset_of(code->low) : code->low;
		slot->open.size = code->size;
	}
}

/* clang (14 at least) puts the static locals of an inlined function into an
 * entry without a name. The symbol is "function.variable", perhaps numbered. */
static const char *
function_by_symbol(hd_unit *unit, const char *variable, const GPtrArray *names)
{
	for (guint i = 0; names && i < names->len; i++) {
		const char *symbol = names->pdata[i], *dot = symbol;
		gsize length = strlen(variable);
		while ((dot = strchr(dot + 1, '.')))
			if (strncmp(dot + 1, variable, length) == 0 &&
			    strspn(dot + 1 + length, ".0123456789") == strlen(dot + 1 + length))
				return g_string_chunk_insert_len(unit->strings, symbol, dot - symbol);
	}
	return NULL;
}

/* The last function that begins at or before the line. */
static const char *
function_by_line(const hd_unit *unit, const char *file, int line)
{
	const hd_unit_function *best = NULL;
	for (guint i = 0; i < unit->functions->len; i++) {
		const hd_unit_function *function = unit->functions->pdata[i];
		if (!*function->name || function->declaration || function->where.line > line ||
		    g_strcmp0(function->where.file, file) != 0)
			continue;
		if (!best || best->where.line <= function->where.line)
			best = function;
	}
	return best ? best->name : NULL;
}

static void
settle_nameless(walk *w, GHashTable *names)
{
	hd_unit *unit = w->unit;
	for (guint i = 0; i < unit->variables->len; i++) {
		hd_variable_slot *slot = unit->variables->pdata[i];
		if (!slot->open.function || *slot->open.function)
			continue;
		guint64 address = slot->open.address + ((guint64)slot->open.section << HD_SECTION_SHIFT);
		const char *function = function_by_symbol(unit, slot->open.name, g_hash_table_lookup(names, &address));
		slot->open.function =
			function ? function : function_by_line(unit, slot->open.where.file, slot->open.where.line);
	}
	for (guint i = 0; i < unit->types->len; i++) {
		hd_type *type = unit->types->pdata[i];
		if (type->function && !*type->function)
			type->function = function_by_line(unit, type->file, type->line);
	}
	for (guint i = unit->functions->len; i-- > 0;)
		if (!*((const hd_unit_function *)unit->functions->pdata[i])->name)
			g_ptr_array_remove_index(unit->functions, i);
}

static void
settle_names(walk *w)
{
	GHashTable *names =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	for (guint i = 0; i < w->codes->len; i++) {
		const code_place *code = &g_array_index(w->codes, code_place, i);
		if (code->concrete)
			want(names, code->low);
	}
	for (guint i = 0; i < w->unit->variables->len; i++) {
		const hd_unit_variable *variable = w->unit->variables->pdata[i];
		if (variable->located && variable->function && !*variable->function)
			want(names, variable->address + ((guint64)variable->section << HD_SECTION_SHIFT));
	}
	if (g_hash_table_size(names) > 0)
		read_names(w->unit, names);
	settle_code(w, names);
	settle_nameless(w, names);
	g_hash_table_unref(names);
}

bool
hd_walk_unit(hd_unit *unit, Dwarf_Die *cu, GError **error)
{
	walk w = {.unit = unit, .scope = HD_NO_SCOPE, .error = error, .limit = most_entries(cu)};
	w.places = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	w.codes = g_array_new(FALSE, FALSE, sizeof(code_place));
	w.functions = g_hash_table_new(NULL, NULL);
	w.candidates = g_array_new(FALSE, FALSE, sizeof(candidate));
	w.imported = g_hash_table_new(NULL, NULL);
	bool done = walk_children(&w, cu, NULL, 0) && settle_candidates(&w);
	if (done && !hd_graph_finish(unit))
		done = damaged(&w);
	if (done)
		settle_names(&w);
	g_hash_table_unref(w.places);
	g_array_unref(w.codes);
	g_hash_table_unref(w.functions);
	g_array_unref(w.candidates);
	g_hash_table_unref(w.imported);
	return done;
}
