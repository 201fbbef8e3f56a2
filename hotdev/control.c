/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client is in one of four states: it may ask (IDLE), its command awaits an
 * event (PENDING), it follows the events (STREAMING), or it is told its last
 * answer (CLOSING). Clients are freed from the main loop only, so that no
 * callback finds one gone beneath it. */
#include "config.h"

#include "hotdev/control.h"

#include "base/error.h"
#include "base/fault.h"
#include "base/json.h"
#include "hotdev/endpoint.h"
#include "hotdev/jsonl.h"
#include "hotdev/report.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CLIENT_LIMIT = 32,
	REQUEST_LIMIT = 64 << 10, /* bytes of one request */
	ANSWER_LIMIT = 4 << 20,	  /* bytes that a client may leave unread */
	RESTART_MS = 30000,	  /* by then a restarted program is ready, or will not be */
	VERDICT_MS = 600000,	  /* by then a build that was asked for has its verdict */
};

typedef enum { IDLE, PENDING, STREAMING, CLOSING, DEAD } client_state;

typedef struct client client;
typedef struct command command;

struct hd_control {
	char *path;
	int fd;
	guint source;
	hd_reloader *reloader;
	void (*quit)(bool leave, void *data);
	void *data;
	guint quit_source;
	bool leave;
	GPtrArray *clients; /* of client * */
};

struct client {
	hd_control *control;
	int fd;
	guint readable, writable, timer;
	GString *in, *out;
	client_state state;
	const command *asked;
	guint ticket;  /* of hd_reloader_wait; 0: none */
	char *verdict; /* what made a pending command fail so far */
};

struct command {
	const char *name;
	int most; /* arguments */
	void (*run)(client *c, const json_t *arguments);
	guint32 decides; /* kinds of event that answer it */
	guint32 refuses; /* kinds that make it fail */
};

#define KIND(kind) (1u << HD_EVENT_##kind)

static void client_serve(client *c);

/* ---- clients ---- */

static void
clear_source(guint *source)
{
	if (*source)
		g_source_remove(*source);
	*source = 0;
}

static gboolean
free_client(gpointer data)
{
	client *c = data;
	g_string_free(c->in, TRUE);
	g_string_free(c->out, TRUE);
	g_free(c->verdict);
	g_free(c);
	return G_SOURCE_REMOVE;
}

static void
clear_pending(client *c)
{
	clear_source(&c->timer);
	if (c->ticket)
		hd_reloader_wait_cancel(c->control->reloader, c->ticket);
	c->ticket = 0;
	c->asked = NULL;
	g_clear_pointer(&c->verdict, g_free);
}

static void
client_drop(client *c)
{
	if (c->state == DEAD)
		return;
	clear_pending(c);
	c->state = DEAD;
	clear_source(&c->readable);
	clear_source(&c->writable);
	close(c->fd);
	g_ptr_array_remove(c->control->clients, c);
	g_idle_add(free_client, c);
}

static gboolean client_writable(gint fd, GIOCondition condition, gpointer data);

/* Writes what the socket takes; the rest waits for it to be writable. */
static void
client_flush(client *c)
{
	while (c->out->len) {
		ssize_t wrote = send(c->fd, c->out->str, c->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0 && errno != EAGAIN) {
			client_drop(c);
			return;
		}
		if (wrote < 0)
			break;
		g_string_erase(c->out, 0, wrote);
	}
	if (c->out->len && !c->writable)
		c->writable = g_unix_fd_add(c->fd, G_IO_OUT, client_writable, c);
	else if (!c->out->len && c->state == CLOSING)
		client_drop(c);
}

static gboolean
client_writable(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd, (void)condition;
	client *c = data;
	c->writable = 0;
	client_flush(c);
	return G_SOURCE_REMOVE;
}

static void
client_send(client *c, json_t *json)
{
	if (c->state == DEAD) {
		json_decref(json);
		return;
	}
	char *line = hd_jsonl(json);
	bool fits = c->out->len + strlen(line) <= ANSWER_LIMIT;
	if (fits)
		g_string_append(c->out, line);
	g_free(line);
	if (fits)
		client_flush(c);
	else
		client_drop(c);
}

static json_t *
answer_new(bool ok)
{
	json_t *answer = json_object();
	json_object_set_new(answer, "v", json_integer(1));
	json_object_set_new(answer, "ok", json_boolean(ok));
	return answer;
}

static void
answer(client *c, json_t *json)
{
	clear_pending(c);
	if (c->state == PENDING)
		c->state = IDLE;
	client_send(c, json);
}

static void
answer_with(client *c, const char *key, json_t *value)
{
	json_t *json = answer_new(true);
	json_object_set_new(json, key, value);
	answer(c, json);
}

static void
answer_error(client *c, const char *message)
{
	json_t *json = answer_new(false);
	json_object_set_new(json, "error", hd_json_text(message));
	answer(c, json);
}

/* Answers a pending command by what has happened since it was given. */
static void
answer_verdict(client *c)
{
	char *verdict = g_steal_pointer(&c->verdict);
	if (verdict)
		answer_error(c, verdict);
	else
		answer(c, answer_new(true));
	g_free(verdict);
}

/* ---- commands ---- */

static const char *
first(const json_t *arguments)
{
	return json_string_value(json_array_get(arguments, 0));
}

static const hd_model *
model_of(client *c)
{
	return hd_reloader_model(c->control->reloader);
}

static void
run_status(client *c, const json_t *arguments)
{
	(void)arguments;
	answer_with(c, "status", hd_report_status(model_of(c)));
}

static void
run_modules(client *c, const json_t *arguments)
{
	(void)arguments;
	answer_with(c, "modules", hd_report_modules(model_of(c)));
}

static void
run_pins(client *c, const json_t *arguments)
{
	(void)arguments;
	answer_with(c, "pins", hd_report_pins(model_of(c)));
}

static void
run_errors(client *c, const json_t *arguments)
{
	(void)arguments;
	answer_with(c, "errors", hd_report_errors(model_of(c)));
}

static const hd_module_view *
module_called(client *c, const char *name)
{
	const GPtrArray *modules = hd_model_modules(model_of(c));
	for (guint i = 0; modules && i < modules->len; i++) {
		const hd_module_view *module = modules->pdata[i];
		if (strcmp(module->name, name) == 0 || strcmp(module->path, name) == 0)
			return module;
	}
	return NULL;
}

/* Argument n as a version: "3" or "v3"; -1: it is none. */
static int
version_argument(const json_t *arguments, size_t n, int missing)
{
	const char *text = json_string_value(json_array_get(arguments, n));
	guint64 number;
	if (!text)
		return missing;
	return g_ascii_string_to_unsigned(text + (*text == 'v'), 10, 0, G_MAXINT, &number, NULL) ? (int)number : -1;
}

/* arguments: the module, then two versions; without them what runs and the one before. */
static void
run_diff(client *c, const json_t *arguments)
{
	const hd_module_view *module = first(arguments) ? module_called(c, first(arguments)) : NULL;
	if (!module) {
		answer_error(c, first(arguments) ? "there is no module of that name" : "diff of which module?");
		return;
	}
	int to = version_argument(arguments, 2, module->live), from = version_argument(arguments, 1, to - 1);
	GError *error = NULL;
	char *text = from < 0 || to < 0 ? g_strdup("") : hd_module_difference(module, from, to, &error);
	if (from < 0 || to < 0)
		answer_error(c, to == 0 ? "it runs the code that the program started with" : "a version is a number");
	else if (!text)
		answer_error(c, error->message);
	else {
		char *valid = g_utf8_make_valid(text, -1);
		json_t *json = json_pack("{s:s, s:i, s:i, s:s}", "module", module->name, "from", from, "to", to, "text",
					 valid);
		answer_with(c, "diff", json);
		g_free(valid);
	}
	g_clear_error(&error);
	g_free(text);
}

static void
verdict_reached(bool reached, void *data)
{
	client *c = data;
	c->ticket = 0;
	if (c->state != PENDING)
		return;
	if (reached)
		answer_verdict(c);
	else
		answer_error(c, "no verdict in time");
	client_serve(c);
}

static gboolean
restart_late(gpointer data)
{
	client *c = data;
	c->timer = 0;
	answer_error(c, "the program has not become ready");
	client_serve(c);
	return G_SOURCE_REMOVE;
}

/* A command was given. Unless its event has come already, its answer waits for it. */
static void
await(client *c, bool given, GError *error)
{
	if (!given) {
		answer_error(c, error ? error->message : "it failed");
		g_clear_error(&error);
		return;
	}
	if (c->state != PENDING)
		return;
	if (c->asked->decides == KIND(READY)) {
		c->timer = g_timeout_add(RESTART_MS, restart_late, c);
		return;
	}
	guint ticket = hd_reloader_wait(c->control->reloader, false, VERDICT_MS, verdict_reached, c);
	if (c->state == PENDING)
		c->ticket = ticket;
}

static void
run_reload(client *c, const json_t *arguments)
{
	GError *error = NULL;
	bool given = hd_reloader_reload(c->control->reloader, first(arguments), &error);
	await(c, given, error);
}

static void
run_undo(client *c, const json_t *arguments)
{
	GError *error = NULL;
	bool given = hd_reloader_undo(c->control->reloader, first(arguments), &error);
	await(c, given, error);
}

static void
run_redo(client *c, const json_t *arguments)
{
	GError *error = NULL;
	bool given = hd_reloader_redo(c->control->reloader, first(arguments), &error);
	await(c, given, error);
}

static void
run_migrate(client *c, const json_t *arguments)
{
	(void)arguments;
	GError *error = NULL;
	bool given = hd_reloader_migrate(c->control->reloader, &error);
	await(c, given, error);
}

static void
run_purge(client *c, const json_t *arguments)
{
	GError *error = NULL;
	bool given = hd_reloader_purge(c->control->reloader, first(arguments), &error);
	await(c, given, error);
}

static void
run_restart(client *c, const json_t *arguments)
{
	(void)arguments;
	GError *error = NULL;
	bool given = hd_reloader_restart(c->control->reloader, &error);
	await(c, given, error);
}

static void
run_pause(client *c, const json_t *arguments)
{
	(void)arguments;
	hd_reloader_pause(c->control->reloader, true);
	answer(c, answer_new(true));
}

static void
run_resume(client *c, const json_t *arguments)
{
	(void)arguments;
	hd_reloader_pause(c->control->reloader, false);
	answer(c, answer_new(true));
}

static void
run_events(client *c, const json_t *arguments)
{
	(void)arguments;
	c->state = STREAMING;
	client_send(c, answer_new(true));
}

static const hd_module_view *
module_in_state(const hd_model *model, hd_module_state state)
{
	const GPtrArray *modules = hd_model_modules(model);
	for (guint i = 0; modules && i < modules->len; i++)
		if (((const hd_module_view *)modules->pdata[i])->state == state)
			return modules->pdata[i];
	return NULL;
}

/* Why what was saved is not live; new string. */
static char *
why_not_live(const hd_model *model)
{
	const hd_module_view *failed = module_in_state(model, HD_MODULE_ERROR);
	const hd_module_view *held = module_in_state(model, HD_MODULE_HELD);
	if (hd_model_program_state(model) == HD_PROGRAM_ENDED)
		return g_strdup("the program has ended");
	if (hd_model_paused(model))
		return g_strdup("timed out: hotdev is paused, and saves wait");
	if (module_in_state(model, HD_MODULE_BUILDING))
		return g_strdup("timed out: it is still being built");
	if (failed)
		return g_strdup_printf("%s does not compile, and the old code runs on; hotdev ctl errors says where",
				       failed->name);
	if (held && held->refusal)
		return g_strdup_printf("%s is held (%s), and the old code runs on: %s", held->name,
				       hd_refusal_name(held->refusal->code), held->refusal->reason);
	return g_strdup("timed out");
}

static void
waited(bool reached, void *data)
{
	client *c = data;
	c->ticket = 0;
	if (c->state != PENDING)
		return;
	char *why = reached ? NULL : why_not_live(model_of(c));
	if (reached)
		answer(c, answer_new(true));
	else
		answer_error(c, why);
	g_free(why);
	client_serve(c);
}

/* arguments: "live" or "idle", then the timeout in seconds; both may be missing. */
static void
run_wait(client *c, const json_t *arguments)
{
	const char *what = first(arguments), *limit = json_string_value(json_array_get(arguments, 1));
	bool live = !what || strcmp(what, "live") == 0;
	if (!live && strcmp(what, "idle") != 0) {
		answer_error(c, "wait takes live or idle");
		return;
	}
	double seconds = limit ? g_ascii_strtod(limit, NULL) : 0;
	int timeout_ms = limit && seconds >= 0 && seconds < G_MAXINT / 1000 ? (int)(seconds * 1000) : G_MAXINT;
	guint ticket = hd_reloader_wait(c->control->reloader, live, timeout_ms, waited, c);
	if (c->state == PENDING)
		c->ticket = ticket;
}

static gboolean
quit_now(gpointer data)
{
	hd_control *control = data;
	control->quit_source = 0;
	control->quit(control->leave, control->data);
	return G_SOURCE_REMOVE;
}

static void
run_quit(client *c, const json_t *arguments)
{
	const char *what = first(arguments);
	hd_control *control = c->control;
	if (what && strcmp(what, "end") != 0 && strcmp(what, "leave") != 0) {
		answer_error(c, "quit takes end or leave");
		return;
	}
	control->leave = g_strcmp0(what, "leave") == 0;
	answer(c, answer_new(true));
	if (!control->quit_source)
		control->quit_source = g_idle_add(quit_now, control);
}

static const command commands[] = {
	{"status", 0, run_status, 0, 0},
	{"modules", 0, run_modules, 0, 0},
	{"pins", 0, run_pins, 0, 0},
	{"errors", 0, run_errors, 0, 0},
	{"diff", 3, run_diff, 0, 0},
	{"reload", 1, run_reload, 0, KIND(FAILED) | KIND(HELD)},
	{"undo", 1, run_undo, KIND(UNDONE), KIND(HELD)},
	{"redo", 1, run_redo, KIND(REDONE), KIND(HELD)},
	{"migrate", 0, run_migrate, 0, KIND(FAILED) | KIND(HELD)},
	{"purge", 1, run_purge, 0, 0},
	{"pause", 0, run_pause, 0, 0},
	{"resume", 0, run_resume, 0, 0},
	{"restart", 0, run_restart, KIND(READY), 0},
	{"events", 0, run_events, 0, 0},
	{"wait", 2, run_wait, 0, 0},
	{"quit", 1, run_quit, 0, 0},
};

static void
serve_request(client *c, const char *line)
{
	json_error_t where;
	json_t *request = json_loads(line, 0, &where);
	const char *name = json_string_value(json_object_get(request, "command"));
	const json_t *arguments = json_object_get(request, "arguments");
	const command *found = NULL;
	for (size_t i = 0; name && i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			found = &commands[i];
	if (!request || !name || json_integer_value(json_object_get(request, "v")) != 1) {
		answer_error(c, "not a request of version 1");
		c->state = c->state == DEAD ? DEAD : CLOSING;
		if (c->state == CLOSING)
			client_flush(c);
	} else if (!found) {
		answer_error(c, "there is no such command");
	} else if (json_array_size(arguments) > (size_t)found->most) {
		answer_error(c, "too many arguments");
	} else {
		c->asked = found;
		c->state = PENDING;
		found->run(c, arguments);
	}
	json_decref(request);
}

/* Serves every whole request that has come, as long as none waits for its answer. */
static void
client_serve(client *c)
{
	char *newline;
	while (c->state == IDLE && (newline = memchr(c->in->str, '\n', c->in->len))) {
		char *line = g_strndup(c->in->str, newline - c->in->str);
		g_string_erase(c->in, 0, newline - c->in->str + 1);
		serve_request(c, line);
		g_free(line);
	}
}

static gboolean
client_readable(gint fd, GIOCondition condition, gpointer data)
{
	(void)condition;
	client *c = data;
	char buffer[4096];
	ssize_t got = hd_fault("control.read") ? (errno = EIO, -1) : recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (got <= 0 || c->in->len + (size_t)got > REQUEST_LIMIT) {
		c->readable = 0;
		client_drop(c);
		return G_SOURCE_REMOVE;
	}
	g_string_append_len(c->in, buffer, got);
	client_serve(c);
	return c->state == DEAD ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static gboolean
accept_client(gint fd, GIOCondition condition, gpointer data)
{
	(void)condition;
	hd_control *control = data;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer < 0)
		return G_SOURCE_CONTINUE;
	if (control->clients->len >= CLIENT_LIMIT || !hd_endpoint_is_ours(peer)) {
		close(peer);
		return G_SOURCE_CONTINUE;
	}
	client *c = g_new0(client, 1);
	c->control = control;
	c->fd = peer;
	c->in = g_string_new(NULL);
	c->out = g_string_new(NULL);
	c->readable = g_unix_fd_add(peer, G_IO_IN | G_IO_HUP, client_readable, c);
	g_ptr_array_add(control->clients, c);
	return G_SOURCE_CONTINUE;
}

/* ---- the socket ---- */

hd_control *
hd_control_new(const char *path, hd_reloader *reloader, void (*quit)(bool leave, void *data), void *data,
	       GError **error)
{
	char *place = path ? g_strdup(path) : hd_endpoint_own(error);
	int fd = place ? hd_endpoint_listen(place, error) : -1;
	if (fd < 0) {
		g_free(place);
		return NULL;
	}
	hd_control *control = g_new0(hd_control, 1);
	control->path = place;
	control->fd = fd;
	control->reloader = reloader;
	control->quit = quit;
	control->data = data;
	control->clients = g_ptr_array_new();
	control->source = g_unix_fd_add(fd, G_IO_IN, accept_client, control);
	return control;
}

void
hd_control_event(hd_control *control, const hd_event *event)
{
	guint32 kind = 1u << event->kind;
	/* Backwards: a client that is dropped leaves the array. */
	for (guint i = control->clients->len; i-- > 0;) {
		client *c = control->clients->pdata[i];
		if (c->state == STREAMING) {
			client_send(c, hd_event_json(event));
		} else if (c->state == PENDING && c->asked->refuses & kind && !c->verdict) {
			c->verdict = hd_event_line(event);
		} else if (c->state == PENDING && c->asked->decides & kind) {
			answer_verdict(c);
			client_serve(c);
		}
	}
}

void
hd_control_free(hd_control *control)
{
	if (!control)
		return;
	while (control->clients->len)
		client_drop(control->clients->pdata[control->clients->len - 1]);
	g_ptr_array_unref(control->clients);
	clear_source(&control->source);
	clear_source(&control->quit_source);
	close(control->fd);
	unlink(control->path);
	g_free(control->path);
	g_free(control);
}

const char *
hd_control_path(const hd_control *control)
{
	return control->path;
}
