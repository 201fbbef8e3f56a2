/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/object/match.h"

#include "reloader/object/names.h"

#include <string.h>

/* More pairs than this in one group are matched by order alone. */
#define MANY_PAIRS 1000000
/* Enough referrers of one atom to know whose it is. */
#define MANY_REFERRERS 512

typedef struct {
	hd_object *object;
	guint *match; /* old_of or new_of of this object's atoms */
	guint *first; /* by atom: referrers[first[i]] .. referrers[first[i + 1]] refer to it */
	guint *referrers;
	const char **owners; /* by atom: the source's name for it, interned; NULL: anonymous */
} side;

typedef struct {
	GArray *atoms[2]; /* of guint, in order */
} group;

typedef struct {
	side sides[2]; /* old, now */
	GStringChunk *names;
	GHashTable *groups; /* interned key -> group */
} matching;

bool
hd_atom_is_variable(const hd_atom *atom)
{
	return atom->kind == HD_ATOM_DATA || atom->kind == HD_ATOM_ZERO || atom->kind == HD_ATOM_TLS ||
	       atom->kind == HD_ATOM_TLS_ZERO;
}

static const hd_atom *
atom_of(const side *s, guint index)
{
	return hd_object_atom(s->object, index);
}

static void
pair(matching *m, guint old, guint now)
{
	m->sides[0].match[old] = now;
	m->sides[1].match[now] = old;
}

/* Atoms that share a key may continue each other. NULL: equality decides, not the name. */
static char *
group_key(const hd_atom *atom)
{
	if (!atom->name)
		return hd_atom_is_variable(atom) ? g_strdup("v") : NULL;
	char class = atom->kind == HD_ATOM_CODE					   ? 'c'
		     : atom->kind == HD_ATOM_TLS || atom->kind == HD_ATOM_TLS_ZERO ? 't'
										   : 'd';
	char *base = hd_name_without_numbers(atom->name);
	char *key = g_strdup_printf("%c%s", class, base);
	g_free(base);
	return key;
}

/* ".compoundliteral" and ".compoundliteral.1" are numbers of one row. */
static bool
needs_group(const hd_atom *atom)
{
	return !atom->name || *atom->name == '.' || hd_name_is_numbered(atom->name);
}

/* Plain names that each object has exactly once. */
static void
match_plain_names(matching *m)
{
	GHashTable *seen[2];
	for (guint k = 0; k < 2; k++) {
		side *s = &m->sides[k];
		seen[k] = g_hash_table_new(g_str_hash, g_str_equal);
		for (guint i = 0; i < hd_object_n_atoms(s->object); i++) {
			const hd_atom *atom = atom_of(s, i);
			if (needs_group(atom))
				continue;
			bool again = g_hash_table_contains(seen[k], atom->name);
			g_hash_table_insert(seen[k], (gpointer)atom->name, GUINT_TO_POINTER(again ? HD_NONE : i));
		}
	}
	GHashTableIter iter;
	gpointer name, value, other;
	g_hash_table_iter_init(&iter, seen[1]);
	while (g_hash_table_iter_next(&iter, &name, &value))
		if (GPOINTER_TO_UINT(value) != HD_NONE && g_hash_table_lookup_extended(seen[0], name, NULL, &other) &&
		    GPOINTER_TO_UINT(other) != HD_NONE)
			pair(m, GPOINTER_TO_UINT(other), GPOINTER_TO_UINT(value));
	g_hash_table_destroy(seen[0]);
	g_hash_table_destroy(seen[1]);
}

static void
free_group(gpointer data)
{
	group *g = data;
	g_array_free(g->atoms[0], TRUE);
	g_array_free(g->atoms[1], TRUE);
	g_free(g);
}

static void
collect_groups(matching *m)
{
	for (guint k = 0; k < 2; k++) {
		side *s = &m->sides[k];
		for (guint i = 0; i < hd_object_n_atoms(s->object); i++) {
			char *key = s->match[i] == HD_NONE ? group_key(atom_of(s, i)) : NULL;
			if (!key)
				continue;
			group *g = g_hash_table_lookup(m->groups, key);
			if (!g) {
				g = g_new(group, 1);
				g->atoms[0] = g_array_new(FALSE, FALSE, sizeof(guint));
				g->atoms[1] = g_array_new(FALSE, FALSE, sizeof(guint));
				g_hash_table_insert(m->groups, key, g);
			} else {
				g_free(key);
			}
			g_array_append_val(g->atoms[k], i);
		}
	}
}

static void
find_referrers(matching *m, side *s)
{
	guint n = hd_object_n_atoms(s->object);
	s->first = g_new0(guint, n + 2);
	s->owners = g_new0(const char *, n);
	for (guint i = 0; i < n; i++) {
		const hd_atom *atom = atom_of(s, i);
		char *name = hd_atom_source_name(atom);
		s->owners[i] = name ? g_string_chunk_insert_const(m->names, name) : NULL;
		g_free(name);
		for (guint k = 0; k < atom->n_relocs; k++)
			if (atom->relocs[k].atom != HD_NONE)
				s->first[atom->relocs[k].atom + 2]++;
	}
	for (guint i = 2; i < n + 2; i++)
		s->first[i] += s->first[i - 1];
	s->referrers = g_new(guint, MAX(s->first[n + 1], 1));
	for (guint i = 0; i < n; i++) {
		const hd_atom *atom = atom_of(s, i);
		for (guint k = 0; k < atom->n_relocs; k++)
			if (atom->relocs[k].atom != HD_NONE)
				s->referrers[s->first[atom->relocs[k].atom + 1]++] = i;
	}
}

/* Adds the names of those that refer to an atom; referrers stand in order, so repetitions are neighbours. */
static void
add_owners(const side *s, guint atom, GHashTable *set)
{
	guint end = MIN(s->first[atom + 1], s->first[atom] + MANY_REFERRERS);
	for (guint i = s->first[atom]; i < end; i++)
		if (s->owners[s->referrers[i]])
			g_hash_table_add(set, (gpointer)s->owners[s->referrers[i]]);
}

/* Names of those that refer to an atom; with `callers`, of those that refer to them too: a function that was
 * inlined before the edit, or is after it, is found so. */
static GHashTable *
owners_of(const side *s, guint atom, bool callers)
{
	GHashTable *set = g_hash_table_new(NULL, NULL);
	add_owners(s, atom, set);
	guint end = MIN(s->first[atom + 1], s->first[atom] + MANY_REFERRERS), last = HD_NONE;
	for (guint i = s->first[atom]; callers && i < end; i++) {
		if (s->referrers[i] != last)
			add_owners(s, s->referrers[i], set);
		last = s->referrers[i];
	}
	return set;
}

static bool
meet(GHashTable *a, GHashTable *b)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, a);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (g_hash_table_contains(b, name))
			return true;
	return false;
}

static bool
same_content(const hd_atom *a, const hd_atom *b)
{
	if (a->kind != b->kind || a->size != b->size || a->n_relocs != b->n_relocs)
		return false;
	return !a->bytes || memcmp(a->bytes, b->bytes, a->size) == 0;
}

typedef struct {
	GHashTable *direct, *wide;
} owner_sets;

/* How well an old atom and a new one of a group fit; 0: they must not be matched. */
static int
fit(const hd_atom *old, const owner_sets *old_owners, const hd_atom *now, const owner_sets *now_owners)
{
	int score = same_content(old, now);
	if (meet(old_owners->direct, now_owners->direct))
		return 8 + score;
	if (meet(old_owners->direct, now_owners->wide) || meet(old_owners->wide, now_owners->direct))
		return 6 + score;
	if (!g_hash_table_size(old_owners->direct) && !g_hash_table_size(now_owners->direct))
		return 4 + score;
	/* State goes to nobody else's variable; of code and constants nothing but this comparison hangs on it. */
	return hd_atom_is_variable(old) || hd_atom_is_variable(now) ? 0 : 2 + score;
}

static owner_sets *
group_owners(const side *s, const GArray *atoms)
{
	owner_sets *sets = g_new(owner_sets, atoms->len);
	for (guint i = 0; i < atoms->len; i++) {
		sets[i].direct = owners_of(s, g_array_index(atoms, guint, i), false);
		sets[i].wide = owners_of(s, g_array_index(atoms, guint, i), true);
	}
	return sets;
}

static void
free_owners(owner_sets *sets, guint n)
{
	for (guint i = 0; i < n; i++) {
		g_hash_table_destroy(sets[i].direct);
		g_hash_table_destroy(sets[i].wide);
	}
	g_free(sets);
}

static void
match_by_order(matching *m, const group *g)
{
	for (guint i = 0; i < MIN(g->atoms[0]->len, g->atoms[1]->len); i++)
		pair(m, g_array_index(g->atoms[0], guint, i), g_array_index(g->atoms[1], guint, i));
}

static void
match_by_score(matching *m, const group *g, const guint8 *scores)
{
	guint n_old = g->atoms[0]->len, n_now = g->atoms[1]->len;
	for (guint8 wanted = 9; wanted > 0; wanted--) {
		for (guint n = 0; n < n_now; n++) {
			guint now = g_array_index(g->atoms[1], guint, n);
			for (guint o = 0; o < n_old && m->sides[1].match[now] == HD_NONE; o++) {
				guint old = g_array_index(g->atoms[0], guint, o);
				if (m->sides[0].match[old] == HD_NONE && scores[(gsize)n * n_old + o] == wanted)
					pair(m, old, now);
			}
		}
	}
}

static void
match_group(matching *m, const group *g)
{
	guint n_old = g->atoms[0]->len, n_now = g->atoms[1]->len;
	if (!n_old || !n_now)
		return;
	if ((guint64)n_old * n_now > MANY_PAIRS) {
		match_by_order(m, g);
		return;
	}
	for (guint k = 0; k < 2; k++)
		if (!m->sides[k].first)
			find_referrers(m, &m->sides[k]);
	owner_sets *old_owners = group_owners(&m->sides[0], g->atoms[0]);
	owner_sets *now_owners = group_owners(&m->sides[1], g->atoms[1]);
	guint8 *scores = g_new(guint8, (gsize)n_old * n_now);
	for (guint n = 0; n < n_now; n++)
		for (guint o = 0; o < n_old; o++)
			scores[(gsize)n * n_old + o] = (guint8)fit(
				atom_of(&m->sides[0], g_array_index(g->atoms[0], guint, o)), &old_owners[o],
				atom_of(&m->sides[1], g_array_index(g->atoms[1], guint, n)), &now_owners[n]);
	match_by_score(m, g, scores);
	g_free(scores);
	free_owners(old_owners, n_old);
	free_owners(now_owners, n_now);
}

void
hd_match_atoms(hd_object *old, hd_object *now, guint *old_of, guint *new_of)
{
	matching m = {.sides = {{.object = old, .match = new_of}, {.object = now, .match = old_of}}};
	for (guint i = 0; i < hd_object_n_atoms(old); i++)
		new_of[i] = HD_NONE;
	for (guint i = 0; i < hd_object_n_atoms(now); i++)
		old_of[i] = HD_NONE;
	m.names = g_string_chunk_new(1024);
	m.groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_group);
	match_plain_names(&m);
	collect_groups(&m);
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, m.groups);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		match_group(&m, value);
	for (guint k = 0; k < 2; k++) {
		g_free(m.sides[k].first);
		g_free(m.sides[k].referrers);
		g_free(m.sides[k].owners);
	}
	g_hash_table_destroy(m.groups);
	g_string_chunk_free(m.names);
}
