# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix that every hard case runs in, and how a case's program is built.

A point is a compiler, an optimisation level and PIE or not. HOTDEV_MATRIX says
which points: "" the four of every day, "rest" the other four, "full" all
eight, or a part of a point's name ("gcc -O2")."""

import itertools
import json
import os
import shutil
import subprocess
from typing import NamedTuple


class Point(NamedTuple):
    compiler: str
    level: str
    pie: bool

    @property
    def name(self):
        return f"{self.compiler} {self.level} {'PIE' if self.pie else 'no-PIE'}"

    @property
    def optimises(self):
        return self.level != "-O0"

    @property
    def gcc(self):
        return self.compiler == "gcc"

    def compile_flags(self, shared=False):
        kind = "-fPIC" if shared else "-fPIE" if self.pie else "-fno-pie"
        return ["-g", self.level, kind]

    def link_flags(self):
        return ["-pie" if self.pie else "-no-pie"]

    def missing(self):
        """Why nothing can be built here, or None."""
        return None if shutil.which(self.compiler) else f"{self.compiler} is not installed"


ALL = [Point(*p) for p in itertools.product(("gcc", "clang"), ("-O0", "-O2"), (True, False))]
EVERYDAY = [
    Point("gcc", "-O0", True),
    Point("gcc", "-O2", False),
    Point("clang", "-O2", True),
    Point("clang", "-O0", False),
]


def points():
    wanted = os.environ.get("HOTDEV_MATRIX", "")
    if not wanted:
        return EVERYDAY
    if wanted == "full":
        return ALL
    if wanted == "rest":
        return [p for p in ALL if p not in EVERYDAY]
    return [p for p in ALL if wanted in p.name]


class BuildError(Exception):
    pass


class Program:
    """A case's program in a folder of its own: its sources, and the commands that build it.

    objects maps a shared object to its sources ({"libshape.so": ["shape.c"]});
    those in `plugins` are not linked to the program. A source that no object
    names, and that is not in `unbuilt`, belongs to the program itself."""

    def __init__(self, folder, point, files, cflags=(), libs=(), objects=None, plugins=(), unbuilt=(),
                 also=(), compdb=True, name="app"):
        self.folder, self.point, self.name = folder, point, name
        self.cflags, self.libs = list(cflags), list(libs)
        self.objects, self.plugins = objects or {}, set(plugins)
        self.unbuilt, self.also, self.compdb = set(unbuilt), list(also), compdb
        for path, text in files.items():
            self.write(path, text)
        self.sources = [p for p in files if p.endswith(".c") and p not in self.unbuilt]

    @property
    def path(self):
        return os.path.join(self.folder, self.name)

    def write(self, path, text):
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as out:
            out.write(text)

    def run(self, argv):
        done = subprocess.run(argv, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(argv)}\n{done.stdout}")

    def own_sources(self):
        taken = {source for sources in self.objects.values() for source in sources}
        return [s for s in self.sources if s not in taken] + self.also

    def compile_command(self, source, shared):
        stem = source[:-2].replace("/", "-")
        output = f"obj/{'pic-' if shared else ''}{stem}.o"
        flags = self.point.compile_flags(shared) + self.cflags
        return [self.point.compiler, *flags, "-c", source, "-o", output], output

    def commands(self):
        """Every compile command, as (source, argv, output)."""
        for source in self.own_sources():
            argv, output = self.compile_command(source, False)
            yield source, argv, output
        for sources in self.objects.values():
            for source in sources:
                argv, output = self.compile_command(source, True)
                yield source, argv, output

    def write_compdb(self):
        entries = [{"directory": self.folder, "file": source, "arguments": argv, "output": output}
                   for source, argv, output in self.commands()]
        self.write("compile_commands.json", json.dumps(entries, indent=1))

    def build(self):
        os.makedirs(os.path.join(self.folder, "obj"), exist_ok=True)
        for _, argv, _ in self.commands():
            self.run(argv)
        cc = self.point.compiler
        for library, sources in self.objects.items():
            parts = [self.compile_command(s, True)[1] for s in sources]
            self.run([cc, "-shared", "-o", library, *parts, *self.libs])
        parts = [self.compile_command(s, False)[1] for s in self.own_sources()]
        linked = [library for library in self.objects if library not in self.plugins]
        # "./": without it the loader would look for the library in the system's folders.
        self.run([cc, *self.point.link_flags(), "-o", self.name, *parts,
                  *("./" + library for library in linked), "-Wl,-rpath,$ORIGIN", *self.libs, "-pthread"])
        if self.compdb:
            self.write_compdb()
