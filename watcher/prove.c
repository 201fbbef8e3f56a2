/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/prove.h"

#include "base/fault.h"
#include "base/place.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

typedef struct {
	hd_inotify *inotify;
	char *name;   /* the cookie's; it begins as hd_watcher_ignores knows */
	int opened;   /* the watch of a folder that was opened; -1: a cookie was written */
	char *folder; /* that folder */
} proof;

static bool
write_cookie(const char *folder, void *data)
{
	proof *p = data;
	char *path = g_build_filename(folder, p->name, NULL);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	g_free(path);
	return fd >= 0;
}

static bool
open_folder(const char *folder, void *data)
{
	proof *p = data;
	p->opened = hd_inotify_watch(p->inotify, folder, IN_OPEN | IN_ONLYDIR | IN_MASK_ADD);
	int fd = p->opened < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	p->folder = g_strdup(folder);
	return true;
}

static bool
proves(const proof *p, const hd_inotify_event *event)
{
	if (p->opened >= 0)
		return event->wd == p->opened && (event->mask & IN_OPEN);
	return strcmp(event->name, p->name) == 0;
}

bool
hd_prove(hd_tree *tree, hd_inotify *inotify, int limit_ms, hd_prove_event *seen, void *data)
{
	proof p = {inotify, g_strdup_printf(".hotdev-cookie-%d", (int)getpid()), -1, NULL};
	bool proven = false, lost = hd_fault("watcher.cookie");
	if (!hd_tree_any_folder(tree, write_cookie, &p) && !hd_tree_any_folder(tree, open_folder, &p))
		lost = true;
	gint64 deadline = hd_now_ns() + (gint64)limit_ms * 1000000;
	while (!proven && !lost && hd_now_ns() < deadline) {
		struct pollfd ready = {hd_inotify_fd(inotify), POLLIN, 0};
		poll(&ready, 1, (int)((deadline - hd_now_ns()) / 1000000) + 1);
		hd_inotify_event event;
		while (hd_inotify_next(inotify, &event)) {
			proven = proven || proves(&p, &event);
			seen(&event, data);
		}
	}
	if (p.folder)
		hd_inotify_watch(inotify, p.folder, HD_FOLDER_MASK);
	g_free(p.folder);
	g_free(p.name);
	return proven;
}
