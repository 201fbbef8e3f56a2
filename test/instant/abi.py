# SPDX-License-Identifier: GPL-2.0-or-later
"""What libtcc is allowed to compile means the same as when gcc or clang compile it: generated programs whose
halves are built by different compilers, in both directions. HOTDEV_SEED makes others than every day."""

import os
import random
import shutil
import subprocess
import tempfile

SCALARS = ("char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned", "long",
           "unsigned long", "float", "double", "void *", "_Bool", "long double")
# Where libtcc is known to differ, it is not given the text: unsigned short is not among these.
INTEGERS = tuple(k for k in SCALARS[:9] if k != "unsigned short")
COMPILERS = {"gcc": ["gcc", "-O2", "-w", "-fwrapv"], "clang": ["clang", "-O2", "-w", "-fwrapv"], "tcc": ["tcc", "-w"]}
FUNCTIONS = 30


def show(kind, value):
    if kind in ("float", "double"):
        return f'printf("%.3f ", (double)({value}));'
    if kind == "long double":
        return f'printf("%.3Lf ", {value});'
    if kind == "void *":
        return f'printf("%p ", {value});'
    return f'printf("%ld ", (long)({value}));'


def literal(r, kind):
    if kind in ("float", "double"):
        return f"{r.randint(-999, 999)}.5"
    if kind == "long double":
        return f"{r.randint(-999, 999)}.25L"
    if kind == "void *":
        return f"(void *){r.randint(0, 1 << 40)}L"
    return str(r.randint(0, 1) if kind == "_Bool" else r.randint(-100, 100))


def calls(r, variadic):
    """(caller, callee): functions of every mixture of scalars, each saying what it was given."""
    caller = callee = "#include <stdarg.h>\n#include <stdio.h>\n"
    for n in range(FUNCTIONS):
        kinds = [r.choice(SCALARS) for _ in range(r.randint(1, 12))]
        more = [r.choice(("int", "unsigned", "long", "double", "void *")) for _ in range(r.randint(0, 12))]
        more = more if variadic else []
        result = r.choice(SCALARS)
        head = f"{result} f{n}({', '.join(f'{k} a{i}' for i, k in enumerate(kinds))}{', ...' if variadic else ''})"
        said = "".join(show(k, f"a{i}") for i, k in enumerate(kinds))
        said += f"va_list ap; va_start(ap, a{len(kinds) - 1});" if variadic else ""
        said += "".join(f"{{ {k} v = va_arg(ap, {k}); {show(k, 'v')} }}" for k in more)
        callee += f"{head} {{ {said} {'va_end(ap);' if variadic else ''} return {literal(r, result)}; }}\n"
        given = [f"({k}){literal(r, k)}" for k in kinds + more]
        caller += f"{head};\nvoid c{n}(void);\nvoid c{n}(void) {{ {result} v = f{n}({', '.join(given)}); " \
                  f"{show(result, 'v')} printf(\"\\n\"); }}\n"
    return caller + f"int main(void) {{ {' '.join(f'c{n}();' for n in range(FUNCTIONS))} return 0; }}\n", callee


def expression(r, depth):
    if depth == 0:
        return r.choice(("a", "b", "c", "d", str(r.randint(-9, 300)), f"{r.randint(1, 1 << 33)}L"))
    left, right = expression(r, depth - 1), expression(r, depth - 1)
    kind = r.choice(INTEGERS)
    return r.choice((f"({left} + {right})", f"({left} - {right})", f"({left} * {right})", f"({left} ^ {right})",
                     f"({left} & {right})", f"({left} < {right})", f"({left} == {right} ? {left} : {right})",
                     f"({kind})({left})", f"(({left}) << (({right}) & 15))", f"(({left}) >> (({right}) & 31))",
                     f"({left}) / ((({right}) & 15) + 1)", f"({left}) % ((({right}) & 7) + 1)",
                     f"(long)((double)(int)({left}) * 0.5)", f"!({left})", f"~({left})", f"({left} && {right})"))


def sums(r):
    """(caller, callee): what expressions come to."""
    caller, callee = "#include <stdio.h>\n", ""
    for n in range(FUNCTIONS):
        kinds = [r.choice(INTEGERS) for _ in range(4)]
        head = f"long f{n}({', '.join(f'{k} {x}' for k, x in zip(kinds, 'abcd'))})"
        callee += f"{head};\n{head} {{ return {expression(r, 4)}; }}\n"
        caller += f"{head};\nvoid c{n}(void);\nvoid c{n}(void) {{ " + "".join(
            f"printf(\"%ld \", f{n}({', '.join(f'({k}){r.randint(-1 << 40, 1 << 40)}L' for k in kinds)}));"
            for _ in range(4)) + " printf(\"\\n\"); }\n"
    return caller + f"int main(void) {{ {' '.join(f'c{n}();' for n in range(FUNCTIONS))} return 0; }}\n", callee


def run(folder, caller, callee):
    """What the program prints whose halves these compilers built."""
    objects = []
    for compiler, half in ((caller, "caller"), (callee, "callee")):
        objects.append(os.path.join(folder, f"{half}.{compiler}.o"))
        if not os.path.exists(objects[-1]):
            subprocess.run([*COMPILERS[compiler], "-c", os.path.join(folder, half + ".c"), "-o", objects[-1]], check=True)
    program = os.path.join(folder, f"{caller}-{callee}")
    subprocess.run(["gcc", "-no-pie", "-Wl,-z,noexecstack", *objects, "-o", program], check=True)
    return subprocess.run([program], stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


def differences(seed, make, pairs):
    found = []
    with tempfile.TemporaryDirectory(prefix="hotdev-abi-") as folder:
        for half, text in zip(("caller", "callee"), make(random.Random(seed))):
            with open(os.path.join(folder, half + ".c"), "w", encoding="utf-8") as out:
                out.write(text)
        wanted = run(folder, "gcc", "gcc")
        for caller, callee in pairs:
            got = run(folder, caller, callee)
            lines = [n for n, (g, w) in enumerate(zip(got.split("\n"), wanted.split("\n"))) if g != w]
            if got != wanted:
                found.append(f"seed {seed}: {caller} calls {callee}: functions {lines}")
    return found


def main():
    seed = int(os.environ.get("HOTDEV_SEED") or 1)
    others = [c for c in ("gcc", "clang") if shutil.which(c)]
    both = [p for c in others for p in (("tcc", c), (c, "tcc"))]
    # A function with "..." needs a helper of libtcc to read its arguments, which no program has;
    # so does the conversion of an unsigned long to a double. What needs one is never linked.
    kinds = (("scalars travel the same way", lambda r: calls(r, False), both),
             ("further arguments travel the same way", lambda r: calls(r, True), [("tcc", c) for c in others]),
             ("expressions come to the same", sums, [("gcc", "tcc")]))
    print(f"1..{len(kinds)}\n# HOTDEV_SEED={seed}")
    failed = False
    for n, (name, make, pairs) in enumerate(kinds, 1):
        missing = not shutil.which("tcc") or not others
        found = [] if missing else [d for s in range(seed, seed + 8) for d in differences(s, make, pairs)]
        for line in found:
            print("#", line)
        print("not ok" if found else "ok", n, "-", name, "# SKIP tcc and gcc are not installed" if missing else "")
        failed |= bool(found)
    raise SystemExit(failed)


main()
