/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Separate debug files, as gdb finds them: by build-id below /usr/lib/debug,
 * or by .gnu_debuglink beside the program. Only one with the program's own
 * build-id is taken. */
#include "config.h"

#include "reloader/image/internal.h"

#include <elfutils/libdwelf.h>
#include <string.h>

#define DEBUG_ROOT "/usr/lib/debug"

static bool
open_same(const char *path, const void *id, gssize id_size, hd_elf *debug)
{
	if (!g_file_test(path, G_FILE_TEST_IS_REGULAR) || !hd_elf_open(debug, path, NULL))
		return false;
	const void *found;
	if (dwelf_elf_gnu_build_id(debug->elf, &found) == id_size && memcmp(found, id, (gsize)id_size) == 0)
		return true;
	hd_elf_close(debug);
	return false;
}

static char *
path_of_id(const guint8 *id, gssize size)
{
	GString *path = g_string_new(DEBUG_ROOT "/.build-id/");
	for (gssize i = 0; i < size; i++)
		g_string_append_printf(path, i == 0 ? "%02x/" : "%02x", id[i]);
	return g_string_free(g_string_append(path, ".debug"), FALSE);
}

bool
hd_debug_file_open(const hd_elf *file, const char *path, hd_elf *debug)
{
	const void *id;
	GElf_Word checksum;
	gssize size = dwelf_elf_gnu_build_id(file->elf, &id);
	if (size < 2)
		return false;
	char *candidate = path_of_id(id, size);
	bool found = open_same(candidate, id, size, debug);
	g_free(candidate);
	const char *link = dwelf_elf_gnu_debuglink(file->elf, &checksum);
	if (found || !link || strchr(link, '/'))
		return found;
	char *real = g_canonicalize_filename(path, NULL);
	char *folder = g_path_get_dirname(real);
	char *places[] = {g_build_filename(folder, link, NULL), g_build_filename(folder, ".debug", link, NULL),
			  g_build_filename(DEBUG_ROOT, folder, link, NULL)};
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		found = found || open_same(places[i], id, size, debug);
		g_free(places[i]);
	}
	g_free(folder);
	g_free(real);
	return found;
}
