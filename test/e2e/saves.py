# SPDX-License-Identifier: GPL-2.0-or-later
"""A long session: a thousand saves of one source, and what they leave behind."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

SAVES = 1000
# By then the versions that undo reaches are there, old ones have been purged, and allocators have what they keep.
SETTLED = 300
# What the saves after that may add to a process, in KiB: 3 a save. A version's objects, lost at each save, are more. On
# a busy machine more of them are built by both compilers, and what is kept of those takes longer to be as much as it gets.
MOST = 2048
# Versions come and go: each holds a descriptor or two until it is purged, and a text.
SWING = 40


class Use:
    """What a process holds (proc(5)): memory of its own in KiB, and open descriptors."""

    def __init__(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        self.memory = sum(int(lines[key].split()[0]) for key in ("RssAnon", "RssShmem"))
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))

    def __repr__(self):
        return f"{self.memory} KiB and {self.descriptors} descriptors"


def processes(s):
    """hotdev, the process that holds libtcc, and the program."""
    found = {"hotdev": s.process.pid, "the program": s.pid}
    for child in s.descendants():
        with open(f"/proc/{child}/comm", encoding="utf-8") as name:
            if name.read().strip() == "hotdev-tcc":
                found["hotdev-tcc"] = child
    require(len(found) == 3, "running:", found)
    return found


def kept_files(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
static int calls;
__attribute__((noinline)) int value(int n);
__attribute__((noinline)) int value(int n) { calls++; return n + 1; }
void answer(const char *command);
void answer(const char *command) { int v = value((int)strlen(command)); printf("%d %d", v, calls); }
"""}, hotdev=("--compiler", "auto"), start=False, once=True)
def a_thousand_saves_leave_nothing_behind_and_the_last_one_wins(s):
    scratch = os.path.join(os.path.dirname(s.cwd), "run")
    os.mkdir(scratch, 0o700)
    s.environment["XDG_RUNTIME_DIR"] = scratch
    s.start()
    texts = (s.read("mod.c"), s.changed("mod.c", "return n + 1;", "return n + 2;"))
    for n in range(1, SAVES + 1):
        s.save("mod.c", texts[n % 2])
        s.outcome("live")
        # Most background builds are overtaken by the next save; some are not.
        if n % 20 == 0:
            s.wait("promoted")
        if n % 100 == 0:
            s.expect("?", f"{2 + n % 2} {n // 100}")
        if n == SETTLED:
            before, pids, files = {name: Use(pid) for name, pid in processes(s).items()}, processes(s), kept_files(scratch)
    require(processes(s) == pids, "another process than before:", processes(s), pids)
    for name, pid in pids.items():
        now = Use(pid)
        print(f"# {name}: {before[name]} after {SETTLED} saves, {now} after {SAVES}", flush=True)
        require(now.memory - before[name].memory < MOST, name, "grows from", before[name], "to", now)
        require(now.descriptors - before[name].descriptors < SWING, name, "grows from", before[name], "to", now)
    require(kept_files(scratch) - files < 4 * SWING, "files are left:", files, kept_files(scratch))


@case({"mod.c": r"""
#include <stdio.h>
int value(void);
int value(void) { return 0; }
void answer(const char *command);
void answer(const char *command) { (void)command; printf("%d", value()); }
"""}, hotdev=("--compiler", "auto"), once=True)
def of_saves_that_nobody_waits_for_the_last_one_wins(s):
    for n in range(1, SAVES // 4 + 1):
        s.edit("mod.c", f"return {n - 1};", f"return {n};", how="atomic" if n % 3 else "in place")
    s.ctl("wait", "idle")
    s.expect("?", str(SAVES // 4))
    outcomes = s.events("live") + s.events("unchanged")
    require(len(outcomes) == len(s.events("saved")), len(s.events("saved")), "saves had", len(outcomes), "outcomes")


main()
