/* SPDX-License-Identifier: MIT */
/* schedule.h - how often the tables are read where no watcher has set an interval */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bursts. Where nothing reports listen(2), a namespace is read again and again after a member was
 * forked or has called exec: servers usually listen soon after they start. */

/* The CPU time that bursts of all watchers may take, in ns: what polling at rest leaves of three
 * quarters of 0.2% of one CPU. It is saved up. */
struct allowance {
	int64_t saved;
	uint64_t rested; /* CLOCK_MONOTONIC: the last cycle at rest */
};

/* What one watcher may take when that is spent: its part of the last quarter. Whatever the trees of
 * others do, it is there. */
struct share {
	int64_t saved;   /* less than 0: it was overdrawn */
	uint64_t filled; /* CLOCK_MONOTONIC: until then */
};

/* Begins with as much as can be saved. */
void allowance_open(struct allowance *allowance, uint64_t now);
/* A cycle at rest of this cost begins. */
void allowance_rest(struct allowance *allowance, uint64_t now, uint64_t cost);

/* The same for one of so many watchers. */
void share_open(struct share *share, size_t sharers, uint64_t now);
/* When so much may be spent, of what is common or of the share: now or later. */
uint64_t share_due(struct share *share, const struct allowance *common, size_t sharers,
                   uint64_t now, uint64_t cost);
/* So much was spent. share NULL: on behalf of nobody. */
void share_take(struct share *share, struct allowance *common, uint64_t cpu);

/* When the next poll cycle begins, and what bursts may take. */
struct schedule {
	bool adapts;        /* some namespace is read without an interval of its own */
	uint64_t next;      /* CLOCK_MONOTONIC of the next cycle, which reads all of these */
	uint64_t resting;   /* the pause before the next cycle */
	uint64_t cycles;    /* begun */
	uint64_t scan_cost; /* CPU of the look after the trees in a cycle, in ns, smoothed */
	struct allowance allowance; /* for bursts */
	size_t sharers;             /* watchers that have a share of their own */
	struct share *payer; /* the look after the trees that is due belongs to a burst, and this
	                        share pays; NULL: it does not */
};

/* CPU time of the calling thread in ns; 0 where this round isn't measured: of those that adapt the
 * first few are, and then one in eight. */
uint64_t schedule_measure(const struct schedule *schedule);
/* Takes a new figure into a smoothed one: quickly down, slowly up, so that one busy moment doesn't
 * make the watcher deaf. */
uint64_t schedule_smooth(uint64_t smoothed, uint64_t figure);

/* A cycle begins, in which the reads cost so much CPU (ns): sets when the next one is due.
 * notified: the kernel reports listen(2). in_need: something has failed for want of memory or
 * descriptors. */
void schedule_next_cycle(struct schedule *schedule, uint64_t now, uint64_t cost, bool notified,
                         bool in_need);

/* The pause that a round of this cost (ns of CPU) may be followed by: so long that it takes 0.15%
 * of one CPU, from 50 ms to a second; with a notifier 0.05%, from a second to ten minutes. */
uint64_t schedule_interval(uint64_t cost, int notifier);

/* The pause before the next read of a burst that began so long ago: 1, 2, 4 ms; from 40 ms on a
 * tenth of that time. */
uint64_t schedule_burst_pause(uint64_t elapsed);
#endif
