#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`hotdev demo`, done as its guide and the sample's README say."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tmux import Terminal, end_all_in, main, test  # noqa: E402

HOTDEV = os.environ.get("HOTDEV", "")
COLUMNS, ROWS = 80, 44


class Place:
    def __init__(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="hotdev-"))
        self.sources = os.path.join(self.folder, "hotdev-demo")
        self.terminal = None

    def start(self, *options):
        self.terminal = Terminal(self.folder, columns=COLUMNS, rows=ROWS)
        self.terminal.run("cd", self.folder)
        self.terminal.run(HOTDEV, "demo", *options)
        return self.terminal

    def edit(self, name, old, new):
        path = os.path.join(self.sources, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert text.count(old) == 1, f"{name} has {text.count(old)} times {old!r}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def close(self):
        if self.terminal:
            self.terminal.close()
        end_all_in(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def frame(screen):
    found = re.search(r"60 birds, frame (\d+)", screen)
    return int(found.group(1)) if found else -1


def fly_on(terminal):
    """Frames count on from here."""
    before = frame(terminal.wait(lambda s: frame(s) > 0, "birds"))
    terminal.wait(lambda s: frame(s) > before, "frames that count on")


def birds(screen):
    """(column, glyph) of those on the screen: the program's pane ends with its count of them."""
    if " OUTPUT " not in screen or "60 birds" not in screen:
        return []
    lines = screen[screen.index(" OUTPUT "):screen.index("60 birds")].splitlines()[1:]
    return [(m.start(), m[0]) for line in lines for m in re.finditer(r"[>\\v/<^*]", line)]


def are_stars(screen):
    return {glyph for _, glyph in birds(screen)} == {"*"}


def look_where_they_fly(screen):
    glyphs = {glyph for _, glyph in birds(screen)}
    return glyphs and "*" not in glyphs


def width(screen):
    """How many columns the middle half of the birds takes."""
    at = sorted(column for column, _ in birds(screen))
    return at[len(at) * 3 // 4] - at[len(at) // 4] if len(at) > 8 else COLUMNS


@test
def the_guide_leads_through_its_story(place):
    terminal = place.start()
    # The dashboard's second line is the guide's.
    screen = terminal.see(" 1/7 flock.c: make cohesion 6.0f, save.")
    assert screen.splitlines()[1].startswith(" 1/7 "), screen
    fly_on(terminal)
    wide = width(terminal.screen())
    place.edit("flock.c", "cohesion = 0.6f", "cohesion = 6.0f")
    terminal.see(" 2/7 draw.c: in glyph(), return '*', save.")
    terminal.wait(lambda s: width(s) < wide / 2, "that they draw together")
    fly_on(terminal)
    place.edit("draw.c", "return directions[eighth & 7];", "return '*';")
    terminal.see(" 3/7 Press u")
    terminal.wait(are_stars, "stars")
    terminal.keys("u")
    terminal.wait(look_where_they_fly, "birds as before")
    terminal.keys("U")
    terminal.see(" 4/7 flock.c: delete a semicolon, save.")
    place.edit("flock.c", "f->count = count;", "f->count = count")
    terminal.see(" 5/7 Put the semicolon back, save.", "ERROR 1", "flock.c:")
    fly_on(terminal)
    place.edit("flock.c", "f->count = count\n", "f->count = count;\n")
    screen = terminal.see(" 6/7 boids.h: add  float age;  to boid, save.")
    assert "ERROR" not in screen, screen
    place.edit("boids.h", "/* per second */\n", "/* per second */\n\tfloat age;\n")
    terminal.see(" 7/7 Take  float age;  out again, save.")
    fly_on(terminal)
    place.edit("boids.h", "\tfloat age;\n", "")
    screen = terminal.see(" That was all: hotdev ./yourprogram does the same.")
    terminal.see_not("HELD")
    fly_on(terminal)
    terminal.keys("q", "e")
    terminal.see("PROMPT")


@test
def a_folder_that_is_there_goes_on_as_it_was_left(place):
    terminal = place.start()
    terminal.see(" 1/7 ")
    place.edit("draw.c", "return directions[eighth & 7];", "return '*';")
    terminal.wait(are_stars, "stars")
    terminal.keys("q", "e")
    terminal.see("PROMPT")
    terminal.run(HOTDEV, "demo")
    terminal.wait(lambda s: " 1/7 " in s and are_stars(s), "stars in a new start")


@test
def without_a_dashboard_the_guide_writes_lines(place):
    process = subprocess.Popen([HOTDEV, "demo", "--plain", place.sources], cwd=place.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    while not (said and said[-1].startswith("demo: ")) and (line := process.stderr.readline()):
        said.append(line)
    process.terminate()
    process.communicate()
    assert said[-1].startswith("demo: 1/7 flock.c: make cohesion 6.0f"), said


if __name__ == "__main__":
    sys.exit(main(Place, HOTDEV))
