/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shape of x86-64 machine code: where each instruction ends, which bytes
 * of it are a displacement, and where its direct branches lead.
 *
 * A table decoder of lengths, not a disassembler: it reads every function of
 * an object at every save, some fifty times faster than capstone, which the
 * tests compare it with. What an instruction means is capstone's to say
 * (reloader/link/x86_64.c). */
#ifndef HD_OBJECT_DECODE_H
#define HD_OBJECT_DECODE_H

#include <glib.h>
#include <stdbool.h>

typedef enum {
	HD_FLOW_NEXT,
	HD_FLOW_CALL,	  /* direct */
	HD_FLOW_JUMP,	  /* direct, unconditional */
	HD_FLOW_BRANCH,	  /* direct, conditional (jcc, loop, jrcxz, xbegin) */
	HD_FLOW_INDIRECT, /* a call through a register or memory */
	HD_FLOW_INDIRECT_JUMP,
	HD_FLOW_RETURN,
	HD_FLOW_PADDING, /* nop of any length, int3 */
	HD_FLOW_KERNEL,	 /* syscall, sysenter, int */
} hd_flow;

typedef struct {
	guint8 length;
	guint8 flow;	   /* hd_flow */
	guint8 field;	   /* offset of the branch's displacement in the instruction, 0: none */
	guint8 field_size; /* 1 or 4 */
	guint8 rip_field;  /* offset of a displacement from %rip, 0: none; always 4 bytes */
	gint32 distance;   /* of a direct branch, from the instruction's end */
} hd_instruction;

/* Decodes the instruction at code, of which `room` bytes may be read. false: not an instruction. */
bool hd_decode(const guint8 *code, gsize room, hd_instruction *out);

/* Bytes that a relocation of this type writes; 0: none (a marker) or unknown. */
guint hd_reloc_width(guint32 type);
/* Its value is a distance from the field (S + A - P, through a GOT or not). */
bool hd_reloc_is_relative(guint32 type);

#endif
