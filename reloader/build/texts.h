/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts that a build is given, against the files on disk. A table of texts is
 * char *path -> GBytes *, NULL where the file is not to exist. */
#ifndef HD_BUILD_TEXTS_H
#define HD_BUILD_TEXTS_H

#include <glib.h>
#include <stdbool.h>
#include <time.h>

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

/* Now, by the clock that gives files their time of change. */
struct timespec hd_moment(void);
/* Whether the file was written to, or took another's place, at that time or later; false where there is none. */
bool hd_written_since(const char *path, struct timespec moment);

/* Which file was seen to have which text: none is read twice while nobody writes to it. */
typedef struct hd_checks hd_checks;

hd_checks *hd_checks_new(void);
void hd_checks_free(hd_checks *checks);
/* Whether the file has the text, and has had it since then: whoever read it in between read the text. */
bool hd_checks_stood(hd_checks *checks, const char *path, GBytes *text, struct timespec moment);

#endif
