/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "test/types/generate.h"

#include "test/types/shapes.h"

#include <string.h>

/* Before and after the name; @: the root. */
static const char *const pointers[N_POINTERS][2] = {
	{"void *", ""},
	{"struct @ *", ""},
	{"int *", ""},
	{"const char *const *", ""},
	{"int (*", ")(struct @ *, long)"},
};

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
			g_string_append(text, integer_types[f->base].name);
		break;
	case BOOL:
		g_string_append(text, "_Bool");
		break;
	case FLOATING:
		g_string_append(text, float_types[f->base]);
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
	bool is_signed = f && f->kind == INTEGER && integer_types[f->base].is_signed;
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
	for (guint i = 0; i < N_INTEGERS; i++)
		g_string_append_printf(text, "typedef %s a%u;\n", integer_types[i].name, i);
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
