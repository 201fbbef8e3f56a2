/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts that a build is given, against the files on disk. A table of texts is
 * char *path -> GBytes *, NULL where the file is not to exist. */
#ifndef HD_BUILD_TEXTS_H
#define HD_BUILD_TEXTS_H

#include <glib.h>
#include <stdbool.h>

/* What the disk looked like where it agreed with the texts. */
typedef struct hd_witness hd_witness;

GHashTable *hd_build_texts_new(void);
GHashTable *hd_build_texts_copy(GHashTable *texts);
bool hd_build_texts_equal(GHashTable *one, GHashTable *other);

/* The texts that the disk does not have, as a new table; *witness is about the
 * others, owned by the caller. */
GHashTable *hd_build_texts_compare(GHashTable *texts, hd_witness **witness);

hd_witness *hd_witness_new(void);
/* Notes what the file looks like now. */
void hd_witness_add(hd_witness *witness, const char *path);
/* Whether the disk still is as it was: whoever read it in between read the texts. */
bool hd_witness_holds(const hd_witness *witness);
void hd_witness_free(hd_witness *witness);

#endif
