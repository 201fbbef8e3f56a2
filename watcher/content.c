/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/content.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define SECOND G_GINT64_CONSTANT(1000000000)

bool
hd_digest_equal(hd_digest a, hd_digest b)
{
	return a.exists == b.exists && (!a.exists || (a.low == b.low && a.high == b.high));
}

static gint64
nanoseconds(struct timespec time)
{
	return (gint64)time.tv_sec * SECOND + time.tv_nsec;
}

/* File times advance with the kernel's tick, 10 ms at most, and on some file
 * systems with every second one (FAT): there they have no fraction. */
static bool
is_racy(gint64 modified_ns)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	gint64 window = modified_ns % SECOND ? SECOND / 50 : 2 * SECOND;
	return modified_ns > nanoseconds(now) - window;
}

static hd_stamp
stamp_of(const struct stat *st)
{
	return (hd_stamp){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.links = st->st_nlink,
		.modified_ns = nanoseconds(st->st_mtim),
		.changed_ns = nanoseconds(st->st_ctim),
		.racy = is_racy(nanoseconds(st->st_mtim)),
	};
}

bool
hd_stamp_take(const char *path, hd_stamp *stamp)
{
	struct stat st;
	*stamp = (hd_stamp){0};
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*stamp = stamp_of(&st);
	return true;
}

bool
hd_stamp_differs(const hd_stamp *before, const hd_stamp *now)
{
	return before->racy || before->device != now->device || before->inode != now->inode ||
	       before->size != now->size || before->links != now->links || before->modified_ns != now->modified_ns ||
	       before->changed_ns != now->changed_ns;
}

/* The kernel's own name for an open file: the path with every link resolved. */
static char *
real_path(int fd)
{
	char link[32], target[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, target, sizeof target);
	return length > 0 && length < (ssize_t)sizeof target ? g_strndup(target, (gsize)length) : NULL;
}

/* Reads to the end of the file, wherever it is by then. NULL: errno says why. */
static GBytes *
read_all(int fd, gsize expected)
{
	gsize room = expected + 1, used = 0;
	char *text = g_malloc(room + 1);
	for (;;) {
		ssize_t got = read(fd, text + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			g_free(text);
			return NULL;
		}
		if (got == 0)
			break;
		used += (gsize)got;
		if (used == room) {
			room *= 2;
			text = g_realloc(text, room + 1);
		}
	}
	text[used] = '\0';
	return g_bytes_new_take(text, used);
}

/* Whether the name that was opened was taken from the file since: the kernel
 * then gives no path, or the old one with " (deleted)" (proc(5)), or the one that it was renamed to. */
static bool
lost_its_name(const char *path, const struct stat *st, const char *real)
{
	if (st->st_nlink == 0 || !real)
		return st->st_nlink == 0;
	if (strcmp(real, path) == 0)
		return false;
	char *leads_to = realpath(path, NULL);
	bool lost = g_strcmp0(leads_to, real) != 0;
	free(leads_to);
	return lost;
}

/* false: the file lost its name meanwhile, and another may have it. */
static bool
read_open(int fd, const char *path, hd_content *content)
{
	struct stat before, after;
	if (fstat(fd, &before) < 0 || !S_ISREG(before.st_mode))
		return true;
	content->stamp = stamp_of(&before);
	content->text = read_all(fd, (gsize)before.st_size);
	if (!content->text || fstat(fd, &after) < 0) {
		content->status = errno == ESTALE ? HD_READ_GONE : HD_READ_DENIED;
		return errno != ESTALE;
	}
	gsize size;
	const void *bytes = g_bytes_get_data(content->text, &size);
	XXH128_hash_t hash = XXH3_128bits(bytes, size);
	content->digest = (hd_digest){true, hash.low64, hash.high64};
	hd_stamp end = stamp_of(&after);
	bool steady = (off_t)size == before.st_size && end.size == content->stamp.size &&
		      end.modified_ns == content->stamp.modified_ns;
	content->status = steady ? HD_READ_OK : HD_READ_CHANGING;
	content->real = real_path(fd);
	if (lost_its_name(path, &after, content->real))
		return false;
	if (content->real && strcmp(content->real, path) == 0)
		g_clear_pointer(&content->real, g_free);
	return true;
}

void
hd_content_read(const char *path, hd_content *content)
{
	*content = (hd_content){.status = HD_READ_GONE};
	for (int attempt = 0; attempt < 8; attempt++) {
		/* A FIFO of that name must not hold us up. */
		int fd = hd_fault("watcher.read") ? (errno = EACCES, -1)
						  : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0) {
			bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO ||
				    errno == ESTALE;
			content->status = gone ? HD_READ_GONE : HD_READ_DENIED;
			return;
		}
		bool done = read_open(fd, path, content);
		close(fd);
		if (done)
			break;
		hd_content_clear(content);
		*content = (hd_content){.status = HD_READ_GONE};
	}
	if (content->status == HD_READ_DENIED)
		hd_content_clear(content);
}

void
hd_content_clear(hd_content *content)
{
	g_clear_pointer(&content->text, g_bytes_unref);
	g_clear_pointer(&content->real, g_free);
}

struct hd_texts {
	GMutex lock;
	GHashTable *by_path; /* char * -> GBytes * */
	GHashTable *aliases; /* char * -> char * */
};

hd_texts *
hd_texts_new(void)
{
	hd_texts *texts = g_new0(hd_texts, 1);
	g_mutex_init(&texts->lock);
	texts->by_path = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	texts->aliases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return texts;
}

void
hd_texts_free(hd_texts *texts)
{
	g_hash_table_unref(texts->by_path);
	g_hash_table_unref(texts->aliases);
	g_mutex_clear(&texts->lock);
	g_free(texts);
}

void
hd_texts_set(hd_texts *texts, const char *path, GBytes *text)
{
	g_mutex_lock(&texts->lock);
	if (text)
		g_hash_table_replace(texts->by_path, g_strdup(path), g_bytes_ref(text));
	else
		g_hash_table_remove(texts->by_path, path);
	g_mutex_unlock(&texts->lock);
}

void
hd_texts_alias(hd_texts *texts, const char *name, const char *real)
{
	g_mutex_lock(&texts->lock);
	if (real)
		g_hash_table_replace(texts->aliases, g_strdup(name), g_strdup(real));
	else
		g_hash_table_remove(texts->aliases, name);
	g_mutex_unlock(&texts->lock);
}

GBytes *
hd_texts_get(hd_texts *texts, const char *path)
{
	g_mutex_lock(&texts->lock);
	const char *real = g_hash_table_lookup(texts->aliases, path);
	GBytes *text = g_hash_table_lookup(texts->by_path, real ? real : path);
	if (text)
		g_bytes_ref(text);
	g_mutex_unlock(&texts->lock);
	return text;
}
