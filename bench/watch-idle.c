/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the watcher costs: start, idling with 10,000 files, and the time from a
 * finished write to the batch that tells of it. Prints; judges nothing.
 *
 * usage: watch-idle [FILES [SECONDS]] */
#include "config.h"

#include "base/place.h"
#include "watcher/watcher.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAVES 200

static double
cpu_ms(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static void
save(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		exit(1);
	close(fd);
}

static GPtrArray *
make_tree(const char *top, int count)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	for (int i = 0; i < count; i++) {
		char *folder = g_strdup_printf("%s/d%d", top, i / 50);
		if (i % 50 == 0)
			g_mkdir(folder, 0755);
		char *path = g_strdup_printf("%s/f%d.c", folder, i);
		char *text = g_strdup_printf("int f%d(void) { return %d; }\n%0*d\n", i, i, 5000, 0);
		save(path, text);
		g_ptr_array_add(files, path);
		g_free(text);
		g_free(folder);
	}
	return files;
}

static void
wait_for_batch(hd_watcher *watcher, gint64 *written_ns)
{
	for (;;) {
		hd_watch_message *message = hd_watcher_take(watcher);
		bool batch = message && message->kind == HD_WATCH_BATCH;
		if (batch)
			*written_ns = message->written_ns;
		bool none = !message;
		hd_watch_message_free(message);
		if (batch)
			return;
		struct pollfd ready = {hd_watcher_fd(watcher), POLLIN, 0};
		if (none)
			poll(&ready, 1, -1);
	}
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void
measure_saves(hd_watcher *watcher, const char *path, int settle_ms)
{
	double total[SAVES], report[SAVES];
	for (int i = 0; i < SAVES; i++) {
		char text[64];
		gint64 written_ns;
		snprintf(text, sizeof text, "int save%d_%d;\n", settle_ms, i);
		save(path, text);
		gint64 closed = hd_now_ns();
		wait_for_batch(watcher, &written_ns);
		total[i] = (double)(hd_now_ns() - closed) / 1e6;
		report[i] = (double)(written_ns - closed) / 1e6;
	}
	qsort(total, SAVES, sizeof *total, compare_doubles);
	qsort(report, SAVES, sizeof *report, compare_doubles);
	printf("close to batch, settle %d ms: median %.3f ms, 99 %% %.3f ms; close to event read: median %.3f ms\n",
	       settle_ms, total[SAVES / 2], total[SAVES * 99 / 100], report[SAVES / 2]);
}

int
main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 10000, seconds = argc > 2 ? atoi(argv[2]) : 60;
	char *made = g_dir_make_tmp("hotdev-bench-XXXXXX", NULL);
	if (!made)
		return 1;
	GPtrArray *files = make_tree(made, count);
	for (int settle_ms = 3; settle_ms >= 0; settle_ms -= 3) {
		GError *error = NULL;
		hd_watcher_options options = {
			.project = made, .files = files, .settle_ms = settle_ms, .settle_limit_ms = 100};
		gint64 start = hd_now_ns();
		hd_watcher *watcher = hd_watcher_new(&options, &error);
		if (!watcher) {
			fprintf(stderr, "%s\n", error->message);
			return 1;
		}
		printf("start with %d files: %.1f ms\n", count, (double)(hd_now_ns() - start) / 1e6);
		measure_saves(watcher, g_ptr_array_index(files, 0), settle_ms);
		if (settle_ms > 0) {
			double before = cpu_ms();
			g_usleep((gulong)seconds * G_USEC_PER_SEC);
			double used = cpu_ms() - before;
			printf("idle for %d s: %.2f ms of processor time, %.4f %% of a core\n", seconds, used,
			       used / seconds / 10);
		}
		hd_watcher_free(watcher);
	}
	char *command = g_strdup_printf("rm -rf '%s'", made);
	int status = system(command);
	g_free(command);
	g_ptr_array_unref(files);
	g_free(made);
	return status != 0;
}
