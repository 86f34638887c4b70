/* SPDX-License-Identifier: MIT */
/* perf_cpus.h - a kernel tracepoint on every CPU that is online */
#ifndef PERF_CPUS_H
#define PERF_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/perf.h"
#include "notify/tracepoint.h"

#define BELLS_ONLINE_MAX 4097 /* a page of sysfs */

struct bell {
	struct tracepoint tracepoint;
	struct perf_record record; /* the next to be handled, while it is drained */
};

struct bells {
	int epoll; /* readable when a tracepoint is */
	uint64_t id;
	const char *filter;
	char online[BELLS_ONLINE_MAX]; /* the list of CPUs, as last read */
	size_t online_length;
	struct bell **waiting; /* scratch for a drain: room for all */
	size_t count;
	struct bell each[]; /* by CPU; tracepoint.fd is -1 where it is not open */
};

/* Opens the tracepoint on all online CPUs. filter must outlive it. Returns 0 or a negative errno
 * with *step set, as in failure.h. */
int bells_open(struct bells **bells, uint64_t id, const char *filter, const char **step);
void bells_close(struct bells *bells);
/* The same in the child of a fork(2). */
void bells_forget(struct bells *bells); /* NULL allowed */

/* Closes those of CPUs that went, opens those of CPUs that came. Returns whether one was opened:
 * what happened there before is not known. */
bool bells_follow(struct bells *bells);

#endif
