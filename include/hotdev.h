/* SPDX-License-Identifier: MIT */
/* What a program may, and never must, say to hotdev. Usable from C99 and C++;
 * links nothing, and needs no hotdev to be there.
 *
 * HD_STATE(pointer) says where state on the heap begins:
 *
 *     struct game *game = calloc(1, sizeof *game);
 *     HD_STATE(game);
 *
 * From there typed pointers lead to every object whose type an edit may change,
 * as they do from global and static variables. So when a struct grows, hotdev
 * finds and migrates all of them. Say it where such a pointer is only in a local
 * variable or in memory that hotdev cannot look into (behind a void *, or in a
 * library); say it again if the pointer changes. It costs a store. */
#ifndef HOTDEV_H
#define HOTDEV_H

#define HOTDEV_VERSION 1

/* So that the debug information of who uses it tells where this file is: it has no -I. */
typedef int hotdev_version;

#define HD_STATE(pointer)                                                                                              \
	do {                                                                                                           \
		hotdev_version hotdev_speaks = HOTDEV_VERSION;                                                         \
		static __typeof__(pointer) volatile hotdev_state;                                                      \
		hotdev_state = (pointer);                                                                              \
		(void)hotdev_speaks;                                                                                   \
		(void)hotdev_state;                                                                                    \
	} while (0)

#endif
