/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libtcc, as the rest of hotdev sees it: a process that answers questions one
 * after the other. One that dies or takes too long is replaced, and the
 * question has no answer then. */
#ifndef HD_INSTANT_TCC_H
#define HD_INSTANT_TCC_H

#include "reloader/instant/wire.h"

#include <glib.h>
#include <stdbool.h>

typedef struct hd_tcc hd_tcc;

/* A question, made field by field. */
typedef struct hd_tcc_question hd_tcc_question;

hd_tcc_question *hd_tcc_question_new(hd_wire_task task);
/* size -1: up to the NUL. A PATH is followed by its TEXT. */
void hd_tcc_question_add(hd_tcc_question *question, hd_wire_kind kind, const char *text, gssize size);
void hd_tcc_question_free(hd_tcc_question *question);

/* Borrowed until the callback returns. */
typedef struct {
	bool good;	  /* libtcc took the text */
	bool lost;	  /* there was no answer: it crashed, took too long, or cannot be started */
	const char *text; /* the output; size bytes */
	gsize size;
	const char *messages; /* what libtcc wrote, a line each; never NULL */
} hd_tcc_answer;

/* From the main context, once for each question, unless it was cancelled. */
typedef void hd_tcc_done(const hd_tcc_answer *answer, void *data);

/* program: path of hotdev-tcc. It is started now, so that the first question
 * need not wait for it. */
hd_tcc *hd_tcc_new(const char *program);
void hd_tcc_free(hd_tcc *tcc);
/* An answer must come within so many milliseconds; 2000 unless set. */
void hd_tcc_set_time_limit(hd_tcc *tcc, guint milliseconds);

/* Takes the question. Returns a ticket, never 0. */
guint hd_tcc_ask(hd_tcc *tcc, hd_tcc_question *question, hd_tcc_done *done, void *data);
/* The callback is not called. A ticket that is not known is passed over. */
void hd_tcc_cancel(hd_tcc *tcc, guint ticket);

#endif
