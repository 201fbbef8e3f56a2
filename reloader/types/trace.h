/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds every object of certain types in the memory of a program that stands
 * still: follows pointers by their types from the variables with static storage.
 *
 * What is known and where it ends:
 *   - a pointer to the start of an allocated block makes it an array of as many
 *     objects of the pointer's type as it has room for, or one that ends in a
 *     flexible array; a struct and its first member agree, and the outer one counts;
 *   - a pointer into the middle leads to a part of what the block is known to be;
 *   - void * and char * are not followed. Blocks that nothing else leads to are
 *     listed apart, for the caller to judge; so are those that by their size may be
 *     a larger struct of which only a member's address is known (intrusive lists,
 *     a struct that begins with its base);
 *   - what only thread-locals, foreign memory or what no frame's variable is lead to is not seen;
 *   - a pointer into memory that the allocator has free is ignored, as is one to nothing.
 * A frame's variable may have nothing to do with what is in its memory any more, or never had. So it only says
 * what a block is whose start it leads to, by whose size it may be that, and that no variable leads to by its type.
 * Refused, with a reason that names the pointer: a wanted object in memory that
 * is neither a block nor a variable, or in a block that is something else or of
 * which no typed pointer names the start; a block that by its size is no array of
 * what the pointers say, or may be a larger struct that begins with it; a union or
 * a type with several definitions that may lead to one, unless other pointers make
 * it certain; a pointer to one that is not aligned (in a packed struct); a char * to the
 * start of one that does not begin with text (the block was freed, and is text by now);
 * a wanted object that only frames lead to, where one of them, or an untyped pointer,
 * says that it may be something else.
 * Nothing but a block's size says how many objects it has: some may be no more than
 * room (capacity, a rest of the allocator's), and hold what was there before.
 *
 * Order of calls: add units, roots and wants; prepare; then run, perhaps again.
 * Only run needs the program to stand still, and it reads no debug information. */
#ifndef HD_TYPES_TRACE_H
#define HD_TYPES_TRACE_H

#include "reloader/types/locals.h"

typedef struct hd_trace hd_trace;

typedef enum {
	HD_MEMORY_BLOCK, /* inside of an allocated block */
	HD_MEMORY_FREE,	 /* the allocator's, but in no block: whatever points there dangles */
	HD_MEMORY_OTHER, /* anything else: a stack, a mapping, an image, nothing */
} hd_memory_kind;

typedef struct {
	/* false: not all of it can be read. */
	bool (*read)(guint64 address, void *out, gsize size, void *data);
	/* Whether a block of that usable size may be one that so many bytes were asked for; NULL: any that has room. */
	bool (*may_be_asked_for)(guint64 bytes, guint64 size);
	/* BLOCK: where the part that the program may use begins, and how many bytes it has (malloc_usable_size). */
	hd_memory_kind (*block)(guint64 address, guint64 *start, guint64 *size, void *data);
	void *data;
} hd_trace_memory;

/* A variable of a frame, as the run finds it. */
typedef struct {
	guint local; /* as hd_trace_add_local gave it */
	bool in_register;
	guint64 address; /* where it is, if it is not */
	guint64 word;	 /* what the register has, if it is */
} hd_trace_slot;

/* Objects of a wanted type: by themselves, or in a struct or block of another type. What is inside of one by value
 * belongs to it and is not listed. */
typedef struct {
	guint64 address; /* of the first */
	guint64 bytes;	 /* of each; of one with a flexible array, all that there is room for */
	guint64 count;	 /* one behind the other */
	guint wanted;	 /* index that hd_trace_want gave */
	enum { HD_TRACED_IN_VARIABLE, HD_TRACED_IN_BLOCK } where;
	guint64 start, size; /* of the variable or block; what follows the objects is of no known type */
	bool weak;	     /* only variables of frames lead there */
	guint node;	     /* for hd_trace_text */
} hd_traced;

typedef enum {
	HD_LEAD_UNTYPED,  /* only void * and char * lead there */
	HD_LEAD_MAY_HOLD, /* by its size, and what its pointers say of a part of it, it may be or hold a wanted one */
	HD_LEAD_MAY_LEAD, /* so it may be a type with pointers that lead to a wanted one */
} hd_lead_kind;

/* A block whose type is not known, or may be another than its pointers say: for the caller to judge. */
typedef struct {
	hd_lead_kind kind;
	guint64 pointer; /* the address of a pointer that leads there */
	guint64 start, size;
	guint wanted; /* of MAY_HOLD: one that it may hold; otherwise G_MAXUINT */
	guint node;   /* for hd_trace_text */
} hd_trace_lead;

hd_trace *hd_trace_new(void);
void hd_trace_free(hd_trace *trace);

/* Units are borrowed and must outlive the trace. One that has neither roots nor wants is still worth adding: its types
 * are what others only declare. */
void hd_trace_add_unit(hd_trace *trace, const hd_unit *unit);
/* address: of the variable in the running program, any for a thread-local, which is not followed. Constants are no
 * roots, and ignored. */
void hd_trace_add_root(hd_trace *trace, const hd_unit *unit, const hd_unit_variable *variable, guint64 address);
/* local: of `of`, a version of unit. If that is another version, types are taken by their names. G_MAXUINT: it cannot
 * lead anywhere, or what its type is now is not known. */
guint hd_trace_add_local(hd_trace *trace, const hd_unit *unit, const hd_unit *of, const hd_unit_local *local);
/* A struct or union, named as for hd_migration_of_type. The index that results say; G_MAXUINT: there is no such type.
 * Asked twice for one type, results say the last. */
guint hd_trace_want(hd_trace *trace, const hd_unit *unit, const char *function, const char *name, guint ordinal);
void hd_trace_prepare(hd_trace *trace);
/* Once prepared: whether it may lead to a wanted object, or say that a block is none. */
bool hd_trace_local_matters(const hd_trace *trace, guint local);

/* slots: of hd_trace_slot; NULL: no frames are known. Appends to found (of hd_traced) and leads (of hd_trace_lead).
 * false: it cannot be told where all objects are; *why is the caller's to free, and what was appended is not all. */
bool hd_trace_run(hd_trace *trace, const hd_trace_memory *memory, const GArray *slots, GArray *found, GArray *leads,
		  char **why);
/* A thread-local that may lead to a wanted object, as C declares it (new string); NULL: none. Of what is prepared. */
char *hd_trace_unseen(const hd_trace *trace);
/* Whether the last run knows what a block that starts there holds. */
bool hd_trace_knows(const hd_trace *trace, guint64 block_start);
/* Blocks of the last run that nothing but a variable of a frame itself says the type of: adds start -> 1 + node. */
void hd_trace_claims(const hd_trace *trace, GHashTable *claims);
/* How it was reached, for people: "static struct entity *list in game.c -> next"; new string. Valid until the next
 * run. */
char *hd_trace_text(const hd_trace *trace, guint node);

#endif
