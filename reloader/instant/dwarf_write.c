/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DWARF 4: 7.5 (.debug_info), 6.2 (.debug_line), 2.17.3 (ranges), 6.4 (frames);
 * LSB Core, "Exception Frames". Offsets from section to section are 0: there is
 * one unit, and one of everything it refers to. */
#include "config.h"

#include "reloader/instant/dwarf_write.h"

#include <dwarf.h>
#include <string.h>

#define PRODUCER "libtcc, described by " PACKAGE_STRING

enum { ABBREV_UNIT = 1, ABBREV_EXTERNAL, ABBREV_STATIC };

/* x86-64 psABI, figure 3.36. */
enum { RBP = 6, RSP = 7, RETURN_ADDRESS = 16 };

/* ---- encoding ---- */

static void
put(hd_dwarf_section *s, const void *bytes, gsize size)
{
	g_byte_array_append(s->content, bytes, (guint)size);
}

static void
put_number(hd_dwarf_section *s, guint64 value, gsize width)
{
	value = GUINT64_TO_LE(value);
	put(s, &value, width);
}

static void
put_uleb(hd_dwarf_section *s, guint64 value)
{
	do {
		guint8 byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		put(s, &byte, 1);
		value >>= 7;
	} while (value);
}

static void
put_sleb(hd_dwarf_section *s, gint64 value)
{
	bool more = true;
	while (more) {
		guint8 byte = value & 0x7f;
		value >>= 7; /* arithmetic */
		more = !(value == 0 && !(byte & 0x40)) && !(value == -1 && (byte & 0x40));
		put_number(s, byte | (more ? 0x80 : 0), 1);
	}
}

static void
put_string(hd_dwarf_section *s, const char *string)
{
	put(s, string, strlen(string) + 1);
}

/* The symbol plus addend; R_X86_64_PC32: the distance to it from here. */
static void
put_address(hd_dwarf_section *s, guint symbol, guint64 addend, guint type)
{
	Elf64_Rela rela = {
		.r_offset = s->content->len, .r_info = ELF64_R_INFO((guint64)symbol, type), .r_addend = (gint64)addend};
	g_array_append_val(s->relocations, rela);
	put_number(s, 0, type == R_X86_64_PC32 ? 4 : 8);
}

/* Room for a length of four bytes, and its place. */
static guint
begin_length(hd_dwarf_section *s)
{
	put_number(s, 0, 4);
	return s->content->len;
}

static void
end_length(hd_dwarf_section *s, guint begun)
{
	guint32 length = GUINT32_TO_LE(s->content->len - begun);
	memcpy(s->content->data + begun - 4, &length, sizeof length);
}

static const hd_stabs_function *
function_at(const hd_stabs *stabs, guint index)
{
	return &g_array_index(stabs->functions, hd_stabs_function, index);
}

static const hd_stabs_line *
line_at(const hd_stabs *stabs, guint index)
{
	return &g_array_index(stabs->lines, hd_stabs_line, index);
}

/* ---- libtcc's frames ---- */

/* push %rbp; mov %rsp,%rbp; sub $SIZE,%rsp: every function's, whatever it takes and keeps. */
#define PROLOGUE_SIZE 11

static bool
has_prologue(const guint8 *code, guint64 size)
{
	static const guint8 prologue[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec};
	return size > PROLOGUE_SIZE && memcmp(code, prologue, sizeof prologue) == 0;
}

/* leave; ret: its only end. */
static bool
has_epilogue(const guint8 *code, guint64 size)
{
	static const guint8 epilogue[] = {0xc9, 0xc3};
	return size > PROLOGUE_SIZE + 1 && memcmp(code + size - 2, epilogue, sizeof epilogue) == 0;
}

static const guint8 *
code_of(const hd_elf_view *view, const hd_stabs_function *function)
{
	const hd_elf_symbol *symbol = &view->symbols[function->symbol];
	return view->sections[symbol->section].bytes + symbol->value;
}

/* ---- .debug_abbrev, .debug_info, .debug_ranges ---- */

/* Attributes and their forms; none has a number beyond 127. */
typedef guint8 attribute[2];

static const attribute of_unit[] = {
	{DW_AT_producer, DW_FORM_string},      {DW_AT_language, DW_FORM_data1}, {DW_AT_name, DW_FORM_string},
	{DW_AT_comp_dir, DW_FORM_string},      {DW_AT_low_pc, DW_FORM_addr},	{DW_AT_ranges, DW_FORM_sec_offset},
	{DW_AT_stmt_list, DW_FORM_sec_offset},
};
static const attribute of_function[] = {
	{DW_AT_name, DW_FORM_string}, {DW_AT_decl_file, DW_FORM_udata}, {DW_AT_decl_line, DW_FORM_udata},
	{DW_AT_low_pc, DW_FORM_addr}, {DW_AT_high_pc, DW_FORM_udata},
};
static const attribute is_external[] = {{DW_AT_external, DW_FORM_flag_present}};

static void
begin_abbrev(hd_dwarf_section *s, guint code, guint tag, bool children)
{
	put_uleb(s, code);
	put_uleb(s, tag);
	put_number(s, children ? DW_CHILDREN_yes : DW_CHILDREN_no, 1);
}

static void
write_abbrev(hd_dwarf_section *s)
{
	begin_abbrev(s, ABBREV_UNIT, DW_TAG_compile_unit, true);
	put(s, of_unit, sizeof of_unit);
	put_number(s, 0, 2);
	begin_abbrev(s, ABBREV_EXTERNAL, DW_TAG_subprogram, false);
	put(s, is_external, sizeof is_external);
	put(s, of_function, sizeof of_function);
	put_number(s, 0, 2);
	begin_abbrev(s, ABBREV_STATIC, DW_TAG_subprogram, false);
	put(s, of_function, sizeof of_function);
	put_number(s, 0, 2);
	put_number(s, 0, 1);
}

static void
write_info(hd_dwarf_section *s, const hd_stabs *stabs, const char *folder, const GPtrArray *files)
{
	guint length = begin_length(s);
	put_number(s, 4, 2); /* version */
	put_number(s, 0, 4); /* abbreviations */
	put_number(s, 8, 1); /* bytes of an address */
	put_uleb(s, ABBREV_UNIT);
	put_string(s, PRODUCER);
	put_number(s, DW_LANG_C99, 1); /* the last one that version 4 knows */
	put_string(s, g_ptr_array_index(files, 0));
	put_string(s, folder);
	put_number(s, 0, 8); /* ranges count from 0 */
	put_number(s, 0, 4); /* ranges */
	put_number(s, 0, 4); /* lines */
	for (guint i = 0; i < stabs->functions->len; i++) {
		const hd_stabs_function *function = function_at(stabs, i);
		const hd_stabs_line *opening = line_at(stabs, function->first);
		put_uleb(s, function->external ? ABBREV_EXTERNAL : ABBREV_STATIC);
		put_string(s, function->name);
		put_uleb(s, opening->file + 1);
		put_uleb(s, opening->line);
		put_address(s, function->symbol, 0, R_X86_64_64);
		put_uleb(s, function->size);
	}
	put_uleb(s, 0); /* no more children */
	end_length(s, length);
}

static void
write_ranges(hd_dwarf_section *s, const hd_stabs *stabs)
{
	for (guint i = 0; i < stabs->functions->len; i++) {
		const hd_stabs_function *function = function_at(stabs, i);
		put_address(s, function->symbol, 0, R_X86_64_64);
		put_address(s, function->symbol, function->size, R_X86_64_64);
	}
	put_number(s, 0, 8);
	put_number(s, 0, 8);
}

/* ---- .debug_line ---- */

#define LINE_BASE (-3)
#define LINE_RANGE 12

/* Operands of the standard opcodes, which end with DW_LNS_set_isa. */
static const guint8 operands[] = {0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
#define OPCODE_BASE (sizeof operands + 1)

static void
write_line_header(hd_dwarf_section *s, const GPtrArray *files)
{
	put_number(s, 4, 2); /* version */
	guint length = begin_length(s);
	put_number(s, 1, 1); /* bytes of the shortest instruction */
	put_number(s, 1, 1); /* operations of an instruction */
	put_number(s, 1, 1); /* rows are statements */
	put_number(s, (guint8)LINE_BASE, 1);
	put_number(s, LINE_RANGE, 1);
	put_number(s, OPCODE_BASE, 1);
	put(s, operands, sizeof operands);
	put_number(s, 0, 1); /* no folders but the unit's */
	for (guint i = 0; i < files->len; i++) {
		put_string(s, g_ptr_array_index(files, i));
		put_number(s, 0, 3); /* folder, time, length: not said */
	}
	put_number(s, 0, 1);
	end_length(s, length);
}

/* The registers of the line number machine; a sequence begins in file 1, line 1. */
typedef struct {
	guint64 offset;
	guint file, line;
} machine;

static void
write_row(hd_dwarf_section *s, machine *at, guint64 offset, guint file, guint line)
{
	guint64 forward = offset - at->offset;
	gint64 down = (gint64)line - at->line;
	if (file != at->file) {
		put_number(s, DW_LNS_set_file, 1);
		put_uleb(s, file);
	}
	if (down < LINE_BASE || down >= LINE_BASE + LINE_RANGE) {
		put_number(s, DW_LNS_advance_line, 1);
		put_sleb(s, down);
		down = 0;
	}
	guint64 special = (guint64)(down - LINE_BASE) + LINE_RANGE * MIN(forward, 255) + OPCODE_BASE;
	if (special > 255) {
		put_number(s, DW_LNS_advance_pc, 1);
		put_uleb(s, forward);
		special = (guint64)(down - LINE_BASE) + OPCODE_BASE;
	}
	put_number(s, special, 1);
	*at = (machine){offset, file, line};
}

/* The prologue is the opening line's, and ends with a row of its own, where debuggers stop. */
static void
write_sequence(hd_dwarf_section *s, const hd_stabs *stabs, const hd_stabs_function *function, bool prologue)
{
	machine at = {0, 1, 1};
	put_number(s, 0, 1);
	put_uleb(s, 9);
	put_number(s, DW_LNE_set_address, 1);
	put_address(s, function->symbol, 0, R_X86_64_64);
	for (guint i = 0; i < function->n_lines; i++) {
		const hd_stabs_line *row = line_at(stabs, function->first + i);
		if (prologue && row->offset >= PROLOGUE_SIZE) {
			put_number(s, DW_LNS_set_prologue_end, 1);
			if (row->offset > PROLOGUE_SIZE)
				write_row(s, &at, PROLOGUE_SIZE, at.file, at.line);
			prologue = false;
		}
		write_row(s, &at, row->offset, row->file + 1, row->line);
	}
	if (prologue) {
		put_number(s, DW_LNS_set_prologue_end, 1);
		write_row(s, &at, PROLOGUE_SIZE, at.file, at.line);
	}
	put_number(s, DW_LNS_advance_pc, 1);
	put_uleb(s, function->size - at.offset);
	put_number(s, 0, 1);
	put_uleb(s, 1);
	put_number(s, DW_LNE_end_sequence, 1);
}

static void
write_lines(hd_dwarf_section *s, const hd_stabs *stabs, const hd_elf_view *view, const GPtrArray *files)
{
	guint length = begin_length(s);
	write_line_header(s, files);
	for (guint i = 0; i < stabs->functions->len; i++) {
		const hd_stabs_function *function = function_at(stabs, i);
		write_sequence(s, stabs, function, has_prologue(code_of(view, function), function->size));
	}
	end_length(s, length);
}

/* ---- .eh_frame ---- */

/* Entries are aligned as addresses are; DW_CFA_nop fills them up. */
static void
end_entry(hd_dwarf_section *s, guint begun)
{
	put_number(s, DW_CFA_nop, (8 - s->content->len % 8) % 8);
	end_length(s, begun);
}

static void
write_cie(hd_dwarf_section *s)
{
	static const guint8 at_entry[] = {DW_CFA_def_cfa, RSP, 8, DW_CFA_offset | RETURN_ADDRESS, 1};
	guint length = begin_length(s);
	put_number(s, 0, 4); /* a CIE */
	put_number(s, 1, 1); /* version */
	put_string(s, "zR");
	put_uleb(s, 1);	 /* alignment of code */
	put_sleb(s, -8); /* and of data */
	put_uleb(s, RETURN_ADDRESS);
	put_uleb(s, 1); /* bytes that the augmentation brings */
	put_number(s, DW_EH_PE_pcrel | DW_EH_PE_sdata4, 1);
	put(s, at_entry, sizeof at_entry);
	end_entry(s, length);
}

static void
write_fde(hd_dwarf_section *s, const hd_stabs_function *function, const guint8 *code)
{
	static const guint8 prologue[] = {
		DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset,	 16,  DW_CFA_offset | RBP, 2, /* behind push %rbp */
		DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, RBP,			      /* behind mov %rsp,%rbp */
	};
	static const guint8 epilogue[] = {DW_CFA_def_cfa, RSP, 8, DW_CFA_restore | RBP}; /* behind leave */
	if (!has_prologue(code, function->size) || function->size > G_MAXINT32)
		return;
	guint length = begin_length(s);
	put_number(s, s->content->len, 4); /* back to the CIE, which is the section's first entry */
	put_address(s, function->symbol, 0, R_X86_64_PC32);
	put_number(s, function->size, 4);
	put_uleb(s, 0); /* no augmentation data */
	put(s, prologue, sizeof prologue);
	if (has_epilogue(code, function->size)) {
		put_number(s, DW_CFA_advance_loc4, 1);
		put_number(s, function->size - 1 - 4, 4);
		put(s, epilogue, sizeof epilogue);
	}
	end_entry(s, length);
}

static void
write_frames(hd_dwarf_section *s, const hd_stabs *stabs, const hd_elf_view *view)
{
	write_cie(s);
	for (guint i = 0; i < stabs->functions->len; i++)
		write_fde(s, function_at(stabs, i), code_of(view, function_at(stabs, i)));
}

/* ---- all ---- */

void
hd_dwarf_write(hd_dwarf_sections *out, const hd_stabs *stabs, const hd_elf_view *view, const char *folder,
	       const GPtrArray *files)
{
	static const char *const names[] = {".debug_info", ".debug_abbrev", ".debug_line", ".debug_ranges",
					    ".eh_frame"};
	for (guint i = 0; i < HD_DWARF_SECTIONS; i++)
		out->sections[i] = (hd_dwarf_section){
			.name = names[i],
			.loaded = i == HD_DWARF_EH_FRAME,
			.content = g_byte_array_sized_new(4096),
			.relocations = g_array_sized_new(FALSE, FALSE, sizeof(Elf64_Rela), 2 * stabs->functions->len),
		};
	write_info(&out->sections[HD_DWARF_INFO], stabs, folder, files);
	write_abbrev(&out->sections[HD_DWARF_ABBREV]);
	write_lines(&out->sections[HD_DWARF_LINE], stabs, view, files);
	write_ranges(&out->sections[HD_DWARF_RANGES], stabs);
	write_frames(&out->sections[HD_DWARF_EH_FRAME], stabs, view);
}

void
hd_dwarf_sections_clear(hd_dwarf_sections *sections)
{
	for (guint i = 0; i < HD_DWARF_SECTIONS; i++) {
		g_byte_array_unref(sections->sections[i].content);
		g_array_unref(sections->sections[i].relocations);
	}
}
