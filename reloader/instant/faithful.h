/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where libtcc compiles C, and silently otherwise than the program's compiler:
 * structures by value do not travel as the psABI (x86-64, 3.2.3) has it;
 * attributes that matter are passed over. Found by generated programs whose
 * halves were built by different compilers (test/instant/abi.py). */
#ifndef HD_INSTANT_FAITHFUL_H
#define HD_INSTANT_FAITHFUL_H

#include "reloader/instant/delta.h"

/* words: hd_delta_words. Why libtcc is not to compile this; new string. NULL: it may. */
char *hd_unfaithful(const hd_delta *delta, const hd_reading *now, GHashTable *words);

#endif
