/* SPDX-License-Identifier: MIT */
/* tick.h - what one look at a namespace costs in which nothing happens */
#ifndef TICK_H
#define TICK_H

#include "watching.h"

/* Time between two ticks, and between two of the bare dumps that they are compared with. */
#define TICK_INTERVAL 20

struct tick {
	int error;    /* a negative errno: this way doesn't work here */
	double cpu;   /* seconds of all threads and helpers */
	double calls; /* system calls; NAN: not known, because: */
	int untraced; /* a negative errno */
};

/* Watches a process that does nothing, in the given way, for so many windows of so many ticks. */
struct tick tick_measure(pid_t pid, enum portwatch_reader reader, enum portwatch_table table,
                         unsigned int windows, unsigned int ticks);

#endif
