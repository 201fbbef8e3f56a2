/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue and the life of a build.
 *
 *   WAITING -> RUNNING -> done -> freed
 *      |          +-----> dying (cancelled: killed, not yet reaped)
 *      +-> ENDED (no compiler is needed, or none can be run: the result waits for the main loop) -> done
 *
 * Every build that runs has a folder of its own for the object, the
 * dependencies and the compiler's temporary files; it goes when the build goes. */
#include "config.h"

#include "reloader/build/build.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/build/assemble.h"
#include "reloader/build/kept.h"
#include "reloader/build/mirror.h"
#include "reloader/build/process.h"
#include "reloader/build/remove.h"
#include "reloader/build/result.h"
#include "reloader/build/texts.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 250
#define OUTPUT_MOST (64 * 1024 * 1024) /* a compiler that writes more is out of its mind */
#define TIME_MOST_MS (20 * 60 * 1000)
#define KEPT_MOST (128 * 1024 * 1024) /* bytes of objects that are kept */
#define DYING_MS 5
#define DYING_MOST 400 /* ticks; then a killed process is left to the kernel */

struct hd_builder {
	char *directory, *project;
	guint jobs;
	guint references; /* the owner's, and one while a callback runs */
	bool closed;
	GMainContext *context;
	char **environment;
	GQueue waiting[2];     /* foreground, background */
	GPtrArray *running;    /* of hd_build * */
	GPtrArray *ended;      /* of hd_build * */
	GPtrArray *dying;      /* of dead * */
	GHashTable *options;   /* key -> char **: hd_builder_extra_options */
	GHashTable *canonical; /* path -> real path, while anything runs */
	hd_mirrors *mirrors;
	hd_checks *checks;
	hd_kept *kept;
	GSource *tick, *burial, *delivery;
	guint64 serial;
	int time_most_ms;
};

typedef enum { WAITING, RUNNING, ENDED, DONE } build_state;

struct hd_build {
	hd_builder *builder;
	build_state state;
	const hd_command *command;
	const hd_compiler *compiler;
	GHashTable *texts; /* to be laid over; NULL: none */
	GHashTable *tree;  /* borrowed; NULL: none */
	GHashTable *older; /* the same */
	char *key;	   /* of what is kept */
	char *debug_name;
	bool background, suspended, as_it_stands;
	hd_build_done *done;
	void *data;
	hd_process *process;
	char *folder;
	hd_witness *witness; /* about the texts that are read from disk */
	hd_mirror *mirror;   /* has the others; NULL: there are none */
	bool distrust;	     /* the disk changed under a first attempt: all texts come from the mirror */
	bool whole;	     /* a first attempt looked past the mirror */
	gint64 started_ns;
	struct timespec begun; /* the attempt */
	int ran_ms;	       /* while not suspended, in ticks */
	hd_build_result *result;
};

/* A killed process, and the folder to remove when nothing writes there any more. */
typedef struct {
	hd_process *process;
	char *folder;
	guint ticks;
} dead;

static void pump(hd_builder *builder);
static bool start_process(hd_build *build, GError **error);

/* --- the builder -------------------------------------------------------------- */

hd_builder *
hd_builder_new(const char *directory, const char *project, guint jobs, GError **error)
{
	if (hd_fault("build.scratch") || g_mkdir_with_parents(directory, 0700) < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot create %s", directory);
		return NULL;
	}
	hd_builder *builder = g_new0(hd_builder, 1);
	builder->directory = g_canonicalize_filename(directory, NULL);
	builder->project = project ? g_canonicalize_filename(project, NULL) : NULL;
	builder->jobs = jobs ? jobs : g_get_num_processors();
	builder->references = 1;
	builder->context = g_main_context_ref_thread_default();
	builder->environment = hd_assemble_environment();
	builder->running = g_ptr_array_new();
	builder->ended = g_ptr_array_new();
	builder->dying = g_ptr_array_new();
	builder->options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
	builder->canonical = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	builder->mirrors = hd_mirrors_new(builder->directory, builder->project);
	builder->checks = hd_checks_new();
	builder->kept = hd_kept_new(KEPT_MOST);
	builder->time_most_ms = TIME_MOST_MS;
	return builder;
}

void
hd_builder_set_time_limit(hd_builder *builder, int milliseconds)
{
	builder->time_most_ms = milliseconds;
}

static void
stop_source(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_source_unref(*source);
	*source = NULL;
}

static void
start_source(hd_builder *builder, GSource **source, GSource *new, GSourceFunc function)
{
	*source = new;
	g_source_set_callback(new, function, builder, NULL);
	g_source_attach(new, builder->context);
}

static void
unref_builder(hd_builder *builder)
{
	if (--builder->references > 0)
		return;
	hd_mirrors_free(builder->mirrors);
	hd_checks_free(builder->checks);
	hd_kept_free(builder->kept);
	g_ptr_array_free(builder->running, TRUE);
	g_ptr_array_free(builder->ended, TRUE);
	g_ptr_array_free(builder->dying, TRUE);
	g_hash_table_unref(builder->options);
	g_hash_table_unref(builder->canonical);
	g_strfreev(builder->environment);
	g_main_context_unref(builder->context);
	g_free(builder->directory);
	g_free(builder->project);
	g_free(builder);
}

/* --- the dead ------------------------------------------------------------------- */

static bool
bury(dead *d)
{
	if (!hd_process_gone(d->process) && ++d->ticks < DYING_MOST)
		return false;
	hd_process_free(d->process);
	hd_remove_tree(d->folder);
	g_free(d->folder);
	g_free(d);
	return true;
}

static gboolean
on_burial(void *data)
{
	hd_builder *builder = data;
	for (guint i = builder->dying->len; i-- > 0;)
		if (bury(g_ptr_array_index(builder->dying, i)))
			g_ptr_array_remove_index_fast(builder->dying, i);
	if (builder->dying->len > 0)
		return G_SOURCE_CONTINUE;
	stop_source(&builder->burial);
	return G_SOURCE_REMOVE;
}

/* Kills the build's processes; they are reaped later, for that may take a while. */
static void
kill_build(hd_build *build)
{
	hd_builder *builder = build->builder;
	hd_process_kill(build->process);
	dead *d = g_new0(dead, 1);
	d->process = g_steal_pointer(&build->process);
	d->folder = g_steal_pointer(&build->folder);
	g_ptr_array_add(builder->dying, d);
	if (!builder->burial)
		start_source(builder, &builder->burial, g_timeout_source_new(DYING_MS), on_burial);
}

/* --- the end of a build ----------------------------------------------------------- */

/* What one attempt at the build leaves behind. */
static void
clear_attempt(hd_build *build)
{
	g_clear_pointer(&build->process, hd_process_free);
	if (build->folder)
		hd_remove_tree(build->folder);
	g_clear_pointer(&build->folder, g_free);
	g_clear_pointer(&build->witness, hd_witness_free);
	g_clear_pointer(&build->mirror, hd_mirror_unref);
}

static void
free_build(hd_build *build)
{
	clear_attempt(build);
	if (build->texts)
		g_hash_table_unref(build->texts);
	hd_build_result_free(build->result);
	g_free(build->key);
	g_free(build->debug_name);
	g_free(build);
}

/* Takes the build off whatever list it is on. */
static void
detach(hd_build *build)
{
	hd_builder *builder = build->builder;
	if (build->state == WAITING)
		g_queue_remove(&builder->waiting[build->background], build);
	else if (build->state == RUNNING)
		g_ptr_array_remove_fast(builder->running, build);
	else if (build->state == ENDED)
		g_ptr_array_remove(builder->ended, build);
	build->state = DONE;
	if (builder->running->len == 0) {
		stop_source(&builder->tick);
		g_hash_table_remove_all(builder->canonical); /* links may change while nothing is built */
		hd_mirrors_tidy(builder->mirrors);
	}
}

/* The next compiler starts before the callback works on this one's object. */
static void
deliver(hd_build *build, hd_build_result *result)
{
	hd_builder *builder = build->builder;
	builder->references++;
	clear_attempt(build);
	detach(build);
	pump(builder);
	build->done(build, result, build->data);
	free_build(build);
	unref_builder(builder);
}

static gboolean
on_delivery(void *data)
{
	hd_builder *builder = data;
	stop_source(&builder->delivery);
	builder->references++;
	while (!builder->closed && builder->ended->len > 0) {
		hd_build *build = g_ptr_array_index(builder->ended, 0);
		deliver(build, g_steal_pointer(&build->result));
	}
	unref_builder(builder);
	return G_SOURCE_REMOVE;
}

/* Where an attempt runs and what it writes. */
typedef struct {
	char *working, *object, *depfile;
} places;

static places
places_of(const hd_build *build)
{
	return (places){build->mirror ? hd_mirror_folder(build->mirror, build->command->directory)
				      : g_strdup(build->command->directory),
			g_build_filename(build->folder, "object.o", NULL),
			g_build_filename(build->folder, "depend", NULL)};
}

static void
clear_places(places *p)
{
	g_free(p->working);
	g_free(p->object);
	g_free(p->depfile);
}

/* The result of a build that no compiler is run for comes through the main loop, as all others do. */
static void
end(hd_build *build, hd_build_result *result)
{
	hd_builder *builder = build->builder;
	build->result = result;
	if (build->state == RUNNING)
		g_ptr_array_remove_fast(builder->running, build);
	build->state = ENDED;
	g_ptr_array_add(builder->ended, build);
	if (!builder->delivery)
		start_source(builder, &builder->delivery, g_idle_source_new(), on_delivery);
}

static void
fail(hd_build *build, GError *error)
{
	hd_result_source source = {.command = build->command, .compiler = build->compiler};
	end(build, hd_result_failed(&source, error));
}

/* --- what was read ---------------------------------------------------------------- */

static bool
is_laid(const hd_build *build, const char *path)
{
	return build->texts && g_hash_table_contains(build->texts, path);
}

/* What a file that is not laid over is to say; NULL: not known. */
static GBytes *
text_in_tree(const hd_build *build, const char *path)
{
	GBytes *text = build->older ? g_hash_table_lookup(build->older, path) : NULL;
	return text || !build->tree ? text : g_hash_table_lookup(build->tree, path);
}

/* Files that were read from disk, and may not have said what they were to say, are laid over the next time. */
static bool
lay_strays(hd_build *build, const GPtrArray *files)
{
	bool found = false;
	for (guint i = 0; build->tree && i < files->len; i++) {
		const char *path = g_ptr_array_index(files, i);
		GBytes *text = is_laid(build, path) ? NULL : text_in_tree(build, path);
		if (!text || hd_checks_stood(build->builder->checks, path, text, build->begun))
			continue;
		if (!build->texts)
			build->texts = hd_build_texts_new();
		g_hash_table_insert(build->texts, g_strdup(path), g_bytes_ref(text));
		found = true;
	}
	return found;
}

/* The text that a file is to have for the build; NULL: not known. */
static GBytes *
text_for(const char *path, void *data)
{
	const hd_build *build = data;
	GBytes *text = build->texts ? g_hash_table_lookup(build->texts, path) : NULL;
	return text || is_laid(build, path) ? text : text_in_tree(build, path);
}

/* All that a build comes of, but for the files that it reads. A compiler that was replaced is another one. */
static char *
key_of(const hd_build *build)
{
	char *words = g_strjoinv("\n", build->command->argv);
	char *key = g_strdup_printf("%p\n%d%d\n%s\n%s", (const void *)build->compiler, build->debug_name != NULL,
				    build->as_it_stands, build->command->directory, words);
	g_free(words);
	return key;
}

static void
keep(hd_build *build, const GPtrArray *files, const hd_build_result *result)
{
	GHashTable *texts = hd_build_texts_new();
	hd_witness *others = hd_witness_new();
	bool known = files->len > 0;
	for (guint i = 0; i < files->len && known; i++) {
		const char *path = g_ptr_array_index(files, i);
		GBytes *text = text_for(path, build);
		if (text)
			g_hash_table_insert(texts, g_strdup(path), g_bytes_ref(text));
		else {
			hd_witness_add(others, path);
			known = !hd_written_since(path, build->begun);
		}
	}
	if (known) {
		hd_kept_add(build->builder->kept, build->key, build->debug_name, texts, others, result);
		return;
	}
	g_hash_table_unref(texts);
	hd_witness_free(others);
}

/* --- the compiler has ended --------------------------------------------------------- */

/* Whether the compiler may have read something else than the texts; then what is to be different next time. */
static bool
must_repeat(hd_build *build, const hd_result_source *source, const GPtrArray *files, int status, const GString *output)
{
	if (build->witness && !hd_witness_holds(build->witness)) {
		build->distrust = true;
		return true;
	}
	if (lay_strays(build, files))
		return true;
	if (!build->mirror || hd_mirror_is_whole(build->mirror))
		return false;
	char *leak = hd_result_leak(source, status, output);
	build->whole = leak != NULL;
	g_free(leak);
	return build->whole;
}

/* The file that even a whole mirror could not hide: it is included by its absolute name. */
static GError *
unhidden(const hd_build *build, const hd_result_source *source, const GString *output)
{
	char *leak = build->mirror ? hd_result_leak(source, 0, output) : NULL;
	GError *error = NULL;
	if (leak && *leak)
		g_set_error(&error, HD_ERROR, HD_ERROR_UNSUPPORTED,
			    "%s is included by its absolute name, and changed on disk meanwhile; save it again", leak);
	g_free(leak);
	return error;
}

static void
on_ended(hd_process *process, int status, void *data)
{
	hd_build *build = data;
	gint64 now = hd_now_ns();
	places p = places_of(build);
	hd_result_source source = {build->command, build->compiler, build->builder->project,  p.working, build->mirror,
				   p.object,	   p.depfile,	    build->builder->canonical};
	GString *output = hd_process_output(process);
	hd_build_result *result = NULL;
	GError *error = NULL;
	GPtrArray *files = hd_result_files(&source);
	if (must_repeat(build, &source, files, status, output)) {
		clear_attempt(build);
		if (!start_process(build, &error))
			fail(build, error);
	} else {
		error = unhidden(build, &source, output);
		result = error ? hd_result_failed(&source, error) : hd_result_read(&source, status, output);
		result->elapsed_ns = now - build->started_ns;
		result->begun = build->begun;
		if (!error && hd_result_is_final(result, status, output))
			keep(build, files, result);
	}
	g_ptr_array_unref(files);
	g_string_free(output, TRUE);
	clear_places(&p);
	if (result)
		deliver(build, result);
}

/* --- running ---------------------------------------------------------------------- */

static void
check_limits(hd_build *build)
{
	GError *why = NULL;
	if (!build->suspended)
		build->ran_ms += TICK_MS;
	if (build->ran_ms > build->builder->time_most_ms)
		g_set_error(&why, HD_ERROR, HD_ERROR_IO, "the compiler %s did not end within %d s",
			    build->command->argv[0], build->builder->time_most_ms / 1000);
	else if (hd_process_output_size(build->process) > OUTPUT_MOST)
		g_set_error(&why, HD_ERROR, HD_ERROR_IO, "the compiler %s writes without end", build->command->argv[0]);
	if (!why)
		return;
	kill_build(build);
	fail(build, why);
}

static gboolean
on_tick(void *data)
{
	hd_builder *builder = data;
	for (guint i = builder->running->len; i-- > 0;)
		check_limits(g_ptr_array_index(builder->running, i));
	pump(builder);
	if (builder->running->len > 0)
		return G_SOURCE_CONTINUE;
	stop_source(&builder->tick);
	return G_SOURCE_REMOVE;
}

static char **
build_environment(const hd_build *build, const char *working)
{
	char **environment = g_strdupv(build->builder->environment);
	/* A killed compiler leaves its temporary files; here they go with the folder. */
	environment = g_environ_setenv(environment, "TMPDIR", build->folder, TRUE);
	/* Compilers take the folder's name in debug information from here, links unresolved. */
	return g_environ_setenv(environment, "PWD", working, TRUE);
}

static char **
build_argv(const hd_build *build, const places *p)
{
	GPtrArray *more = g_ptr_array_new_with_free_func(g_free);
	const char *source = build->command->source_arg;
	char **words = build->mirror ? hd_mirror_words(build->mirror, build->command, more, &source)
				     : g_strdupv(build->command->argv);
	if (!build->compiler->prefix_map)
		g_ptr_array_set_size(more, 0);
	else if (build->debug_name)
		hd_assemble_debug_name(more, build->command, source, build->debug_name);
	g_ptr_array_add(more, NULL);
	static const char *const none[] = {NULL};
	const char *const *options =
		build->as_it_stands ? none : hd_builder_extra_options(build->builder, build->command);
	char **argv = hd_assemble(build->compiler, words, (char *const *)options, (char *const *)more->pdata, p->object,
				  p->depfile);
	g_ptr_array_unref(more);
	g_strfreev(words);
	return argv;
}

/* Decides which texts come from the disk and which from a mirror. */
static bool
lay_texts(hd_build *build, GError **error)
{
	if (!build->texts)
		return true;
	GHashTable *different = build->distrust ? g_hash_table_ref(build->texts)
						: hd_build_texts_compare(build->texts, &build->witness);
	if (g_hash_table_size(different) > 0)
		build->mirror = hd_mirrors_get(build->builder->mirrors, different, build->command, build->whole, error);
	bool laid = g_hash_table_size(different) == 0 || build->mirror;
	g_hash_table_unref(different);
	return laid;
}

static bool
make_folder(hd_build *build, GError **error)
{
	hd_builder *builder = build->builder;
	char *folder = g_strdup_printf("%s/%" G_GUINT64_FORMAT, builder->directory, ++builder->serial);
	if (hd_fault("build.folder") || g_mkdir(folder, 0700) < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot create %s", folder);
		g_free(folder);
		return false;
	}
	build->folder = folder;
	return true;
}

static bool
start_process(hd_build *build, GError **error)
{
	build->begun = hd_moment();
	if (!lay_texts(build, error) || !make_folder(build, error))
		return false;
	places p = places_of(build);
	char **argv = build_argv(build, &p);
	char **environment = build_environment(build, p.working);
	hd_process_spec spec = {argv, environment, p.working, build->background};
	build->process = hd_process_start(&spec, build->builder->context, on_ended, build, error);
	if (build->process && build->suspended)
		hd_process_suspend(build->process, true);
	g_strfreev(environment);
	g_strfreev(argv);
	clear_places(&p);
	return build->process != NULL;
}

static void
run(hd_build *build)
{
	hd_builder *builder = build->builder;
	GError *error = NULL;
	build->state = RUNNING;
	build->started_ns = hd_now_ns();
	g_ptr_array_add(builder->running, build);
	if (!start_process(build, &error))
		fail(build, error);
	else if (!builder->tick)
		start_source(builder, &builder->tick, g_timeout_source_new(TICK_MS), on_tick);
}

static guint
count_active(const hd_builder *builder)
{
	guint active = 0;
	for (guint i = 0; i < builder->running->len; i++)
		active += !((hd_build *)g_ptr_array_index(builder->running, i))->suspended;
	return active;
}

/* A build in the background that can be suspended (or, if `suspended`, resumed); NULL: none. */
static hd_build *
find_background(const hd_builder *builder, bool suspended)
{
	for (guint i = 0; i < builder->running->len; i++) {
		hd_build *build = g_ptr_array_index(builder->running, i);
		if (build->background && build->suspended == suspended)
			return build;
	}
	return NULL;
}

static void
suspend(hd_build *build, bool suspended)
{
	build->suspended = suspended;
	hd_process_suspend(build->process, suspended);
}

/* Fills the slots: the foreground first, which takes the slots of background
 * builds too; these stand still meanwhile. */
static void
pump(hd_builder *builder)
{
	guint active = count_active(builder);
	while (!builder->closed) {
		hd_build *victim = NULL, *sleeper = NULL;
		if (!g_queue_is_empty(&builder->waiting[0])) {
			if (active >= builder->jobs && !(victim = find_background(builder, false)))
				return;
			if (victim)
				suspend(victim, true);
			run(g_queue_pop_head(&builder->waiting[0]));
		} else if (active >= builder->jobs)
			return;
		else if ((sleeper = find_background(builder, true)))
			suspend(sleeper, false);
		else if (!g_queue_is_empty(&builder->waiting[1]))
			run(g_queue_pop_head(&builder->waiting[1]));
		else
			return;
		active = count_active(builder);
	}
}

/* --- what is asked for ---------------------------------------------------------------- */

hd_build *
hd_build_start(hd_builder *builder, const hd_build_request *request, hd_build_done *done, void *data)
{
	hd_build *build = g_new0(hd_build, 1);
	build->builder = builder;
	build->command = request->command;
	if (request->texts && g_hash_table_size(request->texts) > 0)
		build->texts = hd_build_texts_copy(request->texts);
	build->tree = request->tree;
	build->older = request->older;
	build->debug_name = g_strdup(request->debug_name);
	build->background = request->background;
	build->as_it_stands = request->as_it_stands;
	build->done = done;
	build->data = data;
	build->compiler = hd_compiler_of(build->command->directory, build->command->argv);
	build->key = key_of(build);
	hd_build_result *known = hd_kept_get(builder->kept, build->key, build->debug_name, text_for, build);
	if (known) {
		end(build, known);
		return build;
	}
	g_queue_push_tail(&builder->waiting[build->background], build);
	pump(builder);
	return build;
}

void
hd_build_cancel(hd_build *build)
{
	if (build->state == DONE) /* from within its own callback */
		return;
	hd_builder *builder = build->builder;
	if (build->state == RUNNING)
		kill_build(build);
	clear_attempt(build);
	detach(build);
	free_build(build);
	pump(builder);
}

void
hd_builder_free(hd_builder *builder)
{
	if (!builder)
		return;
	builder->closed = true;
	for (guint i = 0; i < G_N_ELEMENTS(builder->waiting); i++)
		while (!g_queue_is_empty(&builder->waiting[i]))
			hd_build_cancel(g_queue_peek_head(&builder->waiting[i]));
	while (builder->running->len > 0)
		hd_build_cancel(g_ptr_array_index(builder->running, 0));
	while (builder->ended->len > 0)
		hd_build_cancel(g_ptr_array_index(builder->ended, 0));
	while (builder->dying->len > 0) {
		for (guint i = builder->dying->len; i-- > 0;)
			if (bury(g_ptr_array_index(builder->dying, i)))
				g_ptr_array_remove_index_fast(builder->dying, i);
		if (builder->dying->len > 0)
			g_usleep(1000);
	}
	stop_source(&builder->tick);
	stop_source(&builder->burial);
	stop_source(&builder->delivery);
	hd_remove_tree(builder->directory);
	unref_builder(builder);
}

void
hd_builder_forget(hd_builder *builder)
{
	hd_kept_clear(builder->kept);
}

bool
hd_build_result_doubts(const hd_build_result *result, const char *path)
{
	return hd_written_since(path, result->begun);
}

const char *const *
hd_builder_extra_options(hd_builder *builder, const hd_command *command)
{
	const hd_compiler *compiler = hd_compiler_of(command->directory, command->argv);
	char **options = hd_assemble_options(command, compiler);
	char *key = g_strjoinv(" ", options);
	char **known = g_hash_table_lookup(builder->options, key);
	if (known) {
		g_strfreev(options);
		g_free(key);
		return (const char *const *)known;
	}
	g_hash_table_insert(builder->options, key, options);
	return (const char *const *)options;
}

bool
hd_builder_is_clang(hd_builder *builder, const hd_command *command)
{
	(void)builder;
	return hd_compiler_of(command->directory, command->argv)->family == HD_COMPILER_CLANG;
}
