/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libtcc is not given to compile. */
#include "config.h"

#include "reloader/instant/faithful.h"
#include "test/instant/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <string.h>

#define TYPES                                                                                                          \
	"typedef struct point { double x, y; } point;\n"                                                               \
	"typedef point same;\n"                                                                                        \
	"typedef point *handle;\n"                                                                                     \
	"typedef unsigned long size_t;\n"                                                                              \
	"typedef unsigned short int u16;\n"                                                                            \
	"typedef u16 port;\n"                                                                                          \
	"void bind(port);\n"                                                                                           \
	"struct point origin(void);\n"                                                                                 \
	"double length(same p);\n"                                                                                     \
	"double far(handle p);\n"                                                                                      \
	"int printf(const char *, ...) __attribute__((__format__(__printf__, 1, 2)));\n"                               \
	"void weak(void) __attribute__((weak));\n"                                                                     \
	"void sort(void *, size_t, int (*)(const void *, const void *));\n"

typedef struct {
	const char *function;
	const char *why; /* NULL: libtcc may have it */
} row;

static const row rows[] = {
	{"int f(int a) { return printf(\"%d\", a); }", NULL},
	{"double f(struct point *p) { return p->x; }", NULL},
	{"double f(handle p) { return far(p); }", NULL},
	{"double f(point a[2]) { return far(a); }", NULL},
	{"void f(void *p, size_t n) { sort(p, n, 0); }", NULL},
	{"long double f(long double a) { return a; }", NULL},
	{"__attribute__((noinline, __cold__)) int f(void) { return 1; }", NULL},
	{"double f(point p) { return p.x; }", "by value"},
	{"double f(same p) { return p.x; }", "by value"},
	{"double f(int n, struct point p) { return p.x; }", "by value"},
	{"struct point f(void) { struct point p; return p; }", "by value"},
	{"double f(void) { return origin().x; }", "by value"},
	{"double f(handle p) { return length(*p); }", "by value"},
	{"int f(char c) { return (unsigned short)c; }", "unsigned short"},
	{"int f(char c) { return (short unsigned)c; }", "unsigned short"},
	{"int f(char c) { return (port)c; }", "unsigned short"},
	{"void f(char c) { bind(c); }", "unsigned short"},
	{"short f(unsigned c) { return c; }", NULL},
	{"void f(void) { weak(); }", "weak"},
	{"int f(void) { char b[16] __attribute__((aligned(16))); return b[0]; }", "aligned"},
	{"int f(int a) { __asm__(\"\"); return a; }", "__asm__"},
	{"__attribute__((regparm(3))) int f(int a) { return a; }", "regparm"},
};

static void
test_what_libtcc_does_otherwise_is_kept_from_it(void **state)
{
	(void)state;
	hd_reading *old = text_reading(TYPES);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		char *text = g_strconcat(TYPES, rows[i].function, "\n", NULL), *none = NULL;
		hd_reading *now = text_reading(text);
		hd_delta *delta = hd_delta_new(old, now, &none);
		assert_non_null(delta);
		GHashTable *words = hd_delta_words(delta, now);
		char *why = hd_unfaithful(delta, now, words);
		if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
			fail_msg("%s: %s", rows[i].function, why ? why : "let pass");
		g_free(why);
		g_hash_table_unref(words);
		hd_delta_free(delta);
		hd_reading_free(now);
		g_free(text);
	}
	hd_reading_free(old);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_libtcc_does_otherwise_is_kept_from_it)};
	return cmocka_run_group_tests_name("instant: faithful", tests, NULL, NULL);
}
