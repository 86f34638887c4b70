/* SPDX-License-Identifier: MIT */
/* cadence.c - how often the tables are read where no watcher has set an interval */
#include "cadence.h"
#include "clock.h"
#include "monitor.h"

#define SHARE 500 /* a round takes at most one part in so many of the time: 0.2% */
#define SHORTEST (50 * NSEC_PER_MSEC)
#define LONGEST NSEC_PER_SEC
#define LONGEST_WITH_DOORBELL (60 * NSEC_PER_SEC)

uint64_t cadence_interval(uint64_t cost, int doorbell)
{
	uint64_t shortest = doorbell ? LONGEST : SHORTEST;
	uint64_t longest = doorbell ? LONGEST_WITH_DOORBELL : LONGEST;
	uint64_t interval = cost < longest / SHARE ? cost * SHARE : longest;

	return interval < shortest ? shortest : interval;
}

void cadence_next(struct monitor *monitor, uint64_t now)
{
	uint64_t cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	uint64_t cost = cpu - monitor->cpu_mark + monitor->waited;

	monitor->cpu_mark = cpu;
	monitor->waited = 0;
	/* Smoothed, so that one burst of work doesn't make the watcher deaf. */
	monitor->cost = monitor->cost ? monitor->cost - monitor->cost / 8 + cost / 8 : cost;
	/* Without a table to read, the round looks after the trees alone. */
	monitor->round =
		now + (monitor->adapts ? cadence_interval(monitor->cost, monitor->doorbell != NULL)
	                               : LONGEST);
}
