/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of a line number program: DWARF 5, 6.2.4; DWARF 4, 6.2.4. */
#include "config.h"

#include "reloader/types/sources.h"

#include "reloader/types/dwarf.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	const char *name; /* as spelled; in the file */
	guint64 directory;
	char *path; /* made when first asked for */
} entry;

struct hd_sources {
	GPtrArray *directories; /* of const char *, in the file */
	GArray *files;		/* of entry */
	const char *directory;	/* the unit's */
};

/* What is left to read of a section. A read past the end sets `bad`; its value is 0. */
typedef struct {
	const guint8 *at, *end;
	guint offset_size;
	guint version;
	bool bad;
	Elf_Data *strings, *line_strings;
} reader;

static guint64
fixed(reader *r, gsize width)
{
	guint64 value = 0;
	if ((gsize)(r->end - r->at) < width) {
		r->bad = true;
		r->at = r->end;
		return 0;
	}
	memcpy(&value, r->at, MIN(width, sizeof value));
	r->at += width;
	return GUINT64_FROM_LE(value);
}

static guint64
leb128(reader *r)
{
	guint64 value = 0;
	for (guint shift = 0;; shift += 7) {
		guint8 byte = (guint8)fixed(r, 1);
		if (r->bad)
			return 0;
		if (shift < 64)
			value |= (guint64)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
}

static const char *
string(reader *r)
{
	const char *start = (const char *)r->at;
	const guint8 *end = memchr(r->at, 0, (gsize)(r->end - r->at));
	if (!end) {
		r->bad = true;
		return "";
	}
	r->at = end + 1;
	return start;
}

static const char *
string_at(reader *r, const Elf_Data *section, guint64 offset)
{
	const char *start = section && offset < section->d_size ? (const char *)section->d_buf + offset : NULL;
	if (!start || !memchr(start, 0, section->d_size - offset)) {
		r->bad = true;
		return "";
	}
	return start;
}

/* ---- DWARF 2 to 4 ---- */

static void
read_old_tables(reader *r, hd_sources *sources)
{
	const char *name;
	g_ptr_array_add(sources->directories, (char *)(sources->directory ? sources->directory : ""));
	while (!r->bad && *(name = string(r)))
		g_ptr_array_add(sources->directories, (char *)name);
	g_array_append_val(sources->files, (entry){0}); /* files count from 1 */
	while (!r->bad && *(name = string(r))) {
		entry file = {.name = name, .directory = leb128(r)};
		leb128(r); /* time and length */
		leb128(r);
		g_array_append_val(sources->files, file);
	}
}

/* ---- DWARF 5 ---- */

typedef struct {
	guint64 content, form;
} field;

/* A string for the forms that are one, else NULL and the number. */
static const char *
read_form(reader *r, guint64 form, guint64 *number)
{
	switch (form) {
	case DW_FORM_string:
		return string(r);
	case DW_FORM_line_strp:
		return string_at(r, r->line_strings, fixed(r, r->offset_size));
	case DW_FORM_strp:
		return string_at(r, r->strings, fixed(r, r->offset_size));
	case DW_FORM_udata:
		*number = leb128(r);
		return NULL;
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_data16:
		*number = fixed(r, form == DW_FORM_data1   ? 1
				   : form == DW_FORM_data2 ? 2
				   : form == DW_FORM_data4 ? 4
				   : form == DW_FORM_data8 ? 8
							   : 16);
		return NULL;
	case DW_FORM_block:
		fixed(r, leb128(r));
		return NULL;
	default:
		r->bad = true;
		return NULL;
	}
}

static guint
read_fields(reader *r, field fields[256])
{
	guint n = (guint)fixed(r, 1);
	for (guint i = 0; i < n; i++) {
		fields[i].content = leb128(r);
		fields[i].form = leb128(r);
	}
	return n;
}

static void
read_new_table(reader *r, GPtrArray *directories, GArray *files)
{
	field fields[256];
	guint n = read_fields(r, fields);
	guint64 count = leb128(r);
	for (guint64 i = 0; i < count && !r->bad && n > 0; i++) {
		entry read = {.name = ""};
		for (guint f = 0; f < n; f++) {
			guint64 number = 0;
			const char *text = read_form(r, fields[f].form, &number);
			if (fields[f].content == DW_LNCT_path && text)
				read.name = text;
			else if (fields[f].content == DW_LNCT_directory_index)
				read.directory = number;
		}
		if (r->bad)
			return;
		if (directories)
			g_ptr_array_add(directories, (char *)read.name);
		else
			g_array_append_val(files, read);
	}
}

/* ---- both ---- */

static void
read_header(reader *r, hd_sources *sources)
{
	guint64 length = fixed(r, 4);
	r->offset_size = length == 0xffffffff ? 8 : 4;
	if (r->offset_size == 8)
		length = fixed(r, 8);
	if (length > (guint64)(r->end - r->at))
		return;
	r->end = r->at + length;
	r->version = (guint)fixed(r, 2);
	if (r->version < 2 || r->version > 5)
		return;
	if (r->version == 5)
		fixed(r, 2); /* sizes of addresses and segment selectors */
	fixed(r, r->offset_size);
	/* minimum_instruction_length, then as of 4 maximum_operations_per_instruction,
	 * default_is_stmt, line_base, line_range */
	fixed(r, r->version >= 4 ? 5 : 4);
	guint64 opcodes = fixed(r, 1);
	fixed(r, opcodes > 0 ? opcodes - 1 : 0);
	if (r->version < 5) {
		read_old_tables(r, sources);
	} else {
		read_new_table(r, sources->directories, NULL);
		read_new_table(r, NULL, sources->files);
	}
}

static void
find_sections(Dwarf *dwarf, Elf_Data **lines, reader *r)
{
	Elf *elf = dwarf_getelf(dwarf);
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
		if (!name || header.sh_type == SHT_NOBITS)
			continue;
		if (hd_dwarf_is_section(name, "debug_line"))
			*lines = elf_rawdata(section, NULL);
		else if (hd_dwarf_is_section(name, "debug_line_str"))
			r->line_strings = elf_rawdata(section, NULL);
		else if (hd_dwarf_is_section(name, "debug_str"))
			r->strings = elf_rawdata(section, NULL);
	}
}

hd_sources *
hd_sources_new(Dwarf *dwarf, Dwarf_Die *cu)
{
	hd_sources *sources = g_new0(hd_sources, 1);
	sources->directories = g_ptr_array_new();
	sources->files = g_array_new(FALSE, FALSE, sizeof(entry));
	Dwarf_Attribute attribute;
	Dwarf_Word offset;
	Elf_Data *lines = NULL;
	reader r = {0};
	sources->directory = dwarf_formstring(dwarf_attr(cu, DW_AT_comp_dir, &attribute));
	if (dwarf_formudata(dwarf_attr(cu, DW_AT_stmt_list, &attribute), &offset) != 0)
		return sources;
	find_sections(dwarf, &lines, &r);
	if (!lines || !lines->d_buf || offset >= lines->d_size)
		return sources;
	r.at = (const guint8 *)lines->d_buf + offset;
	r.end = (const guint8 *)lines->d_buf + lines->d_size;
	read_header(&r, sources);
	return sources;
}

void
hd_sources_free(hd_sources *sources)
{
	if (!sources)
		return;
	for (guint i = 0; i < sources->files->len; i++)
		g_free(g_array_index(sources->files, entry, i).path);
	g_ptr_array_unref(sources->directories);
	g_array_unref(sources->files);
	g_free(sources);
}

guint
hd_sources_n_files(const hd_sources *sources)
{
	return sources->files->len;
}

guint
hd_sources_n_directories(const hd_sources *sources)
{
	return sources->directories->len;
}

const char *
hd_sources_directory(const hd_sources *sources, guint index)
{
	return index < sources->directories->len ? sources->directories->pdata[index] : NULL;
}

char *
hd_source_name(const char *name, const char *directory)
{
	char *absolute =
		directory && g_path_is_absolute(directory) ? g_canonicalize_filename(name, directory) : g_strdup(name);
	char *real = g_path_is_absolute(absolute) ? realpath(absolute, NULL) : NULL;
	if (!real)
		return absolute;
	char *result = g_strdup(real);
	free(real);
	g_free(absolute);
	return result;
}

/* A directory's entry may itself be relative to the unit's. */
static char *
folder_of(const hd_sources *sources, const entry *file)
{
	const char *folder =
		file->directory <= G_MAXUINT ? hd_sources_directory(sources, (guint)file->directory) : NULL;
	if (!folder || !sources->directory || !g_path_is_absolute(sources->directory))
		return g_strdup(folder ? folder : sources->directory);
	return g_canonicalize_filename(folder, sources->directory);
}

static const entry *
file_at(const hd_sources *sources, guint64 index)
{
	const entry *file = index < sources->files->len ? &g_array_index(sources->files, entry, index) : NULL;
	return file && file->name && *file->name && *file->name != '<' ? file : NULL;
}

char *
hd_sources_spelling(const hd_sources *sources, guint index)
{
	const entry *file = file_at(sources, index);
	char *directory = file ? folder_of(sources, file) : NULL;
	char *name = NULL;
	if (file && (!directory || g_path_is_absolute(file->name)))
		name = g_strdup(file->name);
	else if (file)
		name = g_build_filename(directory, file->name, NULL);
	g_free(directory);
	return name;
}

const char *
hd_sources_file(hd_sources *sources, guint64 index)
{
	entry *file = (entry *)file_at(sources, index);
	if (file && !file->path) {
		char *directory = folder_of(sources, file);
		file->path = hd_source_name(file->name, directory);
		g_free(directory);
	}
	return file ? file->path : NULL;
}
