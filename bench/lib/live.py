# SPDX-License-Identifier: GPL-2.0-or-later
"""A program under hotdev, and the events of it as they come: nobody polls, so nothing here takes a core."""

import json
import os
import select
import subprocess
import time

from setting import DEADLINE, HOTDEV


class Gone(RuntimeError):
    pass


class Live:
    """program: its words. Standard input stays open until the end: programs may wait for it. Events must be taken as
    they come: hotdev does not lose any, and would wait."""

    def __init__(self, folder, program, *options, command=HOTDEV, **popen):
        fifo = os.path.join(folder, f"events-{time.monotonic_ns()}")
        os.mkfifo(fifo)
        self.events = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.rest = b""
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **popen}
        self.process = subprocess.Popen([command, "--events", fifo, *options, *program], cwd=folder, **popen)
        try:
            self.ready = self.wait("ready")
        except BaseException:
            self.process.kill()
            raise
        os.unlink(fifo)
        self.pid = self.ready["pid"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def take(self, seconds):
        """The next event; None: there was none in that time."""
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            if not select.select([self.events], [], [], max(0, end - time.monotonic()))[0]:
                return None
            fresh = os.read(self.events, 65536)
            if not fresh:
                if self.process.poll() is not None:
                    raise Gone(f"hotdev ended with {self.process.returncode}")
                time.sleep(0.001)  # hotdev has not opened its end yet
            self.rest += fresh
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def wait(self, name):
        """The next event of that name. A refusal on the way is a mistake of the benchmark, or of hotdev."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            event = self.take(end - time.monotonic())
            if event and event["event"] == name:
                return event
            if event and event["event"] in ("failed", "held", "crashed"):
                raise Gone(f"no {name}: {json.dumps(event)}")
        raise Gone(f"no {name} within {DEADLINE} s")

    def drain(self):
        """All events that have come by now."""
        found = []
        while event := self.take(0):
            found.append(event)
        return found

    def ask(self, line):
        """Where standard output is a pipe: the program's answer to a line."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        """The program reads the end of its input; one that does not read is asked to end."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(DEADLINE)
        os.close(self.events)
