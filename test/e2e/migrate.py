# SPDX-License-Identifier: GPL-2.0-or-later
"""Living data take the shape that an edit gives their type."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

HERO = r"""
#include <stdio.h>
#include <string.h>

struct vec { float x, y; };
struct hero { int hp; struct vec at; short bag[3]; };

static struct hero hero __attribute__((used)) = {100, {1, 2}, {7, 8, 9}};
static struct hero team[4] __attribute__((used));
struct hero last = {1, {0, 0}, {0, 0, 0}};

void
answer(const char *command)
{
	static struct hero spare __attribute__((used)) = {5, {5, 5}, {5, 5, 5}};
	if (!strcmp(command, "play")) {
		hero.hp--;
		hero.at.x += 0.5f;
		team[3].hp += 3;
		team[2].bag[1] = 44;
		last.hp *= 2;
		spare.bag[2]++;
	}
	printf("%d %g,%g %d %d | %d %d | %d | %d %d", hero.hp, hero.at.x, hero.at.y, hero.bag[0], hero.bag[2], team[3].hp,
	       team[2].bag[1], last.hp, spare.hp, spare.bag[2]);
}
"""


@case({"mod.c": HERO})
def variables_keep_what_they_have(s):
    s.expect("play", "99 1.5,2 7 9 | 3 44 | 2 | 5 6")
    s.edit("mod.c", "int hp; struct vec", "char name[20]; int hp; struct vec")
    s.live("answer", data=["hero", "team", "last", "answer.spare"])
    s.expect("play", "98 2,2 7 9 | 6 44 | 4 | 5 7")
    s.edit("mod.c", "float x, y;", "float x, z, y;")
    s.live("answer")
    s.expect("play", "97 2.5,2 7 9 | 9 44 | 8 | 5 8")
    s.replace("mod.c", ("int hp;", "long hp;"), ("\"%d %g,%g %d %d | %d %d | %d | %d %d\"", "\"%ld %g,%g %d %d | %ld %d | %ld | %ld %d\""),
              ("short bag[3]", "short bag[5]"))
    s.live("answer")
    s.expect("play", "96 3,2 7 9 | 12 44 | 16 | 5 9")
    s.edit("mod.c", "char name[20]; ", "")
    s.live("answer")
    s.expect("play", "95 3.5,2 7 9 | 15 44 | 32 | 5 10")


@case({"mod.c": HERO})
def undo_and_redo_change_shapes_back_and_forth(s):
    s.expect("play", "99 1.5,2 7 9 | 3 44 | 2 | 5 6")
    s.replace("mod.c", ("short bag[3]", "short bag[3]; int gold"), ("hero.hp--;", "hero.hp--; hero.gold += 5;"),
              ("%d %g", "%d gold %g"), ("hero.hp, hero.at.x", "hero.gold, hero.at.x"))
    s.live("answer")
    s.expect("play", "5 gold 2,2 7 9 | 6 44 | 4 | 5 7")
    s.undo()
    s.expect("play", "97 2.5,2 7 9 | 9 44 | 8 | 5 8")
    s.redo()
    s.expect("play", "10 gold 3,2 7 9 | 12 44 | 16 | 5 9")
    s.undo()
    s.edit("mod.c", "short bag[3]; int gold", "short bag[3]; int gold, more")
    s.live("answer")
    s.expect("?", "0 gold 3,2 7 9 | 12 44 | 16 | 5 9")


@case({"mod.c": HERO})
def what_cannot_be_migrated_is_held(s):
    s.expect("play", "99 1.5,2 7 9 | 3 44 | 2 | 5 6")
    for old, new, mention in (("int hp;", "short hp;", "hp"), ("team[4]", "team[3]", "team"),
                              ("float x, y;", "int x, y;", "x"), ("short bag[3]", "short sack[3]; int more", "sack")):
        before = s.read("mod.c")
        s.save("mod.c", before.replace(old, new).replace(".bag", ".sack" if "sack" in new else ".bag"))
        s.held(("HD101", "HD102"), mention)
        s.save("mod.c", before)
        s.unchanged()
    s.expect("play", "98 2,2 7 9 | 6 44 | 4 | 5 7")


@case({
    "shape.h": "struct shape { int sides; double area; };\nextern struct shape shapes[3];\ndouble total(void);\n",
    "shapes.c": '#include "shape.h"\nstruct shape shapes[3] = {{3, 1.5}, {4, 2.5}, {5, 3.5}};\n',
    "total.c": '#include "shape.h"\ndouble total(void) { double sum = 0; for (int i = 0; i < 3; i++) sum += shapes[i].area; '
               'return sum; }\n',
    "mod.c": '#include <stdio.h>\n#include "shape.h"\nvoid answer(const char *c) { (void)c; shapes[1].area++; '
             'printf("%d %g", shapes[2].sides, total()); }\n',
})
def a_global_moves_with_all_who_use_it(s):
    s.expect("?", "5 8.5")
    s.edit("shape.h", "int sides;", "int sides; char label[30];")
    s.live("answer", "total", modules=["mod.c", "shapes.c", "total.c"])
    s.expect("?", "5 9.5")
    s.edit("mod.c", "shapes[1].area++", "shapes[1].area += 2")
    s.live("answer")
    s.expect("?", "5 11.5")
    s.undo()
    s.undo()
    s.expect("?", "5 12.5")
    s.edit("total.c", "double sum = 0", "double sum = 100")
    # What is built now is built with the header as it is on disk; so are all who read it.
    s.live("answer", "total", modules=["mod.c", "shapes.c", "total.c"])
    s.expect("?", "5 114.5")


POINTERS = r"""
#include <stdio.h>
struct box { int a; int b; };
static struct box boxes[3] __attribute__((used)) = {{1, 2}, {3, 4}, {5, 6}};
int *inside = &boxes[2].b;
int **to_inside = &inside;
void
answer(const char *command)
{
	(void)command;
	++*inside;
	printf("%d %d %d", boxes[2].b, **to_inside, inside == &boxes[2].b);
}
"""


@case({"mod.c": POINTERS}, only=lambda p: p.pie)
def pointers_into_what_moves_follow(s):
    s.expect("?", "7 7 1")
    s.edit("mod.c", "int a; int b;", "int a; int new; int b;")
    s.live("answer")
    s.expect("?", "8 8 1")
    s.undo()
    s.expect("?", "9 9 1")
    s.redo()
    s.expect("?", "10 10 1")
    s.edit("mod.c", "int b;", "long long c; int b;")
    s.live("answer")
    s.expect("?", "11 11 1")
    # What it points to is gone: nothing is changed.
    s.replace("mod.c", ("int b;", ""), ("boxes[2].b, **to_inside, inside == &boxes[2].b", "boxes[2].a, **to_inside, 1"),
              ("inside = &boxes[2].b", "inside"))
    s.held(("HD107",), "boxes")
    s.expect("?", "12 12 1")


@case({"mod.c": POINTERS}, only=lambda p: not p.pie)
def where_a_pointer_may_be_a_number_nothing_moves(s):
    s.expect("?", "7 7 1")
    s.edit("mod.c", "int a; int b;", "int a; int new; int b;")
    s.held(("HD107",), "position-independent")
    s.expect("?", "8 8 1")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
struct score { int mine; };
static struct score score __attribute__((used)) = {1};
void nested(void);
void
answer(const char *command)
{
	if (!strcmp(command, "fork")) {
		fflush(stdout);
		pid_t child = fork();
		if (child) {
			waitpid(child, 0, 0);
			printf("back ");
		} else {
			score.mine = 1000;
			printf("forked");
			putchar('\n');
			fflush(stdout);
			nested();
			_exit(0);
		}
	}
	score.mine++;
	printf("%d", score.mine);
}
"""})
def each_process_has_its_own(s):
    s.expect("?", "2")
    s.expect("fork", "forked")
    s.expect("?", "1001")
    s.edit("mod.c", "int mine;", "long double pad; int mine;")
    # The parent is inside `answer`, which knows the old shape.
    s.wait("waiting")
    s.expect("leave", "back 3")
    require(s.live("answer")["processes"] >= 1, "nobody is live")
    s.expect("?", "4")
    s.expect("fork", "forked")
    s.expect("?", "1001")
    s.expect("leave", "back 5")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
struct pace { int steps; };
static struct pace pace;
void nested(void);
__attribute__((noinline)) void
walk(void)
{
	pace.steps++;
	nested();
	pace.steps += 10;
}
void
answer(const char *command)
{
	if (!strcmp(command, "walk"))
		walk();
	printf("ok");
}
__attribute__((noinline)) int steps(void) { return pace.steps; }
"""}, once=True)
def a_frame_that_knows_the_old_shape_is_waited_for(s):
    s.tell("walk")
    s.expect("?", "ok")
    s.edit("mod.c", "int steps;", "int miles; int steps;")
    event = s.wait("waiting")
    require(event["modules"] == ["mod.c"], "waiting names", event["modules"])
    require(any(b["function"] == "walk" for b in event["blockers"]), "blockers:", event["blockers"])
    s.expect("?", "ok")
    s.expect("leave", "ok")
    s.live("steps", "walk")
    s.tell("walk")
    s.expect("?", "ok")
    s.edit("mod.c", "int miles;", "int miles, yards;")
    event = s.held(("HD301",), "walk")
    require("walk" in event["remedy"], "the remedy is", event["remedy"])
    s.expect("leave", "ok")


@case({"main.c": r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct world { int width; int day; };
static struct world world;
static size_t bytes;
__attribute__((noinline)) void
live(void)
{
	world.day++;
	printf("%d %d", world.width, world.day);
}
int
main(void)
{
	char line[256];
	bytes = sizeof(struct world);
	world.width = 640;
	while (fgets(line, sizeof line, stdin)) {
		live();
		putchar('\n');
		fflush(stdout);
	}
	return (int)bytes & 0;
}
"""}, only=lambda p: not p.optimises)
def a_main_loop_that_no_longer_uses_the_shape_goes_on(s):
    s.expect("?", "640 1")
    s.edit("main.c", "int width;", "int width, height;")
    s.live("live", "main")
    s.expect("?", "640 2")
    s.edit("main.c", "int day;", "int hour, day;")
    s.live("live", "main")
    s.expect("?", "640 3")
    # From here the loop itself knows the shape.
    s.edit("main.c", "live();\n\t\tputchar", "world.day += 100; live();\n\t\tputchar")
    s.live("main")
    s.expect("?", "640 4")
    s.edit("main.c", "int hour,", "int hour, minute,")
    s.held(("HD301",), "main")
    s.expect("?", "640 5")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
struct tune { int note; };
static struct tune tune;
static ucontext_t home, away;
static char stack[65536];
static int gone;
__attribute__((noinline)) static void
sing(void)
{
	for (;;) {
		tune.note++;
		gone = 1;
		swapcontext(&away, &home);
		tune.note += 10;
	}
}
void
answer(const char *command)
{
	if (!gone) {
		getcontext(&away);
		away.uc_stack.ss_sp = stack;
		away.uc_stack.ss_size = sizeof stack;
		away.uc_link = 0;
		makecontext(&away, sing, 0);
	}
	if (!strcmp(command, "sing"))
		swapcontext(&home, &away);
	printf("sung");
}
__attribute__((noinline)) int note(void) { return tune.note; }
"""}, only=lambda p: p.gcc)
def a_suspended_coroutine_that_knows_the_old_shape_keeps_it(s):
    s.expect("sing", "sung")
    s.edit("mod.c", "int note;", "int volume; int note;")
    s.held(("HD301",), "old shape")
    s.expect("sing", "sung")


@case({
    "mod.c": '#include <stdio.h>\nstruct pair { int a, b; };\nstruct pair pair = {1, 2};\nint sum(void);\n'
             'void answer(const char *c) { (void)c; printf("%d %d", pair.a, sum()); }\n',
    "other.c": 'struct pair { int a, b; };\nextern struct pair pair;\nint sum(void);\n'
               'int sum(void) { return pair.a + pair.b; }\n',
})
def who_has_the_type_in_a_text_of_its_own_must_be_saved_too(s):
    s.expect("?", "1 3")
    s.edit("mod.c", "int a, b;", "int a, c, b;")
    event = s.held(("HD107",))
    require("other.c" in event["reason"] or "sum" in event["reason"], "the reason is", event["reason"])
    s.expect("?", "1 3")
    s.edit("other.c", "int a, b;", "int a, c, b;")
    s.live("sum", modules=["mod.c", "other.c"])
    s.expect("?", "1 3")


@case({"mod.c": r"""
#include <stdio.h>
#include <sys/epoll.h>
struct seat { int fd; int taken; };
static struct seat seats[2] = {{1, 0}, {2, 0}};
static int poller = -1;
void
answer(const char *command)
{
	if (poller < 0 && command[0] == 'p') {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &seats[1].taken};
		poller = epoll_create1(0);
		epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
	}
	printf("%d %d", seats[0].fd, seats[1].fd);
}
"""}, only=lambda p: p.pie)
def what_the_kernel_keeps_the_address_of_does_not_move(s):
    s.expect("poll", "1 2")
    s.edit("mod.c", "int fd;", "int fd, port;")
    s.held(("HD107",), "epoll")
    s.expect("?", "1 2")


@case({"mod.c": HERO}, environment={"HOTDEV_FAULT": "target.object"}, once=True)
def a_failed_write_leaves_every_object_as_it_was(s):
    s.expect("play", "99 1.5,2 7 9 | 3 44 | 2 | 5 6")
    s.edit("mod.c", "int hp; struct vec", "char name[20]; int hp; struct vec")
    s.held(("HD303",), "object")
    s.expect("play", "98 2,2 7 9 | 6 44 | 4 | 5 7")
    s.edit("mod.c", "hero.hp--", "hero.hp -= 2")
    s.live("answer")
    s.expect("play", "96 2.5,2 7 9 | 9 44 | 8 | 5 8")


if __name__ == "__main__":
    main()
