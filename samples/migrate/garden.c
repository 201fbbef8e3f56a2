/* SPDX-License-Identifier: MIT */
#include "garden.h"

#include <stdio.h>
#include <stdlib.h>

static void
plant(struct garden *garden)
{
	struct plant *plant = calloc(1, sizeof *plant);
	if (!plant)
		return;
	plant->number = ++garden->planted;
	plant->next = garden->plants;
	garden->plants = plant;
}

struct garden *
garden_new(void)
{
	struct garden *garden = calloc(1, sizeof *garden);
	for (int i = 0; garden && i < 5; i++)
		plant(garden);
	return garden;
}

static void
grow(struct plant *plant)
{
	plant->leaves++;
}

void
garden_day(struct garden *garden)
{
	garden->day++;
	if (garden->day % 10 == 0)
		plant(garden);
	for (struct plant *plant = garden->plants; plant; plant = plant->next)
		grow(plant);
}

static void
show_plant(const struct plant *plant)
{
	printf(" %d:%d", plant->number, plant->leaves);
}

void
garden_show(const struct garden *garden)
{
	printf("day %d:", garden->day);
	for (const struct plant *plant = garden->plants; plant; plant = plant->next)
		show_plant(plant);
	printf("\n");
	fflush(stdout);
}
