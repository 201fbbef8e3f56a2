/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linked programs and libraries, as both compilers and the linker make them. */
#include "config.h"

#include "reloader/image/image.h"

#include "base/error.h"
#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char *const matrix[] = {
	"gcc -g -O0 -fPIE -pie",   "gcc -g -O2 -fno-pie -no-pie",   "gcc -g -gdwarf-4 -O2 -fPIE -pie",
	"clang -g -O0 -fPIE -pie", "clang -g -O2 -fno-pie -no-pie",
};

static const char main_c[] =
	"#include \"head.h\"\n"
	"#include <stdio.h>\n"
	"int visible = 7;\n"
	"static int zeroed[100];\n"
	"static const char *const names[] = {\"one\", \"two\"};\n"
	"int *to_visible = &visible;\n"
	"FILE **to_stdout = &stdout;\n"
	"int (*to_puts)(const char *) = puts;\n"
	"_Thread_local int per_thread = 3;\n"
	"_Thread_local char big[64] __attribute__((aligned(32)));\n"
	"__attribute__((visibility(\"hidden\"))) int concealed(int a) { return a + visible; }\n"
	"__attribute__((weak)) int weak_one(int a) { return a - visible; }\n"
	"__attribute__((noinline)) static int twice(int a) { zeroed[a & 63] += a; return a * 2; }\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	(void)argv;\n"
	"	puts(names[argc & 1]);\n"
	"	return twice(argc) + other(argc) + of_header(argc) + concealed(1) + weak_one(2) + per_thread + "
	"big[argc];\n"
	"}\n";
static const char other_c[] = "#include \"head.h\"\n"
			      "static int visible_too = 9;\n"
			      "__attribute__((noinline)) static int twice(int a) { visible_too += a; return a * 3; }\n"
			      "int other(int a) { return twice(a) + visible_too + of_header(a); }\n";
static const char asm_s[] = "	.text\n	.globl in_assembler\n	.type in_assembler, @function\n"
			    "in_assembler:\n	ret\n	.size in_assembler, .-in_assembler\n"
			    "	.section .note.GNU-stack,\"\",@progbits\n";

static bool
can(const char *command)
{
	char *program = g_strndup(command, strcspn(command, " "));
	bool found = compile_has(program);
	g_free(program);
	return found;
}

static void
write_sources(void)
{
	assert_true(compile_run("mkdir -p src inc"));
	compile_write("src/main.c", main_c);
	compile_write("src/other.c", other_c);
	compile_write("src/low.S", asm_s);
	/* Line tables name a header only where something of it was compiled. */
	compile_write("inc/head.h", "int other(int a);\n"
				    "static __attribute__((noinline)) int of_header(int a) { return a + 5; }\n");
}

static hd_image *
open_image(const char *name)
{
	GError *error = NULL;
	char *path = compile_path(name);
	hd_image *image = hd_image_open(path, &error);
	if (!image)
		fail_msg("%s", error->message);
	g_free(path);
	return image;
}

static const hd_image_unit *
unit_of(hd_image *image, const char *source)
{
	char *path = compile_path(source);
	const hd_image_unit *found = NULL;
	for (guint i = 0; i < hd_image_units(image)->len; i++) {
		const hd_image_unit *unit = hd_image_units(image)->pdata[i];
		if (strcmp(unit->source, path) == 0)
			found = unit;
	}
	if (!found)
		fail_msg("no unit %s", path);
	g_free(path);
	return found;
}

static bool
has_path(const GPtrArray *paths, const char *name)
{
	char *path = compile_path(name);
	bool found = false;
	for (guint i = 0; i < paths->len; i++)
		found |= strcmp(paths->pdata[i], path) == 0;
	g_free(path);
	return found;
}

static const hd_image_symbol *
function_of(hd_image *image, const hd_image_unit *unit, const char *name)
{
	const GPtrArray *functions = hd_image_unit_functions(image, unit);
	for (guint i = 0; i < functions->len; i++)
		if (strcmp(((const hd_image_symbol *)functions->pdata[i])->name, name) == 0)
			return functions->pdata[i];
	return NULL;
}

/* ---- one program in every way ---- */

static void
check_units(hd_image *image)
{
	const hd_image_unit *unit = unit_of(image, "src/main.c"), *other = unit_of(image, "src/other.c");
	char *directory = compile_path("src");
	assert_true(unit->is_c && other->is_c);
	assert_false(unit->lto || unit->limit);
	assert_false(unit_of(image, "src/low.S")->is_c);
	assert_string_equal(unit->directory, directory);
	const hd_command_hints *hints = hd_image_unit_hints(image, unit);
	assert_string_equal(hints->source, unit->source);
	assert_true(has_path(hints->files, "src/main.c") && has_path(hints->files, "inc/head.h"));
	assert_true(has_path(hints->include_directories, "inc"));
	assert_ptr_equal(hints, hd_image_unit_hints(image, unit));
	/* Two functions of one name, each in its own unit. */
	const hd_image_symbol *twice = function_of(image, unit, "twice"), *thrice = function_of(image, other, "twice");
	assert_non_null(twice);
	assert_non_null(thrice);
	assert_true(twice->local && thrice->local && twice->address != thrice->address);
	assert_non_null(function_of(image, unit_of(image, "src/low.S"), "in_assembler"));
	assert_null(function_of(image, unit, "other"));
	const hd_unit *details = hd_image_unit_details(image, unit, NULL);
	assert_non_null(details);
	assert_int_equal(hd_unit_function_named(details, "twice")->address, twice->address);
	g_free(directory);
}

static void
check_symbols(hd_image *image)
{
	const hd_image_symbol *concealed = hd_image_global(image, "concealed"),
			      *weak = hd_image_global(image, "weak_one");
	assert_true(concealed->hidden && !concealed->local && concealed->kind == HD_SYMBOL_FUNCTION);
	assert_true(weak->weak && !weak->local);
	assert_null(hd_image_global(image, "twice"));
	assert_null(hd_image_global(image, "nothing of this name"));
	assert_int_equal(hd_image_global(image, "per_thread")->kind, HD_SYMBOL_TLS);
	assert_ptr_equal(hd_image_symbol_at(image, concealed->address + concealed->size - 1), concealed);
	assert_ptr_not_equal(hd_image_symbol_at(image, concealed->address + concealed->size), concealed);
	GPtrArray *there = hd_image_symbols_starting_at(image, concealed->address);
	assert_int_equal(there->len, 1);
	g_ptr_array_unref(there);
	assert_true(hd_image_room(image, concealed->address) >= concealed->size);
	assert_int_equal(hd_image_room(image, hd_image_global(image, "visible")->address), 0);
	assert_true(hd_image_tls_size(image) >= 68);
	assert_int_equal(hd_image_tls_alignment(image), 32);
}

static guint64
resolve_for_test(const char *symbol, void *data)
{
	(void)data;
	return strcmp(symbol, "stdout") == 0 ? 0x1111 : strcmp(symbol, "puts") == 0 ? 0x2222 : 0;
}

static guint64
initial_word(hd_image *image, const char *name, guint64 bias)
{
	guint64 word = 0;
	const hd_image_symbol *symbol = hd_image_global(image, name);
	assert_true(hd_image_initial(image, symbol->address, 8, bias, resolve_for_test, NULL, (guint8 *)&word));
	return word;
}

static void
check_bytes(hd_image *image)
{
	const guint64 bias = hd_image_is_pie(image) ? 0x555500000000 : 0;
	const hd_image_symbol *visible = hd_image_global(image, "visible");
	int value = -1;
	assert_true(hd_image_bytes(image, visible->address, sizeof value, (guint8 *)&value));
	assert_int_equal(value, 7);
	assert_true(initial_word(image, "to_visible", bias) == visible->address + bias);
	/* Where a program copies a library's variable, or has the entry to its
	 * functions, the address is its own; elsewhere the loader finds it. */
	const hd_image_symbol *copied = hd_image_exported(image, "stdout"), *entry = hd_image_exported(image, "puts");
	assert_true(initial_word(image, "to_stdout", bias) == (copied ? copied->address + bias : 0x1111));
	assert_true(initial_word(image, "to_puts", bias) == (entry ? entry->address + bias : 0x2222));
	const hd_unit *details = hd_image_unit_details(image, unit_of(image, "src/main.c"), NULL);
	const hd_unit_variable *zeroed = hd_unit_variable_named(details, NULL, "zeroed", 0);
	guint8 zeros[400];
	memset(zeros, 1, sizeof zeros);
	assert_int_equal(zeroed->size, sizeof zeros);
	assert_true(hd_image_bytes(image, zeroed->address, sizeof zeros, zeros));
	for (gsize i = 0; i < sizeof zeros; i++)
		assert_int_equal(zeros[i], 0);
	/* One part of a word that the loader fills. */
	guint8 byte = 0;
	guint64 place = hd_image_global(image, "to_visible")->address;
	assert_true(hd_image_initial(image, place + 1, 1, bias, NULL, NULL, &byte));
	assert_int_equal(byte, (visible->address + bias) >> 8 & 0xff);
	assert_false(hd_image_bytes(image, hd_image_high(image), 1, zeros));
	assert_false(hd_image_bytes(image, visible->address, G_MAXUINT64, zeros));
	assert_false(hd_image_initial(image, visible->address, G_MAXUINT64, bias, NULL, NULL, zeros));
}

static void
test_program(void **state)
{
	(void)state;
	guint tried = 0;
	compile_begin();
	write_sources();
	for (gsize i = 0; i < G_N_ELEMENTS(matrix); i++) {
		if (!can(matrix[i]))
			continue;
		tried++;
		assert_true(compile_run("cd src && %s -I../inc main.c other.c low.S -o ../program", matrix[i]));
		hd_image *image = open_image("program");
		assert_int_equal(hd_image_is_pie(image), strstr(matrix[i], "-no-pie") == NULL);
		assert_false(hd_image_is_static(image));
		assert_true(hd_image_has_symbols(image));
		assert_true(hd_image_entry(image) >= hd_image_low(image) &&
			    hd_image_entry(image) < hd_image_high(image));
		check_units(image);
		check_symbols(image);
		check_bytes(image);
		hd_image_unref(image);
	}
	compile_end();
	if (tried == 0)
		skip();
}

/* ---- clones ---- */

static void
test_clones(void **state)
{
	(void)state;
	static const char text[] =
		"#include <stdlib.h>\n"
		"int seen;\n"
		"__attribute__((noinline)) static int scaled(int a, int by) { return seen += a * by; }\n"
		"int use(int a) { if (__builtin_expect(a < 0, 0)) { seen--; abort(); } return scaled(a, 3) + scaled(a "
		"+ 1, 3); }\n"
		"int main(int argc, char **argv) { (void)argv; return use(argc) != 99; }\n";
	compile_begin();
	if (!can("gcc"))
		skip();
	compile_write("a.c", text);
	assert_true(compile_run("gcc -g -O2 a.c -o program"));
	hd_image *image = open_image("program");
	const hd_image_unit *unit = unit_of(image, "a.c");
	assert_non_null(function_of(image, unit, "scaled.constprop.0"));
	assert_non_null(function_of(image, unit, "use.cold"));
	/* Nothing is at the place of the function itself: only its clone was built. */
	const hd_unit *details = hd_image_unit_details(image, unit, NULL);
	assert_false(hd_unit_function_named(details, "scaled")->located);
	const hd_unit_function *use = hd_unit_function_named(details, "use");
	assert_true(use->located);
	assert_int_equal(use->address, hd_image_global(image, "use")->address);
	hd_image_unref(image);
	compile_end();
}

/* ---- a shared library: versions, IFUNC, RELR, TLS ---- */

static void
test_library(void **state)
{
	(void)state;
	static const char text[] =
		"static int old_impl(int a) { return a; }\n"
		"static int new_impl(int a) { return a + 1; }\n"
		"int f_old(int a) { return old_impl(a); }\n"
		"int f_new(int a) { return new_impl(a); }\n"
		"__asm__(\".symver f_old,f@V1\");\n"
		"__asm__(\".symver f_new,f@@V2\");\n"
		"int local_by_script(int a) { return a; }\n"
		"int gone(int a) { return a; }\n"
		"__asm__(\".symver gone,gone@V1\");\n"
		"static int choice(int a) { return a * 2; }\n"
		"static void *resolver(void) { return choice; }\n"
		"__attribute__((visibility(\"hidden\"))) int chosen(int) __attribute__((ifunc(\"resolver\")));\n"
		"int call(int a) { return chosen(a) + local_by_script(a); }\n"
		"static _Thread_local int counter = 1;\n"
		"int count(void) { return counter++; }\n"
		"static int a, b, c, d;\n"
		"int *const table[] = {&a, &b, &c, &d, &a, &b, &c, &d};\n"
		"int *writable[] = {&d, &c, &b, &a};\n";
	compile_begin();
	if (!can("gcc"))
		skip();
	compile_write("lib.c", text);
	compile_write("other.c", "int unrelated(void) { return 1; }\n");
	compile_write("lib.map", "V1 { global: f; gone; unrelated; local: local_by_script; };\n"
				 "V2 { global: f; call; count; table; writable; } V1;\n");
	assert_true(compile_run(
		"gcc -g -O1 -fno-inline -fPIC -shared lib.c other.c -Wl,--version-script=lib.map -o lib.so"));
	hd_image *image = open_image("lib.so");
	assert_true(hd_image_is_pie(image));
	assert_false(hd_image_is_static(image));
	assert_non_null(hd_image_exported(image, "f"));
	assert_true(hd_image_exported(image, "f")->address == hd_image_global(image, "f_new")->address ||
		    hd_image_exported(image, "f")->address == hd_image_global(image, "f")->address);
	assert_null(hd_image_exported(image, "gone"));
	assert_null(hd_image_exported(image, "local_by_script"));
	assert_non_null(hd_image_global(image, "local_by_script"));
	assert_true(hd_image_global(image, "local_by_script")->hidden);
	assert_non_null(hd_image_exported(image, "unrelated"));
	assert_true(hd_image_tls_module_word(image) != 0);
	const hd_image_symbol *chosen = hd_image_global(image, "chosen");
	assert_int_equal(chosen->kind, HD_SYMBOL_IFUNC);
	assert_true(hd_image_ifunc_word(image, chosen->address) != 0);
	assert_true(hd_image_ifunc_word(image, chosen->address + 1) == 0);
	hd_image_unref(image);
	compile_end();
}

static void
test_relr(void **state)
{
	(void)state;
	compile_begin();
	compile_write("lib.c", "static int a[40];\n"
			       "int *table[] = {a, a + 1, a + 2, a + 3, 0, a + 5, a + 6};\n"
			       "char gap[600] = {1};\n"
			       "int *far[] = {a + 8, a + 9};\n");
	if (!can("gcc") ||
	    !compile_run("gcc -g -fPIC -shared lib.c -Wl,-z,pack-relative-relocs -o lib.so 2>/dev/null")) {
		compile_end();
		print_message("# no linker that packs relative relocations\n");
		skip();
	}
	hd_image *image = open_image("lib.so");
	const hd_unit *unit = hd_image_unit_details(image, hd_image_units(image)->pdata[0], NULL);
	guint64 base = hd_unit_variable_named(unit, NULL, "a", 0)->address + 0x10000, words[7];
	const hd_image_symbol *table = hd_image_global(image, "table"), *far = hd_image_global(image, "far");
	assert_true(hd_image_initial(image, table->address, sizeof words, 0x10000, NULL, NULL, (guint8 *)words));
	for (guint i = 0; i < 7; i++)
		assert_int_equal(words[i], i == 4 ? 0 : base + i * 4);
	assert_true(hd_image_initial(image, far->address, 16, 0x10000, NULL, NULL, (guint8 *)words));
	assert_int_equal(words[1], base + 36);
	hd_image_unref(image);
	compile_end();
}

static void
test_copied(void **state)
{
	(void)state;
	compile_begin();
	if (!can("gcc"))
		skip();
	compile_write("lib.c", "long shared[4] = {1, 2, 3, 4};\n");
	compile_write("main.c", "extern long shared[4]; int main(void) { return shared[1] != 2; }\n");
	assert_true(compile_run("gcc -g -shared -fPIC lib.c -o libcopied.so && "
				"gcc -g -fno-pie -no-pie main.c -L. -lcopied -o program"));
	hd_image *image = open_image("program");
	const hd_image_symbol *shared = hd_image_exported(image, "shared");
	guint8 bytes[32];
	assert_non_null(shared);
	assert_false(hd_image_initial(image, shared->address, 32, 0, NULL, NULL, bytes));
	assert_false(hd_image_initial(image, shared->address + 24, 8, 0, NULL, NULL, bytes));
	hd_image_unref(image);
	compile_end();
}

/* ---- what cannot be reloaded, and says so ---- */

static void
expect_error(const char *name, int code)
{
	GError *error = NULL;
	char *path = compile_path(name);
	assert_null(hd_image_open(path, &error));
	if (!g_error_matches(error, HD_ERROR, code))
		fail_msg("%s: %d, not %d: %s", name, error->code, code, error->message);
	assert_non_null(strstr(error->message, name));
	g_error_free(error);
	g_free(path);
}

static void
test_bad_files(void **state)
{
	(void)state;
	compile_begin();
	compile_write("text", "not a program");
	compile_write("empty", "");
	expect_error("missing", HD_ERROR_IO);
	expect_error("text", HD_ERROR_FORMAT);
	expect_error("empty", HD_ERROR_FORMAT);
	assert_true(compile_run("mkdir folder && mkfifo pipe"));
	expect_error("folder", HD_ERROR_FORMAT);
	expect_error("pipe", HD_ERROR_FORMAT);
	compile_write("a.c", "int main(void) { return 0; }\n");
	if (can("gcc")) {
		assert_true(compile_run("gcc -g -c a.c -o object.o"));
		expect_error("object.o", HD_ERROR_UNSUPPORTED);
	}
	compile_end();
}

static void
test_limits(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (!can("gcc"))
		skip();
	assert_true(compile_run("cd src && gcc -I../inc main.c other.c -o ../bare"));
	hd_image *image = open_image("bare");
	assert_int_equal(hd_image_units(image)->len, 0);
	assert_true(hd_image_has_symbols(image));
	hd_image_unref(image);

	assert_true(compile_run("cp bare stripped && strip stripped"));
	image = open_image("stripped");
	assert_false(hd_image_has_symbols(image));
	hd_image_unref(image);

	assert_true(compile_run("cd src && gcc -g -static -I../inc main.c other.c -o ../static"));
	image = open_image("static");
	assert_true(hd_image_is_static(image));
	hd_image_unref(image);
	assert_true(compile_run("cd src && gcc -g -static-pie -fPIE -I../inc main.c other.c -o ../static"));
	image = open_image("static");
	assert_true(hd_image_is_static(image) && hd_image_is_pie(image));
	hd_image_unref(image);

	GError *error = NULL;
	assert_true(compile_run("cd src && gcc -g -gsplit-dwarf -I../inc main.c other.c -o ../split"));
	image = open_image("split");
	assert_true(hd_image_units(image)->len >= 2);
	const hd_image_unit *unit = hd_image_units(image)->pdata[0];
	assert_non_null(strstr(unit->limit, "-gsplit-dwarf"));
	assert_null(hd_image_unit_details(image, unit, &error));
	assert_true(g_error_matches(error, HD_ERROR, HD_ERROR_UNSUPPORTED));
	g_error_free(error);
	hd_image_unref(image);
	compile_end();
}

static void
check_lto(const char *command, bool expected)
{
	assert_true(compile_run("cd src && %s -I../inc main.c other.c -o ../lto", command));
	hd_image *image = open_image("lto");
	guint marked = 0;
	for (guint i = 0; i < hd_image_units(image)->len; i++)
		marked += ((const hd_image_unit *)hd_image_units(image)->pdata[i])->lto;
	if ((marked > 0) != expected)
		fail_msg("%s: %u of %u units marked", command, marked, hd_image_units(image)->len);
	hd_image_unref(image);
}

static void
test_lto(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (can("gcc")) {
		check_lto("gcc -g -O2 -flto", true);
		check_lto("gcc -g -O2 -flto=auto -ffat-lto-objects", true);
		check_lto("gcc -g -O2 -flto -fno-lto", false);
		assert_true(compile_run("cd src && gcc -g -O2 -flto -ffat-lto-objects -I../inc -c main.c other.c && "
					"gcc -fno-lto main.o other.o -o ../fat"));
		hd_image *image = open_image("fat");
		assert_false(unit_of(image, "src/main.c")->lto);
		hd_image_unref(image);
	}
	if (can("clang") && compile_run("cd src && clang -g -O2 -flto -I../inc main.c other.c -o ../lto 2>/dev/null")) {
		check_lto("clang -g -O2 -flto", true);
		check_lto("clang -g -O2", false);
	}
	compile_end();
}

static void
test_separate_debug_file(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (!can("gcc") || !can("objcopy"))
		skip();
	assert_true(compile_run("cd src && gcc -g -Wl,--build-id -I../inc main.c other.c -o ../program && cd .. && "
				"objcopy --only-keep-debug program program.debug && strip program && "
				"objcopy --add-gnu-debuglink=program.debug program"));
	hd_image *image = open_image("program");
	assert_true(hd_image_has_symbols(image));
	assert_non_null(function_of(image, unit_of(image, "src/main.c"), "twice"));
	hd_image_unref(image);
	/* One of another build does not count. */
	assert_true(compile_run("cd src && gcc -g -O1 -Wl,--build-id -I../inc main.c other.c -o ../another && cd .. && "
				"objcopy --only-keep-debug another program.debug"));
	image = open_image("program");
	assert_int_equal(hd_image_units(image)->len, 0);
	hd_image_unref(image);
	compile_end();
}

/* dwz moves what units have in common to partial units, perhaps of another file. */
static void
test_dwz(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (!can("gcc") || !can("dwz")) {
		compile_end();
		print_message("# dwz is not installed\n");
		skip();
	}
	assert_true(
		compile_run("cd src && gcc -g -O2 -I../inc main.c other.c low.S -o ../one && cd .. && cp one two && "
			    "dwz -m shared.debug one two"));
	hd_image *image = open_image("one");
	check_units(image);
	check_bytes(image);
	hd_image_unref(image);
	compile_end();
}

/* What the linker left out has no place. */
static void
test_left_out(void **state)
{
	(void)state;
	compile_begin();
	if (!can("gcc"))
		skip();
	compile_write("a.c", "int unused(int a) { return a; }\nint nowhere = 3;\nint main(void) { return 0; }\n");
	assert_true(compile_run("gcc -g -ffunction-sections -fdata-sections -Wl,--gc-sections a.c -o program"));
	hd_image *image = open_image("program");
	const hd_unit *unit = hd_image_unit_details(image, unit_of(image, "a.c"), NULL);
	assert_false(hd_unit_function_named(unit, "unused")->located);
	assert_true(hd_unit_function_named(unit, "main")->located);
	assert_false(hd_unit_variable_named(unit, NULL, "nowhere", 0)->located);
	hd_image_unref(image);
	compile_end();
}

static void
test_faults(void **state)
{
	(void)state;
	compile_begin();
	compile_write("a.c", "int main(void) { return 0; }\n");
	if (!can("gcc"))
		skip();
	assert_true(compile_run("gcc -g a.c -o program"));
	expect_error("program", HD_ERROR_IO);	  /* image.open */
	expect_error("program", HD_ERROR_FORMAT); /* image.elf */
	hd_image_unref(open_image("program"));
	compile_end();
}

static void
test_one_source_twice(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (!can("gcc"))
		skip();
	assert_true(compile_run(
		"cd src && gcc -g -I../inc -c main.c && gcc -g -I../inc -c other.c -o one.o && "
		"gcc -g -I../inc -Dother=another -c other.c -o two.o && gcc main.o one.o two.o -o ../program"));
	hd_image *image = open_image("program");
	guint found = 0;
	for (guint i = 0; i < hd_image_units(image)->len; i++)
		found += g_str_has_suffix(((const hd_image_unit *)hd_image_units(image)->pdata[i])->source, "/other.c");
	assert_int_equal(found, 2);
	hd_image_unref(image);
	compile_end();
}

/* ---- damage ---- */

static void
use(hd_image *image)
{
	guint8 bytes[64];
	for (guint i = 0; i < hd_image_units(image)->len; i++) {
		const hd_image_unit *unit = hd_image_units(image)->pdata[i];
		(void)hd_image_unit_hints(image, unit);
		(void)hd_image_unit_functions(image, unit);
		(void)hd_image_unit_details(image, unit, NULL);
	}
	(void)hd_image_exported(image, "main");
	guint64 low = hd_image_low(image), high = hd_image_high(image), step = MAX((high - low) / 50, 1);
	for (guint i = 0; i < 50; i++) {
		(void)hd_image_bytes(image, low + i * step, sizeof bytes, bytes);
		(void)hd_image_initial(image, low + i * step, sizeof bytes, 0x10000, resolve_for_test, NULL, bytes);
		(void)hd_image_symbol_at(image, low + i * step);
		(void)hd_image_room(image, low + i * step);
	}
	(void)hd_image_tls_module_word(image);
}

static void
try_damaged(gpointer content, gsize size)
{
	GError *error = NULL;
	char *path = compile_path("damaged");
	assert_true(g_file_set_contents(path, content, (gssize)size, NULL));
	hd_image *image = hd_image_open(path, &error);
	assert_true((image != NULL) == (error == NULL));
	if (image)
		use(image);
	hd_image_unref(image);
	g_clear_error(&error);
	g_free(content);
	g_free(path);
}

static void
test_damaged(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (!can("gcc"))
		skip();
	const char *rounds = g_getenv("HOTDEV_ROUNDS"), *seed = g_getenv("HOTDEV_SEED");
	guint n = rounds ? (guint)strtoul(rounds, NULL, 10) : 300;
	assert_true(compile_run("cd src && gcc -g -O2 -I../inc main.c other.c low.S -o ../program"));
	GBytes *bytes = compile_read("program");
	gsize size = g_bytes_get_size(bytes);
	GRand *random = g_rand_new_with_seed(seed ? (guint32)strtoul(seed, NULL, 10) : 20260101);
	for (guint i = 0; i < n; i++) {
		guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), size);
		/* Headers, the ends (section headers), and anywhere. */
		for (guint f = 0; f < 6; f++) {
			gsize from = f % 3 == 1 ? size - 3000 : 0, to = f % 3 == 0 ? 1000 : size;
			copy[g_rand_int_range(random, (gint32)from, (gint32)to)] ^=
				(guint8)(1 << g_rand_int_range(random, 0, 8));
			if (i % 3 == 0)
				break;
		}
		try_damaged(copy, size);
	}
	for (guint i = 0; i < n / 3; i++) {
		gsize length = (gsize)g_rand_int_range(random, 0, (gint32)size);
		try_damaged(g_memdup2(g_bytes_get_data(bytes, NULL), length), length);
	}
	g_rand_free(random);
	g_bytes_unref(bytes);
	compile_end();
}

/* The file that was opened is read, whatever comes to stand under its name. */
static void
test_replaced(void **state)
{
	(void)state;
	compile_begin();
	write_sources();
	if (!can("gcc"))
		skip();
	assert_true(compile_run("cd src && gcc -g -I../inc main.c other.c -o ../program"));
	hd_image *image = open_image("program");
	const hd_image_unit *unit = unit_of(image, "src/main.c");
	assert_true(compile_run("rm program && echo new > program"));
	assert_non_null(hd_image_unit_details(image, unit, NULL));
	int value = 0;
	assert_true(hd_image_bytes(image, hd_image_global(image, "visible")->address, sizeof value, (guint8 *)&value));
	assert_int_equal(value, 7);
	hd_image_unref(image);
	/* Cut short while it is open: an answer or an error. */
	assert_true(compile_run("cd src && gcc -g -I../inc main.c other.c -o ../program"));
	image = open_image("program");
	assert_true(compile_run("truncate -s 100 program"));
	use(image);
	hd_image_unref(image);
	compile_end();
}

int
main(void)
{
	/* The faults' test must come first: they are counted over the whole process. */
	g_setenv("HOTDEV_FAULT", "image.open,image.elf", TRUE);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_dwz),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_clones),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_relr),
		cmocka_unit_test(test_copied),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_lto),
		cmocka_unit_test(test_separate_debug_file),
		cmocka_unit_test(test_one_source_twice),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
