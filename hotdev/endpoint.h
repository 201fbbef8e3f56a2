/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where control sockets are: one folder per user, one socket per hotdev,
 * named by its process. */
#ifndef HD_HOTDEV_ENDPOINT_H
#define HD_HOTDEV_ENDPOINT_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* This process' own socket: under $XDG_RUNTIME_DIR, else in /tmp/hotdev-UID.
 * The folder is made, mode 0700, and must be ours. New string. HD_ERROR_IO. */
char *hd_endpoint_own(GError **error);
/* Paths of the sockets that a hotdev of this user answers on; of char *. Dead ones are removed. */
GPtrArray *hd_endpoint_running(void);
/* A connected descriptor, close-on-exec; -1 with *error (HD_ERROR_IO). */
int hd_endpoint_connect(const char *path, GError **error);
/* A listening, non-blocking, close-on-exec descriptor, mode 0600. A socket that
 * nobody answers on is replaced; anything else in its place is left alone. */
int hd_endpoint_listen(const char *path, GError **error);
/* Whether the peer of a connection is this user. */
bool hd_endpoint_is_ours(int fd);

#endif
