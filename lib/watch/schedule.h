/* SPDX-License-Identifier: MIT */
/* schedule.h - how often the tables are read where no watcher has set an interval */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdint.h>

struct monitor;

/* CPU time of the calling thread in ns; 0 where this round isn't measured: of those that adapt the
 * first few are, and then one in eight. */
uint64_t schedule_measure(const struct monitor *monitor);
/* Takes a new figure into a smoothed one: quickly down, slowly up, so that one busy moment doesn't
 * make the watcher deaf. */
uint64_t schedule_smooth(uint64_t smoothed, uint64_t figure);

/* Sets when the next round is due, from what the last ones have cost. */
void schedule_next_cycle(struct monitor *monitor, uint64_t now);

/* The pause that a round of this cost (ns of CPU) may be followed by: so long that it takes 0.2% of
 * one CPU, from 50 ms to a second; with a notifier 0.05%, from a second to ten minutes. */
uint64_t schedule_interval(uint64_t cost, int notifier);

#endif
