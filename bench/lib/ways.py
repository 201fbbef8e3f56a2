# SPDX-License-Identifier: GPL-2.0-or-later
"""How a save becomes what runs: hotdev, and what people do without it.

A way has a subject's copy in a folder of its own; round(n) makes save n and returns how long it took to be live, in
ms from the moment the file was closed; None: there is nothing to tell. None of them is busy between rounds."""

import os
import shlex
import subprocess
import time

from generate import write
from live import Live
from setting import CORES, DEADLINE, PROGRAMS, built, lacks


class Asked:
    """A process that answers a line with a line."""

    def __init__(self, *words, folder, **popen):
        self.process = subprocess.Popen(words, cwd=folder, text=True, bufsize=1, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, **popen)

    def answer(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{self.process.args} gave no answer")
        return line

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)


class Way:
    needs, builds, note = (), False, None

    def lacks(self, _subject):
        return lacks(*self.needs)

    def start(self, subject, folder):
        self.subject, self.folder = subject, folder
        subject.make(folder)
        if self.builds:
            subject.build(folder)

    def end(self):
        pass


class Hotdev(Way):
    """Its own figure: from the kernel's report of the finished write to the last thread running on."""

    builds = True

    def __init__(self, compiler, name):
        self.compiler, self.name = compiler, name

    def start(self, subject, folder):
        super().start(subject, folder)
        self.live = Live(folder, subject.program, "--plain", "--compiler", self.compiler)

    def save(self, n):
        self.subject.save(self.folder, n)
        event = self.live.wait("live")
        compilers = {m["compiler"] for m in event["modules"]}
        if self.compiler == "tcc" and compilers != {"tcc"}:
            self.note = f"built by {' and '.join(sorted(compilers))}"
        return event

    def round(self, n):
        return self.save(n)["save_to_live_ms"]

    def end(self):
        self.live.end()


class SeenByProgram(Hotdev):
    """The same from outside: from the close to the first new answer, by the program's own clock, which looks at its
    answer every 0.1 ms."""

    def lacks(self, subject):
        return None if subject.program == ["./app"] and subject.units == ["answer.c"] else "only of one function"

    def start(self, subject, folder):
        Way.start(self, subject, folder)
        self.live = Live(folder, [*subject.program, "watch"], "--plain", "--compiler", self.compiler,
                         stdout=subprocess.PIPE, text=True)
        self.live.process.stdout.readline()

    def round(self, n):
        self.subject.save(self.folder, n)
        closed = time.monotonic_ns()
        self.live.wait("live")
        return (int(self.live.process.stdout.readline()) - closed) / 1e6


class LibtccAlone(Way):
    name = "floor: libtcc alone, to an object"

    def start(self, subject, folder):
        super().start(subject, folder)
        self.tcc = Asked(built("rival"), "tcc", *subject.options, folder=folder)

    def round(self, n):
        self.subject.save(self.folder, n)
        return float(self.tcc.ask(" ".join(self.subject.units)))

    def end(self):
        self.tcc.end()


def compile_units(folder, units, *compiler):
    """To objects, as many at a time as there are cores."""
    compiler = " ".join([*compiler, "-c"])
    subprocess.run(["xargs", "-n1", f"-P{CORES}", *compiler.split()], cwd=folder, check=True, text=True,
                   input="\n".join(units), stderr=subprocess.DEVNULL)


class CompilerAlone(Way):
    name = "floor: cc -c -O2 -g alone"

    def round(self, n):
        self.subject.save(self.folder, n)
        began = time.monotonic()
        compile_units(self.folder, self.subject.units, "cc", "-O2", "-g", *self.subject.options)
        return (time.monotonic() - began) * 1e3


class ByHand(Way):
    """A shared object is built of what the save concerns and loaded; the callers' going over to it is not counted."""

    def __init__(self, *compiler):
        self.compiler = compiler
        self.name = f"{' '.join(compiler)} -shared, dlopen by hand"
        self.needs = compiler[:1] if compiler[0] != "cc" else ()

    def start(self, subject, folder):
        super().start(subject, folder)
        self.loader = Asked(built("rival"), "load", folder=folder)
        if hasattr(subject, "libraries"):
            self.loader.ask(subject.libraries(folder))

    def round(self, n):
        self.subject.save(self.folder, n)
        began = time.monotonic()
        name, units, compiler = os.path.join(self.folder, f"{n}.so"), self.subject.units, [*self.compiler, "-fPIC"]
        if len(units) > 1:
            compile_units(self.folder, units, *compiler, *self.subject.options)
            units = [unit.replace(".c", ".o") for unit in units]
        subprocess.run([*compiler, "-shared", *self.subject.options, "-o", name, *units], cwd=self.folder, check=True,
                       stderr=subprocess.DEVNULL)
        self.loader.ask(name)
        return (time.monotonic() - began) * 1e3

    def end(self):
        self.loader.end()


class Erlang(Way):
    name, needs = "Erlang's c(m), as many lines", ("erl",)

    def start(self, subject, folder):
        self.subject, self.folder = subject, folder
        subject.make_erlang(folder)
        subprocess.run(["erlc", os.path.join(PROGRAMS, "erlang", "reload.erl")], cwd=folder, check=True)
        self.erl = Asked("erl", "-noshell", "-s", "reload", folder=folder)
        self.erl.ask(" ".join(subject.erlang_modules()))

    def round(self, n):
        self.subject.save_erlang(self.folder, n)
        return float(self.erl.ask(" ".join(self.subject.erlang_modules())))

    def end(self):
        self.erl.end()


class Restart(Way):
    """State is lost. Live is when the new program has printed its first line."""

    name, needs = "entr -r: make, and a new start (state lost)", ("entr", "make")

    def start(self, subject, folder):
        super().start(subject, folder)
        watched = [n for n in os.listdir(folder) if n.endswith((".c", ".h"))]
        write(folder, "again", f"{shlex.join(['make', '-s', *subject.target])} >/dev/null 2>&1 && "
              f"exec {shlex.join(subject.started)}\n")
        self.process = subprocess.Popen(["entr", "-n", "-r", "sh", "again"], cwd=folder, text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process.stdin.write("\n".join(watched))
        self.process.stdin.close()
        self.process.stdout.readline()

    def round(self, n):
        self.subject.save(self.folder, n)
        began = time.monotonic()
        self.process.stdout.readline()
        return (time.monotonic() - began) * 1e3

    def end(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


def all_ways():
    return [
        Hotdev("tcc", "hotdev, libtcc"),
        SeenByProgram("tcc", "hotdev, libtcc, as the program sees it"),
        Hotdev("cc", "hotdev, cc -O2"),
        ByHand("tcc"),
        ByHand("cc", "-O0"),
        ByHand("cc", "-O2"),
        Erlang(),
        Restart(),
        LibtccAlone(),
        CompilerAlone(),
    ]
