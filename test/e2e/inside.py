# SPDX-License-Identifier: GPL-2.0-or-later
"""Where threads and processes can be when their code is edited: in a long computation, in a signal handler on a stack of
its own, in crowds, in generations of processes."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import Session, case, main, require  # noqa: E402
import matrix  # noqa: E402


@case({"mod.c": r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static volatile int enough, inside;
static volatile unsigned long sum;
/* Runs until it is told to end: as long as any computation may be. */
__attribute__((noinline)) static unsigned long
compute(unsigned long seed)
{
	inside = 1;
	while (!enough)
		sum += seed;
	return sum ? 1 : 0;
}
static void *worker(void *arg) { unsigned long r = compute(3); inside = 2; return arg ? 0 : (void *)r; }
void
answer(const char *command)
{
	static pthread_t id;
	if (!strcmp(command, "begin")) {
		pthread_create(&id, 0, worker, 0);
		while (!inside)
			;
	} else if (!strcmp(command, "end")) {
		void *result;
		enough = 1;
		pthread_join(id, &result);
		printf("%lu ", (unsigned long)result);
	}
	printf("%lu", inside == 1 ? 0 : compute(1));
}
"""})
def a_worker_inside_a_computation_is_named_until_it_leaves(s):
    s.expect("begin", "0")
    s.edit("mod.c", "return sum ? 1 : 0;", "return sum ? 2 : 0;")
    s.live("compute")
    pinned = s.wait("pinned")
    require(pinned["function"] == "compute" and pinned["version"] == 0 and pinned["module"] == "mod.c" and
            pinned["pid"] == s.pid and pinned["tid"] != s.pid, "pinned:", pinned)
    text = s.read("mod.c").splitlines()
    require("while (!enough)" in text[pinned["line"] - 1] or "sum += seed" in text[pinned["line"] - 1],
            "line", pinned["line"], "is", text[pinned["line"] - 1])
    pins = json.loads(s.ctl("pins", "--json"))["pins"]
    require([p["tid"] for p in pins] == [pinned["tid"]], "pins:", pins)
    require(json.loads(s.ctl("status", "--json"))["status"]["pins"] == 1, "status counts other pins")
    s.expect("end", "1 2")
    released = s.wait("released")
    require(released["tid"] == pinned["tid"], "released:", released)
    require(json.loads(s.ctl("status", "--json"))["status"]["pins"] == 0, "status counts a pin")


@case({"mod.c": r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static volatile int result;
static int to[2], from[2];
int handle(int x);
__attribute__((noinline)) int handle(int x) { char c; write(from[1], "i", 1); read(to[0], &c, 1); return x + 1; }
int next(int x);
__attribute__((noinline)) int next(int x) { return x + 10; }
static void on_signal(int number) { (void)number; result = next(handle(0)); }
static void *
body(void *arg)
{
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	(void)arg;
	sigaltstack(&stack, 0);
	sigaction(SIGUSR1, &action, 0);
	pthread_kill(pthread_self(), SIGUSR1);
	return 0;
}
void
answer(const char *command)
{
	static pthread_t id;
	char c;
	if (!strcmp(command, "begin") && !pipe(to) && !pipe(from)) {
		pthread_create(&id, 0, body, 0);
		printf("%d", (int)read(from[0], &c, 1));
	} else {
		write(to[1], "", 1);
		pthread_join(id, 0);
		printf("%d", result);
	}
}
"""})
def a_handler_on_a_stack_of_its_own_ends_in_old_code_and_calls_the_new(s):
    s.expect("begin", "1")
    s.replace("mod.c", ("return x + 1;", "return x + 2;"), ("return x + 10;", "return x + 20;"))
    s.live("handle", "next")
    pinned = s.wait("pinned", where=lambda e: e["function"] == "handle")
    require(pinned["tid"] != s.pid and pinned["version"] == 0, "pinned:", pinned)
    s.expect("end", "21")
    s.wait("released", where=lambda e: e["tid"] == pinned["tid"])


@case({"mod.c": r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define THREADS 200
static volatile int turn, quit;
static int seen[THREADS];
__attribute__((noinline)) static int value(void) { return 1 + turn; }
static void *
body(void *arg)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, 0);
	while (!quit) {
		*(int *)arg = value();
		usleep(5000);
	}
	return 0;
}
static pthread_t ids[THREADS];
void
answer(const char *command)
{
	if (!strcmp(command, "start"))
		for (int i = 0; i < THREADS; i++)
			pthread_create(&ids[i], 0, body, &seen[i]);
	if (!strcmp(command, "stop")) {
		quit = 1;
		for (int i = 0; i < THREADS; i++)
			pthread_join(ids[i], 0);
	}
	int least = seen[0], most = seen[0];
	for (int i = 1; i < THREADS; i++) {
		least = seen[i] < least ? seen[i] : least;
		most = seen[i] > most ? seen[i] : most;
	}
	printf("%d to %d", least, most);
}
"""})
def two_hundred_threads_with_every_signal_blocked_all_switch(s):
    s.ask("start")
    s.wait_until(lambda: s.ask("?") == "1 to 1", "some thread does not run")
    for n in range(2, 12):
        s.edit("mod.c", f"return {n - 1} +", f"return {n} +")
        event = s.live("value")
        require(event["threads"] == 201, "counts:", event)
        s.wait_until(lambda: s.ask("?") == f"{n} to {n}", f"some thread does not call version {n}")
    s.expect("stop", "11 to 11")


@case({"mod.c": r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int value(void);
__attribute__((noinline)) int value(void) { return 1; }
void answer(const char *command);
static int depth, to[2], from[2];
/* A child answers lines that its parent hands down. */
static void
child(void)
{
	char line[64];
	FILE *in = fdopen(to[0], "r");
	close(to[1]);
	close(from[0]);
	dup2(from[1], 1);
	to[0] = to[1] = from[0] = from[1] = -1;
	depth++;
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = 0;
		answer(line);
		putchar('\n');
		fflush(stdout);
	}
	exit(0);
}
void
answer(const char *command)
{
	static pid_t pid;
	if (!strncmp(command, "down ", 5)) {
		char c;
		dprintf(to[1], "%s\n", command + 5);
		while (read(from[0], &c, 1) == 1 && c != '\n')
			putchar(c);
		return;
	}
	if (!strcmp(command, "fork")) {
		fflush(stdout);
		if (pipe(to) || pipe(from))
			exit(9);
		pid = fork();
		if (pid == 0)
			child();
		close(to[0]);
		close(from[1]);
	}
	if (!strcmp(command, "end")) {
		close(to[1]);
		close(from[0]);
		waitpid(pid, 0, 0);
	}
	printf("%d at %d", value(), depth);
}
"""})
def every_generation_switches_and_who_is_forked_anew_as_well(s):
    s.expect("fork", "1 at 0")
    s.expect("down fork", "1 at 1")
    s.expect("down down fork", "1 at 2")
    s.edit("mod.c", "return 1;", "return 2;")
    require(s.live("value")["processes"] == 4, "counts")
    for depth in range(4):
        s.expect("down " * depth + "?", f"2 at {depth}")
    s.expect("down down end", "2 at 2")
    s.edit("mod.c", "return 2;", "return 3;")
    require(s.live("value")["processes"] == 3, "counts")
    s.expect("down down fork", "3 at 2")
    s.edit("mod.c", "return 3;", "return 4;")
    require(s.live("value")["processes"] == 4, "counts")
    for depth in range(4):
        s.expect("down " * depth + "?", f"4 at {depth}")
    views = json.loads(s.ctl("status", "--json"))["status"]
    require(views["processes"] == 4, "status:", views)


@case({"mod.c": r"""
#include <stdio.h>
__attribute__((noinline)) static int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d", value()); }
"""})
def two_programs_in_one_folder_do_not_meddle(s):
    other = matrix.Program(s.program.folder, s.point, {"two.c": 'int puts(const char *);\n#include <stdio.h>\nstatic volatile int one = 1;\n'
                           "__attribute__((noinline)) static int other(void) { return one * 100; }\n"
                           "int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) "
                           '{ printf("%d\\n", other()); fflush(stdout); } return 0; }\n'}, name="two", compdb=False)
    other.build()
    folder = os.path.join(os.path.dirname(s.journal.path), "second")
    os.mkdir(folder)
    second = Session(other, folder)
    try:
        second.start()
        s.edit("mod.c", "return 1;", "return 2;")
        s.wait("live")
        second.edit("two.c", "one * 100;", "one * 200;")
        second.wait("live", where=lambda e: e["modules"][0]["module"] == "two.c")
        s.expect("?", "2")
        second.expect("?", "200")
        for session, own in ((s, "mod.c"), (second, "two.c")):
            lives = [m["module"] for e in session.events("live") for m in e["modules"]]
            require(lives == [own] and session.events("live")[0]["processes"] == 1, "live:", lives)
        second.finish()
    finally:
        second.abandon()


if __name__ == "__main__":
    sys.exit(main())
