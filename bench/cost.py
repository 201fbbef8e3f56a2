#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hotdev costs while nobody edits: memory, its own and the program's, and time of the processor."""

import os
import pty
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from generate import c_program  # noqa: E402
from live import Live  # noqa: E402
from procfs import own_processes, processor_ms_of, resident_kb  # noqa: E402
from rows import Section  # noqa: E402
from setting import QUICK, progress  # noqa: E402
from ways import compile_units  # noqa: E402

SECONDS = 2 if QUICK else 20
# By then what is read ahead of the first save has been read.
LEAD = 3 if QUICK else 8
FILES = 200 if QUICK else 10_000
FOLDER_OF = 50
COST = Section("cost")


def build(folder, others):
    """A program of ten files, and others beside it that are watched with them."""
    names = c_program(folder, 10, 2_000)
    compile_units(folder, names, "cc", "-g", "-O2", "-w")
    subprocess.run(["cc", "-o", "app", *[name.replace(".c", ".o") for name in names], "-lm"], cwd=folder, check=True)
    for i in range(others):
        below = os.path.join(folder, f"d{i // FOLDER_OF}")
        os.makedirs(below, exist_ok=True)
        with open(os.path.join(below, f"f{i}.c"), "w", encoding="utf-8") as file:
            file.write(f"int f{i}(void) {{ return {i}; }}\n")


def on_terminal():
    """Ends of a terminal for a dashboard; what is written to it is thrown away."""
    master, slave = pty.openpty()

    def empty():
        try:
            while os.read(master, 65536):
                pass
        except OSError:
            pass

    threading.Thread(target=empty, daemon=True).start()
    return master, slave


def measure(way, folder, *options, **popen):
    with Live(folder, ["./app"], *options, **popen) as live:
        time.sleep(LEAD)
        before = processor_ms_of(own_processes(live.process.pid, live.pid))
        time.sleep(SECONDS)
        after = processor_ms_of(before)
        spent = sum(after[pid] - before[pid] for pid in after)
        COST.figure(way, "of one core, idle", "%", [spent / SECONDS / 10])
        COST.figure(way, "memory of hotdev", "MB", [resident_kb(live.process.pid) / 1024])
        helpers = [pid for pid in after if pid != live.process.pid]
        COST.figure(way, "and of its libtcc", "MB", [sum(resident_kb(pid) for pid in helpers) / 1024])
        COST.figure(way, "memory of the program", "MB", [resident_kb(live.pid) / 1024])


def bare(folder):
    process = subprocess.Popen(["./app"], cwd=folder, stdin=subprocess.PIPE)
    time.sleep(0.5)
    COST.figure("without hotdev", "memory of the program", "MB", [resident_kb(process.pid) / 1024])
    process.stdin.close()
    process.wait()


def main():
    progress("cost")
    with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as folder:
        build(folder, 0)
        bare(folder)
        measure("--plain", folder, "--plain")
        master, slave = on_terminal()
        measure("dashboard", folder, "--no-mouse", stdin=slave, stdout=slave,
                env={**os.environ, "TERM": "xterm-256color"}, start_new_session=True)
        os.close(slave)
        os.close(master)
    with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as folder:
        build(folder, FILES)
        measure(f"--plain, {FILES:,} files watched", folder, "--plain", "--project", ".")


if __name__ == "__main__":
    main()
