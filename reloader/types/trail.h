/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: what a trace knows while it runs, for who walks
 * (trace.c), who lists what was found (traced.c) and who tells how it was
 * reached (trail.c). */
#ifndef HD_TYPES_TRAIL_H
#define HD_TYPES_TRAIL_H

#include "reloader/types/parts.h"
#include "reloader/types/trace.h"

#define HD_NO_NODE G_MAXUINT
#define HD_NO_LAYOUT G_MAXUINT

typedef enum { HD_NODE_VARIABLE, HD_NODE_BLOCK, HD_NODE_OBJECT, HD_NODE_LOCAL } hd_node_kind;

/* Memory that was reached. A variable or block is known by its address alone; an object, which nothing says the
 * extent of, by address and layout. */
typedef struct {
	guint64 address, size;
	guint64 pointer; /* the address of the one that led here first; it is in the parent */
	guint parent;	 /* HD_NO_NODE: a variable, or a frame's */
	guint layout;	 /* of its elements; a block that nothing typed has none: HD_NO_LAYOUT */
	hd_node_kind kind;
	bool untyped; /* BLOCK: void * or char * leads here */
	guint64 text; /* the address of a char * that leads to its start; 0: none */
	guint text_parent;
	guint64 crooked; /* the address of a pointer that is not aligned, and leads here; 0: none */
	guint crooked_parent;
	bool weak;     /* only variables of frames lead here by types */
	bool disputed; /* BLOCK: a frame's pointer says that it is numbers */
	guint local;   /* LOCAL: the index in locals */
} hd_node;

typedef struct {
	const hd_unit_variable *variable;
	const hd_type *type;
	guint64 address, size;
	guint handle; /* then the layout */
} hd_root;

/* A variable of a function. */
typedef struct {
	const char *name, *function; /* the unit's */
	const hd_type *type;
	guint64 size;
	guint handle; /* then the layout */
	bool numbers; /* a pointer to numbers or text */
} hd_local;

/* A pointer that cannot be judged before all blocks are known. */
typedef struct {
	guint64 address; /* where it leads */
	guint64 pointer; /* where it is */
	guint parent;	 /* in which node */
	guint place;	 /* into which node; HD_NO_NODE: none that is known */
	guint layout;	 /* to what */
	bool uncertain;	 /* in a union, or of a type with several definitions: not to be followed */
} hd_deferred;

struct hd_trace {
	hd_layouts *layouts;
	const hd_layout *all; /* those of layouts, once prepared */
	const hd_part *parts, *followed;
	guint wants;
	GArray *unseen;	  /* of hd_root: thread-locals */
	GArray *roots;	  /* of hd_root; once prepared, in order of addresses, and the first nodes */
	GArray *locals;	  /* of hd_local */
	GArray *nodes;	  /* of hd_node */
	GArray *queue;	  /* of guint: nodes whose pointers are still to be followed */
	guint done;	  /* how many of them were */
	GArray *deferred; /* of hd_deferred */
	guint *table;	  /* of nodes, 1 + index; 0: free. Open addressing, linear probing */
	guint table_size, used;
	/* while running */
	const hd_trace_memory *memory;
	guint node; /* whose pointers are followed */
	guint64 window_start, window_size;
	guint8 *window;
	char *why;
};

static inline hd_node *
hd_node_at(const hd_trace *t, guint index)
{
	return &g_array_index(t->nodes, hd_node, index);
}

/* How many elements a node's memory has. */
static inline guint64
hd_node_count(const hd_trace *t, const hd_node *n)
{
	const hd_layout *layout = &t->all[n->layout];
	return layout->flexible || layout->size == 0 ? 1 : n->size / layout->size;
}

/* ---- trail.c ---- */

/* A variable as C declares it, and where; new string. */
char *hd_trail_variable(const hd_root *root);
/* What a layout is called; new string. */
char *hd_trail_name(const hd_trace *trace, guint layout);
/* Ends the walk: says where the pointer is, and what is wrong about it. Always false. */
bool hd_trail_refuse(hd_trace *trace, guint parent, guint64 pointer, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* ---- traced.c ---- */

/* Lists all nodes. false: refused. */
bool hd_trace_list(hd_trace *trace, GArray *found, GArray *leads);

#endif
