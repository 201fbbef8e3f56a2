/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that was not written to keeps all of these; before Linux 6.13 two
 * writes in one clock tick may share their times. */
typedef struct {
	bool exists;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
} signature;

typedef struct {
	char *path;
	signature seen;
} statement;

struct hd_witness {
	GArray *statements;
};

static void
unref_text(void *text)
{
	if (text)
		g_bytes_unref(text);
}

GHashTable *
hd_build_texts_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_text);
}

static void
add(GHashTable *texts, const char *path, GBytes *text)
{
	g_hash_table_insert(texts, g_strdup(path), text ? g_bytes_ref(text) : NULL);
}

GHashTable *
hd_build_texts_copy(GHashTable *texts)
{
	GHashTable *copy = hd_build_texts_new();
	GHashTableIter iter;
	gpointer path, text;
	g_hash_table_iter_init(&iter, texts);
	while (g_hash_table_iter_next(&iter, &path, &text))
		add(copy, path, text);
	return copy;
}

bool
hd_build_texts_equal(GHashTable *one, GHashTable *other)
{
	GHashTableIter iter;
	gpointer path, text, match;
	if (g_hash_table_size(one) != g_hash_table_size(other))
		return false;
	g_hash_table_iter_init(&iter, one);
	while (g_hash_table_iter_next(&iter, &path, &text)) {
		if (!g_hash_table_lookup_extended(other, path, NULL, &match) || !text != !match)
			return false;
		if (text && text != match && !g_bytes_equal(text, match))
			return false;
	}
	return true;
}

static signature
signature_of(const struct stat *st)
{
	return (signature){true, st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static bool
same_time(struct timespec one, struct timespec other)
{
	return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

static bool
same_signature(const signature *one, const signature *other)
{
	if (!one->exists || !other->exists)
		return one->exists == other->exists;
	return one->device == other->device && one->inode == other->inode && one->size == other->size &&
	       same_time(one->modified, other->modified) && same_time(one->changed, other->changed);
}

static bool
content_is(int fd, GBytes *text)
{
	gsize size, done = 0;
	const char *wanted = g_bytes_get_data(text, &size);
	char chunk[16384];
	while (done < size) {
		ssize_t n = read(fd, chunk, MIN(sizeof chunk, size - done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || memcmp(chunk, wanted + done, (gsize)n) != 0)
			return false;
		done += (gsize)n;
	}
	return read(fd, chunk, 1) == 0;
}

/* Whether the disk has this text, and what the file looked like before it was read. */
static bool
disk_has(const char *path, GBytes *text, signature *seen)
{
	struct stat st;
	*seen = (signature){0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return !text && (errno == ENOENT || errno == ENOTDIR);
	bool same = text && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == (off_t)g_bytes_get_size(text);
	if (same) {
		*seen = signature_of(&st);
		same = content_is(fd, text);
	}
	close(fd);
	return same;
}

hd_witness *
hd_witness_new(void)
{
	hd_witness *witness = g_new0(hd_witness, 1);
	witness->statements = g_array_new(FALSE, FALSE, sizeof(statement));
	return witness;
}

static signature
look_at(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? signature_of(&st) : (signature){0};
}

void
hd_witness_add(hd_witness *witness, const char *path)
{
	statement said = {g_strdup(path), look_at(path)};
	g_array_append_val(witness->statements, said);
}

GHashTable *
hd_build_texts_compare(GHashTable *texts, hd_witness **witness)
{
	GHashTable *different = hd_build_texts_new();
	GHashTableIter iter;
	gpointer path, text;
	*witness = hd_witness_new();
	g_hash_table_iter_init(&iter, texts);
	while (g_hash_table_iter_next(&iter, &path, &text)) {
		statement said = {NULL, {0}};
		if (!disk_has(path, text, &said.seen)) {
			add(different, path, text);
			continue;
		}
		said.path = g_strdup(path);
		g_array_append_val((*witness)->statements, said);
	}
	return different;
}

bool
hd_witness_holds(const hd_witness *witness)
{
	for (guint i = 0; i < witness->statements->len; i++) {
		const statement *said = &g_array_index(witness->statements, statement, i);
		signature now = look_at(said->path);
		if (!same_signature(&said->seen, &now))
			return false;
	}
	return true;
}

void
hd_witness_free(hd_witness *witness)
{
	if (!witness)
		return;
	for (guint i = 0; i < witness->statements->len; i++)
		g_free(g_array_index(witness->statements, statement, i).path);
	g_array_free(witness->statements, TRUE);
	g_free(witness);
}

/* ---- files that nobody has a witness for ---- */

struct timespec
hd_moment(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now;
}

static bool
is_before(struct timespec one, struct timespec other)
{
	return one.tv_sec != other.tv_sec ? one.tv_sec < other.tv_sec : one.tv_nsec < other.tv_nsec;
}

bool
hd_written_since(const char *path, struct timespec moment)
{
	signature now = look_at(path);
	return now.exists && !is_before(now.changed, moment);
}

typedef struct {
	signature seen;
	GBytes *text;
} check;

struct hd_checks {
	GHashTable *files; /* char *path -> check * */
};

static void
free_check(void *data)
{
	g_bytes_unref(((check *)data)->text);
	g_free(data);
}

hd_checks *
hd_checks_new(void)
{
	hd_checks *checks = g_new0(hd_checks, 1);
	checks->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_check);
	return checks;
}

void
hd_checks_free(hd_checks *checks)
{
	g_hash_table_unref(checks->files);
	g_free(checks);
}

bool
hd_checks_stood(hd_checks *checks, const char *path, GBytes *text, struct timespec moment)
{
	signature now = look_at(path);
	if (!now.exists || !is_before(now.changed, moment))
		return false;
	check *known = g_hash_table_lookup(checks->files, path);
	if (known && known->text == text && same_signature(&known->seen, &now))
		return true;
	if (!disk_has(path, text, &now) || !is_before(now.changed, moment))
		return false;
	known = g_new0(check, 1);
	*known = (check){now, g_bytes_ref(text)};
	g_hash_table_insert(checks->files, g_strdup(path), known);
	return true;
}
