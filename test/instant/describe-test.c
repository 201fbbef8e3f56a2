/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libtcc compiled, described: read back by libdw, every line is where its code is; single-stepped, every
 * instruction's frame unwinds; and nothing else of the object has changed. */
#include "config.h"

#include "reloader/instant/describe.h"

#include "base/error.h"
#include "reloader/instant/tcc.h"
#include "reloader/types/unit.h"
#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* A statement on the line that it names: the number is found in the code again. */
#define MARK "mark = 0x5a%06d;"

/* The file that a marked line is in, by its hundred thousands. */
static const char *const files[] = {"/version/1/mod.c", "/home/gram.y", "/project/inc/own.h"};

static int
begin(void **state)
{
	(void)state;
	compile_begin();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	compile_end();
	return 0;
}

/* ---- libtcc ---- */

static void
take_object(const hd_tcc_answer *answer, void *data)
{
	if (!answer->good)
		fail_msg("libtcc: %s", answer->messages);
	*(GBytes **)data = g_bytes_new(answer->text, answer->size);
}

/* As hotdev has it compiled: the source is known by its last name. */
static GBytes *
compiled(const char *text)
{
	hd_tcc *tcc = hd_tcc_new("reloader/instant/hotdev-tcc");
	hd_tcc_question *question = hd_tcc_question_new(HD_WIRE_COMPILE);
	hd_tcc_question_add(question, HD_WIRE_FOLDER, "/", -1);
	hd_tcc_question_add(question, HD_WIRE_SOURCE, "mod.c", -1);
	hd_tcc_question_add(question, HD_WIRE_OPTION, "-g -std=c11", -1);
	hd_tcc_question_add(question, HD_WIRE_PATH, "mod.c", -1);
	hd_tcc_question_add(question, HD_WIRE_TEXT, text, -1);
	GBytes *object = NULL;
	hd_tcc_ask(tcc, question, take_object, &object);
	while (!object)
		g_main_context_iteration(NULL, TRUE);
	hd_tcc_free(tcc);
	return object;
}

static guint
line_of(const char *function, void *data)
{
	(void)data;
	return strcmp(function, "far") == 0 ? 170000 : strcmp(function, "crossing") == 0 ? 65533 : 0;
}

static const hd_description described = {"/project", "src/mod.c", "/version/1/mod.c", line_of, NULL};

static GBytes *
describe(GBytes *object, const hd_description *description)
{
	GError *error = NULL;
	GBytes *result = hd_describe(object, description, &error);
	if (!result)
		fail_msg("%s", error->message);
	return result;
}

static hd_unit *
read_unit(GBytes *object)
{
	GError *error = NULL;
	hd_unit *unit = hd_unit_read_object(object, &error);
	if (!unit)
		fail_msg("%s", error->message);
	return unit;
}

/* ---- lines ---- */

/* Text whose lines are counted while it is written. */
typedef struct {
	GString *text;
	guint line; /* of the next statement */
	guint marks;
} writer;

static void
add(writer *w, const char *line)
{
	g_string_append_printf(w->text, "%s\n", line);
	w->line++;
}

static void
add_mark(writer *w, guint file)
{
	char *statement = g_strdup_printf("\t" MARK, file * 100000 + w->line % 100000);
	add(w, statement);
	g_free(statement);
	w->marks++;
}

static void
go_to(writer *w, guint line, const char *file)
{
	g_string_append_printf(w->text, "# %u \"%s\"\n", line, file);
	w->line = line;
}

static writer
marked_text(void)
{
	writer w = {g_string_new(NULL), 1, 0};
	go_to(&w, 10, "src/mod.c");
	add(&w, "extern int mark; void other(int); void *alloca(unsigned long);");
	add(&w, "static int small(void) {");
	add_mark(&w, 0);
	add(&w, "\treturn 3; }");
	add(&w, "int");
	add(&w, "loop(int n)");
	add(&w, "{");
	add(&w, "\tfor (int i = 0;");
	add(&w, "\t     i < n; i++) {");
	add_mark(&w, 0);
	add(&w, "\t\tif (i == 7)");
	add_mark(&w, 0);
	add(&w, "\t\tother(sizeof(({ int x = n; x; })));");
	add_mark(&w, 0);
	add(&w, "\t}");
	add_mark(&w, 0);
	go_to(&w, 5, "/home/gram.y");
	add_mark(&w, 1);
	add_mark(&w, 1);
	go_to(&w, 40, "src/mod.c");
	add_mark(&w, 0);
	add(&w, "\treturn small();");
	add(&w, "}");
	go_to(&w, 3, "/project/inc/own.h");
	add(&w, "static int from_header(int a) {");
	add_mark(&w, 2);
	add(&w, "return a; }");
	go_to(&w, 90, "src/mod.c");
	add(&w, "int caller(int a, ...) { char big[100000]; big[a] = 1;");
	add_mark(&w, 0);
	add(&w, "\treturn from_header(big[a]); } int one(void) { return 1; } int two(void) { return 2; }");
	go_to(&w, 65533, "src/mod.c");
	add(&w, "void crossing(void) {");
	add_mark(&w, 0);
	add_mark(&w, 0);
	add_mark(&w, 0);
	add_mark(&w, 0);
	add(&w, "}");
	go_to(&w, 170000, "src/mod.c");
	add(&w, "void far(void)");
	add(&w, "{");
	add_mark(&w, 0);
	add(&w, "}");
	return w;
}

/* far's lines are beyond what a mark's digits say. */
static guint
line_of_mark(guint mark)
{
	return mark % 100000 + (mark % 100000 > 69999 ? 100000 : 0);
}

static guint
check_marks(const hd_unit *unit, GBytes *object)
{
	hd_elf_view view;
	assert_true(hd_elf_view_init(&view, object, NULL));
	const hd_elf_section *code = &view.sections[1];
	assert_string_equal(code->name, ".text");
	guint found = 0;
	for (guint64 at = 0; at + 4 <= code->size; at++) {
		guint32 value;
		memcpy(&value, code->bytes + at, sizeof value);
		if (value >> 24 != 0x5a || !at || code->bytes[at - 1] != 0xb8) /* mov $value,%eax */
			continue;
		/* MARK's digits are decimal, written where hexadecimal ones stand. */
		char digits[8];
		g_snprintf(digits, sizeof digits, "%06x", value & 0xffffff);
		guint mark = (guint)g_ascii_strtoull(digits, NULL, 10);
		hd_position where = {0};
		assert_true(hd_unit_line(unit, 1, at, &where));
		assert_int_equal(where.line, line_of_mark(mark));
		assert_string_equal(where.file, files[mark / 100000]);
		hd_position_clear(&where);
		found++;
	}
	hd_elf_view_clear(&view);
	return found;
}

static void
test_every_line_is_where_its_code_is(void **state)
{
	(void)state;
	writer w = marked_text();
	GBytes *object = compiled(w.text->str), *result = describe(object, &described);
	hd_unit *unit = read_unit(result);
	assert_int_equal(check_marks(unit, result), w.marks);
	hd_unit_free(unit);
	g_bytes_unref(result);
	g_bytes_unref(object);
	g_string_free(w.text, TRUE);
}

static void
check_function(const hd_unit *unit, const hd_elf_view *view, const char *name, const char *file, int line)
{
	const hd_unit_function *function = hd_unit_function_named(unit, name);
	assert_non_null(function);
	assert_string_equal(function->where.file, file);
	assert_int_equal(function->where.line, line);
	for (guint i = 0; i < view->n_symbols; i++) {
		const hd_elf_symbol *symbol = &view->symbols[i];
		if (strcmp(symbol->name, name) != 0)
			continue;
		assert_true(function->located && function->section == symbol->section);
		assert_int_equal(function->address, symbol->value);
		assert_int_equal(function->size, symbol->size);
		assert_int_equal(function->external, symbol->binding == STB_GLOBAL);
		hd_position where = {0};
		assert_true(hd_unit_line(unit, symbol->section, symbol->value, &where));
		assert_int_equal(where.line, line);
		hd_position_clear(&where);
		return;
	}
	fail_msg("%s has no symbol", name);
}

static void
test_every_function_has_name_place_and_line(void **state)
{
	(void)state;
	writer w = marked_text();
	GBytes *object = compiled(w.text->str), *result = describe(object, &described);
	hd_unit *unit = read_unit(result);
	hd_elf_view view;
	assert_true(hd_elf_view_init(&view, result, NULL));
	check_function(unit, &view, "small", files[0], 11);
	check_function(unit, &view, "loop", files[0], 16);
	check_function(unit, &view, "from_header", files[2], 3);
	check_function(unit, &view, "caller", files[0], 90);
	/* three functions end and begin in one line */
	check_function(unit, &view, "one", files[0], 92);
	check_function(unit, &view, "two", files[0], 92);
	check_function(unit, &view, "crossing", files[0], 65533);
	check_function(unit, &view, "far", files[0], 170001);
	hd_elf_view_clear(&view);
	hd_unit_free(unit);
	g_bytes_unref(result);
	g_bytes_unref(object);
	g_string_free(w.text, TRUE);
}

/* A name in #line is the program's, relative to where the compiler ran; libtcc puts the source's folder before it. */
static void
test_names_in_line_directives_are_as_written(void **state)
{
	(void)state;
	compile_run("mkdir -p src && touch gram.y src/here.y");
	char *folder = compile_path(".");
	hd_description description = {folder, "src/mod.c", NULL, NULL, NULL};
	static const struct {
		const char *said, *meant;
	} names[] = {{"src/gram.y", "gram.y"},
		     {"src/here.y", "src/here.y"},
		     {"src//abs/gram.y", "/abs/gram.y"},
		     {"src/gone.y", "src/gone.y"},
		     {"src/mod.c", "src/mod.c"}};
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		char *text = g_strdup_printf("# 4 \"%s\"\nint f(void)\n{\n\treturn 1;\n}\n", names[i].said);
		GBytes *object = compiled(text), *result = describe(object, &description);
		hd_unit *unit = read_unit(result);
		char *meant = g_canonicalize_filename(names[i].meant, folder);
		assert_string_equal(hd_unit_function_named(unit, "f")->where.file, meant);
		g_free(meant);
		hd_unit_free(unit);
		g_bytes_unref(result);
		g_bytes_unref(object);
		g_free(text);
	}
	g_free(folder);
}

/* ---- frames ---- */

/* Prologues, epilogues and what moves the stack in between; int3 on either side. */
static const char stepped[] = "int mark; void *alloca(unsigned long);\n"
			      "static int small(int n) { return n + 1; }\n"
			      "int rest(int n, ...) { return small(n); }\n"
			      "int stepped(int n) {\n"
			      "	char big[n * 8 + 5000]; big[n] = 1;\n"
			      "	for (int i = 0; i < 3; i++) mark += rest(i, 1.5, i, i, i, i, i, i, i);\n"
			      "	return n > 0 ? stepped(n - 1) + big[n] : small(mark);\n"
			      "}\n";
static const char driver[] = "int stepped(int n);\n"
			     "int main(void) { __asm__ volatile(\"int3\"); int n = stepped(2);\n"
			     "__asm__ volatile(\"int3\"); return n != 21; }\n";

typedef struct {
	pid_t pid;
	Elf *elf;
	Dwarf_CFI *cfi;
	guint64 low, high; /* of libtcc's code */
} stepping;

static guint64
word_at(const stepping *s, guint64 address)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKDATA, s->pid, address, 0);
	assert_int_equal(errno, 0);
	return (guint64)word;
}

/* Register plus offset, or what is saved there. */
static guint64
evaluate(const Dwarf_Op *ops, size_t count, const guint64 *registers, guint64 cfa)
{
	guint64 value = 0;
	for (size_t i = 0; i < count; i++)
		if (ops[i].atom >= DW_OP_breg0 && ops[i].atom <= DW_OP_breg31)
			value = registers[ops[i].atom - DW_OP_breg0] + ops[i].number;
		else if (ops[i].atom == DW_OP_bregx)
			value = registers[ops[i].number] + ops[i].number2;
		else if (ops[i].atom == DW_OP_call_frame_cfa)
			value = cfa;
		else if (ops[i].atom == DW_OP_plus_uconst)
			value += ops[i].number;
		else
			fail_msg("a rule with operation %#x", ops[i].atom);
	return value;
}

/* Of the caller; registers by DWARF's numbers. */
static void
unwind_once(const stepping *s, guint64 *registers)
{
	Dwarf_Frame *frame;
	Dwarf_Op *ops, memory[3];
	size_t count;
	if (dwarf_cfi_addrframe(s->cfi, registers[16], &frame) != 0)
		fail_msg("%#lx: %s", registers[16], dwarf_errmsg(-1));
	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	guint64 cfa = evaluate(ops, count, registers, 0), rbp = registers[6];
	assert_int_equal(dwarf_frame_register(frame, 16, memory, &ops, &count), 0);
	registers[16] = word_at(s, evaluate(ops, count, registers, cfa));
	assert_int_equal(dwarf_frame_register(frame, 6, memory, &ops, &count), 0);
	if (count)
		rbp = word_at(s, evaluate(ops, count, registers, cfa));
	registers[6] = rbp;
	registers[7] = cfa;
	free(frame);
}

static int
wait_for_stop(const stepping *s)
{
	int status;
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	return status;
}

static struct user_regs_struct
registers_of(const stepping *s)
{
	struct user_regs_struct r;
	assert_int_equal(ptrace(PTRACE_GETREGS, s->pid, 0, &r), 0);
	return r;
}

/* Every instruction of libtcc's unwinds to the frame that called it first. */
static guint
step_through(const stepping *s)
{
	guint steps = 0;
	guint64 rbp = registers_of(s).rbp, rsp = registers_of(s).rsp;
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, s->pid, 0, 0), 0);
		assert_true(WIFSTOPPED(wait_for_stop(s)));
		struct user_regs_struct r = registers_of(s);
		guint64 registers[17] = {[6] = r.rbp, [7] = r.rsp, [16] = r.rip};
		bool inside = r.rip >= s->low && r.rip < s->high;
		if (!inside && steps)
			return steps;
		while (registers[16] >= s->low && registers[16] < s->high)
			unwind_once(s, registers);
		/* main has neither pushed nor moved anything since */
		assert_true(!inside || (registers[6] == rbp && registers[7] == rsp));
		steps += inside;
	}
}

static void
find_code(stepping *s)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;
	while ((section = elf_nextscn(s->elf, section)) && gelf_getshdr(section, &header))
		for (int i = 0; header.sh_type == SHT_SYMTAB && gelf_getsym(elf_getdata(section, NULL), i, &symbol);
		     i++) {
			const char *name = elf_strptr(s->elf, header.sh_link, symbol.st_name);
			if (strcmp(name, "small") == 0)
				s->low = symbol.st_value;
			else if (strcmp(name, "stepped") == 0)
				s->high = symbol.st_value + symbol.st_size;
		}
	assert_true(s->low && s->high > s->low);
}

static void
test_every_instruction_unwinds(void **state)
{
	(void)state;
	GBytes *object = compiled(stepped), *result = describe(object, &described);
	char *path = compile_path("stepped.o"), *program = compile_path("program");
	assert_true(g_file_set_contents(path, g_bytes_get_data(result, NULL), (gssize)g_bytes_get_size(result), NULL));
	compile_write("driver.c", driver);
	assert_true(compile_run("gcc -O0 -no-pie -o program driver.c stepped.o"));
	stepping s = {.pid = fork()};
	if (s.pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl(program, program, NULL);
		_exit(127);
	}
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	elf_version(EV_CURRENT);
	s.elf = elf_begin(fd, ELF_C_READ, NULL);
	s.cfi = dwarf_getcfi_elf(s.elf);
	assert_non_null(s.cfi);
	find_code(&s);
	wait_for_stop(&s); /* by exec */
	ptrace(PTRACE_CONT, s.pid, 0, 0);
	assert_true(WIFSTOPPED(wait_for_stop(&s))); /* by int3 */
	assert_true(step_through(&s) > 500);
	ptrace(PTRACE_CONT, s.pid, 0, 0);
	assert_true(WIFSTOPPED(wait_for_stop(&s))); /* by int3 */
	ptrace(PTRACE_CONT, s.pid, 0, 0);
	int status = wait_for_stop(&s);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	dwarf_cfi_end(s.cfi);
	elf_end(s.elf);
	close(fd);
	g_free(path);
	g_free(program);
	g_bytes_unref(result);
	g_bytes_unref(object);
}

/* ---- what stays ---- */

static void
test_code_data_symbols_and_relocations_stay(void **state)
{
	(void)state;
	GBytes *object = compiled("extern int mark; int data[3] = {1, 2, 3}; int *place = &data[1]; int zero[9];\n"
				  "static int f(int n) { return n * data[n] + mark; }\n"
				  "double g(int n) { return f(n) * 2.5 + zero[1]; }\n");
	GBytes *result = describe(object, &described);
	hd_elf_view old, now;
	assert_true(hd_elf_view_init(&old, object, NULL) && hd_elf_view_init(&now, result, NULL));
	assert_int_equal(hd_stabs_section(&now, ".stab"), 0);
	for (guint i = 1; i < old.n_sections; i++) {
		const hd_elf_section *a = &old.sections[i], *b = &now.sections[i];
		if (strstr(a->name, "stab") || strcmp(a->name, ".shstrtab") == 0)
			continue;
		assert_string_equal(a->name, b->name);
		assert_true(a->type == b->type && a->flags == b->flags && a->link == b->link && a->info == b->info &&
			    a->alignment == b->alignment && a->entry_size == b->entry_size);
		assert_int_equal(a->size, b->size);
		if (a->bytes)
			assert_memory_equal(a->bytes, b->bytes, a->size);
	}
	assert_int_equal(old.n_symbols, now.n_symbols);
	for (guint i = 0; i < old.n_symbols; i++)
		assert_string_equal(old.symbols[i].name, now.symbols[i].name);
	hd_elf_view_clear(&old);
	hd_elf_view_clear(&now);
	g_bytes_unref(result);
	g_bytes_unref(object);
}

/* ---- refusals ---- */

static void
refuse(GBytes *object, const char *mention)
{
	GError *error = NULL;
	assert_null(hd_describe(object, &described, &error));
	assert_int_equal(error->code, HD_ERROR_FORMAT);
	if (!strstr(error->message, mention))
		fail_msg("%s", error->message);
	g_error_free(error);
	g_bytes_unref(object);
}

static void
test_what_has_no_stabs_is_refused(void **state)
{
	(void)state;
	refuse(compile_object("tcc", "int f(void) { return 1; }\n"), "no stabs");
	refuse(compile_object("gcc -g", "int f(void) { return 1; }\n"), "no stabs");
	refuse(compile_object("tcc -g", "int data = 1;\n"), "no function");
	refuse(g_bytes_new_static("int f;", 6), "not a relocatable");
}

/* ---- damage ---- */

/* Whatever comes of it can be read without harm. */
static bool
exercise(const guint8 *bytes, gsize size)
{
	GBytes *object = g_bytes_new(bytes, size);
	GError *error = NULL;
	GBytes *result = hd_describe(object, &described, &error);
	assert_true(!result == !!error);
	g_clear_error(&error);
	if (result) {
		hd_unit *unit = hd_unit_read_object(result, NULL);
		hd_position where = {0};
		for (guint64 at = 0; unit && at < 64; at++)
			if (hd_unit_line(unit, 1, at, &where))
				hd_position_clear(&where);
		hd_unit_free(unit);
		g_bytes_unref(result);
	}
	g_bytes_unref(object);
	return result;
}

static void
test_damage_at_every_place_does_no_harm(void **state)
{
	(void)state;
	GBytes *object = compiled("# 3 \"src/mod.c\"\nextern int mark;\nstatic int f(int n) {\n return mark + n; }\n"
				  "int g(void) {\n return f(2); }\n");
	gsize size;
	const guint8 *bytes = g_bytes_get_data(object, &size);
	guint described_anyway = 0;
	for (gsize at = 0; at < size; at++)
		exercise(bytes, at);
	guint8 *copy = g_memdup2(bytes, size);
	static const guint8 turns[] = {0x01, 0x80, 0xff};
	for (gsize at = 0; at < size; at++)
		for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
			copy[at] ^= turns[i];
			described_anyway += exercise(copy, size);
			copy[at] ^= turns[i];
		}
	assert_true(exercise(copy, size));
	assert_true(described_anyway > 0);
	g_free(copy);
	g_bytes_unref(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_line_is_where_its_code_is),
		cmocka_unit_test(test_every_function_has_name_place_and_line),
		cmocka_unit_test_setup_teardown(test_names_in_line_directives_are_as_written, begin, end),
		cmocka_unit_test(test_code_data_symbols_and_relocations_stay),
		cmocka_unit_test_setup_teardown(test_every_instruction_unwinds, begin, end),
		cmocka_unit_test_setup_teardown(test_what_has_no_stabs_is_refused, begin, end),
		cmocka_unit_test(test_damage_at_every_place_does_no_harm),
	};
	return cmocka_run_group_tests_name("instant: describe", tests, NULL, NULL);
}
