/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cuts sections into atoms and names them. */
#include "config.h"

#include "reloader/object/private.h"

#include "reloader/object/decode.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
	guint section;
	guint index;
	guint64 value;
} placed;

static bool
is_start_up(const hd_elf_section *section)
{
	static const char *const names[] = {".ctors",	   ".dtors",	  ".init",	   ".fini",
					    ".init_array", ".fini_array", ".preinit_array"};
	switch (section->type) {
	case SHT_INIT_ARRAY:
	case SHT_FINI_ARRAY:
	case SHT_PREINIT_ARRAY:
		return true;
	}
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		gsize n = strlen(names[i]);
		if (strncmp(section->name, names[i], n) == 0 && (!section->name[n] || section->name[n] == '.'))
			return true;
	}
	return false;
}

bool
hd_section_kind(const hd_elf_section *section, hd_atom_kind *kind)
{
	guint64 flags = section->flags;
	/* SHF_LINK_ORDER marks tables about another section (__patchable_function_entries) */
	if (!(flags & SHF_ALLOC) || (flags & (SHF_LINK_ORDER | SHF_COMPRESSED)))
		return false;
	if ((section->type != SHT_PROGBITS && section->type != SHT_NOBITS) || is_start_up(section))
		return false;
	if (strcmp(section->name, ".eh_frame") == 0 || g_str_has_prefix(section->name, ".note") ||
	    g_str_has_prefix(section->name, ".stab") || g_str_has_prefix(section->name, ".gcc_except_table"))
		return false;
	bool zero = section->type == SHT_NOBITS;
	if (flags & SHF_TLS)
		*kind = zero ? HD_ATOM_TLS_ZERO : HD_ATOM_TLS;
	else if (zero)
		*kind = HD_ATOM_ZERO;
	else if (flags & SHF_EXECINSTR)
		*kind = HD_ATOM_CODE;
	else if (!(flags & SHF_WRITE))
		*kind = (flags & SHF_MERGE) && (flags & SHF_STRINGS) ? HD_ATOM_STRING : HD_ATOM_CONST;
	else if (g_str_has_prefix(section->name, ".data.rel.ro"))
		*kind = HD_ATOM_CONST;
	else
		*kind = HD_ATOM_DATA;
	return true;
}

bool
hd_name_is_local_label(const hd_reading *reading, const char *name)
{
	if (!*name || (name[0] == '.' && name[1] == 'L'))
		return true;
	return reading->tcc && name[0] == 'L' && name[1] == '.' && g_ascii_isdigit(name[2]);
}

static int
compare_placed(const void *a, const void *b)
{
	const placed *x = a, *y = b;
	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Symbols that lie in sections with atoms, by place. */
static GArray *
collect_placed(const hd_reading *reading)
{
	const hd_elf_view *view = reading->view;
	GArray *symbols = g_array_sized_new(FALSE, FALSE, sizeof(placed), view->n_symbols + 1); /* never NULL */
	for (guint i = 0; i < view->n_symbols; i++) {
		const hd_elf_symbol *symbol = &view->symbols[i];
		hd_atom_kind kind;
		if (symbol->section == HD_ELF_UNDEFINED || symbol->section >= view->n_sections ||
		    symbol->type == STT_SECTION || symbol->type == STT_FILE)
			continue;
		if (!hd_section_kind(&view->sections[symbol->section], &kind))
			continue;
		placed p = {symbol->section, i, symbol->value};
		g_array_append_val(symbols, p);
	}
	qsort(symbols->data, symbols->len, sizeof(placed), compare_placed);
	return symbols;
}

static void
add_atom(hd_reading *reading, guint section, hd_atom_kind kind, guint64 start, guint64 end)
{
	const hd_elf_section *s = &reading->view->sections[section];
	hd_atom atom = {.kind = kind, .section = section, .section_offset = start, .size = end - start};
	guint64 lowest_bit = start & (~start + 1);
	atom.alignment = start && lowest_bit < s->alignment ? lowest_bit : s->alignment;
	atom.bytes = s->bytes ? s->bytes + start : NULL;
	g_array_append_val(reading->object->atoms, atom);
}

/* Each string an atom of its own, its terminator included. Zero units that only align the next string belong to none.
 */
static void
split_strings(hd_reading *reading, guint section)
{
	const hd_elf_section *s = &reading->view->sections[section];
	guint64 unit = s->entry_size, start = 0;
	static const guint8 zero[4];
	for (guint64 at = 0; at < s->size; at += unit) {
		if (memcmp(s->bytes + at, zero, unit) != 0)
			continue;
		bool aligns = at == start && start % s->alignment != 0;
		if (!aligns)
			add_atom(reading, section, HD_ATOM_STRING, start, at + unit);
		start = at + unit;
	}
}

static void
split_entries(hd_reading *reading, guint section, hd_atom_kind kind)
{
	const hd_elf_section *s = &reading->view->sections[section];
	for (guint64 at = 0; at < s->size; at += s->entry_size)
		add_atom(reading, section, kind, at, at + s->entry_size);
}

/* Bytes between two symbols that nothing can mean: alignment. */
static bool
is_filler(const hd_reading *reading, guint section, hd_atom_kind kind, guint64 start, guint64 end)
{
	const hd_elf_section *s = &reading->view->sections[section];
	if (start == end || !s->bytes)
		return true;
	GArray *raw = reading->raw[section];
	guint next = hd_raw_relocs_from(reading, section, start);
	if (raw && next < raw->len && g_array_index(raw, hd_raw_reloc, next).offset < end)
		return false;
	guint64 at = start;
	while (at < end && !s->bytes[at])
		at++;
	while (kind == HD_ATOM_CODE && at < end) {
		hd_instruction instruction;
		if (!hd_decode(s->bytes + at, end - at, &instruction) || instruction.flow != HD_FLOW_PADDING)
			return false;
		at += instruction.length;
	}
	return at == end;
}

/* End of what the symbols at `symbols[0]`'s place cover; *used: how many symbols lie in it. A symbol inside a sized
 * one does not divide it: what lies under both must stay together. */
static guint64
extent(const hd_reading *reading, const placed *symbols, guint n, hd_atom_kind kind, guint *used)
{
	const hd_elf_section *s = &reading->view->sections[symbols[0].section];
	guint64 start = symbols[0].value, end = start;
	guint i;
	for (i = 0; i < n; i++) {
		const hd_elf_symbol *symbol = &reading->view->symbols[symbols[i].index];
		bool inside = symbols[i].value == start || symbols[i].value < end;
		bool label = kind == HD_ATOM_CODE && hd_name_is_local_label(reading, symbol->name);
		if (!inside && !(label && end == start))
			break;
		if (inside)
			end = MAX(end, symbol->value + MIN(symbol->size, s->size - symbol->value));
	}
	*used = i;
	if (end == start)
		end = i < n ? symbols[i].value : s->size;
	return end;
}

static void
split_at_symbols(hd_reading *reading, guint section, hd_atom_kind kind, const placed *symbols, guint n)
{
	const hd_elf_section *s = &reading->view->sections[section];
	guint64 done = 0;
	for (guint i = 0, used; i < n; i += used) {
		guint64 start = symbols[i].value;
		guint64 end = extent(reading, symbols + i, n - i, kind, &used);
		if (!is_filler(reading, section, kind, done, start))
			add_atom(reading, section, kind, done, start);
		add_atom(reading, section, kind, start, end);
		done = end;
	}
	if (done < s->size && (n == 0 || !is_filler(reading, section, kind, done, s->size)))
		add_atom(reading, section, kind, done, s->size);
}

static void
split_section(hd_reading *reading, guint section, hd_atom_kind kind, const placed *symbols, guint n)
{
	const hd_elf_section *s = &reading->view->sections[section];
	guint64 unit = s->entry_size;
	bool merged = (s->flags & SHF_MERGE) && unit && s->size && s->size % unit == 0 && s->bytes &&
		      !(s->flags & (SHF_WRITE | SHF_EXECINSTR | SHF_TLS)) && !reading->raw[section];
	if (kind == HD_ATOM_STRING) {
		static const guint8 zero[4];
		merged = merged && (unit == 1 || unit == 2 || unit == 4) &&
			 memcmp(s->bytes + s->size - unit, zero, unit) == 0;
		if (merged)
			split_strings(reading, section);
		else
			split_at_symbols(reading, section, HD_ATOM_CONST, symbols, n);
	} else if (merged && unit >= 4) {
		split_entries(reading, section, kind);
	} else {
		split_at_symbols(reading, section, kind, symbols, n);
	}
}

/* How fit a symbol is to name its atom: a function's or object's own name before labels and before what
 * the compiler added (f.localalias). */
static int
fitness(const hd_elf_symbol *symbol)
{
	return (symbol->type != STT_NOTYPE) * 2 + !strchr(symbol->name, '.');
}

static void
set_name(hd_atom *atom, const hd_elf_symbol *symbol)
{
	atom->name = symbol->name;
	atom->binding = symbol->binding == STB_LOCAL  ? HD_BIND_LOCAL
			: symbol->binding == STB_WEAK ? HD_BIND_WEAK
						      : HD_BIND_GLOBAL;
	atom->hidden = symbol->visibility == STV_HIDDEN || symbol->visibility == STV_INTERNAL;
}

static void
register_name(hd_object *object, const char *name, guint atom)
{
	if (!g_hash_table_contains(object->names, name))
		g_hash_table_insert(object->names, (gpointer)name, GUINT_TO_POINTER(atom + 1));
}

/* Names one atom from the symbols at its start. */
static void
name_atom(hd_reading *reading, guint index, const placed *symbols, guint n)
{
	hd_object *object = reading->object;
	hd_atom *atom = &g_array_index(object->atoms, hd_atom, index);
	const hd_elf_symbol *best = NULL;
	guint named = 0;
	for (guint i = 0; i < n; i++) {
		const hd_elf_symbol *symbol = &reading->view->symbols[symbols[i].index];
		atom->ifunc |= symbol->type == STT_GNU_IFUNC;
		if (hd_name_is_local_label(reading, symbol->name))
			continue;
		named++;
		if (!best || fitness(symbol) > fitness(best))
			best = symbol;
	}
	if (!best)
		return;
	set_name(atom, best);
	register_name(object, best->name, index);
	if (named == 1)
		return;
	const char **aliases = g_new0(const char *, named);
	guint k = 0;
	for (guint i = 0; i < n; i++) {
		const hd_elf_symbol *symbol = &reading->view->symbols[symbols[i].index];
		if (symbol == best || hd_name_is_local_label(reading, symbol->name))
			continue;
		aliases[k++] = symbol->name;
		register_name(object, symbol->name, index);
	}
	atom->aliases = aliases;
	g_ptr_array_add(object->alias_lists, (gpointer)aliases);
}

static void
name_atoms(hd_reading *reading, guint section, const placed *symbols, guint n)
{
	hd_object *object = reading->object;
	for (guint i = 0, run; i < n; i += run) {
		for (run = 1; i + run < n && symbols[i + run].value == symbols[i].value;)
			run++;
		guint atom = hd_atom_nearest(object, section, (gint64)symbols[i].value);
		if (atom != HD_NONE && g_array_index(object->atoms, hd_atom, atom).section_offset == symbols[i].value)
			name_atom(reading, atom, symbols + i, run);
	}
}

/* Compilers name every variable, libtcc apart. Writable data without a name is what gcc copies the initialiser of a
 * local array from: nothing writes it. */
static void
find_images(hd_reading *reading)
{
	GArray *atoms = reading->object->atoms;
	for (guint i = 0; i < atoms->len && !reading->tcc; i++) {
		hd_atom *atom = &g_array_index(atoms, hd_atom, i);
		if (!atom->name && atom->kind == HD_ATOM_DATA)
			atom->kind = HD_ATOM_CONST;
	}
}

static void
add_common(hd_reading *reading, guint index)
{
	hd_object *object = reading->object;
	const hd_elf_symbol *symbol = &reading->view->symbols[index];
	hd_atom atom = {.kind = symbol->type == STT_TLS ? HD_ATOM_TLS_ZERO : HD_ATOM_ZERO,
			.common = true,
			.size = symbol->size,
			.alignment = symbol->value};
	set_name(&atom, symbol);
	reading->common_atoms[index] = object->atoms->len;
	register_name(object, symbol->name, object->atoms->len);
	g_array_append_val(object->atoms, atom);
}

void
hd_atoms_read(hd_reading *reading)
{
	const hd_elf_view *view = reading->view;
	hd_object *object = reading->object;
	GArray *symbols = collect_placed(reading);
	const placed *next = (const placed *)symbols->data, *end = next + symbols->len;
	for (guint i = 0; i < view->n_sections; i++) {
		const placed *first = next;
		while (next < end && next->section == i)
			next++;
		object->ranges[i].first = object->atoms->len;
		hd_atom_kind kind;
		if (i == 0 || !hd_section_kind(&view->sections[i], &kind))
			continue;
		split_section(reading, i, kind, first, (guint)(next - first));
		object->ranges[i].n = object->atoms->len - object->ranges[i].first;
		name_atoms(reading, i, first, (guint)(next - first));
	}
	find_images(reading);
	g_array_free(symbols, TRUE);
	for (guint i = 0; i < view->n_symbols; i++) {
		reading->common_atoms[i] = HD_NONE;
		if (view->symbols[i].section == HD_ELF_COMMON && *view->symbols[i].name)
			add_common(reading, i);
	}
}
