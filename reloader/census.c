/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects that no variable holds. They are found by following typed pointers
 * from the variables (types/trace.h), and take their new shape where they are if
 * their block has room, else in a block of the program's own allocator. Variables
 * of frames count, too, as far as tables tell where they are (types/locals.h):
 * what debug information says was read before the stop.
 *
 * A pointer without a type may lead to objects that nothing else does. So either
 * every block in use is known to be something else; or somebody gives his word
 * that types lead to all there are: the program (HD_STATE of hotdev.h) or the
 * user (--typed-heap, ctl migrate). Blocks that a stack leads to and no variable
 * does are looked at in any case. */
#include "config.h"

#include "reloader/private.h"
#include "reloader/types/trace.h"

#include <string.h>

/* What a program says by HD_STATE is a static variable of this name. */
#define STATE_NAME "hotdev_state"

#define PAGE G_GUINT64_CONSTANT(4096)
/* What is read of the heap at once. */
#define WORDS_AT_ONCE 2048

/* A variable of a function, while a frame's counter is in [start, end) of the program. */
typedef struct {
	guint64 start, end;
	guint local; /* the trace's */
	hd_local_place place;
	guint reg;
	gint64 offset;
} code_local;

struct hd_census {
	hd_trace *trace;
	GArray *locals;	   /* of code_local, by start */
	guint64 longest;   /* of their ranges; bytes */
	GPtrArray *types;  /* of hd_census_type *; borrowed */
	GPtrArray *wanted; /* of hd_census_type *, by the trace's index */
	GPtrArray *rules;  /* of hd_landing_rule *: of the last process */
	bool back;
	bool trusted; /* types lead to all there are */
};

/* ---- what was changed, for the way back ---- */

typedef struct {
	guint64 address;
	pid_t pid;
	guint offset, size; /* in the bytes */
} kept_object;

/* Bytes that objects had. */
struct hd_kept_objects {
	GArray *objects; /* of kept_object; once settled, by pid and address */
	GByteArray *bytes;
};

static hd_kept_objects *
kept_new(void)
{
	hd_kept_objects *kept = g_new0(hd_kept_objects, 1);
	kept->objects = g_array_new(FALSE, FALSE, sizeof(kept_object));
	kept->bytes = g_byte_array_new();
	return kept;
}

static void
kept_free(hd_kept_objects *kept)
{
	g_array_unref(kept->objects);
	g_byte_array_unref(kept->bytes);
	g_free(kept);
}

static gint
by_owner(gconstpointer a, gconstpointer b)
{
	const kept_object *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static void
keep(hd_kept_objects *kept, pid_t pid, guint64 address, const guint8 *bytes, gsize size)
{
	kept_object object = {address, pid, kept->bytes->len, (guint)size};
	g_byte_array_append(kept->bytes, bytes, (guint)size);
	g_array_append_val(kept->objects, object);
}

/* The commit is tried again. */
static void
keep_nothing_of(hd_kept_objects *kept, pid_t pid)
{
	for (guint i = kept->objects->len; i > 0; i--)
		if (g_array_index(kept->objects, kept_object, i - 1).pid == pid)
			g_array_remove_index_fast(kept->objects, i - 1);
	if (kept->objects->len == 0)
		g_byte_array_set_size(kept->bytes, 0);
}

static void
fill_kept(const hd_kept_objects *kept, pid_t pid, guint64 address, guint8 *now, gsize size)
{
	const kept_object wanted = {.address = address, .pid = pid};
	guint index;
	if (!g_array_binary_search(kept->objects, &wanted, by_owner, &index))
		return;
	const kept_object *object = &g_array_index(kept->objects, kept_object, index);
	memcpy(now, kept->bytes->data + object->offset, MIN(size, object->size));
}

static void
census_type_free(gpointer data)
{
	hd_census_type *type = data;
	g_free(type->key);
	hd_migration_free(type->migration);
	kept_free(type->kept);
	kept_free(type->taken);
	g_free(type->was);
	g_free(type->is);
	g_free(type);
}

GPtrArray *
hd_census_types(hd_update *update)
{
	GPtrArray *types = g_ptr_array_new_with_free_func(census_type_free);
	for (guint i = 0; update->changed_types && i < update->changed_types->len; i++) {
		hd_changed_type *changed = g_ptr_array_index(update->changed_types, i);
		if (!changed->migration || !hd_reach_has_pointer(changed->running, changed->key))
			continue;
		hd_census_type *type = g_new0(hd_census_type, 1);
		type->key = g_strdup(changed->key);
		type->migration = g_steal_pointer(&changed->migration);
		type->kept = kept_new();
		type->taken = kept_new();
		type->was = hd_reach_shape(changed->running, type->key);
		type->is = hd_reach_shape(changed->built, type->key);
		g_ptr_array_add(types, type);
	}
	return types;
}

void
hd_census_settle(GPtrArray *types)
{
	for (guint i = 0; types && i < types->len; i++) {
		hd_census_type *type = g_ptr_array_index(types, i);
		hd_kept_objects *kept = type->kept;
		type->kept = type->taken;
		type->taken = kept;
		g_array_sort(type->kept->objects, by_owner);
		g_array_set_size(kept->objects, 0);
		g_byte_array_set_size(kept->bytes, 0);
	}
}

/* ---- before the stop ---- */

/* "struct conn" */
static char *
title(const hd_census_type *type)
{
	const char *name = strchr(type->key, '/') + 1;
	return g_strndup(name, strcspn(name, "#"));
}

/* Every unit that has the type: what each calls so may lead to types that only it knows. */
static void
want(hd_census *census, const hd_unit *unit, hd_census_type *type)
{
	const char *key = type->key;
	char *shape = hd_reach_shape(unit, key);
	bool same = g_strcmp0(shape, census->back ? type->is : type->was) == 0;
	g_free(shape);
	if (!same)
		return;
	const char *slash = strchr(key, '/'), *hash = strrchr(key, '#');
	char *function = g_strndup(key, (gsize)(slash - key)), *name = g_strndup(slash + 1, (gsize)(hash - slash - 1));
	if (hd_trace_want(census->trace, unit, *function ? function : NULL, name,
			  (guint)g_ascii_strtoull(hash + 1, NULL, 10)) != G_MAXUINT)
		g_ptr_array_add(census->wanted, type);
	g_free(function);
	g_free(name);
}

static void
add_variables(hd_census *census, const hd_copy *copy, const hd_unit *unit)
{
	const GPtrArray *variables = hd_unit_variables(unit);
	for (guint i = 0; i < variables->len; i++) {
		const hd_unit_variable *variable = g_ptr_array_index(variables, i);
		char *key = hd_datum_key(variable->function, variable->name, variable->ordinal);
		const hd_datum *datum = copy->bindings ? hd_bindings_datum(copy->bindings, key) : NULL;
		if (datum && !datum->tls)
			hd_trace_add_root(census->trace, unit, variable, datum->address);
		else if (variable->tls)
			hd_trace_add_root(census->trace, unit, variable, 0);
		else if (!datum && copy->unit && variable->located)
			hd_trace_add_root(census->trace, unit, variable, copy->home->bias + variable->address);
		census->trusted |= strcmp(variable->name, STATE_NAME) == 0;
		g_free(key);
	}
}

/* Those of `of` whose code begins in [low, high) of the section, and is at `bias` more in the program. */
static void
add_locals(hd_census *census, const hd_unit *unit, const hd_unit *of, guint section, guint64 low, guint64 high,
	   guint64 bias)
{
	const GArray *locals = hd_unit_locals(of);
	guint first = 0, end = locals->len;
	while (first < end) {
		guint middle = first + (end - first) / 2;
		const hd_unit_local *local = &g_array_index(locals, hd_unit_local, middle);
		if (local->section < section || (local->section == section && local->start < low))
			first = middle + 1;
		else
			end = middle;
	}
	for (guint i = first; i < locals->len; i++) {
		const hd_unit_local *local = &g_array_index(locals, hd_unit_local, i);
		if (local->section != section || local->start >= high)
			return;
		code_local code = {.start = bias + local->start,
				   .end = bias + MIN(local->end, high),
				   .local = hd_trace_add_local(census->trace, unit, of, local),
				   .place = local->place,
				   .reg = local->reg,
				   .offset = local->offset};
		if (code.local != G_MAXUINT)
			g_array_append_val(census->locals, code);
	}
}

/* Frames may be in any version's code. */
static void
add_frames(hd_census *census, const hd_copy *copy, const hd_unit *unit)
{
	const hd_unit *own = copy->unit ? hd_image_unit_details(copy->home->image, copy->unit, NULL) : NULL;
	if (own)
		add_locals(census, unit, own, 0, 0, G_MAXUINT64, copy->home->bias);
	for (guint i = 0; i < copy->revisions->len; i++) {
		const hd_revision *revision = g_ptr_array_index(copy->revisions, i);
		const GArray *code = revision->linked && revision->unit ? hd_linked_code(revision->linked) : NULL;
		for (guint c = 0; code && c < code->len; c++) {
			const hd_placed_code *placed = &g_array_index(code, hd_placed_code, c);
			const hd_atom *atom = hd_object_atom(revision->object, placed->atom);
			add_locals(census, unit, revision->unit, atom->section, atom->section_offset,
				   atom->section_offset + atom->size, placed->start - atom->section_offset);
		}
	}
}

static gint
by_code(gconstpointer a, gconstpointer b)
{
	const code_local *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

static void
prepare_frames(hd_census *census)
{
	guint kept = 0;
	for (guint i = 0; i < census->locals->len; i++) {
		const code_local *code = &g_array_index(census->locals, code_local, i);
		if (!hd_trace_local_matters(census->trace, code->local))
			continue;
		census->longest = MAX(census->longest, code->end - code->start);
		g_array_index(census->locals, code_local, kept++) = *code;
	}
	g_array_set_size(census->locals, kept);
	g_array_sort(census->locals, by_code);
}

static void
add_copy(hd_census *census, const hd_copy *copy)
{
	const hd_unit *unit = hd_judge_running_unit(copy, NULL);
	if (!unit)
		return;
	add_frames(census, copy, unit);
	hd_trace_add_unit(census->trace, unit);
	add_variables(census, copy, unit);
	for (guint i = 0; i < census->types->len; i++)
		want(census, unit, g_ptr_array_index(census->types, i));
}

hd_census *
hd_census_new(const hd_reloader *r, GPtrArray *types, bool back)
{
	hd_census *census = g_new0(hd_census, 1);
	census->trace = hd_trace_new();
	census->locals = g_array_new(FALSE, FALSE, sizeof(code_local));
	census->types = types;
	census->wanted = g_ptr_array_new();
	census->rules = g_ptr_array_new_with_free_func(g_free);
	census->back = back;
	census->trusted = back || r->options.typed_heap;
	for (guint m = 0; m < r->model->modules->len; m++) {
		const hd_module *module = g_ptr_array_index(r->model->modules, m);
		for (guint c = 0; c < module->copies->len; c++)
			add_copy(census, g_ptr_array_index(module->copies, c));
	}
	hd_trace_prepare(census->trace);
	prepare_frames(census);
	if (census->locals->len)
		hd_target_prepare_unwind(r->target);
	return census;
}

void
hd_census_free(hd_census *census)
{
	if (!census)
		return;
	hd_trace_free(census->trace);
	g_array_unref(census->locals);
	g_ptr_array_unref(census->rules);
	g_ptr_array_unref(census->wanted);
	g_free(census);
}

/* ---- finding ---- */

typedef struct {
	hd_census *census;
	const hd_stopped *process;
	GArray *found;	       /* of hd_traced */
	GArray *leads;	       /* of hd_trace_lead */
	GArray *slots;	       /* of hd_trace_slot */
	GHashTable *libraries; /* starts of blocks that are some library's -> whether something leads to the start */
	GHashTable *claims;    /* hd_trace_claims */
	char **why;
} search;

static bool
read_memory(guint64 address, void *out, gsize size, void *data)
{
	return hd_stopped_read(((search *)data)->process, address, out, size);
}

static hd_memory_kind
block_at(guint64 address, guint64 *start, guint64 *size, void *data)
{
	const search *s = data;
	gsize room;
	if (hd_stopped_block(s->process, address, start, &room)) {
		*size = room;
		return HD_MEMORY_BLOCK;
	}
	return hd_stopped_is_heap(s->process, address) ? HD_MEMORY_FREE : HD_MEMORY_OTHER;
}

static hd_census_type *
type_of(const hd_census *census, guint wanted)
{
	return wanted < census->wanted->len ? g_ptr_array_index(census->wanted, wanted) : NULL;
}

static gsize
size_before(const hd_census *census, const hd_census_type *type)
{
	return census->back ? hd_migration_new_size(type->migration, 0) : hd_migration_old_size(type->migration, 0);
}

/* ---- frames ---- */

static guint64
word_of(const hd_frame *frame, const code_local *code, bool *known)
{
	*known = code->place == HD_LOCAL_AT_CFA ? frame->cfa != 0
						: code->reg < HD_FRAME_REGISTERS && (frame->known & (1U << code->reg));
	if (!*known)
		return 0;
	return code->place == HD_LOCAL_AT_CFA ? frame->cfa : frame->registers[code->reg];
}

static void
note_slots(const hd_frame *frame, void *data)
{
	search *s = data;
	const GArray *locals = s->census->locals;
	guint low = 0, high = locals->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (g_array_index(locals, code_local, middle).start <= frame->pc)
			low = middle + 1;
		else
			high = middle;
	}
	for (guint i = low; i-- > 0;) {
		const code_local *code = &g_array_index(locals, code_local, i);
		bool known;
		if (frame->pc - code->start >= s->census->longest)
			break;
		guint64 word = word_of(frame, code, &known);
		if (!known || frame->pc >= code->end)
			continue;
		hd_trace_slot slot = {.local = code->local, .in_register = code->place == HD_LOCAL_IN_REGISTER};
		*(slot.in_register ? &slot.word : &slot.address) = word + (guint64)code->offset;
		g_array_append_val(s->slots, slot);
	}
}

/* ---- blocks ---- */

/* What malloc_usable_size says of a block of glibc's that so many bytes were asked for; or 16 more, where the rest was
 * too little for a block. */
static bool
may_be_asked_for(guint64 bytes, guint64 usable)
{
	guint64 least = MAX(((bytes + 8 + 15) & ~G_GUINT64_CONSTANT(15)) - 8, 24);
	guint64 mapped = ((least + 16 + PAGE - 1) & ~(PAGE - 1)) - 16; /* by itself */
	return usable == least || usable == least + 16 || usable == mapped;
}

/* A block of that size may hold one, or several. */
static const hd_census_type *
type_that_fits(const hd_census *census, guint64 usable)
{
	for (guint i = 0; i < census->types->len; i++) {
		const hd_census_type *type = g_ptr_array_index(census->types, i);
		guint64 size = size_before(census, type), count = size ? usable / size : 0;
		if (count && may_be_asked_for(count * size, usable))
			return type;
	}
	return NULL;
}

static void
refuse_block(search *s, guint64 start, gsize size, const char *how)
{
	const hd_census_type *type = type_that_fits(s->census, size);
	char *name = type && !*s->why ? title(type) : NULL;
	if (name)
		*s->why = g_strdup_printf("%s leads to a block of %zu bytes at 0x%" G_GINT64_MODIFIER
					  "x, which may be a %s, and no variable does by its type",
					  how, size, start, name);
	g_free(name);
}

static void
note_start(GHashTable *libraries, guint64 start, bool exact)
{
	gpointer key = GSIZE_TO_POINTER(start);
	exact |= GPOINTER_TO_INT(g_hash_table_lookup(libraries, key)) != 0;
	g_hash_table_insert(libraries, key, GINT_TO_POINTER(exact));
}

/* What a library's variable leads to is the library's: the C library's buffers, say. */
static void
note_library_block(guint64 word, void *data)
{
	search *s = data;
	guint64 start;
	gsize size;
	if (hd_stopped_block(s->process, word, &start, &size))
		note_start(s->libraries, start, word == start);
}

static bool
is_accounted_for(const search *s, guint64 start, gsize size)
{
	return hd_trace_knows(s->census->trace, start) ||
	       g_hash_table_contains(s->libraries, GSIZE_TO_POINTER(start)) ||
	       hd_stopped_is_early(s->process, start, size);
}

static void
look_at_block(guint64 start, gsize size, void *data)
{
	search *s = data;
	if (!is_accounted_for(s, start, size))
		refuse_block(s, start, size, "something");
}

/* What a stack leads to is in use, and the program has no other way to it. */
static void
look_at_stack_word(guint64 word, void *data)
{
	search *s = data;
	guint64 start;
	gsize size;
	if (!*s->why && hd_stopped_block(s->process, word, &start, &size) && !is_accounted_for(s, start, size))
		refuse_block(s, start, size, "a stack");
}

/* A typed pointer leads to a part of what may be more (the link of a list in a struct): nobody's word makes the rest of
 * it known. */
static void
refuse_part(search *s, const hd_trace_lead *lead, const char *how)
{
	const hd_census_type *type = lead->wanted != G_MAXUINT ? type_of(s->census, lead->wanted) : NULL;
	char *name = type ? title(type) : g_strdup("a struct that leads to one that changes");
	*s->why = g_strdup_printf("%s leads to a part of a block of %" G_GUINT64_FORMAT
				  " bytes, which may be, or hold, %s, and no pointer says so by its type",
				  how, lead->size, name);
	g_free(name);
}

static void
look_at_lead(search *s, const hd_trace_lead *lead)
{
	char *text = hd_trace_text(s->census->trace, lead->node);
	if (!s->census->trusted)
		refuse_block(s, lead->start, lead->size, text);
	else if (lead->kind != HD_LEAD_UNTYPED)
		refuse_part(s, lead, text);
	g_free(text);
}

/* A frame's variable may be out of date: its block may be somebody's of whom types know nothing. He has its address. */
static void
refuse_claim(search *s, guint64 start, const char *who)
{
	guint node = GPOINTER_TO_UINT(g_hash_table_lookup(s->claims, GSIZE_TO_POINTER(start)));
	if (!node || *s->why)
		return;
	char *text = hd_trace_text(s->census->trace, node - 1);
	*s->why = g_strdup_printf("`%s` leads to a block that %s leads to, too: it may be either's", text, who);
	g_free(text);
}

static void
look_for_owner(guint64 start, gsize size, void *data)
{
	search *s = data;
	guint64 words[WORDS_AT_ONCE];
	gsize left = hd_trace_knows(s->census->trace, start) ? 0 : size & ~(gsize)7;
	for (gsize part; left > 0 && !*s->why; start += part, left -= part) {
		part = MIN(left, sizeof words);
		gsize count = hd_stopped_read(s->process, start, words, part) ? part / sizeof *words : 0;
		for (gsize i = 0; i < count; i++)
			if (G_UNLIKELY(g_hash_table_contains(s->claims, GSIZE_TO_POINTER(words[i]))))
				refuse_claim(s, words[i], "a block of no known type");
	}
}

static void
look_at_claims(search *s)
{
	GHashTableIter iter;
	gpointer start, exact;
	hd_trace_claims(s->census->trace, s->claims);
	if (g_hash_table_size(s->claims) == 0)
		return;
	g_hash_table_iter_init(&iter, s->libraries);
	while (g_hash_table_iter_next(&iter, &start, &exact))
		if (GPOINTER_TO_INT(exact))
			refuse_claim(s, GPOINTER_TO_SIZE(start), "a library's variable");
	hd_stopped_blocks(s->process, look_for_owner, s);
}

/* Whether all objects are found, as far as can be told. */
static bool
is_complete(search *s)
{
	char *unseen = s->census->trusted ? hd_trace_unseen(s->census->trace) : NULL;
	if (unseen)
		*s->why = g_strdup_printf("`%s` is thread-local, and what it leads to is not followed", unseen);
	g_free(unseen);
	hd_stopped_library_words(s->process, note_library_block, s);
	if (!*s->why)
		look_at_claims(s);
	for (guint i = 0; i < s->leads->len && !*s->why; i++)
		look_at_lead(s, &g_array_index(s->leads, hd_trace_lead, i));
	if (!s->census->trusted && !*s->why && !hd_stopped_heap_is_known(s->process))
		*s->why = g_strdup("the program's memory comes from another allocator than the C library's");
	if (!s->census->trusted && !*s->why)
		hd_stopped_blocks(s->process, look_at_block, s);
	if (!*s->why)
		hd_stopped_stack_words(s->process, look_at_stack_word, s);
	return !*s->why;
}

/* Objects of a type that no unit describes any more would stay as they are. */
static bool
all_are_wanted(const hd_census *census, char **why)
{
	for (guint i = 0; i < census->types->len && !*why; i++) {
		const hd_census_type *type = g_ptr_array_index(census->types, i);
		char *name = g_ptr_array_find(census->wanted, type, NULL) ? NULL : title(type);
		if (name)
			*why = g_strdup_printf("no debug information describes %s as it is now", name);
		g_free(name);
	}
	return !*why;
}

/* ---- converting ---- */

static bool
convert_object(const hd_census *census, const hd_census_type *type, const guint8 *old, guint8 *now, guint64 tail,
	       char **why)
{
	hd_migration_tally tally = {0};
	GError *error = NULL;
	if (census->back)
		hd_migration_reverse(type->migration, old, now, tail, &tally);
	else
		hd_migration_apply(type->migration, old, now, tail, &tally);
	bool good = hd_reshape_fits(&tally, type->key, why) &&
		    (census->back || hd_migration_validate(type->migration, old, tail, &error));
	if (error)
		*why = g_strdup(error->message);
	g_clear_error(&error);
	return good;
}

/* The row of objects that one find is. */
typedef struct {
	hd_census_type *type;
	const hd_traced *traced;
	guint64 tail;
	gsize stride, new_stride; /* bytes */
	guint64 count;
	gsize rest; /* bytes of the block behind them: a program may keep more there than types tell */
	guint64 to;
} row;

static row
row_of(const hd_census *census, const hd_traced *traced)
{
	row r = {.type = type_of(census, traced->wanted),
		 .traced = traced,
		 .stride = traced->bytes,
		 .to = traced->address};
	hd_migration *m = r.type->migration;
	r.tail = census->back ? hd_migration_tail_now(m, traced->bytes) : hd_migration_tail(m, traced->bytes);
	r.new_stride = census->back ? hd_migration_old_size(m, r.tail) : hd_migration_new_size(m, r.tail);
	r.count = traced->count;
	return r;
}

static gsize
size_of_row(const row *r, bool now)
{
	return (now ? r->new_stride : r->stride) * r->count + r->rest;
}

static const hd_landing_rule *
rule_for(hd_census *census, const row *r)
{
	const hd_landing_rule *last = census->rules->len ? census->rules->pdata[census->rules->len - 1] : NULL;
	if (last && last->migration == r->type->migration && last->stride == r->stride && last->tail == r->tail &&
	    last->count == r->count)
		return last;
	hd_landing_rule *rule = g_new0(hd_landing_rule, 1);
	*rule = (hd_landing_rule){r->type->migration, r->tail, r->stride, r->new_stride, r->count};
	g_ptr_array_add(census->rules, rule);
	return rule;
}

static bool
convert_row(hd_census *census, const hd_stopped *process, const row *r, GArray *moved, char **why)
{
	pid_t pid = hd_stopped_pid(process);
	gsize size = size_of_row(r, false), new_size = size_of_row(r, true);
	guint8 *old = g_malloc(size + 1), *now = g_malloc0(new_size + 1);
	bool good = hd_stopped_read(process, r->traced->address, old, size);
	for (guint64 i = 0; i < r->count && good; i++) {
		guint8 *from = old + i * r->stride, *to = now + i * r->new_stride;
		fill_kept(r->type->kept, pid, r->traced->address + i * r->stride, to, r->new_stride);
		good = convert_object(census, r->type, from, to, r->tail, why);
		keep(r->type->taken, pid, r->to + i * r->new_stride, from, r->stride);
	}
	memcpy(now + new_size - r->rest, old + size - r->rest, r->rest);
	hd_moved out = {.from = r->traced->address,
			.to = r->to,
			.old_size = size,
			.new_size = new_size,
			.now = now,
			.ends_alone = true,
			.name = "an object of the heap",
			.shape = rule_for(census, r)};
	g_free(old);
	if (good)
		g_array_append_val(moved, out);
	else
		g_free(now);
	return good;
}

/* ---- where a row ends ---- */

typedef struct {
	const guint8 *object;
	gsize size;
	bool back, plausible;
} pointer_check;

/* User space ends at 2^47 (x86-64, Documentation/arch/x86/x86_64/mm.rst of Linux). */
static void
check_pointer(const hd_migration_pointer *pointer, void *data)
{
	pointer_check *check = data;
	guint64 offset = check->back ? pointer->new_offset : pointer->old_offset, word = 0;
	if (pointer->overlaid || offset + sizeof word > check->size)
		return;
	memcpy(&word, check->object + offset, sizeof word);
	check->plausible &= word == 0 || (word >= PAGE && word >> 47 == 0);
}

static bool
may_be_object(const hd_census *census, const row *r, const guint8 *bytes)
{
	pointer_check check = {bytes, r->stride, census->back, true};
	hd_migration_each_pointer(r->type->migration, r->tail, check_pointer, &check);
	return check.plausible;
}

/* A block's size alone says how many objects it may have. What has something else where they have pointers is none, nor
 * is what follows. false: some of it seems to be. */
static bool
end_row(search *s, row *r)
{
	gsize size = r->stride * r->count;
	guint8 *bytes = g_malloc(size + 1);
	guint64 end = r->count;
	bool good = hd_stopped_read(s->process, r->traced->address, bytes, size);
	for (guint64 i = 1; i < r->count && good; i++) {
		const guint8 *object = bytes + i * r->stride;
		bool empty = object[0] == 0 && memcmp(object, object + 1, r->stride - 1) == 0;
		bool plausible = may_be_object(s->census, r, object);
		if (!plausible && end == r->count)
			end = i;
		good = end == r->count || !plausible || empty;
	}
	g_free(bytes);
	r->count = end;
	if (r->traced->address == r->traced->start)
		r->rest = r->traced->size - r->stride * r->count;
	char *name = good ? NULL : title(r->type);
	if (name)
		*s->why = g_strdup_printf("a block of %" G_GUINT64_FORMAT
					  " bytes has objects of %s and something else among them",
					  r->traced->size, name);
	g_free(name);
	return good;
}

/* Rows that outgrow their block get others. */
static bool
make_room(search *s, GArray *rows)
{
	GArray *sizes = g_array_new(FALSE, FALSE, sizeof(gsize)), *movers = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < rows->len && !*s->why; i++) {
		const row *r = &g_array_index(rows, row, i);
		gsize need = size_of_row(r, true);
		bool fits = need <= r->traced->start + r->traced->size - r->traced->address;
		/* Where a field was, another one would be: what still leads to the first must not lead to that. */
		bool loses = hd_migration_loses(r->type->migration, s->census->back);
		if (fits && !(loses && r->traced->address == r->traced->start))
			continue;
		if (r->traced->address != r->traced->start)
			*s->why = g_strdup("an object that outgrows its place is inside of a larger block");
		g_array_append_val(sizes, need);
		g_array_append_val(movers, i);
	}
	guint64 *addresses = g_new0(guint64, sizes->len + 1);
	bool good = !*s->why && (!sizes->len || hd_stopped_allocate(s->process, (const gsize *)(void *)sizes->data,
								    sizes->len, addresses, s->why));
	for (guint i = 0; i < movers->len && good; i++)
		g_array_index(rows, row, g_array_index(movers, guint, i)).to = addresses[i];
	g_free(addresses);
	g_array_unref(sizes);
	g_array_unref(movers);
	return good;
}

static bool
convert_found(search *s, GArray *moved)
{
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(row));
	for (guint i = 0; i < s->found->len; i++) {
		const hd_traced *traced = &g_array_index(s->found, hd_traced, i);
		row r = traced->where == HD_TRACED_IN_BLOCK ? row_of(s->census, traced) : (row){0};
		if (r.type && end_row(s, &r))
			g_array_append_val(rows, r);
	}
	bool good = !*s->why && make_room(s, rows);
	for (guint i = 0; i < rows->len && good; i++)
		good = convert_row(s->census, s->process, &g_array_index(rows, row, i), moved, s->why);
	g_array_unref(rows);
	return good;
}

bool
hd_census_convert(hd_census *census, const hd_stopped *process, GArray *moved, char **why)
{
	search s = {census,
		    process,
		    g_array_new(FALSE, FALSE, sizeof(hd_traced)),
		    g_array_new(FALSE, FALSE, sizeof(hd_trace_lead)),
		    g_array_new(FALSE, FALSE, sizeof(hd_trace_slot)),
		    g_hash_table_new(NULL, NULL),
		    g_hash_table_new(NULL, NULL),
		    why};
	hd_trace_memory memory = {read_memory, may_be_asked_for, block_at, &s};
	g_ptr_array_set_size(census->rules, 0);
	for (guint i = 0; i < census->types->len; i++)
		keep_nothing_of(((hd_census_type *)g_ptr_array_index(census->types, i))->taken,
				hd_stopped_pid(process));
	if (census->locals->len)
		hd_stopped_frames(process, note_slots, &s);
	bool good = all_are_wanted(census, why) &&
		    hd_trace_run(census->trace, &memory, s.slots, s.found, s.leads, why) && is_complete(&s) &&
		    convert_found(&s, moved);
	g_array_unref(s.found);
	g_array_unref(s.leads);
	g_array_unref(s.slots);
	g_hash_table_unref(s.libraries);
	g_hash_table_unref(s.claims);
	return good;
}
