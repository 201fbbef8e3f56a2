/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading files, and the texts as last said. */
#ifndef HD_WATCHER_CONTENT_H
#define HD_WATCHER_CONTENT_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Which content: gone, or the 128 bits of its XXH3 hash. */
typedef struct {
	bool exists;
	guint64 low, high;
} hd_digest;

bool hd_digest_equal(hd_digest a, hd_digest b);

/* What stat says of a file; two reads with one stamp read one content, unless
 * the stamp is racy: the file's time is so near to the read that a later write
 * can carry the same. All zero: no file. */
typedef struct {
	dev_t device;
	ino_t inode;
	off_t size;
	nlink_t links;
	gint64 modified_ns, changed_ns;
	bool racy;
} hd_stamp;

/* false, and *stamp zero, where there is no regular file. */
bool hd_stamp_take(const char *path, hd_stamp *stamp);
/* Whether the content may differ between the two. */
bool hd_stamp_differs(const hd_stamp *before, const hd_stamp *now);

typedef enum {
	HD_READ_OK,
	HD_READ_GONE,	  /* no regular file of that name */
	HD_READ_CHANGING, /* somebody wrote while it was read */
	HD_READ_DENIED,	  /* it exists and may not be read */
} hd_read_status;

typedef struct {
	hd_read_status status;
	hd_stamp stamp;
	hd_digest digest;
	GBytes *text; /* a NUL follows the last byte; NULL unless OK or CHANGING */
	char *real;   /* where the path led to through symbolic links; NULL: nowhere else */
} hd_content;

void hd_content_read(const char *path, hd_content *content);
void hd_content_clear(hd_content *content);

/* The texts by path, and second names of them; safe from any thread. */
typedef struct hd_texts hd_texts;
hd_texts *hd_texts_new(void);
void hd_texts_free(hd_texts *texts);
/* text NULL: gone. */
void hd_texts_set(hd_texts *texts, const char *path, GBytes *text);
/* From now on name answers with real's text; real NULL: with its own. */
void hd_texts_alias(hd_texts *texts, const char *name, const char *real);
/* A new reference, or NULL. */
GBytes *hd_texts_get(hd_texts *texts, const char *path);

#endif
