/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/build/result.h"

#include "base/fault.h"
#include "reloader/build/arguments.h"
#include "reloader/build/depfile.h"
#include "reloader/build/diagnostics.h"
#include "reloader/build/includes.h"
#include "reloader/build/process.h"

#include <string.h>
#include <sys/wait.h>

hd_build_result *
hd_result_new(void)
{
	hd_build_result *result = g_new0(hd_build_result, 1);
	result->diagnostics = g_ptr_array_new_with_free_func((GDestroyNotify)hd_diagnostic_free);
	result->dependencies = g_ptr_array_new_with_free_func(g_free);
	return result;
}

static char *
copy_string(const void *string, void *data)
{
	(void)data;
	return g_strdup(string);
}

static hd_diagnostic *
copy_diagnostic(const void *from, void *data)
{
	(void)data;
	const hd_diagnostic *diagnostic = from;
	hd_diagnostic *copy = g_new0(hd_diagnostic, 1);
	copy->where = hd_position_copy(&diagnostic->where);
	copy->severity = diagnostic->severity;
	copy->message = g_strdup(diagnostic->message);
	return copy;
}

hd_build_result *
hd_result_copy(const hd_build_result *result)
{
	hd_build_result *copy = hd_result_new();
	copy->ok = result->ok;
	copy->object = result->object ? g_bytes_ref(result->object) : NULL;
	copy->compiler = g_strdup(result->compiler);
	copy->raw = g_strdup(result->raw);
	copy->elapsed_ns = result->elapsed_ns;
	copy->begun = result->begun;
	g_ptr_array_extend(copy->diagnostics, result->diagnostics, (GCopyFunc)copy_diagnostic, NULL);
	g_ptr_array_extend(copy->dependencies, result->dependencies, (GCopyFunc)copy_string, NULL);
	return copy;
}

void
hd_build_result_free(hd_build_result *result)
{
	if (!result)
		return;
	if (result->object)
		g_bytes_unref(result->object);
	g_ptr_array_unref(result->diagnostics);
	g_ptr_array_unref(result->dependencies);
	g_free(result->compiler);
	g_free(result->raw);
	g_free(result);
}

hd_build_result *
hd_result_failed(const hd_result_source *source, GError *error)
{
	hd_build_result *result = hd_result_new();
	result->compiler = g_strdup(source->compiler ? source->compiler->word : "");
	result->raw = g_strdup_printf("%s\n", error->message);
	g_ptr_array_add(result->diagnostics, hd_diagnostic_new(HD_SEVERITY_ERROR, NULL, 0, 0, "%s", error->message));
	g_ptr_array_add(result->dependencies, g_strdup(source->command->source));
	g_error_free(error);
	return result;
}

/* Without the mirror in front; points into path. */
static const char *
outside_mirror(const hd_result_source *source, const char *path)
{
	const char *root = source->mirror ? hd_mirror_root(source->mirror) : NULL;
	gsize length = root ? strlen(root) : 0;
	return length && strncmp(path, root, length) == 0 && path[length] == '/' ? path + length : path;
}

/* The real path of a file that the compiler named. */
static char *
real_name(const char *file, void *data)
{
	const hd_result_source *source = data;
	char *absolute = g_path_is_absolute(file) ? g_strdup(file) : g_build_filename(source->working, file, NULL);
	const char *known = g_hash_table_lookup(source->canonical, absolute);
	if (!known) {
		char *canonical = hd_canonical_path(absolute, "/");
		known = outside_mirror(source, canonical);
		known = g_strdup(known);
		g_free(canonical);
		g_hash_table_insert(source->canonical, g_strdup(absolute), (char *)known);
	}
	g_free(absolute);
	return g_strdup(known);
}

static bool
is_inside(const char *path, const char *folder)
{
	gsize length = folder ? strlen(folder) : 0;
	return length && strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* The names in the dependency file, of char *; none when it cannot be read. */
static GPtrArray *
read_names(const hd_result_source *source)
{
	char *text = NULL;
	gsize size = 0;
	if (hd_fault("build.depfile") || !g_file_get_contents(source->depfile, &text, &size, NULL))
		text = NULL;
	GPtrArray *names = hd_depfile_parse(text ? text : "", text ? size : 0);
	g_free(text);
	return names;
}

GPtrArray *
hd_result_files(const hd_result_source *source)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *names = read_names(source);
	for (guint i = 0; i < names->len; i++) {
		char *real = real_name(g_ptr_array_index(names, i), (void *)source);
		if (g_hash_table_add(seen, real))
			g_ptr_array_add(files, real);
		else
			g_free(real);
	}
	g_ptr_array_unref(names);
	g_hash_table_unref(seen);
	return files;
}

/* A refusal that comes of the text has a place in it; what stops a compiler at once may come of anything. */
bool
hd_result_is_final(const hd_build_result *result, int status, const GString *output)
{
	if (result->ok)
		return true;
	if (!WIFEXITED(status) || !WEXITSTATUS(status) || strstr(output->str, "fatal error"))
		return false;
	for (guint i = 0; i < result->diagnostics->len; i++) {
		const hd_diagnostic *diagnostic = g_ptr_array_index(result->diagnostics, i);
		if (diagnostic->severity == HD_SEVERITY_ERROR && !diagnostic->where.file)
			return false;
	}
	return true;
}

char *
hd_result_leak(const hd_result_source *source, int status, const GString *output)
{
	GPtrArray *names = read_names(source);
	char *leak = names->len == 0 ? g_strdup("") : NULL;
	for (guint i = 0; i < names->len && !leak; i++) {
		char *real = hd_canonical_path(g_ptr_array_index(names, i), source->working);
		if (hd_mirror_covers(source->mirror, real))
			leak = g_steal_pointer(&real);
		g_free(real);
	}
	/* gcc's and clang's words for an #include that finds nothing. */
	if (!leak && status != 0 && (strstr(output->str, "No such file") || strstr(output->str, "file not found")))
		leak = g_strdup("");
	g_ptr_array_unref(names);
	return leak;
}

static void
read_dependencies(const hd_result_source *source, GPtrArray *out)
{
	GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
	char *self = g_strdup(source->command->source);
	g_ptr_array_add(out, self);
	g_hash_table_add(seen, self);
	GPtrArray *names = read_names(source);
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		if (hd_path_is_system(name) && !is_inside(name, source->project))
			continue;
		char *real = real_name(name, (void *)source);
		bool keep = is_inside(real, source->project) || !hd_path_is_system(real);
		if (keep && !g_hash_table_contains(seen, real)) {
			g_hash_table_add(seen, real);
			g_ptr_array_add(out, real);
		} else
			g_free(real);
	}
	g_ptr_array_unref(names);
	g_hash_table_unref(seen);
}

static bool
has_error(const GPtrArray *diagnostics)
{
	for (guint i = 0; i < diagnostics->len; i++)
		if (((hd_diagnostic *)g_ptr_array_index(diagnostics, i))->severity == HD_SEVERITY_ERROR)
			return true;
	return false;
}

static GBytes *
read_object(const hd_result_source *source)
{
	char *content = NULL;
	gsize size = 0;
	if (hd_fault("build.object") || !g_file_get_contents(source->object, &content, &size, NULL))
		return NULL;
	if (size == 0) {
		g_free(content);
		return NULL;
	}
	return g_bytes_new_take(content, size);
}

/* The last line that says anything. */
static const char *
last_words(char *raw)
{
	g_strchomp(raw);
	const char *newline = strrchr(raw, '\n');
	return newline ? newline + 1 : raw;
}

/* Why there is no object, where the compiler did not say so itself. */
static hd_diagnostic *
explain(const hd_result_source *source, int status, const char *raw)
{
	const char *name = source->command->argv[hd_arguments_compiler(source->command->argv)];
	if (status == HD_PROCESS_STATUS_LOST)
		return hd_diagnostic_new(HD_SEVERITY_ERROR, NULL, 0, 0, "the compiler %s wrote no object", name);
	if (WIFSIGNALED(status))
		return hd_diagnostic_new(HD_SEVERITY_ERROR, NULL, 0, 0, "the compiler %s was ended by signal %d (%s)",
					 name, WTERMSIG(status), g_strsignal(WTERMSIG(status)));
	if (status == 0)
		return hd_diagnostic_new(HD_SEVERITY_ERROR, NULL, 0, 0,
					 "the compiler %s reported success and wrote no object", name);
	char *copy = g_strdup(raw);
	const char *last = last_words(copy);
	hd_diagnostic *diagnostic =
		hd_diagnostic_new(HD_SEVERITY_ERROR, NULL, 0, 0, "the compiler %s ended with status %d%s%s", name,
				  WEXITSTATUS(status), *last ? ": " : " and said nothing", last);
	g_free(copy);
	return diagnostic;
}

static char *
without_mirror(const hd_result_source *source, const char *text)
{
	if (!source->mirror)
		return g_strdup(text);
	char **parts = g_strsplit(text, hd_mirror_root(source->mirror), -1);
	char *joined = g_strjoinv("", parts);
	g_strfreev(parts);
	return joined;
}

hd_build_result *
hd_result_read(const hd_result_source *source, int status, const GString *output)
{
	hd_build_result *result = hd_result_new();
	GString *raw = g_string_new(NULL);
	result->compiler = g_strdup(source->compiler->word);
	hd_diagnostics_read(output->str, output->len, real_name, (void *)source, result->diagnostics, raw);
	for (guint i = 0; source->mirror && i < result->diagnostics->len; i++) {
		hd_diagnostic *diagnostic = g_ptr_array_index(result->diagnostics, i);
		char *message = without_mirror(source, diagnostic->message);
		g_free(diagnostic->message);
		diagnostic->message = message;
	}
	result->raw = without_mirror(source, raw->str);
	g_string_free(raw, TRUE);
	/* Compilers remove the object they were told to write when they fail. */
	if (status == 0 || (status == HD_PROCESS_STATUS_LOST && !has_error(result->diagnostics)))
		result->object = read_object(source);
	result->ok = result->object != NULL;
	if (!result->ok && !has_error(result->diagnostics))
		g_ptr_array_add(result->diagnostics, explain(source, status, result->raw));
	hd_diagnostics_sort(result->diagnostics);
	read_dependencies(source, result->dependencies);
	return result;
}
