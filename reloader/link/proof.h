/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an object is what a linked image was made of: its functions byte by
 * byte, where each reference in them leads, and the constants and the initial
 * data that are reached from them. The fields that a linker fills count by what
 * they lead to. */
#ifndef HD_LINK_PROOF_H
#define HD_LINK_PROOF_H

#include "reloader/image/image.h"
#include "reloader/object/object.h"

typedef struct {
	guint functions;      /* of the unit, as the image has them */
	GPtrArray *different; /* of char *: functions and data that the object has otherwise, each name once */
} hd_proof;

/* The object is what the unit's source compiles to. */
hd_proof *hd_proof_new(hd_image *image, const hd_image_unit *unit, hd_object *object);
void hd_proof_free(hd_proof *proof);

#endif
