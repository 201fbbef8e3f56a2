/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A model made of events alone: what a journal, replayed, lets the dashboard
 * draw. It knows what the events say and nothing more. */
#ifndef HD_HOTDEV_JOURNAL_MODEL_H
#define HD_HOTDEV_JOURNAL_MODEL_H

#include "reloader/history/model.h"
#include "tui/tui.h"

typedef struct hd_journal_model hd_journal_model;

hd_journal_model *hd_journal_model_new(void);
void hd_journal_model_free(hd_journal_model *model);
void hd_journal_model_apply(hd_journal_model *model, const hd_event *event);
/* Borrowed from the model until the next apply. */
void hd_journal_model_snapshot(const hd_journal_model *model, tui_snapshot *snapshot);

/* Every event of a journal, of hd_event *, with wall times that end now. A
 * last line that is not whole is left out. HD_ERROR_IO, _FORMAT: names the line. */
GPtrArray *hd_journal_read(const char *path, GError **error);

#endif
