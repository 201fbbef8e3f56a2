/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of text that is being typed, with a history. */
#ifndef HD_TUI_PROMPT_H
#define HD_TUI_PROMPT_H

#include "tui/screen.h"

typedef struct tui_prompt tui_prompt;

typedef enum { PROMPT_TYPING, PROMPT_DONE, PROMPT_CANCELLED } tui_prompt_state;

tui_prompt *tui_prompt_new(void);
void tui_prompt_free(tui_prompt *prompt);
/* Starts with this text; the history stays. */
void tui_prompt_start(tui_prompt *prompt, const char *text);
tui_prompt_state tui_prompt_key(tui_prompt *prompt, const tui_key *key);
const char *tui_prompt_text(const tui_prompt *prompt);
/* Columns before the cursor. */
int tui_prompt_cursor(const tui_prompt *prompt);

#endif
