/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/artefact.h"

#include <elf.h>
#include <string.h>

/* hd_object_parse has validated the header, the section table and the names. */
static Elf64_Shdr *
section_table(guint8 *bytes, guint *count)
{
	Elf64_Ehdr header;
	memcpy(&header, bytes, sizeof header);
	Elf64_Shdr *table = (Elf64_Shdr *)(void *)(bytes + header.e_shoff);
	*count = header.e_shnum ? header.e_shnum : (guint)table[0].sh_size;
	return table;
}

static bool
has_name(guint8 *bytes, const Elf64_Shdr *table, const Elf64_Shdr *section, const char *name)
{
	Elf64_Ehdr header;
	memcpy(&header, bytes, sizeof header);
	const Elf64_Shdr *names = &table[header.e_shstrndx];
	return strcmp((const char *)bytes + names->sh_offset + section->sh_name, name) == 0;
}

static guint64
append_aligned(GByteArray *out, const void *bytes, gsize size)
{
	static const guint8 zero[8];
	g_byte_array_append(out, zero, (8 - out->len % 8) % 8);
	guint64 at = out->len;
	g_byte_array_append(out, bytes, (guint)size);
	return at;
}

/* The object's bytes, writable, and their section table aligned, which libtcc's is not. */
static guint8 *
copy_of(const hd_object *object, gsize *size)
{
	const guint8 *data = g_bytes_get_data(hd_object_bytes(object), size);
	Elf64_Ehdr header;
	Elf64_Shdr first;
	memcpy(&header, data, sizeof header);
	if (header.e_shoff % G_ALIGNOF(Elf64_Shdr) == 0)
		return g_memdup2(data, *size);
	memcpy(&first, data + header.e_shoff, sizeof first);
	gsize count = header.e_shnum ? header.e_shnum : first.sh_size;
	GByteArray *out = g_byte_array_sized_new((guint)*size);
	g_byte_array_append(out, data, (guint)*size);
	header.e_shoff = append_aligned(out, data + header.e_shoff, count * sizeof first);
	memcpy(out->data, &header, sizeof header);
	*size = out->len;
	return g_byte_array_free(out, FALSE);
}

gsize
hd_artefact_eh_frame_size(const hd_object *object)
{
	gsize size, total = 0;
	guint count;
	guint8 *bytes = copy_of(object, &size);
	Elf64_Shdr *table = section_table(bytes, &count);
	for (guint i = 1; i < count; i++)
		if (has_name(bytes, table, &table[i], ".eh_frame"))
			total += table[i].sh_size;
	g_free(bytes);
	return total;
}

/* ---- frames of keepers (DWARF 5, 6.4; register numbers of the x86-64 psABI, 3.6.2) ---- */

enum { DW_RBP = 6, DW_RSP = 7, DW_RA = 16 };

/* Lengths count from behind themselves; an entry is padded to 8 bytes with DW_CFA_nop, which is 0. */
static void
append_entry(GByteArray *out, const GByteArray *body)
{
	guint32 length = (guint32)((body->len + 4 + 7) / 8 * 8 - 4);
	static const guint8 zero[8];
	g_byte_array_append(out, (const guint8 *)&length, sizeof length);
	g_byte_array_append(out, body->data, body->len);
	g_byte_array_append(out, zero, length - body->len);
}

static void
append_bytes(GByteArray *out, const void *bytes, guint size)
{
	g_byte_array_append(out, bytes, size);
}

static void
append_cie(GByteArray *out)
{
	static const guint8 cie[] = {
		0xff,
		0xff,
		0xff,
		0xff, /* CIE_id of .debug_frame */
		1,    /* version */
		0,    /* no augmentation */
		1,
		0x78, /* code and data alignment: 1, -8 */
		DW_RA,
		0x0c,
		DW_RSP,
		8, /* DW_CFA_def_cfa */
		0x80 | DW_RA,
		1, /* DW_CFA_offset: at cfa-8 */
	};
	GByteArray *body = g_byte_array_new();
	append_bytes(body, cie, sizeof cie);
	append_entry(out, body);
	g_byte_array_unref(body);
}

/* push %rbp; mov %rsp,%rbp; ... : the prologue that hd_arch_keeper writes. */
static void
append_fde(GByteArray *out, const hd_range *keeper)
{
	static const guint8 rules[] = {
		0x40 | 1, 0x0e, 16,	0x80 | DW_RBP, 2, /* after push: DW_CFA_def_cfa_offset, DW_CFA_offset */
		0x40 | 3, 0x0d, DW_RBP,			  /* after mov: DW_CFA_def_cfa_register */
	};
	guint32 cie = 0;
	guint64 length = keeper->high - keeper->low;
	GByteArray *body = g_byte_array_new();
	append_bytes(body, &cie, sizeof cie);
	append_bytes(body, &keeper->low, sizeof keeper->low);
	append_bytes(body, &length, sizeof length);
	append_bytes(body, rules, sizeof rules);
	append_entry(out, body);
	g_byte_array_unref(body);
}

/* The file with one section more. Takes bytes. */
static GBytes *
with_keeper_frames(guint8 *bytes, gsize size, const GArray *keepers)
{
	GByteArray *frames = g_byte_array_new();
	append_cie(frames);
	for (guint i = 0; i < keepers->len; i++)
		append_fde(frames, &g_array_index(keepers, hd_range, i));
	guint count;
	Elf64_Ehdr header;
	memcpy(&header, bytes, sizeof header);
	Elf64_Shdr *table = section_table(bytes, &count);
	GByteArray *out = g_byte_array_new();
	append_bytes(out, bytes, (guint)size);
	Elf64_Shdr added = {.sh_type = SHT_PROGBITS, .sh_size = frames->len, .sh_addralign = 8};
	added.sh_offset = append_aligned(out, frames->data, frames->len);

	Elf64_Shdr *names = &table[header.e_shstrndx];
	static const char name[] = ".debug_frame";
	GByteArray *strings = g_byte_array_new();
	append_bytes(strings, bytes + names->sh_offset, (guint)names->sh_size);
	added.sh_name = strings->len;
	append_bytes(strings, name, sizeof name);
	names->sh_offset = append_aligned(out, strings->data, strings->len);
	names->sh_size = strings->len;

	header.e_shoff = append_aligned(out, table, count * sizeof *table);
	append_bytes(out, &added, sizeof added);
	header.e_shnum = (Elf64_Half)(count + 1);
	memcpy(out->data, &header, sizeof header);
	g_byte_array_unref(frames);
	g_byte_array_unref(strings);
	g_free(bytes);
	return g_byte_array_free_to_bytes(out);
}

/* An object that describes its own frames in .debug_frame, or has very many sections, is left as it is. */
static bool
takes_a_section(guint8 *bytes)
{
	guint count;
	Elf64_Ehdr header;
	memcpy(&header, bytes, sizeof header);
	const Elf64_Shdr *table = section_table(bytes, &count);
	if (!header.e_shnum || header.e_shstrndx == SHN_XINDEX || count + 1 >= SHN_LORESERVE)
		return false;
	for (guint i = 1; i < count; i++)
		if (has_name(bytes, table, &table[i], ".debug_frame"))
			return false;
	return true;
}

/* ---- places ---- */

static bool
is_tls(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_TLS || atom->kind == HD_ATOM_TLS_ZERO;
}

/* By section: whether several atoms lie in it, which go to places of their own. New array. */
static bool *
shared_sections(const hd_object *object, guint count)
{
	bool *shared = g_new0(bool, count), *seen = g_new0(bool, count), *named = g_new0(bool, count);
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		if (!atom->section || atom->section >= count || is_tls(atom))
			continue;
		shared[atom->section] = seen[atom->section];
		seen[atom->section] = true;
		named[atom->section] |= atom->name != NULL;
	}
	for (guint i = 0; i < count; i++)
		shared[i] = shared[i] && named[i];
	g_free(seen);
	g_free(named);
	return shared;
}

/* A section for each named atom that is in the program and shares one; new[i] becomes the index of atom i's. */
static GArray *
sections_of_atoms(const hd_object *object, const guint64 *address, const bool *shared, const Elf64_Shdr *table,
		  guint count, guint *new)
{
	GArray *sections = g_array_new(FALSE, FALSE, sizeof *table);
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		if (!atom->section || !shared[atom->section] || !atom->name || !address[i])
			continue;
		Elf64_Shdr one = table[atom->section];
		one.sh_offset += one.sh_type == SHT_NOBITS ? 0 : atom->section_offset;
		one.sh_size = atom->size;
		one.sh_addr = address[i];
		one.sh_addralign = 1;
		new[i] = count + sections->len;
		g_array_append_val(sections, one);
	}
	return sections;
}

/* What is done to each symbol that a section defines. */
typedef struct {
	void (*change)(Elf64_Sym *symbol, const void *data);
	const void *data;
} symbol_change;

static void
change_symbols(guint8 *bytes, symbol_change c)
{
	guint count;
	const Elf64_Shdr *table = section_table(bytes, &count);
	for (guint i = 1; i < count; i++) {
		gsize size = table[i].sh_type == SHT_SYMTAB ? table[i].sh_size : 0;
		for (gsize at = 0; at + sizeof(Elf64_Sym) <= size; at += sizeof(Elf64_Sym)) {
			Elf64_Sym symbol;
			memcpy(&symbol, bytes + table[i].sh_offset + at, sizeof symbol);
			if (!symbol.st_shndx || symbol.st_shndx >= MIN(count, SHN_LORESERVE) ||
			    ELF64_ST_TYPE(symbol.st_info) == STT_SECTION)
				continue;
			c.change(&symbol, c.data);
			memcpy(bytes + table[i].sh_offset + at, &symbol, sizeof symbol);
		}
	}
}

typedef struct {
	const hd_object *object;
	guint *section; /* by atom: the one that it gets for itself, 0: none */
} moving;

static void
move_symbol(Elf64_Sym *symbol, const void *data)
{
	const moving *m = data;
	guint atom = hd_object_at(m->object, symbol->st_shndx, symbol->st_value);
	if (atom == HD_NONE || !m->section[atom])
		return;
	symbol->st_shndx = (Elf64_Section)m->section[atom];
	symbol->st_value -= hd_object_atom(m->object, atom)->section_offset;
}

/* libtcc writes one section of code, whose functions go to places of their own:
 * each gets a section of its own. Takes bytes, and returns them or others. */
static guint8 *
with_sections_of_atoms(const hd_object *object, const guint64 *address, const bool *shared, guint8 *bytes, gsize *size)
{
	guint count;
	Elf64_Ehdr header;
	memcpy(&header, bytes, sizeof header);
	const Elf64_Shdr *table = section_table(bytes, &count);
	moving m = {object, g_new0(guint, hd_object_n_atoms(object) + 1)};
	GArray *added = sections_of_atoms(object, address, shared, table, count, m.section);
	if (added->len && header.e_shnum && count + added->len < SHN_LORESERVE) {
		change_symbols(bytes, (symbol_change){move_symbol, &m});
		GByteArray *out = g_byte_array_sized_new((guint)(*size + (count + added->len + 1) * sizeof *table));
		append_bytes(out, bytes, (guint)*size);
		header.e_shoff = append_aligned(out, table, count * sizeof *table);
		append_bytes(out, added->data, added->len * (guint)sizeof *table);
		header.e_shnum = (Elf64_Half)(count + added->len);
		memcpy(out->data, &header, sizeof header);
		*size = out->len;
		g_free(bytes);
		bytes = g_byte_array_free(out, FALSE);
	}
	g_array_unref(added);
	g_free(m.section);
	return bytes;
}

static void
set_addresses(const hd_object *object, const guint64 *address, guint64 eh_frame, const bool *shared, guint8 *bytes)
{
	guint count;
	Elf64_Shdr *table = section_table(bytes, &count);
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		if (address[i] && !is_tls(atom) && atom->section && atom->section < count && !shared[atom->section] &&
		    !table[atom->section].sh_addr)
			table[atom->section].sh_addr = address[i] - atom->section_offset;
	}
	for (guint i = 1; i < count; i++) {
		if (has_name(bytes, table, &table[i], ".eh_frame"))
			table[i].sh_addr = eh_frame;
		/* What is not in the program must not seem to be at address 0. */
		if (!table[i].sh_addr)
			table[i].sh_flags &= ~(guint64)SHF_ALLOC;
	}
}

/* gdb takes a symbol of a section that is not loaded for one at address 0, and puts a breakpoint there. */
static void
forget_symbol(Elf64_Sym *symbol, const void *data)
{
	const Elf64_Shdr *section = (const Elf64_Shdr *)data + symbol->st_shndx;
	if (section->sh_addr || (section->sh_flags & SHF_TLS))
		return;
	symbol->st_shndx = SHN_UNDEF;
	symbol->st_value = 0;
}

GBytes *
hd_artefact_new(const hd_object *object, const guint64 *address, guint64 eh_frame, const GArray *keepers)
{
	gsize size;
	guint count;
	guint8 *bytes = copy_of(object, &size);
	section_table(bytes, &count);
	bool *shared = shared_sections(object, count);
	bytes = with_sections_of_atoms(object, address, shared, bytes, &size);
	set_addresses(object, address, eh_frame, shared, bytes);
	change_symbols(bytes, (symbol_change){forget_symbol, section_table(bytes, &count)});
	g_free(shared);
	if (keepers->len && takes_a_section(bytes))
		return with_keeper_frames(bytes, size, keepers);
	return g_bytes_new_take(bytes, size);
}
