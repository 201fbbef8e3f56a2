/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks from a stopped program's own malloc: all or none, and the thread that
 * made them never knows. */
#include "config.h"

#include "base/error.h"

#include "test/target/support.h"

#include <stdio.h>
#include <string.h>

#define MANY 10000

/* What happens in the tracer's thread, where nothing can be asserted. */
typedef struct {
	guint count, calls;
	bool refuse;
	guint in_use; /* blocks, before anything is allocated */
	gint64 took, read;
	char *why;
	GArray *made; /* of guint64 */
} order;

static void
count_block(guint64 start, gsize size, void *data)
{
	(void)start, (void)size;
	++*(guint *)data;
}

static bool
fill_order(const hd_stopped *process, GArray *moved, void *data, char **why)
{
	order *o = data;
	gsize *sizes = g_new(gsize, o->count);
	guint64 *addresses = g_new0(guint64, o->count), start;
	gsize size;
	(void)moved;
	for (guint i = 0; i < o->count; i++)
		sizes[i] = i % 1000 ? 16 + i % 200 : 200000;
	o->calls++;
	o->in_use = 0;
	gint64 begin = hd_now_ns();
	hd_stopped_blocks(process, count_block, &o->in_use);
	o->read = hd_now_ns() - begin;
	begin = hd_now_ns();
	g_clear_pointer(&o->why, g_free);
	bool good = hd_stopped_allocate(process, sizes, o->count, addresses, &o->why);
	o->took = hd_now_ns() - begin;
	for (guint i = 0; good && i < o->count; i++)
		if (!hd_stopped_block(process, addresses[i], &start, &size) || start != addresses[i] ||
		    size < sizes[i]) {
			o->why = g_strdup_printf("block %u is not what it should be", i);
			good = false;
		}
	g_array_set_size(o->made, 0);
	if (good)
		g_array_append_vals(o->made, addresses, o->count);
	g_free(sizes);
	g_free(addresses);
	if (!good || o->refuse)
		*why = g_strdup(o->why ? o->why : "not this time");
	return good && !o->refuse;
}

static bool
make(scene *s, order *o, guint count, int deadline_ms, GError **error)
{
	hd_reshape reshape = {.convert = fill_order, .data = o};
	hd_commit *commit = hd_commit_new();
	hd_commit_result result;
	o->count = count;
	if (!o->made)
		o->made = g_array_new(false, false, sizeof(guint64));
	hd_commit_reshape(commit, &reshape);
	bool good = commit_now(s, commit, deadline_ms, &result, error);
	if (good)
		hd_commit_result_clear(&result);
	hd_commit_free(commit);
	return good;
}

static void
order_clear(order *o)
{
	g_free(o->why);
	if (o->made)
		g_array_free(o->made, true);
}

/* ---- all or none ---- */

static const char rests_in_two_processes[] = "#include \"program.h\"\n"
					     "#include <malloc.h>\n#include <unistd.h>\n"
					     "int main(int argc, char **argv) {\n"
					     "	struct board *b = open_board(argv[1]); (void)argc; free(malloc(10));\n"
					     "	if (fork() == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); b->slot[0] = 1; "
					     "while (!b->finish) pause(); return 0; }\n"
					     "	b->ready = 1;\n"
					     "	while (!b->finish) pause();\n"
					     "	return 0;\n"
					     "}\n";

static void
test_what_a_failing_commit_allocated_is_free_again(void **state)
{
	(void)state;
	scene *s = scene_new(rests_in_two_processes, "-O1");
	order o = {0};
	GError *why = NULL;
	scene_start(s, NULL);
	scene_run(s);
	WAIT_FOR(s->board->slot[0]);
	/* The first time, main made the fault of a last step's failure (HOTDEV_FAULT). */
	assert_false(make(s, &o, 1000, 10000, &why));
	assert_int_equal(why->code, HD_ERROR_IO);
	assert_string_equal(why->message, "the last step was made to fail");
	g_clear_error(&why);
	guint before = o.in_use;
	o.refuse = true;
	assert_false(make(s, &o, 1000, 10000, &why));
	assert_string_equal(why->message, "not this time");
	assert_int_equal(o.in_use, before);
	g_clear_error(&why);
	o.refuse = false;
	ASSERT_GOOD(make(s, &o, MANY, 10000, &error));
	assert_int_equal(o.in_use, before);
	print_message("# %d blocks in %d us\n", MANY, (int)(o.took / 1000));
	ASSERT_GOOD(make(s, &o, 1, 10000, &error));
	assert_int_equal(o.in_use, before + MANY);
	print_message("# %u blocks known in %d us\n", o.in_use, (int)(o.read / 1000));
	order_clear(&o);
	scene_free(s);
}

/* ---- threads in blocking calls ---- */

/* Its only thread makes one call, which does not end by itself. slot[0]: 1 before, 1000 + errno or 2000 after. */
static const char blocks_in_a_call[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <errno.h>\n#include <linux/futex.h>\n#include <poll.h>\n#include <string.h>\n"
	"#include <sys/epoll.h>\n#include <sys/select.h>\n#include <sys/socket.h>\n#include <sys/syscall.h>\n"
	"#include <time.h>\n#include <unistd.h>\n"
	"static struct board *b; static int pipes[2], pair[2], word;\n"
	"static long block(int n) {\n"
	"	char c[16]; struct epoll_event ev; struct timespec far = {100000, 0}, when; struct timeval tv = "
	"{100000, 0};\n"
	"	struct pollfd p = {pipes[0], POLLIN, 0}; sigset_t usr; siginfo_t si; sigemptyset(&usr); "
	"sigaddset(&usr, "
	"SIGUSR2);\n"
	"	switch (n) {\n"
	"	case 0: return poll(&p, 1, 100000000);\n"
	"	case 1: return nanosleep(&far, 0);\n"
	"	case 2: return read(pipes[0], c, 1);\n"
	"	case 3: return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &far, 0, 0);\n"
	"	case 4: return epoll_wait(epoll_create1(0), &ev, 1, -1);\n"
	"	case 5: clock_gettime(CLOCK_MONOTONIC, &when); when.tv_sec += 100000;\n"
	"		return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, 0);\n"
	"	case 6: setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv); return recv(pair[0], c, 1, 0);\n"
	"	case 7: return sigtimedwait(&usr, &si, &far);\n"
	"	case 8: return select(pipes[0] + 1, &(fd_set){0}, 0, 0, &tv);\n"
	"	case 9: return pause();\n"
	"	case 10: { double x = 1.5; long i = 0; while (!b->finish) { x = x * 1.0000001; i++; if (x > 1e300) x = "
	"1.5;\n"
	"		if (!(x >= 1.5)) return -1; } return i; }\n"
	"	}\n"
	"	return 0;\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); (void)argc; pipe(pipes); socketpair(AF_UNIX, SOCK_STREAM, 0, pair);\n"
	"	b->slot[0] = 1; b->ready = 1; errno = 77;\n"
	"	long r = block(atoi(argv[2]));\n"
	"	b->slot[0] = r == -1 ? 1000 + errno : 2000;\n"
	"	while (!b->finish) usleep(1000);\n"
	"	return 0;\n"
	"}\n";
#define CALLS 11
#define COMPUTES 10

static char
state_of(pid_t pid)
{
	char name[64], *text = NULL;
	g_snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	char state = g_file_get_contents(name, &text, NULL, NULL) ? strrchr(text, ')')[2] : '?';
	g_free(text);
	return state;
}

static void
test_a_thread_in_a_blocking_call_lends_itself_and_sleeps_on(void **state)
{
	(void)state;
	scene *s = scene_new(blocks_in_a_call, "-O1");
	for (int n = 0; n < CALLS; n++) {
		char number[8];
		order o = {0};
		g_snprintf(number, sizeof number, "%d", n);
		s->board->ready = s->board->finish = 0;
		scene_start(s, number);
		scene_run(s);
		for (int round = 0; round < 20; round++) {
			if (n != COMPUTES)
				WAIT_FOR(state_of(hd_target_pid(s->target)) == 'S');
			ASSERT_GOOD(make(s, &o, 50, 10000, &error));
		}
		if (n != COMPUTES)
			WAIT_FOR(state_of(hd_target_pid(s->target)) == 'S');
		if (s->board->slot[0] != 1)
			fail_msg("call %d came back with %d", n, s->board->slot[0]);
		s->board->finish = 1;
		hd_target_end(s->target, 0);
		hd_target_free(s->target);
		s->target = NULL;
		order_clear(&o);
	}
	scene_free(s);
}

/* ---- threads in malloc ---- */

/* Every block is filled with its number: all of it by a program that "works", else its ends, and then the threads are
 * hardly ever outside malloc and free. */
static const char allocates_without_end[] =
	"#include \"program.h\"\n"
	"#include <pthread.h>\n#include <stdint.h>\n#include <string.h>\n#include <unistd.h>\n"
	"static struct board *b; static int works;\n"
	"static void fill(unsigned char *p, size_t n, unsigned char c) {\n"
	"	for (size_t k = 0; k < n; k += works || n == 1 ? 1 : n - 1) p[k] = c; }\n"
	"static int is_filled(unsigned char *p, size_t n, unsigned char c) {\n"
	"	for (size_t k = 0; k < n; k += works || n == 1 ? 1 : n - 1) if (p[k] != c) return 0;\n"
	"	return 1; }\n"
	"static void *thread(void *a) {\n"
	"	unsigned seed = (unsigned)(uintptr_t)a; unsigned char *p[200] = {0}; size_t n[200] = {0};\n"
	"	while (!b->finish) {\n"
	"		for (unsigned i = 0; i < 200; i++, seed = seed * 1103515245 + 12345) {\n"
	"			unsigned r = seed >> 16;\n"
	"			if (!is_filled(p[i], n[i], i)) b->wrong = 1;\n"
	"			if (r % 5 == 0) p[i] = realloc(p[i], n[i] = 1);\n"
	"			else { free(p[i]); n[i] = r % 100 ? r % 2000 + 1 : r % 30000 * 8 + 1; p[i] = "
	"malloc(n[i]); }\n"
	"			fill(p[i], n[i], i);\n"
	"		}\n"
	"		b->slot[(uintptr_t)a]++;\n"
	"	}\n"
	"	return 0;\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); (void)argc; pthread_t t[8]; works = argv[2][0] == 'w';\n"
	"	for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, thread, (void *)(uintptr_t)i);\n"
	"	b->ready = 1;\n"
	"	for (int i = 0; i < 8; i++) pthread_join(t[i], 0);\n"
	"	b->slot[100] = 1;\n"
	"	return 0;\n"
	"}\n";

/* How often blocks were made. */
static int
disturb(const char *how, int rounds, int deadline_ms)
{
	scene *s = scene_new(allocates_without_end, "-O2");
	order o = {0};
	int made = 0, busy = 0;
	scene_start(s, how);
	scene_run(s);
	for (int round = 0; round < rounds; round++) {
		GError *error = NULL;
		if (make(s, &o, 20, deadline_ms, &error))
			made++;
		else if (error->code == HD_ERROR_BUSY)
			busy++;
		else
			fail_msg("%s", error->message);
		g_clear_error(&error);
	}
	print_message("# %s: %d times made, %d times busy, in %u attempts\n", how, made, busy, o.calls);
	for (int i = 0; i < 8; i++) {
		int before = s->board->slot[i];
		WAIT_FOR(s->board->slot[i] != before);
	}
	s->board->finish = 1;
	WAIT_FOR(s->board->slot[100]);
	assert_int_equal(s->board->wrong, 0);
	order_clear(&o);
	scene_free(s);
	return made;
}

static void
test_threads_that_allocate_without_end_go_on(void **state)
{
	(void)state;
	assert_true(disturb("works", 200, 2000) > 0);
	/* There may be no instant at which none of them is inside malloc. */
	disturb("nothing else", 50, 50);
}

int
main(void)
{
	g_setenv("HOTDEV_FAULT", "target.last", true);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_failing_commit_allocated_is_free_again),
		cmocka_unit_test(test_a_thread_in_a_blocking_call_lends_itself_and_sleeps_on),
		cmocka_unit_test(test_threads_that_allocate_without_end_go_on),
	};
	return cmocka_run_group_tests_name("target: allocate", tests, NULL, NULL);
}
