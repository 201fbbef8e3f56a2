/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/arch.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* ---- relocations ---- */

typedef struct {
	guint32 type;
	guint64 place, target;
	gint64 addend;
	bool fits;
	guint width;
	guint64 value;
} relocation;

#define HIGH 0x7f0000001000ull

static const relocation relocations[] = {
	{R_X86_64_64, 0, HIGH, 8, true, 8, HIGH + 8},
	{R_X86_64_32, 0, 0xfffffff0, 8, true, 4, 0xfffffff8},
	{R_X86_64_32, 0, 0xfffffff0, 16, false, 4, 0},
	{R_X86_64_32, 0, 0, -1, false, 4, 0},
	{R_X86_64_32S, 0, 0x7ffffff0, 15, true, 4, 0x7fffffff},
	{R_X86_64_32S, 0, 0x7ffffff0, 16, false, 4, 0},
	{R_X86_64_32S, 0, 0xffffffff80000000, 0, true, 4, 0x80000000},
	{R_X86_64_PC32, HIGH, HIGH + 0x100, -4, true, 4, 0xfc},
	{R_X86_64_PC32, HIGH + 0x100, HIGH, -4, true, 4, 0xfffffefc},
	{R_X86_64_PC32, HIGH, HIGH + 0x80000003, -4, true, 4, 0x7fffffff},
	{R_X86_64_PC32, HIGH, HIGH + 0x80000004, -4, false, 4, 0},
	{R_X86_64_PC32, HIGH + 0x80000000, HIGH, 0, true, 4, 0x80000000},
	{R_X86_64_PC32, HIGH + 0x80000001, HIGH, 0, false, 4, 0},
	{R_X86_64_PLT32, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_GOTPCREL, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_GOTPCRELX, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_REX_GOTPCRELX, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_GOTPCREL64, HIGH, HIGH + 0x10, 0, true, 8, 0x10},
	{R_X86_64_GOTTPOFF, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_TPOFF32, HIGH, (guint64)-64, 8, true, 4, 0xffffffc8},
	{R_X86_64_TPOFF64, HIGH, (guint64)-64, 8, true, 8, (guint64)-56},
	{R_X86_64_TLSGD, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_TLSLD, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_DTPOFF32, HIGH, 0x40, 4, true, 4, 0x44},
	{R_X86_64_DTPOFF64, HIGH, 0x40, 4, true, 8, 0x44},
	{R_X86_64_GOTPC32_TLSDESC, HIGH, HIGH + 0x10, -4, true, 4, 0xc},
	{R_X86_64_TLSDESC_CALL, HIGH, HIGH, 0, true, 0, 0},
	{R_X86_64_NONE, HIGH, 0, 0, true, 0, 0},
	{R_X86_64_PC64, HIGH, 0x1000, 0, true, 8, (guint64)0x1000 - HIGH},
	{R_X86_64_16, 0, 0xfff0, 0xf, true, 2, 0xffff},
	{R_X86_64_16, 0, 0xfff0, 0x10, false, 2, 0},
	{R_X86_64_16, 0, 0, -0x8000, true, 2, 0x8000},
	{R_X86_64_PC16, HIGH, HIGH + 0x7fff, 0, true, 2, 0x7fff},
	{R_X86_64_PC16, HIGH, HIGH + 0x8000, 0, false, 2, 0},
	{R_X86_64_8, 0, 0xff, 0, true, 1, 0xff},
	{R_X86_64_8, 0, 0x100, 0, false, 1, 0},
	{R_X86_64_PC8, HIGH, HIGH + 0x80, -1, true, 1, 0x7f},
	{R_X86_64_PC8, HIGH, HIGH + 0x81, -1, false, 1, 0},
	{R_X86_64_SIZE32, HIGH, 40, 2, true, 4, 42},
	{R_X86_64_SIZE64, HIGH, 40, 2, true, 8, 42},
	{R_X86_64_GOTOFF64, HIGH, HIGH, 0, false, 8, 0},
	{R_X86_64_GOTPC32, HIGH, HIGH, 0, false, 4, 0},
	{R_X86_64_COPY, HIGH, HIGH, 0, false, 8, 0},
	{1000, HIGH, HIGH, 0, false, 8, 0},
};

static void
test_relocations(void **state)
{
	(void)state;
	for (guint i = 0; i < G_N_ELEMENTS(relocations); i++) {
		const relocation *r = &relocations[i];
		guint8 field[9], untouched[9];
		memset(field, 0xa5, sizeof(field));
		memset(untouched, 0xa5, sizeof(untouched));
		bool done = hd_arch_relocate(r->type, field, 8, r->place, r->target, r->addend);
		if (done != r->fits)
			fail_msg("%u, %s: fits is %d", i, hd_arch_reloc_name(r->type), done);
		guint width = r->fits ? r->width : 0;
		if (memcmp(field, &r->value, width) != 0 ||
		    memcmp(field + width, untouched, sizeof(field) - width) != 0)
			fail_msg("%u, %s: wrong value", i, hd_arch_reloc_name(r->type));
	}
}

static void
test_a_field_without_room_is_not_written(void **state)
{
	(void)state;
	guint8 field[8] = {0};
	assert_false(hd_arch_relocate(R_X86_64_64, field, 7, 0, ~0ull, 0));
	assert_false(hd_arch_relocate(R_X86_64_PC32, field, 3, 0, 0x11111111, 0));
	assert_memory_equal(field, "\0\0\0\0\0\0\0", 8);
}

static void
test_references(void **state)
{
	(void)state;
	static const struct {
		guint32 type;
		const char *code;
		guint size, offset;
		hd_reference is;
	} cases[] = {
		{R_X86_64_PC32, "\xe8\0\0\0\0", 5, 1, HD_REF_CALL},
		{R_X86_64_PC32, "\xe9\0\0\0\0", 5, 1, HD_REF_CALL},
		{R_X86_64_PC32, "\x0f\x84\0\0\0\0", 6, 2, HD_REF_CALL},
		{R_X86_64_PC32, "\x48\x8d\x3d\0\0\0\0", 7, 3, HD_REF_ADDRESS},
		{R_X86_64_PC32, NULL, 0, 1, HD_REF_ADDRESS},
		{R_X86_64_PLT32, NULL, 0, 1, HD_REF_CALL},
		{R_X86_64_PC8, "\xeb\0", 2, 1, HD_REF_CALL},
		{R_X86_64_64, NULL, 0, 0, HD_REF_ADDRESS},
		{R_X86_64_GOTPCRELX, NULL, 0, 0, HD_REF_GOT},
		{R_X86_64_TPOFF32, NULL, 0, 0, HD_REF_TLS_OFFSET},
		{R_X86_64_GOTTPOFF, NULL, 0, 0, HD_REF_TLS_GOT},
		{R_X86_64_TLSGD, NULL, 0, 0, HD_REF_TLS_PAIR},
		{R_X86_64_TLSLD, NULL, 0, 0, HD_REF_TLS_MODULE},
		{R_X86_64_DTPOFF32, NULL, 0, 0, HD_REF_TLS_IN_MODULE},
		{R_X86_64_GOTPC32_TLSDESC, NULL, 0, 0, HD_REF_TLS_DESC},
		{R_X86_64_SIZE64, NULL, 0, 0, HD_REF_SIZE},
		{R_X86_64_NONE, NULL, 0, 0, HD_REF_NONE},
		{R_X86_64_GOTOFF64, NULL, 0, 0, HD_REF_UNKNOWN},
		{12345, NULL, 0, 0, HD_REF_UNKNOWN},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(
			hd_arch_reference(cases[i].type, (const guint8 *)cases[i].code, cases[i].size, cases[i].offset),
			cases[i].is);
	assert_string_equal(hd_arch_reloc_name(R_X86_64_PC32), "R_X86_64_PC32");
	assert_non_null(hd_arch_reloc_name(999));
}

static void
test_got_relaxation(void **state)
{
	(void)state;
	static const struct {
		guint32 type;
		const char *before;
		guint size, offset;
		const char *after; /* NULL: left alone */
	} cases[] = {
		/* the target is 0x1000 beyond the field */
		{R_X86_64_REX_GOTPCRELX, "\x48\x8b\x05\0\0\0\0", 7, 3, "\x48\x8d\x05\xfc\x0f\0\0"},
		{R_X86_64_REX_GOTPCRELX, "\x4c\x8b\x3d\0\0\0\0", 7, 3, "\x4c\x8d\x3d\xfc\x0f\0\0"},
		{R_X86_64_GOTPCRELX, "\x8b\x05\0\0\0\0", 6, 2, "\x8d\x05\xfc\x0f\0\0"},
		{R_X86_64_GOTPCRELX, "\xff\x15\0\0\0\0", 6, 2, "\x67\xe8\xfc\x0f\0\0"},
		{R_X86_64_GOTPCRELX, "\xff\x25\0\0\0\0", 6, 2, "\xe9\xfd\x0f\0\0\x90"},
		{R_X86_64_REX_GOTPCRELX, "\x48\x3b\x05\0\0\0\0", 7, 3, NULL}, /* cmp: needs the address absolute */
		{R_X86_64_GOTPCREL, "\x48\x8b\x05\0\0\0\0", 7, 3, NULL},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint8 code[8];
		memcpy(code, cases[i].before, cases[i].size);
		bool done = hd_arch_relax_got(cases[i].type, code, cases[i].offset, HIGH, HIGH + 0x1000, -4);
		assert_int_equal(done, cases[i].after != NULL);
		assert_memory_equal(code, cases[i].after ? cases[i].after : cases[i].before, cases[i].size);
	}
	guint8 far[] = {0x48, 0x8b, 0x05, 0, 0, 0, 0};
	assert_false(hd_arch_relax_got(R_X86_64_REX_GOTPCRELX, far, 3, HIGH, HIGH + 0x90000000, -4));
	assert_false(hd_arch_relax_got(R_X86_64_REX_GOTPCRELX, far, 3, HIGH, HIGH, 4));
	assert_false(hd_arch_relax_got(R_X86_64_REX_GOTPCRELX, far, 1, HIGH, HIGH, -4));
}

static void
test_jump_slot_and_stub(void **state)
{
	(void)state;
	guint8 jump[HD_ARCH_JUMP], stub[HD_ARCH_STUB];
	assert_true(hd_arch_jump(jump, HIGH, HIGH + 0x105));
	assert_memory_equal(jump, "\xe9\x00\x01\x00\x00", 5);
	assert_true(hd_arch_jump(jump, HIGH, HIGH));
	assert_memory_equal(jump, "\xe9\xfb\xff\xff\xff", 5);
	assert_true(hd_arch_jump(jump, HIGH, HIGH + 0x80000004));
	assert_false(hd_arch_jump(jump, HIGH, HIGH + 0x80000005));
	hd_arch_slot(jump);
	assert_int_equal(hd_arch_entry(jump, sizeof(jump), 0, HIGH), HD_ENTRY_FREE);
	hd_arch_stub(stub, 0x1122334455667788);
	assert_memory_equal(stub, "\xff\x25\x02\0\0\0", 6);
	guint64 word;
	memcpy(&word, stub + 8, 8);
	assert_true(word == 0x1122334455667788);
}

/* ---- entries ---- */

static hd_entry
entry_of(const char *code, gsize size, gsize padding)
{
	/* exactly as long as is said, so that a sanitizer sees a step too far */
	guint8 *copy = g_memdup2(code, size + padding);
	hd_entry entry = hd_arch_entry(copy, size, padding, HIGH);
	g_free(copy);
	return entry;
}

static void
test_entries(void **state)
{
	(void)state;
	static const struct {
		const char *what, *code;
		gsize size, padding;
		hd_entry is;
	} cases[] = {
		{"push, mov, sub", "\x55\x48\x89\xe5\x48\x83\xec\x10\xc9\xc3", 10, 0, HD_ENTRY_FREE},
		{"ret alone", "\xc3", 1, 0, HD_ENTRY_SHORT},
		{"ret and nops", "\xc3\x66\x66\x2e\x0f\x1f\x84\0\0\0\0\0\x0f\x1f\x40\0", 1, 15, HD_ENTRY_FREE},
		{"ret and too few nops", "\xc3\x90\x90\x90", 1, 3, HD_ENTRY_SHORT},
		{"ret and int3", "\xc3\xcc\xcc\xcc\xcc", 1, 4, HD_ENTRY_FREE},
		{"ret and something else", "\xc3\x90\x48\x89\xe5", 1, 4, HD_ENTRY_SHORT},
		{"ret and zeros", "\xc3\0\0\0\0", 1, 4, HD_ENTRY_SHORT},
		{"five bytes", "\xb8\x01\0\0\0", 5, 0, HD_ENTRY_FREE},
		{"a loop to the entry", "\xff\xcf\x75\xfc\xc3\x90\x90\x90", 8, 0, HD_ENTRY_LOOP},
		{"a loop into the entry", "\x31\xc0\xff\xc0\xff\xcf\x75\xfa\xc3", 9, 0, HD_ENTRY_LOOP},
		{"a loop behind the entry", "\xb8\x01\0\0\0\xff\xcf\x75\xfc\xc3", 10, 0, HD_ENTRY_FREE},
		{"a loop by jmp to the entry", "\xe8\0\0\0\0\xeb\xf9", 7, 0, HD_ENTRY_LOOP},
		{"a loop by rel32", "\x31\xc0\xff\xc0\x0f\x85\xf8\xff\xff\xff\xc3", 11, 0, HD_ENTRY_LOOP},
		{"a loop by the loop instruction", "\x31\xc0\xe2\xfe\xc3", 5, 0, HD_ENTRY_LOOP},
		{"a recursive call", "\x53\xe8\xfa\xff\xff\xff\x5b\xc3", 8, 0, HD_ENTRY_FREE},
		{"a call into the entry", "\x53\xe8\xfb\xff\xff\xff\x5b\xc3", 8, 0, HD_ENTRY_LOOP},
		{"the address of a label in the entry", "\x90\x90\x48\x8d\x05\xf9\xff\xff\xff\xc3", 10, 0,
		 HD_ENTRY_LOOP},
		{"endbr64 first", "\xf3\x0f\x1e\xfa\x31\xc0\xc3", 7, 0, HD_ENTRY_FREE},
		{"endbr64 and a loop", "\xf3\x0f\x1e\xfa\xff\xcf\x75\xfc\xc3", 9, 0, HD_ENTRY_LOOP},
		{"not code", "\x06\x06\x06\x06\x06\x06", 6, 0, HD_ENTRY_UNREADABLE},
		{"cut short", "\x55\x48\x89\xe5\xe8\0\0", 7, 0, HD_ENTRY_UNREADABLE},
		{"nothing", "", 0, 0, HD_ENTRY_UNREADABLE},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
		if (entry_of(cases[i].code, cases[i].size, cases[i].padding) != cases[i].is)
			fail_msg("%s", cases[i].what);
}

/* ---- footprints ---- */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };
#define G(n) (1u << (n))
#define V(n) (1u << (16 + (n)))

static void
test_footprints(void **state)
{
	(void)state;
	static const struct {
		const char *what, *code;
		gsize size;
		hd_register_set written;
		bool indirect, readable;
	} cases[] = {
		{"ret", "\xc3", 1, G(RSP), false, true},
		{"mov %edi, %eax", "\x89\xf8", 2, G(RAX), false, true},
		{"mov $1, %al", "\xb0\x01", 2, G(RAX), false, true},
		{"mov $1, %ah", "\xb4\x01", 2, G(RAX), false, true},
		{"mov $1, %r8w", "\x66\x41\xb8\x01\0", 5, G(R8), false, true},
		{"cmp, test: nothing", "\x48\x39\xf8\x48\x85\xc0", 6, 0, false, true},
		{"mov %eax, (%rdi): nothing", "\x89\x07", 2, 0, false, true},
		{"xchg %rax, %rcx", "\x48\x91", 2, G(RAX) | G(RCX), false, true},
		{"mul %rcx", "\x48\xf7\xe1", 3, G(RAX) | G(RDX), false, true},
		{"cqto", "\x48\x99", 2, G(RDX), false, true},
		{"div %rcx", "\x48\xf7\xf1", 3, G(RAX) | G(RDX), false, true},
		{"cltd", "\x99", 1, G(RDX), false, true},
		{"cwtd", "\x66\x99", 2, G(RDX), false, true},
		{"cltq", "\x48\x98", 2, G(RAX), false, true},
		{"test $1, %cl", "\xf6\xc1\x01", 3, 0, false, true},
		{"stosq", "\x48\xab", 2, G(RDI), false, true},
		{"stosb", "\xaa", 1, G(RDI), false, true},
		{"movsq", "\x48\xa5", 2, G(RSI) | G(RDI), false, true},
		{"xlatb", "\xd7", 1, G(RAX), false, true},
		{"enter", "\xc8\x10\0\0", 4, G(RSP) | G(RBP), false, true},
		{"lahf", "\x9f", 1, G(RAX), false, true},
		{"mul %cl", "\xf6\xe1", 2, G(RAX), false, true},
		{"imul %ecx", "\xf7\xe9", 2, G(RAX) | G(RDX), false, true},
		{"imul %ecx, %esi", "\x0f\xaf\xf1", 3, G(RSI), false, true},
		{"mulx %rax, %rcx, %rsi", "\xc4\xe2\xf3\xf6\xf0", 5, G(RCX) | G(RSI), false, true},
		{"adcx %eax, %ecx", "\x66\x0f\x38\xf6\xc8", 5, G(RCX), false, true},
		{"crc32 %eax, %ecx", "\xf2\x0f\x38\xf1\xc8", 5, G(RCX), false, true},
		{"rdtscp", "\x0f\x01\xf9", 3, G(RAX) | G(RCX) | G(RDX), false, true},
		{"rdrand %ecx", "\x0f\xc7\xf1", 3, G(RCX), false, true},
		{"xgetbv", "\x0f\x01\xd0", 3, G(RAX) | G(RDX), false, true},
		{"popcnt %eax, %ecx", "\xf3\x0f\xb8\xc8", 4, G(RCX), false, true},
		{"bswap %r10", "\x49\x0f\xca", 3, G(R10), false, true},
		{"cmove %eax, %ecx", "\x0f\x44\xc8", 3, G(RCX), false, true},
		{"bts %eax, %ecx", "\x0f\xab\xc1", 3, G(RCX), false, true},
		{"bt %eax, %ecx", "\x0f\xa3\xc1", 3, 0, false, true},
		{"shl %cl, %edx", "\xd3\xe2", 2, G(RDX), false, true},
		{"shld %cl, %edx, %esi", "\x0f\xa5\xd6", 3, G(RSI), false, true},
		{"neg, not, inc, dec", "\xf7\xd9\xf7\xd2\xff\xc6\xff\xcf", 8, G(RCX) | G(RDX) | G(RSI) | G(RDI), false,
		 true},
		{"ptest %xmm1, %xmm2", "\x66\x0f\x38\x17\xd1", 5, 0, false, true},
		{"vptest %ymm1, %ymm2", "\xc4\xe2\x7d\x17\xd1", 5, 0, false, true},
		{"pcmpistrm $0, %xmm1, %xmm2", "\x66\x0f\x3a\x62\xd1\0", 6, V(0), false, true},
		{"pcmpistri $0, %xmm1, %xmm2", "\x66\x0f\x3a\x63\xd1\0", 6, G(RCX), false, true},
		{"blendvps %xmm0, %xmm1, %xmm2", "\x66\x0f\x38\x14\xd1", 5, V(2), false, true},
		{"pmovmskb %xmm1, %ecx", "\x66\x0f\xd7\xc9", 4, G(RCX), false, true},
		{"pextrq $1, %xmm1, %rcx", "\x66\x48\x0f\x3a\x16\xc9\x01", 7, G(RCX), false, true},
		{"pinsrd $1, %ecx, %xmm1", "\x66\x0f\x3a\x22\xc9\x01", 6, V(1), false, true},
		{"movmskps %xmm1, %edx", "\x0f\x50\xd1", 3, G(RDX), false, true},
		{"movhlps %xmm1, %xmm2", "\x0f\x12\xd1", 3, V(2), false, true},
		{"movdqu %xmm1, (%rax)", "\xf3\x0f\x7f\x08", 4, 0, false, true},
		{"movdqa %xmm1, %xmm2 by 7f", "\x66\x0f\x7f\xca", 4, V(2), false, true},
		{"movq %xmm1, %rax", "\x66\x48\x0f\x7e\xc8", 5, G(RAX), false, true},
		{"movd %eax, %xmm1", "\x66\x0f\x6e\xc8", 4, V(1), false, true},
		{"psrldq $1, %xmm3", "\x66\x0f\x73\xdb\x01", 5, V(3), false, true},
		{"vmovdqa %ymm1, %ymm9", "\xc5\x7d\x6f\xc9", 4, V(9), false, true},
		{"vfmadd231sd %xmm1, %xmm2, %xmm3", "\xc4\xe2\xe9\xb9\xd9", 5, V(3), false, true},
		{"vpgatherdd %ymm1, (%rax,%ymm2), %ymm3", "\xc4\xe2\x75\x90\x1c\x10", 6, V(1) | V(3), false, true},
		{"rep movsb", "\xf3\xa4", 2, G(RCX) | G(RSI) | G(RDI), false, true},
		{"rep stosq", "\xf3\x48\xab", 3, G(RCX) | G(RDI), false, true},
		{"lodsb", "\xac", 1, G(RAX) | G(RSI), false, true},
		{"repne scasb", "\xf2\xae", 2, G(RCX) | G(RDI), false, true},
		{"cmpxchg %ecx, (%rdi)", "\xf0\x0f\xb1\x0f", 4, G(RAX), false, true},
		{"xadd %ecx, (%rdi)", "\xf0\x0f\xc1\x0f", 4, G(RCX), false, true},
		{"cmpxchg16b (%rdi)", "\x48\x0f\xc7\x0f", 4, G(RAX) | G(RDX), false, true},
		{"cpuid", "\x0f\xa2", 2, G(RAX) | G(RBX) | G(RCX) | G(RDX), false, true},
		{"rdtsc", "\x0f\x31", 2, G(RAX) | G(RDX), false, true},
		{"sete %dl", "\x0f\x94\xc2", 3, G(RDX), false, true},
		{"bsf %rax, %rcx", "\x48\x0f\xbc\xc8", 4, G(RCX), false, true},
		{"movaps %xmm1, %xmm15", "\x44\x0f\x28\xf9", 4, V(15), false, true},
		{"movsd (%rdi), %xmm2", "\xf2\x0f\x10\x17", 4, V(2), false, true},
		{"movsd %xmm2, (%rdi)", "\xf2\x0f\x11\x17", 4, 0, false, true},
		{"ucomisd", "\x66\x0f\x2e\xc1", 4, 0, false, true},
		{"cvttsd2si %xmm0, %eax", "\xf2\x0f\x2c\xc0", 4, G(RAX), false, true},
		{"vaddps %ymm1, %ymm2, %ymm3", "\xc5\xec\x58\xd9", 4, V(3), false, true},
		{"vzeroupper", "\xc5\xf8\x77", 3, 0xffff0000, false, true},
		{"pshufb %xmm0, %xmm1", "\x66\x0f\x38\x00\xc8", 5, V(1), false, true},
		{"fld1; fstp: nothing", "\xd9\xe8\xdd\x1f", 4, 0, false, true},
		{"push %rbx; pop %rbx", "\x53\x5b", 2, G(RSP) | G(RBX), false, true},
		{"leave", "\xc9", 1, G(RSP) | G(RBP), false, true},
		{"syscall", "\x0f\x05", 2, G(RAX) | G(RCX) | G(R11), true, true},
		{"call *%rax", "\xff\xd0", 2, G(RSP), true, true},
		{"jmp *(%rax)", "\xff\x20", 2, 0, true, true},
		{"not code", "\x06", 1, 0, false, false},
		{"mov, then not code", "\x89\xf8\x06", 3, G(RAX), false, false},
	};
	guint wrong = 0;
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		hd_footprint f = hd_arch_footprint((const guint8 *)cases[i].code, cases[i].size, HIGH);
		if (f.written != cases[i].written || f.indirect != cases[i].indirect || f.readable != cases[i].readable)
			wrong++, print_error("%s: written %x, expected %x; indirect %d, readable %d\n", cases[i].what,
					     f.written, cases[i].written, f.indirect, f.readable);
		hd_footprint_clear(&f);
	}
	assert_int_equal(wrong, 0);
}

static void
test_footprint_calls(void **state)
{
	(void)state;
	/* call +0x100; jne to the start; jmp +0x1000; je to the end */
	static const guint8 code[] = {0xe8, 0, 1, 0, 0, 0x75, 0xf9, 0xe9, 0, 0x10, 0, 0, 0x74, 0x00};
	hd_footprint f = hd_arch_footprint(code, sizeof(code), HIGH);
	assert_true(f.readable);
	assert_false(f.indirect);
	assert_int_equal(f.calls->len, 3);
	assert_true(g_array_index(f.calls, guint64, 0) == HIGH + 5 + 0x100);
	assert_true(g_array_index(f.calls, guint64, 1) == HIGH + 12 + 0x1000);
	assert_true(g_array_index(f.calls, guint64, 2) == HIGH + sizeof(code));
	hd_footprint_clear(&f);
}

/* ---- keeper ---- */

typedef struct {
	guint64 general[16];
	guint8 vector[16][16];
} machine;

machine machine_before, machine_after;
guint64 machine_target;
guint8 machine_dirt[256];
guint64 machine_saved_stack, machine_aligned;
extern void machine_run(void);
extern void machine_spoil(void);

/* machine_run loads every register but rsp from machine_before, calls machine_target, stores them in machine_after.
 * machine_spoil changes every register that a callee may, and notes whether the stack was aligned when it was entered.
 */
__asm__(".text\n"
	".globl machine_run\n"
	"machine_run:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; sub $8, %rsp\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"movups machine_before+128+\\n*16(%rip), %xmm\\n\n"
	".endr\n"
	"mov machine_before+0(%rip), %rax; mov machine_before+8(%rip), %rcx; mov machine_before+16(%rip), %rdx\n"
	"mov machine_before+24(%rip), %rbx; mov machine_before+40(%rip), %rbp; mov machine_before+48(%rip), %rsi\n"
	"mov machine_before+56(%rip), %rdi\n"
	".irp n,8,9,10,11,12,13,14,15\n"
	"mov machine_before+\\n*8(%rip), %r\\n\n"
	".endr\n"
	"mov %rsp, machine_saved_stack(%rip)\n"
	"call *machine_target(%rip)\n"
	"mov %rax, machine_after+0(%rip); mov %rcx, machine_after+8(%rip); mov %rdx, machine_after+16(%rip)\n"
	"mov %rbx, machine_after+24(%rip); mov %rsp, machine_after+32(%rip); mov %rbp, machine_after+40(%rip)\n"
	"mov %rsi, machine_after+48(%rip); mov %rdi, machine_after+56(%rip)\n"
	".irp n,8,9,10,11,12,13,14,15\n"
	"mov %r\\n, machine_after+\\n*8(%rip)\n"
	".endr\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"movups %xmm\\n, machine_after+128+\\n*16(%rip)\n"
	".endr\n"
	"add $8, %rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
	".globl machine_spoil\n"
	"machine_spoil:\n"
	"lea 8(%rsp), %rax; and $15, %rax; mov %rax, machine_aligned(%rip)\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"movups machine_dirt(%rip), %xmm\\n\n"
	".endr\n"
	"mov $0x5bad, %eax; mov %rax, %rcx; mov %rax, %rdx; mov %rax, %rsi; mov %rax, %rdi\n"
	"mov %rax, %r8; mov %rax, %r9; mov %rax, %r10; mov %rax, %r11\n"
	"ret\n");

static void
run_keeper(guint8 *memory, hd_register_set keep, guint64 target)
{
	GByteArray *code = g_byte_array_new();
	g_byte_array_append(code, (const guint8 *)"\x90", 1); /* it appends: what was there stays */
	hd_arch_keeper(code, (guint64)(guintptr)memory + 1, target, keep);
	memcpy(memory, code->data, code->len);
	g_byte_array_free(code, TRUE);
	for (guint i = 0; i < 16; i++) {
		machine_before.general[i] = 0x1111111111111111ull * (i + 1);
		memset(machine_before.vector[i], (int)(0x40 + i), 16);
	}
	memset(machine_dirt, 0xee, sizeof(machine_dirt));
	machine_target = (guint64)(guintptr)memory;
	machine_run();
	assert_int_equal(machine_aligned, 0);
	assert_true(machine_after.general[RSP] == machine_saved_stack);
	for (guint i = 0; i < 16; i++) {
		bool callee_saved = !(HD_REGISTERS_CALLER_SAVED & G(i));
		if (i == RSP)
			continue;
		bool same = machine_after.general[i] == machine_before.general[i];
		if (same != (callee_saved || (keep & G(i)) != 0))
			fail_msg("keep %x: general register %u", keep, i);
		same = memcmp(machine_after.vector[i], machine_before.vector[i], 16) == 0;
		if (same != ((keep & V(i)) != 0))
			fail_msg("keep %x: xmm%u", keep, i);
	}
}

static void
test_keeper(void **state)
{
	(void)state;
	guint8 *near_by =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_true(near_by != MAP_FAILED);
	/* a jump to the real target, once within reach of the keeper and once not */
	guint8 *stub = near_by + 2048;
	hd_arch_stub(stub, (guint64)(guintptr)machine_spoil);
	static const hd_register_set sets[] = {0,    HD_REGISTERS_CALLER_SAVED, G(RCX),	    G(RAX) | V(15),
					       V(0), V(8) | V(9) | G(R11),	0xffffffff, G(RDI) | G(RSI) | G(R8)};
	guint8 *memories[] = {near_by, mmap((void *)0x600000000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
	for (guint m = 0; m < 2; m++) {
		assert_true(memories[m] != MAP_FAILED);
		for (guint i = 0; i < G_N_ELEMENTS(sets); i++)
			run_keeper(memories[m], sets[i], (guint64)(guintptr)stub);
		for (hd_register_set one = 1; one; one <<= 1)
			run_keeper(memories[m], one & ~(G(RSP) | G(RBP)), (guint64)(guintptr)stub);
	}
	munmap(memories[0], 4096);
	munmap(memories[1], 4096);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relocations),
		cmocka_unit_test(test_a_field_without_room_is_not_written),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_got_relaxation),
		cmocka_unit_test(test_jump_slot_and_stub),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_footprints),
		cmocka_unit_test(test_footprint_calls),
		cmocka_unit_test(test_keeper),
	};
	return cmocka_run_group_tests_name("x86_64", tests, NULL, NULL);
}
