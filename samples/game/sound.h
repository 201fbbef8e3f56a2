/* SPDX-License-Identifier: MIT */
/* What is heard is mixed by SDL's audio thread. Without an audio device nothing is. */
#ifndef SOUND_H
#define SOUND_H

typedef enum { SOUND_SHOT, SOUND_BLAST, SOUND_CRASH } sound_name;

void sound_open(void);
void sound_close(void);
void sound_play(sound_name name);
/* The loudest sample since the last call, from 0 to 1. */
float sound_peak(void);

#endif
