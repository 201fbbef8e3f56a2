/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged objects: an error or an answer, never a crash, never a loop. The
 * seed is fixed; HOTDEV_SEED and HOTDEV_ROUNDS widen the search. */
#include "config.h"

#include "base/error.h"
#include "reloader/types/internal.h"
#include "reloader/types/migration.h"
#include "reloader/types/trace.h"
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

static void
ignore_pointer(const hd_migration_pointer *pointer, void *data)
{
	*(guint64 *)data += pointer->new_offset;
}

/* Everything that can be asked of a plan; buffers of just the size it says. */
static void
carry_out(const hd_migration *m)
{
	const guint64 tail = 2;
	guint64 old_size = hd_migration_old_size(m, tail), new_size = hd_migration_new_size(m, tail), offset = 0;
	if (old_size > 1 << 20 || new_size > 1 << 20)
		return;
	guint8 *old = g_malloc0(old_size), *now = g_malloc0(new_size);
	hd_migration_apply(m, old, now, tail, NULL);
	hd_migration_reverse(m, now, old, tail, NULL);
	(void)hd_migration_validate(m, old, tail, NULL);
	for (guint64 at = 0; at < MIN(old_size, 100); at++)
		(void)hd_migration_landing(m, tail, at, at % 2 ? "char" : NULL, &offset);
	hd_migration_each_pointer(m, tail, ignore_pointer, &offset);
	g_free(old);
	g_free(now);
}

static void
migrate(const hd_unit *old, const hd_unit *now)
{
	static const char *const types[] = {"struct peer", "union number", "heat", "point", "enum state", "handler"};
	GPtrArray *refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	for (guint i = 0; i < hd_unit_variables(old)->len + G_N_ELEMENTS(types); i++) {
		guint refused = refusals->len, variables = hd_unit_variables(old)->len;
		const hd_unit_variable *v = i < variables ? hd_unit_variables(old)->pdata[i] : NULL;
		hd_migration *m = v ? hd_migration_of_variable(old, now, v->function, v->name, v->ordinal, refusals)
				    : hd_migration_of_type(old, now, NULL, types[i - variables], 0, refusals);
		assert_true((m == NULL) == (refusals->len > refused));
		if (m)
			carry_out(m);
		hd_migration_free(m);
	}
	g_ptr_array_unref(refusals);
}

/* A program whose memory is 16 KiB of blocks that lead to each other. */
#define MEMORY_START G_GUINT64_CONSTANT(0x10000)
#define MEMORY_SIZE 0x4000
#define BLOCK_SIZE 0x100

static bool
read_memory(guint64 address, void *out, gsize size, void *data)
{
	(void)data;
	if (address < MEMORY_START || size > MEMORY_SIZE || address - MEMORY_START > MEMORY_SIZE - size)
		return false;
	memset(out, 0, size);
	for (gsize at = (8 - address % 8) % 8; at + 8 <= size; at += 8) {
		guint64 mix = (address + at) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
		guint64 word = MEMORY_START + (mix >> 40) % MEMORY_SIZE / BLOCK_SIZE * BLOCK_SIZE;
		if (mix >> 62)
			memcpy((guint8 *)out + at, &word, 8);
	}
	return true;
}

static hd_memory_kind
find_block(guint64 address, guint64 *start, guint64 *size, void *data)
{
	(void)data;
	*start = address / BLOCK_SIZE * BLOCK_SIZE;
	*size = BLOCK_SIZE - 8;
	if (address < MEMORY_START || address - MEMORY_START >= MEMORY_SIZE)
		return HD_MEMORY_OTHER;
	return address - *start < *size ? HD_MEMORY_BLOCK : HD_MEMORY_FREE;
}

static void
look_for(const hd_unit *unit, const hd_unit *other, const char *type)
{
	const hd_trace_memory memory = {.read = read_memory, .block = find_block};
	hd_trace *trace = hd_trace_new();
	GArray *found = g_array_new(FALSE, FALSE, sizeof(hd_traced));
	GArray *leads = g_array_new(FALSE, FALSE, sizeof(hd_trace_lead));
	char *why = NULL;
	hd_trace_add_unit(trace, other);
	for (guint i = 0; i < hd_unit_variables(unit)->len; i++)
		hd_trace_add_root(trace, unit, hd_unit_variables(unit)->pdata[i],
				  MEMORY_START + i * BLOCK_SIZE % MEMORY_SIZE);
	(void)hd_trace_want(trace, unit, NULL, type, 0);
	hd_trace_prepare(trace);
	assert_true(hd_trace_run(trace, &memory, NULL, found, leads, &why) == (why == NULL));
	for (guint i = 0; i < MIN(found->len, 10); i++)
		g_free(hd_trace_text(trace, g_array_index(found, hd_traced, i).node));
	for (guint i = 0; i < MIN(leads->len, 10); i++)
		g_free(hd_trace_text(trace, g_array_index(leads, hd_trace_lead, i).node));
	g_free(why);
	g_array_unref(found);
	g_array_unref(leads);
	hd_trace_free(trace);
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
	migrate(sound, unit);
	migrate(unit, sound);
	migrate(unit, unit);
	look_for(unit, sound, "struct peer");
	look_for(sound, unit, "point");
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

/* ---- shapes that no compiler makes ---- */

typedef struct {
	const char *name;
	void (*spoil)(hd_type *s);
	bool harmless; /* of the object's own bytes nothing is said that cannot be */
} impossible;

static hd_member *
member(hd_type *s, const char *name)
{
	for (guint i = 0; i < s->members->len; i++)
		if (strcmp(g_array_index(s->members, hd_member, i).name, name) == 0)
			return &g_array_index(s->members, hd_member, i);
	return NULL;
}

static void
has_itself(hd_type *s)
{
	member(s, "in")->type = s;
	member(s, "in")->bit_offset = 0;
}

static void
has_itself_without_size(hd_type *s)
{
	for (guint i = 0; i < s->members->len; i++) {
		g_array_index(s->members, hd_member, i).type = s;
		g_array_index(s->members, hd_member, i).bit_offset = 0;
		g_array_index(s->members, hd_member, i).bit_size = 0;
	}
	s->size = 0;
}

static void
has_itself_without_name(hd_type *s)
{
	has_itself_without_size(s);
	for (guint i = 0; i < s->members->len; i++)
		g_array_index(s->members, hd_member, i).name = NULL;
}

static void
has_itself_in_a_union(hd_type *s)
{
	hd_type *u = (hd_type *)hd_type_strip(member(s, "u")->type);
	g_array_index(u->members, hd_member, 0).type = u;
	g_array_index(u->members, hd_member, 1).type = s;
}

static void
is_array_of_itself(hd_type *s)
{
	hd_type *array = (hd_type *)hd_type_strip(member(s, "a")->type);
	array->target = array;
}

static void
is_array_of_nothing(hd_type *s)
{
	hd_type *array = (hd_type *)hd_type_strip(member(s, "a")->type);
	array->target = member(s, "in")->type;
	array->count = G_MAXUINT64 / 2;
	((hd_type *)hd_type_strip(array->target))->size = 0;
}

static void
is_typedef_of_itself(hd_type *s)
{
	member(s, "t")->type->target = member(s, "t")->type;
}

static void
points_to_itself(hd_type *s)
{
	member(s, "p")->type->target = member(s, "p")->type;
}

static void
has_field_outside(hd_type *s)
{
	member(s, "i")->bit_offset = s->size * 8 - 8;
}

static void
has_field_far_outside(hd_type *s)
{
	member(s, "i")->bit_offset = G_MAXUINT64 - 31;
}

static void
has_overlapping_fields(hd_type *s)
{
	member(s, "i")->bit_offset = member(s, "p")->bit_offset + 8;
}

static void
has_bits_of_a_struct(hd_type *s)
{
	member(s, "in")->bit_size = 3;
}

static void
has_bits_of_a_float(hd_type *s)
{
	member(s, "f")->bit_size = 8;
}

static void
has_more_bits_than_its_type(hd_type *s)
{
	member(s, "b")->bit_size = 700;
}

static void
has_wide_number(hd_type *s)
{
	((hd_type *)hd_type_strip(member(s, "i")->type))->size = 40;
	s->size += 400;
	member(s, "i")->bit_offset = s->size * 8 - 320;
}

static void
is_immense(hd_type *s)
{
	s->size = G_MAXUINT64 / 4;
}

static void
has_immense_array(hd_type *s)
{
	((hd_type *)hd_type_strip(member(s, "a")->type))->count = G_GUINT64_CONSTANT(1) << 62;
}

static void
has_immense_enum(hd_type *s)
{
	((hd_type *)hd_type_strip(member(s, "e")->type))->size = G_GUINT64_CONSTANT(1) << 31;
}

static void
has_double_names(hd_type *s)
{
	for (guint i = 0; i < s->members->len; i++)
		g_array_index(s->members, hd_member, i).name = "i";
}

static hd_unit *
small_unit(void)
{
	GError *error = NULL;
	GBytes *bytes = compile_object("gcc -g",
				       "typedef long t; struct s { struct { char c; } in; int i; t t; float f; int *p;"
				       " enum { A, B } e; int a[3]; unsigned b : 3; union { int x; long y; } u; } v;");
	hd_unit *unit = hd_unit_read_object(bytes, &error);
	if (!unit)
		fail_msg("%s", error->message);
	g_bytes_unref(bytes);
	return unit;
}

static void
spoil(hd_unit *unit, const impossible *what)
{
	const hd_variable_slot *v = (const hd_variable_slot *)hd_unit_variable_named(unit, NULL, "v", 0);
	what->spoil((hd_type *)v->type);
}

static void
test_impossible(void **state)
{
	if (!compile_has("gcc")) {
		print_message("# gcc is not installed\n");
		skip();
	}
	compile_begin();
	hd_unit *sound = small_unit(), *spoilt = small_unit();
	spoil(spoilt, *state);
	migrate(sound, sound);
	migrate(sound, spoilt);
	migrate(spoilt, sound);
	migrate(spoilt, spoilt);
	look_for(spoilt, sound, "struct s");
	look_for(sound, spoilt, "struct s");
	GPtrArray *refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	hd_migration *m = hd_migration_of_variable(spoilt, spoilt, NULL, "v", 0, refusals);
	assert_true((m != NULL) == ((const impossible *)*state)->harmless);
	hd_migration_free(m);
	g_ptr_array_unref(refusals);
	hd_unit_free(sound);
	hd_unit_free(spoilt);
	compile_end();
}

int
main(void)
{
	static const char *const sections[] = {".debug_info",	     ".debug_abbrev", ".rela.debug_info", ".debug_line",
					       ".debug_str_offsets", ".debug_addr",   ".symtab",	  "truncated"};
	static const impossible shapes[] = {
		{.name = "a struct has itself", .spoil = has_itself},
		{.name = "a struct without a size has itself", .spoil = has_itself_without_size},
		{.name = "a struct has itself without a name", .spoil = has_itself_without_name},
		{.name = "a union has itself", .spoil = has_itself_in_a_union},
		{.name = "an array of itself", .spoil = is_array_of_itself},
		{.name = "an endless array of nothing", .spoil = is_array_of_nothing},
		{.name = "a typedef of itself", .spoil = is_typedef_of_itself},
		{.name = "a pointer to itself", .spoil = points_to_itself},
		{.name = "a field ends outside", .spoil = has_field_outside},
		{.name = "a field is far outside", .spoil = has_field_far_outside},
		{.name = "fields overlap", .spoil = has_overlapping_fields},
		{.name = "bits of a struct", .spoil = has_bits_of_a_struct},
		{.name = "bits of a float", .spoil = has_bits_of_a_float},
		{.name = "more bits than the type has", .spoil = has_more_bits_than_its_type},
		{.name = "a wide number", .spoil = has_wide_number},
		{.name = "an immense struct", .spoil = is_immense},
		{.name = "an immense array", .spoil = has_immense_array},
		{.name = "an immense enum", .spoil = has_immense_enum},
		{.name = "all fields have one name", .spoil = has_double_names, .harmless = true},
	};
	struct CMUnitTest tests[G_N_ELEMENTS(sections) + 1 + G_N_ELEMENTS(shapes)];
	for (gsize i = 0; i < G_N_ELEMENTS(sections); i++)
		tests[i] = (struct CMUnitTest){
			.name = sections[i], .test_func = test_section, .initial_state = (void *)sections[i]};
	tests[G_N_ELEMENTS(sections)] = (struct CMUnitTest){.name = "anywhere", .test_func = test_section};
	for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++)
		tests[G_N_ELEMENTS(sections) + 1 + i] = (struct CMUnitTest){
			.name = shapes[i].name, .test_func = test_impossible, .initial_state = (void *)&shapes[i]};
	return _cmocka_run_group_tests("hostile", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
