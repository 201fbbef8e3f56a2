/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the dynamic loader will do to an image: its dynamic relocations, sorted
 * by place (x86-64 psABI 4.4; RELR: the generic ABI's "Relative Relocation Table"). */
#include "config.h"

#include "reloader/image/internal.h"

#include <string.h>

#ifndef SHT_RELR
#define SHT_RELR 19
#endif

typedef struct {
	guint64 place;
	guint64 length; /* bytes it writes */
	gint64 addend;	/* RELR: to be read from the place */
	guint32 type;
	guint32 symbol;
	bool in_place;
} relocation;

struct hd_dynamic {
	GArray *relocations; /* of relocation, by place */
	guint64 longest;
	Elf_Data *symbols;
	gsize strings; /* section of the symbols' names */
};

static void
add(hd_dynamic *dynamic, relocation r)
{
	GElf_Sym symbol;
	if (r.type == R_X86_64_NONE)
		return;
	r.length = 8;
	if (r.type == R_X86_64_COPY && dynamic->symbols && gelf_getsym(dynamic->symbols, (int)r.symbol, &symbol))
		r.length = symbol.st_size;
	else if (r.type == R_X86_64_TLSDESC)
		r.length = 16;
	dynamic->longest = MAX(dynamic->longest, r.length);
	g_array_append_val(dynamic->relocations, r);
}

static void
add_rela(hd_dynamic *dynamic, Elf_Data *data)
{
	GElf_Rela rela;
	gsize count = data->d_size / sizeof(Elf64_Rela);
	for (gsize i = 0; i < count && gelf_getrela(data, (int)i, &rela); i++)
		add(dynamic, (relocation){.place = rela.r_offset,
					  .addend = rela.r_addend,
					  .type = GELF_R_TYPE(rela.r_info),
					  .symbol = GELF_R_SYM(rela.r_info)});
}

static void
add_relr(hd_dynamic *dynamic, Elf_Data *data)
{
	guint64 next = 0;
	gsize count = data->d_size / sizeof(guint64);
	for (gsize i = 0; i < count; i++) {
		guint64 word;
		memcpy(&word, (const guint8 *)data->d_buf + i * sizeof word, sizeof word);
		if ((word & 1) == 0) {
			add(dynamic, (relocation){.place = word, .type = R_X86_64_RELATIVE, .in_place = true});
			next = word + 8;
			continue;
		}
		for (guint bit = 1; bit < 64; bit++)
			if (word >> bit & 1)
				add(dynamic, (relocation){.place = next + (bit - 1) * 8,
							  .type = R_X86_64_RELATIVE,
							  .in_place = true});
		next += 63 * 8;
	}
}

static gint
by_place(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const relocation *)a)->place, y = ((const relocation *)b)->place;
	return (x > y) - (x < y);
}

static hd_dynamic *
dynamic_of(hd_image *image)
{
	if (image->dynamic)
		return image->dynamic;
	hd_dynamic *dynamic = image->dynamic = g_new0(hd_dynamic, 1);
	dynamic->relocations = g_array_new(FALSE, FALSE, sizeof(relocation));
	GElf_Shdr header;
	Elf_Scn *section = hd_elf_section(image->file.elf, SHT_DYNSYM, &header);
	dynamic->symbols = section ? elf_getdata(section, NULL) : NULL;
	dynamic->strings = section ? header.sh_link : 0;
	section = NULL;
	while ((section = elf_nextscn(image->file.elf, section))) {
		if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_ALLOC))
			continue;
		Elf_Data *data =
			header.sh_type == SHT_RELA || header.sh_type == SHT_RELR ? elf_rawdata(section, NULL) : NULL;
		if (!data || !data->d_buf)
			continue;
		if (header.sh_type == SHT_RELA)
			add_rela(dynamic, elf_getdata(section, NULL));
		else
			add_relr(dynamic, data);
	}
	g_array_sort(dynamic->relocations, by_place);
	return dynamic;
}

void
hd_dynamic_free(hd_dynamic *dynamic)
{
	if (!dynamic)
		return;
	g_array_unref(dynamic->relocations);
	g_free(dynamic);
}

/* First relocation that can reach address. */
static guint
first_reaching(const hd_dynamic *dynamic, guint64 address)
{
	guint64 from = address < dynamic->longest ? 0 : address - dynamic->longest;
	guint low = 0, high = dynamic->relocations->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (g_array_index(dynamic->relocations, relocation, middle).place < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* S + A for a symbol: the image's own where nothing can take precedence, else the resolver's. */
static bool
symbol_value(hd_image *image, const relocation *r, guint64 bias, hd_image_resolve *resolve, void *data, guint64 *value)
{
	GElf_Sym symbol;
	if (!image->dynamic->symbols || !gelf_getsym(image->dynamic->symbols, (int)r->symbol, &symbol))
		return false;
	bool own = GELF_ST_BIND(symbol.st_info) == STB_LOCAL ||
		   (symbol.st_shndx != SHN_UNDEF && GELF_ST_VISIBILITY(symbol.st_other) != STV_DEFAULT);
	if (own && GELF_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC)
		return false;
	if (own) {
		*value = (symbol.st_shndx == SHN_ABS ? 0 : bias) + symbol.st_value;
		return true;
	}
	const char *name = elf_strptr(image->file.elf, image->dynamic->strings, symbol.st_name);
	if (!name || !resolve)
		return false;
	*value = resolve(name, data);
	return *value != 0 || GELF_ST_BIND(symbol.st_info) == STB_WEAK;
}

/* The word that the loader writes, if that can be foretold. */
static bool
foretell(hd_image *image, const relocation *r, guint64 bias, hd_image_resolve *resolve, void *data, guint64 *word)
{
	switch (r->type) {
	case R_X86_64_RELATIVE:
		*word = bias + (guint64)r->addend;
		if (!r->in_place)
			return true;
		if (!hd_image_bytes(image, r->place, sizeof *word, (guint8 *)word))
			return false;
		*word = GUINT64_FROM_LE(*word) + bias;
		return true;
	case R_X86_64_64:
		if (!symbol_value(image, r, bias, resolve, data, word))
			return false;
		*word += (guint64)r->addend;
		return true;
	case R_X86_64_GLOB_DAT:
		return symbol_value(image, r, bias, resolve, data, word);
	default:
		return false;
	}
}

bool
hd_image_initial(hd_image *image, guint64 address, guint64 size, guint64 bias, hd_image_resolve *resolve, void *data,
		 guint8 *out)
{
	const hd_dynamic *dynamic = dynamic_of(image);
	GByteArray *bytes = g_byte_array_sized_new((guint)MIN(size, 1 << 20));
	bool done =
		size <= G_MAXUINT && address + size >= address && hd_image_high(image) - hd_image_low(image) >= size;
	if (done) {
		g_byte_array_set_size(bytes, (guint)size);
		done = hd_image_bytes(image, address, size, bytes->data);
	}
	for (guint i = first_reaching(dynamic, address); done && i < dynamic->relocations->len; i++) {
		const relocation *r = &g_array_index(dynamic->relocations, relocation, i);
		guint64 word;
		if (r->place >= address + size)
			break;
		if (r->place + r->length <= address)
			continue;
		done = foretell(image, r, bias, resolve, data, &word);
		word = GUINT64_TO_LE(word);
		for (guint b = 0; done && b < sizeof word; b++)
			if (r->place + b >= address && r->place + b - address < size)
				bytes->data[r->place + b - address] = ((const guint8 *)&word)[b];
	}
	if (done && size > 0)
		memcpy(out, bytes->data, size);
	g_byte_array_unref(bytes);
	return done;
}

guint64
hd_image_tls_module_word(hd_image *image)
{
	const hd_dynamic *dynamic = dynamic_of(image);
	for (guint i = 0; i < dynamic->relocations->len; i++) {
		const relocation *r = &g_array_index(dynamic->relocations, relocation, i);
		GElf_Sym symbol;
		if (r->type != R_X86_64_DTPMOD64)
			continue;
		if (r->symbol == 0 || (dynamic->symbols && gelf_getsym(dynamic->symbols, (int)r->symbol, &symbol) &&
				       symbol.st_shndx != SHN_UNDEF &&
				       (image->interpreted || GELF_ST_VISIBILITY(symbol.st_other) != STV_DEFAULT)))
			return r->place;
	}
	return 0;
}

guint64
hd_image_tls_offset_word(hd_image *image, const char *name)
{
	const hd_dynamic *dynamic = dynamic_of(image);
	for (guint i = 0; i < dynamic->relocations->len; i++) {
		const relocation *r = &g_array_index(dynamic->relocations, relocation, i);
		GElf_Sym symbol;
		if (r->type != R_X86_64_TPOFF64 || !dynamic->symbols ||
		    !gelf_getsym(dynamic->symbols, (int)r->symbol, &symbol))
			continue;
		const char *own = elf_strptr(image->file.elf, dynamic->strings, symbol.st_name);
		if (own && strcmp(own, name) == 0)
			return r->place;
	}
	return 0;
}

guint64
hd_image_ifunc_word(hd_image *image, guint64 resolver)
{
	const hd_dynamic *dynamic = dynamic_of(image);
	for (guint i = 0; i < dynamic->relocations->len; i++) {
		const relocation *r = &g_array_index(dynamic->relocations, relocation, i);
		if (r->type == R_X86_64_IRELATIVE && (guint64)r->addend == resolver)
			return r->place;
	}
	return 0;
}
