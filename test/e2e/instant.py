# SPDX-License-Identifier: GPL-2.0-or-later
"""The instant tier: libtcc first, the program's own compiler behind it, and never what libtcc would do otherwise."""

import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from gdb import Gdb  # noqa: E402
from hotdev import MAIN, case, main, require  # noqa: E402

AUTO = ("--compiler", "auto")
ALONE = ("--compiler", "tcc")


def instant(s, *functions):
    """The save is live by libtcc; the event."""
    event = s.outcome("live")
    compilers = {m["compiler"] for m in event["modules"]}
    require(compilers == {"tcc"}, "live by", compilers, "because", reason(s))
    switched = {f for m in event["modules"] for f in m["functions"]}
    require(set(functions) <= switched, "live names", sorted(switched), "without", functions)
    return event


def by_cc(s, mention):
    """The save is live by the program's own compiler, and the module says why."""
    event = s.outcome("live")
    compilers = {m["compiler"] for m in event["modules"]}
    require("tcc" not in compilers, "live by", compilers)
    require(mention in (reason(s) or ""), f"the reason does not mention {mention!r}:", reason(s))
    return event


def promoted(s):
    event = s.wait("promoted", only=("live", "failed", "held"))
    require(all(m["compiler"] == s.point.compiler for m in event["modules"]), "promoted by", event)
    return event


def modules(s):
    return json.loads(s.ctl("modules", "--json"))


def reason(s):
    answer = modules(s)
    listed = answer["data"] if "data" in answer else answer["modules"]
    listed = listed["modules"] if isinstance(listed, dict) else listed
    return next(m["not_instant"] for m in listed if os.path.basename(m["module"]) == "mod.c")


STATE = {"mod.c": r"""
#include <stdio.h>
#include <string.h>
static int calls;
double scale = 1.5;
static const char *const words[] = {"zero", "one"};
__attribute__((noinline)) int value(int n);
__attribute__((noinline)) int value(int n) { calls++; return n + 1; }
int twice(int n);
int twice(int n) { return 2 * value(n); }
void answer(const char *command);
void
answer(const char *command)
{
	int two = twice((int)strlen(command));
	printf("%d %s %d %.1f", two, words[1], calls, scale);
}
"""}


@case(STATE, hotdev=AUTO)
def an_edit_is_live_by_libtcc_then_promoted_with_its_state(s):
    s.expect("?", "4 one 1 1.5")
    s.edit("mod.c", "return n + 1;", "return n + 10;")
    live = instant(s, "value")
    s.expect("?", "22 one 2 1.5")
    after = promoted(s)
    require([(m["module"], m["version"]) for m in after["modules"]] == [("mod.c", 1)], "promoted:", after)
    require(after["transaction"] == live["transaction"], "another transaction:", after)
    s.expect("?", "22 one 3 1.5")
    s.undo()
    s.expect("?", "4 one 4 1.5")
    s.redo()
    s.expect("?", "22 one 5 1.5")


@case(STATE, hotdev=AUTO)
def versions_of_both_compilers_live_side_by_side(s):
    for n in range(2, 8):
        s.edit("mod.c", f"return n + {n - 1};", f"return n + {n};")
        instant(s, "value")
        s.expect("?", f"{2 * (1 + n)} one {n - 1} 1.5")
        if n % 3 == 0:
            promoted(s)
    s.ctl("wait", "idle")
    s.expect("?", "16 one 7 1.5")
    for n in range(6, 0, -1):
        s.undo()
        require(s.ask("?").startswith(f"{2 * (1 + n)} one"), f"undone, it is not {n}")


@case(STATE, hotdev=AUTO)
def a_newer_save_cancels_the_background_build_and_wins(s):
    for n in range(2, 32):
        s.edit("mod.c", f"return n + {n - 1};", f"return n + {n};")
        instant(s, "value")
    s.expect("?", "64 one 1 1.5")
    promoted(s)
    s.ctl("wait", "idle")
    s.expect("?", "64 one 2 1.5")
    live = None
    for event in s.events():
        version = event["modules"][0]["version"] if event["event"] in ("live", "promoted") else None
        if event["event"] == "live":
            live = version
        require(event["event"] != "promoted" or version == live, "a build of an older text went live:", event)


@case(STATE, hotdev=AUTO)
def saving_the_same_again_keeps_the_version(s):
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    instant(s, "value")
    s.edit("mod.c", "return n + 2;", "/* more */ return n + 2;")
    s.outcome("unchanged")
    after = promoted(s)
    require(after["modules"][0]["version"] == 1, "promoted:", after)
    s.expect("?", "6 one 1 1.5")


@case({"mod.c": r"""
#include <stdio.h>
static int helper(int n, int k) { if (n < 0) puts("negative"); return n / k + 1; }
int value(int n);
int value(int n) { return helper(n, 100) + 1; }
void answer(const char *command);
void answer(const char *command) { printf("%d", value((int)command[0])); }
"""}, hotdev=AUTO)
def what_the_promoted_build_has_inlined_stays_promoted(s):
    s.expect("d", "3")
    s.edit("mod.c", "helper(n, 100)", "helper(n, 50)")
    event = s.outcome("live")
    if event["modules"][0]["compiler"] == "tcc":
        promoted(s)
    s.expect("d", "4")
    for n in range(2):
        s.save("mod.c", s.read("mod.c") + f"/* {n} */\n")
        s.unchanged()
    s.expect("d", "4")


@case({"thing.h": "typedef struct { int x, y; } thing;\nint other(const thing *t);\n", "mod.c": r"""
#include <stdio.h>
#include "thing.h"
static thing kept = {1, 2};
int value(int n);
int value(int n) { return n + 1; }
void answer(const char *command);
void answer(const char *command) { kept.x++; printf("%d %d", value((int)command[0]), other(&kept)); }
""", "other.c": r"""
#include "thing.h"
int other(const thing *t) { return t->x + t->y; }
"""}, hotdev=AUTO)
def what_is_taken_back_in_a_header_leaves_the_background_build_to_come(s):
    s.expect("d", "101 4")
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    live = instant(s, "value")
    for _ in range(2):
        s.edit("thing.h", "} thing;", "} thing")
        s.failed()
        s.edit("thing.h", "} thing\n", "} thing;\n")
        s.unchanged()
    s.expect("d", "102 5")
    require(all(m["state"] != "ERROR" for m in modules(s)["modules"]), "still failed:", modules(s))
    # It may have come already, between two saves.
    s.wait_until(lambda: s.events("promoted"), "the other compiler's build did not come")
    require([e["transaction"] for e in s.events("promoted")] == [live["transaction"]], "promoted:", s.events("promoted"))
    s.expect("d", "102 6")


# ---- what is compiled before it has settled

SETTLING = (*ALONE, "--settle", "2000")


def builder(s):
    """The process that holds libtcc."""
    for child in s.descendants():
        with open(f"/proc/{child}/comm", encoding="utf-8") as name:
            if name.read().strip() == "hotdev-tcc":
                return child
    raise AssertionError("libtcc has no process")


def start_with_scratch(s):
    """Starts; hotdev's own files are beside the program's."""
    s.environment["XDG_RUNTIME_DIR"] = os.path.dirname(s.cwd)
    s.start()


def compiled_ahead(s, version, text):
    """Waits for the text that debug information of a coming version names: it is kept when libtcc is done."""
    def kept():
        for folder, _, files in os.walk(os.path.dirname(s.cwd)):
            if folder.endswith(f"/v{version}") and "mod.c" in files:
                with open(os.path.join(folder, "mod.c"), encoding="utf-8") as file:
                    return text in file.read()
        return False
    s.wait_until(kept, f"{text!r} was not compiled ahead")
    require(len(s.events("saved")) == version - 1, "it has settled before it was compiled:", s.events("saved"))


@case(STATE, hotdev=SETTLING, start=False)
def a_source_that_settles_is_compiled_meanwhile(s):
    start_with_scratch(s)
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    instant(s, "value")
    s.edit("mod.c", "return n + 2;", "return n + 3;")
    compiled_ahead(s, 2, "return n + 3;")
    # From here on nothing can be asked of libtcc.
    os.kill(builder(s), signal.SIGSTOP)
    instant(s, "value")
    os.kill(builder(s), signal.SIGCONT)
    s.expect("?", "8 one 1 1.5")


@case(STATE, hotdev=SETTLING, start=False)
def what_was_compiled_ahead_is_dropped_when_the_text_moves_on(s):
    start_with_scratch(s)
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    compiled_ahead(s, 1, "return n + 2;")
    s.edit("mod.c", "return n + 2;", "return n + ;")
    s.edit("mod.c", "return n + ;", "return n + 4;")
    compiled_ahead(s, 1, "return n + 4;")
    instant(s, "value")
    s.expect("?", "10 one 1 1.5")
    s.edit("mod.c", "return n + 4;", "return n + 5;")
    compiled_ahead(s, 2, "return n + 5;")
    s.edit("mod.c", "return n + 5;", "return n + 4;")
    s.ctl("wait", "idle")
    require(len(s.events("saved")) == 1, "what was taken back was saved:", s.events("saved"))
    s.expect("?", "10 one 2 1.5")


@case({"own.h": "#define STEP 1\n", "mod.c": STATE["mod.c"].replace("#include <stdio.h>", '#include "own.h"\n#include <stdio.h>')
       .replace("n + 1;", "n + STEP;")}, hotdev=SETTLING, start=False)
def what_was_compiled_ahead_is_dropped_when_a_header_comes_with_it(s):
    start_with_scratch(s)
    s.edit("mod.c", "return n + STEP;", "return n + 2 * STEP;")
    compiled_ahead(s, 1, "return n + 2 * STEP;")
    s.edit("own.h", "STEP 1", "STEP 5")
    s.outcome("live")
    s.expect("?", "22 one 1 1.5")


@case(STATE, hotdev=SETTLING, start=False)
def what_was_compiled_ahead_is_dropped_when_something_else_runs_by_then(s):
    start_with_scratch(s)
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    instant(s, "value")
    s.edit("mod.c", "scale);", "2 * scale);")
    compiled_ahead(s, 2, "2 * scale")
    s.undo()
    s.expect("?", "4 one 1 1.5")
    # Against what runs now, value() is another again.
    event = s.outcome("live")
    require({"value", "answer"} <= {f for m in event["modules"] for f in m["functions"]}, "live names", event)
    s.expect("?", "6 one 2 3.0")


@case(STATE, hotdev=AUTO)
def an_error_is_the_compilers_own_and_costs_nothing(s):
    s.edit("mod.c", "return n + 1;", "return n + ;")
    event = s.failed()
    require(event["compiler"] == s.point.compiler, "an error of", event["compiler"])
    require(event["diagnostics"][0]["where"]["column"] if "where" in event["diagnostics"][0] else
            event["diagnostics"][0]["column"], "no column:", event)
    s.expect("?", "4 one 1 1.5")
    s.edit("mod.c", "return n + ;", "return n + 5;")
    instant(s, "value")
    s.expect("?", "12 one 2 1.5")


@case(STATE, hotdev=AUTO)
def what_the_other_compiler_refuses_stays_and_is_told(s):
    # libtcc warns where the others have an error.
    s.edit("mod.c", "return n + 1;", "const int k = 1; *&k; k = 7; return n + k;")
    instant(s, "value")
    s.expect("?", "16 one 1 1.5")
    event = s.wait("warning", only=("promoted",))
    require(event["code"] == "not-promoted" and event["line"], "the warning:", event)
    s.expect("?", "16 one 2 1.5")
    s.edit("mod.c", "const int k = 1; *&k; k = 7; return n + k;", "return n + 3;")
    instant(s, "value")
    promoted(s)
    s.expect("?", "8 one 3 1.5")


@case(STATE, hotdev=(*AUTO, "--on-disagree", "undo"))
def what_the_other_compiler_refuses_is_undone_where_that_is_wanted(s):
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    instant(s, "value")
    promoted(s)
    s.edit("mod.c", "return n + 2;", "const int k = 1; *&k; k = 7; return n + k;")
    instant(s, "value")
    warning = s.wait("warning", only=("promoted", "undone"))
    require(warning["code"] == "not-promoted" and "is undone" in warning["message"], "the warning:", warning)
    undone = s.wait("undone")
    require([(m["module"], m["version"]) for m in undone["modules"]] == [("mod.c", 1)], "undone:", undone)
    s.expect("?", "6 one 1 1.5")
    module = next(m for m in modules(s)["modules"] if m["module"] == "mod.c")
    require(module["state"] == "ERROR" and module["live"] == 1 and module["diagnostics"], "the module:", module)
    require("error:" in s.ctl("errors"), "the errors are out of sight")
    s.edit("mod.c", "const int k = 1; *&k; k = 7; return n + k;", "return n + 3;")
    s.outcome("live")
    s.expect("?", "8 one 2 1.5")
    s.ctl("wait", "idle")
    require(s.ctl("errors") == "", "errors are left")


@case(STATE, hotdev=AUTO)
def data_types_and_signatures_are_the_other_compilers(s):
    s.replace("mod.c", ("static int calls;", "static int calls, more = 3;"), ("return n + 1;", "return n + more;"))
    by_cc(s, "declared otherwise than before")
    s.expect("?", "8 one 1 1.5")
    s.replace("mod.c", ("return n + more;", "static int own = 4; return n + own;"))
    by_cc(s, "static variable")
    s.expect("?", "10 one 2 1.5")
    s.replace("mod.c", ("int twice(int n);\nint twice(int n) { return 2 * value(n); }", "static int twice(long n) { return 3 * value((int)n); }"))
    by_cc(s, "is gone")
    s.expect("?", "15 one 3 1.5")


@case(STATE, hotdev=AUTO)
def a_new_function_is_live_at_once(s):
    s.replace("mod.c", ("int twice(int n) { return 2 * value(n); }",
                        "static int half(int n) { return n / 2; }\n"
                        "int twice(int n) { return half(100) + value(n); }"))
    instant(s, "half", "twice")
    s.expect("?", "52 one 1 1.5")
    promoted(s)
    s.expect("?", "52 one 2 1.5")


@case(STATE, hotdev=AUTO)
def libtccs_process_may_die(s):
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    instant(s, "value")
    promoted(s)
    for child in s.descendants():
        try:
            with open(f"/proc/{child}/comm", encoding="utf-8") as name:
                if name.read().strip() == "hotdev-tcc":
                    os.kill(child, signal.SIGKILL)
        except FileNotFoundError:
            pass
    s.edit("mod.c", "return n + 2;", "return n + 3;")
    s.outcome("live")
    s.ctl("wait", "idle")
    s.expect("?", "8 one 1 1.5")
    s.edit("mod.c", "return n + 3;", "return n + 4;")
    instant(s, "value")
    s.expect("?", "10 one 2 1.5")


UNFAITHFUL = {"mod.c": r"""
#include <stdio.h>
struct pair { float a; double b; short c; };
struct flags { unsigned low : 3; unsigned high : 7; int rest; };
typedef float four __attribute__((vector_size(16)));
struct wide { int head; four v; int tail; };
static struct wide wide = {1, {0}, 2};
static struct flags flags = {1, 2, 3};
__attribute__((noinline)) double sum(struct pair p);
double sum(struct pair p) { return p.a + p.b + p.c; }
__attribute__((noinline)) int by_value(int n);
int by_value(int n) { struct pair p = {1, 2, 3}; return (int)sum(p) + n; }
__attribute__((noinline)) int bits(int n);
int bits(int n) { return flags.high + n; }
__attribute__((noinline)) int vector(int n);
int vector(int n) { return wide.tail + n; }
__attribute__((noinline)) int plain(int n);
int plain(int n) { return flags.rest + n; }
void answer(const char *command);
void answer(const char *command) { (void)command; printf("%d %d %d %d", by_value(0), bits(0), vector(0), plain(0)); }
"""}


@case(UNFAITHFUL, hotdev=AUTO)
def what_libtcc_would_do_otherwise_is_not_its_to_build(s):
    s.expect("?", "6 2 2 3")
    for function, old, new, mention, answer in (
            ("by_value", "(int)sum(p) + n", "(int)sum(p) + n + 1", "by value", "7 2 2 3"),
            ("bits", "flags.high + n", "flags.high + n + 1", "bit-field", "7 3 2 3"),
            ("vector", "wide.tail + n", "wide.tail + n + 1",
             "libtcc gives struct wide another size, place or value", "7 3 3 3")):
        s.edit("mod.c", old, new)
        by_cc(s, mention)
        s.expect("?", answer)


# What gcc takes for a union that is passed as one of its members, libtcc takes for a pointer.
@case({"mod.c": r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/socket.h>
int value(int n);
__attribute__((noinline)) int value(int n)
{
	struct sockaddr address;
	socklen_t size = sizeof address;
	return getsockname(-1, &address, &size) + n + 1;
}
void answer(const char *command);
void answer(const char *command) { (void)command; printf("%d", value(1)); }
"""}, hotdev=AUTO)
def a_socket_is_libtccs_to_use(s):
    s.expect("?", "1")
    s.edit("mod.c", "n + 1", "n + 2")
    instant(s, "value")
    s.expect("?", "2")


@case({"mod.c": r"""
#include <stdio.h>
static const float speed = 2.5f, drag = -1;
static const int steps = 3;
static const int *volatile where;
float moved(float x);
__attribute__((noinline)) float moved(float x) { return x * speed + drag; }
void answer(const char *command);
void answer(const char *command) { (void)command; where = &steps; printf("%g %d %d", (double)moved(2), steps, *where); }
"""}, hotdev=AUTO)
def a_constant_that_is_tuned_is_live_at_once(s):
    s.expect("?", "4 3 3")
    s.edit("mod.c", "speed = 2.5f", "speed = 4.5f")
    instant(s, "moved")
    s.expect("?", "8 3 3")
    s.ctl("wait", "idle")
    s.expect("?", "8 3 3")
    s.edit("mod.c", "steps = 3", "steps = 5")
    instant(s, "answer")
    s.expect("?", "8 5 5")
    s.ctl("wait", "idle")
    s.expect("?", "8 5 5")
    s.undo()
    s.expect("?", "8 3 3")
    s.undo()
    s.expect("?", "4 3 3")


@case({"mod.c": STATE["mod.c"], "own.h": "static inline int inlined(int n) { return n; }\n"}, hotdev=AUTO)
def a_header_that_nobody_is_known_to_include_is_the_other_compilers(s):
    s.edit("own.h", "return n;", "return n + 1;")
    s.outcome("unchanged")
    s.edit("mod.c", "return n + 1;", "return n + 2;")
    s.outcome("live")
    s.expect("?", "6 one 1 1.5")


@case({"mod.c": r"""
#include <stdio.h>
_Thread_local int mine;
__attribute__((noinline)) int value(void);
int value(void) { return 1 + mine; }
void answer(const char *command);
void answer(const char *command) { (void)command; printf("%d", value()); }
"""}, hotdev=AUTO)
def what_libtcc_cannot_read_goes_straight_to_the_other_and_is_said_once(s):
    for n in range(2, 6):
        s.edit("mod.c", f"return {n - 1} + mine;", f"return {n} + mine;")
        event = s.outcome("live")
        require("tcc" not in {m["compiler"] for m in event["modules"]}, "live by libtcc:", event)
        s.expect("?", str(n))
    said = [e for e in s.events("warning") if e["code"] == "not-instant"]
    require(len(said) == 1, "said", len(said), "times:", said)


# The source is in a folder, and a part of it in a grammar.
LINES = {"main.c": MAIN, "part.y": "", "src/mod.c": r"""
#include "own.h"
#include <stdio.h>
#include <string.h>
void nested(void);
__attribute__((noinline)) int inner(int number, int deep);
__attribute__((noinline)) int outer(int number, int deep);
__attribute__((noinline)) int action(int number);

int
inner(int number, int deep)
{
	int doubled = number * 2;
	if (deep) {
		puts("inside");
		fflush(stdout);
		nested();
	}
	return doubled;
}

int
outer(int number, int deep)
{
	int before = own(number);
	int result = inner(before, deep);
	return result + before;
}

void answer(const char *command);
void
answer(const char *command)
{
	int result = outer(1, !strcmp(command, "go"));
	printf("%d %d %s", result, action(3), __FILE__);
}
#line 7 "part.y"
int
action(int number)
{
	return number * 5;
}
""", "src/own.h": "static inline int\nown(int n)\n{\n\treturn n + 1;\n}\n"}


def line_of(s, text):
    """The number of the only line of src/mod.c that has this text."""
    found = [i for i, line in enumerate(s.read("src/mod.c").split("\n"), 1) if text in line]
    require(len(found) == 1, text, "is in the lines", found)
    return found[0]


@case(LINES, hotdev=ALONE)
def gdb_shows_functions_and_lines_of_libtccs_code(s):
    s.expect("?", "6 15 src/mod.c")
    s.replace("src/mod.c", ("number * 2", "number * 3"), ("own(number);", "10 * own(number);"),
              ("number * 5", "number * 6"))
    instant(s, "inner", "outer", "action")
    s.expect("?", "80 18 src/mod.c")
    stop, call, caller = (line_of(s, text) for text in ("return doubled;", "inner(before, deep);", "= outer("))
    gdb = Gdb(s)
    try:
        gdb.do(f"break mod.c:{stop}")
        gdb.do("break action")
        s.tell("?")
        gdb.run_to(rf"Breakpoint [\d.]+, .*inner.*/v1/src/mod\.c:{stop}\n")
        gdb.expect("backtrace", rf"#0 [^\n]*inner \(\) at [^\n]*/v1/src/mod\.c:{stop}\n",
                   rf"#1 [^\n]* outer \(\) at [^\n]*/v1/src/mod\.c:{call}\n",
                   rf"#\d [^\n]* answer \([^\n]*mod\.c:{caller}\n", r" nested \([^\n]*main\.c:\d+\n",
                   r" main \([^\n]*main\.c:\d+\n(\(gdb\) )?$")
        gdb.expect("info locals", r"No locals")
        gdb.expect("list", rf"(?m)^{stop}\s+return doubled;")
        gdb.expect("finish", rf"(?m)^{call}\s+int result = inner")
        gdb.run_to(r"Breakpoint [\d.]+, action \(\) at part\.y:9\n")
        gdb.do("next")
        gdb.expect("frame", r"action \(\) at part\.y:10\n")
        gdb.expect("info line own", r"own\.h")
        gdb.do("delete")
    finally:
        gdb.end()
    require(s.line() == "80 18 src/mod.c", "the program answered wrongly after gdb")


@case(LINES, hotdev=ALONE)
def every_instruction_of_libtccs_code_has_its_callers_in_gdb(s):
    s.replace("src/mod.c", ("number * 2", "number * 3"), ("own(number);", "10 * own(number);"))
    instant(s, "inner", "outer")
    gdb, seen = Gdb(s), {"inner": 0, "outer": 0}
    try:
        entry = re.search(r"/v1/src/mod\.c\" starts at address (0x[0-9a-f]+) <outer>", gdb.do("info line outer"))
        require(entry, "gdb does not know where libtcc's code is:", gdb.said)
        gdb.do(f"break *{entry[1]}")
        s.tell("?")
        gdb.run_to(r"outer")
        for _ in range(1000):
            said = gdb.do("backtrace")
            frame = (re.search(r"#0 [^\n]*?(\w+) \([^\n]*mod\.c:\d+\n", said) or [None, None])[1]
            # On the way from one to the other are jumps of nobody's.
            if frame in seen:
                seen[frame] += 1
                for caller in ("answer", "nested", "main"):
                    require(re.search(rf"#\d [^\n]* {caller} \(", said), caller, "is missing:\n" + said)
            if frame == "answer":
                break
            gdb.do("stepi")
        gdb.do("delete")
    finally:
        gdb.end()
    require(min(seen.values()) > 10, "instructions seen in libtcc's code:", seen)
    require(s.line() == "80 15 src/mod.c", "the program answered wrongly after gdb")


# The other compiler refuses this: what libtcc built of it stays.
KEPT = "const int k = 3; *&k; k = 3; int doubled = number * k;"


@case(LINES, hotdev=AUTO)
def pins_name_function_file_and_line_in_libtccs_code(s):
    s.replace("src/mod.c", ("int doubled = number * 2;", KEPT), ("own(number);", "10 * own(number);"))
    instant(s, "inner", "outer")
    call = line_of(s, "nested();")
    s.tell("go")
    require(s.line() == "inside", "the program did not go inside")
    s.edit("src/mod.c", KEPT, "\n\nint doubled = number * 4;")
    s.outcome("live")
    pinned = s.wait("pinned", where=lambda e: e["tid"] == s.pid)
    pins = json.loads(s.ctl("pins", "--json"))["pins"]
    require(len(pins) == 1, "pins:", pins)
    for pin in (pinned, pins[0]):
        require((pin["function"], pin["module"], pin["version"]) == ("inner", "src/mod.c", 1), "pinned:", pin)
        require((pin["file"], pin["line"]) == (s.path("src/mod.c"), call), "pinned at", pin, "not line", call)
    s.tell("leave")
    require(s.line() == "80 15 src/mod.c", "the old frames ended wrongly")
    s.wait("released", where=lambda e: e["tid"] == s.pid)
    s.expect("?", "100 15 src/mod.c")


@case({"mod.c": r"""
#line 2 "scan.l"
#include <stdio.h>
void answer(const char *command);
#line 200
void
answer(const char *command)
{
	int n = 1;
	printf("%d %d %s %s", n, __LINE__, __FILE__, command);
}
""".lstrip()}, hotdev=ALONE)
def a_text_that_sets_its_own_lines_keeps_them(s):
    s.expect("?", "1 204 scan.l ?")
    s.edit("mod.c", "n = 1;", "n = 2;")
    instant(s, "answer")
    s.expect("?", "2 204 scan.l ?")
    s.edit("mod.c", "n = 2;", "\n\tn = 3;")
    instant(s, "answer")
    s.expect("?", "3 205 scan.l ?")


@case(LINES, hotdev=ALONE)
def what_libtcc_refuses_in_one_edit_it_may_take_in_the_next(s):
    s.edit("src/mod.c", "return number * 5;", "return ({ __auto_type n = number * 6; n; });")
    require("tcc" not in {m["compiler"] for m in s.outcome("live")["modules"]}, "libtcc took it")
    s.expect("?", "6 18 src/mod.c")
    s.edit("src/mod.c", "number * 6", "number * 7")
    s.outcome("live")
    s.edit("src/mod.c", "return ({ __auto_type n = number * 7; n; });", "return number * 8;")
    instant(s, "action")
    s.expect("?", "6 24 src/mod.c")


@case(LINES, hotdev=ALONE, environment={"HOTDEV_FAULT": "instant.describe"})
def what_cannot_be_described_goes_live_all_the_same(s):
    s.edit("src/mod.c", "number * 2", "number * 3")
    instant(s, "inner")
    s.expect("?", "8 15 src/mod.c")


main()
