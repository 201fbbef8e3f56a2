/* SPDX-License-Identifier: MIT */
/* What a program may, and never must, say to hotdev. Usable from C99 and C++;
 * costs nothing and links nothing when hotdev is not there. */
#ifndef HOTDEV_H
#define HOTDEV_H

#define HOTDEV_VERSION 1

#endif
