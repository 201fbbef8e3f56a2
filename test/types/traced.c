/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The types and variables of trace-test.c: a part of the test, and the source
 * that the debug information is compiled from. */
struct vec {
	float x, y;
};
struct link {
	struct link *next, *prev;
};
struct inventory;
struct entity {
	int id;
	unsigned alive : 1, team : 3;
	struct vec pos;
	struct entity *next;
	struct vec *goal;
	char *name;
	void *data;
	int (*think)(struct entity *);
};
struct pair {
	long n;
	struct entity first;
	struct entity *second;
};
struct base {
	int kind;
	struct base *up;
};
struct derived {
	struct base base;
	struct entity *owner;
};
struct list {
	int n;
	struct entity *items[];
};
struct crowd {
	int n;
	struct entity members[];
};
struct nest {
	char c;
	struct {
		struct {
			struct entity *deep[2][3];
		};
		int n;
	} in[2];
};
typedef union {
	struct entity *e;
	struct base *b;
	long n;
} choice;
typedef union {
	struct entity *e;
	struct entity *const f;
} agreed;
union either {
	struct vec *v;
	float *f;
	long n;
};
struct chooser {
	int tag;
	choice c;
	agreed a;
	union either v;
};
struct body {
	long mass;
	struct link link;
	struct body *other;
};
union room {
	struct entity e;
	long n[2];
};
struct house {
	union room room;
};
struct thing {
	void (*free)(void *);
	struct base *b;
	struct derived *derived;
	struct thing *next;
};
struct monster {
	struct entity entity;
	double rage[8];
};
struct swarm {
	struct link link;
	struct monster monster;
};
/* No variable leads to it, only code. */
struct secret {
	struct link link;
	struct entity entity;
	long n;
};

struct entity player, others[3];
struct entity *list, **table, *slots[4], ***deep, *(*rows)[2];
const struct entity *constant;
struct vec *vec;
struct pair *pairs;
struct base *base;
struct derived *derived;
struct list *flexible;
struct crowd *crowd;
struct nest nest;
struct chooser *chooser;
struct body *body;
struct link links;
struct house *house;
struct thing *thing;
struct monster *monster;
struct swarm swarm;
struct inventory *inventory;
struct {
	int n;
	struct {
		struct entity *e;
	} inner[2];
} unnamed;
void *anything, **anythings;
char *label;
float *floats;
int *numbers;
long number;
unsigned char pool[256];
