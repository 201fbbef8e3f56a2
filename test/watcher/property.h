/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever several writers do: once it is quiet, what was said last about every
 * file is what is on disk, and no change was said that was none (trial's apply
 * checks that of every batch; where files turn into links and back, a path's text is compared alone).
 *
 * HOTDEV_TEST_SEED repeats a run's operations; their interleaving is the
 * scheduler's. HOTDEV_TEST_ROUNDS makes it longer. */
#ifndef TEST_WATCHER_PROPERTY_H
#define TEST_WATCHER_PROPERTY_H

#include "test/watcher/help.h"

/* links: hard and symbolic ones are made, too. */
void what_is_said_is_what_is(trial *t, bool links);

#endif
