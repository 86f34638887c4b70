/* SPDX-License-Identifier: MIT */
/* sightings.h - which ports were seen, when, and how often */
#ifndef SIGHTINGS_H
#define SIGHTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sightings {
	int event;                    /* readable after each */
	_Atomic uint64_t when[65536]; /* CLOCK_MONOTONIC of the last; 0: never */
	_Atomic unsigned int count[65536];
	_Atomic unsigned int total;
};

struct sightings *sightings_new(void);
void sightings_free(struct sightings *sightings);
void sightings_note(struct sightings *sightings, int port, uint64_t when);
/* Waits until the port has been seen later than a time, or until so many sightings in total. False
 * when it takes longer than so many seconds. */
bool sightings_wait(struct sightings *sightings, int port, uint64_t after, double patience);
bool sightings_wait_total(struct sightings *sightings, unsigned int total, double patience);

#endif
