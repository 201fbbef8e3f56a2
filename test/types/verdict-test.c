/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EDITS.md's rows that concern types, and the rule of verdict.h, each with
 * both compilers, optimised and not, in DWARF 4 and 5. */
#include "config.h"

#include "reloader/types/verdict.h"

#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char *const compilers[] = {
	"gcc -g -gdwarf-5 -O0",
	"gcc -g -gdwarf-4 -O2",
	"clang -g -gdwarf-4 -O0",
	"clang -g -gdwarf-5 -O2",
};

typedef struct {
	const char *name;
	const char *old, *now;
	const char *refusal; /* "HD101 reason", "; " between several; NULL: compatible */
	int line;	     /* of the first refusal; 0: any */
	const char *warning; /* part of the one warning; NULL: none */
} edit;

/* A heap object behind a pointer, and code that knows it. */
#define CONN_USE                                                                                                       \
	"extern struct conn *conns; int use(void);\n"                                                                  \
	"int use(void) { struct conn *c = conns; return c->len + (c->id != 0); }\n"
#define CONN "struct conn {\n	int len;\n	long id;\n};\n" CONN_USE

static const edit edits[] = {
	{"nothing changed", CONN, CONN, NULL, 0, NULL},
	{"comments and lines moved", CONN, "/* new */\n\n\n" CONN, NULL, 0, NULL},
	{"function body", "int f(int a) { return a; }", "int f(int a) { return a + 1; }", NULL, 0, NULL},
	{"new function and static", "int f(int a) { return a; }",
	 "static int count; static int g(int a) { return a + count++; } int f(int a) { return g(a); }", NULL, 0, NULL},
	{"type used only by value inside a function changes",
	 "struct v { int x; int y; }; extern int in(void);\n"
	 "int f(void) { struct v v = {in(), in()}; return v.x + v.y; }",
	 "struct v { int x; long z; int y; }; extern int in(void);\n"
	 "int f(void) { struct v v = {in(), 1, in()}; return v.x + v.y + v.z; }",
	 NULL, 0, NULL},
	{"type declared inside a function changes",
	 "extern int in(void); int f(void) { struct v { int x; } v = {in()}; return v.x; }",
	 "extern int in(void); int f(void) { struct v { long x; } v = {in()}; return v.x; }", NULL, 0, NULL},
	{"two functions have a type of the same tag, one changes",
	 "extern int in(void); int f(void) { struct v { int x; } v = {in()}; return v.x; }\n"
	 "int g(void) { struct v { int x; }; static struct v v; return v.x += in(); }",
	 "extern int in(void); int f(void) { struct v { long x; } v = {in()}; return v.x; }\n"
	 "int g(void) { struct v { int x; }; static struct v v; return v.x += in(); }",
	 NULL, 0, NULL},

	/* fields */
	{"field narrowed", CONN, "struct conn {\n	short len;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field len: int (4 bytes at 0) becomes short (2 bytes at 0)", 2, NULL},
	{"field widened", CONN, "struct conn {\n	long len;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field len: int (4 bytes at 0) becomes long (8 bytes at 0)", 2, NULL},
	{"field appended", CONN, "struct conn {\n	int len;\n	long id;\n	long rtt_us;\n};\n" CONN_USE,
	 "HD101 struct conn: field rtt_us (8 bytes at 16) was added", 4, NULL},
	{"field inserted", CONN, "struct conn {\n	char tag;\n	int len;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field tag (1 byte at 0) was added", 2, NULL},
	{"field put into padding", CONN,
	 "struct conn {\n	int len;\n	int flags;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field flags (4 bytes at 4) was added", 3, NULL},
	{"field removed", "struct conn {\n	int len;\n	int gone;\n	long id;\n};\n" CONN_USE, CONN,
	 "HD101 struct conn: field gone (4 bytes at 4) was removed", 1, NULL},
	{"field renamed", "struct conn {\n	int size;\n	int len;\n	long id;\n};\n" CONN_USE,
	 "struct conn {\n	int bytes;\n	int len;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field size (4 bytes at 0) was renamed bytes", 2, NULL},
	{"fields reordered", CONN, "struct conn {\n	long id;\n	int len;\n};\n" CONN_USE,
	 "HD101 struct conn: field id (8 bytes at 8) moved: 8 bytes at 0 now", 2, NULL},
	{"pointer and value swapped", CONN, "struct conn {\n	int len;\n	void *id;\n};\n" CONN_USE,
	 "HD101 struct conn: field id: long (8 bytes at 8) becomes void * (8 bytes at 8)", 3, NULL},
	{"signedness changed", CONN, "struct conn {\n	unsigned len;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field len: int (4 bytes at 0) becomes unsigned int (4 bytes at 0)", 2, NULL},
	{"long becomes long long of the same size", CONN,
	 "struct conn {\n	int len;\n	long long id;\n};\n" CONN_USE, NULL, 0, NULL},
	{"const and volatile added to a field", CONN,
	 "struct conn {\n	volatile int len;\n	const long id;\n};\n" CONN_USE, NULL, 0, NULL},
	{"typedef of the same type", CONN,
	 "typedef int len_t; struct conn {\n	len_t len;\n	long id;\n};\n" CONN_USE, NULL, 0, NULL},
	{"typedef of another type",
	 "typedef int len_t;\nstruct conn {\n	len_t len;\n	long id;\n};\n" CONN_USE,
	 "typedef short len_t;\nstruct conn {\n	len_t len;\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field len: len_t (4 bytes at 0) becomes len_t (2 bytes at 0)", 3, NULL},
	{"bit field widened",
	 "struct conn {\n	unsigned a : 3;\n	unsigned b : 5;\n	int len, id;\n};\n" CONN_USE,
	 "struct conn {\n	unsigned a : 4;\n	unsigned b : 5;\n	int len, id;\n};\n" CONN_USE,
	 "HD101 struct conn: field a: unsigned int (3 bits at bit 0) becomes unsigned int (4 bits at bit 0)", 2, NULL},
	{"bit field unchanged", "struct conn {\n	unsigned a : 3, : 2, b : 5;\n	int len, id;\n};\n" CONN_USE,
	 "struct conn {\n	unsigned a : 3, : 2, b : 5;\n	int len, id;\n};\n" CONN_USE, NULL, 0, NULL},
	{"bit field moved", "struct conn {\n	unsigned a : 3, : 2, b : 5;\n	int len, id;\n};\n" CONN_USE,
	 "struct conn {\n	unsigned a : 3, : 3, b : 5;\n	int len, id;\n};\n" CONN_USE,
	 "HD101 struct conn: field b (5 bits at bit 5) moved: 5 bits at bit 6 now", 2, NULL},
	{"array shrunk", "struct conn {\n	char name[16];\n	int len, id;\n};\n" CONN_USE,
	 "struct conn {\n	char name[8];\n	int len, id;\n};\n" CONN_USE,
	 "HD101 struct conn: field name: char [16] (16 bytes at 0) becomes char [8] (8 bytes at 0)", 2, NULL},
	{"rows and columns swapped", "struct conn {\n	char name[2][3];\n	int len, id;\n};\n" CONN_USE,
	 "struct conn {\n	char name[3][2];\n	int len, id;\n};\n" CONN_USE,
	 "HD101 struct conn: field name: char [2][3] (6 bytes at 0) becomes char [3][2] (6 bytes at 0)", 2, NULL},
	{"flexible array of another element", "struct conn {\n	int len, id;\n	short data[];\n};\n" CONN_USE,
	 "struct conn {\n	int len, id;\n	int data[];\n};\n" CONN_USE,
	 "HD101 struct conn: field data: short [] (0 bytes at 8) becomes int [] (0 bytes at 8)", 3, NULL},
	{"flexible array unchanged", "struct conn {\n	int len, id;\n	short data[];\n};\n" CONN_USE,
	 "struct conn {\n	int len, id;\n	short data[];\n};\n" CONN_USE, NULL, 0, NULL},
	{"alignment grows", CONN,
	 "struct conn {\n	int len;\n	long id;\n} __attribute__((aligned(32)));\n" CONN_USE,
	 "HD101 struct conn: 16 bytes become 32", 1, NULL},
	{"packed", CONN, "struct conn {\n	int len;\n	long id;\n} __attribute__((packed));\n" CONN_USE,
	 "HD101 struct conn: field id (8 bytes at 8) moved: 8 bytes at 4 now", 3, NULL},
	{"union member widened",
	 "union u {\n	int i;\n	char c;\n};\nunion u *p; int f(void) { return p->i + p->c; }",
	 "union u {\n	int i;\n	short c;\n};\nunion u *p; int f(void) { return p->i + p->c; }",
	 "HD101 union u: field c: char (1 byte at 0) becomes short (2 bytes at 0)", 3, NULL},
	{"struct becomes union", "struct u { int i; int c; }; struct u *p; int f(void) { return p->i + p->c; }",
	 "union u { int i; int c; }; union u *p; int f(void) { return p->i + p->c; }",
	 "HD102 p: struct u * becomes union u *", 1, NULL},
	{"anonymous member unfolded", "struct conn { struct { int len; long id; }; };\n" CONN_USE, CONN, NULL, 0, NULL},
	{"field in an anonymous member added",
	 "struct conn {\n	union { int len; char c; };\n	long id;\n};\n" CONN_USE,
	 "struct conn {\n	union { int len; char c; long l; };\n	long id;\n};\n" CONN_USE,
	 "HD101 struct conn: field l (8 bytes at 0) was added", 2, NULL},
	{"field in an unnamed struct of a named field",
	 "struct conn {\n	struct { int a; } in;\n	int len, id;\n};\n" CONN_USE,
	 "struct conn {\n	struct { short a; } in;\n	int len, id;\n};\n" CONN_USE,
	 "HD101 struct conn: field in: struct {...} (4 bytes at 0) becomes struct {...} (2 bytes at 0)", 2, NULL},
	{"inner struct grows: told once, at the cause",
	 "struct in {\n	int a;\n};\nstruct conn {\n	struct in in[2];\n	int len, id;\n};\n" CONN_USE,
	 "struct in {\n	int a;\n	int b;\n};\nstruct conn {\n	struct in in[2];\n	int len, "
	 "id;\n};\n" CONN_USE,
	 "HD101 struct in: field b (4 bytes at 4) was added", 3, NULL},
	{"pointee named otherwise", "struct conn {\n	int len;\n	struct a *id;\n};\n" CONN_USE,
	 "struct conn {\n	int len;\n	struct b *id;\n};\n" CONN_USE,
	 "HD101 struct conn: field id: struct a * (8 bytes at 8) becomes struct b * (8 bytes at 8)", 3, NULL},
	{"callback's signature", "struct conn {\n	int len;\n	int (*id)(int);\n};\n" CONN_USE,
	 "struct conn {\n	int len;\n	int (*id)(long);\n};\n" CONN_USE,
	 "HD101 struct conn: field id: int (*)(int) (8 bytes at 8) becomes int (*)(long) (8 bytes at 8)", 3, NULL},
	{"typedef of an anonymous struct",
	 "typedef struct {\n	int a;\n} state;\nstate *s; int f(void) { return s->a; }",
	 "typedef struct {\n	int z;\n	int a;\n} state;\nstate *s; int f(void) { return s->a; }",
	 "HD101 state: field z (4 bytes at 0) was added", 2, NULL},
	{"reached only by a cast",
	 "struct conn {\n	int len;\n	long id;\n};\nint f(void *p) { return ((struct conn *)p)->len; }",
	 "struct conn {\n	int x;\n	int len;\n	long id;\n};\nint f(void *p) { return ((struct conn "
	 "*)p)->len; }",
	 "HD101 struct conn: field x (4 bytes at 0) was added", 2, NULL},
	{"reached by a local pointer",
	 "struct conn {\n	int len;\n};\nint f(void *p) { struct conn *c = p; return c->len; }",
	 "struct conn {\n	short len;\n};\nint f(void *p) { struct conn *c = p; return c->len; }",
	 "HD101 struct conn: field len: int (4 bytes at 0) becomes short (2 bytes at 0)", 2, NULL},
	{"passed by value", "struct v {\n	int x;\n};\nint f(struct v v) { return v.x; }",
	 "struct v {\n	long x;\n};\nint f(struct v v) { return v.x; }",
	 "HD101 struct v: field x: int (4 bytes at 0) becomes long (8 bytes at 0)", 2, NULL},
	{"incomplete becomes complete", "struct conn; extern struct conn *c; void *f(void) { return c; }",
	 "struct conn { int a; }; extern struct conn *c; void *f(void) { return c + 0; }", NULL, 0, NULL},
	{"type disappears", CONN, "int f(void) { return 1; }", NULL, 0, NULL},
	{"linked list unchanged",
	 "struct n { struct n *next, *prev; int v; } *head; int f(void) { return head->next->v; }",
	 "struct n { struct n *next, *prev; int v; } *head; int f(void) { return head->prev->v; }", NULL, 0, NULL},

	/* enumerations */
	{"enumerator appended", "enum state { IDLE, RUN } s; int f(void) { return s == RUN; }",
	 "enum state { IDLE, RUN, STOP } s; int f(void) { return s == RUN; }", NULL, 0, NULL},
	{"enum renumbered", "enum state { IDLE, RUN } s; int f(void) { return s == RUN; }",
	 "\nenum state { IDLE, WAIT, RUN } s; int f(void) { return s == RUN; }", NULL, 0,
	 "enum state: RUN was 1 and is 2: stored values change their meaning"},
	{"enumerator removed", "enum state { IDLE, RUN, STOP } s; int f(void) { return s == RUN; }",
	 "enum state { IDLE, RUN } s; int f(void) { return s == RUN; }", NULL, 0, "enum state: STOP (2) was removed"},
	{"negative and large enumerators unchanged",
	 "enum e { A = -3, B = 200, C = 0x7fffffff } s; int f(void) { return s == B; }",
	 "enum e { A = -3, B = 200, C = 0x7fffffff } s; int f(void) { return s == C; }", NULL, 0, NULL},
	{"enum without a name renumbered", "enum { IDLE, RUN }; int s; int f(void) { return s == RUN; }",
	 "enum { IDLE, WAIT, RUN }; int s; int f(void) { return s == RUN; }", NULL, 0, "enum: RUN was 1 and is 2"},
	{"a constant by enum", "enum { SIZE = 512 }; int s; int f(void) { return s == SIZE; }",
	 "enum { SIZE = 1024 }; int s; int f(void) { return s == SIZE; }", NULL, 0, NULL},

	/* variables */
	{"static variable retyped", "\nstatic int counter; int f(int a) { return counter += a; }",
	 "\nstatic long counter; int f(int a) { return counter += a; }", "HD102 static counter: int becomes long", 2,
	 NULL},
	{"global variable retyped", "int counter; int f(int a) { return counter += a; }",
	 "double counter; int f(int a) { return counter += a; }", "HD102 counter: int becomes double", 1, NULL},
	{"gcc: extern declaration retyped", "extern int counter; int f(int a) { return counter += a; }",
	 "extern long counter; int f(int a) { return counter += a; }", "HD102 counter: int becomes long", 1, NULL},
	{"static local retyped", "int f(int a) {\n	static int n;\n	return n += a; }",
	 "int f(int a) {\n	static short n;\n	return n += a; }", "HD102 static n in f: int becomes short", 2,
	 NULL},
	{"static local's name used in another function", "int f(int a) { static int n; return n += a; }",
	 "int f(int a) { static int n; return n += a; } int g(int a) { static long n; return n += a; }", NULL, 0, NULL},
	{"array grows", "static int table[4]; int f(int a) { return table[a & 3]++; }",
	 "static int table[8]; int f(int a) { return table[a & 7]++; }", "HD102 static table: int [4] becomes int [8]",
	 1, NULL},
	{"extern array gets its size", "extern int table[]; int f(int a) { return table[a]++; }",
	 "extern int table[8]; int f(int a) { return table[a & 7]++; }", NULL, 0, NULL},
	{"const table grows", "static const int table[] = {1, 2, 3, 4}; int f(int a) { return table[a & 3]; }",
	 "static const int table[] = {5, 6, 7, 8, 9, 10, 11, 12}; int f(int a) { return table[a & 7]; }", NULL, 0,
	 NULL},
	{"const table's own type grows",
	 "static const struct cmd { int id; int n; } table[] = {{1, 2}, {3, 4}}; int f(int a) { return table[a & 1].n; "
	 "}",
	 "static const struct cmd { int id; int x; int n; } table[] = {{1, 1, 2}, {3, 3, 4}};\n"
	 "int f(int a) { return table[a & 1].n; }",
	 NULL, 0, NULL},
	{"variable of a struct that grows: told once", "struct v {\n	int a;\n} v; int f(void) { return v.a++; }",
	 "struct v {\n	int a;\n	int b;\n} v; int f(void) { return v.a++; }",
	 "HD101 struct v: field b (4 bytes at 4) was added", 3, NULL},
	{"variable of a struct without a name",
	 "static struct {\n	int a;\n	int b;\n} v; int f(void) { return v.a += v.b++; }",
	 "static struct {\n	int a;\n	long b;\n} v; int f(void) { return v.a += v.b++; }",
	 "HD102 static v: field b: int (4 bytes at 4) becomes long (8 bytes at 8)", 4, NULL},
	{"thread-local retyped", "static _Thread_local int t; int f(int a) { return t += a; }",
	 "static _Thread_local long t; int f(int a) { return t += a; }", "HD102 static t: int becomes long", 1, NULL},
	{"becomes thread-local", "static int t; int f(int a) { return t += a; }",
	 "static _Thread_local int t; int f(int a) { return t += a; }", "HD102 static t: shared becomes thread-local",
	 1, NULL},
	{"variable deleted", "static int t; int f(int a) { return t += a; }", "int f(int a) { return a; }", NULL, 0,
	 NULL},
	{"initialiser edited", "int t = 3; int f(int a) { return t += a; }",
	 "int t = 4; int f(int a) { return t += a; }", NULL, 0, NULL},
	{"pointer variable leads to another base type", "static int *t; int f(int *a) { return t ? *t : !(t = a); }",
	 "static long *t; int f(int *a) { return t ? *t : !(t = (long *)a); }", "HD102 static t: int * becomes long *",
	 1, NULL},

	/* signatures */
	{"signature: parameter added", "int f(int a) { return a; }", "int f(int a, int b) { return a + b; }",
	 "HD103 f: int (int) becomes int (int, int)", 1, NULL},
	{"signature: parameter widened", "int f(int a) { return a; }", "int f(long a) { return a; }",
	 "HD103 f: int (int) becomes int (long)", 1, NULL},
	{"signature: result", "int f(int a) { return a; }", "\nlong f(int a) { return a; }",
	 "HD103 f: int (int) becomes long (int)", 2, NULL},
	{"signature: becomes variadic", "int f(int a) { return a; }", "int f(int a, ...) { return a; }",
	 "HD103 f: int (int) becomes int (int, ...)", 1, NULL},
	{"signature: parameter renamed, const added", "int f(char *a) { return *a; }",
	 "int f(const char *const text) { return *text; }", NULL, 0, NULL},
	{"signature of a static function",
	 "static __attribute__((noinline)) int g(int a) { return a * 3; } int f(int a) { return g(a); }",
	 "static __attribute__((noinline)) int g(int a, int b) { return a * b; } int f(int a) { return g(a, 3); }",
	 NULL, 0, NULL},
	{"signature of main", "int main(void) { return 0; }", "int main(int argc, char **argv) { return argc; }", NULL,
	 0, NULL},
	{"two edits, in source order",
	 "struct conn {\n	int len;\n};\nstruct conn *c;\nint f(int a) { return c->len; }",
	 "struct conn {\n	short len;\n};\nstruct conn *c;\nint f(long a) { return c->len; }",
	 "HD101 struct conn: field len: int (4 bytes at 0) becomes short (2 bytes at 0); HD103 f: int (int) becomes "
	 "int (long)",
	 2, NULL},
};

static hd_unit *
read_unit(const char *compiler, const char *text)
{
	GError *error = NULL;
	GBytes *bytes = compile_object(compiler, text);
	hd_unit *unit = hd_unit_read_object(bytes, &error);
	if (!unit)
		fail_msg("%s", error->message);
	g_bytes_unref(bytes);
	return unit;
}

static char *
text_of(const GPtrArray *refusals)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < refusals->len; i++) {
		const hd_refusal *refusal = refusals->pdata[i];
		g_string_append_printf(text, "%s%s %s", i ? "; " : "", hd_refusal_name(refusal->code), refusal->reason);
	}
	return g_string_free(text, FALSE);
}

static void
check_edit(const edit *e, const char *compiler)
{
	hd_unit *old = read_unit(compiler, e->old), *now = read_unit(compiler, e->now);
	hd_verdict *verdict = hd_verdict_new(old, now);
	char *refusals = text_of(verdict->refusals), *warnings = text_of(verdict->warnings);
	if (strcmp(refusals, e->refusal ? e->refusal : "") != 0)
		fail_msg("%s: refused \"%s\", not \"%s\"", compiler, refusals, e->refusal ? e->refusal : "");
	if (e->warning ? !strstr(warnings, e->warning) || verdict->warnings->len != 1 : *warnings != '\0')
		fail_msg("%s: warned \"%s\"", compiler, warnings);
	if (e->refusal && e->line) {
		const hd_refusal *first = verdict->refusals->pdata[0];
		char *path = compile_path("unit.c");
		assert_string_equal(first->where.file, path);
		if (first->where.line != e->line)
			fail_msg("%s: at line %d, not %d", compiler, first->where.line, e->line);
		assert_non_null(first->remedy);
		g_free(path);
	}
	g_free(refusals);
	g_free(warnings);
	hd_verdict_free(verdict);
	hd_unit_free(old);
	hd_unit_free(now);
}

static void
test_edit(void **state)
{
	bool tried = false;
	compile_begin();
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++) {
		char *program = g_strndup(compilers[i], strcspn(compilers[i], " "));
		/* clang records no variable that is only declared */
		bool wanted = !g_str_has_prefix(((const edit *)*state)->name, "gcc:") || strcmp(program, "gcc") == 0;
		if (wanted && compile_has(program)) {
			check_edit(*state, compilers[i]);
			tried = true;
		}
		g_free(program);
	}
	compile_end();
	if (!tried) {
		print_message("# neither gcc nor clang is installed\n");
		skip();
	}
}

int
main(void)
{
	struct CMUnitTest tests[G_N_ELEMENTS(edits)];
	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++)
		tests[i] = (struct CMUnitTest){
			.name = edits[i].name, .test_func = test_edit, .initial_state = (void *)&edits[i]};
	return _cmocka_run_group_tests("verdict", tests, G_N_ELEMENTS(edits), NULL, NULL);
}
