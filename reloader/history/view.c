/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be said of a module from its view alone. */
#include "config.h"

#include "reloader/history/model.h"

#include "base/difference.h"
#include "base/error.h"

const char *
hd_module_state_name(hd_module_state state)
{
	static const char *const names[] = {
		[HD_MODULE_ORIGINAL] = "original",  [HD_MODULE_BUILDING] = "building",
		[HD_MODULE_LIVE] = "live",	    [HD_MODULE_ERROR] = "ERROR",
		[HD_MODULE_HELD] = "HELD",	    [HD_MODULE_WAITING] = "WAITING",
		[HD_MODULE_UNDONE] = "undone",	    [HD_MODULE_MISSING] = "MISSING",
		[HD_MODULE_UNRELOADABLE] = "fixed",
	};
	return names[state];
}

GBytes *
hd_module_text(const hd_module_view *module, int version)
{
	if (version == 0)
		return module->original;
	for (guint i = 0; module->versions && i < module->versions->len; i++) {
		const hd_version_view *kept = g_ptr_array_index(module->versions, i);
		if (kept->version == version)
			return kept->text;
	}
	return NULL;
}

char *
hd_module_difference(const hd_module_view *module, int from, int to, GError **error)
{
	GBytes *old = hd_module_text(module, from), *now = hd_module_text(module, to);
	if (!old || !now) {
		g_set_error(error, HD_ERROR, HD_ERROR_GONE, "the source of %s v%d is not kept", module->name,
			    old ? to : from);
		return NULL;
	}
	char *from_name = g_strdup_printf("%s v%d", module->name, from);
	char *to_name = g_strdup_printf("%s v%d", module->name, to);
	char *text = hd_difference(old, from_name, now, to_name, error);
	g_free(from_name);
	g_free(to_name);
	return text;
}
