# SPDX-License-Identifier: GPL-2.0-or-later
"""What is saved: programs with one file that goes through a sequence of texts. Each way to make a save live gets a
copy of its own."""

import json
import os
import shutil
import subprocess
import sys

from generate import INCLUDES, c_text, erlang_text, write
from setting import BUILD, CORES, PROGRAMS, SOURCE

DEPENDENTS = 100
LUA_TARGET = ["linux-noreadline", "MYCFLAGS=-g"]


class Subject:
    """title; units: the .c files that a save concerns; options: how they are compiled; program: its words;
    started: those of a program that only says that it has started; target: what make is to make."""

    options, target = [], []

    def make(self, folder):
        """Lays the sources, as of save 0, and a makefile."""
        raise NotImplementedError

    def save(self, folder, n):
        """Save n > 0. Each differs from the one before."""
        raise NotImplementedError

    def build(self, folder):
        subprocess.run(["make", "-s", f"-j{CORES}"], cwd=folder, check=True, env=clean_environment(),
                       stdout=subprocess.DEVNULL)

    def make_erlang(self, folder):
        for module in self.erlang_modules():
            write(folder, f"{module}.erl", self.erlang_text(module, 0))

    def save_erlang(self, folder, n):
        module = self.erlang_modules()[0]
        write(folder, f"{module}.erl", self.erlang_text(module, n))

    def erlang_modules(self):
        return ["m0"]


def clean_environment():
    """make may have been what started us."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}


def makefile(folder, sources, header=""):
    objects = " ".join(name.replace(".c", ".o") for name in sources)
    write(folder, "Makefile", f"CFLAGS = -g -O2\nLDLIBS = -lm\napp: {objects}\n\t$(CC) -o $@ {objects} $(LDLIBS)\n"
          + (f"{objects}: {header}\n" if header else ""))


class OneFunction(Subject):
    title, units, program = "one function", ["answer.c"], ["./app"]
    started = ["./app"]

    def make(self, folder):
        for name in ("answer.c", "main.c"):
            shutil.copy(os.path.join(PROGRAMS, "answer", name), folder)
        makefile(folder, ["answer.c", "main.c"])

    def save(self, folder, n):
        with open(os.path.join(PROGRAMS, "answer", "answer.c"), encoding="utf-8") as file:
            write(folder, "answer.c", file.read().replace("x + 0", f"x + {n}"))

    def erlang_text(self, module, n):
        return erlang_text(module, 8, n)


class Header(Subject):
    """A constant in a header that a hundred files use."""

    title = f"a header of {DEPENDENTS} files"
    units = [f"u{unit}.c" for unit in range(DEPENDENTS)]
    program = ["./app"]
    started = ["./app"]

    def make(self, folder):
        self.save(folder, 0)
        for unit, name in enumerate(self.units):
            text = c_text(unit, 40, includes=INCLUDES[2:4]).replace("(x + 0)", "(x + ROUND)")
            write(folder, name, '#include "round.h"\n' + text)
        write(folder, "main.c", "#include <stdio.h>\nint u0(int x);\nint main(void)\n{\n\tdo {\n\t\tprintf(\"%d\\n\", "
              "u0(1));\n\t\tfflush(stdout);\n\t} while (getchar() != EOF);\n\treturn 0;\n}\n")
        makefile(folder, [*self.units, "main.c"], "round.h")

    def save(self, folder, n):
        write(folder, "round.h", f"#define ROUND {n}\n")

    def erlang_modules(self):
        return [f"m{unit}" for unit in range(DEPENDENTS)]

    def erlang_text(self, module, n):
        return erlang_text(module, 40, n, "round.hrl")

    def make_erlang(self, folder):
        self.save_erlang(folder, 0)
        super().make_erlang(folder)

    def save_erlang(self, folder, n):
        write(folder, "round.hrl", f"-define(ROUND, {n}).\n")


class Lua(Subject):
    """A file of the Lua interpreter, of Debian's source package as it stands."""

    options = ["-std=gnu99", "-DLUA_COMPAT_5_3", "-DLUA_USE_LINUX"]
    program = ["./lua", "-i"]
    started = ["./lua", "-e", "print('started')"]
    target = LUA_TARGET

    def __init__(self, archive, unit, lines, old, new):
        self.archive, self.title, self.units = archive, unit, [unit]
        self.lines, self.old, self.new, self.whole = lines, old, new, None

    def make(self, folder):
        subprocess.run(["tar", "-xf", self.archive, "--strip-components=2", "--wildcards", "*/src/*"], cwd=folder,
                       check=True)
        path = os.path.join(folder, self.units[0])
        with open(path, encoding="utf-8") as file:
            self.whole = file.read()
        if self.whole.count(self.old) != 1:
            raise SystemExit(f"{self.title} has {self.whole.count(self.old)} times {self.old!r}")

    def build(self, folder):
        make = ["make", f"-j{CORES}", *LUA_TARGET]
        subprocess.run([*make, "-s"], cwd=folder, check=True, env=clean_environment(), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        said = subprocess.run([*make, "-n", "-B"], cwd=folder, check=True, env=clean_environment(), text=True,
                              stdout=subprocess.PIPE).stdout
        commands = [line.split() for line in said.splitlines() if " -c " in line]
        entries = [{"directory": folder, "file": next(w for w in words if w.endswith(".c")), "arguments": words}
                   for words in commands]
        write(folder, "compile_commands.json", json.dumps(entries))

    def save(self, folder, n):
        write(folder, self.units[0], self.whole.replace(self.old, self.new.format(n=n)))

    def libraries(self, folder):
        """What the units call when they are loaded by hand: all others, where they can be seen from outside."""
        path = os.path.join(folder, "luaconf.h")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        write(folder, "luaconf.h", text.replace('visibility("internal")', 'visibility("default")'))
        others = [name for name in sorted(os.listdir(folder))
                  if name.endswith(".c") and name not in ("lua.c", "luac.c")]
        subprocess.run(["cc", "-shared", "-fPIC", *self.options, "-o", "all.so", *others, "-lm"], cwd=folder,
                       check=True)
        return os.path.join(folder, "all.so")

    def erlang_text(self, module, n):
        return erlang_text(module, self.lines, n)


def lua_archive():
    """Fetched once by apt, as the tests do. RuntimeError: it is not to be had."""
    sys.path.insert(0, os.path.join(SOURCE, "test", "lib"))
    import debian  # pylint: disable=import-outside-toplevel
    return debian.archive("lua5.4", os.path.join(BUILD, "test", "real"))


def lua_subjects(archive):
    return [
        Lua(archive, "lstrlib.c", 1874, "p[i] = toupper(uchar(s[i]));", "p[i] = toupper(uchar(s[i])) + {n};"),
        # In the interpreter's one large function.
        Lua(archive, "lvm.c", 1840, "intop(^, ~l_castS2U(0), ib)", "intop(^, ~l_castS2U({n}), ib)"),
    ]
