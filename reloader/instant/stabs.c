/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/stabs.h"

#include "base/error.h"

#include <stab.h>
#include <string.h>

/* An entry as the file has it. */
typedef struct {
	guint32 name; /* offset in .stabstr */
	guint8 type, other;
	guint16 line;
	guint32 value;
} entry;

G_STATIC_ASSERT(sizeof(entry) == 12);

typedef struct {
	const hd_elf_view *view;
	const hd_elf_section *entries, *strings;
	guint *symbols; /* by entry: the symbol its value counts from, 0: none */
	hd_stabs *stabs;
	GHashTable *files;  /* const char * -> index + 1 */
	GHashTable *placed; /* set of symbols that have a function */
	guint file;
	bool inside; /* of the last function */
	hd_stabs_line_of *line_of;
	void *data;
} reader;

static void
clear_function(void *data)
{
	g_free(((hd_stabs_function *)data)->name);
}

void
hd_stabs_free(hd_stabs *stabs)
{
	if (!stabs)
		return;
	g_ptr_array_unref(stabs->files);
	g_array_unref(stabs->functions);
	g_array_unref(stabs->lines);
	g_free(stabs);
}

guint
hd_stabs_section(const hd_elf_view *view, const char *name)
{
	for (guint i = 1; i < view->n_sections; i++)
		if (strcmp(view->sections[i].name, name) == 0)
			return i;
	return 0;
}

static bool
damaged(GError **error, const char *what)
{
	g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object's stabs are damaged: %s", what);
	return false;
}

/* ---- where entries are ---- */

static bool
read_relocations(reader *r, const hd_elf_section *table, GError **error)
{
	guint count = (guint)(r->entries->size / sizeof(entry));
	if (table->type != SHT_RELA || table->size % sizeof(Elf64_Rela) != 0)
		return damaged(error, "their relocations");
	for (gsize i = 0; i < table->size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela rela;
		memcpy(&rela, table->bytes + i * sizeof rela, sizeof rela);
		guint64 place = rela.r_offset - offsetof(entry, value), symbol = ELF64_R_SYM(rela.r_info);
		if (place % sizeof(entry) != 0 || place / sizeof(entry) >= count || symbol >= r->view->n_symbols)
			return damaged(error, "a relocation");
		r->symbols[place / sizeof(entry)] = rela.r_addend == 0 ? (guint)symbol : 0;
	}
	return true;
}

static bool
find_sections(reader *r, GError **error)
{
	guint entries = hd_stabs_section(r->view, ".stab"), strings = hd_stabs_section(r->view, ".stabstr");
	guint relocations = hd_stabs_section(r->view, ".rela.stab");
	if (!entries || !strings || !relocations) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object has no stabs");
		return false;
	}
	r->entries = &r->view->sections[entries];
	r->strings = &r->view->sections[strings];
	const hd_elf_section *table = &r->view->sections[relocations];
	if (!r->entries->bytes || !r->strings->bytes || !table->bytes || table->info != entries ||
	    r->entries->size % sizeof(entry) != 0)
		return damaged(error, "their sections");
	r->symbols = g_new0(guint, r->entries->size / sizeof(entry) + 1);
	return read_relocations(r, table, error);
}

/* NULL: it does not end in the table. */
static const char *
string_of(const reader *r, const entry *e)
{
	if (e->name >= r->strings->size)
		return NULL;
	const char *string = (const char *)r->strings->bytes + e->name;
	return memchr(string, 0, r->strings->size - e->name) ? string : NULL;
}

/* ---- what entries say ---- */

static void
set_file(reader *r, const char *name)
{
	guint known = GPOINTER_TO_UINT(g_hash_table_lookup(r->files, name));
	if (!known) {
		g_ptr_array_add(r->stabs->files, g_strdup(name));
		known = r->stabs->files->len;
		g_hash_table_insert(r->files, (char *)name, GUINT_TO_POINTER(known));
	}
	r->file = known - 1;
}

/* The line of these low bits that is next to one that is known. */
static guint
widen(guint16 low, guint near)
{
	guint line = (near & ~0xffffu) | low;
	if (line > near && line - near > 0x8000 && line > 0xffff)
		return line - 0x10000;
	return near > line && near - line > 0x8000 ? line + 0x10000 : line;
}

/* Where a line has no code (it was in a sizeof), the next one stands at the same place. */
static void
add_line(reader *r, guint64 offset, guint line)
{
	GArray *lines = r->stabs->lines;
	hd_stabs_function *function =
		&g_array_index(r->stabs->functions, hd_stabs_function, r->stabs->functions->len - 1);
	hd_stabs_line *last = function->n_lines ? &g_array_index(lines, hd_stabs_line, lines->len - 1) : NULL;
	if (offset >= function->size || (last && last->line == line && last->file == r->file && last->offset <= offset))
		return;
	while (function->n_lines > 1 && g_array_index(lines, hd_stabs_line, lines->len - 1).offset >= offset) {
		g_array_set_size(lines, lines->len - 1);
		function->n_lines--;
	}
	if (offset == 0 && function->n_lines)
		return;
	hd_stabs_line one = {offset, r->file, line};
	g_array_append_val(lines, one);
	function->n_lines++;
}

static bool
begin_function(reader *r, const char *string, guint16 line, guint symbol, GError **error)
{
	const char *colon = strchr(string, ':');
	const hd_elf_symbol *s = &r->view->symbols[symbol];
	r->inside = false;
	if (!colon || colon == string || !symbol || s->section == HD_ELF_UNDEFINED || s->section >= r->view->n_sections)
		return damaged(error, "a function");
	const hd_elf_section *code = &r->view->sections[s->section];
	if (!code->bytes || !(code->flags & SHF_EXECINSTR) || s->size > code->size - s->value)
		return damaged(error, "a function's code");
	if (!s->size || !g_hash_table_add(r->placed, GUINT_TO_POINTER(symbol)))
		return true;
	hd_stabs_function one = {
		.name = g_strndup(string, (gsize)(colon - string)),
		.external = colon[1] == 'F',
		.symbol = symbol,
		.size = s->size,
		.first = r->stabs->lines->len,
	};
	g_array_append_val(r->stabs->functions, one);
	r->inside = true;
	add_line(r, 0, widen(line, r->line_of ? r->line_of(one.name, r->data) : 0));
	return true;
}

/* Counted from the function's start, unless it has a relocation. */
static void
take_line(reader *r, const entry *e, guint symbol)
{
	if (!r->inside || symbol)
		return;
	const hd_stabs_function *function =
		&g_array_index(r->stabs->functions, hd_stabs_function, r->stabs->functions->len - 1);
	const hd_stabs_line *opening = &g_array_index(r->stabs->lines, hd_stabs_line, function->first);
	add_line(r, e->value, opening->file == r->file ? widen(e->line, opening->line) : e->line);
}

static bool
take_entry(reader *r, guint index, GError **error)
{
	entry e;
	memcpy(&e, r->entries->bytes + (gsize)index * sizeof e, sizeof e);
	if (e.type == N_SLINE) {
		take_line(r, &e, r->symbols[index]);
		return true;
	}
	if (e.type != N_SO && e.type != N_SOL && e.type != N_FUN)
		return true;
	const char *string = string_of(r, &e);
	if (!string)
		return damaged(error, "a name");
	if (e.type == N_FUN)
		return begin_function(r, string, e.line, r->symbols[index], error);
	if (*string && !(e.type == N_SO && g_str_has_suffix(string, "/")))
		set_file(r, string);
	return true;
}

static bool
read_entries(reader *r, GError **error)
{
	for (guint i = 0; i < r->entries->size / sizeof(entry); i++) {
		if (!take_entry(r, i, error))
			return false;
		if (r->stabs->functions->len && !r->stabs->files->len)
			return damaged(error, "a function of no file");
	}
	return r->stabs->functions->len || damaged(error, "no function");
}

hd_stabs *
hd_stabs_read(const hd_elf_view *view, hd_stabs_line_of *line_of, void *data, GError **error)
{
	hd_stabs *stabs = g_new0(hd_stabs, 1);
	stabs->files = g_ptr_array_new_with_free_func(g_free);
	stabs->functions = g_array_new(FALSE, TRUE, sizeof(hd_stabs_function));
	g_array_set_clear_func(stabs->functions, clear_function);
	stabs->lines = g_array_new(FALSE, FALSE, sizeof(hd_stabs_line));
	reader r = {.view = view, .stabs = stabs, .line_of = line_of, .data = data};
	r.files = g_hash_table_new(g_str_hash, g_str_equal);
	r.placed = g_hash_table_new(NULL, NULL);
	bool good = find_sections(&r, error) && read_entries(&r, error);
	g_free(r.symbols);
	g_hash_table_unref(r.files);
	g_hash_table_unref(r.placed);
	if (!good)
		g_clear_pointer(&stabs, hd_stabs_free);
	return stabs;
}
