/* SPDX-License-Identifier: MIT */
/* crowd.h - idle processes outside of the watched tree */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <sys/types.h>

/* Each process holds eight descriptors in addition to the standard three. One is a socket. */
struct crowd {
	pid_t root;
	int channel;
};

/* Starts the given number of processes. Returns false if a limit prevents it. */
bool crowd_start(struct crowd *crowd, unsigned int count);
void crowd_stop(struct crowd *crowd);

#endif
