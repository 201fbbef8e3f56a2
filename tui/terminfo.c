/* SPDX-License-Identifier: GPL-2.0-or-later */
/* term.h makes macros of everyday words; they stay in here. */
#include "config.h"

#include "tui/screen.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

bool
screen_possible(void)
{
	int unknown;
	if (setupterm(NULL, STDOUT_FILENO, &unknown) != OK)
		return false;
	const char *move_to = tigetstr("cup");
	bool possible = move_to && move_to != (char *)-1;
	del_curterm(cur_term);
	return possible;
}
