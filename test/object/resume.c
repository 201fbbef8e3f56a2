/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a call of an old function may go on: whatever the answer calls safe is
 * walked in both functions side by side, which must never part. */
#include "config.h"

#include "reloader/object/resume.h"

#include "reloader/object/decode.h"
#include "test/object/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PRELUDE                                                                                                        \
	"int get(void); void put(int); void *malloc(unsigned long); struct s { int a; FIELD int b; }; int n;\n"        \
	"extern struct s *state; void live(void);\n"

typedef struct {
	const char *title, *before, *after;
	bool goes_on; /* what the loop calls may return, at every level; otherwise no call may be under way */
} pair;

/* FIELD is a field that only the new text has; LOOP a loop that says the same in both. */
#define LOOP "while (get()) { live(); put(n); }"

static const pair pairs[] = {
	{"what was done before the loop", "int f(void) { state = malloc(sizeof *state); " LOOP " return 0; }",
	 "int f(void) { state = malloc(sizeof *state); " LOOP " return 0; }", true},
	{"a store before the loop", "int f(void) { state->b = 1; " LOOP " return 0; }",
	 "int f(void) { state->b = 1; " LOOP " return 0; }", true},
	{"a field in the loop", "int f(void) { while (get()) { live(); put(state->b); } return 0; }",
	 "int f(void) { while (get()) { live(); put(state->b); } return 0; }", false},
	{"a field behind the loop", "int f(void) { " LOOP " return state->b; }",
	 "int f(void) { " LOOP " return state->b; }", false},
	{"a size in the loop", "int f(void) { while (get()) { live(); put(sizeof(struct s)); } return 0; }",
	 "int f(void) { while (get()) { live(); put(sizeof(struct s)); } return 0; }", false},
	{"another function in the loop", "int f(void) { " LOOP " return 0; }",
	 "void more(void); int f(void) { while (get()) { more(); put(n); } return 0; }", false},
	{"two loops, of which the first differs",
	 "int f(void) { while (get()) live(); put(state->b); while (get()) put(n); return 0; }",
	 "int f(void) { while (get()) live(); put(state->b + 1); while (get()) put(n); return 0; }", true},
	{"a branch back to what differs",
	 "int f(void) { again: put(state->b); while (get()) live(); if (get()) goto again; return 0; }",
	 "int f(void) { again: put(state->b); while (get()) live(); if (get()) goto again; return 0; }", false},
};

/* ---- both functions side by side ---- */

typedef struct {
	const hd_diff *diff;
	const hd_atom *old, *now;
	GHashTable *seen; /* old offset << 32 | new offset */
	GArray *pending;  /* of the same */
	bool parted;
} walk;

static const hd_reloc *
reloc_in(const hd_atom *atom, guint64 start, guint64 end)
{
	for (guint i = 0; i < atom->n_relocs; i++)
		if (atom->relocs[i].offset >= start && atom->relocs[i].offset < end)
			return &atom->relocs[i];
	return NULL;
}

static bool
same_target(const walk *w, const hd_reloc *x, const hd_reloc *y)
{
	if (!x || !y)
		return x == y;
	if (x->type != y->type || x->addend != y->addend || (x->atom == HD_NONE) != (y->atom == HD_NONE))
		return false;
	if (x->atom != HD_NONE)
		return hd_diff_old_of(w->diff, y->atom) == x->atom;
	return strcmp(hd_object_external(hd_diff_old(w->diff), x->external)->name,
		      hd_object_external(hd_diff_now(w->diff), y->external)->name) == 0;
}

static void
go_to(walk *w, gint64 old, gint64 now)
{
	if (old < 0 || now < 0 || old >= (gint64)w->old->size || now >= (gint64)w->now->size) {
		w->parted = true;
		return;
	}
	guint64 state = (guint64)old << 32 | (guint64)now;
	if (g_hash_table_add(w->seen, GSIZE_TO_POINTER(state + 1)))
		g_array_append_val(w->pending, state);
}

static void
step(walk *w, guint64 a, guint64 b)
{
	hd_instruction x, y;
	if (!hd_decode(w->old->bytes + a, w->old->size - a, &x) ||
	    !hd_decode(w->now->bytes + b, w->now->size - b, &y)) {
		w->parted = true;
		return;
	}
	const hd_reloc *r = reloc_in(w->old, a, a + x.length);
	bool inner = !r && (x.flow == HD_FLOW_JUMP || x.flow == HD_FLOW_BRANCH);
	gsize until = inner ? x.field : x.length;
	if (x.length != y.length || x.flow != y.flow || memcmp(w->old->bytes + a, w->now->bytes + b, until) != 0 ||
	    !same_target(w, r, reloc_in(w->now, b, b + y.length)) || x.flow == HD_FLOW_INDIRECT_JUMP) {
		w->parted = true;
		return;
	}
	if (inner)
		go_to(w, (gint64)a + x.length + x.distance, (gint64)b + y.length + y.distance);
	if (x.flow != HD_FLOW_JUMP && x.flow != HD_FLOW_RETURN && !w->parted)
		go_to(w, (gint64)a + x.length, (gint64)b + y.length);
}

static bool
never_part(const hd_diff *diff, const hd_atom *old, const hd_atom *now, guint64 a, guint64 b)
{
	walk w = {diff, old, now, g_hash_table_new(NULL, NULL), g_array_new(FALSE, FALSE, sizeof(guint64)), false};
	go_to(&w, (gint64)a, (gint64)b);
	for (guint i = 0; i < w.pending->len && !w.parted; i++) {
		guint64 state = g_array_index(w.pending, guint64, i);
		step(&w, state >> 32, state & G_MAXUINT32);
	}
	g_hash_table_unref(w.seen);
	g_array_unref(w.pending);
	return !w.parted;
}

/* ---- one pair ---- */

static bool
is_unsafe(const GArray *parts, guint64 offset)
{
	for (guint i = 0; i < parts->len; i++) {
		const hd_unsafe *part = &g_array_index(parts, hd_unsafe, i);
		if (offset >= part->start && offset < part->end)
			return true;
	}
	return false;
}

static bool
nothing_moved(const hd_reloc *reloc, void *data)
{
	(void)reloc;
	(void)data;
	return false;
}

static char *
text_of(const char *body, const char *field)
{
	char **parts = g_strsplit(PRELUDE, "FIELD", 2);
	char *text = g_strdup_printf("%s%s%s%s\n", parts[0], field, parts[1], body);
	g_strfreev(parts);
	return text;
}

/* Of the calls that the old function makes, how many may be under way. */
static guint
count_safe(const variant *v, const pair *p, const hd_diff *diff, guint atom)
{
	const hd_atom *now = hd_object_atom(hd_diff_now(diff), atom),
		      *old = hd_object_atom(hd_diff_old(diff), hd_diff_old_of(diff, atom));
	GArray *parts = hd_resume_unsafe(diff, atom, nothing_moved, NULL);
	GArray *returns = hd_resume_returns(old->bytes, old->size);
	guint safe = 0;
	assert_non_null(returns);
	for (guint i = 0; parts && i < returns->len; i++) {
		guint64 at = g_array_index(returns, guint64, i);
		bool found = false;
		if (is_unsafe(parts, at))
			continue;
		safe++;
		for (guint64 there = 0; there < now->size && !found; there++)
			found = never_part(diff, old, now, at, there);
		if (!found)
			fail_msg("%s, %s: byte %u is called safe, and is not", v->name, p->title, (guint)at);
	}
	g_array_unref(returns);
	g_clear_pointer(&parts, g_array_unref);
	return safe;
}

static void
judge(const variant *v, const pair *p)
{
	char *before = text_of(p->before, ""), *after = text_of(p->after, "long added[9];");
	hd_object *old = object_of_text(v, before), *now = object_of_text(v, after);
	hd_diff *diff = hd_diff_new(old, now);
	guint atom = hd_object_find(now, "f");
	assert_int_not_equal(atom, HD_NONE);
	guint safe = count_safe(v, p, diff, atom);
	if ((safe > 0) != p->goes_on)
		fail_msg("%s, %s: %u calls may be under way", v->name, p->title, safe);
	hd_diff_free(diff);
	hd_object_unref(old);
	hd_object_unref(now);
	g_free(before);
	g_free(after);
}

static void
test_pairs(void **state)
{
	(void)state;
	for (const variant *v = all_variants(); v->name; v++)
		for (gsize i = 0; i < G_N_ELEMENTS(pairs) && !v->tcc; i++)
			judge(v, &pairs[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
