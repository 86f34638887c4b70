/* SPDX-License-Identifier: MIT */
/* direct.h - what the directing process does to the watching one */
#ifndef DIRECT_H
#define DIRECT_H

#include <stdint.h>

#include "measure.h"
#include "soak.h"

/* Kills or stops a helper of the watching process. */
struct killer {
	uint32_t random;
	unsigned int killed;
	unsigned int stopped;
};

void killer_turn(struct killer *killer, pid_t watching);

/* What holds while all actors pause. */
struct sample {
	struct measure measure;
	int watched;
	double settling;      /* seconds that it took until nothing changed any more */
	const char *obstacle; /* what it waited for last */
};

#define SAMPLES_MAX 32

struct samples {
	struct sample each[SAMPLES_MAX];
	unsigned int count;
};

/* Has the actors pause, waits until the watching process holds what it held at the first sample,
 * and notes it. */
void samples_take(struct samples *samples, struct soak *soak, pid_t watching);
/* Prints the line of the last one, or the heading of all. */
void samples_print(const struct samples *samples, const struct soak *soak, double elapsed,
                   const struct killer *killer);
/* Compares those of a run of so many seconds with the first, prints the outcome. */
void samples_judge(const struct samples *samples, struct soak *soak, unsigned int seconds);

#endif
