/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/refusal.h"

#include <stdarg.h>

static const struct {
	const char *name, *meaning, *remedy;
} codes[HD_REFUSE_COUNT] = {
	[HD_REFUSE_TYPE_LAYOUT] = {"HD101", "a type that living data has changed its shape",
				   "undo the edit, or restart the program"},
	[HD_REFUSE_VARIABLE_TYPE] = {"HD102", "a living variable changed its type",
				     "give the new variable another name, undo the edit, or restart the program"},
	[HD_REFUSE_SIGNATURE] = {"HD103", "a function that code elsewhere calls changed its parameters or result",
				 "add a function of another name, undo the edit, or restart the program"},
	[HD_REFUSE_TLS_NEW] = {"HD104", "a new thread-local variable has no room in threads that already run",
			       "make it an ordinary static, or restart the program"},
	[HD_REFUSE_DELETED] = {"HD105", "something deleted is still referred to",
			       "remove the references too, or undo the deletion"},
	[HD_REFUSE_CONST_SHARED] = {"HD106", "a constant that other modules refer to changed its size",
				    "declare it static in the module that uses it, or restart the program"},
	[HD_REFUSE_LIVE_DATA] = {"HD107", "objects in memory cannot take their new shape",
				 "undo the edit, or restart the program"},
	[HD_REFUSE_SYMBOL_MISSING] = {"HD201", "nothing in the program defines a symbol that the new code needs",
				      "save the file that defines it, or restart the program linked with the library"},
	[HD_REFUSE_RELOCATION] = {"HD202", "a reference cannot be made from where new code must live",
				  "report this with the object file, or restart the program"},
	[HD_REFUSE_ENTRY] = {"HD203", "a function is too short to hold a jump, or loops through its first bytes",
			     "build the program with -fno-omit-frame-pointer or -O1, or restart it"},
	[HD_REFUSE_ALIAS] = {"HD204", "functions that share one body in the program now differ",
			     "build with -fno-ipa-icf, or restart the program"},
	[HD_REFUSE_CLOBBER] = {"HD205", "old callers rely on registers that the new code changes",
			       "build with -fno-ipa-ra, or restart the program"},
	[HD_REFUSE_OBJECT] = {"HD206", "the object file that the compiler wrote cannot be used",
			      "look at the compile command with hotdev doctor"},
	[HD_REFUSE_DEBUG_INFO] = {"HD207", "debug information is missing or damaged, so safety cannot be judged",
				  "build with -g and without stripping"},
	[HD_REFUSE_BUSY] = {"HD301", "no instant was found at which the change is safe",
			    "save again, or end the loop that the thread is in"},
	[HD_REFUSE_DENIED] = {"HD302", "the program cannot be stopped: ptrace is denied or a debugger holds it",
			      "let the debugger go; the edit is applied then"},
	[HD_REFUSE_TARGET] = {"HD303", "the program could not be changed and runs as before", "save again"},
};

const char *
hd_refusal_name(hd_refusal_code code)
{
	return codes[code].name;
}

const char *
hd_refusal_meaning(hd_refusal_code code)
{
	return codes[code].meaning;
}

hd_refusal *
hd_refusal_new(hd_refusal_code code, const hd_position *where, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	hd_refusal *refusal = g_new0(hd_refusal, 1);
	refusal->code = code;
	refusal->reason = g_strdup_vprintf(format, ap);
	refusal->remedy = g_strdup(codes[code].remedy);
	if (where)
		refusal->where = hd_position_copy(where);
	va_end(ap);
	return refusal;
}

void
hd_refusal_set_remedy(hd_refusal *refusal, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	g_free(refusal->remedy);
	refusal->remedy = g_strdup_vprintf(format, ap);
	va_end(ap);
}

hd_refusal *
hd_refusal_copy(const hd_refusal *refusal)
{
	hd_refusal *copy = g_new0(hd_refusal, 1);
	copy->code = refusal->code;
	copy->module = g_strdup(refusal->module);
	copy->subject = g_strdup(refusal->subject);
	copy->reason = g_strdup(refusal->reason);
	copy->where = hd_position_copy(&refusal->where);
	copy->remedy = g_strdup(refusal->remedy);
	return copy;
}

void
hd_refusal_free(hd_refusal *refusal)
{
	if (!refusal)
		return;
	g_free(refusal->module);
	g_free(refusal->subject);
	g_free(refusal->reason);
	hd_position_clear(&refusal->where);
	g_free(refusal->remedy);
	g_free(refusal);
}
