#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one test within a limit: limit.py COMMAND [ARGUMENT...]

A test that hangs would hang the whole suite, and so would a process that it
leaves behind, for the suite reads its output to the end. So all that it starts
stays below this process (PR_SET_CHILD_SUBREAPER, prctl(2)); when the test ends,
or the limit has passed, what still runs is named with its stacks, and killed.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time

LIMIT = float(os.environ.get("HOTDEV_TEST_LIMIT", "1500"))  # seconds
PR_SET_CHILD_SUBREAPER = 36
# A process that was told to end has this long before it counts as left behind.
GRACE = 5.0


def say(text):
    for line in text.splitlines():
        print("#", line, flush=True)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def descendants():
    """Every living process below this one, parents first."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = read(f"/proc/{name}/stat").rpartition(")")[2].split()
        if len(fields) > 1 and fields[0] not in "ZX":
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def stacks(pid):
    try:
        told = subprocess.run(["eu-stack", "-p", str(pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        return told.stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def describe(pids):
    for pid in pids:
        command = read(f"/proc/{pid}/cmdline").replace("\0", " ")
        say(f"process {pid}: {command}")
        for tid in sorted(os.listdir(f"/proc/{pid}/task")) if os.path.isdir(f"/proc/{pid}/task") else []:
            state = [line for line in read(f"/proc/{pid}/task/{tid}/status").splitlines()
                     if line.startswith(("State:", "TracerPid:"))]
            say(f"  thread {tid} {' '.join(state)} in {read(f'/proc/{pid}/task/{tid}/wchan')}")
        say(stacks(pid))


def kill_all():
    while pids := descendants():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        time.sleep(0.01)


def reap():
    """Collects what has ended: {pid: status}."""
    ended = {}
    try:
        while (answer := os.waitpid(-1, os.WNOHANG))[0]:
            ended[answer[0]] = answer[1]
    except ChildProcessError:
        pass
    return ended


def wait_until(done, seconds):
    """Until done(what has ended), at most that long. Whether it was."""
    until = time.monotonic() + seconds
    while not done(reap()):
        left = until - time.monotonic()
        if left <= 0:
            return False
        signal.sigtimedwait([signal.SIGCHLD], min(left, 1.0))
    return True


def wrapped(command):
    """A test that is no script is run by HOTDEV_WRAP (valgrind); scripts hand it on to what they test."""
    with open(command[-1], "rb") as file:
        return os.environ.get("HOTDEV_WRAP", "").split() + command if file.read(4) == b"\x7fELF" else command


def main(command):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    test = subprocess.Popen(wrapped(command), preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before))
    status = {}
    trouble = None
    if not wait_until(lambda ended: status.update(ended) or test.pid in status, LIMIT):
        trouble = f"did not end within {LIMIT:.0f} s"
    elif not wait_until(lambda ended: not descendants(), GRACE):
        trouble = "left processes behind"
    if trouble:
        say(f"{command[-1]} {trouble}:")
        describe(descendants())
        kill_all()
        print(f"Bail out! {command[-1]} {trouble}", flush=True)
        return 99
    return os.waitstatus_to_exitcode(status[test.pid]) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
