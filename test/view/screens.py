#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The dashboard on a terminal, with a stand-in for the reloader: what is drawn, what keys do, and that
the terminal is given back whatever happens."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tmux import DEADLINE, Terminal, end_all_in, main, test  # noqa: E402

HOTDEV = os.path.join(os.environ.get("HOTDEV_BUILD", "."), "test", "view", "hotdev-double")

JOURNAL = [
    {"event": "ready", "pid": 41210, "program": "./myapp", "modules": 6, "startup_ms": 42.1},
    {"event": "process", "pid": 41233, "ppid": 41210, "change": "forked", "status": None},
    {"event": "live", "transaction": 3, "modules": [{"module": "hud.c", "version": 6, "previous": 5, "compiler": "gcc",
     "functions": ["hud_draw"], "data": []}], "processes": 2, "threads": 4, "save_to_live_ms": 41.0, "compile_ms": 38.0,
     "link_ms": 0.8, "pause_us": 90.5},
    {"event": "undone", "transaction": 3, "modules": [{"module": "hud.c", "version": 5, "compiler": None,
     "functions": ["hud_draw"], "data": []}], "processes": 2, "threads": 4, "save_to_live_ms": 0, "compile_ms": 0,
     "link_ms": 0, "pause_us": 90.5},
    {"event": "live", "transaction": 11, "modules": [{"module": "ai.c", "version": 5, "previous": 4, "compiler": "tcc",
     "functions": ["path_find", "think"], "data": []}], "processes": 2, "threads": 4, "save_to_live_ms": 6.1,
     "compile_ms": 4.0, "link_ms": 0.8, "pause_us": 90.5},
    {"event": "pinned", "pid": 41210, "tid": 41214, "thread": "ai-worker", "function": "path_find", "module": "ai.c",
     "version": 4, "file": "ai.c", "line": 33},
    {"event": "saved", "files": ["save.c"]},
    {"event": "held", "modules": ["save.c"], "code": "HD101", "reason": "struct conn.len: int to short may truncate",
     "where": {"file": "net.h", "line": 14}, "remedy": "undo the edit, or restart the program"},
    {"event": "waiting", "modules": ["io.c"], "blockers": [{"pid": 41210, "tid": 41215, "thread": "audio",
     "function": "poll_it", "module": "io.c", "version": 1, "file": "io.c", "line": 9}]},
    {"event": "saved", "files": ["net.c"]},
    {"event": "failed", "files": ["net.c"], "compiler": "gcc", "diagnostics": [
        {"file": "net.c", "line": 3, "column": 6, "severity": "error", "message": "no member named 'rtt_us'"},
        {"file": "net.c", "line": 1, "column": 1, "severity": "error", "message": "evil \u001b[31m\u009b2J name"}]},
]
SOURCE = "one\n\tif (x)\n\t\tp->rtt_us = now;\nlast\n"


class Place:
    """A folder and a terminal in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hotdev-")
        self.terminal = None

    def open(self, columns=100, rows=30, environment=None):
        self.terminal = Terminal(self.folder, columns, rows, environment)
        self.terminal.run("cd", self.folder)
        return self.terminal

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def journal(self, events=None):
        lines = [json.dumps({"v": 1, "t": i / 10, **e}) for i, e in enumerate(events or JOURNAL)]
        self.write("net.c", SOURCE)
        return self.write("journal", "\n".join(lines) + "\n")

    def replay(self, *options, events=None, **size):
        terminal = self.open(**size)
        terminal.run(HOTDEV, *options, "--replay", self.journal(events))
        return terminal

    def run(self, *command, options=(), **size):
        terminal = self.open(**size)
        terminal.run(HOTDEV, *options, *command)
        return terminal

    def pids(self, name):
        """Processes whose command line names this folder's file."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
                if name in words:
                    found.append(int(pid))
            except OSError:
                pass
        return found

    def hotdev(self):
        """The process that draws: its keeper has no terminal."""
        for pid in self.pids(HOTDEV):
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[4] != "0" and os.readlink(f"/proc/{pid}/cwd") == self.folder:
                    return pid
        raise AssertionError("hotdev does not run")

    def close(self):
        if self.terminal:
            self.terminal.close()
        end_all_in(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def check_restored(terminal, text="RC="):
    """The shell's own screen, its cursor and its modes are back."""
    terminal.see(text)
    assert terminal.flag("alternate_on") == "0", "the alternate screen was left on"
    assert terminal.flag("cursor_flag") == "1", "the cursor was left hidden"
    assert terminal.flag("mouse_any_flag") == "0", "the mouse was left on"
    terminal.run("stty", "-a")
    screen = terminal.see("iexten")
    for mode in ("icanon", "echo", "isig", "opost", "icrnl", "onlcr"):
        assert re.search(rf"(^|\s){mode}\b", screen), f"{mode} was left off:\n{screen}"


def wait_for(predicate, what):
    end = time.monotonic() + DEADLINE
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.05)


# ---- what is drawn ----


def check_states(screen):
    for text in ("ERROR 2", "HELD HD101", "WAITING", "PINNED 1", "undone", "1 ERROR", "1 HELD", "net.c:3:6: error:"):
        assert text in screen, f"{text!r} is not on the screen:\n{screen}"


@test
def every_state_is_a_word_at_100_by_30(place):
    terminal = place.replay()
    screen = terminal.see("5 EVENTS", "no member named")
    check_states(screen)
    assert ">     3 |                 p->rtt_us = now;" in screen
    assert "v5 old" not in screen and "v4 old" in screen
    assert "gen 11" in screen and "2 procs" in screen


@test
def every_state_is_a_word_at_200_by_60(place):
    screen = place.replay(columns=200, rows=60).see("5 EVENTS", "no member named")
    check_states(screen)
    assert "ai.c v4 → v5 live · 2 functions · 6.1 ms (tcc 4.0, link 0.8, pause 0.09)" in screen


@test
def a_terminal_of_80_by_24_is_enough(place):
    screen = place.replay(columns=80, rows=24).see("5 EVENTS", "no member named")
    for text in ("1 MODULES", "2 PROCESSES", "3 DETAIL", "4 OUTPUT", "5 EVENTS", "ERROR 2"):
        assert text in screen, f"{text!r} is not on the screen:\n{screen}"
    assert all(len(line) <= 80 for line in screen.splitlines())


@test
def smaller_terminals_show_one_pane(place):
    terminal = place.replay(columns=40, rows=12)
    terminal.see("1 MODULES")
    terminal.keys("5")
    screen = terminal.see("5 EVENTS")
    assert "1 MODULES" not in screen
    terminal.resize(20, 3)
    terminal.resize(100, 30)
    terminal.see("1 MODULES", "5 EVENTS")


@test
def ascii_draws_with_ascii_only(place):
    terminal = place.replay("--ascii")
    screen = terminal.see("5 EVENTS", "no member named")
    assert screen.isascii(), screen
    terminal.keys("5", "z")
    assert "ai.c v4 -> v5 live | 2 functions" in terminal.see("5 EVENTS", "v5 live")


@test
def a_locale_without_utf_8_is_drawn_with_ascii(place):
    screen = place.replay(environment={"LC_ALL": "C"}).see("5 EVENTS", "no member named")
    assert screen.isascii(), screen


@test
def no_color_and_mono_send_no_colours(place):
    terminal = place.replay(environment={"NO_COLOR": "1"})
    terminal.see("5 EVENTS", "no member named")
    raw = terminal.tmux("capture-pane", "-e", "-p", "-t", "t")
    assert not re.search(r"\x1b\[[0-9;]*\b[34][0-7]\b", raw), raw


@test
def control_characters_of_others_never_reach_the_terminal(place):
    terminal = place.open()
    terminal.tmux("pipe-pane", "-t", "t", f"cat > {place.folder}/raw")
    named = {"event": "saved", "files": ["\u001b]0;evil\u0007title.c", "\u202eelif.c"]}
    terminal.run(HOTDEV, "--replay", place.journal(JOURNAL[:-2] + [named] + JOURNAL[-2:]))
    terminal.see("no member named", "\ufffd]0;evil\ufffdtitle.c")
    terminal.keys("n")
    screen = terminal.see("error 2 of 2", "evil")
    assert "evil \ufffd[31m\ufffd2J name" in screen, screen
    with open(f"{place.folder}/raw", "rb") as file:
        raw = file.read()
    assert b"\x1b]0;evil" not in raw and b"\xe2\x80\xae" not in raw
    assert b"evil \x1b" not in raw and b"\xc2\x9b" not in raw and b"\x1b[2J name" not in raw


# ---- keys ----


@test
def the_detail_of_modules_and_threads_opens_and_closes(place):
    terminal = place.replay()
    terminal.see("no member named")
    terminal.keys("1", "s", "g", "Enter")
    terminal.see("by name", "3 DETAIL ai.c", "versions", "path_find, think", "41214 ai-worker in v4: path_find ai.c:33")
    terminal.keys("G", "Enter")
    terminal.see("3 DETAIL save.c", "HD101 held:", "remedy: undo the edit", "net.h:14")
    terminal.keys("Escape")
    terminal.see("3 DETAIL net.c  error 1 of 2")
    terminal.keys("2", "j", "j", "Enter")
    terminal.see("3 DETAIL thread 41214", "code: old", "path_find")
    terminal.keys("1", "g", "j", "j", "Enter")
    terminal.see("3 DETAIL io.c  WAITING", "41215 audio: poll_it io.c:9")


@test
def filters_narrow_a_pane(place):
    terminal = place.replay()
    terminal.see("ai.c", "hud.c")
    terminal.keys("/")
    terminal.type("sav")
    screen = terminal.see("1 MODULES (1)  /sav")
    assert "hud.c   " not in screen
    terminal.keys("Enter", "Escape")
    terminal.see("1 MODULES (5)")
    terminal.keys("p")
    screen = terminal.see("pinned only")
    assert "41233" not in screen


@test
def modules_in_trouble_come_first(place):
    terminal = place.replay()
    screen = terminal.see("1 MODULES", "no member named")
    assert screen.index("net.c ") < screen.index("save.c ") < screen.index("io.c ") < screen.index("ai.c  "), screen
    terminal.keys("s")
    screen = terminal.see("by name")
    assert screen.index("ai.c  ") < screen.index("hud.c ") < screen.index("net.c "), screen
    terminal.keys("s")
    terminal.see("by last")


@test
def help_lists_the_keys(place):
    terminal = place.replay()
    terminal.see("1 MODULES")
    terminal.keys("?")
    screen = terminal.see("KEYS", "undo the last transaction", "Ctrl-]")
    assert "quit: asks" in screen
    terminal.keys("x")
    terminal.see("1 MODULES")


@test
def commands_can_be_typed(place):
    terminal = place.run("sleep", "1000")
    terminal.see("ready: sleep")
    terminal.keys(":")
    terminal.type("undo main.c")
    terminal.keys("Enter")
    terminal.see("main.c v1 live again (undone)")
    terminal.keys(":")
    terminal.type("undo other.c")
    terminal.keys("Enter")
    terminal.see("no transaction contains other.c")
    terminal.keys("U")
    terminal.see("main.c v2 live again (redone)")
    terminal.keys("P")
    terminal.see("PAUSED")


@test
def the_editor_opens_at_the_error(place):
    editor = place.write("editor", '#!/bin/sh\necho "EDITING $*"\nread x\n')
    os.chmod(editor, 0o755)
    terminal = place.replay(environment={"EDITOR": editor})
    terminal.see("no member named")
    terminal.keys("e")
    terminal.see("EDITING +3", "net.c")
    terminal.keys("Enter")
    terminal.see("1 MODULES", "no member named")


# ---- the program's terminal ----


@test
def output_is_shown_with_its_time_and_can_be_filtered(place):
    terminal = place.run("sh", "-c", "echo alpha; echo beta; exec sleep 1000")
    terminal.wait(lambda s: re.search(r"\d\d:\d\d:\d\d alpha", s), "the output with its time")
    terminal.keys("4", "/")
    terminal.type("bet")
    terminal.keys("Enter")
    screen = terminal.see("4 OUTPUT  /bet")
    assert not re.search(r"\d\d:\d\d:\d\d alpha", screen), screen


@test
def a_full_screen_program_takes_the_terminal_and_the_prefix_returns(place):
    script = 'printf "\\033[?1049h\\033[HFULL %s" SCREEN; read x; printf "\\033[?1049l"; echo "got $x"; exec sleep 1000'
    terminal = place.run("sh", "-c", script)
    terminal.see("FULL SCREEN", "the program has the terminal")
    assert "1 MODULES" not in terminal.screen()
    terminal.keys("C-]")
    terminal.see("1 MODULES")
    terminal.keys("C-]")
    terminal.see_not("1 MODULES")
    terminal.type("hello")
    terminal.keys("Enter")
    terminal.see("got hello")
    if "1 MODULES" not in terminal.screen():
        terminal.keys("C-]")
    terminal.see("1 MODULES", "got hello")


@test
def a_program_that_reads_single_keys_takes_the_terminal(place):
    script = 'stty raw -echo; printf "READ%s" Y; dd bs=1 count=3 2>/dev/null | od -c | head -1; stty sane; exec sleep 1000'
    terminal = place.run("sh", "-c", script)
    terminal.see("READY", "the program has the terminal")
    terminal.keys("Up")
    terminal.see("1 MODULES", "033", "A")


@test
def another_prefix_leaves_the_usual_one_to_the_program(place):
    script = 'stty raw -echo; printf "READ%s" Y; dd bs=1 count=1 2>/dev/null | od -c | head -1; stty sane; exec sleep 1000'
    terminal = place.run("sh", "-c", script, options=["--prefix", "^A"])
    terminal.see("READY", "Ctrl-A dashboard")
    terminal.keys("C-a")
    terminal.see("1 MODULES")
    terminal.keys("C-a")
    terminal.see_not("1 MODULES")
    terminal.keys("C-]")
    terminal.see("1 MODULES", "035")
    terminal.keys("C-c", "C-c")
    terminal.see_not("1 MODULES")
    for wrong in ("x", "^", "^Z", "^C", "A", "^AB", ""):
        run = subprocess.run([HOTDEV, "--prefix", wrong, "true"], capture_output=True, text=True, timeout=DEADLINE)
        assert run.returncode == 2 and "--prefix" in run.stderr, (wrong, run)


def needs(program):
    if not shutil.which(program):
        raise Missing(f"{program} is not installed")


@test
def vi_runs_inside_and_writes_its_file(place):
    needs("vi")
    path = place.write("note", "first line\n")
    terminal = place.run("vi", "-u", "NONE", path)
    terminal.see("first line", "the program has the terminal")
    terminal.type("Ofrom inside")
    terminal.keys("Escape")
    terminal.see("from inside")
    terminal.keys("C-]")
    terminal.see("1 MODULES", "from inside")
    terminal.keys("t")
    terminal.type(":wq")
    terminal.keys("Enter")
    terminal.see("ENDED status 0")
    with open(path) as file:
        assert file.read() == "from inside\nfirst line\n"


@test
def less_pages_inside(place):
    needs("less")
    path = place.write("long", "".join(f"row {i}\n" for i in range(1000)))
    terminal = place.run("less", path)
    terminal.see("row 0", "row 20", "the program has the terminal")
    terminal.keys("PPage", "NPage", "NPage")
    terminal.see("row 60")
    terminal.type("/row 777")
    terminal.keys("Enter")
    terminal.see("row 777")
    terminal.resize(80, 24)
    terminal.wait(lambda s: "row 777" in s and len(s.splitlines()) == 24, "less in the new size")
    terminal.keys("q")
    terminal.see("ENDED status 0")


@test
def top_runs_inside(place):
    needs("top")
    terminal = place.run("top", "-d", "0.5")
    terminal.see("PID", "COMMAND", "the program has the terminal")
    terminal.keys("q")
    terminal.see("ENDED status 0")


@test
def the_size_of_the_window_follows(place):
    terminal = place.run("sh", "-c", 'trap "stty size" WINCH; stty size; while :; do sleep 0.1; done')
    terminal.see("4 OUTPUT", " 98")
    terminal.resize(80, 24)
    terminal.see(" 78")
    terminal.keys("t")
    terminal.see("24 80")
    terminal.keys("C-]")


@test
def a_flood_of_output_does_not_grow_hotdev(place):
    terminal = place.run("sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 100000000; echo THE END; exec sleep 1000")
    terminal.see("THE END")
    with open(f"/proc/{place.hotdev()}/status") as file:
        high = int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1))
    assert high < 100_000 or "SANITIZE" in os.environ, f"{high} kB"


@test
def the_end_of_the_program_is_said(place):
    terminal = place.run("sh", "-c", "exit 3")
    terminal.see("ENDED status 3", "the program ended with status 3")
    terminal.keys("R")
    terminal.see("ENDED status 3")
    terminal.type("q")
    terminal.see_not("ENDED")
    check_restored(terminal, "PROMPT")


# ---- the terminal is given back ----


@test
def quitting_ends_the_program_when_told_so(place):
    terminal = place.open()
    terminal.type(f"{HOTDEV} sleep 1234567; echo RC=$?")
    terminal.keys("Enter")
    terminal.see("1 MODULES")
    terminal.keys("q")
    terminal.see("Quit:")
    terminal.keys("Escape")
    terminal.see_not("Quit:")
    terminal.keys("q", "e")
    terminal.see("RC=0")
    check_restored(terminal)
    assert not place.pids("1234567")


@test
def quitting_leaves_the_program_running_when_told_so(place):
    terminal = place.run("sh", "-c", "while :; do echo ti''ck; sleep 0.05; done", place.folder)
    terminal.see("tick")
    terminal.keys("q", "l")
    terminal.see_not("1 MODULES")
    program = [p for p in place.pids(place.folder) if os.path.basename(os.readlink(f"/proc/{p}/exe")) != "hotdev-double"]
    assert len(program) == 1
    # It prints on: its terminal is kept and emptied.
    written = sum_written(program[0])
    wait_for(lambda: sum_written(program[0]) > written + 100, "the program writes on")
    os.kill(program[0], signal.SIGKILL)
    check_restored(terminal, "PROMPT")


@test
def ctrl_c_twice_quits(place):
    terminal = place.open()
    terminal.type(f"{HOTDEV} sleep 1000; echo RC=$?")
    terminal.keys("Enter")
    terminal.see("1 MODULES")
    terminal.keys("C-c")
    terminal.see("Quit:")
    terminal.keys("C-c")
    terminal.see("RC=0")
    check_restored(terminal)


@test
def sigterm_gives_the_terminal_back(place):
    terminal = place.open()
    terminal.type(f"{HOTDEV} sleep 1000; echo RC=$?")
    terminal.keys("Enter")
    terminal.see("1 MODULES", "ready: sleep")
    os.kill(place.hotdev(), signal.SIGTERM)
    terminal.see("RC=0")
    check_restored(terminal)


@test
def a_crash_of_hotdev_gives_the_terminal_back(place):
    terminal = place.open()
    terminal.type(f"{HOTDEV} sleep 1000; echo RC=$?")
    terminal.keys("Enter")
    terminal.see("1 MODULES", "ready: sleep")
    os.kill(place.hotdev(), signal.SIGSEGV)
    terminal.see("RC=")
    check_restored(terminal)


@test
def the_program_survives_the_death_of_hotdev(place):
    terminal = place.run("sh", "-c", "while :; do echo ti''ck; sleep 0.05; done", place.folder)
    terminal.see("tick")
    program = [p for p in place.pids(place.folder) if os.path.basename(os.readlink(f"/proc/{p}/exe")) != "hotdev-double"]
    os.kill(place.hotdev(), signal.SIGKILL)
    terminal.see("illed")
    written = sum_written(program[0])
    wait_for(lambda: sum_written(program[0]) > written + 100, "the program writes on")
    os.kill(program[0], signal.SIGKILL)


def sum_written(pid):
    with open(f"/proc/{pid}/io") as file:
        return int(re.search(r"wchar: (\d+)", file.read()).group(1))


@test
def ctrl_z_suspends_and_fg_returns(place):
    terminal = place.run("sh", "-c", "while :; do echo ti''ck; sleep 1; done")
    terminal.see("1 MODULES", "tick")
    terminal.keys("C-z")
    terminal.see("Stopped")
    assert terminal.flag("alternate_on") == "0"
    terminal.run("fg")
    terminal.see("1 MODULES", "tick")
    terminal.keys("?")
    terminal.see("KEYS")


# ---- size ----


# States that a session is rarely in: each is a word on the screen, and says what to do.
TROUBLE = [
    {"event": "ready", "pid": 10, "program": "./myapp", "modules": 4, "startup_ms": 42.1},
    {"event": "live", "transaction": 1, "modules": [{"module": "fast.c", "version": 1, "previous": 0, "compiler": "tcc",
     "functions": ["step"], "data": []}], "processes": 1, "threads": 1, "save_to_live_ms": 2.1, "compile_ms": 1.0,
     "link_ms": 0.4, "pause_us": 90.5},
    {"event": "live", "transaction": 2, "modules": [{"module": "gone.c", "version": 1, "previous": 0, "compiler": "gcc",
     "functions": ["go"], "data": []}], "processes": 1, "threads": 1, "save_to_live_ms": 40, "compile_ms": 38,
     "link_ms": 0.4, "pause_us": 90.5},
    {"event": "warning", "code": "missing", "message": "gone.c is gone; its code runs on", "file": "/src/gone.c", "line": 0},
    {"event": "warning", "code": "polling", "message": "the sources are looked at again and again", "file": None},
]


@test
def rare_states_are_words_too(place):
    terminal = place.replay(events=TROUBLE)
    screen = terminal.see("PROMOTING", "MISSING", "1 MISSING", "watch polling", "tcc>cc")
    assert "the file is gone; the code that runs is kept" in screen, screen
    ended = [{"event": "promoted", **{k: v for k, v in TROUBLE[1].items() if k != "event"}},
             {"event": "process", "pid": 10, "ppid": 1, "change": "ended", "status": 139}]
    terminal.keys("q")
    terminal.see_not("PROMOTING")  # a journal has no program to ask about
    terminal.run(HOTDEV, "--replay", place.journal(TROUBLE + ended))
    screen = terminal.see("ENDED status 139")
    assert "PROMOTING" not in screen, screen


@test
def a_watcher_that_is_not_well_says_so(place):
    terminal = place.run("sleep", "1000", environment={"HOTDEV_DOUBLE_WATCHER": "degraded"})
    terminal.see("watch degraded, 3 folders")


@test
def a_remedy_is_read_to_its_end_on_a_small_terminal(place):
    remedy = "register the root with hotdev_root, " * 5 + "or write the migration"
    held = [TROUBLE[0], {"event": "held", "modules": ["save.c"], "code": "HD101", "reason": "struct conn changed its shape",
                         "where": {"file": "net.h", "line": 14}, "remedy": remedy}]
    screen = place.replay(columns=80, rows=24, events=held).see("HELD HD101", "remedy:")
    said = " ".join(line.strip("│ ") for line in screen.splitlines())
    assert remedy in re.sub(r" +", " ", said), screen


@test
def an_event_is_read_to_its_end(place):
    terminal = place.replay(columns=80, rows=24)
    terminal.see("no member named")
    terminal.keys("5", "G", "Enter")
    terminal.see("3 DETAIL event", "ready: ./myapp runs as process 41210")


@test
def text_is_searched(place):
    terminal = place.run("sh", "-c", "seq -f 'line %g of it' 2000; exec sleep 1000")
    terminal.see("line 2000 of it")
    terminal.keys("4", "s")
    terminal.type("line 17")
    terminal.see("search: line 17")
    terminal.keys("Enter")
    terminal.see("scrolled back", "line 1799 of it", "search line 17")
    terminal.keys("n")
    terminal.see("line 1798 of it")
    terminal.keys("N", "N")
    terminal.see("line 17 of it", "line 16 of it")
    terminal.keys("Escape", "G")
    screen = terminal.see("follow", "line 2000 of it")
    assert "search" not in screen
    terminal.keys("s")
    terminal.type("no such words")
    terminal.keys("Enter")
    terminal.see("no such words is not there")


@test
def many_modules_and_threads_scroll_and_filter(place):
    events = [{"event": "ready", "pid": 5, "program": "./big", "modules": 500, "startup_ms": 1}]
    for i in range(500):
        events.append({"event": "live", "transaction": i + 1, "modules": [{"module": f"src/module{i:03}.c", "version": 1,
                       "compiler": "gcc", "functions": ["f"], "data": []}], "processes": 1, "threads": 1,
                       "save_to_live_ms": 1, "compile_ms": 1, "link_ms": 1, "pause_us": 1})
    for i in range(1000):
        events.append({"event": "pinned", "pid": 5, "tid": 100 + i, "thread": f"worker{i}", "function": "loop",
                       "module": "src/module000.c", "version": 0, "file": "src/module000.c", "line": 3})
    terminal = place.open()
    terminal.run(HOTDEV, "--replay", place.journal(events))
    terminal.see("1 MODULES (500)", "src/module000.c")
    terminal.keys("G")
    terminal.see("src/module499.c")
    terminal.keys("2", "G")
    terminal.see("worker999")
    terminal.keys("/")
    terminal.type("worker77")
    terminal.see("worker777", "/worker77")
    terminal.keys("Enter", "g", "z")
    terminal.see("worker77 ", "worker770", "worker779")


# ---- without a terminal ----


@test
def without_a_terminal_there_are_lines(place):
    run = subprocess.run([HOTDEV, "--replay", place.journal()], cwd=place.folder, capture_output=True, text=True,
                         env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=DEADLINE)
    assert run.returncode == 0 and run.stdout == ""
    assert "hotdev: net.c failed: 2 errors (gcc), the old code runs on\n  net.c:3:6: error: no member" in run.stderr
    assert "\x1b" not in run.stderr


if __name__ == "__main__":
    sys.exit(main(Place, HOTDEV))
