/* SPDX-License-Identifier: MIT */
/* The main thread accepts connections and deals them out; each worker thread
 * serves its own, for as long as they stay open. */
#ifndef SERVER_H
#define SERVER_H

/* Listens on a port of the loopback interface; 0: on one that is free. Returns
 * the descriptor, or -1 with errno set. */
int server_listen(unsigned short port);
unsigned short server_port(int listener);
/* Serves for ever. Returns only if it could not begin, with errno set. */
void server_run(int listener, unsigned workers);

#endif
