/* SPDX-License-Identifier: MIT */
/* A garden that grows, a line a day: ./garden [MILLISECONDS A DAY]. */
#include "garden.h"

#include <hotdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int
main(int argc, char **argv)
{
	long day = argc > 1 ? strtol(argv[1], NULL, 10) : 500;
	struct timespec pause = {day / 1000, day % 1000 * 1000000};
	struct garden *garden = garden_new();
	if (!garden)
		return 1;
	HD_STATE(garden);
	for (;;) {
		garden_day(garden);
		garden_show(garden);
		nanosleep(&pause, NULL);
	}
}
