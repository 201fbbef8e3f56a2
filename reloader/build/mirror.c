/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/mirror.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/build/arguments.h"
#include "reloader/build/remove.h"
#include "reloader/build/texts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_MOST (4 * 1024 * 1024) /* a larger file is no header */

struct hd_mirrors {
	char *directory, *project;
	GPtrArray *all; /* of hd_mirror * */
	guint64 serial;
};

/* A folder that is real in a mirror. */
typedef struct {
	guint number;		 /* of the link to the real one, beside the root */
	bool listed;		 /* it gets the real one's entries; false: it is only on the way to another */
	struct timespec changed; /* the real one, when its entries were read */
} real_folder;

struct hd_mirror {
	guint references;
	char *base, *root; /* base/root, beside base/1, base/2, ...: links to real folders */
	GHashTable *texts;
	GHashTable *folders; /* real path -> real_folder * */
	GPtrArray *tops;     /* of char *: paths at and below these are led into the mirror */
	bool whole;
	bool above;	    /* folders above the tops are listed, too */
	hd_witness *copied; /* the files that are copies; NULL: all are links */
};

hd_mirrors *
hd_mirrors_new(const char *directory, const char *project)
{
	hd_mirrors *mirrors = g_new0(hd_mirrors, 1);
	mirrors->directory = hd_canonical_path(directory, "/");
	mirrors->project = project ? hd_canonical_path(project, "/") : NULL;
	mirrors->all = g_ptr_array_new();
	return mirrors;
}

static void
destroy(hd_mirror *mirror)
{
	hd_remove_tree(mirror->base);
	g_free(mirror->base);
	g_free(mirror->root);
	g_hash_table_unref(mirror->texts);
	g_hash_table_unref(mirror->folders);
	g_ptr_array_unref(mirror->tops);
	hd_witness_free(mirror->copied);
	g_free(mirror);
}

void
hd_mirrors_free(hd_mirrors *mirrors)
{
	if (!mirrors)
		return;
	for (guint i = 0; i < mirrors->all->len; i++)
		destroy(g_ptr_array_index(mirrors->all, i));
	g_ptr_array_free(mirrors->all, TRUE);
	g_free(mirrors->directory);
	g_free(mirrors->project);
	g_free(mirrors);
}

void
hd_mirror_unref(hd_mirror *mirror)
{
	if (mirror)
		mirror->references--;
}

void
hd_mirrors_tidy(hd_mirrors *mirrors)
{
	for (guint i = mirrors->all->len; i-- > 0;) {
		hd_mirror *mirror = g_ptr_array_index(mirrors->all, i);
		if (mirror->references > 0)
			continue;
		destroy(mirror);
		g_ptr_array_remove_index_fast(mirrors->all, i);
	}
}

const char *
hd_mirror_root(const hd_mirror *mirror)
{
	return mirror->root;
}

bool
hd_mirror_is_whole(const hd_mirror *mirror)
{
	return mirror->whole;
}

bool
hd_mirror_covers(const hd_mirror *mirror, const char *path)
{
	return g_hash_table_contains(mirror->texts, path);
}

/* --- which folders are real --------------------------------------------------- */

static bool
is_at_or_below(const char *path, const char *top)
{
	gsize length = strlen(top);
	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/' || length == 1);
}

static GHashTable *
new_folders(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/* The folder, and those on the way to it. */
static void
add_folder(GHashTable *folders, const char *path, bool listed)
{
	real_folder *known = g_hash_table_lookup(folders, path);
	if (known) { /* then those on the way are, too */
		known->listed |= listed;
		return;
	}
	real_folder *new = g_new0(real_folder, 1);
	new->listed = listed;
	new->number = g_hash_table_size(folders) + 1;
	g_hash_table_insert(folders, g_strdup(path), new);
	if (strcmp(path, "/") == 0)
		return;
	char *above = g_path_get_dirname(path);
	add_folder(folders, above, false);
	g_free(above);
}

static void
add_existing(GHashTable *folders, const char *path, const char *directory, bool file)
{
	char *real = hd_canonical_path(path, directory);
	if (file || !g_file_test(real, G_FILE_TEST_IS_DIR)) {
		char *above = g_path_get_dirname(real);
		g_free(real);
		real = above;
	}
	if (g_file_test(real, G_FILE_TEST_IS_DIR))
		add_folder(folders, real, true);
	g_free(real);
}

static bool
is_below_tops(const hd_mirror *mirror, const char *path)
{
	for (guint i = 0; i < mirror->tops->len; i++)
		if (is_at_or_below(path, g_ptr_array_index(mirror->tops, i)))
			return true;
	return false;
}

static bool
is_led(const hd_mirror *mirror, const char *real)
{
	return is_below_tops(mirror, real) || g_hash_table_contains(mirror->folders, real) ||
	       g_hash_table_contains(mirror->texts, real);
}

/* Everything below the folder but hidden folders and our own directory. */
static void
add_below(const hd_mirrors *mirrors, GHashTable *folders, const char *path)
{
	add_folder(folders, path, true);
	DIR *directory = opendir(path);
	struct dirent *entry;
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		char *inner = g_build_filename(path, entry->d_name, NULL);
		struct stat st;
		if (strcmp(inner, mirrors->directory) != 0 && lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
			add_below(mirrors, folders, inner);
		g_free(inner);
	}
	if (directory)
		closedir(directory);
}

static bool
is_system_option(const char *name)
{
	return name && (strcmp(name, "-isystem") == 0 || strcmp(name, "-idirafter") == 0);
}

static void
choose_folders(const hd_mirrors *mirrors, hd_mirror *mirror, const hd_command *command)
{
	GHashTableIter iter;
	gpointer path;
	g_hash_table_iter_init(&iter, mirror->texts);
	while (g_hash_table_iter_next(&iter, &path, NULL)) {
		char *above = g_path_get_dirname(path);
		bool inside = mirrors->project && is_at_or_below(above, mirrors->project);
		add_folder(mirror->folders, above, true);
		const char *top = inside ? mirrors->project : above;
		if (!g_ptr_array_find_with_equal_func(mirror->tops, top, g_str_equal, NULL))
			g_ptr_array_add(mirror->tops, g_strdup(top));
		g_free(above);
	}
	add_existing(mirror->folders, command->directory, "/", false);
	add_existing(mirror->folders, command->source, "/", true);
	for (guint i = hd_arguments_compiler(command->argv) + 1; command->argv[i];) {
		hd_argument argument = hd_argument_at(command->argv + i);
		char *real = argument.path ? hd_canonical_path(argument.path, command->directory) : NULL;
		if (real && is_led(mirror, real)) {
			add_existing(mirror->folders, real, "/", argument.kind == HD_ARGUMENT_INPUT);
			if (is_system_option(argument.name) && !mirror->copied)
				mirror->copied = hd_witness_new();
		} else if (real && !g_path_is_absolute(argument.path))
			mirror->above = true;
		g_free(real);
		i += argument.words;
	}
	for (guint i = 0; mirror->whole && i < mirror->tops->len; i++)
		add_below(mirrors, mirror->folders, g_ptr_array_index(mirror->tops, i));
}

/* --- making it ------------------------------------------------------------------ */

/* What an entry of a real folder leads to. Relative and short: file systems
 * keep a link of less than 60 bytes in the inode, and any other in a block. */
static char *
link_target(const hd_mirror *mirror, const char *path, const char *within, unsigned char type)
{
	char *real = type == DT_LNK || type == DT_UNKNOWN ? realpath(path, NULL) : NULL;
	bool led = real && (g_hash_table_contains(mirror->folders, real) || g_hash_table_contains(mirror->texts, real));
	GString *target = g_string_new(led ? mirror->root : "../");
	for (const char *p = within; !led && p[1]; p = strchr(p + 1, '/') ? strchr(p + 1, '/') : "/")
		g_string_append(target, "../");
	if (led)
		g_string_append(target, real);
	else
		g_string_append_printf(target, "%u/%s",
				       ((real_folder *)g_hash_table_lookup(mirror->folders, within))->number,
				       strrchr(path, '/') + 1);
	free(real);
	return g_string_free(target, FALSE);
}

static struct timespec
time_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

/* false: it is no file to copy, or copying failed; then a link will do. */
static bool
copy_file(const hd_mirror *mirror, const char *path, int folder, const char *name)
{
	struct stat st;
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool copied = from >= 0 && fstat(from, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= COPY_MOST;
	int to = copied ? openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	hd_witness_add(mirror->copied, path);
	off_t left = copied ? st.st_size : 0;
	while (to >= 0 && left > 0) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);
		if (n <= 0)
			break;
		left -= n;
	}
	copied = to >= 0 && left == 0;
	if (to >= 0)
		close(to);
	if (to >= 0 && !copied)
		unlinkat(folder, name, 0);
	if (from >= 0)
		close(from);
	return copied;
}

static bool
add_entry(const hd_mirror *mirror, const char *path, const char *within, unsigned char type, int fd)
{
	const char *name = strrchr(path, '/') + 1;
	if (type == DT_REG && mirror->copied && is_below_tops(mirror, path) && copy_file(mirror, path, fd, name))
		return true;
	char *target = link_target(mirror, path, within, type);
	bool made = symlinkat(target, fd, name) == 0;
	g_free(target);
	return made;
}

/* Adds what the real folder has and the mirror does not have otherwise. */
static bool
list_folder(const hd_mirror *mirror, const char *path, int fd)
{
	DIR *directory = opendir(path); /* it may be gone: then it has only texts */
	struct dirent *entry;
	bool made = true;
	while (made && directory && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *inner = g_build_filename(path, entry->d_name, NULL);
		if (!g_hash_table_contains(mirror->folders, inner) && !g_hash_table_contains(mirror->texts, inner))
			made = add_entry(mirror, inner, path, entry->d_type, fd);
		g_free(inner);
	}
	int why = errno;
	if (directory)
		closedir(directory);
	errno = why;
	return made;
}

static bool
make_folder(const hd_mirror *mirror, const char *path, GError **error)
{
	real_folder *f = g_hash_table_lookup(mirror->folders, path);
	char *own = g_strconcat(mirror->root, strcmp(path, "/") == 0 ? "" : path, NULL);
	char *number = g_strdup_printf("%s/%u", mirror->base, f->number);
	errno = ENOSPC;
	bool made = !hd_fault("build.mirror") && mkdir(own, 0700) == 0;
	int fd = made ? open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	made = fd >= 0;
	if (made && (f->listed || mirror->above)) {
		f->changed = time_of(path);
		made = symlink(path, number) == 0 && list_folder(mirror, path, fd);
	}
	if (!made)
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot make %s", own);
	if (fd >= 0)
		close(fd);
	g_free(number);
	g_free(own);
	return made;
}

static int
by_length(const void *one, const void *other)
{
	gsize a = strlen(*(char *const *)one), b = strlen(*(char *const *)other);
	return (a > b) - (a < b);
}

static bool
write_text(const hd_mirror *mirror, const char *path, GBytes *text, GError **error)
{
	char *own = g_strconcat(mirror->root, path, NULL);
	int fd = open(own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	gsize size, done = 0;
	const char *bytes = g_bytes_get_data(text, &size);
	bool written = fd >= 0;
	while (written && done < size) {
		ssize_t n = write(fd, bytes + done, size - done);
		written = n > 0;
		done += written ? (gsize)n : 0;
	}
	if (!written)
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot write %s", own);
	if (fd >= 0)
		close(fd);
	g_free(own);
	return written;
}

static bool
make(const hd_mirror *mirror, GError **error)
{
	guint count;
	gpointer *folders = g_hash_table_get_keys_as_array(mirror->folders, &count);
	qsort(folders, count, sizeof *folders, by_length); /* a folder comes after those above it */
	bool made = mkdir(mirror->base, 0700) == 0;
	if (!made)
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot make %s", mirror->base);
	for (guint i = 0; made && i < count; i++)
		made = make_folder(mirror, folders[i], error);
	g_free(folders);
	GHashTableIter iter;
	gpointer path, text;
	g_hash_table_iter_init(&iter, mirror->texts);
	while (made && g_hash_table_iter_next(&iter, &path, &text))
		made = !text || write_text(mirror, path, text, error);
	return made;
}

/* --- getting one ------------------------------------------------------------------ */

static bool
contains_all(const hd_mirror *mirror, const hd_mirror *wanted)
{
	GHashTableIter iter;
	gpointer path, f;
	if ((wanted->whole && !mirror->whole) || (wanted->above && !mirror->above) ||
	    (wanted->copied && !mirror->copied))
		return false;
	g_hash_table_iter_init(&iter, wanted->folders);
	while (g_hash_table_iter_next(&iter, &path, &f)) {
		const real_folder *has = g_hash_table_lookup(mirror->folders, path);
		if (!has || (((real_folder *)f)->listed && !has->listed))
			return false;
	}
	return true;
}

/* Whether the links still are all there should be. In the folders above, which
 * may be as busy as /tmp, a new file is of no interest. */
static bool
is_fresh(const hd_mirror *mirror)
{
	GHashTableIter iter;
	gpointer path, f;
	g_hash_table_iter_init(&iter, mirror->folders);
	while (g_hash_table_iter_next(&iter, &path, &f)) {
		struct timespec now = time_of(path), was = ((real_folder *)f)->changed;
		if (((real_folder *)f)->listed && (now.tv_sec != was.tv_sec || now.tv_nsec != was.tv_nsec))
			return false;
	}
	return !mirror->copied || hd_witness_holds(mirror->copied);
}

/* One that will do in place of `wanted`, or NULL; otherwise wanted gets what
 * those with the same texts have, so that the next command finds it. */
static hd_mirror *
find_existing(const hd_mirrors *mirrors, hd_mirror *wanted)
{
	for (guint i = 0; i < mirrors->all->len; i++) {
		hd_mirror *mirror = g_ptr_array_index(mirrors->all, i);
		if (!hd_build_texts_equal(mirror->texts, wanted->texts) || !is_fresh(mirror))
			continue;
		if (contains_all(mirror, wanted))
			return mirror;
		GHashTableIter iter;
		gpointer path, f;
		g_hash_table_iter_init(&iter, mirror->folders);
		while (g_hash_table_iter_next(&iter, &path, &f))
			add_folder(wanted->folders, path, ((real_folder *)f)->listed);
		wanted->above |= mirror->above;
	}
	return NULL;
}

hd_mirror *
hd_mirrors_get(hd_mirrors *mirrors, GHashTable *texts, const hd_command *command, bool whole, GError **error)
{
	if (strchr(mirrors->directory, '=')) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "the folder %s has a = in its name",
			    mirrors->directory);
		return NULL;
	}
	hd_mirror *mirror = g_new0(hd_mirror, 1);
	mirror->texts = hd_build_texts_copy(texts);
	mirror->folders = new_folders();
	mirror->tops = g_ptr_array_new_with_free_func(g_free);
	mirror->whole = mirror->above = whole;
	mirror->base = g_strdup_printf("%s/mirror-%" G_GUINT64_FORMAT, mirrors->directory, ++mirrors->serial);
	mirror->root = g_strconcat(mirror->base, "/root", NULL);
	choose_folders(mirrors, mirror, command);
	hd_mirror *existing = find_existing(mirrors, mirror);
	if (existing || !make(mirror, error)) {
		destroy(mirror);
		mirror = existing;
	} else
		g_ptr_array_add(mirrors->all, mirror);
	if (mirror)
		mirror->references++;
	return mirror;
}

/* --- the command in it --------------------------------------------------------------- */

char *
hd_mirror_folder(const hd_mirror *mirror, const char *folder)
{
	char *real = hd_canonical_path(folder, "/");
	char *own = g_strconcat(mirror->root, strcmp(real, "/") == 0 ? "" : real, NULL);
	g_free(real);
	return own;
}

static void
add_map(GPtrArray *maps, const char *option, const char *from, const char *to)
{
	g_ptr_array_add(maps, g_strdup_printf("%s=%s=%s", option, from, to));
}

/* The word for an absolute path, or NULL when it stays. A path that is spelled
 * through links keeps its spelling in names. */
static char *
lead(const hd_mirror *mirror, const char *word, const char *path, GPtrArray *maps)
{
	char *real = g_path_is_absolute(path) ? hd_canonical_path(path, "/") : NULL;
	char *led = NULL;
	if (real && is_led(mirror, real)) {
		char *own = g_strconcat(mirror->root, real, NULL);
		led = g_strdup_printf("%.*s%s", (int)(path - word), word, own);
		if (strcmp(real, path) != 0 && !strchr(real, '='))
			add_map(maps, "-ffile-prefix-map", own, path);
		g_free(own);
	}
	g_free(real);
	return led;
}

/* The user's own maps, for paths that now begin with the mirror's root. */
static void
lead_map(const hd_mirror *mirror, const char *word, GPtrArray *maps)
{
	static const char *const options[] = {"-ffile-prefix-map=", "-fdebug-prefix-map=", "-fmacro-prefix-map="};
	for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
		gsize length = strlen(options[i]);
		if (strncmp(word, options[i], length) == 0 && word[length] == '/')
			g_ptr_array_add(maps, g_strconcat(options[i], mirror->root, word + length, NULL));
	}
}

char **
hd_mirror_words(const hd_mirror *mirror, const hd_command *command, GPtrArray *maps, const char **source)
{
	char **words = g_strdupv(command->argv);
	guint first = hd_arguments_compiler(command->argv) + 1;
	*source = command->source_arg;
	add_map(maps, "-ffile-prefix-map", mirror->root, "");
	char *working = hd_mirror_folder(mirror, command->directory);
	if (strcmp(working + strlen(mirror->root), command->directory) != 0)
		add_map(maps, "-ffile-prefix-map", working, command->directory);
	g_free(working);
	for (guint i = first; words[i];) {
		hd_argument argument = hd_argument_at(words + i);
		guint last = i + argument.words - 1;
		char *led = argument.path ? lead(mirror, words[last], argument.path, maps) : NULL;
		if (!argument.name)
			lead_map(mirror, words[i], maps);
		if (led) {
			bool is_source =
				argument.kind == HD_ARGUMENT_INPUT && strcmp(words[last], command->source_arg) == 0;
			g_free(words[last]);
			words[last] = led;
			if (is_source)
				*source = led;
		}
		i += argument.words;
	}
	return words;
}
