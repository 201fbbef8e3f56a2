/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/steps.h"

#include "base/error.h"
#include "reloader/types/numbers.h"

#include <string.h>

/* ---- the walk ---- */

typedef struct {
	const GArray *steps;
	guint64 tail;
	hd_step_visit *visit;
	void *data;
} walk;

/* An array of what is only copied is copied as one piece. */
static bool
is_plain(const hd_step *repeat, const hd_step *body)
{
	return repeat->body == 1 && body->kind == HD_STEP_COPY && body->old.at == 0 && body->now.at == 0 &&
	       body->old.width == repeat->old.width && body->now.width == repeat->now.width &&
	       repeat->old.width == repeat->now.width;
}

static void walk_steps(const walk *w, guint first, guint end, guint64 old_base, guint64 new_base);

static void
walk_repeat(const walk *w, guint at, guint64 old_base, guint64 new_base)
{
	const hd_step *repeat = &g_array_index(w->steps, hd_step, at), *body = repeat + 1;
	guint64 count = repeat->count == HD_TAIL ? w->tail : repeat->count;
	old_base += repeat->old.at / 8;
	new_base += repeat->now.at / 8;
	if (repeat->body == 0 || count == 0)
		return;
	if (is_plain(repeat, body)) {
		hd_step whole = *body;
		whole.old.width = whole.now.width = repeat->old.width * count;
		w->visit(&whole, old_base, new_base, w->data);
		return;
	}
	for (guint64 i = 0; i < count; i++)
		walk_steps(w, at + 1, at + 1 + repeat->body, old_base + i * (repeat->old.width / 8),
			   new_base + i * (repeat->now.width / 8));
}

static void
walk_steps(const walk *w, guint first, guint end, guint64 old_base, guint64 new_base)
{
	for (guint i = first; i < end; i++) {
		const hd_step *step = &g_array_index(w->steps, hd_step, i);
		if (step->kind == HD_STEP_REPEAT) {
			walk_repeat(w, i, old_base, new_base);
			i += step->body;
		} else if (step->kind != HD_STEP_INSIDE) {
			w->visit(step, old_base, new_base, w->data);
		}
	}
}

void
hd_steps_walk(const hd_migration *migration, guint64 tail, hd_step_visit *visit, void *data)
{
	walk w = {.steps = migration->steps, .tail = tail, .visit = visit, .data = data};
	walk_steps(&w, 0, migration->steps->len, 0, 0);
}

/* ---- one step, in either direction ---- */

typedef struct {
	const guint8 *from;
	guint8 *to;
	bool back;
	hd_migration_tally tally;
} run;

static void
write_integer(run *r, hd_wide value, bool is_signed, const hd_side *side, guint8 *to)
{
	guint width = (guint)side->width;
	hd_wide held = side->is_bool ? value != 0 : value;
	hd_bits_write(to, side->at, width, held);
	hd_wide stored = hd_bits_extend(held, width, side->is_signed);
	/* -1 and the largest unsigned number have the same bits, not the same value. */
	bool negative = is_signed && (value >> (HD_WIDEST - 1)),
	     reads_negative = side->is_signed && (stored >> (HD_WIDEST - 1));
	if (stored != value || negative != reads_negative)
		r->tally.changed++;
}

static gint64
read_enum(const hd_side *side, const guint8 *bytes)
{
	guint width = (guint)side->width;
	return (gint64)hd_bits_extend(hd_bits_read(bytes, side->at, width), width, side->is_signed);
}

static void
write_enum(run *r, const hd_side *side, guint8 *to, gint64 value)
{
	hd_bits_write(to, side->at, (guint)side->width, (hd_wide)value);
	if (read_enum(side, to) != value)
		r->tally.changed++;
}

static void
renumber(run *r, const hd_step *step, const guint8 *from, guint8 *to)
{
	gint64 value = read_enum(r->back ? &step->now : &step->old, from), other = value, kept;
	if (!r->back) {
		if (!hd_renumber_forward(step->renumber, value, &other))
			r->tally.unnamed++;
		write_enum(r, &step->now, to, other);
		return;
	}
	/* Several old values may have become this one: if the one that was kept did, it is the one. */
	kept = other = read_enum(&step->old, to);
	if (!hd_renumber_forward(step->renumber, kept, &other))
		other = kept;
	if (other == value)
		return;
	other = value;
	if (!hd_renumber_back(step->renumber, value, &other))
		r->tally.unnamed++;
	write_enum(r, &step->old, to, other);
}

static void
run_step(const hd_step *step, guint64 old_base, guint64 new_base, void *data)
{
	run *r = data;
	const hd_side *source = r->back ? &step->now : &step->old, *target = r->back ? &step->old : &step->now;
	const guint8 *from = r->from + (r->back ? new_base : old_base);
	guint8 *to = r->to + (r->back ? old_base : new_base);
	hd_wide value;
	switch (step->kind) {
	case HD_STEP_COPY:
	case HD_STEP_POINTER:
		if (source->width > 0) /* an object may be empty, and its address NULL */
			memcpy(to + target->at / 8, from + source->at / 8, source->width / 8);
		break;
	case HD_STEP_INTEGER:
		value = hd_bits_read(from, source->at, (guint)source->width);
		value = hd_bits_extend(value, (guint)source->width, source->is_signed);
		write_integer(r, value, source->is_signed, target, to);
		break;
	case HD_STEP_ENUM:
		renumber(r, step, from, to);
		break;
	case HD_STEP_FLOAT:
		if (!hd_float_convert(from + source->at / 8, source->width / 8, to + target->at / 8, target->width / 8))
			r->tally.changed++;
		break;
	default:
		break;
	}
}

static void
run_all(const hd_migration *migration, guint64 tail, run *r, hd_migration_tally *tally)
{
	hd_steps_walk(migration, tail, run_step, r);
	if (tally)
		*tally = r->tally;
}

void
hd_migration_apply(const hd_migration *migration, const guint8 *old, guint8 *now, guint64 tail,
		   hd_migration_tally *tally)
{
	run r = {.from = old, .to = now};
	run_all(migration, tail, &r, tally);
}

void
hd_migration_reverse(const hd_migration *migration, const guint8 *now, guint8 *old, guint64 tail,
		     hd_migration_tally *tally)
{
	run r = {.from = now, .to = old, .back = true};
	run_all(migration, tail, &r, tally);
}

/* ---- validation ---- */

typedef struct {
	const guint8 *old;
	guint8 *back;
	guint64 wrong; /* bit; G_MAXUINT64: none */
} comparison;

/* What is to be restored must not be there already. An enumeration needs what was kept: see renumber(). */
static void
spoil(const hd_step *step, guint64 old_base, guint64 new_base, void *data)
{
	comparison *c = data;
	(void)new_base;
	if (step->kind == HD_STEP_ENUM || step->kind == HD_STEP_OVERLAID)
		return;
	for (guint64 bit = 0; bit < step->old.width; bit += HD_WIDEST) {
		guint width = (guint)MIN(step->old.width - bit, HD_WIDEST);
		guint64 at = step->old.at + bit;
		hd_bits_write(c->back + old_base, at, width, ~hd_bits_read(c->old + old_base, at, width));
	}
}

/* Of a long double, ten bytes are its value. */
static guint64
value_width(const hd_step *step)
{
	return step->kind == HD_STEP_FLOAT ? MIN(step->old.width, 80) : step->old.width;
}

static void
compare(const hd_step *step, guint64 old_base, guint64 new_base, void *data)
{
	comparison *c = data;
	(void)new_base;
	for (guint64 bit = 0; bit < value_width(step) && c->wrong == G_MAXUINT64; bit += HD_WIDEST) {
		guint width = (guint)MIN(value_width(step) - bit, HD_WIDEST);
		guint64 at = step->old.at + bit;
		if (hd_bits_read(c->back + old_base, at, width) != hd_bits_read(c->old + old_base, at, width))
			c->wrong = old_base * 8 + at;
	}
}

bool
hd_migration_validate(const hd_migration *migration, const guint8 *old, guint64 tail, GError **error)
{
	guint64 size = hd_migration_old_size(migration, tail);
	guint8 *now = g_malloc0(hd_migration_new_size(migration, tail) + 1);
	comparison c = {.old = old, .back = g_malloc(size + 1), .wrong = G_MAXUINT64};
	if (size > 0)
		memcpy(c.back, old, size);
	hd_steps_walk(migration, tail, spoil, &c);
	hd_migration_apply(migration, old, now, tail, NULL);
	hd_migration_reverse(migration, now, c.back, tail, NULL);
	hd_steps_walk(migration, tail, compare, &c);
	if (c.wrong != G_MAXUINT64)
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT,
			    "the migration does not give back what is at byte %" G_GUINT64_FORMAT " of the object",
			    c.wrong / 8);
	g_free(now);
	g_free(c.back);
	return c.wrong == G_MAXUINT64;
}

/* ---- the object ---- */

static guint64
size_of(const hd_shape *shape, guint64 tail)
{
	return shape->flexible ? MAX(shape->size, shape->tail_at + tail * shape->tail_stride) : shape->size;
}

guint64
hd_migration_old_size(const hd_migration *migration, guint64 tail)
{
	return size_of(&migration->old, tail);
}

guint64
hd_migration_new_size(const hd_migration *migration, guint64 tail)
{
	return size_of(&migration->now, tail);
}

bool
hd_migration_loses(const hd_migration *migration, bool back)
{
	return back ? migration->added : migration->discarded->len > 0;
}

static guint64
tail_in(const hd_shape *shape, guint64 bytes)
{
	if (!shape->flexible || shape->tail_stride == 0 || bytes <= shape->tail_at)
		return 0;
	return (bytes - shape->tail_at) / shape->tail_stride;
}

guint64
hd_migration_tail(const hd_migration *migration, guint64 old_bytes)
{
	return tail_in(&migration->old, old_bytes);
}

guint64
hd_migration_tail_now(const hd_migration *migration, guint64 new_bytes)
{
	return tail_in(&migration->now, new_bytes);
}

static bool
stays(const hd_step *step)
{
	switch (step->kind) {
	case HD_STEP_COPY:
	case HD_STEP_POINTER:
	case HD_STEP_OVERLAID:
	case HD_STEP_INSIDE:
		return step->old.at == step->now.at;
	case HD_STEP_REPEAT:
		return step->old.at == step->now.at && step->old.width == step->now.width;
	default: /* the same bits, perhaps of another sign */
		return step->kind == HD_STEP_INTEGER && step->old.at == step->now.at &&
		       step->old.width == step->now.width;
	}
}

bool
hd_migration_is_identity(const hd_migration *migration)
{
	bool same = !migration->added && migration->discarded->len == 0 && migration->old.size == migration->now.size;
	for (guint i = 0; same && i < migration->steps->len; i++)
		same = stays(&g_array_index(migration->steps, hd_step, i));
	return same;
}

const GPtrArray *
hd_migration_discarded(const hd_migration *migration)
{
	return migration->discarded;
}

const GPtrArray *
hd_migration_pointees(const hd_migration *migration)
{
	return migration->pointees;
}

void
hd_migration_free(hd_migration *migration)
{
	if (!migration)
		return;
	g_array_unref(migration->steps);
	g_ptr_array_unref(migration->renumbers);
	g_ptr_array_unref(migration->discarded);
	g_ptr_array_unref(migration->pointees);
	g_hash_table_unref(migration->seen);
	g_string_chunk_free(migration->strings);
	g_free(migration);
}
