/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of a unit is what its symbols, its source and the psABI say. */
#include "config.h"

#include "reloader/types/unit.h"

#include "base/error.h"
#include "reloader/types/locals.h"
#include "reloader/types/verdict.h"
#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>

static const char *const compilers[] = {
	"gcc -gdwarf-5 -O0",   "gcc -gdwarf-5 -O2",
	"gcc -gdwarf-4 -O2",   "gcc -gdwarf-5 -O2 -ffunction-sections -fdata-sections -gz",
	"clang -gdwarf-5 -O0", "clang -gdwarf-4 -O0",
	"clang -gdwarf-5 -O2", "clang -gdwarf-4 -O2 -ffunction-sections -fdata-sections",
};

static bool
can(const char *command)
{
	char *program = g_strndup(command, strcspn(command, " "));
	bool found = compile_has(program);
	g_free(program);
	return found;
}

static char *
rich_text(void)
{
	char *path = g_build_filename(g_getenv("HOTDEV_SOURCE") ? g_getenv("HOTDEV_SOURCE") : ".", "test/types/rich.c",
				      NULL);
	char *text;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_free(path);
	return text;
}

static hd_unit *
read_unit(const char *command, const char *text)
{
	GError *error = NULL;
	GBytes *bytes = compile_object(command, text);
	hd_unit *unit = hd_unit_read_object(bytes, &error);
	if (!unit)
		fail_msg("%s: %s", command, error->message);
	g_bytes_unref(bytes);
	return unit;
}

/* ---- places ---- */

/* Whether a symbol may be the source's name: as it is, numbered, or clang's function.name. */
static bool
may_be(const char *symbol, const char *function, const char *name)
{
	if (function && g_str_has_prefix(symbol, function) && symbol[strlen(function)] == '.')
		symbol += strlen(function) + 1;
	return g_str_has_prefix(symbol, name) &&
	       strspn(symbol + strlen(name), ".0123456789") == strlen(symbol + strlen(name));
}

/* Size of the symbol at this place; fails the test when there is none of the name. */
static guint64
symbol_size(GBytes *bytes, guint section, guint64 offset, const char *function, const char *name)
{
	gsize size;
	gpointer copy = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	Elf *elf = elf_memory(copy, (size = g_bytes_get_size(bytes)));
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;
	guint64 found = G_MAXUINT64;
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		for (int i = 1; gelf_getsym(data, i, &symbol); i++)
			if (symbol.st_shndx == section && symbol.st_value == offset &&
			    GELF_ST_TYPE(symbol.st_info) != STT_SECTION &&
			    may_be(elf_strptr(elf, header.sh_link, symbol.st_name), function, name))
				found = symbol.st_size;
	}
	elf_end(elf);
	g_free(copy);
	if (found == G_MAXUINT64)
		fail_msg("no symbol %s at %u:%" G_GINT64_MODIFIER "x", name, section, offset);
	return found;
}

static void
check_places(const char *command)
{
	char *text = rich_text();
	hd_unit *unit = read_unit(command, text);
	GBytes *bytes = compile_read("unit.o");
	guint located = 0;
	for (guint i = 0; i < hd_unit_variables(unit)->len; i++) {
		const hd_unit_variable *v = hd_unit_variables(unit)->pdata[i];
		if (!v->located)
			continue;
		located++;
		assert_int_equal(symbol_size(bytes, v->section, v->address, v->function, v->name), v->size);
		assert_ptr_equal(hd_unit_variable_at(unit, v->section, v->address), v);
		assert_ptr_equal(hd_unit_variable_at(unit, v->section, v->address + v->size - 1), v);
		assert_ptr_equal(hd_unit_variable_named(unit, v->function, v->name, v->ordinal), v);
	}
	if (located < 12)
		fail_msg("%s: only %u variables have a place", command, located);
	located = 0;
	for (guint i = 0; i < hd_unit_functions(unit)->len; i++) {
		const hd_unit_function *f = hd_unit_functions(unit)->pdata[i];
		if (!f->located)
			continue;
		located++;
		assert_int_equal(symbol_size(bytes, f->section, f->address, NULL, f->name), f->size);
		hd_position where;
		assert_true(hd_unit_line(unit, f->section, f->address, &where));
		assert_string_equal(where.file, f->where.file);
		/* At the name, the brace, or the first statement that is not optimised away. */
		assert_in_range(where.line - f->where.line + 1, 0, 6);
		hd_position_clear(&where);
	}
	assert_true(located >= 5);
	g_bytes_unref(bytes);
	hd_unit_free(unit);
	g_free(text);
}

/* Every test runs with all compilers that are here. */
typedef void check(const char *command);

static void
with_all(check *function)
{
	guint tried = 0;
	compile_begin();
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		if (can(compilers[i])) {
			function(compilers[i]);
			tried++;
		}
	compile_end();
	if (tried == 0) {
		print_message("# neither gcc nor clang is installed\n");
		skip();
	}
}

static void
test_places(void **state)
{
	(void)state;
	with_all(check_places);
}

/* ---- what is said of variables and functions ---- */

static const struct {
	const char *function, *name;
	guint ordinal;
	const char *type;
	bool external, declaration, tls, constant;
} variables[] = {
	{NULL, "visible", 0, "int", true, false, false, false},
	{NULL, "zeroed", 0, "int", true, false, false, false},
	{NULL, "hidden_count", 0, "int", false, false, false, false},
	{NULL, "names", 0, "const char *const [3]", false, false, false, true},
	{NULL, "primes", 0, "const int [4]", false, false, false, true},
	{NULL, "per_thread", 0, "int", true, false, true, false},
	{NULL, "per_thread_zero", 0, "long", false, false, true, false},
	{NULL, "peers", 0, "struct peer *", false, false, false, false},
	{NULL, "points", 0, "point [3]", false, false, false, false},
	{NULL, "callback", 0, "int (*)(int, int)", true, false, false, false},
	{NULL, "matrix", 0, "double [3][4]", false, false, false, false},
	{NULL, "weak_one", 0, "int", true, false, false, false},
	{"tick", "count", 0, "int", false, false, false, false},
	{"tick", "count", 1, "int", false, false, false, false},
	{"recent", "last", 0, "char [8]", false, false, false, false},
};

static const struct {
	const char *name, *signature;
	bool external, variadic, in_registers;
	guint parameters;
} functions[] = {
	{"tick", "int (int)", false, false, true, 1},
	{"middle", "point (point, point)", false, false, true, 2},
	{"adds", "int (int, ...)", true, true, false, 1},
	{"sum_up", "int (const int *, size_t)", false, false, true, 2},
	{"recent", "int (struct peer *, const char *, ...)", false, true, false, 2},
	{"add", "struct peer *(const char *, enum state)", true, false, true, 2},
	{"run", "int (int)", true, false, true, 1},
};

static void
check_contents(const char *command)
{
	char *text = rich_text();
	hd_unit *unit = read_unit(command, text);
	char *path = compile_path("unit.c");
	for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
		const hd_unit_variable *v =
			hd_unit_variable_named(unit, variables[i].function, variables[i].name, variables[i].ordinal);
		if (!v)
			fail_msg("%s: no %s", command, variables[i].name);
		assert_string_equal(v->type, variables[i].type);
		assert_int_equal(v->external, variables[i].external);
		assert_int_equal(v->declaration, variables[i].declaration);
		/* A constant may have been optimised away; nothing else here. */
		if (!v->located && !v->constant)
			fail_msg("%s: %s has no place", command, v->name);
		assert_int_equal(v->tls, variables[i].tls);
		assert_int_equal(v->constant, variables[i].constant);
		assert_string_equal(v->where.file, path);
		assert_true(v->where.line > 0);
	}
	const hd_unit_variable *first = hd_unit_variable_named(unit, "tick", "count", 0),
			       *second = hd_unit_variable_named(unit, "tick", "count", 1);
	assert_true(first->where.line < second->where.line);
	assert_null(hd_unit_variable_named(unit, "tick", "count", 2));
	for (gsize i = 0; i < G_N_ELEMENTS(functions); i++) {
		const hd_unit_function *f = hd_unit_function_named(unit, functions[i].name);
		if (!f)
			fail_msg("%s: no %s", command, functions[i].name);
		assert_string_equal(f->signature, functions[i].signature);
		assert_int_equal(f->external, functions[i].external);
		assert_int_equal(f->variadic, functions[i].variadic);
		assert_int_equal(f->in_registers, functions[i].in_registers);
		assert_int_equal(f->n_parameters, functions[i].parameters);
		assert_false(f->declaration);
		assert_true(f->prototyped);
	}
	g_free(path);
	hd_unit_free(unit);
	g_free(text);
}

static void
test_contents(void **state)
{
	(void)state;
	with_all(check_contents);
}

/* ---- one text, any compiler, any level: the same shapes and no refusal ---- */

static void
check_same(const hd_unit *a, const hd_unit *b, const char *x, const char *y)
{
	for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
		assert_string_equal(
			hd_unit_variable_named(a, variables[i].function, variables[i].name, variables[i].ordinal)
				->shape,
			hd_unit_variable_named(b, variables[i].function, variables[i].name, variables[i].ordinal)
				->shape);
	for (gsize i = 0; i < G_N_ELEMENTS(functions); i++)
		assert_string_equal(hd_unit_function_named(a, functions[i].name)->shape,
				    hd_unit_function_named(b, functions[i].name)->shape);
	hd_verdict *verdict = hd_verdict_new(a, b);
	for (guint i = 0; i < verdict->refusals->len; i++)
		print_message("# %s to %s: %s\n", x, y, ((hd_refusal *)verdict->refusals->pdata[i])->reason);
	assert_int_equal(verdict->refusals->len, 0);
	assert_int_equal(verdict->warnings->len, 0);
	hd_verdict_free(verdict);
}

static void
test_invariance(void **state)
{
	(void)state;
	char *text = rich_text();
	hd_unit *units[G_N_ELEMENTS(compilers)] = {NULL};
	compile_begin();
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		if (can(compilers[i]))
			units[i] = read_unit(compilers[i], text);
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		for (gsize j = 0; j < G_N_ELEMENTS(compilers); j++)
			if (units[i] && units[j])
				check_same(units[i], units[j], compilers[i], compilers[j]);
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		hd_unit_free(units[i]);
	compile_end();
	g_free(text);
}

/* ---- psABI 3.2.3 ---- */

static const struct {
	const char *declaration;
	bool in_registers;
} passings[] = {
	{"void f(void) {}", true},
	{"int f(int a, long b, char c, void *d, short e, unsigned g) { return a; }", true},
	{"int f(int a, long b, char c, void *d, short e, unsigned g, int h) { return a; }", false},
	{"double f(double a, float b, double c, double d, double e, double g, double h, double i) { return a; }", true},
	{"double f(double a, float b, double c, double d, double e, double g, double h, double i, float j) { return a; "
	 "}",
	 false},
	{"long double f(int a) { return a; }", false},
	{"int f(long double a) { return (int)a; }", false},
	{"int f(int a, ...) { return a; }", false},
	{"struct s { long a, b; }; struct s f(struct s s) { return s; }", true},
	{"struct s { long a, b, c; }; long f(struct s s) { return s.a; }", false},
	{"struct s { long a, b, c; }; struct s f(int a) { struct s s = {a}; return s; }", false},
	{"struct s { long a, b; }; int f(struct s a, struct s b, struct s c) { return 0; }", true},
	{"struct s { long a, b; }; int f(int x, struct s a, struct s b, struct s c) { return 0; }", false},
	{"struct s { float a, b; int c; }; int f(struct s s) { return s.c; }", true},
	{"struct s { float v[4]; }; struct s f(struct s s) { return s; }", true},
	{"struct s { char c; int i __attribute__((packed)); }; int f(struct s s) { return s.i; }", false},
	{"struct s { unsigned a : 3, b : 20; }; int f(struct s s) { return s.b; }", true},
	{"union u { double d; long l; }; long f(union u u) { return u.l; }", true},
	{"struct s { long double d; }; int f(struct s s) { return (int)s.d; }", false},
	{"_Complex double f(_Complex float a) { return a; }", true},
	{"__int128 f(__int128 a) { return a; }", true},
	{"typedef int v __attribute__((vector_size(16))); int f(v a) { return a[0]; }", false},
	{"enum e { A }; _Bool f(enum e e) { return e == A; }", true},
};

static void
test_registers(void **state)
{
	(void)state;
	compile_begin();
	const char *const commands[] = {"gcc -g", "clang -g"};
	for (gsize c = 0; c < G_N_ELEMENTS(commands); c++)
		for (gsize i = 0; can(commands[c]) && i < G_N_ELEMENTS(passings); i++) {
			hd_unit *unit = read_unit(commands[c], passings[i].declaration);
			if (hd_unit_function_named(unit, "f")->in_registers != passings[i].in_registers)
				fail_msg("%s: %s", commands[c], passings[i].declaration);
			hd_unit_free(unit);
		}
	compile_end();
}

/* ---- what cannot be read ---- */

static void
expect_error(GBytes *bytes, int code, const char *part)
{
	GError *error = NULL;
	assert_null(hd_unit_read_object(bytes, &error));
	assert_true(g_error_matches(error, HD_ERROR, code));
	if (!strstr(error->message, part))
		fail_msg("\"%s\" does not say \"%s\"", error->message, part);
	g_error_free(error);
	g_bytes_unref(bytes);
}

static void
test_unreadable(void **state)
{
	(void)state;
	compile_begin();
	expect_error(g_bytes_new_static("", 0), HD_ERROR_FORMAT, "not a relocatable ELF");
	expect_error(g_bytes_new_static("not an object", 13), HD_ERROR_FORMAT, "not a relocatable ELF");
	if (can("gcc")) {
		expect_error(compile_object("gcc -g0", "int a;"), HD_ERROR_FORMAT, "no debug information");
		expect_error(compile_object("gcc -g -gsplit-dwarf", "int a;"), HD_ERROR_UNSUPPORTED, "-gsplit-dwarf");
		assert_true(compile_run("gcc -g -shared -fPIC unit.c -o unit.so"));
		expect_error(compile_read("unit.so"), HD_ERROR_FORMAT, "not a relocatable ELF");
	}
	if (can("clang"))
		expect_error(compile_object("clang -g -gsplit-dwarf", "int a;"), HD_ERROR_UNSUPPORTED, "-gsplit-dwarf");
	const char *const reduced[] = {"gcc -g1 -O0", "gcc -g1 -O2", "clang -g1 -O0", "clang -g1 -O2"};
	for (gsize i = 0; i < G_N_ELEMENTS(reduced); i++)
		if (can(reduced[i]))
			expect_error(compile_object(reduced[i], "int a; int f(int b) { return a += b; }"),
				     HD_ERROR_UNSUPPORTED, "-g1");
	if (can("gcc"))
		expect_error(compile_object("gcc -g -fdebug-types-section", "struct s { int a; } s;"),
			     HD_ERROR_UNSUPPORTED, "-fdebug-types-section");
	if (can("tcc"))
		expect_error(compile_object("tcc -g", "int a;"), HD_ERROR_FORMAT, "no debug information");
	compile_end();
}

/* ---- memory that is not as declared ---- */

static void
test_common(void **state)
{
	(void)state;
	compile_begin();
	if (!can("gcc"))
		skip();
	hd_unit *old = read_unit("gcc -g -fcommon", "int a; int f(int b) { return a += b; }"),
		*now = read_unit("gcc -g -fcommon", "long a; int f(int b) { return a += b; }");
	const hd_unit_variable *a = hd_unit_variable_named(old, NULL, "a", 0);
	assert_false(a->located || a->declaration || a->scattered);
	/* It has memory all the same. */
	hd_verdict *verdict = hd_verdict_new(old, now);
	assert_int_equal(verdict->refusals->len, 1);
	hd_verdict_free(verdict);
	hd_unit_free(old);
	hd_unit_free(now);
	compile_end();
}

static void
test_scattered(void **state)
{
	(void)state;
	compile_begin();
	if (!can("clang"))
		skip();
	/* clang makes two variables of the struct, and a flag of one byte of the int. */
	hd_unit *unit = read_unit("clang -g -O2", "static struct { int a; long b; } pair; static int on;\n"
						  "int f(int n) { pair.a += n; return on ? pair.a : (int)pair.b; }\n"
						  "void g(long n) { pair.b += n; on = 1; }\n");
	const hd_unit_variable *pair = hd_unit_variable_named(unit, NULL, "pair", 0),
			       *on = hd_unit_variable_named(unit, NULL, "on", 0);
	assert_true(pair->scattered && !pair->located);
	assert_true(on->scattered && !on->located);
	hd_unit_free(unit);
	compile_end();
}

/* ---- variables of frames ---- */

static const char frames_text[] =
	"struct s { struct s *next; int n; }; void use(struct s *); int run(struct s *first, int times) { "
	"struct s *second = first->next, *volatile *row = (struct s *volatile *)first; int sum = 0; "
	"for (int i = 0; i < times; i++) { use(second); use(row[i]); sum += second->n; } return sum; } "
	"int other(void) { struct s pair[2] = {0}; use(pair); use(pair + 1); return pair[0].n; }";

/* How many bytes of the function's code have the variable in such a place. */
static guint64
covered(const hd_unit *unit, const char *function, const char *name, hd_local_place place)
{
	const hd_unit_function *f = hd_unit_function_named(unit, function);
	const GArray *locals = hd_unit_locals(unit);
	guint64 bytes = 0;
	for (guint i = 0; i < locals->len; i++) {
		const hd_unit_local *l = &g_array_index(locals, hd_unit_local, i);
		if (strcmp(l->function, function) != 0 || strcmp(l->name, name) != 0)
			continue;
		assert_int_equal(l->section, f->section);
		assert_true(l->start < l->end && l->start >= f->address && l->end <= f->address + f->size);
		if (l->place == place)
			bytes += l->end - l->start;
	}
	return bytes;
}

static void
check_locals(const char *command)
{
	hd_unit *unit = read_unit(command, frames_text);
	const GArray *locals = hd_unit_locals(unit);
	bool optimises = strstr(command, "-O2") != NULL, gcc = g_str_has_prefix(command, "gcc");
	hd_local_place memory = gcc ? HD_LOCAL_AT_CFA : HD_LOCAL_AT_REGISTER;
	const hd_unit_function *run = hd_unit_function_named(unit, "run");
	if (locals->len < 4)
		fail_msg("%s: %u places", command, locals->len);
	for (guint i = 0; i < locals->len; i++) {
		const hd_unit_local *l = &g_array_index(locals, hd_unit_local, i);
		if (strcmp(l->name, "sum") == 0 || strcmp(l->name, "times") == 0 || strcmp(l->name, "i") == 0)
			fail_msg("%s: %s is no pointer", command, l->name);
		if (i > 0 && l->section == l[-1].section)
			assert_true(l->start >= l[-1].start);
	}
	if (optimises) {
		/* Over a call, in a register that is the callee's to keep. */
		if (covered(unit, "run", "second", HD_LOCAL_IN_REGISTER) == 0)
			fail_msg("%s: second is in no register", command);
		if (covered(unit, "other", "pair", memory) == 0)
			fail_msg("%s: pair is nowhere", command);
	} else {
		assert_int_equal(covered(unit, "run", "first", memory), run->size);
		assert_int_equal(covered(unit, "run", "second", memory), run->size);
		assert_int_equal(covered(unit, "run", "second", HD_LOCAL_IN_REGISTER), 0);
	}
	hd_unit_free(unit);
}

static void
test_locals(void **state)
{
	(void)state;
	compile_begin();
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		if (can(compilers[i]))
			check_locals(compilers[i]);
	compile_end();
}

static void
test_faults(void **state)
{
	(void)state;
	compile_begin();
	if (!can("gcc"))
		skip();
	GBytes *bytes = compile_object("gcc -g", "int a;");
	expect_error(g_bytes_ref(bytes), HD_ERROR_FORMAT, "not a relocatable ELF"); /* types.object */
	expect_error(g_bytes_ref(bytes), HD_ERROR_FORMAT, "damaged");		    /* types.unit */
	hd_unit *unit = hd_unit_read_object(bytes, NULL);
	assert_non_null(unit);
	hd_unit_free(unit);
	g_bytes_unref(bytes);
	compile_end();
}

int
main(void)
{
	/* The faults' test must come first: they are counted over the whole process. */
	g_setenv("HOTDEV_FAULT", "types.object,types.unit", TRUE);
	const struct CMUnitTest tests[] = {
		{"injected faults are errors", test_faults, NULL, NULL, NULL},
		{"places are those of the symbols", test_places, NULL, NULL, NULL},
		{"variables, functions, static locals of inlined functions", test_contents, NULL, NULL, NULL},
		{"the same text has the same shapes with every compiler and level", test_invariance, NULL, NULL, NULL},
		{"where frames have their variables", test_locals, NULL, NULL, NULL},
		{"what travels in registers", test_registers, NULL, NULL, NULL},
		{"COMMON has memory and no place yet", test_common, NULL, NULL, NULL},
		{"what clang takes apart is not bound", test_scattered, NULL, NULL, NULL},
		{"what cannot be read is an error", test_unreadable, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
