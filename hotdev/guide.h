/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hotdev demo` tells its user to do next. It watches the events go by,
 * as any view does; the program and the reloader know nothing of it. */
#ifndef HD_HOTDEV_GUIDE_H
#define HD_HOTDEV_GUIDE_H

#include "reloader/history/event.h"

typedef struct hd_guide hd_guide;

hd_guide *hd_guide_new(void);
void hd_guide_free(hd_guide *guide);
/* true: the user has done what hd_guide_text said, and it says something else now. */
bool hd_guide_event(hd_guide *guide, const hd_event *event);
/* One line, of 80 columns at most. */
const char *hd_guide_text(const hd_guide *guide);

#endif
