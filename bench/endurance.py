#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten thousand reloads of one function, one after the other: does anything grow, or become slower?"""

import os
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from live import Live  # noqa: E402
from procfs import own_processes, resident_kb  # noqa: E402
from rows import Section  # noqa: E402
from setting import QUICK, progress  # noqa: E402
from subjects import OneFunction  # noqa: E402

RELOADS, EACH = (300, 20) if QUICK else (10_000, 100)
ENDURANCE = Section("endurance")


def main():
    progress(f"endurance: {RELOADS:,} reloads")
    latency, own, program, all_ms = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as folder:
        subject = OneFunction()
        subject.make(folder)
        subject.build(folder)
        with Live(folder, subject.program, "--plain", "--compiler", "tcc") as live:
            for n in range(1, RELOADS + 1):
                subject.save(folder, n)
                all_ms.append(live.wait("live")["save_to_live_ms"])
                if n % EACH == 0:
                    latency.append([n, statistics.median(all_ms[-EACH:])])
                    pids = own_processes(live.process.pid, live.pid)
                    own.append([n, sum(resident_kb(pid) for pid in pids) / 1024])
                    program.append([n, resident_kb(live.pid) / 1024])
    way = f"{RELOADS:,} reloads"
    tenth = RELOADS // 10
    ENDURANCE.figure(way, "save to live, the first tenth", "ms", all_ms[:tenth])
    ENDURANCE.figure(way, "save to live, the last tenth", "ms", all_ms[-tenth:])
    for name, points in (("memory of hotdev", own), ("memory of the program", program)):
        ENDURANCE.figure(way, f"{name}, after {EACH}", "MB", [points[0][1]])
        ENDURANCE.figure(way, f"{name}, at the end", "MB", [points[-1][1]])
    ENDURANCE.series("save to live", "ms", latency)
    ENDURANCE.series("memory of hotdev", "MB", own)
    ENDURANCE.series("memory of the program", "MB", program)


if __name__ == "__main__":
    main()
