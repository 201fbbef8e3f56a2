/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of an object: golden facts, through every compiler. */
#include "config.h"

#include "reloader/object/object.h"

#include "base/error.h"
#include "test/object/compile.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const hd_atom *
atom_named(hd_object *object, const char *name)
{
	guint index = hd_object_find(object, name);
	if (index == HD_NONE)
		fail_msg("%s is not there", name);
	return hd_object_atom(object, index);
}

/* The static local of a source name; compilers disagree on the rest of its name. */
static const hd_atom *
atom_with_source_name(hd_object *object, const char *wanted)
{
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		char *name = hd_atom_source_name(hd_object_atom(object, i));
		bool found = name && strcmp(name, wanted) == 0;
		g_free(name);
		if (found)
			return hd_object_atom(object, i);
	}
	fail_msg("%s is not there", wanted);
	return NULL;
}

/* The reference that means byte `offset` of an atom; NULL: there is none. */
static const hd_reloc *
reference_to(hd_object *object, const hd_atom *from, const hd_atom *to, gint64 offset)
{
	for (guint i = 0; i < from->n_relocs; i++) {
		const hd_reloc *reloc = &from->relocs[i];
		if (reloc->atom != HD_NONE && hd_object_atom(object, reloc->atom) == to &&
		    reloc->addend + reloc->bias == offset)
			return reloc;
	}
	return NULL;
}

static const hd_reloc *
reference_to_external(hd_object *object, const hd_atom *from, const char *name)
{
	for (guint i = 0; i < from->n_relocs; i++)
		if (from->relocs[i].external != HD_NONE &&
		    strcmp(hd_object_external(object, from->relocs[i].external)->name, name) == 0)
			return &from->relocs[i];
	return NULL;
}

/* What holds of every object: order, bounds, and that a reference means something. */
static void
check_consistency(const variant *v, hd_object *object)
{
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		if (atom->alignment == 0 || (atom->alignment & (atom->alignment - 1)))
			fail_msg("%s: alignment", v->name);
		if (!atom->common && atom->size)
			assert_int_equal(hd_object_at(object, atom->section, atom->section_offset + atom->size - 1), i);
		if (atom->name)
			assert_true(hd_object_find(object, atom->name) != HD_NONE);
		for (guint k = 0; k < atom->n_relocs; k++) {
			const hd_reloc *reloc = &atom->relocs[k];
			assert_true(reloc->offset < atom->size);
			assert_true(k == 0 || reloc[-1].offset <= reloc->offset);
			assert_true((reloc->atom == HD_NONE) != (reloc->external == HD_NONE));
			if (reloc->atom == HD_NONE)
				continue;
			gint64 meant = reloc->addend + reloc->bias;
			if (reloc->type == R_X86_64_32S) /* clang folds an index's offset into it: table - 8 * '0' */
				continue;
			if (meant < 0 || (guint64)meant > hd_object_atom(object, reloc->atom)->size)
				fail_msg("%s: a reference in %s leads outside its atom", v->name, atom->name);
		}
	}
}

static void
check_corpus(const variant *v, hd_object *object)
{
	check_consistency(v, object);
	assert_int_equal(atom_named(object, "run")->kind, HD_ATOM_CODE);
	assert_int_equal(atom_named(object, "run")->binding, HD_BIND_GLOBAL);
	assert_int_equal(atom_named(object, "zeroed")->kind, HD_ATOM_ZERO);
	assert_int_equal(atom_named(object, "initialised")->kind, HD_ATOM_DATA);
	assert_int_equal(atom_named(object, "initialised")->bytes[0], 5);
	assert_int_equal(atom_named(object, "big")->size, 2400);
	assert_int_equal(atom_named(object, "big")->binding, HD_BIND_LOCAL);
	assert_int_equal(atom_named(object, "table")->kind, v->tcc ? HD_ATOM_DATA : HD_ATOM_CONST);
	assert_int_equal(atom_with_source_name(object, "count")->size, 4);
	guint nowhere = HD_NONE;
	for (guint i = 0; i < hd_object_n_externals(object); i++)
		if (!strcmp(hd_object_external(object, i)->name, "nowhere"))
			nowhere = i;
	assert_true(nowhere != HD_NONE && hd_object_external(object, nowhere)->weak);
	if (v->tcc)
		return;
	assert_int_equal(atom_named(object, "per_thread")->kind, HD_ATOM_TLS);
	assert_int_equal(atom_named(object, "per_thread_zero")->kind, HD_ATOM_TLS_ZERO);
}

static void
test_corpus(void **state)
{
	(void)state;
	char *path = source_path("test/object/corpus.c");
	for (const variant *v = all_variants(); v->name; v++) {
		hd_object *object = object_of_file(v, path);
		check_corpus(v, object);
		hd_object_unref(object);
	}
	g_free(path);
}

/* A call of itself, also of a static function's, which the assembler resolves. */
static void
test_recursion_has_a_relocation(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		hd_object *object =
			object_of_text(v, "int g(int); int f(int n) { return n ? f(n - 1) * 3 + g(n) : 1; }\n"
					  "static int h(int n) { return g(n) > 3 ? h(n - 1) + h(n - 2) * 7 : 1; }\n"
					  "int (*p)(int) = h;\n");
		const hd_atom *f = atom_named(object, "f"), *h = atom_named(object, "h");
		assert_non_null(reference_to(object, f, f, 0));
		const hd_reloc *reloc = reference_to(object, h, h, 0);
		assert_non_null(reloc);
		assert_int_equal(reloc->type, R_X86_64_PLT32);
		assert_int_equal(reloc->addend, -4);
		assert_non_null(reference_to(object, atom_named(object, "p"), h, 0));
		hd_object_unref(object);
	}
}

/* The classic trap: a displacement counts from the end of its instruction, and an immediate stands between. */
static void
test_immediates_behind_displacements(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->tcc)
			continue; /* it loads every operand by itself */
		hd_object *object =
			object_of_text(v, "static int a[8]; static char b[8]; static short c[8]; static long d[8];\n"
					  "int *pa = a; char *pb = b; short *pc = c; long *pd = d;\n"
					  "int f(int x) { a[1] = 0x12345678; b[3] = 9; c[2] = 0x4142; d[5] = -5; a[0] "
					  "+= 100; return a[7] == 3; }\n");
		const hd_atom *f = atom_named(object, "f");
		const hd_atom *a = atom_named(object, "a"), *b = atom_named(object, "b"), *c = atom_named(object, "c");
		const hd_atom *d = atom_named(object, "d");
		const hd_reloc *reloc = reference_to(object, f, a, 4);
		assert_non_null(reloc);
		assert_int_equal(reloc->bias, 8);
		assert_non_null(reference_to(object, f, a, 0));
		assert_non_null(reference_to(object, f, a, 28));
		reloc = reference_to(object, f, b, 3);
		assert_non_null(reloc);
		assert_int_equal(reloc->bias, 5);
		assert_non_null(reference_to(object, f, c, 4));
		assert_non_null(reference_to(object, f, d, 40));
		hd_object_unref(object);
	}
}

static guint
count_kind(hd_object *object, hd_atom_kind kind, const char *content)
{
	guint n = 0;
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		n += atom->kind == kind && !atom->name && atom->size == strlen(content) + 1 &&
		     memcmp(atom->bytes, content, atom->size) == 0;
	}
	return n;
}

static void
test_strings_are_atoms(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->gcc && v->level == 0)
			continue; /* it puts all strings into one stretch, which stays one atom */
		hd_object *object = object_of_text(
			v, "int puts(const char *); const char *p = \"first\"; const char *q = \"a string to be "
			   "pointed into\" + 12;\n"
			   "int f(void) { return puts(\"second\") + puts(\"\") + puts(\"third thing\" + 6); }\n");
		hd_atom_kind kind = v->tcc ? HD_ATOM_CONST : HD_ATOM_STRING;
		assert_int_equal(count_kind(object, kind, "first"), 1);
		assert_int_equal(count_kind(object, kind, "second"), 1);
		const hd_atom *q = atom_named(object, "q");
		assert_int_equal(q->n_relocs, 1);
		if (count_kind(object, kind, "a string to be pointed into") == 1) {
			assert_int_equal(q->relocs[0].addend, 12);
			assert_string_equal((const char *)hd_object_atom(object, q->relocs[0].atom)->bytes + 12,
					    "be pointed into");
		}
		assert_null(reference_to_external(object, atom_named(object, "f"), "second"));
		assert_non_null(reference_to_external(object, atom_named(object, "f"), "puts"));
		hd_object_unref(object);
	}
}

static void
test_wide_strings_are_atoms(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->tcc || v->level == 0)
			continue;
		hd_object *object =
			object_of_text(v, "int w(const int *); int f(void) { return w(L\"ab\") + w(L\"cde\"); }\n");
		guint found = 0;
		for (guint i = 0; i < hd_object_n_atoms(object); i++)
			if (hd_object_atom(object, i)->kind == HD_ATOM_STRING) {
				guint64 size = hd_object_atom(object, i)->size;
				found |= size == 12 ? 1 : size == 16 ? 2 : 4;
			}
		assert_int_equal(found, 3);
		hd_object_unref(object);
	}
}

static void
test_symbols_of_all_sorts(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->tcc)
			continue;
		char *text = g_strdup(
			"int shared __attribute__((common)); __attribute__((weak)) int feeble = 1;\n"
			"__attribute__((visibility(\"hidden\"))) int veiled = 2; _Alignas(64) char aligned[3] = "
			"\"ab\";\n"
			"static int one(void) { return 1; } int (*pick(void))(void) { return one; }\n"
			"int chosen(void) __attribute__((ifunc(\"pick\"))); int f(int x) { return x + shared; }\n"
			"int g(int) __attribute__((alias(\"f\"))); extern int away "
			"__attribute__((visibility(\"hidden\")));\n"
			"extern _Thread_local int far; int h(void) { return away + far + chosen(); }\n");
		hd_object *object = object_of_text(v, text);
		check_consistency(v, object);
		const hd_atom *shared = atom_named(object, "shared");
		if (v->gcc) { /* clang takes no notice of the attribute */
			assert_true(shared->common);
			assert_int_equal(shared->section, 0);
		}
		assert_int_equal(shared->kind, HD_ATOM_ZERO);
		assert_int_equal(shared->alignment, 4);
		assert_int_equal(atom_named(object, "feeble")->binding, HD_BIND_WEAK);
		assert_true(atom_named(object, "veiled")->hidden);
		assert_int_equal(atom_named(object, "aligned")->alignment, 64);
		assert_true(atom_named(object, "chosen")->ifunc);
		assert_int_equal(hd_object_find(object, "f"), hd_object_find(object, "g"));
		assert_string_equal(atom_named(object, "f")->name, "f");
		assert_string_equal(atom_named(object, "f")->aliases[0], "g");
		assert_null(atom_named(object, "f")->aliases[1]);
		assert_int_equal(hd_object_find(object, "nobody"), HD_NONE);
		guint seen = 0;
		for (guint i = 0; i < hd_object_n_externals(object); i++) {
			const hd_external *external = hd_object_external(object, i);
			seen += !strcmp(external->name, "away") && external->hidden;
			seen += !strcmp(external->name, "far") && external->tls;
		}
		assert_int_equal(seen, 2);
		hd_object_unref(object);
		g_free(text);
	}
}

static void
test_start_up_and_tables_are_no_atoms(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->tcc)
			continue;
		hd_object *object = object_of_text(v, "int n; __attribute__((constructor)) void c(void) { n++; } "
						      "__attribute__((destructor)) void d(void) { n--; }\n"
						      "void use(int *); void clean(int *p) { *p = 0; } void f(void) { "
						      "__attribute__((cleanup(clean))) int x = 1; use(&x); }\n");
		for (guint i = 0; i < hd_object_n_atoms(object); i++) {
			const hd_atom *atom = hd_object_atom(object, i);
			if (!atom->name)
				fail_msg("%s: atom %u has no name", v->name, i);
		}
		assert_int_equal(atom_named(object, "c")->kind, HD_ATOM_CODE);
		hd_object_unref(object);
	}
}

/* Hand-written code in one section: no relocation from the assembler, and labels inside functions. */
static const char assembler[] =
	"__asm__(\".text\\n .byte 0xb8, 7, 0, 0, 0, 0xc3\\n\"\n" /* six bytes in front of every symbol */
	"\".globl first\\n .type first, @function\\n first: push %rbx\\n\"\n"
	"\"inner: call second\\n jmp third\\n call first\\n dec %ebx\\n jnz first\\n jnz inner\\n .size first, . - "
	"first\\n\"\n"
	"\".type second, @function\\n second: lea third(%rip), %rax\\n lea second(%rip), %rax\\n lea 1f(%rip), %rax\\n "
	"1: je second+1\\n ret\\n .size second, . - second\\n .p2align 5\\n\"\n"
	"\".type third, @function\\n third: jmp second\\n .size third, . - third\\n\");\n";

static void
check_assembler(hd_object *object)
{
	const hd_atom *first = atom_named(object, "first"), *second = atom_named(object, "second");
	const hd_atom *third = atom_named(object, "third");
	const hd_atom *nameless = hd_object_atom(object, hd_object_at(object, first->section, 0));
	assert_null(nameless->name);
	assert_int_equal(nameless->size, 6);
	assert_int_equal(first->section_offset, 6);
	assert_int_equal(hd_object_find(object, "inner"), HD_NONE);
	assert_int_equal(third->section_offset % 32, 0);
	/* the alignment in front of third belongs to nobody */
	assert_int_equal(hd_object_at(object, third->section, third->section_offset - 1), HD_NONE);
	assert_int_equal(first->n_relocs, 3);
	assert_int_equal(first->relocs[0].type, R_X86_64_PLT32);
	assert_ptr_equal(hd_object_atom(object, first->relocs[0].atom), second);
	assert_int_equal(first->relocs[0].addend, -4);
	assert_int_equal(first->relocs[1].type, R_X86_64_PC8); /* a short jump can go no further */
	assert_ptr_equal(hd_object_atom(object, first->relocs[1].atom), third);
	assert_int_equal(first->relocs[1].addend, -1);
	assert_int_equal(first->relocs[2].type, R_X86_64_PLT32); /* the call of itself, not the jump back */
	assert_ptr_equal(hd_object_atom(object, first->relocs[2].atom), first);
	assert_int_equal(second->n_relocs, 2);
	assert_int_equal(second->relocs[0].type, R_X86_64_PC32);
	assert_ptr_equal(hd_object_atom(object, second->relocs[0].atom), third);
	assert_ptr_equal(hd_object_atom(object, second->relocs[1].atom), second);
	assert_int_equal(third->n_relocs, 1);
}

static void
test_code_of_an_assembler(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (v->tcc)
			continue;
		hd_object *object = object_of_text(v, assembler);
		check_consistency(v, object);
		if (v->gcc) /* clang's assembler chooses other lengths */
			check_assembler(object);
		hd_object_unref(object);
	}
}

/* The parts of a switch lead into the function, through its table. */
static void
test_jump_tables(void **state)
{
	(void)state;
	guint tables = 0;
	for (const variant *v = all_variants(); v->name; v++) {
		hd_object *object = object_of_text(
			v, "int e(int); int f(int x) { switch (x) { case 0: return e(1); case 1: e(4); case 2: return "
			   "e(7) + 1; case 3: return e(9) * 2; case 4: return e(3); case 5: e(8); } return 0; }\n");
		const hd_atom *f = atom_named(object, "f");
		for (guint i = 0; i < hd_object_n_atoms(object); i++) {
			const hd_atom *atom = hd_object_atom(object, i);
			if (atom->name || atom->kind != HD_ATOM_CONST || atom->n_relocs < 5)
				continue;
			tables++;
			assert_non_null(reference_to(object, f, atom, 0));
			for (guint k = 0; k < atom->n_relocs; k++) {
				assert_ptr_equal(hd_object_atom(object, atom->relocs[k].atom), f);
				gint64 meant = atom->relocs[k].addend + atom->relocs[k].bias;
				assert_true(meant > 0 && (guint64)meant < f->size);
			}
		}
		hd_object_unref(object);
	}
	assert_true(tables >= 4);
}

static void
test_constants_of_tcc(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		if (!v->tcc)
			continue;
		hd_object *object =
			object_of_text(v, "int puts(const char *); int *p = (int[]){1, 2, 3}; const char *s = "
					  "\"text\"; double f(double x) { puts(\"x\"); return x * 3.25; }\n"
					  "int L; int g(void) { static int L = 3; return L++; }\n");
		const hd_atom *p = atom_named(object, "p");
		assert_int_equal(hd_object_atom(object, p->relocs[0].atom)->kind, HD_ATOM_DATA);
		assert_int_equal(count_kind(object, HD_ATOM_CONST, "text"), 1);
		assert_int_equal(count_kind(object, HD_ATOM_CONST, "x"), 1);
		for (guint i = 0; i < atom_named(object, "f")->n_relocs; i++) {
			guint to = atom_named(object, "f")->relocs[i].atom;
			if (to != HD_NONE)
				assert_int_equal(hd_object_atom(object, to)->kind, HD_ATOM_CONST);
		}
		hd_object_unref(object);
	}
}

static void
test_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		hd_atom_kind kind;
		const char *source;
		bool clone;
	} cases[] = {
		{"f", HD_ATOM_CODE, "f", false},
		{"f.constprop.0", HD_ATOM_CODE, "f", true},
		{"f.isra.0", HD_ATOM_CODE, "f", true},
		{"f.part.0.isra.0", HD_ATOM_CODE, "f", true},
		{"f.cold", HD_ATOM_CODE, "f", true},
		{"f.cold.1", HD_ATOM_CODE, "f", true},
		{"f.localalias", HD_ATOM_CODE, "f", false},
		{"inner.0", HD_ATOM_CODE, "inner", false},
		{"count.0", HD_ATOM_DATA, "count", false},
		{"f.count", HD_ATOM_ZERO, "count", false},
		{"f.count.1", HD_ATOM_ZERO, "count", false},
		{"count", HD_ATOM_DATA, "count", false},
		{"part.0", HD_ATOM_DATA, "part", false},
		{".compoundliteral.1", HD_ATOM_DATA, ".compoundliteral", false},
		{"0", HD_ATOM_DATA, "0", false},
		{"a..b", HD_ATOM_CODE, "a", false},
		{".", HD_ATOM_CODE, ".", false},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		hd_atom atom = {.kind = cases[i].kind, .name = cases[i].name};
		char *name = hd_atom_source_name(&atom);
		assert_string_equal(name, cases[i].source);
		if (hd_atom_is_clone(&atom) != cases[i].clone)
			fail_msg("%s: clone", cases[i].name);
		g_free(name);
	}
	hd_atom anonymous = {.kind = HD_ATOM_CODE};
	assert_null(hd_atom_source_name(&anonymous));
	assert_false(hd_atom_is_clone(&anonymous));
}

static void
refuse(const void *data, gsize size, enum hd_error_code code)
{
	GBytes *bytes = g_bytes_new(data, size);
	GError *error = NULL;
	hd_object *object = hd_object_parse(bytes, &error);
	assert_null(object);
	assert_non_null(error);
	assert_true(error->domain == HD_ERROR);
	assert_int_equal(error->code, code);
	assert_true(strlen(error->message) > 10);
	g_error_free(error);
	assert_null(hd_object_parse(bytes, NULL));
	g_bytes_unref(bytes);
}

static void
test_what_is_no_object(void **state)
{
	(void)state;
	refuse(NULL, 0, HD_ERROR_FORMAT);
	refuse("", 1, HD_ERROR_FORMAT);
	refuse("!<arch>\n", 8, HD_ERROR_FORMAT);
	refuse("\177ELF", 4, HD_ERROR_FORMAT);
	char *self, *path = g_file_read_link("/proc/self/exe", NULL);
	gsize size;
	assert_true(g_file_get_contents(path, &self, &size, NULL));
	refuse(self, size, HD_ERROR_FORMAT);
	g_free(self);
	g_free(path);
	GBytes *good = compile_text(all_variants(), "int x = 1;\n");
	const guint8 *data = g_bytes_get_data(good, &size);
	guint8 *bad = g_memdup2(data, size);
	bad[18] = EM_AARCH64;
	refuse(bad, size, HD_ERROR_UNSUPPORTED);
	memcpy(bad, data, size);
	bad[EI_CLASS] = ELFCLASS32;
	refuse(bad, size, HD_ERROR_UNSUPPORTED);
	refuse(data, sizeof(Elf64_Ehdr), HD_ERROR_FORMAT);
	g_free(bad);
	g_bytes_unref(good);
}

static void
test_an_injected_fault(void **state)
{
	(void)state;
	GBytes *good = compile_text(all_variants(), "int x = 1;\n");
	g_setenv("HOTDEV_FAULT", "object.parse", TRUE);
	GError *error = NULL;
	assert_null(hd_object_parse(good, &error));
	assert_non_null(error);
	g_clear_error(&error);
	hd_object *object = hd_object_parse(good, &error);
	assert_non_null(object);
	assert_ptr_equal(hd_object_bytes(object), good);
	hd_object_unref(hd_object_ref(object));
	hd_object_unref(object);
	g_bytes_unref(good);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_injected_fault), /* first: faults are read once */
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_recursion_has_a_relocation),
		cmocka_unit_test(test_immediates_behind_displacements),
		cmocka_unit_test(test_strings_are_atoms),
		cmocka_unit_test(test_wide_strings_are_atoms),
		cmocka_unit_test(test_symbols_of_all_sorts),
		cmocka_unit_test(test_start_up_and_tables_are_no_atoms),
		cmocka_unit_test(test_code_of_an_assembler),
		cmocka_unit_test(test_jump_tables),
		cmocka_unit_test(test_constants_of_tcc),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_no_object),
	};
	return cmocka_run_group_tests_name("object", tests, NULL, NULL);
}
