/* SPDX-License-Identifier: MIT */
/* A garden of plants, on the heap. */
#ifndef GARDEN_H
#define GARDEN_H

struct plant {
	int number;
	int leaves;
	struct plant *next;
};

struct garden {
	int day;
	int planted;
	struct plant *plants;
};

struct garden *garden_new(void);
/* A day goes by: what grows, grows. */
void garden_day(struct garden *garden);
void garden_show(const struct garden *garden);

#endif
