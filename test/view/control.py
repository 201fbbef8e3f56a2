#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command without a terminal: exit statuses, signals, the journal, the control socket and its hostile clients."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tmux import end_all_in, main, test  # noqa: E402

HOTDEV = os.path.join(os.environ.get("HOTDEV_BUILD", "."), "test", "view", "hotdev-double")
DEADLINE = 120


class Place:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hotdev-")
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": self.folder, "LC_ALL": "C.UTF-8"}
        self.started = []

    def command(self, *words, environment=None, **options):
        return subprocess.run([HOTDEV, *words], env={**self.environment, **(environment or {})}, capture_output=True,
                              text=True, timeout=DEADLINE, cwd=self.folder, **options)

    def ctl(self, *words):
        return self.command("ctl", *words)

    def start(self, *words, environment=None):
        """A plain hotdev that is ready."""
        journal = os.path.join(self.folder, f"events{len(self.started)}")
        process = subprocess.Popen([HOTDEV, "--plain", "--events", journal, *words],
                                   env={**self.environment, **(environment or {})}, cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        process.journal = journal
        self.started.append(process)
        wait_for(lambda: any(e["event"] == "ready" for e in events(process)), "ready")
        return process

    def socket(self):
        folder = os.path.join(self.folder, "hotdev")
        return os.path.join(folder, os.listdir(folder)[0])

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.socket())
        client.settimeout(DEADLINE)
        return client

    def close(self):
        for process in self.started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                pass
            process.wait()
        end_all_in(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(predicate, what):
    end = time.monotonic() + DEADLINE
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.02)


def events(process):
    try:
        with open(process.journal) as file:
            return [json.loads(line) for line in file.read().splitlines(True) if line.endswith("\n")]
    except FileNotFoundError:
        return []


def ask(client, request):
    client.sendall((request if isinstance(request, str) else json.dumps(request)).encode() + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        piece = client.recv(65536)
        if not piece:
            return None
        line += piece
    return json.loads(line)


@test
def the_exit_status_is_the_programs(place):
    assert place.command("--plain", "sh", "-c", "exit 0").returncode == 0
    assert place.command("--plain", "sh", "-c", "exit 7").returncode == 7
    assert place.command("--plain", "sh", "-c", "kill -SEGV $$").returncode == 128 + signal.SIGSEGV


@test
def a_refusal_at_start_is_a_sentence_and_a_status(place):
    run = place.command("--plain", "--events", "-", "./missing")
    assert run.returncode == 3 and "hotdev: ./missing cannot be started" in run.stderr and run.stdout == ""
    run = place.command("--plain", "true", environment={"HOTDEV_DOUBLE_START": "watch"})
    assert run.returncode == 4 and "hotdev: " in run.stderr
    for words in ([], ["--nonsense", "true"], ["--keep", "x", "true"], ["ctl"], ["ctl", "dance"],
                  ["ctl", "undo", "a", "b"], ["ctl", "wait", "--timeout", "x"], ["ctl", "status"], ["doctor"]):
        run = place.command(*words)
        assert run.returncode == 2 and run.stderr, words


@test
def the_program_keeps_standard_input_and_output(place):
    run = place.command("--plain", "cat", input="hello\n")
    assert run.stdout == "hello\n" and "hotdev: ready: cat" in run.stderr


@test
def events_on_standard_output_are_one_object_a_line(place):
    run = place.command("--plain", "--events", "-", "true")
    told = [json.loads(line) for line in run.stdout.splitlines()]
    assert [e["event"] for e in told] == ["ready", "process"] and all(e["v"] == 1 and e["t"] >= 0 for e in told)


@test
def a_journal_is_appended_to_and_private(place):
    path = os.path.join(place.folder, "journal")
    for _ in range(2):
        place.command("--plain", "--events", path, "true")
    with open(path) as file:
        assert [json.loads(line)["event"] for line in file] == ["ready", "process"] * 2
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@test
def a_journal_that_cannot_be_written_is_said_and_harms_nothing(place):
    run = place.command("--plain", "--events", "j", "sh", "-c", "exit 4", environment={"HOTDEV_FAULT": "journal.write"})
    assert run.returncode == 4 and run.stderr.count("events are lost") == 1
    run = place.command("--plain", "--events", "/nowhere/j", "true")
    assert run.returncode == 3 and "cannot be opened" in run.stderr


@test
def ctrl_c_is_the_programs_affair(place):
    process = place.start("sh", "-c", 'trap "exit 9" INT; : > trapped; while :; do sleep 0.05; done')
    wait_for(lambda: os.path.exists(os.path.join(place.folder, "trapped")), "the trap")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(DEADLINE) == 9


@test
def sigterm_ends_the_program_and_hotdev(place):
    process = place.start("sleep", "1000")
    program = events(process)[0]["pid"]
    process.terminate()
    assert process.wait(DEADLINE) == 0
    assert not os.path.exists(f"/proc/{program}")
    assert not os.listdir(os.path.join(place.folder, "hotdev")), "the socket was left"


@test
def quit_ends_both(place):
    process = place.start("sleep", "1000")
    assert place.ctl("quit").returncode == 0
    assert process.wait(DEADLINE) == 0


@test
def the_socket_is_its_owners_alone(place):
    place.start("sleep", "1000")
    assert stat.S_IMODE(os.stat(place.socket()).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(place.socket())).st_mode) == 0o700


@test
def commands_answer_by_status_and_sentence(place):
    place.start("sleep", "1000")
    run = place.ctl("status")
    assert run.returncode == 0 and "state       running" in run.stdout
    status = json.loads(place.ctl("status", "--json").stdout)
    assert status["v"] == 1 and status["ok"] and status["status"]["program"] == "sleep"
    assert place.ctl("undo").returncode == 0
    run = place.ctl("undo", "other.c")
    assert run.returncode == 1 and "no transaction contains other.c" in run.stderr
    assert place.ctl("redo", "main.c").returncode == 0
    assert json.loads(place.ctl("modules", "--json").stdout)["modules"][0]["module"] == "main.c"
    assert place.ctl("reload").returncode == 0
    assert place.ctl("purge").returncode == 1
    assert place.ctl("pause").returncode == 0
    assert json.loads(place.ctl("status", "--json").stdout)["status"]["paused"] is True
    assert place.ctl("resume").returncode == 0
    assert place.ctl("wait", "idle").returncode == 0
    run = place.ctl("wait", "--timeout", "0.1", "live")
    assert run.returncode == 1 and "timed out" in run.stderr


@test
def an_answer_comes_after_the_event_it_caused(place):
    process = place.start("sleep", "1000")
    assert place.ctl("undo").returncode == 0
    assert events(process)[-1]["event"] == "undone"
    pid = events(process)[0]["pid"]
    assert place.ctl("restart").returncode == 0
    assert events(process)[-1]["event"] == "ready" and events(process)[-1]["pid"] != pid


@test
def errors_are_lines_that_editors_read(place):
    journal = os.path.join(place.folder, "script")
    with open(journal, "w") as file:
        file.write(json.dumps({"v": 1, "t": 0, "event": "failed", "files": ["a.c", "b.c"], "compiler": "gcc",
                               "diagnostics": [{"file": "a.h", "line": 3, "column": 7, "severity": "error",
                                                "message": "bad \u001b[1m"}]}) + "\n")
    process = place.start("sleep", "1000", environment={"HOTDEV_DOUBLE_JOURNAL": journal})
    wait_for(lambda: events(process)[-1]["event"] == "failed", "failed")
    assert place.ctl("errors").stdout == "a.h:3:7: error: bad \ufffd[1m\n"


@test
def waiting_for_what_failed_says_so(place):
    journal = os.path.join(place.folder, "script")
    with open(journal, "w") as file:
        file.write(json.dumps({"v": 1, "t": 0, "event": "failed", "files": ["a.c"], "compiler": "gcc",
                               "diagnostics": [{"file": "a.c", "line": 3, "severity": "error", "message": "bad"}]}) + "\n")
    process = place.start("sleep", "1000", environment={"HOTDEV_DOUBLE_JOURNAL": journal})
    wait_for(lambda: events(process)[-1]["event"] == "failed", "failed")
    run = place.ctl("wait", "--timeout", "0.1", "live")
    assert run.returncode == 1 and "a.c does not compile" in run.stderr, run


@test
def quitting_can_leave_the_program(place):
    process = place.start("sleep", "1000")
    program = events(process)[0]["pid"]
    assert place.ctl("quit", "now").returncode == 2
    assert place.ctl("quit", "leave").returncode == 0
    assert process.wait(DEADLINE) == 0
    os.kill(program, 0)


@test
def differences_are_refused_with_a_sentence(place):
    place.start("sleep", "1000")
    assert place.ctl("undo").returncode == 0
    for words, sentence in ((["other.c"], "no module"), ([], "which module"), (["main.c", "9", "1"], "is not kept"),
                            (["main.c", "x"], "a version is a number"), (["main.c", "-1"], "one word too many")):
        run = place.ctl("diff", *words)
        assert run.returncode in (1, 2) and sentence in run.stderr, (words, run)


@test
def the_desktop_is_told_when_asked(place):
    tool = os.path.join(place.folder, "bin", "notify-send")
    os.mkdir(os.path.dirname(tool))
    told = os.path.join(place.folder, "told")
    with open(tool, "w") as file:
        file.write(f'#!/bin/sh\nfor word; do echo "$word"; done > {told}.new\nmv {told}.new {told}\n')
    os.chmod(tool, 0o755)
    journal = os.path.join(place.folder, "script")
    with open(journal, "w") as file:
        file.write(json.dumps({"v": 1, "t": 0, "event": "failed", "files": ["<b>.c"], "compiler": "gcc",
                               "diagnostics": [{"file": "a.h", "line": 3, "severity": "error", "message": "bad"}]}) + "\n")
    path = os.path.dirname(tool) + ":" + os.environ["PATH"]
    place.start("--notify", "sleep", "1000", environment={"HOTDEV_DOUBLE_JOURNAL": journal, "PATH": path})
    wait_for(lambda: os.path.exists(told), "the notification")
    with open(told) as file:
        words = file.read().splitlines()
    assert words[-2:] == ["hotdev sleep", "&lt;b&gt;.c failed: 1 error (gcc), the old code runs on"], words
    without = os.path.join(place.folder, "empty")
    os.mkdir(without)
    run = place.command("--plain", "--notify", "/bin/true", environment={"PATH": without})
    assert run.returncode == 2 and "notify-send" in run.stderr, run


@test
def several_running_are_listed(place):
    place.start("sleep", "1000")
    place.start("sleep", "1001")
    run = place.ctl("status")
    assert run.returncode == 2 and run.stderr.count(".sock") == 2
    chosen = [w for w in run.stderr.split() if w.endswith(".sock")][0]
    assert place.ctl("-s", chosen, "status").returncode == 0


@test
def a_socket_left_by_a_killed_hotdev_does_not_count(place):
    first = place.start("sleep", "1000")
    first.kill()
    first.wait()
    place.start("sleep", "1001")
    assert "sleep" in place.ctl("status").stdout


@test
def a_socket_in_use_or_another_file_in_its_place_is_not_touched(place):
    path = os.path.join(place.folder, "file")
    with open(path, "w") as file:
        file.write("precious")
    run = place.command("--plain", "--socket", path, "true")
    assert run.returncode == 2 and "is no socket" in run.stderr
    with open(path) as file:
        assert file.read() == "precious"
    place.start("--socket", path + ".sock", "sleep", "1000")
    run = place.command("--plain", "--socket", path + ".sock", "true")
    assert run.returncode == 2 and "running hotdev" in run.stderr
    assert place.ctl("-s", path + ".sock", "status").returncode == 0


@test
def events_stream_to_who_follows(place):
    place.start("sleep", "1000")
    follower = subprocess.Popen([HOTDEV, "ctl", "events"], env=place.environment, stdout=subprocess.PIPE, text=True)
    place.started.append(follower)
    # Undone until the follower has been heard: it may connect after the first.
    wait_for(lambda: place.ctl("undo").returncode == 0 and ready_to_read(follower.stdout), "an event")
    assert json.loads(follower.stdout.readline())["event"] == "undone"
    follower.terminate()
    follower.wait()


def ready_to_read(stream):
    import select
    return bool(select.select([stream], [], [], 0)[0])


@test
def nonsense_is_answered_and_let_go(place):
    place.start("sleep", "1000")
    for nonsense in ("hello", "{}", '{"v":2,"command":"status"}', "[1,2", '{"v":1}', '{"v":1,"command":5}', "\0\xff"):
        client = place.connect()
        answer = ask(client, nonsense)
        assert answer["ok"] is False and answer["error"]
        assert client.recv(1) == b""
        client.close()
    client = place.connect()
    for request in ({"v": 1, "command": "dance"}, {"v": 1, "command": "undo", "arguments": ["a", "b", "c"]},
                    {"v": 1, "command": "undo", "arguments": ["other.c"]},
                    {"v": 1, "command": "wait", "arguments": ["never"]}):
        assert ask(client, request)["ok"] is False
    assert place.ctl("status").returncode == 0


@test
def slow_and_hostile_clients_stall_nobody(place):
    process = place.start("sleep", "1000")
    flood = place.connect()
    try:
        for _ in range(100):
            flood.sendall(b"x" * 4096)
        assert flood.recv(1) == b"", "an endless request was kept"
    except (BrokenPipeError, ConnectionResetError):
        pass
    deaf = place.connect()
    deaf.sendall(b'{"v":1,"command":"events"}\n')
    silent = [place.connect() for _ in range(20)]
    greedy = place.connect()
    greedy.setblocking(False)
    try:
        while True:
            greedy.send(b'{"v":1,"command":"modules"}\n' * 100)
    except OSError:
        pass
    for _ in range(50):
        assert place.ctl("undo").returncode == 0
    assert process.poll() is None
    for client in silent:
        client.close()
    many = [place.connect() for _ in range(100)]
    for client in many + [greedy, deaf]:
        client.close()
    wait_for(lambda: place.ctl("status").returncode == 0, "an answer")


@test
def several_requests_on_one_connection_are_answered_in_order(place):
    place.start("sleep", "1000")
    client = place.connect()
    client.sendall(b'{"v":1,"command":"wait","arguments":["idle"]}\n{"v":1,"command":"status"}\n'
                   b'{"v":1,"command":"pins"}\n')
    stream = client.makefile()
    assert "status" not in json.loads(stream.readline())
    assert "status" in json.loads(stream.readline())
    assert json.loads(stream.readline())["pins"] == []


@test
def a_client_that_leaves_while_it_waits_is_forgotten(place):
    place.start("sleep", "1000")
    for _ in range(10):
        client = place.connect()
        client.sendall(b'{"v":1,"command":"wait","arguments":["live","1000"]}\n')
        client.close()
    assert place.ctl("status").returncode == 0


@test
def doctor_says_what_can_be_reloaded(place):
    run = place.command("doctor", "/bin/true")
    assert run.returncode == 0 and "yes  main.c" in run.stdout and "\x1b" not in run.stdout
    assert json.loads(place.command("doctor", "--json", "/bin/true").stdout)["ok"] is True
    assert place.command("doctor", "/nowhere").returncode == 3


if __name__ == "__main__":
    sys.exit(main(Place, HOTDEV))
