#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call costs: of a function that was never edited, of one that was, and of one in a shared library."""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from generate import write  # noqa: E402
from live import Live  # noqa: E402
from rows import Section  # noqa: E402
from setting import PROGRAMS, QUICK, ROUNDS, progress  # noqa: E402
from ways import Asked  # noqa: E402

CALLS = 10**6 if QUICK else 10**8
CALL = Section("call")


def build(folder):
    for name in ("main.c", "callee.c", "distant.c"):
        shutil.copy(os.path.join(PROGRAMS, "call", name), folder)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", "libdistant.so", "distant.c"], cwd=folder, check=True)
    subprocess.run(["cc", "-g", "-O2", "-o", "app", "main.c", "callee.c", "-L.", "-ldistant", "-Wl,-rpath,$ORIGIN"],
                   cwd=folder, check=True)


def times(program):
    """(within the program, into the library), each of all rounds."""
    answers = [program.ask(str(CALLS)).split() for _ in range(ROUNDS)]
    return [float(a) for a, _ in answers], [float(b) for _, b in answers]


def main():
    progress("call")
    with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as folder:
        build(folder)
        bare = Asked("./app", folder=folder)
        direct, distant = times(bare)
        bare.end()
        with Live(folder, ["./app"], "--plain", "--compiler", "cc", stdout=subprocess.PIPE, text=True) as live:
            before, _ = times(live)
            with open(os.path.join(folder, "callee.c"), encoding="utf-8") as file:
                text = file.read()
            write(folder, "callee.c", text.replace("x + 1", "x + 2"))
            live.wait("live")
            after, _ = times(live)
    for way, values in (("without hotdev", direct), ("under hotdev, not edited", before),
                        ("under hotdev, edited", after), ("into a shared library, without hotdev", distant)):
        CALL.figure(way, "a call", "ns", values)


if __name__ == "__main__":
    main()
