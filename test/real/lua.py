# SPDX-License-Identifier: GPL-2.0-or-later
"""A real program: the Lua interpreter of Debian's source package, as it stands, built by its own makefile and driven
through a pipe, while its library, its virtual machine and a header that everything includes are edited."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402
import upstream  # noqa: E402


def build(s, database):
    """Unpacks and builds as the makefile says, -g and the level of optimisation apart."""
    folder = os.path.join(upstream.unpack(s, "lua5.4"), "src")
    kind = "-fPIE" if s.point.pie else "-fno-pie"
    words = ["linux-noreadline", f"CC={s.point.compiler} -std=gnu99", f"MYCFLAGS=-g {s.point.level} {kind}",
             f"MYLDFLAGS={'-pie' if s.point.pie else '-no-pie'}"]
    upstream.make(folder, *words, "-s")
    if database:
        upstream.write_database(folder, *words)
    s.cwd = s.program.folder = folder
    s.program.name = "lua"
    s.arguments = ["-i"]
    s.start()
    require(s.line().startswith("Lua 5.4"), "this is not Lua")
    # Prompts have no line end: the first one stands before the first answer, and there are no more.
    s.tell("_PROMPT, _PROMPT2, five = '', '', 5 print('ready')")
    require(s.line().endswith("ready"), "Lua does not answer")
    s.tell("list = {} co = coroutine.wrap(function(a) local n = 100 while true do n = n + 1 coroutine.yield(n .. a) end end)")
    s.tell("for i = 1, 100 do list[i] = ('item %d'):format(i) end")
    s.expect("print(co('x'))", "101x")


def alive(s, n):
    """Globals and the coroutine are those of the start."""
    s.expect("print(#list, list[100])", "100\titem 100")
    s.expect("print(co())", f"{n}x")


OPTIONS = {"build": False, "start": False, "only": lambda p: os.environ.get("HOTDEV_MATRIX") or (p.gcc and p.optimises)}


@case({}, **OPTIONS)
def lua_is_edited_while_it_runs(s):
    build(s, database=True)
    s.expect("print(('lua'):upper())", "LUA")
    upper = "p[i] = toupper(uchar(s[i]));"
    s.edit("lstrlib.c", upper, upper.replace("toupper(uchar(s[i]))", "s[i] == 'a' ? '4' : toupper(uchar(s[i]))"))
    s.live("str_upper", modules=["lstrlib.c"])
    s.expect("print(('lua'):upper())", "LU4")
    alive(s, 102)

    s.expect("print(string.format('%.2f', math.deg(3)))", "171.89")
    s.edit("lmathlib.c", "(l_mathop(3.141592653589793238462643383279502884))", "(l_mathop(3.0))")
    s.live(modules=["lmathlib.c"])
    s.expect("print(string.format('%.2f', math.deg(3)))", "180.00")
    alive(s, 103)

    # The virtual machine, while a Lua function waits for input: its frame stays old.
    s.tell("function hold() local before = ~five local line = io.read() return before, ~five, line end")
    s.expect("print(~five)", "-6")
    s.tell("print(hold())")
    s.edit("lvm.c", "intop(^, ~l_castS2U(0), ib)", "intop(^, ~l_castS2U(0), ib + 1000)")
    s.live("luaV_execute", modules=["lvm.c"])
    s.wait("pinned", where=lambda e: e["function"] == "luaV_execute" and e["module"] == "lvm.c")
    s.tell("typed")
    require(s.line() == "-6\t-6\ttyped", "the frame that waited did not end in the old machine")
    s.expect("print(~five)", "-1006")
    s.wait("released")
    alive(s, 104)

    # A header of nearly every module: one transaction.
    s.expect("x, y = 7.5, 2.0 print(x - y)", "5.5")
    s.edit("llimits.h", "#define luai_numsub(L,a,b)      ((a)-(b))", "#define luai_numsub(L,a,b)      ((a)-(b)+0.25)")
    event = s.live()
    require("lvm.c" in [m["module"] for m in event["modules"]], "lvm.c is not among", event["modules"])
    s.expect("print(x - y)", "5.75")
    s.expect("print(~five)", "-1006")
    alive(s, 105)

    s.edit("lstrlib.c", "'4' : toupper", "'4' ; toupper")
    event = s.failed()
    require(event["diagnostics"][0]["file"].endswith("lstrlib.c"), "the first diagnostic is in", event["diagnostics"][0])
    s.expect("print(('lua'):upper())", "LU4")
    s.edit("lstrlib.c", "'4' ; toupper", "'@' : toupper")
    s.live("str_upper", modules=["lstrlib.c"])
    s.expect("print(('lua'):upper())", "LU@")
    s.undo()
    s.expect("print(('lua'):upper())", "LU4")
    alive(s, 106)
    s.undo()
    s.expect("print(x - y)", "5.5")
    s.expect("print(pcall(error, 'still unwinding'))", "false\tstill unwinding")
    s.expect("print(select('#', ('a,b,c'):gsub(',', ';')), collectgarbage() )", "2\t0")
    alive(s, 107)
    print(f"# {s.point.name}: startup {s.events('ready')[0]['startup_ms']:.0f} ms; save to live, ms: "
          + ", ".join(f"{e['modules'][0]['module']}{'...' if len(e['modules']) > 1 else ''} {e['save_to_live_ms']:.0f}"
                      for e in s.events("live")), flush=True)


def both(s, function, module):
    """The save is live by libtcc, then by the program's own compiler."""
    live = s.outcome("live")
    require([(m["module"], m["compiler"]) for m in live["modules"]] == [(module, "tcc")], "live:", live)
    require(function in live["modules"][0]["functions"], "live names", live["modules"][0]["functions"])
    yield
    after = s.wait("promoted", only=("live", "failed", "held"))
    require([(m["module"], m["compiler"]) for m in after["modules"]] == [(module, s.point.compiler)], "promoted:", after)
    require(after["modules"][0]["version"] == live["modules"][0]["version"], "another version:", after)
    yield


# What clang may have fitted to its callers is its own to build, and with -O2 that is what is edited here.
@case({}, **{**OPTIONS, "only": lambda p: OPTIONS["only"](p) and (p.gcc or not p.optimises)},
      hotdev=("--compiler", "auto"))
def lua_is_edited_by_libtcc_then_by_its_own_compiler(s):
    build(s, database=True)
    edits = [
        ("lstrlib.c", "str_upper", "p[i] = toupper(uchar(s[i]));", "p[i] = s[i] == 'a' ? '4' : toupper(uchar(s[i]));",
         "print(('lua'):upper())", "LUA", "LU4"),
        ("lmathlib.c", "math_deg", "luaL_checknumber(L, 1) * (l_mathop(180.0) / PI)",
         "luaL_checknumber(L, 1) * (l_mathop(90.0) / PI)", "print(('%.2f'):format(math.deg(3)))", "171.89", "85.94"),
        ("ltablib.c", "tconcat", "if (i == last)  /* add last value (if interval was not empty) */",
         "luaL_addchar(&b, '!');\n  if (i == last)", "print(table.concat({1, 2}, ','))", "1,2", "1,!2"),
        ("lbaselib.c", "luaB_select", "lua_pushinteger(L, n-1);", "lua_pushinteger(L, n+9);",
         "print(select('#', 1, 2, 3))", "3", "13"),
        ("lstrlib.c", "str_len", "lua_pushinteger(L, (lua_Integer)l);", "lua_pushinteger(L, (lua_Integer)l + 40);",
         "print(string.len('ab'))", "2", "42"),
    ]
    for n, (module, function, old, new, question, before, after) in enumerate(edits):
        s.expect(question, before)
        s.edit(module, old, new)
        for _ in both(s, function, module):
            s.expect(question, after)
            s.expect("print(#list, list[100])", "100\titem 100")
        s.expect("print(co())", f"{102 + n}x")
    print(f"# {s.point.name}: save to live, ms: "
          + ", ".join(f"{e['modules'][0]['module']} {e['save_to_live_ms']:.1f}" for e in s.events("live")), flush=True)


@case({}, **{**OPTIONS, "only": lambda p: p.gcc and p.optimises})
def lua_without_a_database_is_edited_from_its_debug_information(s):
    build(s, database=False)
    upper = "p[i] = toupper(uchar(s[i]));"
    s.edit("lstrlib.c", upper, upper.replace("toupper(uchar(s[i]))", "s[i] == 'a' ? '4' : toupper(uchar(s[i]))"))
    s.live("str_upper", modules=["lstrlib.c"])
    s.expect("print(('lua'):upper())", "LU4")
    alive(s, 102)


if __name__ == "__main__":
    sys.exit(main())
