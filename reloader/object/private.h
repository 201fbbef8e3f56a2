/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside reloader/object: how an hd_object is held while it is read.
 *
 * Atoms stand in the order of their sections and offsets, then COMMON. The
 * order of steps: hd_atoms_read, then hd_relocs_read. */
#ifndef HD_OBJECT_PRIVATE_H
#define HD_OBJECT_PRIVATE_H

#include "reloader/object/elf_view.h"
#include "reloader/object/object.h"

/* Atoms [first, first + n) lie in this section, by offset. */
typedef struct {
	guint first, n;
} hd_atom_range;

struct hd_object {
	gint references;
	GBytes *bytes;
	GArray *atoms;	       /* of hd_atom */
	GArray *externals;     /* of hd_external */
	hd_atom_range *ranges; /* by section index */
	guint n_ranges;
	GArray *relocs;		/* of hd_reloc, by atom and offset */
	GHashTable *names;	/* const char * -> index + 1 */
	GPtrArray *alias_lists; /* of const char ** */
};

/* A relocation as the file has it, checked: the field lies in the section, the symbol exists. */
typedef struct {
	guint64 offset;
	guint32 type;
	guint32 symbol;
	gint64 addend;
} hd_raw_reloc;

typedef struct {
	hd_object *object;
	const hd_elf_view *view;
	GArray **raw;	     /* by section: of hd_raw_reloc by offset; NULL: none */
	guint *common_atoms; /* by symbol: a COMMON symbol's atom, else HD_NONE */
	bool tcc;	     /* the compiler was tcc: literals are called L.N and are in .data */
} hd_reading;

/* Whether a section's content is atoms, and of which kind. */
bool hd_section_kind(const hd_elf_section *section, hd_atom_kind *kind);
/* A label of the compiler's that no source has. */
bool hd_name_is_local_label(const hd_reading *reading, const char *name);

bool hd_raw_relocs_read(hd_reading *reading, GError **error);
/* Index of the first raw relocation of the section at or after offset. */
guint hd_raw_relocs_from(const hd_reading *reading, guint section, guint64 offset);

void hd_atoms_read(hd_reading *reading);
bool hd_relocs_read(hd_reading *reading, GError **error);

/* The atom of a section nearest to a byte that may lie outside all; HD_NONE if the section has no atoms. */
guint hd_atom_nearest(const hd_object *object, guint section, gint64 offset);

#endif
