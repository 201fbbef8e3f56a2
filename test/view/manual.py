#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written about hotdev is what it does: the manual, --help and the completions against the tables of the
code, and the screens in README and manual against the screen. With HOTDEV_UPDATE=1 the refusals and the screens are
written anew."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tmux import DEADLINE, Missing, Terminal, main, test  # noqa: E402

HOTDEV = os.path.join(os.environ.get("HOTDEV_BUILD", "."), "test", "view", "hotdev-double")
SOURCE = os.environ.get("HOTDEV_SOURCE", ".")


class Place:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hotdev-")
        self.terminal = None

    def close(self):
        if self.terminal:
            self.terminal.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def manual():
    return read("doc", "hotdev.1")


def between(text, name):
    return text.split(f"{name}: begin", 1)[1].split(f"{name}: end", 1)[0]


def entries(text):
    """The (tag, text) of a list in the manual, without its macros."""
    found = []
    for item in re.split(r"^\.It ", text, flags=re.M)[1:]:
        tag, _, body = item.partition("\n")
        lines = [line for line in body.splitlines() if not line.startswith((".El", ".Bl", '.\\"'))]
        found.append((tag.replace("\\&", ""), " ".join(lines)))
    return found


def command(*words, environment=None):
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})})


def help_text():
    return command(HOTDEV, "--help").stdout


def options():
    """Every option of the table, those that doctor alone takes too."""
    table = read("hotdev", "options.c").split("static const row rows[] = {", 1)[1].split("\n};", 1)[0]
    found = re.findall(r'^\t\{"([a-z-]+)"', table, re.M)
    assert len(found) > 15, found
    return found


def ctl_commands():
    table = read("hotdev", "control.c").split("static const command commands[] = {", 1)[1].split("\n};", 1)[0]
    found = re.findall(r'^\t\{"([a-z]+)"', table, re.M)
    assert len(found) > 10, found
    return found


@test
def help_fits_a_terminal_of_80_by_24(place):
    lines = help_text().splitlines()
    assert len(lines) <= 23 and max(map(len, lines)) < 80, help_text()


@test
def help_has_every_option_and_command(place):
    text = help_text()
    for option in options():
        assert f"--{option}" in text, option
    for name in ctl_commands():
        assert re.search(rf"\b{name}\b", text), name


@test
def the_manual_has_every_option_and_command(place):
    for option in options():
        assert re.search(rf"Fl -{option}\b", manual()), option
    tags = " ".join(tag for tag, _ in entries(manual().split(".Ss hotdev ctl", 1)[1].split(".Sh DASHBOARD", 1)[0]))
    for name in ctl_commands():
        assert re.search(rf"\b{name}\b", tags), name


@test
def the_manual_has_the_keys_as_the_table_has_them(place):
    table = read("tui", "keys.c").split("static const key_row keys[] = {", 1)[1].split("\n};", 1)[0]
    wanted = [("Ic " + shown, text[0].upper() + text[1:] + ".")
              for shown, text in re.findall(r'\{[^{}"]*?"([^"]+)", [A-Z0-9() |]+,\s*"([^"]+)"', table)]
    assert len(wanted) > 30, wanted
    found = [(tag, text[:len(w[1])]) for (tag, text), w in zip(entries(between(manual(), "keys")), wanted)]
    assert found == wanted, [pair for pair in zip(found, wanted) if pair[0] != pair[1]]


@test
def the_manual_has_the_refusals_as_the_table_has_them(place):
    rows = re.findall(r'\{"(HD\d+)",\s*"([^"]+)",\s*"([^"]+)"\}', read("base", "refusal.c"))
    assert len(rows) >= 16, rows
    if os.environ.get("HOTDEV_UPDATE"):
        text = manual()
        listed = "".join(f".It Sy {code}\n{meaning[0].upper()}{meaning[1:]}.\nRemedy: {remedy}.\n"
                         for code, meaning, remedy in rows)
        old = between(text, "refusals")
        with open(os.path.join(SOURCE, "doc", "hotdev.1"), "w", encoding="utf-8") as file:
            file.write(text.replace(old, "\n.Bl -tag -width Ds\n" + listed + ".El\n" + '.\\" '))
        return
    wanted = [(f"Sy {code}", f"{meaning[0].upper()}{meaning[1:]}. Remedy: {remedy}.") for code, meaning, remedy in rows]
    found = [(tag, re.sub(r"\s+", " ", text)) for tag, text in entries(between(manual(), "refusals"))]
    assert found == wanted, [pair for pair in zip(found, wanted) if pair[0] != pair[1]]


@test
def the_manual_has_every_event(place):
    names = re.findall(r'\[HD_EVENT_[A-Z]+\] = "([a-z]+)"', read("reloader", "history", "event.c"))
    assert len(names) == 16, names
    tags = " ".join(tag for tag, _ in entries(manual().split(".Sh EVENTS", 1)[1].split(".Ss Warnings", 1)[0]))
    for name in names:
        assert re.search(rf"\b{name}\b", tags), name


@test
def the_manual_has_every_warning(place):
    codes = set()
    for folder, _, names in os.walk(os.path.join(SOURCE, "reloader")):
        for name in names:
            if name.endswith(".c"):
                codes |= set(re.findall(r'hd_reloader_warn\([^"]*?"([a-z-]+)"', read(folder, name)))
    for name in os.listdir(os.path.join(SOURCE, "watcher")):
        if name.endswith(".c"):
            codes |= set(re.findall(r'(?:say_warning|hooks\.warn)\("([a-z-]+)"', read("watcher", name)))
    assert len(codes) >= 11, codes
    tags = {tag for tag, _ in entries(manual().split(".Ss Warnings", 1)[1].split(".Sh REFUSALS", 1)[0])}
    assert {f"Sy {code}" for code in codes} == tags, codes ^ {tag[3:] for tag in tags}


@test
def the_manual_has_every_state(place):
    names = re.findall(r'\[HD_MODULE_[A-Z]+\] = "([A-Za-z]+)"', read("reloader", "history", "view.c"))
    tags = [tag.split()[1] for tag, _ in entries(manual().split(".Ss States of a module", 1)[1].split(".Sh EVENTS", 1)[0])]
    assert set(names) | {"PINNED", "PROMOTING"} == set(tags), set(names) ^ set(tags)


@test
def the_manual_has_every_exit_status(place):
    tags = [tag for tag, _ in entries(manual().split(".Sh EXIT STATUS", 1)[1].split(".Sh EXAMPLES", 1)[0])]
    assert tags[0].startswith("the program's own, or 128") and tags[1:] == ["0", "1", "2", "3", "4"], tags


@test
def the_manual_is_well_formed(place):
    if not shutil.which("mandoc"):
        raise Missing("mandoc is not installed")
    done = command("mandoc", "-Tlint", "-Wwarning", os.path.join(SOURCE, "doc", "hotdev.1"))
    assert done.returncode == 0, done.stdout


def bash_completes(*words):
    """What bash offers for the last word."""
    script = ('. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hotdev; printf "%s\\n" "${COMPREPLY[@]}"')
    done = command("bash", "-c", script, os.path.join(SOURCE, "doc", "hotdev.bash"), *words)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


@test
def bash_completes_options_and_commands(place):
    run = set(options()) - {"json", "quick"}
    assert {f"--{option}" for option in run} == set(bash_completes("hotdev", "--"))
    assert set(ctl_commands()) <= set(bash_completes("hotdev", "ctl", ""))
    assert bash_completes("hotdev", "--compiler", "t") == ["tcc"]
    assert bash_completes("hotdev", "--on-refuse", "") == ["hold", "restart"]
    assert bash_completes("hotdev", "ctl", "wait", "l") == ["live"]
    assert bash_completes("hotdev", "ctl", "quit", "") == ["end", "leave"]
    assert {"--json", "--quick"} <= set(bash_completes("hotdev", "doctor", "--"))


@test
def zsh_completes_options_and_commands(place):
    text = read("doc", "_hotdev")
    for option in options():
        assert f"--{option}[" in text, option
    for name in ctl_commands():
        assert f"'{name}:" in text, name
    if not shutil.which("zsh"):
        raise Missing("zsh is not installed")
    done = command("zsh", "-fc", 'autoload -Uz compinit && compinit -u -D && source "$0" 2>&1 | grep -v "can only be called"',
                   os.path.join(SOURCE, "doc", "_hotdev"))
    assert "parse error" not in done.stdout + done.stderr, done
    assert command("zsh", "-n", os.path.join(SOURCE, "doc", "_hotdev")).returncode == 0


# ---- the screens ----

SHOWN = [
    {"event": "ready", "pid": 41210, "program": "./myapp", "modules": 5, "startup_ms": 42.1},
    {"event": "process", "pid": 41233, "ppid": 41210, "change": "forked", "status": None},
    {"event": "live", "transaction": 11, "modules": [{"module": "physics.c", "version": 7, "previous": 6,
     "compiler": "gcc", "functions": ["step"], "data": []}], "processes": 2, "threads": 4, "save_to_live_ms": 41.0,
     "compile_ms": 38.0, "link_ms": 0.8, "pause_us": 90.5},
    {"event": "saved", "files": ["save.c"]},
    {"event": "held", "modules": ["save.c"], "code": "HD101", "reason": "struct conn.len: int to short may truncate",
     "where": {"file": "net.h", "line": 14}, "remedy": "undo the edit, or restart the program"},
    {"event": "live", "transaction": 12, "modules": [{"module": "ai.c", "version": 5, "previous": 4, "compiler": "tcc",
     "functions": ["path_find", "think"], "data": []}], "processes": 2, "threads": 4, "save_to_live_ms": 1.9,
     "compile_ms": 0.9, "link_ms": 0.4, "pause_us": 90.5},
    {"event": "pinned", "pid": 41210, "tid": 41214, "thread": "ai-worker", "function": "path_find", "module": "ai.c",
     "version": 4, "file": "ai.c", "line": 33},
    {"event": "saved", "files": ["net.c"]},
    {"event": "failed", "files": ["net.c"], "compiler": "gcc", "diagnostics": [
        {"file": "net.c", "line": 4, "column": 7, "severity": "error",
         "message": "'struct peer' has no member named 'rtt_us'"}]},
]
PEER = "void\npeer_seen(struct peer *p, long now)\n{\n    p->rtt_us = now - p->sent_us;\n}\n"


def drawn(place, *more, columns=90, rows=26):
    """The screen, with the times that change set to what does not."""
    with open(os.path.join(place.folder, "net.c"), "w", encoding="utf-8") as file:
        file.write(PEER)
    with open(os.path.join(place.folder, "journal"), "w", encoding="utf-8") as file:
        for i, event in enumerate(SHOWN):
            file.write(json.dumps({"v": 1, "t": i / 10, **event}) + "\n")
    place.terminal = Terminal(place.folder, columns, rows)
    place.terminal.run("cd", place.folder)
    place.terminal.run(HOTDEV, *more, "--replay", "journal")
    screen = place.terminal.see("5 EVENTS", "no member named")
    screen = re.sub(r"\d\d:\d\d:\d\d", "14:02:31", screen)
    screen = re.sub(r"up \d+:\d\d", "up 0:42", screen)
    screen = re.sub(r"\b\d+s( ago|)\b", r"2s\1", screen)
    return "\n".join(line.rstrip() for line in screen.rstrip().splitlines())


def check_screen(path, before, after, screen):
    """That the file has the screen between two lines."""
    text = read(*path)
    assert before in text and after in text, f"{path[-1]} has no place for the screen"
    head, rest = text.split(before, 1)
    old, tail = rest.split(after, 1)
    if os.environ.get("HOTDEV_UPDATE"):
        with open(os.path.join(SOURCE, *path), "w", encoding="utf-8") as file:
            file.write(head + before + screen + after + tail)
    else:
        assert old == screen, f"{path[-1]} has another screen (HOTDEV_UPDATE=1 writes it anew):\n{screen}"


@test
def the_screen_in_the_readme_is_what_is_drawn(place):
    check_screen(["README.md"], "<!-- the screen, written by test/view/manual.py -->\n```\n", "\n```\n", drawn(place))


@test
def the_screen_in_the_manual_is_what_is_drawn(place):
    screen = drawn(place, "--ascii", columns=74, rows=24).replace("\\", "\\e")
    screen = "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in screen.splitlines())
    check_screen(["doc", "hotdev.1"], '.\\" the screen, written by test/view/manual.py\n.Bd -literal\n', "\n.Ed\n", screen)


if __name__ == "__main__":
    sys.exit(main(Place, HOTDEV))
