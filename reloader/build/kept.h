/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What builds gave, for when the same is asked again: an edit that was held or
 * does not compile is part of every later update until it is live. A build is
 * the same when its key is (whatever goes into the command), and every file
 * that it read says what it said. */
#ifndef HD_BUILD_KEPT_H
#define HD_BUILD_KEPT_H

#include "reloader/build/build.h"
#include "reloader/build/texts.h"

typedef struct hd_kept hd_kept;

/* At most so many bytes of objects, the ones last used. */
hd_kept *hd_kept_new(gsize most);
void hd_kept_free(hd_kept *kept);

/* A copy of the result, instead of the last one with that key. texts: char *path -> GBytes *, what it was built of,
 * taken; others: about the files that it read besides, taken. */
void hd_kept_add(hd_kept *kept, const char *key, const char *debug_name, GHashTable *texts, hd_witness *others,
		 const hd_build_result *result);

/* The text that a file is to have; NULL: not known. */
typedef GBytes *hd_kept_text(const char *path, void *data);

/* The same build's result, owned by the caller; NULL: there is none. */
hd_build_result *hd_kept_get(hd_kept *kept, const char *key, const char *debug_name, hd_kept_text *text, void *data);

/* Files have come or gone: an #include may find another one than it did. */
void hd_kept_clear(hd_kept *kept);

#endif
