/* SPDX-License-Identifier: MIT */
/* sightings.h - which ports were reported, when, and how often */
#ifndef SIGHTINGS_H
#define SIGHTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sightings {
	int event;                    /* an eventfd, readable after each event */
	_Atomic uint64_t when[65536]; /* CLOCK_MONOTONIC of the last event; 0: none */
	_Atomic unsigned int count[65536];
	_Atomic unsigned int total;
};

struct sightings *sightings_new(void);
void sightings_free(struct sightings *sightings);
void sightings_note(struct sightings *sightings, int port, uint64_t when);
/* Wait until the port has an event after the given time, or until the total number of events has
 * been reached. Return false after `patience` seconds. */
bool sightings_wait(struct sightings *sightings, int port, uint64_t after, double patience);
bool sightings_wait_total(struct sightings *sightings, unsigned int total, double patience);

#endif
