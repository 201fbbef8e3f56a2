/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a call that is under way in an old function may go on.
 *
 * What it has still to run is what can be reached from the instruction that it
 * returns to. As long as all of that says the same in the new function, the
 * call goes on as the new one would: the loop of a `main` that only allocated
 * what changed its shape, long ago. Old and new instructions are paired from
 * the start and from the end; those between differ. */
#ifndef HD_OBJECT_RESUME_H
#define HD_OBJECT_RESUME_H

#include "reloader/object/diff.h"

typedef struct {
	guint64 start, end; /* bytes from the function's start */
} hd_unsafe;

/* Whether what a relocation of the new object means is not what the same reference meant in the old one. */
typedef bool hd_resume_moved(const hd_reloc *reloc, void *data);

/* Where a call of the old function must not be, that the new one (an atom of the diff's new object) is to continue: of
 * hd_unsafe, in order. NULL: nowhere in it may one be, or nobody knows. */
GArray *hd_resume_unsafe(const hd_diff *diff, guint new_atom, hd_resume_moved *moved, void *data);

/* Where the calls that code makes return to: of guint64, bytes from its start, in order. NULL: it cannot be read. */
GArray *hd_resume_returns(const guint8 *code, gsize size);

#endif
