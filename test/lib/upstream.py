# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs: what Debian's source packages have from upstream, unpacked and built as its user would."""

import json
import os
import shlex
import subprocess
import tarfile
import tempfile

import debian
from session import require
from tap import Skip


def archive(package):
    build = os.environ.get("HOTDEV_BUILD")
    cache = os.path.join(build, "test", "real") if build else os.path.join(tempfile.gettempdir(), "hotdev-real")
    try:
        return debian.archive(package, cache)
    except debian.Unavailable as reason:
        raise Skip(reason) from reason


def unpack(s, package):
    """Into the session's folder; the folder that came out."""
    with tarfile.open(archive(package)) as tar:
        tar.extractall(s.cwd)
    return os.path.join(s.cwd, os.listdir(s.cwd)[0])


def make(folder, *words):
    """Runs make as its user would, on as many jobs as there are cores; what it wrote. It is ended, with all that it
    started, when it takes half an hour."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    done = subprocess.run(["timeout", "1800", "make", f"-j{os.cpu_count() or 1}", *words], cwd=folder, env=environment,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    require(done.returncode == 0, "make failed:", done.stdout[-3000:])
    return done.stdout


def write_database(folder, *words):
    """A compilation database of what make would do with these words, asked of make itself."""
    commands = [shlex.split(line) for line in make(folder, *words, "-n", "-B").splitlines() if " -c " in line]
    entries = [{"directory": folder, "file": next(w for w in argv if w.endswith(".c")), "arguments": argv}
               for argv in commands]
    require(len(entries) > 30, "make tells of", len(entries), "compilations")
    with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as out:
        json.dump(entries, out)
