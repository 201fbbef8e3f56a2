/* SPDX-License-Identifier: MIT */
/* For each line of input, a number of calls: how long one takes, in ns, within
 * the program and into a shared library. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

long callee(long x);
long distant(long x);

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int
main(void)
{
	char line[80];
	long x = 0;
	while (fgets(line, sizeof line, stdin)) {
		long count = atol(line);
		double start = now();
		for (long i = 0; i < count; i++)
			x = callee(x);
		double middle = now();
		for (long i = 0; i < count; i++)
			x = distant(x);
		double end = now();
		printf("%f %f\n", (middle - start) / (double)count, (end - middle) / (double)count);
		fflush(stdout);
	}
	return x == 1;
}
