/* SPDX-License-Identifier: MIT */
/* perf_event.h - a perf event on one CPU, with the ring that its records go to */
#ifndef PERF_EVENT_H
#define PERF_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "notify/perf.h"
#include "notify/tcp_state.h"

struct perf_event {
	void *mapping; /* NULL: it is not open */
	struct tcp_source *source;
	unsigned int cpu;
	size_t length;
	struct perf_stream stream;
};

/* Opens an event for all processes on a CPU: the samples of the source (NULL: none), and a record
 * for each fork, exec and exit, in times of CLOCK_MONOTONIC. Adds it to the epoll set, where it
 * becomes readable (EPOLLIN) at a sample, and when the ring is half full. Returns 0 or a negative
 * errno (-ENODEV: the CPU is offline) with *step set to what failed, as in failure.h; then it is
 * closed.
 *
 * No descriptor stays open: the mapping alone keeps the event, its place in the epoll set and in a
 * map of the source's. So it costs none of the host's descriptors, and no child that the host forks
 * gets a copy. */
int perf_event_open(struct perf_event *event, struct tcp_source *source, unsigned int cpu,
                    int epoll, const char **step);

/* May be called on a closed one. */
void perf_event_close(struct perf_event *event);

#endif
