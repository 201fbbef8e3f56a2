# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb and perf on a reloaded program, and hotdev while a debugger holds the program."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import DEADLINE, Skip, case, main, require  # noqa: E402

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


class Gdb:
    """gdb on the program, spoken to by its command line."""

    def __init__(self, s):
        if not shutil.which("gdb"):
            raise Skip("gdb is not installed")
        environment = {k: v for k, v in s.environment.items() if k != "HOTDEV_TEST_MARK"}
        self.process = subprocess.Popen(
            ["gdb", "-q", "-nx", "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set width 0",
             "-ex", "set debuginfod enabled off", "-ex", "set breakpoint pending on", "-p", str(s.pid)],
            cwd=s.cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.buffer, self.count = b"", 0
        self.said = self.do()
        if "ptrace: Operation not permitted" in self.said:
            self.end()
            raise Skip("gdb may not attach to the program here")

    def do(self, *commands):
        """Runs commands and returns what gdb said to them."""
        self.count += 1
        end = f"=end of {self.count}=\n"
        for command in (*commands, f"echo {end[:-1]}\\n"):
            self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + DEADLINE
        while end.encode() not in self.buffer:
            require(time.monotonic() < deadline, "gdb does not answer", commands, self.buffer[-2000:])
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                fresh = os.read(self.process.stdout.fileno(), 65536)
                require(fresh, "gdb ended:", self.buffer[-2000:])
                self.buffer += fresh
        text, _, self.buffer = self.buffer.partition(end.encode())
        self.said = text.decode(errors="replace")
        return self.said

    def expect(self, command, *patterns):
        said = self.do(command)
        for pattern in patterns:
            require(re.search(pattern, said), f"gdb's answer to {command!r} lacks {pattern!r}:\n{said}")
        return said

    def run_to(self, *patterns):
        """Continues to a breakpoint that matches; one in the entry of older code may come first."""
        for _ in range(3):
            said = self.do("continue")
            require("Breakpoint" in said, "gdb stopped for something else:", said)
            if all(re.search(pattern, said) for pattern in patterns):
                return
        require(False, "no breakpoint like", patterns, "was hit:", said)

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.write(b"detach\nquit\n")
            self.process.stdin.close()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


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
