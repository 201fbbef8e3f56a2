/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the debug information of one translation unit says: its functions,
 * its variables and the shape of its types. Read by libdw, once, from a linked
 * image or from a relocatable object. Hostile input is an error, never a crash. */
#ifndef HD_TYPES_UNIT_H
#define HD_TYPES_UNIT_H

#include "base/place.h"
#include <elfutils/libdw.h>
#include <stdbool.h>

typedef struct hd_unit hd_unit;

/* A variable with a place in memory (static locals included), or a declaration. */
typedef struct {
	const char *name;
	const char *function; /* the function a static local belongs to; NULL at file scope */
	guint ordinal;	      /* 0 for the first of that function and name, in order of lines */
	bool external;	      /* linkage */
	bool declaration;     /* only declared here */
	bool tls;
	bool constant;	 /* const through and through: the program never writes it */
	bool scattered;	 /* in memory, but not as declared: it was split or narrowed, and cannot be bound */
	bool located;	 /* the two below are valid; never for COMMON, which has no place yet */
	guint section;	 /* object: ELF section index. image: 0 */
	guint64 address; /* object: offset in section. image: address, or offset in the TLS block */
	guint64 size;
	const char *type;  /* printable, for messages */
	const char *shape; /* two variables of equal shape can share memory */
	hd_position where;
} hd_unit_variable;

typedef struct {
	const char *name;
	bool external, declaration, prototyped, variadic;
	bool inlined; /* the compiler put its body into a caller somewhere, or made clones of it */
	guint n_parameters;
	bool in_registers;		  /* every parameter and the result travel in registers (x86-64 psABI 3.2.3) */
	guint result_general, result_sse; /* how many of rax, rdx and of xmm0, xmm1 the result takes, if so */
	bool located;
	guint section; /* as above */
	guint64 address, size;
	const char *signature; /* printable: "int (struct conn *, size_t)" */
	const char
		*shape; /* of the signature: kinds, sizes and names of parameter and result types, not their fields */
	hd_position where;
} hd_unit_function;

/* HD_ERROR_UNSUPPORTED: split debug information, or none of types (-g1).
 * Of a linked image: die is the unit's offset in .debug_info. dwarf is borrowed and must outlive the unit. */
hd_unit *hd_unit_read_image(Dwarf *dwarf, Dwarf_Off die, GError **error);
/* Of a relocatable object. bytes is referenced. HD_ERROR_FORMAT: no or damaged debug information. */
hd_unit *hd_unit_read_object(GBytes *bytes, GError **error);
void hd_unit_free(hd_unit *unit);

const GPtrArray *hd_unit_variables(const hd_unit *unit); /* of hd_unit_variable * */
const GPtrArray *hd_unit_functions(const hd_unit *unit); /* of hd_unit_function * */

/* NULL if there is none. With linkage: the definition is preferred to declarations. */
const hd_unit_variable *hd_unit_variable_named(const hd_unit *unit, const char *function, const char *name,
					       guint ordinal);
/* The variable whose memory holds this byte; NULL if none. */
const hd_unit_variable *hd_unit_variable_at(const hd_unit *unit, guint section, guint64 address);
const hd_unit_function *hd_unit_function_named(const hd_unit *unit, const char *name);

/* DW_AT_producer: the compiler, and with gcc its options; NULL: it does not say. As long as the unit. */
const char *hd_unit_producer(const hd_unit *unit);

/* Source position of an address in code of an image or an object's section. false: unknown. where is the caller's to
 * clear. */
bool hd_unit_line(const hd_unit *unit, guint section, guint64 address, hd_position *where);

/* The first line of the file in [first, last] that there is code for; 0: none. */
int hd_unit_code_line(const hd_unit *unit, const char *file, int first, int last);

/* Whether objects of a type may be where no variable is: something points to it, or to what has it inside. key: as
 * hd_verdict calls types. */
bool hd_reach_has_pointer(const hd_unit *unit, const char *key);

/* The type's shape as text, equal for types that can share memory; new string. key: as above. NULL: the unit has no
 * such type. */
char *hd_reach_shape(const hd_unit *unit, const char *key);

/* Whether a frame of the function may have such an object in it. */
bool hd_reach_has_local(const hd_unit *unit, const char *key, const char *function);

/* Whether a compiler's recorded options (DW_AT_producer) leave types out (-g1): such a unit cannot be read. */
bool hd_producer_omits_types(const char *producer);

#endif
