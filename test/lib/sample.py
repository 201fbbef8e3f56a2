# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of samples/, in a copy of its own, built by the makefile that its users run."""

import os
import shutil
import subprocess

from session import require

# As matrix.Program's, for a case that builds a sample itself; what users get: the default compiler of hotdev.
OPTIONS = {"build": False, "start": False, "hotdev": ["--compiler", "auto"],
           "only": lambda p: os.environ.get("HOTDEV_MATRIX") or (p.gcc and p.optimises)}


def build(s, name, *variables, program=None):
    """Copies and builds the sample, with more of make's variables; s then runs it (program, where it has another name)
    in the copy."""
    source = os.path.join(os.environ["HOTDEV_SOURCE"], "samples", name)
    for file in os.listdir(source):
        if file.endswith((".c", ".h")) or file == "Makefile":
            shutil.copyfile(os.path.join(source, file), s.path(file))
    flags = " ".join([*s.point.compile_flags(), "-Wall", "-Wextra", "-Werror"])
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CC", "CFLAGS")}
    done = subprocess.run(["make", "-s", f"CC={s.point.compiler}", f"CFLAGS={flags}",
                           f"LDFLAGS={' '.join(s.point.link_flags())}",
                           *variables],
                          cwd=s.cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    require(done.returncode == 0 and not done.stdout, "make says:", done.stdout[-3000:])
    s.program.name = program or name
