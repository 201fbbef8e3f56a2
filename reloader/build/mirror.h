/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy of the tree in which some files have other texts.
 *
 * A mirror's root stands for "/". The folders that matter (where texts are,
 * where the command runs and looks, and all folders above these) are real
 * folders in it, so that ".." leads back into the mirror; every other entry is
 * a link to the real one. (The folders above have no other entries unless the
 * command names one by a relative path.) A link that in the tree leads to a folder or text of
 * the mirror leads to the mirror's. A folder that is not real leads out of
 * the mirror: a build that read a text's real file through it has leaked. Such
 * a build, and one that missed a file, is to be repeated in a whole mirror,
 * where every folder below the project is real and those above have all
 * their entries.
 *
 * gcc gives a header in a system folder its real path where that is shorter
 * (-fcanonical-system-headers in cpp(1)), and what it includes is looked for
 * there. So where a folder of the mirror is searched by -isystem, files are
 * copied instead of linked.
 *
 * Nothing in a mirror changes once it is made. */
#ifndef HD_BUILD_MIRROR_H
#define HD_BUILD_MIRROR_H

#include "reloader/build/command.h"

typedef struct hd_mirrors hd_mirrors; /* all mirrors of one builder */
typedef struct hd_mirror hd_mirror;

/* Mirrors are made in `directory`. */
hd_mirrors *hd_mirrors_new(const char *directory, const char *project);
void hd_mirrors_free(hd_mirrors *mirrors);

/* A mirror with these texts in which the command can run: one that exists, or
 * a new one. The caller owns a reference. HD_ERROR_IO: it cannot be made. */
hd_mirror *hd_mirrors_get(hd_mirrors *mirrors, GHashTable *texts, const hd_command *command, bool whole,
			  GError **error);
/* NULL is allowed. The last one stays until hd_mirrors_tidy, as the next build may need it. */
void hd_mirror_unref(hd_mirror *mirror);
/* Removes the mirrors that nobody holds. */
void hd_mirrors_tidy(hd_mirrors *mirrors);

const char *hd_mirror_root(const hd_mirror *mirror);
bool hd_mirror_is_whole(const hd_mirror *mirror);
/* Whether the mirror has a text for a path outside of it. */
bool hd_mirror_covers(const hd_mirror *mirror, const char *path);

/* A folder as the command should see it; owned by the caller. */
char *hd_mirror_folder(const hd_mirror *mirror, const char *folder);

/* The command's words with every path that must be led into it. `maps` gets the
 * options that give files their real names again, of char *. *source is the
 * source's new spelling, borrowed from the words. Owned by the caller. */
char **hd_mirror_words(const hd_mirror *mirror, const hd_command *command, GPtrArray *maps, const char **source);

#endif
