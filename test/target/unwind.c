/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks: through the program's own code at any optimisation, through code in
 * arenas with and without unwind information, from a signal handler; and what
 * cannot be unwound says so. */
#include "config.h"

#include "test/target/support.h"

#include <gelf.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

static const char blocks_deep[] =
	"#include \"program.h\"\n"
	"#include <unistd.h>\n"
	"#include <signal.h>\n"
	"#define KEEP __attribute__((noinline, noclone))\n"
	"static struct board *b;\n"
	"KEEP void bottom(void) { b->slot[0]++; while (b->go == 0) usleep(1000000); b->slot[0]--; __asm__ "
	"volatile(\"\"); }\n"
	"KEEP int value(void (*f)(void)) { f(); __asm__ volatile(\"\"); return 1; }\n"
	"KEEP int middle(int n) { int r = n ? middle(n - 1) + 1 : value(bottom); __asm__ volatile(\"\"); return r; }\n"
	"KEEP void handler(int s) { (void)s; b->slot[1] = 1; bottom(); __asm__ volatile(\"\"); }\n"
	"int main(int argc, char **argv) {\n"
	"	(void)argc; b = open_board(argv[1]);\n"
	"	static char other[65536];\n"
	"	stack_t stack = {.ss_sp = other, .ss_size = sizeof other};\n"
	"	sigaltstack(&stack, NULL);\n"
	"	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK};\n"
	"	sigaction(SIGUSR1, &a, NULL);\n"
	"	b->ready = 1;\n"
	"	while (!b->finish) { b->value = middle(5); b->calls++; }\n"
	"	return 0;\n"
	"}\n";

static const char *const builds[] = {"-O0 -fPIE -pie", "-O2 -fPIE -pie", "-O2 -fomit-frame-pointer -fno-pie -no-pie"};

static GArray *
stack_of(scene *s, bool *complete)
{
	GPtrArray *samples;
	ASSERT_GOOD((samples = hd_target_sample(s->target, NULL, &error)));
	assert_int_equal(samples->len, 1);
	GArray *frames = hd_target_unwind(s->target, g_ptr_array_index(samples, 0), complete);
	g_ptr_array_unref(samples);
	return frames;
}

static int
count_in(scene *s, const GArray *frames, const char *function)
{
	guint64 size = 0, start = s->bias + symbol_in(s->program, function, &size);
	int count = 0;
	for (guint i = 0; i < frames->len; i++) {
		guint64 pc = g_array_index(frames, hd_frame, i).pc;
		count += pc >= start && pc < start + size;
	}
	return count;
}

static int
count_between(const GArray *frames, guint64 low, guint64 high)
{
	int count = 0;
	for (guint i = 0; i < frames->len; i++) {
		guint64 pc = g_array_index(frames, hd_frame, i).pc;
		count += pc >= low && pc < high;
	}
	return count;
}

static void
test_the_programs_own_code(void **state)
{
	(void)state;
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = scene_new(blocks_deep, builds[i]);
		scene_start(s, NULL);
		scene_run(s);
		WAIT_FOR(s->board->slot[0] == 1);
		bool complete;
		GArray *frames = stack_of(s, &complete);
		assert_true(complete);
		assert_int_equal(count_in(s, frames, "bottom"), 1);
		assert_int_equal(count_in(s, frames, "value"), 1);
		assert_int_equal(count_in(s, frames, "middle"), 6);
		assert_int_equal(count_in(s, frames, "main"), 1);
		assert_int_equal(count_in(s, frames, "_start"), 1);
		g_array_unref(frames);
		scene_free(s);
	}
}

static void
test_a_handler_on_its_own_stack(void **state)
{
	(void)state;
	scene *s = scene_new(blocks_deep, "-O2");
	scene_start(s, NULL);
	scene_run(s);
	WAIT_FOR(s->board->slot[0] == 1);
	kill(hd_target_pid(s->target), SIGUSR1);
	WAIT_FOR(s->board->slot[0] == 2);
	bool complete;
	GArray *frames = stack_of(s, &complete);
	assert_true(complete);
	assert_int_equal(count_in(s, frames, "handler"), 1);
	assert_int_equal(count_in(s, frames, "bottom"), 2);
	assert_int_equal(count_in(s, frames, "middle"), 6);
	assert_int_equal(count_in(s, frames, "main"), 1);
	g_array_unref(frames);
	scene_free(s);
}

/* Compiles a function that calls its argument, puts its text into the arena,
 * and gives it that address in the object's section header. */
static GBytes *
place_object(scene *s, const char *compiler, guint64 *start, guint64 *end)
{
	char *source = g_build_filename(s->folder, "more.c", NULL),
	     *object = g_build_filename(s->folder, "more.so", NULL);
	g_file_set_contents(source, "int newer(void (*f)(void)) { volatile int x[4]; x[0] = 2; f(); return x[0]; }\n",
			    -1, NULL);
	char *command = g_strdup_printf("%s -c -o '%s' '%s'", compiler, object, source);
	assert_int_equal(system(command), 0);
	char *bytes;
	gsize size;
	assert_true(g_file_get_contents(object, &bytes, &size, NULL));
	Elf64_Ehdr *header = (void *)bytes;
	for (unsigned i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr section; /* not aligned in what tcc writes */
		char *place = bytes + header->e_shoff + i * sizeof section;
		memcpy(&section, place, sizeof section);
		if (!(section.sh_flags & SHF_EXECINSTR) || section.sh_size == 0)
			continue;
		guint8 *view;
		const GPtrArray *objects = hd_target_objects(s->target, NULL);
		ASSERT_GOOD(hd_target_arena(s->target, g_ptr_array_index(objects, 0), HD_ARENA_CODE,
					    section.sh_size + 16, 16, start, &view, &error));
		memcpy(view + 16, bytes + section.sh_offset, section.sh_size);
		*start += 16;
		*end = *start + section.sh_size;
		section.sh_addr = *start;
		memcpy(place, &section, sizeof section);
		break;
	}
	g_free(command);
	g_free(source);
	g_free(object);
	return g_bytes_new_take(bytes, size);
}

static void
test_code_in_an_arena(void **state)
{
	(void)state;
	static const char *const compilers[] = {"gcc -O2 -fomit-frame-pointer -ffunction-sections", "gcc -O0", "tcc"};
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++) {
		scene *s = scene_new(blocks_deep, "-O2");
		scene_start(s, NULL);
		guint64 start = 0, end = 0;
		GBytes *image = place_object(s, compilers[i], &start, &end);
		hd_commit *commit = hd_commit_new();
		redirect(s, commit, scene_address(s, "value"), start);
		scene_run(s);
		WAIT_FOR(s->board->slot[0] == 1);
		hd_commit_result result;
		ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
		hd_commit_result_clear(&result);
		hd_commit_free(commit);
		s->board->go = 1;
		WAIT_FOR(s->board->value == 7);
		s->board->go = 0;
		WAIT_FOR(s->board->slot[0] == 1);
		bool complete;
		hd_target_add_code(s->target, image);
		GArray *frames = stack_of(s, &complete);
		if (!complete || count_between(frames, start, end) != 1)
			fail_msg("%s: complete %d, %d frames in the arena", compilers[i], complete,
				 count_between(frames, start, end));
		assert_int_equal(count_in(s, frames, "middle"), 6);
		assert_int_equal(count_in(s, frames, "main"), 1);
		g_array_unref(frames);
		hd_target_remove_code(s->target, image);
		g_bytes_unref(image);
		scene_free(s);
	}
}

static char *
ask_gdb(scene *s)
{
	char *out = NULL, *pid = g_strdup_printf("%d", (int)hd_target_pid(s->target));
	char *argv[] = {(char *)"gdb", (char *)"-nx",
			(char *)"-q",  (char *)"-batch",
			(char *)"-p",  pid,
			(char *)"-ex", (char *)"info line newer",
			(char *)"-ex", (char *)"detach",
			NULL};
	assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out,
				 NULL, NULL, NULL));
	g_free(pid);
	return out;
}

static void
test_gdb_is_shown_new_code(void **state)
{
	(void)state;
	char *gdb = g_find_program_in_path("gdb");
	if (!gdb) {
		print_message("# gdb is not installed\n");
		skip();
	}
	g_free(gdb);
	scene *s = scene_new(blocks_deep, "-O2");
	scene_start(s, NULL);
	guint64 start = 0, end = 0, address, handle;
	guint8 *view;
	GBytes *image = place_object(s, "gcc -g -O0", &start, &end);
	gsize size;
	const void *bytes = g_bytes_get_data(image, &size);
	ASSERT_GOOD(hd_target_arena(s->target, NULL, HD_ARENA_DEBUG, size, 16, &address, &view, &error));
	memcpy(view, bytes, size);
	hd_commit *commit = hd_commit_new();
	assert_true(hd_target_jit_add(s->target, commit, address, size, &handle));
	scene_run(s);
	hd_commit_result result;
	ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	char *answer = ask_gdb(s), *where = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", start);
	assert_non_null(strstr(answer, "more.c"));
	assert_non_null(strstr(answer, where));
	g_free(answer);
	commit = hd_commit_new();
	assert_true(hd_target_jit_remove(s->target, commit, handle));
	ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	answer = ask_gdb(s);
	assert_null(strstr(answer, "more.c"));
	g_free(answer);
	g_free(where);
	g_bytes_unref(image);
	scene_free(s);
}

/* Code that nobody described. */
static void
test_unknown_code_is_incomplete(void **state)
{
	(void)state;
	static const char text[] = "#include \"program.h\"\n"
				   "#include <string.h>\n"
				   "#include <unistd.h>\n"
				   "int main(int argc, char **argv) {\n"
				   "	(void)argc; struct board *b = open_board(argv[1]);\n"
				   "	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE "
				   "| MAP_ANONYMOUS, -1, 0);\n"
				   "	memcpy(code, \"\\xeb\\xfe\", 2);\n"
				   "	b->text[0] = (long)code;\n"
				   "	b->ready = 1;\n"
				   "	((void (*)(void))code)();\n"
				   "	return 0;\n"
				   "}\n";
	scene *s = scene_new(text, "-O2");
	scene_start(s, NULL);
	scene_run(s);
	bool complete;
	GArray *frames;
	for (;;) {
		frames = stack_of(s, &complete);
		if (g_array_index(frames, hd_frame, 0).pc == (guint64)s->board->text[0])
			break;
		g_array_unref(frames);
	}
	assert_false(complete);
	g_array_unref(frames);
	scene_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_programs_own_code),	   cmocka_unit_test(test_a_handler_on_its_own_stack),
		cmocka_unit_test(test_code_in_an_arena),	   cmocka_unit_test(test_gdb_is_shown_new_code),
		cmocka_unit_test(test_unknown_code_is_incomplete),
	};
	return cmocka_run_group_tests_name("target: unwind", tests, NULL, NULL);
}
