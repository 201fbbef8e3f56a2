# SPDX-License-Identifier: GPL-2.0-or-later
"""Old frames, new callees: what is on a stack when the edit comes, and every way into a function."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

INSIDE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
void nested(void);
static void
inside(void)
{
	puts("inside");
	fflush(stdout);
	nested();
}
"""


def go_inside(s, command="go"):
    s.tell(command)
    require(s.line() == "inside", "the program did not go inside")


@case({"mod.c": INSIDE + r"""
static int stop;

static __attribute__((noinline)) int
deep(int n, int *sink)
{
	int here = n;
	if (n == 0) {
		if (stop)
			inside();
		return 0;
	}
	int below = deep(n - 1, &here);
	*sink += here;
	return below + 1;
}

void
answer(const char *command)
{
	int sink = 0;
	stop = !strcmp(command, "go");
	int depth = deep(5, &sink);
	printf("%d %d", depth, sink);
}
"""})
def recursion_in_progress_ends_in_the_old_code_and_is_pinned(s):
    s.expect("?", "5 15")
    go_inside(s)
    s.edit("mod.c", "return below + 1", "return below + 10")
    s.live("deep")
    pinned = s.wait("pinned", where=lambda e: e["function"] == "deep")
    require(pinned["pid"] == s.pid and pinned["tid"] == s.pid and pinned["module"] == "mod.c", "pinned:", pinned)
    require(pinned["version"] == 0, "the frames are of version", pinned["version"])
    s.expect("?", "50 15")
    s.tell("leave")
    require(s.line() == "5 15", "the old frames did not end in the old code")
    s.expect("?", "50 15")
    s.wait("released", where=lambda e: e["tid"] == s.pid)


@case({"main.c": r"""
#include <stdio.h>
#include <string.h>
int tick(void);
__attribute__((noinline)) int tick(void) { static int n; return ++n; }
int
main(void)
{
	char line[64];
	setvbuf(stdout, 0, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin))
		printf("%d by %s\n", tick(), "main one");
	return 0;
}
"""})
def a_loop_in_main_calls_edited_code_and_its_own_edit_is_pinned(s):
    s.expect("?", "1 by main one")
    s.edit("main.c", "return ++n", "return n += 10")
    s.live("tick")
    s.expect("?", "11 by main one")
    s.edit("main.c", "main one", "main two")
    s.live("main")
    pinned = s.wait("pinned", where=lambda e: e["function"] == "main")
    require(pinned["file"].endswith("main.c") and pinned["line"] > 0, "pinned at", pinned)
    s.expect("?", "21 by main one")
    s.edit("main.c", "n += 10", "n += 100")
    s.live("tick")
    s.expect("?", "121 by main one")


@case({"mod.c": r"""
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct small { int a; char b; };
struct mixed { float x; double y; };
struct big { long word[5]; };
#define NOINLINE __attribute__((noinline))

static NOINLINE int
sum(int n, ...)
{
	va_list ap;
	int total = 0;
	va_start(ap, n);
	while (n--)
		total += va_arg(ap, int);
	va_end(ap);
	return total;
}

static NOINLINE double
fsum(int n, ...)
{
	va_list ap;
	double total = 0;
	va_start(ap, n);
	while (n--)
		total += va_arg(ap, double);
	va_end(ap);
	return total;
}

static NOINLINE double
many(int a, long b, char c, short d, unsigned e, long long f, int g, int h, double i, float j, double k, double l,
     double m, double n, double o, double p, double q, long double r, int s)
{
	return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l + 13 * m +
	       14 * n + 15 * o + 16 * p + 17 * q + 18 * r + 19 * s;
}

static NOINLINE struct big
grown(struct small s, struct big b, struct mixed m)
{
	b.word[0] += s.a;
	b.word[4] += s.b;
	b.word[2] += (long)(m.x + m.y);
	return b;
}

static NOINLINE struct mixed
turned(struct mixed m)
{
	struct mixed r = {(float)m.y, m.x};
	return r;
}

static NOINLINE long double
wide(long double x)
{
	return x * 2;
}

static NOINLINE __int128
huge(__int128 x)
{
	return x + 1;
}

static NOINLINE int
sized(int n)
{
	char *room = __builtin_alloca((size_t)n);
	int array[n];
	memset(room, 1, (size_t)n);
	int total = 0;
	for (int i = 0; i < n; i++)
		array[i] = room[i];
	for (int i = 0; i < n; i++)
		total += array[i];
	return total;
}

void
answer(const char *command)
{
	struct small s = {1, 2};
	struct big b = {{1, 2, 3, 4, 5}};
	struct mixed m = {1.5f, 2.5};
	(void)command;
	b = grown(s, b, m);
	m = turned(m);
	printf("%d %g %g ", sum(8, 1, 2, 3, 4, 5, 6, 7, 8), fsum(9, 1., 2., 3., 4., 5., 6., 7., 8., 9.),
	       many(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
	printf("%ld %ld %ld %g %g %Lg %d %d", b.word[0], b.word[2], b.word[4], (double)m.x, m.y, wide(1.5L),
	       (int)(huge((__int128)1 << 100) >> 100) + (int)huge(5), sized(30));
}
"""})
def every_kind_of_argument_arrives_in_the_new_code(s):
    s.expect("?", "36 45 190 2 7 7 2.5 1.5 3 7 30")
    s.edit("mod.c", "total += va_arg(ap, int)", "total += 2 * va_arg(ap, int)")
    s.live("sum")
    s.edit("mod.c", "total += va_arg(ap, double)", "total += 2 * va_arg(ap, double)")
    s.live("fsum")
    s.expect("?", "72 90 190 2 7 7 2.5 1.5 3 7 30")
    s.edit("mod.c", "return a + 2 * b", "return 1000 * a + 2 * b")
    s.live("many")
    s.expect("?", "72 90 1189 2 7 7 2.5 1.5 3 7 30")
    s.edit("mod.c", "b.word[0] += s.a", "b.word[0] += 10 * s.a")
    s.live("grown")
    s.edit("mod.c", "(float)m.y, m.x}", "(float)m.y * 2, m.x * 4}")
    s.live("turned")
    s.expect("?", "72 90 1189 11 7 7 5 6 3 7 30")
    s.edit("mod.c", "return x * 2", "return x * 3")
    s.live("wide")
    s.edit("mod.c", "return x + 1", "return x + 2")
    s.live("huge")
    s.edit("mod.c", "memset(room, 1,", "memset(room, 2,")
    s.live("sized")
    s.expect("?", "72 90 1189 11 7 7 5 6 4.5 8 60")


@case({"main.c": r"""
#include <stdio.h>
#include <string.h>

/* Every register that a callee may change by the ABI. */
#define SPOIL \
	__asm__ volatile("mov $-1,%%rcx\n\tmov $-1,%%rdx\n\tmov $-1,%%rsi\n\tmov $-1,%%r8\n\tmov $-1,%%r9\n\t" \
			 "mov $-1,%%r10\n\tmov $-1,%%r11\n\tmov $-1,%%rdi\n\tpcmpeqd %%xmm1,%%xmm1\n\tpcmpeqd %%xmm2,%%xmm2\n\t" \
			 "pcmpeqd %%xmm3,%%xmm3\n\tpcmpeqd %%xmm4,%%xmm4\n\tpcmpeqd %%xmm5,%%xmm5\n\t" \
			 "pcmpeqd %%xmm6,%%xmm6\n\tpcmpeqd %%xmm7,%%xmm7\n\tpcmpeqd %%xmm8,%%xmm8" \
			 : : : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm1", "xmm2", "xmm3", "xmm4", \
			   "xmm5", "xmm6", "xmm7", "xmm8")

static __attribute__((noinline)) long
leaf(long x)
{
	return x ^ 5;
}

static __attribute__((noinline)) void
serve(void)
{
	char line[64];
	while (fgets(line, sizeof line, stdin)) {
		long a = line[0], b = line[1], c = line[2], d = line[3], e = line[4], f = line[5], g = line[6];
		double p = line[0], q = line[1], r = line[2];
		long sum = 0;
		for (int i = 0; i < 3; i++) {
			sum += leaf(a + i) * b + c * d - e * f + g;
			p += q * 0.5 + r;
		}
		printf("%ld %g %g %g\n", sum + a * 2 + b * 3 + c * 5 + d * 7 + e * 11 + f * 13 + g * 17, p, q, r);
		fflush(stdout);
	}
}

int
main(void)
{
	serve();
	return 0;
}
"""})
def registers_that_an_old_caller_keeps_survive_the_new_callee(s):
    def right(text, mask):
        a, b, c, d, e, f, g = (ord(ch) for ch in text)
        total = sum(((a + i) ^ mask) * b + c * d - e * f + g for i in range(3))
        total += a * 2 + b * 3 + c * 5 + d * 7 + e * 11 + f * 13 + g * 17
        return f"{total} {a + 3 * (b * 0.5 + c):g} {b} {c}"

    s.expect("abcdefg", right("abcdefg", 5))
    s.edit("main.c", "return x ^ 5", "SPOIL;\n\treturn x ^ 6")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] == "HD205", "held with", event)
    mask = 6 if event["event"] == "live" else 5
    for text in ("abcdefg", "gfedcba", "hotdevs"):
        s.expect(text, right(text, mask))
    s.edit("main.c", "return x ^ 6", "return x ^ 7")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    s.expect("compile", right("compile", 7 if event["event"] == "live" else 5))


@case({"mod.c": INSIDE + r"""
#include <setjmp.h>
static jmp_buf back;

static __attribute__((noinline)) int middle(int x) { inside(); return x; }

static __attribute__((noinline)) int
guarded(void)
{
	volatile int local = 5;
	int code = setjmp(back);
	if (code)
		return code + local;
	local = 6;
	return middle(1);
}

void
answer(const char *command)
{
	if (!strcmp(command, "throw"))
		longjmp(back, 100);
	printf("%d", guarded());
}
"""})
def longjmp_returns_into_old_frames(s):
    go_inside(s)
    s.edit("mod.c", "return x;", "return x + 1;")
    s.live("middle")
    s.expect("throw", "106")
    go_inside(s)
    s.edit("mod.c", "return code + local;", "return code + 2 * local;")
    s.live("guarded")
    s.expect("throw", "106")
    go_inside(s)
    s.expect("throw", "112")
    go_inside(s)
    s.tell("leave")
    require(s.line() == "2", "the new middle did not return 2")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static ucontext_t outside, within;
static char stack[65536];
static int produced;
int alive;

static volatile int none;
static __attribute__((noinline)) int item(int n) { return n + none; }

static void
produce(void)
{
	int local = 7;
	for (int n = 1; n <= 6; n++) {
		produced = item(n) + 1000;
		local++;
		swapcontext(&within, &outside);
	}
	produced = local;
	alive = 0;
}

void
answer(const char *command)
{
	(void)command;
	if (!alive) {
		getcontext(&within);
		within.uc_stack.ss_sp = stack;
		within.uc_stack.ss_size = sizeof stack;
		within.uc_link = &outside;
		makecontext(&within, produce, 0);
		alive = 1;
	}
	swapcontext(&outside, &within);
	printf("%d", produced);
}
"""})
def a_coroutine_resumes_in_old_code_and_calls_the_new(s):
    s.expect("?", "1001")
    s.expect("?", "1002")
    s.edit("mod.c", "return n + none;", "return n * 10 + none;")
    s.live("item")
    s.expect("?", "1030")
    s.edit("mod.c", "+ 1000;", "+ 2000;")
    s.live("produce")
    s.expect("?", "1040")
    s.edit("mod.c", "return n * 10 + none;", "return n * 100 + none;")
    s.live("item")
    s.expect("?", "1500")
    s.expect("?", "1600")
    s.expect("?", "13")
    s.expect("?", "2100")


@case({"mod.c": INSIDE + r"""
#include <pthread.h>
#include <signal.h>

static int stop;
static pthread_key_t key;

static int
compare(const void *a, const void *b)
{
	if (stop) {
		stop = 0;
		inside();
	}
	return *(const int *)a - *(const int *)b;
}

static void at_exit(void) { puts("exit one"); fflush(stdout); }
static void on_signal(int number) { (void)number; printf("signal one"); }
static void destroy(void *value) { (void)value; printf("destroyed one"); }
static void *body(void *value) { pthread_setspecific(key, value); printf("thread one "); return 0; }

static void
set_up(void)
{
	static int done;
	if (done++)
		return;
	atexit(at_exit);
	signal(SIGUSR1, on_signal);
	pthread_key_create(&key, destroy);
}

void
answer(const char *command)
{
	set_up();
	if (!strcmp(command, "signal"))
		raise(SIGUSR1);
	else if (!strcmp(command, "thread")) {
		pthread_t id;
		pthread_create(&id, 0, body, "x");
		pthread_join(id, 0);
	} else {
		int numbers[] = {3, 1, 5, 2, 4};
		stop = !strcmp(command, "go");
		qsort(numbers, 5, sizeof *numbers, compare);
		for (int i = 0; i < 5; i++)
			printf("%d", numbers[i]);
	}
}
"""})
def callbacks_that_libraries_hold_are_new_at_once(s):
    s.expect("sort", "12345")
    s.expect("signal", "signal one")
    s.expect("thread", "thread one destroyed one")
    s.edit("mod.c", "return *(const int *)a - *(const int *)b", "return *(const int *)b - *(const int *)a")
    s.live("compare")
    s.expect("sort", "54321")
    s.edit("mod.c", "signal one", "signal two")
    s.live("on_signal")
    s.expect("signal", "signal two")
    s.edit("mod.c", "destroyed one", "destroyed two")
    s.live("destroy")
    s.edit("mod.c", "thread one ", "thread two ")
    s.live("body")
    s.expect("thread", "thread two destroyed two")
    # In the middle of a sort: the call that is inside stays old, those after it are new.
    go_inside(s)
    s.edit("mod.c", "\tif (stop) {", "\tprintf(\"+\");\n\tif (stop) {")
    s.live("compare")
    s.tell("leave")
    sorted_line = s.line()
    require(sorted_line.strip("+") == "54321" and sorted_line[0] == "+", "the sort came out as", sorted_line)
    s.edit("mod.c", "exit one", "exit two")
    s.live("at_exit")
    s.close_input()
    s.exit_status()
    require(s.line() == "exit two", "the exit handler is the old one")


@case({"mod.c": r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>

int spin(volatile int *flag);
__attribute__((noinline)) int
spin(volatile int *flag)
{
	while (!*flag)
		;
	return 1;
}

static volatile int go, started;
static void *body(void *result) { started = 1; *(int *)result = spin(&go); return 0; }

void
answer(const char *command)
{
	static pthread_t id;
	static int result;
	if (!strcmp(command, "start")) {
		go = started = 0;
		pthread_create(&id, 0, body, &result);
		while (!started)
			;
		printf("started");
	} else if (!strcmp(command, "stop")) {
		go = 1;
		pthread_join(id, 0);
		printf("%d", result);
	} else {
		volatile int yes = 1;
		printf("%d", spin(&yes));
	}
}
"""})
def a_loop_through_the_first_bytes_of_a_function_is_never_patched_under_a_thread(s):
    s.expect("start", "started")
    s.edit("mod.c", "return 1;", "return 2;")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    if event["event"] == "held":
        require(event["code"] in ("HD203", "HD301"), "held with", event)
        s.expect("?", "1")
    else:
        s.expect("?", "2")
    s.expect("stop", "1")
    # Nobody is in the loop now.
    s.edit("mod.c", "return 2;", "return 3;")
    s.live("spin")
    s.expect("?", "3")
    s.expect("start", "started")
    s.edit("mod.c", "return 3;", "return 4;")
    event = s.wait("live", "held", only=("failed", "unchanged"))
    s.expect("stop", "3")
    s.expect("?", "4" if event["event"] == "live" else "3")


@case({"mod.c": r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int cleaned;
static void clean(void *by) { cleaned += *(int *)by; }
static __attribute__((noinline)) void leave(int how) { if (how) pthread_exit(0); }
static __attribute__((noinline)) void wait_for_ever(int fd) { char c; if (read(fd, &c, 1)) pause(); }

static void *
body(void *arg)
{
	int by = 1;
	int *fds = arg;
	pthread_cleanup_push(clean, &by);
	if (fds)
		wait_for_ever(fds[0]);
	else
		leave(1);
	pthread_cleanup_pop(0);
	return 0;
}

void
answer(const char *command)
{
	pthread_t id;
	int fds[2];
	if (pipe(fds))
		return;
	pthread_create(&id, 0, body, strcmp(command, "cancel") ? 0 : fds);
	if (!strcmp(command, "cancel"))
		pthread_cancel(id);
	pthread_join(id, 0);
	close(fds[0]);
	close(fds[1]);
	printf("%d", cleaned);
}
"""})
def threads_exit_and_are_cancelled_through_new_frames(s):
    s.expect("exit", "1")
    s.expect("cancel", "2")
    s.edit("mod.c", "if (how) pthread_exit(0);", "if (how > 0) { cleaned += 10; pthread_exit(0); }")
    s.live("leave")
    s.expect("exit", "13")
    s.edit("mod.c", "char c; if (read(fd, &c, 1)) pause();", "char c[2]; if (read(fd, c, 2)) pause();")
    s.live("wait_for_ever")
    s.expect("cancel", "14")
    s.edit("mod.c", "int by = 1;", "int by = 100;")
    s.live("body")
    s.expect("exit", "124")
    s.expect("cancel", "224")


@case({"mod.c": INSIDE + r"""
/* Not static: a clone made for the one argument that it gets would be its old caller's own. */
int second(int x);
int first(int x, int stop);
__attribute__((noinline)) int second(int x) { return x + 1; }
__attribute__((noinline)) int first(int x, int stop)
{
	if (stop)
		inside();
	return second(x) * 10;
}
void answer(const char *command) { printf("%d", first(1, !strcmp(command, "go"))); }
"""}, hotdev=["--patience", "50"])
def several_functions_with_one_on_a_stack_go_live_after_the_patience(s):
    s.expect("?", "20")
    go_inside(s)
    s.replace("mod.c", ("x + 1", "x + 2"), ("second(x) * 10", "second(x) * 100"))
    s.live("first", "second")
    # An optimiser that knows the argument may have put first into its caller.
    s.wait("pinned", where=lambda e: e["function"] in ("first", "answer"))
    s.expect("?", "300")
    s.tell("leave")
    require(s.line() == "30", "the old frame did not call the new function")
    s.wait("released")


@case({"mod.c": INSIDE + r"""
struct point { int x, y; };
static __attribute__((noinline)) struct point
step(int stop)
{
	struct point p = {1, 2};
	if (stop)
		inside();
	p.x++;
	return p;
}
void answer(const char *command) { struct point p = step(!strcmp(command, "go")); printf("%d %d", p.x, p.y); }
"""})
def versions_pile_up_on_one_stack_and_unwind_in_order(s):
    for n in range(1, 6):
        go_inside(s)
        s.edit("mod.c", "p.x++" if n == 1 else f"p.x += {n}", f"p.x += {n + 1}")
        s.live("step")
    for n in range(5, 0, -1):
        s.tell("leave")
        require(s.line() == f"{n + 1} 2", "a frame of version", n - 1, "ended in other code")
    s.expect("?", "7 2")


@case({"mod.c": r"""
#include <stdio.h>
#include <string.h>
static volatile int hundred = 100;
static __attribute__((noinline)) int area(int width) { return width * width + !hundred; }
static __attribute__((noinline)) void session(void)
{
	char line[16];
	printf("in ");
	do {
		printf("%d\n", area(3));
		fflush(stdout);
	} while (fgets(line, sizeof line, stdin) && strcmp(line, "leave\n") != 0);
	printf("left ");
}
void answer(const char *command)
{
	if (!strcmp(command, "enter"))
		session();
	printf("%d", area(5));
}
"""})
def an_old_caller_goes_on_calling_the_signature_that_it_knows(s):
    s.expect("enter", "in 9")
    s.replace("mod.c", ("area(int width) { return width * width", "area(int width, long height) { return width * (int)height"),
              ("area(3)", "area(3, hundred)"), ("area(5)", "area(5, hundred)"))
    s.live("area", "answer", "session")
    s.wait("pinned", where=lambda e: e["function"] == "session")
    for _ in range(3):
        s.expect("again", "9")
    # The frame of answer is an old one as well, and ends with the old signature.
    s.expect("leave", "left 25")
    s.expect("?", "500")
    s.expect("enter", "in 300")
    s.expect("leave", "left 500")


if __name__ == "__main__":
    sys.exit(main())
