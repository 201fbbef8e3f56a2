/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged objects: an error or an answer, never a crash, never a loop. The
 * seed is fixed; HOTDEV_SEED and HOTDEV_ROUNDS widen the search. */
#include "config.h"

#include "base/error.h"
#include "reloader/types/verdict.h"
#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	gsize offset, size;
} stretch;

static const char *const compilers[] = {"gcc -gdwarf-5 -O2", "gcc -gdwarf-4 -O0", "clang -gdwarf-5 -O2"};

static guint
number_from(const char *variable, guint otherwise)
{
	const char *text = g_getenv(variable);
	return text ? (guint)strtoul(text, NULL, 10) : otherwise;
}

static GBytes *
rich_object(const char *command)
{
	char *path = g_build_filename(g_getenv("HOTDEV_SOURCE") ? g_getenv("HOTDEV_SOURCE") : ".", "test/types/rich.c",
				      NULL);
	char *text, *program = g_strndup(command, strcspn(command, " "));
	GBytes *bytes = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	if (compile_has(program))
		bytes = compile_object(command, text);
	g_free(program);
	g_free(path);
	g_free(text);
	return bytes;
}

/* Where a section's content is in the file; size 0 when it is not there. */
static stretch
find_section(GBytes *bytes, const char *name)
{
	gpointer copy = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	Elf *elf = elf_memory(copy, g_bytes_get_size(bytes));
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;
	stretch found = {0, 0};
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && strcmp(elf_strptr(elf, names, header.sh_name), name) == 0)
			found = (stretch){header.sh_offset, header.sh_size};
	elf_end(elf);
	g_free(copy);
	return found;
}

/* Everything that can be asked of a unit. */
static void
use(const hd_unit *unit, const hd_unit *sound)
{
	hd_position where;
	for (guint i = 0; i < hd_unit_functions(unit)->len; i++) {
		const hd_unit_function *f = hd_unit_functions(unit)->pdata[i];
		if (f->located && hd_unit_line(unit, f->section, f->address, &where))
			hd_position_clear(&where);
	}
	for (guint i = 0; i < hd_unit_variables(unit)->len; i++) {
		const hd_unit_variable *v = hd_unit_variables(unit)->pdata[i];
		(void)hd_unit_variable_at(unit, v->section, v->address);
	}
	hd_verdict_free(hd_verdict_new(sound, unit));
	hd_verdict_free(hd_verdict_new(unit, sound));
}

static void
try_bytes(gpointer content, gsize size, const hd_unit *sound)
{
	GError *error = NULL;
	GBytes *bytes = g_bytes_new_take(content, size);
	hd_unit *unit = hd_unit_read_object(bytes, &error);
	assert_true((unit != NULL) == (error == NULL));
	if (unit)
		use(unit, sound);
	hd_unit_free(unit);
	g_clear_error(&error);
	g_bytes_unref(bytes);
}

static void
flip_bits(GBytes *bytes, const char *section, const hd_unit *sound, GRand *random)
{
	stretch where = section ? find_section(bytes, section) : (stretch){0, g_bytes_get_size(bytes)};
	guint rounds = number_from("HOTDEV_ROUNDS", 150);
	for (guint i = 0; where.size > 0 && i < rounds; i++) {
		guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
		guint flips = (guint)g_rand_int_range(random, 1, 9);
		for (guint f = 0; f < flips; f++) {
			gsize at = where.offset + (gsize)g_rand_int_range(random, 0, (gint32)where.size);
			copy[at] ^= (guint8)(1 << g_rand_int_range(random, 0, 8));
		}
		try_bytes(copy, g_bytes_get_size(bytes), sound);
	}
}

static void
truncate_everywhere(GBytes *bytes, const hd_unit *sound, GRand *random)
{
	gsize size = g_bytes_get_size(bytes);
	for (guint i = 0; i < 100; i++) {
		gsize length = (gsize)g_rand_int_range(random, 0, (gint32)size);
		try_bytes(g_memdup2(g_bytes_get_data(bytes, NULL), length), length, sound);
	}
}

static void
test_section(void **state)
{
	guint tried = 0;
	GRand *random = g_rand_new_with_seed(number_from("HOTDEV_SEED", 20260101));
	compile_begin();
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++) {
		GBytes *bytes = rich_object(compilers[i]);
		if (!bytes)
			continue;
		tried++;
		hd_unit *sound = hd_unit_read_object(bytes, NULL);
		assert_non_null(sound);
		if (*state && strcmp(*state, "truncated") == 0)
			truncate_everywhere(bytes, sound, random);
		else
			flip_bits(bytes, *state, sound, random);
		hd_unit_free(sound);
		g_bytes_unref(bytes);
	}
	compile_end();
	g_rand_free(random);
	if (tried == 0) {
		print_message("# neither gcc nor clang is installed\n");
		skip();
	}
}

int
main(void)
{
	static const char *const sections[] = {".debug_info",	     ".debug_abbrev", ".rela.debug_info", ".debug_line",
					       ".debug_str_offsets", ".debug_addr",   ".symtab",	  "truncated"};
	struct CMUnitTest tests[G_N_ELEMENTS(sections) + 1];
	for (gsize i = 0; i < G_N_ELEMENTS(sections); i++)
		tests[i] = (struct CMUnitTest){
			.name = sections[i], .test_func = test_section, .initial_state = (void *)sections[i]};
	tests[G_N_ELEMENTS(sections)] = (struct CMUnitTest){.name = "anywhere", .test_func = test_section};
	return _cmocka_run_group_tests("hostile", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
