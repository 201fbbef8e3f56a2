/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/instant/describe.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/instant/dwarf_write.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* No honest section wants more; with it, room between sections has a bound. */
#define ALIGNMENT_MOST (1 << 16)

/* ---- names of files ---- */

static bool
is_there(const char *folder, const char *name)
{
	char *path = g_canonicalize_filename(name, folder);
	bool there = access(path, F_OK) == 0;
	g_free(path);
	return there;
}

/* libtcc takes a name in #line as one in the folder of the file that has it. */
static const char *
as_written(const hd_description *d, const char *name)
{
	const char *slash = strrchr(d->source, '/');
	gsize prefix = slash ? (gsize)(slash + 1 - d->source) : 0;
	if (!prefix || strncmp(name, d->source, prefix) != 0)
		return name;
	const char *rest = name + prefix;
	return *rest == '/' || (*rest && !is_there(d->folder, name) && is_there(d->folder, rest)) ? rest : name;
}

/* The first is the source as libtcc opened it, the folder left out. */
static GPtrArray *
name_files(const hd_stabs *stabs, const hd_description *d)
{
	GPtrArray *names = g_ptr_array_new();
	for (guint i = 0; i < stabs->files->len; i++) {
		const char *name = g_ptr_array_index(stabs->files, i);
		bool own = i == 0 || strcmp(name, d->source) == 0;
		const char *shown = own ? (d->text ? d->text : d->source) : as_written(d, name);
		g_ptr_array_add(names, (char *)shown);
	}
	return names;
}

/* ---- the object ---- */

/* One section of the result; those before n_sections of the old one are its own, but for the stabs. */
typedef struct {
	GElf_Shdr header;
	const void *bytes;
	guint name; /* in the new table of names */
} section;

typedef struct {
	const hd_elf_view *view;
	section *sections;
	guint n_sections;
	guint names;	   /* index of the table of sections' names */
	GByteArray *table; /* it, with what is new */
	guint free[3];	   /* the stabs' places, which what is new takes first */
	guint n_free;
} layout;

static guint
add_name(layout *l, const char *before, const char *name)
{
	guint at = l->table->len;
	g_byte_array_append(l->table, (const guint8 *)before, (guint)strlen(before));
	g_byte_array_append(l->table, (const guint8 *)name, (guint)strlen(name) + 1);
	return at;
}

static void
keep_section(layout *l, guint index)
{
	const hd_elf_section *old = &l->view->sections[index];
	const hd_elf_section *names = &l->view->sections[l->names];
	l->sections[index] = (section){
		.header = {.sh_type = old->type,
			   .sh_flags = old->flags,
			   .sh_size = old->size,
			   .sh_link = old->link,
			   .sh_info = old->info,
			   .sh_addralign = old->alignment,
			   .sh_entsize = old->entry_size},
		.bytes = old->bytes,
		.name = (guint)((const guint8 *)old->name - names->bytes),
	};
}

static guint
new_section(layout *l, guint name, GElf_Shdr header, const void *bytes)
{
	guint index = l->n_free ? l->free[--l->n_free] : l->n_sections++;
	l->sections[index] = (section){header, bytes, name};
	return index;
}

static void
add_section(layout *l, const hd_dwarf_section *s, guint symbols)
{
	GElf_Shdr header = {.sh_type = SHT_PROGBITS,
			    .sh_flags = s->loaded ? SHF_ALLOC : 0,
			    .sh_size = s->content->len,
			    .sh_addralign = s->loaded ? 8 : 1};
	guint index = new_section(l, add_name(l, "", s->name), header, s->content->data);
	if (!s->relocations->len)
		return;
	header = (GElf_Shdr){.sh_type = SHT_RELA,
			     .sh_flags = SHF_INFO_LINK,
			     .sh_size = (guint64)s->relocations->len * sizeof(Elf64_Rela),
			     .sh_link = symbols,
			     .sh_info = index,
			     .sh_addralign = 8,
			     .sh_entsize = sizeof(Elf64_Rela)};
	new_section(l, add_name(l, ".rela", s->name), header, s->relocations->data);
}

/* ---- writing ---- */

static bool
write_sections(const layout *l, Elf *elf)
{
	GElf_Ehdr header;
	if (!gelf_newehdr(elf, ELFCLASS64) || !gelf_getehdr(elf, &header))
		return false;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_type = ET_REL;
	header.e_machine = EM_X86_64;
	header.e_version = EV_CURRENT;
	header.e_shstrndx = (GElf_Half)l->names;
	if (!gelf_update_ehdr(elf, &header))
		return false;
	for (guint i = 1; i < l->n_sections; i++) {
		const section *s = &l->sections[i];
		Elf_Scn *scn = elf_newscn(elf);
		Elf_Data *data = scn ? elf_newdata(scn) : NULL;
		if (!data)
			return false;
		GElf_Shdr written = s->header;
		written.sh_name = s->name;
		data->d_buf = (void *)(guintptr)s->bytes; /* libelf only reads it */
		data->d_size = written.sh_size;
		data->d_type = ELF_T_BYTE; /* in the file's order already */
		data->d_align = written.sh_addralign;
		if (!gelf_update_shdr(scn, &written))
			return false;
	}
	return elf_update(elf, ELF_C_WRITE) > 0;
}

static GBytes *
read_back(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	if (size <= 0)
		return NULL;
	guint8 *bytes = g_malloc((gsize)size);
	for (off_t done = 0; done < size;) {
		ssize_t got = pread(fd, bytes + done, (size_t)(size - done), done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			g_free(bytes);
			return NULL;
		}
		done += got;
	}
	return g_bytes_new_take(bytes, (gsize)size);
}

static GBytes *
write_object(const layout *l, GError **error)
{
	int fd = memfd_create("hotdev-object", MFD_CLOEXEC);
	Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_WRITE, NULL) : NULL;
	GBytes *bytes = elf && write_sections(l, elf) && !hd_fault("instant.describe") ? read_back(fd) : NULL;
	if (!bytes)
		g_set_error(error, HD_ERROR, HD_ERROR_IO, "the object cannot be written: %s",
			    fd < 0 ? g_strerror(errno) : elf_errmsg(-1));
	if (elf)
		elf_end(elf);
	if (fd >= 0)
		close(fd);
	return bytes;
}

/* ---- the whole ---- */

static bool
is_stabs(const char *name)
{
	return strcmp(name, ".stab") == 0 || strcmp(name, ".stabstr") == 0 || strcmp(name, ".rela.stab") == 0;
}

/* The table of sections' names, and what of the old object stays. */
static bool
keep_sections(layout *l, GBytes *object, guint *symbols, GError **error)
{
	Elf64_Ehdr header;
	memcpy(&header, g_bytes_get_data(object, NULL), sizeof header);
	l->names = header.e_shstrndx;
	gsize room = g_bytes_get_size(object); /* no two sections share bytes */
	bool good = l->names && l->names < l->view->n_sections && l->view->sections[l->names].bytes &&
		    l->view->n_sections + 2 * HD_DWARF_SECTIONS < SHN_LORESERVE;
	for (guint i = 1; i < l->view->n_sections && good; i++) {
		const hd_elf_section *old = &l->view->sections[i];
		gsize taken = old->bytes ? old->size : 0;
		good = old->alignment <= ALIGNMENT_MOST && taken <= room;
		room -= taken;
		keep_section(l, i);
		if (!*symbols && old->type == SHT_SYMTAB)
			*symbols = i;
		if (good && is_stabs(old->name) && l->n_free < G_N_ELEMENTS(l->free) && i != l->names)
			l->free[l->n_free++] = i;
	}
	if (!good || !*symbols)
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "the object's sections are damaged");
	return good && *symbols;
}

static GBytes *
assemble(const hd_elf_view *view, GBytes *object, const hd_dwarf_sections *dwarf, GError **error)
{
	layout l = {.view = view, .n_sections = view->n_sections};
	guint symbols = 0;
	l.sections = g_new0(section, view->n_sections + 2 * HD_DWARF_SECTIONS);
	l.table = g_byte_array_new();
	GBytes *result = NULL;
	if (keep_sections(&l, object, &symbols, error)) {
		const hd_elf_section *names = &view->sections[l.names];
		g_byte_array_append(l.table, names->bytes, (guint)names->size);
		for (guint i = 0; i < HD_DWARF_SECTIONS; i++)
			add_section(&l, &dwarf->sections[i], symbols);
		l.sections[l.names].bytes = l.table->data;
		l.sections[l.names].header.sh_size = l.table->len;
		result = write_object(&l, error);
	}
	g_free(l.sections);
	g_byte_array_unref(l.table);
	return result;
}

GBytes *
hd_describe(GBytes *object, const hd_description *description, GError **error)
{
	hd_elf_view view;
	if (!hd_elf_view_init(&view, object, error))
		return NULL;
	GBytes *result = NULL;
	hd_stabs *stabs = hd_stabs_read(&view, description->line_of, description->data, error);
	if (stabs) {
		GPtrArray *files = name_files(stabs, description);
		hd_dwarf_sections dwarf;
		hd_dwarf_write(&dwarf, stabs, &view, description->folder, files);
		result = assemble(&view, object, &dwarf, error);
		hd_dwarf_sections_clear(&dwarf);
		g_ptr_array_unref(files);
		hd_stabs_free(stabs);
	}
	hd_elf_view_clear(&view);
	return result;
}
