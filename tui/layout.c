/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the panes are. Two lines above them, one below:
 *
 *   modules | processes
 *   detail               while there is something to say
 *   output               what is left
 *   events
 *
 * A narrow terminal has the modules alone in the first row of panes, a low one
 * the pane with the focus and nothing else. */
#include "config.h"

#include "tui/internal.h"

enum { BARS_ABOVE = 2, BARS = 3, NARROW = 70, LOW = 14 };

typedef struct {
	int top, detail, output, events;
} heights;

/* modules: how many there are; the lists grow with them, up to two fifths. So does the detail with its lines; 0: there
 * is none. */
static heights
split(int body, int detail, int modules)
{
	heights h = {.top = CLAMP(modules + 3, MAX(5, body * 28 / 100), MAX(5, body * 2 / 5)),
		     .events = MAX(4, body / 5)};
	h.detail = detail ? CLAMP(detail + 2, 6, MAX(7, body * 2 / 5)) : 0;
	if (body - h.top - h.events - h.detail < 3)
		h.top = MAX(5, body - h.events - h.detail - 3);
	h.output = body - h.top - h.events - h.detail;
	return h;
}

/* A list has a heading where there is room for more than that. */
static void
set_headings(tui *t)
{
	static const pane_kind lists[] = {PANE_MODULES, PANE_PROCESSES};
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		t->panes[lists[i]].heading = t->panes[lists[i]].area.rows > 3;
}

static void
hide_all(tui *t)
{
	for (int i = 0; i < PANE_COUNT; i++)
		t->panes[i].area = (tui_area){0};
}

static void
place_panes(tui *t)
{
	int body = t->rows - BARS, columns = t->columns;
	bool detail = tui_detail_wanted(t);
	hide_all(t);
	if (t->focus == PANE_DETAIL && !detail)
		t->focus = PANE_MODULES;
	if (body < 3)
		return;
	if (t->zoomed || body < LOW) {
		t->panes[t->focus].area = (tui_area){BARS_ABOVE, 0, body, columns};
		return;
	}
	heights h = split(body, detail ? MAX(t->panes[PANE_DETAIL].count, 1) : 0,
			  t->now.modules ? (int)t->now.modules->len : 0);
	int left = columns >= NARROW ? columns * 52 / 100 : columns, row = BARS_ABOVE;
	t->panes[PANE_MODULES].area = (tui_area){row, 0, h.top, left};
	if (left < columns)
		t->panes[PANE_PROCESSES].area = (tui_area){row, left, h.top, columns - left};
	else if (t->focus == PANE_PROCESSES) {
		t->panes[PANE_PROCESSES].area = t->panes[PANE_MODULES].area;
		t->panes[PANE_MODULES].area = (tui_area){0};
	}
	row += h.top;
	if (detail)
		t->panes[PANE_DETAIL].area = (tui_area){row, 0, h.detail, columns};
	row += h.detail;
	t->panes[PANE_OUTPUT].area = (tui_area){row, 0, h.output, columns};
	row += h.output;
	t->panes[PANE_EVENTS].area = (tui_area){row, 0, h.events, columns};
}

void
tui_layout(tui *t)
{
	place_panes(t);
	set_headings(t);
}

void
tui_program_size(int rows, int columns, int *program_rows, int *program_columns)
{
	int body = rows - BARS;
	*program_rows = MAX(body < LOW ? body - 2 : split(body, 0, 0).output - 2, TUI_LEAST_ROWS);
	*program_columns = MAX(columns - 2, TUI_LEAST_COLUMNS);
}

int
tui_pane_room(const tui_pane *pane)
{
	return MAX(pane->area.rows - 2 - pane->heading, 0);
}

void
tui_pane_clamp(tui_pane *pane)
{
	int room = tui_pane_room(pane);
	pane->selected = CLAMP(pane->selected, 0, MAX(pane->count - 1, 0));
	pane->top = CLAMP(pane->top, 0, MAX(pane->count - room, 0));
}
