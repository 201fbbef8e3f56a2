/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever leads into code is found: a frame on a stack, a frame of a coroutine
 * that is suspended, a jump buffer, a label that was stored; and nothing else is. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <string.h>

static const char leads_in[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <pthread.h>\n#include <setjmp.h>\n#include <string.h>\n#include <ucontext.h>\n#include <unistd.h>\n"
	"#define KEEP __attribute__((noinline, noclone, used))\n"
	"static struct board *b;\n"
	"static jmp_buf *buffer; static ucontext_t *here, *there; static char *stack; static void **label;\n"
	"KEEP void never(void) { __asm__ volatile(\"\"); }\n"
	"KEEP void waits(void) { b->slot[0] = 1; while (!b->go) usleep(1000); __asm__ volatile(\"\"); }\n"
	"KEEP int jumps(void) { int r = setjmp(*buffer); __asm__ volatile(\"\"); return r; }\n"
	"KEEP void yields(void) { swapcontext(there, here); __asm__ volatile(\"\"); }\n"
	"KEEP int stores(int n) { if (n == 0) *label = &&out; else if (n == 2) goto **label; return 1; out: return 2; }\n"
	"KEEP void wipe(void) { char room[32768]; memset(room, 0, sizeof room); __asm__ volatile(\"\" : : \"r\"(room) : "
	"\"memory\"); }\n"
	"static void *thread(void *a) { (void)a; waits(); wipe(); b->slot[0] = 2; for (;;) pause(); }\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); (void)argc;\n"
	"	buffer = calloc(1, sizeof *buffer); here = calloc(1, sizeof *here); there = calloc(1, sizeof *there);\n"
	"	stack = calloc(1, 65536); label = calloc(1, sizeof *label);\n"
	"	pthread_t t; pthread_create(&t, 0, thread, 0);\n"
	"	jumps(); stores(0);\n"
	"	getcontext(there); there->uc_stack.ss_sp = stack; there->uc_stack.ss_size = 65536;\n"
	"	makecontext(there, yields, 0); swapcontext(here, there);\n"
	"	wipe(); b->ready = 1;\n"
	"	while (!b->finish) {\n"
	"		if (b->slot[1] == 1) { memset(buffer, 0, sizeof *buffer); memset(stack, 0, 65536); *label = 0;\n"
	"			memset(there, 0, sizeof *there); memset(here, 0, sizeof *here); wipe(); b->slot[1] = 2; }\n"
	"		usleep(1000);\n"
	"	}\n"
	"	return 0;\n"
	"}\n";

static const char *const functions[] = {"never", "waits", "jumps", "yields", "stores"};

static GArray *
look(scene *s)
{
	GArray *leads = g_array_new(false, false, sizeof(hd_lead));
	for (gsize i = 0; i < G_N_ELEMENTS(functions); i++) {
		guint64 size, start = s->bias + symbol_in(s->program, functions[i], &size);
		hd_lead lead = {.start = start, .end = start + size};
		g_array_append_val(leads, lead);
	}
	gint64 pause_ns;
	ASSERT_GOOD(hd_target_look_for_leads(s->target, leads, &pause_ns, &error));
	print_message("# pause %d us\n", (int)(pause_ns / 1000));
	return leads;
}

static void
expect(scene *s, const char *found)
{
	GArray *leads = look(s);
	GString *names = g_string_new(NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(functions); i++)
		if (g_array_index(leads, hd_lead, i).found)
			g_string_append_printf(names, "%s%s", names->len ? " " : "", functions[i]);
	assert_string_equal(names->str, found);
	g_string_free(names, true);
	g_array_free(leads, true);
}

static void
test_everything_that_leads_there_is_found(void **state)
{
	(void)state;
	static const char *const builds[] = {"-O1 -fPIE -pie", "-O2 -fno-pie -no-pie"};
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = scene_new(leads_in, builds[i]);
		scene_start(s, NULL);
		scene_run(s);
		WAIT_FOR(s->board->slot[0] == 1);
		expect(s, "waits jumps yields stores");
		s->board->slot[1] = 1;
		WAIT_FOR(s->board->slot[1] == 2);
		expect(s, "waits");
		s->board->go = 1;
		WAIT_FOR(s->board->slot[0] == 2);
		expect(s, "");
		scene_free(s);
	}
}

static void
test_too_much_memory_is_refused(void **state)
{
	(void)state;
	static const char much[] = "#include \"program.h\"\n"
				   "#include <string.h>\n#include <unistd.h>\n"
				   "int main(int argc, char **argv) {\n"
				   "	struct board *b = open_board(argv[1]); (void)argc;\n"
				   "	char *m = malloc(100 << 20); memset(m, 1, 100 << 20); b->ready = 1;\n"
				   "	while (!b->finish) usleep(1000);\n"
				   "	return m[5] - 1;\n"
				   "}\n";
	scene *s = scene_new(much, "-O0");
	scene_start(s, NULL);
	scene_run(s);
	GArray *leads = g_array_new(false, false, sizeof(hd_lead));
	hd_lead lead = {.start = scene_address(s, "main"), .end = scene_address(s, "main") + 1};
	g_array_append_val(leads, lead);
	GError *error = NULL;
	gint64 pause_ns;
	assert_false(hd_target_look_for_leads(s->target, leads, &pause_ns, &error));
	assert_int_equal(error->code, HD_ERROR_BUSY);
	print_message("# %s; pause %d us\n", error->message, (int)(pause_ns / 1000));
	g_clear_error(&error);
	g_array_free(leads, true);
	scene_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_that_leads_there_is_found),
		cmocka_unit_test(test_too_much_memory_is_refused),
	};
	return cmocka_run_group_tests_name("target: leads", tests, NULL, NULL);
}
