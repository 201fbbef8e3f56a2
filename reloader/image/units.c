/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translation units of an image: from the attributes of their first
 * entries, so that opening stays quick; the rest of each when asked for. */
#include "config.h"

#include "reloader/image/internal.h"

#include "base/error.h"
#include "reloader/types/sources.h"

#include <dwarf.h>
#include <string.h>

#ifndef DW_LANG_C17
#define DW_LANG_C17 0x2c
#endif
#ifndef DW_LANG_C23
#define DW_LANG_C23 0x3e
#endif

void
hd_unit_slot_free(gpointer data)
{
	hd_unit_slot *slot = data;
	hd_unit_free(slot->details);
	if (slot->hints) {
		g_ptr_array_unref(slot->hints->include_directories);
		g_ptr_array_unref(slot->hints->files);
		g_free(slot->hints);
	}
	if (slot->functions)
		g_ptr_array_unref(slot->functions);
	g_free(slot);
}

/* The one name of a file, kept by the image: the same headers stand behind many units. */
static const char *
canonical(hd_image *image, const char *path, const char *directory)
{
	char *absolute =
		directory && g_path_is_absolute(directory) ? g_canonicalize_filename(path, directory) : g_strdup(path);
	const char *known = g_hash_table_lookup(image->paths, absolute);
	if (known) {
		g_free(absolute);
		return known;
	}
	char *result = hd_source_name(absolute, NULL);
	g_hash_table_insert(image->paths, absolute, result);
	return result;
}

static const char *
string_attribute(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	return dwarf_formstring(dwarf_attr(die, name, &attribute));
}

static bool
is_c_language(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Word language;
	if (dwarf_formudata(dwarf_attr(die, DW_AT_language, &attribute), &language) != 0)
		return false;
	return language == DW_LANG_C89 || language == DW_LANG_C || language == DW_LANG_C99 || language == DW_LANG_C11 ||
	       language == DW_LANG_C17 || language == DW_LANG_C23;
}

static bool
is_skeleton(Dwarf_Die *die, uint8_t type)
{
	return type == DW_UT_skeleton || dwarf_hasattr(die, DW_AT_dwo_name) || dwarf_hasattr(die, DW_AT_GNU_dwo_name);
}

static void
open_unit(hd_image *image, Dwarf_Die *die, uint8_t type)
{
	const char *name = string_attribute(die, DW_AT_name);
	bool skeleton = is_skeleton(die, type);
	if (!name && skeleton)
		name = string_attribute(die, dwarf_hasattr(die, DW_AT_dwo_name) ? DW_AT_dwo_name : DW_AT_GNU_dwo_name);
	if (!name)
		return;
	hd_unit_slot *slot = g_new0(hd_unit_slot, 1);
	slot->cu = *die;
	slot->open.die = dwarf_dieoffset(die);
	slot->open.directory = string_attribute(die, DW_AT_comp_dir);
	slot->open.producer = string_attribute(die, DW_AT_producer);
	slot->open.source = canonical(image, name, slot->open.directory);
	slot->open.is_c = is_c_language(die) && strcmp(name, "<artificial>") != 0;
	if (skeleton)
		slot->open.limit = "its debug information is in a separate .dwo file: build it without -gsplit-dwarf";
	else if (hd_producer_omits_types(slot->open.producer))
		slot->open.limit = "its debug information has no types: build it with -g, not with -g1";
	g_ptr_array_add(image->units, slot);
}

/* Whether the producer's recorded options end with link-time optimisation on. */
static bool
asks_for_lto(const char *producer)
{
	bool on = false;
	char **options = g_strsplit(producer ? producer : "", " ", -1);
	for (char **option = options; *option; option++) {
		if (strcmp(*option, "-flto") == 0 || g_str_has_prefix(*option, "-flto="))
			on = true;
		else if (strcmp(*option, "-fno-lto") == 0)
			on = false;
	}
	g_strfreev(options);
	return on;
}

static bool
is_lto_output(const hd_image_unit *unit)
{
	return (unit->producer && g_str_has_prefix(unit->producer, "GNU GIMPLE")) ||
	       g_str_has_suffix(unit->source, "<artificial>");
}

/* Units that came out of one run of clang's code generator share their
 * abbreviations; a linker never merges those. dwz does, and leaves partial units. */
static bool
share_abbreviations(hd_image *image)
{
	Dwarf_Off offset = 0, next, abbreviations, before = 0;
	size_t header;
	bool shared = false;
	while (dwarf_next_unit(image->dwarf, offset, &next, &header, NULL, &abbreviations, NULL, NULL, NULL, NULL) ==
	       0) {
		Dwarf_Die die;
		if (!dwarf_offdie(image->dwarf, offset + header, &die) || dwarf_tag(&die) == DW_TAG_partial_unit)
			return false;
		shared |= offset > 0 && abbreviations == before;
		before = abbreviations;
		offset = next;
	}
	return shared;
}

/* gcc: the units of an object with -flto are real units where it was linked
 * without (-ffat-lto-objects); where it was, "GNU GIMPLE" ones hold the code.
 * clang: nothing in the units tells; see above, and hd_symbols_name_lto. */
static void
mark_lto(hd_image *image)
{
	bool gcc = false, clang = false;
	for (guint i = 0; i < image->units->len; i++) {
		const hd_image_unit *unit = image->units->pdata[i];
		gcc |= is_lto_output(unit);
		clang |= unit->producer && strstr(unit->producer, "clang");
	}
	if (clang)
		clang = share_abbreviations(image) || hd_symbols_name_lto(image);
	for (guint i = 0; i < image->units->len; i++) {
		hd_image_unit *unit = image->units->pdata[i];
		unit->lto = (gcc && (is_lto_output(unit) || asks_for_lto(unit->producer))) ||
			    (clang && unit->producer && strstr(unit->producer, "clang"));
		if (unit->lto)
			unit->limit = "it was optimised at link time: build it without -flto";
	}
}

void
hd_units_open(hd_image *image)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Half version;
	uint8_t type;
	Dwarf_Die die;
	while (dwarf_get_units(image->dwarf, cu, &cu, &version, &type, &die, NULL) == 0) {
		if (dwarf_tag(&die) == DW_TAG_compile_unit || dwarf_tag(&die) == DW_TAG_skeleton_unit)
			open_unit(image, &die, type);
	}
	mark_lto(image);
}

static hd_unit_slot *
slot_of(const hd_image_unit *unit)
{
	return (hd_unit_slot *)unit;
}

const hd_unit *
hd_image_unit_details(hd_image *image, const hd_image_unit *unit, GError **error)
{
	hd_unit_slot *slot = slot_of(unit);
	if (!slot->details && unit->limit) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "%s cannot be reloaded, %s", unit->source,
			    unit->limit);
		return NULL;
	}
	if (!slot->details)
		slot->details = hd_unit_read_image(image->dwarf, unit->die, error);
	return slot->details;
}

static void
read_hints(hd_image *image, hd_unit_slot *slot)
{
	hd_sources *sources = hd_sources_new(image->dwarf, &slot->cu);
	/* The first is the unit's own directory. */
	for (guint i = 1; i < hd_sources_n_directories(sources); i++) {
		char *folder = (char *)canonical(image, hd_sources_directory(sources, i), slot->open.directory);
		g_ptr_array_add(slot->hints->include_directories, folder);
		if (!g_ptr_array_find(image->folders, folder, NULL))
			g_ptr_array_add(image->folders, folder);
	}
	GHashTable *seen = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < hd_sources_n_files(sources); i++) {
		char *name = hd_sources_spelling(sources, i);
		const char *path = name ? canonical(image, name, slot->open.directory) : NULL;
		if (path && g_hash_table_add(seen, (char *)path))
			g_ptr_array_add(slot->hints->files, (char *)path);
		g_free(name);
	}
	g_hash_table_unref(seen);
	hd_sources_free(sources);
}

/* Only optimising compilers say of a function that they have described every call in it (DWARF 5, 3.3.1.6, and GNU's
 * extension before it). */
static bool
is_optimised(Dwarf_Die *cu)
{
	Dwarf_Die child;
	bool more = dwarf_child(cu, &child) == 0;
	for (; more; more = dwarf_siblingof(&child, &child) == 0)
		if (dwarf_tag(&child) == DW_TAG_subprogram &&
		    (dwarf_hasattr(&child, DW_AT_call_all_calls) || dwarf_hasattr(&child, DW_AT_GNU_all_call_sites)))
			return true;
	return false;
}

const hd_command_hints *
hd_image_unit_hints(hd_image *image, const hd_image_unit *unit)
{
	hd_unit_slot *slot = slot_of(unit);
	if (slot->hints)
		return slot->hints;
	slot->hints = g_new0(hd_command_hints, 1);
	slot->hints->source = unit->source;
	slot->hints->spelling = dwarf_diename(&slot->cu);
	slot->hints->directory = unit->directory;
	slot->hints->producer = unit->producer;
	slot->hints->optimised = is_optimised(&slot->cu);
	slot->hints->shared = hd_image_is_pie(image) && !image->interpreted;
	slot->hints->fixed = !hd_image_is_pie(image);
	slot->hints->include_directories = g_ptr_array_new();
	slot->hints->files = g_ptr_array_new();
	slot->hints->others = image->folders;
	read_hints(image, slot);
	return slot->hints;
}

const GPtrArray *
hd_image_unit_functions(hd_image *image, const hd_image_unit *unit)
{
	hd_unit_slot *slot = slot_of(unit);
	if (slot->functions)
		return slot->functions;
	slot->functions = g_ptr_array_new();
	Dwarf_Addr base, first, end;
	ptrdiff_t offset = 0;
	while ((offset = dwarf_ranges(&slot->cu, offset, &base, &first, &end)) > 0)
		hd_symbols_within(image, first, end, slot->functions);
	return slot->functions;
}
