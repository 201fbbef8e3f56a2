/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error domain of hotdev. Every fallible function takes a GError ** last,
 * returns NULL or false on failure, and leaves its outputs untouched then.
 * Messages are whole sentences without a full stop, fit for the user. */
#ifndef HD_BASE_ERROR_H
#define HD_BASE_ERROR_H

#include <glib.h>

#define HD_ERROR (hd_error_quark())

enum hd_error_code {
	HD_ERROR_IO,	      /* a system call failed; the message says which and why */
	HD_ERROR_FORMAT,      /* a file is not what it should be (ELF, DWARF, JSON) */
	HD_ERROR_UNSUPPORTED, /* understood, and outside what hotdev can reload */
	HD_ERROR_START,	      /* the program could not be started: exit status 3 */
	HD_ERROR_WATCH,	      /* the sources cannot be watched: exit status 4 */
	HD_ERROR_USAGE,	      /* exit status 2 */
	HD_ERROR_DENIED,      /* ptrace refused, or a debugger holds the program: try later */
	HD_ERROR_BUSY,	      /* no safe instant was found before the deadline */
	HD_ERROR_GONE,	      /* the program has ended */
};

GQuark hd_error_quark(void);

/* Sets *error in this domain, with ": " and strerror(errnum) appended. */
void hd_error_set_errno(GError **error, int code, int errnum, const char *format, ...) G_GNUC_PRINTF(4, 5);

#endif
