/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of the panes: made of the model, filtered, sorted, drawn. */
#include "config.h"

#include "base/text.h"
#include "tui/internal.h"

#include <string.h>

char *
tui_age(gint64 since_us)
{
	if (!since_us)
		return g_strdup("-");
	gint64 seconds = MAX((g_get_real_time() - since_us) / G_USEC_PER_SEC, 0);
	if (seconds < 100)
		return g_strdup_printf("%ds", (int)seconds);
	if (seconds < 6000)
		return g_strdup_printf("%dm", (int)(seconds / 60));
	return g_strdup_printf("%dh", (int)(seconds / 3600));
}

static char *
clock_time(gint64 wall_us)
{
	GDateTime *time = g_date_time_new_from_unix_local(wall_us / G_USEC_PER_SEC);
	char *text = time ? g_date_time_format(time, "%H:%M:%S") : g_strdup("--:--:--");
	if (time)
		g_date_time_unref(time);
	return text;
}

static bool
passes(const tui_pane *pane, const char *text)
{
	return !pane->filter || !*pane->filter || (text && strcasestr(text, pane->filter));
}

/* ---- modules ---- */

static char *
module_state(const hd_module_view *module)
{
	const char *name = hd_module_state_name(module->state);
	guint errors = 0;
	for (guint i = 0; module->diagnostics && i < module->diagnostics->len; i++)
		errors += ((hd_diagnostic *)module->diagnostics->pdata[i])->severity == HD_SEVERITY_ERROR;
	if (module->state == HD_MODULE_ERROR && errors)
		return g_strdup_printf("%s %u", name, errors);
	if (module->state == HD_MODULE_HELD && module->refusal)
		return g_strdup_printf("%s %s", name, hd_refusal_name(module->refusal->code));
	bool quiet = module->state == HD_MODULE_LIVE || module->state == HD_MODULE_ORIGINAL;
	if (module->pins && quiet)
		return g_strdup_printf("PINNED %u", module->pins);
	if (module->promoting && quiet)
		return g_strdup("PROMOTING");
	return g_strdup(name);
}

static tui_style
module_style(const hd_module_view *module)
{
	switch (module->state) {
	case HD_MODULE_ERROR:
	case HD_MODULE_HELD:
	case HD_MODULE_MISSING:
		return STYLE_BAD;
	case HD_MODULE_BUILDING:
	case HD_MODULE_WAITING:
	case HD_MODULE_UNDONE:
		return STYLE_BUSY;
	case HD_MODULE_UNRELOADABLE:
		return STYLE_DIM;
	case HD_MODULE_LIVE:
		return module->pins ? STYLE_BUSY : STYLE_GOOD;
	case HD_MODULE_ORIGINAL:
		break;
	}
	return module->pins ? STYLE_BUSY : STYLE_NORMAL;
}

static int
by_name(gconstpointer a, gconstpointer b)
{
	const hd_module_view *one = *(hd_module_view *const *)a, *two = *(hd_module_view *const *)b;
	return strcmp(one->name, two->name);
}

/* What needs somebody first. */
static int
urgency(const hd_module_view *module)
{
	static const int order[] = {
		[HD_MODULE_ERROR] = 0,	 [HD_MODULE_HELD] = 1,	   [HD_MODULE_WAITING] = 2,
		[HD_MODULE_MISSING] = 3, [HD_MODULE_BUILDING] = 4, [HD_MODULE_UNDONE] = 5,
		[HD_MODULE_LIVE] = 7,	 [HD_MODULE_ORIGINAL] = 7, [HD_MODULE_UNRELOADABLE] = 8,
	};
	return module->pins && order[module->state] > 6 ? 6 : order[module->state];
}

static int
by_state(gconstpointer a, gconstpointer b)
{
	int one = urgency(*(hd_module_view *const *)a), two = urgency(*(hd_module_view *const *)b);
	return one != two ? one - two : by_name(a, b);
}

static int
by_last(gconstpointer a, gconstpointer b)
{
	gint64 one = (*(hd_module_view *const *)a)->changed_us, two = (*(hd_module_view *const *)b)->changed_us;
	return one != two ? (one < two ? 1 : -1) : by_name(a, b);
}

static void
build_modules(tui *t)
{
	static const GCompareFunc orders[SORT_COUNT] = {by_state, by_name, by_last};
	tui_pane *pane = &t->panes[PANE_MODULES];
	g_ptr_array_set_size(t->modules, 0);
	for (guint i = 0; t->now.modules && i < t->now.modules->len; i++) {
		hd_module_view *module = t->now.modules->pdata[i];
		if (passes(pane, module->name))
			g_ptr_array_add(t->modules, module);
	}
	g_ptr_array_sort(t->modules, orders[t->sort]);
	pane->count = (int)t->modules->len;
	for (int i = 0; t->chosen_module && i < pane->count; i++)
		if (strcmp(((hd_module_view *)t->modules->pdata[i])->name, t->chosen_module) == 0)
			pane->selected = i;
}

const hd_module_view *
tui_chosen_module(const tui *t)
{
	const tui_pane *pane = &t->panes[PANE_MODULES];
	return pane->selected < (int)t->modules->len ? t->modules->pdata[pane->selected] : NULL;
}

static char *
version_name(int version)
{
	return version < 0 ? g_strdup("-") : g_strdup_printf("v%d", version);
}

/* Cells side by side, a space between them. A width of 0 takes what the others leave, and 8 at least. */
static void
draw_columns(int row, int column, int width, tui_style style, char *const *cells, const int *widths)
{
	int taken = 0, n = 0;
	for (; cells[n]; n++)
		taken += widths[n] + (n > 0);
	int free = MAX(width - taken, 8);
	for (int i = 0; i < n && width > 0; i++) {
		int room = MIN(widths[i] ? widths[i] : free, width);
		screen_text(row, column, room, style, cells[i]);
		if (cells[i + 1] && room < width)
			screen_text(row, column + room, 1, style, " ");
		column += room + 1;
		width -= room + 1;
	}
}

/* The columns after the name, the dispensable ones first to go. */
typedef enum {
	COLUMN_LIVE,
	COLUMN_DISK,
	COLUMN_TIER,
	COLUMN_LAST,
	COLUMN_TOOK,
	COLUMN_STATE,
	COLUMN_COUNT
} module_column;

static const struct {
	const char *heading;
	int width;
	int rank; /* the highest goes first */
} columns[COLUMN_COUNT] = {
	[COLUMN_LIVE] = {"LIVE", 4, 1}, [COLUMN_DISK] = {"DISK", 4, 2}, [COLUMN_TIER] = {"TIER", 6, 3},
	[COLUMN_LAST] = {"LAST", 4, 4}, [COLUMN_TOOK] = {"TOOK", 7, 5}, [COLUMN_STATE] = {"STATE", 11, 0},
};

/* Columns with a rank below this leave the names the room they need. */
static int
columns_shown(const tui *t, int width)
{
	int wanted = 6;
	for (guint i = 0; i < t->modules->len; i++)
		wanted = MAX(wanted, hd_text_width(((hd_module_view *)t->modules->pdata[i])->name));
	wanted = MIN(wanted, 28);
	int rank = COLUMN_COUNT;
	for (; rank > 1; rank--) {
		int taken = 0;
		for (int i = 0; i < COLUMN_COUNT; i++)
			taken += columns[i].rank < rank ? columns[i].width + 1 : 0;
		if (width - taken >= wanted)
			break;
	}
	return rank;
}

/* The end of a path says more than its beginning. */
static char *
fit_name(const char *name, int room)
{
	char *clean = hd_text_clean(name, -1);
	const char *at = clean;
	int width = hd_text_width(clean);
	if (width <= room)
		return clean;
	for (width += 1; *at && width > room; at = g_utf8_next_char(at))
		width -= hd_text_character_width(g_utf8_get_char(at));
	char *fitted = g_strconcat("~", at, NULL);
	g_free(clean);
	return fitted;
}

static void
draw_module_cells(int row, int at, int width, tui_style style, const char *name, char *const *cells, int rank)
{
	int widths[COLUMN_COUNT + 1] = {0}, n = 1, room = width;
	char *shown[COLUMN_COUNT + 2];
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (columns[i].rank >= rank)
			continue;
		widths[n] = columns[i].width;
		shown[n++] = cells[i];
		room -= columns[i].width + 1;
	}
	shown[n] = NULL;
	shown[0] = fit_name(name, MAX(room, 8));
	draw_columns(row, at, width, style, shown, widths);
	g_free(shown[0]);
}

static char *
took(double ms)
{
	if (ms <= 0)
		return g_strdup("-");
	return g_strdup_printf(ms < 10 ? "%.1fms" : "%.0fms", ms);
}

static void
draw_module_row(int row, int at, int width, const hd_module_view *module, int rank, bool chosen)
{
	char *cells[COLUMN_COUNT] = {
		[COLUMN_LIVE] = version_name(module->live),
		[COLUMN_DISK] = version_name(module->disk),
		[COLUMN_TIER] = g_strdup(module->promoting  ? "tcc>cc"
					 : module->compiler ? module->compiler
							    : "own"),
		[COLUMN_LAST] = tui_age(module->changed_us),
		[COLUMN_TOOK] = took(module->last_ms),
		[COLUMN_STATE] = module_state(module),
	};
	draw_module_cells(row, at, width, chosen ? STYLE_SELECTED : module_style(module), module->name, cells, rank);
	for (int i = 0; i < COLUMN_COUNT; i++)
		g_free(cells[i]);
}

static void
draw_module_heading(int row, int at, int width, int rank)
{
	char *cells[COLUMN_COUNT];
	for (int i = 0; i < COLUMN_COUNT; i++)
		cells[i] = (char *)columns[i].heading;
	draw_module_cells(row, at, width, STYLE_HEADING, "MODULE", cells, rank);
}

/* ---- processes and threads ---- */

static bool
is_old(const hd_thread_view *thread)
{
	return g_strcmp0(thread->code, "old") == 0;
}

static bool
thread_shown(const tui *t, const hd_process_view *process, const hd_thread_view *thread)
{
	if (t->pinned_only && !is_old(thread))
		return false;
	const tui_pane *pane = &t->panes[PANE_PROCESSES];
	char number[32];
	g_snprintf(number, sizeof number, "%d", (int)thread->tid);
	const hd_place *place = thread->place;
	return passes(pane, thread->name) || passes(pane, process->name) || passes(pane, number) ||
	       (place && (passes(pane, place->function) || passes(pane, place->module)));
}

static void
build_processes(tui *t)
{
	tui_pane *pane = &t->panes[PANE_PROCESSES];
	g_array_set_size(t->processes, 0);
	for (guint i = 0; t->now.processes && i < t->now.processes->len; i++) {
		const hd_process_view *process = t->now.processes->pdata[i];
		process_row row = {process, NULL, false};
		guint start = t->processes->len;
		g_array_append_val(t->processes, row);
		for (guint j = 0; process->threads && j < process->threads->len; j++) {
			row.thread = process->threads->pdata[j];
			if (thread_shown(t, process, row.thread))
				g_array_append_val(t->processes, row);
		}
		if (t->processes->len > start + 1)
			g_array_index(t->processes, process_row, t->processes->len - 1).last = true;
		else if (t->pinned_only || (pane->filter && *pane->filter))
			g_array_set_size(t->processes, start);
	}
	pane->count = (int)t->processes->len;
	for (int i = 0; t->chosen_tid && i < pane->count; i++) {
		const process_row *row = &g_array_index(t->processes, process_row, i);
		if ((row->thread ? row->thread->tid : -row->process->pid) == t->chosen_tid)
			pane->selected = i;
	}
}

const process_row *
tui_chosen_process(const tui *t)
{
	const tui_pane *pane = &t->panes[PANE_PROCESSES];
	return pane->selected < (int)t->processes->len ? &g_array_index(t->processes, process_row, pane->selected)
						       : NULL;
}

/* id, name, code, where */
static void
draw_process_cells(int row, int column, int width, tui_style style, char *const *cells)
{
	static const int widths[][4] = {{10, 9, 7, 0}, {11, 11, 8, 0}, {12, 15, 8, 0}};
	draw_columns(row, column, width, style, cells, widths[(width >= 42) + (width >= 60)]);
}

static void
draw_process(int row, int column, int width, const hd_process_view *process, tui_style style)
{
	guint old = 0, threads = process->threads ? process->threads->len : 0;
	for (guint i = 0; i < threads; i++)
		old += is_old(process->threads->pdata[i]);
	char *id = g_strdup_printf("▾ %d", (int)process->pid);
	char *code = old ? g_strdup_printf("%u old", old) : g_strdup("");
	char *where = g_strdup_printf("%u thread%s", threads, threads == 1 ? "" : "s");
	draw_process_cells(row, column, width, style, (char *[]){id, process->name, code, where, NULL});
	g_free(id);
	g_free(code);
	g_free(where);
}

/* The function in old code, for how long, and where in it: what is cut off first is at the end. */
static char *
where_of(const hd_thread_view *thread)
{
	const hd_place *place = thread->place;
	if (!place)
		return g_strdup("");
	char *age = thread->since_us ? tui_age(thread->since_us) : g_strdup("");
	char *where = g_strdup_printf("%s%s%s %s:%d", place->function ? place->function : "?", *age ? " " : "", age,
				      place->module ? place->module : "?", place->line);
	g_free(age);
	return where;
}

static void
draw_thread(int row, int column, int width, const process_row *r, tui_style style)
{
	const hd_thread_view *thread = r->thread;
	const hd_place *place = thread->place;
	char *id = g_strdup_printf("%s %d", r->last ? "└─" : "├─", (int)thread->tid);
	char *code = is_old(thread) && place && place->version >= 0 ? g_strdup_printf("v%d old", place->version)
								    : g_strdup(thread->code ? thread->code : "unknown");
	char *where = where_of(thread);
	draw_process_cells(row, column, width, style, (char *[]){id, thread->name, code, where, NULL});
	g_free(id);
	g_free(code);
	g_free(where);
}

static void
draw_process_row(int row, int column, int width, const process_row *r, bool chosen)
{
	tui_style style = chosen ? STYLE_SELECTED : STYLE_NORMAL;
	if (!r->thread) {
		draw_process(row, column, width, r->process, style);
		return;
	}
	if (!chosen && is_old(r->thread))
		style = STYLE_BUSY;
	draw_thread(row, column, width, r, style);
}

/* ---- output ---- */

static void
add_output_rows(tui *t, guint number, const char *text, int width)
{
	output_row row = {number, 0, (guint)strlen(text)};
	if (!t->wrap || (int)row.length <= width) {
		g_array_append_val(t->output, row);
		return;
	}
	const char *at = text;
	do {
		const char *start = at;
		for (int used = 0; *at; at = g_utf8_next_char(at)) {
			used += hd_text_character_width(g_utf8_get_char(at));
			if (used > width && at > start)
				break;
		}
		row.start = (guint)(start - text);
		row.length = (guint)(at - start);
		g_array_append_val(t->output, row);
	} while (*at);
}

static void
build_output(tui *t)
{
	tui_pane *pane = &t->panes[PANE_OUTPUT];
	g_array_set_size(t->output, 0);
	const tui_log *log = t->terminal ? tui_terminal_log(t->terminal) : NULL;
	int width = MAX(pane->area.columns - 2 - 9, 1);
	for (guint i = 0; log && i < tui_log_count(log); i++) {
		const tui_log_line *line = tui_log_get(log, i);
		if (passes(pane, line->text))
			add_output_rows(t, i, line->text, width);
	}
	pane->count = (int)t->output->len;
}

static void
draw_output_row(const tui *t, int row, int column, int width, const output_row *r, bool chosen)
{
	const tui_log_line *line = tui_log_get(tui_terminal_log(t->terminal), r->line);
	char *time = r->start ? g_strdup("") : clock_time(line->wall_us);
	char *part = g_strndup(line->text + r->start, r->length);
	screen_text(row, column, 9, STYLE_DIM, time);
	screen_text(row, column + 9, width - 9, chosen ? STYLE_SELECTED : STYLE_NORMAL, part);
	g_free(time);
	g_free(part);
}

/* ---- events ---- */

static void
build_events(tui *t)
{
	tui_pane *pane = &t->panes[PANE_EVENTS];
	g_ptr_array_set_size(t->events, 0);
	for (guint i = t->told->len; i-- > 0;) {
		told_event *told = t->told->pdata[i];
		if (passes(pane, told->line))
			g_ptr_array_add(t->events, told);
	}
	pane->count = (int)t->events->len;
}

static tui_style
event_style(hd_event_kind kind)
{
	switch (kind) {
	case HD_EVENT_FAILED:
	case HD_EVENT_HELD:
	case HD_EVENT_CRASHED:
		return STYLE_BAD;
	case HD_EVENT_WAITING:
	case HD_EVENT_PINNED:
	case HD_EVENT_WARNING:
		return STYLE_BUSY;
	case HD_EVENT_LIVE:
	case HD_EVENT_PROMOTED:
	case HD_EVENT_UNDONE:
	case HD_EVENT_REDONE:
		return STYLE_GOOD;
	default:
		return STYLE_NORMAL;
	}
}

static void
draw_event_row(int row, int column, int width, const told_event *told, bool chosen)
{
	char *time = clock_time(told->wall_us);
	screen_text(row, column, 9, STYLE_DIM, time);
	screen_text(row, column + 9, width - 9, chosen ? STYLE_SELECTED : event_style(told->kind), told->line);
	g_free(time);
}

/* ---- all of them ---- */

void
tui_build_lists(tui *t)
{
	build_modules(t);
	build_processes(t);
	tui_build_detail(t);
}

void
tui_build_texts(tui *t)
{
	build_output(t);
	build_events(t);
	for (int i = 0; i < PANE_COUNT; i++)
		tui_pane_clamp(&t->panes[i]);
	if (t->follow)
		t->panes[PANE_OUTPUT].top = MAX(t->panes[PANE_OUTPUT].count - tui_pane_room(&t->panes[PANE_OUTPUT]), 0);
}

char *
tui_row_text(const tui *t, pane_kind kind, int row)
{
	if (kind == PANE_DETAIL)
		return g_strdup(((const detail_line *)t->detail->pdata[row])->text);
	if (kind == PANE_EVENTS)
		return g_strdup(((const told_event *)t->events->pdata[row])->line);
	if (kind != PANE_OUTPUT)
		return g_strdup("");
	const output_row *r = &g_array_index(t->output, output_row, row);
	return g_strndup(tui_log_get(tui_terminal_log(t->terminal), r->line)->text + r->start, r->length);
}

/* A row of a text that has what was searched for. */
static bool
is_found(const tui *t, pane_kind kind, int row)
{
	const tui_pane *pane = &t->panes[kind];
	if (!pane->sought || !*pane->sought)
		return false;
	char *text = tui_row_text(t, kind, row);
	bool found = strcasestr(text, pane->sought) != NULL;
	g_free(text);
	return found;
}

static void
draw_row(tui *t, pane_kind kind, int index, int row, int column, int width, bool chosen)
{
	switch (kind) {
	case PANE_MODULES:
		draw_module_row(row, column, width, t->modules->pdata[index], t->module_columns, chosen);
		break;
	case PANE_PROCESSES:
		draw_process_row(row, column, width, &g_array_index(t->processes, process_row, index), chosen);
		break;
	case PANE_DETAIL: {
		const detail_line *line = t->detail->pdata[index];
		screen_text(row, column, width, is_found(t, kind, index) ? STYLE_SELECTED : line->style, line->text);
		break;
	}
	case PANE_OUTPUT:
		draw_output_row(t, row, column, width, &g_array_index(t->output, output_row, index),
				is_found(t, kind, index));
		break;
	case PANE_EVENTS:
		draw_event_row(row, column, width, t->events->pdata[index], chosen);
		break;
	case PANE_COUNT:
		break;
	}
}

static char *
pane_title(const tui *t, pane_kind kind)
{
	static const char *const names[] = {"MODULES", "PROCESSES > THREADS", "DETAIL", "OUTPUT", "EVENTS"};
	const tui_pane *pane = &t->panes[kind];
	GString *title = g_string_new(NULL);
	g_string_printf(title, "%d %s", kind + 1, names[kind]);
	if (kind == PANE_MODULES)
		g_string_append_printf(title, " (%d)", pane->count);
	if (kind == PANE_DETAIL)
		g_string_append_printf(title, " %s", t->detail_title ? t->detail_title : "");
	if (pane->filter && *pane->filter)
		g_string_append_printf(title, "  /%s", pane->filter);
	if (pane->sought && *pane->sought)
		g_string_append_printf(title, "  search %s", pane->sought);
	return g_string_free(title, FALSE);
}

static char *
pane_right(const tui *t, pane_kind kind)
{
	static const char *const sorts[] = {"by state", "by name", "by last"};
	switch (kind) {
	case PANE_MODULES:
		return g_strdup(t->sort == SORT_STATE ? "" : sorts[t->sort]);
	case PANE_PROCESSES:
		return g_strdup(t->pinned_only ? "pinned only" : "");
	case PANE_DETAIL:
		return g_strdup(t->detail_right ? t->detail_right : "");
	case PANE_OUTPUT:
		if (!t->terminal)
			return g_strdup("");
		if (tui_terminal_draws(t->terminal))
			return g_strdup("screen  t: give it the keys");
		return g_strdup_printf("%s  %s", t->follow ? "follow" : "scrolled back", t->wrap ? "wrap" : "cut");
	default:
		return g_strdup("");
	}
}

static void
draw_pane(tui *t, pane_kind kind)
{
	tui_pane *pane = &t->panes[kind];
	bool focused = t->focus == kind;
	if (pane->area.rows < 3)
		return;
	char *title = pane_title(t, kind), *right = pane_right(t, kind);
	screen_box(&pane->area, focused, title, right);
	g_free(title);
	g_free(right);
	int row = pane->area.row + 1, column = pane->area.column + 1, width = pane->area.columns - 2;
	int room = tui_pane_room(pane);
	if (kind == PANE_OUTPUT && t->terminal && tui_terminal_draws(t->terminal)) {
		tui_terminal_draw(t->terminal, &(tui_area){row, column, room, width}, false);
		return;
	}
	if (kind == PANE_MODULES)
		t->module_columns = columns_shown(t, width);
	if (pane->heading && kind == PANE_MODULES)
		draw_module_heading(row, column, width, t->module_columns);
	if (pane->heading && kind == PANE_PROCESSES)
		draw_process_cells(row, column, width, STYLE_HEADING,
				   (char *[]){"PID/TID", "NAME", "CODE", "WHERE", NULL});
	row += pane->heading;
	bool cursor = focused && kind != PANE_DETAIL && kind != PANE_OUTPUT;
	if (cursor && pane->selected < pane->top)
		pane->top = pane->selected;
	if (cursor && pane->selected >= pane->top + room)
		pane->top = pane->selected - room + 1;
	for (int i = 0; i < room && pane->top + i < pane->count; i++)
		draw_row(t, kind, pane->top + i, row + i, column, width, cursor && pane->top + i == pane->selected);
}

void
tui_draw_panes(tui *t)
{
	for (int i = 0; i < PANE_COUNT; i++)
		draw_pane(t, i);
}
