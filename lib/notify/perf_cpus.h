/* SPDX-License-Identifier: MIT */
/* perf_cpus.h - a perf event on every CPU that is online */
#ifndef PERF_CPUS_H
#define PERF_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "notify/perf.h"
#include "notify/tcp_state.h"

struct perf_cpus;

/* The number of possible CPUs, or a negative errno with *step set as in failure.h. */
int perf_cpus_possible(const char **step);

/* Opens events of the source on all CPUs that are online (NULL: for records of processes only).
 * The epoll set becomes readable with a sample, or when a ring is half full. The source must
 * outlive it. Returns 0 or a negative errno with *step set, as in failure.h. */
int perf_cpus_open(struct perf_cpus **perf_cpus, struct tcp_source *source, int epoll,
                   const char **step);
void perf_cpus_close(struct perf_cpus *perf_cpus); /* NULL allowed */

/* Closes the events of CPUs that have gone offline, and opens events for new ones. Returns whether
 * one was opened: earlier events on this CPU were missed. */
bool perf_cpus_update(struct perf_cpus *perf_cpus);

/* Starts to read the rings, until perf_cpus_end(). Returns the merged records; *damaged: a ring had
 * invalid data. */
struct perf_merge *perf_cpus_begin(struct perf_cpus *perf_cpus, bool *damaged);
/* Returns whether records may have been dropped. */
bool perf_cpus_end(struct perf_cpus *perf_cpus);

#endif
