/* SPDX-License-Identifier: MIT */
/* Everything is made of waves whose pitch glides and whose loudness fades. The
 * audio thread owns the voices; others touch them under SDL's lock only. */
#include "sound.h"

#include <SDL_audio.h>
#include <SDL_error.h>
#include <SDL_log.h>
#include <math.h>

enum { RATE = 48000, VOICES = 8 };

/* Change these while you listen. */
static const float volume = 0.25f;
static const float hum_pitch = 55.0f, hum_loudness = 0.2f;

typedef struct {
	float pitch, glide;	/* hertz; hertz a second */
	float loudness, fading; /* up to 1; a second */
	float phase;		/* from 0 to 1 */
} voice;

typedef struct {
	voice voices[VOICES]; /* silent where the loudness is 0 */
	voice hum;
	float peak;
} mixer;

static SDL_AudioDeviceID device;
static mixer mixed;

static float
wave(float phase)
{
	return sinf(6.2831853f * phase);
}

static float
next_sample(voice *v)
{
	const float second = 1.0f / RATE;
	float sample = v->loudness * wave(v->phase);
	v->phase += v->pitch * second;
	v->phase -= floorf(v->phase);
	v->pitch += v->glide * second;
	v->loudness = fmaxf(0, v->loudness - v->fading * second);
	return sample;
}

static float
mix_sample(mixer *m)
{
	float sum = next_sample(&m->hum);
	for (int i = 0; i < VOICES; i++)
		sum += next_sample(&m->voices[i]);
	return fminf(1, fmaxf(-1, volume * sum));
}

static void SDLCALL
mix(void *data, Uint8 *stream, int bytes)
{
	mixer *m = data;
	float *samples = (float *)stream;
	m->hum.pitch = hum_pitch;
	m->hum.loudness = hum_loudness;
	for (int i = 0; i < bytes / (int)sizeof *samples; i++) {
		samples[i] = mix_sample(m);
		m->peak = fmaxf(m->peak, fabsf(samples[i]));
	}
}

void
sound_open(void)
{
	SDL_AudioSpec wanted = {.freq = RATE,
				.format = AUDIO_F32SYS,
				.channels = 1,
				.samples = 1024,
				.callback = mix,
				.userdata = &mixed};
	device = SDL_OpenAudioDevice(NULL, 0, &wanted, NULL, 0);
	if (!device)
		SDL_Log("no sound: %s", SDL_GetError());
	else
		SDL_PauseAudioDevice(device, 0);
}

void
sound_close(void)
{
	if (device)
		SDL_CloseAudioDevice(device);
	device = 0;
}

static voice
voice_of(sound_name name)
{
	switch (name) {
	case SOUND_SHOT:
		return (voice){.pitch = 900, .glide = -3500, .loudness = 0.4f, .fading = 2.5f};
	case SOUND_BLAST:
		return (voice){.pitch = 160, .glide = -220, .loudness = 0.9f, .fading = 1.8f};
	case SOUND_CRASH:
		break;
	}
	return (voice){.pitch = 320, .glide = -260, .loudness = 1.0f, .fading = 0.9f};
}

/* The quietest voice gives way. */
void
sound_play(sound_name name)
{
	voice *quietest = mixed.voices;
	if (!device)
		return;
	SDL_LockAudioDevice(device);
	for (int i = 1; i < VOICES; i++)
		if (mixed.voices[i].loudness < quietest->loudness)
			quietest = &mixed.voices[i];
	*quietest = voice_of(name);
	SDL_UnlockAudioDevice(device);
}

float
sound_peak(void)
{
	if (!device)
		return 0;
	SDL_LockAudioDevice(device);
	float loudest = mixed.peak;
	mixed.peak = 0;
	SDL_UnlockAudioDevice(device);
	return loudest;
}
