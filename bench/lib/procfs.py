# SPDX-License-Identifier: GPL-2.0-or-later
"""What processes cost, as the kernel counts it."""

import os


def resident_kb(pid):
    """Memory that the process has for itself or shares."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


def processor_ms(pid):
    """Of its living threads: from schedstat, which counts nanoseconds."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="utf-8") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def processor_ms_of(pids):
    """pid -> ms; a process that has ended is left out."""
    found = {}
    for pid in pids:
        try:
            found[pid] = processor_ms(pid)
        except OSError:
            continue
    return found


def children(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/children", encoding="utf-8") as file:
            found += [int(word) for word in file.read().split()]
    return found


def own_processes(hotdev, program):
    """hotdev and what it starts for itself: its libtcc and its compilers, not the program."""
    return [hotdev] + [pid for pid in children(hotdev) if pid != program]
