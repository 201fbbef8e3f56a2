/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: requests and answers as lines of JSON.
 *
 *   {"v":1,"command":"undo","arguments":["net.c"]}
 *   {"v":1,"ok":true}  or  {"v":1,"ok":false,"error":"a sentence"}
 *
 * One request of a client is answered after the other. A client that writes
 * nonsense is told and let go; one that does not read is dropped. */
#ifndef HD_HOTDEV_CONTROL_H
#define HD_HOTDEV_CONTROL_H

#include "reloader/reloader.h"

typedef struct hd_control hd_control;

/* path NULL: the usual place. quit is called, from the main loop, when a client asks for it. */
hd_control *hd_control_new(const char *path, hd_reloader *reloader, void (*quit)(bool leave, void *data), void *data,
			   GError **error);
/* After the event was given to the other views: what answers promise is written by then. */
void hd_control_event(hd_control *control, const hd_event *event);
/* Removes the socket. NULL is allowed. */
void hd_control_free(hd_control *control);
const char *hd_control_path(const hd_control *control);

#endif
