/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hotdev PROGRAM` and `hotdev --replay`: the one event loop. */
#ifndef HD_HOTDEV_RUN_H
#define HD_HOTDEV_RUN_H

#include "hotdev/guide.h"
#include "hotdev/options.h"

/* Runs to the end; the exit status of the contract. start_ns: when hotdev was started. */
int hd_run(const hd_options *options, gint64 start_ns);
/* The same, with what the guide says shown to the user; borrowed, NULL: none. */
int hd_run_guided(const hd_options *options, hd_guide *guide, gint64 start_ns);
/* Shows a journal until the user quits. */
int hd_replay(const hd_options *options);
/* What the reloader needs to know, from the command line; with a scratch folder. */
void hd_run_reloader_options(const hd_options *options, hd_reloader_options *out);
/* Removes the scratch folder too. */
void hd_run_reloader_options_clear(hd_reloader_options *options);

#endif
