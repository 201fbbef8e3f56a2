/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/link/scope.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

struct hd_scope {
	GPtrArray *loaded; /* of hd_loaded * */
};

static void
loaded_free(hd_loaded *loaded)
{
	if (loaded->image)
		hd_image_unref(loaded->image);
	g_free(loaded->object.path);
	g_hash_table_unref(loaded->added);
	g_hash_table_unref(loaded->hops);
	g_free(loaded);
}

hd_scope *
hd_scope_new(void)
{
	hd_scope *scope = g_new0(hd_scope, 1);
	scope->loaded = g_ptr_array_new_with_free_func((GDestroyNotify)loaded_free);
	return scope;
}

void
hd_scope_free(hd_scope *scope)
{
	if (!scope)
		return;
	g_ptr_array_unref(scope->loaded);
	g_free(scope);
}

/* Takes the known object out of the list; NULL if it is new. */
static hd_loaded *
take_loaded(hd_scope *scope, const hd_target_object *object)
{
	for (guint i = 0; i < scope->loaded->len; i++) {
		hd_loaded *loaded = g_ptr_array_index(scope->loaded, i);
		if (loaded->object.low == object->low && loaded->object.inode == object->inode &&
		    loaded->object.device == object->device)
			return g_ptr_array_steal_index(scope->loaded, i);
	}
	return NULL;
}

static hd_loaded *
loaded_new(const hd_target_object *object)
{
	hd_loaded *loaded = g_new0(hd_loaded, 1);
	loaded->object = *object;
	loaded->object.path = g_strdup(object->path);
	loaded->bias = object->bias;
	loaded->added = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	loaded->hops = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	loaded->image = hd_image_open(object->path, NULL);
	return loaded;
}

bool
hd_scope_refresh(hd_scope *scope, hd_target *target, GError **error)
{
	const GPtrArray *objects = hd_target_objects(target, error);
	if (!objects)
		return false;
	bool first = scope->loaded->len == 0;
	GPtrArray *ordered = g_ptr_array_new_with_free_func((GDestroyNotify)loaded_free);
	for (guint i = 0; i < objects->len; i++) {
		const hd_target_object *object = g_ptr_array_index(objects, i);
		hd_loaded *loaded = take_loaded(scope, object);
		if (!loaded) {
			loaded = loaded_new(object);
			loaded->startup = first;
		}
		loaded->is_program = i == 0;
		g_ptr_array_add(ordered, loaded);
	}
	/* What the program has unloaded stays known, out of every lookup. */
	while (scope->loaded->len) {
		hd_loaded *loaded = g_ptr_array_steal_index(scope->loaded, 0);
		loaded->gone = true;
		g_ptr_array_add(ordered, loaded);
	}
	g_ptr_array_unref(scope->loaded);
	scope->loaded = ordered;
	return true;
}

const GPtrArray *
hd_scope_loaded(const hd_scope *scope)
{
	return scope->loaded;
}

void
hd_scope_add(hd_loaded *home, const char *name, guint64 address)
{
	g_hash_table_insert(home->added, g_strdup(name), g_memdup2(&address, sizeof address));
}

static bool
found_at(hd_found *found, guint64 address, hd_symbol_kind kind, hd_loaded *home)
{
	*found = (hd_found){address, kind, home};
	if (home)
		home->referred = true;
	return true;
}

/* Where the kernel mapped its own object: AT_SYSINFO_EHDR (getauxval(3), vdso(7)). 0: nowhere. */
static guint64
vdso_base(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
	gchar *bytes = NULL;
	gsize size = 0;
	guint64 base = 0, pair[2];
	if (!g_file_get_contents(path, &bytes, &size, NULL))
		return 0;
	for (gsize i = 0; i + sizeof pair <= size && !base; i += sizeof pair) {
		memcpy(pair, bytes + i, sizeof pair);
		if (pair[0] == AT_SYSINFO_EHDR)
			base = pair[1];
	}
	g_free(bytes);
	return base;
}

/* The choice an IFUNC's resolver makes depends on the processor alone, so for
 * a library that is the same file here, our own loader has made it already. */
static bool
resolve_like_ours(hd_target *target, const hd_loaded *home, const char *name, guint64 *address)
{
	/* In that very file: what we were started with may have put others before it. */
	void *handle = dlopen(home->object.path, RTLD_LAZY | RTLD_NOLOAD);
	void *ours = handle ? dlsym(handle, name) : NULL;
	Dl_info info;
	struct stat file;
	if (handle)
		dlclose(handle);
	if (!ours || !dladdr(ours, &info))
		return false;
	guint64 offset = (guint64)(guintptr)ours - (guint64)(guintptr)info.dli_fbase;
	if ((guint64)(guintptr)info.dli_fbase == getauxval(AT_SYSINFO_EHDR)) {
		guint64 base = vdso_base(hd_target_pid(target));
		*address = base + offset;
		return base != 0;
	}
	if (stat(info.dli_fname, &file) != 0)
		return false;
	if (file.st_ino != home->object.inode || file.st_dev != home->object.device)
		return false;
	*address = home->bias + offset;
	return true;
}

/* The resolver's result, as the program's own loader stored it. */
static bool
resolve_from_word(hd_target *target, const hd_loaded *home, guint64 resolver, guint64 *address)
{
	guint64 word = hd_image_ifunc_word(home->image, resolver);
	return word && hd_target_read(target, 0, home->bias + word, address, sizeof *address, NULL) && *address;
}

static bool
found_symbol(hd_target *target, hd_loaded *home, const hd_image_symbol *symbol, hd_found *found)
{
	if (!symbol || symbol->kind == HD_SYMBOL_NONE)
		return symbol && symbol->address ? found_at(found, home->bias + symbol->address, symbol->kind, home)
						 : false;
	if (symbol->kind == HD_SYMBOL_TLS)
		return found_at(found, symbol->address, HD_SYMBOL_TLS, home);
	if (symbol->kind != HD_SYMBOL_IFUNC)
		return found_at(found, home->bias + symbol->address, symbol->kind, home);
	guint64 address;
	if (resolve_from_word(target, home, symbol->address, &address) ||
	    resolve_like_ours(target, home, symbol->name, &address))
		return found_at(found, address, HD_SYMBOL_FUNCTION, home);
	return false;
}

static bool
lookup_exported(hd_scope *scope, hd_target *target, const char *name, hd_found *found)
{
	for (guint i = 0; i < scope->loaded->len; i++) {
		hd_loaded *loaded = g_ptr_array_index(scope->loaded, i);
		if (!loaded->image || loaded->gone)
			continue;
		if (found_symbol(target, loaded, hd_image_exported(loaded->image, name), found))
			return true;
	}
	return false;
}

bool
hd_scope_lookup(hd_scope *scope, hd_target *target, hd_loaded *from, const char *name, hd_found *found)
{
	const guint64 *added = g_hash_table_lookup(from->added, name);
	if (added)
		return found_at(found, *added, HD_SYMBOL_NONE, NULL);

	const hd_image_symbol *own = hd_image_global(from->image, name);
	/* A library's own default-visibility symbol may be pre-empted by an object before it. */
	if (own && !own->hidden && !from->is_program && lookup_exported(scope, target, name, found))
		return true;
	if (found_symbol(target, from, own, found))
		return true;
	if (lookup_exported(scope, target, name, found))
		return true;
	for (guint i = 0; i < scope->loaded->len; i++) {
		hd_loaded *loaded = g_ptr_array_index(scope->loaded, i);
		added = g_hash_table_lookup(loaded->added, name);
		if (added && !loaded->gone)
			return found_at(found, *added, HD_SYMBOL_NONE, NULL);
	}
	return false;
}
