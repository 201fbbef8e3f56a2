/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/object/elf_view.h"

#include "base/error.h"

#include <gelf.h>
#include <string.h>

/* What takes no room in the file is bounded by the address space. */
#define MOST_ZEROS ((guint64)1 << 47)

/* A string of a string table, which must end inside it. */
static const char *
string_at(const hd_elf_section *table, guint64 offset)
{
	if (!table->bytes || offset >= table->size)
		return NULL;
	const char *s = (const char *)table->bytes + offset;
	return memchr(s, 0, table->size - offset) ? s : NULL;
}

static bool
read_section(hd_elf_section *out, Elf_Scn *scn, const guint8 *file, gsize size, GError **error)
{
	GElf_Shdr header;
	guint index = (guint)elf_ndxscn(scn);
	if (!gelf_getshdr(scn, &header)) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the header of section %u cannot be read", index);
		return false;
	}
	out->type = header.sh_type;
	out->flags = header.sh_flags;
	out->size = header.sh_size;
	out->alignment = MAX(header.sh_addralign, 1);
	out->entry_size = header.sh_entsize;
	out->link = header.sh_link;
	out->info = header.sh_info;
	if (out->type == SHT_NULL) {
		out->size = 0;
		out->alignment = 1;
		return true;
	}
	if (out->alignment & (out->alignment - 1)) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "section %u has an alignment that is no power of two",
			    index);
		return false;
	}
	if (out->type == SHT_NOBITS) {
		if (out->size <= MOST_ZEROS)
			return true;
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "section %u is larger than any memory", index);
		return false;
	}
	if (header.sh_offset > size || out->size > size - header.sh_offset) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "section %u reaches beyond the end of the object", index);
		return false;
	}
	out->bytes = file + header.sh_offset;
	return true;
}

static bool
read_sections(hd_elf_view *view, Elf *elf, const guint8 *file, gsize size, GError **error)
{
	size_t n, names;
	if (elf_getshdrnum(elf, &n) != 0 || elf_getshdrstrndx(elf, &names) != 0 || n == 0 || names >= n ||
	    n > size / sizeof(Elf64_Shdr)) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object's table of sections is damaged");
		return false;
	}
	view->n_sections = (guint)n;
	view->sections = g_new0(hd_elf_section, n);
	for (guint i = 0; i < n; i++) {
		Elf_Scn *scn = elf_getscn(elf, i);
		if (!scn || !read_section(&view->sections[i], scn, file, size, error)) {
			if (error && !*error)
				g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "section %u cannot be read", i);
			return false;
		}
	}
	for (guint i = 0; i < n; i++) {
		GElf_Shdr header;
		gelf_getshdr(elf_getscn(elf, i), &header);
		view->sections[i].name = i ? string_at(&view->sections[names], header.sh_name) : "";
		if (!view->sections[i].name) {
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the name of section %u is damaged", i);
			return false;
		}
	}
	return true;
}

/* gABI, "Symbol Table": the section of a symbol, through SHT_SYMTAB_SHNDX where it says so. */
static bool
symbol_section(const hd_elf_view *view, const hd_elf_section *extended, guint index, guint16 raw, guint *section)
{
	switch (raw) {
	case SHN_ABS:
		*section = HD_ELF_ABSOLUTE;
		return true;
	case SHN_COMMON:
	case 0xff02: /* SHN_X86_64_LCOMMON: COMMON of the large model */
		*section = HD_ELF_COMMON;
		return true;
	case SHN_XINDEX: {
		guint32 word;
		if (!extended || extended->size / 4 <= index)
			return false;
		memcpy(&word, extended->bytes + (gsize)index * 4, 4);
		*section = word;
		return word != 0 && word < view->n_sections;
	}
	default:
		*section = raw;
		return raw < view->n_sections;
	}
}

static bool
read_symbol(hd_elf_view *view, guint index, const Elf64_Sym *raw, const hd_elf_section *strings,
	    const hd_elf_section *extended, GError **error)
{
	hd_elf_symbol *symbol = &view->symbols[index];
	symbol->name = raw->st_name ? string_at(strings, raw->st_name) : "";
	symbol->type = ELF64_ST_TYPE(raw->st_info);
	symbol->binding = ELF64_ST_BIND(raw->st_info);
	symbol->visibility = ELF64_ST_VISIBILITY(raw->st_other);
	symbol->value = raw->st_value;
	symbol->size = raw->st_size;
	if (!symbol->name || !symbol_section(view, extended, index, raw->st_shndx, &symbol->section)) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "symbol %u is damaged", index);
		return false;
	}
	if (symbol->section == HD_ELF_COMMON) {
		/* st_value is the alignment (gABI) */
		if (symbol->value == 0)
			symbol->value = 1;
		if (symbol->value & (symbol->value - 1)) {
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s has an alignment that is no power of two",
				    symbol->name);
			return false;
		}
		if (symbol->size > MOST_ZEROS) {
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s is larger than any memory", symbol->name);
			return false;
		}
	} else if (symbol->section != HD_ELF_UNDEFINED && symbol->section != HD_ELF_ABSOLUTE &&
		   symbol->value > view->sections[symbol->section].size) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s lies outside its section", symbol->name);
		return false;
	}
	return true;
}

static bool
read_symbols(hd_elf_view *view, GError **error)
{
	guint table = 0;
	const hd_elf_section *extended = NULL;
	for (guint i = 1; i < view->n_sections; i++) {
		if (view->sections[i].type == SHT_SYMTAB && !table)
			table = i;
		if (view->sections[i].type == SHT_SYMTAB_SHNDX)
			extended = &view->sections[i];
	}
	if (!table)
		return true;
	const hd_elf_section *symbols = &view->sections[table];
	if (symbols->link >= view->n_sections || view->sections[symbols->link].type != SHT_STRTAB ||
	    symbols->size % sizeof(Elf64_Sym) != 0 || symbols->size / sizeof(Elf64_Sym) > G_MAXINT32) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object's table of symbols is damaged");
		return false;
	}
	view->n_symbols = (guint)(symbols->size / sizeof(Elf64_Sym));
	view->symbols = g_new0(hd_elf_symbol, view->n_symbols);
	for (guint i = 0; i < view->n_symbols; i++) {
		Elf64_Sym raw;
		memcpy(&raw, symbols->bytes + (gsize)i * sizeof(raw), sizeof(raw));
		if (!read_symbol(view, i, &raw, &view->sections[symbols->link], extended, error))
			return false;
	}
	return true;
}

static bool
check_header(Elf *elf, GError **error)
{
	GElf_Ehdr header;
	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) || header.e_type != ET_REL) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "this is not a relocatable ELF object");
		return false;
	}
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "the object is not for x86-64");
		return false;
	}
	return true;
}

bool
hd_elf_view_init(hd_elf_view *view, GBytes *bytes, GError **error)
{
	memset(view, 0, sizeof(*view));
	gsize size;
	const guint8 *file = g_bytes_get_data(bytes, &size);
	elf_version(EV_CURRENT);
	/* libelf only reads what it is given this way, its prototype notwithstanding. */
	Elf *elf = file && size ? elf_memory((char *)(guintptr)file, size) : NULL;
	if (!elf) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "this is not an ELF object");
		return false;
	}
	bool ok = check_header(elf, error) && read_sections(view, elf, file, size, error) && read_symbols(view, error);
	elf_end(elf);
	if (!ok)
		hd_elf_view_clear(view);
	return ok;
}

void
hd_elf_view_clear(hd_elf_view *view)
{
	g_free(view->sections);
	g_free(view->symbols);
	memset(view, 0, sizeof(*view));
}
