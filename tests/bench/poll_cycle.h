/* SPDX-License-Identifier: MIT */
/* poll_cycle.h - the cost of one poll cycle of a namespace in which nothing happens */
#ifndef POLL_CYCLE_H
#define POLL_CYCLE_H

#include "watching.h"

/* Milliseconds between two cycles, and between two bare dumps, to which the cycles are compared. */
#define POLL_INTERVAL 20

struct poll_cycle {
	int error;    /* a negative errno: this way of reading does not work here */
	double cpu;   /* seconds of all threads and helpers */
	double calls; /* system calls; NAN: not counted */
	int untraced; /* a negative errno: why the calls were not counted */
};

/* Watches an idle process by the given reader and table, for `windows` windows of `cycles` cycles.
 */
struct poll_cycle poll_cycle_measure(pid_t pid, enum portwatch_reader reader,
                                     enum portwatch_table table, unsigned int windows,
                                     unsigned int cycles);

#endif
