/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to reloader/types: the fields of a struct or union as code names
 * them. The members of an anonymous struct are its own (C11 6.7.2.1); an
 * anonymous union stays one field without a name, for its members share bytes. */
#ifndef HD_TYPES_FIELDS_H
#define HD_TYPES_FIELDS_H

#include "reloader/types/internal.h"

/* No object that is larger can be copied while a program stands still. Bytes. */
#define HD_OBJECT_MOST (G_GUINT64_CONSTANT(1) << 32)

/* false: of unknown, impossible or absurd size. A flexible array has size 0. */
bool hd_extent_of(const hd_type *type, guint64 *bytes);
/* Integers, bools, enumerations: what may be a bit field. */
bool hd_is_integer(const hd_type *type);
/* Bits. */
guint64 hd_field_width(const hd_member *field);
/* An array that takes what its object's memory has behind the end. */
bool hd_is_flexible(const hd_type *type);

/* Of hd_member, in order of declaration, offsets from the aggregate's start; names and types are the unit's.
 * NULL: damaged: fields of a struct overlap, or lie outside of it. */
GArray *hd_fields_of(const hd_type *aggregate);
/* `near` is where it probably is. NULL: there is none. */
const hd_member *hd_field_named(const GArray *fields, const char *name, guint near);
/* The first field of the other version, perhaps an anonymous union, that has a name of this one's; NULL: none. */
const hd_member *hd_field_sharing(const GArray *fields, const hd_member *field);

/* A new field that may be what became of old's [index], which is gone: one of its type between the same neighbours or
 * at the same offset; or the one was put inside of the other. NULL: there is none. */
const hd_member *hd_field_renamed(const GArray *old, guint index, const GArray *now);

/* Whether nothing inside, by value, differs: layout, names, types, enumerators. */
bool hd_is_unchanged(const hd_type *old, const hd_type *now);

#endif
