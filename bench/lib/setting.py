# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are, and how long this run is to take. bench/run hands it on in the environment."""

import os
import shutil
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("HOTDEV_BUILD") or os.path.join(SOURCE, "build"))
HOTDEV = os.path.abspath(os.environ.get("HOTDEV") or os.path.join(BUILD, "hotdev", "hotdev"))
PROGRAMS = os.path.join(SOURCE, "bench", "programs")
QUICK = bool(os.environ.get("BENCH_QUICK"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or (3 if QUICK else 20))
CORES = len(os.sched_getaffinity(0))
# Ends a measurement that has gone wrong; no figure depends on it.
DEADLINE = 120

# What a row needs beside hotdev's own requirements, by Debian's names.
PACKAGES = {"wrk": "wrk", "erl": "erlang-base", "entr": "entr", "gnuplot": "gnuplot-nox", "tcc": "tcc", "make": "make"}


def built(name):
    """A program of bench/ that make has built."""
    return os.path.join(BUILD, "bench", name)


def lacks(*tools):
    """The sentence for a row that cannot be measured here; None where all is there."""
    for tool in tools:
        if not shutil.which(tool):
            return f"{tool} is not installed (package {PACKAGES.get(tool, tool)})"
    return None


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)
