/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwind information of code in an arena, in a form that libdwfl reads.
 *
 * What is given is a relocatable file with addresses (sh_addr) on the sections
 * that were placed. What is made of it is a small executable file in memory: one
 * PT_LOAD over the placed code and one .eh_frame, with
 *   - the compiler's own entries, relocated here, those of unplaced functions emptied;
 *   - for functions without one (tcc writes none) an entry made from their
 *     prologue, where it is `push %rbp; mov %rsp,%rbp`;
 *   - for the redirect slot in front of a function, the state at its entry.
 * Encodings: LSB Core, "Exception Frames"; DWARF 5, 6.4. */
#include "config.h"

#include "reloader/target/cfi.h"

#include <elf.h>
#include <gelf.h>
#include <string.h>

#define SLOT 5
#define PCREL_SDATA4 0x1b
#define RAX_TO_RIP 16 /* DWARF number of the return address column */

typedef struct {
	Elf *elf;
	guint64 low, high;   /* of the placed code */
	guint64 base;	     /* address that .eh_frame is given */
	GByteArray *frames;  /* .eh_frame */
	GHashTable *covered; /* of guint64 *: starts of functions that have an entry */
} builder;

static guint32
get32(const guint8 *p)
{
	guint32 value;
	memcpy(&value, p, sizeof value);
	return value;
}

static void
put32(guint8 *p, guint32 value)
{
	memcpy(p, &value, sizeof value);
}

static void
find_range(builder *b)
{
	Elf_Scn *section = NULL;
	b->low = G_MAXUINT64;
	while ((section = elf_nextscn(b->elf, section))) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR) || !header.sh_addr ||
		    !header.sh_size)
			continue;
		/* The slot in front belongs to it. */
		b->low = MIN(b->low, header.sh_addr - SLOT);
		b->high = MAX(b->high, header.sh_addr + header.sh_size);
	}
}

/* ---- the compiler's entries ---- */

/* Where a symbol of a relocatable file is; 0: not placed. */
static guint64
symbol_address(Elf *elf, const GElf_Sym *symbol)
{
	GElf_Shdr header;
	Elf_Scn *section =
		symbol->st_shndx && symbol->st_shndx < SHN_LORESERVE ? elf_getscn(elf, symbol->st_shndx) : NULL;
	if (!section || !gelf_getshdr(section, &header) || !header.sh_addr)
		return 0;
	return header.sh_addr + symbol->st_value;
}

/* S + A of each relocation of a section, by offset; those of what is not placed are left out. */
static GHashTable *
relocations_of(builder *b, gsize target_section)
{
	GHashTable *values = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(b->elf, section))) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA || header.sh_info != target_section)
			continue;
		Elf_Scn *symbols_section = elf_getscn(b->elf, header.sh_link);
		Elf_Data *data = elf_getdata(section, NULL);
		Elf_Data *symbols = symbols_section ? elf_getdata(symbols_section, NULL) : NULL;
		int count = header.sh_entsize ? (int)(header.sh_size / header.sh_entsize) : 0;
		for (int i = 0; data && symbols && i < count; i++) {
			GElf_Rela rela;
			GElf_Sym symbol;
			if (!gelf_getrela(data, i, &rela) ||
			    !gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &symbol))
				continue;
			guint64 offset = rela.r_offset, value = symbol_address(b->elf, &symbol);
			if (!value)
				continue;
			value += (guint64)rela.r_addend;
			g_hash_table_insert(values, g_memdup2(&offset, sizeof offset), g_memdup2(&value, sizeof value));
		}
	}
	return values;
}

/* Is the pointer encoding of this CIE the one that everything for x86-64 uses? */
static bool
is_usual_cie(const guint8 *cie, gsize size)
{
	if (size < 9 || cie[8] != 1)
		return false;
	const guint8 *augmentation = cie + 9;
	const guint8 *end = memchr(augmentation, 0, size - 9);
	if (!end || augmentation[0] != 'z')
		return false;
	/* code alignment 1, data alignment -8, return address 16, each one byte; then the length of what 'z' brings. */
	if (cie + size < end + 5 || end[1] != 1 || end[3] != RAX_TO_RIP)
		return false;
	const guint8 *data = end + 5;
	for (const guint8 *letter = augmentation + 1; *letter && data < cie + size; letter++) {
		if (*letter == 'R')
			return *data == PCREL_SDATA4;
		if (*letter == 'L')
			data++;
		else if (*letter == 'P')
			data += 5;
		else if (*letter != 'S' && *letter != 'B')
			return false;
	}
	return false;
}

/* Copies one .eh_frame section, relocating each entry's first address; where it is
 * relocated already and has an address of its own, that is translated. */
static void
copy_section(builder *b, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	if (!data || !data->d_buf)
		return;
	const guint8 *from = data->d_buf;
	gsize shift = b->frames->len, offset = 0;
	g_byte_array_append(b->frames, from, (guint)data->d_size);
	guint8 *to = b->frames->data + shift;
	GHashTable *relocations = relocations_of(b, elf_ndxscn(section));
	while (offset + 8 < data->d_size) {
		gsize length = get32(from + offset);
		if (length < 4 || length >= 0xfffffff0 || offset + 4 + length > data->d_size)
			break;
		guint32 back = get32(from + offset + 4);
		gsize cie = offset + 4 - back;
		if (back != 0 && length >= 12 && cie < offset && is_usual_cie(from + cie, data->d_size - cie)) {
			guint64 field = offset + 8, start = 0;
			const guint64 *value = g_hash_table_lookup(relocations, &field);
			if (value)
				start = *value;
			else if (header->sh_addr && g_hash_table_size(relocations) == 0)
				start = header->sh_addr + offset + 8 +
					(guint64)(gint64)(gint32)get32(from + offset + 8);
			bool placed = start >= b->low && start < b->high;
			put32(to + offset + 8, (guint32)(start - (b->base + shift + offset + 8)));
			if (placed)
				g_hash_table_add(b->covered, g_memdup2(&start, sizeof start));
			else
				put32(to + offset + 12, 0);
		}
		offset += 4 + length;
	}
	g_hash_table_destroy(relocations);
	/* A terminator or rubbish at the end would hide what is appended. */
	g_byte_array_set_size(b->frames, (guint)(shift + offset));
}

/* ---- entries of our own ---- */

/* CIE: version 1, "zR", alignments 1 and -8, return address 16; at entry CFA = rsp + 8, return address at CFA - 8. */
static const guint8 own_cie[] = {20,	       0,    0, 0, 0,	 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, RAX_TO_RIP, 1,
				 PCREL_SDATA4, 0x0c, 7, 8, 0x90, 1, 0, 0};

static void
append_fde(builder *b, gsize cie, guint64 start, guint64 size, const guint8 *program, gsize length)
{
	guint8 head[17] = {0};
	gsize at = b->frames->len, padded = (17 + length + 3) & ~(gsize)3;
	put32(head, (guint32)(padded - 4));
	put32(head + 4, (guint32)(at + 4 - cie));
	put32(head + 8, (guint32)(start - (b->base + at + 8)));
	put32(head + 12, (guint32)size);
	g_byte_array_append(b->frames, head, sizeof head);
	g_byte_array_append(b->frames, program, (guint)length);
	static const guint8 nops[4];
	g_byte_array_append(b->frames, nops, (guint)(padded - 17 - length));
}

/* push %rbp; mov %rsp,%rbp; ...; leave; ret */
static void
append_prologue_fde(builder *b, gsize cie, guint64 start, const guint8 *code, gsize size)
{
	static const guint8 prologue[] = {0x55, 0x48, 0x89, 0xe5}, epilogue[] = {0xc9, 0xc3};
	if (size < 6 || size > G_MAXUINT32 || memcmp(code, prologue, sizeof prologue) != 0)
		return;
	/* advance 1; CFA offset 16; rbp at CFA-16; advance 3; CFA register rbp */
	guint8 program[] = {0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x04, 0, 0, 0, 0, 0x0c, 7, 8, 0xc6};
	gsize length = 8;
	if (memcmp(code + size - 2, epilogue, sizeof epilogue) == 0) {
		/* at the ret: advance; CFA = rsp + 8; rbp restored */
		put32(program + 9, (guint32)(size - 1 - 4));
		length = sizeof program;
	}
	append_fde(b, cie, start, size, program, length);
}

static void
append_own(builder *b)
{
	gsize cie = b->frames->len;
	g_byte_array_append(b->frames, own_cie, sizeof own_cie);
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(b->elf, section))) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB || !header.sh_entsize)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		int count = (int)(header.sh_size / header.sh_entsize);
		for (int i = 0; data && i < count; i++) {
			GElf_Sym symbol;
			GElf_Shdr text;
			if (!gelf_getsym(data, i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
				continue;
			guint64 start = symbol_address(b->elf, &symbol);
			Elf_Scn *code = start ? elf_getscn(b->elf, symbol.st_shndx) : NULL;
			Elf_Data *bytes = code ? elf_getdata(code, NULL) : NULL;
			if (!bytes || !bytes->d_buf || !gelf_getshdr(code, &text) || symbol.st_value > bytes->d_size)
				continue;
			gsize size = (gsize)MIN(symbol.st_size, bytes->d_size - symbol.st_value);
			append_fde(b, cie, start - SLOT, SLOT, NULL, 0);
			if (!g_hash_table_contains(b->covered, &start))
				append_prologue_fde(b, cie, start, (guint8 *)bytes->d_buf + symbol.st_value, size);
		}
	}
	static const guint8 terminator[4];
	g_byte_array_append(b->frames, terminator, sizeof terminator);
}

/* ---- the file ---- */

static GByteArray *
assemble(const builder *b)
{
	static const char names[] = "\0.eh_frame\0.shstrtab";
	Elf64_Ehdr header = {.e_type = ET_EXEC,
			     .e_machine = EM_X86_64,
			     .e_version = EV_CURRENT,
			     .e_phoff = sizeof header,
			     .e_ehsize = sizeof header,
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 1,
			     .e_shentsize = sizeof(Elf64_Shdr),
			     .e_shnum = 3,
			     .e_shstrndx = 2};
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	Elf64_Phdr load = {.p_type = PT_LOAD,
			   .p_flags = PF_R | PF_X,
			   .p_vaddr = b->low,
			   .p_paddr = b->low,
			   .p_memsz = b->high - b->low,
			   .p_align = 1};
	gsize frames_at = sizeof header + sizeof load, names_at = frames_at + b->frames->len;
	header.e_shoff = (names_at + sizeof names + 7) & ~(gsize)7;
	Elf64_Shdr sections[3] = {{0},
				  {.sh_name = 1,
				   .sh_type = SHT_PROGBITS,
				   .sh_flags = SHF_ALLOC,
				   .sh_addr = b->base,
				   .sh_offset = frames_at,
				   .sh_size = b->frames->len,
				   .sh_addralign = 1},
				  {.sh_name = 11,
				   .sh_type = SHT_STRTAB,
				   .sh_offset = names_at,
				   .sh_size = sizeof names,
				   .sh_addralign = 1}};
	GByteArray *file = g_byte_array_new();
	g_byte_array_append(file, (const guint8 *)&header, sizeof header);
	g_byte_array_append(file, (const guint8 *)&load, sizeof load);
	g_byte_array_append(file, b->frames->data, b->frames->len);
	g_byte_array_append(file, (const guint8 *)names, sizeof names);
	static const guint8 zero[8];
	g_byte_array_append(file, zero, (guint)(header.e_shoff - file->len));
	g_byte_array_append(file, (const guint8 *)sections, sizeof sections);
	return file;
}

GByteArray *
hd_cfi_build(GBytes *image, guint64 *low, guint64 *high)
{
	gsize size;
	const void *bytes = g_bytes_get_data(image, &size);
	elf_version(EV_CURRENT);
	builder b = {.elf = elf_memory((char *)bytes, size)};
	GByteArray *file = NULL;
	if (!b.elf || elf_kind(b.elf) != ELF_K_ELF || gelf_getclass(b.elf) != ELFCLASS64)
		goto out;
	find_range(&b);
	if (b.low >= b.high || b.high - b.low > G_MAXINT32)
		goto out;
	b.base = b.low;
	b.frames = g_byte_array_new();
	b.covered = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	Elf_Scn *section = NULL;
	size_t names;
	while (elf_getshdrstrndx(b.elf, &names) == 0 && (section = elf_nextscn(b.elf, section))) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(b.elf, names, header.sh_name) : NULL;
		if (name && strcmp(name, ".eh_frame") == 0 && header.sh_type != SHT_NOBITS)
			copy_section(&b, section, &header);
	}
	append_own(&b);
	file = assemble(&b);
	*low = b.low;
	*high = b.high;
	g_byte_array_free(b.frames, true);
	g_hash_table_destroy(b.covered);
out:
	elf_end(b.elf);
	return file;
}
