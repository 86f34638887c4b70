/* SPDX-License-Identifier: MIT */
/* sightings.c - which ports were reported, when, and how often */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"
#include "sightings.h"

struct sightings *sightings_new(void)
{
	struct sightings *sightings = calloc(1, sizeof(*sightings));

	if (!sightings)
		bench_fail("no memory");
	sightings->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sightings->event < 0)
		bench_fail("eventfd: %s", strerror(errno));
	return sightings;
}

void sightings_free(struct sightings *sightings)
{
	close(sightings->event);
	free(sightings);
}

void sightings_note(struct sightings *sightings, int port, uint64_t when)
{
	uint64_t one = 1;

	atomic_fetch_add(&sightings->count[port], 1);
	atomic_store(&sightings->when[port], when);
	atomic_fetch_add(&sightings->total, 1);
	if (write(sightings->event, &one, sizeof(one)) < 0)
		return; /* the counter is full, so the eventfd is readable anyway */
}

/* Waits for the next event. Returns false at the deadline. */
static bool wait_next(struct sightings *sightings, uint64_t deadline)
{
	struct pollfd event = {.fd = sightings->event, .events = POLLIN};
	uint64_t now = clock_now(CLOCK_MONOTONIC), drained;

	if (now >= deadline)
		return false;
	poll(&event, 1, (int)((deadline - now) / NSEC_PER_MSEC) + 1);
	return read(sightings->event, &drained, sizeof(drained)) > 0 || errno == EAGAIN;
}

static uint64_t deadline_of(double patience)
{
	return clock_now(CLOCK_MONOTONIC) + (uint64_t)(patience * (double)NSEC_PER_SEC);
}

bool sightings_wait(struct sightings *sightings, int port, uint64_t after, double patience)
{
	uint64_t deadline = deadline_of(patience);

	while (atomic_load(&sightings->when[port]) <= after)
		if (!wait_next(sightings, deadline))
			return false;
	return true;
}

bool sightings_wait_total(struct sightings *sightings, unsigned int total, double patience)
{
	uint64_t deadline = deadline_of(patience);

	while (atomic_load(&sightings->total) < total)
		if (!wait_next(sightings, deadline))
			return false;
	return true;
}
