/* SPDX-License-Identifier: MIT */
/* crowd.h - processes that have nothing to do with what is watched */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <sys/types.h>

/* Each holds eight descriptors beside the standard three, one of them a socket. */
struct crowd {
	pid_t root;
	int channel;
};

/* Starts so many processes. False where there can't be so many. */
bool crowd_start(struct crowd *crowd, unsigned int count);
void crowd_stop(struct crowd *crowd);

#endif
