#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What doctor proves: the command that was found makes the code that is in the program, or it says what differs."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import DEADLINE, case, main, require  # noqa: E402

# Whatever a linker fills or rewrites: calls, GOT loads, thread-local storage, tables, strings, constants, cold parts.
RICH = {"mod.h": r"""
extern int shared, common;
extern __thread int mine;
extern const char *const names[];
int other(int x);
""", "mod.c": r"""
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mod.h"
__thread int mine = 3;
static __thread int own;
int shared = 7, common;
static int counter = 11;
static const int table[] = {3, 1, 4, 1, 5, 9};
const char *const names[] = {"one", "two", "three"};
static int twice(int x) { return 2 * x; }
static int thrice(int x) { return 3 * x; }
static int (*const operations[])(int) = {twice, thrice, other};
__attribute__((weak)) int weak(int x) { return x + 40; }
__attribute__((noinline)) static double root(double x) { return sqrt(x) * 1.25 + 0.5; }
__attribute__((noinline)) static const char *word(int x)
{
	switch (x) {
	case 0: return "zero";
	case 1: return "first";
	case 2: return names[1];
	case 3: return "third";
	case 4: return getenv("HOME") ? "home" : "none";
	case 5: return strerror(errno);
	default: return "many";
	}
}
static int run(const int *code)
{
	static void *const labels[] = {&&add, &&sub, &&end};
	int sum = 0;
	goto *labels[*code];
add:
	sum += counter++;
	goto *labels[*++code];
sub:
	sum -= own++;
	goto *labels[*++code];
end:
	return sum + mine++;
}
void answer(const char *command)
{
	static const int code[] = {0, 1, 0, 2};
	int n = atoi(command);
	if (n < 0) {
		fprintf(stderr, "cold: %s\n", command);
		abort();
	}
	printf("%d %s %f %d %d", run(code) + table[n % 6], word(n), root(n), operations[n % 3](weak(n)), shared + common);
}
""", "other.c": r"""
#include "mod.h"
int other(int x) { return x + shared + mine; }
"""}


def doctor(s, *options):
    done = subprocess.run([os.environ["HOTDEV"], "doctor", *options, "./app"], cwd=s.cwd, env=s.environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    require(done.returncode == 0, "doctor ended with", done.returncode, done.stdout, done.stderr)
    return done.stdout


def proofs(s):
    return {m["module"]: m.get("proof") for m in json.loads(doctor(s, "--json"))["modules"]}


def all_same(s):
    found = proofs(s)
    require(set(found) == {"mod.c", "other.c", "main.c"}, "doctor says", found)
    for module, proof in found.items():
        require(proof["verdict"] == "same" and proof["functions"] > 0, "doctor says of", module, proof)


@case(RICH, libs=["-lm"], start=False)
def untouched_files_are_proven(s):
    all_same(s)
    require(" proven: rebuilt, its " in doctor(s), "doctor does not say that the files are proven")


@case(RICH, libs=["-lm"], start=False, compdb=False)
def untouched_files_are_proven_without_a_database(s):
    all_same(s)


@case(RICH, libs=["-lm", "-Wl,--gc-sections"], start=False, cflags=["-ffunction-sections", "-fno-plt", "-ftls-model=initial-exec"])
def untouched_files_are_proven_whatever_the_linker_rewrote(s):
    all_same(s)


MACROS = {"mod.c": r"""
#include <stdio.h>
#ifndef LEVEL
#define LEVEL 1
#endif
#ifndef PICK
#define PICK first
#endif
__attribute__((noinline)) int first(int x) { return x + 1; }
__attribute__((noinline)) int second(int x) { return x - 1; }
__attribute__((noinline)) static int picks(int x) { return PICK(x) * 3; }
__attribute__((noinline)) static int code(int x) { return x * LEVEL; }
__attribute__((noinline)) static int same(int x) { return x - 5; }
int data = LEVEL;
static const char *const text[] = {"levels: " "%d %d"};
void answer(const char *command) { printf(text[0], code(command[0]), same(data) + picks(1)); }
""", "other.c": r"""
#ifndef LEVEL
#define LEVEL 1
#endif
static int hidden[] = {9, LEVEL, 9};
int peek(int i) { return hidden[i]++; }
"""}


@case(MACROS, start=False, compdb=False, cflags=["-DLEVEL=1"])
def a_macro_of_the_same_value_changes_nothing(s):
    require(all(p["verdict"] == "same" for p in proofs(s).values()), "doctor says", proofs(s))


@case(MACROS, start=False, compdb=False, cflags=["-DLEVEL=1000", "-DPICK=second"])
def a_macro_that_the_debug_information_does_not_have_is_found_by_what_differs(s):
    found = proofs(s)
    require(found["main.c"]["verdict"] == "same", "doctor says", found)
    require(found["mod.c"]["verdict"] == "different", "doctor says", found)
    require({"code", "data", "picks"} <= set(found["mod.c"]["different"]), "doctor says", found)
    require(not {"same", "first", "second"} & set(found["mod.c"]["different"]), "doctor says", found)
    require(found["other.c"]["verdict"] == "different", "doctor says", found)
    require(found["other.c"]["different"] == ["hidden"], "data alone differ; doctor says", found)
    require("NOT PROVEN: rebuilt, " in doctor(s) and "this is not the command" in doctor(s), "doctor does not say so")


@case(MACROS, start=False)
def another_level_of_optimisation_is_found(s):
    path = os.path.join(s.cwd, "compile_commands.json")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(f'"{s.point.level}"', '"-O0"' if s.point.optimises else '"-O2"'))
    found = proofs(s)
    require(found["mod.c"]["verdict"] == "different", "doctor says", found)


@case(MACROS, start=False, once=True)
def a_file_saved_since_cannot_be_proven(s):
    s.edit("mod.c", "x * LEVEL", "x + LEVEL")
    found = proofs(s)
    require(found["mod.c"]["verdict"] == "unknown" and "mod.c was saved after" in found["mod.c"]["reason"],
            "doctor says", found)
    require(found["main.c"]["verdict"] == "same", "doctor says", found)


@case(MACROS, start=False, once=True)
def a_command_that_does_not_compile_is_said(s):
    path = os.path.join(s.cwd, "compile_commands.json")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace('"-g"', '"-g", "-DLEVEL=nonsense"'))
    found = proofs(s)
    require(found["mod.c"]["verdict"] == "unknown" and "does not compile" in found["mod.c"]["reason"], "doctor says",
            found)


@case(MACROS, start=False, once=True)
def quick_builds_nothing(s):
    found = {m["module"]: m.get("proof") for m in json.loads(doctor(s, "--json", "--quick"))["modules"]}
    require(set(found.values()) == {None}, "doctor says", found)


@case(MACROS, start=False, once=True, only=lambda p: p.gcc and p.optimises)
def options_that_make_updates_weaker_are_named_with_the_remedy(s):
    said = doctor(s, "--quick")
    for word in ("-fno-ipa-ra", "-fno-ipa-icf", "fitted to their callers", "all 3 modules"):
        require(word in said, f"doctor does not say {word}:", said)
    path = os.path.join(s.cwd, "compile_commands.json")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    s.program.cflags += ["-fno-ipa-ra", "-fno-ipa-icf", "-fno-asynchronous-unwind-tables"]
    s.program.build()
    said = doctor(s, "--quick")
    require("-fipa-ra" not in said and "-fipa-icf" not in said, "doctor says", said)
    require("no unwind tables" in said, "doctor says", said)
    require(text, "the database was empty")


def limits(s, *wrap, environment=None):
    done = subprocess.run([*wrap, os.environ["HOTDEV"], "doctor", "--json", "--quick", "./app"], cwd=s.cwd, text=True,
                          env={**s.environment, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=DEADLINE)
    return {limit["name"]: limit for limit in json.loads(done.stdout)["limits"]}


@case(MACROS, start=False, once=True)
def limits_of_the_machine_are_named_with_a_remedy(s):
    found = limits(s)
    for name in ("ptrace", "inotify watches", "inotify instances", "descriptors", "processes", "project", "scratch"):
        require(name in found and found[name]["message"], "doctor does not say", name, found)
    found = limits(s, "sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
    require(not found["descriptors"]["ok"] and "ulimit -n" in found["descriptors"]["remedy"], "doctor says", found)
    found = limits(s, environment={"HOTDEV_FAULT": "target.start-seize"})
    require(not found["ptrace"]["ok"] and "SYS_PTRACE" in found["ptrace"]["remedy"], "doctor says", found)


if __name__ == "__main__":
    sys.exit(main())
