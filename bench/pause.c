/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a commit of ten redirects stops the program: threads that block, threads that
 * compute, and many processes. Prints medians and worst of a number of commits, in microseconds. */
#include "config.h"

#include "reloader/target/target.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SITES 10

__attribute__((noinline, aligned(4096))) static int
site(int x)
{
	__asm__ volatile(".rept 4096; nop; .endr" : "+r"(x));
	return x;
}

/* ---- the program: bench/pause run PROCESSES THREADS BUSY ---- */

static void G_GNUC_NORETURN
spend(bool busy)
{
	while (busy)
		__asm__ volatile("pause");
	for (;;)
		pause();
}

static void *
work(void *busy)
{
	spend(busy != NULL);
}

static void G_GNUC_NORETURN
program(char **argv)
{
	int processes = atoi(argv[2]), threads = atoi(argv[3]);
	void *busy = (void *)(intptr_t)atoi(argv[4]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int p = 1; p < processes; p++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			break;
		}
	for (int t = 1; t < threads; t++) {
		pthread_t thread;
		pthread_create(&thread, NULL, work, busy);
	}
	site(0);
	spend(busy != NULL);
}

/* ---- the measurement ---- */

static int
compare(const void *a, const void *b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return (x > y) - (x < y);
}

static guint
count_threads(hd_target *target, guint *processes)
{
	guint threads = 0;
	GPtrArray *list = hd_target_processes(target);
	*processes = list->len;
	for (guint i = 0; i < list->len; i++)
		threads += ((hd_target_process *)g_ptr_array_index(list, i))->threads->len;
	g_ptr_array_unref(list);
	return threads;
}

static hd_commit *
make_commit(hd_target *target, guint64 function, int round)
{
	hd_commit *commit = hd_commit_new();
	(void)target;
	for (int i = 0; i < SITES; i++) {
		/* nopl with a changing displacement: five bytes, harmless */
		guint8 code[5] = {0x0f, 0x1f, 0x44, 0x00, (guint8)round};
		guint64 address = function + 64 + (guint64)i * 400;
		GBytes *bytes = g_bytes_new(code, sizeof code);
		hd_commit_write(commit, address, bytes, NULL, HD_WRITE_ALWAYS);
		hd_commit_exclude(commit, address, address + 5, false);
		g_bytes_unref(bytes);
	}
	return commit;
}

static bool
measure(const char *self, guint64 main_offset, guint64 site_offset, guint processes, guint threads, bool busy,
	guint rounds)
{
	char count[3][16];
	g_snprintf(count[0], 16, "%u", processes);
	g_snprintf(count[1], 16, "%u", threads);
	g_snprintf(count[2], 16, "%d", busy);
	char *const argv[] = {(char *)self, (char *)"run", count[0], count[1], count[2], NULL};
	hd_target_options options = {.program = self, .argv = argv, .terminal = -1};
	GError *error = NULL;
	hd_target *target = hd_target_start(&options, main_offset, &error);
	if (!target || !hd_target_run(target, &error)) {
		fprintf(stderr, "pause: %s\n", error->message);
		return false;
	}
	const hd_target_object *object = g_ptr_array_index(hd_target_objects(target, NULL), 0);
	guint64 function = object->bias + site_offset;
	guint found = 0;
	for (int i = 0; i < 5000 && count_threads(target, &found) < processes * threads; i++)
		g_usleep(2000);
	gint64 *pauses = g_new0(gint64, rounds), *totals = g_new0(gint64, rounds);
	guint done = 0;
	for (guint i = 0; i < rounds; i++) {
		hd_commit *commit = make_commit(target, function, (int)i);
		hd_commit_result result;
		gint64 begin = hd_now_ns();
		if (hd_target_commit(target, commit, 1000, &result, &error)) {
			totals[done] = hd_now_ns() - begin;
			pauses[done++] = result.pause_ns;
			hd_commit_result_clear(&result);
		} else {
			fprintf(stderr, "pause: %s\n", error->message);
			g_clear_error(&error);
		}
		hd_commit_free(commit);
		g_usleep(1000);
	}
	qsort(pauses, done, sizeof *pauses, compare);
	qsort(totals, done, sizeof *totals, compare);
	if (done)
		printf("%9u %7u  %-8s %8.0f %8.0f %8.0f %10.0f\n", processes, threads, busy ? "busy" : "blocked",
		       (double)pauses[0] / 1000, (double)pauses[done / 2] / 1000, (double)pauses[done - 1] / 1000,
		       (double)totals[done / 2] / 1000);
	fflush(stdout);
	hd_target_end(target, 0);
	hd_target_free(target);
	g_free(pauses);
	g_free(totals);
	return true;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "run") == 0)
		program(argv);
	char *self = g_file_read_link("/proc/self/exe", NULL);
	/* Where we are mapped ourselves tells where things are in the file. */
	extern const char __executable_start[];
	guint64 base = (guint64)(uintptr_t)__executable_start;
	guint64 main_offset = (guint64)(uintptr_t)main - base, site_offset = (guint64)(uintptr_t)site - base;
	static const struct {
		guint processes, threads;
		bool busy;
		guint rounds;
	} shapes[] = {{1, 1, false, 100},  {1, 1, true, 100}, {1, 2, false, 100},  {1, 2, true, 100},
		      {1, 16, false, 100}, {1, 16, true, 50}, {1, 200, false, 20}, {1, 200, true, 20},
		      {50, 1, false, 20},  {50, 1, true, 20}, {1000, 1, false, 10}};
	printf("processes threads  state    pause: least, median, worst   commit (us)\n");
	bool good = true;
	for (gsize i = 0; i < G_N_ELEMENTS(shapes) && good; i++)
		if (argc != 4 || (shapes[i].processes == (guint)atoi(argv[1]) &&
				  shapes[i].threads == (guint)atoi(argv[2]) && shapes[i].busy == atoi(argv[3])))
			good = measure(self, main_offset, site_offset, shapes[i].processes, shapes[i].threads,
				       shapes[i].busy, shapes[i].rounds);
	g_free(self);
	return good ? 0 : 1;
}
