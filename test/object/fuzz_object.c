/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for reading and comparing objects: configure with CC=clang --enable-fuzzers; seed it with objects.
 */
#include "config.h"

#include "test/object/mutate.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static hd_object *last; /* what was read before is compared with */
	GBytes *bytes = g_bytes_new(data, size);
	exercise_object(bytes, last);
	hd_object *object = hd_object_parse(bytes, NULL);
	if (object) {
		hd_object_unref(last);
		last = object;
	}
	g_bytes_unref(bytes);
	return 0;
}
