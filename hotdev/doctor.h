/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hotdev doctor`: what can be reloaded, file by file, and why not. */
#ifndef HD_HOTDEV_DOCTOR_H
#define HD_HOTDEV_DOCTOR_H

#include "reloader/reloader.h"

/* The exit status: 0; 3 the program cannot be reloaded at all. */
int hd_doctor(const hd_reloader_options *options, bool json, bool quick);

#endif
