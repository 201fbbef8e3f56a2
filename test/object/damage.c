/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged objects: cut short, bits turned, tables overwritten. Each is refused or read; none does harm. */
#include "config.h"

#include "test/object/compile.h"
#include "test/object/mutate.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Tests run under sanitizers and valgrind too: every n-th case is enough there. */
#define FLIPS 400

typedef struct {
	GBytes *bytes;
	hd_object *object;
} specimen;

/* One of each kind of compiler; without debug information, which is not read here. */
static specimen
make_specimen(const variant *v)
{
	char *path = source_path("test/object/corpus.c");
	specimen s = {.bytes = compile_file(v, path)};
	s.object = hd_object_parse(s.bytes, NULL);
	assert_non_null(s.object);
	g_free(path);
	return s;
}

static void
free_specimen(specimen *s)
{
	hd_object_unref(s->object);
	g_bytes_unref(s->bytes);
}

/* A copy that ends where it ends, so that a sanitizer sees a read beyond it. */
static bool
try_bytes(const guint8 *data, gsize size, hd_object *other)
{
	GBytes *bytes = g_bytes_new(data, size);
	bool read = exercise_object(bytes, other);
	g_bytes_unref(bytes);
	return read;
}

static void
cut(specimen *s)
{
	gsize size;
	const guint8 *data = g_bytes_get_data(s->bytes, &size);
	for (gsize n = 0; n < size; n += 64)
		try_bytes(data, n, s->object);
	assert_true(try_bytes(data, size, s->object));
}

static void
turn_bits(specimen *s, guint32 seed)
{
	gsize size;
	const guint8 *data = g_bytes_get_data(s->bytes, &size);
	GRand *random = g_rand_new_with_seed(seed);
	guint8 *copy = g_malloc(size);
	guint read = 0;
	for (guint i = 0; i < FLIPS; i++) {
		memcpy(copy, data, size);
		for (gint k = g_rand_int_range(random, 1, 5); k > 0; k--)
			copy[g_rand_int_range(random, 0, (gint32)size)] ^=
				(guint8)(1 << g_rand_int_range(random, 0, 8));
		read += try_bytes(copy, size, s->object);
	}
	assert_true(read > 0);
	g_free(copy);
	g_rand_free(random);
}

/* Values that break arithmetic, in every field of the tables. */
static void
overwrite_tables(specimen *s, guint32 seed)
{
	static const guint64 values[] = {0,
					 1,
					 0x7f,
					 0xff,
					 0xfff1,
					 0xfff2,
					 0xffff,
					 0x7fffffff,
					 0x80000000,
					 0xffffffff,
					 0x7fffffffffffffff,
					 0x8000000000000000,
					 0xffffffffffffffff};
	gsize size;
	const guint8 *data = g_bytes_get_data(s->bytes, &size);
	Elf64_Ehdr header;
	memcpy(&header, data, sizeof(header));
	GRand *random = g_rand_new_with_seed(seed);
	guint8 *copy = g_malloc(size);
	for (guint i = 0; i < FLIPS; i++) {
		memcpy(copy, data, size);
		Elf64_Shdr section;
		gsize headers = header.e_shoff, n = header.e_shnum;
		gsize which = headers + (gsize)g_rand_int_range(random, 0, (gint32)n) * sizeof(section);
		memcpy(&section, data + which, sizeof(section));
		bool table = section.sh_type == SHT_SYMTAB || section.sh_type == SHT_RELA;
		gsize start = table && i % 2 ? section.sh_offset : which;
		gsize length = table && i % 2 ? section.sh_size : sizeof(section);
		guint64 value = values[g_rand_int_range(random, 0, G_N_ELEMENTS(values))];
		gsize width = (gsize)1 << g_rand_int_range(random, 0, 4);
		if (length < width)
			continue;
		gsize at = start + (gsize)g_rand_int_range(random, 0, (gint32)(length / width)) * width;
		memcpy(copy + at, &value, width);
		try_bytes(copy, size, s->object);
	}
	g_free(copy);
	g_rand_free(random);
}

static void
with_each(void (*damage)(specimen *s))
{
	bool gcc = false, clang = false;
	for (const variant *v = all_variants(); v->name; v++) {
		if ((v->gcc && gcc) || (v->clang && clang) || (v->gcc && v->level < 2))
			continue;
		gcc |= v->gcc;
		clang |= v->clang;
		specimen s = make_specimen(v);
		damage(&s);
		free_specimen(&s);
	}
}

static void
turn_bits_with_a_seed(specimen *s)
{
	turn_bits(s, 20200814);
}

static void
overwrite_tables_with_a_seed(specimen *s)
{
	overwrite_tables(s, 20220817);
}

static void
test_cut_short(void **state)
{
	(void)state;
	with_each(cut);
}

static void
test_bits_turned(void **state)
{
	(void)state;
	with_each(turn_bits_with_a_seed);
}

static void
test_tables_overwritten(void **state)
{
	(void)state;
	with_each(overwrite_tables_with_a_seed);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_bits_turned),
		cmocka_unit_test(test_tables_overwritten),
	};
	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
