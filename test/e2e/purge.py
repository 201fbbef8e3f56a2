# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of old code: given back when nothing leads into it, kept and explained otherwise."""

import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import DEADLINE, Skip, case, main, require  # noqa: E402

ONE = {"mod.c": r"""
#include <stdio.h>
static int calls;
static __attribute__((noinline)) const char *name(void) { return "number 1"; }
static __attribute__((noinline)) int value(void) { calls++; return 1; }
void answer(const char *command) { (void)command; int v = value(); printf("%d %s after %d", v, name(), calls); }
"""}


def versions(s):
    modules = json.loads(s.ctl("modules", "--json"))["modules"]
    return {v["version"]: v["kept"] for m in modules if m["module"] == "mod.c" for v in m["versions"]}


def purged(s):
    return {event["version"] for event in s.events("purged")}


def edit_to(s, n):
    s.replace("mod.c", (f"return {n - 1};", f"return {n};"), (f'"number {n - 1}"', f'"number {n}"'), how="atomic")
    s.live("name", "value")


@case(ONE, hotdev=["--keep", "3"])
def versions_beyond_keep_are_given_back_and_the_rest_undone(s):
    for n in range(2, 12):
        edit_to(s, n)
    s.ctl("purge")
    s.expect("?", "11 number 11 after 1")
    require(purged(s) == set(range(1, 7)), "purged:", sorted(purged(s)), "left:", versions(s))
    for n in (10, 9, 8):
        s.undo()
        s.expect("?", f"{n} number {n} after {12 - n}")
    s.ctl("undo", status=1)
    s.expect("?", "8 number 8 after 5")
    for n in (9, 10, 11):
        s.redo()
    s.expect("?", "11 number 11 after 6")
    # What was given back is used again.
    for n in range(12, 20):
        edit_to(s, n)
    s.ctl("purge")
    s.expect("?", "19 number 19 after 7")


def resident(pid):
    """In kB, without files: how much of a library counts depends on who else has mapped it."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("Pss_Anon:", "Pss_Shmem:")))


# A long run: HOTDEV_RELOADS=10000, some minutes.
RELOADS = int(os.environ.get("HOTDEV_RELOADS") or 300)


def kept_by(s, program):
    """What the program and hotdev hold, after a purge: memory in kB, and descriptors."""
    s.ctl("wait", "--timeout", "60", "idle")
    s.ctl("purge")
    return {"program, kB": resident(program), "hotdev, kB": resident(s.process.pid),
            "program, descriptors": len(os.listdir(f"/proc/{program}/fd")),
            "hotdev, descriptors": len(os.listdir(f"/proc/{s.process.pid}/fd"))}


@case(ONE, hotdev=["--keep", "2"], once=True)
def hundreds_of_versions_take_no_more_memory_than_the_first(s):
    program = s.events("ready")[0]["pid"]
    before = None
    for n in range(2, RELOADS + 2):
        edit_to(s, n)
        if n == 101:
            before = kept_by(s, program)
        elif n % 1000 == 1:
            print(f"# {n - 1} reloads: {kept_by(s, program)}", flush=True)
    after = kept_by(s, program)
    s.expect("?", f"{RELOADS + 1} number {RELOADS + 1} after 1")
    if os.environ.get("HOTDEV_WRAP"):
        print("# hotdev's memory is not looked at: valgrind keeps what is freed", flush=True)
        before.pop("hotdev, kB")
    for what, was in before.items():
        room = 1024 if what.endswith("kB") else 0
        require(after[what] <= was + room, what, "went from", was, "to", after[what])
    require(len(versions(s)) <= 4, "versions:", versions(s))


@case(ONE, hotdev=["--keep", "1"], once=True)
def gdb_is_no_longer_shown_what_was_given_back(s):
    if not shutil.which("gdb"):
        raise Skip("gdb is not installed")
    for n in range(2, 10):
        edit_to(s, n)
    s.ctl("purge")
    require(purged(s) == set(range(1, 7)), "purged:", sorted(purged(s)), "left:", versions(s))
    program = s.events("ready")[0]["pid"]
    told = subprocess.run(["gdb", "-nx", "-q", "-batch", "-p", str(program), "-ex", "maint info jit"], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE)
    entries = re.findall(r"^0x\w+ +0x\w+ +\d+ *$", told.stdout, re.M)
    require(len(entries) == 2, "gdb is shown:", told.stdout)
    s.expect("?", "9 number 9 after 1")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
static ucontext_t here, there;
static _Alignas(16) char stack[65536];
static int steps, ended;
void pass(void);
__attribute__((noinline)) void pass(void) { swapcontext(&there, &here); }
static __attribute__((noinline)) void walk(void) { while (steps < 100) { steps += 1; pass(); } }
static void routine(void) { walk(); ended = 1; }
void answer(const char *command) {
    if (!strcmp(command, "begin")) {
        getcontext(&there);
        there.uc_stack.ss_sp = stack;
        there.uc_stack.ss_size = sizeof stack;
        there.uc_link = &here;
        makecontext(&there, routine, 0);
    }
    if (!strcmp(command, "last"))
        steps = 1000;
    if (!strcmp(command, "wipe"))
        memset(stack, 0, sizeof stack), memset(&here, 0, sizeof here), memset(&there, 0, sizeof there);
    else if (!ended)
        swapcontext(&here, &there);
    printf("%d %d", steps, ended);
}
"""}, hotdev=["--keep", "1"])
def a_suspended_coroutine_keeps_its_version(s):
    s.edit("mod.c", "steps += 1;", "steps += 2;")
    s.live("walk")
    s.expect("begin", "2 0")
    for n in range(3, 6):
        s.edit("mod.c", f"steps += {n - 1};", f"steps += {n};")
        s.live("walk")
    s.ctl("purge")
    kept = versions(s)
    require(1 not in purged(s) and "address" in (kept.get(1) or ""), "purged:", purged(s), "kept:", kept)
    s.expect("go on", "4 0")
    s.expect("last", "1000 1")
    s.expect("wipe", "1000 1")
    s.ctl("purge")
    require(1 in purged(s), "purged:", purged(s), "kept:", versions(s))


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int count = 1;
int ask(void);
__attribute__((noinline)) int ask(void) {
    char line[16];
    printf("%d?\n", count);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 0;
    return strcmp(line, "return\n");
}
static __attribute__((noinline)) void inner(void) { while (ask()) count += 1; printf("left "); }
void answer(const char *command) { if (!strcmp(command, "enter")) inner(); printf("%d", count); }
"""}, hotdev=["--keep", "1"])
def a_frame_keeps_its_version(s):
    s.edit("mod.c", "count += 1;", "count += 10;")
    s.live("inner")
    s.expect("enter", "1?")
    s.expect("more", "11?")
    for n in range(11, 14):
        s.edit("mod.c", f"count += {n - 1};", f"count += {n};")
        s.live("inner")
    s.ctl("purge")
    kept = versions(s)
    require(1 not in purged(s) and kept.get(1), "purged:", purged(s), "kept:", kept)
    s.expect("more", "21?")
    s.expect("return", "left 21")
    s.expect("?", "21")


@case({"mod.c": r"""
#include <stdio.h>
int later(int n);
static int (*stored)(int);
void answer(const char *command) { (void)command; printf("%d", stored ? stored(1) : 0); }
""", "other.c": r"""
int later(int n);
int later(int n) { return n; }
"""}, hotdev=["--keep", "1"])
def a_pointer_to_a_function_outlives_every_version_of_it(s):
    s.replace("mod.c", ("void answer", "static int added(int n) { return n + 100; }\nvoid answer"),
              ("(void)command;", "if (*command == 's') stored = added;"))
    s.live()
    s.expect("set", "101")
    for n in range(101, 105):
        s.edit("mod.c", f"n + {n - 1};", f"n + {n};")
        s.live("added")
    s.ctl("purge")
    s.expect("?", "105")


if __name__ == "__main__":
    sys.exit(main())
