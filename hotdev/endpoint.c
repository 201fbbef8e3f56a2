/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hotdev/endpoint.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PREFIX "hotdev-"
#define SUFFIX ".sock"

static char *
folder(void)
{
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");
	if (runtime && g_path_is_absolute(runtime) && g_file_test(runtime, G_FILE_TEST_IS_DIR))
		return g_build_filename(runtime, "hotdev", NULL);
	return g_strdup_printf("/tmp/hotdev-%ld", (long)geteuid());
}

/* Another user may have made the folder in /tmp before us, or a link in its place. */
static bool
is_private(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
	       (status.st_mode & 077) == 0;
}

char *
hd_endpoint_own(GError **error)
{
	char *path = folder(), *socket_path = NULL;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		hd_error_set_errno(error, HD_ERROR_IO, errno, "the folder for the control socket, %s, cannot be made",
				   path);
	else if (!is_private(path))
		g_set_error(error, HD_ERROR, HD_ERROR_IO,
			    "the folder for the control socket, %s, is not yours alone: give --socket", path);
	else
		socket_path = g_strdup_printf("%s/" PREFIX "%ld" SUFFIX, path, (long)getpid());
	g_free(path);
	return socket_path;
}

GPtrArray *
hd_endpoint_running(void)
{
	GPtrArray *running = g_ptr_array_new_with_free_func(g_free);
	char *path = folder();
	GDir *directory = is_private(path) ? g_dir_open(path, 0, NULL) : NULL;
	const char *name;
	while (directory && (name = g_dir_read_name(directory))) {
		if (!g_str_has_prefix(name, PREFIX) || !g_str_has_suffix(name, SUFFIX))
			continue;
		char *candidate = g_build_filename(path, name, NULL);
		int fd = hd_endpoint_connect(candidate, NULL);
		if (fd >= 0) {
			close(fd);
			g_ptr_array_add(running, candidate);
			continue;
		}
		/* Left by a hotdev that was killed. */
		long pid = strtol(name + strlen(PREFIX), NULL, 10);
		if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			unlink(candidate);
		g_free(candidate);
	}
	g_clear_pointer(&directory, g_dir_close);
	g_free(path);
	return running;
}

static bool
set_address(struct sockaddr_un *address, const char *path, GError **error)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof address->sun_path) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "the socket path %s is longer than %zu bytes", path,
			    sizeof address->sun_path - 1);
		return false;
	}
	strcpy(address->sun_path, path);
	return true;
}

int
hd_endpoint_connect(const char *path, GError **error)
{
	struct sockaddr_un address;
	if (!set_address(&address, path, error))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	hd_error_set_errno(error, HD_ERROR_IO, errno, "no hotdev answers on %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Who listens there may have been killed, and a child of his that was not yet another program have it still
 * (unix(7), SO_PEERCRED: who called listen). */
static bool
is_alive(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || kill(peer.pid, 0) == 0 || errno != ESRCH;
}

static bool
clear_place(const char *path, GError **error)
{
	struct stat status;
	if (lstat(path, &status) < 0)
		return true;
	int fd = S_ISSOCK(status.st_mode) ? hd_endpoint_connect(path, NULL) : -1;
	if (fd >= 0 && !is_alive(fd)) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0 || !S_ISSOCK(status.st_mode)) {
		g_set_error(error, HD_ERROR, HD_ERROR_USAGE, "%s %s", path,
			    fd >= 0 ? "is the socket of a running hotdev" : "is there and is no socket");
		if (fd >= 0)
			close(fd);
		return false;
	}
	unlink(path);
	return true;
}

int
hd_endpoint_listen(const char *path, GError **error)
{
	struct sockaddr_un address;
	if (!set_address(&address, path, error) || !clear_place(path, error))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mask, not a later chmod: there is no moment at which others may connect. */
	mode_t mask = umask(0177);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0;
	int errnum = errno;
	umask(mask);
	if (ok)
		return fd;
	hd_error_set_errno(error, HD_ERROR_IO, errnum, "the control socket %s cannot be made", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
hd_endpoint_is_ours(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}
