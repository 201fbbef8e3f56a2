# SPDX-License-Identifier: GPL-2.0-or-later
"""samples/game under hotdev: frames compared as pictures, and what the audio thread mixes, before and after edits."""

import functools
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import Skip, case, main, require  # noqa: E402
import sample  # noqa: E402

DRIVERS = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "SDL_RENDER_DRIVER": "software"}
SAID = re.compile(r"frame\.bmp: frame ([0-9]+), ([0-9]+) entities, score ([0-9]+), sound ([0-9.]+)")
ROCK, OTHER_ROCK = (150, 130, 110), (30, 200, 90)


class Picture:
    """A frame as SDL writes it (BITMAPINFOHEADER, 24 bits, bottom up)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        kind, _, _, self.offset, _, self.width, self.height, _, bits, _ = struct.unpack_from("<2sIIIIiiHHI", self.data)
        require((kind, bits) == (b"BM", 24) and self.height > 0, "no plain 24-bit BMP:", self.data[:54])
        self.stride = (3 * self.width + 3) // 4 * 4
        require(len(self.data) == self.offset + self.stride * self.height, "a picture of", len(self.data), "bytes")

    @functools.cached_property
    def pixels(self):
        """As (red, green, blue), from the top."""
        found = []
        for y in range(self.height):
            row = self.data[self.offset + self.stride * (self.height - 1 - y):][:3 * self.width]
            found += zip(row[2::3], row[1::3], row[0::3])
        return found

    def count(self, colour):
        return self.pixels.count(colour)

    def with_colour(self, old, new):
        return [new if p == old else p for p in self.pixels]


class Frame:
    """The next frame: its picture and what the game says of it."""

    def __init__(self, s):
        os.kill(s.pid, signal.SIGUSR1)
        line = s.line()
        said = SAID.fullmatch(line)
        require(said, "the game says", line)
        self.number, self.entities, self.score = (int(n) for n in said.groups()[:3])
        self.sound = float(said[4])
        self.picture = Picture(s.path("frame.bmp"))


def start(s):
    if not shutil.which("pkg-config") or subprocess.run(["pkg-config", "--exists", "sdl2 >= 2.0.18"]).returncode != 0:
        raise Skip("SDL2 is not installed (libsdl2-dev)")
    sample.build(s, "game")
    s.start()
    # Only now does it take signals.
    require(s.line() == "640 x 480, 60 frames a second", "this is not the game")


def frame_where(s, condition, sentence):
    """The first frame of which this is true."""
    found = []

    def tried():
        found[:] = [Frame(s)]
        return condition(found[0])

    s.wait_until(tried, sentence)
    return found[0]


def pause(s):
    """The frame at which the game stands still from now on."""
    os.kill(s.pid, signal.SIGUSR2)
    return frame_where(s, lambda f: f.number == Frame(s).number, "the game does not pause")


@case({}, environment=DRIVERS, **sample.OPTIONS)
def a_colour_is_edited_and_only_that_changes_in_the_picture(s):
    start(s)
    frame_where(s, lambda f: f.score > 0, "the ship hits nothing")
    before = pause(s)
    picture = before.picture
    require((picture.width, picture.height) == (640, 480), "the size is", picture.width, picture.height)
    require(picture.count(ROCK) > 500 and not picture.count(OTHER_ROCK), "there are", picture.count(ROCK), "of a rock")

    s.edit("draw.c", "[ROCK] = {150, 130, 110, 255}", "[ROCK] = {30, 200, 90, 255}")
    event = s.outcome("live")
    require(event["threads"] >= 2, "the audio thread is not counted:", event)
    after = Frame(s)
    require((after.number, after.entities, after.score) == (before.number, before.entities, before.score),
            "the game went on, or started anew")
    require(after.picture.pixels == picture.with_colour(ROCK, OTHER_ROCK), "more or less than the colour changed")

    s.undo()
    require(Frame(s).picture.pixels == picture.pixels, "undo did not bring the picture back")
    os.kill(s.pid, signal.SIGUSR2)
    frame_where(s, lambda f: f.number > before.number, "the game does not go on")
    os.kill(s.pid, signal.SIGTERM)
    s.finish()


def edit(s, *what):
    """By libtcc, which must get along with SDL's headers."""
    s.edit(*what)
    event = s.outcome("live")
    if s.point.gcc:
        compilers = {m["compiler"] for m in event["modules"]}
        require(compilers == {"tcc"}, "live by", compilers, s.ctl("modules", "--json"))


@case({}, environment=DRIVERS, **sample.OPTIONS)
def functions_are_edited_while_the_game_and_its_audio_thread_run(s):
    start(s)
    first = frame_where(s, lambda f: f.sound > 0, "nothing is heard")
    edit(s, "sound.c", "fminf(1, fmaxf(-1, volume * sum))", "0 * fminf(1, fmaxf(-1, volume * sum))")
    frame_where(s, lambda f: f.sound == 0, "the audio thread goes on as before")
    edit(s, "sound.c", "0 * fminf", "fminf")
    frame_where(s, lambda f: f.sound > 0, "the audio thread remains silent")

    edit(s, "draw.c", "SDL_RenderClear(renderer);", "SDL_RenderClear(renderer);\n\treturn;")
    empty = Frame(s)
    require(len(set(empty.picture.pixels)) == 1, "something is drawn:", set(empty.picture.pixels))
    edit(s, "draw.c", "\n\treturn;", "")
    require(Frame(s).picture.count(ROCK) > 0, "nothing is drawn")

    edit(s, "world.c", "for (unsigned i = 0; i < count; i++) {", "for (unsigned i = 0; i < 20 * count; i++) {")
    last = frame_where(s, lambda f: f.entities > 200, "no more sparks than before")
    edit(s, "frame.c", "world_count(g), g->score,", "world_count(g), g->score + 1000,")
    require(Frame(s).score >= 1000, "the frame goes on as before")
    # All of SDL's headers; and the one loop that stays as it is.
    edit(s, "main.c", 'fail("window")', 'fail("no window")')
    s.wait("pinned", where=lambda e: e["function"] == "main" and e["tid"] == s.pid)
    require(last.number > first.number, "frames were", first.number, "and", last.number)
    os.kill(s.pid, signal.SIGTERM)
    s.finish()


if __name__ == "__main__":
    sys.exit(main())
