# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal to run a program in, as a person would: tmux, keys in, the screen read back."""

import os
import shlex
import signal
import subprocess
import time

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
