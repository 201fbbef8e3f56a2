/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instant tier: what libtcc reads and compiles of one translation unit.
 *
 *   hd_instant_read     a text of the unit, preprocessed and outlined
 *   hd_delta_new        what differs from the text that runs (delta.h)
 *   hd_instant_compile  the part of it that must be new
 *
 * Every step may end with a reason why this text is not libtcc's to compile;
 * then the program's own compiler builds it. Nothing here decides what goes live. */
#ifndef HD_INSTANT_INSTANT_H
#define HD_INSTANT_INSTANT_H

#include "reloader/instant/delta.h"

typedef struct hd_instant hd_instant;		/* libtcc's process */
typedef struct hd_instant_unit hd_instant_unit; /* what is kept of one translation unit */
typedef struct hd_instant_task hd_instant_task; /* one step under way */

/* program: path of hotdev-tcc, started now. */
hd_instant *hd_instant_new(const char *program);
void hd_instant_free(hd_instant *instant);
/* As hd_tcc_set_time_limit. */
void hd_instant_set_time_limit(hd_instant *instant, guint milliseconds);

/* NULL: libtcc cannot stand in for this command's compiler; *why, the caller's, says so. */
hd_instant_unit *hd_instant_unit_new(hd_instant *instant, const hd_command *command, char **why);
/* No task of it may be under way. */
void hd_instant_unit_free(hd_instant_unit *unit);

/* The reason that tells nothing of the text. */
#define HD_INSTANT_LOST "libtcc crashed, or took too long"

/* Called once, from the main context, unless the task was cancelled. reading
 * (the callee's) is NULL where `why` says why not. */
typedef void hd_instant_read_done(hd_reading *reading, const char *why, void *data);
/* The same with an object; new reference. */
typedef void hd_instant_compiled(GBytes *object, const char *why, void *data);

/* text: the source's. overlay: char *path (canonical) -> GBytes *, further files that are not as on disk; NULL: none.
 */
hd_instant_task *hd_instant_read(hd_instant_unit *unit, GBytes *text, GHashTable *overlay, hd_instant_read_done *done,
				 void *data);
/* text: preprocessed C. */
hd_instant_task *hd_instant_compile(hd_instant_unit *unit, const GString *text, hd_instant_compiled *done, void *data);
void hd_instant_cancel(hd_instant_task *task);

#endif
