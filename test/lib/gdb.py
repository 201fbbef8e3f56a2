# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb, attached to a session's program."""

import os
import re
import select
import shutil
import subprocess
import time

from session import DEADLINE, require
from tap import Skip


class Gdb:
    """gdb on the program, spoken to by its command line."""

    def __init__(self, s):
        if not shutil.which("gdb"):
            raise Skip("gdb is not installed")
        environment = {k: v for k, v in s.environment.items() if k != "HOTDEV_TEST_MARK"}
        self.process = subprocess.Popen(
            ["gdb", "-q", "-nx", "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set width 0",
             "-ex", "set debuginfod enabled off", "-ex", "set breakpoint pending on", "-p", str(s.pid)],
            cwd=s.cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.buffer, self.count = b"", 0
        self.said = self.do()
        if "ptrace: Operation not permitted" in self.said:
            self.end()
            raise Skip("gdb may not attach to the program here")

    def do(self, *commands):
        """Runs commands and returns what gdb said to them."""
        self.count += 1
        end = f"=end of {self.count}=\n"
        for command in (*commands, f"echo {end[:-1]}\\n"):
            self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + DEADLINE
        while end.encode() not in self.buffer:
            require(time.monotonic() < deadline, "gdb does not answer", commands, self.buffer[-2000:])
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                fresh = os.read(self.process.stdout.fileno(), 65536)
                require(fresh, "gdb ended:", self.buffer[-2000:])
                self.buffer += fresh
        text, _, self.buffer = self.buffer.partition(end.encode())
        self.said = text.decode(errors="replace")
        return self.said

    def expect(self, command, *patterns):
        said = self.do(command)
        for pattern in patterns:
            require(re.search(pattern, said), f"gdb's answer to {command!r} lacks {pattern!r}:\n{said}")
        return said

    def run_to(self, *patterns):
        """Continues to a breakpoint that matches; one in the entry of older code may come first."""
        for _ in range(3):
            said = self.do("continue")
            require("Breakpoint" in said, "gdb stopped for something else:", said)
            if all(re.search(pattern, said) for pattern in patterns):
                return
        require(False, "no breakpoint like", patterns, "was hit:", said)

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.write(b"detach\nquit\n")
            self.process.stdin.close()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
