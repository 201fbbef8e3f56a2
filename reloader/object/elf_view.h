/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of a relocatable x86-64 ELF file, each field checked against the
 * file. The only code here that calls libelf. Everything is borrowed from the bytes. */
#ifndef HD_OBJECT_ELF_VIEW_H
#define HD_OBJECT_ELF_VIEW_H

#include <elf.h>
#include <glib.h>
#include <stdbool.h>

typedef struct {
	const char *name;
	guint32 type;
	guint64 flags;
	guint64 size;
	guint64 alignment; /* a power of two, at least 1 */
	guint64 entry_size;
	guint32 link, info;
	const guint8 *bytes; /* size bytes; NULL for SHT_NOBITS and SHT_NULL */
} hd_elf_section;

/* Section of a symbol, where it is not an index. */
#define HD_ELF_UNDEFINED 0u
#define HD_ELF_ABSOLUTE (G_MAXUINT - 1)
#define HD_ELF_COMMON (G_MAXUINT - 2)

typedef struct {
	const char *name;
	guint8 type, binding, visibility; /* STT_, STB_, STV_ */
	guint section;			  /* an index that is valid, or one of the above */
	guint64 value;			  /* at most the section's size, where there is one */
	guint64 size;
} hd_elf_symbol;

typedef struct {
	hd_elf_section *sections;
	guint n_sections;
	hd_elf_symbol *symbols;
	guint n_symbols;
} hd_elf_view;

/* HD_ERROR_FORMAT: damaged. HD_ERROR_UNSUPPORTED: not for x86-64. */
bool hd_elf_view_init(hd_elf_view *view, GBytes *bytes, GError **error);
void hd_elf_view_clear(hd_elf_view *view);

#endif
