/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/difference.h"

#include "base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A text as a file that nobody else sees; -1: errno says why. */
static int
file_of(GBytes *text)
{
	gsize size, done = 0;
	const char *bytes = g_bytes_get_data(text, &size);
	int fd = memfd_create("hotdev-text", MFD_CLOEXEC);
	while (fd >= 0 && done < size) {
		ssize_t wrote = write(fd, bytes + done, size - done);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			close(fd);
			return -1;
		}
		done += (gsize)wrote;
	}
	return fd;
}

/* diff reads our descriptors by name, so that it need not inherit them. */
static char *
run_diff(int from, const char *from_name, int to, const char *to_name, GError **error)
{
	char *one = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), from);
	char *two = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), to);
	const char *argv[] = {"diff", "-u", "--label", from_name, "--label", to_name, "--", one, two, NULL};
	char *out = NULL;
	int status;
	GError *cause = NULL;
	GSpawnFlags flags = G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL;
	bool ran = g_spawn_sync(NULL, (char **)argv, NULL, flags, NULL, NULL, &out, NULL, &status, &cause);
	g_free(one);
	g_free(two);
	/* diff(1): 0 the same, 1 different, else trouble. */
	if (ran && WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		return out;
	g_set_error(error, HD_ERROR, HD_ERROR_IO, "diff cannot compare them%s%s", cause ? ": " : "",
		    cause ? cause->message : "");
	g_clear_error(&cause);
	g_free(out);
	return NULL;
}

char *
hd_difference(GBytes *from, const char *from_name, GBytes *to, const char *to_name, GError **error)
{
	int one = file_of(from), two = one < 0 ? -1 : file_of(to);
	char *text = NULL;
	if (two < 0)
		hd_error_set_errno(error, HD_ERROR_IO, errno, "there is no room for the texts");
	else
		text = run_diff(one, from_name, two, to_name, error);
	if (one >= 0)
		close(one);
	if (two >= 0)
		close(two);
	return text;
}
