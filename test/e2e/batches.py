# SPDX-License-Identifier: GPL-2.0-or-later
"""Saves that come while something is being built, and what is built again for them."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import MAIN, case, main, require  # noqa: E402

# Logs each compilation of a saved text (whose name in debug information is a version's) and stops in it while there
# is a file "hold.SOURCE": it opens that FIFO, which lasts until the test opens it too.
COMPILER = r"""#!/bin/sh
here=$(dirname "$0")
saved=
for word; do
	case $word in
	-fdebug-prefix-map=*/v[0-9]*/*.c) saved=${word##*/} ;;
	esac
done
if ! [ "$saved" ]; then
	case "$*" in *" -c "*) echo "plain x $$" >> "$here/log" ;; esac
	case "$*" in *d.c*) [ -p "$here/plain.d.c" ] && { : > "$here/d-is-built"; read -r gone < "$here/plain.d.c"; } ;; esac
	exec gcc "$@"
fi
echo "start $saved $$" >> "$here/log"
[ -p "$here/hold.$saved" ] && read -r gone < "$here/hold.$saved"
gcc "$@"
status=$?
[ -p "$here/after.$saved" ] && read -r gone < "$here/after.$saved"
echo "end $saved $$" >> "$here/log"
exit $status
"""

UNIT = r"""
#include "common.h"

int
NAME(int x)
{
	return COMMON + x + 0;
}
"""

ANSWER = r"""
#include <stdio.h>

int a(int x), b(int x), c(int x), d(int x);

void
answer(const char *command)
{
	(void)command;
	printf("%d %d %d %d", a(0), b(0), c(0), d(0));
}
"""

FILES = {"main.c": MAIN, "answer.c": ANSWER, "common.h": "#define COMMON 1\n", "d.c": UNIT.replace("NAME", "d"),
         **{f"{n}.c": UNIT.replace("NAME", n) for n in "abc"}}
FILES["d.c"] = FILES["d.c"].replace('#include "common.h"', "#define COMMON 1")
OPTIONS = {"once": True, "start": False}


class Compilations:
    """The compiler's log, and its gates."""

    def __init__(self, s):
        self.s, self.known = s, 0
        s.program.write("cc", COMPILER)
        os.chmod(s.path("cc"), 0o755)
        s.save("log", "")
        database = json.loads(s.read("compile_commands.json"))
        for entry in database:
            entry["arguments"][0] = s.path("cc")
        s.save("compile_commands.json", json.dumps(database))

    def lines(self):
        return [tuple(line.split()) for line in self.s.read("log").splitlines()]

    def plain(self):
        """Of texts that were not saved: to be compared with what was, or with what runs."""
        return [line for line in self.lines() if line[0] == "plain"]

    def started(self, name):
        """Process numbers of its compilers."""
        return [int(pid) for word, source, pid in self.lines() if word == "start" and source == name]

    def ended(self, name):
        return [int(pid) for word, source, pid in self.lines() if word == "end" and source == name]

    def counts(self):
        return {name: len(self.started(name)) for name in sorted({source for word, source, _ in self.lines() if word == "start"})}

    def hold(self, name, where="hold"):
        os.mkfifo(self.s.path(f"{where}.{name}"))

    def release(self, name, where="hold"):
        """Those that wait go on, and no other waits."""
        path = self.s.path(f"{where}.{name}")
        gate = os.open(path, os.O_RDWR)
        os.write(gate, b"\n" * 64)
        os.unlink(path)
        self.open = gate  # bytes in a FIFO go with the last who has it open

    def wait_started(self, name, times=1):
        self.s.wait_until(lambda: len(self.started(name)) >= times, f"{name} is not compiled")

    def wait_ended(self, name, times=1):
        self.s.wait_until(lambda: len(self.ended(name)) >= times, f"{name} is not compiled")


def begin(s):
    compilations = Compilations(s)
    s.start()
    s.expect("?", "1 1 1 1")
    return compilations


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def header_edit_that_stops_in_b(s, built):
    """a.c is built, b.c is being built."""
    built.hold("b.c")
    s.edit("common.h", "COMMON 1", "COMMON 10")
    require(not s.wait("saved").get("joined"), "the first save joins another")
    built.wait_started("b.c")
    built.wait_ended("a.c")
    built.wait_ended("c.c")


@case(FILES, **OPTIONS)
def a_newer_save_joins_what_is_being_built(s):
    built = begin(s)
    header_edit_that_stops_in_b(s, built)
    s.edit("d.c", "x + 0", "x + 7")
    saved = s.wait("saved")
    require(saved["files"] == ["d.c"] and saved["joined"], "the second save:", saved)
    built.wait_ended("d.c")
    s.expect("?", "1 1 1 1")
    built.release("b.c")
    s.live("a", "b", "c", "d", modules=["a.c", "b.c", "c.c", "d.c"])
    s.expect("?", "10 10 10 8")
    require(built.counts() == {"a.c": 1, "b.c": 1, "c.c": 1, "d.c": 1}, "compiled:", built.counts())


@case(FILES, **OPTIONS)
def a_file_saved_again_while_it_is_built_is_built_anew(s):
    built = begin(s)
    header_edit_that_stops_in_b(s, built)
    first = built.started("b.c")[0]
    s.edit("b.c", "x + 0", "x + 5")
    built.wait_started("b.c", 2)
    s.wait_until(lambda: not is_alive(first), "the compiler of the old text still runs")
    built.release("b.c")
    s.live("a", "b", "c", modules=["a.c", "b.c", "c.c"])
    s.expect("?", "10 15 10 1")
    require(built.counts() == {"a.c": 1, "b.c": 2, "c.c": 1}, "compiled:", built.counts())


@case(FILES, **OPTIONS)
def a_header_saved_again_while_it_is_built_counts_as_saved_last(s):
    built = begin(s)
    header_edit_that_stops_in_b(s, built)
    first = built.started("b.c")[0]
    s.edit("common.h", "COMMON 10", "COMMON 20")
    built.wait_started("b.c", 2)
    s.wait_until(lambda: not is_alive(first), "the compiler of the old text still runs")
    built.release("b.c")
    s.live("a", "b", "c", modules=["a.c", "b.c", "c.c"])
    s.expect("?", "20 20 20 1")
    require(built.counts() == {"a.c": 2, "b.c": 2, "c.c": 2}, "compiled:", built.counts())


@case(FILES, **OPTIONS)
def an_edit_taken_back_while_it_is_built_is_unchanged(s):
    built = begin(s)
    header_edit_that_stops_in_b(s, built)
    s.edit("common.h", "COMMON 10", "COMMON 1")
    require(s.unchanged()["files"] == ["common.h"], "unchanged names another file")
    s.wait_until(lambda: not is_alive(built.started("b.c")[0]), "the compiler of the old text still runs")
    s.expect("?", "1 1 1 1")
    require(not [m for m in json.loads(s.ctl("modules", "--json"))["modules"] if m["state"] == "building"], "still building")
    built.release("b.c")
    s.edit("b.c", "x + 0", "x + 3")
    s.live("b", modules=["b.c"])
    s.expect("?", "1 4 1 1")


@case(FILES, **OPTIONS)
def an_error_in_what_joins_fails_all_and_clears(s):
    built = begin(s)
    header_edit_that_stops_in_b(s, built)
    s.edit("d.c", "x + 0", "y")
    built.wait_ended("d.c")
    built.release("b.c")
    require(s.failed("y")["files"] == ["d.c"], "failed names another file")
    s.expect("?", "1 1 1 1")
    s.edit("d.c", "return COMMON + y", "return COMMON + x")
    s.live("a", "b", "c", modules=["a.c", "b.c", "c.c"])
    s.expect("?", "10 10 10 1")
    require(built.counts() == {"a.c": 1, "b.c": 1, "c.c": 1, "d.c": 2}, "compiled:", built.counts())


@case(FILES, **OPTIONS)
def the_last_of_many_saves_wins(s):
    built = begin(s)
    built.hold("b.c")
    for value in range(2, 30):
        s.save("common.h", f"#define COMMON {value}\n", how="atomic" if value % 2 else "in place")
        s.save("d.c", FILES["d.c"].replace("x + 0", f"x + {value}"))
    built.wait_started("b.c")
    built.release("b.c")
    s.ctl("wait", "--timeout", "200", "live")
    s.expect("?", "29 29 29 30")


@case(FILES, **OPTIONS)
def what_is_held_is_not_built_again_for_another_file(s):
    built = begin(s)
    s.replace("a.c", ("int\na", "int missing(void);\nint\na"), ("x + 0", "missing()"))
    s.held("HD201")
    s.edit("d.c", "x + 0", "x + 2")
    s.held("HD201")
    s.edit("d.c", "x + 2", "x + 3")
    s.held("HD201")
    require(built.counts() == {"a.c": 1, "d.c": 2}, "compiled:", built.counts())
    s.edit("a.c", "missing()", "4")
    s.live("a", "d", modules=["a.c", "d.c"])
    s.expect("?", "5 1 1 4")


@case(FILES, **OPTIONS)
def what_does_not_compile_is_not_built_again_for_another_file(s):
    built = begin(s)
    s.edit("common.h", "COMMON 1", "COMMON 1 +")
    s.edit("a.c", "COMMON + x + 0", "y")
    s.wait("failed", where=lambda e: "a.c" in e["files"])
    known = built.counts()
    for text in ("x + 0", "x + 2"), ("x + 2", "x + 3"):
        s.edit("d.c", *text)
        s.failed("y")
    require(built.counts() == {**known, "d.c": 2}, "compiled:", built.counts())
    s.edit("a.c", "return y", "return 6")
    s.live(modules=["a.c", "d.c"])


@case(FILES, **OPTIONS)
def reload_builds_again_what_was_built(s):
    built = begin(s)
    s.replace("a.c", ("int\na", "int missing(void);\nint\na"), ("x + 0", "missing()"))
    s.held("HD201")
    s.ctl("reload", status=1)
    s.held("HD201")
    require(built.counts() == {"a.c": 2}, "compiled:", built.counts())
    s.save("a.c", FILES["a.c"])
    s.unchanged()


@case(FILES, **OPTIONS)
def a_header_saved_while_another_file_is_built_is_not_mixed_in(s):
    """The header's own batch comes later (here: after a pause); until then its old text counts."""
    built = begin(s)
    built.hold("a.c")
    s.edit("a.c", "x + 0", "x + 100")
    built.wait_started("a.c")
    s.ctl("pause")
    s.edit("common.h", "COMMON 1", "COMMON 50")
    built.release("a.c")
    s.live("a", modules=["a.c"])
    s.expect("?", "101 1 1 1")
    s.ctl("resume")
    s.live("a", "b", "c", modules=["a.c", "b.c", "c.c"])
    s.expect("?", "150 50 50 1")


@case(FILES, **OPTIONS)
def a_file_saved_while_it_is_built_as_it_was_is_compared_with_that(s):
    """A header's dependents are not known yet: every file is built as it was, to find them."""
    built = begin(s)
    built.hold("d.c", "plain")
    s.edit("common.h", "COMMON 1", "COMMON 10")
    s.wait_until(lambda: os.path.exists(s.path("d-is-built")), "d.c is not built as it was")
    s.edit("d.c", "x + 0", "x + 7")
    s.wait("saved", where=lambda e: e["files"] == ["d.c"])
    built.release("d.c", "plain")
    s.live("a", "b", "c", "d", modules=["a.c", "b.c", "c.c", "d.c"])
    s.expect("?", "10 10 10 8")


@case(FILES, hotdev=["--compiler", "auto"])
def the_last_of_many_saves_wins_with_two_compilers(s):
    for value in range(2, 30):
        s.save("common.h", f"#define COMMON {value}\n", how="atomic" if value % 2 else "in place")
        s.save("d.c", FILES["d.c"].replace("x + 0", f"x + {value}"))
        if value % 3 == 0:
            s.save("a.c", FILES["a.c"].replace("x + 0", f"x + {value}"))
    s.ctl("wait", "--timeout", "200", "live")
    s.expect("?", "56 29 29 30")
    s.ctl("wait", "--timeout", "200", "idle")
    s.expect("?", "56 29 29 30")


MANY = {"main.c": MAIN, "common.h": "#define COMMON 1\n", "answer.c": r"""
#include <stdio.h>

""" + "".join(f"int u{n}(int x);\n" for n in range(12)) + r"""
void
answer(const char *command)
{
	(void)command;
	printf("%d", """ + " + ".join(f"u{n}(0)" for n in range(12)) + r""");
}
""", **{f"u{n}.c": UNIT.replace("NAME", f"u{n}") + f"\nint v{n}(void) {{ return {n}; }}\n" for n in range(12)}}


@case(MANY, **OPTIONS)
def sources_that_a_checkout_touched_are_compared_with_few_compilations_more(s):
    later = os.stat(s.program.path).st_mtime + 5
    for file in MANY:
        os.utime(s.path(file), (later, later))
    built = Compilations(s)
    s.start()
    s.expect("?", "12")
    s.edit("common.h", "COMMON 1", "COMMON 2")
    s.live(*(f"u{n}" for n in range(12)))  # and no v
    s.expect("?", "24")
    proofs = len(built.plain()) - 12
    require(0 <= proofs <= max(os.cpu_count(), 2), "compiled without need:", built.plain())


if __name__ == "__main__":
    sys.exit(main())
