/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One link under way: what the files of this folder share. Nobody else includes
 * this.
 *
 * Order of work. hd_link_place: hd_link_bind_data (which data exist, which are
 * new), hd_link_lay_out (offsets; what needs a GOT word, a stub, a permanent
 * address), hd_link_reserve (room in the arenas). hd_link_relocate:
 * hd_link_relocate_placed, hd_link_prepare_data, hd_link_prepare_entries. */
#ifndef HD_LINK_LINKED_H
#define HD_LINK_LINKED_H

#include "reloader/link/link.h"

/* What the update does to one datum, at commit. */
typedef struct {
	char *key;
	guint64 address;
	guint8 *view;	/* for memory that only we can write */
	GBytes *bytes;	/* what it shall hold */
	GBytes *before; /* what it held at first; NULL for a new datum */
	hd_write_mode mode;
	guint index; /* in the commit */
	bool done;   /* written somewhere */
} hd_data_write;

/* No atom, word or stub has offset 0, which says "none": a room begins with a few bytes of nothing. */
#define HD_ROOM_NOTHING 8

/* Room in the arena for code. */
typedef struct {
	guint64 start;
	guint8 *view;
	gsize size;
} hd_room;

struct hd_linked {
	hd_link_request r;
	hd_object *object;
	guint n_atoms, n_targets;
	guint64 *address;    /* run-time address of each atom, as far as known */
	guint64 *got;	     /* for each target: offset, then address of its GOT word (or TLS pair) */
	guint64 *stub;	     /* for each target: offset, then address of its stub */
	guint64 *permanent;  /* for each placed function that is new: its stub */
	hd_room code;	     /* bodies, and what only they use; given back with them */
	hd_room lasting;     /* what the program may keep pointers to: constants, permanent addresses */
	gsize keepers;	     /* offset of the first free byte for keepers */
	GArray *keeper_code; /* of hd_range: keepers made */
	guint64 eh_frame;    /* offset of room that gives .eh_frame an address */
	guint64 fresh;	     /* room for new data */
	gsize fresh_size;
	bool *fresh_atom;
	GPtrArray *announced; /* of char *: names made known to the transaction's other modules */
	GArray *writes;	      /* of hd_data_write */
	GArray *reshapes;     /* of hd_linked_reshape */
	GPtrArray *kept;      /* keys of data whose initialiser cannot be compared */
	GPtrArray *staged;    /* of hd_function *: got a body */
	GPtrArray *brought;   /* of char *: functions added to the bindings */
	GArray *placed;	      /* of hd_placed_code */
	GHashTable *targets;  /* set of addresses of functions that it refers to */
	GBytes *artefact;
};

/* Room for one keeper (hd_arch_keeper). */
#define HD_KEEPER_ROOM 768

/* ---- link.c ---- */
const hd_atom *hd_link_atom(const hd_linked *linked, guint index);
/* Callers of it may be led to a newer body. */
bool hd_link_is_redirectable(const hd_atom *atom);
bool hd_link_is_datum(const hd_atom *atom);
bool hd_link_is_tls(const hd_atom *atom);
/* Targets are numbered: atoms first, then externals. */
guint hd_link_target(const hd_linked *linked, const hd_reloc *reloc);
const char *hd_link_target_name(const hd_linked *linked, guint target);
hd_reference hd_link_reference(const hd_atom *atom, const hd_reloc *reloc);
/* Our writable view of an address in one of the rooms. */
guint8 *hd_link_view(const hd_linked *linked, guint64 address);
/* A refusal placed at the source line of a byte of an atom. */
hd_refusal *hd_link_refuse(const hd_linked *linked, hd_refusal_code code, guint atom, guint64 offset,
			   const char *format, ...) G_GNUC_PRINTF(5, 6);

/* ---- data.c ---- */
hd_refusal *hd_link_bind_data(hd_linked *linked);
hd_refusal *hd_link_prepare_data(hd_linked *linked);

/* ---- layout.c ---- */
void hd_link_lay_out(hd_linked *linked);
hd_refusal *hd_link_reserve(hd_linked *linked);

/* ---- relocate.c ---- */
hd_refusal *hd_link_relocate_placed(hd_linked *linked);
/* image: the atom's bytes as they will be at `place`. */
hd_refusal *hd_link_relocate_atom(hd_linked *linked, guint index, guint8 *image, guint64 place);

/* ---- entry.c ---- */
hd_refusal *hd_link_prepare_entries(hd_linked *linked);

#endif
