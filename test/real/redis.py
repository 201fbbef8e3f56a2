# SPDX-License-Identifier: GPL-2.0-or-later
"""A real program whose headers libtcc refuses: the redis server of Debian's source package. Every edit is the own
compiler's at once, and that is said once for each source."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import DEADLINE, Skip, case, main, require  # noqa: E402
import upstream  # noqa: E402


class Client:
    """One connection that stays open."""

    def __init__(self, s):
        path = os.path.join(os.path.dirname(s.program.folder), "redis.sock")
        s.wait_until(lambda: os.path.exists(path), "redis does not listen")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self.answers = self.socket.makefile("rb")

    def expect(self, command, answer):
        """A simple answer, one line of the protocol."""
        self.socket.sendall(command.encode() + b"\r\n")
        line = self.answers.readline().decode().strip()
        require(line == answer, f"{command!r} is answered {line!r}, not {answer!r}")

    def shut_down(self):
        self.socket.sendall(b"SHUTDOWN NOSAVE\r\n")
        require(self.answers.readline() == b"", "redis does not shut down")


def start(s):
    folder = os.path.join(upstream.unpack(s, "redis"), "src")
    words = ["redis-server", f"CC={s.point.compiler}", "MALLOC=libc", f"OPTIMIZATION={s.point.level}",
             "USE_SYSTEMD=no", "BUILD_TLS=no", "V=1"]
    upstream.make(folder, *words)
    upstream.write_database(folder, *words)
    path = os.path.join(os.path.dirname(s.cwd), "redis.sock")
    s.cwd = folder
    s.program.name = "redis-server"
    s.arguments = ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--daemonize", "no",
                   "--logfile", "redis.log"]
    s.start()
    return Client(s)


def switches(s):
    """How often the process that holds libtcc has waited: once for each question, at least (proc(5))."""
    for child in s.descendants():
        with open(f"/proc/{child}/status", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        if lines["Name"].strip() == "hotdev-tcc":
            return int(lines["voluntary_ctxt_switches"])
    raise AssertionError("libtcc has no process")


def not_instant(s, module):
    modules = json.loads(s.ctl("modules", "--json"))["modules"]
    return next(m["not_instant"] for m in modules if os.path.basename(m["module"]) == module)


@case({}, build=False, start=False, once=True, hotdev=("--compiler", "auto"))
def every_edit_of_redis_is_its_compilers_and_that_is_said_once(s):
    if not os.environ.get("HOTDEV_MATRIX"):
        raise Skip("it builds redis, which takes minutes: make check-matrix does")
    client = start(s)
    client.expect("SET greeting hello", "+OK")
    client.expect("STRLEN greeting", ":5")
    client.expect("RPUSH list a b c", ":3")

    edits = {"t_string.c": ("addReplyLongLong(c,stringObjectLen(o));", "STRLEN greeting", 5),
             "t_list.c": ("addReplyLongLong(c,listTypeLength(o));", "LLEN list", 3)}
    for module, (place, question, answer) in edits.items():
        asked, before = None, place
        for n in range(1, 5):
            after = place.replace(");", f" + {n});")
            s.edit(module, before, after)
            event = s.outcome("live")
            compilers = {m["compiler"] for m in event["modules"]}
            require(compilers == {s.point.compiler}, "live by", compilers)
            client.expect(question, f":{answer + n}")
            require(asked in (None, switches(s)), f"libtcc was asked again by save {n} of {module}")
            asked, before = switches(s), after
        require("libtcc" in not_instant(s, module), "no reason for", module, ":", not_instant(s, module))
    said = [e for e in s.events("warning") if e["code"] == "not-instant"]
    require([os.path.basename(e["file"]) for e in said] == list(edits), "said:", said)
    require(not s.events("promoted"), "promoted:", s.events("promoted"))
    client.expect("GET greeting", "$5")
    require(client.answers.readline() == b"hello\r\n", "the greeting is gone")
    print(f"# {said[0]['message']}", flush=True)
    client.shut_down()


if __name__ == "__main__":
    sys.exit(main())
