/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hotdev demo`: a program to try hotdev on, and a guide to it. */
#ifndef HD_HOTDEV_DEMO_H
#define HD_HOTDEV_DEMO_H

#include "hotdev/options.h"

/* Lays samples/boids into the folder that the options name (hotdev-demo) and
 * builds it there; a folder that is there already is left as it is. Then runs
 * it as hd_run does, with a guide. The exit status of the contract. */
int hd_demo(const hd_options *options, gint64 start_ns);

#endif
