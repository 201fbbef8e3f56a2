# SPDX-License-Identifier: GPL-2.0-or-later
"""What new code refers to: existing variables and functions bound where they are, whatever the compiler did to
them, and new ones."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402


def symbols(s, *options):
    """What nm says of the program, as {name: (address, type)}."""
    text = subprocess.run(["nm", *options, s.program.path], text=True, stdout=subprocess.PIPE, check=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return {row[-1]: (int(row[0], 16), row[1]) for row in rows if len(row) == 3}


@case({"mod.c": r"""
#include <stdio.h>
typedef int operation(int);
operation *stored_elsewhere(operation *now);
static __attribute__((noinline)) int hidden(int x) { return x + 1; }
__attribute__((noinline)) int shown(int x) { return x + 10; }
static operation *first, *second;

void
answer(const char *command)
{
	if (!first) {
		first = hidden;
		second = stored_elsewhere(shown);
	}
	int x = command[0] - '0';
	printf("%d %d %d %d", first(x), second(x), first == hidden, stored_elsewhere(shown) == shown);
}
""", "other.c": r"""
typedef int operation(int);
operation *stored_elsewhere(operation *now);
static operation *kept;
operation *stored_elsewhere(operation *now) { return kept = kept ? kept : now; }
"""})
def function_pointers_stored_before_call_the_new_code_and_compare_equal(s):
    s.expect("1", "2 11 1 1")
    s.edit("mod.c", "x + 1;", "x + 2;")
    s.live("hidden")
    s.expect("1", "3 11 1 1")
    s.edit("mod.c", "x + 10", "x + 20")
    s.live("shown")
    s.expect("1", "3 21 1 1")
    # answer itself is new now and takes the addresses again.
    s.edit("mod.c", '"%d %d %d %d"', '"new %d %d %d %d"')
    s.live("answer")
    s.expect("1", "new 3 21 1 1")
    s.edit("mod.c", "x + 2;", "x + 3;")
    s.live("hidden")
    s.expect("1", "new 4 21 1 1")


@case({"mod.c": r"""
#include <stdio.h>
typedef int operation(int);
operation *stored_elsewhere(operation *now);
/* born later */
void
answer(const char *command)
{
	(void)command;
	/* keep */
	printf("%d", stored_elsewhere(0) ? stored_elsewhere(0)(1) : -1);
}
""", "other.c": r"""
typedef int operation(int);
operation *stored_elsewhere(operation *now);
static operation *kept;
operation *stored_elsewhere(operation *now) { return kept = kept ? kept : now; }
"""})
def pointers_to_functions_born_in_an_update_keep_their_address(s):
    s.expect("?", "-1")
    s.replace("mod.c", ("/* born later */", "static __attribute__((noinline)) int late(int x) { return x + 5; }"),
              ("/* keep */", "int same = stored_elsewhere(late) == late;"), ('printf("%d", ', 'printf("%d %d", same, '))
    s.live("answer", "late")
    s.expect("?", "1 6")
    s.edit("mod.c", "x + 5", "x + 6")
    s.live("late")
    s.expect("?", "1 7")
    s.edit("mod.c", '"%d %d"', '"again %d %d"')
    s.live("answer")
    s.expect("?", "again 1 7")
    s.edit("mod.c", "x + 6", "x + 7")
    s.live("late")
    s.expect("?", "again 1 8")


@case({"mod.c": r"""
#include <stdio.h>
int other(void);
static int count = 100;
static __attribute__((noinline)) int step(void) { return ++count; }
void answer(const char *command) { (void)command; int mine = step(); printf("%d %d", mine, other()); }
""", "other.c": r"""
int other(void);
static int count = 200;
static __attribute__((noinline)) int step(void) { return ++count; }
int other(void) { return step(); }
"""})
def same_named_statics_in_two_files_stay_apart(s):
    s.expect("?", "101 201")
    s.edit("mod.c", "return ++count", "return count += 10")
    s.live("step", modules=["mod.c"])
    s.expect("?", "111 202")
    s.edit("other.c", "return ++count", "return count += 100")
    s.live("step", modules=["other.c"])
    s.expect("?", "121 302")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
/* above */
static int before(void) { static int count = 10; return ++count; }
static int after(void) { static int count = 20; return ++count; }
void
answer(const char *command)
{
	int sum = 0;
	if (!strcmp(command, "both")) {
		static int count = 1000;
		sum += ++count;
	}
	{
		static int count = 2000;
		sum += ++count;
	}
	printf("%d %d %d", before(), after(), sum);
}
"""})
def static_locals_of_one_name_are_kept_when_their_suffixes_are_renumbered(s):
    s.expect("both", "11 21 3002")
    s.expect("?", "12 22 2002")
    # A third "count" in front of the others moves every number behind it.
    s.replace("mod.c", ("/* above */", "static int above(void) { static int count = 30; return ++count; }"),
              ('"%d %d %d"', '"%d %d %d %d"'), ("before(), after(), sum", "before(), after(), sum, above()"))
    s.live("answer", *(() if s.point.optimises else ("above",)))
    s.expect("both", "13 23 3005 31")
    s.expect("?", "14 24 2004 32")
    s.replace("mod.c", ("static int before(void) { static int count = 10; return ++count; }", ""),
              ("before(), after(), sum, above()", "0, after(), sum, above()"))
    s.live("answer")
    s.expect("?", "0 25 2005 33")


@case({"mod.c": r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
int shown = 1;
static int hidden = 10;
static __thread int here = 100;
_Thread_local int everywhere = 1000;
extern __thread int elsewhere;
static __thread long zero;

static void *
thread(void *result)
{
	/* thread */
	here++;
	everywhere++;
	sprintf(result, "%d %d", here, everywhere);
	return 0;
}

void
answer(const char *command)
{
	if (!strcmp(command, "thread")) {
		pthread_t id;
		char result[64];
		pthread_create(&id, 0, thread, result);
		pthread_join(id, 0);
		printf("%s", result);
		return;
	}
	printf("%d %d %d %d %d %ld", ++shown, ++hidden, ++here, ++everywhere, ++elsewhere, ++zero);
}
""", "other.c": "extern __thread int elsewhere;\n__thread int elsewhere = 5;\n"})
def globals_statics_and_thread_locals_are_kept(s):
    s.expect("?", "2 11 101 1001 6 1")
    s.edit("mod.c", '"%d %d %d %d %d %ld"', '"kept %d %d %d %d %d %ld"')
    s.live("answer")
    s.expect("?", "kept 3 12 102 1002 7 2")
    s.expect("thread", "101 1001")
    s.replace("mod.c", ("\there++;", "\there += 2;"), ("\teverywhere++;", "\teverywhere += 2;"))
    s.live("thread")
    s.expect("thread", "102 1002")
    s.expect("?", "kept 4 13 103 1003 8 3")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) int next(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", next()); }
"""})
def new_thread_local_is_held_or_works(s):
    s.expect("?", "1")
    s.replace("mod.c", ("static __attribute__", "static __thread int turn = 40;\nstatic __attribute__"),
              ("return 1", "return ++turn"))
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] == "HD104" and "turn" in event["reason"], "held with", event)
        s.expect("?", "1")
        s.replace("mod.c", ("static __thread int turn = 40;\n", ""), ("return ++turn", "return 2"))
        s.live("next")
        s.expect("?", "2")
    else:
        s.expect("?", "41")
        s.expect("?", "42")


@case({"mod.c": r"""
#include <stdio.h>
int shared;
int table[4];
/* tentative */
void answer(const char *command) { (void)command; table[2] += 2; printf("%d %d", ++shared, table[2]); }
""", "other.c": "int shared;\nint *where(void);\nint *where(void) { return &shared; }\n"},
      cflags=["-fcommon"])
def tentative_definitions_are_kept(s):
    s.expect("?", "1 2")
    s.edit("mod.c", '"%d %d"', '"common %d %d"')
    s.live("answer")
    s.expect("?", "common 2 4")
    s.replace("mod.c", ("/* tentative */", "int fresh;\nint *where(void);"),
              ('printf("common %d %d"', 'fresh += 3;\n\t*where() += 10;\n\tprintf("%d common %d %d", fresh'))
    s.live("answer")
    s.expect("?", "3 common 13 6")
    s.expect("?", "6 common 24 8")


@case({"mod.c": r"""
#include <stdio.h>
int overridden(void);
int alone(void);
int maybe(void) __attribute__((weak));
__attribute__((weak, noinline)) int overridden(void) { return 1; }
__attribute__((weak, noinline)) int alone(void) { return 10; }
void
answer(const char *command)
{
	(void)command;
	printf("%d %d %d", overridden(), alone(), maybe ? maybe() : -1);
}
""", "other.c": "int overridden(void);\nint overridden(void) { return 2; }\n"})
def weak_functions_keep_their_meaning(s):
    s.expect("?", "2 10 -1")
    s.edit("mod.c", "return 10;", "return 20;")
    s.live("alone")
    s.expect("?", "2 20 -1")
    # The weak one that lost is not what runs: nothing changes, and nothing is taken over.
    s.edit("mod.c", "return 1;", "return 3;")
    s.wait("live", "unchanged", only=("held", "failed"))
    s.expect("?", "2 20 -1")
    s.edit("mod.c", '"%d %d %d"', '"weak %d %d %d"')
    s.live("answer")
    s.expect("?", "weak 2 20 -1")
    s.edit("other.c", "return 2;", "return 4;")
    s.live("overridden", modules=["other.c"])
    s.expect("?", "weak 4 20 -1")


@case({"mod.c": r"""
#include <stdio.h>
int real(void);
int also(void);
int value = 7;
extern int same_value __attribute__((alias("value")));
__attribute__((noinline)) int real(void) { return value; }
int also(void) __attribute__((alias("real")));
void answer(const char *command) { (void)command; value++; printf("%d %d %d", real(), also(), same_value); }
"""})
def aliases_follow_what_they_name(s):
    s.expect("?", "8 8 8")
    s.edit("mod.c", "return value;", "return value + 100;")
    s.wait("live", only=("held", "failed", "unchanged"))
    s.expect("?", "109 109 9")
    s.edit("mod.c", '"%d %d %d"', '"alias %d %d %d"')
    s.live("answer")
    s.expect("?", "alias 110 110 10")


@case({"mod.c": r"""
#include <stdio.h>
extern int secret __attribute__((visibility("hidden")));
int quiet(void) __attribute__((visibility("hidden")));
int shielded(void);
void answer(const char *command) { (void)command; secret++; printf("%d %d", quiet(), shielded()); }
""", "other.c": r"""
__attribute__((visibility("hidden"))) int secret = 4;
int quiet(void);
__attribute__((visibility("hidden"))) int quiet(void) { return secret; }
__attribute__((visibility("protected"))) int shielded(void);
int shielded(void) { return 9; }
"""})
def hidden_and_protected_symbols_are_bound(s):
    s.expect("?", "5 9")
    s.edit("other.c", "return secret", "return secret + 10")
    s.live("quiet")
    s.expect("?", "16 9")
    s.edit("mod.c", "secret++;", "secret += 2;")
    s.live("answer")
    s.expect("?", "18 9")
    s.edit("other.c", "return 9", "return 8")
    s.live("shielded")
    s.expect("?", "20 8")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
int pick(int);
typedef int picked(int);
static __attribute__((noinline)) int fast(int x) { return x + 1; }
static __attribute__((noinline)) int slow(int x) { return x + 2; }
static int resolved;
static picked *resolve(void) { return resolved ? slow : fast; }
int pick(int x) __attribute__((ifunc("resolve")));
void
answer(const char *command)
{
	picked *pointer = pick;
	printf("%d %d %zu", pick(1), pointer(2), strlen(command));
}
"""})
def ifuncs_are_called_through_the_choice_made_at_the_start(s):
    s.expect("abc", "2 3 3")
    s.edit("mod.c", "x + 1", "x + 10")
    s.live("fast")
    s.expect("abc", "11 12 3")
    s.edit("mod.c", '"%d %d %zu"', '"ifunc %d %d %zu"')
    s.live("answer")
    s.expect("abc", "ifunc 11 12 3")
    # libc's own: memchr and strchr choose among versions of themselves, and were never linked.
    s.edit("mod.c", "strlen(command))", 'strlen(command) + (size_t)((char *)memchr(command, \'b\', 3) - command))')
    s.live("answer")
    s.expect("abc", "ifunc 11 12 4")


@case({"mod.c": r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern char **environ;
int other(void);
void
answer(const char *command)
{
	(void)command;
	/* index */
	fprintf(stdout, "%d %d %d", environ != 0, optind, other());
}
""", "other.c": r"""
#include <stdio.h>
#include <unistd.h>
int other(void);
int other(void) { return fileno(stdout) + optind; }
"""})
def copy_relocated_library_data_is_the_one_copy(s):
    s.expect("?", "1 1 2")
    s.edit("mod.c", "/* index */", "optind = 8;")
    s.live("answer")
    s.expect("?", "1 8 9")
    s.edit("mod.c", 'fprintf(stdout, "%d', 'fprintf(stdout, "copy %d')
    s.live("answer")
    s.expect("?", "copy 1 8 9")


@case({"mod.c": r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <time.h>
extern char **environ;

static __attribute__((noinline)) int
work(const char *text)
{
	return text[0];
}

void
answer(const char *command)
{
	printf("%d", work(command));
}
"""})
def library_functions_and_data_never_used_before_are_found(s):
    s.expect("1.5", "49")
    s.edit("mod.c", "return text[0]", "return (int)(strtod(text, 0) * 10)")
    s.live("work")
    s.expect("1.5", "15")
    s.replace("mod.c", ("static __attribute__", r"""static int
compare(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

static __attribute__"""), ("return (int)(strtod(text, 0) * 10)", """char sorted[4] = {text[0], text[1], text[2]};
	qsort(sorted, 3, 1, compare);
	return sorted[0]"""))
    s.live("work", "compare")
    s.expect("cab", "97")
    s.edit("mod.c", "return *(const char *)a - *(const char *)b", "return *(const char *)b - *(const char *)a")
    s.live("compare")
    s.expect("cab", "99")
    # Data of libc: not linked so far, so neither copied nor in the table of offsets.
    s.edit("mod.c", "return sorted[0]", 'fprintf(stderr, "said %s\\n", text);\n\treturn opterr + (optarg != 0)'
           " + (environ != 0) * 10")
    s.live("work")
    s.expect("cab", "11")
    require("said cab" in s.stderr(), "stderr did not get the line")
    s.edit("mod.c", "return opterr", "tzset();\n\treturn daylight + (timezone == 0) * 100 + opterr")
    s.live("work")
    s.expect("cab", s.ask("cab"))


CLONES = r"""
#include <stdio.h>
#include <stdlib.h>

struct big { long a, b, c, d; };

static __attribute__((noinline)) long
scaled(long x, long factor)
{
	long sum = 0;
	for (long i = 0; i < x; i++)
		sum += i * factor + (sum >> 3);
	return sum;
}

static __attribute__((noinline)) long
first_of(struct big *big)
{
	return big->a * 2;
}

static __attribute__((cold, noinline)) void
complain(long x)
{
	printf("cold %ld ", x);
}

long checked(long x);
__attribute__((noinline)) long
checked(long x)
{
	if (__builtin_expect(x < 0, 0)) {
		complain(x);
		for (int i = 0; i < 3; i++)
			printf("neg ");
		return -1;
	}
	return x + 1;
}

long parted(long *p, int deep);
long
parted(long *p, int deep)
{
	if (!p)
		return 0;
	for (int i = 0; i < deep; i++) {
		*p += i;
		printf("%c", i % 2 ? '.' : '\'');
		if (*p > 1000)
			printf("much");
		if (*p < -1000)
			printf("little");
	}
	return *p;
}

void
answer(const char *command)
{
	long n = atol(command);
	struct big big = {n, 2, 3, 4};
	long kept = 5;
	long fine = checked(n);
	printf("%ld %ld %ld ", scaled(n, 7), first_of(&big), fine);
	long part = parted(&kept, 2);
	printf(" %ld", part);
}
"""


@case({"mod.c": CLONES})
def clones_and_cold_parts_are_replaced(s):
    if s.point.gcc and s.point.optimises:
        names = symbols(s)
        for suffix in (".constprop.", ".isra.", ".cold"):
            require(any(suffix in n for n in names), "the compiler made no", suffix, "of this program:", sorted(names))
    s.expect("3", f"{sum_scaled(3, 7)} 6 4 '. 6")
    s.edit("mod.c", "sum += i * factor", "sum += 1 + i * factor")
    s.live("scaled")
    s.expect("3", f"{sum_scaled(3, 7, 1)} 6 4 '. 6")
    s.edit("mod.c", "big->a * 2", "big->a * 3")
    s.live("first_of")
    s.expect("3", f"{sum_scaled(3, 7, 1)} 9 4 '. 6")
    s.edit("mod.c", 'printf("neg ")', 'printf("minus ")')
    s.live("checked")
    s.expect("-1", "cold -1 minus minus minus 0 -3 -1 '. 6")
    s.edit("mod.c", "cold %ld", "colder %ld")
    s.live("complain")
    s.expect("-1", "colder -1 minus minus minus 0 -3 -1 '. 6")
    s.edit("mod.c", "*p += i;", "*p += i + 1;")
    s.live("parted")
    s.expect("0", "0 0 1 '. 8")
    # Another constant makes another clone of the same name.
    s.edit("mod.c", "scaled(n, 7)", "scaled(n, 9)")
    s.live("answer")
    s.expect("3", f"{sum_scaled(3, 9, 1)} 9 4 '. 8")


def sum_scaled(x, factor, more=0):
    total = 0
    for i in range(x):
        total += more + i * factor + (total >> 3)
    return total


@case({"mod.c": r"""
#include <stdio.h>
static inline int small(int x) { return x + 1; }
static __attribute__((always_inline)) inline int forced(int x) { return small(x) * 2; }
int user_a(int x);
int user_b(int x);
__attribute__((noinline)) int user_a(int x) { return forced(x); }
__attribute__((noinline)) int user_b(int x) { return small(x) + forced(x); }
__attribute__((noinline)) static int untouched(int x) { return x; }
void answer(const char *command) { int x = command[0] - '0'; printf("%d %d %d", user_a(x), user_b(x), untouched(x)); }
"""})
def inlined_callees_are_replaced_in_every_caller(s):
    s.expect("1", "4 6 1")
    s.edit("mod.c", "return x + 1", "return x + 2")
    event = s.live()
    functions = event["modules"][0]["functions"]
    require("untouched" not in functions, "untouched is among", functions)
    s.expect("1", "6 9 1")
    s.edit("mod.c", "small(x) * 2", "small(x) * 3")
    s.live("user_a", "user_b") if s.point.optimises else s.live()
    s.expect("1", "9 12 1")


ROWS = [f"row {n}" for n in range(60)]


# An optimising compiler copies the initialiser of a long local array from data without a name.
@case({"mod.c": """
#include <stdio.h>
#include <stdlib.h>
void show(const char *const *rows, int at);
void __attribute__((noinline)) show(const char *const *rows, int at) { printf("%s", rows[at]); }
void
answer(const char *command)
{
	const char *rows[] = {""" + ", ".join(f'"{row}"' for row in ROWS) + """};
	show(rows, atoi(command));
}
"""})
def initialisers_of_local_arrays_are_the_new_ones(s):
    s.expect("7", "row 7")
    s.edit("mod.c", '"row 7"', '"seven"')
    s.live("answer")
    s.expect("7", "seven")
    s.expect("59", "row 59")
    s.edit("mod.c", "atoi(command)", "atoi(command) + 1")
    s.live("answer")
    s.expect("6", "seven")
    s.expect("58", "row 59")


@case({"mod.c": r"""
#include <stdio.h>

static __attribute__((noinline)) const char *
day(int n)
{
	switch (n) {
	case 0: return "mon";
	case 1: return "tue";
	case 2: return "wed";
	case 3: return "thu";
	case 4: return "fri";
	/* weekend */
	default: return "none";
	}
}

static __attribute__((noinline)) int
act(int n, int x)
{
	switch (n) {
	case 0: x += 7; putchar('a'); break;
	case 1: x *= 3; putchar('b'); break;
	case 2: x ^= 5; putchar('c'); /* fallthrough */
	case 3: x -= 9; putchar('d'); break;
	case 4: x = -x; putchar('e'); break;
	case 5: x <<= 2; putchar('f'); break;
	default: putchar('z');
	}
	return x;
}

void answer(const char *command) { int n = command[0] - '0'; int x = act(n, 100); printf(" %s %d", day(n), x); }
"""}, cflags=["-Wno-implicit-fallthrough"])
def switch_tables_are_the_new_ones(s):
    s.expect("2", "cd wed 88")
    s.edit("mod.c", "/* weekend */", 'case 5: return "sat";\n\tcase 6: return "sun";')
    s.live("day")
    require("sun" in s.ask("6"), "no sunday")
    require("thu" in s.ask("3"), "no thursday")
    s.edit("mod.c", "x <<= 2", "x <<= 3")
    s.live("act")
    require(s.ask("5").endswith("sat 800"), "case 5 of act is the old one")
    require(s.ask("4").endswith("fri -100"), "case 4 of act went astray")
    s.edit("mod.c", "\tcase 4: x = -x", "\tcase 6: x = 66; putchar('g'); break;\n\tcase 4: x = -x")
    s.live("act")
    require(s.ask("6").endswith("sun 66"), "case 6 of act is missing")


@case({"mod.c": r"""
#include <stdio.h>

static __attribute__((noinline)) int
interpret(const char *program)
{
	static const void *const labels[] = {&&add, &&subtract, &&twice, &&end};
	int value = 0;
	const char *p = program;
#define NEXT goto *labels[*p ? *p++ - 'a' : 3]
	NEXT;
add:
	value += 1;
	NEXT;
subtract:
	value -= 1;
	NEXT;
twice:
	value *= 2;
	NEXT;
end:
	return value;
}

void answer(const char *command) { printf("%d", interpret(command)); }
"""})
def computed_goto_uses_the_new_labels(s):
    s.expect("aacb", "3")
    s.edit("mod.c", "value += 1", "value += 10")
    s.live("interpret")
    s.expect("aacb", "39")
    s.replace("mod.c", ("&&twice, &&end}", "&&twice, &&end, &&square}"), ("end:", "square:\n\tvalue *= value;\n\tNEXT;\nend:"))
    s.live("interpret")
    s.expect("aae", "400")
    s.edit("mod.c", "static const void *const labels", "static void *labels")
    s.wait("live", "unchanged", only=("failed", "held"))
    s.edit("mod.c", "value *= 2", "value *= 3")
    s.live("interpret")
    s.expect("aac", "60")


SHORT = r"""
#include <stdio.h>
int zero(void);
int one(void);
void nothing(void);
int last(void);
__attribute__((noinline)) int zero(void) { return 0; }
__attribute__((noinline)) void nothing(void) { __asm__ volatile(""); }
__attribute__((noinline)) int one(void) { return 1; }
__attribute__((noinline)) int last(void) { return 0; }
int said;
void answer(const char *command) { (void)command; nothing(); printf("%d %d %d %d", zero(), one(), last(), said); }
"""


@case({"mod.c": SHORT})
def functions_shorter_than_a_jump_are_live(s):
    s.expect("?", "0 1 0 0")
    s.edit("mod.c", "zero(void) { return 0; }", "zero(void) { return 5; }")
    s.live()
    s.expect("?", "5 1 0 0")
    s.edit("mod.c", '__asm__ volatile("");', "extern int said; said++;")
    s.live()
    s.expect("?", "5 1 0 1")
    s.edit("mod.c", "return 1;", "return 2;")
    s.live()
    s.edit("mod.c", "last(void) { return 0; }", "last(void) { return 3; }")
    s.live()
    s.expect("?", "5 2 3 2")


@case({"mod.c": SHORT}, cflags=["-falign-functions=1"])
def functions_without_padding_are_live_or_held_and_never_wrong(s):
    s.expect("?", "0 1 0 0")
    s.edit("mod.c", "zero(void) { return 0; }", "zero(void) { return 5; }")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] == "HD203" and "zero" in event["reason"], "held with", event)
        s.expect("?", "0 1 0 0")
        s.edit("mod.c", "zero(void) { return 5; }", "zero(void) { return 0; }")
        s.unchanged()
    else:
        s.expect("?", "5 1 0 0")
    s.edit("mod.c", "return 1;", "return 2;")
    answer = {"live": "2", "held": "1"}[s.wait("live", "held", only=("failed", "unchanged"))["event"]]
    require(s.ask("?").split()[1] == answer, "one() is not", answer)


@case({"mod.c": r"""
#include <stdio.h>
typedef int operation(int);
static __attribute__((noinline)) int plus(int x) { return x + 1; }
static __attribute__((noinline)) int minus(int x) { return x - 1; }
static operation *volatile operations[] = {plus, minus};
void answer(const char *command) { printf("%d %d", operations[command[0] == '-'](10), plus(20)); }
"""}, cflags=["-fcf-protection=full"])
def functions_that_begin_with_endbr64_are_live(s):
    s.expect("-", "9 21")
    s.edit("mod.c", "x - 1", "x - 5")
    s.live("minus")
    s.expect("-", "5 21")
    s.edit("mod.c", "x + 1", "x + 5")
    s.live("plus")
    s.expect("+", "15 25")
    s.edit("mod.c", "x + 5", "x + 6")
    s.live("plus")
    s.expect("+", "16 26")


@case({"mod.c": r"""
#include <stdio.h>
int crossing(int x);
void answer(const char *command) { printf("%d", crossing(command[0] - '0')); }
""", "cross.c": r"""
/* The first function of this section starts three bytes before a page ends. */
__asm__(".section crossing_text,\"ax\",@progbits\n.balign 4096\n.skip 4093, 0x90\n.text\n");
int crossing(int x);
__attribute__((noinline, section("crossing_text"))) int
crossing(int x)
{
	return x * 3 + 1;
}
"""}, cflags=["-falign-functions=1", "-fno-toplevel-reorder"], only=lambda p: p.gcc)
def an_entry_that_crosses_a_page_is_live(s):
    address = symbols(s)["crossing"][0]
    require(address % 4096 > 4091, "the function is at", hex(address))
    s.expect("2", "7")
    s.edit("cross.c", "x * 3 + 1", "x * 3 + 2")
    s.live("crossing")
    s.expect("2", "8")
    s.edit("cross.c", "x * 3 + 2", "x * 3 + 3")
    s.live("crossing")
    s.expect("2", "9")


@case({"mod.c": r"""
#include <stdio.h>
#include <math.h>
static __attribute__((noinline)) double curve(double x) { return x; }
void answer(const char *command) { printf("%g", curve(command[0] - '0')); }
"""}, libs=["-lm"])
def a_library_that_was_linked_and_never_loaded_is_missed_or_used(s):
    # The linker drops -lm where nothing uses it (--as-needed), or keeps it: both are right, a crash is not.
    s.expect("4", "4")
    s.edit("mod.c", "return x;", "return cbrt(x * 2);")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] == "HD201" and "cbrt" in event["reason"], "held with", event)
    s.expect("4", "2" if event["event"] == "live" else "4")


@case({"mod.c": r"""
#include <stdio.h>
static __attribute__((noinline)) double mix(double x) { return x * 1.5 + 0.25; }
static __attribute__((noinline)) float scale(float x) { return x * 2.0f; }
static const double matrix[2][2] = {{1, 2}, {3, 4}};
static __attribute__((noinline)) double
trace(int n)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += matrix[i][i] * 1e3;
	return sum;
}
void answer(const char *command) { printf("%g %g %g", mix(2), (double)scale(3), trace(command[0] - '0')); }
"""})
def floating_constants_are_the_new_ones(s):
    s.expect("2", "3.25 6 5000")
    s.edit("mod.c", "1.5 + 0.25", "2.5 + 0.125")
    s.live("mix")
    s.expect("2", "5.125 6 5000")
    s.edit("mod.c", "x * 2.0f", "x * 2.5f")
    s.live("scale")
    s.edit("mod.c", "1e3", "1e2")
    s.live("trace")
    s.expect("2", "5.125 7.5 500")


@case({"mod.c": r"""
#include <stdio.h>
struct node { struct node *next; const char *name; int (*act)(int); };
static int up(int x) { return x + 1; }
static int down(int x) { return x - 1; }
static struct node last = {0, "last", down};
static struct node first = {&last, "first", up};
struct node *head = &first;
static const struct node constant = {&first, "constant", down};

void
answer(const char *command)
{
	int x = command[0] - '0';
	for (const struct node *n = &constant; n; n = n->next)
		printf("%s %d ", n->name, n->act(x));
	printf("%d", head == &first);
}
"""})
def data_that_points_to_data_and_code_is_bound(s):
    s.expect("5", "constant 4 first 6 last 4 1")
    s.edit("mod.c", "x + 1", "x + 100")
    s.live("up")
    s.expect("5", "constant 4 first 105 last 4 1")
    s.edit("mod.c", '"constant", down', '"CONSTANT", up')
    s.live()
    s.expect("5", "CONSTANT 105 first 105 last 4 1")
    s.edit("mod.c", '{0, "last", down}', '{0, "LAST", up}')
    s.live()
    s.expect("5", "CONSTANT 105 first 105 LAST 105 1")


@case({"mod.c": r"""
#include <stdio.h>
const int limits[] = {1, 2, 3};
const int single = 5;
int sum(void);
void answer(const char *command) { (void)command; printf("%d %d %d", limits[0], single, sum()); }
""", "other.c": r"""
extern const int limits[];
extern const int single;
int sum(void);
int sum(void) { return limits[0] + limits[1] + limits[2] + single; }
"""})
def constants_that_other_modules_use_are_new_for_them_too(s):
    s.expect("?", "1 5 11")
    s.edit("mod.c", "{1, 2, 3}", "{10, 2, 3}")
    s.live()
    s.expect("?", "10 5 20")
    s.edit("mod.c", "single = 5", "single = 6")
    s.live()
    s.expect("?", "10 6 21")
    # Another size has no room where the other module looks.
    s.edit("mod.c", "{10, 2, 3}", "{100, 2, 3, 4}")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] in ("HD106", "HD102"), "held with", event)
        s.expect("?", "10 6 21")
    else:
        s.expect("?", "100 6 111")


@case({"mod.c": r"""
#include <stdio.h>
#include <stdatomic.h>
static _Atomic int hits = 5;
static __int128 wide = 1;
/* Not static: a compiler may split it in two. */
_Complex double z = 1.0;
static int flexible[] = {1, 2, 3};
typedef int vec __attribute__((vector_size(16)));
static vec lanes = {1, 2, 3, 4};
static _Alignas(64) char aligned[64];

static __attribute__((noinline)) int
all(int n)
{
	atomic_fetch_add(&hits, n);
	wide = wide * 10 + n;
	z += 1.0i;
	lanes += n;
	return flexible[2] + lanes[3] + (int)((unsigned long)aligned & 63);
}

void
answer(const char *command)
{
	int sum = all(command[0] - '0');
	printf("%d %d %d %g", sum, hits, (int)wide, __imag__ z);
}
"""}, cflags=["-Wno-gnu-imaginary-constant"])
def atomics_wide_complex_and_vector_data_are_bound(s):
    s.expect("1", "8 6 11 1")
    s.edit("mod.c", "flexible[2] + ", "flexible[1] + ")
    s.live("all")
    s.expect("1", "8 7 111 2")
    s.edit("mod.c", "wide * 10", "wide * 100")
    s.live("all")
    s.expect("2", "10 9 11102 3")


@case({"mod.c": r"""
#include <stdio.h>
#include <unistd.h>
static int started;
__attribute__((constructor)) static void begin(void) { started += getpid() > 0; }
void answer(const char *command) { (void)command; printf("%d", started); }
"""})
def constructors_never_run_again(s):
    s.expect("?", "1")
    s.edit("mod.c", "started +=", "started += 9 *")
    s.wait("live", "unchanged", only=("failed", "held"))
    s.expect("?", "1")
    s.edit("mod.c", '"%d", started', '"%d!", started')
    s.live("answer")
    s.expect("?", "1!")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
int one(int x);
int two(int x);
__attribute__((noinline)) int one(int x) { return x * 17 + 3; }
__attribute__((noinline)) int two(int x) { return x * 17 + 3; }
static __attribute__((noinline)) int red(int x) { return x * 19 + 4; }
static __attribute__((noinline)) int blue(int x) { return x * 19 + 4; }
void
answer(const char *command)
{
	int x = command[0] - '0';
	printf("%d %d %d %d", one(x), two(x), red(x), blue(x));
}
"""})
def functions_that_the_compiler_folded_into_one_differ_or_are_held(s):
    s.expect("1", "20 20 23 23")
    s.edit("mod.c", "two(int x) { return x * 17 + 3", "two(int x) { return x * 17 + 4")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] == "HD204", "held with", event)
        s.edit("mod.c", "two(int x) { return x * 17 + 4", "two(int x) { return x * 17 + 3")
        s.unchanged()
    s.expect("1", "20 21 23 23" if event["event"] == "live" else "20 20 23 23")
    s.edit("mod.c", "blue(int x) { return x * 19 + 4", "blue(int x) { return x * 19 + 5")
    again = s.wait("live", "held", only=("failed", "unchanged"))
    if again["event"] == "held":
        require(again["code"] == "HD204", "held with", again)
    require(s.ask("1").split()[2:] == ["23", "24" if again["event"] == "live" else "23"], "red and blue are mixed up")


@case({"mod.c": r"""
#include <stdio.h>
__asm__(".text\n.globl from_assembler\n.type from_assembler,@function\nfrom_assembler:\n"
	"\tmov $7, %eax\n\tret\n.size from_assembler,.-from_assembler\n");
int from_assembler(void);
static __attribute__((noinline)) int plain(int x) { return x; }
void answer(const char *command) { printf("%d %d", from_assembler(), plain(command[0] - '0')); }
"""})
def a_module_with_assembler_in_it_is_live(s):
    s.expect("1", "7 1")
    s.edit("mod.c", "return x;", "return x + 1;")
    s.live("plain")
    s.expect("1", "7 2")


@case({"mod.c": r"""
#include <stdio.h>

void
answer(const char *command)
{
	(void)command;
	printf("%d", 1);
}
"""}, only=lambda p: not p.pie)
def a_reference_that_cannot_be_made_is_held_with_its_place(s):
    """A word of 32 bits cannot hold the address of what lies in a library."""
    s.edit("mod.c", 'printf("%d", 1);', 'unsigned low;\n\t__asm__("movl $environ, %0" : "=r"(low));\n\tprintf("%d", low != 0);')
    where = s.held("HD202", "environ")["where"]
    require(where["file"] == s.path("mod.c") and where["line"] == 9, "the place:", where)
    # In data, of which no line is known.
    s.save("mod.c", r"""
#include <stdio.h>

extern unsigned far_word;
__asm__(".pushsection .data.far_word, \"aw\"\n.globl far_word\n.type far_word, @object\n.size far_word, 4\n"
	"far_word: .long environ\n.popsection");

void
answer(const char *command)
{
	(void)command;
	printf("%d", far_word != 0);
}
""")
    require(s.held("HD202", "environ")["where"]["file"] == s.path("mod.c"), "held without a place")
    s.expect("?", "1")


if __name__ == "__main__":
    sys.exit(main())
