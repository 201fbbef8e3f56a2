/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why an edit is held: a code, a reason, a place and a remedy. The table in
 * refusal.c is the one list of codes; the manual documents each. */
#ifndef HD_BASE_REFUSAL_H
#define HD_BASE_REFUSAL_H

#include "base/place.h"

typedef enum {
	HD_REFUSE_TYPE_LAYOUT,	  /* HD101 a shared type changed its shape */
	HD_REFUSE_VARIABLE_TYPE,  /* HD102 a living variable changed its type */
	HD_REFUSE_SIGNATURE,	  /* HD103 a function with callers elsewhere changed its signature */
	HD_REFUSE_TLS_NEW,	  /* HD104 a new thread-local variable */
	HD_REFUSE_DELETED,	  /* HD105 deleted, and something still refers to it */
	HD_REFUSE_CONST_SHARED,	  /* HD106 a constant that other modules use changed its size */
	HD_REFUSE_LIVE_DATA,	  /* HD107 objects in memory cannot take their new shape */
	HD_REFUSE_SYMBOL_MISSING, /* HD201 nothing loaded defines the symbol */
	HD_REFUSE_RELOCATION,	  /* HD202 a relocation that cannot be made here */
	HD_REFUSE_ENTRY,	  /* HD203 no room for a jump at a function's entry */
	HD_REFUSE_ALIAS,	  /* HD204 functions that share one body now differ */
	HD_REFUSE_CLOBBER,	  /* HD205 old callers rely on registers that the new code changes */
	HD_REFUSE_OBJECT,	  /* HD206 the compiler's output cannot be read */
	HD_REFUSE_DEBUG_INFO,	  /* HD207 debug information missing or damaged: no verdict possible */
	HD_REFUSE_BUSY,		  /* HD301 no safe instant before the deadline */
	HD_REFUSE_DENIED,	  /* HD302 ptrace denied, or a debugger holds the program */
	HD_REFUSE_TARGET,	  /* HD303 the program could not be changed; it runs as before */
	HD_REFUSE_COUNT,
} hd_refusal_code;

typedef struct {
	hd_refusal_code code;
	char *module;	   /* owned; NULL: the whole transaction */
	char *subject;	   /* owned; the name of the function or datum concerned; NULL: none */
	char *reason;	   /* owned; what would go wrong, naming the thing */
	hd_position where; /* owned; may be unknown */
	char *remedy;	   /* owned; what the user can do now */
} hd_refusal;

/* "HD101"; valid for ever. */
const char *hd_refusal_name(hd_refusal_code code);
/* One line that says what the code means, for the manual; valid for ever. */
const char *hd_refusal_meaning(hd_refusal_code code);

/* A refusal with the code's usual remedy; reason as printf. where may be NULL and is copied. */
hd_refusal *hd_refusal_new(hd_refusal_code code, const hd_position *where, const char *format, ...) G_GNUC_PRINTF(3, 4);
void hd_refusal_set_remedy(hd_refusal *refusal, const char *format, ...) G_GNUC_PRINTF(2, 3);
hd_refusal *hd_refusal_copy(const hd_refusal *refusal);
void hd_refusal_free(hd_refusal *refusal);

#endif
