#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a commit stops the program, against its threads and processes: what bench/pause measures, as rows."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rows import Section  # noqa: E402
from setting import built, progress  # noqa: E402

# processes, threads each, state; least, median and worst pause in us, and the whole commit's median.
LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(blocked|busy)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*$")
PAUSE = Section("pause")


def count(number, noun):
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{int(number):,} {noun if number == '1' else plural}"


def way(processes, threads, state):
    if processes == "1":
        return f"1 process, {count(threads, 'thread')}, {state}"
    return f"{count(processes, 'process')}, {state}" + ("" if threads == "1" else f", {count(threads, 'thread')} each")


def main():
    progress("pause")
    done = subprocess.run([built("pause")], text=True, stdout=subprocess.PIPE, check=True)
    for line in done.stdout.splitlines():
        found = LINE.match(line)
        if found:
            name = way(*found.groups()[:3])
            least, median, worst, commit = (int(figure) for figure in found.groups()[3:])
            # The three are all that it tells of its rounds.
            PAUSE.figure(name, "pause", "µs", [least, median, worst])
            PAUSE.figure(name, "the whole commit", "µs", [commit])


if __name__ == "__main__":
    main()
