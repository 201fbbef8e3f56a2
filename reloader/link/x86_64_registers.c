/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which registers a function changes, and code that keeps some of them. The
 * only file that calls capstone. */
#include "config.h"

#include "reloader/link/arch.h"

#include <capstone/capstone.h>
#include <string.h>

/* ---- footprint ---- */

#define BIT(n) ((hd_register_set)1 << (n))

/* Any width of a register is that register. 0: none of ours (flags, segments, x87, mmx, masks, xmm16 and up). */
static hd_register_set
register_bit(guint reg)
{
	static const guint8 names[16][5] = {
		{X86_REG_AL, X86_REG_AH, X86_REG_AX, X86_REG_EAX, X86_REG_RAX},
		{X86_REG_CL, X86_REG_CH, X86_REG_CX, X86_REG_ECX, X86_REG_RCX},
		{X86_REG_DL, X86_REG_DH, X86_REG_DX, X86_REG_EDX, X86_REG_RDX},
		{X86_REG_BL, X86_REG_BH, X86_REG_BX, X86_REG_EBX, X86_REG_RBX},
		{X86_REG_SPL, X86_REG_SP, X86_REG_ESP, X86_REG_RSP, 0},
		{X86_REG_BPL, X86_REG_BP, X86_REG_EBP, X86_REG_RBP, 0},
		{X86_REG_SIL, X86_REG_SI, X86_REG_ESI, X86_REG_RSI, 0},
		{X86_REG_DIL, X86_REG_DI, X86_REG_EDI, X86_REG_RDI, 0},
		{X86_REG_R8B, X86_REG_R8W, X86_REG_R8D, X86_REG_R8, 0},
		{X86_REG_R9B, X86_REG_R9W, X86_REG_R9D, X86_REG_R9, 0},
		{X86_REG_R10B, X86_REG_R10W, X86_REG_R10D, X86_REG_R10, 0},
		{X86_REG_R11B, X86_REG_R11W, X86_REG_R11D, X86_REG_R11, 0},
		{X86_REG_R12B, X86_REG_R12W, X86_REG_R12D, X86_REG_R12, 0},
		{X86_REG_R13B, X86_REG_R13W, X86_REG_R13D, X86_REG_R13, 0},
		{X86_REG_R14B, X86_REG_R14W, X86_REG_R14D, X86_REG_R14, 0},
		{X86_REG_R15B, X86_REG_R15W, X86_REG_R15D, X86_REG_R15, 0},
	};
	if (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM15)
		return BIT(16 + reg - X86_REG_XMM0);
	if (reg >= X86_REG_YMM0 && reg <= X86_REG_YMM15)
		return BIT(16 + reg - X86_REG_YMM0);
	if (reg >= X86_REG_ZMM0 && reg <= X86_REG_ZMM15)
		return BIT(16 + reg - X86_REG_ZMM0);
	for (guint i = 0; i < 16 && reg; i++)
		for (guint k = 0; k < 5; k++)
			if (names[i][k] == reg)
				return BIT(i);
	return 0;
}

static bool
has_group(const cs_insn *insn, guint8 group)
{
	for (guint i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == group)
			return true;
	return false;
}

/* A gather clears its mask, too. */
static hd_register_set
gathered(const cs_insn *insn)
{
	hd_register_set set = 0;
	if (g_str_has_prefix(insn->mnemonic, "vgather") || g_str_has_prefix(insn->mnemonic, "vpgather"))
		for (guint i = 0; i < insn->detail->x86.op_count; i++)
			if (insn->detail->x86.operands[i].type == X86_OP_REG)
				set |= register_bit(insn->detail->x86.operands[i].reg);
	return set;
}

/* Where capstone's tables are wrong. Too much is as bad as too little: of the code that runs now, what it is said to
 * write is what its callers are taken not to rely on. */
static hd_register_set
corrected(const cs_insn *insn, hd_register_set written)
{
	const hd_register_set rax = BIT(0), rcx = BIT(1), rsp = BIT(4), rbp = BIT(5), rdi = BIT(7), r11 = BIT(11);
	switch (insn->id) {
	case X86_INS_CWD: /* they read it */
	case X86_INS_CDQ:
	case X86_INS_CQO:
		return written & ~rax;
	case X86_INS_TEST:
		return 0;
	case X86_INS_STOSB:
	case X86_INS_STOSW:
	case X86_INS_STOSD:
	case X86_INS_STOSQ:
		return rdi | (insn->detail->x86.prefix[0] ? rcx : 0);
	case X86_INS_CMPXCHG:
	case X86_INS_XLATB:
		return written | rax;
	case X86_INS_ENTER:
		return written | rsp | rbp;
	case X86_INS_SYSCALL: /* SDM: rcx and r11; rax has the kernel's result */
		return written | rax | rcx | r11;
	default:
		return written | gathered(insn);
	}
}

static void
note_flow(hd_footprint *footprint, const cs_insn *insn, guint64 low, guint64 high)
{
	bool call = has_group(insn, X86_GRP_CALL), jump = has_group(insn, X86_GRP_JUMP);
	if (has_group(insn, X86_GRP_INT) || insn->id == X86_INS_SYSCALL || insn->id == X86_INS_SYSENTER)
		footprint->indirect = true;
	if (!call && !jump)
		return;
	const cs_x86 *x86 = &insn->detail->x86;
	if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM) {
		footprint->indirect = true;
		return;
	}
	guint64 target = (guint64)x86->operands[0].imm;
	if (call || target < low || target >= high)
		g_array_append_val(footprint->calls, target);
}

static void
note_instruction(hd_footprint *footprint, csh handle, const cs_insn *insn, guint64 low, guint64 high)
{
	cs_regs read, written;
	guint8 n_read, n_written;
	hd_register_set set = 0;
	if (cs_regs_access(handle, insn, read, &n_read, written, &n_written) == CS_ERR_OK)
		for (guint i = 0; i < n_written; i++)
			set |= register_bit(written[i]);
	footprint->written |= corrected(insn, set);
	note_flow(footprint, insn, low, high);
}

/* Opened once: it holds tables, no state. */
static csh
disassembler(void)
{
	static csh handle;
	static gsize once;
	if (g_once_init_enter(&once)) {
		if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK)
			cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
		else
			handle = 0;
		g_once_init_leave(&once, 1);
	}
	return handle;
}

hd_footprint
hd_arch_footprint(const guint8 *code, gsize size, guint64 address)
{
	hd_footprint footprint = {.calls = g_array_new(FALSE, FALSE, sizeof(guint64))};
	csh handle = disassembler();
	cs_insn *insn = handle ? cs_malloc(handle) : NULL;
	if (!insn)
		return footprint;
	guint64 at = address;
	footprint.readable = true;
	for (gsize left = size; left && footprint.readable;) {
		if (cs_disasm_iter(handle, &code, &left, &at, insn))
			note_instruction(&footprint, handle, insn, address, address + size);
		else
			footprint.readable = false;
	}
	cs_free(insn, 1);
	return footprint;
}

void
hd_footprint_clear(hd_footprint *footprint)
{
	if (footprint->calls)
		g_array_free(footprint->calls, TRUE);
	memset(footprint, 0, sizeof(*footprint));
}

/* ---- keeper ---- */

static void
emit(GByteArray *out, const char *bytes, guint n)
{
	g_byte_array_append(out, (const guint8 *)bytes, n);
}

static void
emit32(GByteArray *out, guint32 value)
{
	value = GUINT32_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, 4);
}

/* mov %reg, offset(%rsp) or back */
static void
emit_general(GByteArray *out, bool store, guint reg, guint32 offset)
{
	guint8 code[4] = {(guint8)(0x48 | (reg >> 3) << 2), store ? 0x89 : 0x8b, (guint8)(0x84 | (reg & 7) << 3), 0x24};
	g_byte_array_append(out, code, sizeof(code));
	emit32(out, offset);
}

/* movaps %xmm, offset(%rsp) or back */
static void
emit_vector(GByteArray *out, bool store, guint reg, guint32 offset)
{
	guint8 code[5] = {(guint8)(0x40 | (reg >> 3) << 2), 0x0f, store ? 0x29 : 0x28, (guint8)(0x84 | (reg & 7) << 3),
			  0x24};
	g_byte_array_append(out, code, sizeof(code));
	emit32(out, offset);
}

static void
emit_all(GByteArray *out, bool store, hd_register_set keep)
{
	guint32 offset = 0;
	for (guint i = 0; i < 16; i++)
		if (keep & BIT(16 + i)) {
			emit_vector(out, store, i, offset);
			offset += 16;
		}
	for (guint i = 0; i < 16; i++)
		if (keep & BIT(i)) {
			emit_general(out, store, i, offset);
			offset += 8;
		}
}

/* A call that reaches any address: by a word behind the code where the distance is too long. No register is free. */
static void
emit_call(GByteArray *out, guint start, guint64 place, guint64 to)
{
	guint64 end = place + (out->len - start) + 5;
	gint64 distance = (gint64)(to - end);
	if (distance == (gint32)distance) {
		emit(out, "\xe8", 1);
		emit32(out, (guint32)(gint32)distance);
		return;
	}
	emit(out, "\xff\x15\x02\x00\x00\x00\xeb\x08", 8); /* call *2(%rip); jmp over the word */
	to = GUINT64_TO_LE(to);
	g_byte_array_append(out, (const guint8 *)&to, 8);
}

void
hd_arch_keeper(GByteArray *out, guint64 place, guint64 to, hd_register_set keep)
{
	guint start = out->len;
	keep &= ~(BIT(4) | BIT(5)); /* rsp and rbp are kept by every function */
	guint32 room = 0;
	for (guint i = 0; i < 32; i++)
		if (keep & BIT(i))
			room += i < 16 ? 8 : 16;
	room = (room + 15) & ~15u;
	emit(out, "\x55\x48\x89\xe5", 4); /* push %rbp; mov %rsp, %rbp: rsp is a multiple of 16 again */
	emit(out, "\x48\x81\xec", 3);	  /* sub $room, %rsp */
	emit32(out, room);
	emit_all(out, true, keep);
	emit_call(out, start, place, to);
	emit_all(out, false, keep);
	emit(out, "\xc9\xc3", 2); /* leave; ret */
}
