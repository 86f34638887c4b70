/* SPDX-License-Identifier: MIT */
/* schedule.c - how often the tables are read where no watcher has set an interval */
#include "watch/schedule.h"
#include "util/clock.h"

/* Polling takes at most 0.2% of one CPU: three quarters of that at rest, one part in so many of the
 * time, and the remainder in bursts. With a notifier 0.05%: what a round costs beside its reads,
 * the search for owners (owners.c), and the cold caches after so long a pause come to as much
 * again, and 0.2% is not to be passed. */
#define SHARE 667
#define SHARE_OF_BURSTS 2000
#define SHARE_WITH_NOTIFIER 2000
#define SHORTEST (50 * NSEC_PER_MSEC)
#define LONGEST NSEC_PER_SEC
#define LONGEST_WITH_NOTIFIER (600 * NSEC_PER_SEC)
/* What failed for want of memory or descriptors is tried again with the next round. */
#define LONGEST_IN_NEED (10 * NSEC_PER_SEC)
/* What bursts may save up: some 500 reads of a small table, as many as ten of them take. */
#define SAVED_MAX (50 * NSEC_PER_MSEC)
/* The pauses within a burst grow to this, and later with the time since it began. A server is found
 * so much later than it listens at most, or a tenth of the time that it took to start. */
#define BURST_PAUSE (4 * NSEC_PER_MSEC)
#define BURST_PART 10

uint64_t schedule_interval(uint64_t cost, int notifier)
{
	uint64_t shortest = notifier ? LONGEST : SHORTEST;
	uint64_t longest = notifier ? LONGEST_WITH_NOTIFIER : LONGEST;
	uint64_t share = notifier ? SHARE_WITH_NOTIFIER : SHARE;
	uint64_t interval = cost < longest / share ? cost * share : longest;

	return interval < shortest ? shortest : interval;
}

uint64_t schedule_measure(const struct schedule *schedule)
{
	if (!schedule->adapts || (schedule->cycles > 8 && schedule->cycles % 8 != 0))
		return 0;
	return clock_now(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t schedule_smooth(uint64_t smoothed, uint64_t figure)
{
	if (smoothed == 0 || figure < smoothed)
		return smoothed / 2 + figure / 2 + (smoothed == 0 ? figure / 2 : 0);
	return smoothed + (figure - smoothed) / 8;
}

/* --- bursts */

void allowance_open(struct allowance *allowance, uint64_t now)
{
	*allowance = (struct allowance){.saved = SAVED_MAX, .filled = now, .rested = now};
}

static void save(struct allowance *allowance, uint64_t cpu)
{
	allowance->saved += (int64_t)cpu;
	if (allowance->saved > (int64_t)SAVED_MAX)
		allowance->saved = (int64_t)SAVED_MAX;
}

static void fill(struct allowance *allowance, uint64_t now)
{
	save(allowance, (now - allowance->filled) / SHARE_OF_BURSTS);
	allowance->filled = now;
}

void allowance_rest(struct allowance *allowance, uint64_t now, uint64_t cost)
{
	uint64_t share = (now - allowance->rested) / SHARE;

	fill(allowance, now);
	allowance->rested = now;
	if (share > cost)
		save(allowance, share - cost);
}

uint64_t allowance_due(struct allowance *allowance, uint64_t now, uint64_t cost)
{
	uint64_t most = cost < SAVED_MAX ? cost : SAVED_MAX;

	fill(allowance, now);
	if (allowance->saved >= (int64_t)most)
		return now;
	return now + (most - (uint64_t)allowance->saved) * SHARE_OF_BURSTS;
}

void allowance_take(struct allowance *allowance, uint64_t cpu)
{
	allowance->saved -= cpu < SAVED_MAX ? (int64_t)cpu : (int64_t)SAVED_MAX;
	if (allowance->saved < 0)
		allowance->saved = 0;
}

uint64_t schedule_burst_pause(uint64_t elapsed)
{
	uint64_t pause =
		elapsed + NSEC_PER_MSEC < BURST_PAUSE ? elapsed + NSEC_PER_MSEC : BURST_PAUSE;

	return elapsed / BURST_PART > pause ? elapsed / BURST_PART : pause;
}

/* --- the cycle */

void schedule_next_cycle(struct schedule *schedule, uint64_t now, uint64_t cost, bool notified,
                         bool in_need)
{
	/* Without a table to read, the cycle looks after the trees alone. */
	uint64_t interval = LONGEST;

	if (schedule->adapts) {
		cost += schedule->scan_cost;
		interval = schedule_interval(cost, notified);
		allowance_rest(&schedule->allowance, now, cost);
	}
	schedule->resting = interval;
	if (in_need && interval > LONGEST_IN_NEED)
		interval = LONGEST_IN_NEED;
	schedule->cycles++;
	schedule->next = now + interval;
}
