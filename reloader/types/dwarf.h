/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening debug information by libdw, made safe against what libdw trusts. */
#ifndef HD_TYPES_DWARF_H
#define HD_TYPES_DWARF_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* NULL: there is none. elf must be writable in memory (elf_memory on a copy, or
 * ELF_C_READ, never mapped) and outlive the result. */
Dwarf *hd_dwarf_open(Elf *elf);
/* Whether a section is this one ("debug_line"), compressed the old way (.zdebug_line) or not. */
bool hd_dwarf_is_section(const char *name, const char *kind);

#endif
