/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes are the program's: those that hold the mark. It lies in a
 * shared mapping, so fork hands it on, whoever the parent is now, and exec
 * takes it away. Nothing here stops anything. */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKED_WITHOUT_EXEC 0x40 /* PF_FORKNOEXEC, include/linux/sched.h */
#define MOST_ENDED 1024

/* Reads a small file of /proc whole; false: gone. */
static bool
read_small(char *out, gsize room, const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got = read(fd, out, room - 1);
	close(fd);
	out[got < 0 ? 0 : got] = '\0';
	return got > 0;
}

static bool
read_of(char *out, gsize room, pid_t pid, const char *what)
{
	char name[64];
	g_snprintf(name, sizeof name, "/proc/%d/%s", (int)pid, what);
	return read_small(out, room, name);
}

typedef struct {
	char state;
	pid_t parent;
	unsigned int flags;
} process_stat;

/* proc(5), /proc/pid/stat: (3) state, (4) ppid, (9) flags; the name in parentheses may hold anything. */
static bool
read_stat(pid_t pid, process_stat *stat)
{
	char text[1024];
	if (!read_of(text, sizeof text, pid, "stat"))
		return false;
	char *after = strrchr(text, ')');
	int parent;
	if (!after || sscanf(after + 1, " %c %d %*d %*d %*d %*d %u", &stat->state, &parent, &stat->flags) != 3)
		return false;
	stat->parent = parent;
	return true;
}

hd_births
hd_births_now(void)
{
	/* proc(5), /proc/loadavg: fourth field, processes and threads that exist after the slash; fifth, the pid given
	 * last. */
	char text[128];
	hd_births births = {0, 0};
	if (read_small(text, sizeof text, "/proc/loadavg")) {
		const char *slash = strrchr(text, '/'), *space = strrchr(text, ' ');
		births.existing = slash ? g_ascii_strtoull(slash + 1, NULL, 10) : 0;
		births.last = space ? g_ascii_strtoull(space + 1, NULL, 10) : 0;
	}
	return births;
}

bool
hd_thread_status(pid_t tid, char *state, pid_t *tracer)
{
	char text[4096];
	if (!read_of(text, sizeof text, tid, "status"))
		return false;
	const char *state_line = strstr(text, "\nState:\t"), *tracer_line = strstr(text, "\nTracerPid:\t");
	if (!state_line || !tracer_line)
		return false;
	*state = state_line[8];
	*tracer = atoi(tracer_line + 12);
	return true;
}

char *
hd_process_name(pid_t pid)
{
	char text[64];
	if (!read_of(text, sizeof text, pid, "comm"))
		return g_strdup("?");
	return g_strdup(g_strchomp(text));
}

/* A process that we may not look into: the program's all the same, if it and
 * every ancestor up to the first process were forked and never called exec. */
static bool
is_hidden_child(const hd_target *target, pid_t pid)
{
	for (int depth = 0; depth < 64; depth++) {
		process_stat stat;
		if (pid == target->pid)
			return true;
		if (pid <= 1 || !read_stat(pid, &stat) || !(stat.flags & FORKED_WITHOUT_EXEC) || stat.state == 'Z')
			return false;
		pid = stat.parent;
	}
	return false;
}

static bool
has_mark(const hd_target *target, pid_t tid)
{
	guint8 token[HD_TOKEN];
	return hd_memory_read(tid, target->mark.address, token, sizeof token) &&
	       memcmp(token, target->mark.view, sizeof token) == 0;
}

pid_t
hd_process_reader(const hd_target *target, pid_t pid)
{
	if (has_mark(target, pid))
		return pid;
	/* A first thread that ended before the others has no memory of its own any more. */
	pid_t reader = 0;
	GArray *tids = g_array_new(false, false, sizeof(pid_t));
	hd_process_threads(pid, tids);
	for (guint i = 0; i < tids->len && !reader; i++)
		if (g_array_index(tids, pid_t, i) != pid && has_mark(target, g_array_index(tids, pid_t, i)))
			reader = g_array_index(tids, pid_t, i);
	g_array_free(tids, true);
	return reader;
}

pid_t
hd_target_witness(hd_target *target)
{
	/* Before the mark is there, the first process is all there is. */
	pid_t reader = target->mark.address ? hd_process_reader(target, target->pid) : target->pid;
	if (reader)
		return reader;
	GArray *pids = hd_process_find(target, NULL);
	for (guint i = 0; pids && i < pids->len && !reader; i++)
		reader = hd_process_reader(target, g_array_index(pids, pid_t, i));
	if (pids)
		g_array_free(pids, true);
	return reader;
}

/* ---- kin ---- */

static guint64
inode_of(pid_t pid)
{
	char name[64];
	struct stat status;
	g_snprintf(name, sizeof name, "/proc/%d", (int)pid);
	return stat(name, &status) == 0 ? status.st_ino : 0;
}

static hd_kin *
kin_of(const hd_target *target, pid_t pid, guint64 inode)
{
	hd_kin *kin = g_hash_table_lookup(target->kin, GINT_TO_POINTER(pid));
	return kin && kin->inode == inode ? kin : NULL;
}

/* One of the program's processes started it, or something that one of them started; orphans are ours. */
static bool
is_kin(const hd_target *target, pid_t pid)
{
	for (int depth = 0; depth < 64 && pid > 1; depth++) {
		process_stat stat;
		gpointer key = GINT_TO_POINTER(pid);
		if (pid == target->pid || pid == getpid() || g_hash_table_contains(target->family, key) ||
		    kin_of(target, pid, inode_of(pid)))
			return true;
		if (!read_stat(pid, &stat))
			return false;
		pid = stat.parent;
	}
	return false;
}

static void
note_other(hd_target *target, pid_t pid, guint64 inode)
{
	gpointer key = GINT_TO_POINTER(pid);
	if (!is_kin(target, pid)) {
		g_hash_table_insert(target->others, key, GSIZE_TO_POINTER(inode));
		return;
	}
	hd_kin *kin = g_new0(hd_kin, 1);
	kin->inode = inode;
	g_hash_table_insert(target->kin, key, kin);
}

/* Byte for byte: a program that was built anew is another one, and a copy is not. */
static bool
same_content(int a, int b, off_t size)
{
	enum { ROOM = 64 * 1024 };
	guint8 *mine = g_malloc(2 * ROOM), *theirs = mine + ROOM;
	bool same = true;
	for (off_t at = 0; same && at < size; at += ROOM) {
		size_t wanted = (size_t)MIN(size - at, ROOM);
		same = pread(a, mine, wanted, at) == (ssize_t)wanted &&
		       pread(b, theirs, wanted, at) == (ssize_t)wanted && memcmp(mine, theirs, wanted) == 0;
	}
	g_free(mine);
	return same;
}

static bool
is_program(const hd_target *target, const char *path, const struct stat *status)
{
	struct stat program;
	if (fstat(target->file, &program) < 0 || program.st_size != status->st_size ||
	    program.st_mtim.tv_sec != target->built.tv_sec || program.st_mtim.tv_nsec != target->built.tv_nsec)
		return false;
	if (program.st_dev == status->st_dev && program.st_ino == status->st_ino)
		return true;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool same = fd >= 0 && same_content(target->file, fd, program.st_size);
	if (fd >= 0)
		close(fd);
	return same;
}

/* A process may call exec any number of times: only what it ran at the last look is known. */
static bool
runs_program(const hd_target *target, pid_t pid, hd_kin *kin)
{
	char path[64];
	struct stat status;
	g_snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	if (stat(path, &status) < 0)
		return false;
	bool known = kin->looked && kin->device == status.st_dev && kin->file == status.st_ino &&
		     kin->modified.tv_sec == status.st_mtim.tv_sec && kin->modified.tv_nsec == status.st_mtim.tv_nsec;
	if (!known) {
		bool same = is_program(target, path, &status);
		*kin = (hd_kin){kin->inode, status.st_dev, status.st_ino, status.st_mtim, true, same};
	}
	return kin->same;
}

bool
hd_process_is_newcomer(hd_target *target, pid_t pid)
{
	hd_kin *kin = kin_of(target, pid, inode_of(pid));
	return kin && runs_program(target, pid, kin);
}

void
hd_process_adopted(hd_target *target, pid_t pid)
{
	gpointer key = GINT_TO_POINTER(pid);
	g_hash_table_remove(target->kin, key);
	g_hash_table_add(target->family, key);
	g_hash_table_add(target->adopted, key);
	target->agentless = true;
}

/* ---- which processes are the program's ---- */

typedef enum { OTHER, OURS, HIDDEN, ENDED } membership;

static membership
classify(hd_target *target, pid_t pid)
{
	guint8 token[HD_TOKEN];
	errno = 0;
	if (hd_memory_read(pid, target->mark.address, token, sizeof token))
		return memcmp(token, target->mark.view, sizeof token) == 0 ? OURS : OTHER;
	if (errno == ESRCH) {
		if (hd_process_reader(target, pid))
			return OURS;
		/* One thread without memory: the kernel's own, or about to be reaped. */
		GArray *tids = g_array_new(false, false, sizeof(pid_t));
		hd_process_threads(pid, tids);
		membership result = tids->len == 1 ? OTHER : ENDED;
		g_array_free(tids, true);
		return result;
	}
	if (errno == EPERM)
		return is_hidden_child(target, pid) ? HIDDEN : OTHER;
	return OTHER;
}

GArray *
hd_process_find(hd_target *target, GError **error)
{
	DIR *directory = hd_fault("target.proc") ? NULL : opendir("/proc");
	if (!directory) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot read /proc");
		return NULL;
	}
	GArray *found = g_array_new(false, false, sizeof(pid_t));
	pid_t hidden = 0;
	guint living = 0;
	struct dirent *entry;
	while ((entry = readdir(directory))) {
		pid_t pid = atoi(entry->d_name);
		if (pid <= 0 || pid == getpid())
			continue;
		living++;
		/* Who has no mark never gets one but by us; /proc gives a new process that has its pid a new inode. */
		gpointer inode = GSIZE_TO_POINTER(entry->d_ino);
		if (g_hash_table_lookup(target->others, GINT_TO_POINTER(pid)) == inode ||
		    kin_of(target, pid, entry->d_ino))
			continue;
		switch (classify(target, pid)) {
		case OURS:
			g_array_append_val(found, pid);
			g_hash_table_add(target->family, GINT_TO_POINTER(pid));
			break;
		case HIDDEN:
			hidden = pid;
			break;
		case OTHER:
			note_other(target, pid, entry->d_ino);
			break;
		case ENDED:
			break;
		}
	}
	closedir(directory);
	/* Most of them have ended: who has not is looked at once more. */
	if (g_hash_table_size(target->others) > MOST_ENDED + 2 * living)
		g_hash_table_remove_all(target->others);
	if (hidden) {
		char *name = hd_process_name(hidden);
		g_set_error(error, HD_ERROR, HD_ERROR_DENIED,
			    "process %d (%s) of the program runs as another user or forbids tracing", (int)hidden,
			    name);
		g_free(name);
		g_array_free(found, true);
		return NULL;
	}
	return found;
}

void
hd_target_look(hd_target *target)
{
	GArray *pids = hd_process_find(target, NULL);
	if (pids)
		g_array_free(pids, true);
}

GArray *
hd_target_newcomers(hd_target *target)
{
	GArray *pids = g_array_new(false, false, sizeof(pid_t));
	GHashTableIter iter;
	gpointer key, kin;
	g_hash_table_iter_init(&iter, target->kin);
	while (g_hash_table_iter_next(&iter, &key, &kin)) {
		pid_t pid = GPOINTER_TO_INT(key);
		if (inode_of(pid) != ((hd_kin *)kin)->inode)
			g_hash_table_iter_remove(&iter);
		else if (runs_program(target, pid, kin))
			g_array_append_val(pids, pid);
	}
	return pids;
}

void
hd_process_threads(pid_t pid, GArray *tids)
{
	char name[64];
	g_snprintf(name, sizeof name, "/proc/%d/task", (int)pid);
	/* A listing ends early when the thread that it stands at ends meanwhile; the link count says how many
	 * there should have been (fs/proc/base.c: proc_task_readdir, proc_task_getattr). */
	for (int attempt = 0; attempt < 100; attempt++) {
		DIR *directory = opendir(name);
		if (!directory)
			return;
		g_array_set_size(tids, 0);
		struct dirent *entry;
		while ((entry = readdir(directory))) {
			pid_t tid = atoi(entry->d_name);
			if (tid > 0)
				g_array_append_val(tids, tid);
		}
		struct stat status;
		bool complete = fstat(dirfd(directory), &status) < 0 || status.st_nlink <= tids->len + 2;
		closedir(directory);
		if (complete)
			return;
	}
}

static void
free_process(void *data)
{
	hd_target_process *process = data;
	g_free(process->name);
	g_array_free(process->threads, true);
	g_free(process);
}

/* Children that the program orphaned are ours since we are the subreaper. */
void
hd_process_reap(hd_target *target)
{
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, target->family);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		pid_t pid = GPOINTER_TO_INT(key);
		process_stat stat;
		int status;
		if (pid == target->pid)
			continue;
		if (!read_stat(pid, &stat) || (stat.state == 'Z' && waitpid(pid, &status, WNOHANG | __WALL) == pid)) {
			g_hash_table_remove(target->adopted, key);
			g_hash_table_iter_remove(&iter);
		}
	}
}

static GPtrArray *
walk(hd_target *target)
{
	GPtrArray *processes = g_ptr_array_new_with_free_func(free_process);
	GArray *pids = hd_process_find(target, NULL);
	hd_process_reap(target);
	for (guint i = 0; pids && i < pids->len; i++) {
		pid_t pid = g_array_index(pids, pid_t, i);
		process_stat stat;
		if (!read_stat(pid, &stat))
			continue;
		GArray *tids = g_array_new(false, false, sizeof(pid_t));
		hd_process_threads(pid, tids);
		hd_target_process *process = g_new0(hd_target_process, 1);
		process->pid = pid;
		process->ppid = stat.parent;
		process->adopted = g_hash_table_contains(target->adopted, GINT_TO_POINTER(pid));
		process->name = hd_process_name(pid);
		process->threads = g_array_new(false, false, sizeof(hd_target_thread));
		for (guint t = 0; t < tids->len; t++) {
			hd_target_thread thread = {.tid = g_array_index(tids, pid_t, t)};
			char *thread_name = hd_process_name(thread.tid);
			g_strlcpy(thread.name, thread_name, sizeof thread.name);
			g_free(thread_name);
			g_array_append_val(process->threads, thread);
		}
		g_array_free(tids, true);
		g_ptr_array_insert(processes, pid == target->pid ? 0 : -1, process);
	}
	if (pids)
		g_array_free(pids, true);
	return processes;
}

/* An orphan is handed on to us the moment its parent ends; a walk that misses it
 * on the way finds it the next time. So only two walks that find nobody say that nobody is left. */
GPtrArray *
hd_target_processes(hd_target *target)
{
	GPtrArray *processes = walk(target);
	if (processes->len)
		return processes;
	g_ptr_array_unref(processes);
	return walk(target);
}

static void
clear_stranger(void *stranger)
{
	g_free(((hd_target_stranger *)stranger)->runs);
}

GArray *
hd_target_strangers(hd_target *target)
{
	GArray *strangers = g_array_new(false, false, sizeof(hd_target_stranger));
	g_array_set_clear_func(strangers, clear_stranger);
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, target->kin);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		pid_t pid = GPOINTER_TO_INT(key);
		process_stat stat;
		char name[64];
		if (!read_stat(pid, &stat) || stat.state == 'Z' || stat.state == 'X')
			continue;
		g_snprintf(name, sizeof name, "/proc/%d/exe", (int)pid);
		char *runs = g_file_read_link(name, NULL);
		hd_target_stranger stranger = {pid, stat.parent, runs ? runs : g_strdup("another program")};
		g_array_append_val(strangers, stranger);
	}
	return strangers;
}

/* Every living process below the first one, and every one that holds the mark, wherever it is now. */
GArray *
hd_process_descendants(hd_target *target)
{
	GArray *pids = hd_process_find(target, NULL);
	if (!pids)
		pids = g_array_new(false, false, sizeof(pid_t));
	GHashTable *known = g_hash_table_new(NULL, NULL);
	g_hash_table_add(known, GINT_TO_POINTER(target->pid));
	for (guint i = 0; i < pids->len; i++)
		g_hash_table_add(known, GINT_TO_POINTER(g_array_index(pids, pid_t, i)));
	process_stat first;
	if (g_hash_table_size(known) > pids->len && !target->ended && read_stat(target->pid, &first) &&
	    first.state != 'Z')
		g_array_append_val(pids, target->pid);
	/* Each pass goes one generation down. */
	bool more = true;
	while (more) {
		DIR *directory = opendir("/proc");
		struct dirent *entry;
		more = false;
		while (directory && (entry = readdir(directory))) {
			pid_t pid = atoi(entry->d_name);
			process_stat stat;
			if (pid <= 0 || g_hash_table_contains(known, GINT_TO_POINTER(pid)) || !read_stat(pid, &stat) ||
			    stat.state == 'Z' || !g_hash_table_contains(known, GINT_TO_POINTER(stat.parent)))
				continue;
			g_hash_table_add(known, GINT_TO_POINTER(pid));
			g_hash_table_add(target->family, GINT_TO_POINTER(pid));
			g_array_append_val(pids, pid);
			more = true;
		}
		if (directory)
			closedir(directory);
	}
	g_hash_table_destroy(known);
	return pids;
}
