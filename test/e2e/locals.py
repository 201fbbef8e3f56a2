# SPDX-License-Identifier: GPL-2.0-or-later
"""Data on the heap that only variables of frames lead to take the shape that an edit gives their type."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

# Where addresses may be numbers, what outgrows its block does not move (migrate.py).
PIE = {"only": lambda p: p.pie}

GAME = r"""
#include <stdio.h>
#include <stdlib.h>

struct game { long score; double pitch[40]; int level; };

__attribute__((noinline)) void
frame(struct game *g)
{
	g->score++;
	printf("%ld %d\n", g->score, g->level);
	fflush(stdout);
}
"""

ALONE = GAME + r"""
int
main(void)
{
	char line[256];
	struct game *g = calloc(1, sizeof *g);
	g->level = 7;
	while (fgets(line, sizeof line, stdin))
		frame(g);
	return 0;
}
"""


@case({"main.c": ALONE}, **PIE)
def a_struct_that_a_local_of_main_leads_to(s):
    s.expect("?", "1 7")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.live()
    s.expect("?", "2 7")
    # main's frame is of the first version still.
    s.edit("main.c", "long score;", "long score, lives;")
    s.live()
    s.expect("?", "3 7")


@case({"main.c": GAME + r"""
__attribute__((noinline)) static struct game *
make(void)
{
	struct game *made = calloc(1, sizeof *made);
	made->level = 6;
	return made;
}

int
main(void)
{
	char line[256];
	struct game *g = make();
	while (fgets(line, sizeof line, stdin))
		frame(g);
	return 0;
}
"""}, **PIE)
def undo_changes_it_back(s):
    s.expect("?", "1 6")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.live()
    s.expect("?", "2 6")
    s.undo()
    s.expect("?", "3 6")


@case({"main.c": ALONE}, only=lambda p: not p.pie)
def a_struct_that_has_room_where_it_is(s):
    s.expect("?", "1 7")
    s.edit("main.c", "double pitch[40]; int level;", "int level; double pitch[40];")
    s.live()
    s.expect("?", "2 7")


@case({"main.c": r"""
#include <stdio.h>
#include <stdlib.h>

struct item { int count; char name[60]; struct item *next; };

__attribute__((noinline)) int
total(const struct item *items, int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++)
		sum += items[i].count;
	for (const struct item *more = items[n - 1].next; more; more = more->next)
		sum += more->count * 1000;
	return sum;
}

__attribute__((noinline)) static void
fill(struct item *items, int n)
{
	for (int i = 0; i < n; i++)
		items[i].count = i + 1;
	items[n - 1].next = calloc(1, sizeof *items);
	items[n - 1].next->count = 3;
}

int
main(void)
{
	char line[256];
	struct item *items = calloc(5, sizeof *items);
	fill(items, 5);
	while (fgets(line, sizeof line, stdin)) {
		printf("%d\n", total(items, 5));
		fflush(stdout);
	}
	return 0;
}
"""}, **PIE)
def a_row_of_them_and_what_they_lead_to(s):
    s.expect("?", "3015")
    s.edit("main.c", "int count;", "int count; long weight;")
    s.live()
    s.expect("?", "3015")


@case({"main.c": GAME + r"""
__attribute__((noinline)) static void
play(struct game *g)
{
	char line[256];
	while (fgets(line, sizeof line, stdin))
		frame(g);
}

__attribute__((noinline)) static void
deal(int level)
{
	struct game *made = calloc(1, sizeof *made);
	made->level = level;
	play(made);
	puts("over");
}

int
main(void)
{
	deal(5);
	return 0;
}
"""}, **PIE)
def a_parameter_that_was_handed_down(s):
    s.expect("?", "1 5")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.live()
    s.expect("?", "2 5")


@case({"main.c": GAME + r"""
struct app { int runs; struct game *game; };

int
main(void)
{
	char line[256];
	struct app app = {0, calloc(1, sizeof(struct game))};
	struct app *self = &app;
	app.game->level = 3;
	while (fgets(line, sizeof line, stdin)) {
		frame(self->game);
		__asm__ volatile("" : "+r"(self) : : "memory");
	}
	return 0;
}
"""}, **PIE)
def a_struct_on_the_stack_that_leads_to_it(s):
    s.expect("?", "1 3")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.live()
    s.expect("?", "2 3")


@case({"main.c": GAME + r"""
#include <pthread.h>
#include <semaphore.h>

static sem_t go, done;

static void *
work(void *argument)
{
	struct game *own = calloc(1, sizeof *own);
	own->level = *(int *)argument;
	for (;;) {
		sem_wait(&go);
		frame(own);
		sem_post(&done);
	}
	return NULL;
}

int
main(void)
{
	char line[256];
	int level = 9;
	pthread_t thread;
	sem_init(&go, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&thread, NULL, work, &level);
	while (fgets(line, sizeof line, stdin)) {
		sem_post(&go);
		sem_wait(&done);
	}
	return 0;
}
"""}, **PIE)
def a_thread_that_has_its_own(s):
    s.expect("?", "1 9")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.live()
    s.expect("?", "2 9")


@case({"main.c": r"""
#include <stdio.h>
#include <stdlib.h>

struct node { long value; struct node *up; double rest[30]; };

__attribute__((noinline)) long
sum(const struct node *n)
{
	long total = 0;
	for (; n; n = n->up)
		total = total * 10 + n->value;
	return total;
}

__attribute__((noinline)) static int
descend(int depth, struct node *up)
{
	char line[256];
	struct node *own = calloc(1, sizeof *own);
	own->value = depth;
	own->up = up;
	if (depth < 6)
		return descend(depth + 1, depth == 3 ? NULL : own) + (int)sum(own);
	while (fgets(line, sizeof line, stdin)) {
		printf("%ld\n", sum(own));
		fflush(stdout);
	}
	return (int)sum(own);
}

int
main(void)
{
	return descend(1, NULL) & 0;
}
"""}, **PIE)
def frames_of_a_recursion_have_theirs_each(s):
    s.expect("?", "654")
    s.edit("main.c", "long value;", "long value; double more[9];")
    s.live()
    s.expect("?", "654")


STRANGERS = GAME + r"""
struct other { struct game *none; double rest[41]; };
static struct other *other;
static int frames;

__attribute__((noinline)) static int
loop(struct game *g, struct game *wrong, struct game *inside, struct game *released)
{
	char line[256];
	while (fgets(line, sizeof line, stdin)) {
		frame(g);
		frames++;
		if (frames == 1000)
			return wrong == inside || wrong == released;
	}
	return wrong == inside;
}

int
main(void)
{
	void *volatile gone = calloc(1, sizeof(struct game));
	struct game *g = calloc(1, sizeof *g);
	other = calloc(1, sizeof *other);
	other->rest[3] = 1;
	g->level = 4;
	void *volatile kept = gone;
	free(gone);
	return loop(g, (struct game *)other, (struct game *)&other->rest[1], kept) & (other->rest[3] > 2);
}
"""


@case({"main.c": STRANGERS}, **PIE)
def what_a_stale_local_says_of_other_blocks_does_not_count(s):
    s.expect("?", "1 4")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.live()
    s.expect("?", "2 4")


@case({"main.c": GAME + r"""
int
main(void)
{
	char line[256];
	struct game *g = calloc(1, sizeof *g);
	double *numbers = (double *)g;
	g->level = 4;
	while (fgets(line, sizeof line, stdin)) {
		frame(g);
		__asm__ volatile("" : "+r"(numbers) : : "memory");
	}
	return numbers[0] == 0.5;
}
"""}, **PIE)
def two_locals_that_disagree_hold_the_edit(s):
    s.expect("?", "1 4")
    s.edit("main.c", "long score;", "long score; double more[20];")
    event = s.held(("HD107",), "struct game")
    require("out of date" in event["reason"], "the reason is", event["reason"])
    s.expect("?", "2 4")


@case({"main.c": GAME + r"""
#include <stdint.h>

/* What types say nothing of: as another program's library would keep it. */
uintptr_t *cabinet;

int
main(void)
{
	char line[256];
	struct game *g = calloc(1, sizeof *g);
	void **drawer = calloc(100, sizeof *drawer);
	drawer[42] = g;
	cabinet = malloc(16);
	cabinet[0] = (uintptr_t)drawer;
	drawer = NULL;
	g->level = 4;
	while (fgets(line, sizeof line, stdin))
		frame(g);
	return 0;
}
"""}, **PIE)
def what_somebody_unknown_leads_to_as_well_is_held(s):
    s.expect("?", "1 4")
    s.edit("main.c", "long score;", "long score; double more[20];")
    s.held(("HD107",), "no known type")
    s.expect("?", "2 4")


if __name__ == "__main__":
    main()
