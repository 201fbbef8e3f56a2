/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/types/dwarf.h"

#include <gelf.h>
#include <string.h>

bool
hd_dwarf_is_section(const char *name, const char *kind)
{
	if (!name || *name != '.')
		return false;
	return strcmp(name + 1, kind) == 0 || (name[1] == 'z' && strcmp(name + 2, kind) == 0);
}

static bool
holds_strings(const char *name)
{
	return hd_dwarf_is_section(name, "debug_str") || hd_dwarf_is_section(name, "debug_line_str");
}

/* libdw checks that a string begins inside its section, not that it ends there
 * (elfutils 0.188, read_srclines): in a damaged file it would read on. */
static void
end_strings(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS ||
		    !holds_strings(elf_strptr(elf, names, header.sh_name)))
			continue;
		Elf_Data *data = elf_rawdata(section, NULL);
		char *end = data && data->d_buf && data->d_size > 0 ? (char *)data->d_buf + data->d_size - 1 : NULL;
		if (end && *end != '\0')
			*end = '\0';
	}
}

Dwarf *
hd_dwarf_open(Elf *elf)
{
	/* After this, compressed sections are as libdw will read them. */
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (dwarf)
		end_strings(elf);
	return dwarf;
}
