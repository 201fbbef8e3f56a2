/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quirks of libinotifytools 3.22, each read in its source:
 *
 * - inotifytools_next_event(0) waits for ever; inotifytools_next_events(0, 1)
 *   asks select() with a zero timeout, which is what we want. More than one
 *   event at a time makes it spin.
 * - It selects on its descriptor: one of FD_SETSIZE or more would write
 *   beyond its fd_set.
 * - It files every watch by path and never drops the record of a watch that
 *   the kernel removed: a folder that is deleted and made again would answer
 *   with the dead number, and removing it writes to standard error. So watches
 *   are added and removed on its descriptor by the system calls, and the
 *   library keeps no record that could lie.
 * - Events that it has read survive inotifytools_cleanup() in a static
 *   buffer: they are drained before, or the next instance would see them. */
#include "config.h"

#include "watcher/inotify.h"

#include "base/error.h"
#include "base/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotifytools.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

struct hd_inotify {
	int fd;
	int highest; /* watch descriptor so far */
};

static atomic_bool in_use;

static bool
is_inotify(const char *number)
{
	char *link = g_strconcat("/proc/self/fd/", number, NULL);
	char target[64];
	ssize_t length = readlink(link, target, sizeof target - 1);
	g_free(link);
	if (length < 0)
		return false;
	target[length] = '\0';
	return strcmp(target, "anon_inode:inotify") == 0;
}

/* Every inotify descriptor of this process, as a set of numbers. */
static GHashTable *
inotify_descriptors(void)
{
	GHashTable *set = g_hash_table_new(NULL, NULL);
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		return set;
	for (struct dirent *entry; (entry = readdir(directory));)
		if (entry->d_name[0] != '.' && is_inotify(entry->d_name))
			g_hash_table_add(set, GINT_TO_POINTER(atoi(entry->d_name)));
	closedir(directory);
	return set;
}

/* The one descriptor that came since `before` was taken; -1 when that is not one. */
static int
new_descriptor(GHashTable *before)
{
	GHashTable *after = inotify_descriptors();
	GHashTableIter iter;
	gpointer fd;
	int found = -1, count = 0;
	g_hash_table_iter_init(&iter, after);
	while (g_hash_table_iter_next(&iter, &fd, NULL))
		if (!g_hash_table_contains(before, fd)) {
			found = GPOINTER_TO_INT(fd);
			count++;
		}
	g_hash_table_unref(after);
	return count == 1 ? found : -1;
}

static int
initialise(GError **error)
{
	GHashTable *before = inotify_descriptors();
	bool ok = !hd_fault("watcher.inotify") && inotifytools_initialize();
	int errnum = ok ? 0 : inotifytools_error() ? inotifytools_error() : EMFILE;
	int fd = ok ? new_descriptor(before) : -1;
	g_hash_table_unref(before);
	if (!ok) {
		hd_error_set_errno(error, HD_ERROR_WATCH, errnum,
				   "the kernel gives no inotify instance (the sysctl fs.inotify.max_user_instances is "
				   "%d)",
				   inotifytools_get_max_user_instances());
		return -1;
	}
	if (fd < 0 || fd >= FD_SETSIZE || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		g_set_error(error, HD_ERROR, HD_ERROR_WATCH, "the descriptor of libinotifytools cannot be used (%d)",
			    fd);
		inotifytools_cleanup();
		return -1;
	}
	return fd;
}

hd_inotify *
hd_inotify_open(GError **error)
{
	if (atomic_exchange(&in_use, true)) {
		g_set_error(error, HD_ERROR, HD_ERROR_WATCH, "another watcher runs in this process");
		return NULL;
	}
	int fd = initialise(error);
	if (fd < 0) {
		atomic_store(&in_use, false);
		return NULL;
	}
	hd_inotify *inotify = g_new0(hd_inotify, 1);
	inotify->fd = fd;
	return inotify;
}

void
hd_inotify_close(hd_inotify *inotify)
{
	if (!inotify)
		return;
	/* Without watches the queue only empties: the drain ends. */
	for (int wd = 1; wd <= inotify->highest; wd++)
		inotify_rm_watch(inotify->fd, wd);
	hd_inotify_event event;
	while (hd_inotify_next(inotify, &event))
		;
	inotifytools_cleanup();
	g_free(inotify);
	atomic_store(&in_use, false);
}

int
hd_inotify_fd(const hd_inotify *inotify)
{
	return inotify->fd;
}

int
hd_inotify_watch(hd_inotify *inotify, const char *path, uint32_t mask)
{
	if (hd_fault("watcher.limit"))
		return -ENOSPC;
	int wd = inotify_add_watch(inotify->fd, path, mask);
	if (wd < 0)
		return -errno;
	inotify->highest = MAX(inotify->highest, wd);
	return wd;
}

void
hd_inotify_unwatch(hd_inotify *inotify, int wd)
{
	inotify_rm_watch(inotify->fd, wd);
}

bool
hd_inotify_next(hd_inotify *inotify, hd_inotify_event *event)
{
	(void)inotify;
	const struct inotify_event *next = inotifytools_next_events(0, 1);
	if (!next)
		return false;
	event->wd = next->wd;
	event->mask = next->mask;
	event->name = next->len ? next->name : "";
	return true;
}

char *
hd_inotify_mask_name(uint32_t mask)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{IN_MODIFY, "MODIFY"},
		{IN_ATTRIB, "ATTRIB"},
		{IN_CLOSE_WRITE, "CLOSE_WRITE"},
		{IN_MOVED_FROM, "MOVED_FROM"},
		{IN_MOVED_TO, "MOVED_TO"},
		{IN_CREATE, "CREATE"},
		{IN_DELETE, "DELETE"},
		{IN_DELETE_SELF, "DELETE_SELF"},
		{IN_MOVE_SELF, "MOVE_SELF"},
		{IN_UNMOUNT, "UNMOUNT"},
		{IN_Q_OVERFLOW, "Q_OVERFLOW"},
		{IN_IGNORED, "IGNORED"},
		{IN_OPEN, "OPEN"},
		{IN_ISDIR, "ISDIR"},
	};
	GString *text = g_string_new(NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (mask & names[i].bit)
			g_string_append_printf(text, "%s%s", text->len ? "," : "", names[i].name);
	return g_string_free(text, FALSE);
}

static bool
read_number(const char *path, guint64 *value)
{
	char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return false;
	*value = g_ascii_strtoull(text, NULL, 10);
	g_free(text);
	return true;
}

const char *
hd_inotify_limit(guint64 *value)
{
	/* user_namespaces(7): the lower of the two holds in a namespace. */
	guint64 space = 0, host = 0;
	bool spaced = read_number("/proc/sys/user/max_inotify_watches", &space);
	bool hosted = read_number("/proc/sys/fs/inotify/max_user_watches", &host);
	if (spaced && (!hosted || space < host)) {
		*value = space;
		return "user.max_inotify_watches";
	}
	*value = host;
	return "fs.inotify.max_user_watches";
}
