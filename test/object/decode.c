/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The length decoder against capstone, over the code of the C and mathematics libraries and of this program. */
#include "config.h"

#include "reloader/object/decode.h"

#include <capstone/capstone.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
	csh handle;
	cs_insn *insn;
	guint64 compared, differ;
} judge;

static bool
has_group(const cs_insn *insn, guint8 group)
{
	for (guint i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == group)
			return true;
	return false;
}

/* Direct branches and displacements from %rip, as capstone sees them. */
static bool
same_meaning(const cs_insn *insn, const hd_instruction *ours)
{
	const cs_x86 *x86 = &insn->detail->x86;
	bool branch = has_group(insn, CS_GRP_CALL) || has_group(insn, CS_GRP_JUMP);
	if (branch && x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM &&
	    (!ours->field || (gint64)insn->address + insn->size + ours->distance != x86->operands[0].imm))
		return false;
	for (guint i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_MEM && x86->operands[i].mem.base == X86_REG_RIP)
			return ours->rip_field && x86->encoding.disp_offset == ours->rip_field;
	return !ours->rip_field || insn->id == X86_INS_NOP;
}

static void
compare_code(judge *j, const guint8 *code, gsize size)
{
	for (gsize at = 0; at < size;) {
		const guint8 *rest = code + at;
		gsize left = size - at;
		guint64 address = at;
		hd_instruction ours;
		bool decoded = hd_decode(code + at, size - at, &ours);
		if (!cs_disasm_iter(j->handle, &rest, &left, &address, j->insn)) {
			at += decoded ? ours.length : 1; /* it does not know all of AVX-512 */
			continue;
		}
		j->compared++;
		if (!decoded || ours.length != j->insn->size || !same_meaning(j->insn, &ours)) {
			if (j->differ++ < 10)
				print_error("%s %s: %u bytes, ours %u\n", j->insn->mnemonic, j->insn->op_str,
					    j->insn->size, decoded ? ours.length : 0);
		}
		at += j->insn->size;
	}
}

/* Libraries whose executable segments hold nothing but code. */
static int
compare_object(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	if (*info->dlpi_name && !strstr(info->dlpi_name, "/libc.so") && !strstr(info->dlpi_name, "/libm.so"))
		return 0;
	for (guint i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
			compare_code(data, (const guint8 *)info->dlpi_addr + header->p_vaddr,
				     MIN(header->p_memsz, 1u << 19));
	}
	return 0;
}

static void
test_agrees_with_capstone(void **state)
{
	(void)state;
	judge j = {.compared = 0};
	assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &j.handle), CS_ERR_OK);
	cs_option(j.handle, CS_OPT_DETAIL, CS_OPT_ON);
	j.insn = cs_malloc(j.handle);
	dl_iterate_phdr(compare_object, &j);
	assert_true(j.compared > 1000);
	assert_true(j.differ == 0);
	cs_free(j.insn, 1);
	cs_close(&j.handle);
}

static void
test_odd_instructions(void **state)
{
	(void)state;
	static const struct {
		const char *code;
		guint room, length, flow, field, rip;
	} cases[] = {
		{"\x66\x66\x48\xe8\1\0\0\0", 8, 8, HD_FLOW_CALL, 4, 0},	    /* data16 call, of TLSGD */
		{"\x67\xe8\1\0\0\0", 6, 6, HD_FLOW_CALL, 2, 0},		    /* addr32 call, of a relaxed GOT load */
		{"\x64\x48\x8b\x04\x25\0\0\0\0", 9, 9, HD_FLOW_NEXT, 0, 0}, /* mov %fs:0, %rax */
		{"\x48\xb8\1\2\3\4\5\6\7\10", 10, 10, HD_FLOW_NEXT, 0, 0},  /* movabs */
		{"\x48\xa1\1\2\3\4\5\6\7\10", 10, 10, HD_FLOW_NEXT, 0, 0},
		{"\xc7\x05\1\2\3\4\5\6\7\10", 10, 10, HD_FLOW_NEXT, 0, 2}, /* movl $imm, disp(%rip) */
		{"\x66\xc7\x05\1\2\3\4\5\6", 9, 9, HD_FLOW_NEXT, 0, 3},
		{"\xf6\x05\1\2\3\4\5", 7, 7, HD_FLOW_NEXT, 0, 2},		  /* testb */
		{"\xf6\x15\1\2\3\4", 6, 6, HD_FLOW_NEXT, 0, 2},			  /* notb */
		{"\x66\x0f\x3a\x0f\x05\1\2\3\4\5", 10, 10, HD_FLOW_NEXT, 0, 5},	  /* palignr */
		{"\xc4\xe3\x79\x0f\x05\1\2\3\4\5", 10, 10, HD_FLOW_NEXT, 0, 5},	  /* vpalignr */
		{"\x62\xf1\x7c\x48\x58\x05\1\2\3\4", 10, 10, HD_FLOW_NEXT, 0, 6}, /* vaddps zmm */
		{"\xc5\xf8\x77", 3, 3, HD_FLOW_NEXT, 0, 0},			  /* vzeroupper */
		{"\xc7\xf8\1\0\0\0", 6, 6, HD_FLOW_BRANCH, 2, 0},		  /* xbegin */
		{"\xe3\x05", 2, 2, HD_FLOW_BRANCH, 1, 0},			  /* jrcxz */
		{"\xff\xe0", 2, 2, HD_FLOW_INDIRECT_JUMP, 0, 0},
		{"\x3e\xff\xe0", 3, 3, HD_FLOW_INDIRECT_JUMP, 0, 0}, /* notrack */
		{"\xff\x15\1\0\0\0", 6, 6, HD_FLOW_INDIRECT, 0, 2},
		{"\xf3\xc3", 2, 2, HD_FLOW_RETURN, 0, 0},
		{"\xc2\1\0", 3, 3, HD_FLOW_RETURN, 0, 0},
		{"\xf3\x90", 2, 2, HD_FLOW_NEXT, 0, 0}, /* pause pads nothing */
		{"\x66\x90", 2, 2, HD_FLOW_PADDING, 0, 0},
		{"\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 10, 10, HD_FLOW_PADDING, 0, 0},
		{"\xcc", 1, 1, HD_FLOW_PADDING, 0, 0},
		{"\x0f\x05", 2, 2, HD_FLOW_KERNEL, 0, 0},
		{"\x0f\x20\xc0", 3, 3, HD_FLOW_NEXT, 0, 0}, /* mov %cr0, %rax */
		{"\xe8\1\0\0", 4, 0, 0, 0, 0},		    /* cut short */
		{"\x06", 1, 0, 0, 0, 0},
		{"", 0, 0, 0, 0, 0},
		{"\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 16, 0, 0, 0, 0}, /* more than 15 */
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		hd_instruction ours;
		guint8 *copy = g_memdup2(cases[i].code, cases[i].room);
		bool ok = hd_decode(copy, cases[i].room, &ours);
		g_free(copy);
		if (ok != (cases[i].length > 0))
			fail_msg("case %u: decoded %d", i, ok);
		if (ok && (ours.length != cases[i].length || ours.flow != cases[i].flow ||
			   ours.field != cases[i].field || ours.rip_field != cases[i].rip))
			fail_msg("case %u: length %u, flow %u, field %u, rip %u", i, ours.length, ours.flow, ours.field,
				 ours.rip_field);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_capstone),
		cmocka_unit_test(test_odd_instructions),
	};
	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
