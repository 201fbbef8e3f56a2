/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled by the tests: something of everything that debug information says of C. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer;
typedef int (*handler)(struct peer *, const char *, ...);
typedef enum { COLD = -1, WARM = 200, HOT } heat;
enum state { IDLE, RUN, STOP };
union number {
	int i;
	double d;
	struct {
		short lo, hi;
	};
};
struct peer {
	struct peer *next;
	char name[16];
	unsigned open : 1, : 3, level : 4;
	enum state state;
	heat heat;
	union number number;
	handler on[2];
	long double precise;
	_Bool alive;
	struct {
		int rows, columns;
	} shape;
	volatile int *const *deep;
	char tail[];
};
typedef struct {
	float x, y;
} point;

int visible = 3;
int zeroed;
static int hidden_count;
static const char *const names[] = {"a", "b", "c"};
static const int primes[4] = {2, 3, 5, 7};
extern int elsewhere;
extern char **environ;
_Thread_local int per_thread = 4;
static _Thread_local long per_thread_zero;
static struct peer *peers;
static point points[3];
int (*callback)(int, int);
static double matrix[3][4];
__attribute__((weak)) int weak_one = 1;

static inline int
tick(int by)
{
	static int count;
	if (by > 3) {
		static int count = 5;
		count += by;
		return count;
	}
	return count += by;
}

static __attribute__((noinline)) point
middle(point a, point b)
{
	point m = {(a.x + b.x) / 2, (a.y + b.y) / 2};
	return m;
}

int
adds(int n, ...)
{
	va_list ap;
	int sum = 0;
	va_start(ap, n);
	while (n-- > 0)
		sum += va_arg(ap, int);
	va_end(ap);
	return sum;
}

static __attribute__((noinline)) int
sum_up(const int *values, size_t count)
{
	int sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += values[i];
	return sum;
}

static int
recent(struct peer *peer, const char *text, ...)
{
	static char last[8];
	strncpy(last, text, sizeof last - 1);
	return peer->open + last[0];
}

/* Known outside, so that no compiler takes it apart. */
point *
all_points(void)
{
	return points;
}

struct peer *
add(const char *name, enum state state)
{
	struct peer *peer = calloc(1, sizeof *peer);
	if (!peer)
		abort();
	peer->next = peers;
	peer->state = state;
	peer->on[0] = recent;
	strncpy(peer->name, name, sizeof peer->name - 1);
	hidden_count++;
	return peers = peer;
}

int
run(int n)
{
	int values[] = {n, 2, 3};
	points[0] = middle(points[1], points[2]);
	matrix[1][n & 3] += points[0].x;
	per_thread_zero += tick(n) + tick(n + 1);
	printf("%s %d\n", names[n % 3], primes[n & 3] + elsewhere + sum_up(values, 3));
	return hidden_count + (int)per_thread_zero + per_thread + adds(2, n, n) + weak_one + (environ != NULL);
}
