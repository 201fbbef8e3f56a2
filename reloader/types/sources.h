/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directories and files that a unit's line table names, from its header
 * alone: libdw reads the whole line program for that, which start-up has no
 * time for (and takes file 0 of DWARF 5 for none). */
#ifndef HD_TYPES_SOURCES_H
#define HD_TYPES_SOURCES_H

#include <elfutils/libdw.h>
#include <glib.h>

typedef struct hd_sources hd_sources;

/* Never NULL: a unit without a line table, or with a damaged one, has no sources. */
hd_sources *hd_sources_new(Dwarf *dwarf, Dwarf_Die *cu);
void hd_sources_free(hd_sources *sources);

/* Numbered as DW_AT_decl_file does; NULL where there is none. Absolute where
 * the unit's directory is known; the file's one name where it exists. */
const char *hd_sources_file(hd_sources *sources, guint64 index);
/* The same without a look at the file system; new string. */
char *hd_sources_spelling(const hd_sources *sources, guint index);
guint hd_sources_n_files(const hd_sources *sources);
/* As spelled; the first is the unit's own directory. */
guint hd_sources_n_directories(const hd_sources *sources);
const char *hd_sources_directory(const hd_sources *sources, guint index);

/* The one name of a file; new string. directory may be NULL. */
char *hd_source_name(const char *name, const char *directory);

#endif
