/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the damage test and the fuzzer: everything that a caller may ask of an object. */
#ifndef HD_TEST_MUTATE_H
#define HD_TEST_MUTATE_H

#include "reloader/object/diff.h"

/* Reads bytes as an object and, where they are one, every field of it, and compares it with itself and with `other`
 * (may be NULL), both ways. false: they are none. Aborts where a promise of the headers is broken. */
bool exercise_object(GBytes *bytes, hd_object *other);

#endif
