# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input: each gets a clear sentence and the exit status or event of the contract, and never harms a program."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import DEADLINE, Skip, case, main, require  # noqa: E402

PROGRAM = {"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", value()); }
"""}


def refused(s, status, *words, program=None, options=()):
    """hotdev must end at once with this status and say these words; the program must not have run on."""
    command = [os.environ["HOTDEV"], "--plain", "--events", s.journal.path, *options, "--", program or s.program.path]
    done = subprocess.run(command, cwd=s.cwd, env=s.environment, text=True, stdin=subprocess.DEVNULL, timeout=DEADLINE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = done.stderr
    require(done.returncode == status, f"the exit status is {done.returncode}, not {status}:", said)
    require(said.strip() and len(said.strip().splitlines()) <= 6, "no clear sentence:", repr(said))
    for word in words:
        require(word.lower() in said.lower(), f"the message lacks {word!r}:", said)
    require(not s.events("ready"), "ready was written")
    s.errors = os.devnull


def rebuild(s, *flags, link=()):
    """The program again, by one command."""
    sources = [source for source in s.program.sources if source.endswith(".c")]
    s.program.run([s.point.compiler, *flags, *sources, "-o", "app", *link])


@case(PROGRAM, start=False)
def a_program_without_debug_information_is_refused(s):
    rebuild(s, s.point.level)
    refused(s, 3, "debug information", "-g")


@case(PROGRAM, start=False)
def a_stripped_program_is_refused(s):
    s.program.run(["strip", "app"])
    refused(s, 3, "app")


@case(PROGRAM, start=False)
def a_static_program_is_refused(s):
    try:
        rebuild(s, "-g", s.point.level, link=["-static"])
    except Exception as error:
        raise Skip("no static C library") from error
    refused(s, 3, "static")


@case(PROGRAM, start=False)
def a_program_optimised_at_link_time_is_refused(s):
    try:
        rebuild(s, "-g", "-O2", "-flto", link=["-flto"])
    except Exception as error:
        raise Skip("the compiler cannot optimise at link time") from error
    refused(s, 3, "lto")


@case(PROGRAM, start=False, once=True)
def a_setuid_program_is_refused(s):
    if os.geteuid() != 0:
        raise Skip("only root can give a program to another user")
    os.chown(s.program.path, 65534, 65534)
    os.chmod(s.program.path, 0o6755)
    refused(s, 3, "set-user-ID")


@case(PROGRAM, start=False, once=True)
def a_file_that_is_not_executable_is_refused(s):
    os.chmod(s.program.path, 0o644)
    refused(s, 3, "app", "executable")


@case(PROGRAM, start=False, once=True)
def a_missing_program_is_refused(s):
    refused(s, 3, "nothing-here", "no such file", program="./nothing-here")
    refused(s, 3, "nothing-here-at-all", program="nothing-here-at-all")


@case(PROGRAM, start=False, once=True)
def a_folder_as_program_is_refused(s):
    refused(s, 3, program=s.cwd)


@case(PROGRAM, start=False, once=True)
def a_script_is_refused(s):
    s.save("script", "#!/bin/sh\nexec ./app\n")
    os.chmod(s.path("script"), 0o755)
    refused(s, 3, "script", program="./script")


@case(PROGRAM, start=False, once=True)
def damaged_elf_files_are_refused(s):
    with open(s.program.path, "rb") as file:
        good = file.read()
    for number, bad in enumerate((b"", b"\x7fELF", good[:64], good[:len(good) // 2], b"\x7fELF" + b"\xff" * 200,
                                  good[:18] + b"\xb7\x00" + good[20:], good[:40] + b"\xff" * 24 + good[64:])):
        name = f"bad{number}"
        with open(s.path(name), "wb") as out:
            out.write(bad)
        os.chmod(s.path(name), 0o755)
        refused(s, 3, program=f"./{name}")


@case(PROGRAM, start=False, once=True)
def a_program_whose_sources_are_gone_is_refused(s):
    for source in s.program.sources:
        os.unlink(s.path(source))
    os.unlink(s.path("compile_commands.json"))
    refused(s, 3, "source")


@case(PROGRAM, start=False, once=True)
def wrong_usage_is_told(s):
    for words in ([], ["--no-such-option", "./app"], ["--compiler", "pascal", "./app"], ["--settle", "soon", "./app"],
                  ["--settle", "-5", "./app"], ["--keep"], ["--on-refuse", "cry", "./app"], ["--on-disagree", "cry", "./app"], ["ctl"], ["--plain"]):
        done = subprocess.run([os.environ["HOTDEV"], *words], cwd=s.cwd, env=s.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        require(done.returncode == 2, f"{words} ended with {done.returncode}:", done.stderr)
        require(done.stderr.strip(), words, "got no sentence")
        require(not done.stdout.strip(), words, "wrote to standard output:", done.stdout)


@case(PROGRAM, start=False, once=True)
def help_and_version_are_told(s):
    for word, expected in (("--help", "--events"), ("--version", "hotdev")):
        done = subprocess.run([os.environ["HOTDEV"], word], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=DEADLINE)
        require(done.returncode == 0 and expected in done.stdout and not done.stderr, word, "gave", done)


@case(PROGRAM, start=False, once=True)
def a_missing_or_corrupt_database_is_told(s):
    refused(s, 2, "nowhere.json", options=["--compdb", "nowhere.json"])
    for text in ("", "{", "[{]", "[1, 2]", '{"a": 1}', '[{"file": 5}]', '[{"directory": "x"}]', "\x00\xff"):
        s.save("compile_commands.json", text)
        refused(s, 3, "compile_commands.json")


@case(PROGRAM, start=False, once=True)
def a_database_that_does_not_name_the_program_falls_back_to_the_debug_information(s):
    s.save("compile_commands.json", json.dumps([{"directory": s.cwd, "file": "else.c", "command": "cc -c else.c"}]))
    s.start()
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    s.expect("?", "2")


@case(PROGRAM, start=False)
def a_compile_command_that_fails_is_told_and_changes_nothing(s):
    text = s.read("compile_commands.json")
    s.save("compile_commands.json", text.replace('"-g"', '"-g", "-include", "not-there.h"'))
    s.start()
    s.edit("mod.c", "return 1;", "return 2;")
    s.failed("not-there.h")
    s.expect("?", "1")


@case(PROGRAM, start=False, once=True)
def a_compiler_that_cannot_be_run_is_told(s):
    entries = json.loads(s.read("compile_commands.json"))
    for entry in entries:
        entry["arguments"][0] = "no-such-compiler"
    s.save("compile_commands.json", json.dumps(entries))
    s.start()
    s.edit("mod.c", "return 1;", "return 2;")
    s.failed("no-such-compiler")
    s.expect("?", "1")


@case(PROGRAM, start=False, once=True)
def a_compiler_that_writes_rubbish_is_told(s):
    s.save("cc-rubbish", r"""#!/bin/sh
out=a.o
while [ $# -gt 0 ]; do
	[ "$1" = -o ] && out=$2
	shift
done
head -c 5000 /dev/urandom > "$out"
""")
    os.chmod(s.path("cc-rubbish"), 0o755)
    entries = json.loads(s.read("compile_commands.json"))
    for entry in entries:
        entry["arguments"][0] = s.path("cc-rubbish")
    s.save("compile_commands.json", json.dumps(entries))
    s.start()
    s.edit("mod.c", "return 1;", "return 2;")
    event = s.wait("held", "failed", only=("live", "unchanged"))
    require(event["event"] == "failed" or event["code"] in ("HD206", "HD207"), "refused with", event)
    s.expect("?", "1")


@case(PROGRAM, start=False, once=True)
def objects_that_are_truncated_are_told(s):
    s.save("cc-short", f"""#!/bin/sh
{s.point.compiler} "$@" || exit
out=
while [ $# -gt 0 ]; do
	[ "$1" = -o ] && out=$2
	shift
done
[ -n "$out" ] && [ -f keep ] || exit 0
truncate -s "$(cat keep)" "$out"
""")
    os.chmod(s.path("cc-short"), 0o755)
    entries = json.loads(s.read("compile_commands.json"))
    for entry in entries:
        entry["arguments"][0] = s.path("cc-short")
    s.save("compile_commands.json", json.dumps(entries))
    s.start()
    for n, size in enumerate((0, 10, 64, 500, 1500), 2):
        s.save("keep", str(size))
        s.edit("mod.c", f"return {n - 1};", f"return {n};")
        event = s.wait("held", "failed", only=("live", "unchanged"))
        require(event["event"] == "failed" or event["code"] in ("HD206", "HD207"), "refused with", event)
        s.expect("?", "1")
    os.unlink(s.path("keep"))
    s.edit("mod.c", "return 6;", "return 7;")
    s.live("value")
    s.expect("?", "7")


@case(PROGRAM, start=False, once=True)
def a_project_that_is_no_folder_is_told(s):
    done = subprocess.run([os.environ["HOTDEV"], "--plain", "--project", "not-a-folder", "./app"], cwd=s.cwd, text=True,
                          env=s.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=DEADLINE)
    require(done.returncode in (2, 3, 4) and "not-a-folder" in done.stderr, "told", done)


@case(PROGRAM, start=False, once=True)
def doctor_says_of_each_file_whether_it_can_be_reloaded(s):
    done = subprocess.run([os.environ["HOTDEV"], "doctor", "--json", "./app"], cwd=s.cwd, env=s.environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    require(done.returncode == 0, "doctor ended with", done.returncode, done.stderr)
    report = json.loads(done.stdout)
    modules = {m["module"]: m for m in report["modules"]}
    require(report["ok"] and set(modules) == {"mod.c", "main.c"}, "doctor says", report)
    require(all(m["reloadable"] and m["command"] for m in modules.values()), "doctor says", modules)
    rebuild(s, s.point.level)
    done = subprocess.run([os.environ["HOTDEV"], "doctor", "./app"], cwd=s.cwd, env=s.environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    require(done.returncode == 3 and "-g" in done.stdout + done.stderr, "doctor of a program without -g:", done)


@case(PROGRAM, start=False, once=True)
def doctor_says_what_libtcc_does_not_build(s):
    os.unlink(os.path.join(s.cwd, "compile_commands.json"))
    for flags, reason in (((), None), (("-fshort-enums",), "-fshort-enums")):
        rebuild(s, "-g", s.point.level, *flags)
        done = subprocess.run([os.environ["HOTDEV"], "doctor", "--json", "./app"], cwd=s.cwd, env=s.environment,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        for module in json.loads(done.stdout)["modules"]:
            said = module["not_instant"]
            require(reason in said if reason else said is None, "doctor says", module)


# A string with a zero byte in it has no name and is not merged with others: an atom without a name.
@case({"mod.c": r"""
#include <stdio.h>
static const char *volatile rows[] = {"first\0row", "second\0row"};
static __attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d %s", value(), rows[0]); }
"""}, start=False)
def sources_newer_than_the_program_can_be_edited(s):
    s.edit("mod.c", '"%d %s"', '"%d: %s"')
    later = os.stat(s.program.path).st_mtime + 10
    os.utime(s.path("mod.c"), (later, later))
    s.start()
    s.expect("?", "1 first")
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("answer", "value")
    s.expect("?", "2: first")
    s.undo()
    s.expect("?", "1 first")
    s.redo()
    s.edit("mod.c", "return 2;", "return 3;")
    s.live("value")
    s.expect("?", "3: first")


@case(PROGRAM, start=False, once=True)
def a_program_on_the_path_is_found(s):
    s.environment["PATH"] = s.cwd + ":" + s.environment["PATH"]
    command = s.command
    s.command = lambda: [word if word != "./app" else "app" for word in command()]
    s.start()
    s.expect("?", "1")


@case(PROGRAM, start=False, once=True)
def a_folder_with_a_difficult_name_works(s):
    folder = os.path.join(os.path.dirname(s.cwd), "söurce \"with' $odd\\ (name)")
    shutil.copytree(s.cwd, folder)
    s.program.folder = s.cwd = folder
    s.program.build()
    s.start()
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value", modules=["mod.c"])
    s.expect("?", "2")


UNITS = {
    "a.c": '#include <umbrella.h>\nstruct core the_core;\nint a(void) { return the_core.value + CORE; }\n',
    "b.c": "#include <umbrella.h>\nint b(void) { return 10; }\n",
    "deep/down/umbrella.h": '#include "core.h"\n',
    "deep/down/core.h": "#define CORE 1\nstruct core { int value; };\n",
    "mod.c": r"""
#include <stdio.h>

int a(void), b(void);

void
answer(const char *command)
{
	(void)command;
	printf("%d %d", a(), b());
}
"""}


@case(UNITS, cflags=["-Ideep/down"], compdb=False, only=lambda p: p.gcc)
def a_header_that_left_no_trace_is_found_where_other_files_found_it(s):
    s.expect("?", "1 10")
    s.edit("b.c", "return 10", "return 20")
    s.live("b", modules=["b.c"])
    s.expect("?", "1 20")


@case(UNITS, cflags=["-Ideep/down"], once=True, start=False)
def a_source_that_the_database_lacks_is_named(s):
    database = [e for e in json.loads(s.read("compile_commands.json")) if e["file"] not in ("b.c", "mod.c")]
    s.save("compile_commands.json", json.dumps(database))
    s.start()
    said = s.warning("b.c and 1 other source are not in ")
    require(said["code"] == "not-in-compdb" and said["file"] == s.path("b.c"), "the warning:", said)
    s.edit("b.c", "return 10", "return 20")
    s.live("b", modules=["b.c"])
    require(len([w for w in s.events("warning") if w["code"] == "not-in-compdb"]) == 1, "said more than once")
    done = subprocess.run([os.environ["HOTDEV"], "doctor", "--json", "./app"], cwd=s.cwd, text=True,
                          stdout=subprocess.PIPE, check=False)
    named = sorted(m["module"] for m in json.loads(done.stdout)["modules"]
                   if any("compilation database" in w for w in m["warnings"]))
    require(named == ["b.c", "mod.c"], "doctor names", named)


if __name__ == "__main__":
    sys.exit(main())
