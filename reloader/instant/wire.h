/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hotdev and the process that holds libtcc say to each other.
 *
 * Each asks and answers one thing at a time, over a SOCK_SEQPACKET pair. Texts
 * lie in a file in memory that both map: the question from its start, the
 * answer from its middle. Its pages stay, so that a text costs one copy. */
#ifndef HD_INSTANT_WIRE_H
#define HD_INSTANT_WIRE_H

#include <stdint.h>

/* The descriptors that the process is born with. */
#define HD_WIRE_SOCKET 3
#define HD_WIRE_MEMORY 4
#define HD_WIRE_HALF (32u << 20) /* bytes for the question, and as many for the answer */

typedef enum {
	HD_WIRE_PREPROCESS, /* the answer is the preprocessed text */
	HD_WIRE_MACROS,	    /* the same, with every #define and #undef where it stood */
	HD_WIRE_COMPILE,    /* the answer is a relocatable object */
} hd_wire_task;

/* A question's text is fields of this form, without gaps; `size` bytes and a NUL follow each. */
typedef enum {
	HD_WIRE_FOLDER,	  /* where the command runs */
	HD_WIRE_SOURCE,	  /* the source as the command spells it */
	HD_WIRE_OPTION,	  /* for tcc_set_options, which splits it like a shell */
	HD_WIRE_DEFINE,	  /* "NAME" or "NAME=VALUE" */
	HD_WIRE_UNDEFINE, /* "NAME" */
	HD_WIRE_INCLUDE,  /* a folder for every #include */
	HD_WIRE_SYSTEM,	  /* a folder that is searched after those */
	HD_WIRE_PATH,	  /* of a file whose text is the next field, whatever the disk says */
	HD_WIRE_TEXT,
} hd_wire_kind;

typedef struct {
	uint32_t kind, size;
} hd_wire_field;

typedef struct {
	uint32_t task; /* hd_wire_task */
	uint32_t size; /* of all fields */
} hd_wire_question;

typedef struct {
	uint32_t good;	   /* 0: libtcc refused the text, or the answer has no room */
	uint32_t size;	   /* of the answer */
	uint32_t messages; /* bytes of libtcc's errors and warnings, a line each, behind it */
	uint32_t pages;	   /* of memory that the process holds by now */
} hd_wire_answer;

#endif
