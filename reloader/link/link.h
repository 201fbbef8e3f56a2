/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links a new object into the running program: places what the plan says,
 * relocates it, prepares the data. Nothing that the program can reach is
 * changed: that is the commit's work.
 *
 *   hd_link_place     room and addresses; its new globals can be found by others from here
 *   hd_link_relocate  after every module of the transaction has its place
 *   hd_linked_stage   what the commit must write
 *   hd_linked_settle  the commit was made
 *   hd_linked_free    forgets it; with `discard` (it was refused, or the commit failed) nothing of it remains */
#ifndef HD_LINK_LINK_H
#define HD_LINK_LINK_H

#include "base/refusal.h"
#include "reloader/link/bind.h"
#include "reloader/link/plan.h"
#include "reloader/types/migration.h"

typedef struct hd_linked hd_linked;

typedef struct {
	hd_target *target;
	hd_scope *scope;
	hd_loaded *home;
	hd_bindings *bindings;
	const hd_diff *diff;
	const hd_plan *plan;
	const hd_unit *unit;	   /* of the new object; NULL: it describes no data */
	const hd_unit *signatures; /* where the functions' parameters stand */
	GHashTable *reshapes;	   /* char *key -> hd_migration *, as the plan's; referenced */
	bool instant;		   /* built by libtcc: another build of the same is to follow */
	bool spares_registers; /* the program's own callers may rely on what its own callees leave alone (-fipa-ra) */
	int version, transaction;
} hd_link_request;

/* What the request points to must live until the commit. NULL: refused; *refusal is the caller's. */
hd_linked *hd_link_place(const hd_link_request *request, hd_refusal **refusal);
/* A refusal is the caller's; NULL: done. */
hd_refusal *hd_link_relocate(hd_linked *linked);
void hd_linked_free(hd_linked *linked, bool discard);

void hd_linked_stage(hd_linked *linked, hd_commit *commit);

/* A datum that changes its shape with the commit. */
typedef struct {
	char *key;
	guint64 from, to; /* the same: it keeps its place */
	hd_migration *migration;
	guint64 tail; /* hd_migration_tail */
	gsize old_size, new_size;
	GBytes *basis;	   /* what its new fields begin with, in its new shape */
	GBytes *initial;   /* hd_datum.initial, of its old shape; NULL: not known */
	GHashTable *kept;  /* pid -> GBytes *: what that process had before the last change of its shape */
	GHashTable *taken; /* the same for the change that is under way */
} hd_linked_reshape;

/* Of hd_linked_reshape. The commit's work is the caller's. */
GArray *hd_linked_reshapes(const hd_linked *linked);

/* How many functions of the program switch to a new body. */
guint hd_linked_switches(const hd_linked *linked);
/* Lets the commit happen only while no thread is inside a body that it supersedes. */
void hd_linked_await(const hd_linked *linked, hd_commit *commit);

/* skipped: hd_commit_result's. kept: keys of data whose live value was kept
 * although the initialiser changed are appended to it (of char *). */
void hd_linked_settle(hd_linked *linked, const GArray *skipped, GPtrArray *kept);

/* Adds what takes its data writes back, or makes them again. Data the program wrote since stay. */
void hd_linked_revert_data(const hd_linked *linked, hd_commit *commit, bool again);

/* That commit was made. */
void hd_linked_reverted(hd_linked *linked, bool again);

/* Where its bodies are, with what only they use; empty: it has none. */
hd_lead hd_linked_own_code(const hd_linked *linked);
/* Marks those of leads (of hd_lead) that its code calls. */
void hd_linked_mark_leads(const hd_linked *linked, GArray *leads);
/* Nothing leads into its code: the room is free for others. */
void hd_linked_give_back(hd_linked *linked);

/* For people, unwinding and gdb. */
gsize hd_linked_size(const hd_linked *linked);
GBytes *hd_linked_artefact(const hd_linked *linked); /* the object with addresses filled in; borrowed */

typedef struct {
	guint64 start, end; /* run-time */
	guint atom;
} hd_placed_code;

const GArray *hd_linked_code(const hd_linked *linked); /* of hd_placed_code, by address */

#endif
