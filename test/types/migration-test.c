/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EDITS.md's rows on fields, arrays, unions and enumerations: what is migrated,
 * and to which bytes; what is refused, where and with which words. The initialisers
 * of `v` are the objects: the old one, and what it must become. */
#include "config.h"

#include "reloader/types/migration.h"
#include "test/types/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#include <gelf.h>
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
	const char *refusal; /* "HD101 reason", "; " between several; NULL: migrated */
	int line;	     /* of the first refusal */
	const char *remedy;  /* part of the first refusal's */
	const char *discarded;
	hd_migration_tally tally;
	guint64 tail;
} edit;

static const edit edits[] = {
	{.name = "nothing changed",
	 .old = "struct s { int a; long b; } v = {1, 2};",
	 .now = "struct s { int a; long b; } v = {1, 2};"},

	/* appended, inserted, reordered, widened */
	{.name = "field appended",
	 .old = "struct s { int a; long b; } v = {-1, 2};",
	 .now = "struct s { int a; long b; int c; } v = {-1, 2, 0};"},
	{.name = "field inserted",
	 .old = "struct s { int a; long b; } v = {1, 2};",
	 .now = "struct s { char tag; int a; double x; long b; } v = {0, 1, 0, 2};"},
	{.name = "field put into padding",
	 .old = "struct s { char a; long b; } v = {1, 2};",
	 .now = "struct s { char a; int in; long b; } v = {1, 0, 2};"},
	{.name = "fields reordered",
	 .old = "struct s { int a; long b; char c; } v = {1, 2, 3};",
	 .now = "struct s { char c; long b; int a; } v = {3, 2, 1};"},
	{.name = "field widened, signed",
	 .old = "struct s { signed char a; short b; int c; } v = {-3, -300, -70000};",
	 .now = "struct s { int a; long b; __int128 c; } v = {-3, -300, -70000};"},
	{.name = "field widened, unsigned",
	 .old = "struct s { unsigned char a; unsigned short b; unsigned c; } v = {200, 60000, 4000000000u};",
	 .now = "struct s { int a; unsigned long b; long c; } v = {200, 60000, 4000000000u};"},
	{.name = "field widened, bool and char",
	 .old = "struct s { _Bool a, b; char c; } v = {1, 0, -7};",
	 .now = "struct s { int a; unsigned char b; int c; } v = {1, 0, -7};"},
	{.name = "field widened, float",
	 .old = "struct s { float a, b; double c; } v = {1.5f, -__builtin_inff(), 0x1.8p-1030};",
	 .now = "struct s { double a; long double b; long double c; } v = {1.5, -__builtin_infl(), 0x1.8p-1030L};"},
	{.name = "field widened, a NaN stays signaling",
	 .old = "struct s { float a; } v = {__builtin_nansf(\"0x1234\")};",
	 .now = "union u { unsigned long bits; double d; }; struct s { double a; } v = "
		"{__builtin_nans(\"0x24680000000\")};"},
	{.name = "field removed",
	 .old = "struct s { int a; int gone; long b; } v = {1, 7, 2};",
	 .now = "struct s { int a; long b; } v = {1, 2};",
	 .discarded = "struct s: gone (4 bytes at 4)"},
	{.name = "const, volatile, typedef",
	 .old = "struct s { int a; long b; char *c; } v = {1, 2, (char *)3};",
	 .now = "typedef int n; struct s { long new; volatile n a; const long long b; const char *restrict c; } v = "
		"{0, 1, 2, (char *)3};"},
	{.name = "signedness changed, values that both have",
	 .old = "struct s { int a; unsigned char b; } v = {5, 100};",
	 .now = "struct s { unsigned a; signed char b; } v = {5, 100};"},
	{.name = "signedness changed, a value that only the old has",
	 .old = "struct s { int a; unsigned char b; int c; } v = {-5, 200, -1};",
	 .now = "struct s { unsigned a; signed char b; unsigned long c; } v = {-5u, -56, -1l};",
	 .tally = {.changed = 3}},

	/* nested */
	{.name = "nested struct grows",
	 .old = "struct in { char x; int y; }; struct s { struct in a; int b; struct { char p; int q; } c; } v = "
		"{{1, 2}, 3, {4, 5}};",
	 .now = "struct in { char x; long n; int y; }; struct s { struct in a; int b; struct { int q; char p, r; } c; "
		"} v "
		"= {{1, 0, 2}, 3, {5, 4, 0}};"},
	{.name = "array grows",
	 .old = "struct s { char name[4]; int n[2]; } v = {\"abc\", {1, 2}};",
	 .now = "struct s { char name[6]; int n[4]; } v = {\"abc\", {1, 2}};"},
	{.name = "array grows into padding",
	 .old = "struct s { char name[3]; int n; } v = {\"ab\", 1};",
	 .now = "struct s { char name[4]; int n; } v = {\"ab\", 1};"},
	{.name = "array of structs that grow",
	 .old = "struct in { short x; }; struct s { struct in a[3]; } v = {{{1}, {2}, {3}}};",
	 .now = "struct in { char n; int x; }; struct s { int new; struct in a[4]; } v = {0, {{0, 1}, {0, 2}, {0, "
		"3}}};"},
	{.name = "array of arrays",
	 .old = "struct s { short a[2][3]; } v = {{{1, 2, 3}, {4, 5, 6}}};",
	 .now = "struct s { int a[3][4]; } v = {{{1, 2, 3, 0}, {4, 5, 6, 0}}};"},
	{.name = "variable is an array",
	 .old = "struct s { int a; } v[2] = {{1}, {2}};",
	 .now = "struct s { int b, a; } v[3] = {{0, 1}, {0, 2}};"},
	{.name = "variable widened", .old = "short v = -2;", .now = "long v = -2;"},
	{.name = "flexible array",
	 .old = "struct s { char n; short t[]; } v = {3, {1, -2, 3}};",
	 .now = "struct s { char n; long new; int t[]; } v = {3, 0, {1, -2, 3}};",
	 .tail = 3},
	{.name = "flexible array of structs",
	 .old = "struct in { char c; }; struct s { int n; struct in t[]; } v = {2, {{1}, {2}}};",
	 .now = "struct in { int new; char c; }; struct s { struct in t0; int n; struct in t[]; } v = {{0}, 2, {{0, "
		"1}, {0, 2}}};",
	 .tail = 2},
	{.name = "flexible array appended",
	 .old = "struct s { int n; } v = {2};",
	 .now = "struct s { int n; char t[]; } v = {2};"},

	/* members without a name, bit fields, pointers, unions */
	{.name = "field moves into a struct without a name",
	 .old = "struct s { char a; int b; int c; } v = {1, 2, 3};",
	 .now = "struct s { struct { int c; long new; char a; }; int b; } v = {{3, 0, 1}, 2};"},
	{.name = "union without a name moves",
	 .old = "struct s { int k; union { int i; float f; }; } v = {1, {.f = 2.5f}};",
	 .now = "struct s { long new; int k; union { int i; float f; }; } v = {0, 1, {.f = 2.5f}};"},
	{.name = "bit fields inserted, widened, unwrapped",
	 .old = "struct s { unsigned a : 3; int b : 5; unsigned c : 9; _Bool d : 1; } v = {5, -9, 300, 1};",
	 .now = "struct s { _Bool d; unsigned n : 2; unsigned a : 3; int b : 7; unsigned short c; } v = {1, 0, 5, -9, "
		"300};"},
	{.name = "field becomes a bit field as wide",
	 .old = "struct s { unsigned char a; _Bool b; } v = {200, 1};",
	 .now = "struct s { unsigned n : 3; unsigned a : 8; _Bool b : 1; } v = {0, 200, 1};"},
	{.name = "bit field over the bytes of two units",
	 .old = "struct __attribute__((packed)) s { unsigned a : 7; unsigned long b : 60; } v = {100, "
		"0x923456789abcdeful};",
	 .now = "struct __attribute__((packed)) s { unsigned a : 7; unsigned x : 6; unsigned long b : 63; } v = {100, "
		"0, 0x923456789abcdeful};"},
	{.name = "pointers move",
	 .old = "struct s { struct s *next; int (*f)(struct s *, int); char *t[2]; } v = {(void *)1, (void *)2, {(void "
		"*)3, (void *)4}};",
	 .now = "struct s { char *t[3]; int new; int (*f)(struct s *, int); struct s *next; } v = {{(void *)3, (void "
		"*)4}, 0, (void *)2, (void *)1};"},
	{.name = "void pointer gets a type",
	 .old = "struct s { void *p; } v = {(void *)1};",
	 .now = "struct s { int n; struct t *p; } v = {0, (void *)1};"},
	{.name = "union moves",
	 .old = "union u { int i; char *p; struct { short a, b; } s; }; struct s { union u u; } v = {{.s = {1, 2}}};",
	 .now = "union u { int i; char *p; struct { short a, b; } s; }; struct s { int n; union u u; } v = {0, {.s = "
		"{1, 2}}};"},

	/* enumerations */
	{.name = "enum renumbered",
	 .old = "enum e { IDLE, RUN, STOP }; struct s { enum e a, b, c; } v = {IDLE, RUN, STOP};",
	 .now = "enum e { NEW, STOP, IDLE, RUN }; struct s { enum e a, b, c; } v = {IDLE, RUN, STOP};"},
	{.name = "enum renumbered, negative and large",
	 .old = "enum e { A = -5, B = 200, C = 0x7fffffff }; enum e v[3] = {A, B, C};",
	 .now = "enum e { A = 7, B = -200, C = 1 }; enum e v[3] = {A, B, C};"},
	{.name = "enum renumbered, a value without a name",
	 .old = "enum e { R = 1, W = 2, X = 4 }; struct s { enum e a, b; } v = {X, 7};",
	 .now = "enum e { X = 1, W = 2, R = 4 }; struct s { enum e a, b; } v = {X, 7};",
	 .tally = {.unnamed = 1}},
	{.name = "enum renumbered, an enumerator removed",
	 .old = "enum e { A, B, C }; struct s { enum e a, b; } v = {B, C};",
	 .now = "enum e { A, C }; struct s { enum e a, b; } v = {1, C};",
	 .tally = {.unnamed = 1}},
	{.name = "enum renumbered, in a bit field",
	 .old = "struct s { enum { A, B, C } a : 2; int n; } v = {C, 1};",
	 .now = "struct s { int n; enum { N, A, B, C, D } a : 4; } v = {1, C};"},
	{.name = "enum renumbered, in an array of structs",
	 .old = "typedef enum { A, B } e; typedef struct { e e[2]; } in; struct s { in in[2]; } v = {{{{A, B}}, {{B, "
		"A}}}};",
	 .now = "typedef enum { N, A, B } e; typedef struct { e e[3]; } in; struct s { in in[2]; } v = {{{{A, B}}, "
		"{{B, A}}}};"},
	{.name = "enumerator appended",
	 .old = "enum e { A, B }; struct s { enum e a; } v = {B};",
	 .now = "enum e { A, B, C }; struct s { enum e a; } v = {B};"},
	{.name = "integer becomes an enum",
	 .old = "struct s { int a; char b; } v = {1, 2};",
	 .now = "enum e { A, B, C = -1 }; struct s { long n; enum e a; enum e b; } v = {0, 1, 2};"},

	/* refused */
	{.name = "field renamed",
	 .old = "struct s { int size; long b; } v;",
	 .now = "struct s {\n int bytes; long b; } v;",
	 .refusal = "HD101 struct s: field size (4 bytes at 0) is gone and bytes has come in its place: a new name for "
		    "it, or "
		    "another field?",
	 .line = 2,
	 .remedy = "give the field its old name; if it is another field, remove the old one and add the new one"},
	{.name = "field renamed, with another inserted",
	 .old = "struct s { int size; long b; } v;",
	 .now = "struct s {\n long n;\n int bytes; long b; } v;",
	 .refusal = "HD101 struct s: field size (4 bytes at 0) is gone and bytes has come in its place: a new name for "
		    "it, or "
		    "another field?",
	 .line = 3},
	{.name = "field renamed, with others reordered",
	 .old = "struct s { int size; int k; long b; } v;",
	 .now = "struct s {\n int bytes; long b; int k; } v;",
	 .refusal = "HD101 struct s: field size (4 bytes at 0) is gone and bytes has come in its place: a new name for "
		    "it, or another field?",
	 .line = 2},
	{.name = "fields gathered in a struct",
	 .old = "struct s { int x; int y; char *n; } v;",
	 .now = "struct s {\n struct { int x, y; } at; char *n; } v;",
	 .refusal = "HD101 struct s: field x (4 bytes at 0) is gone and at has come in its place: a new name for it, "
		    "or another "
		    "field?; HD101 struct s: field y (4 bytes at 4) is gone and at has come in its place: a new name "
		    "for it, or "
		    "another field?",
	 .line = 2},
	{.name = "union without a name gets one",
	 .old = "struct s { union { int i; float f; }; } v;",
	 .now = "struct s {\n union { int i; float f; } u; } v;",
	 .refusal = "HD101 struct s: field (unnamed) (4 bytes at 0) is gone and u has come in its place: a new name "
		    "for it, or "
		    "another field?",
	 .line = 2},
	{.name = "field narrowed",
	 .old = "struct s { long b; int a; } v;",
	 .now = "struct s {\n long b;\n short a; } v;",
	 .refusal = "HD101 struct s: field a: int (4 bytes at 8) becomes short (2 bytes at 8), and stored values may "
		    "not fit",
	 .line = 3,
	 .remedy = "keep the field's type and give the new one another name"},
	{.name = "field narrowed, float",
	 .old = "struct s { double a; } v;",
	 .now = "struct s { float a; } v;",
	 .refusal = "HD101 struct s: field a: double (8 bytes at 0) becomes float (4 bytes at 0), and stored values "
		    "may not fit",
	 .line = 1},
	{.name = "field narrowed, bit field",
	 .old = "struct s { unsigned a : 5, b : 3; } v;",
	 .now = "struct s { unsigned a : 4, b : 3; } v;",
	 .refusal = "HD101 struct s: field a: unsigned int (5 bits at bit 0) becomes unsigned int (4 bits at bit 0), "
		    "and stored "
		    "values may not fit",
	 .line = 1},
	{.name = "field narrowed, to bool",
	 .old = "struct s { char a; } v;",
	 .now = "struct s { _Bool a; } v;",
	 .refusal = "HD101 struct s: field a: char (1 byte at 0) becomes _Bool (1 byte at 0), and stored values may "
		    "not fit",
	 .line = 1},
	{.name = "field of a typedef narrowed",
	 .old = "typedef int n; struct s { n a; } v;",
	 .now = "typedef short n; struct s { n a; } v;",
	 .refusal = "HD101 struct s: field a: int (4 bytes at 0) becomes short (2 bytes at 0), and stored values may "
		    "not fit",
	 .line = 1},
	{.name = "field narrowed, in a nested struct that has a name",
	 .old = "struct in { int x; }; struct s { struct in a[2]; struct in b; } v;",
	 .now = "struct in {\n short x; }; struct s { struct in a[2]; struct in b; } v;",
	 .refusal = "HD101 struct in: field x: int (4 bytes at 0) becomes short (2 bytes at 0), and stored values may "
		    "not fit",
	 .line = 2},
	{.name = "field narrowed, in a nested struct without a name",
	 .old = "struct s { int n; struct { int x; } at; } v;",
	 .now = "struct s { int n; struct {\n short x; } at; } v;",
	 .refusal = "HD101 struct s: field at.x: int (4 bytes at 0) becomes short (2 bytes at 0), and stored values "
		    "may not fit",
	 .line = 2},
	{.name = "pointer and value swapped",
	 .old = "struct s { char *p; unsigned long n; } v;",
	 .now = "struct s {\n unsigned long p;\n char *n; } v;",
	 .refusal = "HD101 struct s: field p: char * (8 bytes at 0) becomes unsigned long (8 bytes at 0), and a number "
		    "is no "
		    "pointer; HD101 struct s: field n: unsigned long (8 bytes at 8) becomes char * (8 bytes at 8), and "
		    "a number "
		    "is no pointer",
	 .line = 2},
	{.name = "pointer to something else",
	 .old = "struct s { int *p; } v;",
	 .now = "struct s { long *p; } v;",
	 .refusal = "HD101 struct s: field p: int * (8 bytes at 0) becomes long * (8 bytes at 0), and what stored "
		    "pointers lead "
		    "to stays as it was",
	 .line = 1},
	{.name = "pointer to a function of another signature",
	 .old = "struct s { int (*f)(int); } v;",
	 .now = "struct s { int (*f)(int, int); } v;",
	 .refusal = "HD101 struct s: field f: int (*)(int) (8 bytes at 0) becomes int (*)(int, int) (8 bytes at 0), "
		    "and what "
		    "stored pointers lead to stays as it was",
	 .line = 1},
	{.name = "integer becomes float",
	 .old = "struct s { int a; } v;",
	 .now = "struct s { double a; } v;",
	 .refusal = "HD101 struct s: field a: int (4 bytes at 0) becomes double (8 bytes at 0), and the one cannot be "
		    "made of "
		    "the other",
	 .line = 1},
	{.name = "array shrunk",
	 .old = "struct s { int a[4]; } v;",
	 .now = "struct s {\n int a[3]; } v;",
	 .refusal = "HD101 struct s: field a: int [4] (16 bytes at 0) becomes int [3] (12 bytes at 0), and the last 1 "
		    "elements "
		    "would be lost",
	 .line = 2,
	 .remedy = "keep the array's size"},
	{.name = "array becomes a pointer",
	 .old = "struct s { int a[4]; } v;",
	 .now = "struct s { int *a; } v;",
	 .refusal = "HD101 struct s: field a: int [4] (16 bytes at 0) becomes int * (8 bytes at 0), and the one cannot "
		    "be made of "
		    "the other",
	 .line = 1},
	{.name = "array becomes a flexible one",
	 .old = "struct s { int n, a[4]; } v;",
	 .now = "struct s { int n, a[]; } v;",
	 .refusal = "HD101 struct s: field a: int [4] (16 bytes at 4) becomes int [] (0 bytes at 4), and how many "
		    "elements there "
		    "are is not known",
	 .line = 1},
	{.name = "flexible array gets a size",
	 .old = "struct s { int n, a[]; } v;",
	 .now = "struct s { int n, a[4]; } v;",
	 .refusal = "HD101 struct s: field a: int [] (0 bytes at 4) becomes int [4] (16 bytes at 4), and how many "
		    "elements there "
		    "are is not known",
	 .line = 1},
	{.name = "union member changed",
	 .old = "struct s { union u { int i; float f; } u; } v;",
	 .now = "struct s { union u { int i;\n double f; } u; } v;",
	 .refusal = "HD101 struct s: union u changed (field f: float (4 bytes at 0) becomes double (8 bytes at 0)), "
		    "and which of "
		    "its members is in use is not known",
	 .line = 2,
	 .remedy = "keep the union and add a field beside it"},
	{.name = "union member added, without a name",
	 .old = "struct s { union { int i; float f; }; } v;",
	 .now = "struct s { union { int i; float f;\n char c[4]; }; } v;",
	 .refusal = "HD101 struct s: the union without a name changed (field c (4 bytes at 0) was added), and which of "
		    "its "
		    "members is in use is not known",
	 .line = 2},
	{.name = "struct inside of a union grows",
	 .old = "struct in { int a; }; struct s { union { struct in i; long f; } u; } v;",
	 .now = "struct in { int a, b; }; struct s {\n union { struct in i; long f; } u; } v;",
	 .refusal = "HD101 struct s: union u changed (inside of a member), and which of its members is in use is not "
		    "known",
	 .line = 2},
	{.name = "enum inside of a union renumbered",
	 .old = "enum e { A, B }; struct s { union { enum e e; long f; } u; } v;",
	 .now = "enum e { N, A, B }; struct s { union { enum e e; long f; } u; } v;",
	 .refusal = "HD101 struct s: union u changed (inside of a member), and which of its members is in use is not "
		    "known",
	 .line = 1},
	{.name = "field becomes a member of a union",
	 .old = "struct s { int a; long b; } v;",
	 .now = "struct s { union { int a; float f; }; long b; } v;",
	 .refusal = "HD101 struct s: field a: int (4 bytes at 0) becomes union {...} (4 bytes at 0), and the one "
		    "cannot be made of "
		    "the other",
	 .line = 1},
	{.name = "field of another struct",
	 .old = "struct a { int x; }; struct b { int x; }; struct s { struct a f; } v;",
	 .now = "struct a { int x; }; struct b { int x; }; struct s { struct b f; } v;",
	 .refusal = "HD101 struct s: field f: struct a (4 bytes at 0) becomes struct b (4 bytes at 0), and the one "
		    "cannot be made "
		    "of the other",
	 .line = 1},
	{.name = "field of another enum",
	 .old = "enum a { A }; enum b { B }; struct s { enum a f; } v;",
	 .now = "enum a { A }; enum b { B }; struct s { enum b f; } v;",
	 .refusal = "HD101 struct s: field f: enum a (4 bytes at 0) becomes enum b (4 bytes at 0), and the one cannot "
		    "be made of "
		    "the other",
	 .line = 1},
	{.name = "variable narrowed",
	 .old = "long v;",
	 .now = "\nint v;",
	 .refusal = "HD102 v: long becomes int, and stored values may not fit",
	 .line = 2,
	 .remedy = "give the new variable another name"},
	{.name = "variable's own struct",
	 .old = "struct { int a; } v;",
	 .now = "struct {\n short a; } v;",
	 .refusal = "HD102 v: field a: int (4 bytes at 0) becomes short (2 bytes at 0), and stored values may not fit",
	 .line = 2},
	{.name = "variable is gone",
	 .old = "int v;",
	 .now = "int w;",
	 .refusal = "HD207 v: the debug information of both versions does not have it, with its type"},
};

static hd_unit *
read_unit(GBytes *bytes)
{
	GError *error = NULL;
	hd_unit *unit = hd_unit_read_object(bytes, &error);
	if (!unit)
		fail_msg("%s", error->message);
	return unit;
}

/* A variable's bytes as its initialiser made them; size may exceed the type's (flexible arrays). New block. */
static guint8 *
initial(GBytes *object, const hd_unit *unit, const char *name, gsize size)
{
	const hd_unit_variable *v = hd_unit_variable_named(unit, NULL, name, 0);
	guint8 *copy = g_memdup2(g_bytes_get_data(object, NULL), g_bytes_get_size(object));
	guint8 *content = g_malloc0(size + 1);
	Elf *elf = elf_memory((char *)copy, g_bytes_get_size(object));
	GElf_Shdr header;
	assert_true(v && v->located);
	assert_non_null(gelf_getshdr(elf_getscn(elf, v->section), &header));
	if (header.sh_type != SHT_NOBITS)
		memcpy(content, copy + header.sh_offset + v->address, MIN(size, header.sh_size - v->address));
	elf_end(elf);
	g_free(copy);
	return content;
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
check_refusal(const edit *e, const char *compiler, const GPtrArray *refusals)
{
	char *text = text_of(refusals);
	if (strcmp(text, e->refusal ? e->refusal : "") != 0)
		fail_msg("%s: refused \"%s\", not \"%s\"", compiler, text, e->refusal ? e->refusal : "");
	if (e->line) {
		const hd_refusal *first = refusals->pdata[0];
		char *path = compile_path("unit.c");
		assert_string_equal(first->where.file, path);
		if (first->where.line != e->line)
			fail_msg("%s: at line %d, not %d", compiler, first->where.line, e->line);
		if (e->remedy && !strstr(first->remedy, e->remedy))
			fail_msg("%s: remedy \"%s\"", compiler, first->remedy);
		g_free(path);
	}
	g_free(text);
}

static void
check_bytes(const char *what, const char *compiler, const guint8 *found, const guint8 *wanted, gsize size)
{
	GString *a = g_string_new(NULL), *b = g_string_new(NULL);
	for (gsize i = 0; i < size; i++) {
		g_string_append_printf(a, "%02x ", found[i]);
		g_string_append_printf(b, "%02x ", wanted[i]);
	}
	if (strcmp(a->str, b->str) != 0)
		fail_msg("%s: %s:\n%s, not\n%s", compiler, what, a->str, b->str);
	g_string_free(a, TRUE);
	g_string_free(b, TRUE);
}

static void
check_migration(const edit *e, const char *compiler, const hd_migration *m, const guint8 *old, const guint8 *wanted)
{
	GError *error = NULL;
	hd_migration_tally tally, back_tally;
	gsize old_size = hd_migration_old_size(m, e->tail), new_size = hd_migration_new_size(m, e->tail);
	guint8 *now = g_malloc0(new_size), *back = g_memdup2(old, old_size);
	hd_migration_apply(m, old, now, e->tail, &tally);
	check_bytes("became", compiler, now, wanted, new_size);
	if (tally.unnamed != e->tally.unnamed || tally.changed != e->tally.changed)
		fail_msg("%s: counted %d unnamed, %d changed", compiler, (int)tally.unnamed, (int)tally.changed);
	hd_migration_reverse(m, now, back, e->tail, &back_tally);
	check_bytes("came back as", compiler, back, old, old_size);
	if (!hd_migration_validate(m, old, e->tail, &error))
		fail_msg("%s: %s", compiler, error->message);
	const GPtrArray *discarded = hd_migration_discarded(m);
	assert_int_equal(discarded->len, e->discarded ? 1 : 0);
	if (e->discarded)
		assert_string_equal(discarded->pdata[0], e->discarded);
	bool same = old_size == new_size && strcmp(e->old, e->now) == 0;
	if (same)
		assert_true(hd_migration_is_identity(m));
	else if (new_size != old_size || memcmp(old, wanted, new_size) != 0)
		assert_false(hd_migration_is_identity(m));
	g_free(now);
	g_free(back);
}

static void
check_edit(const edit *e, const char *compiler)
{
	GBytes *old_object = compile_object(compiler, e->old), *new_object = compile_object(compiler, e->now);
	hd_unit *old = read_unit(old_object), *now = read_unit(new_object);
	GPtrArray *refusals = g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free);
	hd_migration *m = hd_migration_of_variable(old, now, NULL, "v", 0, refusals);
	assert_true((m == NULL) == (refusals->len > 0));
	check_refusal(e, compiler, refusals);
	if (m) {
		guint8 *bytes = initial(old_object, old, "v", hd_migration_old_size(m, e->tail));
		guint8 *wanted = initial(new_object, now, "v", hd_migration_new_size(m, e->tail));
		hd_unit_free(old); /* a plan stands alone */
		hd_unit_free(now);
		check_migration(e, compiler, m, bytes, wanted);
		g_free(bytes);
		g_free(wanted);
	} else {
		hd_unit_free(old);
		hd_unit_free(now);
	}
	hd_migration_free(m);
	g_ptr_array_unref(refusals);
	g_bytes_unref(old_object);
	g_bytes_unref(new_object);
}

static bool
can(const char *command)
{
	char *program = g_strndup(command, strcspn(command, " "));
	bool found = compile_has(program);
	g_free(program);
	return found;
}

static void
test_edit(void **state)
{
	bool tried = false;
	compile_begin();
	for (gsize i = 0; i < G_N_ELEMENTS(compilers); i++)
		if (can(compilers[i])) {
			check_edit(*state, compilers[i]);
			tried = true;
		}
	compile_end();
	if (!tried) {
		print_message("# neither gcc nor clang is installed\n");
		skip();
	}
}

/* ---- what the table cannot say ---- */

typedef struct {
	hd_unit *old, *now;
	GPtrArray *refusals;
} pair;

static pair
read_pair(const char *old, const char *now)
{
	GBytes *old_object = compile_object("gcc -g", old), *new_object = compile_object("gcc -g", now);
	pair p = {read_unit(old_object), read_unit(new_object),
		  g_ptr_array_new_with_free_func((GDestroyNotify)hd_refusal_free)};
	g_bytes_unref(old_object);
	g_bytes_unref(new_object);
	return p;
}

static void
free_pair(pair *p)
{
	hd_unit_free(p->old);
	hd_unit_free(p->now);
	g_ptr_array_unref(p->refusals);
}

static void
test_names(void **state)
{
	(void)state;
	static const struct {
		const char *function, *name;
		guint ordinal;
		bool variable;
		guint64 old_size, new_size;
	} wanted[] = {
		{NULL, "struct s", 0, false, 4, 8}, {NULL, "s_t", 0, false, 4, 8},
		{NULL, "pos", 0, false, 8, 16},	    {NULL, "struct pos", 0, false, 8, 16},
		{NULL, "union u", 0, false, 4, 4},  {NULL, "enum e", 0, false, 4, 4},
		{"f", "struct s", 0, false, 1, 2},  {"f", "struct s", 1, false, 2, 4},
		{"f", "count", 0, true, 1, 2},	    {"f", "count", 1, true, 2, 4},
	};
	compile_begin();
	pair p = read_pair(
		"typedef struct s { int a; } s_t; typedef struct { int x, y; } pos; union u { int i; };\n"
		"enum e { E }; s_t *all; pos where; union u u; enum e e;\n"
		"int f(void) { { struct s { char c; }; static struct s count; where.x += count.c; }\n"
		"{ struct s { short c; }; static struct s count; return where.x + count.c++; } }",
		"typedef struct s { int a, n; } s_t; typedef struct { int x, y, z, w; } pos; union u { int i; };\n"
		"enum e { E }; s_t *all; pos where; union u u; enum e e;\n"
		"int f(void) { { struct s { char c, d; }; static struct s count; where.x += count.c; }\n"
		"{ struct s { short c, d; }; static struct s count; return where.x + count.c++; } }");
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
		hd_migration *m = (wanted[i].variable ? hd_migration_of_variable : hd_migration_of_type)(
			p.old, p.now, wanted[i].function, wanted[i].name, wanted[i].ordinal, p.refusals);
		if (!m)
			fail_msg("%s: refused", wanted[i].name);
		assert_int_equal(hd_migration_old_size(m, 0), wanted[i].old_size);
		assert_int_equal(hd_migration_new_size(m, 0), wanted[i].new_size);
		hd_migration_free(m);
	}
	assert_null(hd_migration_of_type(p.old, p.now, NULL, "struct none", 0, p.refusals));
	assert_null(hd_migration_of_type(p.old, p.now, "f", "struct s", 2, p.refusals));
	assert_null(hd_migration_of_variable(p.old, p.now, "f", "count", 2, p.refusals));
	assert_int_equal(p.refusals->len, 3);
	free_pair(&p);
	compile_end();
}

typedef struct {
	guint64 old_offset;
	const char *pointee;
	hd_landing landing;
	guint64 new_offset;
} landing_case;

static void
test_landings(void **state)
{
	(void)state;
	static const landing_case cases[] = {
		{0, NULL, HD_LANDING_AMBIGUOUS, 0}, /* struct s, or its first field */
		{0, "struct s", HD_LANDING_FOUND, 0},
		{0, "int", HD_LANDING_FOUND, 8},
		{4, "short", HD_LANDING_RETYPED, 12},
		{5, NULL, HD_LANDING_NONE, 0},
		{8, "struct in", HD_LANDING_FOUND, 16}, /* in[0] */
		{8, "struct in [2]", HD_LANDING_FOUND, 16},
		{8, "char", HD_LANDING_FOUND, 20},
		{12, NULL, HD_LANDING_FOUND, 24},	 /* in[0].x */
		{16, "struct in", HD_LANDING_FOUND, 28}, /* in[1] */
		{20, NULL, HD_LANDING_FOUND, 36},
		{17, NULL, HD_LANDING_NONE, 0}, /* padding */
		{24, NULL, HD_LANDING_NONE, 0}, /* discarded */
		{28, "char", HD_LANDING_FOUND, 52},
		{31, NULL, HD_LANDING_FOUND, 55}, /* name[3] */
		{40, "struct s", HD_LANDING_NONE, 0},
	};
	compile_begin();
	pair p = read_pair("struct in { char c; int x; }; struct s { int a; short b; struct in in[2]; int gone; char "
			   "name[8]; } v;",
			   "struct in { int n; char c; int x; }; struct s { long n; int a; int b; struct in in[3]; "
			   "char name[8]; } v;");
	hd_migration *m = hd_migration_of_type(p.old, p.now, NULL, "struct s", 0, p.refusals);
	assert_non_null(m);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const landing_case *c = &cases[i];
		guint64 offset = 0;
		hd_landing landing = hd_migration_landing(m, 0, c->old_offset, c->pointee, &offset);
		if (landing != c->landing || offset != c->new_offset)
			fail_msg("%d as %s: %d at %d", (int)c->old_offset, c->pointee ? c->pointee : "anything",
				 (int)landing, (int)offset);
	}
	hd_migration_free(m);
	free_pair(&p);
	compile_end();
}

static void
list_pointer(const hd_migration_pointer *pointer, void *data)
{
	g_string_append_printf(data, "%d>%d %s%s; ", (int)pointer->old_offset, (int)pointer->new_offset,
			       pointer->pointee, pointer->overlaid ? " perhaps" : "");
}

static void
test_pointers(void **state)
{
	(void)state;
	compile_begin();
	pair p =
		read_pair("typedef struct { int x; } pos; struct in { char c; pos *at; };\n"
			  "struct s { struct s *next; const char *name; struct in in[2]; int (*f)(struct s *);\n"
			  " union { long n; struct s *s; void *p[2]; } u; struct in *tail[]; } *v; struct s w;",
			  "typedef struct { int x; } pos; struct in { pos *at; char c; };\n"
			  "struct s { int n; const char *name; struct s *next; struct in in[3]; int (*f)(struct s *);\n"
			  " union { long n; struct s *s; void *p[2]; } u; struct in *tail[]; } *v; struct s w;");
	hd_migration *m = hd_migration_of_type(p.old, p.now, NULL, "struct s", 0, p.refusals);
	assert_non_null(m);
	GString *text = g_string_new(NULL);
	hd_migration_each_pointer(m, 2, list_pointer, text);
	assert_string_equal(text->str, "0>16 struct s; 8>8 char; 24>24 pos; 40>40 pos; 48>72 int (struct s *); "
				       "56>80 struct s perhaps; 56>80 void perhaps; 64>88 void perhaps; "
				       "72>96 struct in; 80>104 struct in; ");
	g_string_truncate(text, 0);
	for (guint i = 0; i < hd_migration_pointees(m)->len; i++)
		g_string_append_printf(text, "%s; ", (char *)hd_migration_pointees(m)->pdata[i]);
	assert_string_equal(text->str, "struct s; char; pos; int (struct s *); void; struct in; ");
	assert_int_equal(hd_migration_old_size(m, 2), 88);
	assert_int_equal(hd_migration_new_size(m, 2), 112);
	assert_int_equal(hd_migration_tail(m, 88 + 7), 2);
	g_string_free(text, TRUE);
	hd_migration_free(m);
	free_pair(&p);
	compile_end();
}

/* The program ran on with the new shape; then the edit is undone. */
static void
test_undo(void **state)
{
	(void)state;
	struct old {
		int a;
		short gone;
		float f;
		enum { X, Y, Z } e[3];
		_Bool b;
	} old = {5, 7, 1.5f, {X, Z, 9}, 1}, back = old;
	struct now {
		double f;
		long a, added;
		enum { N, NX, NY, NZ } e[4];
		int b;
	} now = {.added = 3};
	hd_migration_tally tally;
	compile_begin();
	pair p = read_pair("struct s { int a; short gone; float f; enum { X, Y, Z } e[3]; _Bool b; } v;",
			   "struct s { double f; long a, added; enum { N, X, Y, Z } e[4]; int b; } v;");
	hd_migration *m = hd_migration_of_variable(p.old, p.now, NULL, "v", 0, p.refusals);
	assert_non_null(m);
	assert_int_equal(hd_migration_old_size(m, 0), sizeof old);
	assert_int_equal(hd_migration_new_size(m, 0), sizeof now);
	hd_migration_apply(m, (guint8 *)&old, (guint8 *)&now, 0, &tally);
	assert_true(now.a == 5 && now.f == 1.5 && now.added == 3 && now.b == 1);
	assert_true(now.e[0] == NX && now.e[1] == NZ && now.e[2] == 9 && tally.unnamed == 1 && tally.changed == 0);

	now.a = -6;
	now.e[0] = NY;
	hd_migration_reverse(m, (guint8 *)&now, (guint8 *)&back, 0, &tally);
	assert_true(back.a == -6 && back.gone == 7 && back.f == 1.5f && back.b == 1);
	assert_true(back.e[0] == Y && back.e[1] == Z && back.e[2] == 9 && tally.changed == 0 && tally.unnamed == 0);

	now.a = 1L << 40;
	now.f = 1e300;
	now.b = 2;
	now.e[1] = N;
	hd_migration_reverse(m, (guint8 *)&now, (guint8 *)&back, 0, &tally);
	assert_true(tally.changed == 3 && tally.unnamed == 1);
	hd_migration_free(m);
	free_pair(&p);
	compile_end();
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_landings),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_undo),
	};
	struct CMUnitTest tests[G_N_ELEMENTS(edits) + G_N_ELEMENTS(others)];
	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++)
		tests[i] = (struct CMUnitTest){
			.name = edits[i].name, .test_func = test_edit, .initial_state = (void *)&edits[i]};
	memcpy(&tests[G_N_ELEMENTS(edits)], others, sizeof others);
	return _cmocka_run_group_tests("migration", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
