/* SPDX-License-Identifier: MIT */
/* One client: bytes come in, requests are answered, bytes go out. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>

typedef struct connection connection;

/* Takes the descriptor, which must not block. */
connection *connection_new(int descriptor, unsigned long number);
/* Closes the descriptor. */
void connection_free(connection *c);

int connection_descriptor(const connection *c);
/* What it waits for, as epoll says it: EPOLLIN or EPOLLOUT. */
unsigned connection_events(const connection *c);
/* What it waited for has come. False: the connection is at its end. */
bool connection_serve(connection *c, unsigned worker);

#endif
