/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A linked ELF file (program or shared object) on disk: which translation
 * units are in it, where their functions and variables are, what its data held
 * at the start. All addresses are the file's own (link-time); the load bias is
 * added by whoever knows it. Opening reads headers and unit DIEs only; the
 * rest is read when first asked for. */
#ifndef HD_IMAGE_IMAGE_H
#define HD_IMAGE_IMAGE_H

#include "reloader/build/command.h"
#include "reloader/types/unit.h"

typedef struct hd_image hd_image;

typedef struct {
	const char *source;    /* absolute; canonical where the file exists */
	const char *directory; /* DW_AT_comp_dir */
	const char *producer;
	Dwarf_Off die;
	bool is_c;	   /* DW_AT_language is a C */
	bool lto;	   /* link-time optimised: cannot be reloaded */
	const char *limit; /* why it cannot be reloaded, a phrase with the remedy; NULL: nothing speaks against it */
} hd_image_unit;

typedef enum { HD_SYMBOL_NONE, HD_SYMBOL_FUNCTION, HD_SYMBOL_OBJECT, HD_SYMBOL_TLS, HD_SYMBOL_IFUNC } hd_symbol_kind;

typedef struct {
	const char *name;
	hd_symbol_kind kind;
	guint64 address; /* TLS: offset in the TLS block */
	guint64 size;
	bool local, weak, hidden;
} hd_image_symbol;

/* HD_ERROR_FORMAT, HD_ERROR_UNSUPPORTED (not x86-64, ...), HD_ERROR_IO. A file
 * without debug information opens and has no units. */
hd_image *hd_image_open(const char *path, GError **error);
hd_image *hd_image_ref(hd_image *image);
void hd_image_unref(hd_image *image);

const char *hd_image_path(const hd_image *image);
bool hd_image_is_static(const hd_image *image);	  /* no PT_INTERP and an executable */
bool hd_image_is_pie(const hd_image *image);	  /* ET_DYN */
bool hd_image_has_symbols(const hd_image *image); /* .symtab is there (not stripped) */
guint64 hd_image_entry(const hd_image *image);
guint64 hd_image_low(const hd_image *image); /* lowest and highest address of PT_LOAD */
guint64 hd_image_high(const hd_image *image);
/* The n-th executable PT_LOAD; false: there are no more. */
bool hd_image_code(const hd_image *image, guint n, guint64 *low, guint64 *high);

const GPtrArray *hd_image_units(hd_image *image); /* of hd_image_unit *; read at the first call */
/* The unit's details, read at the first call and kept. */
const hd_unit *hd_image_unit_details(hd_image *image, const hd_image_unit *unit, GError **error);
/* What it says of its building: borrowed fields, valid as long as the image. */
const hd_command_hints *hd_image_unit_hints(hd_image *image, const hd_image_unit *unit);

/* Function symbols (clones and .cold parts included) whose address is in the unit's code; of hd_image_symbol *, owned
 * by the image. */
const GPtrArray *hd_image_unit_functions(hd_image *image, const hd_image_unit *unit);

/* A symbol visible in the whole image: global or weak, hidden or not; from .symtab, else .dynsym. NULL: none. */
const hd_image_symbol *hd_image_global(hd_image *image, const char *name);
/* What the image offers to others (.dynsym, defined, the default version). A program's own entry (PLT) for an imported
 * function, which all pointers to that function hold, counts. NULL: none. */
const hd_image_symbol *hd_image_exported(hd_image *image, const char *name);
/* The function symbol that holds the address (the one with a name to show), NULL: none. */
const hd_image_symbol *hd_image_symbol_at(hd_image *image, guint64 address);
/* Every function symbol that starts there; new array of borrowed symbols. */
GPtrArray *hd_image_symbols_starting_at(hd_image *image, guint64 address);
/* Distance from address to the next function symbol or the section's end, for padding. */
guint64 hd_image_room(hd_image *image, guint64 address);

/* Copies `size` bytes of the file's content for an address range (zero for
 * .bss). false: not in a PT_LOAD. */
bool hd_image_bytes(hd_image *image, guint64 address, guint64 size, guint8 *out);
/* The same after the dynamic loader has relocated it at `bias`. `resolve`
 * gives the run-time address of a dynamic symbol. false when a relocation in
 * the range is of a kind that cannot be foretold. */
typedef guint64 hd_image_resolve(const char *symbol, void *data);
bool hd_image_initial(hd_image *image, guint64 address, guint64 size, guint64 bias, hd_image_resolve *resolve,
		      void *data, guint8 *out);

/* The word that the loader fills for a dynamic relocation: R_X86_64_DTPMOD64
 * of the image's own TLS, R_X86_64_IRELATIVE with this resolver. 0: none. */
guint64 hd_image_tls_module_word(hd_image *image);
/* R_X86_64_TPOFF64 of this symbol; its place when the loader is done holds the offset from the thread pointer. */
guint64 hd_image_tls_offset_word(hd_image *image, const char *symbol);
guint64 hd_image_ifunc_word(hd_image *image, guint64 resolver);
/* Size and alignment of PT_TLS; 0 when there is none. */
guint64 hd_image_tls_size(const hd_image *image);
guint64 hd_image_tls_alignment(const hd_image *image);

#endif
