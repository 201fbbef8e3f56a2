# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that call exec: of another program, of the same one, of the same one built anew."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402

# Serves its standard input; "exec PROGRAM" runs that in its place, "spawn PROGRAM" in a child that serves a pipe.
SERVER = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int value(void);
extern int base;
static int to[2], from[2];

static void
again(const char *program, const char *name)
{
	execl(program, name, "again", (char *)0);
	printf("exec failed\n");
	exit(8);
}

static void
child_serves(const char *program)
{
	if (pipe(to) || pipe(from))
		exit(9);
	if (fork() == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		again(program, "child");
	}
	close(to[0]);
	close(from[1]);
}

static void
ask_child(const char *line)
{
	char answer[256] = "", c;
	dprintf(to[1], "%s\n", line);
	for (int n = 0; n < 255 && read(from[0], &c, 1) == 1 && c != '\n'; n++)
		answer[n] = c;
	printf("%s\n", answer);
}

int
main(int argc, char **argv)
{
	char line[256];
	setvbuf(stdin, 0, _IONBF, 0); /* nothing that was read gets lost by exec */
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "exec ", 5)) {
			again(line + 5, argv[0]);
		} else if (!strncmp(line, "spawn ", 6)) {
			child_serves(line + 6);
			printf("spawned\n");
		} else if (!strncmp(line, "child ", 6)) {
			ask_child(line + 6);
		} else if (!strcmp(line, "pid")) {
			printf("%d\n", (int)getpid());
		} else if (!strcmp(line, "write")) {
			base += 1000;
			printf("written\n");
		} else {
			printf("%s %d\n", argc > 1 ? argv[1] : "first", value());
		}
		fflush(stdout);
	}
	return 0;
}
"""

VALUE = r"""
int value(void);
int base = 10;
__attribute__((noinline)) int value(void) { return base + 1; }
"""

FILES = {"main.c": SERVER, "mod.c": VALUE}


def change_of(pid, change):
    return lambda e: e["pid"] == pid and e["change"] == change


def adopted(s, pid):
    return s.wait("process", where=change_of(pid, "adopted"))


@case(FILES)
def the_first_process_executes_itself(s):
    s.expect("?", "first 11")
    s.edit("mod.c", "base + 1;", "base + 2;")
    s.live("value")
    s.expect("?", "first 12")
    s.tell("exec ./app")
    left = s.wait("process", where=change_of(s.pid, "exec"))
    require(os.path.samefile(left["program"], s.program.path), "exec of", left)
    adopted(s, s.pid)
    s.expect("?", "again 12")
    s.edit("mod.c", "base + 2;", "base + 3;")
    require(s.live("value")["processes"] == 1, "counts")
    s.expect("?", "again 13")
    s.undo()
    s.expect("?", "again 12")
    for _ in range(3):
        s.tell("exec ./app")
    s.wait_until(lambda: s.ask("?") == "again 12", "it is not brought to what is live")


@case(FILES)
def a_save_right_after_the_exec_reaches_it(s):
    for n in range(1, 11):
        s.expect("?", f"{'first' if n == 1 else 'again'} {10 + n}")
        s.tell("exec ./app")
        # Its answer says that the new image runs, whether it has been taken in already or not.
        s.ask("?")
        s.edit("mod.c", f"base + {n};", f"base + {n + 1};")
        event = s.live("value")
        require(event["processes"] == 1, "counts:", event)
        s.expect("?", f"again {11 + n}")


@case(FILES)
def a_child_that_executes_the_program_is_adopted_with_data_and_code(s):
    s.replace("mod.c", ("int base = 10;", "int base = 20;"), ("base + 1;", "base + extra();"),
              ("int value(void);", "int value(void);\nstatic int more = 5;\nint *where = &(int){600};\n"
               "static int extra(void) { return more++ + *where; }"))
    s.live()
    s.expect("?", "first 625")
    s.expect("?", "first 626")
    s.expect("write", "written")
    s.expect("spawn ./app", "spawned")
    pid = int(s.ask("child pid"))
    adopted(s, pid)
    # Its own initial values: of the variable that the program had, and of those that the save brought.
    s.expect("child ?", "again 625")
    s.expect("?", "first 1627")
    s.edit("mod.c", "more++", "more++ + 2000")
    event = s.live()
    require(event["processes"] == 2, "counts:", event)
    s.expect("child ?", "again 2626")
    s.expect("?", "first 3628")
    s.undo()
    s.expect("child ?", "again 627")
    s.expect("?", "first 1629")
    s.ctl("purge")
    s.expect("child ?", "again 628")


@case(FILES)
def what_was_adopted_forks_and_executes_like_the_others(s):
    s.edit("mod.c", "base + 1;", "base + 2;")
    s.live("value")
    s.expect("spawn ./app", "spawned")
    adopted(s, int(s.ask("child pid")))
    s.expect("child spawn ./app", "spawned")
    grandchild = int(s.ask("child child pid"))
    adopted(s, grandchild)
    s.expect("child child ?", "again 12")
    s.edit("mod.c", "base + 2;", "base + 3;")
    event = s.live("value")
    require(event["processes"] == 3, "counts:", event)
    for way in ("", "child ", "child child "):
        s.expect(way + "?", f"{'again' if way else 'first'} 13")


@case(FILES)
def another_program_leaves_the_list_with_a_word(s):
    tee = os.path.realpath(shutil.which("tee"))
    s.expect(f"spawn {tee}", "spawned")
    s.expect("child echo", "echo")
    left = s.wait("process", where=lambda e: e["change"] == "exec")
    require(left["program"] == tee and left["ppid"] == s.pid, "runs", left)
    s.edit("mod.c", "base + 1;", "base + 2;")
    require(s.live("value")["processes"] == 1, "counts")
    require(f"process {left['pid']} called exec: it runs {left['program']} now" in s.stderr(), "no word of it")
    s.expect("child echo", "echo")
    s.tell(f"exec {tee}")
    s.wait("process", where=change_of(s.pid, "exec"))
    s.edit("mod.c", "base + 2;", "base + 3;")
    s.held("HD303", "exec")


@case(FILES)
def the_program_under_another_name_is_the_program(s):
    os.link(s.program.path, s.path("hard"))
    os.symlink("app", s.path("soft"))
    shutil.copy2(s.program.path, s.path("copy"))
    s.edit("mod.c", "base + 1;", "base + 2;")
    s.live("value")
    for name in ("hard", "soft", "copy", "app"):
        s.tell(f"exec ./{name}")
        adopted(s, s.pid)
        s.expect("?", "again 12")


@case(FILES)
def a_program_that_was_built_anew_is_another_one(s):
    s.edit("mod.c", "base + 1;", "base + 2;")
    s.live("value")
    os.rename(s.program.path, s.path("old"))
    s.program.build()
    s.tell("exec ./app")
    left = s.wait("process", where=change_of(s.pid, "exec"))
    require(os.path.basename(left["program"]) == "app", "runs", left)
    s.expect("?", "again 12")
    s.edit("mod.c", "base + 2;", "base + 3;")
    held = s.held("HD303", "exec")
    require("restart" in held["remedy"], "remedy:", held)
    s.expect("?", "again 12")


@case(FILES)
def what_lies_elsewhere_is_named_and_left_alone(s):
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", s.path("before.so")],
                   input="int nothing;\n", text=True, check=True)
    s.edit("mod.c", "base + 1;", "base + 2;")
    s.live("value")
    with open(s.path("wrap"), "w", encoding="utf-8") as script:
        script.write("#!/bin/sh\nLD_PRELOAD=./before.so exec ./app again\n")
    os.chmod(s.path("wrap"), 0o755)
    s.expect("spawn ./wrap", "spawned")
    s.warning("is not reloaded")
    s.expect("child ?", "again 11")
    s.edit("mod.c", "base + 2;", "base + 3;")
    require(s.live("value")["processes"] == 1, "counts")
    s.expect("?", "first 13")
    s.expect("child ?", "again 11")


STORM = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERSION 1
static volatile int one = 1, quit, wrong, ended;
/* Each process sees its versions rise, and both halves of each alike. */
__attribute__((noinline)) static int low(void) { return one * VERSION; }
__attribute__((noinline)) static int high(void) { return one * VERSION * 1000; }

static int
look(int rounds)
{
	int last = 0;
	for (int i = 0; i < rounds; i++) {
		int l = low(), h = high();
		if (l < last || h < l * 1000)
			return 1;
		last = l;
		usleep(1000);
	}
	return 0;
}

static void *
storm(void *program)
{
	while (!quit) {
		pid_t pid = fork();
		if (pid == 0) {
			execl(program, program, "look", (char *)0);
			_exit(9);
		}
		int status = 1;
		waitpid(pid, &status, 0);
		wrong += status != 0;
		ended++;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	char line[64];
	pthread_t ids[3];
	if (argc > 1)
		return look(30);
	for (int i = 0; i < 3; i++)
		pthread_create(&ids[i], 0, storm, argv[0]);
	while (fgets(line, sizeof line, stdin)) {
		printf("%d %d\n", low(), wrong);
		fflush(stdout);
	}
	quit = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(ids[i], 0);
	return wrong != 0 || ended < 10;
}
"""


@case({"main.c": STORM})
def processes_that_execute_the_program_come_and_go_during_reloads(s):
    for n in range(2, 32):
        s.edit("main.c", f"VERSION {n - 1}", f"VERSION {n}")
        s.live("low", "high")
        s.expect("?", f"{n} 0")


if __name__ == "__main__":
    sys.exit(main())
