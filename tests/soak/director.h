/* SPDX-License-Identifier: MIT */
/* director.h - how the director attacks and measures the watching process */
#ifndef DIRECTOR_H
#define DIRECTOR_H

#include <stdint.h>

#include "measure.h"
#include "soak.h"

/* Kills and stops helpers of the watching process. */
struct killer {
	uint32_t random;
	unsigned int killed;
	unsigned int stopped;
};

void killer_attack(struct killer *killer, pid_t watching);

/* The state of the watching process while all actors pause. */
struct sample {
	struct measure measure;
	int watched;
	double settle_seconds; /* time until the state was stable */
	const char *obstacle;  /* the last reason to wait */
};

#define SAMPLES_MAX 32

struct samples {
	struct sample each[SAMPLES_MAX];
	unsigned int count;
};

/* Pauses the actors, waits until the state of the watching process equals the first sample, and
 * adds a sample. */
void samples_take(struct samples *samples, struct soak *soak, pid_t watching);
/* Prints the line of the last sample; before the first line, the heading. */
void samples_print(const struct samples *samples, const struct soak *soak, double elapsed,
                   const struct killer *killer);
/* Compares the samples of a run of the given length with the first one, and prints the result. */
void samples_judge(const struct samples *samples, struct soak *soak, unsigned int seconds);

#endif
