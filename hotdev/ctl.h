/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hotdev ctl`: one command to a running hotdev. */
#ifndef HD_HOTDEV_CTL_H
#define HD_HOTDEV_CTL_H

/* words: COMMAND [ARG]...; socket NULL: the only one that runs. The exit
 * status: 0; 1 the command failed or timed out; 2 wrong usage, or no or
 * several hotdev to speak to. */
int hd_ctl(const char *socket, char **words);

#endif
