#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Save to live with the program's own compiler, and start-up: DESIGN's cc and start-up rows.

    HOTDEV=build/hotdev/hotdev python3 bench/reload.py [ROUNDS]

Prints medians with minimum and maximum, beside what the compiler alone takes
for the same file in the same run. Nothing here passes or fails."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HOTDEV = os.environ.get("HOTDEV", "build/hotdev/hotdev")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
DEADLINE = 120

MAIN = """
#include <stdio.h>
int answer(int);
int main(void) { char line[80]; while (fgets(line, sizeof line, stdin)) { printf("%d\\n", answer(1)); fflush(stdout); } return 0; }
"""


def small(constant):
    return f"int answer(int x);\nint answer(int x)\n{{\n\treturn (x + {constant}) * 7 ^ x;\n}}\n"


def large(constant, functions=450):
    out = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>", "#include <math.h>", "#include <ctype.h>"]
    for i in range(functions):
        out += [f"int f{i}(const char *s, int n);", f"int f{i}(const char *s, int n)",
                f"{{ int sum = {i}; for (int i = 0; i < n; i++) sum += toupper((unsigned char)s[i]) * {i + 3};",
                "\treturn sum ^ (int)strlen(s); }"]
    out.append(small(constant))
    return "\n".join(out)


def figure(name, values, unit="ms"):
    values = sorted(values)
    print(f"{name:58} {statistics.median(values):9.2f} {values[0]:9.2f} {values[-1]:9.2f} {unit}")


def events(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def wait(path, name, count):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = [e for e in events(path) if e["event"] == name]
        if len(found) >= count:
            return found[count - 1]
        time.sleep(0.002)
    raise SystemExit(f"no {name} within {DEADLINE} s: {events(path)[-3:]}")


def reload_times(title, text, level):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("main.c", MAIN), ("mod.c", text(1))):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        subprocess.run(["cc", "-g", level, "main.c", "mod.c", "-o", "app"], cwd=folder, check=True)
        journal = os.path.join(folder, "journal")
        program = subprocess.Popen([HOTDEV, "--plain", "--compiler", "cc", "--events", journal, "./app"], cwd=folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait(journal, "ready", 1)
        live, alone = [], []
        for n in range(1, ROUNDS + 2):
            with open(os.path.join(folder, "mod.c"), "w", encoding="utf-8") as file:
                file.write(text(n + 1))
            live.append(wait(journal, "live", n))
            began = time.monotonic()
            subprocess.run(["cc", "-g", level, "-ffunction-sections", "-fdata-sections", "-c", "mod.c", "-o", "alone.o"],
                           cwd=folder, check=True)
            alone.append((time.monotonic() - began) * 1e3)
        program.stdin.close()
        program.wait(DEADLINE)
    # The first save also builds the text that the program was built of.
    figure(f"{title} {level}: first save to live", [live[0]["save_to_live_ms"]])
    figure(f"{title} {level}: save to live", [e["save_to_live_ms"] for e in live[1:]])
    figure(f"{title} {level}: the compiler alone", alone[1:])
    figure(f"{title} {level}: compare, judge, link, commit", [e["link_ms"] for e in live[1:]])
    figure(f"{title} {level}: pause", [e["pause_us"] for e in live[1:]], "us")


def startup_times(modules=100):
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for i in range(modules):
            text = large(i, 60).replace(" f", f" m{i}_f").replace("answer", f"answer{i}")
            names.append(f"m{i}.c")
            with open(os.path.join(folder, names[-1]), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(folder, "main.c"), "w", encoding="utf-8") as file:
            file.write("int main(void) { return 0; }\n")
        subprocess.run(["cc", "-g", "-O0", "-w", *names, "main.c", "-o", "app"], cwd=folder, check=True)
        size = os.path.getsize(os.path.join(folder, "app")) / 1e6
        with_hotdev, bare, ready = [], [], []
        for n in range(ROUNDS):
            began = time.monotonic()
            subprocess.run(["./app"], cwd=folder, check=True)
            bare.append((time.monotonic() - began) * 1e3)
            journal = os.path.join(folder, f"journal{n}")
            began = time.monotonic()
            subprocess.run([HOTDEV, "--plain", "--compiler", "cc", "--events", journal, "./app"], cwd=folder,
                           stderr=subprocess.DEVNULL, check=False)
            with_hotdev.append((time.monotonic() - began) * 1e3)
            ready.append(wait(journal, "ready", 1)["startup_ms"])
    figure(f"start-up, {modules} modules, {size:.1f} MB: until ready", ready)
    figure(f"start-up, {modules} modules: the whole run with hotdev", with_hotdev)
    figure(f"start-up, {modules} modules: the whole run without", bare)


def main():
    print(f"{'':58} {'median':>9} {'min':>9} {'max':>9}")
    for level in ("-O0", "-O2"):
        reload_times("20 lines", small, level)
        reload_times("1,800 lines", large, level)
    startup_times()


if __name__ == "__main__":
    main()
