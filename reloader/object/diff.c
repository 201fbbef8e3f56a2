/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparison is a greatest fixed point: every pair of atoms that must be
 * compared is a node, held to be the same until its bytes, or a node it
 * depends on, say otherwise. Nodes are made as references ask for them.
 *
 * gcc -O0 puts every string and floating constant of a unit into one section
 * without symbols. That stretch stays one atom, for only its own layout is
 * sure to be right, but a reference into it is compared by the piece that it
 * points at, up to the next place that something refers to. */
#include "config.h"

#include "reloader/object/diff.h"

#include "reloader/object/decode.h"
#include "reloader/object/match.h"
#include "reloader/object/names.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct hd_diff {
	hd_object *old, *now;
	guint *old_of, *new_of;
	guint8 *fates; /* hd_atom_fate by new atom */
	bool empty;
	bool told; /* the fates were not found by comparison */
};

enum { OLD, NOW };

/* How much of an atom a pair compares. */
typedef enum {
	SPAN_WHOLE,
	SPAN_PIECE,  /* of an anonymous stretch: what an address points at */
	SPAN_NUMBER, /* the same: what an instruction loads */
} span;

typedef struct {
	guint atoms[2];
	guint64 from[2]; /* where the span starts on either side */
	span span;
	bool different;
	guint first_edge; /* index + 1 into edges: nodes that depend on this one */
} node;

typedef struct {
	guint dependent;
	guint next; /* index + 1 */
} edge;

typedef struct {
	guint atom;
	guint64 offset;
} boundary;

typedef struct {
	hd_diff *diff;
	hd_object *objects[2];
	GArray *nodes;	      /* of node */
	GArray *edges;	      /* of edge */
	GHashTable *known;    /* of node keys, hashed by content: index + 1 */
	const guint *matched; /* by new atom: what it continues by name or owner; content found later is not in it */
	guint *pair_nodes;    /* by new atom: index + 1 of the node of its matched pair */
	GArray *boundaries[2];
	guint compared; /* nodes before this one were compared */
	guint limit;	/* of nodes; a hostile object could ask for every pair */
} comparison;

static const hd_atom *
atom_of(const comparison *c, guint side, guint index)
{
	return hd_object_atom(c->objects[side], index);
}

/* ---- nodes ---- */

typedef struct {
	guint atoms[2];
	guint64 from[2];
	guint64 span;
} node_key;

static guint
hash_key(gconstpointer key)
{
	return (guint)XXH3_64bits(key, sizeof(node_key));
}

static gboolean
equal_keys(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(node_key)) == 0;
}

/* The node for a pair, made if it is new; HD_NONE: there are too many. */
static guint
node_for(comparison *c, const guint atoms[2], const guint64 from[2], span how)
{
	bool matched = how == SPAN_WHOLE && c->matched[atoms[NOW]] == atoms[OLD];
	if (matched && c->pair_nodes[atoms[NOW]])
		return c->pair_nodes[atoms[NOW]] - 1;
	node_key key = {{atoms[OLD], atoms[NOW]}, {from[OLD], from[NOW]}, how};
	guint known = matched ? 0 : GPOINTER_TO_UINT(g_hash_table_lookup(c->known, &key));
	if (known)
		return known - 1;
	if (c->nodes->len >= c->limit)
		return HD_NONE;
	node n = {.atoms = {atoms[OLD], atoms[NOW]}, .from = {from[OLD], from[NOW]}, .span = how};
	g_array_append_val(c->nodes, n);
	if (matched)
		c->pair_nodes[atoms[NOW]] = c->nodes->len;
	else
		g_hash_table_insert(c->known, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(c->nodes->len));
	return c->nodes->len - 1;
}

static guint
whole_node_for(comparison *c, guint old, guint now)
{
	static const guint64 start[2];
	guint atoms[2] = {old, now};
	return node_for(c, atoms, start, SPAN_WHOLE);
}

static node *
node_at(const comparison *c, guint index)
{
	return &g_array_index(c->nodes, node, index);
}

/* Makes `from` depend on `to`. false: that one is different already. */
static bool
depend(comparison *c, guint from, guint to)
{
	if (to == HD_NONE)
		return false;
	node *target = node_at(c, to);
	if (target->different)
		return false;
	if (to == from)
		return true;
	edge e = {from, target->first_edge};
	g_array_append_val(c->edges, e);
	target->first_edge = c->edges->len;
	return true;
}

static void
mark_different(comparison *c, guint index)
{
	GArray *work = g_array_new(FALSE, FALSE, sizeof(guint));
	node_at(c, index)->different = true;
	g_array_append_val(work, index);
	while (work->len) {
		guint at = g_array_index(work, guint, work->len - 1);
		g_array_set_size(work, work->len - 1);
		for (guint e = node_at(c, at)->first_edge; e; e = g_array_index(c->edges, edge, e - 1).next) {
			guint dependent = g_array_index(c->edges, edge, e - 1).dependent;
			if (node_at(c, dependent)->different)
				continue;
			node_at(c, dependent)->different = true;
			g_array_append_val(work, dependent);
		}
	}
	g_array_free(work, TRUE);
}

/* ---- pieces of anonymous stretches ---- */

static int
compare_boundaries(const void *a, const void *b)
{
	const boundary *x = a, *y = b;
	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Every place of an anonymous constant that something refers to. */
static void
find_boundaries(comparison *c, guint side)
{
	hd_object *object = c->objects[side];
	GArray *found = g_array_new(FALSE, FALSE, sizeof(boundary));
	for (guint i = 0; i < hd_object_n_atoms(object); i++) {
		const hd_atom *atom = hd_object_atom(object, i);
		for (guint k = 0; k < atom->n_relocs; k++) {
			const hd_reloc *reloc = &atom->relocs[k];
			if (reloc->atom == HD_NONE)
				continue;
			const hd_atom *target = hd_object_atom(object, reloc->atom);
			guint64 byte = (guint64)reloc->addend + (guint64)reloc->bias;
			if (target->name || target->kind != HD_ATOM_CONST || byte >= target->size)
				continue;
			boundary b = {reloc->atom, byte};
			g_array_append_val(found, b);
		}
	}
	if (found->len)
		qsort(found->data, found->len, sizeof(boundary), compare_boundaries);
	c->boundaries[side] = found;
}

static bool
is_binary(const guint8 *bytes, guint64 n)
{
	for (guint64 i = 0; i < n; i++)
		if (bytes[i] >= 0x80 || (bytes[i] && bytes[i] < '\a') || (bytes[i] > '\r' && bytes[i] < ' '))
			return true;
	return false;
}

/* Whether what starts at `from` can end at `to`, where something else is referred to: behind a string's end, or
 * behind a number. The middle of a string ("hello" + 2) ends nothing. */
static bool
ends_at(const hd_atom *atom, guint64 from, guint64 to, span how)
{
	guint64 n = to - from;
	if (memchr(atom->bytes + from, 0, n))
		return true;
	bool number = (n == 4 || n == 8 || n == 16 || n == 32) && from % 4 == 0;
	return number && (how == SPAN_NUMBER || is_binary(atom->bytes + from, n));
}

static guint64
piece_end(comparison *c, guint side, guint index, guint64 from, span how)
{
	if (!c->boundaries[side])
		find_boundaries(c, side);
	const hd_atom *atom = atom_of(c, side, index);
	GArray *all = c->boundaries[side];
	guint low = 0, high = all->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		const boundary *b = &g_array_index(all, boundary, middle);
		if (b->atom < index || (b->atom == index && b->offset <= from))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < all->len; low++) {
		const boundary *b = &g_array_index(all, boundary, low);
		if (b->atom != index)
			break;
		if (ends_at(atom, from, b->offset, how))
			return b->offset;
	}
	return atom->size;
}

/* ---- references ---- */

typedef struct {
	const hd_reloc *relocs[2];
	guint64 from[2];	/* where the comparison started in the atoms that hold them */
	const hd_atom *in_code; /* the function that refers, NULL: data does */
} reference;

/* The byte of its target that a reference means. Entries of a jump table count from where the table starts. */
static gint64
byte_meant(const reference *r, guint side)
{
	const hd_reloc *reloc = r->relocs[side];
	if (!r->in_code && hd_reloc_is_relative(reloc->type))
		return (gint64)((guint64)reloc->addend - (reloc->offset - r->from[side]));
	return (gint64)((guint64)reloc->addend + (guint64)reloc->bias);
}

/* A symbol that one object defines and the other takes from elsewhere is the same symbol, unless it is static. */
static bool
same_symbol(hd_object *outside, const hd_reloc *external, hd_object *inside, const hd_reloc *internal)
{
	const hd_atom *atom = hd_object_atom(inside, internal->atom);
	const char *name = hd_object_external(outside, external->external)->name;
	return atom->binding != HD_BIND_LOCAL && hd_object_find(inside, name) == internal->atom &&
	       external->addend == internal->addend;
}

/* Anonymous constants, clones and what only the compiler named: known by what they are. */
static bool
known_by_content(const hd_atom *atom)
{
	if (!atom->name)
		return !hd_atom_is_variable(atom);
	return hd_atom_is_clone(atom) || (atom->kind == HD_ATOM_CONST && hd_name_is_compilers(atom->name));
}

/* An instruction that reads from a displacement, other than lea, takes a number and no more. */
static span
span_of(const reference *r)
{
	const hd_reloc *reloc = r->relocs[OLD];
	if (!r->in_code || !hd_reloc_is_relative(reloc->type) || reloc->offset < 2)
		return SPAN_PIECE;
	const guint8 *before = r->in_code->bytes + reloc->offset - 2;
	return before[0] == 0x8d ? SPAN_PIECE : SPAN_NUMBER;
}

static bool
same_piece(comparison *c, guint holder, const reference *r)
{
	guint atoms[2] = {r->relocs[OLD]->atom, r->relocs[NOW]->atom};
	guint64 from[2];
	span how = span_of(r);
	bool whole = true;
	for (guint k = 0; k < 2; k++) {
		gint64 byte = byte_meant(r, k);
		guint64 size = atom_of(c, k, atoms[k])->size;
		if (byte < 0 || (guint64)byte >= size)
			return r->relocs[OLD]->addend == r->relocs[NOW]->addend &&
			       depend(c, holder, whole_node_for(c, atoms[OLD], atoms[NOW]));
		from[k] = (guint64)byte;
		whole = whole && from[k] == 0 && piece_end(c, k, atoms[k], 0, how) == size;
	}
	return r->relocs[OLD]->bias == r->relocs[NOW]->bias &&
	       depend(c, holder, node_for(c, atoms, from, whole ? SPAN_WHOLE : how));
}

static bool
same_atom_meant(comparison *c, guint holder, const reference *r)
{
	guint old = r->relocs[OLD]->atom, now = r->relocs[NOW]->atom;
	const hd_atom *was = atom_of(c, OLD, old), *is = atom_of(c, NOW, now);
	if (!was->name != !is->name)
		return false;
	if (!was->name && was->kind == HD_ATOM_CONST && is->kind == HD_ATOM_CONST)
		return same_piece(c, holder, r);
	gint64 byte = byte_meant(r, NOW);
	if (byte_meant(r, OLD) != byte || r->relocs[OLD]->addend != r->relocs[NOW]->addend)
		return false;
	bool by_content = known_by_content(was) && known_by_content(is);
	if (!by_content && c->matched[now] != old)
		return false;
	/* The inside of a function is not a name: f.cold's way back, a label's address, a table's entry. */
	bool inside = is->kind == HD_ATOM_CODE && byte != 0;
	return !(by_content || inside) || depend(c, holder, whole_node_for(c, old, now));
}

static bool
same_reference(comparison *c, guint holder, const reference *r)
{
	const hd_reloc *was = r->relocs[OLD], *is = r->relocs[NOW];
	if (was->type != is->type)
		return false;
	if (was->external != HD_NONE && is->external != HD_NONE) {
		const hd_external *a = hd_object_external(c->objects[OLD], was->external);
		const hd_external *b = hd_object_external(c->objects[NOW], is->external);
		return strcmp(a->name, b->name) == 0 && a->weak == b->weak && was->addend == is->addend;
	}
	if (was->external != HD_NONE)
		return same_symbol(c->objects[OLD], was, c->objects[NOW], is);
	if (is->external != HD_NONE)
		return same_symbol(c->objects[NOW], is, c->objects[OLD], was);
	return same_atom_meant(c, holder, r);
}

/* ---- atoms ---- */

static bool
same_aliases(const hd_atom *a, const hd_atom *b)
{
	static const char *const none[] = {NULL};
	const char *const *x = a->aliases ? a->aliases : none, *const *y = b->aliases ? b->aliases : none;
	for (; *x && *y; x++, y++)
		if (strcmp(*x, *y) != 0)
			return false;
	return !*x && !*y;
}

/* A stretch of bytes with the relocations in it. */
typedef struct {
	const hd_atom *atom;
	guint64 from, end;
	guint first, last; /* relocations [first, last) */
} range;

/* The first relocation at or after offset. */
static guint
reloc_from(const hd_atom *atom, guint64 offset)
{
	guint low = 0, high = atom->n_relocs;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (atom->relocs[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static range
make_range(const hd_atom *atom, guint64 from, guint64 end)
{
	bool whole = from == 0 && end == atom->size;
	return (range){atom, from, end, whole ? 0 : reloc_from(atom, from),
		       whole ? atom->n_relocs : reloc_from(atom, end)};
}

/* Zeros at a piece's end may be the alignment of the next. */
static void
trim(range *r)
{
	guint64 keep = r->from;
	if (r->last > r->first) {
		const hd_reloc *reloc = &r->atom->relocs[r->last - 1];
		keep = reloc->offset + hd_reloc_width(reloc->type);
	}
	while (r->end > keep && !r->atom->bytes[r->end - 1])
		r->end--;
}

static bool
same_bytes(const range *a, const range *b, guint64 from, guint64 to)
{
	if (from >= to || !a->atom->bytes || !b->atom->bytes)
		return a->atom->bytes == NULL || b->atom->bytes == NULL ? !a->atom->bytes == !b->atom->bytes : true;
	return memcmp(a->atom->bytes + a->from + from, b->atom->bytes + b->from + from, to - from) == 0;
}

/* Bytes outside relocated fields, and what each field means. */
static bool
same_ranges(comparison *c, guint holder, const range *a, const range *b)
{
	if (a->end - a->from != b->end - b->from || a->last - a->first != b->last - b->first)
		return false;
	guint64 done = 0;
	guint n = a->last - a->first;
	for (guint i = 0; i < n; i++) {
		const hd_reloc *x = &a->atom->relocs[a->first + i], *y = &b->atom->relocs[b->first + i];
		guint64 at = x->offset - a->from;
		if (at != y->offset - b->from || x->type != y->type || !same_bytes(a, b, done, at))
			return false;
		done = MAX(done, at + hd_reloc_width(x->type));
	}
	if (!same_bytes(a, b, done, a->end - a->from))
		return false;
	for (guint i = 0; i < n; i++) {
		reference r = {{&a->atom->relocs[a->first + i], &b->atom->relocs[b->first + i]},
			       {a->from, b->from},
			       a->atom->kind == HD_ATOM_CODE ? a->atom : NULL};
		if (!same_reference(c, holder, &r))
			return false;
	}
	return true;
}

static bool
same_atoms(comparison *c, guint holder, const hd_atom *was, const hd_atom *is)
{
	if (was->kind != is->kind || was->size != is->size || was->ifunc != is->ifunc || !same_aliases(was, is))
		return false;
	if (was->kind == HD_ATOM_CODE && was->binding != is->binding)
		return false;
	range a = make_range(was, 0, was->size), b = make_range(is, 0, is->size);
	return same_ranges(c, holder, &a, &b);
}

static bool
same_pieces(comparison *c, guint holder, const node *n)
{
	range ranges[2];
	for (guint k = 0; k < 2; k++) {
		ranges[k] = make_range(atom_of(c, k, n->atoms[k]), n->from[k],
				       piece_end(c, k, n->atoms[k], n->from[k], n->span));
		trim(&ranges[k]);
	}
	return same_ranges(c, holder, &ranges[OLD], &ranges[NOW]);
}

/* Compares what was asked for, and what that asks for, until nothing is left. */
static void
settle(comparison *c)
{
	for (; c->compared < c->nodes->len; c->compared++) {
		node n = *node_at(c, c->compared);
		bool same = n.span != SPAN_WHOLE ? same_pieces(c, c->compared, &n)
						 : same_atoms(c, c->compared, atom_of(c, OLD, n.atoms[OLD]),
							      atom_of(c, NOW, n.atoms[NOW]));
		if (!same)
			mark_different(c, c->compared);
	}
}

/* ---- what became of each ---- */

static guint64
content_hash(const hd_atom *atom)
{
	guint64 hash = atom->bytes ? XXH3_64bits_withSeed(atom->bytes, atom->size, atom->kind) : atom->kind;
	for (guint i = 0; i < atom->n_relocs; i++) {
		guint64 field[] = {atom->relocs[i].offset, atom->relocs[i].type, (guint64)atom->relocs[i].addend};
		hash = XXH3_64bits_withSeed(field, sizeof(field), hash);
	}
	return hash;
}

static void
bind_equal(hd_diff *diff, guint old, guint now)
{
	diff->old_of[now] = old;
	if (diff->new_of[old] == HD_NONE)
		diff->new_of[old] = now;
}

/* Anonymous atoms whose equal no reference led to: candidates by content, then compared like all others. */
static void
match_anonymous(comparison *c)
{
	hd_diff *diff = c->diff;
	GHashTable *by_content = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	for (guint i = 0; i < hd_object_n_atoms(diff->old); i++) {
		const hd_atom *atom = hd_object_atom(diff->old, i);
		guint64 hash = content_hash(atom);
		if (!atom->name && !hd_atom_is_variable(atom) && !g_hash_table_contains(by_content, &hash))
			g_hash_table_insert(by_content, g_memdup2(&hash, sizeof(hash)), GUINT_TO_POINTER(i + 1));
	}
	guint n = hd_object_n_atoms(diff->now);
	guint *nodes = g_new0(guint, n);
	for (guint i = 0; i < n; i++) {
		const hd_atom *atom = hd_object_atom(diff->now, i);
		if (atom->name || hd_atom_is_variable(atom) || diff->old_of[i] != HD_NONE)
			continue;
		guint64 hash = content_hash(atom);
		guint old = GPOINTER_TO_UINT(g_hash_table_lookup(by_content, &hash));
		guint made = old ? whole_node_for(c, old - 1, i) : HD_NONE;
		nodes[i] = made == HD_NONE ? 0 : made + 1;
	}
	settle(c);
	for (guint i = 0; i < n; i++)
		if (nodes[i] && !node_at(c, nodes[i] - 1)->different)
			bind_equal(diff, node_at(c, nodes[i] - 1)->atoms[OLD], i);
	g_free(nodes);
	g_hash_table_destroy(by_content);
}

static void
judge(comparison *c)
{
	hd_diff *diff = c->diff;
	guint n = hd_object_n_atoms(diff->now);
	for (guint i = 0; i < n; i++)
		if (c->matched[i] != HD_NONE)
			whole_node_for(c, c->matched[i], i);
	settle(c);
	for (guint i = 0; i < n; i++)
		if (c->matched[i] != HD_NONE && c->pair_nodes[i])
			diff->fates[i] = node_at(c, c->pair_nodes[i] - 1)->different ? HD_ATOM_CHANGED : HD_ATOM_SAME;
	for (guint i = 0; i < c->nodes->len; i++) {
		const node *found = node_at(c, i);
		guint now = found->atoms[NOW];
		if (found->span == SPAN_WHOLE && !found->different && !atom_of(c, NOW, now)->name &&
		    diff->old_of[now] == HD_NONE)
			bind_equal(diff, found->atoms[OLD], now);
	}
	match_anonymous(c);
	for (guint i = 0; i < n; i++)
		if (c->matched[i] == HD_NONE)
			diff->fates[i] = diff->old_of[i] == HD_NONE ? HD_ATOM_ADDED : HD_ATOM_SAME;
}

static void
compare_objects(hd_diff *diff)
{
	comparison c = {.diff = diff, .objects = {diff->old, diff->now}};
	guint n_old = hd_object_n_atoms(diff->old), n_now = hd_object_n_atoms(diff->now);
	c.nodes = g_array_sized_new(FALSE, FALSE, sizeof(node), n_now);
	c.edges = g_array_new(FALSE, FALSE, sizeof(edge));
	c.known = g_hash_table_new_full(hash_key, equal_keys, g_free, NULL);
	c.pair_nodes = g_new0(guint, MAX(n_now, 1));
	c.limit = 1024 + 8 * (n_old + n_now);
	for (guint i = 0; i < n_now; i++)
		c.limit += hd_object_atom(diff->now, i)->n_relocs;
	hd_match_atoms(diff->old, diff->now, diff->old_of, diff->new_of);
	guint *matched = g_memdup2(diff->old_of, n_now * sizeof(guint));
	c.matched = matched;
	judge(&c);
	g_free(matched);
	g_array_free(c.nodes, TRUE);
	g_array_free(c.edges, TRUE);
	g_hash_table_destroy(c.known);
	g_free(c.pair_nodes);
	for (guint k = 0; k < 2; k++)
		if (c.boundaries[k])
			g_array_free(c.boundaries[k], TRUE);
}

/* Whether the program can tell that an atom is there: constants without a name count through those who refer to them.
 */
static bool
counts(const hd_atom *atom)
{
	return atom->name || hd_atom_is_variable(atom);
}

static bool
is_empty(const hd_diff *diff)
{
	for (guint i = 0; i < hd_object_n_atoms(diff->now); i++)
		if (diff->fates[i] != HD_ATOM_SAME && counts(hd_object_atom(diff->now, i)))
			return false;
	for (guint i = 0; diff->old && i < hd_object_n_atoms(diff->old); i++)
		if (diff->new_of[i] == HD_NONE && counts(hd_object_atom(diff->old, i)))
			return false;
	return true;
}

static hd_diff *
diff_alloc(hd_object *old, hd_object *now)
{
	hd_diff *diff = g_new0(hd_diff, 1);
	guint n_old = old ? hd_object_n_atoms(old) : 0, n_now = hd_object_n_atoms(now);
	diff->old = old ? hd_object_ref(old) : NULL;
	diff->now = hd_object_ref(now);
	diff->old_of = g_new(guint, MAX(n_now, 1));
	diff->new_of = g_new(guint, MAX(n_old, 1));
	diff->fates = g_new0(guint8, MAX(n_now, 1));
	for (guint i = 0; i < n_now; i++) {
		diff->old_of[i] = HD_NONE;
		diff->fates[i] = HD_ATOM_ADDED;
	}
	return diff;
}

hd_diff *
hd_diff_new_told(hd_object *now, GHashTable *changed, GHashTable *data)
{
	hd_diff *diff = diff_alloc(NULL, now);
	diff->told = true;
	for (guint i = 0; i < hd_object_n_atoms(now); i++) {
		const hd_atom *atom = hd_object_atom(now, i);
		GHashTable *names = atom->kind == HD_ATOM_CODE ? changed : data;
		bool differs = atom->name && g_hash_table_contains(names, atom->name);
		diff->fates[i] = differs ? HD_ATOM_CHANGED : HD_ATOM_SAME;
	}
	diff->empty = g_hash_table_size(changed) == 0;
	return diff;
}

bool
hd_diff_is_certain(const hd_diff *diff)
{
	return diff->old || diff->told;
}

hd_diff *
hd_diff_new(hd_object *old, hd_object *now)
{
	hd_diff *diff = diff_alloc(old, now);
	if (old)
		compare_objects(diff);
	diff->empty = is_empty(diff);
	return diff;
}

void
hd_diff_free(hd_diff *diff)
{
	if (!diff)
		return;
	hd_object_unref(diff->old);
	hd_object_unref(diff->now);
	g_free(diff->old_of);
	g_free(diff->new_of);
	g_free(diff->fates);
	g_free(diff);
}

hd_object *
hd_diff_old(const hd_diff *diff)
{
	return diff->old;
}

hd_object *
hd_diff_now(const hd_diff *diff)
{
	return diff->now;
}

hd_atom_fate
hd_diff_fate(const hd_diff *diff, guint new_atom)
{
	return (hd_atom_fate)diff->fates[new_atom];
}

guint
hd_diff_old_of(const hd_diff *diff, guint new_atom)
{
	return diff->old_of[new_atom];
}

guint
hd_diff_new_of(const hd_diff *diff, guint old_atom)
{
	return diff->old ? diff->new_of[old_atom] : HD_NONE;
}

bool
hd_diff_empty(const hd_diff *diff)
{
	return diff->empty;
}
