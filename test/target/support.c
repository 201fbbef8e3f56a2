/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/target/support.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
build(const scene *s, const char *text, const char *flags)
{
	char *source = g_build_filename(s->folder, "program.c", NULL);
	assert_true(g_file_set_contents(source, text, -1, NULL));
	const char *compiler = g_getenv("CC") ? g_getenv("CC") : "gcc";
	char *command = g_strdup_printf("%s -std=gnu11 -g -I'%s/test/target' %s -o '%s' '%s' -lpthread", compiler,
					g_getenv("HOTDEV_SOURCE"), flags, s->program, source);
	int status = system(command);
	if (status != 0)
		fail_msg("%s", command);
	g_free(command);
	g_free(source);
}

scene *
scene_new(const char *text, const char *flags)
{
	scene *s = g_new0(scene, 1);
	s->folder = g_dir_make_tmp("hotdev-target-XXXXXX", NULL);
	assert_non_null(s->folder);
	s->program = g_build_filename(s->folder, "program", NULL);
	build(s, text, flags);
	char *path = g_build_filename(s->folder, "board", NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, BOARD_SIZE) == 0);
	s->board = mmap(NULL, BOARD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(s->board != MAP_FAILED);
	close(fd);
	g_free(path);
	return s;
}

void
scene_start(scene *s, const char *argument)
{
	char *board = g_build_filename(s->folder, "board", NULL);
	char *agent = g_build_filename(g_getenv("HOTDEV_BUILD"), "reloader/agent/hotdev-agent.so", NULL);
	char *const argv[] = {s->program, board, (char *)(argument ? argument : "-"), NULL};
	hd_target_options options = {.program = s->program, .argv = argv, .terminal = -1, .agent = agent};
	GError *error = NULL;
	s->target = hd_target_start(&options, symbol_in(s->program, "main", NULL), &error);
	if (!s->target)
		fail_msg("start: %s", error->message);
	const GPtrArray *objects = hd_target_objects(s->target, &error);
	assert_non_null(objects);
	s->bias = ((const hd_target_object *)g_ptr_array_index(objects, 0))->bias;
	g_free(board);
	g_free(agent);
}

void
scene_run(scene *s)
{
	ASSERT_GOOD(hd_target_run(s->target, &error));
	WAIT_FOR(s->board->ready);
}

void
scene_free(scene *s)
{
	if (s->target) {
		s->board->finish = 1;
		hd_target_end(s->target, 0);
		hd_target_free(s->target);
	}
	munmap(s->board, BOARD_SIZE);
	const char *const files[] = {"program.c", "program", "board", "more.c", "more.so"};
	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		char *path = g_build_filename(s->folder, files[i], NULL);
		unlink(path);
		g_free(path);
	}
	rmdir(s->folder);
	g_free(s->folder);
	g_free(s->program);
	g_free(s);
}

guint64
symbol_in(const char *path, const char *name, guint64 *size)
{
	guint64 value = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *section = NULL;
	while (elf && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		for (int i = 0; i < (int)(header.sh_size / header.sh_entsize); i++) {
			GElf_Sym symbol;
			gelf_getsym(data, i, &symbol);
			if (strcmp(elf_strptr(elf, header.sh_link, symbol.st_name), name) == 0) {
				value = symbol.st_value;
				if (size)
					*size = symbol.st_size;
			}
		}
	}
	elf_end(elf);
	close(fd);
	return value;
}

guint64
scene_address(scene *s, const char *symbol)
{
	guint64 value = symbol_in(s->program, symbol, NULL);
	if (!value)
		fail_msg("no symbol %s", symbol);
	return s->bias + value;
}

guint64
place_constant(scene *s, int number)
{
	guint64 address;
	guint8 *view;
	const GPtrArray *objects;
	ASSERT_GOOD((objects = hd_target_objects(s->target, &error)));
	ASSERT_GOOD(hd_target_arena(s->target, g_ptr_array_index(objects, 0), HD_ARENA_CODE, 16, 16, &address, &view,
				    &error));
	/* mov $number, %eax; ret */
	guint8 code[6] = {0xb8, (guint8)number, (guint8)(number >> 8), (guint8)(number >> 16), (guint8)(number >> 24),
			  0xc3};
	memcpy(view, code, sizeof code);
	return address;
}

void
redirect(scene *s, hd_commit *commit, guint64 function, guint64 code)
{
	guint8 now[5], jump[5] = {0xe9};
	gint64 distance = (gint64)(code - function - 5);
	assert_true(distance == (gint32)distance);
	gint32 field = (gint32)distance;
	memcpy(jump + 1, &field, sizeof field);
	ASSERT_GOOD(hd_target_read(s->target, 0, function, now, sizeof now, &error));
	GBytes *bytes = g_bytes_new(jump, sizeof jump), *expect = g_bytes_new(now, sizeof now);
	hd_commit_write(commit, function, bytes, expect, HD_WRITE_REQUIRED);
	hd_commit_exclude(commit, function, function + 5, false);
	g_bytes_unref(bytes);
	g_bytes_unref(expect);
}

bool
commit_now(scene *s, const hd_commit *commit, int deadline_ms, hd_commit_result *result, GError **error)
{
	return hd_target_commit(s->target, commit, deadline_ms, result, error);
}
