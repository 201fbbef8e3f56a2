/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What compilers append to names:
 *   gcc    f.constprop.0, f.isra.0, f.part.0, f.cold, f.localalias; static locals count.0
 *   clang  f.cold.1, f.llvm.N, f.specialized.1; static locals f.count, f.count.1 */
#include "config.h"

#include "reloader/object/object.h"

#include "reloader/object/names.h"

#include <string.h>

static bool
is_number(const char *s, gsize n)
{
	for (gsize i = 0; i < n; i++)
		if (!g_ascii_isdigit(s[i]))
			return false;
	return n > 0;
}

/* Calls each with every part of a name that a dot divides; a leading dot belongs to the first. */
static const char *
next_part(const char *part, gsize *length)
{
	*length = strcspn(*part == '.' ? part + 1 : part, ".") + (*part == '.');
	return part[*length] == '.' ? part + *length + 1 : NULL;
}

bool
hd_name_is_numbered(const char *name)
{
	gsize n;
	const char *part = next_part(name, &n);
	while (part) {
		const char *next = next_part(part, &n);
		if (is_number(part, n))
			return true;
		part = next;
	}
	return false;
}

char *
hd_name_without_numbers(const char *name)
{
	GString *out = g_string_new(NULL);
	gsize n;
	for (const char *part = name, *next; part; part = next) {
		next = next_part(part, &n);
		if (part != name && is_number(part, n))
			continue;
		if (part != name)
			g_string_append_c(out, '.');
		g_string_append_len(out, part, (gssize)n);
	}
	return g_string_free(out, FALSE);
}

bool
hd_name_is_compilers(const char *name)
{
	static const char *const made[] = {"CSWTCH", "__func__", "__FUNCTION__", "__PRETTY_FUNCTION__", "C"};
	gsize n;
	if (!next_part(name, &n) || !hd_name_is_numbered(name))
		return false;
	for (guint i = 0; i < G_N_ELEMENTS(made); i++)
		if (strlen(made[i]) == n && strncmp(made[i], name, n) == 0)
			return true;
	return false;
}

char *
hd_atom_source_name(const hd_atom *atom)
{
	gsize n;
	if (!atom->name)
		return NULL;
	const char *part = atom->name, *next = next_part(part, &n);
	if (atom->kind != HD_ATOM_CODE) {
		/* the last part that is no number: count of count.0 and of f.count.1 */
		const char *best = part;
		gsize length = n;
		for (part = next; part; part = next) {
			next = next_part(part, &n);
			if (!is_number(part, n)) {
				best = part;
				length = n;
			}
		}
		return g_strndup(best, length);
	}
	return g_strndup(part, n);
}

bool
hd_atom_is_clone(const hd_atom *atom)
{
	static const char *const made[] = {"constprop",	  "isra", "part",    "cold",
					   "specialized", "llvm", "_omp_fn", "omp_outlined"};
	if (!atom->name || atom->kind != HD_ATOM_CODE)
		return false;
	gsize n;
	const char *next = next_part(atom->name, &n);
	for (const char *part; (part = next);) {
		next = next_part(part, &n);
		for (guint i = 0; i < G_N_ELEMENTS(made); i++)
			if (strlen(made[i]) == n && strncmp(made[i], part, n) == 0)
				return true;
	}
	return false;
}
