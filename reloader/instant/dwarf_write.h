/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections of debug and unwind information that stabs amount to: DWARF 4,
 * one unit, one subprogram for each function, without types. Sections are those
 * of a relocatable object: every address is a function's symbol plus something. */
#ifndef HD_INSTANT_DWARF_WRITE_H
#define HD_INSTANT_DWARF_WRITE_H

#include "reloader/instant/stabs.h"

/* In the order in which they are handed out. */
typedef enum {
	HD_DWARF_INFO,
	HD_DWARF_ABBREV,
	HD_DWARF_LINE,
	HD_DWARF_RANGES,
	HD_DWARF_EH_FRAME,
	HD_DWARF_SECTIONS,
} hd_dwarf_section_kind;

typedef struct {
	const char *name;
	bool loaded; /* SHF_ALLOC */
	GByteArray *content;
	GArray *relocations; /* of Elf64_Rela, against the object's symbols */
} hd_dwarf_section;

typedef struct {
	hd_dwarf_section sections[HD_DWARF_SECTIONS];
} hd_dwarf_sections;

/* folder: what relative file names start from. files: of const char *, names for those of stabs, by index. */
void hd_dwarf_write(hd_dwarf_sections *out, const hd_stabs *stabs, const hd_elf_view *view, const char *folder,
		    const GPtrArray *files);
void hd_dwarf_sections_clear(hd_dwarf_sections *sections);

#endif
