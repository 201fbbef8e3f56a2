/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/image: what its files share. */
#ifndef HD_IMAGE_INTERNAL_H
#define HD_IMAGE_INTERNAL_H

#include "reloader/image/image.h"

#include <gelf.h>

typedef struct hd_symbols hd_symbols;
typedef struct hd_dynamic hd_dynamic;

/* A unit with what is read of it later. `open` is first: the public pointer is this one's. */
typedef struct {
	hd_image_unit open;
	Dwarf_Die cu;
	hd_unit *details;
	hd_command_hints *hints;
	GPtrArray *functions;
} hd_unit_slot;

/* An ELF file that stays open: later reads see the file that was opened, even
 * after its name has been given to a new one. Read, never mapped: a file that
 * is truncated meanwhile is a short read, not SIGBUS. */
typedef struct {
	int fd;
	Elf *elf;
} hd_elf;

struct hd_image {
	guint references;
	char *path;
	hd_elf file;
	hd_elf debug; /* separate debug file; elf NULL: the information is in `file` */
	GElf_Ehdr header;
	GElf_Phdr *segments;
	gsize n_segments;
	bool interpreted;  /* PT_INTERP */
	bool declared_pie; /* DF_1_PIE */
	Dwarf *dwarf;	   /* NULL: none, or in a separate file and not read yet */
	GPtrArray *units;  /* of hd_unit_slot *, read when first asked for */
	bool units_read;
	GHashTable *paths;   /* char * -> canonical char *, both owned */
	GPtrArray *folders;  /* of char *: where units whose hints were read have looked for headers; paths' */
	hd_symbols *symbols; /* read when first asked for */
	hd_dynamic *dynamic; /* the same */
};

bool hd_elf_open(hd_elf *elf, const char *path, GError **error);
void hd_elf_close(hd_elf *elf);
/* The first section of a type (SHT_*), NULL if there is none. */
Elf_Scn *hd_elf_section(Elf *elf, guint type, GElf_Shdr *header);
/* The separate debug file with the same build-id, if there is one. */
bool hd_debug_file_open(const hd_elf *file, const char *path, hd_elf *debug);

/* units.c: fills image->units. */
void hd_units_open(hd_image *image);
void hd_unit_slot_free(gpointer slot);

/* symbols.c */
void hd_symbols_free(hd_symbols *symbols);
/* Function symbols with first <= address < end, appended to found. */
void hd_symbols_within(hd_image *image, guint64 first, guint64 end, GPtrArray *found);
/* Whether clang's link-time optimiser made it: it leaves the name of its one temporary object. */
bool hd_symbols_name_lto(hd_image *image);

/* dynamic.c */
void hd_dynamic_free(hd_dynamic *dynamic);

#endif
