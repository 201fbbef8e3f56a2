# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases and how they are run: one TAP line for each case at each matrix point.

    @case({"mod.c": '''...'''}, cflags=["-fcommon"])
    def tentative_definitions_are_kept(s):
        s.expect("get", "1")
        s.edit("mod.c", "old", "new")
        s.live()

A case gets a Session whose program runs already. With start=False it gets a
Session that it starts itself. Arguments on the command line choose cases by a
part of their name."""

import concurrent.futures
import os
import shutil
import sys
import tempfile
import threading
import traceback

import matrix
from session import Failure, Session

# Answers lines until the input ends; a function of the case may call nested() to answer from inside itself.
MAIN = r"""
#include <stdio.h>
#include <string.h>

void answer(const char *command);
void nested(void);

void
nested(void)
{
	char line[256];
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strcmp(line, "leave"))
			return;
		answer(line);
		putchar('\n');
		fflush(stdout);
	}
}

int
main(void)
{
	nested();
	return 0;
}
"""


class Skip(Exception):
    pass


class Case:
    def __init__(self, function, files, options):
        self.function, self.files = function, files
        self.start = options.pop("start", True)
        self.build = options.pop("build", True)
        self.once = options.pop("once", False)
        self.only = options.pop("only", None)
        self.arguments = options.pop("arguments", [])
        self.hotdev = options.pop("hotdev", [])
        self.environment = options.pop("environment", {})
        self.program = options

    @property
    def name(self):
        return self.function.__name__.replace("_", " ")

    def points(self):
        chosen = [p for p in matrix.points() if self.only is None or self.only(p)]
        return chosen[:1] if self.once else chosen

    def files_here(self):
        files = dict(self.files)
        if "mod.c" in files and "main.c" not in files:
            files["main.c"] = MAIN
        return files


CASES = []


def case(files, **options):
    """start, build: False where the case does that itself. once: at one matrix point only. only: a predicate on points. arguments: the program's.
    hotdev: options of hotdev. environment: of both. The rest goes to matrix.Program."""

    def register(function):
        CASES.append(Case(function, files, options))
        return function

    return register


def run_one(each, point):
    """(word, reason): ok, skip or fail, and what to say about it."""
    if point.missing():
        return "skip", point.missing()
    folder = tempfile.mkdtemp(prefix="hotdev-")
    session = None
    try:
        sources = os.path.join(folder, "src")
        os.mkdir(sources)
        program = matrix.Program(os.path.realpath(sources), point, each.files_here(), **each.program)
        if each.build:
            program.build()
        session = Session(program, folder, each.arguments, each.hotdev, each.environment)
        if each.start:
            session.start()
        each.function(session)
        session.finish()
        return "ok", ""
    except Skip as skip:
        return "skip", str(skip)
    except (Failure, matrix.BuildError, AssertionError, OSError) as failure:
        where = "".join(traceback.format_tb(failure.__traceback__)[-3:])
        report = session.report() if session else ""
        return "fail", f"{type(failure).__name__}: {failure}\n{where}{report}"
    except Exception:  # a mistake in the test itself must not lose the other results
        return "fail", traceback.format_exc() + (session.report() if session else "")
    finally:
        if session:
            session.abandon()
        if os.environ.get("HOTDEV_KEEP"):
            print(f"# kept {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    hotdev = os.environ.get("HOTDEV")
    if not hotdev or not os.access(hotdev, os.X_OK):
        print(f"Bail out! HOTDEV does not name the built command ({hotdev})")
        return 1
    wanted = sys.argv[1:]
    jobs = [(each, point) for each in CASES for point in each.points()
            if not wanted or any(w in each.name or w in each.function.__name__ for w in wanted)]
    print(f"1..{len(jobs)}", flush=True)
    lock, failures = threading.Lock(), 0
    workers = int(os.environ.get("HOTDEV_JOBS") or os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(run_one, *job): job for job in jobs}
        # Numbered as they end: TAP counts upwards.
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            each, point = futures[future]
            word, reason = future.result()
            with lock:
                if word == "fail":
                    failures += 1
                    print("".join(f"# {line}\n" for line in reason.splitlines()), end="")
                verdict = "not ok" if word == "fail" else "ok"
                skip = f" # SKIP {reason}" if word == "skip" else ""
                print(f"{verdict} {number} - {each.name} [{point.name}]{skip}", flush=True)
    return 1 if failures else 0
