# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb and perf on a reloaded program, and hotdev while a debugger holds the program."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from gdb import Gdb  # noqa: E402
from hotdev import case, main, require  # noqa: E402

PROGRAM = {"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int
inner(int number)
{
	volatile int doubled = number * 2;
	return doubled;
}

static __attribute__((noinline)) int
outer(int number)
{
	volatile int before = number + 1;
	int result = inner(before);
	return result + before;
}

void
answer(const char *command)
{
	int result = outer(command[0] - '0');
	printf("%d", result);
}
"""}


@case(PROGRAM)
def gdb_shows_functions_lines_and_locals_of_the_new_code(s):
    s.expect("1", "6")
    s.replace("mod.c", ("number * 2", "number * 3"), ("number + 1", "number + 10"))
    s.live("inner", "outer")
    s.expect("1", "44")
    line = next(i for i, text in enumerate(s.read("mod.c").split("\n"), 1) if "return doubled" in text)
    gdb = Gdb(s)
    try:
        gdb.expect("info functions ^inner", r"inner", r"mod\.c")
        gdb.do("break inner")
        s.tell("2")
        gdb.run_to(r"Breakpoint [\d.]+, .*inner.*\(.*number=12", r"/v1/mod\.c")
        # Line, version and both new frames, then the old ones down to main.
        said = gdb.expect("backtrace", r"#0 .*inner.* \(number=12\)", r"#1 .*outer.* \(number=", r"answer", r" main ")
        require(re.search(r"#0 [^\n]*\bv1/mod\.c:\d+", said), "no version in gdb's frame:\n" + said)
        gdb.do(f"until {line}")
        gdb.expect("info locals", r"doubled = 36")
        gdb.expect("up", r"outer", r"mod\.c.*:\d+")
        gdb.expect("print before", r"= 12")
        if not s.point.optimises:
            gdb.expect("print number * 1000", r"= 2000")
        gdb.expect("list", r"inner\(before\)")
        gdb.do("delete")
    finally:
        gdb.end()
    require(s.line() == "48", "the program answered wrongly after gdb")
    s.expect("1", "44")


@case(PROGRAM)
def gdb_breaks_in_a_function_that_an_update_left_alone(s):
    s.edit("mod.c", "number + 1;", "number + 10;")
    s.outcome("live")
    gdb = Gdb(s)
    try:
        said = gdb.expect("info functions ^inner$", r"inner")
        require("0x0000000000000000" not in said, "gdb sees a function at address 0:\n" + said)
        gdb.do("break inner")
        s.tell("2")
        gdb.run_to(r"Breakpoint [\d.]+, .*inner")
        gdb.expect("backtrace", r"#0 .*inner", r"#\d .*outer.*/v1/mod\.c:\d+", r" main ")
        gdb.do("delete")
    finally:
        gdb.end()
    require(s.line() == "36", "the program answered wrongly after gdb")


@case(PROGRAM)
def gdb_that_is_attached_before_an_edit_is_waited_for(s):
    s.expect("1", "6")
    gdb = Gdb(s)
    try:
        s.edit("mod.c", "number * 2", "number * 3")
        s.wait("saved")
        # Either a word at once that the edit is held, or a warning that it waits; never live while gdb has it.
        event = s.wait("held", "waiting", "warning", only=("live", "failed", "unchanged"))
        if event["event"] == "held":
            require(event["code"] == "HD302", "held with", event)
        gdb.do("detach")
    finally:
        gdb.end()
    # By itself, with no further save.
    s.wait_until(lambda: s.ask("1") == "8", "the edit did not go live after gdb let go")
    s.wait("live")


@case(PROGRAM)
def gdb_sees_code_that_is_loaded_while_it_watches(s):
    s.expect("1", "6")
    s.edit("mod.c", "number * 2", "number * 3")
    s.live("inner")
    gdb = Gdb(s)
    try:
        first = gdb.do("info functions ^inner")
        gdb.do("detach")
        s.edit("mod.c", "number * 3", "number * 4")
        s.live("inner")
        gdb.do(f"attach {s.pid}")
        second = gdb.do("info functions ^inner")
        require(second.count("inner") > first.count("inner") or second != first,
                "gdb shows the same functions after a second reload:\n" + first + second)
        gdb.do("break inner")
        s.tell("2")
        gdb.run_to(r"Breakpoint [\d.]+, .*inner.*\(.*number=3", r"/v2/mod\.c")
        gdb.do("delete")
    finally:
        gdb.end()
    require(s.line() == "15", "the program answered wrongly after gdb")
    s.undo()
    s.expect("1", "8")


@case(PROGRAM)
def perf_has_a_map_of_the_new_functions(s):
    s.edit("mod.c", "number * 2", "number * 3")
    s.live("inner")
    path = f"/tmp/perf-{s.pid}.map"
    require(os.path.exists(path), path, "is not there")
    with open(path, encoding="utf-8") as file:
        rows = [line.split(None, 2) for line in file]
    ours = [row for row in rows if "inner" in row[2]]
    require(ours, "inner is not in the map:", rows)
    start, size = int(ours[0][0], 16), int(ours[0][1], 16)
    with open(f"/proc/{s.pid}/maps", encoding="utf-8") as maps:
        ranges = [line.split() for line in maps]
    holders = [r for r in ranges if int(r[0].split("-")[0], 16) <= start
               and start + size <= int(r[0].split("-")[1], 16)]
    require(holders and "x" in holders[0][1] and "w" not in holders[0][1], "the map names", ours, "mapped as", holders)
    s.finish()
    # perf reads it after the program's end; here nobody will.
    os.unlink(path)


@case({"mod.c": r"""
#include <stdio.h>
#include <stdlib.h>
static __attribute__((noinline)) int value(int x) { return x + 1; }
void answer(const char *command) { printf("%d", value(command[0] - '0')); }
"""})
def code_is_never_writable_and_executable(s):
    def bad():
        with open(f"/proc/{s.pid}/maps", encoding="utf-8") as maps:
            return [line for line in maps if "w" in line.split()[1] and "x" in line.split()[1]]

    require(not bad(), "at the start:", bad())
    s.edit("mod.c", "x + 1", "x + 2")
    s.live("value")
    require(not bad(), "after a reload:", bad())


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(int x) { return x + 1; }
void answer(const char *command) { printf("%d", value(command[0] - '0')); }
"""})
def a_program_that_is_stopped_by_job_control_gets_its_edit(s):
    s.expect("1", "2")
    os.kill(s.pid, signal.SIGSTOP)

    def state():
        with open(f"/proc/{s.pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    s.wait_until(lambda: state() in "Tt", "the program does not stop")
    s.edit("mod.c", "x + 1", "x + 2")
    event = s.wait("live", "held", "waiting", only=("failed", "unchanged"))
    # Let go by us, it stops again as soon as it is scheduled: it must not have been set going.
    s.wait_until(lambda: state() in "Tt", "the reload let a stopped program run")
    os.kill(s.pid, signal.SIGCONT)
    if event["event"] != "live":
        s.edit("mod.c", "x + 2", "x + 3")
        s.wait("live")
    s.expect("1", "3" if event["event"] == "live" else "4")


if __name__ == "__main__":
    sys.exit(main())
