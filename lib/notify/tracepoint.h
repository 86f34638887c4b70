/* SPDX-License-Identifier: MIT */
/* tracepoint.h - a kernel tracepoint on one CPU, with the ring that its records go to */
#ifndef TRACEPOINT_H
#define TRACEPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "notify/perf.h"

struct tracepoint {
	int fd; /* becomes readable (EPOLLIN) at a sample; -1: closed */
	void *mapping;
	size_t length;
	struct perf_ring ring;
};

/* Opens it for all processes on a CPU, with fork and exit records, in times of CLOCK_MONOTONIC. It
 * is silent until tracepoint_enable(). Returns 0 or a negative errno (-ENODEV: the CPU is offline)
 * with *step set to what failed, as in failure.h; then it is closed. */
int tracepoint_open(struct tracepoint *tracepoint, uint64_t id, int cpu, const char *filter,
                    const char **step);
int tracepoint_enable(struct tracepoint *tracepoint, const char **step);

/* May be called on a closed one. */
void tracepoint_close(struct tracepoint *tracepoint);

#endif
