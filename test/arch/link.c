/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A linker as small as can be, made of reloader/object and arch.h alone: what it makes of an object, placed atom by
 * atom and out of order, must do what the system's linker makes of it. */
#include "config.h"

#include "reloader/link/arch.h"

#include "test/object/compile.h"

#include <dlfcn.h>
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define ROOM (1u << 20)
#define TLS_ROOM 256

/* What thread-local variables of a linked object live in. */
static __thread _Alignas(64) guint8 thread_room[TLS_ROOM];

typedef struct {
	hd_object *object;
	guint8 *memory; /* below 2 GiB, as -fno-pie needs it */
	gsize used;
	guint64 *atoms; /* where each atom is; in TLS: offset from the thread pointer */
	guint64 *stubs; /* by external: a jump to it; 0: none yet */
	guint64 *words; /* GOT words by atom, then by external */
	guint64 *tls_words;
	guint relaxed;
} linker;

extern void *__tls_get_addr(guint64 pair[2]);

static guint64
reserve(linker *l, gsize size, gsize alignment)
{
	l->used = (l->used + alignment - 1) & ~(alignment - 1);
	guint64 at = (guint64)(guintptr)l->memory + l->used;
	l->used += size;
	assert_true(l->used <= ROOM);
	return at;
}

static guint8 *
bytes_at(guint64 address)
{
	return (guint8 *)(guintptr)address;
}

static bool
is_tls(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_TLS || atom->kind == HD_ATOM_TLS_ZERO;
}

static guint64
thread_pointer(void)
{
	guint64 pointer;
	__asm__("mov %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

static void
place_atom(linker *l, guint index, gsize *tls_used)
{
	const hd_atom *atom = hd_object_atom(l->object, index);
	guint8 *at;
	if (is_tls(atom)) {
		*tls_used = (*tls_used + atom->alignment - 1) & ~(atom->alignment - 1);
		at = thread_room + *tls_used;
		*tls_used += atom->size;
		assert_true(*tls_used <= TLS_ROOM);
		l->atoms[index] = (guint64)(guintptr)at - thread_pointer();
	} else {
		/* a gap, so that nothing works because it happens to be next to something */
		reserve(l, 24, 1);
		l->atoms[index] = reserve(l, atom->size, MAX(atom->alignment, 16));
		at = bytes_at(l->atoms[index]);
	}
	if (atom->bytes)
		memcpy(at, atom->bytes, atom->size);
	else
		memset(at, 0, atom->size);
}

static guint64
external_address(linker *l, guint index)
{
	const hd_external *external = hd_object_external(l->object, index);
	guint64 address = (guint64)(guintptr)dlsym(RTLD_DEFAULT, external->name);
	if (!address && !external->weak)
		fail_msg("%s is nowhere", external->name);
	return address;
}

static guint64
stub_for(linker *l, guint external)
{
	if (!l->stubs[external]) {
		l->stubs[external] = reserve(l, HD_ARCH_STUB, 16);
		hd_arch_stub(bytes_at(l->stubs[external]), external_address(l, external));
	}
	return l->stubs[external];
}

static guint64
word_with(linker *l, guint64 *words, const hd_reloc *reloc, guint64 value)
{
	guint n_atoms = hd_object_n_atoms(l->object);
	guint64 *word = &words[reloc->atom != HD_NONE ? reloc->atom : n_atoms + reloc->external];
	if (!*word) {
		*word = reserve(l, 8, 8);
		memcpy(bytes_at(*word), &value, 8);
	}
	return *word;
}

/* A module and an offset in its block, for __tls_get_addr. Our block is the program's own: module 1. */
static guint64
pair_with(linker *l, guint64 thread_offset)
{
	guint64 start[2] = {1, 0};
	guint64 pair[2] = {1, thread_pointer() + thread_offset - (guint64)(guintptr)__tls_get_addr(start)};
	guint64 at = reserve(l, 16, 8);
	memcpy(bytes_at(at), pair, 16);
	return at;
}

static guint64
target_of(linker *l, const hd_atom *atom, const hd_reloc *reloc, guint64 value)
{
	guint64 block[2] = {1, 0};
	switch (hd_arch_reference(reloc->type, atom->kind == HD_ATOM_CODE ? atom->bytes : NULL, atom->size,
				  reloc->offset)) {
	case HD_REF_CALL:
	case HD_REF_ADDRESS:
		/* functions of libc are out of reach: their stub is their address here */
		return reloc->external != HD_NONE && value ? stub_for(l, reloc->external) : value;
	case HD_REF_GOT:
		return word_with(l, l->words, reloc, value);
	case HD_REF_TLS_OFFSET:
		return value;
	case HD_REF_TLS_GOT:
		return word_with(l, l->tls_words, reloc, value);
	case HD_REF_TLS_PAIR:
		return pair_with(l, value);
	case HD_REF_TLS_MODULE:
		return pair_with(l, (guint64)(guintptr)__tls_get_addr(block) - thread_pointer());
	case HD_REF_TLS_IN_MODULE:
		return thread_pointer() + value - (guint64)(guintptr)__tls_get_addr(block);
	default:
		fail_msg("%s", hd_arch_reloc_name(reloc->type));
		return 0;
	}
}

static void
link_reloc(linker *l, guint index, const hd_reloc *reloc)
{
	const hd_atom *atom = hd_object_atom(l->object, index);
	guint64 place = l->atoms[index] + reloc->offset;
	guint64 value = reloc->atom != HD_NONE ? l->atoms[reloc->atom] : external_address(l, reloc->external);
	if (hd_arch_relax_got(reloc->type, bytes_at(l->atoms[index]), reloc->offset, place, value, reloc->addend)) {
		l->relaxed++;
		return;
	}
	guint64 target = target_of(l, atom, reloc, value);
	if (!hd_arch_relocate(reloc->type, bytes_at(place), atom->size - reloc->offset, place, target, reloc->addend))
		fail_msg("%s in %s", hd_arch_reloc_name(reloc->type), atom->name ? atom->name : "a constant");
}

static linker *
link_object(hd_object *object)
{
	linker *l = g_new0(linker, 1);
	guint n = hd_object_n_atoms(object), n_externals = hd_object_n_externals(object);
	gsize tls_used = 0;
	l->object = object;
	l->memory =
		mmap(NULL, ROOM, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_true(l->memory != MAP_FAILED);
	l->atoms = g_new0(guint64, n);
	l->stubs = g_new0(guint64, n_externals + 1);
	l->words = g_new0(guint64, n + n_externals);
	l->tls_words = g_new0(guint64, n + n_externals);
	for (guint i = n; i-- > 0;)
		place_atom(l, i, &tls_used);
	for (guint i = 0; i < n; i++)
		for (guint k = 0; k < hd_object_atom(object, i)->n_relocs; k++)
			link_reloc(l, i, &hd_object_atom(object, i)->relocs[k]);
	return l;
}

static void
unlink_object(linker *l)
{
	munmap(l->memory, ROOM);
	g_free(l->atoms);
	g_free(l->stubs);
	g_free(l->words);
	g_free(l->tls_words);
	g_free(l);
}

typedef int run_function(char *, unsigned long);

static run_function *
function_named(const linker *l, const char *name)
{
	guint index = hd_object_find(l->object, name);
	assert_true(index != HD_NONE);
	run_function *function;
	memcpy(&function, &l->atoms[index], sizeof(function));
	return function;
}

/* Models of thread-local storage and of calls, and code that is not split into sections. */
static const variant further[] = {
	{"gcc -O2 -fPIC -ftls-model=initial-exec -ffunction-sections -fdata-sections", .gcc = true, .level = 2},
	{"gcc -O2 -fPIC -ftls-model=local-dynamic -ffunction-sections -fdata-sections", .gcc = true, .level = 2},
	{"gcc -O2 -fno-pie -fno-plt -ffunction-sections -fdata-sections", .gcc = true, .level = 2},
	{"gcc -O2 -fno-pie -mcmodel=large -ffunction-sections -fdata-sections", .gcc = true, .level = 2},
	{"gcc -Os -march=haswell -ffunction-sections -fdata-sections", .gcc = true, .level = 2},
	{"gcc -O0", .gcc = true, .level = 0},
	{"gcc -O0 -fno-pie", .gcc = true, .level = 0},
	{"gcc -O1 -fcommon", .gcc = true, .level = 1},
	{"gcc -O2 -fPIC", .gcc = true, .level = 2},
	{"clang -O0", .clang = true, .level = 0},
	{"clang -O2 -fPIC -ftls-model=local-dynamic", .clang = true, .level = 2},
	{.name = NULL},
};

static void
link_like_the_system(const variant *variants)
{
	char *path = source_path("test/object/corpus.c");
	for (const variant *v = variants; v->name; v++) {
		char *expected = output_of_program(v, path, "-DSTANDALONE -lm");
		hd_object *object = object_of_file(v, path);
		linker *l = link_object(object);
		static char buffer[10000];
		memset(buffer, 0, sizeof(buffer));
		function_named(l, "run")(buffer, sizeof(buffer));
		if (strcmp(buffer, expected) != 0)
			fail_msg("%s:\n%s\ninstead of\n%s", v->name, buffer, expected);
		unlink_object(l);
		hd_object_unref(object);
		g_free(expected);
	}
	g_free(path);
}

static void
test_linked_by_us_as_linked_by_the_system(void **state)
{
	(void)state;
	link_like_the_system(all_variants());
}

static void
test_other_models_and_unsplit_sections(void **state)
{
	(void)state;
	link_like_the_system(further);
}

/* A jump at a function's entry leads every caller to the other function, and back when it is taken away. */
static void
test_redirect(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++) {
		hd_object *object =
			object_of_text(v, "int one(char *p, unsigned long n) { return p[n] + 1; } int two(char *p, "
					  "unsigned long n) { return p[n] * 3; }\n"
					  "int (*volatile f)(char *, unsigned long) = one;\n"
					  "int run(char *p, unsigned long n) { return one(p, n) * 1000 + f(p, n); }\n");
		linker *l = link_object(object);
		guint one = hd_object_find(object, "one"), two = hd_object_find(object, "two");
		const hd_atom *atom = hd_object_atom(object, one);
		guint8 kept[HD_ARCH_JUMP];
		if (v->level == 0) { /* no inlining: nothing but the redirect decides */
			assert_int_equal(hd_arch_entry(bytes_at(l->atoms[one]), atom->size, 0, l->atoms[one]),
					 HD_ENTRY_FREE);
			assert_int_equal(function_named(l, "run")("\5", 0), 6006);
			memcpy(kept, bytes_at(l->atoms[one]), HD_ARCH_JUMP);
			assert_true(hd_arch_jump(bytes_at(l->atoms[one]), l->atoms[one], l->atoms[two]));
			assert_int_equal(function_named(l, "run")("\5", 0), 15015);
			memcpy(bytes_at(l->atoms[one]), kept, HD_ARCH_JUMP);
			assert_int_equal(function_named(l, "run")("\5", 0), 6006);
		}
		unlink_object(l);
		hd_object_unref(object);
	}
}

static void
test_got_loads_are_relaxed(void **state)
{
	(void)state;
	char *path = source_path("test/object/corpus.c");
	for (const variant *v = all_variants(); v->name; v++) {
		if (!strstr(v->name, "-fPIC"))
			continue;
		hd_object *object = object_of_file(v, path);
		linker *l = link_object(object);
		assert_true(l->relaxed > 0);
		unlink_object(l);
		hd_object_unref(object);
	}
	g_free(path);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linked_by_us_as_linked_by_the_system),
		cmocka_unit_test(test_other_models_and_unsplit_sections),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_got_loads_are_relaxed),
	};
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
