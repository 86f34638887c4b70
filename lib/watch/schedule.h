/* SPDX-License-Identifier: MIT */
/* schedule.h - how often the tables are read where no watcher has set an interval */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct monitor;
struct netns;
struct process;

/* CPU time of the calling thread in ns; 0 where this round isn't measured: of those that adapt the
 * first few are, and then one in eight. */
uint64_t schedule_measure(const struct monitor *monitor);
/* Takes a new figure into a smoothed one: quickly down, slowly up, so that one busy moment doesn't
 * make the watcher deaf. */
uint64_t schedule_smooth(uint64_t smoothed, uint64_t figure);

/* Sets when the next round is due, from what the last ones have cost. */
void schedule_next_cycle(struct monitor *monitor, uint64_t now);

/* The pause that a round of this cost (ns of CPU) may be followed by: so long that it takes 0.15%
 * of one CPU, from 50 ms to a second; with a notifier 0.05%, from a second to ten minutes. */
uint64_t schedule_interval(uint64_t cost, int notifier);

/* Bursts. Where nothing reports listen(2), a namespace is read again and again after a member was
 * forked or has called exec: servers usually listen soon after they start. */

/* The CPU time that bursts may take, in ns: what polling at rest leaves of 0.2% of one CPU, and a
 * quarter of that at least. It is saved up while nothing is forked. */
struct allowance {
	int64_t saved;
	uint64_t filled; /* CLOCK_MONOTONIC: until then */
	uint64_t rested; /* the last cycle at rest */
};

/* Begins with as much as can be saved. */
void allowance_open(struct allowance *allowance, uint64_t now);
/* A cycle at rest of this cost begins. */
void allowance_rest(struct allowance *allowance, uint64_t now, uint64_t cost);
/* When so much may be spent: now or later. */
uint64_t allowance_due(struct allowance *allowance, uint64_t now, uint64_t cost);
/* So much was spent. */
void allowance_take(struct allowance *allowance, uint64_t cpu);

/* The pause before the next read of a burst that began so long ago: 1, 2, 4 ms; from 40 ms on a
 * tenth of that time. */
uint64_t schedule_burst_pause(uint64_t elapsed);
/* A namespace is new, or a member there has been forked or has called exec: the burst begins, or
 * begins anew. */
void schedule_burst(struct netns *ns, uint64_t now);
/* A member has been forked, has been found or has called exec. */
void schedule_started(struct monitor *monitor, const struct process *process);
/* Whether a read of the burst is due, which is paid then. Ends a burst whose pauses have reached
 * the interval at rest. */
bool schedule_burst_reads(struct netns *ns, uint64_t now);

#endif
