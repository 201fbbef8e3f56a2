/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before the first save: the sources that were edited last, which are likely
 * to be edited next, are read ahead while nothing else is to be done, once
 * their commands are known to be right. What libtcc cannot read is said when
 * it is saved, not here. */
#include "config.h"

#include "reloader/private.h"

#include <sys/stat.h>

#define MOST 8

struct hd_warm {
	hd_reloader *reloader;
	GPtrArray *copies; /* of hd_copy *, borrowed; the next one last */
	hd_copy *copy;	   /* being read */
	hd_build *proof;   /* of its command, before it is read */
	hd_instant_task *task;
	guint source;
};

typedef struct {
	hd_copy *copy;
	gint64 modified_ns;
} aged;

static gint
older_first(gconstpointer a, gconstpointer b)
{
	gint64 x = ((const aged *)a)->modified_ns, y = ((const aged *)b)->modified_ns;
	return x < y ? -1 : x > y;
}

static GPtrArray *
edited_last(const hd_model *model)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(aged));
	for (guint m = 0; m < model->modules->len; m++) {
		const hd_module *module = g_ptr_array_index(model->modules, m);
		struct stat file;
		if (module->unreloadable || !module->copies->len || stat(module->path, &file) != 0)
			continue;
		aged a = {g_ptr_array_index(module->copies, 0),
			  (gint64)file.st_mtim.tv_sec * 1000000000 + file.st_mtim.tv_nsec};
		g_array_append_val(all, a);
	}
	g_array_sort(all, older_first);
	GPtrArray *copies = g_ptr_array_new();
	for (guint i = all->len > MOST ? all->len - MOST : 0; i < all->len; i++)
		g_ptr_array_add(copies, g_array_index(all, aged, i).copy);
	g_array_unref(all);
	return copies;
}

static gboolean step(gpointer data);

static void
soon(hd_warm *warm)
{
	warm->source = g_idle_add_full(G_PRIORITY_LOW, step, warm, NULL);
}

static void
was_read(hd_reading *reading, const char *why, void *data)
{
	(void)why;
	hd_warm *warm = data;
	warm->task = NULL;
	if (reading)
		hd_tier_adopt_reading(warm->reloader, warm->copy, reading);
	soon(warm);
}

static void
read_ahead(hd_warm *warm)
{
	warm->task = hd_tier_read_ahead(warm->reloader, warm->copy, was_read, warm);
	if (!warm->task)
		soon(warm);
}

static void prove(hd_warm *warm);

static void
was_proven(hd_build *build, hd_build_result *result, void *data)
{
	(void)build;
	hd_warm *warm = data;
	warm->proof = NULL;
	char *why = NULL;
	hd_origin origin = hd_origin_decide(warm->reloader, warm->copy, result, &why);
	g_free(why);
	hd_build_result_free(result);
	if (origin == HD_ORIGIN_CHANGED)
		prove(warm);
	else
		read_ahead(warm);
}

static void
prove(hd_warm *warm)
{
	warm->proof = hd_origin_prove(warm->reloader, warm->copy, true, was_proven, warm);
	if (!warm->proof)
		read_ahead(warm);
}

static gboolean
step(gpointer data)
{
	hd_warm *warm = data;
	warm->source = 0;
	if (!warm->copies->len)
		return G_SOURCE_REMOVE;
	warm->copy = g_ptr_array_remove_index(warm->copies, warm->copies->len - 1);
	prove(warm);
	return G_SOURCE_REMOVE;
}

void
hd_warm_begin(hd_reloader *r)
{
	if (!r->instant)
		return;
	r->warm = g_new0(hd_warm, 1);
	r->warm->reloader = r;
	r->warm->copies = edited_last(r->model);
	soon(r->warm);
}

void
hd_warm_end(hd_reloader *r)
{
	hd_warm *warm = r->warm;
	if (!warm)
		return;
	r->warm = NULL;
	g_clear_handle_id(&warm->source, g_source_remove);
	if (warm->proof)
		hd_build_cancel(warm->proof);
	if (warm->task)
		hd_instant_cancel(warm->task);
	g_ptr_array_unref(warm->copies);
	g_free(warm);
}
