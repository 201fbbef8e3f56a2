/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relocatable object's debug information, with its relocations applied to a
 * copy. Each section is given the address (index << HD_SECTION_SHIFT), so an
 * address in the result says section and offset at once; debug sections are at
 * zero, since what refers to them is an offset already. */
#include "config.h"

#include "reloader/types/internal.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/types/dwarf.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

struct hd_relocated {
	gpointer copy;
	Elf *elf;
	Dwarf *dwarf;
	Elf_Data *symbols;
};

static bool
is_debug_section(Elf *elf, size_t names, const GElf_Shdr *header)
{
	const char *name = elf_strptr(elf, names, header->sh_name);
	return name && g_str_has_prefix(name, ".debug_") && header->sh_type != SHT_NOBITS;
}

/* The address that stands for a symbol; false when the symbol does not exist. */
static bool
symbol_address(hd_relocated *relocated, guint64 index, guint64 *address)
{
	GElf_Sym symbol;
	GElf_Shdr header;
	if (index > G_MAXINT || !gelf_getsym(relocated->symbols, (int)index, &symbol))
		return false;
	*address = symbol.st_value;
	if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_COMMON)
		*address = 0; /* nowhere in this object */
	if (symbol.st_shndx == SHN_UNDEF || (symbol.st_shndx >= SHN_LORESERVE && symbol.st_shndx != SHN_XINDEX))
		return true;
	guint section = symbol.st_shndx;
	if (section == SHN_XINDEX)
		return false;
	Elf_Scn *scn = elf_getscn(relocated->elf, section);
	if (!scn || !gelf_getshdr(scn, &header))
		return false;
	if (header.sh_flags & SHF_ALLOC)
		*address += (guint64)section << HD_SECTION_SHIFT;
	return true;
}

/* Bytes that a relocation fills; 0: not one of debug information. gcc writes a
 * thread-local's place as DW_OP_const8u, x@dtpoff, 0: room for the section too. */
static gsize
width_of(const Elf_Data *target, const GElf_Rela *rela)
{
	switch (GELF_R_TYPE(rela->r_info)) {
	case R_X86_64_64:
	case R_X86_64_DTPOFF64:
		return 8;
	case R_X86_64_32:
	case R_X86_64_32S:
		return 4;
	case R_X86_64_DTPOFF32:
		return rela->r_offset > 0 && rela->r_offset < target->d_size &&
				       ((const guint8 *)target->d_buf)[rela->r_offset - 1] == DW_OP_const8u
			       ? 8
			       : 4;
	default:
		return 0;
	}
}

static bool
apply(hd_relocated *relocated, Elf_Data *target, const GElf_Rela *rela)
{
	guint64 address;
	if (GELF_R_TYPE(rela->r_info) == R_X86_64_NONE)
		return true;
	gsize width = width_of(target, rela);
	if (width == 0 || target->d_size < width || rela->r_offset > target->d_size - width ||
	    !symbol_address(relocated, GELF_R_SYM(rela->r_info), &address))
		return false;
	address = GUINT64_TO_LE(address + (guint64)rela->r_addend);
	memcpy((guint8 *)target->d_buf + rela->r_offset, &address, width);
	return true;
}

static bool
apply_section(hd_relocated *relocated, Elf_Scn *section, Elf_Scn *target, const GElf_Shdr *target_header)
{
	if ((target_header->sh_flags & SHF_COMPRESSED) && elf_compress(target, 0, 0) < 0)
		return false;
	Elf_Data *data = elf_rawdata(target, NULL);
	Elf_Data *relocations = elf_getdata(section, NULL);
	if (!data || !data->d_buf || !relocations)
		return false;
	GElf_Rela rela;
	gsize count = relocations->d_size / sizeof(Elf64_Rela);
	for (gsize i = 0; i < count; i++)
		if (!gelf_getrela(relocations, (int)i, &rela) || !apply(relocated, data, &rela))
			return false;
	return true;
}

/* -fdebug-types-section: a section and a group for each type. */
static bool
has_grouped_types(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
		if (name && (header.sh_flags & SHF_GROUP) &&
		    (hd_dwarf_is_section(name, "debug_info") || hd_dwarf_is_section(name, "debug_types")))
			return true;
	}
	return false;
}

static bool
apply_all(hd_relocated *relocated)
{
	Elf *elf = relocated->elf;
	Elf_Scn *section = NULL;
	GElf_Shdr header, target_header;
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
			relocated->symbols = elf_getdata(section, NULL);
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA)
			continue;
		Elf_Scn *target = elf_getscn(elf, header.sh_info);
		if (!target || !gelf_getshdr(target, &target_header))
			return false;
		/* Sections in groups (macros) are not read. */
		if (!is_debug_section(elf, names, &target_header) || (target_header.sh_flags & SHF_GROUP))
			continue;
		if (!relocated->symbols || !apply_section(relocated, section, target, &target_header))
			return false;
	}
	return true;
}

static bool
is_object(Elf *elf)
{
	GElf_Ehdr header;
	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) && header.e_type == ET_REL &&
	       header.e_machine == EM_X86_64 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_ident[EI_DATA] == ELFDATA2LSB;
}

hd_relocated *
hd_relocated_new(GBytes *bytes, GError **error)
{
	gsize size;
	const void *content = g_bytes_get_data(bytes, &size);
	hd_relocated *relocated = g_new0(hd_relocated, 1);
	relocated->copy = g_memdup2(content, size);
	elf_version(EV_CURRENT);
	if (relocated->copy)
		relocated->elf = elf_memory(relocated->copy, size);
	if (!is_object(relocated->elf) || hd_fault("types.object"))
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object is not a relocatable ELF file for x86-64");
	else if (has_grouped_types(relocated->elf))
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "the object's types are in sections of their own: build without -fdebug-types-section");
	else if (!apply_all(relocated))
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object's debug information is damaged");
	else if (!(relocated->dwarf = hd_dwarf_open(relocated->elf)))
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object has no debug information");
	if (relocated->dwarf)
		return relocated;
	hd_relocated_free(relocated);
	return NULL;
}

Dwarf *
hd_relocated_dwarf(hd_relocated *relocated)
{
	return relocated->dwarf;
}

void
hd_relocated_free(hd_relocated *relocated)
{
	if (!relocated)
		return;
	if (relocated->dwarf)
		dwarf_end(relocated->dwarf);
	if (relocated->elf)
		elf_end(relocated->elf);
	g_free(relocated->copy);
	g_free(relocated);
}
