# SPDX-License-Identifier: GPL-2.0-or-later
"""A server whose page is edited while it serves, each in its own way.

edit(n) saves the page and returns when the server has it, or at once where the way itself takes its time; lives()
is how many edits have gone live by now; pids() whose memory counts."""

import os
import shutil
import subprocess

from generate import write
from live import Live
from setting import DEADLINE, PROGRAMS, SOURCE, lacks
from subjects import clean_environment
from ways import Asked

WORKERS = "2"


def read_port(stream):
    return int(stream.readline().strip().rstrip("/").rpartition(":")[2])


class Server:
    """samples/httpd, left alone."""

    name, edited, keeps_versions = "no edits", False, True

    def lacks(self):
        return lacks("wrk")

    def start(self, folder):
        self.folder = folder
        source = os.path.join(SOURCE, "samples", "httpd")
        for file in os.listdir(source):
            if file.endswith((".c", ".h")) or file == "Makefile":
                shutil.copyfile(os.path.join(source, file), os.path.join(folder, file))
        with open(os.path.join(folder, "handler.c"), encoding="utf-8") as file:
            self.text = file.read()
        self.make()
        self.run()

    def make(self):
        subprocess.run(["make", "-s"], cwd=self.folder, check=True, env=clean_environment())

    def run(self):
        self.process = self.new_process(0)
        self.port = read_port(self.process.stdout)

    def new_process(self, port, **popen):
        return subprocess.Popen(["./httpd", str(port), WORKERS], cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                **popen)

    def save(self, n):
        write(self.folder, "handler.c", self.text.replace("Hello, world.", f"Version {n}."))

    def lives(self):
        return 0

    def pids(self):
        return [self.process.pid]

    def end(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


class Reloaded(Server):
    """hotdev as users have it: libtcc at once, the makefile's compiler behind it."""

    name, edited = "hotdev", True

    def run(self):
        self.live = Live(self.folder, ["./httpd", "0", WORKERS], "--plain", stdout=subprocess.PIPE, text=True)
        self.process = self.live.process
        self.port = read_port(self.process.stdout)
        self.seen = []

    def edit(self, n):
        self.save(n)
        self.seen += self.live.drain()

    def lives(self):
        self.seen += self.live.drain()
        return sum(event["event"] == "live" for event in self.seen)

    def pids(self):
        return [self.live.pid]

    def save_to_live_ms(self):
        return [event["save_to_live_ms"] for event in self.seen if event["event"] == "live"]

    def end(self):
        self.live.end()


class Rolling(Server):
    """make, and each of the processes in turn: the new one listens before the old one is ended (SO_REUSEPORT)."""

    edited, keeps_versions = True, False

    def __init__(self, processes, name):
        self.count, self.name, self.edits = processes, name, 0

    def run(self):
        shim = os.path.join(self.folder, "reuseport.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", shim,
                        os.path.join(PROGRAMS, "server", "reuseport.c")], check=True)
        self.environment = {**os.environ, "LD_PRELOAD": shim}
        first = self.new_process(0, env=self.environment)
        self.port = read_port(first.stdout)
        self.processes = [first] + [self.listening() for _ in range(self.count - 1)]

    def listening(self):
        process = self.new_process(self.port, env=self.environment)
        process.stdout.readline()
        return process

    def edit(self, n):
        self.save(n)
        self.make()
        for index, old in enumerate(self.processes):
            self.processes[index] = self.listening()
            old.terminate()
            old.wait(DEADLINE)
        self.edits += 1

    def lives(self):
        return self.edits

    def pids(self):
        return [process.pid for process in self.processes]

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait(DEADLINE)


class Inets(Server):
    """Erlang's own web server; an edit is c(page)."""

    def __init__(self, edited, name):
        self.edited, self.name, self.edits = edited, name, 0

    def lacks(self):
        return lacks("wrk", "erl")

    def start(self, folder):
        self.folder = folder
        for name in ("server.erl", "page.erl"):
            subprocess.run(["erlc", os.path.join(PROGRAMS, "erlang", name)], cwd=folder, check=True)
        with open(os.path.join(PROGRAMS, "erlang", "page.erl"), encoding="utf-8") as file:
            self.text = file.read()
        self.erl = Asked("erl", "-noshell", "-s", "server", folder=folder)
        self.port = read_port(self.erl.process.stdout)

    def edit(self, n):
        write(self.folder, "page.erl", self.text.replace("Version 0", f"Version {n}"))
        self.erl.ask("")
        self.edits += 1

    def lives(self):
        return self.edits

    def pids(self):
        return [self.erl.process.pid]

    def end(self):
        self.erl.end()


def all_servers():
    return [
        Server(),
        Reloaded(),
        Rolling(1, "make, SO_REUSEPORT, new process before old"),
        Rolling(2, "make, rolling restart of two processes"),
        Inets(False, "Erlang inets, no edits"),
        Inets(True, "Erlang inets, c(m)"),
    ]
