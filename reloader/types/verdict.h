/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Do two versions of a translation unit fit one program?
 *
 * Until data can be migrated, any change of shape that living data or code
 * elsewhere could meet is refused:
 *   - a type (by tag or typedef name) whose layout differs and that is reachable
 *     through a pointer, from a variable with static storage, or from a
 *     signature; a type used only by value inside functions is free to change;
 *   - a variable with static storage whose shape differs (HD102);
 *   - a function with linkage whose signature's shape differs (HD103).
 * A static function may change its signature: its callers are in the unit.
 * Renumbered enumerators are a warning; appended ones are nothing. */
#ifndef HD_TYPES_VERDICT_H
#define HD_TYPES_VERDICT_H

#include "base/refusal.h"
#include "reloader/types/unit.h"

typedef struct {
	GPtrArray *refusals; /* of hd_refusal *, in source order; empty: compatible. HD101's subject is the key of
				hd_migration_of_key */
	GPtrArray *changed;  /* of char *: keys (as HD101's subject) of every named aggregate that has another layout,
				those that only follow from what is inside of them among them */
	GPtrArray *warnings; /* of hd_refusal *: code unused, reason and where (enum renumbered) */
} hd_verdict;

hd_verdict *hd_verdict_new(const hd_unit *old, const hd_unit *now);
void hd_verdict_free(hd_verdict *verdict);

#endif
