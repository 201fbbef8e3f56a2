# SPDX-License-Identifier: GPL-2.0-or-later
"""What an edit does: the rows of the published table that one module shows."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

BODY = r"""
#include <stdio.h>

static int calls;

__attribute__((noinline)) int
weigh(int x)
{
	calls++;
	return x + 1;
}

void
answer(const char *command)
{
	(void)command;
	int weight = weigh(41);
	printf("%d after %d", weight, calls);
}
"""


@case({"mod.c": BODY})
def function_body_is_live(s):
    s.expect("?", "42 after 1")
    s.edit("mod.c", "x + 1", "x + 2")
    saved = s.wait("saved")
    require(saved["files"] == ["mod.c"], "saved names", saved["files"])
    event = s.live("weigh", modules=["mod.c"])
    first = event["modules"][0]["version"]
    require(event["processes"] == 1 and event["threads"] == 1, "counts:", event)
    s.expect("?", "43 after 2")
    s.edit("mod.c", "x + 2", "x * 2", how="atomic")
    event = s.live("weigh")
    require(event["modules"][0]["version"] == first + 1, "the version after", first, "is", event)
    s.expect("?", "82 after 3")


@case({"mod.c": r"""
#include <stdio.h>

void
answer(const char *command)
{
	struct pair { int a; };
	struct pair p = {command[0]};
	printf("%d", p.a);
}
"""})
def locals_and_types_used_only_inside_a_function_are_live(s):
    s.expect("A", "65")
    s.replace("mod.c", ("struct pair { int a; };", "struct pair { char name[32]; double b; int a; };"),
              ("= {command[0]}", '= {"x", 0.5, command[0]}'))
    s.wait("live", "unchanged", only=("held", "failed"))
    s.expect("A", "65")
    s.edit("mod.c", '"%d", p.a', '"%s %g %d", p.name, p.b, p.a')
    s.live("answer")
    s.expect("A", "x 0.5 65")


@case({"mod.c": BODY})
def comments_white_space_and_moved_lines_are_unchanged(s):
    s.expect("?", "42 after 1")
    s.edit("mod.c", "\tcalls++;", "\t/* counted */ calls++;")
    require(s.unchanged()["files"] == ["mod.c"], "unchanged names another file")
    s.edit("mod.c", "static int calls;", "\n\n\nstatic   int\tcalls;\n\n")
    s.unchanged()
    s.save("mod.c", s.read("mod.c") + "\n/* the end */\n", how="atomic")
    s.unchanged()
    s.expect("?", "42 after 2")
    s.edit("mod.c", "x + 1", "x + 5")
    s.live("weigh")
    s.expect("?", "46 after 3")


@case({"mod.c": r"""
#include <stdio.h>
__attribute__((noinline)) int here(void) { return __LINE__; }
void answer(const char *command) { (void)command; printf("%d", here()); }
"""})
def moved_lines_that_the_code_knows_are_live(s):
    s.expect("?", "3")
    s.edit("mod.c", "#include <stdio.h>", "#include <stdio.h>\n\n\n")
    s.live("here")
    s.expect("?", "6")


@case({"mod.c": r"""
#include <stdio.h>

/* new functions */

void
answer(const char *command)
{
	printf("%d", command[0] - 'a');
}
"""})
def new_functions_static_and_global_are_live(s):
    s.expect("c", "2")
    s.replace("mod.c", ("/* new functions */", """
static __attribute__((noinline)) int half(int x) { return x / 2; }
int twice(int x);
__attribute__((noinline)) int twice(int x) { return 2 * x; }"""),
              ("command[0] - 'a'", "100 * half(command[0] - 'a') + twice(command[0] - 'a')"))
    s.live("answer", "half", "twice")
    s.expect("c", "104")
    s.edit("mod.c", "return 2 * x", "return 3 * x")
    s.live("twice")
    s.expect("c", "106")
    s.edit("mod.c", "return x / 2", "return x / 2 + 1")
    s.live("half")
    s.expect("c", "206")


@case({"mod.c": r"""
#include <stdio.h>
enum colour { RED, GREEN };
/* new data */
__attribute__((noinline)) int
count(void)
{
	return GREEN;
}
void
answer(const char *command)
{
	(void)command;
	printf("%d", count());
}
"""})
def new_variables_and_an_appended_enumerator_are_live(s):
    s.expect("?", "1")
    s.replace("mod.c", ("/* new data */", "static int hits = 10;\nint shots = 200;\nstatic int zero;\n"),
              ("return GREEN;", "static int mine = 3000;\n\tmine += 1000;\n"
               "\treturn ++hits + ++shots + ++zero + mine;"))
    s.live("count")
    s.expect("?", "4213")
    s.expect("?", "5216")
    # What is new is initialised once, and kept by the versions after.
    s.edit("mod.c", "GREEN }", "GREEN, BLUE }")
    s.unchanged()
    s.edit("mod.c", "+ mine", "+ mine + BLUE * 100000")
    s.live("count")
    s.expect("?", "206219")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>

static const int weights[] = {1, 2, 3};
static const char *const names[] = {"one", "two"};
const double factors[2] = {0.5, 2};

void
answer(const char *command)
{
	if (!strcmp(command, "sum")) {
		int sum = 0;
		for (unsigned i = 0; i < sizeof weights / sizeof *weights; i++)
			sum += weights[i];
		printf("%d", sum);
	} else if (!strcmp(command, "names")) {
		for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
			printf("%s,", names[i]);
	} else
		printf("%s %g", "greetings", factors[command[0] == 'b']);
}
"""})
def const_tables_and_string_constants_are_live(s):
    s.expect("sum", "6")
    s.edit("mod.c", "{1, 2, 3}", "{10, 2, 3}")
    s.live()
    s.expect("sum", "15")
    s.edit("mod.c", "{10, 2, 3}", "{10, 2, 3, 100, 1000}")
    s.live()
    s.expect("sum", "1115")
    s.expect("names", "one,two,")
    s.edit("mod.c", '"two"', '"deux"')
    s.live()
    s.expect("names", "one,deux,")
    s.edit("mod.c", '"deux"}', '"deux", "three"}')
    s.live()
    s.expect("names", "one,deux,three,")
    s.expect("b", "greetings 2")
    s.edit("mod.c", '"greetings"', '"hello"')
    s.live("answer")
    s.expect("b", "hello 2")
    s.edit("mod.c", "{0.5, 2}", "{0.25, 4}")
    s.live()
    s.expect("b", "hello 4")
    s.expect("a", "hello 0.25")


DISPATCH = r"""
#include <stdio.h>
#include <string.h>

typedef void handler(void);
static void hello(void) { printf("hello"); }
static void bye(void) { printf("bye"); }
/* handlers */
static QUALIFIER struct entry { const char *name; handler *run; } table[] = {
	{"hello", hello},
	{"bye", bye},
};

void
answer(const char *command)
{
	for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].name, command)) {
			table[i].run();
			return;
		}
	printf("what?");
}
"""


def grow_the_table(s):
    s.expect("bye", "bye")
    s.expect("dance", "what?")
    s.replace("mod.c", ("/* handlers */", 'static void dance(void) { printf("tra la"); }'),
              ('{"bye", bye},', '{"bye", bye},\n\t{"dance", dance},'))
    s.live("answer", "dance")
    s.expect("dance", "tra la")
    s.expect("hello", "hello")
    s.edit("mod.c", 'printf("hello")', 'printf("hello again")')
    s.live("hello")
    s.expect("hello", "hello again")


@case({"mod.c": DISPATCH.replace("QUALIFIER", "const")})
def dispatch_table_entry_added_is_live(s):
    grow_the_table(s)


@case({"mod.c": DISPATCH.replace("QUALIFIER ", "")})
def entry_added_to_a_writable_dispatch_table_is_live(s):
    grow_the_table(s)


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>

int volume = 5;
static int limit = 10;
static double ratios[3] = {1, 2, 3};
static const char *title = "first";

void
answer(const char *command)
{
	static int step = 7;
	if (!strcmp(command, "louder"))
		volume++;
	if (!strcmp(command, "step"))
		step++;
	printf("%d %d %g %s %d", volume, limit, ratios[1], title, step);
}
"""})
def initialiser_of_a_variable_never_written_is_in_force(s):
    s.expect("?", "5 10 2 first 7")
    s.edit("mod.c", "volume = 5", "volume = 6")
    s.live(data=["volume"])
    s.expect("?", "6 10 2 first 7")
    s.edit("mod.c", "limit = 10", "limit = 20")
    s.live()
    s.edit("mod.c", "{1, 2, 3}", "{1, 2.5, 3}")
    s.live()
    s.edit("mod.c", '"first"', '"second"')
    s.live()
    s.edit("mod.c", "step = 7", "step = 8")
    s.live()
    s.expect("?", "6 20 2.5 second 8")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>

int volume = 5;

void
answer(const char *command)
{
	static int step = 7;
	if (!strcmp(command, "louder"))
		volume++;
	if (!strcmp(command, "step"))
		step += 10;
	printf("%d %d", volume, step);
}
"""})
def initialiser_of_a_variable_that_was_written_warns_and_keeps_the_value(s):
    s.expect("louder", "6 7")
    s.expect("step", "6 17")
    s.edit("mod.c", "volume = 5", "volume = 100")
    s.wait("saved")
    s.wait("live", "unchanged", only=("held", "failed"))
    s.expect("?", "6 17")
    require(any("volume" in w["message"] for w in s.events("warning")), "no warning names volume")
    s.edit("mod.c", "step = 7", "step = 200")
    s.wait("saved")
    s.wait("live", "unchanged", only=("held", "failed"))
    s.expect("louder", "7 17")
    require(any("step" in w["message"] for w in s.events("warning")), "no warning names step")


@case({"mod.c": r"""
#include <stdio.h>
struct conn { int fd; short port; };
static struct conn peer = {3, 80};
__attribute__((noinline)) int port(struct conn *c) { return c->port; }
void answer(const char *command) { (void)command; printf("%d %d", peer.fd, port(&peer)); }
"""})
def a_change_of_shape_that_no_migration_answers_is_held_until_undone(s):
    s.expect("?", "3 80")
    s.edit("mod.c", "int fd; short port;", "short fd; short port;")
    event = s.held(("HD101", "HD102"), "conn")
    require(event["modules"] == ["mod.c"], "held names", event["modules"])
    s.expect("?", "3 80")
    s.edit("mod.c", "short fd; short port;", "int fd; short port;")
    s.unchanged()
    s.edit("mod.c", "return c->port", "return c->port + 1")
    s.live("port")
    s.expect("?", "3 81")
    # Same size, other meaning.
    s.edit("mod.c", "int fd; short port;", "float fd; short port;")
    s.held(("HD101", "HD102"), "conn")
    s.expect("?", "3 81")
    s.edit("mod.c", "float fd; short port;", "int fd; short port;")
    s.unchanged()


@case({"mod.c": r"""
#include <stdio.h>
static long total = 1000;
void answer(const char *command) { (void)command; printf("%ld", total++); }
"""})
def changed_type_of_a_variable_is_held(s):
    s.expect("?", "1000")
    s.replace("mod.c", ("static long total", "static double total"), ('"%ld"', '"%g"'))
    s.held("HD102", "total")
    s.expect("?", "1001")
    s.replace("mod.c", ("static double total", "static long total"), ('"%g"', '"%ld"'))
    s.unchanged()
    s.expect("?", "1002")


OTHER = r"""
int area(int width);
int use(void);
int use(void) { return area(5); }
"""


@case({"mod.c": r"""
#include <stdio.h>
int area(int width);
int use(void);
__attribute__((noinline)) int area(int width) { return width * width; }
void answer(const char *command) { (void)command; printf("%d", use()); }
""", "other.c": OTHER})
def signature_with_callers_elsewhere_is_held(s):
    s.expect("?", "25")
    s.save("mod.c", s.read("mod.c").replace("area(int width)", "area(int width, int height)")
           .replace("width * width", "width * height"))
    event = s.held("HD103", "area")
    require("called by use" in event["reason"] or "other.c" in event["reason"], "the caller is not named:", event)
    s.expect("?", "25")
    s.save("mod.c", s.read("mod.c").replace("area(int width, int height)", "area(int width)")
           .replace("width * height", "width * width"))
    s.unchanged()


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int area(int width) { return width * width; }
void answer(const char *command) { printf("%d", area(command[0] - '0')); }
"""})
def signature_of_a_static_function_with_its_callers_is_live(s):
    s.expect("5", "25")
    s.save("mod.c", s.read("mod.c").replace("area(int width)", "area(int width, long height)")
           .replace("width * width", "width * (int)height").replace("area(command[0] - '0')",
                                                                   "area(command[0] - '0', 100)"))
    s.live("area", "answer")
    s.expect("5", "500")


@case({"mod.c": r"""
#include <stdio.h>
int helper(void);
/* helper */
__attribute__((noinline)) int helper(void) { return 4; }
int spare(void);
int spare(void) { return 1; }
/* end */
void answer(const char *command) { (void)command; printf("%d", use()); }
""".replace("/* helper */", "int use(void);"), "other.c": r"""
int helper(void);
int use(void);
int use(void) { return helper() + 1; }
"""})
def deleted_function_that_is_referred_to_is_held(s):
    s.expect("?", "5")
    s.edit("mod.c", "__attribute__((noinline)) int helper(void) { return 4; }", "")
    s.held("HD105", "helper")
    s.expect("?", "5")
    s.edit("mod.c", "int use(void);", "int use(void);\n__attribute__((noinline)) int helper(void) { return 4; }")
    s.unchanged()
    # Nothing calls this one.
    s.edit("mod.c", "int spare(void) { return 1; }", "")
    s.wait("saved")
    s.wait("live", "unchanged", only=("held", "failed"))
    s.expect("?", "5")


@case({"mod.c": BODY})
def missing_symbol_is_held(s):
    s.edit("mod.c", "return x + 1;", "extern int nobody_defines_this(int);\n\treturn nobody_defines_this(x);")
    event = s.held("HD201", "nobody_defines_this")
    require(event["where"] is None or event["where"]["file"].endswith("mod.c"), "the place is", event["where"])
    s.expect("?", "42 after 1")
    s.edit("mod.c", "return nobody_defines_this(x);", "return x + 3;")
    s.live("weigh")
    s.expect("?", "44 after 2")


@case({"mod.c": BODY})
def what_does_not_compile_fails_with_every_diagnostic(s):
    line = s.read("mod.c").split("\n").index("\treturn x + 1;") + 1
    s.edit("mod.c", "return x + 1;", "return x + ;")
    event = s.failed("expected expression")
    first = event["diagnostics"][0]
    require(first["file"] == "mod.c" or first["file"].endswith("/mod.c"), "the diagnostic is in", first)
    require(first["line"] == line and first["column"] > 1, "the diagnostic is at", first)
    s.expect("?", "42 after 1")
    s.edit("mod.c", "return x + ;", "return unknown_one + unknown_two;")
    event = s.failed("unknown_one", "unknown_two")
    errors = [d for d in event["diagnostics"] if d["severity"] == "error"]
    require(len(errors) == 2, "two errors are", errors)
    s.edit("mod.c", "unknown_one + unknown_two", "x + 8")
    s.live("weigh")
    s.expect("?", "49 after 2")


@case({"mod.c": BODY})
def saving_back_what_runs_clears_a_failure(s):
    good = s.read("mod.c")
    s.save("mod.c", "int broken(\n")
    s.failed()
    s.save("mod.c", good)
    s.unchanged()
    s.edit("mod.c", "x + 1", "x + 2")
    s.live("weigh")
    good = s.read("mod.c")
    s.save("mod.c", "")
    s.wait("failed", "held")
    s.save("mod.c", good, how="atomic")
    s.unchanged()
    s.expect("?", "43 after 1")


@case({"mod.c": r"""
#include <stdio.h>
int other(void);
__attribute__((noinline)) static int mine(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", mine() + other()); }
""", "other.c": r"""
int other(void);
int other(void) { return 10; }
"""})
def failed_files_stay_pending_and_go_live_in_one_transaction(s):
    s.expect("?", "11")
    s.edit("mod.c", "return 1;", "return 2")
    s.failed()
    s.edit("other.c", "return 10", "return 20")
    event = s.failed()
    require("mod.c" in event["files"], "the pending file is not named:", event)
    s.expect("?", "11")
    s.edit("mod.c", "return 2", "return 2;")
    s.live("mine", "other", modules=["mod.c", "other.c"])
    s.expect("?", "22")


@case({"mod.c": BODY})
def ten_quick_saves_end_with_the_last_one(s):
    for n in range(2, 12):
        s.edit("mod.c", f"x + {n - 1}", f"x + {n}", how="atomic" if n % 2 else "in place")
    s.ctl("wait", "idle")
    s.expect("?", "52 after 1")
    events = s.events()
    saved = sum(e["event"] == "saved" for e in events)
    require(1 <= saved <= 10, saved, "saves of ten writes")


@case({"mod.c": r"""
#include <stdio.h>
static int value = 1;
void answer(const char *command) { (void)command; printf("%d", value); }
"""})
def deleted_static_variable_is_live_when_nothing_refers_to_it(s):
    s.expect("?", "1")
    s.save("mod.c", s.read("mod.c").replace("static int value = 1;", "").replace("value", "77"))
    s.live("answer")
    s.expect("?", "77")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
enum mode { IDLE, BUSY, DONE };
static enum mode mode = IDLE;
void
answer(const char *command)
{
	if (!strcmp(command, "busy"))
		mode = BUSY;
	if (!strcmp(command, "done"))
		mode = DONE;
	printf("%s", mode == IDLE ? "idle" : mode == BUSY ? "busy" : "done");
}
"""})
def renumbered_enumerators_are_live_with_a_warning(s):
    s.expect("busy", "busy")
    s.edit("mod.c", "IDLE, BUSY, DONE", "IDLE, PAUSED, BUSY, DONE")
    s.live("answer")
    s.wait_until(lambda: any("mode" in w["message"] or "BUSY" in w["message"] for w in s.events("warning")),
                 "no warning about the enumeration")
    s.expect("busy", "busy")


if __name__ == "__main__":
    sys.exit(main())
