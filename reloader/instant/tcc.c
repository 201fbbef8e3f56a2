/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process, its memory, and the queue of questions. */
#include "config.h"

#include "reloader/instant/tcc.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_LIMIT_MS 2000
#define PAGES_MOST 65536 /* 256 MiB: what libtcc has not given back by then, it has lost */

extern char **environ;

struct hd_tcc_question {
	hd_wire_task task;
	GByteArray *fields;
};

typedef struct {
	guint ticket;
	hd_tcc_question *question;
	hd_tcc_done *done;
	void *data;
} waiting;

struct hd_tcc {
	char *program;
	pid_t pid; /* 0: none */
	int socket;
	char *memory; /* NULL: none */
	guint source, deadline, delivery;
	guint time_limit;
	GQueue queue; /* of waiting *; the first is being answered while `asked` */
	bool asked;
	guint last_ticket;
};

/* ---- questions ---- */

hd_tcc_question *
hd_tcc_question_new(hd_wire_task task)
{
	hd_tcc_question *question = g_new0(hd_tcc_question, 1);
	question->task = task;
	question->fields = g_byte_array_sized_new(4096);
	return question;
}

void
hd_tcc_question_add(hd_tcc_question *question, hd_wire_kind kind, const char *text, gssize size)
{
	static const guint8 end;
	hd_wire_field field = {kind, (uint32_t)(size < 0 ? (gssize)strlen(text) : size)};
	g_byte_array_append(question->fields, (const guint8 *)&field, sizeof field);
	g_byte_array_append(question->fields, (const guint8 *)text, field.size);
	g_byte_array_append(question->fields, &end, 1);
}

void
hd_tcc_question_free(hd_tcc_question *question)
{
	g_byte_array_unref(question->fields);
	g_free(question);
}

static void
waiting_free(waiting *w)
{
	hd_tcc_question_free(w->question);
	g_free(w);
}

/* ---- the process ---- */

static gboolean on_answer(gint fd, GIOCondition condition, gpointer data);

static void
stop(hd_tcc *tcc)
{
	g_clear_handle_id(&tcc->source, g_source_remove);
	g_clear_handle_id(&tcc->deadline, g_source_remove);
	if (tcc->socket >= 0)
		close(tcc->socket);
	if (tcc->memory)
		munmap(tcc->memory, 2 * HD_WIRE_HALF);
	if (tcc->pid) {
		kill(tcc->pid, SIGKILL);
		while (waitpid(tcc->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	tcc->socket = -1;
	tcc->memory = NULL;
	tcc->pid = 0;
}

/* The two descriptors are first led out of each other's way. */
static bool
spawn(hd_tcc *tcc, int socket, int memory)
{
	char *argv[] = {tcc->program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, socket, HD_WIRE_SOCKET);
	posix_spawn_file_actions_adddup2(&actions, memory, HD_WIRE_MEMORY);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, 0, 2);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	bool good = !hd_fault("instant.spawn") &&
		    posix_spawn(&tcc->pid, tcc->program, &actions, &attributes, argv, environ) == 0;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (!good)
		tcc->pid = 0;
	return good;
}

static bool
start(hd_tcc *tcc)
{
	int pair[2] = {-1, -1}, far = -1;
	int memory = memfd_create("hotdev-tcc", MFD_CLOEXEC);
	bool good = memory >= 0 && ftruncate(memory, 2 * HD_WIRE_HALF) == 0 &&
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
	if (good) {
		void *mapped = mmap(NULL, 2 * HD_WIRE_HALF, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
		tcc->memory = mapped == MAP_FAILED ? NULL : mapped;
		tcc->socket = pair[0];
		/* Above those that the child is given, so that no dup2 hits the other's source. */
		far = fcntl(pair[1], F_DUPFD_CLOEXEC, HD_WIRE_MEMORY + 1);
		int far_memory = fcntl(memory, F_DUPFD_CLOEXEC, HD_WIRE_MEMORY + 1);
		good = tcc->memory && far >= 0 && far_memory >= 0 && spawn(tcc, far, far_memory);
		if (far_memory >= 0)
			close(far_memory);
		if (far >= 0)
			close(far);
		close(pair[1]);
	}
	if (memory >= 0)
		close(memory);
	if (good)
		tcc->source = g_unix_fd_add(tcc->socket, G_IO_IN | G_IO_HUP | G_IO_ERR, on_answer, tcc);
	else
		stop(tcc);
	return good;
}

hd_tcc *
hd_tcc_new(const char *program)
{
	hd_tcc *tcc = g_new0(hd_tcc, 1);
	tcc->program = g_strdup(program);
	tcc->socket = -1;
	tcc->time_limit = TIME_LIMIT_MS;
	g_queue_init(&tcc->queue);
	start(tcc);
	return tcc;
}

void
hd_tcc_set_time_limit(hd_tcc *tcc, guint milliseconds)
{
	tcc->time_limit = milliseconds;
}

void
hd_tcc_free(hd_tcc *tcc)
{
	if (!tcc)
		return;
	stop(tcc);
	g_clear_handle_id(&tcc->delivery, g_source_remove);
	g_queue_clear_full(&tcc->queue, (GDestroyNotify)waiting_free);
	g_free(tcc->program);
	g_free(tcc);
}

/* ---- the queue ---- */

static void pump(hd_tcc *tcc);

static void
deliver(hd_tcc *tcc, const hd_tcc_answer *answer)
{
	waiting *w = g_queue_pop_head(&tcc->queue);
	tcc->asked = false;
	g_clear_handle_id(&tcc->deadline, g_source_remove);
	if (w->done)
		w->done(answer, w->data);
	waiting_free(w);
	pump(tcc);
}

static const hd_tcc_answer no_answer = {.lost = true, .text = "", .messages = ""};

static void
lose(hd_tcc *tcc)
{
	stop(tcc);
	if (tcc->asked)
		deliver(tcc, &no_answer);
}

static gboolean
took_too_long(gpointer data)
{
	hd_tcc *tcc = data;
	tcc->deadline = 0;
	lose(tcc);
	return G_SOURCE_REMOVE;
}

/* What the other side says of sizes is not trusted: it may have gone wild before it died. */
static bool
read_answer(const hd_tcc *tcc, hd_wire_answer *said)
{
	return recv(tcc->socket, said, sizeof *said, MSG_DONTWAIT) == sizeof *said && tcc->asked &&
	       said->size < HD_WIRE_HALF && said->messages < HD_WIRE_HALF - said->size;
}

static gboolean
on_answer(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd;
	(void)condition;
	hd_tcc *tcc = data;
	hd_wire_answer said;
	if (!read_answer(tcc, &said)) {
		tcc->source = 0;
		lose(tcc);
		return G_SOURCE_REMOVE;
	}
	char *text = tcc->memory + HD_WIRE_HALF;
	text[said.size + said.messages] = '\0';
	hd_tcc_answer answer = {.good = said.good, .text = text, .size = said.size, .messages = text + said.size};
	bool tired = said.pages > PAGES_MOST;
	if (!tired) {
		deliver(tcc, &answer);
		return G_SOURCE_CONTINUE;
	}
	char *memory = g_steal_pointer(&tcc->memory);
	tcc->source = 0;
	stop(tcc);
	deliver(tcc, &answer);
	munmap(memory, 2 * HD_WIRE_HALF);
	return G_SOURCE_REMOVE;
}

/* A question that cannot be asked is lost, but not before hd_tcc_ask has returned. */
static gboolean
deliver_loss(gpointer data)
{
	hd_tcc *tcc = data;
	tcc->delivery = 0;
	lose(tcc);
	return G_SOURCE_REMOVE;
}

static bool
send_question(hd_tcc *tcc, const hd_tcc_question *question)
{
	hd_wire_question asked = {question->task, question->fields->len};
	if (question->fields->len > HD_WIRE_HALF || (!tcc->pid && !start(tcc)))
		return false;
	memcpy(tcc->memory, question->fields->data, question->fields->len);
	return send(tcc->socket, &asked, sizeof asked, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof asked;
}

static void
pump(hd_tcc *tcc)
{
	const waiting *w = g_queue_peek_head(&tcc->queue);
	if (tcc->asked || !w)
		return;
	tcc->asked = true;
	if (send_question(tcc, w->question))
		tcc->deadline = g_timeout_add(tcc->time_limit, took_too_long, tcc);
	else if (!tcc->delivery)
		tcc->delivery = g_idle_add_full(G_PRIORITY_DEFAULT, deliver_loss, tcc, NULL);
}

guint
hd_tcc_ask(hd_tcc *tcc, hd_tcc_question *question, hd_tcc_done *done, void *data)
{
	waiting *w = g_new0(waiting, 1);
	w->ticket = ++tcc->last_ticket;
	w->question = question;
	w->done = done;
	w->data = data;
	guint ticket = w->ticket;
	g_queue_push_tail(&tcc->queue, w);
	pump(tcc);
	return ticket;
}

void
hd_tcc_cancel(hd_tcc *tcc, guint ticket)
{
	for (GList *link = tcc->queue.head; link; link = link->next) {
		waiting *w = link->data;
		if (w->ticket != ticket)
			continue;
		w->done = NULL;
		if (tcc->asked && link == tcc->queue.head)
			return; /* its answer is awaited and dropped */
		g_queue_delete_link(&tcc->queue, link);
		waiting_free(w);
		return;
	}
}
