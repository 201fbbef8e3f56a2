/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random pairs of struct definitions (generate.h): objects filled with random
 * bytes that are valid for them, padding included, are migrated and come back.
 * What each field holds, before and after, is read as the compiler that compiled
 * the definitions says it is to be read, not as our reading of its debug
 * information. The seed is fixed; HOTDEV_SEED and HOTDEV_PAIRS widen the search. */
#include "config.h"

#include "reloader/types/migration.h"
#include "test/types/compile.h"
#include "test/types/generate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many definitions in one file. */
#define BATCH 1250

typedef struct {
	void *library;
	hd_unit *unit;
	const struct leaf *const *tables;
	const unsigned *lengths, *sizes;
} compiled;

static guint
number_from(const char *variable, guint otherwise)
{
	const char *text = g_getenv(variable);
	return text ? (guint)strtoul(text, NULL, 10) : otherwise;
}

/* ---- values, as the compiler has them ---- */

__extension__ typedef __int128 number;

static number
masked(number value, guint bits)
{
	__extension__ unsigned __int128 all = bits < 128 ? ((unsigned __int128)1 << bits) - 1 : ~(unsigned __int128)0;
	return (number)(value & all);
}

static guint
width_of(const struct leaf *l)
{
	return l->bits ? (guint)l->bits : l->size * 8;
}

static number
value_of(const struct leaf *l, const guint8 *object)
{
	number value = 0;
	if (l->get)
		return l->get(object);
	memcpy(&value, object + l->offset, l->size);
	bool negative = l->is_signed && (value >> (l->size * 8 - 1)) & 1;
	return negative ? value - masked(-1, l->size * 8) - 1 : value;
}

static gint64
enum_value(const struct leaf *l, const guint8 *object)
{
	return l->get ? l->get(object) : (gint32)value_of(l, object);
}

/* ---- filling ---- */

static void
randomize(GRand *random, guint8 *bytes, gsize size)
{
	for (gsize i = 0; i < size; i++)
		bytes[i] = (guint8)g_rand_int_range(random, 0, 256);
}

static void
put(const struct leaf *l, guint8 *object, gint64 value)
{
	if (l->set)
		l->set(object, value);
	else
		memcpy(object + l->offset, &value, l->size);
}

/* One in ten names no enumerator. */
static gint64
random_enum(GRand *random, const struct leaf *l)
{
	if (l->n_names == 0 || g_rand_int_range(random, 0, 10) == 0)
		return g_rand_int_range(random, -10, 100);
	return l->names[g_rand_int_range(random, 0, (gint32)l->n_names)];
}

static void
fill_leaf(GRand *random, const struct leaf *l, guint8 *object)
{
	long double extended;
	switch (l->kind) {
	case LEAF_BOOL:
		put(l, object, g_rand_int_range(random, 0, 2));
		break;
	case LEAF_ENUM:
		put(l, object, random_enum(random, l));
		break;
	case LEAF_FLOAT:
		/* Not every ten bytes are a long double. */
		extended = (long double)g_rand_double_range(random, -1e9, 1e9) / 3;
		if (l->size == sizeof extended)
			memcpy(object + l->offset, &extended, 10);
		else
			randomize(random, object + l->offset, l->size);
		break;
	default:
		if (l->set)
			l->set(object, (gint64)(((guint64)g_rand_int(random) << 32) | g_rand_int(random)));
		else
			randomize(random, object + l->offset, l->size);
	}
}

/* ---- comparing ---- */

static bool
is_same_float(const guint8 *old, guint old_size, const guint8 *now, guint new_size)
{
	float single;
	double twice;
	long double extended;
	guint32 bits;
	guint64 twice_bits;
	if (old_size == new_size)
		return memcmp(old, now, old_size) == 0;
	memcpy(&single, old, sizeof single);
	memcpy(&bits, old, sizeof bits);
	memcpy(&twice, old_size == 8 ? old : now, sizeof twice);
	memcpy(&twice_bits, &twice, sizeof twice);
	if (new_size == sizeof extended) {
		memcpy(&extended, now, sizeof extended);
		long double before = old_size == 8 ? (long double)twice : (long double)single;
		return isnan(before) ? isnan(extended) : extended == before && !signbit(extended) == !signbit(before);
	}
	if (isnan(single))
		return twice_bits ==
		       (((guint64)(bits >> 31) << 63) | ((guint64)0x7ff << 52) | ((guint64)(bits & 0x7fffff) << 29));
	return twice == (double)single && !signbit(twice) == !signbit(single);
}

static bool
is_same_enum(const struct leaf *a, const struct leaf *b, gint64 before, gint64 after)
{
	for (guint i = 0; i < a->n_names; i++)
		if (a->names[i] == before && b->names[i] != GENERATE_NO_NAME)
			return after == b->names[i];
	return masked(after, width_of(b)) == masked(before, width_of(b));
}

static bool
survived(const struct leaf *a, const struct leaf *b, const guint8 *old, const guint8 *now)
{
	switch (a->kind) {
	case LEAF_FLOAT:
		return is_same_float(old + a->offset, a->size, now + b->offset, b->size);
	case LEAF_ENUM:
		return is_same_enum(a, b, enum_value(a, old), enum_value(b, now));
	case LEAF_POINTER:
	case LEAF_BYTES:
		return a->size == b->size && memcmp(old + a->offset, now + b->offset, a->size) == 0;
	default:
		return masked(value_of(b, now), width_of(b)) == masked(value_of(a, old), width_of(b));
	}
}

static bool
is_zero(const struct leaf *l, const guint8 *object)
{
	if (l->get)
		return l->get(object) == 0;
	for (guint i = 0; i < l->size; i++)
		if (object[l->offset + i])
			return false;
	return true;
}

static bool
is_restored(const struct leaf *l, const guint8 *old, const guint8 *back)
{
	return l->get ? l->get(old) == l->get(back) : memcmp(old + l->offset, back + l->offset, l->size) == 0;
}

/* ---- one pair ---- */

typedef struct {
	guint number;
	const generated_pair *text;
	const struct leaf *old, *now;
	guint n;
	gsize old_size, new_size;
} subject;

G_GNUC_PRINTF(3, 4)
static void
fail_pair(const subject *s, gint leaf, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *what = g_strdup_vprintf(format, ap);
	va_end(ap);
	fail_msg("pair %u, leaf %d: %s\n%s\nbecomes\n%s", s->number, leaf, what, s->text->old->str, s->text->now->str);
}

static void
check_landing(const subject *s, const hd_migration *m, guint i)
{
	guint64 offset = 0;
	if (s->old[i].get || s->now[i].get)
		return;
	hd_landing landing = hd_migration_landing(m, GENERATE_TAIL, s->old[i].offset, NULL, &offset);
	bool found = landing == HD_LANDING_FOUND || landing == HD_LANDING_RETYPED;
	if (landing == HD_LANDING_NONE || (found && offset != s->now[i].offset))
		fail_pair(s, (gint)i, "lands at %d (%d)", (int)offset, (int)landing);
	if (landing == HD_LANDING_FOUND && s->old[i].size != s->now[i].size)
		fail_pair(s, (gint)i, "lands where a number is wider");
}

static void
check_there(const subject *s, const hd_migration *m, const guint8 *old, const guint8 *now)
{
	for (guint i = 0; i < s->n; i++) {
		const struct leaf *a = &s->old[i], *b = &s->now[i];
		if (a->kind && b->kind && !survived(a, b, old, now))
			fail_pair(s, (gint)i, "did not survive");
		if (!a->kind && b->kind && !is_zero(b, now))
			fail_pair(s, (gint)i, "is new, and not zero");
		if (a->kind && b->kind)
			check_landing(s, m, i);
	}
}

/* What is to come back is spoilt first, but for enumerations: of several values that became one, what was kept tells.
 */
static void
check_back(const subject *s, const hd_migration *m, GRand *random, const guint8 *old, const guint8 *now)
{
	guint8 *back = g_memdup2(old, s->old_size);
	for (guint i = 0; i < s->n; i++)
		if (s->old[i].kind && s->now[i].kind && s->old[i].kind != LEAF_ENUM)
			fill_leaf(random, &s->old[i], back);
	hd_migration_reverse(m, now, back, GENERATE_TAIL, NULL);
	for (guint i = 0; i < s->n; i++)
		if (s->old[i].kind && !is_restored(&s->old[i], old, back))
			fail_pair(s, (gint)i, "did not come back");
	g_free(back);
}

static guint8 *
random_object(const subject *s, GRand *random)
{
	guint8 *object = g_malloc(s->old_size);
	randomize(random, object, s->old_size);
	for (guint i = 0; i < s->n; i++)
		if (s->old[i].kind)
			fill_leaf(random, &s->old[i], object);
	return object;
}

/* The program ran on, and wrote other values: they come back, and what was discarded is as it was. */
static void
check_back_later(const subject *s, const hd_migration *m, GRand *random, const guint8 *old)
{
	guint8 *later = random_object(s, random), *now = g_malloc0(s->new_size), *back = g_memdup2(old, s->old_size);
	hd_migration_apply(m, later, now, GENERATE_TAIL, NULL);
	hd_migration_reverse(m, now, back, GENERATE_TAIL, NULL);
	for (guint i = 0; i < s->n; i++) {
		const struct leaf *a = &s->old[i], *b = &s->now[i];
		if (!a->kind)
			continue;
		/* Several old values may have become one: any of them will do. */
		bool came =
			b->kind == LEAF_ENUM ? survived(a, b, back, now) : is_restored(a, b->kind ? later : old, back);
		if (!came)
			fail_pair(s, (gint)i, "did not come back later");
	}
	g_free(later);
	g_free(now);
	g_free(back);
}

static void
check_object(const subject *s, const hd_migration *m, GRand *random)
{
	GError *error = NULL;
	guint8 *old = random_object(s, random), *now = g_malloc0(s->new_size);
	hd_migration_apply(m, old, now, GENERATE_TAIL, NULL);
	check_there(s, m, old, now);
	check_back(s, m, random, old, now);
	check_back_later(s, m, random, old);
	if (!hd_migration_validate(m, old, GENERATE_TAIL, &error))
		fail_pair(s, -1, "%s", error->message);
	g_free(old);
	g_free(now);
}

static void
check_pair(const subject *s, const compiled *old, const compiled *now, GRand *random)
{
	GPtrArray *refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	char *name = g_strdup_printf("v%u", s->number);
	hd_migration *m = hd_migration_of_variable(old->unit, now->unit, NULL, name, 0, refusals);
	if (!m)
		fail_pair(s, -1, "refused: %s", ((hd_refusal *)refusals->pdata[0])->reason);
	/* A flexible array may be in one version only. */
	if (hd_migration_old_size(m, GENERATE_TAIL) != s->old_size ||
	    hd_migration_new_size(m, GENERATE_TAIL) != s->new_size)
		fail_pair(s, -1, "of %d and %d bytes", (int)hd_migration_old_size(m, GENERATE_TAIL),
			  (int)hd_migration_new_size(m, GENERATE_TAIL));
	for (guint i = 0; i < 3; i++)
		check_object(s, m, random);
	hd_migration_free(m);
	g_ptr_array_unref(refusals);
	g_free(name);
}

/* ---- many pairs ---- */

static compiled
compile(const char *command, const char *name, GString *text)
{
	compiled c = {0};
	GError *error = NULL;
	char *source = g_strdup_printf("%s.c", name), *object = g_strdup_printf("%s.o", name);
	char *library = g_strdup_printf("%s.so", name), *path = compile_path(library);
	compile_write(source, text->str);
	assert_true(compile_run("%s -w -fPIC -c %s -o %s && %s -shared %s -o %s", command, source, object, command,
				object, library));
	GBytes *bytes = compile_read(object);
	c.unit = hd_unit_read_object(bytes, &error);
	if (!c.unit)
		fail_msg("%s", error->message);
	c.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!c.library)
		fail_msg("%s", dlerror());
	c.tables = dlsym(c.library, "tables");
	c.lengths = dlsym(c.library, "lengths");
	c.sizes = dlsym(c.library, "sizes");
	remove(path);
	g_bytes_unref(bytes);
	g_string_free(text, TRUE);
	g_free(source);
	g_free(object);
	g_free(library);
	g_free(path);
	return c;
}

static void
free_compiled(compiled *c)
{
	dlclose(c->library);
	hd_unit_free(c->unit);
}

static GString *
join(const GPtrArray *pairs, guint first, bool old)
{
	GString *text = g_string_new(NULL);
	generate_begin(text);
	for (guint i = 0; i < pairs->len; i++) {
		const generated_pair *pair = pairs->pdata[i];
		g_string_append(text, old ? pair->old->str : pair->now->str);
		g_string_append(text, old ? pair->old_code->str : pair->now_code->str);
	}
	generate_end(text, first, pairs->len);
	return text;
}

static void
check_batch(GRand *random, const char *command, guint first, guint n)
{
	GPtrArray *pairs = g_ptr_array_new_with_free_func((GDestroyNotify)generated_pair_free);
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(pairs, generate_pair(random, first + i));
	compiled old = compile(command, "old", join(pairs, first, true));
	compiled now = compile(command, "now", join(pairs, first, false));
	for (guint i = 0; i < n; i++) {
		subject s = {.number = first + i,
			     .text = pairs->pdata[i],
			     .old = old.tables[i],
			     .now = now.tables[i],
			     .n = old.lengths[i],
			     .old_size = old.sizes[i],
			     .new_size = now.sizes[i]};
		assert_int_equal(old.lengths[i], now.lengths[i]);
		check_pair(&s, &old, &now, random);
	}
	free_compiled(&old);
	free_compiled(&now);
	g_ptr_array_unref(pairs);
}

static void
test_pairs(void **state)
{
	static const char *const levels[] = {"-g -gdwarf-5 -O0", "-g -gdwarf-4 -O0"};
	const char *compiler = *state;
	guint total = number_from("HOTDEV_PAIRS", 10000) / 2, seed = number_from("HOTDEV_SEED", 20260606);
	if (!compile_has(compiler)) {
		print_message("# %s is not installed\n", compiler);
		skip();
	}
	GRand *random = g_rand_new_with_seed(seed);
	compile_begin();
	for (guint first = 0; first < total; first += BATCH) {
		char *command = g_strdup_printf("%s %s", compiler, levels[first / BATCH % G_N_ELEMENTS(levels)]);
		check_batch(random, command, first, MIN(BATCH, total - first));
		g_free(command);
	}
	compile_end();
	g_rand_free(random);
}

int
main(void)
{
	static const char *const compilers[] = {"gcc", "clang"};
	struct CMUnitTest tests[G_N_ELEMENTS(compilers)];
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		tests[i] = (struct CMUnitTest){
			.name = compilers[i], .test_func = test_pairs, .initial_state = (void *)compilers[i]};
	return _cmocka_run_group_tests("migrations", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
