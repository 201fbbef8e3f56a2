/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads relocations, finds the atom each one means, and adds those that the
 * assembler resolved because both ends were in one section.
 *
 * The trap: an x86-64 displacement counts from the end of its instruction, so
 * the addend of a reference to byte n of a section is n minus the distance
 * from the field to that end: 4, or more where an immediate follows. Which
 * atom is meant is known only after the instruction has been decoded. */
#include "config.h"

#include "reloader/object/private.h"

#include "base/error.h"
#include "reloader/object/decode.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
	guint atom;
	guint64 offset;
} place;

typedef struct {
	hd_reading *reading;
	guint atom;		 /* whose relocations are read */
	guint first;		 /* where its relocations start in the object's array */
	const hd_raw_reloc *raw; /* the next one of its section */
	const hd_raw_reloc *raw_end;
	GHashTable *externals; /* const char * -> index + 1 */
	GArray *tables;	       /* of place, sorted; made when first asked for, after all code was read */
	GError **error;
} walk;

static int
compare_raw(const void *a, const void *b)
{
	const hd_raw_reloc *x = a, *y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->type < y->type ? -1 : x->type > y->type;
}

static bool
read_raw(hd_reading *reading, const hd_elf_section *table, GError **error)
{
	const hd_elf_view *view = reading->view;
	const hd_elf_section *target = &view->sections[table->info];
	if (table->type != SHT_RELA) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "%s: relocations without addends", table->name);
		return false;
	}
	if (table->size % sizeof(Elf64_Rela) != 0 || !target->bytes) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s: the table of relocations is damaged", table->name);
		return false;
	}
	guint n = (guint)(table->size / sizeof(Elf64_Rela));
	if (n == 0)
		return true;
	GArray **raw = &reading->raw[table->info];
	if (!*raw)
		*raw = g_array_sized_new(FALSE, FALSE, sizeof(hd_raw_reloc), n);
	bool sorted = (*raw)->len == 0;
	guint64 last = 0;
	for (guint i = 0; i < n; i++) {
		Elf64_Rela rela;
		memcpy(&rela, table->bytes + (gsize)i * sizeof(rela), sizeof(rela));
		hd_raw_reloc r = {.offset = rela.r_offset,
				  .type = (guint32)ELF64_R_TYPE(rela.r_info),
				  .symbol = (guint32)ELF64_R_SYM(rela.r_info),
				  .addend = rela.r_addend};
		guint width = MAX(hd_reloc_width(r.type), 1);
		if (r.offset >= target->size || width > target->size - r.offset || r.symbol >= view->n_symbols) {
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s: relocation %u is damaged", table->name, i);
			return false;
		}
		if (r.type == R_X86_64_NONE)
			continue;
		sorted = sorted && r.offset >= last;
		last = r.offset;
		g_array_append_val(*raw, r);
	}
	if (!sorted)
		qsort((*raw)->data, (*raw)->len, sizeof(hd_raw_reloc), compare_raw);
	return true;
}

bool
hd_raw_relocs_read(hd_reading *reading, GError **error)
{
	const hd_elf_view *view = reading->view;
	for (guint i = 1; i < view->n_sections; i++) {
		const hd_elf_section *table = &view->sections[i];
		hd_atom_kind kind;
		if ((table->type != SHT_RELA && table->type != SHT_REL) || (table->flags & SHF_ALLOC) ||
		    table->info == 0 || table->info >= view->n_sections ||
		    !hd_section_kind(&view->sections[table->info], &kind))
			continue;
		if (!read_raw(reading, table, error))
			return false;
	}
	return true;
}

guint
hd_raw_relocs_from(const hd_reading *reading, guint section, guint64 offset)
{
	GArray *raw = reading->raw[section];
	guint low = 0, high = raw ? raw->len : 0;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (g_array_index(raw, hd_raw_reloc, middle).offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const hd_atom *
walked_atom(const walk *w)
{
	return &g_array_index(w->reading->object->atoms, hd_atom, w->atom);
}

static guint
external_index(walk *w, const hd_elf_symbol *symbol)
{
	GArray *externals = w->reading->object->externals;
	guint known = GPOINTER_TO_UINT(g_hash_table_lookup(w->externals, symbol->name));
	if (known)
		return known - 1;
	hd_external external = {.name = symbol->name,
				.weak = symbol->binding == STB_WEAK,
				.hidden = symbol->visibility == STV_HIDDEN || symbol->visibility == STV_INTERNAL,
				.tls = symbol->type == STT_TLS};
	g_array_append_val(externals, external);
	g_hash_table_insert(w->externals, (gpointer)symbol->name, GUINT_TO_POINTER(externals->len));
	return externals->len - 1;
}

/* What "section + n" means: the atom that holds the byte meant. */
static bool
resolve_defined(walk *w, const hd_raw_reloc *raw, const hd_elf_symbol *symbol, hd_reloc *out)
{
	hd_object *object = w->reading->object;
	/* A symbol stands for its own atom wherever the addend leads; a section stands for the byte meant. */
	gint64 byte = (gint64)symbol->value;
	if (symbol->type == STT_SECTION)
		byte = (gint64)((guint64)byte + (guint64)raw->addend + (guint64)out->bias);
	out->atom = hd_atom_nearest(object, symbol->section, byte);
	if (out->atom == HD_NONE) {
		g_set_error(w->error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "%s refers to section %s, which holds no code or data",
			    walked_atom(w)->name ? walked_atom(w)->name : "a constant",
			    w->reading->view->sections[symbol->section].name);
		return false;
	}
	const hd_atom *meant = &g_array_index(object->atoms, hd_atom, out->atom);
	out->addend = (gint64)(symbol->value + (guint64)raw->addend - meant->section_offset);
	return true;
}

/* Appends the relocation at w->raw, whose bias is known. */
static bool
take_raw(walk *w, gint64 bias, bool branch)
{
	const hd_raw_reloc *raw = w->raw++;
	const hd_elf_symbol *symbol = &w->reading->view->symbols[raw->symbol];
	hd_reloc reloc = {.type = raw->type,
			  .offset = raw->offset - walked_atom(w)->section_offset,
			  .atom = HD_NONE,
			  .external = HD_NONE,
			  .addend = raw->addend,
			  .bias = hd_reloc_is_relative(raw->type) ? bias : 0};
	if (branch && raw->type == R_X86_64_PC32)
		reloc.type = R_X86_64_PLT32; /* what a call of a static function would be, were it global */
	if (symbol->section == HD_ELF_COMMON && w->reading->common_atoms[raw->symbol] != HD_NONE) {
		reloc.atom = w->reading->common_atoms[raw->symbol];
	} else if (symbol->section == HD_ELF_UNDEFINED && *symbol->name) {
		reloc.external = external_index(w, symbol);
	} else if (symbol->section != HD_ELF_UNDEFINED && symbol->section < w->reading->view->n_sections) {
		if (!resolve_defined(w, raw, symbol, &reloc))
			return false;
	} else {
		g_set_error(w->error, HD_ERROR, HD_ERROR_UNSUPPORTED, "%s refers to an absolute address",
			    walked_atom(w)->name ? walked_atom(w)->name : "a constant");
		return false;
	}
	g_array_append_val(w->reading->object->relocs, reloc);
	return true;
}

/* Adds what the assembler resolved: field (in the atom) leads to byte `target` of the section. */
static void
add_resolved(walk *w, guint32 type, guint64 field, guint64 end, guint64 target, bool own_start_counts)
{
	const hd_object *object = w->reading->object;
	const hd_atom *atom = walked_atom(w);
	bool own = target - atom->section_offset < atom->size;
	if (own && (!own_start_counts || target != atom->section_offset))
		return;
	guint meant = own ? w->atom : hd_object_at(object, atom->section, target);
	if (meant == HD_NONE)
		return;
	hd_reloc reloc = {
		.type = type, .offset = field, .atom = meant, .external = HD_NONE, .bias = (gint64)(end - field)};
	reloc.addend = (gint64)(target - g_array_index(object->atoms, hd_atom, meant).section_offset) - reloc.bias;
	/* an immediate of the same instruction, with a relocation of its own, stands behind it */
	guint at = object->relocs->len;
	while (at > w->first && g_array_index(object->relocs, hd_reloc, at - 1).offset > field)
		at--;
	g_array_insert_val(object->relocs, at, reloc);
}

/* A function's own start: a call of it, or its address, must reach its newest version; a jump back to it is a loop. */
static void
take_resolved_fields(walk *w, const hd_instruction *instruction, guint64 at, guint64 covered)
{
	const hd_atom *atom = walked_atom(w);
	guint64 end = at + instruction->length;
	if (instruction->field && at + instruction->field != covered) {
		guint64 target = atom->section_offset + end + (guint64)(gint64)instruction->distance;
		add_resolved(w, instruction->field_size == 4 ? R_X86_64_PLT32 : R_X86_64_PC8, at + instruction->field,
			     end, target, instruction->flow == HD_FLOW_CALL);
	}
	if (instruction->rip_field && at + instruction->rip_field != covered) {
		guint32 raw;
		memcpy(&raw, atom->bytes + at + instruction->rip_field, 4);
		guint64 target = atom->section_offset + end + (guint64)(gint64)(gint32)raw;
		add_resolved(w, R_X86_64_PC32, at + instruction->rip_field, end, target, true);
	}
}

/* Decodes a function once. The relocations in an instruction and the fields without one come out in order. */
static bool
walk_code(walk *w)
{
	const hd_atom *atom = walked_atom(w);
	guint64 at = 0;
	while (at < atom->size) {
		hd_instruction instruction;
		if (!hd_decode(atom->bytes + at, atom->size - at, &instruction))
			break;
		guint64 end = at + instruction.length, covered = G_MAXUINT64;
		while (w->raw < w->raw_end && w->raw->offset < atom->section_offset + end) {
			guint64 field = w->raw->offset - atom->section_offset;
			if (hd_reloc_width(w->raw->type))
				covered = field;
			if (!take_raw(w, (gint64)(end - field), instruction.field == field - at))
				return false;
		}
		take_resolved_fields(w, &instruction, at, covered);
		at = end;
	}
	if (at < atom->size && w->reading->object->ranges[atom->section].n > 1) {
		g_set_error(w->error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "%s cannot be decoded at byte %" G_GUINT64_FORMAT ", and shares its section",
			    atom->name ? atom->name : "code", at);
		return false;
	}
	return true;
}

static int
compare_places(const void *a, const void *b)
{
	const place *x = a, *y = b;
	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Where code refers to in constants without a name: among others, the starts of jump tables. */
static void
find_tables(walk *w)
{
	hd_object *object = w->reading->object;
	w->tables = g_array_new(FALSE, FALSE, sizeof(place));
	for (guint i = 0; i < object->relocs->len; i++) {
		const hd_reloc *reloc = &g_array_index(object->relocs, hd_reloc, i);
		guint64 byte = (guint64)reloc->addend + (guint64)reloc->bias;
		const hd_atom *atom =
			reloc->atom == HD_NONE ? NULL : &g_array_index(object->atoms, hd_atom, reloc->atom);
		if (!atom || atom->name || atom->kind != HD_ATOM_CONST || byte >= atom->size)
			continue;
		place p = {reloc->atom, byte};
		g_array_append_val(w->tables, p);
	}
	if (w->tables->len)
		qsort(w->tables->data, w->tables->len, sizeof(place), compare_places);
}

/* The entries of a jump table count from where the table starts: the last place in front that code refers to. */
static gint64
table_bias(walk *w)
{
	if (!w->tables)
		find_tables(w);
	guint64 field = w->raw->offset - walked_atom(w)->section_offset;
	place wanted = {w->atom, field};
	guint low = 0, high = w->tables->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (compare_places(&g_array_index(w->tables, place, middle), &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	const place *found = low ? &g_array_index(w->tables, place, low - 1) : NULL;
	return (gint64)(found && found->atom == w->atom ? found->offset : 0) - (gint64)field;
}

static bool
walk_atom(walk *w)
{
	GArray *raw = w->reading->raw[walked_atom(w)->section];
	const hd_atom *atom = walked_atom(w);
	if (!raw && atom->kind != HD_ATOM_CODE)
		return true;
	guint from = hd_raw_relocs_from(w->reading, atom->section, atom->section_offset);
	guint to = hd_raw_relocs_from(w->reading, atom->section, atom->section_offset + atom->size);
	w->raw = raw ? (const hd_raw_reloc *)raw->data + from : NULL;
	w->raw_end = raw ? (const hd_raw_reloc *)raw->data + to : NULL;
	if (atom->kind == HD_ATOM_CODE && !walk_code(w))
		return false;
	while (w->raw < w->raw_end)
		if (!take_raw(w,
			      atom->kind == HD_ATOM_CODE	   ? 4
			      : hd_reloc_is_relative(w->raw->type) ? table_bias(w)
								   : 0,
			      false))
			return false;
	return true;
}

/* No field may reach over its atom's end. */
static bool
check_fields(const walk *w)
{
	const hd_atom *atom = walked_atom(w);
	GArray *relocs = w->reading->object->relocs;
	for (guint i = w->first; i < relocs->len; i++) {
		const hd_reloc *reloc = &g_array_index(relocs, hd_reloc, i);
		if (reloc->offset + hd_reloc_width(reloc->type) <= atom->size)
			continue;
		g_set_error(w->error, HD_ERROR, HD_ERROR_FORMAT, "a relocation lies across the end of %s",
			    atom->name ? atom->name : "a constant");
		return false;
	}
	return true;
}

static bool
is_text(const hd_atom *atom)
{
	if (!atom->bytes || atom->size == 0 || atom->bytes[atom->size - 1] != 0)
		return false;
	for (guint64 i = 0; i + 1 < atom->size; i++)
		if (atom->bytes[i] < ' ' && !strchr("\a\b\t\n\v\f\r\033", atom->bytes[i]))
			return false;
	return !memchr(atom->bytes, 0, atom->size - 1);
}

/* tcc puts string literals and floating constants into .data, beside the compound literals of file scope. Code can
 * name only the former; an initialiser's are told by their content. */
static void
find_tcc_constants(hd_reading *reading)
{
	GArray *atoms = reading->object->atoms;
	for (guint i = 0; i < atoms->len; i++) {
		const hd_atom *from = &g_array_index(atoms, hd_atom, i);
		for (guint k = 0; k < from->n_relocs; k++) {
			if (from->relocs[k].atom == HD_NONE)
				continue;
			hd_atom *to = &g_array_index(atoms, hd_atom, from->relocs[k].atom);
			if (!to->name && to->kind == HD_ATOM_DATA && !to->n_relocs &&
			    (from->kind == HD_ATOM_CODE || is_text(to)))
				to->kind = HD_ATOM_CONST;
		}
	}
}

/* Reads the relocations of all code, or of all data. firsts[i] is where those of atom i start in the array. */
static bool
walk_atoms(walk *w, bool code, guint *firsts)
{
	hd_object *object = w->reading->object;
	for (w->atom = 0; w->atom < object->atoms->len; w->atom++) {
		hd_atom *atom = &g_array_index(object->atoms, hd_atom, w->atom);
		if ((atom->kind == HD_ATOM_CODE) != code || atom->common)
			continue;
		firsts[w->atom] = w->first = object->relocs->len;
		if (!walk_atom(w) || !check_fields(w))
			return false;
		atom->n_relocs = object->relocs->len - w->first;
	}
	return true;
}

bool
hd_relocs_read(hd_reading *reading, GError **error)
{
	hd_object *object = reading->object;
	walk w = {.reading = reading, .error = error};
	w.externals = g_hash_table_new(g_str_hash, g_str_equal);
	guint *firsts = g_new0(guint, MAX(object->atoms->len, 1));
	bool ok = walk_atoms(&w, true, firsts) && walk_atoms(&w, false, firsts);
	for (guint i = 0; ok && i < object->atoms->len; i++) {
		hd_atom *atom = &g_array_index(object->atoms, hd_atom, i);
		if (atom->n_relocs)
			atom->relocs = &g_array_index(object->relocs, hd_reloc, firsts[i]);
	}
	if (ok && reading->tcc)
		find_tcc_constants(reading);
	if (w.tables)
		g_array_free(w.tables, TRUE);
	g_free(firsts);
	g_hash_table_destroy(w.externals);
	return ok;
}
