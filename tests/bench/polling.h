/* SPDX-License-Identifier: MIT */
/* polling.h - how it is done without the library: once a second `nsenter -t PID -n cat` of both
 * tables, and a walk over the descriptors of all processes */
#ifndef POLLING_H
#define POLLING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "command.h"
#include "sightings.h"

struct polling {
	pid_t pid;
	pthread_t thread;
	_Atomic bool quit;
	struct sightings *opened;
};

/* In a thread of its own. */
void polling_start(struct polling *polling, pid_t pid);
void polling_stop(struct polling *polling);

/* The cost of `nsenter … cat` alone; false where it may not be run. */
bool polling_cat(pid_t pid, unsigned int runs, struct cost *cost);
/* The CPU time of one walk over the descriptors of all processes, in seconds. */
double polling_walk(void);

#endif
