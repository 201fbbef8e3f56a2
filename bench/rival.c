/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hotdev is measured against, in one process each:
 *
 *   rival tcc FILE OPTION...  compiles FILE by libtcc, to an object, once for each line of input; prints ms
 *   rival load                dlopens the object whose name it reads, calls answer(1) where it has one; prints "done" */
#include "config.h"

#include <dlfcn.h>
#include <libtcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static double
now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int
compile(const char *file, char **options)
{
	char name[64];
	int fd = memfd_create("object", 0);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	TCCState *tcc = tcc_new();
	for (; *options; options++)
		tcc_set_options(tcc, *options);
	tcc_set_output_type(tcc, TCC_OUTPUT_OBJ);
	int failed = tcc_add_file(tcc, file) || tcc_output_file(tcc, name);
	tcc_delete(tcc);
	return failed;
}

static int
rival_tcc(const char *file, char **options)
{
	char line[4096];
	while (fgets(line, sizeof line, stdin)) {
		double began = now_ms();
		if (compile(file, options) != 0)
			return 1;
		printf("%f\n", now_ms() - began);
		fflush(stdout);
	}
	return 0;
}

static int
rival_load(void)
{
	char line[4096];
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		void *object = dlopen(line, RTLD_LAZY | RTLD_GLOBAL);
		if (!object) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		int (*answer)(int);
		*(void **)&answer = dlsym(object, "answer");
		if (answer)
			answer(1);
		puts("done");
		fflush(stdout);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "tcc") == 0)
		return rival_tcc(argv[2], argv + 3);
	if (argc == 2 && strcmp(argv[1], "load") == 0)
		return rival_load();
	return 2;
}
