/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ELF file that stands for one version of a module: the object as the
 * compiler wrote it, with the run-time address of every section that is in the
 * program. gdb (by its JIT interface) and libdw read it as it is. */
#ifndef HD_LINK_ARTEFACT_H
#define HD_LINK_ARTEFACT_H

#include "reloader/link/scope.h"
#include "reloader/object/object.h"

/* Bytes of .eh_frame; it wants an address near the code, since it refers to it
 * by 32-bit differences. */
gsize hd_artefact_eh_frame_size(const hd_object *object);

/* address: run-time address of each atom, 0 where it has none. keepers: where
 * code of hd_arch_keeper stands (of hd_range); it gets a description of its
 * frames. New reference. */
GBytes *hd_artefact_new(const hd_object *object, const guint64 *address, guint64 eh_frame, const GArray *keepers);

#endif
