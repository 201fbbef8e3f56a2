/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/object/decode.h"

#include <elf.h>
#include <string.h>

/* Intel SDM volume 2, appendix A, 64-bit mode: what follows each opcode byte. */
enum {
	N = 0,	/* nothing */
	M = 1,	/* ModRM */
	B = 2,	/* imm8 */
	Z = 4,	/* imm16 or imm32, by operand size */
	J = 8,	/* rel8 */
	L = 16, /* rel32 */
	V = 32, /* depends on more than the opcode byte */
	X = 64, /* not an instruction, or a prefix out of place */
	MB = M | B,
	MZ = M | Z,
};

static const guint8 one_byte[256] = {
	/* 0 */ M,  M,	M, M,  B, Z, X,	 X,  M, M,  M, M,  B, Z, X, X,
	/* 1 */ M,  M,	M, M,  B, Z, X,	 X,  M, M,  M, M,  B, Z, X, X,
	/* 2 */ M,  M,	M, M,  B, Z, X,	 X,  M, M,  M, M,  B, Z, X, X,
	/* 3 */ M,  M,	M, M,  B, Z, X,	 X,  M, M,  M, M,  B, Z, X, X,
	/* 4 */ X,  X,	X, X,  X, X, X,	 X,  X, X,  X, X,  X, X, X, X,
	/* 5 */ N,  N,	N, N,  N, N, N,	 N,  N, N,  N, N,  N, N, N, N,
	/* 6 */ X,  X,	X, M,  X, X, X,	 X,  Z, MZ, B, MB, N, N, N, N,
	/* 7 */ J,  J,	J, J,  J, J, J,	 J,  J, J,  J, J,  J, J, J, J,
	/* 8 */ MB, MZ, X, MB, M, M, M,	 M,  M, M,  M, M,  M, M, M, V,
	/* 9 */ N,  N,	N, N,  N, N, N,	 N,  N, N,  X, N,  N, N, N, N,
	/* a */ V,  V,	V, V,  N, N, N,	 N,  B, Z,  N, N,  N, N, N, N,
	/* b */ B,  B,	B, B,  B, B, B,	 B,  V, V,  V, V,  V, V, V, V,
	/* c */ MB, MB, V, N,  X, X, MB, MZ, V, N,  V, N,  N, B, X, N,
	/* d */ M,  M,	M, M,  X, X, X,	 N,  M, M,  M, M,  M, M, M, M,
	/* e */ J,  J,	J, J,  B, B, B,	 B,  L, L,  X, J,  N, N, N, N,
	/* f */ X,  N,	X, X,  N, N, V,	 V,  N, N,  N, N,  N, N, M, M,
};

static const guint8 two_byte[256] = {
	/* 0 */ M,  M,	M,  M,	X,  N,	N,  N, N, N, X,	 N, X,	M, N, MB,
	/* 1 */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* 2 */ V,  V,	V,  V,	X,  X,	X,  X, M, M, M,	 M, M,	M, M, M,
	/* 3 */ N,  N,	N,  N,	N,  N,	X,  N, X, X, X,	 X, X,	X, X, X,
	/* 4 */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* 5 */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* 6 */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* 7 */ MB, MB, MB, MB, M,  M,	M,  N, V, M, X,	 X, M,	M, M, M,
	/* 8 */ L,  L,	L,  L,	L,  L,	L,  L, L, L, L,	 L, L,	L, L, L,
	/* 9 */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* a */ N,  N,	N,  M,	MB, M,	X,  X, N, N, N,	 M, MB, M, M, M,
	/* b */ M,  M,	M,  M,	M,  M,	M,  M, M, M, MB, M, M,	M, M, M,
	/* c */ M,  M,	MB, M,	MB, MB, MB, M, N, N, N,	 N, N,	N, N, N,
	/* d */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* e */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
	/* f */ M,  M,	M,  M,	M,  M,	M,  M, M, M, M,	 M, M,	M, M, M,
};

typedef struct {
	const guint8 *code;
	gsize room, at;
	bool operand16, address32, wide, repne, rep;
	hd_instruction *out;
} cursor;

static bool
next_byte(cursor *c, guint8 *byte)
{
	if (c->at >= c->room)
		return false;
	*byte = c->code[c->at++];
	return true;
}

static bool
skip(cursor *c, gsize n)
{
	if (n > c->room - c->at)
		return false;
	c->at += n;
	return true;
}

/* SDM volume 2, 2.1.5 and 2.2.1.6: ModRM, SIB and displacement. */
static bool
read_modrm(cursor *c, guint8 *modrm)
{
	if (!next_byte(c, modrm))
		return false;
	guint mod = *modrm >> 6, rm = *modrm & 7;
	if (mod == 3)
		return true;
	guint8 sib = 0;
	if (rm == 4 && !next_byte(c, &sib))
		return false;
	if (mod == 0 && rm == 5) {
		c->out->rip_field = (guint8)c->at;
		return skip(c, 4);
	}
	if (mod == 0)
		return rm != 4 || (sib & 7) != 5 || skip(c, 4);
	return skip(c, mod == 1 ? 1 : 4);
}

static bool
read_branch(cursor *c, guint size, hd_flow flow)
{
	hd_instruction *out = c->out;
	out->flow = (guint8)flow;
	out->field = (guint8)c->at;
	out->field_size = (guint8)size;
	if (!skip(c, size))
		return false;
	const guint8 *field = c->code + out->field;
	if (size == 1) {
		out->distance = (gint8)*field;
	} else {
		guint32 raw;
		memcpy(&raw, field, 4);
		out->distance = (gint32)GUINT32_FROM_LE(raw);
	}
	return true;
}

static bool
read_common(cursor *c, guint8 shape, guint8 *modrm)
{
	if (shape & X)
		return false;
	if ((shape & M) && !read_modrm(c, modrm))
		return false;
	if ((shape & Z) && !skip(c, c->operand16 && !c->wide ? 2 : 4))
		return false;
	return !(shape & B) || skip(c, 1);
}

static bool
read_vex(cursor *c, guint8 first)
{
	guint8 map = 1, byte, opcode, modrm;
	if (first != 0xc5) {
		if (!next_byte(c, &byte))
			return false;
		map = first == 0x62 ? byte & 7 : byte & 0x1f;
	}
	if (!skip(c, first == 0x62 ? 2 : 1) || !next_byte(c, &opcode))
		return false;
	if (map < 1 || map > 6 || map == 4 || (map > 3 && first != 0x62))
		return false;
	if (first != 0x62 && map == 1 && opcode == 0x77)
		return true;
	if (!read_modrm(c, &modrm))
		return false;
	bool immediate = map == 3 || (map == 1 && ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
						   opcode == 0xc4 || opcode == 0xc5 || opcode == 0xc6));
	return !immediate || skip(c, 1);
}

static bool
read_two_byte(cursor *c)
{
	guint8 opcode, modrm = 0;
	if (!next_byte(c, &opcode))
		return false;
	if (opcode == 0x38 || opcode == 0x3a) {
		bool immediate = opcode == 0x3a;
		return next_byte(c, &opcode) && read_modrm(c, &modrm) && (!immediate || skip(c, 1));
	}
	guint8 shape = two_byte[opcode];
	if (shape == L)
		return read_branch(c, 4, HD_FLOW_BRANCH);
	if (opcode >= 0x20 && opcode <= 0x23) /* control and debug registers: mod is ignored */
		return skip(c, 1);
	if (opcode == 0x78) /* vmread; extrq and insertq of SSE4a have two immediates */
		return read_modrm(c, &modrm) && (!(c->operand16 || c->repne) || skip(c, 2));
	if (!read_common(c, shape, &modrm))
		return false;
	if (opcode == 0x1f)
		c->out->flow = HD_FLOW_PADDING;
	else if (opcode == 0x05 || opcode == 0x34)
		c->out->flow = HD_FLOW_KERNEL;
	return true;
}

/* Opcodes whose length depends on more than the byte itself. */
static bool
read_special(cursor *c, guint8 opcode)
{
	guint8 modrm;
	switch (opcode) {
	case 0x8f: /* pop; other /r are AMD's XOP */
		return read_modrm(c, &modrm) && !(modrm & 0x38);
	case 0xa0: /* mov from and to an absolute address */
	case 0xa1:
	case 0xa2:
	case 0xa3:
		return skip(c, c->address32 ? 4 : 8);
	case 0xc2:
		c->out->flow = HD_FLOW_RETURN;
		return skip(c, 2);
	case 0xca:
		c->out->flow = HD_FLOW_RETURN;
		return skip(c, 2);
	case 0xc8:
		return skip(c, 3);
	case 0xf6:
		return read_modrm(c, &modrm) && ((modrm & 0x30) || skip(c, 1));
	case 0xf7:
		return read_modrm(c, &modrm) && ((modrm & 0x30) || skip(c, c->operand16 && !c->wide ? 2 : 4));
	default: /* b8..bf: mov to a register */
		return skip(c, c->wide ? 8 : c->operand16 ? 2 : 4);
	}
}

static hd_flow
one_byte_flow(const cursor *c, guint8 opcode, guint8 modrm)
{
	switch (opcode) {
	case 0x90:
		return c->rep ? HD_FLOW_NEXT : HD_FLOW_PADDING;
	case 0xc3:
	case 0xcb:
	case 0xcf:
		return HD_FLOW_RETURN;
	case 0xcc:
		return HD_FLOW_PADDING;
	case 0xcd:
		return HD_FLOW_KERNEL;
	case 0xff:
		if ((modrm & 0x38) == 0x10 || (modrm & 0x38) == 0x18)
			return HD_FLOW_INDIRECT;
		if ((modrm & 0x38) == 0x20 || (modrm & 0x38) == 0x28)
			return HD_FLOW_INDIRECT_JUMP;
		return HD_FLOW_NEXT;
	default:
		return HD_FLOW_NEXT;
	}
}

static bool
read_one_byte(cursor *c, guint8 opcode)
{
	guint8 shape = one_byte[opcode], modrm = 0;
	if (shape == J)
		return read_branch(c, 1, opcode == 0xeb ? HD_FLOW_JUMP : HD_FLOW_BRANCH);
	if (shape == L)
		return read_branch(c, 4, opcode == 0xe8 ? HD_FLOW_CALL : HD_FLOW_JUMP);
	if (shape == V)
		return read_special(c, opcode);
	if (opcode == 0xc7 && c->at < c->room && c->code[c->at] == 0xf8) { /* xbegin */
		c->at++;
		return read_branch(c, 4, HD_FLOW_BRANCH);
	}
	if (!read_common(c, shape, &modrm))
		return false;
	c->out->flow = (guint8)one_byte_flow(c, opcode, modrm);
	return true;
}

/* Takes the legacy prefixes and REX; false: only prefixes. */
static bool
read_prefixes(cursor *c, guint8 *opcode)
{
	for (;;) {
		if (!next_byte(c, opcode))
			return false;
		switch (*opcode) {
		case 0x66:
			c->operand16 = true;
			break;
		case 0x67:
			c->address32 = true;
			break;
		case 0xf2:
			c->repne = true;
			break;
		case 0xf3:
			c->rep = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0xf0:
			break;
		default:
			if ((*opcode & 0xf0) != 0x40)
				return true;
			c->wide = *opcode & 8;
			return next_byte(c, opcode);
		}
	}
}

bool
hd_decode(const guint8 *code, gsize room, hd_instruction *out)
{
	memset(out, 0, sizeof(*out));
	cursor c = {.code = code, .room = MIN(room, 15), .out = out};
	guint8 opcode;
	if (!read_prefixes(&c, &opcode))
		return false;
	bool ok;
	if (opcode == 0x0f)
		ok = read_two_byte(&c);
	else if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62)
		ok = read_vex(&c, opcode);
	else
		ok = read_one_byte(&c, opcode);
	out->length = (guint8)c.at;
	return ok;
}

guint
hd_reloc_width(guint32 type)
{
	switch (type) {
	case R_X86_64_64:
	case R_X86_64_PC64:
	case R_X86_64_DTPMOD64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_GOTOFF64:
	case R_X86_64_GOT64:
	case R_X86_64_GOTPCREL64:
	case R_X86_64_GOTPC64:
	case R_X86_64_PLTOFF64:
	case R_X86_64_SIZE64:
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_RELATIVE:
	case R_X86_64_IRELATIVE:
	case R_X86_64_RELATIVE64:
		return 8;
	case R_X86_64_PC32:
	case R_X86_64_GOT32:
	case R_X86_64_PLT32:
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
	case R_X86_64_DTPOFF32:
	case R_X86_64_GOTTPOFF:
	case R_X86_64_TPOFF32:
	case R_X86_64_GOTPC32:
	case R_X86_64_SIZE32:
	case R_X86_64_GOTPC32_TLSDESC:
		return 4;
	case R_X86_64_16:
	case R_X86_64_PC16:
		return 2;
	case R_X86_64_8:
	case R_X86_64_PC8:
		return 1;
	case R_X86_64_TLSDESC:
		return 16;
	default:
		return 0;
	}
}

bool
hd_reloc_is_relative(guint32 type)
{
	switch (type) {
	case R_X86_64_PC8:
	case R_X86_64_PC16:
	case R_X86_64_PC32:
	case R_X86_64_PC64:
	case R_X86_64_PLT32:
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_GOTPCREL64:
	case R_X86_64_GOTTPOFF:
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
	case R_X86_64_GOTPC32_TLSDESC:
		return true;
	default:
		return false;
	}
}
