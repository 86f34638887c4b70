/* SPDX-License-Identifier: MIT */
/* perf_merge.h - the records of many rings, in the order of their times
 *
 * A heap of the rings that hold something: a record costs O(log n) comparisons for n such rings.
 * Pure. */
#ifndef PERF_MERGE_H
#define PERF_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "notify/perf.h"

struct perf_merge {
	struct perf_stream **heap; /* the caller's: room for all that are added */
	size_t count;
	uint64_t comparisons; /* made since it was set to 0 */
};

/* Begins with a ring: it takes part with what it holds now. 0, or -EBADMSG where that is no record.
 */
int perf_merge_add(struct perf_merge *merge, struct perf_stream *stream);

/* The earliest record that is left; NULL: none. */
const struct perf_record *perf_merge_first(const struct perf_merge *merge);

/* Goes on behind it. 0, or -EBADMSG where its ring goes on with what is no record. */
int perf_merge_next(struct perf_merge *merge);

/* Leaves the rest in the rings, for the next time. Each of them then takes its perf_ring_end(). */
void perf_merge_end(struct perf_merge *merge);

#endif
