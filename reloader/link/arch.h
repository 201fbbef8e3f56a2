/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the linker must know of the processor; one file an architecture
 * (x86_64.c). Pure functions over bytes: nothing here touches the program. */
#ifndef HD_LINK_ARCH_H
#define HD_LINK_ARCH_H

#include <glib.h>
#include <stdbool.h>

/* How a relocation uses what it refers to. */
typedef enum {
	HD_REF_CALL,	      /* a direct call or jump: any address that gets there will do */
	HD_REF_ADDRESS,	      /* the thing's address itself, absolute or relative */
	HD_REF_GOT,	      /* the place of a word that holds the address */
	HD_REF_TLS_OFFSET,    /* offset from the thread pointer (TPOFF) */
	HD_REF_TLS_GOT,	      /* the place of a word that holds that offset (GOTTPOFF) */
	HD_REF_TLS_PAIR,      /* the place of a module and offset pair (TLSGD) */
	HD_REF_TLS_MODULE,    /* the place of a module and zero pair (TLSLD) */
	HD_REF_TLS_IN_MODULE, /* offset in the module's block (DTPOFF) */
	HD_REF_TLS_DESC,      /* the place of a descriptor, and the call through it */
	HD_REF_SIZE,	      /* st_size */
	HD_REF_NONE,	      /* R_X86_64_NONE, markers */
	HD_REF_UNKNOWN,
} hd_reference;

/* code may be NULL: then calls cannot be told from addresses and PLT32 alone is a call.
 * code, size: the bytes of the atom; offset: the relocated field in it. */
hd_reference hd_arch_reference(guint32 type, const guint8 *code, guint64 size, guint64 offset);
/* "R_X86_64_PC32"; valid for ever. */
const char *hd_arch_reloc_name(guint32 type);

/* Writes the field at `field` (room bytes left in the atom), which will live at
 * `place`. target is the symbol's address, or the GOT word's, or the TLS
 * offset, as hd_arch_reference says. false: it does not fit, or the type is
 * unknown; nothing is written then. */
bool hd_arch_relocate(guint32 type, guint8 *field, guint64 room, guint64 place, guint64 target, gint64 addend);

/* GOTPCRELX and REX_GOTPCRELX where the symbol is in reach: turns the load
 * into an address computation (x86-64 psABI, B.2). false: left alone, use the GOT. */
bool hd_arch_relax_got(guint32 type, guint8 *code, guint64 offset, guint64 place, guint64 target, gint64 addend);

/* The way back: where a reference leads in code (or data) that a linker has made, which lives at `place`. What it
 * gives is the target that hd_arch_relocate was given. false: the address is not there (it is in a GOT word, or it is
 * thread-local). */
bool hd_arch_target(guint32 type, const guint8 *code, guint64 size, guint64 offset, guint64 place, gint64 addend,
		    guint64 *target);
/* The bytes that are the linker's: from the field's start - *before to its start + *after. It fills the field, and may
 * write other instructions around it. */
void hd_arch_linked_bytes(guint32 type, guint *before, guint *after);

/* The jump that a redirect writes, and the slot of the same length in front of
 * every function that the linker places: one no-operation until it is redirected. */
#define HD_ARCH_JUMP 5
bool hd_arch_jump(guint8 out[HD_ARCH_JUMP], guint64 from, guint64 to); /* false: out of reach */
void hd_arch_slot(guint8 out[HD_ARCH_JUMP]);

/* A stub that reaches any address: jmp *word(%rip); the word; 16 bytes. */
#define HD_ARCH_STUB 16
void hd_arch_stub(guint8 out[HD_ARCH_STUB], guint64 to);

/* Can a redirect of HD_ARCH_JUMP bytes be written at the entry of this function?
 * code: size bytes from the entry, then `padding` bytes up to the next symbol. */
typedef enum {
	HD_ENTRY_FREE,	     /* yes, once no thread's counter is inside the first bytes */
	HD_ENTRY_LOOP,	     /* a branch leads back into them: yes, when no frame of the function is alive */
	HD_ENTRY_SHORT,	     /* no room */
	HD_ENTRY_UNREADABLE, /* it cannot be decoded */
} hd_entry;

/* A function without room for a jump has room for a short one, to a jump in
 * padding nearby. false: too far. */
#define HD_ARCH_SHORT_JUMP 2
#define HD_ARCH_SHORT_REACH 120
bool hd_arch_short_jump(guint8 out[HD_ARCH_SHORT_JUMP], guint64 from, guint64 to);
/* How many of the bytes, from the first on, are padding: nops and traps that nothing runs. */
gsize hd_arch_padding(const guint8 *code, gsize size);

hd_entry hd_arch_entry(const guint8 *code, gsize size, gsize padding, guint64 address);

/* Registers, as a set: bits 0..15 the general ones in encoding order (rax, rcx,
 * rdx, rbx, rsp, rbp, rsi, rdi, r8..r15), bits 16..31 xmm0..15. */
typedef guint32 hd_register_set;
#define HD_REGISTERS_CALLER_SAVED ((hd_register_set)0xffff0fc7)

typedef struct {
	hd_register_set written; /* by the code itself */
	GArray *calls;		 /* of guint64: addresses of direct calls and of jumps that leave it; owned */
	bool indirect;		 /* it calls or jumps through a register or memory, or enters the kernel */
	bool readable;		 /* false: decoding failed, nothing above is complete */
} hd_footprint;

/* calls: relative targets computed from `address`. */
hd_footprint hd_arch_footprint(const guint8 *code, gsize size, guint64 address);
void hd_footprint_clear(hd_footprint *footprint);

/* Code that keeps `keep` unchanged around a call of `to`, for a function whose
 * parameters and result are all in registers. All of `keep` is restored: the
 * caller leaves the registers of the result (rax, rdx, xmm0, xmm1) out of it.
 * Built with a frame pointer, so that stacks unwind through it. Appends to out. */
void hd_arch_keeper(GByteArray *out, guint64 place, guint64 to, hd_register_set keep);

#endif
