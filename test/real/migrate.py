# SPDX-License-Identifier: GPL-2.0-or-later
"""samples/migrate under hotdev: plants on the heap, reached from a local of main, change their shape as its README says."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402
import sample  # noqa: E402


def line(s, pattern, after=-1):
    """The next line of a later day that looks so: its day, and what its plants show."""
    while True:
        text = s.line()
        match = re.fullmatch(r"day (\d+):(.*)", text)
        require(match, "this is no day:", text)
        plants = match[2].split()
        if int(match[1]) > after and all(re.fullmatch(pattern, p) for p in plants):
            return int(match[1]), plants


def check(day, plants):
    """A plant that was there from the start has a leaf a day; each later one began on a tenth day."""
    for plant in plants:
        number, leaves = (int(n) for n in plant.split(":")[:2])
        began = 0 if number <= 5 else (number - 5) * 10 - 1
        require(leaves == day - began, "on day", day, "plant", number, "has", leaves, "leaves")


# Elsewhere an address may be a number as well, and nothing moves.
@case({}, arguments=["20"], **{**sample.OPTIONS, "only": lambda p: p.pie})
def plants_change_their_shape_while_they_grow(s):
    include = os.path.join(os.environ["HOTDEV_SOURCE"], "include")
    sample.build(s, "migrate", f"CPPFLAGS=-I{include}", program="garden")
    s.start()
    check(*line(s, r"\d+:\d+"))
    s.edit("garden.h", "int leaves;", "int leaves;\n\tint flowers;")
    s.outcome("live")
    s.replace("garden.c", ("plant->leaves++;", "plant->leaves++;\n\tplant->flowers = plant->leaves / 3;"),
              ('" %d:%d", plant->number, plant->leaves', '" %d:%d:%d", plant->number, plant->leaves, plant->flowers'))
    s.outcome("live")
    day, plants = line(s, r"\d+:\d+:\d+")
    check(day, plants)
    s.edit("garden.h", "int leaves;", "long leaves;")
    s.outcome("live")
    s.edit("garden.c", "%d:%d:%d", "%d:%ld:%d")
    s.outcome("live")
    day, plants = line(s, r"\d+:\d+:\d+", day + 2)
    check(day, plants)
    for _ in range(4):
        s.undo()
    day, plants = line(s, r"\d+:\d+", day)
    check(day, plants)
    for _ in range(4):
        s.redo()
    day, plants = line(s, r"\d+:\d+:\d+", day)
    check(day, plants)
    s.edit("garden.h", "long leaves;", "short leaves;")
    s.held(("HD101", "HD102"), "leaves")
    os.kill(s.pid, signal.SIGTERM)
    s.finish(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
