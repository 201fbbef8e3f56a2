/* SPDX-License-Identifier: MIT */
/* Says its answer at the start and at each line of input; with an argument, at
 * each change of it: the time of CLOCK_MONOTONIC then, in nanoseconds. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

int answer(int x);

static int
watch(int before)
{
	struct timespec pause = {.tv_nsec = 100000}, now;
	struct pollfd input = {.fd = 0, .events = POLLIN};
	while (poll(&input, 1, 0) == 0) {
		nanosleep(&pause, NULL);
		int after = answer(1);
		if (after == before)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
		fflush(stdout);
		before = after;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	(void)argv;
	char line[80];
	do {
		printf("%d\n", answer(1));
		fflush(stdout);
		if (argc > 1)
			return watch(answer(1));
	} while (fgets(line, sizeof line, stdin));
	return 0;
}
