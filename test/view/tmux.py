# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal to run a program in, as a person would: tmux, keys in, the screen read back; and the tests that do so.

    @test
    def a_promise_in_words(place): ...

Each test has a place of its own, which is closed after it. Arguments on the
command line choose tests by a part of their name."""

import os
import shlex
import signal
import subprocess
import sys
import time
import traceback

DEADLINE = 120  # seconds; generous: the machine may be busy


class Missing(Exception):
    pass


def end_all_in(folder):
    """What was started in this folder ends: programs outlive a hotdev that is killed."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if (os.readlink(f"/proc/{pid}/cwd") + "/").startswith(folder + "/"):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


class Terminal:
    def __init__(self, folder, columns=100, rows=30, environment=None):
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        self.environment.update({"TMUX_TMPDIR": folder, "XDG_RUNTIME_DIR": folder, "LC_ALL": "C.UTF-8",
                                 "TERM": "screen-256color", "EDITOR": "true"})
        self.environment.update(environment or {})
        self.environment.pop("VISUAL", None)
        try:
            self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "t",
                      "PS1='PROMPT ' exec bash --norc --noprofile")
        except FileNotFoundError:
            raise Missing("tmux is not installed")
        self.tmux("set-option", "-g", "escape-time", "0")
        self.wait(lambda s: "PROMPT" in s, "the shell's prompt")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", "t", *words], env=self.environment, check=True, capture_output=True,
                              text=True, timeout=DEADLINE).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "t").rstrip("\n") + "\n"

    def wait(self, predicate, what):
        end = time.monotonic() + DEADLINE
        while True:
            screen = self.screen()
            if predicate(screen):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"never seen: {what}\n{screen}")
            time.sleep(0.05)

    def see(self, *texts):
        return self.wait(lambda s: all(t in s for t in texts), ", ".join(texts))

    def see_not(self, text):
        return self.wait(lambda s: text not in s, f"that {text!r} is gone")

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def type(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)

    def run(self, *command):
        """Types a command line."""
        self.type(" ".join(shlex.quote(c) for c in command))
        self.keys("Enter")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def flag(self, name):
        return self.tmux("display-message", "-p", "-t", "t", "#{" + name + "}").strip()

    def close(self):
        try:
            self.tmux("kill-server")
        except (subprocess.SubprocessError, OSError):
            pass


TESTS = []


def test(function):
    TESTS.append(function)
    return function


def run_one(function, new_place):
    """What TAP says of it: "ok" and a reason to skip, or "not ok" and a report."""
    place = new_place()
    try:
        function(place)
        return "ok", "", ""
    except Missing as missing:
        return "ok", f" # SKIP {missing}", ""
    except Exception:
        return "not ok", "", traceback.format_exc()
    finally:
        place.close()


def main(new_place, command):
    if not os.access(command, os.X_OK):
        print(f"Bail out! {command or 'HOTDEV'} is not built")
        return 1
    wanted = sys.argv[1:]
    tests = [t for t in TESTS if not wanted or any(w in t.__name__ or w in t.__name__.replace("_", " ") for w in wanted)]
    print(f"1..{len(tests)}")
    failures = 0
    for number, each in enumerate(tests, 1):
        verdict, skip, report = run_one(each, new_place)
        print("".join(f"# {line}\n" for line in report.splitlines()), end="")
        print(f"{verdict} {number} - {each.__name__.replace('_', ' ')}{skip}", flush=True)
        failures += verdict != "ok"
    return 1 if failures else 0
