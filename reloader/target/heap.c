/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The blocks that glibc's malloc has given out (malloc/malloc.c and arena.c of
 * glibc 2.31 to 2.40; what they write has been the same since 2.26).
 *
 * An arena is a run of chunks, each with its size before it, that ends with
 * `top`: the first one in the memory of brk(2), the others in "heaps" that are
 * aligned to 64 MiB. A block too large for that has a mapping of its own. What
 * is freed stays a chunk in use while it waits in a list, a thread's (tcache)
 * or an arena's (fastbins), to be used again.
 *
 * Nothing here is a guess: a run of chunks counts if it is consistent from the
 * first one to top, the lists if every entry is such a chunk; and mappings
 * if they are as many, and as large, as the allocator has counted. Nothing of
 * an arena where that fails is known. */
#include "config.h"

#include "reloader/target/private.h"

#include <string.h>
#include <sys/uio.h>

#define WORD sizeof(guint64)
#define HEAP_MAX (G_GUINT64_CONSTANT(64) << 20)
#define CHUNK_HEAD 16 /* the size of the chunk before, if that is free; its own */
#define LEAST 32
#define PREVIOUS_IN_USE 1
#define IS_MAPPED 2
#define NOT_MAIN 4
#define FLAGS G_GUINT64_CONSTANT(7)
#define WINDOW ((gsize)64 * 1024)
#define MOST_ARENAS 4096
#define MOST_PAGES 65536 /* looked at for a block with a mapping of its own */
#define PAGES_AT_ONCE 256

/* struct malloc_state, in words. */
enum {
	STATE_MUTEX = 0,
	STATE_FASTBINS = 2,
	STATE_TOP = 12,
	STATE_BINS = 14,
	STATE_NEXT = 270,
	STATE_SYSTEM_MEMORY = 273,
	STATE_MOST_MEMORY = 274,
	STATE_WORDS = 275
};
#define FASTBINS 10
/* struct malloc_par, from the number of mappings to sbrk_base; before that number stands another since 2.35. */
typedef struct {
	guint32 number, allowed, most, fixed;
	guint64 last[3]; /* bytes of the mappings, the most that were, where brk's memory began */
} counters_old;
typedef struct {
	guint32 flags, number, allowed, most, fixed, padding;
	guint64 last[3]; /* bytes of the mappings, the most that were, where brk's memory began */
} counters_new;

/* tcache_perthread_struct. */
#define TCACHE_BINS 64
typedef struct {
	guint16 counts[TCACHE_BINS];
	guint64 entries[TCACHE_BINS];
} tcache;

typedef struct {
	guint64 start; /* of the block that it is in */
	tcache lists;
	bool good;
} cache;

typedef struct {
	guint64 start; /* of the user's part */
	gsize size;    /* that can be used; 0: not in use */
	guint64 link;  /* its first word, which leads on in a list */
} block;

/* Blocks first to first + count - 1 lie here, by address. */
typedef struct {
	guint64 start, end;
	guint first, count;
} region;

struct hd_heap {
	GArray *blocks;	 /* of block */
	GArray *regions; /* of region, by address */
	GArray *own;	 /* of region: the allocator's own variables */
	bool locked, known;
};

typedef struct {
	guint64 start;
	gsize size, room;
	guint8 bytes[WINDOW];
} window;

typedef struct {
	const hd_allocator *allocator;
	pid_t reader;
	hd_heap *heap;
	hd_pages *pages;
	guint64 *data; /* the library's variables */
	gsize words;
	guint64 brk_start, brk_end;
	GArray *caches; /* of cache: what looks like one */
	window window;
} work;

/* ---- finding a block ---- */

static gint
by_start(gconstpointer a, gconstpointer b)
{
	const region *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static const region *
region_at(const hd_heap *heap, guint64 address)
{
	guint low = 0, high = heap->regions->len;
	while (low < high) {
		guint middle = (low + high) / 2;
		const region *r = &g_array_index(heap->regions, region, middle);
		if (address < r->start)
			high = middle;
		else if (address >= r->end)
			low = middle + 1;
		else
			return r;
	}
	return NULL;
}

/* The last one that starts at or before the address. */
static block *
block_before(const hd_heap *heap, const region *r, guint64 address)
{
	guint low = r->first, high = r->first + r->count;
	while (low < high) {
		guint middle = (low + high) / 2;
		if (g_array_index(heap->blocks, block, middle).start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > r->first ? &g_array_index(heap->blocks, block, low - 1) : NULL;
}

static block *
block_that_starts(const hd_heap *heap, guint64 start)
{
	const region *r = region_at(heap, start);
	block *found = r ? block_before(heap, r, start) : NULL;
	return found && found->start == start ? found : NULL;
}

bool
hd_heap_block(const hd_heap *heap, guint64 address, guint64 *start, gsize *size)
{
	const region *r = region_at(heap, address);
	const block *found = r ? block_before(heap, r, address) : NULL;
	if (!found || address - found->start >= found->size)
		return false;
	*start = found->start;
	*size = found->size;
	return true;
}

/* A free chunk, and top, count: their first words lead to chunks, which begin within the block before. */
bool
hd_heap_is_own(const hd_heap *heap, guint64 address)
{
	guint64 start;
	gsize size;
	for (guint i = 0; i < heap->own->len; i++) {
		const region *r = &g_array_index(heap->own, region, i);
		if (address >= r->start && address < r->end)
			return true;
	}
	return region_at(heap, address) && !hd_heap_block(heap, address, &start, &size);
}

void
hd_heap_each(const hd_heap *heap, hd_block_run *run, void *data)
{
	for (guint i = 0; i < heap->regions->len; i++) {
		const region *r = &g_array_index(heap->regions, region, i);
		for (guint k = r->first; k < r->first + r->count; k++) {
			const block *b = &g_array_index(heap->blocks, block, k);
			if (b->size)
				run(b->start, b->size, data);
		}
	}
}

bool
hd_heap_is_locked(const hd_heap *heap)
{
	return heap->locked;
}

bool
hd_heap_has(const hd_heap *heap, guint64 address)
{
	return region_at(heap, address) != NULL;
}

bool
hd_heap_is_known(const hd_heap *heap)
{
	return heap->known;
}

/* ---- runs of chunks ---- */

/* `size` bytes at the address, all before `end`; NULL: cannot be read. Good until the next call. Where one look follows
 * on another, ever more is read at once; not so behind a large chunk, whose pages the program may never have had. */
static const void *
look(work *w, guint64 address, gsize size, guint64 end)
{
	window *seen = &w->window;
	if (address < seen->start || address - seen->start + size > seen->size) {
		bool follows = address >= seen->start && address - seen->start < 2 * seen->size;
		seen->room = follows ? MIN(2 * seen->room, WINDOW) : HD_PAGE;
		seen->start = address;
		seen->size =
			hd_memory_read_some(w->reader, address, seen->bytes, (gsize)MIN(seen->room, end - address));
		if (seen->size < size)
			return NULL;
	}
	return seen->bytes + (address - seen->start);
}

static void
add_block(work *w, guint64 start, gsize size, guint64 link)
{
	block b = {start, size, link};
	g_array_append_val(w->heap->blocks, b);
}

/* A thread's list of lists has this size; whether it is one is seen when all blocks are known. */
static void
note_cache(work *w, guint64 chunk, gsize size, guint64 end)
{
	static const tcache empty;
	if (size != CHUNK_HEAD + sizeof(tcache))
		return;
	const tcache *lists = look(w, chunk + CHUNK_HEAD, sizeof *lists, end);
	/* An empty one may be anything, but for the first thread's: that is the first block of all. */
	if (!lists || (memcmp(lists, &empty, sizeof empty) == 0 && chunk != w->brk_start))
		return;
	for (guint i = 0; i < TCACHE_BINS; i++)
		if ((lists->counts[i] == 0) != (lists->entries[i] == 0) || lists->entries[i] % 16 != 0)
			return;
	cache found = {chunk + CHUNK_HEAD, *lists, false};
	g_array_append_val(w->caches, found);
}

typedef struct {
	guint64 at, head[3]; /* its head and the word behind */
} chunk;

static gsize
size_of(const chunk *c)
{
	return c->head[1] & ~FLAGS;
}

static bool
read_chunk(work *w, chunk *c, guint64 at, guint64 end)
{
	gsize size = MIN(sizeof c->head, end - at);
	const void *seen = look(w, at, size, end);
	if (!seen)
		return false;
	*c = (chunk){.at = at};
	memcpy(c->head, seen, size);
	return true;
}

/* The chunk behind tells whether this one is in use; if not, it has its size once more. */
static bool
take_chunk(work *w, const chunk *c, const chunk *behind, guint64 end)
{
	gsize size = size_of(c);
	if (!(behind->head[1] & PREVIOUS_IN_USE))
		return behind->head[0] == size && (c->head[1] & PREVIOUS_IN_USE); /* else two would be one */
	if (size >= LEAST) {
		add_block(w, c->at + CHUNK_HEAD, size - WORD, c->head[2]);
		note_cache(w, c->at, size, end);
	}
	return true;
}

/* From the first chunk to top, which reaches to the end. top 0: an older heap, whose end is fenced off by a chunk of
 * size 0 and what is before that (sysmalloc). */
static bool
walk_chunks(work *w, guint64 first, guint64 top, guint64 end, bool main)
{
	guint64 last = top ? top : end - CHUNK_HEAD;
	chunk before = {0}, now;
	w->window.size = 0;
	for (guint64 at = first; at <= last && read_chunk(w, &now, at, end); at += size_of(&now)) {
		gsize size = size_of(&now);
		bool follows_one_in_use = now.head[1] & PREVIOUS_IN_USE;
		if (at == last && !top)
			return size == 0 && follows_one_in_use;
		if (at == first ? !follows_one_in_use : !take_chunk(w, &before, &now, end))
			return false;
		if (at == last)
			return follows_one_in_use && at + size == end;
		if (size < (top ? LEAST : CHUNK_HEAD) || size % 16 || size > last - at || (now.head[1] & IS_MAPPED) ||
		    (main && (now.head[1] & NOT_MAIN)))
			return false;
		before = now;
	}
	return false;
}

/* false: nothing is added. */
static bool
add_run(work *w, guint64 first, guint64 top, guint64 end, bool main)
{
	region r = {first, end, w->heap->blocks->len, 0};
	if (first >= end || !walk_chunks(w, first, top, end, main)) {
		g_array_set_size(w->heap->blocks, r.first);
		return false;
	}
	r.count = w->heap->blocks->len - r.first;
	g_array_append_val(w->heap->regions, r);
	return true;
}

/* ---- arenas ---- */

static bool
is_brk(const work *w, guint64 address)
{
	return address >= w->brk_start && address < w->brk_end;
}

static void
find_brk(work *w)
{
	const GArray *maps = hd_pages_maps(w->pages);
	for (guint i = 0; i < maps->len; i++) {
		const hd_map *map = &g_array_index(maps, hd_map, i);
		if (strcmp(map->path, "[heap]") != 0)
			continue;
		if (!w->brk_start)
			w->brk_start = map->start;
		w->brk_end = map->end;
	}
}

/* A variable of the library that can only be the state of its first arena. */
static bool
is_main_state(const work *w, const guint64 *state, guint64 address)
{
	guint64 top = state[STATE_TOP], memory = state[STATE_SYSTEM_MEMORY], head[2];
	guint64 unsorted = state[STATE_BINS];
	return is_brk(w, top) && top % 16 == 0 && memory > 0 && memory % HD_PAGE == 0 &&
	       memory <= state[STATE_MOST_MEMORY] && state[STATE_NEXT] % WORD == 0 && state[STATE_NEXT] != 0 &&
	       (unsorted == address + STATE_TOP * WORD || is_brk(w, unsorted)) &&
	       hd_memory_read(w->reader, top, head, sizeof head) && head[1] & PREVIOUS_IN_USE &&
	       top + (head[1] & ~FLAGS) <= w->brk_end && top + (head[1] & ~FLAGS) >= w->brk_start + memory;
}

/* Its index in the library's data; false: there is none, or more than one. */
static bool
find_main_state(const work *w, gsize *index)
{
	guint found = 0;
	for (gsize i = 0; i + STATE_WORDS <= w->words; i++)
		if (is_main_state(w, w->data + i, w->allocator->data_start + i * WORD)) {
			*index = i;
			found++;
		}
	return found == 1;
}

/* Goes through a list of free chunks of one size, which `offset` bytes before the user's part are linked to each
 * other: at most `most`. Since glibc 2.32 each link is hidden by where it lies. Appends the blocks' indices. */
static bool
walk_list(const hd_heap *heap, guint64 entry, gsize offset, gsize size, guint most, bool hidden, GArray *freed)
{
	guint limit = freed->len + most;
	while (entry) {
		const block *b = block_that_starts(heap, entry + offset);
		if (!b || b->size != size - WORD || freed->len == limit)
			return false;
		guint index = (guint)(b - &g_array_index(heap->blocks, block, 0));
		g_array_append_val(freed, index);
		entry = hidden ? b->link ^ (b->start >> 12) : b->link;
	}
	return true;
}

static bool
walk_fastbins(const hd_heap *heap, const void *data, bool hidden, GArray *freed)
{
	const guint64 *state = data;
	for (guint i = 0; i < FASTBINS; i++)
		if (!walk_list(heap, state[STATE_FASTBINS + i], CHUNK_HEAD, LEAST + 16 * i, heap->blocks->len, hidden,
			       freed))
			return false;
	return true;
}

static bool
walk_cache(const hd_heap *heap, const void *data, bool hidden, GArray *freed)
{
	const tcache *lists = data;
	for (guint i = 0; i < TCACHE_BINS; i++) {
		guint before = freed->len;
		if (!walk_list(heap, lists->entries[i], 0, LEAST + 16 * i, lists->counts[i], hidden, freed) ||
		    freed->len - before != lists->counts[i])
			return false;
	}
	return true;
}

/* What is in lists is not in use, if all of them are good. */
static bool
free_listed(hd_heap *heap, bool (*walk)(const hd_heap *, const void *, bool, GArray *), const void *lists)
{
	GArray *freed = g_array_new(false, false, sizeof(guint));
	bool good = walk(heap, lists, true, freed);
	if (!good) {
		g_array_set_size(freed, 0);
		good = walk(heap, lists, false, freed);
	}
	for (guint i = 0; good && i < freed->len; i++)
		g_array_index(heap->blocks, block, g_array_index(freed, guint, i)).size = 0;
	g_array_free(freed, true);
	return good;
}

static void
add_own(work *w, guint64 start, guint64 end)
{
	region r = {start, end, 0, 0};
	g_array_append_val(w->heap->own, r);
}

/* All heaps of an arena, from the one with top to the first: struct heap_info is {arena, the one before, size, ...},
 * and the arena's state follows it in the first, which tells its size. */
static bool
add_heaps(work *w, guint64 arena, const guint64 *state)
{
	guint64 base = arena & ~(HEAP_MAX - 1), info_size = arena - base, top = state[STATE_TOP];
	guint64 heap = top & ~(HEAP_MAX - 1), info[3];
	if (info_size < sizeof info || info_size > 128 || top % 16)
		return false;
	for (guint i = 0; i < MOST_ARENAS; i++, heap = info[1], top = 0) {
		if (!hd_memory_read(w->reader, heap, info, sizeof info) || info[0] != arena || info[2] > HEAP_MAX ||
		    info[2] % HD_PAGE || info[1] % HEAP_MAX || (heap == base) != (info[1] == 0))
			return false;
		guint64 first =
			heap == base ? (arena + STATE_WORDS * WORD + 15) & ~G_GUINT64_CONSTANT(15) : heap + info_size;
		guint64 end = heap + info[2];
		add_own(w, heap, first);
		if ((top && (top < first || top >= end)) || !add_run(w, first, top, end, false))
			return false;
		if (heap == base)
			return true;
	}
	return false;
}

static bool
add_main(work *w, const guint64 *state)
{
	guint64 top = state[STATE_TOP], head[2];
	if (!hd_memory_read(w->reader, top, head, sizeof head))
		return false;
	guint64 end = top + (head[1] & ~FLAGS);
	return add_run(w, end - state[STATE_SYSTEM_MEMORY], top, end, true);
}

/* Of an arena that is not consistent nothing stays. */
static void
add_arena(work *w, guint64 arena, const guint64 *state, bool main)
{
	hd_heap *heap = w->heap;
	guint blocks = heap->blocks->len, regions = heap->regions->len;
	heap->locked |= (guint32)state[STATE_MUTEX] != 0;
	if (main ? add_main(w, state) : add_heaps(w, arena, state))
		return;
	g_array_set_size(heap->blocks, blocks);
	g_array_set_size(heap->regions, regions);
	heap->known = false;
}

static void
add_arenas(work *w, GArray *states)
{
	gsize index;
	if (!find_main_state(w, &index)) {
		w->heap->known = false;
		return;
	}
	guint64 first = w->allocator->data_start + index * WORD, arena = first;
	for (guint i = 0; i < MOST_ARENAS; i++) {
		guint64 state[STATE_WORDS];
		if (!hd_memory_read(w->reader, arena, state, sizeof state))
			break;
		add_arena(w, arena, state, arena == first);
		g_array_append_vals(states, state, STATE_WORDS);
		add_own(w, arena, arena + sizeof state);
		arena = state[STATE_NEXT];
		if (arena == first)
			return;
	}
	w->heap->known = false;
}

/* ---- blocks with a mapping of their own ---- */

typedef struct {
	work *work;
	const hd_map *map;
	GArray *blocks; /* of block */
	guint64 beyond; /* looked at up to here */
	guint64 total;	/* bytes of their mappings */
	guint pages;
} mapped;

/* An aligned block begins inside its mapping, at the first such address; it knows how far. The mapping's first words
 * stay what they were before (_int_memalign). */
static bool
find_aligned(const mapped *m, guint64 page, guint64 *found, guint64 head[2])
{
	struct iovec remote[32];
	guint64 heads[32][2], at[32];
	guint count = 0;
	for (guint64 alignment = 32; alignment < m->map->end - page && count < G_N_ELEMENTS(at); alignment *= 2) {
		guint64 user = (page + CHUNK_HEAD + alignment - 1) & ~(alignment - 1);
		if (user + CHUNK_HEAD > m->map->end || (count && at[count - 1] == user - CHUNK_HEAD))
			continue;
		at[count] = user - CHUNK_HEAD;
		remote[count++] = (struct iovec){GSIZE_TO_POINTER(user - CHUNK_HEAD), CHUNK_HEAD};
	}
	struct iovec local = {heads, sizeof heads};
	ssize_t got = process_vm_readv(m->work->reader, &local, 1, remote, count, 0);
	for (guint i = 0; i < count && (ssize_t)((i + 1) * CHUNK_HEAD) <= got; i++) {
		guint64 end = at[i] + (heads[i][1] & ~FLAGS);
		if ((heads[i][1] & FLAGS) != IS_MAPPED || heads[i][0] != at[i] - page || end % HD_PAGE ||
		    end > m->map->end || end < at[i] + LEAST)
			continue;
		*found = at[i];
		memcpy(head, heads[i], sizeof heads[i]);
		return true;
	}
	return false;
}

static void
look_at_page(mapped *m, guint64 page, const guint64 first[2])
{
	guint64 at = page, head[2] = {first[0], first[1]};
	if (!find_aligned(m, page, &at, head) &&
	    ((head[1] & FLAGS) != IS_MAPPED || head[0] != 0 || (head[1] & ~FLAGS) % HD_PAGE ||
	     (head[1] & ~FLAGS) == 0 || (head[1] & ~FLAGS) > m->map->end - page))
		return;
	block b = {.start = at + CHUNK_HEAD, .size = (head[1] & ~FLAGS) - CHUNK_HEAD};
	g_array_append_val(m->blocks, b);
	m->beyond = at + (head[1] & ~FLAGS);
	m->total += m->beyond - page;
}

static void
look_at_pages(guint64 start, gsize size, void *data)
{
	mapped *m = data;
	guint64 end = start + size, page = MAX(start, m->beyond);
	while (page < end && m->pages < MOST_PAGES) {
		guint64 heads[PAGES_AT_ONCE][2];
		struct iovec remote[PAGES_AT_ONCE], local = {heads, sizeof heads};
		guint count = MIN(PAGES_AT_ONCE, (guint)((end - page) / HD_PAGE));
		for (guint i = 0; i < count; i++)
			remote[i] = (struct iovec){GSIZE_TO_POINTER(page + i * HD_PAGE), CHUNK_HEAD};
		ssize_t got = process_vm_readv(m->work->reader, &local, 1, remote, count, 0);
		for (guint i = 0; i < count && (ssize_t)((i + 1) * CHUNK_HEAD) <= got; i++)
			if (page + i * HD_PAGE >= m->beyond && !region_at(m->work->heap, page + i * HD_PAGE))
				look_at_page(m, page + i * HD_PAGE, heads[i]);
		m->pages += count;
		page = MAX(page + count * HD_PAGE, m->beyond);
	}
}

static bool
are_counters(const work *w, guint32 number, guint32 most, guint32 allowed, const guint64 last[3])
{
	return last[2] == w->brk_start && number <= most && most <= allowed && last[0] <= last[1] &&
	       last[0] % HD_PAGE == 0 && (number == 0) == (last[0] == 0);
}

/* How many there are, and how large, as the library counts it. */
static bool
read_counters(const work *w, guint64 *number, guint64 *total)
{
	guint found = 0;
	for (gsize i = 0; i * WORD + sizeof(counters_new) <= w->words * WORD; i++) {
		const counters_new *new = (const void *)(w->data + i);
		const counters_old *old = (const void *)(w->data + i + 1); /* so that both end with the same word */
		bool is_new = are_counters(w, new->number, new->most, new->allowed, new->last);
		bool is_old = are_counters(w, old->number, old->most, old->allowed, old->last);
		if (!is_new && !is_old)
			continue;
		*number = is_new ? new->number : old->number;
		*total = new->last[0];
		found++;
	}
	return found == 1;
}

static bool
may_have_mapped(const hd_map *map)
{
	return map->path[0] == '\0' && map->readable && map->writable && !map->shared && !map->executable;
}

static void
add_mapped(work *w)
{
	guint64 number = 0, total = 0;
	mapped m = {.work = w, .blocks = g_array_new(false, false, sizeof(block))};
	const GArray *maps = hd_pages_maps(w->pages);
	bool counted = read_counters(w, &number, &total);
	for (guint i = 0; counted && i < maps->len && m.blocks->len < number; i++) {
		m.map = &g_array_index(maps, hd_map, i);
		if (may_have_mapped(m.map))
			hd_pages_each_in(w->pages, m.map, look_at_pages, &m);
	}
	if (counted && m.blocks->len == number && m.total == total)
		for (guint i = 0; i < m.blocks->len; i++) {
			block b = g_array_index(m.blocks, block, i);
			region r = {b.start, b.start + b.size, w->heap->blocks->len, 1};
			g_array_append_val(w->heap->blocks, b);
			g_array_append_val(w->heap->regions, r);
		}
	else
		w->heap->known = false;
	g_array_free(m.blocks, true);
}

/* ---- the whole ---- */

/* What their lists have is not in use, and they are the allocator's own. That of a thread that has ended may be in a
 * list itself: so lists come first. */
static void
take_caches(hd_heap *heap, GArray *caches)
{
	for (guint i = 0; i < caches->len; i++) {
		cache *c = &g_array_index(caches, cache, i);
		c->good = free_listed(heap, walk_cache, &c->lists);
	}
	for (guint i = 0; i < caches->len; i++) {
		const cache *c = &g_array_index(caches, cache, i);
		block *own = c->good ? block_that_starts(heap, c->start) : NULL;
		if (own)
			own->size = 0;
	}
}

static void
read_all(work *w)
{
	GArray *states = g_array_new(false, false, WORD);
	find_brk(w);
	add_arenas(w, states);
	g_array_sort(w->heap->regions, by_start);
	for (guint i = 0; i < states->len; i += STATE_WORDS)
		if (!free_listed(w->heap, walk_fastbins, &g_array_index(states, guint64, i)))
			w->heap->known = false;
	take_caches(w->heap, w->caches);
	add_mapped(w);
	g_array_sort(w->heap->regions, by_start);
	g_array_free(states, true);
}

hd_heap *
hd_heap_read(const hd_allocator *allocator, pid_t reader)
{
	hd_heap *heap = g_new0(hd_heap, 1);
	heap->blocks = g_array_new(false, false, sizeof(block));
	heap->regions = g_array_new(false, false, sizeof(region));
	heap->own = g_array_new(false, false, sizeof(region));
	work *w = g_new0(work, 1);
	*w = (work){.allocator = allocator, .reader = reader, .heap = heap, .pages = hd_pages_new(reader, NULL)};
	gsize size = allocator->data_start < allocator->data_end ? allocator->data_end - allocator->data_start : 0;
	w->data = g_malloc(size + 1);
	w->words = size / WORD;
	w->caches = g_array_new(false, false, sizeof(cache));
	if (w->pages && size && hd_memory_read(reader, allocator->data_start, w->data, size)) {
		heap->known = true;
		read_all(w);
	}
	hd_pages_free(w->pages);
	g_array_free(w->caches, true);
	g_free(w->data);
	g_free(w);
	return heap;
}

void
hd_heap_free(hd_heap *heap)
{
	if (!heap)
		return;
	g_array_free(heap->blocks, true);
	g_array_free(heap->regions, true);
	g_array_free(heap->own, true);
	g_free(heap);
}
