/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The blocks of a stopped program's heap are what the program itself says they
 * are, and what cannot be known is not said. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <stdio.h>
#include <string.h>

#define JEMALLOC "libjemalloc.so.2"

typedef struct {
	guint64 start, size, state;
} entry;
enum { IN_USE = 1, FREED = 2 };

/* table: every block that was ever made, as malloc_usable_size has it. slot[0]: threads that are done. */
static const char makes_blocks[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <malloc.h>\n#include <pthread.h>\n#include <stdint.h>\n#include <string.h>\n#include <unistd.h>\n"
	"#define MANY 40000\n"
	"struct entry { char *p; uint64_t size, state; } table[MANY]; volatile int used; char *near[100];\n"
	"static struct board *b;\n"
	"static struct entry *keep(void *p) { int i = __sync_fetch_and_add(&used, 1);\n"
	"	table[i].p = p; table[i].size = malloc_usable_size(p); table[i].state = 1; return &table[i]; }\n"
	"static void work(unsigned seed, int mapped) {\n"
	"	struct entry *mine[5000]; int n = 0;\n"
	"	for (int i = 0; i < 3000; i++) mine[n++] = keep(malloc(rand_r(&seed) % (i % 50 ? 300 : 9000)));\n"
	"	for (int i = 0; i < 400; i++) mine[n++] = keep(calloc(1, 640));\n"
	"	for (int i = 0; i < 100; i++) mine[n++] = keep(memalign(1 << (4 + i % 12), 100 + i * 30));\n"
	"	for (int i = 0; i < 300; i++) { struct entry *e = mine[rand_r(&seed) % n];\n"
	"		e->p = realloc(e->p, 1 + rand_r(&seed) % 2000); e->size = malloc_usable_size(e->p); }\n"
	"	for (int i = 0; i < 700 && !mapped; i++) mine[n++] = keep(malloc(120000));\n"
	"	for (int i = 0; i < 20 && mapped; i++) {\n"
	"		mine[n++] = keep(malloc(200000 + i * 5000)); mine[n++] = keep(memalign(64 << (i % 11), "
	"300000));\n"
	"		mine[n] = keep(memalign(4096, 250000)); mine[n]->p = realloc(mine[n]->p, 900000);\n"
	"		mine[n]->size = malloc_usable_size(mine[n]->p); n++;\n"
	"		mine[n] = keep(malloc(150000)); mine[n]->p = realloc(mine[n]->p, 3000000);\n"
	"		mine[n]->size = malloc_usable_size(mine[n]->p); n++; }\n"
	"	for (int i = 0; i < 100 && mapped; i++) near[i] = mine[i]->p;\n"
	"	for (int i = 0; i < n; i++) if (rand_r(&seed) % 3 == 0) { free(mine[i]->p); mine[i]->state = 2; }\n"
	"	__sync_fetch_and_add(&b->slot[0], 1);\n"
	"}\n"
	"static void *thread(void *a) { while (!b->slot[1]) usleep(1000); work((unsigned)(uintptr_t)a, 0); while "
	"((uintptr_t)a % 2) pause(); return 0; "
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); (void)argc; pthread_t t[4];\n"
	"	for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, thread, (void *)(uintptr_t)(i + 1));\n"
	"	/* What the C library allocates for a thread is not to lie where a block was freed. */\n"
	"	b->slot[1] = 1; work(7, 1); while (b->slot[0] < 5) usleep(1000);\n"
	"	pthread_join(t[1], 0); pthread_join(t[3], 0);\n"
	"	if (argv[2][0] == 'f' && fork() == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);\n"
	"	b->pid[0] = getpid(); b->ready = 1;\n"
	"	while (!b->finish) pause();\n"
	"	return 0;\n"
	"}\n";

/* Questions are asked in the tracer's thread, where nothing can be asserted. */
static char *complaint;
#define EXPECT(condition, ...)                                                                                         \
	do {                                                                                                           \
		if (!(condition) && !complaint) {                                                                      \
			char *details = g_strdup_printf(" " __VA_ARGS__);                                              \
			complaint = g_strdup_printf("%s%s", #condition, details);                                      \
			g_free(details);                                                                               \
		}                                                                                                      \
	} while (0)

typedef struct {
	scene *scene;
	void (*question)(const hd_stopped *process, scene *scene);
	guint asked;
} inquiry;

static bool
ask_now(const hd_stopped *process, GArray *moved, void *data, char **why)
{
	inquiry *i = data;
	(void)moved, (void)why;
	if (hd_stopped_pid(process) == hd_target_pid(i->scene->target)) { /* anew, if it was tried before */
		g_clear_pointer(&complaint, g_free);
		i->asked = 0;
	}
	i->question(process, i->scene);
	i->asked++;
	return true;
}

/* question, in every process; how many they were. */
static guint
ask(scene *s, void (*question)(const hd_stopped *process, scene *scene))
{
	inquiry i = {s, question, 0};
	hd_reshape reshape = {.convert = ask_now, .data = &i};
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	hd_commit_reshape(commit, &reshape);
	ASSERT_GOOD(commit_now(s, commit, 5000, &result, &error));
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	if (complaint)
		fail_msg("%s", complaint);
	return i.asked;
}

static GArray *
read_table(const hd_stopped *process, scene *s)
{
	guint32 used;
	GArray *table = g_array_new(false, false, sizeof(entry));
	EXPECT(hd_stopped_read(process, scene_address(s, "used"), &used, sizeof used));
	g_array_set_size(table, used);
	EXPECT(hd_stopped_read(process, scene_address(s, "table"), table->data, used * sizeof(entry)));
	return table;
}

static void
count_block(guint64 start, gsize size, void *data)
{
	(void)start, (void)size;
	++*(guint *)data;
}

static GHashTable *
starts_in_use(const GArray *table)
{
	GHashTable *starts = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < table->len; i++)
		if (g_array_index(table, entry, i).state == IN_USE)
			g_hash_table_add(starts, GSIZE_TO_POINTER(g_array_index(table, entry, i).start));
	return starts;
}

static void
expect_all(const hd_stopped *process, scene *s)
{
	GArray *table = read_table(process, s);
	GHashTable *used = starts_in_use(table);
	guint64 start;
	gsize size;
	gint64 begin = hd_now_ns();
	hd_stopped_block(process, begin, &start, &size);
	gint64 took = hd_now_ns() - begin;
	guint in_use = 0, blocks = 0, of_the_library = 0;
	EXPECT(hd_stopped_heap_is_known(process));
	for (guint i = 0; i < table->len; i++) {
		const entry *e = &g_array_index(table, entry, i);
		bool found = hd_stopped_block(process, e->start, &start, &size);
		/* What was freed may be another's by now. */
		if (found && e->state != IN_USE) {
			of_the_library += !g_hash_table_contains(used, GSIZE_TO_POINTER(start));
			continue;
		}
		EXPECT(found == (e->state == IN_USE), "block %u at 0x%lx of %lu bytes: state %lu", i, (long)e->start,
		       (long)e->size, (long)e->state);
		if (!found)
			continue;
		in_use++;
		EXPECT(start == e->start && size == e->size, "block %u at 0x%lx of %lu bytes: 0x%lx, %lu", i,
		       (long)e->start, (long)e->size, (long)start, (long)size);
		EXPECT(hd_stopped_block(process, e->start + e->size - 1, &start, &size));
		EXPECT(start == e->start);
		EXPECT(!hd_stopped_block(process, e->start + e->size, &start, &size) || start != e->start);
	}
	/* A stream's, a thread's. */
	EXPECT(of_the_library < 16, "%u blocks that were freed count as in use", of_the_library);
	hd_stopped_blocks(process, count_block, &blocks);
	EXPECT(blocks >= in_use && blocks < in_use + 200);
	print_message("# %u blocks known in %d us, %u of the program's\n", blocks, (int)(took / 1000), in_use);
	EXPECT(!hd_stopped_block(process, scene_address(s, "table"), &start, &size));
	g_array_free(table, true);
	g_hash_table_unref(used);
}

static void
test_every_block_is_known_as_the_program_knows_it(void **state)
{
	(void)state;
	static const char *const builds[] = {"-O1 -fPIE -pie", "-O2 -fno-pie -no-pie"};
	for (gsize i = 0; i < G_N_ELEMENTS(builds); i++) {
		scene *s = scene_new(makes_blocks, builds[i]);
		scene_start(s, "fork");
		scene_run(s);
		assert_int_equal(ask(s, expect_all), 2);
		scene_free(s);
	}
}

static void
expect_unknown(const hd_stopped *process, scene *s)
{
	guint64 near[100], start, address;
	gsize size, wanted = 100;
	char *why = NULL;
	EXPECT(!hd_stopped_heap_is_known(process));
	EXPECT(hd_stopped_read(process, scene_address(s, "near"), near, sizeof near));
	for (guint i = 0; i < G_N_ELEMENTS(near); i++)
		EXPECT(!hd_stopped_block(process, near[i], &start, &size));
	EXPECT(!hd_stopped_allocate(process, &wanted, 1, &address, &why));
	print_message("# %s\n", why);
	g_free(why);
}

static void
write_word(scene *s, guint64 address, guint64 word)
{
	GBytes *bytes = g_bytes_new(&word, sizeof word);
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	hd_commit_write(commit, address, bytes, NULL, HD_WRITE_ALWAYS);
	ASSERT_GOOD(commit_now(s, commit, 5000, &result, &error));
	hd_commit_result_clear(&result);
	hd_commit_free(commit);
	g_bytes_unref(bytes);
}

static void
test_of_a_damaged_heap_nothing_is_said(void **state)
{
	(void)state;
	static const guint64 damages[] = {0, 0x31, 0x11, 0x7fffffff1, 0x4141414141414141};
	scene *s = scene_new(makes_blocks, "-O1");
	guint64 victim, before;
	scene_start(s, NULL);
	scene_run(s);
	ASSERT_GOOD(hd_target_read(s->target, 0, scene_address(s, "near"), &victim, sizeof victim, &error));
	victim -= sizeof victim;
	ASSERT_GOOD(hd_target_read(s->target, 0, victim, &before, sizeof before, &error));
	for (gsize i = 0; i < G_N_ELEMENTS(damages); i++) {
		write_word(s, victim, damages[i] == before ? before + 16 : damages[i]);
		assert_int_equal(ask(s, expect_unknown), 1);
	}
	write_word(s, victim, before);
	assert_int_equal(ask(s, expect_all), 1);
	scene_free(s);
}

static void
expect_foreign(const hd_stopped *process, scene *s)
{
	guint64 start, addresses[100];
	gsize size, sizes[100];
	char *why = NULL;
	GArray *table = read_table(process, s);
	EXPECT(!hd_stopped_heap_is_known(process));
	for (guint i = 0; i < table->len; i += 100)
		EXPECT(!hd_stopped_block(process, g_array_index(table, entry, i).start, &start, &size));
	for (guint i = 0; i < 100; i++)
		sizes[i] = 10 + i * i;
	EXPECT(hd_stopped_allocate(process, sizes, 100, addresses, &why), "%s", why);
	for (guint i = 0; i < 100; i++)
		EXPECT(addresses[i] != 0 && addresses[i] % 16 == 0);
	g_array_free(table, true);
}

static void
test_with_a_foreign_allocator_nothing_is_said_and_blocks_are_to_be_had(void **state)
{
	(void)state;
	if (system("LD_PRELOAD=" JEMALLOC " /bin/true 2>&1 | grep -q preload") == 0) {
		print_message("# skipped: there is no " JEMALLOC "\n");
		skip();
	}
	scene *s = scene_new(makes_blocks, "-O1");
	g_setenv("LD_PRELOAD", JEMALLOC, true);
	scene_start(s, NULL);
	g_unsetenv("LD_PRELOAD");
	scene_run(s);
	assert_int_equal(ask(s, expect_foreign), 1);
	scene_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_block_is_known_as_the_program_knows_it),
		cmocka_unit_test(test_of_a_damaged_heap_nothing_is_said),
		cmocka_unit_test(test_with_a_foreign_allocator_nothing_is_said_and_blocks_are_to_be_had),
	};
	return cmocka_run_group_tests_name("target: heap", tests, NULL, NULL);
}
