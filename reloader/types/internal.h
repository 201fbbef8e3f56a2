/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: the type graph of a unit.
 *
 * Nodes are made once for each debugging information entry and live as long
 * as the unit. The graph may have any shape, hostile input included: whoever
 * follows edges bounds the depth (HD_TYPE_DEPTH) or marks what was visited. */
#ifndef HD_TYPES_INTERNAL_H
#define HD_TYPES_INTERNAL_H

#include "reloader/types/unit.h"

/* No honest type nests deeper by value or by pointer. */
#define HD_TYPE_DEPTH 100

typedef enum {
	HD_TYPE_VOID,
	HD_TYPE_BASE,
	HD_TYPE_POINTER,
	HD_TYPE_STRUCT,
	HD_TYPE_UNION,
	HD_TYPE_ENUM,
	HD_TYPE_ARRAY,
	HD_TYPE_FUNCTION,
	HD_TYPE_TYPEDEF,
	HD_TYPE_CONST,
	HD_TYPE_QUALIFIED, /* volatile, restrict, _Atomic: no matter of shape */
	HD_TYPE_UNKNOWN,   /* an entry that C does not have */
} hd_type_kind;

typedef struct hd_type hd_type;
typedef struct hd_relocated hd_relocated;

typedef struct {
	const char *name; /* NULL: anonymous */
	hd_type *type;
	guint64 bit_offset; /* from the start of the aggregate */
	guint64 bit_size;   /* 0: no bit field */
	const char *file;
	int line;
} hd_member;

typedef struct {
	const char *name;
	gint64 value;
} hd_enumerator;

struct hd_type {
	hd_type_kind kind;
	const char *name;     /* tag, typedef name, or base type's name; NULL: none */
	const char *alias;    /* of an aggregate: a typedef; its name, if it has no tag */
	int alias_line;	      /* of several, the first counts */
	const char *function; /* the function that declares it; NULL: file scope */
	hd_type *target;      /* pointee, element, result, what is qualified or named */
	guint64 size;
	guint encoding; /* BASE: DW_ATE_* */
	bool complete;
	bool vector;
	bool counted;	       /* ARRAY: count is known */
	bool dimension;	       /* ARRAY: of one more dimension, without an entry of its own */
	guint64 count;	       /* ARRAY */
	GArray *members;       /* STRUCT, UNION: of hd_member */
	GArray *enumerators;   /* ENUM: of hd_enumerator */
	GPtrArray *parameters; /* FUNCTION: of hd_type * */
	bool prototyped, variadic;
	bool local;	    /* an automatic variable or a parameter has it */
	GPtrArray *holders; /* names of functions with such a variable; NULL: none */
	const char *file;
	int line;
	const char *digest; /* of its layout, made when first asked for */
	bool visiting;
	guint mark; /* of whoever walks the graph */
};

typedef struct {
	hd_unit_variable open;
	const hd_type *type;
	bool memory; /* some of it is in memory, though perhaps in pieces */
	gsize order; /* of the entry in the debug information */
} hd_variable_slot;

typedef struct {
	hd_unit_function open;
	const char *linkage_name; /* where it differs */
	hd_type *type;
} hd_function_slot;

typedef struct {
	hd_type *type;
	Dwarf_Die die;
} hd_unfilled;

/* An entry that has code of its own, or did where it was not inlined. */
typedef struct {
	Dwarf_Die die;
	guint function; /* the scope of the function it is in, perhaps itself */
} hd_scope;

/* An automatic variable or parameter, each instance by itself, that has a place. */
typedef struct {
	Dwarf_Die die;
	const hd_type *type;
	const char *name, *function;
	guint scope;
} hd_local_entry;

struct hd_unit {
	Dwarf *dwarf;
	hd_relocated *object; /* owns the dwarf of a relocatable object; NULL for an image */
	guint64 low, high;    /* an image's addresses: what lies outside was left out by the linker */
	GArray *cus;	      /* of Dwarf_Die */
	GPtrArray *types;     /* of hd_type *, owned: every node */
	GHashTable *nodes;    /* address of the entry -> hd_type *; while reading */
	GArray *unfilled;     /* of hd_unfilled: nodes whose entry is still to be read */
	hd_type *nothing;     /* void */
	GPtrArray *variables, *functions;
	GHashTable *variable_index; /* "function/name#ordinal" -> hd_variable_slot * */
	GHashTable *function_index;
	GPtrArray *by_address; /* located variables, by section and address */
	GHashTable *sources;   /* Dwarf_CU * -> hd_sources *, owned */
	GHashTable *files;     /* spelling -> the file's one name, both in strings */
	GStringChunk *strings;
	GArray *scopes;	       /* of hd_scope */
	GArray *local_entries; /* of hd_local_entry */
	GArray *locals;	       /* of hd_unit_local: locals.c's; NULL: not asked for yet */
};

/* ---- relocate.c: a relocatable object as libdw likes it ---- */

/* Every section gets an address of its own, so that one number says section and offset. */
#define HD_SECTION_SHIFT 40
static inline guint
hd_section_of(guint64 address)
{
	return (guint)(address >> HD_SECTION_SHIFT);
}

static inline guint64
hd_offset_of(guint64 address)
{
	return address & ((G_GUINT64_CONSTANT(1) << HD_SECTION_SHIFT) - 1);
}

hd_relocated *hd_relocated_new(GBytes *bytes, GError **error);
Dwarf *hd_relocated_dwarf(hd_relocated *relocated);
void hd_relocated_free(hd_relocated *relocated);

/* ---- graph.c: from entries to types ---- */

/* The node of a type's entry; filled by hd_graph_finish. */
hd_type *hd_graph_type(hd_unit *unit, Dwarf_Die *die);
/* The type that an entry's DW_AT_type names; void when there is none; NULL when it is damaged. */
hd_type *hd_graph_type_of(hd_unit *unit, Dwarf_Die *die);
hd_type *hd_graph_new(hd_unit *unit, hd_type_kind kind);
/* A function (NULL: not known which) has an automatic variable or a parameter of the type. */
void hd_graph_hold(hd_type *type, const char *function);
/* Fills a FUNCTION node from the entry of a function or of its type. false: damaged. */
bool hd_graph_function(hd_unit *unit, hd_type *type, Dwarf_Die *die);
/* Reads the entries of every node made so far, and of those they lead to. false: damaged. */
bool hd_graph_finish(hd_unit *unit);
void hd_type_free(gpointer type);
/* Where an entry is declared; file is valid as long as the unit. */
void hd_graph_where(hd_unit *unit, Dwarf_Die *die, const char **file, int *line, int *column);
/* A file's one name: absolute, canonical where it exists; in the unit's strings. */
const char *hd_graph_file(hd_unit *unit, Dwarf_Die *die, const char *name);
/* A number, 0 where there is none. */
guint64 hd_graph_number(Dwarf_Die *die, unsigned int name, bool *known);
bool hd_graph_flag(Dwarf_Die *die, unsigned int name);

/* ---- walk.c: functions and variables of a unit ---- */

bool hd_walk_unit(hd_unit *unit, Dwarf_Die *cu, GError **error);

/* ---- shape.c: types as text ---- */

/* Without typedefs and qualifiers; never NULL. */
const hd_type *hd_type_strip(const hd_type *type);
/* Bytes; 0 where unknown. */
guint64 hd_type_size(const hd_type *type);
bool hd_type_is_const(const hd_type *type);
/* "struct", "union", "enum" or "" */
const char *hd_type_keyword(const hd_type *type);
/* Tag, else the typedef that names it, else NULL. */
const char *hd_type_tag(const hd_type *type);
/* "int", "unsigned", "float": what a BASE type holds, whatever its compiler calls it. */
const char *hd_base_code(const hd_type *type);
/* In C, for people; new string. */
char *hd_type_print(const hd_type *type, const char *declarator);
/* As text that is equal when two can share memory; new string. Of a FUNCTION: its signature. */
char *hd_type_shape(hd_unit *unit, const hd_type *type);

/* ---- registers.c ---- */
bool hd_type_in_registers(const hd_type *function, guint *result_general, guint *result_sse);

#endif
