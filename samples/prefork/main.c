/* SPDX-License-Identifier: MIT */
/* prefork [PORT [WORKERS]]: serves http://127.0.0.1:PORT/ (8080; 0: any port that is free). */
#include "parent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 8080, WORKERS = 8, MOST_WORKERS = 1000 };

/* -1: no number from low to high. */
static long
number(const char *text, long low, long high)
{
	char *end;
	long value = strtol(text, &end, 10);
	return end == text || *end || value < low || value > high ? -1 : value;
}

int
main(int argc, char **argv)
{
	long port = argc > 1 ? number(argv[1], 0, 65535) : PORT;
	long workers = argc > 2 ? number(argv[2], 1, MOST_WORKERS) : WORKERS;
	if (argc > 3 || port < 0 || workers < 0) {
		fprintf(stderr, "usage: %s [PORT [WORKERS]]\n", argv[0]);
		return 2;
	}
	int listener = parent_listen((unsigned short)port);
	if (listener < 0) {
		fprintf(stderr, "%s: port %ld: %s\n", argv[0], port, strerror(errno));
		return 1;
	}
	printf("http://127.0.0.1:%u/\n", (unsigned)parent_port(listener));
	fflush(stdout);
	parent_run(listener, (unsigned)workers);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return 1;
}
