# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of any size, in C and in Erlang."""

import os

INCLUDES = ["stdio.h", "stdlib.h", "string.h", "ctype.h", "math.h"]
# Of each function, in both languages.
LINES = 5


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def c_text(unit, lines, number=0, includes=INCLUDES):
    """A file of about so many lines; number changes one function of it, u<unit>()."""
    out = [f"#include <{name}>" for name in includes] + [f"int u{unit}(int x);"]
    for i in range(max(0, lines - 12) // LINES):
        name = f"u{unit}_{i}"
        out += [f"int {name}(const char *s, int n);", f"int {name}(const char *s, int n)", "{",
                f"\tint sum = {i}; for (int i = 0; i < n; i++) sum += toupper((unsigned char)s[i]) * {i + 3};",
                "\treturn sum ^ (int)strlen(s); }"]
    out += [f"int u{unit}(int x)", "{", f"\treturn (x + {number}) * {unit + 7};", "}"]
    return "\n".join(out) + "\n"


def c_program(folder, files, lines):
    """files and a main that waits for the end of its input; returns their names."""
    names = [f"u{unit}.c" for unit in range(files)]
    for unit, name in enumerate(names):
        write(folder, name, c_text(unit, lines // files))
    write(folder, "main.c", "#include <stdio.h>\nint u0(int x);\nint main(int argc, char **argv)\n{\n\t(void)argv;\n"
          "\twhile (argc < 2 && getchar() != EOF)\n\t\tu0(1);\n\treturn 0;\n}\n")
    return [*names, "main.c"]


def erlang_text(module, lines, number, include=None):
    out = [f"-module({module}).", "-export([u/1]).", "-compile([export_all, nowarn_export_all])."]
    out += [f'-include("{include}").', "u(X) -> u(X, ?ROUND)."] if include else [f"u(X) -> (X + {number}) * 7."]
    if include:
        out.append("u(X, Y) -> X * Y.")
    for i in range(max(0, lines - 6) // LINES):
        out += [f"u{i}(S, N) ->", f"    Sum = lists:foldl(fun(C, A) -> A + string:to_upper(C) * {i + 3} end, {i},",
                "        lists:sublist(S, N)),", "    Length = length(S),", "    Sum bxor Length."]
    return "\n".join(out) + "\n"
