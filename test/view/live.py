#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The dashboard over a real program that is really edited: the sample, on a terminal."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tmux import DEADLINE, Terminal, end_all_in, main, test  # noqa: E402

HOTDEV = os.environ.get("HOTDEV", "")
SAMPLE = os.path.join(os.environ.get("HOTDEV_SOURCE", "."), "samples", "boids")

WORKER = r"""
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>

static volatile int rounds;

const char *word(void) { return "before"; }

void
work(void)
{
	for (;;) {
		printf("%s %d\n", word(), ++rounds);
		fflush(stdout);
		usleep(20000);
	}
}

int
main(void)
{
	fork();
	work();
	return 0;
}
"""


class Place:
    def __init__(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="hotdev-"))
        self.sources = os.path.join(self.folder, "src")
        self.terminal = None

    def boids(self):
        shutil.copytree(SAMPLE, self.sources)
        for folder, _, names in os.walk(self.sources):
            for path in [folder] + [os.path.join(folder, name) for name in names]:
                os.chmod(path, 0o700)
        subprocess.run(["make", "-s", "-C", self.sources, "boids"], check=True)
        return self.start("./boids", columns=120, rows=40)

    def program(self, text):
        os.mkdir(self.sources)
        self.write("app.c", text)
        subprocess.run(["cc", "-g", "-O0", "app.c", "-o", "app"], cwd=self.sources, check=True)
        return self.start("./app", columns=120, rows=40)

    def start(self, *command, **size):
        self.terminal = Terminal(self.folder, **size)
        self.terminal.run("cd", self.sources)
        self.terminal.run(HOTDEV, *command)
        self.terminal.see("ready: " + command[0])
        return self.terminal

    def write(self, name, text):
        """As editors do: a new file, renamed over the old."""
        path = os.path.join(self.sources, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def edit(self, name, old, new):
        with open(os.path.join(self.sources, name)) as file:
            text = file.read()
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def ctl(self, *words):
        return subprocess.run([HOTDEV, "ctl", *words], env=self.terminal.environment, cwd=self.sources,
                              capture_output=True, text=True, timeout=DEADLINE)

    def pids(self, name):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/exe") == os.path.join(self.sources, name):
                    found.append(int(pid))
            except OSError:
                pass
        return found

    def close(self):
        if self.terminal:
            self.terminal.close()
        end_all_in(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def frame(screen):
    found = re.search(r"birds, frame (\d+)", screen)
    return int(found.group(1)) if found else -1


@test
def a_save_goes_live_and_the_birds_fly_on(place):
    terminal = place.boids()
    terminal.wait(lambda s: frame(s) > 0, "birds")
    before = frame(terminal.screen())
    place.edit("draw.c", "return directions[eighth & 7];", "return '*';")
    screen = terminal.see("draw.c v0 → v1 live", "state kept")
    assert re.search(r"draw\.c +v1 +v1 +\w+ .*live", screen), screen
    screen = terminal.wait(lambda s: " * " in s and frame(s) > before, "stars, and frames that count on")
    terminal.keys("u")
    terminal.see("draw.c v0 live again (undone)", "undone")
    terminal.wait(lambda s: re.search(r" [/\\<>v^] ", s), "the old birds")
    terminal.keys("U")
    terminal.see("draw.c v1 live again (redone)")
    assert len(place.pids("boids")) == 1


@test
def an_error_is_shown_where_it_is_and_goes_away_by_itself(place):
    terminal = place.boids()
    place.edit("flock.c", "f->count = count;", "f->count = count")
    screen = terminal.see("ERROR 1", "3 DETAIL flock.c  error 1 of 1", "v0 runs on everywhere")
    assert re.search(r"│flock\.c:\d+:\d+: error: expected", screen), screen
    assert re.search(r"> +\d+ \|         f->count = count", screen), screen
    assert "1 ERROR" in screen
    before = frame(screen)
    terminal.wait(lambda s: frame(s) > before, "the birds fly on")
    place.edit("flock.c", "f->count = count", "f->count = count;")
    terminal.see_not("ERROR")
    terminal.see_not("3 DETAIL")


@test
def a_frame_that_does_not_return_is_pinned_in_every_process(place):
    terminal = place.program(WORKER)
    terminal.see("before ")
    terminal.see("2 procs")
    place.edit("app.c", '"before"', '"after"')
    terminal.see("after ")
    place.edit("app.c", "usleep(20000)", "usleep(20001)")
    screen = terminal.see("PINNED 2", "v0 old", "work ", "1 old")
    assert "2 PINNED" in screen
    # Ages count on.
    terminal.wait(lambda s: re.search(r"v0 old +work [2-9]s app\.c:\d+", s), "the age of a pin")
    terminal.keys("2", "G", "Enter")
    screen = terminal.see("3 DETAIL thread", "code: old for ", "a loop that never does")
    # The whole stack, a version on every frame of the program.
    assert re.search(r"#\d +work +app\.c v0  app\.c:\d+", screen), screen
    assert re.search(r"#\d +main +app\.c v0  app\.c:\d+", screen), screen
    terminal.keys("1", "g", "Enter")
    terminal.wait(lambda s: len(re.findall(r"\d+ app in v0: work app\.c:\d+ for \d+s", s)) == 2, "who is pinned, and how long")


@test
def the_sources_of_any_two_versions_are_compared(place):
    terminal = place.program(WORKER)
    terminal.see("before ")
    place.edit("app.c", '"before"', '"first"')
    terminal.see("v0 → v1 live")
    place.edit("app.c", '"first"', '"second"')
    terminal.see("v1 → v2 live")
    terminal.keys("1", "d")
    screen = terminal.see("3 DETAIL app.c  v1 -> v2")
    assert '-const char *word(void) { return "first"; }' in screen, screen
    assert '+const char *word(void) { return "second"; }' in screen, screen
    terminal.keys("<")
    terminal.see("3 DETAIL app.c  v0 -> v2", '-const char *word(void) { return "before"; }')
    terminal.keys("{")
    terminal.see("3 DETAIL app.c  v0 -> v1", '+const char *word(void) { return "first"; }')
    said = place.ctl("diff", "app.c", "0", "v2")
    assert said.returncode == 0 and said.stdout.startswith("--- app.c v0\n+++ app.c v2\n@@"), said
    assert '+const char *word(void) { return "second"; }\n' in said.stdout
    assert place.ctl("diff", "app.c").stdout.startswith("--- app.c v1\n+++ app.c v2\n")
    said = place.ctl("diff", "app.c", "7")
    assert said.returncode == 1 and "v7 is not kept" in said.stderr, said


@test
def a_save_is_waited_for_by_scripts(place):
    terminal = place.program(WORKER)
    terminal.see("before ")
    for i in range(20):
        place.edit("app.c", f'"{"before" if i == 0 else f"word{i - 1}"}"', f'"word{i}"')
        said = place.ctl("wait", "--timeout", "60", "live")
        assert said.returncode == 0, said
        versions = json.loads(place.ctl("modules", "--json").stdout)["modules"][0]
        assert versions["live"] == i + 1, f"save {i + 1}, and v{versions['live']} is live"
    place.edit("app.c", "usleep(20000);", "usleep(20000)")
    said = place.ctl("wait", "--timeout", "60", "live")
    assert said.returncode == 1 and "app.c does not compile" in said.stderr, said
    said = place.ctl("errors").stdout
    assert re.fullmatch(r"(\S*app\.c:\d+:\d+: (error|warning|note): [^\n]*\n)+", said), said
    place.edit("app.c", "usleep(20000)", "usleep(20000);")
    assert place.ctl("wait", "--timeout", "60").returncode == 0


@test
def what_is_held_says_code_place_and_remedy(place):
    terminal = place.program(WORKER.replace("static volatile int rounds;", "static volatile int rounds;\nlong kept = 5;"))
    place.edit("app.c", "long kept = 5;", "char kept[40] = \"x\";")
    terminal.see("HELD HD102", "remedy:", "1 HELD")
    place.edit("app.c", "char kept[40] = \"x\";", "long kept = 5;")
    terminal.see_not("HELD HD102")


@test
def the_end_of_the_program_keeps_the_dashboard(place):
    terminal = place.boids()
    terminal.wait(lambda s: frame(s) > 0, "birds")
    os.kill(place.pids("boids")[0], signal.SIGTERM)
    terminal.see("ENDED status 0")
    terminal.keys("R")
    terminal.see_not("ENDED")
    terminal.wait(lambda s: frame(s) > 0, "birds again")
    terminal.keys("q", "e")
    terminal.see_not("1 MODULES")
    assert not place.pids("boids")


@test
def the_watcher_shows_what_it_saw(place):
    terminal = place.program(WORKER)
    place.edit("app.c", "rounds", "rounds ")
    terminal.see("app.c saved")
    terminal.keys(":")
    terminal.run("watch")
    terminal.see("WATCH", "MOVED_TO", "app.c.new", "looked at")
    terminal.keys("x")
    terminal.see("1 MODULES")


@test
def quitting_can_leave_the_program_running(place):
    terminal = place.boids()
    terminal.wait(lambda s: frame(s) > 0, "birds")
    terminal.keys("q", "l")
    terminal.see_not("1 MODULES")
    assert len(place.pids("boids")) == 1


if __name__ == "__main__":
    sys.exit(main(Place, HOTDEV))
