/* SPDX-License-Identifier: MIT */
/* poll_cycle.h - the cost of one poll cycle of a namespace in which nothing happens */
#ifndef POLL_CYCLE_H
#define POLL_CYCLE_H

#include "watching.h"

/* Time between two cycles, and between two of the bare dumps that they are compared with. */
#define POLL_INTERVAL 20

struct poll_cycle {
	int error;    /* a negative errno: this way doesn't work here */
	double cpu;   /* seconds of all threads and helpers */
	double calls; /* system calls; NAN: not known, because: */
	int untraced; /* a negative errno */
};

/* Watches a process that does nothing, in the given way, for so many windows of so many cycles. */
struct poll_cycle poll_cycle_measure(pid_t pid, enum portwatch_reader reader,
                                     enum portwatch_table table, unsigned int windows,
                                     unsigned int cycles);

#endif
