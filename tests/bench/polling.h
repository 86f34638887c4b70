/* SPDX-License-Identifier: MIT */
/* polling.h - the baseline: how programs find ports without the library
 *
 * Once a second, `nsenter -t PID -n cat` of both tables, then a walk over the descriptors of all
 * processes. */
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

/* Starts the baseline in a thread. */
void polling_start(struct polling *polling, pid_t pid);
void polling_stop(struct polling *polling);

/* Measures the cost of `nsenter … cat` alone. Returns false if the command fails. */
bool polling_cat(pid_t pid, unsigned int runs, struct cost *cost);
/* The CPU time of one walk over the descriptors of all processes, in seconds. */
double polling_walk(void);

#endif
