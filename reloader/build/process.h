/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One child process: started cheaply, in a process group of its own, with its
 * output in memory, its end told through the main context.
 *
 *   start -> (ended is called once) -> free
 *   start -> kill -> free                 ended is not called after kill
 *
 * The child gets /dev/null as standard input and no other descriptor of ours. */
#ifndef HD_BUILD_PROCESS_H
#define HD_BUILD_PROCESS_H

#include <glib.h>
#include <stdbool.h>

typedef struct hd_process hd_process;

typedef struct {
	char *const *argv;
	char *const *environment;
	const char *directory;
	bool background; /* nice 19, SCHED_BATCH, idle input and output */
} hd_process_spec;

/* status as waitpid gives it, or this. */
#define HD_PROCESS_STATUS_LOST (-1)
typedef void hd_process_ended(hd_process *process, int status, void *data);

/* context may be NULL: the end is then only seen by hd_process_wait. HD_ERROR_IO: it cannot be run. */
hd_process *hd_process_start(const hd_process_spec *spec, GMainContext *context, hd_process_ended *ended, void *data,
			     GError **error);
/* Ended or never waited for; a process that still runs is killed and reaped. NULL is allowed. */
void hd_process_free(hd_process *process);

/* Bytes written so far, both streams in the order of writing. */
gint64 hd_process_output_size(const hd_process *process);
GString *hd_process_output(const hd_process *process);

/* SIGKILL to the whole group. */
void hd_process_kill(hd_process *process);
/* Reaps what has ended of the group. true: nothing of it is left. Never blocks. */
bool hd_process_gone(hd_process *process);
/* Stops or continues the whole group. */
void hd_process_suspend(hd_process *process, bool suspended);

/* Waits at most timeout_ms. false: it still runs. */
bool hd_process_wait(hd_process *process, int timeout_ms, int *status);

/* Starts, waits, kills after timeout_ms. The output, or NULL with an error. */
GString *hd_process_run(const hd_process_spec *spec, int timeout_ms, int *status, GError **error);

#endif
