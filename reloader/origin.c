/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a text is what a unit of the program was built of: compiled by the
 * unit's command as it stands, it gives the same code, constants and initial
 * values. Compilers are deterministic: the same compiler with the same options
 * gives something else only for another text, or with other macros.
 *
 * What a linker fills in is left out of the comparison; what a reference leads
 * to is compared where it has no name (a string, a number in memory). Names of
 * files and dates in strings may differ: they say how, when and where a text
 * was compiled, not which text it was. */
#include "config.h"

#include "reloader/private.h"

#include <elf.h>
#include <string.h>

#define PADDING_MOST 64 /* bytes, behind a function */

typedef struct {
	hd_image *image;
	const hd_object *object;
	GHashTable *seen; /* set of atoms' indices + 1: constants that were compared */
	char *different;  /* the first name that differs; NULL: none yet */
	bool uncertain;	  /* something could not be compared */
} comparison;

/* ---- strings ---- */

static bool
is_digits(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++)
		if (*pattern == '9' ? !g_ascii_isdigit(*text) && *text != ' ' : *pattern != *text)
			return false;
	return true;
}

/* Where a string begins with what __DATE__ or __TIME__ stand for, its length there; else 0. */
static gsize
date_at(const char *text)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	for (guint i = 0; i < G_N_ELEMENTS(months); i++)
		if (g_str_has_prefix(text, months[i]) && is_digits(text + 3, " 99 9999"))
			return 11;
	return is_digits(text, "99:99:99") ? 8 : 0;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool
is_text(const char *bytes)
{
	while ((guchar)*bytes >= ' ')
		bytes++;
	return !*bytes;
}

/* __FILE__ is as the file was named then. */
static bool
name_one_source(const char *one, const char *other)
{
	const char *base = base_name(one);
	return strchr(base, '.') && strcmp(base, base_name(other)) == 0 && is_text(one) && is_text(other);
}

static bool
says_the_same(const char *one, const char *other)
{
	if (name_one_source(one, other))
		return true;
	while (*one || *other) {
		gsize date = date_at(one);
		if (date && date == date_at(other)) {
			one += date;
			other += date;
		} else if (*one++ != *other++)
			return false;
	}
	return true;
}

/* ---- references ---- */

/* How many bytes before the field, and from it on, the linker may have written: x86-64 psABI, 4.4 and B.2, and for
 * threads' variables Drepper, "ELF Handling For Thread-Local Storage", 4.4.6 and 5.5. */
static void
written_by_linker(guint32 type, gint64 *before, gint64 *after)
{
	*before = 0;
	*after = 4;
	switch (type) {
	case R_X86_64_64:
	case R_X86_64_PC64:
	case R_X86_64_GOTOFF64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
		*after = 8;
		break;
	case R_X86_64_PC8:
	case R_X86_64_8:
		*after = 1;
		break;
	case R_X86_64_GOTPCRELX:
		*before = 2;
		break;
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_GOTTPOFF:
	case R_X86_64_GOTPC32_TLSDESC:
		*before = 3;
		break;
	case R_X86_64_TLSGD:
		*before = 4;
		*after = 12;
		break;
	case R_X86_64_TLSLD:
		*before = 3;
		*after = 9;
		break;
	case R_X86_64_TLSDESC_CALL:
		*after = 2;
		break;
	default:
		break;
	}
}

/* The address that a field of the image leads to; 0: that cannot be told from it. */
static guint64
address_in(const hd_reloc *reloc, const guint8 *field, guint64 place)
{
	guint64 wide;
	gint32 narrow;
	switch (reloc->type) {
	case R_X86_64_64:
		memcpy(&wide, field, sizeof wide);
		return wide;
	case R_X86_64_32:
	case R_X86_64_32S:
		memcpy(&narrow, field, sizeof narrow);
		return (guint64)(gint64)narrow;
	case R_X86_64_PC32:
		memcpy(&narrow, field, sizeof narrow);
		return place + (guint64)(gint64)narrow + (guint64)reloc->bias;
	default:
		return 0;
	}
}

static bool
same_string(comparison *c, const hd_atom *atom, guint64 offset, guint64 address)
{
	const char *text = (const char *)atom->bytes + offset;
	guint64 most = atom->size - offset, length = strnlen(text, most);
	GString *found = g_string_new(NULL);
	char next = 0;
	/* The one in the image may be longer. */
	while (found->len < 2 * length + 64 && hd_image_bytes(c->image, address + found->len, 1, (guint8 *)&next) &&
	       next)
		g_string_append_c(found, next);
	char *wanted = g_strndup(text, length);
	bool same = says_the_same(wanted, found->str);
	g_free(wanted);
	g_string_free(found, TRUE);
	return same;
}

static bool same_bytes(comparison *c, const hd_atom *atom, guint64 offset, const guint8 *found, guint64 size,
		       guint64 address);

/* Constants lie beside each other in the image as in the object; one of a section that linkers merge is an atom of its
 * own. */
static bool
same_constant(comparison *c, guint index, guint64 address)
{
	const hd_atom *atom = hd_object_atom(c->object, index);
	if (!g_hash_table_add(c->seen, GUINT_TO_POINTER(index + 1)))
		return true;
	guint8 *found = g_malloc(atom->size + 1);
	bool same = !hd_image_bytes(c->image, address, atom->size, found) ||
		    same_bytes(c, atom, 0, found, atom->size, address);
	g_free(found);
	return same;
}

/* Whether what is referred to is the same, where nothing else tells. */
static bool
same_target(comparison *c, const hd_reloc *reloc, const guint8 *field, guint64 place)
{
	const hd_atom *atom = reloc->atom == HD_NONE ? NULL : hd_object_atom(c->object, reloc->atom);
	guint64 address = address_in(reloc, field, place), offset = (guint64)(reloc->addend + reloc->bias);
	if (!atom || !atom->bytes || !address || offset >= atom->size)
		return true;
	if (atom->kind == HD_ATOM_STRING)
		return same_string(c, atom, offset, address);
	bool own = atom->kind == HD_ATOM_CONST && (!atom->name || atom->binding == HD_BIND_LOCAL);
	return !own || same_constant(c, reloc->atom, address - offset);
}

/* ---- functions and data ---- */

/* Of `size` bytes of the atom from `offset` on, those that the linker writes; owned by the caller. false: what one of
 * them leads to differs. */
static bool
mask_of(comparison *c, const hd_atom *atom, guint64 offset, const guint8 *found, guint64 size, guint64 address,
	guint8 *mask)
{
	bool same = true;
	for (guint i = 0; i < atom->n_relocs && same; i++) {
		const hd_reloc *reloc = &atom->relocs[i];
		gint64 before, after, at = (gint64)(reloc->offset - offset);
		written_by_linker(reloc->type, &before, &after);
		if (reloc->offset < offset || at + after > (gint64)size)
			continue;
		memset(mask + MAX(at - before, 0), 1, (gsize)(at + after - MAX(at - before, 0)));
		same = same_target(c, reloc, found + at, address + (guint64)at);
	}
	return same;
}

/* The strings around a byte that differs. Where one is longer, nothing behind it is at the same place. *end: the first
 * byte behind them. */
static bool
same_text_around(comparison *c, const char *wanted, const char *found, guint64 at, guint64 size, guint64 *end)
{
	guint64 start = at;
	while (start && wanted[start - 1] && found[start - 1])
		start--;
	char *one = g_strndup(wanted + start, size - start), *other = g_strndup(found + start, size - start);
	gsize length = strlen(one);
	bool same = says_the_same(one, other);
	*end = start + length;
	if (length != strlen(other)) {
		c->uncertain = true;
		*end = size;
	}
	g_free(one);
	g_free(other);
	return same;
}

/* Bytes of an atom from `offset` on against those that the image has for `address`. */
static bool
same_bytes(comparison *c, const hd_atom *atom, guint64 offset, const guint8 *found, guint64 size, guint64 address)
{
	guint8 *wanted = g_malloc0(size + 1), *mask = g_malloc0(size + 1);
	if (atom->bytes)
		memcpy(wanted, atom->bytes + offset, size);
	bool same = mask_of(c, atom, offset, found, size, address, mask);
	for (guint64 at = 0; at < size && same;) {
		if (mask[at] || wanted[at] == found[at])
			at++;
		else
			same = atom->kind != HD_ATOM_CODE &&
			       same_text_around(c, (const char *)wanted, (const char *)found, at, size, &at);
	}
	g_free(wanted);
	g_free(mask);
	return same;
}

static bool
same_function(comparison *c, const hd_image_symbol *symbol)
{
	guint index = hd_object_find(c->object, symbol->name);
	const hd_atom *atom = index == HD_NONE ? NULL : hd_object_atom(c->object, index);
	if (!atom || atom->kind != HD_ATOM_CODE || atom->size < symbol->size)
		return false;
	guint8 *found = g_malloc(atom->size + 1);
	/* What follows a function belongs to it as far as the next one: its padding. The last may have none. */
	bool same = hd_image_bytes(c->image, symbol->address, symbol->size, found) &&
		    same_bytes(c, atom, 0, found, symbol->size, symbol->address) &&
		    atom->size - symbol->size < PADDING_MOST;
	g_free(found);
	return same;
}

/* Pointers to what other objects define are no matter. */
static guint64
nowhere(const char *symbol, void *data)
{
	(void)symbol;
	(void)data;
	return 0;
}

static bool
initial_bytes(comparison *c, guint64 address, guint64 size, guint8 *out)
{
	return hd_image_initial(c->image, address, size, 0, nowhere, NULL, out) ||
	       hd_image_bytes(c->image, address, size, out);
}

static bool
same_variable(comparison *c, const hd_unit *built, const hd_unit_variable *variable)
{
	const hd_unit_variable *other =
		hd_unit_variable_named(built, variable->function, variable->name, variable->ordinal);
	if (!other || other->declaration)
		return false;
	if (!other->located || !variable->located || variable->tls || !variable->size)
		return true;
	guint index = hd_object_at(c->object, other->section, other->address);
	const hd_atom *atom = index == HD_NONE ? NULL : hd_object_atom(c->object, index);
	guint64 offset = atom ? other->address - atom->section_offset : 0;
	if (!atom || other->size != variable->size || offset + other->size > atom->size)
		return false;
	guint8 *found = g_malloc(variable->size);
	bool same = !initial_bytes(c, variable->address, variable->size, found) ||
		    same_bytes(c, atom, offset, found, variable->size, variable->address);
	g_free(found);
	return same;
}

static void
compare_functions(comparison *c, const hd_image_unit *unit)
{
	const GPtrArray *functions = hd_image_unit_functions(c->image, unit);
	for (guint i = 0; i < functions->len && !c->different; i++) {
		const hd_image_symbol *symbol = g_ptr_array_index(functions, i);
		if (symbol->size && !same_function(c, symbol))
			c->different = g_strdup(symbol->name);
	}
}

static void
compare_variables(comparison *c, const hd_unit *running, const hd_unit *built)
{
	const GPtrArray *variables = hd_unit_variables(running);
	for (guint i = 0; i < variables->len && !c->different; i++) {
		const hd_unit_variable *variable = g_ptr_array_index(variables, i);
		if (!variable->declaration && !same_variable(c, built, variable))
			c->different = g_strdup(variable->name);
	}
}

static gint
compare_words(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The words of a producer, in order; the language is in its name, too. */
static GPtrArray *
words_of(const char *producer)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	char **all = g_strsplit(producer, " ", -1);
	for (guint i = 0; all[i]; i++)
		if (!g_str_has_prefix(all[i], "-std="))
			g_ptr_array_add(words, g_strdup(all[i]));
	g_strfreev(all);
	g_ptr_array_sort(words, compare_words);
	return words;
}

/* The same compiler with the same options, as gcc records them. clang does not unless it is told to: its options were
 * guessed. */
static bool
same_compiler(const char *one, const char *other)
{
	if (!one || !other || !strstr(one, " -"))
		return false;
	GPtrArray *a = words_of(one), *b = words_of(other);
	bool same = a->len == b->len;
	for (guint i = 0; i < a->len && same; i++)
		same = strcmp(g_ptr_array_index(a, i), g_ptr_array_index(b, i)) == 0;
	g_ptr_array_unref(a);
	g_ptr_array_unref(b);
	return same;
}

typedef enum {
	UNKNOWN, /* it gives other code, and another compiler or other options may be why */
	SAME,
	OTHER, /* it is another text, or macros were others */
} likeness;

/* *different: the first name that differs, a new string; NULL: none does. */
static likeness
likeness_of(const hd_copy *copy, GBytes *bytes, char **different)
{
	const hd_unit *running = hd_image_unit_details(copy->home->image, copy->unit, NULL);
	hd_unit *built = running ? hd_unit_read_object(bytes, NULL) : NULL;
	hd_object *object = built ? hd_object_parse(bytes, NULL) : NULL;
	bool decides = false;
	*different = NULL;
	if (object) {
		comparison c = {copy->home->image, object, g_hash_table_new(NULL, NULL), NULL, false};
		compare_functions(&c, copy->unit);
		compare_variables(&c, running, built);
		*different = c.different;
		decides = c.different ? same_compiler(hd_unit_producer(built), copy->unit->producer) : !c.uncertain;
		g_hash_table_unref(c.seen);
		hd_object_unref(object);
	}
	if (built)
		hd_unit_free(built);
	return !decides ? UNKNOWN : *different ? OTHER : SAME;
}

/* ---- when it is asked ---- */

/* What runs is not known to be of the text that we found; or it is, and nobody knows which macros were given by -D. */
hd_build *
hd_origin_prove(hd_reloader *r, hd_copy *copy, bool background, hd_build_done *done, void *data)
{
	const hd_command *command = copy->unit && !copy->compared ? hd_discover_command(r, copy, NULL) : NULL;
	if (!command || (!copy->stale && command->origin != HD_COMMAND_DEBUG_INFO))
		return NULL;
	hd_build_request request = {
		.command = command,
		.texts = g_hash_table_size(r->originals) ? r->originals : NULL,
		.tree = r->texts,
		.older = r->originals,
		.background = background,
		.as_it_stands = true,
	};
	return hd_build_start(r->builder, &request, done, data);
}

/* Whether all of it is as we found it. */
static bool
is_known(const hd_reloader *r, const GPtrArray *files)
{
	for (guint i = 0; i < files->len; i++)
		if (g_hash_table_contains(r->unknown, g_ptr_array_index(files, i)))
			return false;
	return true;
}

void
hd_origin_recognise(const hd_reloader *r, hd_copy *copy, const hd_build_result *base)
{
	char *different = NULL;
	if (!copy->unit || copy->compared || !base->ok || !is_known(r, base->dependencies))
		return;
	if (likeness_of(copy, base->object, &different) == SAME) {
		copy->compared = true;
		copy->stale = false;
	}
	g_free(different);
}

/* What builds are often given, debug information does not tell, and most texts compile without. (gcc 12 writes other
 * code without optimisation where it is to warn: an unreachable end of a function has a `nop`.) */
static const char *const guesses[][3] = {{"-Wall", NULL},
					 {"-D_FORTIFY_SOURCE=2", NULL},
					 {"-DNDEBUG", NULL},
					 {"-DNDEBUG", "-Wall", NULL},
					 {"-DNDEBUG", "-D_FORTIFY_SOURCE=2", NULL},
					 {"-D_FORTIFY_SOURCE=3", NULL}};

static hd_origin
reject(hd_reloader *r, hd_copy *copy, const char *different, char **why)
{
	if (copy->guess < G_N_ELEMENTS(guesses)) {
		hd_discover_extend(r, copy, guesses[copy->guess++]);
		copy->compared = false;
		return HD_ORIGIN_CHANGED;
	}
	*why = g_strdup_printf("%s of the program is not what the text that it was built of gives: macros given by -D "
			       "were others, which the debug information does not have, and a compile_commands.json "
			       "would",
			       different);
	hd_discover_refuse(copy, g_strdup(*why));
	return HD_ORIGIN_WRONG;
}

/* What is newer than the program only by its time can be compared with what runs as all other files are; what is
 * older, and gives other code, was compiled by another command. */
hd_origin
hd_origin_decide(hd_reloader *r, hd_copy *copy, const hd_build_result *proof, char **why)
{
	char *different = NULL;
	bool known = proof->ok && is_known(r, proof->dependencies);
	likeness found = known ? likeness_of(copy, proof->object, &different) : UNKNOWN;
	hd_origin origin = HD_ORIGIN_TRUSTED;
	copy->compared = true;
	*why = NULL;
	if (found == SAME)
		copy->stale = false;
	if ((found == OTHER || (copy->guess && found == UNKNOWN)) && !copy->stale &&
	    copy->command->origin == HD_COMMAND_DEBUG_INFO)
		origin = reject(r, copy, different ? different : copy->module->name, why);
	g_free(different);
	return origin;
}
