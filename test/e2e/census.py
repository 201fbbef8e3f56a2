# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects on the heap whose shape an edit changes: all of them follow, or the edit is held and none does."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main  # noqa: E402

# The user's word that typed pointers lead to every object.
WORD = ["--typed-heap"]
# Elsewhere an address may be a number as well, and nothing moves.
pie = lambda point: point.pie  # noqa: E731

HEAD = "#include <stddef.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"

LIST = HEAD + r"""
struct ent { int id; struct ent *next; int val; };
static struct ent *head __attribute__((used));
static int made;
void
answer(const char *command)
{
	int bad = 0, count = 0;
	for (int i = 0; i < 500 && !strcmp(command, "add"); i++) {
		struct ent *e = malloc(sizeof *e);
		memset(e, 0, sizeof *e);
		e->id = made++;
		e->val = e->id * 3;
		e->next = head;
		head = e;
	}
	for (struct ent *e = head; e; e = e->next, count++)
		bad += e->val != e->id * 3;
	printf("%d %d", bad, count);
}
"""


@case({"mod.c": LIST}, hotdev=WORD, only=pie)
def a_list_grows_and_shrinks_while_it_gets_longer(s):
    s.expect("add", "0 500")
    s.edit("mod.c", "int id;", "int id; long mana[3];")
    s.live("answer")
    s.expect("add", "0 1000")
    # These grow within their blocks, up to the last byte: the next chunk begins there.
    s.edit("mod.c", "int val;", "char name[9]; int val;")
    s.live("answer")
    s.expect("add", "0 1500")
    for turn, step in enumerate((s.undo, s.undo, s.redo, s.redo, s.undo)):
        step()
        s.expect("add", f"0 {2000 + 500 * turn}")


@case({"mod.c": HEAD + r"""
struct ent { int id; int val; long more; };
static struct ent *first, *end, *third, **index_of;
static int *inside;
static size_t count;
__attribute__((noinline)) static void
grow(void)
{
	first = realloc(first, (count * 2 + 10) * sizeof *first);
	for (size_t i = count; i < count + 10; i++) {
		memset(first + i, 0, sizeof *first);
		first[i].id = (int)i;
		first[i].val = 3 * (int)i;
	}
	count += 10;
	end = first + count;
	third = first + 3;
	inside = &first[5].val;
	free(index_of);
	index_of = malloc(count * sizeof *index_of);
	for (size_t i = 0; i < count; i++)
		index_of[i] = first + i;
}
void
answer(const char *command)
{
	int bad = 0, seen = 0;
	if (!strcmp(command, "grow"))
		grow();
	for (struct ent *e = first; e != end; e++, seen++)
		bad += e->id != seen || e->val != 3 * seen || index_of[seen] != e;
	bad += third != first + 3 || inside != &first[5].val;
	printf("%d %d", bad, seen);
}
"""}, hotdev=WORD, only=pie)
def an_array_moves_with_its_ends_and_its_index(s):
    s.expect("grow", "0 10")
    s.edit("mod.c", "int id;", "int id; long pad[5];")
    s.live("answer", "grow")
    s.expect("?", "0 10")
    s.expect("grow", "0 20")
    s.edit("mod.c", "int val;", "long even; int val;")
    s.live("answer", "grow")
    s.expect("grow", "0 30")
    for turn, step in enumerate((s.undo, s.undo, s.redo, s.redo)):
        step()
        s.expect("grow", f"0 {40 + 10 * turn}")


@case({
    "mod.c": HEAD + r"""
struct node { int id; struct node *next; };
static struct node *mine __attribute__((used));
void other_add(void);
int other_check(void);
void
answer(const char *command)
{
	int bad = 0, count = 0;
	if (!strcmp(command, "add")) {
		struct node *e = calloc(1, sizeof *e);
		e->id = 7;
		e->next = mine;
		mine = e;
		other_add();
	}
	for (struct node *e = mine; e; e = e->next, count++)
		bad += e->id != 7;
	printf("%d %d %d", bad, count, other_check());
}
""",
    "a_other.c": r"""
#include <stdlib.h>
struct node { struct node *left, *right; long key; int id; };
static struct node *tree __attribute__((used));
void other_add(void);
int other_check(void);
void
other_add(void)
{
	struct node *e = calloc(1, sizeof *e);
	e->key = 99;
	e->id = 5;
	e->left = tree;
	tree = e;
}
int
other_check(void)
{
	int bad = 0;
	for (struct node *e = tree; e; e = e->left)
		bad += e->key != 99 || e->id != 5 || e->right;
	return bad;
}
"""}, hotdev=WORD, only=pie)
def another_files_type_of_the_same_name_is_another_type(s):
    for count in range(1, 4):
        s.expect("add", f"0 {count} 0")
    s.edit("mod.c", "int id;", "int id; long pad[4];")
    s.live("answer")
    s.expect("add", "0 4 0")
    s.edit("a_other.c", "long key;", "long key; long more[5];")
    s.live("other_add", "other_check")
    s.expect("add", "0 5 0")
    s.undo()
    s.expect("add", "0 6 0")
    s.undo()
    s.expect("add", "0 7 0")


def is_held_with_all_as_it_was(s, mention, what="?"):
    before = s.ask(what)
    s.edit("mod.c", "int id;", "int id; long pad[4];")
    s.held(("HD107",), mention)
    s.expect("?", before)


@case({"mod.c": HEAD + r"""
struct ent { int id; int val; };
struct __attribute__((packed)) ref { char tag; struct ent *to; };
static struct ref refs[10];
void
answer(const char *command)
{
	int bad = 0;
	(void)command;
	for (int i = 0; i < 10; i++) {
		if (!refs[i].to) {
			refs[i].to = calloc(1, sizeof *refs[i].to);
			refs[i].to->val = 3 * i;
		}
		bad += refs[i].to->val != 3 * i;
	}
	printf("%d", bad);
}
"""}, hotdev=WORD, only=pie)
def a_pointer_that_is_not_aligned_holds_the_edit(s):
    is_held_with_all_as_it_was(s, "aligned")


@case({"mod.c": HEAD + r"""
struct ent { int id; struct ent *next; int val; };
static __thread struct ent *head;
void
answer(const char *command)
{
	int bad = 0, count = 0;
	if (!strcmp(command, "add")) {
		struct ent *e = calloc(1, sizeof *e);
		e->id = 4;
		e->val = 12;
		e->next = head;
		head = e;
	}
	for (struct ent *e = head; e; e = e->next, count++)
		bad += e->val != e->id * 3;
	printf("%d %d", bad, count);
}
"""}, hotdev=WORD, only=pie)
def what_thread_locals_lead_to_holds_the_edit(s):
    is_held_with_all_as_it_was(s, "head", "add")


LINKED = HEAD + r"""
struct link { struct link *next, *prev; };
struct ent { FIELDS };
static struct link all = {&all, &all};
void
answer(const char *command)
{
	int bad = 0, count = 0;
	for (int i = 0; i < 10 && !strcmp(command, "add"); i++) {
		struct ent *e = calloc(1, sizeof *e);
		e->id = i;
		e->val = 3 * i;
		e->link.next = all.next;
		e->link.prev = &all;
		all.next->prev = &e->link;
		all.next = &e->link;
	}
	for (struct link *l = all.next; l != &all; l = l->next, count++) {
		struct ent *e = (struct ent *)(void *)((char *)l - offsetof(struct ent, link));
		bad += e->val != 3 * e->id;
	}
	printf("%d %d", bad, count);
}
"""


@case({"mod.c": LINKED.replace("FIELDS", "int id; int val; struct link link;")}, hotdev=WORD, only=pie)
def a_list_of_links_that_lie_inside_holds_the_edit(s):
    is_held_with_all_as_it_was(s, "struct ent", "add")


@case({"mod.c": LINKED.replace("FIELDS", "struct link link; int id; int val;")}, hotdev=WORD, only=pie)
def a_list_of_links_that_come_first_holds_the_edit(s):
    is_held_with_all_as_it_was(s, "struct ent", "add")


@case({"mod.c": HEAD + r"""
struct ent { int id; int val; long more; };
static struct ent *selected;
static char *title;
void
answer(const char *command)
{
	(void)command;
	if (!selected) {
		selected = calloc(1, sizeof *selected);
		free(selected);
		title = strdup("0 a title of 23 bytes");
	}
	printf("%s", title);
}
"""}, hotdev=WORD, only=pie)
def text_in_a_block_that_was_freed_stays_text(s):
    is_held_with_all_as_it_was(s, "text")


def fails_and_then_works(s):
    for count in (500, 1000):
        s.expect("add", f"0 {count}")
    s.edit("mod.c", "int id;", "int id; long mana[3];")
    s.held(("HD107", "HD301", "HD302", "HD303"))
    s.expect("add", "0 1500")
    s.edit("mod.c", "int val;", "char name[9]; int val;")
    s.live("answer")
    s.expect("add", "0 2000")
    s.undo()
    s.expect("add", "0 2500")


def fault_case(fault):
    def each(s):
        fails_and_then_works(s)
    each.__name__ = "all_is_as_it_was_after_" + fault.replace(".", "_").replace(":", "_")
    case({"mod.c": LIST}, hotdev=WORD, environment={"HOTDEV_FAULT": fault}, once=True, only=pie)(each)


for name in ("target.reshape", "target.allocate", "target.object:1", "target.object:2", "target.object:5",
             "target.write:1", "target.last"):
    fault_case(name)


@case({"mod.c": HEAD + r"""
struct note { int id; struct note *next; };
static struct note *notes __attribute__((used));
void
answer(const char *command)
{
	if (!notes || !strcmp(command, "add")) {
		struct note *n = malloc(sizeof *n + 16);
		n->id = notes ? notes->id + 1 : 1;
		n->next = notes;
		strcpy((char *)(n + 1), "behind the note");
		notes = n;
	}
	printf("%d %s", notes->id, (char *)(notes + 1));
}
"""}, hotdev=WORD, only=pie)
def what_a_block_has_behind_its_object_stays_behind_it(s):
    s.expect("add", "1 behind the note")
    s.expect("add", "2 behind the note")
    s.edit("mod.c", "int id;", "int id; long a, b;")
    s.live("answer")
    s.expect("?", "2 behind the note")
    s.expect("add", "3 behind the note")
    s.undo()
    s.expect("?", "3 behind the note")
    s.redo()
    s.expect("?", "3 behind the note")


if __name__ == "__main__":
    main()
