# SPDX-License-Identifier: GPL-2.0-or-later
"""Undo and redo, and what the control socket says of a session."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

ONE = {"mod.c": r"""
#include <stdio.h>
static int calls;
static const char *const words[] = {"zero", "one"};
static __attribute__((noinline)) int value(void) { calls++; return 1; }
void answer(const char *command) { (void)command; int v = value(); printf("%d %s after %d", v, words[1], calls); }
"""}


@case(ONE)
def undo_and_redo_move_between_versions_and_change_no_file(s):
    s.expect("?", "1 one after 1")
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    s.edit("mod.c", "return 2;", "return 3;")
    s.live("value")
    text = s.read("mod.c")
    s.expect("?", "3 one after 2")
    event = s.undo()
    require([m["module"] for m in event["modules"]] == ["mod.c"], "undone:", event)
    s.expect("?", "2 one after 3")
    s.undo()
    s.expect("?", "1 one after 4")
    s.ctl("undo", status=1)
    s.expect("?", "1 one after 5")
    s.redo()
    s.expect("?", "2 one after 6")
    s.redo()
    s.expect("?", "3 one after 7")
    s.ctl("redo", status=1)
    require(s.read("mod.c") == text, "undo changed the file")


@case(ONE)
def a_save_after_an_undo_supersedes_it(s):
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    s.undo()
    s.expect("?", "1 one after 1")
    s.edit("mod.c", "calls++; return 2;", "calls++; return 20;")
    s.live("value")
    s.expect("?", "20 one after 2")
    s.ctl("redo", status=1)
    s.undo()
    answer = s.ask("?")
    require(answer == "1 one after 3", "undo after undo and save leads to", answer)
    # The same text again: it differs from what runs, so it goes live.
    s.save("mod.c", s.read("mod.c").replace("return 20;", "return 30;"))
    s.live("value")
    s.expect("?", "30 one after 4")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int scaled(int n) { return n * 10; }
void answer(const char *command) { (void)command; printf("%d", scaled(1)); }
"""})
def a_body_saved_after_an_undone_signature_reaches_every_caller(s):
    s.replace("mod.c", ("scaled(int n) { return n", "scaled(int n, int by) { return by * n"),
              ("scaled(1)", "scaled(1, 7)"))
    s.live()
    s.expect("?", "70")
    s.undo()
    s.expect("?", "10")
    s.replace("mod.c", ("scaled(int n, int by) { return by * n * 10", "scaled(int n) { return n * 30"),
              ("scaled(1, 7)", "scaled(1)"))
    s.live("scaled")
    s.expect("?", "30")
    s.undo()
    s.expect("?", "10")


@case(ONE)
def undo_takes_back_constants_and_initialisers(s):
    s.replace("mod.c", ('"one"', '"uno"'), ("static int calls;", "static int calls = 100;"))
    s.wait("live")
    s.expect("?", "1 uno after 101")
    s.undo()
    require(s.ask("?").startswith("1 one after 1"), "the old words are not back")
    s.redo()
    require(s.ask("?").startswith("1 uno after 1"), "the new words are not back")


@case({"mod.c": r"""
#include <stdio.h>
int other(void);
static __attribute__((noinline)) int mine(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d %d", mine(), other()); }
""", "other.c": "int other(void);\n__attribute__((noinline)) int other(void) { return 10; }\n"})
def undo_of_a_module_takes_back_its_last_transaction(s):
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("mine")
    s.edit("other.c", "return 10;", "return 20;")
    s.live("other")
    s.expect("?", "2 20")
    event = s.undo("mod.c")
    require([m["module"] for m in event["modules"]] == ["mod.c"], "undone:", event)
    s.expect("?", "1 20")
    s.redo("mod.c")
    s.expect("?", "2 20")
    s.undo("other.c")
    s.expect("?", "2 10")
    s.ctl("undo", "nosuch.c", status=1)


@case({"common.h": "#define N 1\n", "other.c": '#include "common.h"\nint other(void);\nint other(void) { return N; }\n',
       "mod.c": r"""
#include <stdio.h>
#include "common.h"
int other(void);
void answer(const char *command) { (void)command; printf("%d %d", N, other()); }
"""})
def undo_of_a_header_takes_back_every_module(s):
    s.expect("?", "1 1")
    s.edit("common.h", "N 1", "N 2")
    s.live(modules=["mod.c", "other.c"])
    s.expect("?", "2 2")
    event = s.undo()
    require(sorted(m["module"] for m in event["modules"]) == ["mod.c", "other.c"], "undone:", event)
    s.expect("?", "1 1")
    s.redo()
    s.expect("?", "2 2")


@case(ONE, hotdev=["--keep", "3"])
def many_versions_are_made_and_the_last_can_be_undone(s):
    for n in range(2, 32):
        s.edit("mod.c", f"return {n - 1};", f"return {n};")
        s.live("value")
    s.expect("?", "31 one after 1")
    s.undo()
    s.expect("?", "30 one after 2")
    s.undo()
    s.expect("?", "29 one after 3")


@case(ONE, once=True)
def the_control_socket_answers(s):
    require(os.stat(s.socket).st_mode & 0o777 == 0o600, "the socket's mode is", oct(os.stat(s.socket).st_mode))
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    status = json.loads(s.ctl("status", "--json"))
    require(isinstance(status, dict), "status is", status)
    modules = json.loads(s.ctl("modules", "--json"))
    require("mod.c" in json.dumps(modules), "modules are", modules)
    require("mod.c" in s.ctl("modules"), "modules does not name mod.c")
    s.ctl("pins")
    s.ctl("wait", "idle")
    s.ctl("nonsense", status=2)
    s.ctl("undo")
    # The event is written when ctl returns.
    require(len(s.events("undone")) == 1, "undone is not in the journal yet")
    s.expect("?", "1 one after 1")


@case(ONE, once=True)
def pause_holds_saves_back_until_resume(s):
    s.ctl("pause")
    s.edit("mod.c", "return 1;", "return 2;")
    s.expect("?", "1 one after 1")
    s.edit("mod.c", "return 2;", "return 3;")
    s.expect("?", "1 one after 2")
    s.ctl("resume")
    s.wait("live")
    s.ctl("wait", "idle")
    s.expect("?", "3 one after 3")


@case(ONE, once=True)
def quit_ends_the_program_and_hotdev(s):
    s.ctl("quit")
    status = s.exit_status()
    require(status in (0, 128 + signal.SIGTERM), "hotdev ended with", status)
    s.finish(status)


@case(ONE, once=True)
def each_event_is_a_line_on_standard_error_without_control_characters(s):
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    s.edit("mod.c", "return 2;", "return ;;;2 \x1b[31m;")
    s.failed()
    s.edit("mod.c", "return ;;;2 \x1b[31m;", "return 2;")
    s.unchanged()
    s.finish()
    said = s.stderr()
    require("\x1b" not in said, "standard error has control characters:", repr(said))
    for word in ("live", "failed", "unchanged", "mod.c"):
        require(word in said.lower(), f"standard error does not say {word!r}:", said)


@case(ONE, once=True, start=False)
def events_can_go_to_standard_output(s):
    s.journal.path = "-"
    s.spawn()
    ready = json.loads(s.line())
    require(ready["event"] in ("ready", "process"), "the first event is", ready)
    s.close_input()
    require(s.exit_status() == 0, "hotdev did not end well")
    for line in s.buffer.decode().splitlines():
        json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
