/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watcher's thread, and what its owner may ask of it. */
#include "config.h"

#include "watcher/watcher.h"

#include "base/error.h"
#include "base/fault.h"
#include "base/place.h"
#include "watcher/filesystem.h"
#include "watcher/outbox.h"
#include "watcher/prove.h"
#include "watcher/tree.h"
#include "watcher/vcs.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MS G_GINT64_CONSTANT(1000000)
#define SECOND (1000 * MS)

/* Events handled before other things get their turn. */
#define DRAIN 8192
/* A look at every stamp may take this part of the time between two. */
#define AUDIT_PART 2000
#define AUDIT_LEAST (2 * SECOND)
/* How long version control may hold back a batch: since the last change, and in all. */
#define VCS_QUIET (500 * MS)
#define VCS_LIMIT (10 * SECOND)

/* A message that never leaves: a path's text is another's from here on, or its
 * own. It queues with the others because the texts are as of what was taken. */
#define TEXTS ((hd_watch_kind)(HD_WATCH_WARNING + 1))

typedef struct {
	guint64 ticket;
	guint64 serial; /* what was pending below it comes first */
} barrier;

struct hd_watcher {
	char *project, *exclude;
	int poll_ms;
	gint64 start_ns;
	hd_outbox *outbox;
	hd_texts *texts;
	int wake; /* an eventfd: there is something below the lock to do */
	GThread *thread;
	GHashTable *named; /* char *: every path the owner ever gave; the owner's alone */

	GMutex lock;
	GCond changed; /* `started` or `added` */
	bool started, stop;
	GError *failure;      /* of the start */
	GPtrArray *files;     /* of char *: to be known */
	guint64 asked, added; /* how many calls of hd_watcher_add there were, and are done */
	guint64 ticket;	      /* the last barrier asked for */
	struct {
		const char *state, *file_system;
		guint folders, files, polled, overflows;
	} status;

	/* The thread's own. */
	hd_inotify *inotify; /* NULL: there is none */
	hd_tree *tree;
	hd_settle *settle;
	hd_vcs *vcs;
	const char *file_system;
	bool poll_all; /* nothing that the kernel says, or does not say, is relied on */
	bool lost;     /* events were lost: compare everything */
	guint overflows;
	guint generation, polled; /* hd_tree_polled as of that generation */
	guint64 barriers_seen;
	GArray *barriers; /* of barrier */
	gint64 now_ns;	  /* when the events in hand were read */
	gint64 next_poll_ns, next_audit_ns;
};

/* --- messages --- */

static void
file_change_free(hd_file_change *change)
{
	g_free(change->path);
	g_free(change->formerly);
	g_clear_pointer(&change->text, g_bytes_unref);
	g_free(change);
}

hd_watch_message *
hd_watch_message_new(hd_watch_kind kind)
{
	hd_watch_message *message = g_new0(hd_watch_message, 1);
	message->kind = kind;
	message->changes = g_ptr_array_new_with_free_func((GDestroyNotify)file_change_free);
	return message;
}

void
hd_watch_message_free(hd_watch_message *message)
{
	if (!message)
		return;
	g_clear_pointer(&message->changes, g_ptr_array_unref);
	g_free(message->code);
	g_free(message->message);
	g_free(message);
}

static void
say_warning(const char *code, const char *text, void *data)
{
	hd_watcher *watcher = data;
	hd_watch_message *message = hd_watch_message_new(HD_WATCH_WARNING);
	message->code = g_strdup(code);
	message->message = g_strdup(text);
	hd_outbox_put(watcher->outbox, message);
}

static hd_watch_message *
changes_message(hd_watch_kind kind, GPtrArray *files, gint64 written_ns)
{
	hd_watch_message *message = hd_watch_message_new(kind);
	message->written_ns = written_ns;
	for (guint i = 0; i < files->len; i++) {
		const hd_file *file = g_ptr_array_index(files, i);
		const hd_pending *pending = &file->pending;
		hd_file_change *change = g_new0(hd_file_change, 1);
		change->path = g_strdup(file->path);
		change->text = pending->text ? g_bytes_ref(pending->text) : NULL;
		if (file->real && g_strcmp0(file->real, pending->real) != 0)
			change->formerly = g_strdup(file->real);
		g_ptr_array_add(message->changes, change);
	}
	return message;
}

/* --- what the parts tell --- */

static void
on_touched(hd_file *file, hd_hint hint, void *data)
{
	hd_watcher *watcher = data;
	hd_settle_touch(watcher->settle, file, hint, watcher->now_ns);
}

static void
on_dropped(hd_file *file, void *data)
{
	hd_watcher *watcher = data;
	hd_settle_drop(watcher->settle, file);
}

static void
on_renamed(hd_file *file, GBytes *text, void *data)
{
	hd_watcher *watcher = data;
	hd_watch_message *message = hd_watch_message_new(TEXTS);
	hd_file_change *change = g_new0(hd_file_change, 1);
	change->path = g_strdup(file->path);
	change->formerly = g_strdup(file->real);
	change->text = text ? g_bytes_ref(text) : NULL;
	g_ptr_array_add(message->changes, change);
	hd_outbox_put(watcher->outbox, message);
}

static void
on_read(hd_file *file, hd_content *content, void *data)
{
	hd_watcher *watcher = data;
	hd_tree_was_read(watcher->tree, file, content);
}

static void
on_said(hd_file *file, GBytes *text, bool elsewhere, void *data)
{
	hd_watcher *watcher = data;
	hd_tree_was_said(watcher->tree, file, text, elsewhere);
}

static void
on_event(const hd_inotify_event *event, void *data)
{
	hd_watcher *watcher = data;
	char *path = NULL;
	if (event->mask & IN_Q_OVERFLOW) {
		watcher->overflows++;
		watcher->lost = true;
	}
	const char *verdict = hd_tree_event(watcher->tree, event, &path);
	hd_outbox_note(watcher->outbox, watcher->now_ns - watcher->start_ns, event->mask, path ? path : event->name,
		       verdict);
	g_free(path);
}

/* --- the loop --- */

static bool
drain(hd_watcher *watcher)
{
	hd_inotify_event event;
	int count = 0;
	while (watcher->inotify && count < DRAIN && hd_inotify_next(watcher->inotify, &event)) {
		on_event(&event, watcher);
		count++;
	}
	return count > 0;
}

static void
read_pending(hd_watcher *watcher)
{
	GPtrArray *early = hd_settle_read(watcher->settle);
	if (!early)
		return;
	gint64 written_ns = 0;
	for (guint i = 0; i < early->len; i++)
		written_ns = MAX(written_ns, ((hd_file *)g_ptr_array_index(early, i))->pending.written_ns);
	hd_outbox_put(watcher->outbox, changes_message(HD_WATCH_EARLY, early, written_ns));
	g_ptr_array_unref(early);
}

/* Handles and reads until the kernel has no more to say. An endless stream of
 * events must not keep the rest from its turn. */
static void
catch_up(hd_watcher *watcher)
{
	for (int round = 0; round < 64; round++) {
		watcher->now_ns = hd_now_ns();
		bool more = drain(watcher);
		read_pending(watcher);
		if (!more)
			return;
	}
}

static void
sweep(hd_watcher *watcher, hd_sweep kind)
{
	/* So tests can see what the events alone tell. */
	if (kind == HD_SWEEP_STAMPS && hd_fault("watcher.stamps"))
		return;
	watcher->now_ns = hd_now_ns();
	hd_tree_sweep(watcher->tree, kind);
	catch_up(watcher);
}

static void
recover(hd_watcher *watcher)
{
	if (!watcher->lost)
		return;
	watcher->lost = false;
	char *message =
		g_strdup_printf("the kernel lost events (%u times so far): every file is compared", watcher->overflows);
	say_warning("overflow", message, watcher);
	g_free(message);
	sweep(watcher, HD_SWEEP_CONTENTS);
}

static guint
polled(hd_watcher *watcher)
{
	if (watcher->generation != hd_tree_generation(watcher->tree)) {
		watcher->generation = hd_tree_generation(watcher->tree);
		watcher->polled = hd_tree_polled(watcher->tree);
	}
	return watcher->polled;
}

/* The looks at the disk that are due. */
static void
look(hd_watcher *watcher)
{
	gint64 start = hd_now_ns();
	if ((watcher->poll_all || polled(watcher) > 0) && start >= watcher->next_poll_ns) {
		sweep(watcher, watcher->poll_all ? HD_SWEEP_ALL : HD_SWEEP_POLLED);
		gint64 end = hd_now_ns();
		watcher->next_poll_ns = end + MAX(watcher->poll_ms * MS, 20 * (end - start));
	}
	start = hd_now_ns();
	if (start >= watcher->next_audit_ns) {
		sweep(watcher, HD_SWEEP_STAMPS);
		gint64 end = hd_now_ns();
		watcher->next_audit_ns = end + MAX(AUDIT_LEAST, AUDIT_PART * (end - start));
	}
}

/* Whether a checkout runs that the pending files may be part of. */
static bool
held(hd_watcher *watcher)
{
	gint64 first = hd_settle_first(watcher->settle), last = hd_settle_last(watcher->settle);
	gint64 now = hd_now_ns();
	return first >= 0 && now - first < VCS_LIMIT && now - last < VCS_QUIET && hd_vcs_busy(watcher->vcs, VCS_LIMIT);
}

static void
say_batches(hd_watcher *watcher)
{
	gint64 written_ns;
	GPtrArray *batch = hd_settle_take(watcher->settle, hd_now_ns(), held(watcher), &written_ns);
	if (!batch)
		return;
	hd_watch_message *message = changes_message(HD_WATCH_BATCH, batch, written_ns);
	/* First, so that the text behind a link that leads elsewhere is known with the batch. */
	hd_settle_said(watcher->settle, batch);
	hd_outbox_put(watcher->outbox, message);
	g_ptr_array_unref(batch);
}

static void
say_barriers(hd_watcher *watcher)
{
	guint64 oldest = hd_settle_oldest_serial(watcher->settle);
	while (watcher->barriers->len > 0 && g_array_index(watcher->barriers, barrier, 0).serial <= oldest) {
		hd_watch_message *message = hd_watch_message_new(HD_WATCH_BARRIER);
		message->barrier = g_array_index(watcher->barriers, barrier, 0).ticket;
		hd_outbox_put(watcher->outbox, message);
		g_array_remove_index(watcher->barriers, 0);
	}
}

static void
know(hd_watcher *watcher, GPtrArray *files)
{
	for (guint i = 0; i < files->len; i++)
		hd_tree_know(watcher->tree, g_ptr_array_index(files, i));
	hd_tree_warn(watcher->tree, watcher->poll_ms);
}

/* Does what the owner asked for. false: end. */
static bool
obey(hd_watcher *watcher)
{
	eventfd_t count;
	eventfd_read(watcher->wake, &count);
	g_mutex_lock(&watcher->lock);
	bool stop = watcher->stop;
	guint64 asked = watcher->asked, ticket = watcher->ticket;
	GPtrArray *files = watcher->files;
	watcher->files = g_ptr_array_new_with_free_func(g_free);
	g_mutex_unlock(&watcher->lock);

	watcher->now_ns = hd_now_ns();
	know(watcher, files);
	g_ptr_array_unref(files);
	g_mutex_lock(&watcher->lock);
	watcher->added = asked;
	g_cond_broadcast(&watcher->changed);
	g_mutex_unlock(&watcher->lock);

	if (ticket > watcher->barriers_seen) {
		/* Events are queued before the system call that caused them returns, so
		 * what was saved before the barrier was asked for is in the queue or on
		 * the disk: no cookie needs to be written. */
		catch_up(watcher);
		recover(watcher);
		sweep(watcher, watcher->poll_all ? HD_SWEEP_ALL : HD_SWEEP_POLLED);
		sweep(watcher, HD_SWEEP_STAMPS);
	}
	for (; watcher->barriers_seen < ticket; watcher->barriers_seen++) {
		barrier next = {watcher->barriers_seen + 1, hd_settle_next_serial(watcher->settle)};
		g_array_append_val(watcher->barriers, next);
	}
	return !stop;
}

static void
tell_status(hd_watcher *watcher)
{
	bool partly = polled(watcher) > 0;
	g_mutex_lock(&watcher->lock);
	watcher->status.state = watcher->poll_all ? "polling" : partly ? "degraded" : "ok";
	watcher->status.file_system = watcher->file_system;
	watcher->status.folders = hd_tree_folders(watcher->tree);
	watcher->status.files = hd_tree_files(watcher->tree);
	watcher->status.polled = watcher->polled;
	watcher->status.overflows = watcher->overflows;
	g_mutex_unlock(&watcher->lock);
}

static void
wait_for_events(hd_watcher *watcher)
{
	gint64 deadline = watcher->next_audit_ns;
	if (watcher->poll_all || polled(watcher) > 0)
		deadline = MIN(deadline, watcher->next_poll_ns);
	gint64 settled = hd_settle_deadline(watcher->settle);
	gint64 now = hd_now_ns();
	/* Due, and not said: version control holds its lock. */
	if (settled >= 0)
		deadline = MIN(deadline, settled > now ? settled : now + 2 * MS);
	gint64 wait = MAX(deadline - now, 0);
	struct timespec timeout = {.tv_sec = wait / SECOND, .tv_nsec = wait % SECOND};
	struct pollfd ready[2] = {{watcher->wake, POLLIN, 0}, {-1, POLLIN, 0}};
	if (watcher->inotify)
		ready[1].fd = hd_inotify_fd(watcher->inotify);
	ppoll(ready, 2, &timeout, NULL);
}

static void
run(hd_watcher *watcher)
{
	do {
		catch_up(watcher);
		recover(watcher);
		look(watcher);
		say_batches(watcher);
		say_barriers(watcher);
		hd_tree_warn(watcher->tree, watcher->poll_ms);
		tell_status(watcher);
		wait_for_events(watcher);
	} while (obey(watcher));
}

/* --- start and end of the thread --- */

static void
fall_back(hd_watcher *watcher, const char *why)
{
	watcher->poll_all = true;
	char *message = g_strdup_printf("%s (%s is on %s): the files are looked at every %d ms", why, watcher->project,
					watcher->file_system, watcher->poll_ms);
	say_warning("polling", message, watcher);
	g_free(message);
}

static bool
open_tree(hd_watcher *watcher, GError **error)
{
	bool shared;
	GError *refused = NULL;
	watcher->file_system = hd_filesystem_name(watcher->project, &shared);
	if (!g_file_test(watcher->project, G_FILE_TEST_IS_DIR) || hd_fault("watcher.start")) {
		g_set_error(error, HD_ERROR, HD_ERROR_WATCH, "%s is no folder that can be watched", watcher->project);
		return false;
	}
	watcher->inotify = hd_inotify_open(&refused);
	if (refused)
		fall_back(watcher, refused->message);
	else if (shared)
		fall_back(watcher, "other machines may write there, which this kernel does not report");
	g_clear_error(&refused);
	hd_tree_hooks hooks = {on_touched, on_dropped, on_renamed, say_warning, watcher};
	watcher->now_ns = hd_now_ns();
	watcher->tree = hd_tree_new(watcher->project, watcher->exclude, watcher->inotify, watcher->texts, &hooks);
	know(watcher, watcher->files);
	g_ptr_array_set_size(watcher->files, 0);
	if (watcher->inotify && !hd_prove(watcher->tree, watcher->inotify, 500, on_event, watcher) &&
	    !watcher->poll_all)
		fall_back(watcher, "the kernel does not report what happens there");
	hd_tree_warn(watcher->tree, watcher->poll_ms);
	watcher->next_poll_ns = hd_now_ns() + watcher->poll_ms * MS;
	watcher->next_audit_ns = hd_now_ns() + AUDIT_LEAST;
	return true;
}

static gpointer
thread_main(gpointer data)
{
	hd_watcher *watcher = data;
	GError *error = NULL;
	/* The default slack of 50 µs would be added to every settle time (prctl(2)). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	bool ok = open_tree(watcher, &error);
	if (ok)
		tell_status(watcher);
	g_mutex_lock(&watcher->lock);
	watcher->failure = error;
	watcher->started = true;
	g_cond_broadcast(&watcher->changed);
	g_mutex_unlock(&watcher->lock);
	if (ok)
		run(watcher);
	hd_settle_free(watcher->settle);
	hd_tree_free(watcher->tree);
	hd_inotify_close(watcher->inotify);
	return NULL;
}

/* The thread must never take a signal that the owner waits for. */
static GThread *
start_thread(hd_watcher *watcher, GError **error)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	GThread *thread = g_thread_try_new("watcher", thread_main, watcher, error);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return thread;
}

/* --- the owner's side --- */

/* Adds the path to files, unless the owner gave it before: what is known stays known. */
static void
name_file(hd_watcher *watcher, GPtrArray *files, const char *path)
{
	if (g_hash_table_add(watcher->named, g_strdup(path)))
		g_ptr_array_add(files, g_strdup(path));
}

static hd_watcher *
watcher_alloc(const hd_watcher_options *options)
{
	hd_watcher *watcher = g_new0(hd_watcher, 1);
	char *real = realpath(options->project, NULL);
	watcher->project = g_strdup(real ? real : options->project);
	free(real);
	watcher->exclude = g_strdup(options->exclude);
	watcher->poll_ms = options->poll_ms > 0 ? options->poll_ms : 500;
	watcher->start_ns = hd_now_ns();
	watcher->wake = -1;
	g_mutex_init(&watcher->lock);
	g_cond_init(&watcher->changed);
	watcher->files = g_ptr_array_new_with_free_func(g_free);
	watcher->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; options->files && i < options->files->len; i++)
		name_file(watcher, watcher->files, g_ptr_array_index(options->files, i));
	watcher->texts = hd_texts_new();
	watcher->barriers = g_array_new(FALSE, FALSE, sizeof(barrier));
	watcher->status.state = "ok";
	return watcher;
}

hd_watcher *
hd_watcher_new(const hd_watcher_options *options, GError **error)
{
	hd_watcher *watcher = watcher_alloc(options);
	watcher->outbox = hd_outbox_new(error);
	if (!watcher->outbox)
		goto failed;
	watcher->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watcher->wake < 0) {
		hd_error_set_errno(error, HD_ERROR_WATCH, errno, "no descriptor for the watcher");
		goto failed;
	}
	watcher->settle =
		hd_settle_new(options->settle_ms * MS, options->settle_limit_ms * MS, on_read, on_said, watcher);
	watcher->vcs = hd_vcs_new(watcher->project);
	watcher->thread = start_thread(watcher, error);
	if (!watcher->thread) {
		g_clear_pointer(&watcher->settle, hd_settle_free);
		goto failed;
	}
	g_mutex_lock(&watcher->lock);
	while (!watcher->started)
		g_cond_wait(&watcher->changed, &watcher->lock);
	g_mutex_unlock(&watcher->lock);
	if (watcher->failure) {
		g_propagate_error(error, g_steal_pointer(&watcher->failure));
		goto failed;
	}
	return watcher;
failed:
	hd_watcher_free(watcher);
	return NULL;
}

void
hd_watcher_free(hd_watcher *watcher)
{
	if (!watcher)
		return;
	if (watcher->thread) {
		g_mutex_lock(&watcher->lock);
		watcher->stop = true;
		g_mutex_unlock(&watcher->lock);
		eventfd_write(watcher->wake, 1);
		g_thread_join(watcher->thread);
	}
	if (watcher->wake >= 0)
		close(watcher->wake);
	hd_vcs_free(watcher->vcs);
	hd_outbox_free(watcher->outbox);
	hd_texts_free(watcher->texts);
	g_hash_table_unref(watcher->named);
	g_ptr_array_unref(watcher->files);
	g_array_unref(watcher->barriers);
	g_cond_clear(&watcher->changed);
	g_mutex_clear(&watcher->lock);
	g_free(watcher->project);
	g_free(watcher->exclude);
	g_free(watcher);
}

void
hd_watcher_add(hd_watcher *watcher, GPtrArray *files)
{
	GPtrArray *fresh = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < files->len; i++)
		name_file(watcher, fresh, g_ptr_array_index(files, i));
	/* Most builds read what earlier ones did: the thread is not asked then. */
	if (fresh->len > 0) {
		g_mutex_lock(&watcher->lock);
		g_ptr_array_extend_and_steal(watcher->files, g_steal_pointer(&fresh));
		guint64 mine = ++watcher->asked;
		eventfd_write(watcher->wake, 1);
		while (watcher->added < mine)
			g_cond_wait(&watcher->changed, &watcher->lock);
		g_mutex_unlock(&watcher->lock);
	}
	g_clear_pointer(&fresh, g_ptr_array_unref);
}

int
hd_watcher_fd(const hd_watcher *watcher)
{
	return hd_outbox_fd(watcher->outbox);
}

static void
keep_texts(hd_watcher *watcher, const hd_watch_message *message)
{
	for (guint i = 0; i < message->changes->len; i++) {
		const hd_file_change *change = g_ptr_array_index(message->changes, i);
		hd_texts_set(watcher->texts, change->path, change->text);
		if (message->kind == TEXTS)
			hd_texts_alias(watcher->texts, change->path, change->formerly);
	}
}

hd_watch_message *
hd_watcher_take(hd_watcher *watcher)
{
	hd_watch_message *message;
	while ((message = hd_outbox_take(watcher->outbox))) {
		if (message->kind == HD_WATCH_BATCH || message->kind == TEXTS)
			keep_texts(watcher, message);
		if (message->kind != TEXTS)
			break;
		hd_watch_message_free(message);
	}
	return message;
}

GBytes *
hd_watcher_text(hd_watcher *watcher, const char *path)
{
	return hd_texts_get(watcher->texts, path);
}

guint64
hd_watcher_barrier(hd_watcher *watcher)
{
	g_mutex_lock(&watcher->lock);
	guint64 ticket = ++watcher->ticket;
	g_mutex_unlock(&watcher->lock);
	eventfd_write(watcher->wake, 1);
	return ticket;
}

json_t *
hd_watcher_status(hd_watcher *watcher)
{
	g_mutex_lock(&watcher->lock);
	json_t *status = json_pack("{s:s, s:i, s:i, s:i, s:i, s:s}", "state", watcher->status.state, "folders",
				   (int)watcher->status.folders, "files", (int)watcher->status.files, "polled",
				   (int)watcher->status.polled, "overflows", (int)watcher->status.overflows,
				   "file_system", watcher->status.file_system);
	g_mutex_unlock(&watcher->lock);
	json_object_set_new(status, "last", hd_outbox_notes(watcher->outbox));
	return status;
}
