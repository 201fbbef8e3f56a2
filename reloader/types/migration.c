/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/migration.h"

#include "reloader/types/compare.h"
#include "reloader/types/fields.h"
#include "reloader/types/numbers.h"
#include "reloader/types/steps.h"

#include <string.h>

typedef struct {
	hd_migration *migration;
	GPtrArray *refusals;
	const char *subject; /* the variable's key; NULL: a type */
	guint left;	     /* conversions; hostile types could make it endless */
} planner;

#define CONVERSIONS_MOST (1 << 17)

/* What is being converted, for messages. */
typedef struct {
	hd_refusal_code code;
	const char *owner;		    /* "struct conn", "static v in f" */
	const char *path;		    /* of the field's own aggregate, if that has no name: "shape." */
	const hd_member *old, *now;	    /* the field; NULL: the object itself */
	const hd_type *old_type, *new_type; /* as declared */
	const char *file;
	int line;
	bool old_last, new_last; /* nothing of the object follows */
	bool repeated;		 /* in an array */
	int depth;
} place;

/* ---- refusals ---- */

static const char REMEDY_TYPE[] =
	"keep the field's type and give the new one another name, undo the edit, or restart the program";
static const char REMEDY_SHRINK[] = "keep the array's size, undo the edit, or restart the program";
static const char REMEDY_UNION[] = "keep the union and add a field beside it, undo the edit, or restart the program";
static const char REMEDY_NAME[] = "give the field its old name; if it is another field, remove the old one and add the "
				  "new one in two saves; or restart the program";

static bool
is_known(const planner *p, const char *reason, const place *at)
{
	for (guint i = 0; i < p->refusals->len; i++) {
		const hd_refusal *refusal = p->refusals->pdata[i];
		if (refusal->where.line == at->line && strcmp(refusal->reason, reason) == 0)
			return true;
	}
	return false;
}

static void
refuse(planner *p, const place *at, const char *remedy, char *reason)
{
	hd_position where = {.file = (char *)at->file, .line = at->line};
	if (!is_known(p, reason, at)) {
		hd_refusal *refusal = hd_refusal_new(at->code, &where, "%s", reason);
		refusal->subject = at->code == HD_REFUSE_VARIABLE_TYPE ? g_strdup(p->subject) : NULL;
		if (remedy)
			hd_refusal_set_remedy(refusal, "%s", remedy);
		g_ptr_array_add(p->refusals, refusal);
	}
	g_free(reason);
}

static void
refuse_damaged(planner *p, const place *at)
{
	place here = *at;
	here.code = HD_REFUSE_DEBUG_INFO;
	refuse(p, &here, NULL,
	       g_strdup_printf("%s: what the debug information says of its shape is impossible", at->owner));
}

/* "field len: int (4 bytes at 0) becomes short (2 bytes at 0)" */
static char *
describe(const place *at)
{
	char *old = hd_type_print(at->old_type, ""), *now = hd_type_print(at->new_type, ""), *text;
	if (strcmp(old, now) == 0) {
		/* The same typedef, of something else. */
		g_free(old);
		g_free(now);
		old = hd_type_print(hd_type_strip(at->old_type), "");
		now = hd_type_print(hd_type_strip(at->new_type), "");
	}
	if (at->old) {
		char *old_extent = hd_member_extent(at->old), *new_extent = hd_member_extent(at->now);
		text = g_strdup_printf("field %s%s: %s (%s) becomes %s (%s)", at->path,
				       at->old->name ? at->old->name : "(unnamed)", old, old_extent, now, new_extent);
		g_free(old_extent);
		g_free(new_extent);
	} else {
		text = g_strdup_printf("%s becomes %s", old, now);
	}
	g_free(old);
	g_free(now);
	return text;
}

static void
refuse_change(planner *p, const place *at, const char *remedy, const char *why)
{
	char *what = describe(at);
	refuse(p, at, at->old ? remedy : NULL, g_strdup_printf("%s: %s, %s", at->owner, what, why));
	g_free(what);
}

/* ---- steps ---- */

static const char *
kept(planner *p, char *text)
{
	const char *string = g_string_chunk_insert_const(p->migration->strings, text);
	g_free(text);
	return string;
}

static const char *
printed(planner *p, const hd_type *type)
{
	return kept(p, hd_type_print(hd_type_strip(type), ""));
}

/* Once each. */
static void
note(planner *p, GPtrArray *list, const char *text)
{
	if (g_hash_table_add(p->migration->seen, (char *)text))
		g_ptr_array_add(list, (char *)text);
}

static guint
add_step(planner *p, hd_step_kind kind, const hd_type *type, hd_side old, hd_side now)
{
	hd_step step = {.kind = kind, .old = old, .now = now, .type = printed(p, type)};
	g_array_append_val(p->migration->steps, step);
	return p->migration->steps->len - 1;
}

/* All steps since are inside this one. */
static void
close_step(planner *p, guint index)
{
	g_array_index(p->migration->steps, hd_step, index).body = p->migration->steps->len - index - 1;
}

static void
add_pointer(planner *p, hd_step_kind kind, const hd_type *pointer, hd_side old, hd_side now)
{
	guint index = add_step(p, kind, hd_type_strip(pointer)->target, old, now);
	note(p, p->migration->pointees, g_array_index(p->migration->steps, hd_step, index).type);
}

/* ---- numbers ---- */

static bool
is_base(const hd_type *type, const char *code)
{
	return type->kind == HD_TYPE_BASE && strcmp(hd_base_code(type), code) == 0;
}

static hd_side
as_integer(const hd_type *type, hd_side side)
{
	side.is_signed = type->kind == HD_TYPE_ENUM ? hd_enum_is_signed(type) : is_base(type, "int");
	side.is_bool = is_base(type, "bool");
	return side;
}

static bool
is_bytes(hd_side side)
{
	return side.at % 8 == 0 && side.width % 8 == 0;
}

static bool
are_other_enums(const hd_type *old, const hd_type *now)
{
	return old->kind == HD_TYPE_ENUM && now->kind == HD_TYPE_ENUM && hd_type_tag(old) && hd_type_tag(now) &&
	       strcmp(hd_type_tag(old), hd_type_tag(now)) != 0;
}

static hd_renumber *
find_renumber(planner *p, const hd_type *old, const hd_type *now)
{
	bool both = old->kind == HD_TYPE_ENUM && now->kind == HD_TYPE_ENUM;
	hd_renumber *renumber = both ? hd_renumber_new(old, now) : NULL;
	if (renumber)
		g_ptr_array_add(p->migration->renumbers, renumber);
	return renumber;
}

static void
add_integer(planner *p, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	hd_renumber *renumber = find_renumber(p, old, now);
	bool same = from.width == to.width && from.is_signed == to.is_signed && from.is_bool == to.is_bool;
	hd_step_kind kind = renumber				     ? HD_STEP_ENUM
			    : same && is_bytes(from) && is_bytes(to) ? HD_STEP_COPY
								     : HD_STEP_INTEGER;
	guint index = add_step(p, kind, old, from, to);
	g_array_index(p->migration->steps, hd_step, index).renumber = renumber;
}

static void
convert_integer(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	guint widest = old->kind == HD_TYPE_ENUM || now->kind == HD_TYPE_ENUM ? 64 : HD_WIDEST;
	from = as_integer(old, from);
	to = as_integer(now, to);
	if (from.width > widest || to.width > widest)
		refuse_damaged(p, at);
	else if ((to.is_bool ? 1 : to.width) < (from.is_bool ? 1 : from.width))
		refuse_change(p, at, REMEDY_TYPE, "and stored values may not fit");
	else if (are_other_enums(old, now))
		refuse_change(p, at, REMEDY_TYPE, "and the one cannot be made of the other");
	else
		add_integer(p, old, now, from, to);
}

/* Of two formats of sixteen bytes, only long double's is known here. */
static bool
is_float(const hd_type *type)
{
	return is_base(type, "float") && hd_float_has_size(type->size) &&
	       (type->size < sizeof(long double) || g_strcmp0(type->name, "long double") == 0);
}

static void
convert_base(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	bool same = strcmp(hd_base_code(old), hd_base_code(now)) == 0;
	if (same && old->size == now->size && (old->size < 16 || g_strcmp0(old->name, now->name) == 0))
		add_step(p, HD_STEP_COPY, old, from, to);
	else if (is_float(old) && is_float(now) && old->size < now->size)
		add_step(p, HD_STEP_FLOAT, old, from, to);
	else if (same && old->size > now->size)
		refuse_change(p, at, REMEDY_TYPE, "and stored values may not fit");
	else
		refuse_change(p, at, REMEDY_TYPE, "and the one cannot be made of the other");
}

/* ---- pointers ---- */

static bool
is_void(const hd_type *pointer)
{
	return hd_type_strip(pointer->target)->kind == HD_TYPE_VOID;
}

static void
convert_pointer(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	if (hd_type_same(old, now) || is_void(old) || is_void(now))
		add_pointer(p, HD_STEP_POINTER, old, from, to);
	else
		refuse_change(p, at, REMEDY_TYPE, "and what stored pointers lead to stays as it was");
}

static void
refuse_kinds(planner *p, const place *at, const hd_type *old, const hd_type *now)
{
	bool pointer = old->kind == HD_TYPE_POINTER || now->kind == HD_TYPE_POINTER;
	bool number = hd_is_integer(old) || hd_is_integer(now);
	refuse_change(p, at, REMEDY_TYPE,
		      pointer && number ? "and a number is no pointer" : "and the one cannot be made of the other");
}

/* ---- unions ---- */

/* Pointers that may be in it; they are not followed, for nothing says which member is in use. */
static void
note_overlaid(planner *p, const hd_type *type, hd_side from, hd_side to, guint64 end, int depth)
{
	guint64 bytes;
	type = hd_type_strip(type);
	if (depth > HD_TYPE_DEPTH || p->left == 0 || from.at >= end)
		return;
	p->left--;
	if (type->kind == HD_TYPE_POINTER && end - from.at >= 64)
		add_pointer(p, HD_STEP_OVERLAID, type, from, to);
	for (guint i = 0; type->members && i < type->members->len; i++) {
		const hd_member *member = &g_array_index(type->members, hd_member, i);
		guint64 offset = MIN(member->bit_offset, end - from.at);
		note_overlaid(p, member->type, (hd_side){.at = from.at + offset}, (hd_side){.at = to.at + offset}, end,
			      depth + 1);
	}
	if (type->kind != HD_TYPE_ARRAY || !hd_extent_of(type->target, &bytes) || bytes == 0)
		return;
	for (guint64 i = 0; i < type->count && i * bytes * 8 < end - from.at && p->left > 0; i++)
		note_overlaid(p, type->target, (hd_side){.at = from.at + i * bytes * 8},
			      (hd_side){.at = to.at + i * bytes * 8}, end, depth + 1);
}

static bool
has_flexible(const hd_type *type, int depth)
{
	bool found = hd_is_flexible(type);
	type = hd_type_strip(type);
	for (guint i = 0; depth < 8 && !found && type->members && i < type->members->len; i++)
		found = has_flexible(g_array_index(type->members, hd_member, i).type, depth + 1);
	return found;
}

static void
refuse_union(planner *p, const place *at, const hd_type *old, const hd_type *now)
{
	hd_difference difference = {0};
	place here = *at;
	const char *name = at->old && at->old->name ? at->old->name : NULL;
	if (!hd_type_difference(old, now, &difference) || !difference.file)
		g_clear_pointer(&difference.text, g_free);
	if (difference.text) {
		here.file = difference.file;
		here.line = difference.line;
	}
	char *inside = name ? g_strdup_printf("union %s%s", at->path, name)
			    : g_strdup(at->old ? "the union without a name" : "the union");
	refuse(p, &here, REMEDY_UNION,
	       g_strdup_printf("%s: %s changed (%s), and which of its members is in use is not known", at->owner,
			       inside, difference.text ? difference.text : "inside of a member"));
	g_free(inside);
	g_free(difference.text);
}

static void
convert_union(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	if (!hd_is_unchanged(old, now)) {
		refuse_union(p, at, old, now);
	} else if (at->old_last && !at->repeated && has_flexible(old, 0)) {
		refuse_change(p, at, REMEDY_UNION, "and how much of the flexible array in it is in use is not known");
	} else {
		add_step(p, HD_STEP_COPY, old, from, to);
		note_overlaid(p, old, from, to, from.at + from.width, 0);
	}
}

/* ---- arrays and structs ---- */

static void convert(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to);

static void
convert_elements(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to,
		 guint64 count)
{
	guint64 old_bytes, new_bytes;
	if (!hd_extent_of(old->target, &old_bytes) || !hd_extent_of(now->target, &new_bytes)) {
		refuse_damaged(p, at);
		return;
	}
	from.width = old_bytes * 8;
	to.width = new_bytes * 8;
	guint repeat = add_step(p, HD_STEP_REPEAT, old, from, to);
	place here = *at;
	here.repeated = true;
	from.at = to.at = 0;
	convert(p, &here, old->target, now->target, from, to);
	g_array_index(p->migration->steps, hd_step, repeat).count = count;
	close_step(p, repeat);
}

static void
convert_array(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	bool old_tail = hd_is_flexible(old) && at->old_last && !at->repeated;
	bool new_tail = hd_is_flexible(now) && at->new_last && !at->repeated;
	if (old->vector || now->vector) {
		if (hd_is_unchanged(old, now))
			add_step(p, HD_STEP_COPY, old, from, to);
		else
			refuse_change(p, at, REMEDY_TYPE, "and the one cannot be made of the other");
		return;
	}
	if (old_tail != new_tail) {
		refuse_change(p, at, REMEDY_SHRINK, "and how many elements there are is not known");
		return;
	}
	if (old->count > now->count) {
		char *why = g_strdup_printf("and the last %" G_GUINT64_FORMAT " elements would be lost",
					    old->count - now->count);
		refuse_change(p, at, REMEDY_SHRINK, why);
		g_free(why);
		return;
	}
	p->migration->added |= now->count > old->count;
	convert_elements(p, at, old, now, from, to, old_tail ? HD_TAIL : old->count);
}

static void
discard(planner *p, const place *at, const hd_member *field)
{
	char *extent = hd_member_extent(field);
	note(p, p->migration->discarded,
	     kept(p, g_strdup_printf("%s: %s%s (%s)", at->owner, at->path, field->name ? field->name : "(unnamed)",
				     extent)));
	g_free(extent);
}

static void
judge_gone(planner *p, const place *at, const GArray *olds, guint index, const GArray *news)
{
	const hd_member *gone = &g_array_index(olds, hd_member, index);
	const hd_member *fresh = hd_field_renamed(olds, index, news);
	if (!fresh) {
		discard(p, at, gone);
		return;
	}
	place here = *at;
	char *extent = hd_member_extent(gone);
	here.file = fresh->file;
	here.line = fresh->line;
	refuse(p, &here, REMEDY_NAME,
	       g_strdup_printf(
		       "%s: field %s%s (%s) is gone and %s has come in its place: a new name for it, or another "
		       "field?",
		       at->owner, at->path, gone->name ? gone->name : "(unnamed)", extent,
		       fresh->name ? fresh->name : "a union without a name"));
	g_free(extent);
}

static hd_side
side_of(const hd_member *field, hd_side aggregate)
{
	return (hd_side){.at = aggregate.at + field->bit_offset, .width = hd_field_width(field)};
}

static void
convert_field(planner *p, const place *at, const hd_member *old, const hd_member *now, hd_side from, hd_side to)
{
	place here = *at;
	here.old = old;
	here.now = now;
	here.old_type = old->type;
	here.new_type = now->type;
	here.file = now->file ? now->file : at->file;
	here.line = now->file ? now->line : at->line;
	convert(p, &here, old->type, now->type, side_of(old, from), side_of(now, to));
}

static void
match_fields(planner *p, const place *at, const GArray *olds, const GArray *news, hd_side from, hd_side to)
{
	guint matched = 0;
	for (guint i = 0; i < olds->len; i++) {
		const hd_member *old = &g_array_index(olds, hd_member, i);
		const hd_member *now = old->name ? hd_field_named(news, old->name, i) : NULL;
		if (!now && !(now = hd_field_sharing(news, old))) {
			judge_gone(p, at, olds, i, news);
			continue;
		}
		place here = *at;
		here.old_last = at->old_last && i == olds->len - 1;
		here.new_last = at->new_last && now == &g_array_index(news, hd_member, news->len - 1);
		convert_field(p, &here, old, now, from, to);
		matched++;
	}
	p->migration->added |= matched < news->len;
}

/* A struct with a name speaks for its own fields. */
static place
enter_struct(planner *p, const place *at, const hd_type *now)
{
	place here = *at;
	here.depth++;
	if (hd_type_tag(now)) {
		here.owner = printed(p, now);
		here.code = HD_REFUSE_TYPE_LAYOUT;
		here.path = "";
	} else if (at->old && at->old->name) {
		here.path = kept(p, g_strdup_printf("%s%s.", at->path, at->old->name));
	}
	if (now->file) {
		here.file = now->file;
		here.line = now->line;
	}
	return here;
}

static void
convert_struct(planner *p, const place *at, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	if (hd_type_tag(old) && hd_type_tag(now) && strcmp(hd_type_tag(old), hd_type_tag(now)) != 0) {
		refuse_change(p, at, REMEDY_TYPE, "and the one cannot be made of the other");
		return;
	}
	GArray *olds = hd_fields_of(old), *news = hd_fields_of(now);
	place here = enter_struct(p, at, now);
	if (olds && news) {
		guint inside = add_step(p, HD_STEP_INSIDE, old, from, to);
		match_fields(p, &here, olds, news, from, to);
		close_step(p, inside);
	} else {
		refuse_damaged(p, &here);
	}
	g_clear_pointer(&olds, g_array_unref);
	g_clear_pointer(&news, g_array_unref);
}

static void
convert(planner *p, const place *outer, const hd_type *old, const hd_type *now, hd_side from, hd_side to)
{
	place here = *outer;
	place *at = &here;
	old = hd_type_strip(old);
	now = hd_type_strip(now);
	if (p->left == 0 || ++here.depth > HD_TYPE_DEPTH) {
		refuse_damaged(p, at);
		return;
	}
	p->left--;
	if (hd_is_integer(old) && hd_is_integer(now)) {
		convert_integer(p, at, old, now, from, to);
		return;
	}
	if (old->kind != now->kind) {
		refuse_kinds(p, at, old, now);
		return;
	}
	switch (old->kind) {
	case HD_TYPE_BASE:
		convert_base(p, at, old, now, from, to);
		break;
	case HD_TYPE_POINTER:
		convert_pointer(p, at, old, now, from, to);
		break;
	case HD_TYPE_STRUCT:
		convert_struct(p, at, old, now, from, to);
		break;
	case HD_TYPE_UNION:
		convert_union(p, at, old, now, from, to);
		break;
	case HD_TYPE_ARRAY:
		convert_array(p, at, old, now, from, to);
		break;
	default:
		refuse_damaged(p, at);
	}
}

/* ---- the whole object ---- */

static void
find_tail(const hd_type *type, guint64 base, int depth, hd_shape *shape)
{
	type = hd_type_strip(type);
	GArray *fields = type->kind == HD_TYPE_STRUCT && depth < HD_TYPE_DEPTH ? hd_fields_of(type) : NULL;
	if (fields && fields->len > 0) {
		const hd_member *last = &g_array_index(fields, hd_member, fields->len - 1);
		guint64 at = base + last->bit_offset / 8;
		shape->flexible = hd_is_flexible(last->type) &&
				  hd_extent_of(hd_type_strip(last->type)->target, &shape->tail_stride);
		shape->tail_at = at;
		if (!shape->flexible)
			find_tail(last->type, at, depth + 1, shape);
	}
	g_clear_pointer(&fields, g_array_unref);
}

static bool
find_shape(const hd_type *type, hd_shape *shape)
{
	*shape = (hd_shape){0};
	if (!hd_extent_of(type, &shape->size))
		return false;
	find_tail(type, 0, 0, shape);
	return true;
}

static hd_migration *
migration_new(void)
{
	hd_migration *migration = g_new0(hd_migration, 1);
	migration->steps = g_array_new(FALSE, FALSE, sizeof(hd_step));
	migration->renumbers = g_ptr_array_new_with_free_func((GDestroyNotify)hd_renumber_free);
	migration->discarded = g_ptr_array_new();
	migration->pointees = g_ptr_array_new();
	migration->seen = g_hash_table_new(NULL, NULL);
	migration->strings = g_string_chunk_new(1024);
	return migration;
}

static hd_migration *
plan(const hd_type *old, const hd_type *now, const char *subject, const place *where, GPtrArray *refusals)
{
	hd_migration *migration = migration_new();
	planner p = {.migration = migration, .refusals = refusals, .subject = subject, .left = CONVERSIONS_MOST};
	guint before = refusals->len;
	place at = *where;
	at.path = "";
	at.old_last = at.new_last = true;
	at.old_type = old;
	at.new_type = now;
	if (hd_is_flexible(old) || hd_is_flexible(now) || !find_shape(old, &migration->old) ||
	    !find_shape(now, &migration->now))
		refuse_damaged(&p, &at);
	else
		convert(&p, &at, old, now, (hd_side){.width = migration->old.size * 8},
			(hd_side){.width = migration->now.size * 8});
	if (refusals->len == before)
		return migration;
	hd_migration_free(migration);
	return NULL;
}

static void
refuse_missing(GPtrArray *refusals, const char *name)
{
	g_ptr_array_add(refusals,
			hd_refusal_new(HD_REFUSE_DEBUG_INFO, NULL,
				       "%s: the debug information of both versions does not have it, with its type",
				       name));
}

hd_migration *
hd_migration_of_variable(const hd_unit *old, const hd_unit *now, const char *function, const char *name, guint ordinal,
			 GPtrArray *refusals)
{
	const hd_variable_slot *before = (const hd_variable_slot *)hd_unit_variable_named(old, function, name, ordinal);
	const hd_variable_slot *after = (const hd_variable_slot *)hd_unit_variable_named(now, function, name, ordinal);
	if (!before || !after) {
		refuse_missing(refusals, name);
		return NULL;
	}
	char *owner = g_strdup_printf("%s%s%s%s", before->open.external ? "" : "static ", name, function ? " in " : "",
				      function ? function : "");
	char *subject = hd_datum_key(function, name, ordinal);
	place at = {.code = HD_REFUSE_VARIABLE_TYPE,
		    .owner = owner,
		    .file = after->open.where.file,
		    .line = after->open.where.line};
	hd_migration *migration = plan(before->type, after->type, subject, &at, refusals);
	g_free(subject);
	g_free(owner);
	return migration;
}

hd_migration *
hd_migration_of_type(const hd_unit *old, const hd_unit *now, const char *function, const char *name, guint ordinal,
		     GPtrArray *refusals)
{
	const hd_type *before = hd_reach_type(old, function, name, ordinal);
	const hd_type *after = hd_reach_type(now, function, name, ordinal);
	if (!before || !after) {
		refuse_missing(refusals, name);
		return NULL;
	}
	place at = {.code = HD_REFUSE_TYPE_LAYOUT, .owner = name, .file = after->file, .line = after->line};
	return plan(before, after, NULL, &at, refusals);
}

hd_migration *
hd_migration_of_key(const hd_unit *old, const hd_unit *now, const char *key, GPtrArray *refusals)
{
	const char *slash = strchr(key, '/'), *hash = strrchr(key, '#');
	if (!slash || !hash || hash < slash) {
		refuse_missing(refusals, key);
		return NULL;
	}
	char *function = g_strndup(key, (gsize)(slash - key));
	char *name = g_strndup(slash + 1, (gsize)(hash - slash - 1));
	hd_migration *migration = hd_migration_of_type(old, now, *function ? function : NULL, name,
						       (guint)g_ascii_strtoull(hash + 1, NULL, 10), refusals);
	g_free(function);
	g_free(name);
	return migration;
}
