/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/private.h"

#include "reloader/build/conditional.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse_start(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool
refuse_start(GError **error, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *message = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error_literal(error, HD_ERROR, HD_ERROR_START, message);
	g_free(message);
	return false;
}

/* execvp's search, without executing. */
static char *
find_program(const char *name, GError **error)
{
	char *found = strchr(name, '/') ? g_strdup(name) : g_find_program_in_path(name);
	struct stat file;
	if (!found || stat(found, &file) != 0) {
		refuse_start(error, "%s: %s", name, found ? g_strerror(errno) : "not found in PATH");
	} else if (!S_ISREG(file.st_mode)) {
		refuse_start(error, "%s is not a file", name);
	} else if (access(found, X_OK) != 0) {
		refuse_start(error, "%s is not executable", name);
	} else if ((file.st_mode & S_ISUID && file.st_uid != geteuid()) ||
		   (file.st_mode & S_ISGID && file.st_gid != getegid())) {
		refuse_start(error, "%s is set-user-ID or set-group-ID: the kernel lets nobody reload it", name);
	} else {
		char *real = realpath(found, NULL);
		g_free(found);
		return real;
	}
	g_free(found);
	return NULL;
}

static bool
is_script(const char *path)
{
	char start[2] = "";
	FILE *file = fopen(path, "rbe");
	if (!file)
		return false;
	size_t got = fread(start, 1, sizeof start, file);
	fclose(file);
	return got == 2 && start[0] == '#' && start[1] == '!';
}

static bool
has_source(const hd_image_unit *unit)
{
	return unit->is_c && unit->source && access(unit->source, R_OK) == 0;
}

static bool
check_units(hd_image *image, const char *name, GError **error)
{
	const GPtrArray *units = hd_image_units(image);
	guint c = 0, lto = 0, present = 0;
	const char *absent = NULL;
	for (guint i = 0; i < units->len; i++) {
		const hd_image_unit *unit = g_ptr_array_index(units, i);
		c += unit->is_c;
		lto += unit->is_c && unit->lto;
		if (has_source(unit))
			present++;
		else if (unit->is_c)
			absent = unit->source;
	}
	if (!c)
		return refuse_start(error, "%s has no debug information for C: build it with -g", name);
	if (lto == c)
		return refuse_start(error, "%s was optimised at link time: build it without -flto", name);
	if (!present)
		return refuse_start(error, "the sources of %s are not here any more (%s)", name,
				    absent ? absent : "no name is known");
	return true;
}

static bool
check_image(hd_reloader *r, GError **error)
{
	const char *name = r->options.program;
	GError *problem = NULL;
	if (is_script(r->program_path))
		return refuse_start(error, "%s is a script: give the program that it starts", name);
	r->image = hd_image_open(r->program_path, &problem);
	if (!r->image) {
		refuse_start(error, "%s cannot be reloaded: %s", name, problem->message);
		g_error_free(problem);
		return false;
	}
	if (hd_image_is_static(r->image))
		return refuse_start(error, "%s is linked statically: link it dynamically (without -static)", name);
	if (!hd_image_has_symbols(r->image))
		return refuse_start(error, "%s is stripped: build it with -g and without stripping (no -s)", name);
	if (!hd_image_global(r->image, "main"))
		return refuse_start(error, "%s has no symbol main", name);
	return check_units(r->image, name, error);
}

/* The longest common folder of two absolute paths, into the first. */
static void
narrow(char *folder, const char *path)
{
	gsize i = 0, last = 0;
	for (;; i++) {
		bool ends_folder = !folder[i], ends_path = !path[i] || path[i] == '/';
		if ((ends_folder || folder[i] == '/') && ends_path)
			last = i;
		if (ends_folder || !path[i] || folder[i] != path[i])
			break;
	}
	folder[MAX(last, 1)] = '\0';
}

/* The folder, made wide enough for the path; but never a folder of everything ("/", "/home"). */
static char *
widened(char *folder, const char *path)
{
	char *wide = g_strdup(folder ? folder : path);
	narrow(wide, path);
	bool everything = !strchr(wide + 1, '/');
	if (folder && everything) {
		g_free(wide);
		return folder;
	}
	g_free(folder);
	return wide;
}

static bool
is_system_path(const char *path)
{
	return (g_str_has_prefix(path, "/usr/") && !g_str_has_prefix(path, "/usr/local/src/")) ||
	       g_str_has_prefix(path, "/lib") || g_str_has_prefix(path, "/opt/");
}

/* Wide enough for the sources, the folder they are compiled in and the headers beside them. */
static char *
common_folder(hd_image *image)
{
	char *folder = NULL;
	const GPtrArray *units = hd_image_units(image);
	for (guint pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < units->len; i++) {
			const hd_image_unit *unit = g_ptr_array_index(units, i);
			if (!has_source(unit))
				continue;
			char *here = g_path_get_dirname(unit->source);
			if (pass == 0)
				folder = widened(folder, here);
			else if (unit->directory && g_str_has_prefix(here, unit->directory))
				folder = widened(folder, unit->directory);
			g_free(here);
			const hd_command_hints *hints = pass ? hd_image_unit_hints(image, unit) : NULL;
			for (guint n = 0; hints && hints->include_directories && n < hints->include_directories->len;
			     n++) {
				char *real = realpath(g_ptr_array_index(hints->include_directories, n), NULL);
				if (real && !is_system_path(real))
					folder = widened(folder, real);
				free(real);
			}
		}
	}
	return folder;
}

static void
find_project(hd_reloader *r)
{
	g_free(r->model->project);
	char *real = r->options.project ? realpath(r->options.project, NULL) : NULL;
	if (r->options.project)
		r->model->project = g_strdup(real ? real : r->options.project);
	else
		r->model->project = common_folder(r->image);
	free(real);
}

bool
hd_discover_program(hd_reloader *r, GError **error)
{
	g_clear_pointer(&r->image, hd_image_unref);
	free(r->program_path);
	r->program_path = find_program(r->options.program, error);
	if (!r->program_path || !check_image(r, error))
		return false;
	find_project(r);
	if (access(r->model->project, R_OK) != 0)
		return refuse_start(error, "the project folder %s cannot be read: %s", r->model->project,
				    g_strerror(errno));
	if (r->compdb)
		return true;
	GError *problem = NULL;
	char *from = g_path_get_dirname(r->program_path);
	r->compdb = hd_compdb_open(r->options.compdb, from, r->model->project, &problem);
	g_free(from);
	if (!problem)
		return true;
	g_set_error(error, HD_ERROR, r->options.compdb ? HD_ERROR_USAGE : HD_ERROR_START, "%s", problem->message);
	g_error_free(problem);
	return false;
}

static bool
in_project(const hd_reloader *r, const char *path)
{
	gsize length = strlen(r->model->project);
	return length == 1 || (strncmp(path, r->model->project, length) == 0 && (path[length] == '/' || !path[length]));
}

static bool
newer(const char *path, const struct stat *than)
{
	struct stat file;
	if (stat(path, &file) != 0)
		return false;
	if (file.st_mtim.tv_sec != than->st_mtim.tv_sec)
		return file.st_mtim.tv_sec > than->st_mtim.tv_sec;
	return file.st_mtim.tv_nsec > than->st_mtim.tv_nsec;
}

static void
add_file(const hd_reloader *r, GPtrArray *files, GHashTable *seen, const char *path)
{
	char *real = realpath(path, NULL);
	if (real && in_project(r, real) && !g_hash_table_contains(r->texts, real) &&
	    g_hash_table_add(seen, g_strdup(real)))
		g_ptr_array_add(files, g_strdup(real));
	free(real);
}

/* A header of macros alone is in no debug information: whatever lies where headers are looked for counts. */
static void
add_headers(const hd_reloader *r, const char *folder, GPtrArray *files, GHashTable *seen)
{
	char *real = realpath(folder, NULL);
	GDir *dir = real && in_project(r, real) && g_hash_table_add(seen, g_strdup(real)) ? g_dir_open(real, 0, NULL)
											  : NULL;
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".h") && !g_str_has_suffix(name, ".inc") && !g_str_has_suffix(name, ".def"))
			continue;
		char *path = g_build_filename(real, name, NULL);
		add_file(r, files, seen, path);
		g_free(path);
	}
	if (dir)
		g_dir_close(dir);
	free(real);
}

static void
discover_unit(hd_reloader *r, hd_loaded *home, const hd_image_unit *unit, const struct stat *file, GPtrArray *files,
	      GHashTable *seen)
{
	hd_module *module = hd_model_add_module(r->model, unit->source);
	if (unit->limit) {
		g_free(module->unreloadable);
		module->unreloadable = g_strdup(unit->limit);
		module->view.unreloadable = module->unreloadable;
		module->view.state = HD_MODULE_UNRELOADABLE;
		return;
	}
	hd_copy *copy = hd_module_add_copy(module, home, unit);
	copy->stale = newer(unit->source, file);
	add_file(r, files, seen, unit->source);
	const hd_command_hints *hints = hd_image_unit_hints(home->image, unit);
	for (guint i = 0; hints && hints->files && i < hints->files->len; i++) {
		const char *path = g_ptr_array_index(hints->files, i);
		if (!in_project(r, path))
			continue;
		copy->stale |= newer(path, file);
		add_file(r, files, seen, path);
	}
	for (guint i = 0; hints && hints->include_directories && i < hints->include_directories->len; i++)
		add_headers(r, g_ptr_array_index(hints->include_directories, i), files, seen);
	char *folder = g_path_get_dirname(unit->source);
	add_headers(r, folder, files, seen);
	g_free(folder);
}

/* Their commands are made of debug information instead, which may be right; but nobody else says so. */
void
hd_discover_warn(hd_reloader *r)
{
	const hd_module *first = NULL;
	guint missing = 0;
	for (guint i = 0; r->compdb && i < r->model->modules->len; i++) {
		const hd_module *module = g_ptr_array_index(r->model->modules, i);
		if (!module->copies->len || hd_compdb_names(r->compdb, module->path))
			continue;
		first = missing++ ? first : module;
	}
	if (!missing || !g_hash_table_add(r->said, g_strdup(hd_compdb_path(r->compdb))))
		return;
	char *others = missing > 1 ? g_strdup_printf(" and %u other source%s are", missing - 1, missing > 2 ? "s" : "")
				   : g_strdup(" is");
	hd_position where = {.file = first->path};
	hd_reloader_warn(r, "not-in-compdb", &where,
			 "%s%s not in %s: how that is compiled is inferred from debug information, which does not "
			 "have macros given by -D",
			 first->name, others, hd_compdb_path(r->compdb));
	g_free(others);
}

bool
hd_discover_has_modules(const hd_reloader *r, const hd_loaded *home)
{
	for (guint i = 0; i < r->model->modules->len; i++) {
		const hd_module *module = g_ptr_array_index(r->model->modules, i);
		for (guint c = 0; c < module->copies->len; c++)
			if (((hd_copy *)g_ptr_array_index(module->copies, c))->home == home)
				return true;
	}
	return false;
}

/* A library of the system has no sources here; looking for them would read
 * debug information that somebody installed for all of libc. */
static bool
is_of_system(const hd_reloader *r, const hd_loaded *home)
{
	static const char *const folders[] = {"/usr/", "/lib/", "/lib64/", NULL};
	if (home->is_program || in_project(r, home->object.path))
		return false;
	for (const char *const *folder = folders; *folder; folder++)
		if (g_str_has_prefix(home->object.path, *folder) && !g_str_has_prefix(home->object.path, "/usr/local/"))
			return true;
	return false;
}

GPtrArray *
hd_discover_modules(hd_reloader *r)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const GPtrArray *loaded = hd_scope_loaded(r->scope);
	for (guint i = 0; i < loaded->len; i++) {
		hd_loaded *home = g_ptr_array_index(loaded, i);
		struct stat file;
		if (!home->image || home->gone || is_of_system(r, home) || hd_discover_has_modules(r, home) ||
		    stat(home->object.path, &file) != 0)
			continue;
		const GPtrArray *units = hd_image_units(home->image);
		for (guint u = 0; u < units->len; u++) {
			const hd_image_unit *unit = g_ptr_array_index(units, u);
			if (has_source(unit) && in_project(r, unit->source))
				discover_unit(r, home, unit, &file, files, seen);
		}
	}
	g_hash_table_unref(seen);
	return files;
}

/* The branches that the program has code of: where one of them is left out, the command is wrong. */
static GArray *
branches_with_code(const hd_command_check *check)
{
	GArray *branches = hd_conditional_branches(check->text);
	for (guint i = branches->len; i > 0; i--) {
		const hd_lines *lines = &g_array_index(branches, hd_lines, i - 1);
		if (!hd_unit_code_line(check->built, check->command->source, lines->first, lines->last))
			g_array_remove_index_fast(branches, i - 1);
	}
	return branches;
}

static char *
why_wrong(const hd_command_check *check, const GArray *left_out)
{
	if (!left_out->len)
		return NULL;
	const hd_lines *lines = &g_array_index(left_out, hd_lines, 0);
	return g_strdup_printf("the program has code of line %d, which an #if leaves out where macros given by -D "
			       "are not known: the debug information does not have them, a compile_commands.json "
			       "would",
			       hd_unit_code_line(check->built, check->command->source, lines->first, lines->last));
}

void
hd_discover_check(const hd_reloader *r, hd_command_check *checks, guint count)
{
	GArray *questions = g_array_new(FALSE, FALSE, sizeof(hd_conditional_question));
	GPtrArray *asked = g_ptr_array_new();
	for (guint i = 0; i < count; i++) {
		hd_command_check *check = &checks[i];
		if (check->command->origin != HD_COMMAND_DEBUG_INFO || !check->built || !check->text)
			continue;
		hd_conditional_question question = {check->command, check->text, branches_with_code(check)};
		g_array_append_val(questions, question);
		g_ptr_array_add(asked, check);
	}
	hd_conditional_ask((hd_conditional_question *)(void *)questions->data, questions->len, r->options.scratch);
	for (guint i = 0; i < questions->len; i++) {
		hd_command_check *check = g_ptr_array_index(asked, i);
		GArray *left_out = g_array_index(questions, hd_conditional_question, i).branches;
		check->why = why_wrong(check, left_out);
		g_array_unref(left_out);
	}
	g_ptr_array_unref(asked);
	g_array_unref(questions);
}

/* What the program was built of, where that is known. */
static hd_command_check
check_of(const hd_reloader *r, const hd_copy *copy, const hd_command *command)
{
	hd_command_check check = {.command = command};
	const char *path = copy->module->path;
	if (command->origin != HD_COMMAND_DEBUG_INFO || !copy->unit || copy->stale ||
	    g_hash_table_contains(r->unknown, path))
		return check;
	check.text = g_hash_table_lookup(r->originals, path);
	if (!check.text)
		check.text = g_hash_table_lookup(r->texts, path);
	check.built = hd_image_unit_details(copy->home->image, copy->unit, NULL);
	return check;
}

static bool
is_looked_for(const hd_copy *copy)
{
	return !copy->command && !copy->no_command;
}

static hd_command *
look_for_command(const hd_reloader *r, const hd_copy *copy, GError **error)
{
	const hd_command_hints *hints = copy->unit ? hd_image_unit_hints(copy->home->image, copy->unit) : NULL;
	hd_command_hints bare = {.source = copy->module->path};
	return hd_command_find(r->compdb, hints ? hints : &bare, error);
}

/* Takes the command, and why it is wrong. */
static void
set_command(hd_copy *copy, hd_command *command, char *wrong)
{
	copy->no_command = wrong;
	if (wrong)
		hd_command_free(command);
	else
		copy->command = command;
	copy->module->view.command = copy->command;
}

void
hd_discover_commands(hd_reloader *r, const GPtrArray *copies)
{
	GPtrArray *found = g_ptr_array_new();
	GArray *checks = g_array_new(FALSE, FALSE, sizeof(hd_command_check));
	for (guint i = 0; i < copies->len; i++) {
		hd_copy *copy = g_ptr_array_index(copies, i);
		hd_command *command = is_looked_for(copy) ? look_for_command(r, copy, NULL) : NULL;
		if (!command)
			continue;
		hd_command_check check = check_of(r, copy, command);
		g_ptr_array_add(found, copy);
		g_array_append_val(checks, check);
	}
	hd_discover_check(r, (hd_command_check *)(void *)checks->data, checks->len);
	for (guint i = 0; i < found->len; i++) {
		hd_command_check *check = &g_array_index(checks, hd_command_check, i);
		set_command(g_ptr_array_index(found, i), (hd_command *)check->command, check->why);
	}
	g_array_unref(checks);
	g_ptr_array_unref(found);
}

const hd_command *
hd_discover_command(hd_reloader *r, hd_copy *copy, GError **error)
{
	if (is_looked_for(copy)) {
		hd_command *command = look_for_command(r, copy, error);
		if (!command)
			return NULL;
		hd_command_check check = check_of(r, copy, command);
		hd_discover_check(r, &check, 1);
		set_command(copy, command, check.why);
	}
	if (copy->no_command)
		g_set_error_literal(error, HD_ERROR, HD_ERROR_UNSUPPORTED, copy->no_command);
	return copy->command;
}

/* libtcc was told the old command. */
static void
forget_instant(hd_copy *copy)
{
	g_clear_pointer(&copy->instant, hd_instant_unit_free);
	g_clear_pointer(&copy->reading, hd_reading_free);
}

void
hd_discover_refuse(hd_copy *copy, char *why)
{
	set_command(copy, g_steal_pointer(&copy->command), why);
	copy->ruled_out = true;
	forget_instant(copy);
}

void
hd_discover_extend(const hd_reloader *r, hd_copy *copy, const char *const *words)
{
	hd_command *command = look_for_command(r, copy, NULL);
	if (!command)
		return;
	hd_command_add(command, words);
	hd_command_free(copy->command);
	copy->command = NULL;
	set_command(copy, command, NULL);
	forget_instant(copy);
}

void
hd_discover_texts(hd_reloader *r, GPtrArray *files)
{
	for (guint i = 0; i < files->len; i++) {
		const char *path = g_ptr_array_index(files, i);
		if (g_hash_table_contains(r->texts, path))
			continue;
		GBytes *text = hd_watcher_text(r->watcher, path);
		if (text)
			g_hash_table_insert(r->texts, g_strdup(path), text);
	}
}
