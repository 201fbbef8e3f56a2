/* SPDX-License-Identifier: MIT */
/* The parent listens, and lets its workers accept. */
#ifndef PARENT_H
#define PARENT_H

/* Listens on a port of the loopback interface; 0: on one that is free. Returns
 * the descriptor, or -1 with errno set. */
int parent_listen(unsigned short port);
unsigned short parent_port(int listener);
/* Keeps that many workers running. Returns only if it cannot, with errno set. */
void parent_run(int listener, unsigned workers);

#endif
