/* SPDX-License-Identifier: MIT */
/* schedule.c - how often the tables are read if no watcher has set an interval */
#include "watch/schedule.h"
#include "util/clock.h"

/* Polling takes at most 0.2% of one CPU: three quarters of this at rest, which is one part in SHARE
 * of the time, and the remainder in bursts. With a notifier the share is 0.05%: the other costs of
 * a cycle, the search for owners (owners.c), and cold caches after a long pause add as much again,
 * and the total must stay below 0.2%. */
#define SHARE 667
#define SHARE_OF_BURSTS 2000
#define SHARE_WITH_NOTIFIER 2000
#define SHORTEST (50 * NSEC_PER_MSEC)
#define LONGEST NSEC_PER_SEC
#define LONGEST_WITH_NOTIFIER (600 * NSEC_PER_SEC)
/* The longest pause while something has failed because there were no memory or descriptors, so that
 * it is tried again. */
#define LONGEST_IN_NEED (10 * NSEC_PER_SEC)
/* The CPU time that bursts can accumulate, in the common bucket, and in all shares together: about
 * 250 reads of a small table each, enough for five bursts. */
#define SAVED_MAX (25 * NSEC_PER_MSEC)
/* The pauses within a burst grow to this length, and later with the time since it began. A server
 * is found at most this long after its listen(2), or after a tenth of the time that it took to
 * start. */
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

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void allowance_open(struct allowance *allowance, uint64_t now)
{
	*allowance = (struct allowance){.saved = SAVED_MAX, .rested = now};
}

void allowance_rest(struct allowance *allowance, uint64_t now, uint64_t cost)
{
	uint64_t share = (now - allowance->rested) / SHARE;

	allowance->rested = now;
	if (share > cost)
		allowance->saved += (int64_t)(share - cost);
	if (allowance->saved > (int64_t)SAVED_MAX)
		allowance->saved = (int64_t)SAVED_MAX;
}

/* The time after which a share has accumulated this much. */
static uint64_t time_to_save(uint64_t cpu, size_t sharers)
{
	return cpu * SHARE_OF_BURSTS * sharers;
}

void share_open(struct share *share, size_t sharers, uint64_t now)
{
	*share = (struct share){.saved = (int64_t)(SAVED_MAX / sharers), .filled = now};
}

static void fill(struct share *share, size_t sharers, uint64_t now)
{
	int64_t most = (int64_t)(SAVED_MAX / sharers);

	share->saved += (int64_t)((now - share->filled) / time_to_save(1, sharers));
	share->filled = now;
	if (share->saved > most)
		share->saved = most;
}

uint64_t share_due(struct share *share, const struct allowance *common, size_t sharers,
                   uint64_t now, uint64_t cost)
{
	int64_t most = (int64_t)smaller(cost, SAVED_MAX / sharers);

	fill(share, sharers, now);
	if (share->saved >= most || common->saved >= (int64_t)smaller(cost, SAVED_MAX))
		return now;
	return now + time_to_save((uint64_t)(most - share->saved), sharers);
}

void share_take(struct share *share, struct allowance *common, uint64_t cpu)
{
	int64_t cost = (int64_t)smaller(cpu, SAVED_MAX);

	/* The common bucket serves all watchers, and is used first. */
	if (!share || common->saved >= cost)
		common->saved = common->saved > cost ? common->saved - cost : 0;
	else if (share->saved > -(int64_t)SAVED_MAX)
		share->saved -= cost;
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
	/* If no table is read in a cycle, the cycle only reads the trees. */
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
