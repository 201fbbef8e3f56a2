/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/settle.h"

/* How many limits a file that is empty and open for writing is waited for. */
#define BEGUN_LIMITS 20

struct hd_settle {
	gint64 settle_ns, limit_ns;
	GPtrArray *pending; /* of hd_file *, borrowed: those with pending.active */
	guint64 serial;
	bool touched; /* since the last pass over all */
	hd_settle_read_hook *read;
	hd_settle_said_hook *said;
	void *data;
};

hd_settle *
hd_settle_new(gint64 settle_ns, gint64 limit_ns, hd_settle_read_hook *read, hd_settle_said_hook *said, void *data)
{
	hd_settle *settle = g_new0(hd_settle, 1);
	settle->settle_ns = MAX(settle_ns, 0);
	settle->limit_ns = MAX(limit_ns, settle->settle_ns);
	settle->pending = g_ptr_array_new();
	settle->serial = 1;
	settle->read = read;
	settle->said = said;
	settle->data = data;
	return settle;
}

static void
pending_clear(hd_pending *pending)
{
	g_clear_pointer(&pending->text, g_bytes_unref);
	g_clear_pointer(&pending->real, g_free);
	*pending = (hd_pending){0};
}

void
hd_settle_free(hd_settle *settle)
{
	if (!settle)
		return;
	for (guint i = 0; i < settle->pending->len; i++)
		pending_clear(&((hd_file *)g_ptr_array_index(settle->pending, i))->pending);
	g_ptr_array_unref(settle->pending);
	g_free(settle);
}

void
hd_settle_drop(hd_settle *settle, hd_file *file)
{
	if (!file->pending.active)
		return;
	g_ptr_array_remove(settle->pending, file);
	pending_clear(&file->pending);
}

void
hd_settle_touch(hd_settle *settle, hd_file *file, hd_hint hint, gint64 now_ns)
{
	hd_pending *pending = &file->pending;
	if (!pending->active) {
		*pending = (hd_pending){.active = true, .serial = settle->serial++, .first_ns = now_ns};
		pending->seen = pending->told = file->said;
		g_ptr_array_add(settle->pending, file);
	}
	settle->touched = true;
	pending->last_ns = now_ns;
	pending->stale = true;
	if (hint == HD_HINT_WRITE)
		pending->open = true;
	else
		pending->hint_ns = now_ns;
	if (hint == HD_HINT_FINISH)
		pending->open = false;
}

static bool
complete(const hd_pending *pending)
{
	return !pending->open && pending->steady && pending->seen.exists && pending->text &&
	       g_bytes_get_size(pending->text) > 0;
}

/* Truncated by someone who still has it open, and nothing since: the text is about to come, however busy the machine
 * is. */
static bool
begun(const hd_pending *pending)
{
	return pending->open && !pending->stale && pending->text && g_bytes_get_size(pending->text) == 0;
}

static gint64
due_ns(const hd_settle *settle, const hd_pending *pending)
{
	if (complete(pending) && !pending->stale)
		return pending->last_ns + settle->settle_ns;
	return pending->last_ns + settle->limit_ns * (begun(pending) ? BEGUN_LIMITS : 1);
}

/* false: nothing can be said of it now. */
static bool
read_file(hd_settle *settle, hd_file *file)
{
	hd_pending *pending = &file->pending;
	hd_content content;
	hd_content_read(file->path, &content);
	pending->stale = false; /* unless the hook finds a reason to look again */
	hd_digest said = file->said;
	settle->read(file, &content, settle->data);
	if (content.status == HD_READ_DENIED) {
		hd_content_clear(&content);
		return false;
	}
	pending->steady = content.status != HD_READ_CHANGING;
	file->stamp = content.stamp;
	/* Through a link that leads elsewhere, another text may have been said. */
	if (!hd_digest_equal(content.digest, pending->seen) || !hd_digest_equal(said, file->said))
		pending->written_ns = MAX(pending->hint_ns, pending->open ? pending->last_ns : 0);
	pending->seen = content.digest;
	g_clear_pointer(&pending->text, g_bytes_unref);
	pending->text = g_steal_pointer(&content.text);
	g_free(pending->real);
	pending->real = g_steal_pointer(&content.real);
	hd_content_clear(&content);
	return true;
}

static bool
as_said(const hd_file *file)
{
	return hd_digest_equal(file->pending.seen, file->said);
}

static void
take_out(hd_settle *settle, guint index)
{
	hd_file *file = g_ptr_array_remove_index_fast(settle->pending, index);
	pending_clear(&file->pending);
}

/* What the file was last read to be holds from now on. */
static void
adopt(hd_settle *settle, guint index)
{
	hd_file *file = g_ptr_array_index(settle->pending, index);
	GBytes *text = g_steal_pointer(&file->pending.text);
	bool elsewhere = g_strcmp0(file->real, file->pending.real) != 0;
	file->said = file->pending.seen;
	g_free(file->real);
	file->real = g_steal_pointer(&file->pending.real);
	take_out(settle, index);
	settle->said(file, text, elsewhere, settle->data);
	g_clear_pointer(&text, g_bytes_unref);
}

/* Reads one file; whether its content may be built already. */
static bool
read_pending(hd_settle *settle, guint index)
{
	hd_file *file = g_ptr_array_index(settle->pending, index);
	hd_pending *pending = &file->pending;
	if (!pending->stale || pending->open)
		return false;
	if (!read_file(settle, file)) {
		take_out(settle, index);
		return false;
	}
	if (pending->stale)
		return false;
	bool back = as_said(file) && pending->steady;
	if (!hd_digest_equal(pending->seen, pending->told) && (back || complete(pending))) {
		pending->told = pending->seen;
		return true;
	}
	if (back)
		adopt(settle, index); /* though a link may lead elsewhere, to the same */
	return false;
}

GPtrArray *
hd_settle_read(hd_settle *settle)
{
	GPtrArray *early = g_ptr_array_new();
	/* The hooks may touch more files. */
	while (settle->touched) {
		settle->touched = false;
		for (guint i = settle->pending->len; i-- > 0;)
			if (read_pending(settle, i))
				g_ptr_array_add(early, g_ptr_array_index(settle->pending, i));
	}
	if (early->len == 0)
		g_clear_pointer(&early, g_ptr_array_unref);
	return early;
}

/* Whether a file changed after it was read and no hint told: one that is
 * polled, or was written through another hard link. */
static bool
moved_on(hd_file *file, gint64 now_ns)
{
	hd_stamp stamp;
	hd_stamp_take(file->path, &stamp);
	stamp.racy = false;
	hd_stamp before = file->stamp;
	before.racy = false;
	if (!hd_stamp_differs(&before, &stamp))
		return false;
	file->pending.last_ns = file->pending.hint_ns = now_ns;
	return true;
}

/* Brings every file that is due up to date, and drops what is as it was. */
static void
bring_up_to_date(hd_settle *settle, gint64 now_ns)
{
	for (guint i = settle->pending->len; i-- > 0;) {
		hd_file *file = g_ptr_array_index(settle->pending, i);
		hd_pending *pending = &file->pending;
		if (now_ns < due_ns(settle, pending))
			continue;
		bool read = !complete(pending) || moved_on(file, now_ns);
		if (read && !read_file(settle, file)) {
			take_out(settle, i);
			continue;
		}
		if (as_said(file) && !pending->stale)
			adopt(settle, i);
	}
}

GPtrArray *
hd_settle_take(hd_settle *settle, gint64 now_ns, bool held, gint64 *written_ns)
{
	if (held)
		return NULL;
	bring_up_to_date(settle, now_ns);
	bool all = settle->pending->len > 0;
	gint64 first_ns = G_MAXINT64;
	for (guint i = 0; i < settle->pending->len; i++) {
		const hd_pending *pending = &((hd_file *)g_ptr_array_index(settle->pending, i))->pending;
		all = all && !pending->stale && now_ns >= due_ns(settle, pending);
		first_ns = MIN(first_ns, pending->first_ns);
	}
	if (!all && (settle->pending->len == 0 || now_ns < first_ns + settle->limit_ns))
		return NULL;
	GPtrArray *batch = g_ptr_array_new();
	*written_ns = 0;
	for (guint i = 0; i < settle->pending->len; i++) {
		hd_file *file = g_ptr_array_index(settle->pending, i);
		hd_pending *pending = &file->pending;
		bool ready = !pending->stale && (complete(pending) || now_ns >= due_ns(settle, pending));
		if (!ready || as_said(file)) {
			pending->first_ns = now_ns;
			continue;
		}
		*written_ns = MAX(*written_ns, pending->written_ns);
		g_ptr_array_add(batch, file);
	}
	if (batch->len > 0)
		return batch;
	g_ptr_array_unref(batch);
	return NULL;
}

void
hd_settle_said(hd_settle *settle, GPtrArray *batch)
{
	for (guint i = 0; i < batch->len; i++) {
		guint index;
		if (g_ptr_array_find(settle->pending, g_ptr_array_index(batch, i), &index))
			adopt(settle, index);
	}
}

gint64
hd_settle_deadline(const hd_settle *settle)
{
	gint64 all_ns = -1, first_ns = G_MAXINT64;
	for (guint i = 0; i < settle->pending->len; i++) {
		const hd_pending *pending = &((hd_file *)g_ptr_array_index(settle->pending, i))->pending;
		all_ns = MAX(all_ns, due_ns(settle, pending));
		first_ns = MIN(first_ns, pending->first_ns);
	}
	return all_ns < 0 ? -1 : MIN(all_ns, first_ns + settle->limit_ns);
}

guint64
hd_settle_next_serial(const hd_settle *settle)
{
	return settle->serial;
}

guint64
hd_settle_oldest_serial(const hd_settle *settle)
{
	guint64 oldest = settle->serial;
	for (guint i = 0; i < settle->pending->len; i++)
		oldest = MIN(oldest, ((hd_file *)g_ptr_array_index(settle->pending, i))->pending.serial);
	return oldest;
}

gint64
hd_settle_last(const hd_settle *settle)
{
	gint64 last_ns = -1;
	for (guint i = 0; i < settle->pending->len; i++)
		last_ns = MAX(last_ns, ((hd_file *)g_ptr_array_index(settle->pending, i))->pending.last_ns);
	return last_ns;
}

gint64
hd_settle_first(const hd_settle *settle)
{
	gint64 first_ns = -1;
	for (guint i = 0; i < settle->pending->len; i++) {
		gint64 ns = ((hd_file *)g_ptr_array_index(settle->pending, i))->pending.first_ns;
		first_ns = first_ns < 0 ? ns : MIN(first_ns, ns);
	}
	return first_ns;
}
