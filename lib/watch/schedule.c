/* SPDX-License-Identifier: MIT */
/* schedule.c - how often the tables are read where no watcher has set an interval */
#include "watch/schedule.h"
#include "util/clock.h"
#include "watch/netns.h"

/* A round takes at most one part in so many of the time: 0.2%. With a doorbell 0.05%: what a round
 * costs beside its reads, the search for owners (attribution.c), and the cold caches after so long
 * a pause come to as much again, and 0.2% is not to be passed. */
#define SHARE 500
#define SHARE_WITH_DOORBELL 2000
#define SHORTEST (50 * NSEC_PER_MSEC)
#define LONGEST NSEC_PER_SEC
#define LONGEST_WITH_DOORBELL (600 * NSEC_PER_SEC)
/* What the first quiet read of a small table takes after a pause, with the helper's part. Assumed
 * until there was one: many namespaces would otherwise all be read again a second after the start.
 */
#define ASSUMED_COST UINT64_C(60000)
/* What failed for want of memory or descriptors is tried again with the next round. */
#define LONGEST_IN_NEED (10 * NSEC_PER_SEC)

uint64_t cadence_interval(uint64_t cost, int doorbell)
{
	uint64_t shortest = doorbell ? LONGEST : SHORTEST;
	uint64_t longest = doorbell ? LONGEST_WITH_DOORBELL : LONGEST;
	uint64_t share = doorbell ? SHARE_WITH_DOORBELL : SHARE;
	uint64_t interval = cost < longest / share ? cost * share : longest;

	return interval < shortest ? shortest : interval;
}

uint64_t cadence_measure(const struct monitor *monitor)
{
	if (!monitor->adapts || (monitor->rounds > 8 && monitor->rounds % 8 != 0))
		return 0;
	return clock_now(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t cadence_smooth(uint64_t smoothed, uint64_t figure)
{
	if (smoothed == 0 || figure < smoothed)
		return smoothed / 2 + figure / 2 + (smoothed == 0 ? figure / 2 : 0);
	return smoothed + (figure - smoothed) / 8;
}

/* What is to be read in a round, and the look after the trees. */
static uint64_t round_cost(const struct monitor *monitor)
{
	uint64_t cost = monitor->look_cost;
	struct portwatch_namespace *ns;

	list_each (ns, &monitor->namespaces, struct portwatch_namespace, link)
		if (ns->adapts)
			cost += ns->cost ? ns->cost : ASSUMED_COST;
	return cost;
}

void cadence_next(struct monitor *monitor, uint64_t now)
{
	bool in_need = monitor->unplaced || monitor->unanchored || monitor->refresh_failed;
	/* Without a table to read, the round looks after the trees alone. */
	uint64_t interval = LONGEST;

	if (monitor->adapts)
		interval = cadence_interval(round_cost(monitor), monitor->doorbell != NULL);
	if (in_need && interval > LONGEST_IN_NEED)
		interval = LONGEST_IN_NEED;
	monitor->rounds++;
	monitor->round = now + interval;
}
