/* SPDX-License-Identifier: MIT */
/* schedule.c - how often the tables are read where no watcher has set an interval */
#include "watch/schedule.h"
#include "util/clock.h"
#include "watch/netns.h"

/* A round takes at most one part in so many of the time: 0.2%. With a notifier 0.05%: what a round
 * costs beside its reads, the search for owners (attribution.c), and the cold caches after so long
 * a pause come to as much again, and 0.2% is not to be passed. */
#define SHARE 500
#define SHARE_WITH_NOTIFIER 2000
#define SHORTEST (50 * NSEC_PER_MSEC)
#define LONGEST NSEC_PER_SEC
#define LONGEST_WITH_NOTIFIER (600 * NSEC_PER_SEC)
/* What the first quiet read of a small table takes after a pause, with the helper's part. Assumed
 * until there was one: many namespaces would otherwise all be read again a second after the start.
 */
#define ASSUMED_COST UINT64_C(60000)
/* What failed for want of memory or descriptors is tried again with the next round. */
#define LONGEST_IN_NEED (10 * NSEC_PER_SEC)

uint64_t schedule_interval(uint64_t cost, int notifier)
{
	uint64_t shortest = notifier ? LONGEST : SHORTEST;
	uint64_t longest = notifier ? LONGEST_WITH_NOTIFIER : LONGEST;
	uint64_t share = notifier ? SHARE_WITH_NOTIFIER : SHARE;
	uint64_t interval = cost < longest / share ? cost * share : longest;

	return interval < shortest ? shortest : interval;
}

uint64_t schedule_measure(const struct monitor *monitor)
{
	if (!monitor->adapts || (monitor->rounds > 8 && monitor->rounds % 8 != 0))
		return 0;
	return clock_now(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t schedule_smooth(uint64_t smoothed, uint64_t figure)
{
	if (smoothed == 0 || figure < smoothed)
		return smoothed / 2 + figure / 2 + (smoothed == 0 ? figure / 2 : 0);
	return smoothed + (figure - smoothed) / 8;
}

/* What is to be read in a round, and the look after the trees. */
static uint64_t cycle_cost(const struct monitor *monitor)
{
	uint64_t cost = monitor->scan_cost;
	struct netns *ns;

	list_each (ns, &monitor->namespaces, struct netns, link)
		if (ns->adapts)
			cost += ns->cost ? ns->cost : ASSUMED_COST;
	return cost;
}

void schedule_next_cycle(struct monitor *monitor, uint64_t now)
{
	bool in_need = monitor->unplaced || monitor->exit_unwatched || monitor->refresh_failed;
	/* Without a table to read, the round looks after the trees alone. */
	uint64_t interval = LONGEST;

	if (monitor->adapts)
		interval = schedule_interval(cycle_cost(monitor),
		                             monitor_notified(monitor, NOTIFIER_LISTEN));
	if (in_need && interval > LONGEST_IN_NEED)
		interval = LONGEST_IN_NEED;
	monitor->rounds++;
	monitor->round = now + interval;
}
