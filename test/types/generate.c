/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/types/generate.h"

#include <string.h>

typedef enum { INTEGER, BOOL, FLOATING, ENUM, POINTER, STRUCT, UNION } kind;

typedef struct {
	guint id; /* of an enumerator */
	gint64 value;
} enumerator;

typedef struct {
	guint id;
	bool typedefd;
	bool frozen;   /* in a union: must not change */
	GArray *names; /* of enumerator */
} enumeration;

typedef enum { TAGGED, TYPEDEFD, INLINE } style;

typedef struct {
	guint id;
	style style;
	bool is_union, packed, frozen;
	GPtrArray *fields; /* of field *, owned */
} aggregate;

typedef struct {
	guint id;
	kind kind;
	guint base; /* INTEGER, FLOATING: index of the tables below; POINTER: of the declarators */
	guint bits; /* of a bit field; 0: none */
	bool alias; /* by its typedef */
	bool nameless;
	guint dimensions[2]; /* 0: none */
	bool flexible;
	const char *qualifier;
	guint inner; /* id of the aggregate or enumeration */
} field;

/* One version. */
typedef struct {
	guint number;
	GPtrArray *aggregates; /* of aggregate *, owned; each before those that have it, the root last */
	GPtrArray *enums;      /* of enumeration *, owned */
} version;

typedef struct {
	GRand *random;
	version *version;
	guint ids;
} maker;

static const struct {
	const char *name;
	guint size;
	bool is_signed;
} bases[] = {
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
static const char *const floats[] = {"float", "double", "long double"};
/* Before and after the name; @: the root. */
static const char *const pointers[][2] = {
	{"void *", ""},
	{"struct @ *", ""},
	{"int *", ""},
	{"const char *const *", ""},
	{"int (*", ")(struct @ *, long)"},
};

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

static void
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

static aggregate *
aggregate_of(const version *v, guint id)
{
	for (guint i = 0; i < v->aggregates->len; i++)
		if (((aggregate *)v->aggregates->pdata[i])->id == id)
			return v->aggregates->pdata[i];
	return NULL;
}

static enumeration *
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
		f->base = below(m, chance(m, 5) ? G_N_ELEMENTS(bases) : 10);
		break;
	case FLOATING:
		f->base = below(m, G_N_ELEMENTS(floats));
		break;
	case POINTER:
		f->base = below(m, G_N_ELEMENTS(pointers));
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
	else if (f->kind == INTEGER && bases[f->base].size <= 8)
		f->bits = 1 + below(m, bases[f->base].size * 8 - 1);
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

static version *
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
	guint size = f->kind == BOOL ? 1 : bases[f->base].size, base;
	do
		base = below(m, G_N_ELEMENTS(bases));
	while (bases[base].size < size);
	if (f->bits && f->kind == INTEGER && chance(m, 50)) {
		f->bits += below(m, bases[f->base].size * 8 - f->bits);
		return;
	}
	f->kind = INTEGER;
	f->base = base;
	f->bits = 0;
	if (size < 8 && bases[base].size == 8 && !f->dimensions[0] && !f->flexible && chance(m, 20))
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
		f->base = f->base + below(m, G_N_ELEMENTS(floats) - f->base);
	else if (chance(m, 10) && f->kind == POINTER && f->base == 0)
		f->base = below(m, G_N_ELEMENTS(pointers));
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

static version *
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

/* ---- as C ---- */

static void print_fields(GString *text, const version *v, const aggregate *a);

static void
print_body(GString *text, const version *v, const aggregate *a)
{
	g_string_append(text, " {\n");
	print_fields(text, v, a);
	g_string_append(text, "}");
	if (a->packed)
		g_string_append(text, " __attribute__((packed))");
}

static void
print_enum(GString *text, const version *v, const enumeration *e)
{
	if (e->typedefd)
		g_string_append(text, "typedef enum {");
	else
		g_string_append_printf(text, "enum e%u_%u {", v->number, e->id);
	for (guint i = 0; i < e->names->len; i++) {
		const enumerator *name = &g_array_index(e->names, enumerator, i);
		g_string_append_printf(text, " E%u_%u = %d,", v->number, name->id, (int)name->value);
	}
	if (e->typedefd)
		g_string_append_printf(text, " } e%u_%u;\n", v->number, e->id);
	else
		g_string_append(text, " };\n");
}

static void
print_type(GString *text, const version *v, const field *f)
{
	const aggregate *a = f->kind == STRUCT || f->kind == UNION ? aggregate_of(v, f->inner) : NULL;
	const char *keyword = f->kind == UNION ? "union " : "struct ";
	g_string_append(text, f->qualifier);
	switch (f->kind) {
	case INTEGER:
		if (f->alias)
			g_string_append_printf(text, "a%u", f->base);
		else
			g_string_append(text, bases[f->base].name);
		break;
	case BOOL:
		g_string_append(text, "_Bool");
		break;
	case FLOATING:
		g_string_append(text, floats[f->base]);
		break;
	case ENUM:
		g_string_append_printf(text, "%se%u_%u", enum_of(v, f->inner)->typedefd ? "" : "enum ", v->number,
				       f->inner);
		break;
	default:
		if (a->style == INLINE) {
			g_string_append(text, keyword);
			print_body(text, v, a);
		} else {
			g_string_append_printf(text, "%s%c%u_%u", a->style == TYPEDEFD ? "" : keyword,
					       a->style == TYPEDEFD ? 't' : 's', v->number, a->id);
		}
	}
}

static char *
declarator(const field *f)
{
	GString *text = g_string_new(NULL);
	if (!f->nameless)
		g_string_append_printf(text, "f%u", f->id);
	if (f->flexible)
		g_string_append(text, "[]");
	for (guint d = f->flexible ? 1 : 0; d < 2; d++)
		if (f->dimensions[d])
			g_string_append_printf(text, "[%u]", f->dimensions[d]);
	if (f->bits)
		g_string_append_printf(text, " : %u", f->bits);
	return g_string_free(text, FALSE);
}

static void
print_part(GString *text, const version *v, const char *part)
{
	for (; *part; part++)
		if (*part == '@')
			g_string_append_printf(text, "s%u", v->number);
		else
			g_string_append_c(text, *part);
}

static void
print_fields(GString *text, const version *v, const aggregate *a)
{
	for (guint i = 0; i < a->fields->len; i++) {
		const field *f = a->fields->pdata[i];
		char *name = declarator(f);
		if (f->kind == POINTER) {
			print_part(text, v, pointers[f->base][0]);
			g_string_append(text, name);
			print_part(text, v, pointers[f->base][1]);
		} else {
			print_type(text, v, f);
			g_string_append_printf(text, " %s", name);
		}
		g_string_append(text, ";\n");
		g_free(name);
	}
}

static void
print_version(GString *text, const version *v)
{
	g_string_append_printf(text, "struct s%u;\n", v->number);
	for (guint i = 0; i < v->enums->len; i++)
		print_enum(text, v, v->enums->pdata[i]);
	for (guint i = 0; i < v->aggregates->len; i++) {
		const aggregate *a = v->aggregates->pdata[i];
		bool root = i == v->aggregates->len - 1;
		if (a->style == INLINE)
			continue;
		g_string_append_printf(text, "%s%s", a->style == TYPEDEFD ? "typedef " : "",
				       a->is_union ? "union" : "struct");
		if (root)
			g_string_append_printf(text, " s%u", v->number);
		else if (a->style == TAGGED)
			g_string_append_printf(text, " s%u_%u", v->number, a->id);
		print_body(text, v, a);
		if (a->style == TYPEDEFD)
			g_string_append_printf(text, " t%u_%u", v->number, a->id);
		g_string_append(text, ";\n");
	}
	g_string_append_printf(text, "struct s%u v%u;\n", v->number, v->number);
}

/* ---- the table of leaves ---- */

typedef struct {
	const version *version;
	GString *functions, *table;
	guint leaves;
} side;

typedef struct {
	side old, now;
} listing;

/* As code names it: through members without a name. */
typedef struct {
	const field *field;
	bool overlaid; /* by other members of a union */
} named;

static void
flatten(const version *v, const aggregate *a, bool overlaid, GArray *fields)
{
	for (guint i = 0; i < a->fields->len; i++) {
		named n = {a->fields->pdata[i], overlaid};
		if (n.field->nameless)
			flatten(v, aggregate_of(v, n.field->inner), overlaid || n.field->kind == UNION, fields);
		else if (!overlaid || !n.field->bits)
			g_array_append_val(fields, n);
	}
}

static const field *
field_of(const GArray *fields, guint id)
{
	for (guint i = 0; i < fields->len; i++)
		if (g_array_index(fields, named, i).field->id == id)
			return g_array_index(fields, named, i).field;
	return NULL;
}

static bool
find_value(const enumeration *e, guint id, gint64 *value)
{
	for (guint i = 0; e && i < e->names->len; i++)
		if (g_array_index(e->names, enumerator, i).id == id) {
			*value = g_array_index(e->names, enumerator, i).value;
			return true;
		}
	return false;
}

/* Values in the order of the old version's names. */
static guint
print_names(side *s, const enumeration *order, const enumeration *e)
{
	g_string_append_printf(s->functions, "static const long long n%u_%u[] = {", s->version->number, s->leaves);
	for (guint i = 0; i < order->names->len; i++) {
		guint id = g_array_index(order->names, enumerator, i).id;
		gint64 value;
		if (find_value(e, id, &value))
			g_string_append_printf(s->functions, "E%u_%u, ", s->version->number, id);
		else
			g_string_append(s->functions, G_STRINGIFY(GENERATE_NO_NAME) ", ");
	}
	g_string_append(s->functions, "};\n");
	return order->names->len;
}

static void
print_leaf(side *s, const field *f, leaf_kind what, const char *path, const enumeration *order)
{
	guint number = s->version->number, n = 0;
	bool is_signed = f && f->kind == INTEGER && bases[f->base].is_signed;
	if (!f) {
		g_string_append(s->table, "{0},\n");
		s->leaves++;
		return;
	}
	if (what == LEAF_ENUM && order)
		n = print_names(s, order, enum_of(s->version, f->inner));
	if (f->bits)
		g_string_append_printf(
			s->functions,
			"static long long g%1$u_%2$u(const void *p) { return ((const struct s%1$u *)p)->%3$s; }\n"
			"static void p%1$u_%2$u(void *p, long long v) { ((struct s%1$u *)p)->%3$s = v; }\n",
			number, s->leaves, path);
	if (f->bits)
		g_string_append_printf(s->table, "{%d, 0, 0, %d, %u, g%u_%u, p%u_%u, ", (int)what, is_signed, f->bits,
				       number, s->leaves, number, s->leaves);
	else
		g_string_append_printf(s->table,
				       "{%1$d, offsetof(struct s%2$u, %3$s), sizeof ((struct s%2$u *)0)->%3$s, "
				       "%4$d, 0, 0, 0, ",
				       (int)what, number, path, is_signed);
	if (n)
		g_string_append_printf(s->table, "n%u_%u, %u},\n", number, s->leaves, n);
	else
		g_string_append(s->table, "0, 0},\n");
	s->leaves++;
}

static leaf_kind
leaf_of(const field *f, bool overlaid)
{
	static const leaf_kind kinds[] = {LEAF_INTEGER, LEAF_BOOL, LEAF_FLOAT, LEAF_ENUM, LEAF_POINTER};
	return !f ? LEAF_ABSENT : overlaid ? LEAF_BYTES : kinds[f->kind];
}

static void list_aggregate(listing *l, guint old, guint now, const char *path, bool overlaid);

/* Either is NULL where that version does not have it. */
static void
list_element(listing *l, const field *old, const field *now, const char *path, bool overlaid)
{
	const field *any = old ? old : now;
	if ((any->kind == STRUCT && !overlaid) || (any->kind == UNION && !overlaid)) {
		char *inside = g_strdup_printf("%s.", path);
		list_aggregate(l, old ? old->inner : 0, now ? now->inner : 0, inside, any->kind == UNION);
		g_free(inside);
		return;
	}
	const enumeration *order = old && old->kind == ENUM ? enum_of(l->old.version, old->inner) : NULL;
	print_leaf(&l->old, old, leaf_of(old, overlaid), path, order);
	print_leaf(&l->now, now, leaf_of(now, overlaid), path, now && now->kind == ENUM ? order : NULL);
}

static void
list_field(listing *l, const field *old, const field *now, const char *path, guint dimension, bool overlaid)
{
	guint old_n = old && dimension < 2 ? old->dimensions[dimension] : 0;
	guint new_n = now && dimension < 2 ? now->dimensions[dimension] : 0;
	if (overlaid || (old_n == 0 && new_n == 0)) {
		list_element(l, old, now, path, overlaid);
		return;
	}
	for (guint i = 0; i < MAX(old_n, new_n); i++) {
		char *element = g_strdup_printf("%s[%u]", path, i);
		list_field(l, i < old_n ? old : NULL, i < new_n ? now : NULL, element, dimension + 1, overlaid);
		g_free(element);
	}
}

static void
list_aggregate(listing *l, guint old, guint now, const char *path, bool overlaid)
{
	GArray *olds = g_array_new(FALSE, FALSE, sizeof(named)), *news = g_array_new(FALSE, FALSE, sizeof(named));
	if (old)
		flatten(l->old.version, aggregate_of(l->old.version, old), overlaid, olds);
	if (now)
		flatten(l->now.version, aggregate_of(l->now.version, now), overlaid, news);
	for (guint i = 0; i < olds->len + news->len; i++) {
		const named *n =
			i < olds->len ? &g_array_index(olds, named, i) : &g_array_index(news, named, i - olds->len);
		const field *other = field_of(i < olds->len ? news : olds, n->field->id);
		char *name = g_strdup_printf("%sf%u", path, n->field->id);
		if (i < olds->len)
			list_field(l, n->field, other, name, 0, n->overlaid);
		else if (!other)
			list_field(l, NULL, n->field, name, 0, n->overlaid);
		g_free(name);
	}
	g_array_unref(olds);
	g_array_unref(news);
}

static void
print_size(GString *text, const version *v)
{
	const aggregate *root = v->aggregates->pdata[v->aggregates->len - 1];
	const field *last = root->fields->pdata[root->fields->len - 1];
	g_string_append_printf(text, "enum { size%1$u = ", v->number);
	if (last->flexible)
		g_string_append_printf(
			text,
			"MAX(sizeof(struct s%1$u), offsetof(struct s%1$u, f%2$u) + %3$d * sizeof ((struct s%1$u "
			"*)0)->f%2$u[0]) };\n",
			v->number, last->id, GENERATE_TAIL);
	else
		g_string_append_printf(text, "sizeof(struct s%u) };\n", v->number);
}

static GString *
finish_side(side *s)
{
	GString *text = s->functions;
	g_string_append_printf(text, "static const struct leaf leaves%u[] = {\n%s};\n", s->version->number,
			       s->table->str);
	g_string_append_printf(text, "enum { n_leaves%u = %u };\n", s->version->number, s->leaves);
	print_size(text, s->version);
	g_string_free(s->table, TRUE);
	return text;
}

/* Structs that have each other in arrays grow without measure. */
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

static guint
root_of(const version *v)
{
	return ((aggregate *)v->aggregates->pdata[v->aggregates->len - 1])->id;
}

static bool
is_small(const version *v)
{
	return count_leaves(v, root_of(v)) <= LEAVES_MOST;
}

/* ---- all ---- */

generated_pair *
generate_pair(GRand *random, guint number)
{
	maker m = {.random = random, .ids = 1};
	version *old = make_version(&m, number), *now = make_edited(&m, old);
	while (!is_small(old) || !is_small(now)) {
		version_free(old);
		version_free(now);
		old = make_version(&m, number);
		now = make_edited(&m, old);
	}
	generated_pair *pair = g_new0(generated_pair, 1);
	pair->old = g_string_new(NULL);
	pair->now = g_string_new(NULL);
	print_version(pair->old, old);
	print_version(pair->now, now);
	listing l = {.old = {old, g_string_new(NULL), g_string_new(NULL), 0},
		     .now = {now, g_string_new(NULL), g_string_new(NULL), 0}};
	list_aggregate(&l, root_of(old), root_of(old), "", false);
	pair->old_code = finish_side(&l.old);
	pair->now_code = finish_side(&l.now);
	version_free(old);
	version_free(now);
	return pair;
}

void
generated_pair_free(generated_pair *pair)
{
	g_string_free(pair->old, TRUE);
	g_string_free(pair->now, TRUE);
	g_string_free(pair->old_code, TRUE);
	g_string_free(pair->now_code, TRUE);
	g_free(pair);
}

#define AS_TEXT(...) #__VA_ARGS__
#define TEXT_OF(...) AS_TEXT(__VA_ARGS__)

void
generate_begin(GString *text)
{
	g_string_append(
		text, "#include <stddef.h>\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\n" TEXT_OF(GENERATE_LEAF) ";\n");
	for (guint i = 0; i < G_N_ELEMENTS(bases); i++)
		g_string_append_printf(text, "typedef %s a%u;\n", bases[i].name, i);
}

void
generate_end(GString *text, guint first, guint n)
{
	g_string_append(text, "const struct leaf *const tables[] = {\n");
	for (guint i = first; i < first + n; i++)
		g_string_append_printf(text, "leaves%u,\n", i);
	g_string_append(text, "};\nconst unsigned lengths[] = {\n");
	for (guint i = first; i < first + n; i++)
		g_string_append_printf(text, "n_leaves%u,\n", i);
	g_string_append(text, "};\nconst unsigned sizes[] = {\n");
	for (guint i = first; i < first + n; i++)
		g_string_append_printf(text, "size%u,\n", i);
	g_string_append(text, "};\n");
}
