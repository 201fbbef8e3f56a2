/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/build/support.h"

#include "reloader/build/process.h"

#include <dirent.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const compilers[] = {"gcc", "clang"};

static void
compiles_and_tells_dependencies(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "src/a b.c", "#include <stdio.h>\n#include \"x y.h\"\nint f(void) { return X; }\n");
	const char *header = put(f, "inc $lude#/x y.h", "#define X 3\n");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command =
			command_of(f, "src", "src/a b.c", compilers[i], "-O2", "-I../inc $lude#", "a b.c", NULL);
		hd_build_result *result = build(f, command, NULL, NULL);
		assert_built(result);
		assert_memory_equal(g_bytes_get_data(result->object, NULL), "\177ELF", 4);
		assert_int_equal(result->diagnostics->len, 0);
		assert_int_equal(result->dependencies->len, 2);
		assert_true(depends_on(result, source));
		assert_true(depends_on(result, header));
		assert_string_equal(result->compiler, compilers[i]);
		assert_true(result->elapsed_ns > 0);
		hd_build_result_free(result);
		hd_command_free(command);
	}
}

static void
compiles_a_file_with_the_oddest_name(void **state)
{
	fixture *f = *state;
	static const char name[] = "q\"uo'te\n=\\ ; $(touch x) \xc3\xa4\xff.c";
	const char *source = put(f, name, "int f(void) { return 3; }\n");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, ".", name, compilers[i], name, NULL);
		GHashTable *texts = texts_of(source, "int f(void) { return 4; }\n", NULL);
		hd_build_result *result = build(f, command, texts, "version 2");
		assert_built(result);
		assert_true(depends_on(result, source));
		hd_build_result_free(result);
		g_hash_table_unref(texts);
		hd_command_free(command);
	}
}

static void
orders_diagnostics_errors_first(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "a.c", "int g(int *a) { char *p = a; return *p; }\nint f(void) { return y; }\n");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, ".", "a.c", compilers[i], "-Wall", "a.c", NULL);
		hd_build_result *result = build(f, command, NULL, NULL);
		assert_false(result->ok);
		assert_null(result->object);
		const hd_diagnostic *first = diagnostic(result, 0), *second = diagnostic(result, 1);
		assert_int_equal(first->severity, HD_SEVERITY_ERROR);
		assert_string_equal(first->where.file, source);
		assert_int_equal(first->where.line, 2);
		assert_int_equal(first->where.column, 22);
		assert_int_equal(second->severity, HD_SEVERITY_WARNING);
		assert_int_equal(second->where.line, 1);
		assert_true(depends_on(result, source));
		hd_build_result_free(result);
		hd_command_free(command);
	}
}

static void
names_the_source_in_debug_information_only(void **state)
{
	fixture *f = *state;
	const char *text = "#include \"a.cfg.h\"\nconst char *file(void) { return __FILE__; }\n";
	const char *source = put(f, "src/a.c", text);
	put(f, "src/a.cfg.h", "static inline int cfg(void) { return 1; }\nint g(void) { return cfg(); }\n");
	for (guint i = 0; i < 4; i++) {
		const char *spelled = i & 1 ? source : "src/a.c";
		hd_command *command = command_of(f, ".", "src/a.c", compilers[i >> 1], "-g", spelled, NULL);
		hd_build_result *result = build(f, command, NULL, "/v/net.c version 7");
		assert_built(result);
		assert_true(holds(result, "net.c version 7"));
		assert_true(holds(result, spelled)); /* __FILE__ */
		assert_true(holds(result, "a.cfg.h"));
		assert_false(holds(result, "version 7fg.h"));
		hd_build_result_free(result);
		hd_command_free(command);
	}
}

static void
assert_options(fixture *f, hd_command *command, const char *wanted)
{
	char *line = g_strjoinv(" ", (char **)hd_builder_extra_options(f->builder, command));
	assert_string_equal(line, wanted);
	g_free(line);
	hd_command_free(command);
}

static void
adds_what_comparing_and_linking_need(void **state)
{
	fixture *f = *state;
	assert_options(f, command_of(f, ".", "a.c", "gcc", "-O2", "-g3", "a.c", NULL),
		       "-ffunction-sections -fdata-sections -fno-ipa-ra -fno-ipa-vrp -fno-ipa-bit-cp "
		       "-fasynchronous-unwind-tables "
		       "-mno-direct-extern-access");
	assert_options(f, command_of(f, ".", "a.c", "gcc", "-g", "-g0", "-fPIC", "-flto=auto", "a.c", NULL),
		       "-g -ffunction-sections -fdata-sections -fno-ipa-ra -fno-ipa-vrp -fno-ipa-bit-cp "
		       "-fasynchronous-unwind-tables -fno-lto");
	assert_options(f, command_of(f, ".", "a.c", "clang", "-gline-tables-only", "a.c", NULL),
		       "-g -ffunction-sections -fdata-sections -fasynchronous-unwind-tables "
		       "-fno-direct-access-external-data");
	assert_options(f, command_of(f, ".", "a.c", "tcc", "a.c", NULL), "-g");
	hd_command *command = command_of(f, ".", "a.c", "clang", "-O2", "-O0", "a.c", NULL);
	assert_true(hd_builder_is_clang(f->builder, command));
	assert_false(hd_command_optimises(command));
	hd_command_free(command);
	command = command_of(f, ".", "a.c", "gcc", "-Og", "a.c", NULL);
	assert_false(hd_builder_is_clang(f->builder, command));
	assert_true(hd_command_optimises(command));
	hd_command_free(command);
}

static void
keeps_debug_information_and_code_in_the_object(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "extern int there;\nint f(void) { return there; }\n");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command =
			command_of(f, ".", "a.c", compilers[i], "-flto", "-gsplit-dwarf", "-gz", "a.c", NULL);
		hd_build_result *result = build(f, command, NULL, NULL);
		assert_built(result);
		assert_true(holds(result, ".text.f"));
		assert_true(holds(result, ".debug_info"));
		assert_false(holds(result, ".dwo"));
		assert_false(holds(result, ".gnu.lto"));
		hd_build_result_free(result);
		hd_command_free(command);
	}
}

static void
dates_do_not_change_from_build_to_build(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "const char *t = __DATE__ __TIME__;\n");
	hd_command *command = command_of(f, ".", "a.c", "gcc", "a.c", NULL);
	hd_build_result *one = build(f, command, NULL, NULL);
	gint64 second = time(NULL);
	wait_until(time(NULL) > second);
	hd_build_result *other = build(f, command, NULL, NULL);
	assert_built(one);
	assert_true(g_bytes_equal(one->object, other->object));
	hd_build_result_free(one);
	hd_build_result_free(other);
	hd_command_free(command);
}

static void
works_with_a_compiler_it_does_not_know(void **state)
{
	fixture *f = *state;
	const char *source = put(f, "a.c", "#include \"x.h\"\nint f(void) { return X; }\n");
	const char *header = put(f, "x.h", "#define X 3\n");
	hd_command *command = command_of(f, ".", "a.c", "tcc", "a.c", NULL);
	GHashTable *texts = texts_of(header, "#define X nothing\n", NULL);
	hd_build_result *result = build(f, command, NULL, "version 2");
	assert_built(result);
	assert_string_equal(result->compiler, "tcc");
	assert_true(depends_on(result, header));
	hd_build_result_free(result);
	result = build(f, command, texts, NULL);
	assert_false(result->ok);
	assert_string_equal(diagnostic(result, 0)->where.file, source);
	assert_int_equal(diagnostic(result, 0)->where.line, 2);
	hd_build_result_free(result);
	g_hash_table_unref(texts);
	hd_command_free(command);
}

/* A script that stands for a compiler; it asks for nothing when probed. */
static const char *
put_compiler(fixture *f, const char *name, const char *body)
{
	char *text = g_strconcat("#!/bin/sh\ncase \"$*\" in */dev/null*) exit 1;; esac\n", body, NULL);
	const char *path = put(f, name, text);
	assert_int_equal(g_chmod(path, 0700), 0);
	g_free(text);
	return path;
}

/* The one error of a build by such a script. */
static void
assert_one_error(fixture *f, const char *compiler, const char *contains)
{
	hd_command *command = command_of(f, ".", "a.c", compiler, "a.c", NULL);
	hd_build_result *result = build(f, command, NULL, NULL);
	assert_false(result->ok);
	assert_int_equal(result->diagnostics->len, 1);
	assert_int_equal(diagnostic(result, 0)->severity, HD_SEVERITY_ERROR);
	assert_null(diagnostic(result, 0)->where.file);
	if (!strstr(diagnostic(result, 0)->message, contains))
		print_error("%s\n", diagnostic(result, 0)->message);
	assert_non_null(strstr(diagnostic(result, 0)->message, contains));
	assert_true(g_utf8_validate(diagnostic(result, 0)->message, -1, NULL));
	assert_true(g_utf8_validate(result->raw, -1, NULL));
	hd_build_result_free(result);
	hd_command_free(command);
}

static void
says_what_became_of_a_compiler(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "int x;\n");
	assert_one_error(f, "no-such-compiler-anywhere", "not in PATH");
	assert_one_error(f, "/nonexistent/cc", "No such file");
	assert_one_error(f, f->project, "Permission denied");
	assert_one_error(f, put_compiler(f, "silent", "exit 3"), "status 3 and said nothing");
	assert_one_error(f, put_compiler(f, "chatty", "echo one; echo '\377two' >&2; exit 1"), "two");
	assert_one_error(f, put_compiler(f, "crash", "kill -SEGV $$"), "signal 11");
	assert_one_error(f, put_compiler(f, "liar", "exit 0"), "wrote no object");
	assert_one_error(f, put_compiler(f, "garbage", "head -c 100000 /dev/urandom; echo; exit 1"), "status 1");
	assert_one_error(f, put_compiler(f, "linker", "echo 'ld: cannot find -lx'; exit 1"), "ld: cannot find -lx");
	hd_builder_set_time_limit(f->builder, 300);
	assert_one_error(f, put_compiler(f, "hang", "sleep 1000"), "did not end");
	hd_builder_set_time_limit(f->builder, 60000);
	assert_one_error(f, put_compiler(f, "flood", "exec cat /dev/zero"), "without end");
}

static void
says_when_the_folder_or_the_source_is_gone(void **state)
{
	fixture *f = *state;
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		hd_command *command = command_of(f, ".", "gone.c", compilers[i], "gone.c", NULL);
		hd_build_result *result = build(f, command, NULL, NULL);
		assert_false(result->ok);
		assert_int_equal(diagnostic(result, 0)->severity, HD_SEVERITY_ERROR);
		assert_non_null(strstr(diagnostic(result, 0)->message, "gone.c"));
		hd_build_result_free(result);
		hd_command_free(command);
		command = command_of(f, "gone", "a.c", compilers[i], "a.c", NULL);
		result = build(f, command, NULL, NULL);
		assert_false(result->ok);
		assert_non_null(strstr(diagnostic(result, 0)->message, "gone"));
		hd_build_result_free(result);
		hd_command_free(command);
	}
}

static void
injected_faults_are_ordinary_failures(void **state)
{
	/* Each point is one run of this program, as HOTDEV_FAULT is read once. */
	fixture *f = *state;
	put(f, "a.c", "#include \"x.h\"\nint f(void) { return X; }\n");
	const char *header = put(f, "x.h", "#define X 3\n");
	GHashTable *texts = texts_of(header, "#define X 4\n", NULL);
	hd_command *command = command_of(f, ".", "a.c", "gcc", "-g", "a.c", NULL);
	hd_build_result *result = build(f, command, texts, NULL);
	assert_false(result->ok);
	assert_null(result->object);
	assert_int_equal(diagnostic(result, 0)->severity, HD_SEVERITY_ERROR);
	hd_build_result_free(result);
	result = build(f, command, texts, NULL); /* and the next one works */
	assert_built(result);
	hd_build_result_free(result);
	hd_command_free(command);
	g_hash_table_unref(texts);
}

static void
every_step_can_fail(void **state)
{
	(void)state;
	static const char *const points[] = {"build.folder", "build.mirror", "build.object"};
	for (guint i = 0; i < G_N_ELEMENTS(points); i++) {
		char *argv[] = {(char *)"/proc/self/exe", (char *)points[i], NULL};
		char self[4096] = {0};
		assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
		argv[0] = self;
		char **environment = g_environ_setenv(g_get_environ(), "HOTDEV_FAULT", points[i], TRUE);
		hd_process_spec spec = {argv, environment, "/", false};
		int status = -1;
		GString *output = hd_process_run(&spec, 60000, &status, NULL);
		assert_non_null(output);
		if (status != 0)
			print_error("%s: %s\n", points[i], output->str);
		assert_int_equal(status, 0);
		g_string_free(output, TRUE);
		g_strfreev(environment);
	}
}

/* Processes that have this text among their arguments, zombies not counted. */
static guint
count_processes(const char *text)
{
	guint count = 0;
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	while ((entry = readdir(proc))) {
		char *path = g_strdup_printf("/proc/%s/cmdline", entry->d_name);
		char *line = NULL;
		gsize size = 0;
		if (g_ascii_isdigit(entry->d_name[0]) && g_file_get_contents(path, &line, &size, NULL))
			count += memmem(line, size, text, strlen(text)) != NULL;
		g_free(line);
		g_free(path);
	}
	closedir(proc);
	return count;
}

static guint
count_entries(const char *folder)
{
	guint count = 0;
	GDir *directory = g_dir_open(folder, 0, NULL);
	while (directory && g_dir_read_name(directory))
		count++;
	if (directory)
		g_dir_close(directory);
	return count;
}

static void
never_called(hd_build *running, hd_build_result *result, void *data)
{
	(void)running;
	(void)data;
	hd_build_result_free(result);
	fail_msg("a cancelled build called back");
}

static void
cancelling_leaves_no_process(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "");
	char *scratch = g_build_filename(f->folder, "scratch", NULL);
	/* The wrapper's children outlive it, as cc1 outlives a killed driver; this run's are known by their mark. */
	char *mark = g_path_get_basename(f->folder);
	char *body = g_strdup_printf("sh -c 'sleep 1000; : child of %s' & : > started; wait", mark);
	const char *wrapper = put_compiler(f, "slow-compiler", body);
	hd_command *command = command_of(f, ".", "a.c", wrapper, "a.c", NULL);
	hd_build_request request = {.command = command};
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (guint round = 0; round < 2; round++) {
		hd_build *running = hd_build_start(f->builder, &request, never_called, NULL);
		hd_build *second = hd_build_start(f->builder, &request, never_called, NULL);
		hd_build *waiting = hd_build_start(f->builder, &request, never_called, NULL);
		wait_until(g_file_test(path_of(f, "started"), G_FILE_TEST_EXISTS));
		wait_until(count_processes(mark) > 2);
		hd_build_cancel(waiting);
		hd_build_cancel(running);
		hd_build_cancel(second);
		wait_until(count_processes(mark) == 0);
		wait_until(count_entries(scratch) == 0);
		assert_int_equal(unlink(path_of(f, "started")), 0);
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	}
	hd_build_start(f->builder, &request, never_called, NULL);
	hd_builder_free(g_steal_pointer(&f->builder));
	wait_until(count_processes(mark) == 0);
	assert_false(g_file_test(scratch, G_FILE_TEST_EXISTS));
	hd_command_free(command);
	g_free(scratch);
	g_free(body);
	g_free(mark);
}

/* A compiler that says when it runs and ends when it is told. */
static hd_command *
gated(fixture *f, guint number)
{
	put(f, "a.c", "");
	const char *compiler = put_compiler(f, "gated",
					    ": > running.$1; while ! [ -e go.$1 ]; do sleep 0.01; done\n"
					    "rm running.$1; : > ended.$1; exit 1");
	char *word = g_strdup_printf("%u", number);
	hd_command *command = command_of(f, ".", "a.c", compiler, word, "a.c", NULL);
	g_free(word);
	return command;
}

static bool
is_there(fixture *f, const char *what, guint number)
{
	char *name = g_strdup_printf("%s.%u", what, number);
	bool there = g_file_test(path_of(f, name), G_FILE_TEST_EXISTS);
	g_free(name);
	return there;
}

static void
let_go(fixture *f, guint number)
{
	char *name = g_strdup_printf("go.%u", number);
	put(f, name, "");
	g_free(name);
}

static void
keeps_to_its_jobs_and_puts_the_background_last(void **state)
{
	fixture *f = *state; /* two jobs */
	hd_build_result *results[6] = {0};
	hd_command *commands[6];
	for (guint i = 0; i < 6; i++) {
		commands[i] = gated(f, i);
		hd_build_request request = {.command = commands[i], .background = i < 2};
		hd_build_start(f->builder, &request, keep_result, &results[i]);
		if (i == 1)
			wait_until(is_there(f, "running", 0) && is_there(f, "running", 1));
	}
	/* 0 and 1, in the background, stand still for 2 and 3; 4 and 5 wait. */
	wait_until(is_there(f, "running", 2) && is_there(f, "running", 3));
	let_go(f, 0);
	let_go(f, 2);
	wait_until(results[2] && is_there(f, "running", 4));
	assert_false(is_there(f, "ended", 0));
	assert_false(is_there(f, "running", 5));
	let_go(f, 3);
	wait_until(results[3] && is_there(f, "running", 5));
	assert_false(is_there(f, "ended", 0));
	let_go(f, 4);
	wait_until(results[4] && results[0]);
	let_go(f, 5);
	let_go(f, 1);
	wait_until(results[5] && results[1]);
	for (guint i = 0; i < 6; i++) {
		hd_build_result_free(results[i]);
		hd_command_free(commands[i]);
	}
}

typedef struct {
	guint ended, ok;
} tally;

static void
count_result(hd_build *running, hd_build_result *result, void *data)
{
	tally *t = data;
	(void)running;
	t->ended++;
	t->ok += result->ok;
	hd_build_result_free(result);
}

static void
a_thousand_builds_need_few_descriptors(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "#include \"x.h\"\nint f(void) { return X; }\n");
	const char *header = put(f, "x.h", "#define X 3\n");
	const char *compiler = put_compiler(f, "quick",
					    "while [ $# -gt 1 ]; do case $1 in -o) echo x > \"$2\";; esac; "
					    "shift; done");
	hd_command *command = command_of(f, ".", "a.c", compiler, "a.c", NULL);
	GHashTable *texts = texts_of(header, "#define X 4\n", NULL);
	struct rlimit limit, few;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	tally t = {0};
	for (guint i = 0; i < 1000; i++) {
		hd_build_request request = {.command = command, .texts = texts, .background = i % 2 == 0};
		hd_build_start(f->builder, &request, count_result, &t);
	}
	wait_until(t.ended == 1000);
	assert_int_equal(t.ok, 1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	hd_command_free(command);
	g_hash_table_unref(texts);
}

typedef struct {
	fixture *f;
	hd_build *other;
	bool called;
} breaker;

static void
cancel_everything(hd_build *running, hd_build_result *result, void *data)
{
	breaker *b = data;
	hd_build_result_free(result);
	hd_build_cancel(running); /* of no effect: it has ended */
	hd_build_cancel(b->other);
	hd_builder_free(g_steal_pointer(&b->f->builder));
	b->called = true;
}

static void
a_callback_may_cancel_and_free(void **state)
{
	fixture *f = *state;
	put(f, "a.c", "int x;\n");
	hd_command *command = command_of(f, ".", "a.c", "gcc", "a.c", NULL);
	hd_command *missing = command_of(f, ".", "a.c", "no-such-compiler-anywhere", "a.c", NULL);
	hd_command *hanging = command_of(f, ".", "a.c", put_compiler(f, "hang", "sleep 1000"), "a.c", NULL);
	for (guint i = 0; i < 2; i++) {
		breaker b = {f, NULL, false};
		hd_build_request request = {.command = hanging};
		b.other = hd_build_start(f->builder, &request, never_called, NULL);
		request.command = i == 0 ? command : missing;
		hd_build_start(f->builder, &request, cancel_everything, &b);
		request.command = i == 0 ? hanging : missing;
		hd_build_start(f->builder, &request, never_called, NULL);
		wait_until(b.called);
		char *scratch = g_build_filename(f->folder, "scratch", NULL);
		f->builder = hd_builder_new(scratch, f->project, 2, NULL);
		g_free(scratch);
	}
	hd_command_free(hanging);
	hd_command_free(command);
	hd_command_free(missing);
}

int
main(int argc, char **argv)
{
	(void)argv;
	const struct CMUnitTest faults[] = {
		cmocka_unit_test_setup_teardown(injected_faults_are_ordinary_failures, setup, teardown),
	};
	if (argc > 1)
		return cmocka_run_group_tests_name("fault", faults, NULL, NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(compiles_and_tells_dependencies, setup, teardown),
		cmocka_unit_test_setup_teardown(compiles_a_file_with_the_oddest_name, setup, teardown),
		cmocka_unit_test_setup_teardown(orders_diagnostics_errors_first, setup, teardown),
		cmocka_unit_test_setup_teardown(names_the_source_in_debug_information_only, setup, teardown),
		cmocka_unit_test_setup_teardown(adds_what_comparing_and_linking_need, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_debug_information_and_code_in_the_object, setup, teardown),
		cmocka_unit_test_setup_teardown(dates_do_not_change_from_build_to_build, setup, teardown),
		cmocka_unit_test_setup_teardown(works_with_a_compiler_it_does_not_know, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_became_of_a_compiler, setup, teardown),
		cmocka_unit_test_setup_teardown(says_when_the_folder_or_the_source_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(every_step_can_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelling_leaves_no_process, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_to_its_jobs_and_puts_the_background_last, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thousand_builds_need_few_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(a_callback_may_cancel_and_free, setup, teardown),
	};
	return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
