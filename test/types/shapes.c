/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/types/shapes.h"

#include "test/types/generate.h"

#include <string.h>

const integer_type integer_types[N_INTEGERS] = {
	{"char", 1, true},
	{"signed char", 1, true},
	{"unsigned char", 1, false},
	{"short", 2, true},
	{"unsigned short", 2, false},
	{"int", 4, true},
	{"unsigned", 4, false},
	{"long", 8, true},
	{"unsigned long", 8, false},
	{"long long", 8, true},
	{"__int128", 16, true},
	{"unsigned __int128", 16, false},
};
const char *const float_types[N_FLOATS] = {"float", "double", "long double"};

static guint
below(maker *m, guint limit)
{
	return (guint)g_rand_int_range(m->random, 0, (gint32)limit);
}

static bool
chance(maker *m, guint percent)
{
	return below(m, 100) < percent;
}

/* ---- a version, and its copy ---- */

static void
free_aggregate(gpointer data)
{
	aggregate *a = data;
	g_ptr_array_unref(a->fields);
	g_free(a);
}

static void
free_enumeration(gpointer data)
{
	enumeration *e = data;
	g_array_unref(e->names);
	g_free(e);
}

static version *
version_new(guint number)
{
	version *v = g_new0(version, 1);
	v->number = number;
	v->aggregates = g_ptr_array_new_with_free_func(free_aggregate);
	v->enums = g_ptr_array_new_with_free_func(free_enumeration);
	return v;
}

void
version_free(version *v)
{
	g_ptr_array_unref(v->aggregates);
	g_ptr_array_unref(v->enums);
	g_free(v);
}

static version *
version_copy(const version *from)
{
	version *v = version_new(from->number);
	for (guint i = 0; i < from->aggregates->len; i++) {
		const aggregate *a = from->aggregates->pdata[i];
		aggregate *copy = g_memdup2(a, sizeof *a);
		copy->fields = g_ptr_array_new_with_free_func(g_free);
		for (guint f = 0; f < a->fields->len; f++)
			g_ptr_array_add(copy->fields, g_memdup2(a->fields->pdata[f], sizeof(field)));
		g_ptr_array_add(v->aggregates, copy);
	}
	for (guint i = 0; i < from->enums->len; i++) {
		const enumeration *e = from->enums->pdata[i];
		enumeration *copy = g_memdup2(e, sizeof *e);
		copy->names = g_array_copy(e->names);
		g_ptr_array_add(v->enums, copy);
	}
	return v;
}

aggregate *
aggregate_of(const version *v, guint id)
{
	for (guint i = 0; i < v->aggregates->len; i++)
		if (((aggregate *)v->aggregates->pdata[i])->id == id)
			return v->aggregates->pdata[i];
	return NULL;
}

enumeration *
enum_of(const version *v, guint id)
{
	for (guint i = 0; i < v->enums->len; i++)
		if (((enumeration *)v->enums->pdata[i])->id == id)
			return v->enums->pdata[i];
	return NULL;
}

/* ---- making one ---- */

static bool
has_value(const enumeration *e, gint64 value)
{
	for (guint i = 0; i < e->names->len; i++)
		if (g_array_index(e->names, enumerator, i).value == value)
			return true;
	return false;
}

static void
add_name(maker *m, enumeration *e)
{
	enumerator name = {.id = m->ids++};
	do
		name.value = (gint64)below(m, 20) - (chance(m, 10) ? 10 : 0);
	while (has_value(e, name.value));
	g_array_append_val(e->names, name);
}

static guint
make_enum(maker *m, bool frozen)
{
	enumeration *e = g_new0(enumeration, 1);
	e->id = m->ids++;
	e->typedefd = chance(m, 30);
	e->frozen = frozen;
	e->names = g_array_new(FALSE, FALSE, sizeof(enumerator));
	for (guint n = 1 + below(m, 5); n > 0; n--)
		add_name(m, e);
	g_ptr_array_add(m->version->enums, e);
	return e->id;
}

static aggregate *make_aggregate(maker *m, int depth, bool is_union, bool frozen, bool nameless);

static guint
some_aggregate(maker *m, int depth, bool frozen)
{
	for (guint i = 0; i < m->version->aggregates->len && chance(m, 40); i++) {
		const aggregate *a = m->version->aggregates->pdata[below(m, m->version->aggregates->len)];
		if (!a->is_union && a->style != INLINE && a->frozen == frozen)
			return a->id;
	}
	return make_aggregate(m, depth + 1, false, frozen, false)->id;
}

static void
make_scalar(maker *m, field *f, bool frozen)
{
	switch (f->kind) {
	case INTEGER:
		f->base = below(m, chance(m, 5) ? N_INTEGERS : 10);
		break;
	case FLOATING:
		f->base = below(m, N_FLOATS);
		break;
	case POINTER:
		f->base = below(m, N_POINTERS);
		break;
	case ENUM:
		f->inner = make_enum(m, frozen);
		break;
	default:
		break;
	}
}

/* Never as wide as its type: clang (14 at least) does not say of such a one at which bit of a byte it begins. */
static void
make_bits(maker *m, field *f)
{
	if (f->kind == BOOL)
		f->bits = 1;
	else if (f->kind == ENUM)
		f->bits = 8;
	else if (f->kind == INTEGER && integer_types[f->base].size <= 8)
		f->bits = 1 + below(m, integer_types[f->base].size * 8 - 1);
}

static field *
make_field(maker *m, int depth, bool in_union, bool frozen)
{
	static const kind kinds[] = {INTEGER, INTEGER, INTEGER, INTEGER, BOOL,	 FLOATING,
				     ENUM,    POINTER, POINTER, STRUCT,	 STRUCT, UNION};
	field *f = g_new0(field, 1);
	f->id = m->ids++;
	f->kind = kinds[below(m, depth < 2 ? G_N_ELEMENTS(kinds) : 9)];
	f->qualifier = "";
	if (f->kind == STRUCT || f->kind == UNION) {
		f->nameless = chance(m, 25);
		f->inner = f->kind == STRUCT && !f->nameless ? some_aggregate(m, depth, frozen)
							     : make_aggregate(m, depth + 1, f->kind == UNION,
									      frozen || f->kind == UNION, f->nameless)
								       ->id;
	} else {
		make_scalar(m, f, frozen);
		if (chance(m, 15) && !in_union)
			make_bits(m, f);
	}
	for (guint d = 0; d < 2 && !f->bits && !f->nameless && chance(m, 20); d++)
		f->dimensions[d] = 1 + below(m, 3);
	return f;
}

static aggregate *
make_aggregate(maker *m, int depth, bool is_union, bool frozen, bool nameless)
{
	aggregate *a = g_new0(aggregate, 1);
	a->id = m->ids++;
	a->is_union = is_union;
	a->frozen = frozen;
	a->style = nameless ? INLINE : (style)below(m, 3);
	a->packed = chance(m, 8);
	a->fields = g_ptr_array_new_with_free_func(g_free);
	for (guint n = 1 + below(m, depth == 0 ? 6 : 3); n > 0; n--)
		g_ptr_array_add(a->fields, make_field(m, depth, is_union, frozen));
	g_ptr_array_add(m->version->aggregates, a);
	return a;
}

static void
make_tail(maker *m, aggregate *root)
{
	field *f = make_field(m, 1, true, false);
	if (f->nameless || f->kind == UNION) {
		g_free(f);
		return;
	}
	f->flexible = true;
	f->dimensions[0] = GENERATE_TAIL;
	f->dimensions[1] = 0;
	g_ptr_array_add(root->fields, f);
}

static bool
has_name(const version *v, const aggregate *a)
{
	for (guint i = 0; i < a->fields->len; i++) {
		const field *f = a->fields->pdata[i];
		if (!f->nameless || has_name(v, aggregate_of(v, f->inner)))
			return true;
	}
	return false;
}

version *
make_version(maker *m, guint number)
{
	m->version = version_new(number);
	aggregate *root = make_aggregate(m, 0, false, false, false);
	root->style = TAGGED;
	/* The tail's own type comes before the root, and does not have it. */
	g_ptr_array_steal_index(m->version->aggregates, m->version->aggregates->len - 1);
	if (chance(m, 15))
		make_tail(m, root);
	g_ptr_array_add(m->version->aggregates, root);
	return m->version;
}

/* ---- editing one ---- */

static void
shuffle(maker *m, GPtrArray *fields)
{
	guint n = fields->len;
	if (n > 0 && ((field *)fields->pdata[n - 1])->flexible)
		n--;
	for (guint i = n; i > 1; i--) {
		guint other = below(m, i);
		gpointer swap = fields->pdata[i - 1];
		fields->pdata[i - 1] = fields->pdata[other];
		fields->pdata[other] = swap;
	}
}

static void
widen_integer(maker *m, field *f)
{
	guint size = f->kind == BOOL ? 1 : integer_types[f->base].size, base;
	do
		base = below(m, N_INTEGERS);
	while (integer_types[base].size < size);
	if (f->bits && f->kind == INTEGER && chance(m, 50)) {
		f->bits += below(m, integer_types[f->base].size * 8 - f->bits);
		return;
	}
	f->kind = INTEGER;
	f->base = base;
	f->bits = 0;
	if (size < 8 && integer_types[base].size == 8 && !f->dimensions[0] && !f->flexible && chance(m, 20))
		f->bits = size * 8 + below(m, 64 - size * 8);
}

static void
edit_field(maker *m, field *f)
{
	static const char *const qualifiers[] = {"", "const ", "volatile "};
	if (chance(m, 20))
		f->alias = !f->alias;
	if (chance(m, 20) && f->kind != STRUCT && f->kind != UNION)
		f->qualifier = qualifiers[below(m, 3)];
	if (chance(m, 25) && (f->kind == INTEGER || f->kind == BOOL))
		widen_integer(m, f);
	else if (chance(m, 30) && f->kind == FLOATING)
		f->base = f->base + below(m, N_FLOATS - f->base);
	else if (chance(m, 10) && f->kind == POINTER && f->base == 0)
		f->base = below(m, N_POINTERS);
	for (guint d = 0; d < 2; d++)
		if (f->dimensions[d] && !(f->flexible && d == 0) && chance(m, 25))
			f->dimensions[d] += 1 + below(m, 2);
	if (f->bits && *f->qualifier == 'c')
		f->qualifier = "";
}

typedef enum { KEEP, ADD, REMOVE } mode;

/* Fields both gone and new would look renamed. */
static void
edit_aggregate(maker *m, aggregate *a, mode how)
{
	for (guint i = 0; i < a->fields->len; i++) {
		field *f = a->fields->pdata[i];
		edit_field(m, f);
		if (f->nameless && f->kind == STRUCT)
			edit_aggregate(m, aggregate_of(m->version, f->inner), how);
	}
	if (chance(m, 40))
		shuffle(m, a->fields);
	for (guint n = how == ADD ? 1 + below(m, 2) : 0; n > 0; n--) {
		bool tail = a->fields->len && ((field *)a->fields->pdata[a->fields->len - 1])->flexible;
		guint at = below(m, a->fields->len + (tail ? 0 : 1));
		g_ptr_array_insert(a->fields, (gint)at, make_field(m, 2, false, false));
	}
	for (guint n = how == REMOVE ? 1 + below(m, 2) : 0; n > 0 && a->fields->len > 2; n--) {
		guint at = below(m, a->fields->len);
		gpointer gone = g_ptr_array_steal_index(a->fields, at);
		if (has_name(m->version, a) && !((field *)a->fields->pdata[0])->flexible)
			g_free(gone);
		else
			g_ptr_array_insert(a->fields, (gint)at, gone);
	}
}

/* An anonymous struct's fields, without it. */
static void
dissolve(maker *m, aggregate *a)
{
	for (guint i = 0; i < a->fields->len; i++) {
		field *f = a->fields->pdata[i];
		if (!f->nameless || f->kind != STRUCT || chance(m, 80))
			continue;
		const aggregate *inner = aggregate_of(m->version, f->inner);
		g_free(g_ptr_array_steal_index(a->fields, i));
		for (guint n = inner->fields->len; n > 0; n--)
			g_ptr_array_insert(a->fields, (gint)i, g_memdup2(inner->fields->pdata[n - 1], sizeof(field)));
	}
}

static bool
is_nameless(const version *v, const aggregate *wanted)
{
	for (guint i = 0; i < v->aggregates->len; i++) {
		const aggregate *a = v->aggregates->pdata[i];
		for (guint f = 0; f < a->fields->len; f++) {
			const field *candidate = a->fields->pdata[f];
			if (candidate->nameless && candidate->inner == wanted->id)
				return true;
		}
	}
	return false;
}

static void
edit_enum(maker *m, enumeration *e)
{
	guint n = e->names->len;
	for (guint i = n; i > 1 && chance(m, 90); i--) {
		enumerator *a = &g_array_index(e->names, enumerator, i - 1),
			   *b = &g_array_index(e->names, enumerator, below(m, i));
		gint64 value = a->value;
		a->value = b->value;
		b->value = value;
	}
	if (n > 1 && chance(m, 20))
		g_array_remove_index(e->names, below(m, n));
	if (chance(m, 40))
		add_name(m, e);
}

version *
make_edited(maker *m, const version *old)
{
	version *now = m->version = version_copy(old);
	/* What is added is new throughout, and not edited again. */
	guint n = now->aggregates->len, n_enums = now->enums->len;
	GPtrArray *edited = g_ptr_array_new();
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(edited, now->aggregates->pdata[i]);
	for (guint i = 0; i < n; i++) {
		aggregate *a = edited->pdata[i];
		if (a->frozen || a->is_union || is_nameless(now, a))
			continue;
		if (chance(m, 15))
			a->packed = !a->packed;
		if (chance(m, 80))
			edit_aggregate(m, a, (mode)below(m, 3));
		dissolve(m, a);
	}
	for (guint i = 0; i < n_enums; i++)
		if (!((enumeration *)now->enums->pdata[i])->frozen && chance(m, 40))
			edit_enum(m, now->enums->pdata[i]);
	g_ptr_array_unref(edited);
	return now;
}

/* ---- its size ---- */

#define LEAVES_MOST 100

static guint
count_leaves(const version *v, guint id)
{
	guint count = 0;
	const aggregate *a = aggregate_of(v, id);
	for (guint i = 0; i < a->fields->len && count <= LEAVES_MOST; i++) {
		const field *f = a->fields->pdata[i];
		guint inside = f->kind == STRUCT || f->kind == UNION ? count_leaves(v, f->inner) : 1;
		count += inside * MAX(f->dimensions[0], 1) * MAX(f->dimensions[1], 1);
	}
	return count;
}

guint
root_of(const version *v)
{
	return ((aggregate *)v->aggregates->pdata[v->aggregates->len - 1])->id;
}

bool
is_small(const version *v)
{
	return count_leaves(v, root_of(v)) <= LEAVES_MOST;
}
