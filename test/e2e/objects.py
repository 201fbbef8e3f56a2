# SPDX-License-Identifier: GPL-2.0-or-later
"""More than one file: headers, shared libraries, plugins, files built twice, new files, and where the commands come
from."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import DEADLINE, MAIN, Skip, case, main, require  # noqa: E402

THREE = {
    "common.h": r"""
#ifndef COMMON_H
#define COMMON_H
#define FACTOR 2
/* body */
static inline int scaled(int x) { return x * FACTOR; }
int a(int x);
int b(int x);
int c(int x);
#endif
""",
    "a.c": '#include "common.h"\nint a(int x) { return scaled(x); }\n',
    "b.c": '#include "common.h"\nint b(int x) { return scaled(x) + 1; }\n',
    "sub/c.c": '#include "../common.h"\nint c(int x) { return scaled(x) + FACTOR * 100; }\n',
    "mod.c": r"""
#include <stdio.h>
#include "common.h"
void answer(const char *command) { int x = command[0] - '0'; printf("%d %d %d", a(x), b(x), c(x)); }
""",
}


@case(THREE)
def a_header_goes_live_in_every_module_as_one_transaction(s):
    s.expect("5", "10 11 210")
    s.edit("common.h", "FACTOR 2", "FACTOR 3")
    require(s.wait("saved")["files"] == ["common.h"], "saved names other files")
    s.live(modules=["a.c", "b.c", "sub/c.c"])
    s.expect("5", "15 16 315")
    s.edit("common.h", "return x * FACTOR;", "return x * FACTOR + 1000;", how="atomic")
    s.live(modules=["a.c", "b.c", "sub/c.c"])
    s.expect("5", "1015 1016 1315")
    s.edit("common.h", "/* body */", "/* the body of the matter */\n\n")
    require(s.unchanged()["files"] == ["common.h"], "unchanged names other files")
    s.save("common.h", s.read("common.h").replace("#define FACTOR 3", "#define FACTOR 3\n#define UNUSED 5"))
    s.unchanged()
    s.expect("5", "1015 1016 1315")


@case(THREE)
def a_header_that_breaks_one_module_changes_none(s):
    s.expect("5", "10 11 210")
    s.replace("common.h", ("FACTOR 2", "FACTOR 7"), ("int b(int x);", "int b(int x, int y);"))
    event = s.failed()
    require(any(d["file"].endswith("b.c") for d in event["diagnostics"] if d["file"]), "no diagnostic in b.c:", event)
    s.expect("5", "10 11 210")
    s.edit("common.h", "int b(int x, int y);", "int b(int x);")
    s.live(modules=["a.c", "b.c", "sub/c.c"])
    s.expect("5", "35 36 735")
    # It compiles everywhere, and one module could not be linked: again none.
    s.replace("common.h", ("FACTOR 7", "FACTOR 8"),
              ("int c(int x);", "int c(int x);\nint undefined_anywhere(void);\n#define NEEDS undefined_anywhere()"))
    s.live(modules=["a.c", "b.c", "sub/c.c"])
    s.edit("sub/c.c", "FACTOR * 100", "FACTOR * 100 + NEEDS")
    s.held("HD201", "undefined_anywhere")
    s.edit("common.h", "FACTOR 8", "FACTOR 9")
    s.held("HD201", "undefined_anywhere")
    s.expect("5", "40 41 840")
    s.edit("common.h", "NEEDS undefined_anywhere()", "NEEDS 0")
    s.live(modules=["a.c", "b.c", "sub/c.c"])
    s.expect("5", "45 46 945")


SHARED = {"value.h": "#define VALUE 1\n", "mod.c": r"""
#include <stdio.h>
int m0(void);
int m1(void);
int m2(void);
void answer(const char *command) { (void)command; printf("%d %d %d", m0(), m1(), m2()); }
"""}
for N in range(3):
    SHARED[f"m{N}.c"] = f'#include "value.h"\nint m{N}(void);\nint m{N}(void) {{ return VALUE; }}\n'


@case(SHARED, start=False, once=True)
def a_header_saved_again_while_it_is_built_is_never_mixed(s):
    # m2.c waits for its turn: each turn is good for one compilation.
    s.save("cc-slow", f"""#!/bin/sh
case "$*" in
*m2.c*) [ ! -e slow ] || until rm turn 2>/dev/null; do sleep 0.01; done ;;
esac
{s.point.compiler} "$@"
status=$?
case "$*" in
*m0.c*) : >{s.cwd}/m0-is-built ;;
esac
exit $status
""".replace(" slow ]", f" {s.cwd}/slow ]").replace("rm turn", f"rm {s.cwd}/turn"))
    os.chmod(s.path("cc-slow"), 0o755)
    entries = json.loads(s.read("compile_commands.json"))
    for entry in entries:
        entry["arguments"][0] = s.path("cc-slow")
    s.save("compile_commands.json", json.dumps(entries))
    s.start()
    s.edit("value.h", "VALUE 1", "VALUE 2")
    s.live()
    s.expect("?", "2 2 2")
    s.save("slow", "")
    os.unlink(s.path("m0-is-built"))
    s.edit("value.h", "VALUE 2", "VALUE 3")
    s.wait_until(lambda: os.path.exists(s.path("m0-is-built")), "m0.c is not built")
    s.edit("value.h", "VALUE 3", "VALUE 4")
    # How many compilations there are depends on when the second save is seen; each takes a turn.
    answers = []

    def is_new():
        if not os.path.exists(s.path("turn")):
            s.save("turn", "")
        answers.append(s.ask("?"))
        return answers[-1] == "4 4 4"

    s.wait_until(is_new, "the second of two saves is not live")
    mixed = [answer for answer in answers if len(set(answer.split())) > 1]
    require(not mixed, "mixed:", mixed)


@case({
    "limits.hot.h": "#define LOW 1\n#define HIGH 10\n",
    "mod.c": r"""
#include <stdio.h>
#include "limits.hot.h"
static int clamp(int x) { return x < LOW ? LOW : x > HIGH ? HIGH : x; }
void answer(const char *command) { printf("%d", clamp((command[0] - '0') * 3)); }
"""})
def a_header_of_macros_alone_is_watched(s):
    s.expect("9", "10")
    s.edit("limits.hot.h", "HIGH 10", "HIGH 20")
    s.live(modules=["mod.c"])
    s.expect("9", "20")
    s.edit("limits.hot.h", "LOW 1\n", "LOW 2\n", how="atomic")
    s.live(modules=["mod.c"])
    s.expect("0", "2")


@case(THREE, hotdev=["--settle", "60"])
def files_saved_together_go_live_together(s):
    s.edit_together(("a.c", "return scaled(x)", "return scaled(x) + 10"), ("b.c", "+ 1;", "+ 20;"),
                    ("common.h", "FACTOR 2", "FACTOR 3"))
    s.live(modules=["a.c", "b.c", "sub/c.c"])
    s.expect("5", "25 35 315")
    # A signature that changes with all its callers needs both files at once.
    s.edit_together(("common.h", "int a(int x);", "int a(int x, int y);"), ("a.c", "int a(int x)", "int a(int x, int y)"),
                    ("a.c", "+ 10", "+ 10 + y"), ("mod.c", "a(x)", "a(x, 1000)"))
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] == "HD103", "held with", event)
    s.expect("5", "1025 35 315" if event["event"] == "live" else "25 35 315")


SHARED = {
    "shape.h": "extern int corners;\nextern __thread int drawn;\nint area(int x);\nint perimeter(int x);\n",
    "shape.c": r"""
#include "shape.h"
int corners = 4;
__thread int drawn;
static int calls;
static __thread int own;
__attribute__((visibility("hidden"))) int secret(int x);
__attribute__((visibility("hidden"), noinline)) int secret(int x) { return x * x; }
static __attribute__((noinline)) int helper(int x) { calls++; return secret(x); }
int area(int x) { drawn++; own += 2; return helper(x) + calls * 1000 + own * 100000; }
int perimeter(int x) { return corners * x; }
""",
    "mod.c": r"""
#include <stdio.h>
#include <string.h>
#include "shape.h"
static int (*stored)(int) = area;
void
answer(const char *command)
{
	int x = command[0] - '0';
	int direct = area(x);
	printf("%d %d %d %d %d", direct, perimeter(x), drawn, stored == area, corners);
}
""",
}


@case(SHARED, objects={"libshape.so": ["shape.c"]})
def code_in_a_shared_library_is_live(s):
    s.expect("3", "201009 12 1 1 4")
    s.edit("shape.c", "return x * x;", "return x * x + 1;")
    s.live("secret", modules=["shape.c"])
    s.expect("3", "402010 12 2 1 4")
    s.edit("shape.c", "corners * x;", "corners * x * 2;")
    s.live("perimeter")
    s.edit("shape.c", "own += 2", "own += 3")
    s.live("area")
    s.expect("3", "703010 24 3 1 4")
    s.edit("shape.c", "int corners = 4;", "int corners = 6;")
    s.wait("live", only=("failed", "held", "unchanged"))
    s.expect("3", "1004010 36 4 1 6")
    s.edit("mod.c", '"%d %d %d %d %d"', '"lib %d %d %d %d %d"')
    s.live("answer")
    s.expect("3", "lib 1305010 36 5 1 6")
    # The library calls into libc for the first time.
    s.replace("shape.c", ('#include "shape.h"', '#include "shape.h"\n#include <stdlib.h>\n#include <string.h>'),
              ("corners * x * 2", 'corners * abs(-x) * (int)strlen("xyz")'))
    s.live("perimeter")
    s.expect("3", "lib 1606010 54 6 1 6")


@case({"plugin.c": r"""
#include <stdio.h>
#include <string.h>
int host_value(void);
static int count;
static const char *const words[] = {"zero", "one"};
const char *plugged(int x);
const char *
plugged(int x)
{
	static char text[64];
	sprintf(text, "%s %d %d", words[x & 1], ++count, host_value());
	return text;
}
""", "mod.c": r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int host_value(void);
int host_value(void) { return 7; }
void
answer(const char *command)
{
	static const char *(*plugged)(int);
	if (!strcmp(command, "open")) {
		void *handle = dlopen("./plugin.so", RTLD_NOW);
		if (!handle) {
			printf("%s", dlerror());
			return;
		}
		*(void **)&plugged = dlsym(handle, "plugged");
	}
	printf("%s", plugged ? plugged(1) : "no plugin");
}
"""}, objects={"plugin.so": ["plugin.c"]}, plugins=["plugin.so"], libs=["-rdynamic", "-ldl"])
def code_in_a_plugin_that_was_opened_later_is_live(s):
    s.expect("?", "no plugin")
    s.expect("open", "one 1 7")
    s.edit("plugin.c", '"%s %d %d"', '"new %s %d %d"')
    s.live("plugged", modules=["plugin.c"])
    s.expect("?", "new one 2 7")
    s.edit("plugin.c", '"one"', '"uno"')
    s.live()
    s.expect("?", "new uno 3 7")
    s.edit("mod.c", "return 7;", "return 8;")
    s.live("host_value")
    s.expect("?", "new uno 4 8")


@case({"util.c": r"""
int util(int x);
static int calls;
__attribute__((visibility("hidden"), noinline)) int util(int x) { calls++; return x + calls * 100; }
""", "lib.c": "int util(int x);\nint through_library(int x);\nint through_library(int x) { return util(x); }\n",
       "mod.c": r"""
#include <stdio.h>
int util(int x);
int through_library(int x);
void answer(const char *command) { int x = command[0] - '0'; int one = util(x); printf("%d %d", one, through_library(x)); }
"""}, objects={"libuse.so": ["lib.c", "util.c"]}, also=["util.c"])
def a_file_built_into_two_objects_is_one_module(s):
    s.expect("1", "101 101")
    s.ask("1")
    s.edit("util.c", "return x + calls * 100", "return x * 2 + calls * 100")
    event = s.live("util")
    require([m["module"] for m in event["modules"]] == ["util.c"], "modules:", event["modules"])
    s.expect("1", "302 302")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(int x) { return x; }
void answer(const char *command) { printf("%d", value(command[0] - '0')); }
"""})
def a_new_file_in_the_build_joins_when_it_is_needed(s):
    s.expect("4", "4")
    s.program.sources.append("extra.c")
    s.save("extra.c", "int extra(int x);\nstatic int calls = 1000;\nint extra(int x) { return x * 2 + calls++; }\n")
    s.program.write_compdb()
    s.edit("mod.c", "static __attribute__((noinline)) int value(int x) { return x; }",
           "int extra(int x);\nstatic __attribute__((noinline)) int value(int x) { return extra(x); }")
    event = s.wait("live", only=("held", "failed"))
    modules = {m["module"]: m["version"] for m in event["modules"]}
    require(modules.get("extra.c") == 1 and "mod.c" in modules, "modules:", modules)
    s.expect("4", "1008")
    s.edit("extra.c", "x * 2", "x * 3")
    s.live("extra", modules=["extra.c"])
    s.expect("4", "1013")


@case({"src/game.c": r"""
#include <math.h>
#include <stdio.h>
#include "config.h"
static __attribute__((noinline)) double speed(double x) { return sqrt(x) * SPEED; }
int
main(void)
{
	char line[64];
	while (fgets(line, sizeof line, stdin)) {
		printf("%g\n", speed(line[0] - '0'));
		fflush(stdout);
	}
	return 0;
}
""", "include/config.h": "#define SPEED 2\n"}, cflags=["-Iinclude"], libs=["-lm"], compdb=False,
      only=lambda p: p.gcc or not p.optimises)
def the_debug_information_alone_says_how_to_build(s):
    s.expect("4", "4")
    s.edit("src/game.c", "* SPEED", "* SPEED + 1")
    s.live("speed")
    s.expect("4", "5")
    s.edit("include/config.h", "SPEED 2", "SPEED 3")
    s.live("speed")
    s.expect("9", "10")
    s.edit("src/game.c", "+ 1", "+ floor(2.5)")
    s.live("speed")
    s.expect("9", "11")


@case({"game.c": MAIN.replace("void answer(const char *command);", r"""
#include <math.h>
static double size = 3;
static void answer(const char *command) { (void)command; printf("%g", sqrt(size * size)); size++; }
""")}, libs=["-lm"], start=False, once=True, compdb=False)
def one_file_built_by_hand_needs_nothing_else(s):
    s.program.run(["cc", "-g", "game.c", "-o", "app", "-lm"])
    s.start()
    s.expect("?", "3")
    s.edit("game.c", "size * size", "size * size * 4")
    s.live("answer")
    s.expect("?", "8")
    s.edit("game.c", "size * size * 4", "size * size * 9", how="atomic")
    s.live("answer")
    s.expect("?", "15")


@case({"mod.c": r"""
#include <stdio.h>
#ifndef NAME
#error NAME comes from the command line
#endif
static __attribute__((noinline)) const char *name(void) { return NAME; }
void answer(const char *command) { (void)command; printf("%s %s", name(), __FILE__); }
"""}, cflags=["-DNAME=\"a \\\"quoted\\\" name\""], compdb=True)
def the_command_is_run_as_it_stands(s):
    s.expect("?", 'a "quoted" name mod.c')
    s.edit("mod.c", '"%s %s"', '"<%s> %s"')
    s.live("answer")
    s.expect("?", '<a "quoted" name> mod.c')


@case({"mod.c": r"""
#include <stdio.h>
#ifndef NAME
#error NAME comes from the command line
#endif
static __attribute__((noinline)) const char *name(void) { return NAME; }
void answer(const char *command) { (void)command; printf("%s", name()); }
"""}, cflags=["-DNAME=\"myself\""], compdb=False, only=lambda p: p.gcc)
def a_command_that_lacks_a_macro_is_blamed_and_not_the_edit(s):
    s.expect("?", "myself")
    s.edit("mod.c", "return NAME;", 'return NAME "!";')
    event = s.failed("NAME comes from the command line", "the compile command is not the right one")
    require("compile_commands.json" in event["diagnostics"][-1]["message"], "no remedy in", event)
    s.wait_until(lambda: "not the right one" in s.stderr(), "the dashboard's line does not say it")
    s.expect("?", "myself")


# The same, where the text compiles without the macro: it would be another program's.
CONDITIONAL = {"mod.c": r"""
#include <stdio.h>
static volatile int zero;
static __attribute__((noinline)) int limit(int x)
{
#ifdef BIG
	return zero + x + 1000;
#else
	return zero + x + 1;
#endif
}
void answer(const char *command) { (void)command; printf("limit %d", limit(1)); }
"""}


@case(CONDITIONAL, cflags=["-DBIG"], compdb=False)
def a_command_that_leaves_out_what_runs_is_not_used(s):
    s.expect("?", "limit 1001")
    s.edit("mod.c", '"limit %d"', '"the limit %d"')
    s.failed("line 7", "-D", "compile_commands.json")
    s.edit("mod.c", "x + 1000", "x + 2000")
    s.failed("line 7")
    s.expect("?", "limit 1001")


@case(CONDITIONAL, cflags=["-DBIG"], compdb=False, start=False, once=True)
def doctor_says_that_a_command_leaves_out_what_runs(s):
    done = subprocess.run([os.environ["HOTDEV"], "doctor", "--json", "./app"], cwd=s.cwd, env=s.environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    modules = {m["module"]: m for m in json.loads(done.stdout)["modules"]}
    require(modules["main.c"]["reloadable"] and not modules["mod.c"]["reloadable"], "doctor says", modules)
    require("line 7" in modules["mod.c"]["reason"], "doctor says", modules["mod.c"])


@case(CONDITIONAL, cflags=["-UBIG"], compdb=False)
def a_command_that_leaves_out_what_does_not_run_is_good(s):
    s.expect("?", "limit 2")
    s.edit("mod.c", "x + 1;", "x + 3;")
    s.live("limit")
    s.expect("?", "limit 4")


# A macro that changes no line that there is code of: a number in code, a string, an initial value, a constant.
VALUES = {
    "code": "\treturn zero + NUMBER;",
    "string": '\tstatic const char *volatile text = TEXT;\n\treturn zero + (int)strlen(text);',
    "data": "\tstatic volatile int number = NUMBER;\n\treturn zero + number;",
    "constant": "\tdouble number = NUMBER;\n\treturn (int)(zero * 1.0 + number);",
}


def value_program(body):
    return {"mod.c": r"""
#include <stdio.h>
#include <string.h>
#ifndef NUMBER
#define NUMBER 12345
#endif
#ifndef TEXT
#define TEXT "short"
#endif
static volatile int zero;
int limit(void);
int limit(void)
{
""" + body + r"""
}
void answer(const char *command) { (void)command; printf("limit %d", limit()); }
"""}


def a_macro_that_changes_only_a_value(body, flags, answer):
    def check(s):
        s.expect("?", f"limit {answer}")
        s.edit("mod.c", '"limit %d"', '"the limit %d"')
        s.failed("-D", "compile_commands.json")
        s.edit("mod.c", '"the limit %d"', '"a limit %d"')
        s.failed("-D")
        s.expect("?", f"limit {answer}")

    check.__name__ = "a_macro_given_by_D_that_changes_a_value_is_missed_" + body
    case(value_program(VALUES[body]), cflags=flags, compdb=False, only=lambda p: p.gcc)(check)


for BODY, FLAGS, ANSWER in (("code", ["-DNUMBER=77777"], 77777), ("string", ['-DTEXT="much longer"'], 11),
                            ("data", ["-DNUMBER=77777"], 77777), ("constant", ["-DNUMBER=77777"], 77777)):
    a_macro_that_changes_only_a_value(BODY, FLAGS, ANSWER)


@case(value_program(VALUES["code"]), cflags=["-DNUMBER=12345"], compdb=False)
def a_macro_that_changes_nothing_is_not_missed(s):
    s.expect("?", "limit 12345")
    s.edit("mod.c", "zero + NUMBER", "zero + NUMBER + 1")
    s.live("limit")
    s.expect("?", "limit 12346")


def a_macro_that_builds_are_often_given(name, flags):
    def check(s):
        s.expect("?", "1 of 2")
        s.edit("mod.c", "%d of %d", "%d and %d")
        s.live("answer")
        s.expect("?", "1 and 2")
        command = [m for m in json.loads(s.ctl("modules", "--json"))["modules"] if m["module"] == "mod.c"][0]["command"]
        require(set(flags) <= set(command), "the command is", command)

    check.__name__ = "a_macro_that_builds_are_often_given_is_found_out_" + name
    case({"mod.c": r"""
#include <assert.h>
#include <stdio.h>
#include <string.h>
static char where[30];
void answer(const char *command)
{
	assert(command[0] != '!');
	snprintf(where, sizeof where, "%d of %d", 1, 2);
	printf("%s", where);
}
"""}, cflags=flags, compdb=False, only=lambda p: p.gcc and p.optimises)(check)


a_macro_that_builds_are_often_given("fortify", ["-D_FORTIFY_SOURCE=2"])
a_macro_that_builds_are_often_given("ndebug", ["-DNDEBUG"])
a_macro_that_builds_are_often_given("both", ["-DNDEBUG", "-D_FORTIFY_SOURCE=2"])


@case({"mod.c": r"""
#include <assert.h>
#include <stdio.h>
#include "sub/check.h"
static __attribute__((noinline)) int value(int x) { CHECK(x); return x; }
void answer(const char *command)
{
	assert(command);
	printf("%s %s %d", sizeof __DATE__ > 3 ? __FILE__ : __DATE__ __TIME__, __TIME__[2] == ':' ? "at" : "", value(1));
}
""", "sub/check.h": '#include <stdlib.h>\n#include <stdio.h>\n#define CHECK(x) if (!(x)) inner()\n'
     'static inline void inner(void) { puts(__FILE__ __DATE__); abort(); }\n'}, cflags=["-I."], compdb=False)
def when_and_where_a_text_was_compiled_does_not_count(s):
    s.expect("?", "mod.c at 1")
    s.edit("mod.c", "return x;", "return x + 1;")
    s.wait("live", only=("failed", "held", "unchanged"))
    s.expect("?", "mod.c at 2")


def later(s, *files):
    """As a checkout leaves them: newer than the program."""
    newer = os.stat(s.program.path).st_mtime + 5
    for file in files:
        os.utime(s.path(file), (newer, newer))


TWO = {"mod.c": r"""
#include <stdio.h>
#include "scale.h"
int kept = SCALE;
static __attribute__((noinline)) int one(int x) { return x + SCALE; }
static __attribute__((noinline)) int two(int x) { return x * SCALE; }
void answer(const char *command)
{
	int x = command[0] - '0';
	kept++;
	printf("%d %d %d", one(x), two(x), kept);
}
""", "scale.h": "#define SCALE 3\n"}


@case(TWO, start=False)
def sources_that_are_newer_only_by_their_time_are_compared(s):
    later(s, "mod.c", "scale.h")
    s.start()
    s.expect("2", "5 6 4")
    s.edit("mod.c", "x + SCALE;", "x - SCALE;")
    event = s.wait("live", only=("failed", "held", "unchanged"))
    functions = [f for m in event["modules"] for f in m["functions"]]
    require("two" not in functions, "live names", functions)
    s.expect("2", "-1 6 5")
    s.edit("mod.c", "x - SCALE;", "x - SCALE; /* said */")
    s.unchanged()


@case(TWO, start=False)
def sources_that_were_edited_since_the_program_was_built_go_live_whole(s):
    later(s, "mod.c")
    s.edit("mod.c", "x * SCALE;", "x * SCALE * 10;")
    later(s, "mod.c")
    s.start()
    s.expect("2", "5 6 4")
    s.edit("mod.c", "x + SCALE;", "x - SCALE;")
    s.wait("live", only=("failed", "held", "unchanged"))
    s.expect("2", "-1 60 5")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", value()); }
"""}, start=False, once=True)
def a_database_that_spells_commands_as_strings_is_read(s):
    entries = []
    for source, argv, output in s.program.commands():
        quoted = " ".join(f'"{a}"' if " " in a else a for a in argv)
        entries.append({"directory": s.cwd, "file": os.path.join(s.cwd, source), "command": quoted})
    os.makedirs(s.path("build"))
    os.rename(s.path("compile_commands.json"), s.path("build/unused.json"))
    s.save("build/compile_commands.json", json.dumps(entries))
    s.options = ["--compdb", "build/compile_commands.json"]
    s.start()
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    s.expect("?", "2")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", value()); }
"""})
def a_source_that_vanishes_does_no_harm_and_may_come_back(s):
    text = s.read("mod.c")
    os.unlink(s.path("mod.c"))
    s.wait("failed", "held", "unchanged", "warning")
    s.expect("?", "1")
    s.save("mod.c", text.replace("return 1;", "return 2;"))
    s.wait("live")
    s.expect("?", "2")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", value()); }
"""}, once=True)
def a_symbolic_link_to_a_source_is_followed(s):
    outside = os.path.join(os.path.dirname(s.journal.path), "elsewhere")
    os.mkdir(outside)
    os.symlink(s.path("mod.c"), os.path.join(outside, "link.c"))
    with open(os.path.join(outside, "link.c"), encoding="utf-8") as source:
        text = source.read()
    with open(os.path.join(outside, "link.c"), "w", encoding="utf-8") as out:
        out.write(text.replace("return 1;", "return 2;"))
    s.live("value")
    s.expect("?", "2")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", value()); }
"""}, once=True)
def a_project_in_version_control_follows_a_checkout(s):
    def git(*words):
        done = subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words], cwd=s.cwd,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        require(done.returncode == 0, "git", words, "said", done.stdout)

    try:
        git("init", "-q")
    except FileNotFoundError as error:
        raise Skip("git is not installed") from error
    git("add", "mod.c")
    git("commit", "-qm", "one")
    s.edit("mod.c", "return 1;", "return 2;")
    s.live("value")
    git("commit", "-qam", "two")
    git("checkout", "-q", "HEAD~1")
    s.live("value")
    s.expect("?", "1")
    git("checkout", "-q", "-")
    s.live("value")
    s.expect("?", "2")


if __name__ == "__main__":
    sys.exit(main())
