/* SPDX-License-Identifier: MIT */
/* stats.h - what watching costs */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>
#include <sys/types.h>

/* CPU time of a child so far, in nanoseconds; 0 for pid 0 or where it can't be told. */
uint64_t stats_child_cpu(pid_t pid);

#endif
