/* SPDX-License-Identifier: MIT */
/* perf_cpus.h - a perf event on every CPU that is online */
#ifndef PERF_CPUS_H
#define PERF_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "notify/perf.h"
#include "notify/tcp_state.h"

struct perf_cpus;

/* How many CPUs there may ever be. A negative errno, with *step set as in failure.h. */
int perf_cpus_possible(const char **step);

/* Opens events on all CPUs that are online, of the source (NULL: for records of processes alone).
 * The epoll set becomes readable with a sample, or when a ring is half full. The source must
 * outlive it. Returns 0 or a negative errno with *step set, as in failure.h. */
int perf_cpus_open(struct perf_cpus **perf_cpus, struct tcp_source *source, int epoll,
                   const char **step);
void perf_cpus_close(struct perf_cpus *perf_cpus); /* NULL allowed */

/* Closes those of CPUs that went, opens those of CPUs that came. Returns whether one was opened:
 * what happened there before is not known. */
bool perf_cpus_update(struct perf_cpus *perf_cpus);

/* Begins to take records out of the rings, up to perf_cpus_end(). Returns them, to be taken by
 * perf_merge_next(); *damaged: some ring held what is no record. */
struct perf_merge *perf_cpus_begin(struct perf_cpus *perf_cpus, bool *damaged);
/* Returns whether records may have been dropped. */
bool perf_cpus_end(struct perf_cpus *perf_cpus);

#endif
