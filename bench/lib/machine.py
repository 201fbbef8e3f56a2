# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run was made on, and of what."""

import datetime
import os
import re
import shutil
import subprocess

from setting import CORES, SOURCE


def said(*words):
    """The first line of what a program says of itself; "": it is not there."""
    if not shutil.which(words[0]):
        return ""
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return (done.stdout.splitlines() or [""])[0]


def value(path, pattern):
    with open(path, encoding="utf-8") as file:
        found = re.search(pattern, file.read(), re.M)
    return found[1].strip().strip('"') if found else "?"


def version(*words):
    found = re.search(r"[0-9]+(\.[0-9]+)+", said(*words))
    return f"{os.path.basename(words[0])} {found[0]}" if found else ""


def erlang():
    release = said("erl", "-noshell", "-eval", "io:put_chars(erlang:system_info(otp_release)), halt().")
    return f"Erlang/OTP {release}" if release else ""


def describe(quick):
    memory = round(int(value("/proc/meminfo", r"^MemTotal:\s+([0-9]+)")) / 2**20)
    programs = [version("gcc", "-dumpfullversion"), version("tcc", "-v"), erlang(), version("wrk", "-v"),
                version("entr", "-h")]
    return {
        "day": datetime.date.today().isoformat(),
        "commit": said("git", "-C", SOURCE, "describe", "--always", "--dirty"),
        "machine": f"{value('/proc/cpuinfo', r'^model name.*: (.*)$')}, {CORES} cores, {memory} GiB",
        "system": f"{value('/etc/os-release', r'^PRETTY_NAME=(.*)$')}, Linux {os.uname().release.split('-')[0]}",
        "programs": ", ".join(p for p in programs if p),
        "quick": quick,
    }
