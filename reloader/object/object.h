/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relocatable object of gcc, clang or tcc for x86-64, read and checked.
 *
 * Nothing in the file is trusted: offsets, sizes, indices and names are
 * validated once, here; whoever holds an hd_object may index without fear.
 *
 * The unit of everything after this is the atom: a function or a datum, with
 * the bytes and the relocations that lie in it. With -ffunction-sections an
 * atom is a section; elsewhere (tcc, assembler) it is the stretch between two
 * symbols. A string in a mergeable section, and an anonymous constant (a
 * jump table, .LC0, what a local array is initialised from), is an atom
 * without a name. The parts gcc splits off
 * (f.cold) are atoms of their own.
 *
 * Normalised while reading: direct calls and jumps between atoms of one
 * section, which assemblers resolve without a relocation, get one, and so
 * does a function's call of itself (R_X86_64_PLT32; PC8 for a short jump);
 * PC32 of a direct branch becomes PLT32 too; a reference to "section + n" becomes a reference to the
 * atom that holds byte n, with the rest as addend. */
#ifndef HD_OBJECT_OBJECT_H
#define HD_OBJECT_OBJECT_H

#include <glib.h>
#include <stdbool.h>

typedef struct hd_object hd_object;

typedef enum {
	HD_ATOM_CODE,
	HD_ATOM_CONST,	  /* read-only data, .data.rel.ro included */
	HD_ATOM_STRING,	  /* read-only, in a mergeable string section */
	HD_ATOM_DATA,	  /* writable, initialised */
	HD_ATOM_ZERO,	  /* writable, zero (.bss, COMMON) */
	HD_ATOM_TLS,	  /* thread-local, initialised */
	HD_ATOM_TLS_ZERO, /* thread-local, zero */
} hd_atom_kind;

typedef enum { HD_BIND_LOCAL, HD_BIND_GLOBAL, HD_BIND_WEAK } hd_binding;

#define HD_NONE G_MAXUINT

typedef struct {
	guint32 type;	/* R_X86_64_* */
	guint64 offset; /* in the atom */
	guint atom;	/* index of the atom meant, or HD_NONE */
	guint external; /* index into externals, or HD_NONE; exactly one of the two */
	gint64 addend;	/* from the start of what is meant, the instruction's own bias (-4) included */
	gint64 bias;	/* addend + bias is the byte meant: the distance from the field to the instruction's
			 * end (4, or more where an immediate follows), in a jump table from the field back
			 * to the table's start; 0 for absolute references */
} hd_reloc;

typedef struct {
	hd_atom_kind kind;
	const char *name; /* its first symbol that is not a local label; NULL: anonymous */
	hd_binding binding;
	bool hidden; /* STV_HIDDEN or STV_INTERNAL */
	bool ifunc;  /* STT_GNU_IFUNC */
	bool common;
	const char *const *aliases; /* further names at the same place, NULL-terminated; NULL: none */
	guint section;		    /* ELF section index; 0 for COMMON */
	guint64 section_offset;	    /* where it starts in that section */
	const guint8 *bytes;	    /* size bytes; NULL for zero kinds */
	guint64 size;
	guint64 alignment;	/* a power of two, at least 1 */
	const hd_reloc *relocs; /* sorted by offset */
	guint n_relocs;
} hd_atom;

typedef struct {
	const char *name;
	bool weak;
	bool hidden;
	bool tls;
} hd_external;

/* bytes is referenced, not copied. HD_ERROR_FORMAT names what is wrong. */
hd_object *hd_object_parse(GBytes *bytes, GError **error);
hd_object *hd_object_ref(hd_object *object);
void hd_object_unref(hd_object *object);

GBytes *hd_object_bytes(const hd_object *object);
guint hd_object_n_atoms(const hd_object *object);
const hd_atom *hd_object_atom(const hd_object *object, guint index);
guint hd_object_n_externals(const hd_object *object);
const hd_external *hd_object_external(const hd_object *object, guint index);
/* Whether it uses a name that it does not define. */
bool hd_object_refers_to(const hd_object *object, const char *name);
/* The named atom (aliases included), HD_NONE if there is none. */
guint hd_object_find(const hd_object *object, const char *name);
/* The atom that holds this byte of an ELF section, HD_NONE if none does. */
guint hd_object_at(const hd_object *object, guint section, guint64 offset);

/* The source's name for an atom's: "count.0" and "f.constprop.0" without what
 * the compiler appended; new string. */
char *hd_atom_source_name(const hd_atom *atom);
/* Whether an atom is a function that a compiler made from another (.constprop,
 * .isra, .part, .cold): its calling convention is its callers' affair. */
bool hd_atom_is_clone(const hd_atom *atom);

#endif
