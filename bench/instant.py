#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Save to live by libtcc, beside libtcc alone and beside what people do by hand: DESIGN's tcc rows.

    HOTDEV=build/hotdev/hotdev RIVAL=build/bench/rival python3 bench/instant.py [ROUNDS]

Lua's lstrlib.c is taken from a folder with Lua's sources, LUA=.../src, where one is named. Prints medians with
minimum and maximum, all of one run, in turn; nothing here passes or fails."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from reload import DEADLINE, HOTDEV, MAIN, figure, small, wait  # noqa: E402

RIVAL = os.environ.get("RIVAL", "build/bench/rival")
LUA = os.environ.get("LUA")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20


class Asked:
    """A process that answers a line with a line."""

    def __init__(self, *words, folder):
        self.process = subprocess.Popen(words, cwd=folder, text=True, bufsize=1, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"{self.process.args} gave no answer")
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)


class Bench:
    """A program, one source of it, and the texts that the source goes through."""

    def __init__(self, title, folder, source, text, build, program, options):
        self.title, self.folder, self.source, self.text, self.options = title, folder, source, text, options
        self.save(0)
        subprocess.run(build, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.journal = os.path.join(folder, "journal")
        self.hotdev = subprocess.Popen([HOTDEV, "--plain", "--compiler", "tcc", "--events", self.journal, *program],
                                       cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        wait(self.journal, "ready", 1)
        time.sleep(1)  # as a user who opens an editor
        self.alone = Asked(RIVAL, "tcc", source, *options, folder=folder)
        self.loader = Asked(RIVAL, "load", folder=folder)

    def save(self, n):
        with open(os.path.join(self.folder, self.source), "w", encoding="utf-8") as file:
            file.write(self.text(n))

    def by_hand(self, n, *compiler):
        name = os.path.join(self.folder, f"{compiler[0]}{''.join(compiler[1:2])}{n}.so")
        began = time.monotonic()
        subprocess.run([*compiler, "-shared", "-fPIC", *self.options, "-o", name, self.source], cwd=self.folder,
                       check=True, stderr=subprocess.DEVNULL)
        self.loader.ask(name)
        return (time.monotonic() - began) * 1e3

    def run(self):
        rows = {name: [] for name in ("hotdev, save to live", "hotdev, its libtcc", "hotdev, pause", "libtcc alone",
                                      "tcc -shared, dlopen", "gcc -O0 -shared, dlopen", "gcc -O2 -shared, dlopen")}
        for n in range(1, ROUNDS + 2):
            self.save(n)
            live = wait(self.journal, "live", n)
            rows["hotdev, save to live"].append(live["save_to_live_ms"])
            rows["hotdev, its libtcc"].append(live["compile_ms"])
            rows["hotdev, pause"].append(live["pause_us"] / 1e3)
            if live["modules"][0]["compiler"] != "tcc":
                print(f"{self.title}: round {n} was built by {live['modules'][0]['compiler']}")
            rows["libtcc alone"].append(float(self.alone.ask("")))
            rows["tcc -shared, dlopen"].append(self.by_hand(n, "tcc"))
            rows["gcc -O0 -shared, dlopen"].append(self.by_hand(n, "gcc", "-O0"))
            rows["gcc -O2 -shared, dlopen"].append(self.by_hand(n, "gcc", "-O2"))
        for name, values in rows.items():
            figure(f"{self.title}: {name}", values[1:])
        figure(f"{self.title}: hotdev, the first save", rows["hotdev, save to live"][:1])
        self.end()

    def end(self):
        self.alone.end()
        self.loader.end()
        self.hotdev.stdin.close()
        self.hotdev.wait(DEADLINE)


def twenty_lines():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "main.c"), "w", encoding="utf-8") as file:
            file.write(MAIN)
        Bench("20 lines", folder, "mod.c", small, ["cc", "-g", "-O2", "main.c", "mod.c", "-o", "app"], ["./app"],
              []).run()


def lstrlib():
    if not LUA:
        print("lstrlib.c: left out, LUA names no folder with Lua's sources")
        return
    with tempfile.TemporaryDirectory() as top:
        folder = shutil.copytree(LUA, os.path.join(top, "src"))
        subprocess.run(["make", "clean"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "lstrlib.c"), encoding="utf-8") as file:
            whole = file.read()
        old = "p[i] = toupper(uchar(s[i]));"
        assert old in whole
        options = ["-std=gnu99", "-DLUA_COMPAT_5_3", "-DLUA_USE_LINUX"]
        bench = Bench("lstrlib.c", folder, "lstrlib.c", lambda n: whole.replace(old, f"p[i] = toupper(uchar(s[i])) + {n % 2};"),
              ["make", "-s", "linux-noreadline", "MYCFLAGS=-g -O2"], ["./lua", "-i"], options)
        # What the library calls is there.
        others = [name for name in sorted(os.listdir(folder)) if name.endswith(".c") and name not in ("lua.c", "luac.c")]
        subprocess.run(["gcc", "-shared", "-fPIC", *options, "-o", "all.so", *others, "-lm"], cwd=folder, check=True)
        bench.loader.ask(os.path.join(folder, "all.so"))
        bench.run()


def main():
    print(f"{'':58} {'median':>9} {'min':>9} {'max':>9}")
    twenty_lines()
    lstrlib()


if __name__ == "__main__":
    main()
