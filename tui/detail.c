/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The detail pane: of the module or thread that was chosen, else of the module
 * that is in trouble; it goes away by itself when the trouble does. */
#include "config.h"

#include "base/text.h"
#include "tui/internal.h"

#include <string.h>

void
tui_detail_line_free(void *line)
{
	g_free(((detail_line *)line)->text);
	g_free(line);
}

static void add(tui *t, tui_style style, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void
add(tui *t, tui_style style, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	detail_line *line = g_new(detail_line, 1);
	line->text = g_strdup_vprintf(format, ap);
	line->style = style;
	line->whole = false;
	va_end(ap);
	g_ptr_array_add(t->detail, line);
}

/* The line that was added last is not wrapped. */
static void
keep_whole(tui *t)
{
	((detail_line *)t->detail->pdata[t->detail->len - 1])->whole = true;
}

/* The end of what fits into this many columns: after a space where there is one. */
static const char *
break_at(const char *text, int width)
{
	const char *at = text, *space = NULL;
	for (int used = 0; *at; at = g_utf8_next_char(at)) {
		used += hd_text_character_width(g_utf8_get_char(at));
		if (used > width)
			return space ? space : at > text ? at : g_utf8_next_char(at);
		if (*at == ' ')
			space = at + 1;
	}
	return at;
}

/* Lines that are too long go on below, further in. */
static void
wrap_lines(tui *t, int width)
{
	GPtrArray *wrapped = g_ptr_array_new_with_free_func(tui_detail_line_free);
	for (guint i = 0; i < t->detail->len; i++) {
		detail_line *line = t->detail->pdata[i];
		int indent = MIN((int)strspn(line->text, " ") + 4, width / 2);
		char *clean = hd_text_clean(line->text, -1);
		const char *rest = break_at(clean, width);
		bool fits = line->whole || !*rest;
		if (!fits) {
			g_free(line->text);
			line->text = g_strndup(clean, (gsize)(rest - clean));
		}
		g_ptr_array_add(wrapped, line);
		while (!fits && *rest) {
			const char *end = break_at(rest, width - indent);
			detail_line *more = g_new(detail_line, 1);
			*more = (detail_line){g_strdup_printf("%*s%.*s", indent, "", (int)(end - rest), rest),
					      line->style, false};
			g_ptr_array_add(wrapped, more);
			rest = end;
		}
		g_free(clean);
	}
	/* They live on in the new array. */
	g_ptr_array_set_free_func(t->detail, NULL);
	g_ptr_array_unref(t->detail);
	t->detail = wrapped;
}

static const char *
file_of(const tui *t, const hd_place *place)
{
	return place && place->file ? hd_text_below(t->now.project, place->file) : "?";
}

static bool
in_trouble(const hd_module_view *module)
{
	return module->state == HD_MODULE_ERROR || module->state == HD_MODULE_HELD ||
	       module->state == HD_MODULE_WAITING || module->state == HD_MODULE_MISSING;
}

/* The module whose trouble is the newest. */
static const hd_module_view *
troubled(const tui *t)
{
	const hd_module_view *found = NULL;
	for (guint i = 0; t->now.modules && i < t->now.modules->len; i++) {
		const hd_module_view *module = t->now.modules->pdata[i];
		if (in_trouble(module) && (!found || module->changed_us > found->changed_us))
			found = module;
	}
	return found;
}

const hd_module_view *
tui_detail_module(const tui *t)
{
	bool chosen = t->subject == DETAIL_MODULE || t->subject == DETAIL_DIFFERENCE;
	for (guint i = 0; chosen && t->now.modules && i < t->now.modules->len; i++) {
		const hd_module_view *module = t->now.modules->pdata[i];
		if (t->chosen_module && strcmp(module->name, t->chosen_module) == 0)
			return module;
	}
	return t->subject == DETAIL_TROUBLE ? troubled(t) : NULL;
}

bool
tui_detail_wanted(const tui *t)
{
	return t->subject == DETAIL_THREAD || t->subject == DETAIL_EVENT || tui_detail_module(t);
}

/* ---- a module ---- */

static void
set_where(tui *t, const hd_position *where)
{
	hd_position_clear(&t->detail_where);
	t->detail_where = hd_position_copy(where);
}

static void
add_source(tui *t, const hd_position *where)
{
	for (int line = MAX(where->line - 1, 1); line <= where->line; line++) {
		int caret;
		char *text = hd_text_source_line(t->now.project, where->file, line, where->column, &caret);
		if (!text)
			continue;
		bool here = line == where->line;
		add(t, here ? STYLE_NORMAL : STYLE_DIM, "%s%5d | %s", here ? "> " : "  ", line, text);
		keep_whole(t);
		if (here && caret >= 0) {
			add(t, STYLE_BAD, "        | %*s^", caret, "");
			keep_whole(t);
		}
		g_free(text);
	}
}

static void
add_diagnostic(tui *t, const hd_diagnostic *diagnostic)
{
	const hd_position *where = &diagnostic->where;
	tui_style style = diagnostic->severity == HD_SEVERITY_ERROR ? STYLE_BAD : STYLE_BUSY;
	GString *place = g_string_new(where->file ? hd_text_below(t->now.project, where->file) : "");
	if (where->file && where->line > 0)
		g_string_append_printf(place, ":%d", where->line);
	if (where->file && where->column > 0)
		g_string_append_printf(place, ":%d", where->column);
	add(t, style, "%s%s%s: %s", place->str, place->len ? ": " : "", hd_severity_name(diagnostic->severity),
	    diagnostic->message ? diagnostic->message : "");
	g_string_free(place, TRUE);
	add_source(t, where);
}

static void
add_raw(tui *t, const char *raw)
{
	char **lines = g_strsplit(raw, "\n", -1);
	for (char **line = lines; *line; line++) {
		add(t, STYLE_NORMAL, "%s", *line);
		keep_whole(t);
	}
	g_strfreev(lines);
}

/* The chosen error first, those after it below. */
static void
add_errors(tui *t, const hd_module_view *module)
{
	const GPtrArray *all = module->diagnostics;
	if (!all || !all->len)
		return;
	if (t->raw && module->raw) {
		add_raw(t, module->raw);
		return;
	}
	t->error_shown = CLAMP(t->error_shown, 0, (int)all->len - 1);
	set_where(t, &((hd_diagnostic *)all->pdata[t->error_shown])->where);
	for (guint i = (guint)t->error_shown; i < all->len; i++)
		add_diagnostic(t, all->pdata[i]);
}

static void
add_refusal(tui *t, const hd_refusal *refusal)
{
	if (!refusal)
		return;
	add(t, STYLE_BAD, "%s held: %s", hd_refusal_name(refusal->code), refusal->reason ? refusal->reason : "");
	add(t, STYLE_NORMAL, "  what it means: %s", hd_refusal_meaning(refusal->code));
	if (refusal->where.file) {
		add(t, STYLE_NORMAL, "  where: %s:%d", hd_text_below(t->now.project, refusal->where.file),
		    refusal->where.line);
		add_source(t, &refusal->where);
		set_where(t, &refusal->where);
	}
	add(t, STYLE_BUSY, "  remedy: %s", refusal->remedy ? refusal->remedy : "undo the edit, or R to restart");
}

static void
add_blockers(tui *t)
{
	if (!t->waiting)
		return;
	add(t, STYLE_BUSY, "waiting until these frames are left:");
	for (guint i = 0; i < t->waiting->blockers->len; i++) {
		const hd_thread_place *at = t->waiting->blockers->pdata[i];
		const hd_place *place = at->place;
		add(t, STYLE_NORMAL, "  %d %s: %s %s:%d", (int)at->tid, at->thread ? at->thread : "",
		    place && place->function ? place->function : "?", file_of(t, place), place ? place->line : 0);
	}
}

static char *
joined(const GPtrArray *names)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; names && i < names->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "", (char *)names->pdata[i]);
	return g_string_free(text, FALSE);
}

static void
add_versions(tui *t, const hd_module_view *module)
{
	const GPtrArray *versions = module->versions;
	if (!versions || !versions->len)
		return;
	add(t, STYLE_HEADING, "versions");
	for (guint i = versions->len; i-- > 0;) {
		const hd_version_view *version = versions->pdata[i];
		char *functions = joined(version->functions), *data = joined(version->data);
		char *age = tui_age(version->wall_us), *size = hd_text_size(version->bytes);
		bool live = version->version == module->live;
		add(t, live ? STYLE_GOOD : STYLE_NORMAL, "  v%-3d %-8s %-5s %-8s %s%s%s%s", version->version,
		    version->compiler ? version->compiler : "own", age, version->bytes ? size : "",
		    version->undone ? "undone " : "", functions, *data ? " | " : "", data);
		if (version->kept)
			add(t, STYLE_DIM, "       kept: %s", version->kept);
		g_free(functions);
		g_free(data);
		g_free(age);
		g_free(size);
	}
}

static void
add_pins(tui *t, const hd_module_view *module)
{
	if (!module->pins)
		return;
	add(t, STYLE_HEADING, "threads still inside old code");
	for (guint i = 0; t->now.processes && i < t->now.processes->len; i++) {
		const hd_process_view *process = t->now.processes->pdata[i];
		for (guint j = 0; process->threads && j < process->threads->len; j++) {
			const hd_thread_view *thread = process->threads->pdata[j];
			const hd_place *place = thread->place;
			if (!place || g_strcmp0(place->module, module->name) != 0)
				continue;
			char *age = tui_age(thread->since_us);
			add(t, STYLE_BUSY, "  %d %s in v%d: %s %s:%d for %s", (int)thread->tid, thread->name,
			    place->version, place->function ? place->function : "?", file_of(t, place), place->line,
			    age);
			g_free(age);
		}
	}
}

static void
add_command(tui *t, const hd_module_view *module)
{
	if (module->unreloadable)
		add(t, STYLE_BUSY, "cannot be reloaded: %s", module->unreloadable);
	if (module->not_instant && module->state != HD_MODULE_ERROR)
		add(t, STYLE_NORMAL, "not built by libtcc: %s", module->not_instant);
	if (!module->command)
		return;
	char *command = g_strjoinv(" ", module->command->argv);
	add(t, STYLE_HEADING, "compile command, from %s",
	    module->command->origin_detail ? module->command->origin_detail : "?");
	add(t, STYLE_NORMAL, "  %s", command);
	g_free(command);
}

static void
build_module(tui *t, const hd_module_view *module)
{
	if (module->state == HD_MODULE_ERROR) {
		guint errors = module->diagnostics ? module->diagnostics->len : 0;
		t->detail_title = g_strdup_printf("%s  error %d of %u", module->name,
						  MIN(t->error_shown + 1, (int)MAX(errors, 1)), MAX(errors, 1));
		t->detail_right = g_strdup_printf("v%d runs on everywhere", module->live);
	} else {
		t->detail_title = g_strdup_printf("%s  %s", module->name, hd_module_state_name(module->state));
		t->detail_right = g_strdup_printf("v%d runs", module->live);
	}
	hd_position top = {(char *)module->name, 1, 0};
	set_where(t, &top);
	add_errors(t, module);
	add_refusal(t, module->refusal);
	if (module->state == HD_MODULE_WAITING)
		add_blockers(t);
	if (module->state == HD_MODULE_MISSING)
		add(t, STYLE_BAD, "the file is gone; the code that runs is kept");
	if (module->state == HD_MODULE_UNDONE)
		add(t, STYLE_BUSY, "undone: what is on disk is not what runs (U redoes, the next save supersedes)");
	add_pins(t, module);
	add_versions(t, module);
	add_command(t, module);
	if (!t->detail->len)
		add(t, STYLE_DIM, "it runs the code that the program started with");
}

/* ---- a thread ---- */

static void
add_frame(tui *t, guint number, const hd_place *place)
{
	char *version = place->version >= 0 ? g_strdup_printf("v%d", place->version) : g_strdup("");
	add(t, STYLE_NORMAL, "#%-2u %-24s %s %s  %s:%d", number, place->function ? place->function : "?",
	    place->module ? place->module : "", version, file_of(t, place), place->line);
	g_free(version);
}

static void
build_thread(tui *t, const process_row *row)
{
	const hd_thread_view *thread = row->thread;
	if (!thread) {
		t->detail_title = g_strdup_printf("process %d %s", (int)row->process->pid, row->process->name);
		add(t, STYLE_NORMAL, "parent %d, %u threads", (int)row->process->ppid,
		    row->process->threads ? row->process->threads->len : 0);
		return;
	}
	char *age = tui_age(thread->since_us);
	t->detail_title = g_strdup_printf("thread %d %s", (int)thread->tid, thread->name);
	add(t, STYLE_NORMAL, "code: %s%s%s", thread->code ? thread->code : "unknown", thread->since_us ? " for " : "",
	    thread->since_us ? age : "");
	g_free(age);
	if (thread->place && thread->place->file)
		set_where(t, &(hd_position){thread->place->file, thread->place->line, 0});
	for (guint i = 0; thread->stack && i < thread->stack->len; i++)
		add_frame(t, i, thread->stack->pdata[i]);
	if (!thread->stack && thread->place)
		add_frame(t, 0, thread->place);
	else if (!thread->stack)
		add(t, STYLE_DIM, "its stack has not been looked at");
	if (g_strcmp0(thread->code, "old") == 0)
		add(t, STYLE_BUSY,
		    "the old frame runs on until it returns; a loop that never does: move its body into a function");
}

/* ---- what two versions differ in ---- */

static tui_style
difference_style(const char *line)
{
	if (g_str_has_prefix(line, "+++") || g_str_has_prefix(line, "---") || g_str_has_prefix(line, "@@"))
		return STYLE_HEADING;
	return *line == '+' ? STYLE_GOOD : *line == '-' ? STYLE_BAD : STYLE_NORMAL;
}

/* Columns count from behind the sign. */
static char *
expand_tabs(const char *line)
{
	GString *text = g_string_new(NULL);
	for (gsize column = 0; *line; line++) {
		if (*line != '\t') {
			g_string_append_c(text, *line);
			column += ((guchar)*line & 0xc0) != 0x80;
			continue;
		}
		do
			g_string_append_c(text, ' ');
		while (column++ % 8 != 0);
	}
	return g_string_free(text, FALSE);
}

static void
build_difference(tui *t, const hd_module_view *module)
{
	GError *error = NULL;
	char *text = hd_module_difference(module, t->diff_from, t->diff_to, &error);
	t->detail_title = g_strdup_printf("%s  v%d -> v%d", module->name, t->diff_from, t->diff_to);
	t->detail_right = g_strdup("< > from, { } to");
	hd_position top = {(char *)module->name, 1, 0};
	set_where(t, &top);
	char **lines = g_strsplit(text ? text : "", "\n", -1);
	/* The first two name the versions, which the title does. */
	for (guint i = 2, count = g_strv_length(lines); i < count && (lines[i + 1] || *lines[i]); i++) {
		char *expanded = expand_tabs(lines[i]);
		add(t, difference_style(lines[i]), "%s", expanded);
		keep_whole(t);
		g_free(expanded);
	}
	g_strfreev(lines);
	if (error)
		add(t, STYLE_BUSY, "%s", error->message);
	else if (!*text)
		add(t, STYLE_NORMAL, "%s is the same in both: what changed is in a file that it includes",
		    module->name);
	g_clear_error(&error);
	g_free(text);
}

static bool
has_version(const hd_module_view *module, int version)
{
	return hd_module_text(module, version) != NULL;
}

void
tui_show_difference(tui *t)
{
	const hd_module_view *module = tui_detail_module(t);
	if (!module || t->focus == PANE_MODULES)
		module = tui_chosen_module(t);
	if (!module)
		return;
	int newest = module->live;
	for (guint i = 0; module->versions && i < module->versions->len; i++)
		newest = MAX(newest, ((const hd_version_view *)module->versions->pdata[i])->version);
	if (newest == 0) {
		tui_say(t, "%s runs what the program started with: there is nothing to compare", module->name);
		return;
	}
	g_free(t->chosen_module);
	t->chosen_module = g_strdup(module->name);
	t->subject = DETAIL_DIFFERENCE;
	t->diff_to = module->live ? module->live : newest;
	t->diff_from = t->diff_to - 1;
	while (t->diff_from > 0 && !has_version(module, t->diff_from))
		t->diff_from--;
	t->panes[PANE_DETAIL].top = 0;
	t->detail_stale = true;
}

void
tui_move_difference(tui *t, bool newer, int step)
{
	const hd_module_view *module = t->subject == DETAIL_DIFFERENCE ? tui_detail_module(t) : NULL;
	int *side = newer ? &t->diff_to : &t->diff_from;
	for (int version = *side + step; module && version >= 0 && version <= 10000; version += step) {
		if (!has_version(module, version))
			continue;
		*side = version;
		t->detail_stale = true;
		return;
	}
}

/* ---- an event ---- */

static void
build_event(tui *t)
{
	t->detail_title = g_strdup("event");
	add(t, STYLE_NORMAL, "%s", t->told_detail);
}

void
tui_build_detail(tui *t)
{
	tui_pane *pane = &t->panes[PANE_DETAIL];
	int width = MAX(t->columns - 2, 10);
	if (!t->detail_stale && width == t->detail_width)
		return;
	t->detail_stale = false;
	t->detail_width = width;
	g_ptr_array_set_size(t->detail, 0);
	g_clear_pointer(&t->detail_title, g_free);
	g_clear_pointer(&t->detail_right, g_free);
	hd_position_clear(&t->detail_where);
	const hd_module_view *module = tui_detail_module(t);
	const process_row *row = t->subject == DETAIL_THREAD ? tui_chosen_process(t) : NULL;
	if (module && t->subject == DETAIL_DIFFERENCE)
		build_difference(t, module);
	else if (module)
		build_module(t, module);
	else if (row)
		build_thread(t, row);
	else if (t->subject == DETAIL_EVENT)
		build_event(t);
	wrap_lines(t, width);
	pane->count = (int)t->detail->len;
}
