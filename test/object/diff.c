/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pairs of texts before and after an edit, through every compiler: what must differ, and what must not. */
#include "config.h"

#include "reloader/object/diff.h"

#include "test/object/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Keeps functions apart at every level, so that what is expected does not depend on inlining. */
#define MANY                                                                                                           \
	"\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\", \"k\", \"l\", \"m\", \"n\", \"o\", "    \
	"\"p\", \"q\", \"r\", "

#define PRELUDE                                                                                                        \
	"int printf(const char *, ...); int puts(const char *); void abort(void); extern int ext(int);\n"              \
	"#if defined __clang__\n#define NI __attribute__((noinline))\n"                                                \
	"#elif defined __GNUC__\n#define NI __attribute__((noipa))\n"                                                  \
	"#else\n#define NI\n#endif\n"

enum { ALL = 0, GCC_O2 = 1, OPTIMISED = 2, NOT_TCC = 4, GCC_CLANG_O0 = 8 };

typedef struct {
	const char *title;
	const char *before, *after;
	/* source names, sorted and divided by blanks; constants without a name and clones are left out */
	const char *changed, *added, *gone;
	int where;
} edit;

static const edit edits[] = {
	{"comments, white space and moved lines change nothing",
	 "static int n; NI int f(int x) { static int count; return x + n + ++count; }\n"
	 "NI int g(int x) { puts(\"a\"); return f(x) * 3; }\n",
	 "/* a comment */\n\n\nstatic int n;\nNI int f(int x)\n{\n\tstatic int count; // here\n"
	 "\treturn x + n + ++count;\n}\n\n\nNI int g(int x)\n{\n\tputs(\"a\");\n\treturn f(x) * 3;\n}\n",
	 "", "", "", ALL},
	{"functions in another order change nothing",
	 "int a, b = 3; NI int f(int x) { puts(\"a\"); return x + a; } NI int g(int x) { puts(\"b\"); return x * b * "
	 "3.5; }\n",
	 "int b = 3, a; NI int g(int x) { puts(\"b\"); return x * b * 3.5; } NI int f(int x) { puts(\"a\"); return x + "
	 "a; }\n",
	 "", "", "", ALL},
	{"a body", "NI int f(int x) { return x + 1; } NI int g(int x) { return f(x); }\n",
	 "NI int f(int x) { return x + 2; } NI int g(int x) { return f(x); }\n", "f", "", "", ALL},
	{"a new static function and its caller", "NI int f(int x) { return x + 1; } NI int h(int x) { return x; }\n",
	 "NI static int g(int x) { return x * 5; } NI int f(int x) { return g(x) + 1; } NI int h(int x) { return x; "
	 "}\n",
	 "f", "g", "", ALL},
	{"a function deleted", "NI int f(int x) { return x; } NI int g(int x) { return x + 1; }\n",
	 "NI int g(int x) { return x + 1; }\n", "", "", "f", ALL},
	{"static locals renumbered",
	 "NI int f(int x) { static int count = 1; return count += x; } NI int g(int x) { static int count = 2; return "
	 "count -= x; }\n",
	 "NI int e(int x) { static int count = 9; return count ^= x; }\n"
	 "NI int f(int x) { static int count = 1; return count += x; } NI int g(int x) { static int count = 2; return "
	 "count -= x; }\n",
	 "", "count e", "", ALL},
	{"one of two static locals of a name has a new initialiser",
	 "NI int f(int x) { static int count = 1; return count += x; } NI int g(int x) { static int count = 2; return "
	 "count -= x; }\n",
	 "NI int f(int x) { static int count = 1; return count += x; } NI int g(int x) { static int count = 3; return "
	 "count -= x; }\n",
	 "count", "", "", ALL},
	{"a static local of a function that is gone is gone with it",
	 "NI int f(int x) { static int count = 1; return count += x; } NI int g(int x) { static int count = 2; return "
	 "count -= x; }\n",
	 "NI int g(int x) { static int count = 2; return count -= x; }\n", "", "", "count f", ALL},
	{"initialisers", "int a = 1, b, c = 5; static int d = 1; NI int f(void) { return a + b + c + d++; }\n",
	 "int a = 2, b = 1, c = 5; static int d = 7; NI int f(void) { return a + b + c + d++; }\n", "a b d", "", "",
	 ALL},
	{"an initialiser that becomes zero", "int a = 1; NI int f(void) { return a; }\n",
	 "int a = 0; NI int f(void) { return a; }\n", "a", "", "", ALL},
	{"a string",
	 "NI void f(void) { puts(\"one\"); } NI void g(void) { puts(\"two\"); } NI void h(void) { puts(\"three\"); }\n",
	 "NI void f(void) { puts(\"one\"); } NI void g(void) { puts(\"too\"); } NI void h(void) { puts(\"three\"); }\n",
	 "g", "", "", ALL},
	{"a string of another length",
	 "NI void f(void) { puts(\"one\"); } NI void g(void) { puts(\"two\"); } NI void h(void) { puts(\"three\"); }\n",
	 "NI void f(void) { puts(\"one\"); } NI void g(void) { puts(\"a much longer string than it was before\"); } NI "
	 "void h(void) { puts(\"three\"); }\n",
	 "g", "", "", ALL},
	{"a string of which only the end is used",
	 "NI int f(int x) { return puts(\"hello world\" + 6) + x; } NI int g(void) { return puts(\"x\"); }\n",
	 "NI int f(int x) { return puts(\"hello World\" + 6) + x; } NI int g(void) { return puts(\"x\"); }\n", "f", "",
	 "", ALL},
	{"a string that two functions share, in part",
	 "NI int f(void) { return puts(\"hello world\" + 6); } NI int g(void) { return puts(\"hello world\"); } NI int "
	 "h(void) { return puts(\"!\"); }\n",
	 "NI int f(void) { return puts(\"hello w0rld\" + 6); } NI int g(void) { return puts(\"hello w0rld\"); } NI int "
	 "h(void) { return puts(\"!\"); }\n",
	 "f g", "", "", ALL},
	{"wide strings",
	 "extern int wide(const int *); NI int f(void) { return wide(L\"one\"); } NI int g(void) { return "
	 "wide(L\"two\"); }\n",
	 "extern int wide(const int *); NI int f(void) { return wide(L\"one\"); } NI int g(void) { return "
	 "wide(L\"tvo\"); }\n",
	 "g", "", "", ALL},
	{"a floating constant",
	 "NI double f(double x) { return x * 3.25; } NI double g(double x) { return x * 7.125; } NI float h(float x) { "
	 "return x * 0.3f; }\n",
	 "NI double f(double x) { return x * 3.25; } NI double g(double x) { return x * 7.25; } NI float h(float x) { "
	 "return x * 0.3f; }\n",
	 "g", "", "", ALL},
	{"a floating constant and strings around it",
	 "NI double f(double x) { puts(\"f\"); return x * 3.3; } NI double g(double x) { puts(\"ggg\"); return x * "
	 "7.1; } NI double h(double x) { puts(\"hello\"); return x * 1.1; }\n",
	 "NI double f(double x) { puts(\"f\"); return x * 3.3; } NI double g(double x) { puts(\"ggg\"); return x * "
	 "7.2; } NI double h(double x) { puts(\"hello\"); return x * 1.1; }\n",
	 "g", "", "", ALL},
	{"a switch",
	 "NI int f(int x) { switch (x) { case 0: return ext(1); case 1: puts(\"a\"); case 2: return ext(7); case 3: "
	 "return ext(9) * 2; case 4: return ext(3); case 5: puts(\"b\"); case 6: return 1; } return 0; }\n"
	 "NI int g(int x) { switch (x) { case 0: return ext(1); case 1: puts(\"a\"); case 2: return ext(7); case 3: "
	 "return ext(9) * 2; case 4: return ext(3); case 5: puts(\"b\"); case 6: return 1; } return 0; }\n",
	 "NI int f(int x) { switch (x) { case 0: return ext(1); case 1: puts(\"a\"); case 2: return ext(7); case 3: "
	 "return ext(9) * 2; case 4: return ext(3); case 5: puts(\"b\"); case 6: return 1; } return 0; }\n"
	 "NI int g(int x) { switch (x) { case 0: return ext(1); case 2: puts(\"a\"); case 1: return ext(7); case 3: "
	 "return ext(9) * 2; case 4: return ext(3); case 5: puts(\"b\"); case 6: return 1; } return 0; }\n",
	 "g", "", "", ALL},
	{"a switch that is a table of values",
	 "NI int f(int x) { switch (x) { case 0: return 11; case 1: return 7; case 2: return 23; case 3: return 1; "
	 "case 4: return 99; case 5: return 6; } return 0; }\n"
	 "NI int g(int x) { switch (x) { case 0: return 11; case 1: return 7; case 2: return 23; case 3: return 1; "
	 "case 4: return 99; case 5: return 5; } return 0; }\n",
	 "NI int f(int x) { switch (x) { case 0: return 11; case 1: return 7; case 2: return 23; case 3: return 1; "
	 "case 4: return 99; case 5: return 6; } return 0; }\n"
	 "NI int g(int x) { switch (x) { case 0: return 11; case 1: return 7; case 2: return 24; case 3: return 1; "
	 "case 4: return 99; case 5: return 5; } return 0; }\n",
	 "g", "", "", ALL},
	{"a table of strings that a switch yields",
	 "NI const char *f(int x) { switch (x) { case 0: return \"a\"; case 1: return \"b\"; case 2: return \"c\"; "
	 "case 3: return \"d\"; case 4: return \"e\"; } return \"?\"; }\n",
	 "NI const char *f(int x) { switch (x) { case 0: return \"a\"; case 1: return \"b\"; case 2: return \"C\"; "
	 "case 3: return \"d\"; case 4: return \"e\"; } return \"?\"; }\n",
	 "f", "", "", ALL},
	{"a constant table", "const int t[4] = {1, 2, 3, 4}; NI int f(int i) { return t[i]; }\n",
	 "const int t[4] = {1, 2, 33, 4}; NI int f(int i) { return t[i]; }\n", "t", "", "", ALL},
	{"a table of strings",
	 "const char *const t[] = {\"one\", \"two\", \"three\", \"four\", \"five\"}; NI const char *f(int i) { "
	 "return t[i]; }\n",
	 "const char *const t[] = {\"one\", \"too\", \"three\", \"four\", \"five\"}; NI const char *f(int i) { "
	 "return t[i]; }\n",
	 "t", "", "", ALL},
	{"the initialiser of a local array",
	 "void use(const char **); NI int f(void) { const char *t[] = {" MANY "\"last\"}; use(t); return 0; }\n"
	 "NI int g(void) { const char *t[] = {" MANY "\"end\"}; use(t); return 1; }\n",
	 "void use(const char **); NI int f(void) { const char *t[] = {" MANY "\"last\"}; use(t); return 0; }\n"
	 "NI int g(void) { const char *t[] = {" MANY "\"END\"}; use(t); return 1; }\n",
	 "g", "", "", ALL},
	{"a table of functions grows",
	 "NI static int a(int x) { return x; } NI static int b(int x) { return -x; }\n"
	 "int (*const t[])(int) = {a, b}; NI int f(int i) { return t[i](i); }\n",
	 "NI static int a(int x) { return x; } NI static int b(int x) { return -x; } NI static int c(int x) { return x "
	 "* x; }\n"
	 "int (*const t[])(int) = {a, b, c}; NI int f(int i) { return t[i](i); }\n",
	 "t", "c", "", ALL},
	{"a function changes, a table of functions does not",
	 "NI static int a(int x) { return x; } NI static int b(int x) { return -x; }\n"
	 "int (*const t[])(int) = {a, b}; NI int f(int i) { return t[i](i); }\n",
	 "NI static int a(int x) { return x; } NI static int b(int x) { return ~x; }\n"
	 "int (*const t[])(int) = {a, b}; NI int f(int i) { return t[i](i); }\n",
	 "b", "", "", ALL},
	{"computed goto: the labels' table is the function's",
	 "NI int f(const char *p) { static const void *const t[] = {&&a, &&b, &&c}; int n = 0; goto *t[*p & 1];\n"
	 "a: n += ext(1); p++; goto *t[*p & 3]; b: n -= ext(2); p++; goto *t[*p & 3]; c: return n; }\n",
	 "NI int f(const char *p) { static const void *const t[] = {&&a, &&b, &&c}; int n = 0; goto *t[*p & 1];\n"
	 "a: n += ext(1); ext(n); p++; goto *t[*p & 3]; b: n -= ext(2); p++; goto *t[*p & 3]; c: return n; }\n",
	 "f t", "", "", GCC_CLANG_O0},
	{"computed goto: an edit that moves no label",
	 "NI int f(const char *p) { static const void *const t[] = {&&a, &&b, &&c}; int n = 0; goto *t[*p & 1];\n"
	 "a: n += ext(1); p++; goto *t[*p & 3]; b: n -= ext(2); p++; goto *t[*p & 3]; c: return n; }\n",
	 "NI int f(const char *p) { static const void *const t[] = {&&a, &&b, &&c}; int n = 0; goto *t[*p & 1];\n"
	 "a: n += ext(3); p++; goto *t[*p & 3]; b: n -= ext(2); p++; goto *t[*p & 3]; c: return n; }\n",
	 "f t", "", "", GCC_CLANG_O0},
	{"recursion and mutual references",
	 "int g(int); NI int f(int n) { return n ? g(n - 1) + 1 : 0; } NI int g(int n) { return n ? f(n - 1) * 2 : "
	 "f(0); }\n"
	 "static int (*self)(int) = f; NI int h(int x) { return self ? self(x) : h(x - 1); } struct n { struct n "
	 "*next; } a, b = {&a}, a = {&b};\n",
	 "int g(int); NI int f(int n) { return n ? g(n - 1) + 1 : 0; } NI int g(int n) { return n ? f(n - 1) * 2 : "
	 "f(0); }\n\n"
	 "static int (*self)(int) = f; NI int h(int x) { return self ? self(x) : h(x - 1); } struct n { struct n "
	 "*next; } a, b = {&a}, a = {&b};\n",
	 "", "", "", ALL},
	{"__LINE__ that moves", "NI int f(void) { return __LINE__; } NI int g(void) { return 1; }\n",
	 "\nNI int f(void) { return __LINE__; } NI int g(void) { return 1; }\n", "f", "", "", ALL},
	{"another callee", "NI int f(void) { return puts(\"x\"); }\n",
	 "extern int pots(const char *); NI int f(void) { return pots(\"x\"); }\n", "f", "", "", ALL},
	{"a compound literal", "int *p = (int[]){1, 2, 3}; NI int f(void) { return *p; }\n",
	 "int *p = (int[]){1, 2, 4}; NI int f(void) { return *p; }\n", "__compound_literal", "", "", GCC_CLANG_O0},
	{"thread-local variables",
	 "_Thread_local int a = 1, b; static _Thread_local int c = 3; NI int f(void) { return a + b + c++; }\n",
	 "_Thread_local int a = 2, b; static _Thread_local int c = 3; NI int f(void) { return a + b + c++; }\n", "a",
	 "", "", NOT_TCC},
	{"an alias added", "NI int f(int x) { return x; }\n",
	 "NI int f(int x) { return x; } int g(int) __attribute__((alias(\"f\")));\n", "f", "", "", NOT_TCC},
	{"a clone changes with its callers",
	 "static __attribute__((noinline)) int work(int x, int y) { for (int i = 0; i < x; i++) y += ext(i) * y; "
	 "return y; }\n"
	 "int f(int x) { return work(x, 5); } int g(int x) { return work(x + 1, 5); } int h(int x) { return ext(x); "
	 "}\n",
	 "static __attribute__((noinline)) int work(int x, int y) { for (int i = 0; i < x; i++) y -= ext(i) * y; "
	 "return y; }\n"
	 "int f(int x) { return work(x, 5); } int g(int x) { return work(x + 1, 5); } int h(int x) { return ext(x); "
	 "}\n",
	 "f g", "", "", GCC_O2},
	{"the cold part of a function",
	 "__attribute__((cold, noreturn)) void die(int); NI int f(int x) { if (x > 5) { puts(\"bad\"); die(1); } "
	 "return ext(x) + x; } NI int g(int x) { return x; }\n",
	 "__attribute__((cold, noreturn)) void die(int); NI int f(int x) { if (x > 5) { puts(\"bad\"); die(2); } "
	 "return ext(x) + x; } NI int g(int x) { return x; }\n",
	 "f", "", "", NOT_TCC},
	{"a large local's initial value",
	 "extern int use(const void *); NI int f(void) { struct { int a[20]; } s = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "
	 "11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}; return use(&s); }\n"
	 "NI int g(void) { int s[5] = {1, 3, 5, 7, 9}; return use(s); } NI int h(void) { return puts(\"h\"); }\n",
	 "extern int use(const void *); NI int f(void) { struct { int a[20]; } s = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "
	 "11, 12, 13, 14, 15, 16, 17, 18, 19, 99}}; return use(&s); }\n"
	 "NI int g(void) { int s[5] = {1, 3, 5, 7, 9}; return use(s); } NI int h(void) { return puts(\"h\"); }\n",
	 "f", "", "", ALL},
	{"static made global", "static NI int f(int x) { return x; } NI int g(int x) { return f(x); }\n",
	 "NI int f(int x) { return x; } NI int g(int x) { return f(x); }\n", "f", "", "", GCC_CLANG_O0},
	{"a function from elsewhere is now defined here", "extern int f(int); NI int g(int x) { return f(x); }\n",
	 "extern int f(int); NI int g(int x) { return f(x); } NI int f(int x) { return ext(x); }\n", "", "f", "",
	 NOT_TCC},
	{.title = NULL},
};

static bool
applies(const edit *e, const variant *v)
{
	switch (e->where) {
	case GCC_O2:
		return v->gcc && v->level >= 2;
	case OPTIMISED:
		return v->level >= 2;
	case NOT_TCC:
		return !v->tcc;
	case GCC_CLANG_O0:
		return !v->tcc && v->level == 0;
	default:
		return true;
	}
}

static void
add_name(GPtrArray *names, const hd_atom *atom)
{
	if (!atom->name || hd_atom_is_clone(atom) || g_str_has_prefix(atom->name, "CSWTCH"))
		return;
	char *name = hd_atom_source_name(atom);
	if (strcmp(name, ".compoundliteral") == 0) { /* clang's name for it */
		g_free(name);
		name = g_strdup("__compound_literal");
	}
	if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		g_free(name);
	else
		g_ptr_array_add(names, name);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *
joined(GPtrArray *names)
{
	g_ptr_array_sort(names, compare_names);
	g_ptr_array_add(names, NULL);
	char *out = g_strjoinv(" ", (char **)names->pdata);
	g_ptr_array_free(names, TRUE);
	return out;
}

static char *
names_with_fate(const hd_diff *diff, hd_atom_fate fate)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < hd_object_n_atoms(hd_diff_now(diff)); i++)
		if (hd_diff_fate(diff, i) == fate)
			add_name(names, hd_object_atom(hd_diff_now(diff), i));
	return joined(names);
}

static char *
names_gone(const hd_diff *diff)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < hd_object_n_atoms(hd_diff_old(diff)); i++)
		if (hd_diff_new_of(diff, i) == HD_NONE)
			add_name(names, hd_object_atom(hd_diff_old(diff), i));
	return joined(names);
}

static void
expect(const edit *e, const variant *v, const char *what, char *is, const char *should)
{
	if (strcmp(is, should) != 0)
		fail_msg("%s (%s): %s: \"%s\", expected \"%s\"", e->title, v->name, what, is, should);
	g_free(is);
}

static void
check_edit(const edit *e, const variant *v)
{
	char *before = g_strconcat(PRELUDE, e->before, NULL), *after = g_strconcat(PRELUDE, e->after, NULL);
	hd_object *old = object_of_text(v, before), *now = object_of_text(v, after);
	hd_diff *diff = hd_diff_new(old, now);
	expect(e, v, "changed", names_with_fate(diff, HD_ATOM_CHANGED), e->changed);
	expect(e, v, "added", names_with_fate(diff, HD_ATOM_ADDED), e->added);
	expect(e, v, "gone", names_gone(diff), e->gone);
	bool empty = !*e->changed && !*e->added && !*e->gone;
	if (hd_diff_empty(diff) != empty)
		fail_msg("%s (%s): empty is %d", e->title, v->name, !empty);
	hd_diff_free(diff);
	hd_object_unref(old);
	hd_object_unref(now);
	g_free(before);
	g_free(after);
}

static void
test_edit(void **state)
{
	const edit *e = *state;
	for (const variant *v = all_variants(); v->name; v++)
		if (applies(e, v))
			check_edit(e, v);
}

/* The variable that a function refers to, by its source name. */
static guint
variable_of(hd_object *object, const char *function, const char *variable)
{
	const hd_atom *f = hd_object_atom(object, hd_object_find(object, function));
	for (guint i = 0; i < f->n_relocs; i++) {
		if (f->relocs[i].atom == HD_NONE)
			continue;
		char *name = hd_atom_source_name(hd_object_atom(object, f->relocs[i].atom));
		bool found = name && strcmp(name, variable) == 0;
		g_free(name);
		if (found)
			return f->relocs[i].atom;
	}
	fail_msg("%s does not refer to %s", function, variable);
	return HD_NONE;
}

static void
check_static_locals(const variant *v, const char *before, const char *after, const char *const *owners)
{
	hd_object *old = object_of_text(v, before), *now = object_of_text(v, after);
	hd_diff *diff = hd_diff_new(old, now);
	for (; *owners; owners += 2) {
		guint is = variable_of(now, owners[1], "count"), was = variable_of(old, owners[0], "count");
		if (hd_diff_old_of(diff, is) != was || hd_diff_new_of(diff, was) != is)
			fail_msg("%s: %s's count was not found again", v->name, owners[1]);
	}
	hd_diff_free(diff);
	hd_object_unref(old);
	hd_object_unref(now);
}

#define COUNTER(f, op) "NI int " f "(int x) { static int count; return count " op " x; }\n"

static void
test_static_locals_keep_their_owner(void **state)
{
	(void)state;
	static const char *const owners[] = {"f", "f", "g", "g", "h", "h", NULL};
	for (const variant *v = all_variants(); v->name; v++)
		check_static_locals(v, PRELUDE COUNTER("f", "+=") COUNTER("g", "-=") COUNTER("h", "^="),
				    PRELUDE COUNTER("a", "|=") COUNTER("h", "^=") COUNTER("b", "&=") COUNTER("g", "-=")
					    COUNTER("f", "+="),
				    owners);
}

static void
test_static_local_of_a_function_once_inlined(void **state)
{
	(void)state;
	static const char *const owners[] = {"run", "helper", "f", "f", NULL}, *const back[] = {"helper", "run", "f",
												"f", NULL};
	static const char before[] = PRELUDE "static inline __attribute__((always_inline)) int helper(int x) { static "
					     "int count; return count += ext(x); }\n"
					     "NI int run(int x) { return helper(x) * 2; }\n" COUNTER("f", "^=");
	static const char after[] =
		PRELUDE "static NI int helper(int x) { static int count; return count += ext(x) + 1; }\n"
			"NI int run(int x) { return helper(x) * 2; }\n" COUNTER("f", "^=");
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->level < 2)
			continue;
		check_static_locals(v, before, after, owners);
		check_static_locals(v, after, before, back);
	}
}

/* An anonymous constant that stays keeps its place even where the function around it changes. */
static void
test_equal_strings_are_found_again(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->level == 0 && v->gcc)
			continue; /* one stretch holds all strings */
		hd_object *old = object_of_text(v, PRELUDE "NI int f(int x) { return puts(\"kept\") + x; }\n");
		hd_object *now =
			object_of_text(v, PRELUDE "NI int f(int x) { puts(\"new\"); return x - puts(\"kept\"); }\n");
		hd_diff *diff = hd_diff_new(old, now);
		guint kept = 0, added = 0;
		for (guint i = 0; i < hd_object_n_atoms(now); i++) {
			const hd_atom *atom = hd_object_atom(now, i);
			if (atom->name || !atom->bytes)
				continue;
			if (!strcmp((const char *)atom->bytes, "kept"))
				kept += hd_diff_fate(diff, i) == HD_ATOM_SAME && hd_diff_old_of(diff, i) != HD_NONE;
			if (!strcmp((const char *)atom->bytes, "new"))
				added += hd_diff_fate(diff, i) == HD_ATOM_ADDED;
		}
		if (kept != 1 || added != 1)
			fail_msg("%s: %u kept, %u added", v->name, kept, added);
		hd_diff_free(diff);
		hd_object_unref(old);
		hd_object_unref(now);
	}
}

static void
test_without_an_old_object_all_is_new(void **state)
{
	(void)state;
	hd_object *now = object_of_text(all_variants(), "int x = 1; int f(void) { return x; }\n");
	hd_diff *diff = hd_diff_new(NULL, now);
	assert_false(hd_diff_empty(diff));
	assert_null(hd_diff_old(diff));
	for (guint i = 0; i < hd_object_n_atoms(now); i++) {
		assert_int_equal(hd_diff_fate(diff, i), HD_ATOM_ADDED);
		assert_int_equal(hd_diff_old_of(diff, i), HD_NONE);
	}
	hd_diff_free(diff);
	hd_object_unref(now);
}

/* The same text gives the same object, for every text here. */
static void
test_nothing_differs_from_itself(void **state)
{
	(void)state;
	char *path = source_path("test/object/corpus.c");
	for (const variant *v = all_variants(); v->name; v++) {
		hd_object *old = object_of_file(v, path), *now = object_of_file(v, path);
		hd_diff *diff = hd_diff_new(old, now);
		if (!hd_diff_empty(diff))
			fail_msg("%s: not empty", v->name);
		for (guint i = 0; i < hd_object_n_atoms(now); i++) {
			const hd_atom *atom = hd_object_atom(now, i);
			if (hd_diff_fate(diff, i) != HD_ATOM_SAME)
				fail_msg("%s: %s is not the same", v->name, atom->name ? atom->name : "a constant");
		}
		hd_diff_free(diff);
		hd_object_unref(old);
		hd_object_unref(now);
	}
	g_free(path);
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_static_locals_keep_their_owner),
		cmocka_unit_test(test_static_local_of_a_function_once_inlined),
		cmocka_unit_test(test_equal_strings_are_found_again),
		cmocka_unit_test(test_without_an_old_object_all_is_new),
		cmocka_unit_test(test_nothing_differs_from_itself),
	};
	struct CMUnitTest tests[G_N_ELEMENTS(edits) + G_N_ELEMENTS(others)];
	guint n = 0;
	for (const edit *e = edits; e->title; e++)
		tests[n++] = (struct CMUnitTest){e->title, test_edit, NULL, NULL, (void *)e};
	for (guint i = 0; i < G_N_ELEMENTS(others); i++)
		tests[n++] = others[i];
	for (guint i = n; i < G_N_ELEMENTS(tests); i++)
		tests[i] = (struct CMUnitTest){NULL, NULL, NULL, NULL, NULL};
	return _cmocka_run_group_tests("diff", tests, n, NULL, NULL);
}
