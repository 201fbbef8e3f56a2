/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For doctor: what this machine allows, tried where that can be done. */
#include "config.h"

#include "reloader/private.h"

#include "base/text.h"
#include "watcher/filesystem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LEAST_DESCRIPTORS = 256, LEAST_PROCESSES = 64, LEAST_SCRATCH = 64 << 20 };

/* Takes the message. */
static void
add_limit(json_t *limits, const char *name, bool ok, char *message, const char *remedy)
{
	json_array_append_new(limits, json_pack("{s:s, s:b, s:s, s:s*}", "name", name, "ok", ok, "message", message,
						"remedy", ok ? NULL : remedy));
	g_free(message);
}

/* -1: the file is not there. */
static long
number_in(const char *path)
{
	char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	long number = strtol(text, NULL, 10);
	g_free(text);
	return number;
}

/* Yama (Documentation/admin-guide/LSM/Yama.rst) lets 1 trace its descendants, which is all that is needed. */
static const char *
tracing_remedy(long scope)
{
	if (scope >= 3)
		return "ptrace_scope 3 stays until the machine is started anew; remove it from /etc/sysctl.d first";
	if (scope == 2)
		return "as root: sysctl kernel.yama.ptrace_scope=1";
	return "in a container, start that with --cap-add=SYS_PTRACE or without its seccomp profile; under SELinux: "
	       "setsebool deny_ptrace 0";
}

static void
add_tracing(json_t *limits)
{
	GError *error = NULL;
	long scope = number_in("/proc/sys/kernel/yama/ptrace_scope");
	bool ok = hd_target_may_trace(&error);
	char *message =
		ok ? g_strdup("a child was traced: programs can be stopped and changed") : g_strdup(error->message);
	add_limit(limits, "ptrace", ok, message, tracing_remedy(scope));
	g_clear_error(&error);
}

static void
add_watches(json_t *limits, guint folders)
{
	long most = number_in("/proc/sys/fs/inotify/max_user_watches");
	char *message = most < 0 ? g_strdup("inotify says nothing of its limits")
				 : g_strdup_printf("%ld folders can be watched, %u hold the sources", most, folders);
	add_limit(limits, "inotify watches", most < 0 || most > (long)folders, message,
		  "as root: sysctl fs.inotify.max_user_watches=524288; or name a smaller folder with --project");
	int instance = inotify_init1(IN_CLOEXEC);
	add_limit(limits, "inotify instances", instance >= 0,
		  instance >= 0 ? g_strdup("one can be had")
				: g_strdup_printf("none can be had: %s", g_strerror(errno)),
		  "end programs that watch files, or as root: sysctl fs.inotify.max_user_instances=1024");
	if (instance >= 0)
		close(instance);
}

static void
add_project(json_t *limits, const char *project)
{
	bool shared = false;
	const char *name = project ? hd_filesystem_name(project, &shared) : NULL;
	if (!name)
		return;
	add_limit(limits, "project", !shared,
		  g_strdup_printf(shared ? "%s is on %s: what another machine saves is found late"
					 : "%s is on %s: every save is reported by the kernel",
				  project, name),
		  "edit on this machine, or work on a local copy");
}

static void
add_resource(json_t *limits, const char *name, int resource, rlim_t least, const char *what, const char *remedy)
{
	struct rlimit limit;
	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return;
	char *message = limit.rlim_cur == RLIM_INFINITY
				? g_strdup_printf("%s: no limit", what)
				: g_strdup_printf("%s: %lu", what, (unsigned long)limit.rlim_cur);
	add_limit(limits, name, limit.rlim_cur >= least, message, remedy);
}

static void
add_scratch(json_t *limits, const char *scratch)
{
	struct statvfs space;
	if (!scratch || statvfs(scratch, &space) != 0)
		return;
	guint64 left = (guint64)space.f_bavail * space.f_frsize;
	char *size = hd_text_size(left);
	add_limit(limits, "scratch", left >= LEAST_SCRATCH, g_strdup_printf("%s for builds", size),
		  "make room where $XDG_RUNTIME_DIR is, or set TMPDIR and unset XDG_RUNTIME_DIR");
	g_free(size);
}

static void
add_libtcc(json_t *limits, const hd_reloader_options *options)
{
	if (options->compiler == HD_COMPILER_CC)
		return;
	bool ok = options->tcc && g_file_test(options->tcc, G_FILE_TEST_IS_EXECUTABLE);
	add_limit(
		limits, "libtcc", ok,
		g_strdup(ok ? "edits can be live in milliseconds" : "hotdev-tcc is not there: every edit waits for cc"),
		"install hotdev whole");
}

json_t *
hd_machine_limits(const hd_reloader *r, guint folders)
{
	json_t *limits = json_array();
	add_tracing(limits);
	add_watches(limits, folders);
	add_project(limits, r->model->project);
	add_resource(limits, "descriptors", RLIMIT_NOFILE, LEAST_DESCRIPTORS, "files that can be open",
		     "ulimit -n 1024");
	add_resource(limits, "processes", RLIMIT_NPROC, LEAST_PROCESSES, "processes of this user", "ulimit -u 4096");
	add_resource(limits, "memory", RLIMIT_AS, (rlim_t)1 << 31, "bytes that a process can map",
		     "ulimit -v unlimited; compilers and the program need more");
	add_resource(limits, "file size", RLIMIT_FSIZE, LEAST_SCRATCH, "bytes that a file can have",
		     "ulimit -f unlimited");
	add_scratch(limits, r->options.scratch);
	add_libtcc(limits, &r->options);
	return limits;
}
