/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/image/image.h"

#include "base/error.h"
#include "base/fault.h"
#include "reloader/image/internal.h"
#include "reloader/types/dwarf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
hd_elf_open(hd_elf *elf, const char *path, GError **error)
{
	struct stat status;
	elf_version(EV_CURRENT);
	elf->elf = NULL;
	/* O_NONBLOCK: a name that is a FIFO must not block us. */
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (elf->fd < 0 || hd_fault("image.open")) {
		hd_error_set_errno(error, HD_ERROR_IO, elf->fd < 0 ? errno : EIO, "%s cannot be opened", path);
		hd_elf_close(elf);
		return false;
	}
	if (fstat(elf->fd, &status) == 0 && S_ISREG(status.st_mode) && !hd_fault("image.elf"))
		elf->elf = elf_begin(elf->fd, ELF_C_READ, NULL);
	if (elf->elf && elf_kind(elf->elf) == ELF_K_ELF)
		return true;
	g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s is not an ELF file", path);
	hd_elf_close(elf);
	return false;
}

void
hd_elf_close(hd_elf *elf)
{
	g_clear_pointer(&elf->elf, elf_end);
	if (elf->fd >= 0)
		close(elf->fd);
	elf->fd = -1;
}

Elf_Scn *
hd_elf_section(Elf *elf, guint type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

static bool
read_headers(hd_image *image, GError **error)
{
	Elf *elf = image->file.elf;
	if (gelf_getclass(elf) != ELFCLASS64 || !gelf_getehdr(elf, &image->header) ||
	    image->header.e_machine != EM_X86_64) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "%s is not a program for x86-64", image->path);
		return false;
	}
	if (image->header.e_type != ET_EXEC && image->header.e_type != ET_DYN) {
		g_set_error(error, HD_ERROR, HD_ERROR_UNSUPPORTED, "%s is neither a program nor a shared library",
			    image->path);
		return false;
	}
	if (elf_getphdrnum(elf, &image->n_segments) != 0 || image->n_segments == 0) {
		g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s is damaged: it has no program headers", image->path);
		return false;
	}
	image->segments = g_new0(GElf_Phdr, image->n_segments);
	for (gsize i = 0; i < image->n_segments; i++) {
		GElf_Phdr *segment = &image->segments[i];
		if (!gelf_getphdr(elf, (int)i, segment) || segment->p_filesz > G_MAXINT64 ||
		    segment->p_offset > G_MAXINT64 || segment->p_vaddr + segment->p_memsz < segment->p_vaddr) {
			g_set_error(error, HD_ERROR, HD_ERROR_FORMAT, "%s is damaged: a program header is impossible",
				    image->path);
			return false;
		}
		image->interpreted |= segment->p_type == PT_INTERP;
	}
	return true;
}

static bool
says_it_is_pie(const hd_image *image)
{
	GElf_Shdr header;
	Elf_Scn *section = hd_elf_section(image->file.elf, SHT_DYNAMIC, &header);
	Elf_Data *dynamic = section ? elf_getdata(section, NULL) : NULL;
	GElf_Dyn entry;
	for (int i = 0; dynamic && gelf_getdyn(dynamic, i, &entry) && entry.d_tag != DT_NULL; i++)
		if (entry.d_tag == DT_FLAGS_1)
			return entry.d_un.d_val & DF_1_PIE;
	return false;
}

/* Inflating what somebody installed for libc takes longer than the rest of start-up. */
static void
read_units(hd_image *image)
{
	if (!image->dwarf && image->debug.elf)
		image->dwarf = hd_dwarf_open(image->debug.elf);
	if (image->dwarf)
		hd_units_open(image);
	image->units_read = true;
}

hd_image *
hd_image_open(const char *path, GError **error)
{
	hd_image *image = g_new0(hd_image, 1);
	image->references = 1;
	image->path = g_strdup(path);
	image->file.fd = image->debug.fd = -1;
	image->units = g_ptr_array_new_with_free_func(hd_unit_slot_free);
	image->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	image->folders = g_ptr_array_new();
	if (!hd_elf_open(&image->file, path, error) || !read_headers(image, error)) {
		hd_image_unref(image);
		return NULL;
	}
	image->declared_pie = says_it_is_pie(image);
	image->dwarf = hd_dwarf_open(image->file.elf);
	if (!image->dwarf)
		hd_debug_file_open(&image->file, image->path, &image->debug);
	return image;
}

hd_image *
hd_image_ref(hd_image *image)
{
	image->references++;
	return image;
}

void
hd_image_unref(hd_image *image)
{
	if (!image || --image->references > 0)
		return;
	g_ptr_array_unref(image->units);
	hd_symbols_free(image->symbols);
	hd_dynamic_free(image->dynamic);
	g_ptr_array_unref(image->folders);
	g_hash_table_unref(image->paths);
	if (image->dwarf)
		dwarf_end(image->dwarf);
	hd_elf_close(&image->debug);
	hd_elf_close(&image->file);
	g_free(image->segments);
	g_free(image->path);
	g_free(image);
}

const char *
hd_image_path(const hd_image *image)
{
	return image->path;
}

bool
hd_image_is_static(const hd_image *image)
{
	return !image->interpreted && (image->header.e_type == ET_EXEC || image->declared_pie);
}

bool
hd_image_is_pie(const hd_image *image)
{
	return image->header.e_type == ET_DYN;
}

bool
hd_image_has_symbols(const hd_image *image)
{
	GElf_Shdr header;
	return hd_elf_section(image->file.elf, SHT_SYMTAB, &header) ||
	       (image->debug.elf && hd_elf_section(image->debug.elf, SHT_SYMTAB, &header));
}

guint64
hd_image_entry(const hd_image *image)
{
	return image->header.e_entry;
}

guint64
hd_image_low(const hd_image *image)
{
	guint64 low = G_MAXUINT64;
	for (gsize i = 0; i < image->n_segments; i++)
		if (image->segments[i].p_type == PT_LOAD)
			low = MIN(low, image->segments[i].p_vaddr);
	return low == G_MAXUINT64 ? 0 : low;
}

guint64
hd_image_high(const hd_image *image)
{
	guint64 high = 0;
	for (gsize i = 0; i < image->n_segments; i++)
		if (image->segments[i].p_type == PT_LOAD)
			high = MAX(high, image->segments[i].p_vaddr + image->segments[i].p_memsz);
	return high;
}

bool
hd_image_code(const hd_image *image, guint n, guint64 *low, guint64 *high)
{
	for (gsize i = 0; i < image->n_segments; i++) {
		const GElf_Phdr *segment = &image->segments[i];
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || n-- > 0)
			continue;
		*low = segment->p_vaddr;
		*high = segment->p_vaddr + segment->p_filesz;
		return true;
	}
	return false;
}

static const GElf_Phdr *
tls_segment(const hd_image *image)
{
	for (gsize i = 0; i < image->n_segments; i++)
		if (image->segments[i].p_type == PT_TLS)
			return &image->segments[i];
	return NULL;
}

guint64
hd_image_tls_size(const hd_image *image)
{
	const GElf_Phdr *segment = tls_segment(image);
	return segment ? segment->p_memsz : 0;
}

guint64
hd_image_tls_alignment(const hd_image *image)
{
	const GElf_Phdr *segment = tls_segment(image);
	return segment ? segment->p_align : 0;
}

const GPtrArray *
hd_image_units(hd_image *image)
{
	if (!image->units_read)
		read_units(image);
	return image->units;
}

static bool
read_file(const hd_image *image, guint64 offset, guint64 size, guint8 *out)
{
	while (size > 0) {
		ssize_t n = pread(image->file.fd, out, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		out += n;
		offset += (guint64)n;
		size -= (guint64)n;
	}
	return true;
}

bool
hd_image_bytes(hd_image *image, guint64 address, guint64 size, guint8 *out)
{
	for (gsize i = 0; i < image->n_segments; i++) {
		const GElf_Phdr *segment = &image->segments[i];
		guint64 start = address - segment->p_vaddr;
		if (segment->p_type != PT_LOAD || address < segment->p_vaddr || start > segment->p_memsz ||
		    size > segment->p_memsz - start)
			continue;
		guint64 in_file = start < segment->p_filesz ? MIN(size, segment->p_filesz - start) : 0;
		if (!read_file(image, segment->p_offset + start, in_file, out))
			return false;
		memset(out + in_file, 0, size - in_file);
		return true;
	}
	return false;
}
