/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Not linked into anything: tests compile it with every compiler. It uses what compilers turn into different
 * relocations and sections, and writes what it computed through one function, so that a copy linked by hotdev can be
 * compared with one linked by the system. */
int printf(const char *, ...);
int snprintf(char *, unsigned long, const char *, ...);
unsigned long strlen(const char *);
int strcmp(const char *, const char *);
void *memcpy(void *, const void *, unsigned long);
void qsort(void *, unsigned long, unsigned long, int (*)(const void *, const void *));
double sqrt(double);
extern int nowhere(void) __attribute__((weak));

int zeroed, initialised = 5;
static int hidden_zero, hidden_value = 7;
static long big[300];
const int table[4] = {1, 2, 3, 4};
static const char *const names[] = {"zero", "one", "two", "three"};
static char text[] = "writable";
int *literal = (int[]){10, 20, 30};
#ifndef __TINYC__
static __thread int per_thread = 42;
__thread int per_thread_zero;
#endif

static char *out;
static unsigned long left;

#define SAY(...)                                                                                                       \
	do {                                                                                                           \
		int n_ = snprintf(out, left, __VA_ARGS__);                                                             \
		out += n_;                                                                                             \
		left -= n_;                                                                                            \
	} while (0)

static int
counter(void)
{
	static int count = 100;
	return count++;
}

static int
other_counter(int by)
{
	static int count;
	return count += by;
}

int
recurse(int n)
{
	return n ? recurse(n - 1) + table[n & 3] : hidden_value;
}

static int
static_recurse(int n)
{
	return n > 1 ? static_recurse(n - 1) * static_recurse(n - 2) + n : 1;
}

static int
add(int a, int b)
{
	return a + b;
}

static int
sub(int a, int b)
{
	return a - b;
}

static int
mul(int a, int b)
{
	return a * b;
}

static int (*const operations[])(int, int) = {add, sub, mul};

const char *
classify(int x)
{
	switch (x) {
	case 0:
		return "nothing";
	case 1:
		SAY("[one]");
		return names[1];
	case 2:
		return names[2];
	case 3:
		SAY("[%s]", text);
		return "several";
	case 4:
		hidden_zero++;
		return "four";
	case 5:
		return "five" + 1;
	case 9:
		counter();
		return "nine";
	default:
		return "many";
	}
}

static int
value_of(int x)
{
	switch (x) {
	case 0:
		return 17;
	case 1:
		return 4;
	case 2:
		return 99;
	case 3:
		return -1;
	case 4:
		return 12;
	case 5:
		return 7;
	}
	return 0;
}

int
interpret(const char *program)
{
	static const void *const labels[] = {&&plus, &&minus, &&twice, &&end};
	int n = 1;
	goto *labels[*program++ - '0'];
plus:
	n += 3;
	goto *labels[*program++ - '0'];
minus:
	n -= 1;
	goto *labels[*program++ - '0'];
twice:
	n *= 2;
	goto *labels[*program++ - '0'];
end:
	return n;
}

static int
by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

#ifdef __TINYC__ /* its va_arg is a function of libtcc1, which the mini-linker does not have */
static double
mean(int n, double a, double b, double c)
{
	return (0.25 + a + b + c) / n;
}
#else
static double
mean(int n, ...)
{
	__builtin_va_list list;
	double sum = 0.25;
	__builtin_va_start(list, n);
	for (int i = 0; i < n; i++)
		sum += __builtin_va_arg(list, double);
	__builtin_va_end(list);
	return sum / n;
}
#endif

static void
immediates(int x)
{
	/* displacements with an immediate behind them */
	hidden_zero = 0x12345678;
	zeroed = 77;
	text[2] = 'I';
	*(short *)&big[7] = 0x4142;
	big[299] = -5;
	hidden_value += 100;
	if (hidden_value == 1000 + x)
		zeroed = 1;
	hidden_value -= 100;
}

int
run(char *buffer, unsigned long room)
{
	int values[] = {5, 3, 9, -4, 12, 0, 7, 7, 1};
	out = buffer;
	left = room;
	for (int i = 0; i < 11; i++)
		SAY("%d %s %d\n", i, classify(i), value_of(i));
	SAY("%s %d %d\n", __func__, recurse(9), static_recurse(5));
	for (int i = 0; i < 3; i++)
		SAY("%d ", operations[i](6, 7));
	qsort(values, sizeof(values) / sizeof(*values), sizeof(*values), by_value);
	for (int i = 0; i < 9; i++)
		SAY("%d,", values[i]);
	SAY("\n%.3f %.3f %d\n", mean(3, 1.5, 2.5, 3.5), sqrt(2.0) * 1.1, interpret("001203"));
	immediates(3);
	SAY("%d %d %s %ld %ld %d\n", hidden_zero, zeroed, text, big[7], big[299], hidden_value);
	SAY("%d %d %d %d\n", counter(), counter(), other_counter(4), other_counter(5));
	SAY("%d %d %d\n", literal[2], initialised, nowhere ? nowhere() : -1);
#ifndef __TINYC__
	per_thread += 3;
	per_thread_zero++;
	SAY("%d %d\n", per_thread, per_thread_zero);
#endif
	return (int)(out - buffer);
}

#ifdef STANDALONE
int
main(void)
{
	static char buffer[10000];
	run(buffer, sizeof(buffer));
	printf("%s", buffer);
	return 0;
}
#endif
