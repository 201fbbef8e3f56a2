/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/outbox.h"

#include "base/error.h"
#include "watcher/inotify.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING 64

typedef struct {
	gint64 t_ns;
	uint32_t mask;
	char *path;
	const char *verdict;
} note;

struct hd_outbox {
	GMutex lock;
	GQueue messages; /* of hd_watch_message * */
	int fd;		 /* an eventfd, counting 1 exactly while messages wait */
	note ring[RING];
	guint64 noted;
};

hd_outbox *
hd_outbox_new(GError **error)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0) {
		hd_error_set_errno(error, HD_ERROR_WATCH, errno, "no descriptor for the watcher");
		return NULL;
	}
	hd_outbox *outbox = g_new0(hd_outbox, 1);
	g_mutex_init(&outbox->lock);
	g_queue_init(&outbox->messages);
	outbox->fd = fd;
	return outbox;
}

void
hd_outbox_free(hd_outbox *outbox)
{
	if (!outbox)
		return;
	g_queue_clear_full(&outbox->messages, (GDestroyNotify)hd_watch_message_free);
	for (guint i = 0; i < RING; i++)
		g_free(outbox->ring[i].path);
	close(outbox->fd);
	g_mutex_clear(&outbox->lock);
	g_free(outbox);
}

int
hd_outbox_fd(const hd_outbox *outbox)
{
	return outbox->fd;
}

void
hd_outbox_put(hd_outbox *outbox, hd_watch_message *message)
{
	g_mutex_lock(&outbox->lock);
	g_queue_push_tail(&outbox->messages, message);
	if (outbox->messages.length == 1)
		eventfd_write(outbox->fd, 1);
	g_mutex_unlock(&outbox->lock);
}

hd_watch_message *
hd_outbox_take(hd_outbox *outbox)
{
	eventfd_t count;
	g_mutex_lock(&outbox->lock);
	hd_watch_message *message = g_queue_pop_head(&outbox->messages);
	if (message && outbox->messages.length == 0)
		eventfd_read(outbox->fd, &count);
	g_mutex_unlock(&outbox->lock);
	return message;
}

void
hd_outbox_note(hd_outbox *outbox, gint64 t_ns, uint32_t mask, const char *path, const char *verdict)
{
	g_mutex_lock(&outbox->lock);
	note *slot = &outbox->ring[outbox->noted++ % RING];
	g_free(slot->path);
	*slot = (note){t_ns, mask, g_strdup(path), verdict};
	g_mutex_unlock(&outbox->lock);
}

json_t *
hd_outbox_notes(hd_outbox *outbox)
{
	json_t *notes = json_array();
	g_mutex_lock(&outbox->lock);
	for (guint64 i = outbox->noted > RING ? outbox->noted - RING : 0; i < outbox->noted; i++) {
		const note *slot = &outbox->ring[i % RING];
		char *mask = hd_inotify_mask_name(slot->mask);
		/* A file name is bytes; JSON is UTF-8. */
		char *path = g_utf8_make_valid(slot->path ? slot->path : "", -1);
		json_array_append_new(notes, json_pack("{s:f, s:s, s:s, s:s}", "t", (double)slot->t_ns / 1e9, "mask",
						       mask, "path", path, "verdict", slot->verdict));
		g_free(mask);
		g_free(path);
	}
	g_mutex_unlock(&outbox->lock);
	return notes;
}
