#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server under load while its page is edited ten times a second: a hundred connections that stay open ask a hundred
times a second each, on the loopback interface."""

import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from probe import Probe  # noqa: E402
from procfs import resident_kb  # noqa: E402
from rows import Section  # noqa: E402
from servers import all_servers  # noqa: E402
from setting import PROGRAMS, QUICK, progress  # noqa: E402

CONNECTIONS, PERIOD = 100, 0.1
SECONDS, LEAD = (3, 1) if QUICK else (30, 2)
SERVER = Section("server")


def start_load(port):
    return subprocess.Popen(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS + LEAD}", "--timeout", "5", "-s",
                             os.path.join(PROGRAMS, "server", "report.lua"), f"http://127.0.0.1:{port}/"], text=True,
                            stdout=subprocess.PIPE)


def memory_kb(server):
    return sum(resident_kb(pid) for pid in server.pids())


def edit_for(server, seconds):
    """Every PERIOD, or as often as the way can where it takes longer."""
    end = time.monotonic() + seconds
    n, due = 0, time.monotonic()
    while time.monotonic() < end:
        if server.edited:
            n += 1
            server.edit(n)
        due = max(due + PERIOD, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))


def measure(server, folder):
    server.start(folder)
    load, probe = start_load(server.port), Probe(server.port).start()
    time.sleep(LEAD)  # all connections are there, and have been used
    before = memory_kb(server)
    edit_for(server, SECONDS - 0.5)
    lives, after = server.lives(), memory_kb(server)
    probe.stop()
    got = json.loads(load.communicate()[0].splitlines()[-1])
    server.end()
    SERVER.figure(server.name, "requests answered", "", [got["requests"]])
    SERVER.figure(server.name, "edits live", "", [lives])
    SERVER.figure(server.name, "downtime", "ms", [probe.downtime_ms])
    SERVER.figure(server.name, "requests dropped", "", [got["errors"]])
    for key, subject in (("p50", "p50"), ("p99", "p99"), ("max", "longest")):
        SERVER.figure(server.name, subject, "ms", [got[key]])
    if lives and server.keeps_versions:
        SERVER.figure(server.name, "memory for each version", "kB", [(after - before) / lives])
    if hasattr(server, "save_to_live_ms"):
        SERVER.figure(server.name, "save to live", "ms", server.save_to_live_ms())


def main():
    for server in all_servers():
        why = server.lacks()
        if why:
            SERVER.missing(server.name, "requests answered", why)
            continue
        progress(f"server: {server.name}")
        with tempfile.TemporaryDirectory(prefix="hotdev-bench-") as folder:
            measure(server, folder)


if __name__ == "__main__":
    main()
