/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Injected faults, for tests: HOTDEV_FAULT=point[:n] in the environment makes
 * the n-th call (default: the first) of hd_fault("point") answer true, once;
 * "point:*" makes every call answer true. Several are separated by commas.
 * The caller then takes its ordinary failure path; errno is EIO, as after a call
 * of the system that failed. */
#ifndef HD_BASE_FAULT_H
#define HD_BASE_FAULT_H

#include <stdbool.h>

bool hd_fault(const char *point);

#endif
