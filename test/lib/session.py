# SPDX-License-Identifier: GPL-2.0-or-later
"""One hotdev with one program: edits go in, events and the program's answers come out.

The program speaks lines: a command in, an answer out. So nothing here waits
for an amount of time to pass; each wait is for a line or an event, with a
deadline that is only there to end a test that has failed."""

import json
import os
import select
import signal
import subprocess
import time
import uuid

import contract

DEADLINE = float(os.environ.get("HOTDEV_DEADLINE") or 240)
# What a reader looks at again and again while it waits for a journal line.
POLL = 0.003


class Failure(Exception):
    pass


def require(condition, *said):
    """assert, but also under python -O and with the values in the message."""
    if not condition:
        raise Failure(" ".join(str(s) for s in said))


class Journal:
    """The event file, read as it grows."""

    def __init__(self, path):
        self.path, self.events, self.rest, self.offset = path, [], b"", 0

    def read(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                fresh = file.read()
        except FileNotFoundError:
            return
        self.offset += len(fresh)
        *lines, self.rest = (self.rest + fresh).split(b"\n")
        for line in lines:
            try:
                self.events.append(json.loads(line))
            except ValueError as error:
                raise Failure(f"a line of the journal is no JSON: {line!r}: {error}") from error

    def text(self):
        return "\n".join(json.dumps(e) for e in self.events)


class Session:
    def __init__(self, program, folder, arguments=(), options=(), environment=None):
        self.program, self.point = program, getattr(program, "point", None)
        self.cwd = program.folder
        self.arguments, self.options = list(arguments), list(options)
        self.journal = Journal(os.path.join(folder, "journal"))
        self.socket = os.path.join(folder, "socket")
        self.errors = os.path.join(folder, "stderr")
        # Everything that descends from this session carries the mark.
        self.mark = f"HOTDEV_TEST_MARK={uuid.uuid4()}"
        key, value = self.mark.split("=")
        self.environment = {**os.environ, key: value, "LC_ALL": "C", **(environment or {})}
        self.process, self.pid, self.buffer = None, None, b""
        self.cursor, self.killed, self.finished, self.ended = 0, False, False, False
        self.log = []

    # ---- start and end

    def command(self):
        wrapper = os.environ.get("HOTDEV_WRAP", "").split()
        compiler = os.environ.get("HOTDEV_COMPILER", "cc")
        return [*wrapper, os.environ["HOTDEV"], "--plain", "--events", self.journal.path,
                "--socket", self.socket, "--compiler", compiler, *self.options, "--",
                "./" + self.program.name, *self.arguments]

    def spawn(self):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(self.command(), cwd=self.cwd, env=self.environment,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                            start_new_session=True)
        return self

    def start(self):
        self.spawn()
        ready = self.wait("ready")
        self.pid = ready["pid"]
        require(os.path.exists(f"/proc/{self.pid}"), "ready names a process that is not there:", self.pid)
        return self

    def stderr(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def exit_status(self):
        """Waits for hotdev's end; what is left of the program's output is kept for line()."""
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            require(time.monotonic() < deadline, "hotdev does not end")
            self.receive(0.02)
        while self.receive(0):
            pass
        return self.process.returncode

    def close_input(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def finish(self, status=0):
        """The program reads the end of its input and ends; hotdev must follow it and leave nothing."""
        if self.process is None or self.finished:
            return
        self.finished = True
        self.close_input()
        got = self.exit_status()
        if self.killed:
            self.wait_until(lambda: not self.descendants(), "the program outlives the end of its input")
            return
        require(got == status, f"hotdev ended with {got}, not {status}")
        left = self.descendants()
        require(not left, "left running:", left)
        self.journal.read()
        wrong = contract.check_journal(self.journal.events)
        require(not wrong, "the journal breaks the contract:", "; ".join(wrong))
        self.no_alarm()

    def no_alarm(self):
        for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "-CRITICAL **", "Segmentation fault"):
            require(word not in self.stderr(), "standard error has", word)

    def descendants(self):
        """Living processes that carry our mark, hotdev left out."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == self.process.pid:
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if self.mark.encode() not in file.read():
                        continue
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[0] not in ("Z", "X"):
                        found.append(int(name))
            except OSError:
                continue
        return found

    def abandon(self):
        """Whatever happened: nothing of this session survives."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close_input()
        self.process.stdout.close()
        while left := self.descendants():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(POLL)

    def kill(self):
        """SIGKILL to hotdev, as an out-of-memory killer would."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def report(self):
        try:
            self.journal.read()
            status = self.process.poll() if self.process else None
            said = self.stderr() if os.path.exists(self.errors) else ""
        except (Failure, OSError) as error:
            return f"no report: {error}"
        return (f"--- done ---\n{chr(10).join(self.log[-20:])}\n--- journal ---\n{self.journal.text()}\n"
                f"--- standard error ---\n{said[-6000:]}\n--- hotdev: {'runs' if status is None else status} ---")

    # ---- the program

    def receive(self, seconds):
        """Takes what the program wrote; False: nothing within that time, or its output is closed."""
        if self.process.stdout.closed or not select.select([self.process.stdout], [], [], seconds)[0]:
            return False
        fresh = os.read(self.process.stdout.fileno(), 65536)
        self.buffer += fresh
        self.ended = not fresh
        return bool(fresh)

    def line(self):
        """The next line that the program writes."""
        deadline = time.monotonic() + DEADLINE
        while b"\n" not in self.buffer:
            self.receive(0.5)
            require(not self.ended, "the program ended instead of answering")
            require(time.monotonic() < deadline, "the program does not answer")
        line, _, self.buffer = self.buffer.partition(b"\n")
        text = line.decode(errors="replace")
        self.log.append(f"< {text}")
        return text

    def tell(self, command):
        self.log.append(f"> {command}")
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure(f"the program is gone before {command!r}") from error

    def ask(self, command="?"):
        self.tell(command)
        return self.line()

    def expect(self, command, answer):
        got = self.ask(command)
        require(got == str(answer), f"{command!r} answered {got!r}, not {str(answer)!r}")

    # ---- edits

    def path(self, file):
        return os.path.join(self.cwd, file)

    def read(self, file):
        with open(self.path(file), encoding="utf-8") as source:
            return source.read()

    def save(self, file, text, how="in place"):
        self.log.append(f"save {file} {how}")
        path = self.path(file)
        if how == "in place":
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        else:
            require(how == "atomic", "unknown way to save:", how)
            with open(path + ".new~", "w", encoding="utf-8") as out:
                out.write(text)
            os.rename(path + ".new~", path)

    def changed(self, file, old, new):
        text = self.read(file)
        require(text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}")
        return text.replace(old, new)

    def edit(self, file, old, new, how="in place"):
        self.log.append(f"edit {file}: {old!r} -> {new!r}")
        self.save(file, self.changed(file, old, new), how)

    def replace(self, file, *pairs, how="in place"):
        """Several (old, new) in one save of one file."""
        text = self.read(file)
        for old, new in pairs:
            require(text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}")
            text = text.replace(old, new)
        self.log.append(f"replace {pairs}")
        self.save(file, text, how)

    def edit_together(self, *edits):
        """Several (file, old, new) with nothing between them: one batch under a generous --settle."""
        texts = {}
        for file, old, new in edits:
            text = texts.get(file, self.read(file))
            require(text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}")
            texts[file] = text.replace(old, new)
        for file, text in texts.items():
            with open(self.path(file) + ".new~", "w", encoding="utf-8") as out:
                out.write(text)
        for file in texts:
            os.rename(self.path(file) + ".new~", self.path(file))
        self.log.append(f"edit together: {', '.join(texts)}")

    # ---- events

    def events(self, name=None):
        self.journal.read()
        return [e for e in self.journal.events if name in (None, e["event"])]

    def wait(self, *names, where=None, only=()):
        """The next event of these names (for which where(event) holds) after the last one waited for.
        only: outcomes that must not come before it."""
        deadline = time.monotonic() + DEADLINE
        while True:
            ended = self.process.poll() is not None
            self.journal.read()
            while self.cursor < len(self.journal.events):
                event = self.journal.events[self.cursor]
                self.cursor += 1
                if event["event"] in names and (where is None or where(event)):
                    self.log.append(f"event {event['event']}")
                    return event
                require(event["event"] not in only, f"{event['event']} came, {' or '.join(names)} was expected:",
                        json.dumps(event))
            require(not ended or self.killed, f"hotdev ended with {self.process.returncode} before {names}")
            require(time.monotonic() < deadline, "no event", names)
            while self.receive(0):
                pass
            time.sleep(POLL)

    def wait_until(self, condition, sentence):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            require(time.monotonic() < deadline, sentence)
            time.sleep(POLL)

    def outcome(self, name, where=None):
        others = [o for o in contract.OUTCOMES if o != name]
        return self.wait(name, where=where, only=others)

    def live(self, *functions, modules=None, data=None):
        """The save is live. functions: names that must be among those switched; without optimisation,
        where nothing is inlined or cloned, there are no others. An optimising clang knows what a callee
        returns even where it must not inline it: there the change may be in the callers alone."""
        event = self.outcome("live")
        named = [m["module"] for m in event["modules"]]
        if modules is not None:
            require(sorted(named) == sorted(modules), "live names the modules", named, "not", modules)
        switched = {f for m in event["modules"] for f in m["functions"]}
        if self.point.optimises and not self.point.gcc:
            require(switched or not functions, "live names no function:", event)
        else:
            require(set(functions) <= switched, "live names", sorted(switched), "without", functions)
        if functions and not self.point.optimises:
            require(switched == set(functions), "live names", sorted(switched), "not just", functions)
        if data is not None:
            got = {d for m in event["modules"] for d in m["data"]}
            require(set(data) <= got, "live names the data", sorted(got), "without", data)
        require(event["processes"] >= 1 and event["threads"] >= event["processes"], "counts:", event)
        require(event["pause_us"] > 0, "a pause of", event["pause_us"])
        return event

    def unchanged(self):
        return self.outcome("unchanged")

    def held(self, code, mention=None):
        event = self.outcome("held")
        codes = [code] if isinstance(code, str) else code
        require(event["code"] in codes, "held with", event["code"], "not", codes, "-", event["reason"])
        require(event["reason"] and event["remedy"], "held without a reason or a remedy:", event)
        if mention:
            require(mention in event["reason"], f"the reason does not mention {mention!r}:", event["reason"])
        return event

    def failed(self, *messages):
        event = self.outcome("failed")
        said = [d["message"] for d in event["diagnostics"]]
        for message in messages:
            require(any(message in s for s in said), f"no diagnostic says {message!r}:", said)
        require(any(d["severity"] == "error" for d in event["diagnostics"]), "failed without an error:", event)
        return event

    def warning(self, mention):
        return self.wait("warning", where=lambda e: mention in e["message"])

    def ctl(self, *words, status=0):
        wrapper = os.environ.get("HOTDEV_WRAP", "").split()
        done = subprocess.run([*wrapper, os.environ["HOTDEV"], "ctl", "-s", self.socket, *words],
                              cwd=self.cwd, env=self.environment, text=True, timeout=DEADLINE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.log.append(f"ctl {' '.join(words)} -> {done.returncode} {done.stdout.strip()}")
        require(done.returncode == status, f"ctl {' '.join(words)} ended with {done.returncode}:", done.stdout)
        return done.stdout

    def undo(self, *module):
        self.ctl("undo", *module)
        return self.wait("undone")

    def redo(self, *module):
        self.ctl("redo", *module)
        return self.wait("redone")
