/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The story of samples/boids: a line for each step, and the event that ends it. */
#include "config.h"

#include "hotdev/guide.h"

#include <string.h>

#define KIND(kind) (1u << HD_EVENT_##kind)

typedef struct {
	const char *text;
	guint32 done;	    /* kinds of event that end it; 0: it stays */
	const char *module; /* and concern this; NULL: any */
} step;

static const step steps[] = {
	{"1/7 flock.c: make cohesion 6.0f, save. They draw together; frames count on.", KIND(LIVE), "flock.c"},
	{"2/7 draw.c: in glyph(), return '*', save. Another look; none of them is lost.", KIND(LIVE), "draw.c"},
	{"3/7 Press u: the last edit is taken back. Then U: it is put on again.", KIND(REDONE), NULL},
	{"4/7 flock.c: delete a semicolon, save. You see where; they fly on meanwhile.", KIND(FAILED), NULL},
	{"5/7 Put the semicolon back, save. The error is gone.", KIND(UNCHANGED) | KIND(LIVE), NULL},
	{"6/7 boids.h: add  float age;  to boid, save. See what is done with those alive.",
	 KIND(LIVE) | KIND(HELD) | KIND(WAITING), NULL},
	{"7/7 Take  float age;  out again, save. All is as before.",
	 KIND(LIVE) | KIND(HELD) | KIND(UNCHANGED) | KIND(UNDONE), NULL},
	{"That was all: hotdev ./yourprogram does the same. man hotdev, and q quits.", 0, NULL},
};

struct hd_guide {
	guint at; /* in steps */
};

hd_guide *
hd_guide_new(void)
{
	return g_new0(hd_guide, 1);
}

void
hd_guide_free(hd_guide *guide)
{
	g_free(guide);
}

static bool
concerns(const hd_event *event, const char *module)
{
	bool found = !module;
	for (guint i = 0; !found && event->modules && i < event->modules->len; i++)
		found = strcmp(((const hd_module_change *)event->modules->pdata[i])->module, module) == 0;
	return found;
}

bool
hd_guide_event(hd_guide *guide, const hd_event *event)
{
	const step *now = &steps[guide->at];
	if (!(now->done & 1u << event->kind) || !concerns(event, now->module))
		return false;
	guide->at++;
	return true;
}

const char *
hd_guide_text(const hd_guide *guide)
{
	return steps[guide->at].text;
}
