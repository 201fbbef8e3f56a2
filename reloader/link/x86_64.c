/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References: System V ABI, AMD64 supplement (psABI) 4.4 relocations, B.2 GOT
 * relaxation; Intel SDM volume 2 for the encodings. */
#include "config.h"

#include "reloader/link/arch.h"

#include "reloader/object/decode.h"

#include <elf.h>
#include <string.h>

/* ---- relocations ---- */

/* How a field's value is made, and what must hold of it. */
typedef enum {
	FIT_NONE,     /* nothing is written */
	FIT_UNSIGNED, /* zero-extended by its user */
	FIT_SIGNED,   /* sign-extended by its user */
	FIT_EITHER,   /* both will do: 8 and 16 bits */
	FIT_WHOLE,    /* 64 bits */
} fit;

typedef struct {
	const char *name;
	hd_reference reference;
	bool relative;
	fit fit;
} reloc_kind;

static const reloc_kind kinds[] = {
	[R_X86_64_NONE] = {"R_X86_64_NONE", HD_REF_NONE, false, FIT_NONE},
	[R_X86_64_64] = {"R_X86_64_64", HD_REF_ADDRESS, false, FIT_WHOLE},
	[R_X86_64_PC32] = {"R_X86_64_PC32", HD_REF_ADDRESS, true, FIT_SIGNED},
	[R_X86_64_GOT32] = {"R_X86_64_GOT32", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_PLT32] = {"R_X86_64_PLT32", HD_REF_CALL, true, FIT_SIGNED},
	[R_X86_64_COPY] = {"R_X86_64_COPY", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GLOB_DAT] = {"R_X86_64_GLOB_DAT", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_JUMP_SLOT] = {"R_X86_64_JUMP_SLOT", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_RELATIVE] = {"R_X86_64_RELATIVE", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GOTPCREL] = {"R_X86_64_GOTPCREL", HD_REF_GOT, true, FIT_SIGNED},
	[R_X86_64_32] = {"R_X86_64_32", HD_REF_ADDRESS, false, FIT_UNSIGNED},
	[R_X86_64_32S] = {"R_X86_64_32S", HD_REF_ADDRESS, false, FIT_SIGNED},
	[R_X86_64_16] = {"R_X86_64_16", HD_REF_ADDRESS, false, FIT_EITHER},
	[R_X86_64_PC16] = {"R_X86_64_PC16", HD_REF_ADDRESS, true, FIT_SIGNED},
	[R_X86_64_8] = {"R_X86_64_8", HD_REF_ADDRESS, false, FIT_EITHER},
	[R_X86_64_PC8] = {"R_X86_64_PC8", HD_REF_ADDRESS, true, FIT_SIGNED},
	[R_X86_64_DTPMOD64] = {"R_X86_64_DTPMOD64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_DTPOFF64] = {"R_X86_64_DTPOFF64", HD_REF_TLS_IN_MODULE, false, FIT_WHOLE},
	[R_X86_64_TPOFF64] = {"R_X86_64_TPOFF64", HD_REF_TLS_OFFSET, false, FIT_WHOLE},
	[R_X86_64_TLSGD] = {"R_X86_64_TLSGD", HD_REF_TLS_PAIR, true, FIT_SIGNED},
	[R_X86_64_TLSLD] = {"R_X86_64_TLSLD", HD_REF_TLS_MODULE, true, FIT_SIGNED},
	[R_X86_64_DTPOFF32] = {"R_X86_64_DTPOFF32", HD_REF_TLS_IN_MODULE, false, FIT_SIGNED},
	[R_X86_64_GOTTPOFF] = {"R_X86_64_GOTTPOFF", HD_REF_TLS_GOT, true, FIT_SIGNED},
	[R_X86_64_TPOFF32] = {"R_X86_64_TPOFF32", HD_REF_TLS_OFFSET, false, FIT_SIGNED},
	[R_X86_64_PC64] = {"R_X86_64_PC64", HD_REF_ADDRESS, true, FIT_WHOLE},
	/* These count from the place of the one GOT of an object (medium and large code models); our words have none.
	 */
	[R_X86_64_GOTOFF64] = {"R_X86_64_GOTOFF64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GOTPC32] = {"R_X86_64_GOTPC32", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GOT64] = {"R_X86_64_GOT64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GOTPCREL64] = {"R_X86_64_GOTPCREL64", HD_REF_GOT, true, FIT_WHOLE},
	[R_X86_64_GOTPC64] = {"R_X86_64_GOTPC64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GOTPLT64] = {"R_X86_64_GOTPLT64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_PLTOFF64] = {"R_X86_64_PLTOFF64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_SIZE32] = {"R_X86_64_SIZE32", HD_REF_SIZE, false, FIT_UNSIGNED},
	[R_X86_64_SIZE64] = {"R_X86_64_SIZE64", HD_REF_SIZE, false, FIT_WHOLE},
	[R_X86_64_GOTPC32_TLSDESC] = {"R_X86_64_GOTPC32_TLSDESC", HD_REF_TLS_DESC, true, FIT_SIGNED},
	[R_X86_64_TLSDESC_CALL] = {"R_X86_64_TLSDESC_CALL", HD_REF_TLS_DESC, false, FIT_NONE},
	[R_X86_64_TLSDESC] = {"R_X86_64_TLSDESC", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_IRELATIVE] = {"R_X86_64_IRELATIVE", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_RELATIVE64] = {"R_X86_64_RELATIVE64", HD_REF_UNKNOWN, false, FIT_NONE},
	[R_X86_64_GOTPCRELX] = {"R_X86_64_GOTPCRELX", HD_REF_GOT, true, FIT_SIGNED},
	[R_X86_64_REX_GOTPCRELX] = {"R_X86_64_REX_GOTPCRELX", HD_REF_GOT, true, FIT_SIGNED},
};

static const reloc_kind *
kind_of(guint32 type)
{
	static const reloc_kind unknown = {"a relocation of an unknown type", HD_REF_UNKNOWN, false, FIT_NONE};
	return type < G_N_ELEMENTS(kinds) && kinds[type].name ? &kinds[type] : &unknown;
}

const char *
hd_arch_reloc_name(guint32 type)
{
	return kind_of(type)->name;
}

/* The bytes in front of a displacement say what it is: those of a direct branch are no ModRM byte with %rip. */
static bool
is_branch_field(guint32 type, const guint8 *code, guint64 offset)
{
	if (offset < 1)
		return false;
	guint8 before = code[offset - 1];
	if (type == R_X86_64_PC8)
		return before == 0xeb || (before & 0xf0) == 0x70 || (before >= 0xe0 && before <= 0xe3);
	return before == 0xe8 || before == 0xe9 || (offset >= 2 && code[offset - 2] == 0x0f && (before & 0xf0) == 0x80);
}

hd_reference
hd_arch_reference(guint32 type, const guint8 *code, guint64 size, guint64 offset)
{
	if ((type == R_X86_64_PC32 || type == R_X86_64_PC8) && code && offset < size &&
	    is_branch_field(type, code, offset))
		return HD_REF_CALL;
	return kind_of(type)->reference;
}

static bool
fits(gint64 value, guint width, fit how)
{
	if (how == FIT_WHOLE || width == 8)
		return true;
	gint64 top = (gint64)1 << (8 * width - 1);
	bool is_signed = value >= -top && value < top, is_unsigned = value >= 0 && value < 2 * top;
	return how == FIT_SIGNED ? is_signed : how == FIT_UNSIGNED ? is_unsigned : is_signed || is_unsigned;
}

bool
hd_arch_relocate(guint32 type, guint8 *field, guint64 room, guint64 place, guint64 target, gint64 addend)
{
	const reloc_kind *kind = kind_of(type);
	if (kind->reference == HD_REF_UNKNOWN)
		return false;
	if (kind->fit == FIT_NONE)
		return true;
	guint width = hd_reloc_width(type);
	guint64 value = target + (guint64)addend - (kind->relative ? place : 0);
	if (width == 0 || width > room || !fits((gint64)value, width, kind->fit))
		return false;
	value = GUINT64_TO_LE(value);
	memcpy(field, &value, width);
	return true;
}

static bool
near(guint64 from, guint64 to, gint32 *distance)
{
	gint64 d = (gint64)(to - from);
	*distance = (gint32)d;
	return d == *distance;
}

static void
put32(guint8 *at, gint32 value)
{
	guint32 raw = GUINT32_TO_LE((guint32)value);
	memcpy(at, &raw, 4);
}

/* psABI B.2: mov foo@GOTPCREL(%rip), reg -> lea foo(%rip), reg
 *            call *foo@GOTPCREL(%rip)    -> addr32 call foo
 *            jmp *foo@GOTPCREL(%rip)     -> jmp foo; nop */
bool
hd_arch_relax_got(guint32 type, guint8 *code, guint64 offset, guint64 place, guint64 target, gint64 addend)
{
	gint32 distance;
	guint needed = type == R_X86_64_REX_GOTPCRELX ? 3 : 2;
	if ((type != R_X86_64_GOTPCRELX && type != R_X86_64_REX_GOTPCRELX) || offset < needed || addend != -4 ||
	    !near(place + 4, target, &distance))
		return false;
	guint8 opcode = code[offset - 2], modrm = code[offset - 1];
	if (opcode == 0x8b && (modrm & 0xc7) == 0x05) {
		code[offset - 2] = 0x8d;
		put32(code + offset, distance);
		return true;
	}
	if (type != R_X86_64_GOTPCRELX || opcode != 0xff)
		return false;
	if (modrm == 0x15) {
		code[offset - 2] = 0x67;
		code[offset - 1] = 0xe8;
		put32(code + offset, distance);
		return true;
	}
	if (modrm == 0x25 && near(place + 3, target, &distance)) {
		code[offset - 2] = 0xe9;
		put32(code + offset - 1, distance);
		code[offset + 3] = 0x90;
		return true;
	}
	return false;
}

/* ---- what a linker has made ---- */

/* psABI B.2: a load from the GOT may have become an address computation, a direct call or a direct jump. */
static bool
relaxed_field(const guint8 *code, guint64 size, guint64 offset, guint64 *field)
{
	if (offset < 2 || size - offset < 4)
		return false;
	guint8 opcode = code[offset - 2], modrm = code[offset - 1];
	bool jump = opcode == 0xe9 && code[offset + 3] == 0x90;
	*field = jump ? offset - 1 : offset;
	return jump || (opcode == 0x8d && (modrm & 0xc7) == 0x05) || (opcode == 0x67 && modrm == 0xe8);
}

bool
hd_arch_target(guint32 type, const guint8 *code, guint64 size, guint64 offset, guint64 place, gint64 addend,
	       guint64 *target)
{
	const reloc_kind *kind = kind_of(type);
	guint width = hd_reloc_width(type);
	guint64 field = offset;
	bool here = kind->reference == HD_REF_CALL || kind->reference == HD_REF_ADDRESS ||
		    (kind->reference == HD_REF_GOT && width == 4 && relaxed_field(code, size, offset, &field));
	if (!here || width == 0 || offset > size || width > size - offset)
		return false;
	guint64 value = 0;
	memcpy(&value, code + field, width);
	value = GUINT64_FROM_LE(value);
	guint unused = 64 - 8 * width;
	if (kind->fit == FIT_SIGNED)
		value = (guint64)((gint64)(value << unused) >> unused);
	*target = value - (guint64)addend + (kind->relative ? place + field : 0);
	return true;
}

void
hd_arch_linked_bytes(guint32 type, guint *before, guint *after)
{
	*before = 0;
	*after = hd_reloc_width(type);
	switch (type) {
	case R_X86_64_GOTPCRELX:
		*before = 2;
		break;
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_GOTTPOFF:
	case R_X86_64_GOTPC32_TLSDESC:
		*before = 3;
		break;
	case R_X86_64_TLSDESC_CALL: /* call *(%rax) */
		*after = 2;
		break;
	case R_X86_64_TLSGD: /* data16 lea x@tlsgd(%rip),%rdi; data16 data16 rex.w call __tls_get_addr */
		*before = 4;
		*after = 12;
		break;
	case R_X86_64_TLSLD: /* lea x@tlsld(%rip),%rdi; call __tls_get_addr */
		*before = 3;
		*after = 9;
		break;
	default:
		break;
	}
}

/* ---- redirects ---- */

bool
hd_arch_jump(guint8 out[HD_ARCH_JUMP], guint64 from, guint64 to)
{
	gint32 distance;
	if (!near(from + HD_ARCH_JUMP, to, &distance))
		return false;
	out[0] = 0xe9;
	put32(out + 1, distance);
	return true;
}

void
hd_arch_slot(guint8 out[HD_ARCH_JUMP])
{
	static const guint8 nop[HD_ARCH_JUMP] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	memcpy(out, nop, sizeof(nop));
}

void
hd_arch_stub(guint8 out[HD_ARCH_STUB], guint64 to)
{
	/* the word is aligned, so that it can be replaced in one store */
	static const guint8 jump[8] = {0xff, 0x25, 0x02, 0x00, 0x00, 0x00, 0xcc, 0xcc};
	guint64 word = GUINT64_TO_LE(to);
	memcpy(out, jump, sizeof(jump));
	memcpy(out + 8, &word, sizeof(word));
}

/* Whether an instruction leads back into the bytes that a redirect writes. Only a call may lead to the very first:
 * it enters the function anew, a jump goes on in the middle of a call. */
static bool
leads_into_entry(const hd_instruction *instruction, const guint8 *code, gsize at)
{
	gint64 end = (gint64)(at + instruction->length), target;
	if (instruction->field) {
		target = end + instruction->distance;
		return (target > 0 && target < HD_ARCH_JUMP) || (target == 0 && instruction->flow != HD_FLOW_CALL);
	}
	if (!instruction->rip_field)
		return false;
	guint32 raw;
	memcpy(&raw, code + at + instruction->rip_field, 4);
	target = end + (gint32)GUINT32_FROM_LE(raw); /* a label's address */
	return target > 0 && target < HD_ARCH_JUMP;
}

bool
hd_arch_short_jump(guint8 out[HD_ARCH_SHORT_JUMP], guint64 from, guint64 to)
{
	gint64 distance = (gint64)(to - (from + HD_ARCH_SHORT_JUMP));
	if (distance < G_MININT8 || distance > G_MAXINT8)
		return false;
	out[0] = 0xeb;
	out[1] = (guint8)distance;
	return true;
}

gsize
hd_arch_padding(const guint8 *code, gsize size)
{
	gsize length = 0;
	hd_instruction instruction;
	while (length < size && hd_decode(code + length, size - length, &instruction) &&
	       instruction.flow == HD_FLOW_PADDING)
		length += instruction.length;
	return MIN(length, size);
}

hd_entry
hd_arch_entry(const guint8 *code, gsize size, gsize padding, guint64 address)
{
	(void)address; /* all that matters is relative to the entry */
	bool loop = false;
	hd_instruction instruction;
	if (size == 0)
		return HD_ENTRY_UNREADABLE;
	for (gsize at = 0; at < size; at += instruction.length) {
		if (!hd_decode(code + at, size - at, &instruction))
			return HD_ENTRY_UNREADABLE;
		loop = loop || leads_into_entry(&instruction, code, at);
	}
	if (size < HD_ARCH_JUMP && size + hd_arch_padding(code + size, padding) < HD_ARCH_JUMP)
		return HD_ENTRY_SHORT;
	return loop ? HD_ENTRY_LOOP : HD_ENTRY_FREE;
}
