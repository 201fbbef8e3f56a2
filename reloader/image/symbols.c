/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbol tables of an image, indexed by name and by address. */
#include "config.h"

#include "reloader/image/internal.h"

#include <string.h>

struct hd_symbols {
	GPtrArray *all;	      /* of hd_image_symbol *, owned: .symtab, or .dynsym where that is stripped */
	GPtrArray *functions; /* those that are functions, by address, the best name first */
	GArray *ends;	      /* of guint64: for each function, the highest end of those up to it */
	GArray *borders;      /* of guint64: where something else in code begins, sorted */
	GHashTable *globals;  /* name -> hd_image_symbol *, in `all` */
	GHashTable *exported; /* the same, of .dynsym */
	GPtrArray *dynamic;   /* of hd_image_symbol *, owned: .dynsym */
	GStringChunk *names;  /* those that are not in the file as they stand */
};

/* A symbol table being read. */
typedef struct {
	hd_image *image;
	hd_symbols *symbols;
	Elf *elf;
	GElf_Shdr header;
	Elf_Data *data;
	gsize count;
	gsize first_unscoped; /* local symbols from here on were global to the linker */
} table;

static bool
table_open(table *t, Elf *elf, guint type)
{
	Elf_Scn *section = elf ? hd_elf_section(elf, type, &t->header) : NULL;
	t->elf = elf;
	t->data = section ? elf_getdata(section, NULL) : NULL;
	t->count = t->data ? t->data->d_size / sizeof(Elf64_Sym) : 0;
	return t->data != NULL;
}

/* GNU ld ends the files' local symbols with a FILE symbol without a name; what
 * follows was made local by a version script (bfd/elflink.c, elf_link_output_extsym). */
static gsize
find_unscoped(const table *t)
{
	gsize found = t->count;
	GElf_Sym symbol;
	for (gsize i = 1; i < t->count && i < t->header.sh_info; i++) {
		if (!gelf_getsym(t->data, (int)i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FILE)
			continue;
		const char *name = elf_strptr(t->elf, t->header.sh_link, symbol.st_name);
		found = name && *name ? t->count : i;
	}
	return found;
}

static hd_symbol_kind
kind_of(const GElf_Sym *symbol)
{
	switch (GELF_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
		return HD_SYMBOL_FUNCTION;
	case STT_GNU_IFUNC:
		return HD_SYMBOL_IFUNC;
	case STT_OBJECT:
	case STT_COMMON:
		return HD_SYMBOL_OBJECT;
	case STT_TLS:
		return HD_SYMBOL_TLS;
	default:
		return HD_SYMBOL_NONE;
	}
}

static hd_image_symbol *
symbol_new(const table *t, gsize index, const GElf_Sym *symbol, const char *name)
{
	hd_image_symbol *s = g_new0(hd_image_symbol, 1);
	guint visibility = GELF_ST_VISIBILITY(symbol->st_other);
	s->name = name;
	s->kind = kind_of(symbol);
	s->address = symbol->st_value;
	s->size = symbol->st_size;
	s->hidden = visibility == STV_HIDDEN || visibility == STV_INTERNAL;
	s->weak = GELF_ST_BIND(symbol->st_info) == STB_WEAK;
	/* The linker makes hidden symbols local; to the sources they are global. */
	s->local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL && !s->hidden && index < t->first_unscoped;
	s->hidden |= GELF_ST_BIND(symbol->st_info) == STB_LOCAL && !s->local;
	return s;
}

/* An absolute symbol does not move with the image, so it has no address here where the image does. */
static bool
is_defined(const table *t, const GElf_Sym *symbol)
{
	guint type = GELF_ST_TYPE(symbol->st_info);
	return symbol->st_shndx != SHN_UNDEF && type != STT_FILE && type != STT_SECTION &&
	       (symbol->st_shndx != SHN_ABS || t->image->header.e_type == ET_EXEC);
}

/* "f@@V2" is how ld writes the default version of f into .symtab; "f@V1" is no f. */
static const char *
name_of(table *t, const GElf_Sym *symbol)
{
	const char *name = elf_strptr(t->elf, t->header.sh_link, symbol->st_name);
	const char *at = name ? strstr(name, "@@") : NULL;
	return at ? g_string_chunk_insert_len(t->symbols->names, name, at - name) : name;
}

static void
read_symtab(table *t)
{
	hd_symbols *symbols = t->symbols;
	GElf_Sym symbol;
	t->first_unscoped = find_unscoped(t);
	for (gsize i = 1; i < t->count; i++) {
		const char *name;
		if (!gelf_getsym(t->data, (int)i, &symbol) || !is_defined(t, &symbol) ||
		    !(name = name_of(t, &symbol)) || !*name)
			continue;
		hd_image_symbol *s = symbol_new(t, i, &symbol, name);
		g_ptr_array_add(symbols->all, s);
		if (!s->local && (s->weak ? !g_hash_table_contains(symbols->globals, name) : true))
			g_hash_table_insert(symbols->globals, (char *)name, s);
	}
}

/* Version indices that the image defines itself. */
static GHashTable *
read_own_versions(const hd_image *image)
{
	GHashTable *own = g_hash_table_new(NULL, NULL);
	GElf_Shdr header;
	Elf_Scn *section = hd_elf_section(image->file.elf, SHT_GNU_verdef, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	GElf_Verdef definition;
	for (int offset = 0; data && gelf_getverdef(data, offset, &definition); offset += (int)definition.vd_next) {
		g_hash_table_add(own, GUINT_TO_POINTER((guint)definition.vd_ndx));
		if (definition.vd_next == 0 || definition.vd_next > data->d_size)
			break;
	}
	return own;
}

/* .dynsym: what others can bind to. An undefined function with an address is
 * the program's own entry for it, to which all pointers to the function lead. */
static void
read_dynsym(table *t)
{
	hd_symbols *symbols = t->symbols;
	GElf_Shdr header;
	Elf_Scn *section = hd_elf_section(t->elf, SHT_GNU_versym, &header);
	Elf_Data *versions = section ? elf_getdata(section, NULL) : NULL;
	GHashTable *own = read_own_versions(t->image);
	GElf_Sym symbol;
	GElf_Versym version;
	t->first_unscoped = t->count;
	for (gsize i = 1; i < t->count; i++) {
		if (!gelf_getsym(t->data, (int)i, &symbol))
			continue;
		bool entry =
			symbol.st_shndx == SHN_UNDEF && symbol.st_value != 0 && kind_of(&symbol) == HD_SYMBOL_FUNCTION;
		if ((!entry && !is_defined(t, &symbol)) || GELF_ST_BIND(symbol.st_info) == STB_LOCAL)
			continue;
		const char *name = elf_strptr(t->elf, t->header.sh_link, symbol.st_name);
		if (!name || !*name)
			continue;
		hd_image_symbol *s = symbol_new(t, i, &symbol, name);
		g_ptr_array_add(symbols->dynamic, s);
		if (versions && gelf_getversym(versions, (int)i, &version) && (version & 0x8000) &&
		    g_hash_table_contains(own, GUINT_TO_POINTER((guint)version & 0x7fff)))
			continue;
		if (!s->hidden)
			g_hash_table_insert(symbols->exported, (char *)name, s);
	}
	g_hash_table_unref(own);
}

static bool
is_function(const hd_image_symbol *symbol)
{
	return symbol->kind == HD_SYMBOL_FUNCTION || symbol->kind == HD_SYMBOL_IFUNC;
}

static gsize
underscores(const char *name)
{
	return strspn(name, "_");
}

/* By address; at one address the name that people know comes first. */
static int
by_address(const hd_image_symbol *a, const hd_image_symbol *b)
{
	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->local != b->local)
		return a->local ? 1 : -1;
	if (a->hidden != b->hidden)
		return a->hidden ? 1 : -1;
	if (a->weak != b->weak)
		return a->weak ? 1 : -1;
	if (underscores(a->name) != underscores(b->name))
		return underscores(a->name) < underscores(b->name) ? -1 : 1;
	return strcmp(a->name, b->name);
}

static gint
compare_symbols(gconstpointer a, gconstpointer b)
{
	return by_address(*(hd_image_symbol *const *)a, *(hd_image_symbol *const *)b);
}

static gint
compare_addresses(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
	return (x > y) - (x < y);
}

/* The section of the file that holds an address in code; false if none does. */
static bool
code_section_at(const hd_image *image, guint64 address, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(image->file.elf, section)))
		if (gelf_getshdr(section, header) && (header->sh_flags & SHF_EXECINSTR) && address >= header->sh_addr &&
		    address - header->sh_addr < header->sh_size)
			return true;
	return false;
}

static const hd_image_symbol *holder_of(const hd_symbols *symbols, guint64 address);

/* Labels of assembler code begin something of their own unless a function holds them. */
static void
index_borders(hd_image *image, hd_symbols *symbols)
{
	GElf_Shdr section = {0};
	for (guint i = 0; i < symbols->all->len; i++) {
		const hd_image_symbol *symbol = symbols->all->pdata[i];
		if (symbol->kind == HD_SYMBOL_TLS)
			continue;
		if (!is_function(symbol)) {
			bool inside = symbol->address >= section.sh_addr &&
				      symbol->address - section.sh_addr < section.sh_size;
			if ((!inside && !code_section_at(image, symbol->address, &section)) ||
			    holder_of(symbols, symbol->address))
				continue;
		}
		g_array_append_val(symbols->borders, symbol->address);
	}
	g_array_sort(symbols->borders, compare_addresses);
}

static void
index_functions(hd_symbols *symbols)
{
	guint64 end = 0;
	for (guint i = 0; i < symbols->all->len; i++)
		if (is_function(symbols->all->pdata[i]))
			g_ptr_array_add(symbols->functions, symbols->all->pdata[i]);
	g_ptr_array_sort(symbols->functions, compare_symbols);
	for (guint i = 0; i < symbols->functions->len; i++) {
		const hd_image_symbol *symbol = symbols->functions->pdata[i];
		end = MAX(end, symbol->address + MAX(symbol->size, 1));
		g_array_append_val(symbols->ends, end);
	}
}

static hd_symbols *
symbols_of(hd_image *image)
{
	if (image->symbols)
		return image->symbols;
	hd_symbols *symbols = image->symbols = g_new0(hd_symbols, 1);
	symbols->all = g_ptr_array_new_with_free_func(g_free);
	symbols->dynamic = g_ptr_array_new_with_free_func(g_free);
	symbols->functions = g_ptr_array_new();
	symbols->ends = g_array_new(FALSE, FALSE, sizeof(guint64));
	symbols->borders = g_array_new(FALSE, FALSE, sizeof(guint64));
	symbols->globals = g_hash_table_new(g_str_hash, g_str_equal);
	symbols->exported = g_hash_table_new(g_str_hash, g_str_equal);
	symbols->names = g_string_chunk_new(256);
	table t = {.image = image, .symbols = symbols};
	if (table_open(&t, image->file.elf, SHT_SYMTAB) || table_open(&t, image->debug.elf, SHT_SYMTAB) ||
	    table_open(&t, image->file.elf, SHT_DYNSYM))
		read_symtab(&t);
	if (table_open(&t, image->file.elf, SHT_DYNSYM))
		read_dynsym(&t);
	index_functions(symbols);
	index_borders(image, symbols);
	return symbols;
}

void
hd_symbols_free(hd_symbols *symbols)
{
	if (!symbols)
		return;
	g_ptr_array_unref(symbols->all);
	g_ptr_array_unref(symbols->dynamic);
	g_ptr_array_unref(symbols->functions);
	g_array_unref(symbols->ends);
	g_array_unref(symbols->borders);
	g_hash_table_unref(symbols->globals);
	g_hash_table_unref(symbols->exported);
	g_string_chunk_free(symbols->names);
	g_free(symbols);
}

const hd_image_symbol *
hd_image_global(hd_image *image, const char *name)
{
	return g_hash_table_lookup(symbols_of(image)->globals, name);
}

const hd_image_symbol *
hd_image_exported(hd_image *image, const char *name)
{
	return g_hash_table_lookup(symbols_of(image)->exported, name);
}

/* Index of the first function at or above address. */
static guint
lower_bound(const hd_symbols *symbols, guint64 address)
{
	guint low = 0, high = symbols->functions->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		const hd_image_symbol *symbol = symbols->functions->pdata[middle];
		if (symbol->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const hd_image_symbol *
holder_of(const hd_symbols *symbols, guint64 address)
{
	const hd_image_symbol *found = NULL;
	guint i = address == G_MAXUINT64 ? 0 : lower_bound(symbols, address + 1);
	while (i-- > 0 && g_array_index(symbols->ends, guint64, i) > address) {
		const hd_image_symbol *symbol = symbols->functions->pdata[i];
		if (found && symbol->address != found->address)
			break;
		if (address - symbol->address < MAX(symbol->size, 1))
			found = symbol;
	}
	return found;
}

const hd_image_symbol *
hd_image_symbol_at(hd_image *image, guint64 address)
{
	return holder_of(symbols_of(image), address);
}

GPtrArray *
hd_image_symbols_starting_at(hd_image *image, guint64 address)
{
	const hd_symbols *symbols = symbols_of(image);
	GPtrArray *found = g_ptr_array_new();
	for (guint i = lower_bound(symbols, address); i < symbols->functions->len; i++) {
		const hd_image_symbol *symbol = symbols->functions->pdata[i];
		if (symbol->address != address)
			break;
		g_ptr_array_add(found, (gpointer)symbol);
	}
	return found;
}

void
hd_symbols_within(hd_image *image, guint64 first, guint64 end, GPtrArray *found)
{
	const hd_symbols *symbols = symbols_of(image);
	for (guint i = lower_bound(symbols, first); i < symbols->functions->len; i++) {
		const hd_image_symbol *symbol = symbols->functions->pdata[i];
		if (symbol->address >= end)
			break;
		g_ptr_array_add(found, (gpointer)symbol);
	}
}

guint64
hd_image_room(hd_image *image, guint64 address)
{
	const GArray *borders = symbols_of(image)->borders;
	GElf_Shdr section;
	if (!code_section_at(image, address, &section))
		return 0;
	guint64 end = section.sh_addr + section.sh_size;
	guint low = 0, high = borders->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (g_array_index(borders, guint64, middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < borders->len)
		end = MIN(end, g_array_index(borders, guint64, low));
	return end - address;
}

bool
hd_symbols_name_lto(hd_image *image)
{
	table t = {.image = image};
	GElf_Sym symbol;
	if (!table_open(&t, image->file.elf, SHT_SYMTAB))
		return false;
	for (gsize i = 1; i < t.count && i < t.header.sh_info; i++) {
		if (!gelf_getsym(t.data, (int)i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FILE)
			continue;
		const char *name = elf_strptr(t.elf, t.header.sh_link, symbol.st_name);
		if (name && strcmp(name, "ld-temp.o") == 0)
			return true;
	}
	return false;
}
