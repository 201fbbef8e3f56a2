#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Save to live: what hotdev takes, what others take, and the floor beneath all. In each round every way has its turn,
so that all see the same machine."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rows import Section  # noqa: E402
from setting import ROUNDS, built, progress  # noqa: E402
from subjects import Header, OneFunction, lua_archive, lua_subjects  # noqa: E402
from ways import all_ways  # noqa: E402

SAVE = Section("save")


def start_ways(subject, top):
    started = []
    for number, way in enumerate(all_ways()):
        why = way.lacks(subject)
        if why:
            if not why.startswith("only"):
                SAVE.missing(way.name, subject.title, why)
            continue
        folder = os.path.join(top, f"way{number}")
        os.mkdir(folder)
        if tried(way, subject, way.start, subject, folder):
            started.append(way)
    return started


def tried(way, subject, function, *arguments):
    """What the function returns, or True; None: the way has failed, and its row says how."""
    try:
        return function(*arguments) or True
    except subprocess.CalledProcessError as error:
        why = f"{error.cmd[0]} failed"
    except (RuntimeError, OSError) as error:
        why = f"failed: {error}"
    SAVE.missing(way.name, subject.title, why)
    return None


def measure(subject):
    progress(f"save: {subject.title}")
    with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as top:
        ways = start_ways(subject, top)
        taken = {way: [] for way in ways}
        # Save 1 is not counted: whatever is kept from one save to the next is made there.
        for n in range(1, ROUNDS + 2):
            for way in list(ways):
                took = tried(way, subject, way.round, n)
                if took is None:
                    ways.remove(way)
                else:
                    taken[way].append(took)
        for way in ways:
            SAVE.figure(way.name, subject.title, "ms", taken[way][1:], way.note)
            if way.name == "hotdev, libtcc":
                SAVE.figure(f"{way.name}, the first save", subject.title, "ms", taken[way][:1], way.note)
            way.end()


def floors():
    for what, name in (("inotify", "floor: one inotify event"), ("stop", "floor: one ptrace stop")):
        done = subprocess.run([built("floor"), what, str(ROUNDS)], text=True, stdout=subprocess.PIPE, check=True)
        SAVE.figure(name, OneFunction.title, "ms", [float(line) for line in done.stdout.split()])


def main():
    measure(OneFunction())
    try:
        for subject in lua_subjects(lua_archive()):
            measure(subject)
    except RuntimeError as reason:
        for title in ("lstrlib.c", "lvm.c"):
            SAVE.missing("hotdev, libtcc", title, str(reason))
    measure(Header())
    floors()


if __name__ == "__main__":
    main()
