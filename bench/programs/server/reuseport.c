/* SPDX-License-Identifier: MIT */
/* Preloaded into a server, lets another process have the same port: SO_REUSEPORT without a change to the server. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>

int
bind(int descriptor, const struct sockaddr *address, socklen_t size)
{
	int (*next)(int, const struct sockaddr *, socklen_t);
	int on = 1;
	*(void **)&next = dlsym(RTLD_NEXT, "bind");
	setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	return next(descriptor, address, size);
}
