/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/error.h"

#include <stdarg.h>

/* clang-format off */
G_DEFINE_QUARK(hd-error-quark, hd_error)

void
hd_error_set_errno(GError **error, int code, int errnum, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *what = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error(error, HD_ERROR, code, "%s: %s", what, g_strerror(errnum));
	g_free(what);
}
