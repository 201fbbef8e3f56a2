/* SPDX-License-Identifier: MIT */
/* A worker serves one connection at a time, until it is closed or has been
 * silent for a while, and then takes the next one. */
#ifndef WORKER_H
#define WORKER_H

/* Serves for ever. */
_Noreturn void worker_run(int listener);

#endif
