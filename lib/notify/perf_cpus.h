/* SPDX-License-Identifier: MIT */
/* perf_cpus.h - a kernel tracepoint on every CPU that is online */
#ifndef PERF_CPUS_H
#define PERF_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/perf.h"
#include "notify/tracepoint.h"

#define PERF_CPUS_ONLINE_MAX 4097 /* a page of sysfs */

struct perf_cpu {
	struct tracepoint tracepoint;
	struct perf_record record; /* the next to be handled, while it is drained */
};

struct perf_cpus {
	int epoll; /* readable when a tracepoint is */
	uint64_t id;
	const char *filter;
	char online[PERF_CPUS_ONLINE_MAX]; /* the list of CPUs, as last read */
	size_t online_length;
	struct perf_cpu **waiting; /* scratch for a drain: room for all */
	size_t count;
	struct perf_cpu each[]; /* by CPU; tracepoint.fd is -1 where it is not open */
};

/* Opens the tracepoint on all online CPUs. filter must outlive it. Returns 0 or a negative errno
 * with *step set, as in failure.h. */
int perf_cpus_open(struct perf_cpus **perf_cpus, uint64_t id, const char *filter,
                   const char **step);
void perf_cpus_close(struct perf_cpus *perf_cpus);
/* The same in the child of a fork(2). */
void perf_cpus_forget(struct perf_cpus *perf_cpus); /* NULL allowed */

/* Closes those of CPUs that went, opens those of CPUs that came. Returns whether one was opened:
 * what happened there before is not known. */
bool perf_cpus_update(struct perf_cpus *perf_cpus);

#endif
