#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Against the size of the program: how long hotdev takes to have it at main, what it keeps of it in memory, and how
long a save of one function takes then."""

import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from generate import c_program, c_text, write  # noqa: E402
from live import Live  # noqa: E402
from procfs import own_processes, resident_kb  # noqa: E402
from rows import Section  # noqa: E402
from setting import QUICK, ROUNDS, progress  # noqa: E402
from ways import compile_units  # noqa: E402

SIZES = [(10, 10_000), (100, 100_000)] if QUICK else [(10, 10_000), (100, 100_000), (1_000, 1_000_000)]
START = Section("startup")


def build(folder, files, lines):
    names = c_program(folder, files, lines)
    compile_units(folder, names, "cc", "-g", "-O0", "-w")
    write(folder, "objects", "\n".join(name.replace(".c", ".o") for name in names))
    subprocess.run(["cc", "-o", "app", "@objects", "-lm"], cwd=folder, check=True)


def bare_ms(folder):
    began = time.monotonic()
    subprocess.run(["./app", "end"], cwd=folder, check=True)
    return (time.monotonic() - began) * 1e3


def measure(folder, way, files, lines):
    bare, ready, memory, lives = [], [], [], []
    for n in range(1, ROUNDS + 1):
        bare.append(bare_ms(folder))
        with Live(folder, ["./app"], "--plain", "--compiler", "tcc") as live:
            ready.append(live.ready["startup_ms"])
            if n == ROUNDS:
                memory = [sum(resident_kb(pid) for pid in own_processes(live.process.pid, live.pid)) / 1024]
                for save in range(1, ROUNDS + 2):
                    write(folder, "u0.c", c_text(0, lines // files, save))
                    lives.append(live.wait("live")["save_to_live_ms"])
    size = os.path.getsize(os.path.join(folder, "app")) / 1e6
    START.figure(way, "size", "MB", [size])
    START.figure(way, "the whole run without hotdev", "ms", bare)
    START.figure(way, "hotdev, until main", "ms", ready)
    START.figure(way, "hotdev's memory", "MB", memory)
    START.figure(way, "save to live, the first", "ms", lives[:1])
    START.figure(way, "save to live", "ms", lives[1:])


def main():
    for files, lines in SIZES:
        way = f"{files:,} files, {lines:,} lines"
        progress(f"startup: {way}")
        with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as folder:
            build(folder, files, lines)
            measure(folder, way, files, lines)


if __name__ == "__main__":
    main()
