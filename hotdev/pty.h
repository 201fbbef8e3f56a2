/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's terminal under the dashboard, and its keeper: a process of its
 * own that holds the master end open, so that the program is not hung up on
 * when hotdev ends, however it ends. */
#ifndef HD_HOTDEV_PTY_H
#define HD_HOTDEV_PTY_H

#include <glib.h>
#include <stdbool.h>

/* Both close-on-exec; the slave is kept for restarts. */
typedef struct {
	int master, slave;
	int leash; /* closed when hotdev ends: then the keeper empties the master until nobody writes */
} hd_pty;

/* Before any thread is made: it forks. HD_ERROR_IO. */
bool hd_pty_open(hd_pty *pty, int rows, int columns, GError **error);
void hd_pty_close(hd_pty *pty);

#endif
