/* SPDX-License-Identifier: MIT */
/* schedule.h - how often the tables are read if no watcher has set an interval */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bursts. If the kernel does not report listen(2), a namespace is read repeatedly after a member
 * was forked or has called exec, because servers usually listen soon after they start. */

/* A token bucket: the CPU time that the bursts of all watchers may take, in ns. It receives the
 * part of three quarters of 0.2% of one CPU that polling at rest does not use. */
struct allowance {
	int64_t saved;
	uint64_t rested; /* CLOCK_MONOTONIC: time of the last cycle at rest */
};

/* The CPU time that one watcher may take when the common bucket is empty: its part of the last
 * quarter, regardless of the trees of other watchers. */
struct share {
	int64_t saved;   /* less than 0: overdrawn */
	uint64_t filled; /* CLOCK_MONOTONIC: filled up to this time */
};

/* Starts with a full bucket. */
void allowance_open(struct allowance *allowance, uint64_t now);
/* A cycle at rest of this cost begins. */
void allowance_rest(struct allowance *allowance, uint64_t now, uint64_t cost);

/* The same for the share of one of `sharers` watchers. */
void share_open(struct share *share, size_t sharers, uint64_t now);
/* When `cost` may be spent, from the common bucket or the share: now or later. */
uint64_t share_due(struct share *share, const struct allowance *common, size_t sharers,
                   uint64_t now, uint64_t cost);
/* Takes spent CPU time from the bucket. share NULL: from the common bucket only. */
void share_take(struct share *share, struct allowance *common, uint64_t cpu);

/* When the next poll cycle begins, and how much CPU time bursts may take. */
struct schedule {
	bool adapts;        /* a namespace without an interval of its own exists */
	uint64_t next;      /* CLOCK_MONOTONIC of the next cycle, which reads all such namespaces */
	uint64_t resting;   /* the pause before the next cycle */
	uint64_t cycles;    /* number of cycles so far */
	uint64_t scan_cost; /* CPU time for the trees in a cycle, in ns, smoothed */
	struct allowance allowance; /* for bursts */
	size_t sharers;             /* watchers that have a share of their own */
	struct share *payer; /* the next check of the trees belongs to a burst that this share pays;
	                        NULL: to no burst */
};

/* CPU time of the calling thread in ns; 0 if the present cycle is not measured. The first few
 * adapting cycles are measured, and then one in eight. */
uint64_t schedule_measure(const struct schedule *schedule);
/* Smooths a figure: quickly down and slowly up, so that one busy moment does not lengthen the
 * interval much. */
uint64_t schedule_smooth(uint64_t smoothed, uint64_t figure);

/* A cycle begins whose reads cost `cost` ns of CPU: sets when the next cycle is due. notified: the
 * kernel reports listen(2). in_need: something has failed because there were no memory or
 * descriptors. */
void schedule_next_cycle(struct schedule *schedule, uint64_t now, uint64_t cost, bool notified,
                         bool in_need);

/* The pause after a cycle of this cost (ns of CPU), so that cycles take 0.15% of one CPU, from 50
 * ms to one second; with a notifier 0.05%, from one second to ten minutes. */
uint64_t schedule_interval(uint64_t cost, int notifier);

/* The pause before the next read of a burst that began `elapsed` ns ago: 1, 2, 4 ms; from 40 ms on
 * a tenth of `elapsed`. */
uint64_t schedule_burst_pause(uint64_t elapsed);
#endif
