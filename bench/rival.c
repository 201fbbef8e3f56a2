/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hotdev is measured against, in one process each:
 *
 *   rival tcc OPTION...  for each line of input, names of files: compiles them by libtcc to objects; answers ms
 *   rival load           for each line, a shared object: dlopens it and calls its answer(1), if any; answers "done" */
#include "config.h"

#include <dlfcn.h>
#include <libtcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LINE_LIMIT = 1 << 16 };

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
	close(fd);
	return failed;
}

static int
rival_tcc(char *line, char **options)
{
	double began = now_ms();
	for (char *file = strtok(line, " \n"); file; file = strtok(NULL, " \n"))
		if (compile(file, options) != 0)
			return 1;
	printf("%f\n", now_ms() - began);
	return 0;
}

static int
rival_load(char *line, char **options)
{
	(void)options;
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
	return 0;
}

int
main(int argc, char **argv)
{
	static char line[LINE_LIMIT];
	int (*serve)(char *line, char **options) = NULL;
	if (argc > 1 && strcmp(argv[1], "tcc") == 0)
		serve = rival_tcc;
	else if (argc == 2 && strcmp(argv[1], "load") == 0)
		serve = rival_load;
	if (!serve)
		return 2;
	while (fgets(line, sizeof line, stdin)) {
		if (serve(line, argv + 2) != 0)
			return 1;
		fflush(stdout);
	}
	return 0;
}
