/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/journal.h"

#include "base/error.h"
#include "base/fault.h"
#include "hotdev/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct hd_journal {
	char *path;
	int fd; /* -1: given up */
};

hd_journal *
hd_journal_open(const char *path, GError **error)
{
	int fd;
	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "the journal %s cannot be opened", path);
		return NULL;
	}
	hd_journal *journal = g_new0(hd_journal, 1);
	journal->path = g_strdup(path);
	journal->fd = fd;
	return journal;
}

static bool
write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t wrote = hd_fault("journal.write") ? (errno = ENOSPC, -1) : write(fd, data, size);
		if (wrote >= 0) {
			data += wrote;
			size -= (size_t)wrote;
		} else if (errno == EAGAIN) {
			/* Standard output may be a pipe that another process made non-blocking. */
			struct pollfd wait = {.fd = fd, .events = POLLOUT};
			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

void
hd_journal_write(hd_journal *journal, const hd_event *event)
{
	if (journal->fd < 0)
		return;
	char *line = hd_jsonl(hd_event_json(event));
	if (!write_all(journal->fd, line, strlen(line))) {
		g_printerr("hotdev: the journal %s cannot be written, events are lost: %s\n", journal->path,
			   g_strerror(errno));
		close(journal->fd);
		journal->fd = -1;
	}
	g_free(line);
}

void
hd_journal_close(hd_journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	g_free(journal->path);
	g_free(journal);
}
