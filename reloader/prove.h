/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For doctor: whether the commands that were found make the code that is in
 * the program. Each untouched file is built by its command as it stands, several
 * at once, and compared with the program's file, function by function. */
#ifndef HD_RELOADER_PROVE_H
#define HD_RELOADER_PROVE_H

#include "reloader/image/image.h"

#include <jansson.h>

typedef struct hd_prover hd_prover;

/* Builds in a folder below `scratch`. */
hd_prover *hd_prover_new(const char *scratch, const char *project, GError **error);
void hd_prover_free(hd_prover *prover);

/* Takes the command. `module` is referenced, and gets a key "proof" once the verdict is known:
 * {"verdict": "same" | "different" | "unknown", "functions": count, "different": [name], "reason": why unknown} */
void hd_prover_add(hd_prover *prover, hd_image *image, const hd_image_unit *unit, hd_command *command, json_t *module);
/* Nothing is built: the verdict is unknown, for this reason. */
void hd_prover_unknown(json_t *module, const char *reason);

/* Until every verdict is known; progress, which may be NULL, is told how many of all are. */
void hd_prover_run(hd_prover *prover, void (*progress)(guint done, guint all, void *data), void *data);

#endif
