/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the names of one translation unit are bound to in the program, across
 * all its versions: functions with every entry they ever had, and data.
 *
 * A function's first known entry is its address for ever: pointers hold it. An
 * entry holds either what its code began with, or a jump to the entry that is
 * in force; which one is derived from the versions (hd_function_sites), never
 * kept by hand. */
#ifndef HD_LINK_BINDINGS_H
#define HD_LINK_BINDINGS_H

#include "reloader/link/arch.h"
#include "reloader/link/scope.h"

/* One body of a function. */
typedef struct {
	int version; /* of the module; 0: the program's own */
	int transaction;
	guint64 entry; /* where callers arrive: the slot before a placed body, the first byte of the program's own */
	guint64 from_original; /* where the program's own entry leads when this body is in force; a keeper, or entry */
	guint64 start, end;    /* the body */
	guint64 exclude_end; /* program's own: end of the bytes a jump covers, or of the body when it loops through them
			      */
	guint64 hop;	     /* 0, or where a jump stands that a short jump at the entry leads to */
	guint8 hop_now[HD_ARCH_JUMP];
	guint8 *view; /* our writable view of the entry; NULL: written through the target */
	guint8 original[HD_ARCH_JUMP];
	guint8 now[HD_ARCH_JUMP];
	bool undone;
	guint lineage;	    /* callers of one lineage agree with its bodies on arguments and result: their entries lead
			       to its newest body, and to no other's */
	bool instant;	    /* built by libtcc */
	bool says_the_same; /* it is there for others' sake: the source is that of the body before it */
} hd_body;

typedef struct {
	char *name;
	guint64 permanent; /* the address that pointers hold; 0: it has none */
	guint64 stub;	   /* where its permanent address is a stub of ours, else 0 */
	guint8 *stub_view;
	guint8 stub_now[HD_ARCH_JUMP];
	GArray *bodies; /* of hd_body, oldest first */
} hd_function;

typedef struct hd_datum hd_datum;

struct hd_datum {
	char *key;	 /* hd_datum_key */
	guint64 address; /* run-time; TLS: offset in the block */
	guint64 size;
	bool tls;
	bool scattered; /* optimised into several places: no new code can share it */
	guint8 *view;	/* our writable view where it lies in shared memory; else NULL */
	guint64 origin; /* where the image's file has its initial content, when that is not at address - bias; else 0 */
	GBytes *initial; /* what it held at first; NULL: cannot be known */
	int version;	 /* of the module that brought it; 0: the program's own */
	bool undone;
	hd_datum *older; /* owned; what the name was bound to before: constants move when they grow */
};

typedef struct {
	GHashTable *functions; /* char *name -> hd_function * */
	GHashTable *data;      /* char *key -> hd_datum * */
} hd_bindings;

hd_bindings *hd_bindings_new(void);
void hd_bindings_free(hd_bindings *bindings);

hd_function *hd_bindings_function(const hd_bindings *bindings, const char *name); /* NULL: none */
hd_function *hd_bindings_add_function(hd_bindings *bindings, const char *name, guint64 permanent);
/* The newest that is not undone; NULL: none. key may be NULL: what has no name is never bound. */
hd_datum *hd_bindings_datum(const hd_bindings *bindings, const char *key);
/* Hides what the key was bound to, until it is undone. initial is referenced. */
hd_datum *hd_bindings_add_datum(hd_bindings *bindings, const char *key, guint64 address, guint64 size, bool tls,
				GBytes *initial);

/* The body in force: the newest that is not undone; NULL: none. */
hd_body *hd_function_current(const hd_function *function);
/* The lineage of a body that follows the one in force, or that begins another. */
guint hd_function_lineage(const hd_function *function, bool begins);
/* Whether a newer body in force says something else than the one of this version. */
bool hd_function_is_superseded(const hd_function *function, int version);
/* The body whose code holds pc; NULL: none. */
hd_body *hd_function_body_at(const hd_function *function, guint64 pc);

/* Adds to commit what makes every entry lead where it must now, with the
 * exclusions that go with it. Returns how many entries change. */
guint hd_function_redirect(hd_function *function, hd_commit *commit);
/* The commit was made: the entries hold what it wrote. */
void hd_function_redirected(hd_function *function);

/* Adds to commit what makes the program's own entries lead where they must now, in a process where they hold what the
 * program's file has. home: of the function. */
void hd_function_install(const hd_function *function, const hd_loaded *home, hd_commit *commit);

/* Names of functions whose body in force libtcc built; a set, new. */
GHashTable *hd_bindings_instant(const hd_bindings *bindings);

/* Whether a body in [start, end) is in force, or may be again when versions above floor are undone and redone. */
bool hd_bindings_need_code(const hd_bindings *bindings, guint64 start, guint64 end, int floor);
/* That code is no more. */
void hd_bindings_forget_code(hd_bindings *bindings, guint64 start, guint64 end);
/* Forgets what data names were bound to before, as far as undo to floor never asks for it. */
void hd_bindings_forget_data(hd_bindings *bindings, int floor);

/* The version is undone, or put on again: its bodies, and those of its data that hide older ones. */
void hd_bindings_mark(hd_bindings *bindings, int version, bool undone);

#endif
