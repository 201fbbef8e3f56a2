/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects are found by following typed pointers, or the walk says which pointer
 * it could not follow. The test itself is the program: its types and variables
 * are also the source that the debug information is compiled from. */
#include "config.h"

#include "reloader/types/trace.h"
#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "test/types/traced.c"

/* What only the compilers under test see. */
static const char hidden[] =
	"static struct entity *hidden; struct entity *f(struct entity *e) { static struct entity *local; struct entity "
	"*old = local; local = hidden; hidden = e; return old; } "
	"void use(void *); long h(struct entity *e, char *text, struct pair p) { use(e); use(text); use(&p); return "
	"p.n; } "
	"long g(void) { struct secret *s = (struct secret *)links.next; return s->n; } "
	"struct entity *const fixed = 0; _Thread_local struct entity *own;";

static struct entity *hidden_list, *local_list;

/* ---- the program's memory ---- */

#define HEAP_SIZE ((gsize)1 << 28)
#define FOREIGN_SIZE ((gsize)1 << 16)

typedef struct {
	guint64 start, size;
	bool released;
} block;

static guint8 *heap, *foreign;
static gsize heap_used, foreign_used;
static GArray *blocks; /* of block, in order of addresses */
static guint64 n_reads;

static gpointer
allocate(gsize size)
{
	block b = {.start = (guint64)(uintptr_t)heap + heap_used, .size = size};
	heap_used += (size + 31) & ~(gsize)15; /* with room for what an allocator notes */
	assert_true(heap_used <= HEAP_SIZE);
	g_array_append_val(blocks, b);
	return memset((gpointer)(uintptr_t)b.start, 0, size);
}

/* Memory of an allocator that nobody knows, or of a stack. */
static gpointer
allocate_elsewhere(gsize size)
{
	gpointer p = foreign + foreign_used;
	foreign_used += (size + 15) & ~(gsize)15;
	return memset(p, 0, size);
}

static const block *
block_at(guint64 address)
{
	guint low = 0, high = blocks->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (g_array_index(blocks, block, middle).start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	const block *b = low ? &g_array_index(blocks, block, low - 1) : NULL;
	return b && address - b->start < b->size ? b : NULL;
}

static bool
is_in(guint64 address, gsize size, gconstpointer start, gsize length)
{
	guint64 offset = address - (guint64)(uintptr_t)start;
	return offset <= length && size <= length - offset;
}

typedef struct {
	const char *name;
	gpointer address;
	gsize size;
} variable;

#define VARIABLE(v)                                                                                                    \
	{                                                                                                              \
#v, (gpointer)&v, sizeof v                                                                             \
	}
static const variable variables[] = {
	VARIABLE(list),	     VARIABLE(player),	 VARIABLE(others),    VARIABLE(table),	  VARIABLE(slots),
	VARIABLE(pairs),     VARIABLE(base),	 VARIABLE(derived),   VARIABLE(flexible), VARIABLE(crowd),
	VARIABLE(nest),	     VARIABLE(chooser),	 VARIABLE(body),      VARIABLE(links),	  VARIABLE(house),
	VARIABLE(thing),     VARIABLE(anything), VARIABLE(anythings), VARIABLE(label),	  VARIABLE(floats),
	VARIABLE(vec),	     VARIABLE(numbers),	 VARIABLE(number),    VARIABLE(pool),	  VARIABLE(constant),
	VARIABLE(inventory), VARIABLE(unnamed),	 VARIABLE(deep),      VARIABLE(rows),	  VARIABLE(monster),
	VARIABLE(swarm),
};

static bool
read_memory(guint64 address, void *out, gsize size, void *data)
{
	(void)data;
	n_reads++;
	bool known = is_in(address, size, heap, HEAP_SIZE) || is_in(address, size, foreign, FOREIGN_SIZE) ||
		     is_in(address, size, &hidden_list, sizeof hidden_list) ||
		     is_in(address, size, &local_list, sizeof local_list);
	for (gsize i = 0; !known && i < G_N_ELEMENTS(variables); i++)
		known = is_in(address, size, variables[i].address, variables[i].size);
	if (known)
		memcpy(out, (gpointer)(uintptr_t)address, size);
	return known;
}

static hd_memory_kind
find_block(guint64 address, guint64 *start, guint64 *size, void *data)
{
	(void)data;
	const block *b = block_at(address);
	if (b && !b->released) {
		*start = b->start;
		*size = b->size;
		return HD_MEMORY_BLOCK;
	}
	return is_in(address, 1, heap, HEAP_SIZE) ? HD_MEMORY_FREE : HD_MEMORY_OTHER;
}

static bool
may_be_asked_for(guint64 bytes, guint64 size)
{
	return size - bytes < 16;
}

static const hd_trace_memory memory = {.read = read_memory, .block = find_block, .may_be_asked_for = may_be_asked_for};

/* ---- one walk ---- */

typedef struct {
	const char *compiler;
	void (*test)(void);
} scene;

static const char *const compilers[] = {"gcc -g -gdwarf-5 -O0", "clang -g -gdwarf-4 -O2"};
static const char *compiler; /* the one in use */
static hd_trace *trace;
static GArray *found, *leads;
static GArray *frame_slots; /* of hd_trace_slot: variables of frames of h */
static guint entity_local, text_local, pair_local;
static char *why;

static hd_unit *
read_unit(const char *source)
{
	GError *error = NULL;
	GBytes *bytes = compile_object(compiler, source);
	hd_unit *unit = hd_unit_read_object(bytes, &error);
	if (!unit)
		fail_msg("%s", error->message);
	g_bytes_unref(bytes);
	return unit;
}

static hd_unit *unit; /* the program's */

static hd_unit *
read_program(void)
{
	const char *folder = g_getenv("HOTDEV_SOURCE");
	char *path = g_build_filename(folder ? folder : ".", "test/types/traced.c", NULL), *text;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	char *source = g_strconcat(text, hidden, NULL);
	hd_unit *program = read_unit(source);
	g_free(source);
	g_free(text);
	g_free(path);
	return program;
}

static void
add_roots(hd_trace *t, const hd_unit *of)
{
	for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
		const hd_unit_variable *v = hd_unit_variable_named(of, NULL, variables[i].name, 0);
		assert_non_null(v);
		hd_trace_add_root(t, of, v, (guint64)(uintptr_t)variables[i].address);
	}
	hd_trace_add_root(t, of, hd_unit_variable_named(of, NULL, "hidden", 0), (guint64)(uintptr_t)&hidden_list);
	hd_trace_add_root(t, of, hd_unit_variable_named(of, "f", "local", 0), (guint64)(uintptr_t)&local_list);
}

static guint
add_local(hd_trace *t, const char *name)
{
	const GArray *locals = hd_unit_locals(unit);
	for (guint i = 0; i < locals->len; i++) {
		const hd_unit_local *local = &g_array_index(locals, hd_unit_local, i);
		if (strcmp(local->function, "h") == 0 && strcmp(local->name, name) == 0)
			return hd_trace_add_local(t, unit, unit, local);
	}
	fail_msg("%s: h has no place for %s", compiler, name);
	return G_MAXUINT;
}

static void
add_slot(guint local, const void *word)
{
	hd_trace_slot slot = {.local = local, .in_register = true, .word = (guint64)(uintptr_t)word};
	g_array_append_val(frame_slots, slot);
}

static void
reset_memory(void)
{
	g_array_set_size(frame_slots, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
		memset(variables[i].address, 0, variables[i].size);
	hidden_list = local_list = NULL;
	heap_used = foreign_used = 4096;
	g_array_set_size(blocks, 0);
}

static void
want(const char *name)
{
	trace = hd_trace_new();
	add_roots(trace, unit);
	assert_int_equal(hd_trace_want(trace, unit, NULL, name, 0), 0);
	entity_local = add_local(trace, "e");
	text_local = add_local(trace, "text");
	pair_local = add_local(trace, "p");
	hd_trace_prepare(trace);
}

static bool
run(void)
{
	g_array_set_size(found, 0);
	g_array_set_size(leads, 0);
	g_clear_pointer(&why, g_free);
	bool done = hd_trace_run(trace, &memory, frame_slots, found, leads, &why);
	assert_true(done == (why == NULL));
	return done;
}

static void
must_run(void)
{
	if (!run())
		fail_msg("%s: refused: %s", compiler, why);
}

static void
must_refuse(const char *reason)
{
	if (run())
		fail_msg("%s: %d found, not refused: %s", compiler, (int)found->len, reason);
	if (strcmp(why, reason) != 0)
		fail_msg("%s: refused:\n%s, not\n%s", compiler, why, reason);
}

static const hd_traced *
traced_at(const void *address)
{
	for (guint i = 0; i < found->len; i++)
		if (g_array_index(found, hd_traced, i).address == (guint64)(uintptr_t)address)
			return &g_array_index(found, hd_traced, i);
	return NULL;
}

static void
must_find(const void *address, guint64 count, const char *text)
{
	const hd_traced *t = traced_at(address);
	if (!t)
		fail_msg("%s: not found: %s", compiler, text);
	assert_int_equal(t->count, count);
	assert_int_equal(t->wanted, 0);
	char *said = hd_trace_text(trace, t->node);
	if (strcmp(said, text) != 0)
		fail_msg("%s: found by %s, not %s", compiler, said, text);
	g_free(said);
}

static void
must_lead(gconstpointer start, gsize size, hd_lead_kind kind, const char *text)
{
	const hd_trace_lead *l = NULL;
	for (guint i = 0; i < leads->len && !l; i++)
		if (g_array_index(leads, hd_trace_lead, i).start == (guint64)(uintptr_t)start)
			l = &g_array_index(leads, hd_trace_lead, i);
	if (!l)
		fail_msg("%s: leads not there: %s", compiler, text);
	assert_int_equal(l->size, size);
	assert_int_equal(l->kind, kind);
	assert_int_equal(l->wanted, kind == HD_LEAD_MAY_HOLD ? 0 : G_MAXUINT);
	char *said = hd_trace_text(trace, l->node);
	if (strcmp(said, text) != 0)
		fail_msg("%s: led by %s, not %s", compiler, said, text);
	g_free(said);
}

/* How many objects; the variables player, others (three) and swarm's are among them. */
static guint64
count_found(void)
{
	guint64 count = 0;
	for (guint i = 0; i < found->len; i++)
		count += g_array_index(found, hd_traced, i).count;
	return count;
}

#define IN_VARIABLES 5

static void
must_count(guint64 in_blocks)
{
	if (count_found() != in_blocks + IN_VARIABLES)
		fail_msg("%s: %d found, not %d", compiler, (int)(count_found() - IN_VARIABLES), (int)in_blocks);
}

static struct entity *
new_entity(void)
{
	return allocate(sizeof(struct entity));
}

/* ---- found ---- */

static void
test_nothing(void)
{
	must_run();
	must_count(0);
	must_find(&player, 1, "struct entity player in unit.c");
	must_find(others, 3, "struct entity others[3] in unit.c");
	assert_int_equal(traced_at(&player)->where, HD_TRACED_IN_VARIABLE);
	assert_int_equal(leads->len, 0);
}

static void
test_frame(void)
{
	struct entity *e = new_entity();
	struct pair *p = allocate_elsewhere(sizeof *p); /* on a stack */
	e->next = new_entity();
	p->second = new_entity();
	add_slot(entity_local, e);
	hd_trace_slot slot = {.local = pair_local, .address = (guint64)(uintptr_t)p};
	g_array_append_val(frame_slots, slot);
	must_run();
	must_count(3);
	must_find(e, 1, "struct entity *e of h");
	must_find(e->next, 1, "struct entity *e of h -> next");
	must_find(p->second, 1, "struct pair p of h -> second");
	assert_true(traced_at(e)->weak && traced_at(e->next)->weak);
	list = e;
	must_run();
	must_count(3);
	must_find(e, 1, "struct entity *list in unit.c");
	assert_false(traced_at(e)->weak || traced_at(e->next)->weak);
}

/* Whatever a stale pointer leads to. */
static void
test_frame_gives_way(void)
{
	struct entity *gone = new_entity();
	g_array_index(blocks, block, blocks->len - 1).released = true;
	base = allocate(sizeof(struct entity));
	list = new_entity();
	add_slot(entity_local, gone);
	add_slot(entity_local, base);
	add_slot(entity_local, (guint8 *)list + 8);
	add_slot(entity_local, &player);
	add_slot(entity_local, allocate(sizeof(struct entity) + 24)); /* of another size */
	add_slot(entity_local, allocate_elsewhere(64));
	add_slot(entity_local, GSIZE_TO_POINTER(G_MAXUINT64));
	add_slot(text_local, list);
	must_run();
	must_count(1);
}

static void
test_frame_disputed(void)
{
	struct entity *e = new_entity();
	add_slot(entity_local, e);
	add_slot(text_local, e);
	must_refuse("`struct entity *e of h` leads to a block that may be struct entity, or what another pointer says, "
		    "which knows no such type: a variable of a frame may be out of date");
	g_array_set_size(frame_slots, 1);
	must_run();
	label = (char *)e;
	must_refuse("`struct entity *e of h` leads to a block that may be struct entity, or what another pointer says, "
		    "which knows no such type: a variable of a frame may be out of date");
}

static void
test_list(void)
{
	list = new_entity();
	list->next = new_entity();
	list->next->next = new_entity();
	list->next->next->next = list; /* a ring */
	hidden_list = new_entity();
	local_list = new_entity();
	must_run();
	must_count(5);
	must_find(list, 1, "struct entity *list in unit.c");
	must_find(list->next->next, 1, "struct entity *list in unit.c -> next -> next");
	must_find(hidden_list, 1, "static struct entity *hidden in unit.c");
	must_find(local_list, 1, "static struct entity *local of f in unit.c");
	assert_int_equal(traced_at(list)->where, HD_TRACED_IN_BLOCK);
	assert_int_equal(traced_at(list)->bytes, sizeof(struct entity));
}

static void
test_shapes(void)
{
	struct entity *array = list = allocate(5 * sizeof *array + 8);
	table = allocate(3 * sizeof *table);
	table[2] = new_entity();
	slots[3] = new_entity();
	nest.in[1].deep[1][2] = new_entity();
	unnamed.inner[1].e = new_entity();
	deep = allocate(2 * sizeof *deep);
	deep[1] = allocate(2 * sizeof **deep);
	deep[1][1] = new_entity();
	rows = allocate(2 * sizeof *rows);
	rows[1][0] = new_entity();
	must_run();
	must_count(5 + 6);
	must_find(array, 5, "struct entity *list in unit.c");
	assert_int_equal(traced_at(array)->size, 5 * sizeof *array + 8);
	must_find(table[2], 1, "struct entity **table in unit.c -> [2]");
	must_find(slots[3], 1, "struct entity *slots[4] in unit.c -> [3]");
	must_find(nest.in[1].deep[1][2], 1, "struct nest nest in unit.c -> in[1].deep[1][2]");
	must_find(deep[1][1], 1, "struct entity ***deep in unit.c -> [1] -> [1]");
	must_find(rows[1][0], 1, "struct entity *(*rows)[2] in unit.c -> [2]");
}

static void
test_inside(void)
{
	pairs = allocate(2 * sizeof *pairs);
	pairs[1].second = new_entity();
	derived = allocate(sizeof *derived);
	derived->owner = new_entity();
	base = &derived->base; /* agrees: the first member */
	must_run();
	must_count(4);
	must_find(&pairs[0].first, 1, "struct pair *pairs in unit.c");
	must_find(&pairs[1].first, 1, "struct pair *pairs in unit.c");
	must_find(derived->owner, 1, "struct derived *derived in unit.c -> owner");
}

static void
test_outer_counts(void)
{
	struct derived *d = allocate(sizeof *d);
	base = &d->base; /* first seen as this */
	thing = allocate(sizeof *thing);
	thing->b = allocate(sizeof(struct derived));
	((struct derived *)thing->b)->owner = new_entity(); /* nothing says so */
	d->owner = new_entity();
	derived = d;
	must_run();
	must_count(1);
	assert_non_null(traced_at(d->owner));
	assert_int_equal(leads->len, 1);
	must_lead(thing->b, sizeof(struct derived), HD_LEAD_MAY_LEAD, "struct thing *thing in unit.c -> b");
}

static void
test_flexible(void)
{
	flexible = allocate(offsetof(struct list, items) + 3 * sizeof *flexible->items);
	flexible->items[2] = new_entity();
	crowd = allocate(offsetof(struct crowd, members) + 3 * sizeof *crowd->members + 5);
	crowd->members[1].next = new_entity();
	must_run();
	must_count(1 + 3 + 1);
	must_find(flexible->items[2], 1, "struct list *flexible in unit.c -> items[2]");
	must_find(crowd->members, 3, "struct crowd *crowd in unit.c");
	must_find(crowd->members[1].next, 1, "struct crowd *crowd in unit.c -> members[1].next");
}

static void
test_flexible_wanted(void)
{
	hd_trace_free(trace);
	want("struct crowd");
	crowd = allocate(500);
	must_run();
	assert_int_equal(found->len, 1);
	must_find(crowd, 1, "struct crowd *crowd in unit.c");
	assert_int_equal(traced_at(crowd)->bytes, 500);
}

static void
test_middle(void)
{
	struct entity *array = allocate(10 * sizeof *array);
	list = &array[3]; /* before anything names the block */
	array[3].next = &array[9];
	array[9].goal = &array[5].pos; /* a vec inside */
	floats = &array[5].pos.y;
	pairs = allocate(sizeof *pairs);
	player.next = &pairs->first;
	table = &array[2].next; /* a pointer to a pointer inside */
	hidden_list = array;
	must_run();
	must_count(11);
	must_find(array, 10, "static struct entity *hidden in unit.c");
}

static void
test_past_the_end(void)
{
	list = allocate(4 * sizeof *list);
	hidden_list = list + 4;
	player.next = others + 3;
	must_run();
	must_count(4);
}

/* Where the next variable begins. */
static void
test_past_a_variable(void)
{
	struct {
		struct entity others[3];
		struct entity *list;
	} *m = allocate_elsewhere(sizeof *m);
	hd_trace_free(trace);
	trace = hd_trace_new();
	hd_trace_add_root(trace, unit, hd_unit_variable_named(unit, NULL, "others", 0), (guint64)(uintptr_t)m->others);
	hd_trace_add_root(trace, unit, hd_unit_variable_named(unit, NULL, "list", 0), (guint64)(uintptr_t)&m->list);
	assert_int_equal(hd_trace_want(trace, unit, NULL, "struct entity", 0), 0);
	hd_trace_prepare(trace);
	m->list = m->others + 3;
	must_run();
	assert_int_equal(count_found(), 3);
	m->list++;
	assert_false(run());
}

static void
test_variables_known(void)
{
	list = &player;
	player.next = &others[2];
	slots[1] = &others[0];
	table = &slots[1];
	floats = &others[1].pos.x;
	must_run();
	must_count(0);
}

static void
test_unions(void)
{
	chooser = allocate(sizeof *chooser);
	chooser->a.e = new_entity();
	chooser->c.n = 77;	     /* a number */
	chooser->v.v = allocate(64); /* leads nowhere that matters */
	must_run();
	must_count(1);
	list = new_entity();
	chooser->c.e = list; /* found otherwise */
	must_run();
	must_count(2);
	chooser->c.n = 0x123456789; /* memory of nobody */
	must_run();
}

static void
test_ignored(void)
{
	struct entity *e = list = new_entity();
	block *released;
	e->next = new_entity();
	released = &g_array_index(blocks, block, blocks->len - 1);
	released->released = true;
	e->goal = (struct vec *)8;
	e->think = (int (*)(struct entity *))(uintptr_t)heap;
	inventory = allocate(40);
	numbers = allocate(40);
	number = (long)(intptr_t)allocate(sizeof(struct entity));
	slots[0] = (struct entity *)(uintptr_t)0xdeadbeefdeadbeef;
	slots[1] = (struct entity *)-1;
	slots[2] = (struct entity *)1;
	vec = allocate_elsewhere(8);
	floats = allocate(100);
	must_run();
	must_count(1);
	assert_int_equal(leads->len, 0);
}

static void
test_foreign(void)
{
	struct base *b = base = allocate_elsewhere(sizeof *b);
	b->up = allocate_elsewhere(sizeof *b);
	b->up->up = b;
	thing = allocate_elsewhere(sizeof *thing);
	pairs = allocate(sizeof *pairs);
	table = allocate_elsewhere(sizeof *table);
	*table = new_entity();
	must_run();
	must_count(2);
	must_find(*table, 1, "struct entity **table in unit.c");
}

static void
test_leads(void)
{
	anythings = allocate(3 * sizeof *anythings);
	anythings[2] = allocate(100);
	label = (char *)allocate(30) + 5;
	list = new_entity();
	list->data = list; /* is known */
	list->name = allocate(16);
	player.data = allocate(sizeof(struct entity));
	player.name = (char *)"constant";
	must_run();
	must_count(1);
	assert_int_equal(leads->len, 4);
	must_lead(player.data, sizeof(struct entity), HD_LEAD_UNTYPED, "struct entity player in unit.c -> data");
	must_lead(anythings[2], 100, HD_LEAD_UNTYPED, "void **anythings in unit.c -> [2]");
	must_lead(label - 5, 30, HD_LEAD_UNTYPED, "char *label in unit.c");
	must_lead(list->name, 16, HD_LEAD_UNTYPED, "struct entity *list in unit.c -> name");
}

static void
test_void_table(void)
{
	anythings = (void **)(table = allocate(3 * sizeof *table));
	table[2] = new_entity();
	must_run();
	must_count(1);
	assert_int_equal(leads->len, 0);
	deep = allocate(sizeof *deep); /* says it later */
	*deep = table;
	table = NULL;
	must_run();
	must_count(1);
	assert_int_equal(leads->len, 0);
}

static void
test_intrusive(void)
{
	hd_trace_free(trace);
	want("struct body");
	struct body *one = allocate(sizeof *one), *two = allocate(sizeof *two);
	struct link *alone = allocate(sizeof *alone);
	links.next = &one->link;
	one->link.next = &two->link;
	two->link.next = alone;
	alone->next = &links;
	must_run();
	assert_int_equal(found->len, 0);
	assert_int_equal(leads->len, 2);
	must_lead(one, sizeof *one, HD_LEAD_MAY_HOLD, "struct link links in unit.c -> next");
	must_lead(two, sizeof *two, HD_LEAD_MAY_HOLD, "struct link links in unit.c -> next -> next");
	body = one;
	one->other = two;
	must_run();
	assert_int_equal(found->len, 2);
	assert_int_equal(leads->len, 0);
}

/* What was judged to be a part of a block no longer is when the block turns out to be of larger objects. */
static void
test_known_better(void)
{
	struct derived *d = allocate(3 * sizeof *d);
	base = &d->base;
	d->base.up = (struct base *)((guint8 *)d + 2 * sizeof *base); /* the third, if they are no more than bases */
	struct thing *late = (struct thing *)((guint8 *)allocate(200) + 32);
	thing = allocate(sizeof *thing);
	thing->next = allocate(sizeof *thing);
	thing->next->next = late;
	late->derived = d;
	d[2].owner = new_entity();
	must_run();
	must_count(1);
	must_find(d[2].owner, 1, "struct base *base in unit.c -> [2].owner");
}

/* Nothing says what it is but the list that it is in. */
static void
test_intrusive_holder(void)
{
	struct secret *s = allocate(sizeof *s);
	links.next = &s->link;
	must_run();
	must_count(0);
	assert_int_equal(leads->len, 1);
	must_lead(s, sizeof *s, HD_LEAD_MAY_HOLD, "struct link links in unit.c -> next");
}

/* A large block is a mapping, with more room than was asked for. */
static void
test_large_block(void)
{
	list = allocate(5000 * sizeof *list + 3 * sizeof *list + 50);
	list[4999].next = new_entity();
	must_run();
	must_count(5003 + 1);
	must_find(list, 5003, "struct entity *list in unit.c");
}

/* ---- refused ---- */

static void
test_refuse_stack(void)
{
	list = allocate_elsewhere(sizeof *list);
	must_refuse("`struct entity *list in unit.c` leads to struct entity in memory that is neither a variable nor a "
		    "block of the allocator (a stack, a pool of the program's own)");
}

static void
test_refuse_static_pool(void)
{
	list = (struct entity *)(gpointer)pool;
	must_refuse("`struct entity *list in unit.c` says that struct entity is in memory that another pointer says "
		    "holds data: which of them it is is not known");
}

static void
test_refuse_middle(void)
{
	list = new_entity();
	list->next = (struct entity *)((guint8 *)allocate(2048) + 64);
	must_refuse("`struct entity *list in unit.c -> next` leads into a block of 2048 bytes whose beginning no typed "
		    "pointer names");
}

static void
test_refuse_between(void)
{
	list = allocate(3 * sizeof *list);
	player.next = (struct entity *)((guint8 *)list + 8);
	must_refuse(
		"`struct entity player in unit.c -> next` says that struct entity is in memory that another pointer "
		"says holds struct entity: which of them it is is not known");
}

static void
test_refuse_two_types(void)
{
	derived = allocate(200);
	list = (struct entity *)(gpointer)derived;
	assert_false(run()); /* which of the two is seen first is the linker's choice */
	assert_non_null(strstr(why, "in memory that another pointer says holds struct "));
}

static void
test_refuse_small(void)
{
	list = allocate(sizeof *list - 8);
	must_refuse(
		"`struct entity *list in unit.c` leads to a block of 48 bytes, which is too small for struct entity "
		"(56 bytes)");
}

static void
test_refuse_more(void)
{
	list = allocate(sizeof *list + 40);
	must_refuse(
		"`struct entity *list in unit.c` leads to a block of 96 bytes, which are more than struct entity (56 "
		"bytes each): what the rest is is not known");
}

/* A struct is often known by its first member only. */
static void
test_refuse_larger(void)
{
	list = allocate(sizeof(struct monster));
	must_refuse(
		"`struct entity *list in unit.c` leads to a block of 120 bytes, which may be struct monster as well as "
		"struct entity");
	monster = (struct monster *)(gpointer)list;
	must_run();
	must_count(1);
	assert_non_null(traced_at(&monster->entity));
}

static void
test_refuse_union(void)
{
	chooser = allocate(sizeof *chooser);
	chooser->c.e = new_entity();
	must_refuse("`struct chooser *chooser in unit.c -> c.e` is in a union: whether it is in use, and leads to "
		    "struct entity, only the program knows");
}

static void
test_refuse_inside_union(void)
{
	house = allocate(sizeof *house);
	must_refuse(
		"`struct house *house in unit.c -> room.e.id` is a union with an object to be found inside, and only "
		"the program knows whether it is in use: union room");
}

static void
test_refuse_far(void)
{
	struct entity *e = list = new_entity();
	for (int i = 0; i < 100; i++)
		e = e->next = new_entity();
	e->next = allocate_elsewhere(sizeof *e);
	must_refuse("`struct entity *list in unit.c -> next -> next -> ... -> next -> next` leads to struct entity in "
		    "memory that is neither a variable nor a block of the allocator (a stack, a pool of the program's "
		    "own)");
}

/* ---- several units ---- */

/* What another file says of the same types, and of its own. */
static hd_trace *
trace_two(hd_unit *other, const char *root, gpointer address)
{
	hd_trace *t = hd_trace_new();
	hd_trace_add_unit(t, other);
	add_roots(t, unit);
	if (root)
		hd_trace_add_root(t, other, hd_unit_variable_named(other, NULL, root, 0), (guint64)(uintptr_t)address);
	assert_int_equal(hd_trace_want(t, unit, NULL, "struct entity", 0), 0);
	hd_trace_prepare(t);
	return t;
}

#define ENTITY                                                                                                         \
	"struct vec { float x, y; }; struct entity { int id; unsigned alive : 1, team : 3; struct vec pos; struct "    \
	"entity *next; struct vec *goal; char *name; void *data; int (*think)(struct entity *); };"

static hd_unit *
read_other(const char *source)
{
	GError *error = NULL;
	compile_write("other.c", source);
	assert_true(compile_run("%s -w -c other.c -o other.o", compiler));
	GBytes *bytes = compile_read("other.o");
	hd_unit *other = hd_unit_read_object(bytes, &error);
	if (!other)
		fail_msg("%s", error->message);
	g_bytes_unref(bytes);
	return other;
}

/* Only declared in the one file, known in the other. */
static void
test_declared_elsewhere(void)
{
	hd_unit *other = read_other("struct entity; struct inventory { long n; struct entity *best; } empty;");
	hd_trace_free(trace);
	trace = trace_two(other, NULL, NULL);
	struct inventory {
		long n;
		struct entity *best;
	} *made = allocate(sizeof *made);
	inventory = (gpointer)made;
	made->best = new_entity();
	must_run();
	must_count(1);
	must_find(made->best, 1, "struct inventory *inventory in unit.c -> best");
	hd_unit_free(other);
}

static void
test_declared_twice(void)
{
	hd_unit *other = read_other("struct inventory { long n; struct entity *best; } empty;");
	compile_write("third.c", "struct inventory { int n; } empty;");
	assert_true(compile_run("%s -w -c third.c -o third.o", compiler));
	GBytes *bytes = compile_read("third.o");
	hd_unit *third = hd_unit_read_object(bytes, NULL);
	g_bytes_unref(bytes);
	hd_trace_free(trace);
	trace = hd_trace_new();
	hd_trace_add_unit(trace, other);
	hd_trace_add_unit(trace, third);
	add_roots(trace, unit);
	assert_int_equal(hd_trace_want(trace, unit, NULL, "struct entity", 0), 0);
	hd_trace_prepare(trace);
	must_run();
	inventory = allocate(16);
	must_refuse("`struct inventory *inventory in unit.c` leads to struct inventory, which has several definitions: "
		    "which of them it is is not known");
	hd_unit_free(other);
	hd_unit_free(third);
}

/* A type of the same name and fields, but another file's own. */
static void
test_private_twin(void)
{
	struct entity *theirs = new_entity();
	hd_unit *other = read_other(ENTITY " struct entity *theirs;");
	hd_trace_free(trace);
	trace = trace_two(other, "theirs", &inventory); /* any variable's memory will do */
	inventory = (struct inventory *)(gpointer)theirs;
	theirs->next = new_entity();
	list = new_entity();
	must_run();
	must_count(1);
	list->next = theirs;
	assert_false(run());
	assert_non_null(strstr(why, "in memory that another pointer says holds struct entity"));
	hd_unit_free(other);
}

/* Declared in a header, it is one type. */
static void
test_shared_header(void)
{
	compile_write("entity.h", ENTITY);
	hd_unit *one = read_other("#include \"entity.h\"\nstruct entity *list;");
	hd_unit *two = read_other("\n\n#include \"entity.h\"\nstruct entity *hidden;");
	hd_trace_free(trace);
	trace = hd_trace_new();
	hd_trace_add_root(trace, one, hd_unit_variable_named(one, NULL, "list", 0), (guint64)(uintptr_t)&list);
	hd_trace_add_root(trace, two, hd_unit_variable_named(two, NULL, "hidden", 0), (guint64)(uintptr_t)&hidden_list);
	assert_int_equal(hd_trace_want(trace, one, NULL, "struct entity", 0), 0);
	assert_int_equal(hd_trace_want(trace, one, NULL, "struct nobody", 0), G_MAXUINT);
	assert_int_equal(hd_trace_want(trace, one, NULL, "int", 0), G_MAXUINT);
	hd_trace_prepare(trace);
	list = hidden_list = new_entity();
	list->next = new_entity();
	hidden_list->goal = &list->next->pos;
	must_run();
	assert_int_equal(count_found(), 2);
	hd_unit_free(one);
	hd_unit_free(two);
}

static void
test_not_roots(void)
{
	const char *const names[] = {"fixed", "own"};
	struct entity *lost = allocate_elsewhere(sizeof *lost);
	hd_trace_free(trace);
	trace = hd_trace_new();
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		hd_trace_add_root(trace, unit, hd_unit_variable_named(unit, NULL, names[i], 0),
				  (guint64)(uintptr_t)&lost);
	assert_int_equal(hd_trace_want(trace, unit, NULL, "struct entity", 0), 0);
	hd_trace_prepare(trace);
	must_run();
	assert_int_equal(found->len, 0);
}

/* ---- many ---- */

static void
test_long_list(void)
{
	const guint lengths[] = {10000, 1000000};
	for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
		reset_memory();
		struct entity **end = &list;
		for (guint n = 0; n < lengths[i]; n++) {
			*end = new_entity();
			end = &(*end)->next;
		}
		n_reads = 0;
		clock_t before = clock();
		must_run();
		print_message("# %s: a list of %u: %.1f ms of processor time, %d reads\n", compiler, lengths[i],
			      (double)(clock() - before) * 1000 / CLOCKS_PER_SEC, (int)n_reads);
		must_count(lengths[i]);
	}
}

static guint
number_from(const char *name, guint otherwise)
{
	const char *value = g_getenv(name);
	return value ? (guint)strtoul(value, NULL, 10) : otherwise;
}

typedef struct {
	struct entity *start;
	guint n;
	bool reached;
} herd;

/* All the herds that pointers lead to, as one who made them knows it. */
static void
reach(herd *herds, guint n, const struct entity *e)
{
	for (guint i = 0; e && i < n; i++)
		if (e >= herds[i].start && e < herds[i].start + herds[i].n && !herds[i].reached) {
			herds[i].reached = true;
			for (guint k = 0; k < herds[i].n; k++)
				reach(herds, n, herds[i].start[k].next);
		}
}

static void
test_random_graphs(void)
{
	guint seed = number_from("HOTDEV_SEED", 6), rounds = number_from("HOTDEV_ROUNDS", 300);
	GRand *random = g_rand_new_with_seed(seed);
	for (guint round = 0; round < rounds; round++) {
		herd herds[40];
		guint n = (guint)g_rand_int_range(random, 1, G_N_ELEMENTS(herds)), wanted = 0;
		reset_memory();
		for (guint i = 0; i < n; i++) {
			herds[i].n = (guint)g_rand_int_range(random, 1, 6);
			herds[i].reached = false;
			herds[i].start =
				allocate(herds[i].n * sizeof(struct entity) + (guint)g_rand_int_range(random, 0, 8));
		}
		/* Some pointers lead into the middle: then to a herd that is known by its start as well. */
		table = allocate(n * sizeof *table);
		for (guint i = 0; i < n; i++)
			if (g_rand_boolean(random) && g_rand_boolean(random))
				table[i] = herds[i].start;
		for (guint i = 0; i < n; i++)
			for (guint k = 0; k < herds[i].n; k++) {
				guint to = (guint)g_rand_int_range(random, 0, (gint32)n * 2);
				struct entity *e = &herds[i].start[k];
				if (to >= n)
					continue;
				e->next = herds[to].start +
					  (table[to] ? g_rand_int_range(random, 0, (gint32)herds[to].n) : 0);
				e->goal = &e->next->pos;
				e->data = e->next;
			}
		for (guint i = 0; i < n; i++)
			reach(herds, n, table[i]);
		must_run();
		for (guint i = 0; i < n; i++) {
			wanted += herds[i].reached ? herds[i].n : 0;
			if ((traced_at(herds[i].start) != NULL) != herds[i].reached)
				fail_msg("seed %u, round %u: herd %u of %u is %s reached", seed, round, i, n,
					 herds[i].reached ? "not" : "wrongly");
		}
		must_count(wanted);
		assert_int_equal(leads->len, 0);
	}
	g_rand_free(random);
}

/* Memory may hold anything: an answer or a reason, in bounded time. */
static void
test_random_memory(void)
{
	guint seed = number_from("HOTDEV_SEED", 6), rounds = number_from("HOTDEV_ROUNDS", 300), ran = 0;
	GRand *random = g_rand_new_with_seed(seed);
	for (guint round = 0; round < rounds; round++) {
		guint sparse = (guint)g_rand_int_range(random, 1, 40);
		reset_memory();
		for (guint i = 0; i < 60; i++)
			(void)allocate((gsize)g_rand_int_range(random, 1, 400));
		for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
			for (gsize at = 0; at + 8 <= variables[i].size; at += 8) {
				const block *b = &g_array_index(blocks, block, (guint)g_rand_int_range(random, 0, 60));
				guint64 word =
					b->start + (g_rand_int_range(random, 0, 8) ? 0 : g_rand_int(random) % 400);
				if (g_rand_int_range(random, 0, (gint32)sparse) == 0)
					memcpy((guint8 *)variables[i].address + at, &word, 8);
			}
		for (gsize at = 0; at < heap_used; at += 8) {
			guint64 word = (guint64)(uintptr_t)heap + g_rand_int(random) % (heap_used + 4096);
			if (g_rand_int_range(random, 0, (gint32)sparse) == 0)
				memcpy(heap + at, &word, 8);
		}
		ran += run();
		for (guint i = 0; i < found->len; i++)
			g_free(hd_trace_text(trace, g_array_index(found, hd_traced, i).node));
		for (guint i = 0; i < leads->len; i++)
			g_free(hd_trace_text(trace, g_array_index(leads, hd_trace_lead, i).node));
	}
	print_message("# %s: of %u walks through random memory %u were refused\n", compiler, rounds, rounds - ran);
	g_rand_free(random);
}

/* ---- */

static void
play(void **state)
{
	const scene *s = *state;
	char *name = g_strndup(s->compiler, strcspn(s->compiler, " "));
	bool there = compile_has(name);
	if (!there)
		print_message("# %s is not installed\n", name);
	g_free(name);
	if (!there)
		skip();
	compiler = s->compiler;
	compile_begin();
	unit = read_program();
	found = g_array_new(FALSE, FALSE, sizeof(hd_traced));
	leads = g_array_new(FALSE, FALSE, sizeof(hd_trace_lead));
	frame_slots = g_array_new(FALSE, FALSE, sizeof(hd_trace_slot));
	want("struct entity");
	reset_memory();
	s->test();
	hd_trace_free(trace);
	hd_unit_free(unit);
	g_array_unref(found);
	g_array_unref(leads);
	g_array_unref(frame_slots);
	g_clear_pointer(&why, g_free);
	compile_end();
}

#define TEST(name)                                                                                                     \
	{                                                                                                              \
#name, name                                                                                            \
	}

int
main(void)
{
	static const struct {
		const char *name;
		void (*test)(void);
	} all[] = {
		TEST(test_nothing),
		TEST(test_frame),
		TEST(test_frame_gives_way),
		TEST(test_frame_disputed),
		TEST(test_list),
		TEST(test_shapes),
		TEST(test_inside),
		TEST(test_outer_counts),
		TEST(test_flexible),
		TEST(test_flexible_wanted),
		TEST(test_middle),
		TEST(test_past_the_end),
		TEST(test_past_a_variable),
		TEST(test_variables_known),
		TEST(test_unions),
		TEST(test_ignored),
		TEST(test_foreign),
		TEST(test_leads),
		TEST(test_void_table),
		TEST(test_intrusive),
		TEST(test_refuse_stack),
		TEST(test_refuse_static_pool),
		TEST(test_refuse_middle),
		TEST(test_refuse_between),
		TEST(test_refuse_two_types),
		TEST(test_refuse_small),
		TEST(test_refuse_more),
		TEST(test_refuse_larger),
		TEST(test_intrusive_holder),
		TEST(test_known_better),
		TEST(test_large_block),
		TEST(test_refuse_union),
		TEST(test_refuse_inside_union),
		TEST(test_refuse_far),
		TEST(test_declared_elsewhere),
		TEST(test_declared_twice),
		TEST(test_private_twin),
		TEST(test_shared_header),
		TEST(test_not_roots),
		TEST(test_long_list),
		TEST(test_random_graphs),
		TEST(test_random_memory),
	};
	static scene scenes[G_N_ELEMENTS(all) * G_N_ELEMENTS(compilers)];
	struct CMUnitTest tests[G_N_ELEMENTS(scenes)];
	for (gsize i = 0; i < G_N_ELEMENTS(scenes); i++) {
		scenes[i] = (scene){compilers[i % G_N_ELEMENTS(compilers)], all[i / G_N_ELEMENTS(compilers)].test};
		tests[i] = (struct CMUnitTest){
			.name = all[i / G_N_ELEMENTS(compilers)].name, .test_func = play, .initial_state = &scenes[i]};
	}
	heap = mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	foreign = mmap(NULL, FOREIGN_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (heap == MAP_FAILED || foreign == MAP_FAILED)
		return 1;
	blocks = g_array_new(FALSE, FALSE, sizeof(block));
	int failed = _cmocka_run_group_tests("trace", tests, G_N_ELEMENTS(tests), NULL, NULL);
	g_array_unref(blocks);
	munmap(heap, HEAP_SIZE);
	munmap(foreign, FOREIGN_SIZE);
	return failed;
}
