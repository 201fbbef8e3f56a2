/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking in a process that runs the program's file anew.
 *
 * Its image is the file's: no mark, no arenas, no redirects, and its own data.
 * The program runs without address space randomisation (launch.c), which is
 * handed on by fork and exec, so the image lies where the others have theirs;
 * that is checked object by object, and a process that is laid out otherwise is
 * refused: every address that new code holds would be wrong there. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"

#include <string.h>

static bool
refuse(const hd_newcomer *newcomer, GError **error, const char *why)
{
	char *name = hd_process_name(newcomer->pid);
	g_set_error(error, HD_ERROR, HD_ERROR_IO, "process %d (%s) runs the program anew, and %s", (int)newcomer->pid,
		    name, why);
	g_free(name);
	return false;
}

static bool
not_yet(const hd_newcomer *newcomer, GError **error)
{
	g_set_error(error, HD_ERROR, HD_ERROR_BUSY, "process %d is being loaded", (int)newcomer->pid);
	return false;
}

static bool
is_same_object(const hd_target_object *a, const hd_target_object *b)
{
	return a->low == b->low && a->bias == b->bias && a->inode == b->inode && a->device == b->device;
}

static bool
has_object(const GPtrArray *objects, const hd_target_object *needed)
{
	for (guint i = 0; i < objects->len; i++)
		if (is_same_object(g_ptr_array_index(objects, i), needed))
			return true;
	return false;
}

/* The program itself is compared by what the kernel says of it: its file may have another name, and be a copy. */
static bool
check_objects(const hd_newcomer *newcomer, const GPtrArray *objects, GError **error)
{
	for (guint i = 1; i < newcomer->needed->len; i++) {
		const hd_target_object *needed = g_ptr_array_index(newcomer->needed, i);
		bool same = i < newcomer->startup
				    ? i < objects->len && is_same_object(g_ptr_array_index(objects, i), needed)
				    : has_object(objects, needed);
		if (same)
			continue;
		char *why = g_strdup_printf("has not %s where the others have it", needed->path);
		refuse(newcomer, error, why);
		g_free(why);
		return false;
	}
	return true;
}

static bool
check_layout(hd_target *target, const hd_newcomer *newcomer, GError **error)
{
	hd_auxiliary now;
	const hd_auxiliary *was = &target->auxiliary;
	/* Now that it stands still. */
	if (!hd_process_is_newcomer(target, newcomer->pid))
		return not_yet(newcomer, error);
	if (!hd_auxiliary_read(newcomer->pid, &now))
		return not_yet(newcomer, error);
	if (now.entry != was->entry || now.headers != was->headers || now.base != was->base || now.vdso != was->vdso)
		return refuse(newcomer, error,
			      "lies at other addresses: the system does not let hotdev switch their randomisation off");
	GPtrArray *objects = hd_objects_of(target, newcomer->pid);
	if (!objects)
		return not_yet(newcomer, error);
	bool good = check_objects(newcomer, objects, error);
	g_ptr_array_unref(objects);
	return good;
}

static bool
equip(hd_target *target, hd_thread *thread, GError **error)
{
	hd_inject inject;
	if (!hd_inject_begin(&inject, target, thread, error))
		return false;
	bool good = hd_mark_map(&inject, error);
	if (good && !hd_arenas_map_into(&inject, error)) {
		hd_mark_unmap(&inject);
		good = false;
	}
	return hd_inject_end(&inject, good ? error : NULL) && good;
}

static void
strip(hd_target *target, hd_thread *thread)
{
	hd_inject inject;
	if (!hd_inject_begin(&inject, target, thread, NULL))
		return;
	hd_arenas_unmap_from(&inject);
	hd_mark_unmap(&inject);
	hd_inject_end(&inject, NULL);
}

bool
hd_adopt_prepare(hd_stop *stop, const hd_newcomer *newcomer, GError **error)
{
	GPtrArray *threads = hd_stop_borrowable(stop);
	if (!threads || threads->len == 0) {
		if (threads)
			g_ptr_array_unref(threads);
		return not_yet(newcomer, error);
	}
	/* What it forked in this very moment is its copy. */
	bool good = check_layout(stop->target, newcomer, error);
	guint done = 0;
	for (; good && done < threads->len; done += good)
		good = equip(stop->target, g_ptr_array_index(threads, done), error);
	while (!good && done > 0)
		strip(stop->target, g_ptr_array_index(threads, --done));
	g_ptr_array_unref(threads);
	return good;
}

void
hd_adopt_withdraw(hd_stop *stop)
{
	GPtrArray *threads = hd_stop_borrowable(stop);
	for (guint i = 0; threads && i < threads->len; i++)
		strip(stop->target, g_ptr_array_index(threads, i));
	if (threads)
		g_ptr_array_unref(threads);
}

bool
hd_target_adopt(hd_target *target, pid_t pid, const GPtrArray *needed, guint startup, const hd_commit *commit,
		hd_commit_result *result, GError **error)
{
	enum { DEADLINE_MS = 20 };
	hd_newcomer newcomer = {.pid = pid, .needed = needed, .startup = startup};
	GError *failure = NULL;
	if (target->reshaped)
		return refuse(&newcomer, error, "its objects have not the shape that an edit has given the others'");
	if (hd_commit_newcomer(target, &newcomer, commit, DEADLINE_MS, result, &failure)) {
		hd_process_adopted(target, pid);
		return true;
	}
	/* Whatever went wrong in a process that is no more says nothing of it. */
	if (!hd_process_is_newcomer(target, pid))
		failure->code = HD_ERROR_GONE;
	g_propagate_error(error, failure);
	return false;
}
